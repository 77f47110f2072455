//! `cargo xtask demo`: the main job, on real input.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::guests::{self, Guests};
use crate::project::Project;
use crate::{run, toolchain};

/// The guest that the demo maps, and its task.
const MODULE: &str = "code-stats.wasm";
const TASK: &str = "code-stats";

/// Builds a release and maps a guest over source files: those of cargo's registry if there are any, else those of the
/// workspace and of the packages it depends on.
///
/// # Errors
/// When something does not build, or the map fails.
pub fn run(project: &Project) -> Result<()> {
    map(
        project,
        &guests::build(project, &toolchain::set_up(project)?)?,
    )
}

/// As [`run`], with guests that are built already.
///
/// # Errors
/// As [`run`].
pub fn map(project: &Project, guests: &Guests) -> Result<()> {
    run::run(&mut project.cargo(&["build", "--release", "--workspace"]))?;
    let module = guests
        .module(MODULE)
        .with_context(|| format!("the demo needs {MODULE}, which was not built"))?;

    let mut command = project.command(project.target.join("release/wasmpool"));
    command
        .arg("map")
        .arg(format!("{}:{TASK}", module.display()))
        .arg("--files")
        .args(sources(project)?)
        .arg("--stats");
    let lines = run::output(&mut command)?;

    let lines = String::from_utf8(lines).context("the results are not UTF-8")?;
    for line in lines.lines().take(3) {
        println!("{line}");
    }
    run::say(&format!("{} results in all", lines.lines().count()));
    Ok(())
}

/// Patterns for the source files that the demo reads.
fn sources(project: &Project) -> Result<Vec<String>> {
    let registry = registry_sources();
    let folders = match registry.is_empty() {
        false => registry,
        true => {
            let packages = project.dependencies(&[])?;
            packages
                .iter()
                .map(|package| package.folder().to_owned())
                .collect()
        }
    };
    Ok(folders
        .iter()
        .map(|folder| folder.join("**/*.rs").display().to_string())
        .collect())
}

/// The folders in which cargo keeps the unpacked sources of packages, one a registry.
fn registry_sources() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(home) = home else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(home.join("registry/src")) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}
