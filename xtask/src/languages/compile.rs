//! From a source file and its world to a module, one function a language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::tools::{Tools, keep_zig_cache};
use super::{Guest, Language};
use crate::project::Project;
use crate::{guests, run};

/// The interfaces of the pool.
pub const TASK_WIT: &str = "wit/0.1.0";

/// What the linker is told for C and Zig. A component has no `main`; the stack of 16 MiB that is Zig's default would
/// count against each item's memory.
const REACTOR: [&str; 3] = ["-target", "wasm32-wasi", "-mexec-model=reactor"];
const STACK_BYTES: &str = "1048576";

/// Compiles a guest to `module`.
///
/// # Errors
/// When the tools say so; what they say is on standard error.
pub fn compile(
    project: &Project,
    work: &Path,
    tools: &Tools,
    guest: &Guest,
    module: &Path,
) -> Result<()> {
    let place = work.join("build").join(guest.name);
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
    }
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let wit = place.join("wit");
    if let Some(world) = guest.world {
        copy_wit(&project.root.join(world.wit), &wit)?;
        let deps = wit.join("deps/wasmpool-task");
        copy_wit(&project.root.join(TASK_WIT), &deps)?;
    }

    let job = Job {
        project,
        tools,
        world: guest.world.map_or("", |world| world.name),
        source: project.root.join(guest.source),
        wit,
        out: place.join("guest.wasm"),
        place,
    };
    match guest.language {
        Language::C => job.c()?,
        Language::Go => job.go()?,
        Language::JavaScript => job.javascript()?,
        Language::Python => job.python()?,
        Language::Zig => job.zig()?,
    }
    guests::publish(&job.out, module)
}

struct Job<'a> {
    project: &'a Project,
    tools: &'a Tools,
    /// Its world's name; empty if it has none.
    world: &'a str,
    source: PathBuf,
    /// The folder with the world and what it imports.
    wit: PathBuf,
    /// An empty folder.
    place: PathBuf,
    /// Where the module goes.
    out: PathBuf,
}

impl Job<'_> {
    fn javascript(&self) -> Result<()> {
        // Without `--sync` it would need asynchronous components.
        let mut command = self.tools.command(self.project);
        command.args(["--sync", "--opt-size", "--world", self.world]);
        command.arg("--wit").arg(&self.wit);
        command.arg("--js").arg(&self.source);
        command.arg("--output").arg(&self.out);
        run::run(command.stdout(Stdio::null()))
    }

    fn python(&self) -> Result<()> {
        // In a copy, since it leaves compiled files beside the source.
        let copy = self.place.join("guest.py");
        fs::copy(&self.source, &copy)
            .with_context(|| format!("cannot copy {}", self.source.display()))?;
        let mut command = self.tools.command(self.project);
        command.args(["--quiet", "--world", self.world]);
        command.arg("--wit-path").arg(&self.wit);
        command.args(["componentize", "guest", "--python-path"]);
        command.arg(&self.place).arg("--output").arg(&self.out);
        run::run(&mut command)
    }

    /// For WASI preview 1, from the package of its source: it needs nothing but Go's own library.
    fn go(&self) -> Result<()> {
        let mut command = self.tools.command(self.project);
        command.args(["build", "-C"]);
        command.arg(self.source.parent().unwrap_or(&self.source));
        command
            .args(["-trimpath", "-ldflags=-s", "-o"])
            .arg(&self.out);
        run::run(command.arg("."))
    }

    fn c(&self) -> Result<()> {
        let bindings = self.bindings()?;
        let mut command = self.compiler();
        command.arg("cc").args(REACTOR);
        command.args(["-O2", "-s", "-Wall", "-Wextra"]);
        command.arg(format!("-Wl,-z,stack-size={STACK_BYTES}"));
        command.arg(&self.source).args(&bindings.sources);
        command.arg("-I").arg(&bindings.folder);
        run::run(command.arg("-o").arg(&self.out))
    }

    fn zig(&self) -> Result<()> {
        let bindings = self.bindings()?;
        let mut translate = self.compiler();
        translate.args(["translate-c", "-target", "wasm32-wasi", "-lc"]);
        let translated = run::output(translate.arg(&bindings.header))?;
        let zig = bindings.header.with_extension("zig");
        fs::write(&zig, translated).with_context(|| format!("cannot write {}", zig.display()))?;

        let mut command = self.compiler();
        command.arg("build-exe").args(REACTOR);
        command.args(["-lc", "-OReleaseSmall", "-fstrip", "--stack", STACK_BYTES]);
        command.arg("-I").arg(&bindings.folder);
        command.args(&bindings.sources);
        let (world, source) = (self.world, self.source.display());
        command.args(["--dep", world]);
        command.arg(format!("-Mroot={source}"));
        command.arg(format!("-M{world}={}", zig.display()));
        run::run(command.arg(format!("-femit-bin={}", self.out.display())))
    }

    fn compiler(&self) -> Command {
        let mut command = self.tools.command(self.project);
        keep_zig_cache(&mut command, self.project);
        command
    }

    /// Makes C bindings with wit-bindgen. As a release, so that tests and this share the build of the generator.
    fn bindings(&self) -> Result<Bindings> {
        let folder = self.place.join("bindings");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let run = [
            "run",
            "--quiet",
            "--release",
            "--package",
            "c-bindings",
            "--",
        ];
        let mut cargo = self.project.cargo(&run);
        cargo.arg(&self.wit).arg(self.world).arg(&folder);
        run::run(&mut cargo)?;
        let file = |rest: &str| folder.join(format!("{}{rest}", self.world));
        Ok(Bindings {
            header: file(".h"),
            sources: [file(".c"), file("_component_type.o")],
            folder,
        })
    }
}

struct Bindings {
    folder: PathBuf,
    header: PathBuf,
    /// Code, and an object with the types of the world.
    sources: [PathBuf; 2],
}

/// The WIT files of a folder.
///
/// # Errors
/// When it cannot be read.
pub fn wit_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "wit") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Copies the WIT files of a folder: some tools follow no links.
fn copy_wit(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for file in wit_files(from)? {
        let name = file.file_name().unwrap_or_default();
        fs::copy(&file, to.join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}
