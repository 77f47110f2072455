//! Modules that are damaged in every way that chance finds: each is refused or runs, and neither crashes nor hangs the
//! program.

use std::process::ExitCode;

use wasmpool_tests::{Random, Suite, guests, module, root, temporary, wasmpool};

/// Damaged modules of each kind.
const MODULES: usize = 100;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for (part, share) in (0..4).map(|part| (part, MODULES / 4)) {
        suite = suite.test(format!("text::{part}"), move || {
            let square = root().join("examples/square-wat/square.wat");
            let behave = module("behave").into();
            damage(
                "text",
                part,
                share,
                &[square, behave],
                &["square", "identity"],
            );
        });
    }
    suite = suite.guest("binary", || {
        let folder = guests().expect("only run with guests");
        let modules = [
            "square.wasm",
            "square.wasm32-wasip1.wasm",
            "square.wasm32-wasip2.wasm",
        ];
        damage(
            "binary",
            4,
            MODULES,
            &modules.map(|name| folder.join(name)),
            &["square"; 3],
        );
    });
    suite.run()
}

fn damage(
    name: &str,
    part: usize,
    count: usize,
    originals: &[std::path::PathBuf],
    functions: &[&str],
) {
    let mut random = Random::fixed(name).part(part);
    let folder = temporary();
    let mut refused = 0;
    for number in 0..count {
        let which = random.below(originals.len());
        let original = std::fs::read(&originals[which])
            .unwrap_or_else(|e| panic!("{}: {e}", originals[which].display()));
        let (how, bytes) = damaged(original, &mut random);
        let file = folder.write(&format!("{number}.wasm"), &bytes);
        refused += u32::from(check(&file, functions[which], &how) == 3);
    }
    println!("{name} {part}: {refused} of {count} refused");
    assert!(refused > 0, "nothing was damaged");
}

/// The bytes with something wrong, and what.
fn damaged(mut bytes: Vec<u8>, random: &mut Random) -> (String, Vec<u8>) {
    let length = bytes.len();
    let at = random.below(length);
    match random.below(6) {
        0 => {
            bytes.truncate(at);
            (format!("cut at {at}"), bytes)
        }
        1 => {
            let bit = random.below(8);
            bytes[at] ^= 1 << bit;
            (format!("bit {bit} of {at} flipped"), bytes)
        }
        2 => {
            let flips = 2 + random.below(30);
            for _ in 0..flips {
                let at = random.below(length);
                bytes[at] = random.number() as u8;
            }
            (format!("{flips} bytes replaced"), bytes)
        }
        3 => {
            let end = (at + 1 + random.below(64)).min(length);
            bytes.drain(at..end);
            (format!("{at}..{end} removed"), bytes)
        }
        4 => {
            let end = (at + 1 + random.below(64)).min(length);
            let piece = bytes[at..end].to_vec();
            let to = random.below(length);
            bytes.splice(to..to, piece);
            (format!("{at}..{end} repeated at {to}"), bytes)
        }
        _ => {
            // Lengths and counts that promise what is not there.
            let end = (at + 5).min(length);
            bytes[at..end].fill(0xff);
            (format!("{at}..{end} set to 255"), bytes)
        }
    }
}

/// Exit 3 with a message, or whatever an ordinary run of a harmlessly changed module gives: not a crash, not a hang.
/// Returns the exit code.
fn check(file: &str, function: &str, how: &str) -> i32 {
    let target = format!("{file}:{function}");
    let args = [
        "map",
        &target,
        "--no-cache",
        "--timeout",
        "2s",
        "--workers",
        "1",
        "3",
    ];
    let ran = wasmpool(args).run();
    assert!(!ran.stderr.contains("panicked"), "{how}: {ran:?}");
    assert!(!ran.stderr.contains("RUST_BACKTRACE"), "{how}: {ran:?}");
    match ran.code() {
        0 => {}
        // An export may have another name or type now.
        1..=3 => assert!(ran.stderr.contains("error"), "{how}: {ran:?}"),
        code => panic!("{how}: exit code {code}: {ran:?}"),
    }
    ran.code()
}
