//! Multiprocessing for code you do not trust.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "wasmpool runs on Linux, on x86_64 and aarch64: its worker processes need Linux's own protections"
);

pub mod cache;
#[doc(hidden)]
pub mod cli;
pub mod encoding;
pub mod engine;
pub mod failure;
pub mod ids;
pub mod ipc;
pub mod limits;
pub mod mode;
pub mod pool;
pub mod sandbox;
pub mod sys;
pub mod text;
mod threads;
pub mod worker;
