//! What an instance leaves behind when its item is over and it is not used again: nothing.

use std::time::Duration;

use serde_json::{Value, json};
use wasmpool::failure::FailureKind;
use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, Buffer, Lock, Pipe, Queue, ReceiveError, Semaphore};
use wasmpool::pool::Direction;
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{
    ALL, PROCESSES, Row, builder, call, check, done, for_each, message, null, open, pattern, start,
};

const FRESH: [Isolation; 2] = [Isolation::Instance, Isolation::Process];

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &FRESH, "left::held", held);
    let suite = for_each(suite, &FRESH, "left::attached", attached);
    let suite = for_each(
        suite,
        &PROCESSES,
        "left::by_one_that_fails",
        by_one_that_fails,
    );
    for_each(
        suite,
        &ALL,
        "left::by_one_that_is_late",
        by_one_that_is_late,
    )
}

/// An item that returned without giving back what it held.
fn held(isolation: Isolation) {
    let (lock, units) = (Lock::new(), Semaphore::bounded(1));
    let jobs = Queue::joinable();
    let pool = builder(isolation, 1)
        .lock("l", &lock)
        .semaphore("s", &units)
        .queue("q", &jobs, Direction::Both);
    let pool = open(pool);
    for _ in 0..20 {
        let rows: &[Row] = &[
            ("keep-held", json!("l"), null()),
            // The next instance, in the same worker, finds it free, and is told.
            ("acquire", json!(["l", 0]), Ok(json!(true))),
            ("acquire", json!(["l", 0]), Ok(json!(false))),
            ("take-semaphore", json!(["s", 0]), Ok(json!(false))),
            ("take-semaphore", json!(["s", 0]), Ok(json!(true))),
        ];
        let rows = match isolation {
            Isolation::Instance => rows.to_vec(),
            // In another worker, as soon as the end of the first is known.
            _ => rows.iter().cloned().map(patient).collect(),
        };
        check(&pool, &rows);
        // The host may be faster than the news of the end.
        let permit = units.acquire(Some(PATIENCE)).unwrap();
        assert!(permit.was_abandoned());
        drop(permit);
        assert_eq!(units.value(), 1);

        jobs.put("a", None).unwrap();
        jobs.put("b", None).unwrap();
        // Delivered to two that do not confirm it, it comes a third time.
        for _ in 0..2 {
            check(&pool, &[("get", json!(["q", null]), message("a"))]);
            patiently("it is back", || (jobs.len() == 2).then_some(()));
        }
        for expected in ["a", "b"] {
            assert_eq!(jobs.get(Some(PATIENCE)).unwrap(), expected.as_bytes());
            jobs.task_done().unwrap();
        }
        assert!(jobs.join(Some(PATIENCE)));
    }
}

/// With time to wait where it said not to wait at all.
fn patient((task, args, expected): Row) -> Row {
    let args = match args {
        Value::Array(args) => json!([args[0], null]),
        other => other,
    };
    (task, args, expected)
}

/// Of an item that kept buffers attached nothing is seen by the next one, nor of the next one in the buffer.
fn attached(isolation: Isolation) {
    let bytes = pattern(MIB as usize);
    let buffer = Buffer::from_bytes(&bytes).unwrap();
    let pool = builder(isolation, 1)
        .buffer("rw", &buffer, Access::ReadWrite)
        .buffer("ro", &buffer, Access::ReadOnly);
    let pool = open(pool);
    for _ in 0..20 {
        let rows: &[Row] = &[
            ("keep-attached", json!("rw"), null()),
            ("nonzero-in-new-memory", json!(8), Ok(json!(0))),
            ("keep-attached", json!("ro"), null()),
            ("nonzero-in-new-memory", json!(8), Ok(json!(0))),
            ("nonzero-after-detaching", json!("rw"), Ok(json!(0))),
            // Whose memory lay where the buffer was, stores into its own.
            (
                "sum-copied",
                json!(["rw", 0, 1]),
                Ok(json!(u64::from_le_bytes(bytes[..8].try_into().unwrap()))),
            ),
        ];
        check(&pool, rows);
    }
    assert!(buffer.to_vec().unwrap() == bytes);
}

