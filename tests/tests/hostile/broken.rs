//! Bytes that are no module, or only nearly: each is refused, and what is said of it commands no terminal.

use std::fs;
use std::path::PathBuf;

use wasmpool::limits::Limits;
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::{Random, Suite, small_component, temporary, wasmpool};

use super::oracle::run;

/// A name, the bytes, and a part of what is said of them.
type Broken = (&'static str, Vec<u8>, &'static str);

fn broken() -> Vec<Broken> {
    let module = small_component();
    let with = |at: usize, bytes: &[u8]| {
        let mut module = module.clone();
        module[at..at + bytes.len()].copy_from_slice(bytes);
        module
    };
    // The first section is the core module: its length is the second byte behind the head of eight.
    let longer_than_it_is = with(9, &[0x7f]);
    let twice = [&module[..], &module].concat();
    let number_without_end = [&module[..8], &[1], &[0x80; 64]].concat();
    let four_gib = [&module[..8], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    let unknown_section = [&module[..8], &[77, 1, 0]].concat();
    vec![
        ("nothing", Vec::new(), "the module is empty"),
        ("blanks", b" \n\t\n".to_vec(), "the module is empty"),
        ("zeros", vec![0; 4096], "not a WebAssembly module"),
        (
            "only-a-magic-number",
            b"\0asm".to_vec(),
            "malformed WebAssembly at byte 4",
        ),
        (
            "another-version",
            with(4, &[0x0e]),
            "malformed WebAssembly at byte",
        ),
        (
            "another-layer",
            with(6, &[2]),
            "malformed WebAssembly at byte",
        ),
        (
            "a-section-that-is-too-long",
            longer_than_it_is,
            "malformed WebAssembly at byte",
        ),
        (
            "a-section-of-four-gib",
            four_gib,
            "malformed WebAssembly at byte",
        ),
        (
            "an-unknown-section",
            unknown_section,
            "malformed section id: 77",
        ),
        (
            "a-number-without-an-end",
            number_without_end,
            "malformed WebAssembly at byte",
        ),
        (
            "a-module-behind-a-module",
            twice,
            "malformed WebAssembly at byte",
        ),
        (
            "native-code",
            b"\x7fELF\x02\x01\x01".repeat(99),
            "precompiled or native code is not accepted",
        ),
        (
            "a-script",
            b"#!/bin/sh\nreboot\n".to_vec(),
            "not WebAssembly text",
        ),
        (
            "an-archive",
            b"\x1f\x8b\x08\0\0\0\0\0".repeat(99),
            "neither binary WebAssembly nor text",
        ),
        (
            "text-in-utf16",
            "(component)"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect(),
            "WebAssembly text, line 1",
        ),
        (
            "text-with-escapes",
            b"(component (\x1b[2J\x1b]0;owned\x07 \"\xc2\x9b\"))".to_vec(),
            "WebAssembly text, line 1",
        ),
        (
            "text-that-turns-round",
            "(component (import \"\u{202e}x\" (func)))".into(),
            "WebAssembly text, line 1",
        ),
        (
            "text-that-forges-lines",
            b"(component (import \"a\\nerror: forged\\nhint: x\" (func)))".to_vec(),
            "",
        ),
        (
            "text-with-zeros",
            b"(component\0)".to_vec(),
            "WebAssembly text, line 1",
        ),
        (
            "text-of-names",
            format!("(component (import \"{}\" (func)))", "n".repeat(1 << 20)).into(),
            "",
        ),
    ]
}

pub fn add(mut suite: Suite) -> Suite {
    for (name, bytes, says) in broken() {
        suite = suite.test(format!("broken::{name}"), move || {
            let folder = temporary();
            refused(&folder.write("broken.wasm", &bytes), says);
        });
    }
    suite
        .test("broken::compiled_code_is_no_module", compiled_code)
        .test("broken::cut_at_every_byte", cut_at_every_byte)
        .test("broken::a_bit_flipped_in_every_byte", a_bit_in_every_byte)
}

fn refused(file: &str, says: &str) {
    for command in ["map", "inspect"] {
        let item = (command == "map").then_some("7");
        let args: Vec<_> = [command, "--no-cache", file]
            .into_iter()
            .chain(item)
            .collect();
        let ran = run(&args).exits(3);
        assert_eq!(ran.text(), "");
        ran.says("error[module-").says(says);
    }
}

/// What the cache holds is the output of a compiler: as a module it would be native code of somebody's choice.
fn compiled_code() {
    let folder = temporary();
    let module = folder.write("module.wasm", small_component());
    wasmpool(["map", &module, "7"]).run().exits(0);
    let cache = wasmpool(["cache", "dir"]).run().exits(0);
    let cache = PathBuf::from(cache.text().trim_end());
    let mut entries = fs::read_dir(&cache)
        .expect("the cache is a folder")
        .flatten();
    let is_large = |path: &PathBuf| path.metadata().is_ok_and(|data| data.len() > 4096);
    let entry = entries.find_map(|entry| Some(entry.path()).filter(is_large));
    let entry = fs::read(entry.expect("what was compiled is there")).expect("it is ours");
    refused(&folder.write("entry.wasm", &entry), "");
    let code = entry.windows(4).position(|bytes| bytes == b"\x7fELF");
    let code = &entry[code.expect("compiled code is ELF")..];
    refused(
        &folder.write("code.wasm", code),
        "precompiled or native code is not accepted",
    );
}

/// Opens a pool of it; if that works, the function must do as well.
fn open(module: &[u8]) -> Result<(), Error> {
    let mut limits = Limits::new();
    limits.timeout = std::time::Duration::from_secs(2);
    let pool = Pool::builder()
        .workers(1)
        .cache(false)
        .limits(limits)
        .open_bytes(module)?;
    pool.apply::<i64, i64>("identity", 5).map(drop)
}

fn cut_at_every_byte() {
    let module = small_component();
    for end in 0..module.len() {
        match open(&module[..end]) {
            Err(Error::Module(_) | Error::Function(_)) => {}
            other => panic!("cut at {end}: {other:?}"),
        }
    }
}

fn a_bit_in_every_byte() {
    let mut random = Random::fixed("broken::a_bit_flipped_in_every_byte");
    let (module, mut refused) = (small_component(), 0);
    for at in 0..module.len() {
        let mut flipped = module.clone();
        let bit = random.below(8);
        flipped[at] ^= 1 << bit;
        match open(&flipped) {
            Ok(()) => {}
            Err(Error::Pool { doing, source }) => panic!("bit {bit} of {at}: {doing}: {source}"),
            Err(_) => refused += 1,
        }
    }
    println!("{refused} of {} are refused or fail", module.len());
    assert!(refused > module.len() / 2);
}
