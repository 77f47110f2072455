//! The program prints what its README shows.

use std::process::Command;

#[test]
fn it_prints_what_the_readme_shows() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let readme = include_str!("../README.md");
    let shown = readme.split("```text\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), shown);
}
