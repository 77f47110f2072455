//! The program prints what its README shows, and the file and the database agree, if the guest is built.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let guests = std::env::var_os("WASMPOOL_GUESTS");
    if guests.is_none() {
        println!("SKIPPED (no guests): the_rows_are_in_the_database");
    }
    let skipped = guests.is_none();
    let test = Trial::test("the_rows_are_in_the_database", move || {
        the_rows_are_in_the_database(&guests.unwrap_or_default());
        Ok(())
    });
    libtest_mimic::run(
        &Arguments::from_args(),
        vec![test.with_ignored_flag(skipped)],
    )
    .exit();
}

fn the_rows_are_in_the_database(guests: &OsStr) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_three-stages-host"))
        .arg(Path::new(guests).join("three-stages.wasm32-wasip1.wasm"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../convert-data/input"
        ))
        .arg(out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let readme = include_str!("../README.md");
    let shown = readme.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);

    let rows = std::fs::read_to_string(out.join("penguins.jsonl")).unwrap();
    let chinstraps = rows.lines().filter(|row| row.contains("\"Chinstrap\""));
    assert_eq!((rows.lines().count(), chinstraps.count()), (342, 68));
    let database = rusqlite::Connection::open(out.join("penguins.sqlite")).unwrap();
    let found: (u64, f64) = database
        .query_row("SELECT count(*), sum(mass_kg) FROM penguins", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let mass = |row: &str| -> f64 {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        row["mass_kg"].as_f64().unwrap()
    };
    let sum: f64 = rows.lines().map(mass).sum();
    assert_eq!(found.0, 342);
    assert!((found.1 - sum).abs() < 1e-6, "{} {sum}", found.1);
}
