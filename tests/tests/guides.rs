//! The chapters of the book in `docs`: every block of code is an excerpt of a file that is built and tested, or commands, which the
//! suite `readme` runs; and the guests that they quote do what the guides say, in each language.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value as Json;
use wasmpool::failure::FailureKind;
use wasmpool::objects::{
    Access, Array, Barrier, Condition, Event, Lock, Pipe, ReceiveError, Semaphore, Value,
};
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::pages::{blocks, chapters, guides, target};
use wasmpool_tests::{PATIENCE, Ran, Suite, built, open, open_within, patiently, root, wasmpool};

/// The guests of the guides, and what each is written in.
const GUESTS: [(&str, &str); 2] = [("rust", "guide"), ("python", "guide-python")];

type Feature = (&'static str, fn(&str));

const FEATURES: [Feature; 7] = [
    ("context", context),
    ("time_left", time_left),
    ("pipes", pipes),
    ("locks", locks),
    ("conditions", conditions),
    ("semaphores", semaphores),
    ("events_and_barriers", events_and_barriers),
];

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("blocks_are_excerpts_or_commands", blocks_are_true)
        .test("links_lead_somewhere", links_lead_somewhere)
        .test("every_kind_of_failure_is_explained", kinds_are_explained)
        .test("the_checks_find_what_they_look_for", the_checks_find)
        .guest("a_lock_is_left_to_the_next_item", left_to_the_next_item)
        .where_possible("rust::attach", built("guide").map(drop), attach)
        .where_possible(
            "javascript::map",
            built("guide-javascript").map(drop),
            map_in_javascript,
        );
    for (language, guest) in GUESTS {
        for (feature, run) in FEATURES {
            let possible = built(guest).map(drop);
            suite = suite.where_possible(format!("{language}::{feature}"), possible, move || {
                run(guest);
            });
        }
    }
    suite.run()
}

/// What `](TARGET)` names in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let after = line.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// Whether a file has these lines one behind the other; the first one's indentation there may be before all of them.
fn has(file: &str, block: &[&str]) -> bool {
    let lines: Vec<&str> = file.lines().collect();
    let Some(first) = block.first().filter(|first| !first.is_empty()) else {
        return false;
    };
    lines.windows(block.len()).any(|window| {
        let Some(indent) = window[0].strip_suffix(first) else {
            return false;
        };
        let same = |(line, wanted): (&&str, &&str)| {
            line == wanted && wanted.is_empty() || line.strip_prefix(indent) == Some(wanted)
        };
        indent.trim().is_empty() && window.iter().zip(block).all(same)
    })
}

/// What is wrong with the blocks of a page.
fn complaints(at: &Path, page: &str) -> Vec<String> {
    let lines: Vec<&str> = page.lines().collect();
    let mut found = Vec::new();
    for (line, language, block) in blocks(page) {
        if language == "console" {
            continue;
        }
        let above = lines[..line - 1].iter().rev().find(|line| !line.is_empty());
        let source = above.and_then(|line| links(line).last());
        let Some(path) = source.and_then(|link| target(at, link)) else {
            found.push(format!("line {line}: no link to a file in the line above"));
            continue;
        };
        let tested = ["examples/", "guest-sdk/", "tests/", "wit/"];
        let text = std::fs::read_to_string(root().join(&path));
        let name = path.display();
        match text {
            Ok(text) if !has(&text, &block) => {
                found.push(format!("line {line}: {name} has no such lines"));
            }
            Ok(_) if tested.iter().any(|folder| path.starts_with(folder)) => {}
            Ok(_) => found.push(format!("line {line}: {name} is nothing that is tested")),
            Err(error) => found.push(format!("line {line}: {name}: {error}")),
        }
    }
    found
}

