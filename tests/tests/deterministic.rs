//! Deterministic mode: the same results and the same fuel, byte by byte, whoever runs the items and however.

use std::process::ExitCode;

use serde_json::{Value, json};
use wasmpool::failure::FailureKind;
use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::pool::{Error, JobOptions, OnError, Outcome, Payload, Pool};
use wasmpool_tests::{Ran, Suite, guests, module, wasmpool};

fn main() -> ExitCode {
    Suite::new()
        .test("functions::everywhere", functions_everywhere)
        .test("fuel::counts_what_is_done", fuel_counts_what_is_done)
        .test("fuel::has_a_limit", fuel_has_a_limit)
        .test("fuel::of_a_start", fuel_of_a_start)
        .test(
            "fuel::is_not_counted_otherwise",
            fuel_is_not_counted_otherwise,
        )
        .test("fuel::by_the_library", fuel_by_the_library)
        .test("nan::is_one", nan_is_one)
        .test("options_that_contradict", options_that_contradict)
        .guest("tasks::everywhere", tasks_everywhere)
        .guest("tasks::what_they_see", what_tasks_see)
        .guest("tasks::seeds", seeds)
        .guest("tasks::sleep_at_once", sleep_at_once)
        .run()
}

fn behave(function: &str) -> String {
    format!("{}:{function}", module("behave"))
}

fn chance(task: &str) -> String {
    let folder = guests().expect("only run with guests");
    let path = folder.join("chance.wasm32-wasip1.wasm");
    format!("{}:{task}", path.to_str().expect("a path that is text"))
}

fn map(function: &str, args: &[&str], items: &[&str]) -> Ran {
    let fixed = ["map", function, "--output", "records"];
    wasmpool([&fixed[..], args, items].concat()).run()
}

/// What is printed of the items must not depend on who runs them, or how. Returns the records.
fn everywhere(function: &str, items: &[&str], code: i32) -> Vec<Value> {
    let mut expected: Option<Ran> = None;
    for isolation in ["instance", "process", "thread"] {
        for (workers, chunk) in [
            ("1", "1"),
            ("1", "100"),
            ("2", "7"),
            ("4", "auto"),
            ("4", "3"),
        ] {
            let args = ["--deterministic=5", "--on-error", "continue"];
            let how = [
                "--isolation",
                isolation,
                "--workers",
                workers,
                "--chunk-size",
                chunk,
            ];
            let ran = map(function, &[&args[..], &how].concat(), items).exits(code);
            match &expected {
                None => expected = Some(ran),
                Some(first) => assert_eq!(
                    ran.text(),
                    first.text(),
                    "{isolation}, {workers} workers, chunks of {chunk}"
                ),
            }
        }
    }
    let records = expected.expect("it ran").json();
    assert_eq!(records.len(), items.len());
    records
}

fn functions_everywhere() {
    // Its instance counts its items: each has one of its own.
    let records = everywhere(&behave("count"), &["1", "2", "3", "4", "5"], 0);
    let alone = |record: &Value| record["ok"] == 1 && record["fuel"] == records[0]["fuel"];
    assert!(records.iter().all(alone), "{records:?}");

    let items: Vec<String> = (0..40).map(|i| format!("[{i},{}]", i * 997)).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let records = everywhere(&behave("work"), &items, 0);
    let fuel = records.iter().map(|r| r["fuel"].as_u64().expect("fuel"));
    assert!(fuel.is_sorted(), "more steps, more fuel: {records:?}");

    // Traps, errors, items that do not fit: each uses what it used until then.
    for (function, bad) in [
        ("trap-if-negative", "-1"),
        ("fail-if-negative", "-1"),
        ("identity", "\"x\""),
    ] {
        let records = everywhere(&behave(function), &["1", bad, "3", bad, "5"], 1);
        assert_eq!(records[0]["ok"], 1, "{records:?}");
        for record in &records {
            assert!(record["fuel"].is_u64(), "{record}");
        }
        assert_eq!(records[1]["fuel"], records[3]["fuel"]);
        assert_eq!(records[1]["error"], records[3]["error"]);
    }
    // A message of so many bytes is written into a memory that grows for it.
    everywhere(&behave("repeat"), &["1", "70000", "200000", "1"], 0);
}

fn fuel_of(ran: &Ran) -> Vec<u64> {
    let records = ran.json();
    let fuel = records.iter().map(|record| record["fuel"].as_u64());
    fuel.map(|fuel| fuel.expect("fuel is told")).collect()
}

