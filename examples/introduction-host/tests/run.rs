//! The program prints what its README shows, if the guest is built.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let guests = std::env::var_os("WASMPOOL_GUESTS");
    if guests.is_none() {
        println!("SKIPPED (no guests): it_prints_what_the_readme_shows");
    }
    let skipped = guests.is_none();
    let test = Trial::test("it_prints_what_the_readme_shows", move || {
        it_prints_what_the_readme_shows(&guests.unwrap_or_default());
        Ok(())
    });
    libtest_mimic::run(
        &Arguments::from_args(),
        vec![test.with_ignored_flag(skipped)],
    )
    .exit();
}

fn it_prints_what_the_readme_shows(guests: &OsStr) {
    let output = Command::new(env!("CARGO_BIN_EXE_introduction-host"))
        .arg(Path::new(guests).join("introduction.wasm"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let readme = include_str!("../README.md");
    let shown = readme.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);
}
