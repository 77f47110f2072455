//! Pools that share objects, and calls of their tasks in JSON.

use std::path::PathBuf;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::{Value, json};
use wasmpool::failure::{Failure, FailureKind};
use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::pool::{Error, JobOptions, OnError, Outcome, Payload, Pool, PoolBuilder, Results};
use wasmpool_guest::Bytes;
use wasmpool_tests::{PATIENCE, Suite, guests, program};

/// All kinds of pools.
pub const ALL: [Isolation; 4] = [
    Isolation::Shared,
    Isolation::Instance,
    Isolation::Process,
    Isolation::Thread,
];

/// Those whose workers are processes.
pub const PROCESSES: [Isolation; 3] = [Isolation::Shared, Isolation::Instance, Isolation::Process];

/// Whether an item finds what the one before it left in its instance.
pub fn keeps_instances(isolation: Isolation) -> bool {
    matches!(isolation, Isolation::Shared | Isolation::Thread)
}

/// Tests that kill workers are alone: they find them among all of this process.
static TOGETHER: RwLock<()> = RwLock::new(());

pub fn together() -> RwLockReadGuard<'static, ()> {
    TOGETHER.read().unwrap_or_else(|e| e.into_inner())
}

pub fn alone() -> RwLockWriteGuard<'static, ()> {
    TOGETHER.write().unwrap_or_else(|e| e.into_inner())
}

/// Adds a test for each of these isolations.
pub fn for_each(
    mut suite: Suite,
    isolations: &[Isolation],
    name: &str,
    test: fn(Isolation),
) -> Suite {
    for isolation in isolations.iter().copied() {
        let name = format!("{name}::{isolation:?}").to_lowercase();
        suite = suite.guest(name, move || {
            let _together = together();
            test(isolation);
        });
    }
    suite
}

/// The module with the tasks.
pub fn module() -> PathBuf {
    // Looks whether it is of this build.
    program();
    guests().expect("only run with guests").join("shared.wasm")
}

/// A pool of so many workers, without objects yet.
pub fn builder(isolation: Isolation, workers: u32) -> PoolBuilder {
    Pool::builder()
        .name("the test")
        .workers(workers)
        .isolation(isolation)
        .limits(Limits::new().timeout(PATIENCE))
}

pub fn open(builder: PoolBuilder) -> Pool {
    builder.open(module()).expect("the pool opens")
}

/// An item that runs, or is about to.
pub struct Called {
    results: Results,
    outcome: Option<Result<Outcome, Error>>,
}

/// Has a task run, once.
#[track_caller]
pub fn start(pool: &Pool, task: &str, args: Value) -> Called {
    let options = JobOptions {
        on_error: OnError::Continue,
        retries: 0,
        ..JobOptions::default()
    };
    let (mut feeder, results) = pool.stream(task, options).expect("there is such a task");
    assert!(feeder.push(Payload::Bytes(args.to_string().into_bytes())));
    Called {
        results,
        outcome: None,
    }
}

impl Called {
    /// Whether it is over.
    pub fn is_over(&mut self) -> bool {
        self.outcome = self.outcome.take().or_else(|| self.results.try_next());
        self.outcome.is_some()
    }

    /// What it returned, or why it did not.
    #[track_caller]
    pub fn result(mut self) -> Result<Value, Failure> {
        let outcome = self.outcome.take().or_else(|| self.results.next());
        let outcome = outcome.expect("an item has an outcome");
        let result = outcome.expect("the pool works").result;
        result.map(|bytes| serde_json::from_slice(&bytes).expect("the SDK writes JSON"))
    }

    /// What it returned.
    #[track_caller]
    pub fn done(self) -> Value {
        self.result().expect("the task succeeds")
    }
}

/// Waits until all of these succeed.
#[track_caller]
pub fn all_done(calls: impl IntoIterator<Item = Called>) {
    calls.into_iter().for_each(|call| _ = call.done());
}

/// Has a task run, and waits.
#[track_caller]
pub fn call(pool: &Pool, task: &str, args: Value) -> Result<Value, Failure> {
    start(pool, task, args).result()
}

/// The same of one that succeeds.
#[track_caller]
pub fn done(pool: &Pool, task: &str, args: Value) -> Value {
    start(pool, task, args).done()
}

/// A task, its parameters, and what it returns or a part of the message with which it fails.
pub type Row<'a> = (&'a str, Value, Result<Value, &'a str>);

/// Runs the rows one after the other.
#[track_caller]
pub fn check(pool: &Pool, rows: &[Row]) {
    for (place, (task, args, expected)) in rows.iter().enumerate() {
        let got = call(pool, task, args.clone());
        let right = match (&got, expected) {
            (Ok(got), Ok(expected)) => got == expected,
            (Err(got), Err(part)) => got.kind == FailureKind::Failed && got.message.contains(part),
            _ => false,
        };
        assert!(
            right,
            "row {place}, {task} {args}: {got:?}, not {expected:?}"
        );
    }
}

/// Nothing, as a task returns it.
pub fn null() -> Result<Value, &'static str> {
    Ok(Value::Null)
}

/// A message, as a task returns it.
pub fn message(text: &str) -> Result<Value, &'static str> {
    Ok(json!(text.as_bytes()))
}

/// Bytes that are not all alike.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// Lengths of messages around those where they travel in another way.
pub const LENGTHS: [usize; 9] = [
    0,
    1,
    60 << 10,
    (60 << 10) + 1,
    65_472,
    65_473,
    (64 << 10) + 1,
    1 << 20,
    20 << 20,
];

/// A call with bytes, which JSON would only make long.
#[track_caller]
pub fn bytes(pool: &Pool, task: &str, args: (&str, Option<u64>)) -> Vec<u8> {
    let bytes: Bytes = pool.apply(task, args).expect("the task succeeds");
    bytes.0
}
