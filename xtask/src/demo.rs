//! `cargo xtask demo`: the main job, on real input.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

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
    let guests = guests::build(project, &toolchain::set_up(project)?)?;
    // With all targets, so that the engine is built with the same features as for the tests: once for both.
    run::run(&mut project.cargo(&["build", "--release", "--workspace", "--all-targets"]))?;
    map(project, &guests)
}

/// As [`run()`], with guests and a release that are built already.
///
/// # Errors
/// As [`run()`].
pub fn map(project: &Project, guests: &Guests) -> Result<()> {
    let module = guests
        .module(MODULE)
        .with_context(|| format!("the demo needs {MODULE}, which was not built"))?;

    let folders = sources(project)?;
    let program = project.target.join("release/wasmpool");
    let mut command = project.command(program);
    command
        .arg("map")
        .arg(format!("{}:{TASK}", module.display()))
        .arg("--files")
        .args(folders.iter().map(|folder| folder.join("**/*.rs")))
        .arg("--stats");
    let output = run::output(&mut command)?;
    let output = String::from_utf8(output).context("the results are not UTF-8")?;
    let results = totals_of(&output)?;
    for line in output.lines().take(3) {
        println!("{line}");
    }
    println!("{results}");

    let counted = count(&folders)?;
    if counted != results {
        bail!("the files were counted here, another way, as: {counted}");
    }
    run::say("an independent count of the same files gives the same totals");
    Ok(())
}

/// Maps the same files in every way there is: workers, isolation and chunks must not show in the results.
///
/// # Errors
/// When a map fails, or its results differ from those of the first.
pub fn same_everywhere(project: &Project, guests: &Guests) -> Result<()> {
    let module = guests
        .module(MODULE)
        .with_context(|| format!("this needs {MODULE}, which was not built"))?;
    let folders = sources(project)?;
    let mut first: Option<Vec<u8>> = None;
    for isolation in ["shared", "thread", "instance", "process"] {
        for (workers, chunk) in [("1", "auto"), ("2", "100"), ("8", "1")] {
            let mut command = project.command(project.target.join("release/wasmpool"));
            command
                .arg("map")
                .arg(format!("{}:{TASK}", module.display()))
                .arg("--files")
                .args(folders.iter().map(|folder| folder.join("**/*.rs")))
                .args([
                    "--isolation",
                    isolation,
                    "--workers",
                    workers,
                    "--chunk-size",
                    chunk,
                ]);
            let output = run::output(&mut command)?;
            if *first.get_or_insert_with(|| output.clone()) != output {
                bail!("these results differ from those of one shared worker");
            }
        }
    }
    run::say("the results are the same for all workers, isolations and chunks");
    Ok(())
}

/// What is summed over all files.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    files: u64,
    bytes: u64,
    lines: u64,
    blank: u64,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals {
            files,
            bytes,
            lines,
            blank,
        } = self;
        write!(
            f,
            "{files} files, {bytes} bytes, {lines} lines, {blank} of them blank"
        )
    }
}

/// The totals of what the guest said, a JSON object a line.
fn totals_of(output: &str) -> Result<Totals> {
    let mut totals = Totals::default();
    for line in output.lines() {
        let stats: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| {
            stats[name]
                .as_u64()
                .with_context(|| format!("no `{name}` in {line}"))
        };
        totals.files += 1;
        totals.bytes += field("bytes")?;
        totals.lines += field("lines")?;
        totals.blank += field("blank")?;
    }
    Ok(totals)
}

/// The same totals, counted here, without the pool and without the guest's code.
fn count(folders: &[PathBuf]) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut left = folders.to_vec();
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read(&path)?;
                let body = text.strip_suffix(b"\n").unwrap_or(&text);
                let lines: Vec<&[u8]> = match text.is_empty() {
                    true => Vec::new(),
                    false => body.split(|b| *b == b'\n').collect(),
                };
                let white = |b: &u8| matches!(b, b' ' | 9..=13);
                totals.files += 1;
                totals.bytes += text.len() as u64;
                totals.lines += lines.len() as u64;
                totals.blank += lines
                    .iter()
                    .map(|line| line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line))
                    .filter(|line| line.iter().all(white))
                    .count() as u64;
            }
        }
    }
    Ok(totals)
}

/// The folders whose source files the demo reads.
fn sources(project: &Project) -> Result<Vec<PathBuf>> {
    let registry = registry_sources();
    if !registry.is_empty() {
        return Ok(registry);
    }
    let packages = project.dependencies(&[])?;
    Ok(packages
        .iter()
        .map(|package| package.folder().to_owned())
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
