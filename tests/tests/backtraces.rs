//! Where a guest was when it trapped: functions and source lines, and debug information that is made to harm.

use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use wasmpool::failure::{Failure, FailureKind};
use wasmpool::limits::{Limits, MIB};
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::{Random, Suite, built, module, root, wasmpool};

/// Damaged modules of each kind.
const DAMAGED: usize = 12;

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("without_debug_information", without_lines)
        .guest("source_lines", source_lines)
        .guest("source_lines_of_late_items", late_lines)
        .guest("units_without_end", units_without_end);
    for (name, damage) in DAMAGES {
        suite = suite.guest(format!("damaged::{name}"), move || damaged(name, damage));
    }
    suite.run()
}

fn traced(function: &str) -> String {
    let path = built("traced").expect("it is built with the others");
    format!("{}:{function}", path.display())
}

/// The number of the line of the guest's source that has `part`.
fn line(part: &str) -> usize {
    let source = root().join("tests/guests/traced/src/lib.rs");
    let source = std::fs::read_to_string(source).expect("the source is there");
    let at = source.lines().position(|line| line.contains(part));
    at.expect("the source has such a line") + 1
}

fn frames(record: &Value) -> Vec<&str> {
    let frames = record["error"]["backtrace"].as_array();
    let frames = frames.unwrap_or_else(|| panic!("no backtrace: {record}"));
    frames.iter().filter_map(Value::as_str).collect()
}

fn without_lines() {
    let behave = format!("{}:trap-if-negative", module("behave"));
    let ran = wasmpool(["map", &behave, "--output", "records", "-1"]).run();
    let records = ran.exits(1).json();
    let frames = frames(&records[0]);
    assert!(frames[0].ends_with("the-culprit"), "{frames:?}");
    assert!(
        !frames.iter().any(|frame| frame.contains('(')),
        "{frames:?}"
    );
}

/// The function that trapped is inlined: it is told all the same, with its line, and its caller with the line of the call.
fn source_lines() {
    for isolation in ["thread", "shared", "process"] {
        let args = ["map", &traced("trap"), "--isolation", isolation];
        let args = [&args[..], &["--output", "records", "3", "20"]].concat();
        let ran = wasmpool(args).run().exits(1);
        let records = ran.json();
        assert_eq!(records[0]["ok"], 4);
        let frames = frames(&records[1]);
        let check = |frame: &str, function: &str, part: &str| {
            let place = format!("traced/src/lib.rs:{}:", line(part));
            assert!(
                frame.contains(function) && frame.contains(&place),
                "{frames:?}"
            );
        };
        check(frames[0], "inlined (", "if x >= 10");
        check(frames[1], "traced::outer (", "black_box(inlined(");
        let shown = format!("  at {}", frames[0]);
        assert!(ran.stderr.contains(&shown), "no {shown} in {ran:?}");
    }
}

fn late_lines() {
    let args = ["map", &traced("busy-for-ever"), "--timeout", "500ms"];
    let args = [
        &args[..],
        // Of so many rounds, hardly ever between two calls.
        &["--backtrace-on-timeout", "--output", "records", "1000000"],
    ]
    .concat();
    let ran = wasmpool(args).run().exits(1);
    let records = ran.json();
    assert_eq!(records[0]["error"]["kind"], "timeout", "{ran:?}");
    let frames = frames(&records[0]);
    let spends = |frame: &&str| frame.contains("traced::spend (") && frame.contains("lib.rs:");
    assert!(frames.iter().any(spends), "{frames:?}");
}

/// A custom section of debug information.
#[derive(Debug)]
struct Section {
    /// All of it.
    whole: Range<usize>,
    /// What is behind its name.
    data: Range<usize>,
}

fn debug_sections(module: &[u8]) -> Vec<Section> {
    let (mut at, mut found) = (8, Vec::new());
    while at < module.len() {
        let (start, custom) = (at, module[at] == 0);
        at += 1;
        let bytes = number(module, &mut at);
        let end = at + bytes;
        if custom {
            let len = number(module, &mut at);
            if module[at..].starts_with(b".debug_") {
                found.push(Section {
                    whole: start..end,
                    data: at + len..end,
                });
            }
        }
        at = end;
    }
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// Reads a number as WebAssembly writes it.
fn number(bytes: &[u8], at: &mut usize) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            return value;
        }
    }
}

