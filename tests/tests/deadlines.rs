//! Items that take too long: where they were is told, what stops them, and what is not billed to them.

use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmpool::failure::FailureKind;
use wasmpool::limits::{Limits, MIB};
use wasmpool::pool::{Error, JobOptions, LogRecord, OnError, Outcome, Payload, Pool};
use wasmpool_tests::{
    PATIENCE, Process, Ran, Started, Suite, guests, module, patiently, wasmpool, workers,
};

const ISOLATIONS: [&str; 4] = ["thread", "shared", "instance", "process"];

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("without_the_option_nothing_is_asked", nothing_is_asked)
        .test("operations_on_much_memory_end", much_memory)
        .test("stopped::in_an_item", stopped_in_an_item)
        .test("stopped::while_idle", stopped_while_idle)
        .test("a_slow_reader_of_logs::waits", slow_reader_waits)
        .test(
            "a_slow_reader_of_logs::does_not_spare",
            slow_reader_spares_nobody,
        )
        .guest("backtrace::of_a_task", backtrace_of_a_task)
        .guest("blocked_calls_end", blocked_calls_end);
    for isolation in ISOLATIONS {
        let name = format!("backtrace::{isolation}");
        suite = suite.test(name, move || backtrace_names_the_loop(isolation));
    }
    suite.run()
}

fn late(function: &str) -> String {
    format!("{}:{function}", module("late"))
}

fn guest(function: &str) -> String {
    let (guest, _) = function.split_once(':').expect("GUEST:TASK");
    let folder = guests().expect("only run with guests");
    let path = match guest {
        "chance" => folder.join("chance.wasm32-wasip1.wasm"),
        other => folder.join(format!("{other}.wasm")),
    };
    let path = path.to_str().expect("a path that is text");
    function.replacen(guest, path, 1)
}

/// Maps with failures told as records.
fn records(function: &str, args: &[&str], items: &[&str]) -> Ran {
    let fixed = [
        "map",
        function,
        "--output",
        "records",
        "--on-error",
        "continue",
    ];
    wasmpool([&fixed[..], args, items].concat()).run()
}

/// The frames of the failure in a record, which must be a timeout.
#[track_caller]
fn frames(record: &Value, limit: &str) -> Vec<String> {
    let error = &record["error"];
    assert_eq!(error["kind"], "timeout", "{record}");
    let message = format!("the item ran longer than its time limit of {limit}");
    assert_eq!(error["message"], message, "{record}");
    let frames = error["backtrace"].as_array().into_iter().flatten();
    frames
        .map(|frame| frame.as_str().expect("text").to_owned())
        .collect()
}

/// Several late items in a chunk, each of which tells where it was; the others complete.
fn backtrace_names_the_loop(isolation: &str) {
    answers(|| answer_of_a_loop(isolation));
}

/// One that is not given a processor in time is killed without an answer.
fn answers(asked: impl Fn() -> bool) {
    assert!((0..10).any(|_| asked()), "asked ten times in vain");
}

fn answer_of_a_loop(isolation: &str) -> bool {
    let args = [
        "--isolation",
        isolation,
        "--timeout",
        "400ms",
        "--workers",
        "1",
    ];
    let options = ["--backtrace-on-timeout", "--chunk-size", "4"];
    let args = [&args[..], &options].concat();
    let ran = records(&late("spin-if-negative"), &args, &["1", "-2", "3", "-4"]).exits(1);
    let found = ran.json();
    assert_eq!(found.len(), 4, "{ran:?}");
    assert_eq!(found[0], json!({"index": 0, "ok": 1}));
    assert_eq!(found[2], json!({"index": 2, "ok": 3}));
    for at in [1, 3] {
        let frames = frames(&found[at], "400ms");
        if frames.is_empty() {
            return false;
        }
        assert!(frames[0].contains("the-spinner"), "{ran:?}");
        assert!(frames[1].contains("who-calls-it"), "{ran:?}");
        assert_eq!(frames.len(), 2, "{ran:?}");
    }
    ran.says("  at ").says("the-spinner");
    true
}