fn fuel_counts_what_is_done() {
    let ran = map(
        &behave("work"),
        &["--deterministic", "--stats"],
        &["[1,1000]", "[1,2000]", "[1,3000]"],
    );
    let ran = ran.exits(0);
    let fuel = fuel_of(&ran);
    assert_eq!(fuel[1] - fuel[0], fuel[2] - fuel[1], "{fuel:?}");
    assert!(fuel[1] - fuel[0] > 1000, "more than one a step: {fuel:?}");
    let sum: u64 = fuel.iter().sum();
    ran.says(&format!("fuel: {sum} wasm fuel units\n"));
}

fn fuel_has_a_limit() {
    let items = ["[1,10]", "[1,1000000]", "[1,20]"];
    for isolation in ["instance", "process", "thread"] {
        let args = [
            "--deterministic",
            "--fuel",
            "5000",
            "--isolation",
            isolation,
        ];
        let options = [
            "--on-error",
            "continue",
            "--workers",
            "1",
            "--chunk-size",
            "3",
        ];
        let args = [&args[..], &options].concat();
        let ran = map(&behave("work"), &args, &items).exits(1);
        let records = ran.json();
        assert!(
            records[0]["ok"].is_i64() && records[2]["ok"].is_i64(),
            "{ran:?}"
        );
        let error = &records[1]["error"];
        assert_eq!(error["kind"], "trap", "{ran:?}");
        let message = "the item used up its limit of 5000 wasm fuel units";
        assert_eq!(error["message"], message, "{ran:?}");
        assert_eq!(records[1]["fuel"], 5000, "{ran:?}");
    }
}

/// What the start of an instance uses is the item's too; one that uses up all is told before any item runs.
fn fuel_of_a_start() {
    let args = ["--deterministic", "--fuel", "5000"];
    let start = format!("{}:identity", module("start-loop"));
    let ran = map(&start, &args, &["1"]).exits(3);
    ran.says("the component cannot be started: the item used up its limit of 5000 wasm fuel units");
}

fn fuel_is_not_counted_otherwise() {
    let ran = map(&behave("identity"), &["--stats"], &["1"]).exits(0);
    assert_eq!(ran.text(), "{\"index\":0,\"ok\":1}\n");
    assert!(!ran.stderr.contains("fuel"), "{ran:?}");
}

fn outcomes(pool: &Pool, function: &str, items: &[&str]) -> Vec<Outcome> {
    let options = JobOptions {
        on_error: OnError::Continue,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream(function, options).expect("there is one");
    for item in items {
        assert!(feeder.push(Payload::Bytes((*item).into())));
    }
    drop(feeder);
    let all = std::iter::from_fn(|| results.next());
    all.map(|outcome| outcome.expect("a pool without a fault"))
        .collect()
}

fn fuel_by_the_library() {
    let builder = || Pool::builder().workers(2).cache(false);
    let limits = Limits::new().fuel(100_000);
    let items = ["[1,100]", "[1,1000000]", "[1,300]"];
    let mut seen: Vec<Vec<u64>> = Vec::new();
    for isolation in [None, Some(Isolation::Thread), Some(Isolation::Process)] {
        let mut builder = builder().deterministic(9).limits(limits.clone());
        if let Some(isolation) = isolation {
            builder = builder.isolation(isolation);
        }
        let pool = builder.open(module("behave")).expect("it can be opened");
        let outcomes = outcomes(&pool, "work", &items);
        let fuel = outcomes.iter().map(|o| o.fuel.expect("fuel is told"));
        let fuel: Vec<u64> = fuel.collect();
        assert_eq!(fuel[1], 100_000);
        let failure = outcomes[1].result.as_ref().expect_err("it has not enough");
        assert_eq!(failure.kind, FailureKind::Trap);
        assert_eq!(pool.stats().fuel, fuel.iter().sum::<u64>());
        seen.push(fuel);
    }
    assert!(seen.iter().all(|fuel| *fuel == seen[0]), "{seen:?}");

    let pool = builder().open(module("behave")).expect("it can be opened");
    assert_eq!(outcomes(&pool, "identity", &["1"])[0].fuel, None);
    assert_eq!(pool.stats().fuel, 0);
    for refused in [
        builder().limits(limits),
        builder().deterministic(1).isolation(Isolation::Shared),
    ] {
        let error = refused
            .open(module("behave"))
            .map(drop)
            .expect_err("it is refused");
        assert!(matches!(error, Error::Options { .. }), "{error}");
        assert!(error.hint().is_some());
    }
}

/// Without the mode the first of these has other bits than the second on every machine that this runs on.
fn nan_is_one() {
    let text = r#"(component
        (core module $m
          (func (export "bits") (param $x f64) (result i64)
            (i64.reinterpret_f64
              (f64.add (local.get $x) (f64.reinterpret_i64 (i64.const 0xfff4000000001234))))))
        (core instance $i (instantiate $m))
        (func (export "bits") (param "x" float64) (result u64) (canon lift (core func $i "bits"))))"#;
    let text = text.replace("float64", "f64");
    let bits = |deterministic: bool| -> u64 {
        let builder = Pool::builder().workers(1).cache(false);
        let builder = match deterministic {
            true => builder.deterministic(0),
            false => builder,
        };
        let pool = builder
            .open_bytes(text.as_bytes())
            .expect("it can be opened");
        pool.apply("bits", 1.5_f64).expect("nothing is wrong")
    };
    assert_eq!(bits(true), 0x7ff8_0000_0000_0000);
    assert_ne!(bits(false), bits(true));
}

