//! Packages that are workspaces of their own.
//!
//! `fuzz` gives damaged bytes to all that reads hostile ones; `loom` checks models of what is shared without a lock. They
//! take modules of the runtime in by path, so as to build in seconds, without the engine. `docs/render` renders the book;
//! nothing else is to be built with what it needs.

use anyhow::Result;

use crate::project::Project;
use crate::run;

const PACKAGES: [&str; 3] = ["fuzz", "loom", "docs/render"];

/// Checks the format of each, and runs its tests.
///
/// # Errors
/// When a check or a test fails, or a lock file is out of date.
pub fn check(project: &Project) -> Result<()> {
    for package in PACKAGES {
        let manifest = format!("{package}/Cargo.toml");
        run::run(&mut project.cargo(&["fmt", "--manifest-path", &manifest, "--check"]))?;
        let mut test = project.cargo(&["test", "--locked", "--manifest-path", &manifest]);
        run::run(test.arg("--target-dir").arg(project.target.join(package)))?;
    }
    Ok(())
}