fn blocks_are_true() {
    let guides = guides();
    for (name, least) in [
        ("authors", 6),
        ("wit", 6),
        ("embedders", 4),
        ("tutorial", 2),
    ] {
        let guide = guides
            .iter()
            .find(|path| path.file_stem() == Some(name.as_ref()));
        let guide = guide.unwrap_or_else(|| panic!("no guide {name}"));
        let page = std::fs::read_to_string(guide).expect("a guide that can be read");
        let excerpts = blocks(&page).iter().filter(|b| b.1 != "console").count();
        assert!(excerpts >= least, "{name}: {excerpts} excerpts");
    }
    for guide in guides {
        let page = std::fs::read_to_string(&guide).expect("a guide that can be read");
        let found = complaints(&guide, &page);
        assert!(
            found.is_empty(),
            "{}:\n{}",
            guide.display(),
            found.join("\n")
        );
    }
}

fn links_lead_somewhere() {
    for page in chapters()
        .into_iter()
        .chain([root().join("docs/src/SUMMARY.md")])
    {
        let text = std::fs::read_to_string(&page).expect("a page that can be read");
        for link in text.lines().flat_map(links) {
            let there = link.contains("://") || target(&page, link).is_some();
            assert!(there, "{}: {link}", page.display());
        }
    }
}

/// The table of the kinds has each of them, and the one of exit codes says what `--help` does.
fn kinds_are_explained() {
    let path = root().join("docs/src/reference/failures.md");
    let page = std::fs::read_to_string(path).expect("the page of failures");
    for kind in [
        FailureKind::Failed,
        FailureKind::InvalidInput,
        FailureKind::Trap,
        FailureKind::Timeout,
        FailureKind::Memory,
        FailureKind::OutputLimit,
        FailureKind::WorkerLost,
        FailureKind::Cancelled,
    ] {
        let row = format!("\n| `{}` |", kind.name());
        assert_eq!(page.matches(&row).count(), 1, "{kind}");
    }
    let help = std::fs::read_to_string(root().join("runtime/src/cli/help.txt")).expect("the help");
    let (_, codes) = help.split_once("Exit codes:\n").expect("exit codes");
    let codes = codes.lines().take_while(|line| !line.is_empty());
    let codes = codes.map(|line| {
        line.trim()
            .split_once(' ')
            .expect("a code and what it means")
    });
    let rows: Vec<_> = codes
        .map(|(code, means)| format!("| {code} | {} |", means.trim()))
        .collect();
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        assert!(page.contains(&row), "{row}");
    }
}

fn the_checks_find() {
    let file =
        "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        return 2\n";
    assert!(has(file, &["def f(self):", "    return 1"]));
    assert!(has(
        file,
        &[
            "    def f(self):",
            "        return 1",
            "",
            "    def g(self):"
        ]
    ));
    assert!(!has(file, &["def f(self):", "    return 2"]));
    assert!(!has(file, &["f(self):"]));
    assert!(!has(file, &["def f(self):", "return 1"]));
    assert_eq!(
        links("a [b](../c) and [d](e#f)").collect::<Vec<_>>(),
        ["../c", "e#f"]
    );
    let at = root().join("docs/src/tutorial.md");
    let complaints = |page: &str| complaints(&at, page);
    let page = |path: &str, code: &str| format!("From [it]({path}):\n\n```rust\n{code}\n```\n");
    let square = "../../examples/square/src/lib.rs";
    assert!(
        complaints(&page(
            square,
            "pub fn square(x: i64) -> Result<i64, String> {"
        ))
        .is_empty()
    );
    assert_eq!(complaints(&page(square, "fn cube(x: i64) {")).len(), 1);
    assert_eq!(complaints(&page("../../README.md", "# wasmpool")).len(), 1);
    assert_eq!(complaints("Nothing:\n\n```rust\nfn f() {}\n```\n").len(), 1);
    assert!(complaints("```console\n$ true\n```\n").is_empty());
}

#[track_caller]
fn failed_with<T: std::fmt::Debug>(result: Result<T, Error>, part: &str) {
    match result {
        Err(Error::Item { failure, .. }) if failure.kind == FailureKind::Failed => {
            assert!(failure.message.contains(part), "{failure:?}");
        }
        other => panic!("not failed: {other:?}"),
    }
}