fn backtrace_of_a_task() {
    answers(answer_of_a_task);
}

fn answer_of_a_task() -> bool {
    let args = ["--timeout", "400ms", "--backtrace-on-timeout"];
    let ran = records(&guest("zoo:spin-if"), &args, &["2", "3", "4"]).exits(1);
    let found = ran.json();
    assert_eq!(found[0]["ok"], 2, "{ran:?}");
    assert_eq!(found[2]["ok"], 4, "{ran:?}");
    let frames = frames(&found[1], "400ms");
    let named = frames.iter().any(|f| f.contains("wasmpool:task/map"));
    assert!(named || frames.is_empty(), "{ran:?}");
    named
}

fn nothing_is_asked() {
    let ran = records(&late("spin-if-negative"), &["--timeout", "400ms"], &["-1"]).exits(1);
    assert_eq!(frames(&ran.json()[0], "400ms"), [""; 0]);
}

/// No instruction of the guest comes to an end while it is told to stop: it is killed.
fn much_memory() {
    for option in [&[][..], &["--backtrace-on-timeout"]] {
        let args = [&["--timeout", "400ms", "--workers", "1"][..], option].concat();
        let ran = records(&late("fill-if-negative"), &args, &["1", "-2", "3"]).exits(1);
        let found = ran.json();
        frames(&found[1], "400ms");
        assert_eq!((&found[0]["ok"], &found[2]["ok"]), (&json!(1), &json!(3)));
    }
}

/// A guest in a call of the host does not come to look: it is killed all the same, and nobody knows where it was.
fn blocked_calls_end() {
    for option in [&[][..], &["--backtrace-on-timeout"]] {
        let start = Instant::now();
        let args = [&["--timeout", "400ms", "--workers", "1"][..], option].concat();
        let ran = records(&guest("chance:nap"), &args, &["0", "3600", "0"]).exits(1);
        let found = ran.json();
        assert_eq!(frames(&found[1], "400ms"), [""; 0], "{ran:?}");
        assert_eq!((&found[0]["ok"], &found[2]["ok"]), (&json!(0), &json!(0)));
        assert!(start.elapsed() < PATIENCE);
    }
}

/// The workers of a host, once there are so many.
fn some_workers(host: u32, count: usize) -> Vec<Process> {
    patiently("there are workers", || {
        let found = workers(host);
        (found.len() == count).then_some(found)
    })
}

/// A run whose only worker gave one result and is in the middle of an item that takes for ever.
fn in_an_item(args: &[&str]) -> (Started, BufReader<std::process::ChildStdout>) {
    let function = late("spin-if-negative");
    let fixed = ["map", &function, "--workers", "1", "--chunk-size", "1"];
    let options = ["--output", "records", "--on-error", "continue"];
    let args = [&fixed[..], &options, args, &["1", "-2", "3"]].concat();
    let mut run = wasmpool(args).start();
    let mut stdout = BufReader::new(run.stdout());
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a pipe can be read");
    assert_eq!(line, "{\"index\":0,\"ok\":1}\n");
    (run, stdout)
}

/// Who is stopped in the middle of an item is killed at its deadline, like one that loops.
fn stopped_in_an_item() {
    for option in [&[][..], &["--backtrace-on-timeout"]] {
        let (mut run, stdout) = in_an_item(&[&["--timeout", "3s"][..], option].concat());
        // The worker has had its next item for longer than that takes to be started.
        std::thread::sleep(Duration::from_millis(500));
        let stopped = some_workers(run.id(), 1)[0];
        assert!(stopped.stop());
        let lines: Vec<String> = stdout.lines().map(|line| line.expect("text")).collect();
        let ran = run.finish().exits(1);
        assert_eq!(lines.len(), 2, "{lines:?} {ran:?}");
        let record: Value = serde_json::from_str(&lines[0]).expect("a record");
        assert_eq!(
            frames(&record, "3s"),
            [""; 0],
            "it could not say where it was"
        );
        assert_eq!(record["error"]["attempts"], 1);
        assert_eq!(lines[1], "{\"index\":2,\"ok\":3}");
    }
}

