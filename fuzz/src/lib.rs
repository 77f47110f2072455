//! Fuzz targets for everything in the runtime that reads hostile bytes: what workers, compilers and fork servers write,
//! what lies in the cache, what guests want printed.
//!
//! Each target is a plain function in [`TARGETS`], which checks more than that nothing panics: that what is read comes
//! back as it was written, that bounds are kept, that memory is taken in proportion to the input only. Two programs
//! drive them:
//!
//! - `cargo test --manifest-path fuzz/Cargo.toml`, on stable, with nothing but cargo: every file of the corpus, then
//!   50,000 mutations a target from a fixed seed. `WASMPOOL_FUZZ_SEED` and `WASMPOOL_FUZZ_RUNS` change that. Part of
//!   `cargo xtask ci`.
//! - `cargo +nightly fuzz run --features libfuzzer TARGET`, led by coverage, with a sanitizer, for as long as one likes.
//!
//! The corpus is what `cargo run --manifest-path fuzz/Cargo.toml --example seeds` writes: real encodings, by the
//! runtime's own code. It is written anew when the protocol changes; a test says when.
//!
//! The runtime's modules are taken in by path, so that the engine need not be built.

// The modules come whole, and not all of each is used here.
#![allow(dead_code, unused_imports)]

#[path = "../../runtime/src/cache/mod.rs"]
mod cache;
#[path = "../../runtime/src/catalogue.rs"]
mod catalogue;
#[path = "../../runtime/src/encoding.rs"]
mod encoding;
#[path = "../../runtime/src/failure.rs"]
mod failure;
#[path = "../../runtime/src/ids.rs"]
mod ids;
#[path = "../../runtime/src/ipc/mod.rs"]
mod ipc;
#[path = "../../runtime/src/limits.rs"]
mod limits;
#[path = "../../runtime/src/mode.rs"]
mod mode;
#[path = "../../runtime/src/sys/mod.rs"]
mod sys;
#[path = "../../runtime/src/text.rs"]
mod text;

/// The part of the command line that looks at results.
#[path = "../../runtime/src/cli"]
mod cli {
    pub mod json;
}

/// The part of the sandbox that is plain data.
#[path = "../../runtime/src/sandbox"]
mod sandbox {
    pub mod layers;
}

mod memory;
mod targets;

pub use targets::{TARGETS, Target};

/// Runs a target. Returns whether it took the input for a good one.
///
/// # Panics
/// If there is no such target, or the input shows a bug.
pub fn run(name: &str, data: &[u8]) -> bool {
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        panic!("there is no target {name}");
    };
    (target.run)(data)
}
