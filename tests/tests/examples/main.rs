//! The examples of what multiprocessing is for, on their own input: results are right by a measure from outside, and
//! those of the same code run natively.

mod crypto;
mod data;
mod digits;
mod ocr;
mod photos;
mod simulation;

use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;
use wasmpool_tests::{Ran, Suite, guests, root, wasmpool};

fn main() -> ExitCode {
    Suite::new()
        .guest("estimates_of_pi", simulation::pi)
        .guest("prices_of_an_option", simulation::prices)
        .guest("energies_of_planets", simulation::energies)
        .guest("password_hashes", crypto::hashes)
        .guest("password_checks", crypto::checks)
        .guest("vectors_of_the_argon2_rfc", crypto::vectors)
        .guest("tables_there_and_back", data::round_trip)
        .where_possible("tables_in_python", python(), data::in_python)
        .guest("a_file_that_unpacks_to_too_much", data::bomb)
        .guest("thumbnails", photos::thumbnails)
        .guest("blurred_photographs", photos::blurred)
        .guest("digits_as_scikit_learn_sees_them", digits::as_scikit_learn)
        .guest("weights_are_found_again", digits::weights)
        .guest("pages_are_read", ocr::pages)
        .run()
}

/// Whether there are guests, and a Python to compare them with.
fn python() -> Result<(), String> {
    if guests().is_none() {
        return Err("no guests".into());
    }
    let version = Command::new("python3").arg("--version").output();
    match version.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("no python3".into()),
    }
}

/// A file of an example, relative to the top of the repository.
fn input(example: &str, file: &str) -> String {
    format!("examples/{example}/input/{file}")
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = root().join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Maps a task of a guest with these arguments; all items must be done.
fn map(guest: &str, task: &str, args: &[&str]) -> Ran {
    map_with(guest, task, args, "")
}

/// The same, with this on standard input.
fn map_with(guest: &str, task: &str, args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    run_with(guest, task, args, input).exits(0)
}

/// The same, however it ends.
fn run_with(guest: &str, task: &str, args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    let guests = guests().expect("only run with guests");
    let target = format!("{}:{task}", guests.join(format!("{guest}.wasm")).display());
    wasmpool([&["map", &target, "--workers", "2"], args].concat()).run_with(input)
}

/// JSON lines.
fn lines(items: impl IntoIterator<Item = Value>) -> String {
    items.into_iter().map(|item| format!("{item}\n")).collect()
}
