//! `cargo xtask test`: the workspace's tests, with the guests they need.
//!
//! As a release build, so that the tests and the demo share the one long build of the engine.

use std::ffi::OsStr;

use anyhow::Result;

use crate::guests::{self, Guests};
use crate::project::Project;
use crate::{book, browser, languages, run, toolchain};

/// Tells tests where the built guests are. Unset means that there are none, and that tests of guests are skipped.
const GUESTS_VARIABLE: &str = "WASMPOOL_GUESTS";

/// Tells tests what to compile guests with, where the active compiler cannot.
const COMPILER_VARIABLE: &str = "WASMPOOL_GUEST_RUSTC";

/// Builds the guests, then runs `cargo test --workspace --release` with `args` added.
///
/// # Errors
/// When a guest does not compile, or a test fails.
pub fn run(project: &Project, args: &[String]) -> Result<Guests> {
    let toolchain = toolchain::set_up(project)?;
    let guests = guests::build(project, &toolchain)?;
    let mut command = project.cargo(&["test", "--workspace", "--release"]);
    command.args(args.iter().map(OsStr::new));
    if guests.built.is_empty() {
        eprintln!("warning: no guest was built: every test that needs one is SKIPPED");
        command.env_remove(GUESTS_VARIABLE);
    } else {
        command.env(GUESTS_VARIABLE, &guests.folder);
    }
    book::render(project)?;
    if let Err(reason) = browser::set_up(project) {
        eprintln!("warning: no browser: every test that opens a page is SKIPPED: {reason:#}");
    }
    if let Some(rustc) = &toolchain.rustc {
        command.env(COMPILER_VARIABLE, rustc);
    }
    // Projects that tests make use the C library that was built for the guests.
    command.env("ZIG_GLOBAL_CACHE_DIR", languages::zig_cache(project));
    run::run(&mut command)?;
    Ok(guests)
}