/// Runs one item to its outcome.
fn outcome(pool: &Pool, function: &str, item: &str, retries: u32) -> Outcome {
    let options = JobOptions {
        on_error: OnError::Continue,
        retries,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream(function, options).expect("there is one");
    assert!(feeder.push(Payload::Bytes(item.into())));
    drop(feeder);
    results.next().expect("one outcome").expect("a pool")
}

/// The one test of this suite whose pool has workers of its own process.
fn stopped_while_idle() {
    let mut limits = Limits::new().timeout(Duration::from_millis(300));
    limits.start_timeout = Duration::from_millis(1500);
    let builder = || Pool::builder().workers(1).cache(false);
    let pool = builder()
        .limits(limits.clone())
        .open(module("late"))
        .expect("it can be opened");
    for (retries, replaced) in [(1, 1), (0, 2)] {
        let warm: i64 = pool.apply("identity", 7_i64).expect("nothing is wrong");
        assert_eq!(warm, 7);
        let stopped = some_workers(std::process::id(), 1)[0];
        assert!(stopped.stop());
        let start = Instant::now();
        let outcome = outcome(&pool, "identity", "5", retries);
        assert!(
            start.elapsed() >= limits.start_timeout,
            "it is lost no sooner"
        );
        assert_eq!(pool.stats().workers_replaced, replaced);
        match (retries, outcome.result) {
            (1, Ok(bytes)) => {
                assert_eq!(&*bytes, b"5");
                assert_eq!(outcome.attempts, 1, "the first worker never took it");
            }
            (0, Err(failure)) => {
                assert_eq!(failure.kind, FailureKind::WorkerLost, "{failure}");
                assert_eq!(failure.attempts, 0);
                assert!(failure.message.contains("1.5s"), "{failure}");
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    let after: i64 = pool.apply("identity", 8_i64).expect("nothing is wrong");
    assert_eq!(after, 8);
}

/// A pool whose supervisor is held up by the first message for so long, and what tells when that is over.
fn held_up(isolation: wasmpool::mode::Isolation) -> (Pool, mpsc::Receiver<()>) {
    let limits = Limits::new()
        .timeout(Duration::from_secs(1))
        .log_bytes(16 * MIB);
    let (tell, told) = mpsc::channel();
    let (tell, first) = (Mutex::new(tell), AtomicBool::new(true));
    let on_log = move |_: &LogRecord<'_>| {
        if first.swap(false, Ordering::Relaxed) {
            let name = std::thread::current().name().map(str::to_owned);
            assert_eq!(name.as_deref(), Some("wasmpool"), "nobody else looks yet");
            std::thread::sleep(Duration::from_secs(3));
            let _ = tell.lock().expect("no panic").send(());
        }
    };
    let pool = Pool::builder()
        .workers(1)
        .isolation(isolation)
        .cache(false)
        .limits(limits)
        .on_log(on_log)
        .open(module("late"))
        .expect("it can be opened");
    (pool, told)
}

/// While the host gives messages to a user who takes his time, the worker waits for room. That is not the item's time.
fn slow_reader_waits() {
    let (pool, told) = held_up(wasmpool::mode::Isolation::Thread);
    let many = pool
        .submit::<_, u32>("chat", (80_u32, 8000_u32, 0_u32))
        .expect("the pool takes it");
    told.recv_timeout(PATIENCE).expect("a message came");
    assert_eq!(many.wait().expect("it did all it had to in time"), 80);
    assert_eq!(pool.stats().workers_replaced, 0);
}

/// What was credited is what the host took, and no more: an item that never ends is ended.
fn slow_reader_spares_nobody() {
    let (pool, told) = held_up(wasmpool::mode::Isolation::Thread);
    let start = Instant::now();
    let endless = pool
        .submit::<_, u32>("chat", (80_u32, 8000_u32, 1_u32))
        .expect("the pool takes it");
    told.recv_timeout(PATIENCE).expect("a message came");
    match endless.wait() {
        Err(Error::Item { failure, .. }) => assert_eq!(failure.kind, FailureKind::Timeout),
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert!(start.elapsed() < PATIENCE);
}
