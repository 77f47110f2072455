//! The examples of what multiprocessing is for, on their own input: results are right by a measure from outside, and
//! those of the same code run natively.

mod simulation;

use std::process::ExitCode;

use serde_json::Value;
use wasmpool_tests::{Ran, Suite, guests, wasmpool};

fn main() -> ExitCode {
    Suite::new()
        .guest("estimates_of_pi", simulation::pi)
        .guest("prices_of_an_option", simulation::prices)
        .guest("energies_of_planets", simulation::energies)
        .run()
}

/// Maps a task of a guest with these arguments, and this on standard input; all items must be done.
fn map_with(guest: &str, task: &str, args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    let guests = guests().expect("only run with guests");
    let target = format!("{}:{task}", guests.join(format!("{guest}.wasm")).display());
    wasmpool([&["map", &target, "--workers", "2"], args].concat())
        .run_with(input)
        .exits(0)
}

/// JSON lines.
fn lines(items: impl IntoIterator<Item = Value>) -> String {
    items.into_iter().map(|item| format!("{item}\n")).collect()
}
