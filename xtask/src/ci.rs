//! `cargo xtask ci`: everything that has to pass before a change lands, cheapest first.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::project::Project;
use crate::{apart, demo, documented, licences, run, test};

/// Runs all checks, and stops at the first that fails.
///
/// # Errors
/// When a check fails; and at the end, when guests were skipped, since then the tests have not shown much.
pub fn run(project: &Project) -> Result<()> {
    run::run(&mut project.cargo(&["fmt", "--all", "--check"]))?;
    licences::check(project)?;
    deny(project)?;
    // As a release, so that build scripts and macros are compiled once for this and for the tests.
    run::run(&mut project.cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--release",
        "--",
        "-D",
        "warnings",
    ]))?;
    documented::check(project)?;

    apart::check(project)?;
    let guests = test::run(project, &[])?;
    if !guests.skipped.is_empty() {
        bail!(
            "all else has passed, but {} guests were not built, so that their tests and the demo have not run",
            guests.skipped.len()
        );
    }
    demo::map(project, &guests)?;
    demo::same_everywhere(project, &guests)
}

/// cargo-deny checks advisories and duplicates too, but takes minutes to install: it is used where it is.
fn deny(project: &Project) -> Result<()> {
    let installed = Command::new("cargo-deny")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !installed {
        run::say("cargo-deny is not installed: advisories are NOT checked");
        return Ok(());
    }
    run::run(&mut project.cargo(&["deny", "check"]))
}
