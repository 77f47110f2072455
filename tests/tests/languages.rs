//! Guests in every language do the same: the world of `examples/wit`, feature by feature; and every kind of WIT type
//! comes back as it went in.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wasmpool::failure::FailureKind;
use wasmpool::objects::{Access, Buffer, Queue};
use wasmpool::pool::{Direction, Error, Pool};
use wasmpool_tests::{Ran, Suite, built, guests, open, patiently, root, temporary, wasmpool};

const LANGUAGES: [&str; 5] = ["c", "javascript", "python", "rust", "zig"];
/// The guests of the types, and what each is written in.
const TYPES: [(&str, &str); 3] = [
    ("rust", "types"),
    ("javascript", "types-javascript"),
    ("python", "types-python"),
];
/// What QuickJS keeps of a number: it has doubles only.
const EXACT: i64 = 1 << 53;
/// What is before the data in the buffer of `add-up`.
const TOTAL: usize = 8;

const TEXT: &str = "to be, or not\tto be:\n  that is \u{e9}t\u{e9} \u{1f980} to be, \r\n\u{1f980}";

type Feature = (&'static str, fn(&str));

const FEATURES: [Feature; 6] = [
    ("typed_exports", typed_exports),
    ("bytes", bytes),
    ("buffers", buffers),
    ("queues", queues),
    ("generators", generators),
    ("logs", logs),
];

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for language in LANGUAGES {
        for (feature, run) in FEATURES {
            let name = format!("{language}::{feature}");
            let built = built(&guest(language)).map(drop);
            suite = suite.where_possible(name, built, move || run(language));
        }
    }
    for (language, guest) in TYPES {
        let built = built(guest).map(drop);
        suite = suite
            .where_possible(format!("{language}::types"), built.clone(), move || {
                types(language, guest);
            })
            .where_possible(format!("{language}::no_such_value"), built, move || {
                no_such_value(guest);
            });
    }
    let programs: [(&str, fn()); 3] = [
        ("bytes", go_bytes),
        ("logs", go_logs),
        ("failures", go_failures),
    ];
    for (feature, run) in programs {
        let built = built("lang-go").map(drop);
        suite = suite.where_possible(format!("go::{feature}"), built, run);
    }
    for (at, from) in LANGUAGES.into_iter().enumerate() {
        let to = LANGUAGES[(at + 1) % LANGUAGES.len()];
        let built = [from, to].map(|language| built(&guest(language)).map(drop));
        let built = built.into_iter().collect::<Result<(), String>>();
        suite = suite.where_possible(format!("words_from_{from}_to_{to}"), built, move || {
            words_between(from, to);
        });
    }
    let all: Result<Vec<_>, String> = LANGUAGES.iter().map(|l| built(&guest(l))).collect();
    suite
        .where_possible("one_pipeline_of_all", all.map(drop), one_pipeline_of_all)
        .run()
}

fn guest(language: &str) -> String {
    format!("lang-{language}")
}

fn pool(language: &str) -> Pool {
    open(Pool::builder(), &guest(language))
}

/// What `word-count` has to give.
fn counted(text: &str) -> Vec<(String, u32)> {
    let mut counts: Vec<(String, u32)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for word in text.split([' ', '\t', '\n', '\r']) {
        if word.is_empty() {
            continue;
        }
        let place = *places.entry(word).or_insert(counts.len());
        match counts.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => counts.push((word.to_owned(), 1)),
        }
    }
    counts
}

fn word_total(text: &str) -> u32 {
    counted(text).iter().map(|(_, count)| count).sum()
}

#[track_caller]
fn failed_with<T: std::fmt::Debug>(result: Result<T, Error>, kind: FailureKind, part: &str) {
    match result {
        Err(Error::Item { failure, .. }) if failure.kind == kind => {
            assert!(failure.message.contains(part), "{failure:?}");
        }
        other => panic!("not {kind:?}: {other:?}"),
    }
}