fn context(guest: &str) {
    let pool = open(Pool::builder(), guest);
    let labels: Vec<String> = pool.map("label", [(); 3]).unwrap();
    let expected = [0, 1, 2].map(|item| format!("item {item}, attempt 1"));
    assert_eq!(labels, expected);
}

/// It stops in time, and what it has by then counts.
fn time_left(guest: &str) {
    let pool = open_within(Pool::builder(), guest, Duration::from_secs(2));
    let (terms, pi): (u64, f64) = pool.apply("series", u64::MAX / 2).unwrap();
    assert!((1_000..u64::MAX / 2).contains(&terms), "{terms}");
    assert!((pi - std::f64::consts::PI).abs() < 1e-3, "{pi}");
    let (terms, pi): (u64, f64) = pool.apply("series", 3_u64).unwrap();
    assert_eq!(terms, 3);
    assert!(
        (pi - 4.0 * (1.0 - 1.0 / 3.0 + 1.0 / 5.0)).abs() < 1e-12,
        "{pi}"
    );
}

fn pipes(guest: &str) {
    let (ours, theirs) = Pipe::new();
    let pool = open(Pool::builder().pipe("questions", theirs), guest);
    let answered = pool.submit::<_, u32>("answer", "questions").unwrap();
    for question in [&b"abc"[..], &[0, 255], &[]] {
        ours.send(question, None).unwrap();
        let answer: Vec<u8> = question.iter().rev().copied().collect();
        assert_eq!(ours.receive(Some(PATIENCE)).unwrap(), answer);
    }
    ours.finish();
    assert_eq!(answered.wait().unwrap(), 3);
    let end = ours.receive(Some(PATIENCE));
    assert!(matches!(end, Err(ReceiveError::EndOfFile)), "{end:?}");
    assert!(pool.apply::<_, u32>("answer", "other").is_err());
}

fn locks(guest: &str) {
    let (lock, number) = (Lock::new(), Value::new(0_u64).unwrap());
    let builder = Pool::builder()
        .lock("lock", &lock)
        .buffer("number", number.buffer(), Access::ReadWrite)
        .buffer("fixed", number.buffer(), Access::ReadOnly);
    let pool = open(builder, guest);
    let items: Vec<(&str, &str, u64)> = (1..=200).map(|n| ("lock", "number", n)).collect();
    let totals: Vec<u64> = pool.map("increase", &items).unwrap();
    assert_eq!(number.get(), 20_100);
    assert_eq!(totals.iter().max(), Some(&20_100));
    // What fails under the lock gives it back.
    let refused = pool.apply::<_, u64>("increase", ("lock", "fixed", 1_u64));
    assert!(refused.is_err(), "{refused:?}");
    assert!(lock.acquire(Some(PATIENCE)).is_ok());
    failed_with(
        pool.apply::<_, u64>("increase", ("other", "number", 1_u64)),
        "",
    );
}

fn conditions(guest: &str) {
    let number = Value::new(1_u64).unwrap();
    let changed = Condition::new(&Lock::new());
    let builder = Pool::builder().condition("changed", &changed).buffer(
        "number",
        number.buffer(),
        Access::ReadWrite,
    );
    let pool = open(builder, guest);
    let withdrawn = pool
        .submit::<_, u64>("withdraw", ("changed", "number", 5_u64))
        .unwrap();
    let deposited: u64 = pool.apply("deposit", ("changed", "number", 2_u64)).unwrap();
    assert_eq!(deposited, 3);
    let deposited: u64 = pool.apply("deposit", ("changed", "number", 3_u64)).unwrap();
    assert!([6, 1].contains(&deposited), "{deposited}");
    assert_eq!(withdrawn.wait().unwrap(), 1);
    assert_eq!(number.get(), 1);
}

