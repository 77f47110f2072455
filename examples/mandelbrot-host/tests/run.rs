//! The program makes a picture of the size that was asked for, if the guest is built.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let guests = std::env::var_os("WASMPOOL_GUESTS");
    if guests.is_none() {
        println!("SKIPPED (no guests): it_writes_a_png");
    }
    let skipped = guests.is_none();
    let test = Trial::test("it_writes_a_png", move || {
        it_writes_a_png(&guests.unwrap_or_default());
        Ok(())
    });
    libtest_mimic::run(
        &Arguments::from_args(),
        vec![test.with_ignored_flag(skipped)],
    )
    .exit();
}

fn it_writes_a_png(guests: &OsStr) {
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mandelbrot.png");
    let output = Command::new(env!("CARGO_BIN_EXE_mandelbrot-host"))
        .arg(Path::new(guests).join("mandelbrot.wasm"))
        .arg(&picture)
        .args(["200", "120"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");

    let decoder = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open(&picture).unwrap(),
    ));
    let mut reader = decoder.read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (200, 120));
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let first = &pixels[..3];
    assert!(
        pixels.chunks_exact(3).any(|pixel| pixel != first),
        "a picture of one colour"
    );
}
