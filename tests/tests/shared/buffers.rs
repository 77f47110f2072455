//! Buffers, and the values and arrays in them: copied, attached, changed by atomic operations, waited for.

use std::thread;

use serde_json::{Value as Json, json};
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, Array, Buffer, Value};
use wasmpool::pool::{Error, JobOptions, Payload};
use wasmpool_tests::{PATIENCE, Suite, patiently, temporary};

use super::common::{
    ALL, PROCESSES, Row, all_done, builder, call, check, done, for_each, message, null, open,
    pattern, start,
};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "buffers::operations", operations);
    let suite = for_each(suite, &ALL, "buffers::changed_by_all", changed_by_all);
    let suite = for_each(suite, &ALL, "buffers::waits", waits);
    let suite = for_each(
        suite,
        &ALL,
        "buffers::nobody_idle_while_others_compute",
        nobody_idle_while_others_compute,
    );
    let suite = for_each(suite, &PROCESSES, "buffers::attached", attached);
    let suite = for_each(suite, &PROCESSES, "buffers::read_only", read_only);
    let suite = for_each(suite, &PROCESSES, "buffers::files", files);
    for_each(
        suite,
        &[Isolation::Thread],
        "buffers::not_attached",
        not_attached,
    )
}

/// Items that are known to be short do not wait for long ones while there is an idle worker, also if every processor has a
/// worker that computes.
fn nobody_idle_while_others_compute(isolation: Isolation) {
    const SHORT: usize = 500;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let go_on = Value::new(0_i64).unwrap();
    let workers = u32::try_from(processors + 1).unwrap();
    let pool = open(builder(isolation, workers).buffer("v", go_on.buffer(), Access::ReadWrite));
    let options = JobOptions {
        ordered: false,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream("compute-until", options).unwrap();
    let mut push = |wait: bool, count: usize| {
        for _ in 0..count {
            let item = json!(["v", wait]).to_string();
            assert!(feeder.push(Payload::Bytes(item.into_bytes())));
        }
    };
    let mut come = |wait: bool, count: usize| {
        for _ in 0..count {
            let outcome = results.next().expect("there are more").unwrap();
            assert_eq!(
                &*outcome.result.unwrap(),
                json!(wait).to_string().as_bytes()
            );
        }
    };
    push(false, SHORT);
    come(false, SHORT);
    push(true, processors);
    push(false, 10);
    come(false, 10);
    go_on.set(1);
    come(true, processors);
}

const LENGTH: usize = 10_001;

fn operations(isolation: Isolation) {
    let buffer = Buffer::new(LENGTH as u64).unwrap();
    let pool = builder(isolation, 1)
        .buffer("b", &buffer, Access::ReadWrite)
        .buffer("ro", &buffer, Access::ReadOnly);
    let pool = open(pool);
    let end = LENGTH;
    let all = u64::MAX;
    let facts = |writable: bool| Ok(json!({ "length": LENGTH, "writable": writable }));
    let outside = || Err("does not lie within the buffer, which has 10001 bytes");
    let rows: &[Row] = &[
        ("buffer-facts", json!("b"), facts(true)),
        ("buffer-facts", json!("ro"), facts(false)),
        // Zeros at first, then what was written, and nothing beyond the end.
        ("read-bytes", json!(["b", end - 2, 2]), message("\0\0")),
        ("write-bytes", json!(["b", end - 2, "yz"]), null()),
        ("read-bytes", json!(["ro", end - 3, 3]), message("\0yz")),
        ("read-bytes", json!(["b", end, 0]), message("")),
        ("read-bytes", json!(["b", end, 1]), outside()),
        ("read-bytes", json!(["b", all, 1]), outside()),
        ("read-bytes", json!(["b", 0, end + 1]), outside()),
        ("write-bytes", json!(["b", end - 1, "yz"]), outside()),
        ("write-bytes", json!(["b", all, "y"]), outside()),
        (
            "write-bytes",
            json!(["ro", 0, "y"]),
            Err("for reading only"),
        ),
        ("write-read-only", json!("ro"), Ok(json!(8))),
        ("write-read-only", json!("b"), Err("Ok")),
        // Atomic operations give the old number.
        ("atomic", json!(["b", 8, "store", 12]), Ok(json!(12))),
        ("atomic", json!(["b", 8, "add", 3]), Ok(json!(12))),
        ("atomic", json!(["b", 8, "sub", 16]), Ok(json!(15))),
        ("atomic", json!(["b", 8, "and", 0xff]), Ok(json!(all))),
        ("atomic", json!(["b", 8, "or", 0x100]), Ok(json!(0xff))),
        ("atomic", json!(["b", 8, "xor", 0x1ff]), Ok(json!(0x1ff))),
        ("atomic", json!(["b", 8, "exchange", all]), Ok(json!(0))),
        ("atomic", json!(["ro", 8, "load", 0]), Ok(json!(all))),
        (
            "atomic",
            json!(["ro", 8, "add", 0]),
            Err("for reading only"),
        ),
        ("atomic32", json!(["b", 12, "add", 1]), Ok(json!(u32::MAX))),
        ("atomic32", json!(["b", 12, "sub", 1]), Ok(json!(0))),
        (
            "atomic32",
            json!(["b", 12, "exchange", 7]),
            Ok(json!(u32::MAX)),
        ),
        ("atomic32", json!(["b", 12, "and", 5]), Ok(json!(7))),
        ("atomic32", json!(["b", 12, "or", 8]), Ok(json!(5))),
        ("atomic32", json!(["b", 12, "xor", 1]), Ok(json!(13))),
        ("atomic32", json!(["b", 12, "store", 0]), Ok(json!(0))),
        ("atomic32", json!(["ro", 8, "load", 0]), Ok(json!(u32::MAX))),
        (
            "compare-exchange",
            json!(["b", 8, 0, 1]),
            Ok(json!(u32::MAX)),
        ),
        (
            "compare-exchange",
            json!(["b", 8, u32::MAX, 5]),
            Ok(json!(u32::MAX)),
        ),
        ("atomic", json!(["b", 8, "load", 0]), Ok(json!(5))),
        ("atomic", json!(["b", 4, "load", 0]), Err("size of 8 bytes")),
        (
            "atomic32",
            json!(["b", 2, "load", 0]),
            Err("size of 4 bytes"),
        ),
        ("atomic", json!(["b", 10_000, "load", 0]), outside()),
        ("atomic", json!(["b", all - 7, "load", 0]), outside()),
        ("atomic32", json!(["b", 10_000, "load", 0]), outside()),
        // Waiting, where nobody notifies.
        (
            "wait-number",
            json!(["b", 8, 6, null]),
            Ok(json!("unequal")),
        ),
        (
            "wait-number",
            json!(["ro", 8, 5, 0]),
            Ok(json!("timed-out")),
        ),
        ("wait-number", json!(["b", 8, 5, 5]), Ok(json!("timed-out"))),
        ("wait-number", json!(["b", 4, 5, 5]), Err("size of 8 bytes")),
        ("wait-number", json!(["b", 10_000, 5, 5]), outside()),
        ("notify-number", json!(["b", 8, 5]), Ok(json!(0))),
        (
            "notify-number",
            json!(["ro", 8, 5]),
            Err("for reading only"),
        ),
        ("notify-number", json!(["b", 2, 5]), Err("size of 4 bytes")),
        ("notify-number", json!(["b", 10_000, 5]), outside()),
        // Not granted.
        ("buffer-facts", json!("c"), Err("no buffer named `c`")),
        ("open", json!(["buffer", "b", 1024]), Ok(json!(1024))),
        ("open", json!(["buffer", "b", 1025]), Err("1024 handles")),
        // Of the wrong length for what it is opened as.
        ("value", json!("b"), Err("another type")),
    ];
    check(&pool, rows);
    assert_eq!(buffer.load_u64(8).unwrap(), 5);
    let mut last = [0; 2];
    buffer.read(LENGTH as u64 - 2, &mut last).unwrap();
    assert_eq!(&last, b"yz");
}

fn changed_by_all(isolation: Isolation) {
    const TIMES: u64 = 5_000;
    let number = Value::new(-7i64).unwrap();
    let float = Value::new(0.5f64).unwrap();
    let pool = || {
        let pool = builder(isolation, 2).buffer("n", number.buffer(), Access::ReadWrite);
        open(pool.buffer("f", float.buffer(), Access::ReadWrite))
    };
    // Two pools and the host.
    let (one, other) = (pool(), pool());
    let all = [&one, &one, &other, &other];
    let calls = all.map(|pool| start(pool, "increment", json!(["n", TIMES])));
    for _ in 0..TIMES {
        number.update(|n| n + 1);
    }
    all_done(calls);
    assert_eq!(number.get(), 5 * TIMES as i64 - 7);
    assert_eq!(done(&other, "value", json!("n")), json!(number.get()));
    let calls = all.map(|pool| start(pool, "increment-float", json!(["f", TIMES])));
    for _ in 0..TIMES {
        float.update(|f| f + 1.0);
    }
    all_done(calls);
    assert_eq!(float.get(), 5.0 * TIMES as f64 + 0.5);
}

fn waits(isolation: Isolation) {
    let buffer = Buffer::new(64).unwrap();
    let pool = builder(isolation, 3)
        .buffer("b", &buffer, Access::ReadWrite)
        .buffer("ro", &buffer, Access::ReadOnly);
    let pool = open(pool);
    // Two guests wait for one number, and are woken one by one: by the host, and by a guest.
    let waits = [
        start(&pool, "wait-number", json!(["b", 8, 0, null])),
        start(&pool, "wait-number", json!(["ro", 8, 0, null])),
    ];
    assert_eq!(buffer.notify(16, 5).unwrap(), 0);
    patiently("a guest waits", || {
        (buffer.notify(8, 1).unwrap() == 1).then_some(())
    });
    patiently("a guest waits", || {
        (done(&pool, "notify-number", json!(["b", 8, 1])) == json!(1)).then_some(())
    });
    for wait in waits {
        assert_eq!(wait.done(), json!("woken"));
    }
    // The host waits, and a guest wakes it.
    let waiting = buffer.clone();
    let host = thread::spawn(move || waiting.wait_u32(4, 0, Some(PATIENCE)).unwrap());
    patiently("the host waits", || {
        (done(&pool, "notify-number", json!(["b", 4, 9])) == json!(1)).then_some(())
    });
    assert!(host.join().unwrap());
    // Another number there is noticed at once.
    done(&pool, "atomic", json!(["b", 8, "store", 1]));
    assert!(!buffer.wait_u64(8, 0, None).unwrap());
    assert_eq!(
        done(&pool, "wait-number", json!(["b", 8, 0, null])),
        json!("unequal")
    );
}

fn numbers() -> Vec<u64> {
    (0..100_000).map(|n| n * n).collect()
}

fn attached(isolation: Isolation) {
    let numbers = numbers();
    let array = Array::from_slice(&numbers).unwrap();
    let floats = Array::from_slice(&[0.5f64; 3000]).unwrap();
    let odd = Buffer::from_bytes(&pattern(LENGTH)).unwrap();
    let pages = Buffer::new(4096).unwrap();
    let pool = || {
        let pool = builder(isolation, 2)
            .buffer("a", array.buffer(), Access::ReadWrite)
            .buffer("f", floats.buffer(), Access::ReadWrite)
            .buffer("odd", &odd, Access::ReadWrite)
            .buffer("page", &pages, Access::ReadWrite);
        open(pool)
    };
    let (pool, other) = (pool(), pool());
    let sum = |from: usize, to: usize| Ok(json!(numbers[from..to].iter().sum::<u64>()));
    let outside = || Err("does not lie within the buffer");
    let rows: &[Row] = &[
        ("sum-attached", json!(["a", 0, 100_000]), sum(0, 100_000)),
        ("sum-attached", json!(["a", 777, 70_001]), sum(777, 70_001)),
        ("sum-attached", json!(["a", 5, 5]), Ok(json!(0))),
        (
            "sum-attached-as-slice",
            json!(["a", 511, 513]),
            sum(511, 513),
        ),
        ("sum-copied", json!(["a", 777, 70_001]), sum(777, 70_001)),
        ("sum-attached", json!(["a", 99_999, 100_001]), outside()),
        (
            "sum-attached-floats",
            json!(["f", 0, 3000]),
            Ok(json!(1500.0)),
        ),
        (
            "peek-attached",
            json!(["odd", 0]),
            Ok(json!(pattern(LENGTH)[0])),
        ),
        (
            "peek-attached",
            json!(["odd", 10_000]),
            Ok(json!(pattern(LENGTH)[10_000])),
        ),
        ("peek-attached", json!(["odd", 10_001]), outside()),
        (
            "attach-times",
            json!(["odd", 2_000]),
            Ok(json!(2_000 * u64::from(pattern(1)[0]))),
        ),
        ("attach-many", json!(["page", 1024]), Ok(json!(1024))),
        (
            "attach-many",
            json!(["page", 1025]),
            Err("1024 parts of buffers"),
        ),
        ("attach-many", json!(["page", 1024]), Ok(json!(1024))),
        ("nonzero-after-detaching", json!("odd"), Ok(json!(0))),
        // What is stored is seen by all: by copies, by attaching, in the other pool, by the host.
        ("fill-attached", json!(["a", 100, 200, 7]), null()),
        ("sum-copied", json!(["a", 100, 200]), Ok(json!(700))),
    ];
    check(&pool, rows);
    assert_eq!(
        done(&other, "sum-attached", json!(["a", 100, 200])),
        json!(700)
    );
    assert_eq!(array.get(150).unwrap(), 7);
    array.set(150, 8).unwrap();
    assert_eq!(
        done(&pool, "sum-attached", json!(["a", 100, 200])),
        json!(701)
    );
    // At the same time, from two pools, each its part.
    let fills = (0..8u64).map(|part| {
        let pool = if part % 2 == 0 { &pool } else { &other };
        start(
            pool,
            "fill-attached",
            json!(["a", part * 1000, part * 1000 + 1000, part]),
        )
    });
    all_done(fills.collect::<Vec<_>>());
    let mut filled = vec![0; 8000];
    array.read(0, &mut filled).unwrap();
    assert!(filled.into_iter().eq((0..8000).map(|n| n / 1000)));
}

fn read_only(isolation: Isolation) {
    let buffer = Buffer::from_bytes(&pattern(LENGTH)).unwrap();
    let pool = open(builder(isolation, 1).buffer("ro", &buffer, Access::ReadOnly));
    let peek = json!(["ro", 5000]);
    assert_eq!(
        done(&pool, "peek-attached", peek.clone()),
        json!(pattern(LENGTH)[5000])
    );
    let failure = call(&pool, "store-into-attached-read-only", json!("ro")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Trap, "{failure}");
    assert!(buffer.to_vec().unwrap() == pattern(LENGTH));
    assert_eq!(
        done(&pool, "peek-attached", peek),
        json!(pattern(LENGTH)[5000])
    );
}

fn files(isolation: Isolation) {
    let folder = temporary();
    let numbers = numbers();
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let path = folder.write("numbers", &bytes);
    let buffer = Buffer::open(&path).unwrap();
    let writing = builder(isolation, 1).buffer("a", &buffer, Access::ReadWrite);
    let refused = writing.open(super::common::module()).err();
    assert!(matches!(refused, Some(Error::Grant { .. })), "{refused:?}");
    let pool = open(builder(isolation, 1).buffer("a", &buffer, Access::ReadOnly));
    let sum = json!(numbers.iter().sum::<u64>());
    let rows: &[Row] = &[
        ("sum-attached", json!(["a", 0, 100_000]), Ok(sum.clone())),
        ("sum-copied", json!(["a", 0, 100_000]), Ok(sum)),
        ("write-read-only", json!("a"), Ok(json!(8))),
        ("wait-number", json!(["a", 8, 1, 0]), Ok(json!("timed-out"))),
        ("wait-number", json!(["a", 8, 2, 0]), Ok(json!("unequal"))),
    ];
    check(&pool, rows);
    let failure = call(&pool, "store-into-attached-read-only", json!("a")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Trap, "{failure}");
    assert!(std::fs::read(&path).unwrap() == bytes);
}

fn not_attached(isolation: Isolation) {
    let array = Array::from_slice(&numbers()).unwrap();
    let pool = open(builder(isolation, 2).buffer("a", array.buffer(), Access::ReadWrite));
    let sum: Json = json!(numbers().iter().sum::<u64>());
    let rows: &[Row] = &[
        (
            "sum-attached",
            json!(["a", 0, 100_000]),
            Err("this pool attaches no buffers"),
        ),
        (
            "attach-many",
            json!(["a", 1]),
            Err("this pool attaches no buffers"),
        ),
        ("sum-copied", json!(["a", 0, 100_000]), Ok(sum)),
    ];
    check(&pool, rows);
}
