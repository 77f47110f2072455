//! `cargo xtask test`: the workspace's tests, with the guests they need.
//!
//! As a release build, so that the tests and the demo share the one long build of the engine.

use std::ffi::OsStr;

use anyhow::Result;

use crate::guests::{self, Guests};
use crate::project::Project;
use crate::{run, toolchain};

/// Tells tests where the built guests are. Unset means that there are none, and that tests of guests are skipped.
const GUESTS_VARIABLE: &str = "WASMPOOL_GUESTS";

/// Builds the guests, then runs `cargo test --workspace --release` with `args` added.
///
/// # Errors
/// When a guest does not compile, or a test fails.
pub fn run(project: &Project, args: &[String]) -> Result<Guests> {
    let guests = guests::build(project, &toolchain::set_up(project)?)?;
    let mut command = project.cargo(&["test", "--workspace", "--release"]);
    command.args(args.iter().map(OsStr::new));
    if guests.built.is_empty() {
        eprintln!("warning: no guest was built: every test that needs one is SKIPPED");
        command.env_remove(GUESTS_VARIABLE);
    } else {
        command.env(GUESTS_VARIABLE, &guests.folder);
    }
    run::run(&mut command)?;
    Ok(guests)
}