fn typed_exports(language: &str) {
    let pool = pool(language);
    let mut numbers = vec![0, 1, -1, 46_341, -94_906_265];
    if language != "javascript" {
        numbers.extend([
            94_906_267,
            3_037_000_500,
            -3_037_000_500,
            i64::MAX,
            i64::MIN,
        ]);
    }
    let squares: Vec<i64> = numbers.iter().map(|x: &i64| x.wrapping_mul(*x)).collect();
    assert!(language != "javascript" || squares.iter().all(|square| *square <= EXACT));
    assert_eq!(pool.map::<_, i64>("square", numbers).unwrap(), squares);

    let many: String = (0..2000).map(|n| format!("w{} ", n % 700)).collect();
    let texts = [TEXT, "", " \t\r\n", "one", &many];
    let counts: Vec<Vec<(String, u32)>> = pool.map("word-count", texts).unwrap();
    assert_eq!(counts, texts.map(counted));
    let wrong = pool.apply::<_, i64>("square", "four");
    failed_with(wrong, FailureKind::InvalidInput, "s64");
}

fn bytes(language: &str) {
    let pool = pool(language);
    let all: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 % 256) as u8).collect();
    for bytes in [&all[..], &[0, 255, 128], &[9], &[]] {
        let expected: Vec<u8> = bytes.iter().rev().copied().collect();
        let reversed: Vec<u8> = pool.apply("reverse", bytes).unwrap();
        assert!(reversed == expected, "{} bytes", bytes.len());
    }
}

fn buffers(language: &str) {
    // More than guests read at a time, and not a multiple of it.
    let mut data: Vec<u8> = (0..200_003_u32).map(|n| (n * 31 % 251) as u8).collect();
    data[..TOTAL].fill(0);
    let sum: u64 = data.iter().map(|byte| u64::from(*byte)).sum();
    let buffer = Buffer::from_bytes(&data).unwrap();
    let builder = Pool::builder()
        .buffer("data", &buffer, Access::ReadWrite)
        .buffer("fixed", &buffer, Access::ReadOnly);
    let pool = open(builder, &guest(language));
    let sums: Vec<u64> = pool.map("add-up", ["data"; 4]).unwrap();
    assert_eq!(sums, [sum; 4]);
    assert_eq!(buffer.load_u64(0).unwrap(), 4 * sum);

    let refused = pool.apply::<_, u64>("add-up", "fixed");
    failed_with(
        refused,
        FailureKind::Failed,
        "cannot change the buffer fixed",
    );
    let none = pool.apply::<_, u64>("add-up", "other");
    failed_with(none, FailureKind::Failed, "cannot open the buffer other");
    assert_eq!(buffer.load_u64(0).unwrap(), 4 * sum);
}

fn queues(language: &str) {
    let queue = Queue::new();
    let builder = Pool::builder().queue("words", &queue, Direction::Both);
    let pool = open(builder, &guest(language));
    let n: u32 = pool.apply("split", (TEXT, "words")).unwrap();
    assert_eq!(n, word_total(TEXT));
    // What the host gets are the words.
    let words: Vec<Vec<u8>> = (0..n).map(|_| queue.get(None).unwrap()).collect();
    let expected: Vec<&[u8]> = TEXT.split_ascii_whitespace().map(str::as_bytes).collect();
    assert_eq!(words, expected);
    // What the host puts is counted, and so is what comes while the guest waits.
    let tally = pool
        .submit::<_, Vec<(String, u32)>>("tally", "words")
        .unwrap();
    for word in &expected {
        queue.put(word, None).unwrap();
    }
    queue.close();
    assert_eq!(tally.wait().unwrap(), counted(TEXT));

    let closed = pool.apply::<_, u32>("split", ("a", "words"));
    failed_with(
        closed,
        FailureKind::Failed,
        "cannot put into the queue words",
    );
    let none = pool.apply::<_, Value>("tally", "other");
    failed_with(none, FailureKind::Failed, "cannot open the queue other");
}

fn generators(language: &str) {
    let pool = pool(language);
    for n in [0, 1, 1000_u32] {
        let mut values = pool.generate::<_, u32>("count-to", n).unwrap();
        let emitted: Vec<u32> = (&mut values).map(|value| value.unwrap()).collect();
        assert_eq!(emitted, (1..=n).collect::<Vec<_>>());
        assert_eq!(values.returned::<u32>().unwrap().unwrap(), n);
    }
}

