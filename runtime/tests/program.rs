//! The program `wasmpool` is built and starts. With this suite here, cargo builds the program whenever it tests this
//! package; the tests from outside, in `tests/`, run that one.

use std::process::Command;

#[test]
fn it_tells_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_wasmpool"))
        .arg("--version")
        .output()
        .expect("the program starts");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success());
    assert!(
        text.starts_with(concat!("wasmpool ", env!("CARGO_PKG_VERSION"))),
        "{text}"
    );
}