/// Puts a custom section behind a module, its size in four bytes.
fn append(module: &mut Vec<u8>, name: &str, data: &[u8]) {
    let bytes = 1 + name.len() + data.len();
    let size = [0, 7, 14].map(|shift| (bytes >> shift) as u8 | 0x80);
    module.push(0);
    module.extend_from_slice(&size);
    module.push(u8::try_from(bytes >> 21).expect("less than 256 MiB") & 0x7f);
    module.push(name.len() as u8);
    module.extend_from_slice(name.as_bytes());
    module.extend_from_slice(data);
}

type Damage = fn(&mut Random, &mut [u8]);

/// What is done to each section of debug information.
const DAMAGES: [(&str, Damage); 6] = [
    ("a_few_bytes", |random, bytes| change(random, bytes, 1000)),
    ("many_bytes", |random, bytes| change(random, bytes, 20)),
    ("zeros", |_, bytes| bytes.fill(0)),
    ("ones", |_, bytes| bytes.fill(0xff)),
    ("noise", |random, bytes| {
        bytes
            .iter_mut()
            .for_each(|byte| *byte = random.number() as u8);
    }),
    ("cut_off", |random, bytes| {
        let from = random.below(bytes.len());
        bytes[from..].fill(random.number() as u8);
    }),
];

fn change(random: &mut Random, bytes: &mut [u8], one_in: usize) {
    for _ in 0..bytes.len().div_ceil(one_in) {
        let at = random.below(bytes.len());
        bytes[at] = random.number() as u8;
    }
}

/// What became of an item that traps, in a pool that goes on afterwards.
fn trapped(module: &[u8]) -> Failure {
    let limits = Limits::new()
        .timeout(Duration::from_secs(20))
        .memory(64 * MIB);
    let pool = Pool::builder().workers(1).cache(false).limits(limits);
    let pool = pool.open_bytes(module).expect("its code is good");
    let failure = match pool.map::<u64, u64>("trap", [3_u64, 20]) {
        Err(Error::Item { index: 1, failure }) => failure,
        other => panic!("not a trap: {other:?}"),
    };
    assert_eq!(pool.apply::<_, u64>("trap", 4_u64).expect("it goes on"), 5);
    failure
}

/// The trap is told as it is, whatever the debug information says.
fn damaged(name: &str, damage: Damage) {
    let good = std::fs::read(built("traced").expect("it is built")).expect("it can be read");
    let sections = debug_sections(&good);
    let random = Random::fresh(name);
    for part in 0..DAMAGED {
        let mut random = random.clone().part(part);
        let mut module = good.clone();
        for section in &sections {
            // Most harm is done where some of it makes sense.
            if random.below(4) > 0 {
                damage(&mut random, &mut module[section.data.clone()]);
            }
        }
        let failure = trapped(&module);
        assert_eq!(failure.kind, FailureKind::Trap, "{part}: {failure:?}");
        assert!(
            failure.message.contains("unreachable"),
            "{part}: {failure:?}"
        );
        assert!(
            (1..=64).contains(&failure.backtrace.len()),
            "{part}: {failure:?}"
        );
    }
}

/// Reading this takes more memory than a worker has: its process ends, at a limit that is told, and nothing else does.
fn units_without_end() {
    let mut module = std::fs::read(built("traced").expect("it is built")).expect("it can be read");
    for section in debug_sections(&module).into_iter().rev() {
        module.drain(section.whole);
    }
    // A unit of version 4: the bytes behind this, the version, where its abbreviations are, the size of addresses, and one
    // entry by the first abbreviation.
    let unit = [8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4, 1];
    append(&mut module, ".debug_info", &unit.repeat(2_000_000));
    // That one: a compile unit without children and attributes; then no more of them.
    append(&mut module, ".debug_abbrev", &[1, 0x11, 0, 0, 0, 0]);
    let failure = trapped(&module);
    assert_eq!(failure.kind, FailureKind::Memory, "{failure:?}");
}
