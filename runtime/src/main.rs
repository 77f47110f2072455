//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    wasmpool::worker::enter_if_asked();
    wasmpool::cli::main()
}
