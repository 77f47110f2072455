//! What is told of a job at its end: summaries, traces, recordings; every item in them once, and the reason of each end.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::Value;
use wasmpool::failure::FailureKind;
use wasmpool::limits::Limits;
use wasmpool::pool::{
    JobOptions, OnError, Payload, Pool, Recording, WorkerEnd, WorkerNow, WorkerState,
};
use wasmpool_tests::{PATIENCE, Suite, module, patiently, temporary, wasmpool};

fn main() -> ExitCode {
    wasmpool::worker::enter_if_asked();
    Suite::new()
        .test("every_item_is_in_one_span", spans)
        .test("every_end_has_its_reason", ends)
        .test("nothing_is_recorded_unasked", unasked)
        .test("processes_for_items", processes)
        .test("threads_have_no_processes", threads)
        .test("summaries", summaries)
        .test("traces", traces)
        .run()
}

fn open(record: bool) -> Pool {
    let limits = Limits::new().timeout(PATIENCE);
    Pool::builder()
        .workers(2)
        .cache(false)
        .limits(limits)
        .record(record)
        .open(module("behave"))
        .expect("the module can be used")
}

/// Waits until both workers have said that they live.
fn both_ready(pool: &Pool) {
    patiently("both workers are ready", || {
        let idle = |worker: &WorkerNow| worker.state == WorkerState::Idle;
        let ready = pool
            .snapshot()
            .workers
            .iter()
            .filter(|worker| idle(worker))
            .count();
        (ready == 2).then_some(())
    });
}

fn items(recording: &Recording) -> u64 {
    recording
        .spans
        .iter()
        .map(|span| u64::from(span.items))
        .sum()
}

fn spans() {
    let pool = open(true);
    both_ready(&pool);
    let squares: Vec<i64> = pool.map("identity", 0..5000_i64).unwrap();
    assert_eq!(squares.len(), 5000);
    let recording = pool.recording().unwrap();
    assert_eq!((items(&recording), recording.latency.count), (5000, 5000));
    assert_eq!(recording.workers.len(), 2);
    for worker in &recording.workers {
        let used = worker.usage.expect("a live process can be looked at");
        assert!(
            used.cpu_nanos > 0 && used.peak_bytes > 1 << 20,
            "{worker:?}"
        );
        assert!(worker.ended.is_none());
    }
    // What one place did, it did one after the other.
    for slot in 0..2 {
        let spans: Vec<_> = recording
            .spans
            .iter()
            .filter(|span| span.slot == slot)
            .collect();
        assert!(
            spans.windows(2).all(|two| two[0].to <= two[1].from),
            "{spans:?}"
        );
        assert!(
            spans
                .iter()
                .all(|span| span.from <= span.to && span.to <= recording.until)
        );
    }
    let time = &recording.latency;
    assert!(time.min <= time.p50 && time.p50 <= time.p99 && time.p99 <= time.max);
    assert_eq!(time.buckets.iter().map(|(_, n)| n).sum::<u64>(), 5000);
    // A second job goes on with the same record.
    let _: Vec<i64> = pool.map("identity", 0..10_i64).unwrap();
    assert_eq!(items(&pool.recording().unwrap()), 5010);
}

fn ends() {
    let limits = Limits::new().timeout(std::time::Duration::from_millis(300));
    let mut pool = Pool::builder()
        .workers(1)
        .cache(false)
        .limits(limits)
        .record(true)
        .open(module("behave"))
        .unwrap();
    let run = |function: &str, items: &[i64]| {
        let options = JobOptions {
            on_error: OnError::Continue,
            ..JobOptions::default()
        };
        let (mut feeder, mut results) = pool.stream(function, options).unwrap();
        for item in items {
            feeder.push(Payload::Bytes(item.to_string().into_bytes()));
        }
        drop(feeder);
        let outcomes = std::iter::from_fn(|| results.next());
        outcomes
            .filter(|outcome| outcome.as_ref().is_ok_and(|o| o.result.is_err()))
            .count()
    };
    assert_eq!(run("trap-if-negative", &[1, -1, 2, -1]), 2);
    assert_eq!(run("spin-if-negative", &[1, -1, 2]), 1);
    assert_eq!(run("fail-if-negative", &[1, -1, 2]), 1);
    pool.close();
    let stats = pool.stats();
    // The last to end is replaced, and nobody waits for that here.
    let recording = pool.recording().unwrap();
    let ends: BTreeMap<WorkerEnd, u64> = recording.ends.iter().copied().collect();
    assert_eq!(
        ends.get(&WorkerEnd::Failure(FailureKind::Trap)),
        Some(&2),
        "{recording:?}"
    );
    assert_eq!(
        ends.get(&WorkerEnd::Failure(FailureKind::Timeout)),
        Some(&1)
    );
    assert_eq!(stats.workers_replaced, 3);
    let failed: u32 = recording.spans.iter().map(|span| span.failed).sum();
    assert_eq!(
        (failed, items(&recording) >= 10),
        (4, true),
        "{recording:?}"
    );
    assert!(
        recording.latency.max >= 250_000_000,
        "{:?}",
        recording.latency
    );
    let killed: Vec<_> = recording
        .workers
        .iter()
        .filter(|worker| worker.ended.is_some())
        .collect();
    assert_eq!(killed.len(), 3);
    assert!(
        killed
            .iter()
            .any(|worker| { worker.usage.is_some_and(|used| used.cpu_nanos > 10_000_000) })
    );
    assert!(pool.join(Some(PATIENCE)));
    let ends = pool.recording().unwrap().ends;
    assert!(
        ends.iter().any(|(why, _)| *why == WorkerEnd::Closed),
        "{ends:?}"
    );
}