fn by_one_that_fails(isolation: Isolation) {
    let lock = Lock::new();
    let jobs = Queue::builder().joinable(true).deliveries(5).build();
    let plain = Queue::new();
    let buffer = Buffer::new(MIB).unwrap();
    let pool = builder(isolation, 1)
        .lock("l", &lock)
        .queue("q", &jobs, Direction::Both)
        .queue("p", &plain, Direction::Both)
        .buffer("b", &buffer, Access::ReadWrite);
    let pool = open(pool);
    let traps = |task: &str, args: Value| {
        let failure = call(&pool, task, args).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Trap, "{failure}");
    };
    for round in 1..10u8 {
        traps("hold-and-panic", json!("l"));
        assert_eq!(done(&pool, "acquire", json!(["l", null])), json!(true));
        // What it got and did not confirm comes again; what it got of a plain queue, and did nothing with, is lost.
        jobs.put([round], None).unwrap();
        traps("get-and-panic", json!("q"));
        assert_eq!(jobs.get(Some(PATIENCE)).unwrap(), [round]);
        jobs.task_done().unwrap();
        plain.put([round], None).unwrap();
        traps("get-and-panic", json!("p"));
        assert_eq!((plain.len(), plain.lost()), (0, u64::from(round)));
        // What it stored stays stored.
        traps("attach-and-panic", json!(["b", round]));
        assert_eq!(done(&pool, "peek-attached", json!(["b", 0])), json!(round));
        assert_eq!(done(&pool, "nonzero-in-new-memory", json!(8)), json!(0));
    }
    assert!(jobs.join(Some(PATIENCE)));
    assert!(pool.stats().workers_replaced >= 36);
}

/// An item that is killed at its time limit, in the midst of holding, waiting, or being attached.
fn by_one_that_is_late(isolation: Isolation) {
    let lock = Lock::new();
    let (jobs, empty) = (Queue::joinable(), Queue::new());
    let buffer = Buffer::new(MIB).unwrap();
    let (ours, theirs) = Pipe::new();
    let limits = Limits::new().timeout(Duration::from_millis(30));
    let pool = builder(isolation, 1)
        .limits(limits)
        .lock("l", &lock)
        .queue("q", &jobs, Direction::Both)
        .queue("empty", &empty, Direction::Both)
        .pipe("p", theirs)
        .buffer("b", &buffer, Access::ReadWrite);
    let pool = open(pool);
    let late = |task: &str, args: Value| {
        let failure = start(&pool, task, args).result().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    };
    // On a slow machine an item may be late before it has begun.
    patiently("one is late and holds the lock", || {
        late("hold-and-spin", json!("l"));
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        guard.was_abandoned().then_some(())
    });
    jobs.put("x", None).unwrap();
    late("get-and-spin", json!("q"));
    assert_eq!(jobs.get(Some(PATIENCE)).unwrap(), b"x");
    jobs.task_done().unwrap();
    if isolation != Isolation::Thread {
        late("attach-and-spin", json!("b"));
    }
    patiently("one is late and holds the end", || {
        late("hold-pipe", json!("p"));
        match ours.receive(Some(Duration::ZERO)) {
            Err(ReceiveError::EndOfFile) => Some(()),
            Err(ReceiveError::Empty) => None,
            other => panic!("{other:?}"),
        }
    });
    // A wait is no excuse, and takes nothing from who comes later.
    late("get", json!(["empty", null]));
    late("get", json!(["empty", 3_600_000]));
    late("wait-number", json!(["b", 0, 0, null]));
    let guard = lock.acquire(None).unwrap();
    late("acquire", json!(["l", null]));
    drop(guard);
    assert_eq!(buffer.notify(0, 5).unwrap(), 0);
    empty.put("for others", None).unwrap();
    assert_eq!(empty.get(Some(PATIENCE)).unwrap(), b"for others");
    assert!(!lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    assert_eq!(empty.lost(), 0);
}
