//! `cargo xtask package`: a static release of the program, and a Debian package of it.
//!
//! - `debian`: the files that make a folder a package.
//! - `elf`: whether a program needs a loader.
//!
//! The program is linked with a static glibc: it then runs on any Linux of its processor, and starts without a loader.
//! Of glibc's parts that need its shared libraries at run time (name service, locales, `dlopen`, `dlsym`) it uses none.

mod debian;
mod elf;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::project::{Package, Project};
use crate::run;

/// The program's package and name.
const NAME: &str = "wasmpool";

/// Builds the program and packs it; with `--program FILE` packs that one, with `--into FOLDER` there.
///
/// # Errors
/// When something cannot be built, written or packed.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let (mut program, mut folder) = (None, project.target.join("package"));
    for option in args.chunks(2) {
        match option {
            [flag, file] if flag == "--program" => program = Some(PathBuf::from(file)),
            [flag, path] if flag == "--into" => folder = PathBuf::from(path),
            _ => bail!(
                "`cargo xtask package` takes `--program FILE` and `--into FOLDER`, or nothing"
            ),
        }
    }
    let program = program.map_or_else(|| build(project), Ok)?;
    let package = pack(project, &program, &folder)?;
    let bytes = package.metadata()?.len();
    run::say(&format!(
        "{}: {:.1} MiB",
        package.display(),
        bytes as f64 / f64::from(1 << 20)
    ));
    Ok(())
}

/// How a static program is compiled. Without the second one, random numbers would come from a device where `dlsym` finds
/// no `getrandom`, and workers may open none.
const STATIC: [&str; 2] = [
    "-Ctarget-feature=+crt-static",
    "--cfg=getrandom_backend=\"linux_getrandom\"",
];

/// The static program, in which the walls have been tried.
fn build(project: &Project) -> Result<PathBuf> {
    let target = host(project)?;
    // For this target, and so not for build scripts and macros, which are loaded by the compiler.
    let flags = format!("target.{target}.rustflags={STATIC:?}");
    run::run(&mut project.cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        NAME,
        "--bin",
        NAME,
        "--target",
        &target,
        "--config",
        &flags,
        "--config",
        "profile.release.strip=\"symbols\"",
        "--config",
        "profile.release.debug=0",
    ]))?;
    let program = project.target.join(target).join("release").join(NAME);
    if elf::needs_loader(&program)? {
        bail!("{} is not static", program.display());
    }
    audit(&program)?;
    Ok(program)
}

/// Has the program prove its own walls: it is another build than that of the tests. What this machine does not offer is
/// no fault of the program's.
fn audit(program: &Path) -> Result<()> {
    const PROVED: i32 = 0;
    const INCOMPLETE: i32 = 4;
    let mut audit = Command::new(program);
    audit.arg("audit");
    run::say(&format!("$ {}", run::display(&audit)));
    let output = audit.output().context("the program cannot be started")?;
    match output.status.code() {
        Some(PROVED) => run::say("  proved"),
        Some(INCOMPLETE) => run::say("  nothing is broken; this machine does not offer all"),
        _ => bail!(
            "the program's own audit ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    Ok(())
}

/// What cargo builds for by itself.
fn host(project: &Project) -> Result<String> {
    let mut rustc = project.command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let told = run::output(rustc.arg("-vV"))?;
    let told = String::from_utf8_lossy(&told);
    let line = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not tell its host")?.to_owned())
}

/// Makes a Debian package of a program, in `folder`; returns its path.
fn pack(project: &Project, program: &Path, folder: &Path) -> Result<PathBuf> {
    let members = &project.members;
    let own = members.iter().find(|package| package.name == NAME);
    let own = own.context("the workspace has no wasmpool")?;
    let tree = debian::Tree::new(folder, &own.version)?;
    tree.stage(project, program, &dependencies(project)?)?;
    tree.close(program)
}

/// All that is linked into the program, with its licence: a line each.
fn dependencies(project: &Project) -> Result<String> {
    let mut lines: Vec<_> = project
        .dependencies(&[host(project)?])?
        .iter()
        .filter(|package| package.source.is_some())
        .map(line)
        .collect();
    lines.sort();
    lines.dedup();
    Ok(lines.concat())
}

fn line(package: &Package) -> String {
    let licence = package.license.as_deref().unwrap_or("see its source");
    format!("{} {}: {licence}\n", package.name, package.version)
}