fn options_that_contradict() {
    let identity = behave("identity");
    map(
        &identity,
        &["--deterministic", "--isolation", "shared"],
        &["1"],
    )
    .exits(2)
    .says("error[options-conflict]: in deterministic mode items cannot share an instance")
    .says("hint: ");
    map(&identity, &["--fuel", "100"], &["1"])
        .exits(2)
        .says("--deterministic");
    map(&identity, &["--deterministic", "--fuel", "0"], &["1"]).exits(2);
}

fn tasks_everywhere() {
    let items: Vec<String> = (0..24).map(|i| (i % 10).to_string()).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let records = everywhere(&chance("look"), &items, 0);
    // The same item at another place has other randomness, and the same of all else.
    assert_ne!(records[1]["ok"]["hashes"], records[11]["ok"]["hashes"]);
    assert_ne!(records[1]["ok"]["order"], records[11]["ok"]["order"]);
    for part in ["wall", "between", "slept", "nans", "grown", "items"] {
        assert_eq!(records[1]["ok"][part], records[11]["ok"][part], "{part}");
    }
}

fn what_tasks_see() {
    let args = ["--deterministic", "--workers", "2", "--timeout", "20s"];
    let ran = map(&chance("look"), &args, &["3", "4"]).exits(0);
    for (index, record) in ran.json().iter().enumerate() {
        let seen = &record["ok"];
        let expected = json!({
            "items": 1,
            "worker": 0,
            "index": index,
            "attempt": 1,
            "time_left": 20_000_000_000_u64,
            "cancelled": false,
            "grown": (index + 3) << 20,
        });
        for (name, value) in expected.as_object().expect("it is one") {
            assert_eq!(&seen[name], value, "{name}: {ran:?}");
        }
        let number = |name: &str| seen[name].as_u64().expect("a number");
        let start = 946_684_800_u64 * 1_000_000_000;
        assert!(
            (start..start + 1_000_000).contains(&number("wall")),
            "{seen}"
        );
        assert!((1_000..100_000).contains(&number("between")), "{seen}");
        assert!((1_000_000..1_100_000).contains(&number("slept")), "{seen}");
        let nan = 0x7ff8_0000_0000_0000_u64;
        assert_eq!(seen["nans"], json!([nan, nan, nan, 0x7fc0_0000]), "{seen}");
    }
}

fn seeds() {
    let hashes = |args: &[&str]| {
        let ran = map(&chance("look"), args, &["1", "1"]).exits(0);
        let records = ran.json();
        let of = |record: &Value| record["ok"]["hashes"].to_string();
        (of(&records[0]), of(&records[1]))
    };
    let zero = hashes(&["--deterministic"]);
    assert_ne!(zero.0, zero.1, "items have randomness of their own");
    assert_eq!(zero, hashes(&["--deterministic=0"]));
    assert_ne!(zero, hashes(&["--deterministic=1"]));
    assert_ne!(hashes(&[]), hashes(&[]), "so is what the machine gives");
}

fn sleep_at_once() {
    let start = std::time::Instant::now();
    let ran = map(&chance("nap"), &["--deterministic"], &["86400", "0"]).exits(0);
    let slept: Vec<Value> = ran.json().iter().map(|r| r["ok"].clone()).collect();
    assert_eq!(slept, [json!(86400), json!(0)]);
    assert!(start.elapsed().as_secs() < 3600);
}