fn semaphores(guest: &str) {
    let (seats, inside) = (Semaphore::bounded(1), Value::new(0_u64).unwrap());
    let builder = Pool::builder().semaphore("seats", &seats).buffer(
        "inside",
        inside.buffer(),
        Access::ReadWrite,
    );
    let pool = open(builder, guest);
    let most: Vec<u64> = pool.map("visit", [("seats", "inside"); 100]).unwrap();
    assert_eq!(most, [1; 100]);
    assert_eq!((inside.get(), seats.value()), (0, 1));
}

fn events_and_barriers(guest: &str) {
    let (start, all) = (Event::new(), Barrier::new(3));
    let builder = Pool::builder().event("start", &start).barrier("all", &all);
    let pool = open(builder, guest);
    let handles = [(); 2].map(|()| pool.submit::<_, u32>("meet", ("start", "all")).unwrap());
    assert_eq!(all.waiting(), 0);
    start.set();
    patiently("both are at the barrier", || {
        (all.waiting() == 2).then_some(())
    });
    let mut numbers = vec![all.wait(Some(PATIENCE)).unwrap()];
    numbers.extend(handles.map(|handle| handle.wait().unwrap()));
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2]);
}

fn attach() {
    let numbers: Vec<f64> = (0..100_000).map(f64::from).collect();
    let data = Array::from_slice(&numbers).unwrap();
    let builder = Pool::builder().buffer("data", data.buffer(), Access::ReadOnly);
    let pool = open(builder, "guide");
    let parts = [("data", 0_u64, 60_000_u64), ("data", 60_000, 100_000)];
    let sums: Vec<f64> = pool.map("sum", parts).unwrap();
    let expected = [0..60_000, 60_000..100_000].map(|part| numbers[part].iter().sum::<f64>());
    assert_eq!(sums, expected);
}

/// The Rust interface sends postcard to tasks, which this guest does not read; the command line sends JSON.
fn map_in_javascript() {
    let module = built("guide-javascript").expect("only run with this guest");
    let run = |task: &str, more: &[&str]| {
        let task = format!("{}:{task}", module.display());
        let args = ["map", &task, "--on-error", "continue"];
        wasmpool([&args, more].concat()).run()
    };
    let records = |ran: Ran| -> Vec<(Option<Json>, Option<String>)> {
        let told = |record: &Json| {
            let kind = record["error"]["kind"].as_str().map(str::to_owned);
            (record.get("ok").cloned(), kind)
        };
        ran.json().iter().map(told).collect()
    };
    let items: Vec<String> = (0..300).map(|n| format!("[{n}, 7, -{n}]")).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let largest = run("largest", &items).exits(0).json();
    let expected: Vec<Json> = (0..300).map(|n| n.max(7).into()).collect();
    assert_eq!(largest, expected);

    let names = ["Ada Lovelace", "", "\u{c9}milie du Ch\u{e2}telet"];
    let told = run("initials", &[&["--output", "records"], &names[..]].concat());
    let expected = [
        (Some("AL".into()), None),
        (None, Some("failed".to_owned())),
        (Some("\u{c9}dC".into()), None),
    ];
    assert_eq!(records(told.exits(1)), expected);

    run("initials", &["--output", "raw", "x"])
        .exits(1)
        .says("the guest does not support raw bytes");
    let pool = open(Pool::builder(), "guide-javascript");
    let postcard = pool.apply::<_, f64>("largest", [1.0, 2.0]);
    let refused = postcard.unwrap_err().to_string();
    assert!(refused.contains("does not support"), "{refused}");
}

/// Of an instance, a lock that an item keeps is held while the next one runs.
fn left_to_the_next_item() {
    let lock = Lock::new();
    let builder = Pool::builder().lock("lock", &lock).workers(1);
    let module = built("shared").expect("only run with guests");
    let pool = builder.open(module).unwrap();
    let _: () = pool.apply("keep_held", "lock").unwrap();
    failed_with(
        pool.apply::<_, ()>("keep_held", "lock"),
        "held here already",
    );
    drop(pool);
    assert!(lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
}