fn logs(language: &str) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let builder = Pool::builder().on_log(move |record| {
        let line = (record.index, record.message.to_owned());
        told.lock().unwrap().push(line);
    });
    let pool = open(builder, &guest(language));
    let _: Vec<Value> = pool.map("word-count", [TEXT, ""]).unwrap();
    patiently("both messages are told", || {
        (seen.lock().unwrap().len() >= 2).then_some(())
    });
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    let expected = [TEXT, ""].map(|text| format!("{} words", word_total(text)));
    assert_eq!(seen, [(0, expected[0].clone()), (1, expected[1].clone())]);
}

/// The program in Go, for one of its tasks.
fn go(task: &str, args: &[&str]) -> Ran {
    let module = built("lang-go").expect("only run with this guest");
    let module = module.to_str().expect("a path that is text");
    wasmpool([&["map", module, "--arg", task], args].concat()).run()
}

fn go_bytes() {
    let folder = temporary();
    let file = folder.write("bytes", [0, 255, b'\n', 7]);
    let ran = go("reverse", &["--output", "raw", "--files", &file]).exits(0);
    assert_eq!(ran.stdout, [7, b'\n', 255, 0]);
}

fn go_logs() {
    let ran = go("word-count", &["--output", "raw", TEXT, "a a"]).exits(0);
    assert_eq!(ran.json(), [json!(counted(TEXT)), json!([["a", 2]])]);
    let said = format!("item 0 warn: a text of {} bytes", TEXT.len());
    ran.says(&said).says("item 1 warn: a text of 3 bytes");
}

fn go_failures() {
    let ran = go("square", &["--output", "raw", "-12", "four"]).exits(1);
    assert_eq!(ran.text(), "144");
    ran.says("item 1 (four): failed: exit code 1")
        .says("invalid syntax");
    go("sqare", &["1"])
        .exits(1)
        .says("there is no task \"sqare\"");
}

/// One language puts the words, another one counts them.
fn words_between(from: &str, to: &str) {
    let queue = Queue::builder().messages(3).build();
    let puts = Pool::builder().queue("words", &queue, Direction::Put);
    let gets = Pool::builder().queue("words", &queue, Direction::Get);
    let (puts, gets) = (open(puts, &guest(from)), open(gets, &guest(to)));
    let tally = gets
        .submit::<_, Vec<(String, u32)>>("tally", "words")
        .unwrap();
    let n: u32 = puts.apply("split", (TEXT, "words")).unwrap();
    assert_eq!(n, word_total(TEXT));
    queue.close();
    assert_eq!(tally.wait().unwrap(), counted(TEXT));
}

/// What the example's README shows.
fn one_pipeline_of_all() {
    let text = std::fs::read_to_string(root().join("examples/wit/pipeline.toml")).unwrap();
    let guests = guests().expect("only run with guests");
    let text = text.replace("../../target/guests", &guests.display().to_string());
    let folder = temporary();
    let path = folder.write("pipeline.toml", text);
    let lines = wasmpool(["pipeline", &path]).run().exits(0).json();
    let mut said: HashMap<_, _> = lines
        .iter()
        .map(|line| (line["process"].as_str().unwrap(), &line["ok"]))
        .collect();
    // Which word comes first is chance.
    let mut counts = said.remove("python").unwrap().as_array().unwrap().clone();
    counts.sort_by_key(ToString::to_string);
    assert_eq!(
        json!(counts),
        json!([["blue", 4], ["green", 4], ["red", 4]])
    );
    let each = ["c", "javascript", "rust", "zig"].map(|language| (language, json!(3)));
    let each: HashMap<_, _> = each.iter().map(|(name, n)| (*name, n)).collect();
    assert_eq!(said, each);
}

