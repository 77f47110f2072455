//! The command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: wasmpool::worker::Allocator = wasmpool::worker::Allocator;

fn main() -> ExitCode {
    wasmpool::worker::enter_if_asked();
    wasmpool::cli::main()
}