fn unasked() {
    let pool = open(false);
    both_ready(&pool);
    let _: Vec<i64> = pool.map("identity", 0..3_i64).unwrap();
    assert!(pool.recording().is_none());
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.workers.len(), snapshot.stats.done), (2, 3));
    assert!(
        snapshot
            .workers
            .iter()
            .all(|worker| worker.resident_bytes > Some(1 << 20)),
        "{snapshot:?}"
    );
    let watcher = pool.watcher();
    assert!(watcher.snapshot().is_some());
    drop(pool);
    assert!(watcher.snapshot().is_none(), "it does not keep the pool");
}

fn processes() {
    let place = temporary();
    let (trace, function) = (
        place.text("trace.json"),
        format!("{}:identity", module("behave")),
    );
    let args = [
        "map",
        &function,
        "--isolation",
        "process",
        "--stats=json",
        "--trace",
        &trace,
        "1",
        "2",
        "3",
        "4",
    ];
    let ran = wasmpool(args).run().exits(0);
    let stats: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(stats["items"]["done"], 4);
    assert_eq!(stats["workers"]["replaced"], 0, "{stats}");
    assert!(stats["workers"]["cpu"].as_u64() > Some(0), "{stats}");
    let events = events(&trace);
    let spans: Vec<_> = events
        .iter()
        .filter(|event| event["cat"] == "items")
        .collect();
    let mut items: Vec<_> = spans
        .iter()
        .map(|span| span["args"]["first_index"].as_u64().unwrap())
        .collect();
    items.sort_unstable();
    assert_eq!(items, [0, 1, 2, 3]);
}

fn threads() {
    let pool = Pool::builder()
        .workers(2)
        .cache(false)
        .isolation(wasmpool::mode::Isolation::Thread)
        .record(true)
        .open(module("behave"))
        .unwrap();
    let _: Vec<i64> = pool.map("identity", 0..100_i64).unwrap();
    let recording = pool.recording().unwrap();
    assert_eq!(
        (items(&recording), recording.cpu_nanos, recording.peak_bytes),
        (100, None, None)
    );
}

fn summaries() {
    let function = format!("{}:trap-if-negative", module("behave"));
    let args = [
        "map",
        &function,
        "--on-error",
        "continue",
        "--stats",
        "--",
        "1",
        "-1",
        "2",
    ];
    let ran = wasmpool(args)
        .run()
        .exits(1)
        .says("items: 2 done, 1 failed (trap 1), ");
    assert!(ran.stderr.contains("workers: "), "{ran:?}");
    for expected in [
        " 1 replaced (trap 1)\n",
        "time of an item: median ",
        "processor: ",
        "memory: ",
    ] {
        assert!(ran.stderr.contains(expected), "no `{expected}`: {ran:?}");
    }
    let args = [
        "map",
        &function,
        "--on-error",
        "continue",
        "--stats=json",
        "-q",
        "--",
        "1",
        "-1",
        "2",
    ];
    let ran = wasmpool(args).run().exits(1);
    let stats = ran
        .stderr
        .lines()
        .find(|line| line.starts_with('{'))
        .expect("one line of JSON");
    let stats: Value = serde_json::from_str(stats).unwrap();
    assert_eq!(stats["items"]["failed"]["trap"], 1);
    assert_eq!(stats["workers"]["replaced_because"]["trap"], 1);
    assert_eq!(stats["latency"]["count"], 3);
}

fn events(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

fn traces() {
    let place = temporary();
    let (trace, function) = (
        place.text("trace.json"),
        format!("{}:trap-if-negative", module("behave")),
    );
    let items: Vec<String> = (0..1000)
        .map(|n| if n == 500 { -1 } else { n }.to_string())
        .collect();
    let fixed = [
        "map",
        &function,
        "--on-error",
        "continue",
        "--trace",
        &trace,
        "--",
    ];
    let args = fixed.into_iter().chain(items.iter().map(String::as_str));
    wasmpool(args).run().exits(1);
    let events = events(&trace);
    let of = |category: &str| -> Vec<&Value> {
        events
            .iter()
            .filter(|event| event["cat"] == category)
            .collect()
    };
    let sum = |what: &str| {
        of("items")
            .iter()
            .map(|span| span["args"][what].as_u64().unwrap())
            .sum::<u64>()
    };
    // Those that shared a chunk with the trap may have run twice; a result counts once.
    assert!(sum("items") >= 1000 && sum("failed") == 1, "{events:?}");
    assert!(
        of("worker")
            .iter()
            .any(|event| event["name"] == "trap" && event["ph"] == "i")
    );
    assert!(
        of("worker")
            .iter()
            .any(|event| event["name"] == "starting" && event["ph"] == "X")
    );
    for event in &events {
        if let "X" | "i" | "C" = event["ph"].as_str().unwrap() {
            assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
        }
        assert!(
            event["dur"].as_f64().is_none_or(|dur| dur >= 0.0),
            "{event}"
        );
    }
    // A place that cannot be written is told before anything runs.
    let args = ["map", &function, "--trace", "/nowhere/trace.json", "1"];
    let ran = wasmpool(args)
        .run()
        .exits(2)
        .says("cannot write to /nowhere/trace.json");
    assert_eq!(ran.text(), "");
}