/// For each function the values that it is to give back.
fn values(exact: bool) -> Vec<(&'static str, Vec<Value>)> {
    let (mut signed, mut unsigned) = (vec![json!(0), json!(-1), json!(-EXACT)], vec![json!(EXACT)]);
    if exact {
        signed.extend([json!(i64::MIN), json!(i64::MAX), json!(EXACT + 1)]);
        unsigned.extend([json!(u64::MAX), json!(EXACT + 1)]);
    }
    let corners = json!({"corners": [{"x": 1, "is-set": false}, {"x": -1, "is-set": true}]});
    let nested = json!({
        "points": [{"x": 1, "is-set": true}],
        "by-name": [["a", {"circle": 0.5}], ["b", null], ["c", "nothing"]],
        "outcome": {"err": "x"},
        "rights": ["write"],
    });
    let other = json!({
        "points": [], "by-name": [], "outcome": {"ok": "dark-green"}, "rights": ["read", "run-now"],
    });
    vec![
        ("echo-bool", vec![json!(true), json!(false)]),
        ("echo-s8", vec![json!(i8::MIN), json!(i8::MAX)]),
        ("echo-u8", vec![json!(0), json!(u8::MAX)]),
        ("echo-s16", vec![json!(i16::MIN), json!(i16::MAX)]),
        ("echo-u16", vec![json!(u16::MAX)]),
        ("echo-s32", vec![json!(i32::MIN), json!(i32::MAX)]),
        ("echo-u32", vec![json!(u32::MAX)]),
        ("echo-s64", signed),
        ("echo-u64", unsigned),
        ("echo-f32", vec![json!(0.1), json!(-1.5e30), json!("NaN")]),
        ("echo-f64", vec![json!(0.1), json!(-1e300), json!("NaN")]),
        ("echo-char", vec![json!("a"), json!("\u{1f980}")]),
        (
            "echo-string",
            vec![json!(""), json!("\u{e9}\0\u{1f980}\n\"")],
        ),
        ("echo-bytes", vec![json!([]), json!([0, 127, 255])]),
        ("echo-strings", vec![json!([]), json!(["", "\u{e9}"])]),
        ("echo-numbers", vec![json!([]), json!([0.5, -1e300])]),
        ("echo-tuple", vec![json!([255, "a", true])]),
        ("echo-record", vec![json!({"x": -1, "is-set": true})]),
        (
            "echo-variant",
            vec![
                json!("nothing"),
                json!({"circle": 1.5}),
                json!({"named": ""}),
                corners,
            ],
        ),
        ("echo-enum", vec![json!("red"), json!("dark-green")]),
        ("echo-flags", vec![json!([]), json!(["read", "run-now"])]),
        ("echo-option", vec![json!(null), json!(0), json!(7)]),
        (
            "echo-option-option",
            vec![json!(null), json!({"some": null}), json!({"some": 7})],
        ),
        ("echo-results", vec![json!([{"ok": 1}, {"err": "a"}])]),
        ("echo-nested", vec![nested, other]),
    ]
}

fn types(language: &str, guest: &str) {
    let exact = language != "javascript";
    let pool = open(Pool::builder(), guest);
    for (function, values) in values(exact) {
        let echoed: Vec<Value> = pool
            .map(function, &values)
            .unwrap_or_else(|e| panic!("{function}: {e}"));
        assert_eq!(echoed, values, "{function}");
    }
    // The result of a function itself is the item's outcome.
    let ok: u32 = pool.apply("echo-outcome", json!({"ok": 5})).unwrap();
    assert_eq!(ok, 5);
    let err = pool.apply::<_, u32>("echo-outcome", json!({"err": "no"}));
    failed_with(err, FailureKind::Failed, "no");
    if !exact {
        // As its README says. When this fails, QuickJS has learnt it: say so there, and drop `exact`.
        let rounded: u64 = pool.apply("echo-u64", EXACT + 1).unwrap();
        assert_eq!(rounded, EXACT as u64);
        let trap = pool.apply::<_, u64>("echo-u64", u64::MAX);
        failed_with(trap, FailureKind::Trap, "");
    }
}

/// What is no value of a type is refused before the guest sees it.
fn no_such_value(guest: &str) {
    let pool = open(Pool::builder(), guest);
    for (function, value) in [
        ("echo-bool", json!(1)),
        ("echo-s8", json!(128)),
        ("echo-u64", json!(-1)),
        ("echo-char", json!("ab")),
        ("echo-string", json!(5)),
        ("echo-tuple", json!([1, "a"])),
        ("echo-record", json!({"x": 1})),
        ("echo-variant", json!({"triangle": 1})),
        ("echo-enum", json!("green")),
        ("echo-flags", json!(["fly"])),
        ("echo-nested", json!({})),
    ] {
        let refused = pool.apply::<_, Value>(function, &value);
        failed_with(refused, FailureKind::InvalidInput, "");
    }
}
