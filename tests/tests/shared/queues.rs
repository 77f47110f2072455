//! Queues.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};
use wasmpool::mode::Isolation;
use wasmpool::objects::{GetError, PutError, Queue};
use wasmpool::pool::{Direction, Error};
use wasmpool_guest::Bytes;
use wasmpool_tests::{PATIENCE, Suite};

use super::common::{
    ALL, LENGTHS, PROCESSES, Row, all_done, builder, bytes, check, done, for_each, message, null,
    open, pattern, start,
};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "queues::operations", operations);
    let suite = for_each(suite, &ALL, "queues::many_at_once", many_at_once);
    let suite = for_each(suite, &ALL, "queues::lengths", lengths);
    let suite = for_each(suite, &ALL, "queues::many_of_both", many_of_both);
    let suite = for_each(suite, &ALL, "queues::two_pools", two_pools);
    let suite = for_each(suite, &PROCESSES[..1], "queues::very_large", very_large);
    for_each(
        suite,
        &ALL,
        "queues::closing_ends_waits",
        closing_ends_waits,
    )
}

fn facts(length: u64, direction: &str) -> Result<Value, &'static str> {
    Ok(json!({ "length": length, "direction": direction }))
}

fn operations(isolation: Isolation) {
    let queue = Queue::builder().messages(2).bytes(10).build();
    let pool = builder(isolation, 1)
        .queue("two", &queue, Direction::Both)
        .queue("in", &queue, Direction::Put)
        .queue("out", &queue, Direction::Get);
    let pool = open(pool);
    let forever = Value::Null;
    let rows: &[Row] = &[
        ("queue-facts", json!("two"), facts(0, "both")),
        ("queue-facts", json!("in"), facts(0, "put")),
        ("queue-facts", json!("out"), facts(0, "get")),
        // Not permitted, whether or not it would have waited.
        ("put", json!(["out", "x", forever]), Err("for getting only")),
        ("try-put", json!(["out", "x"]), Err("for getting only")),
        ("get", json!(["in", forever]), Err("for putting only")),
        ("try-get", json!("in"), Err("for putting only")),
        ("task-done", json!("in"), Err("for putting only")),
        ("task-done", json!("two"), Err("does not count")),
        // Full, by number and by bytes.
        ("put", json!(["two", "one", forever]), null()),
        ("join-queue", json!(["two", 0]), Ok(json!(false))),
        ("put", json!(["in", "two", 0]), null()),
        ("queue-facts", json!("out"), facts(2, "get")),
        ("try-put", json!(["two", "x"]), Err("is full")),
        ("put", json!(["two", "x", 0]), Err("is full")),
        ("put", json!(["two", "x", 5]), Err("is full")),
        ("try-get", json!("two"), message("one")),
        ("put", json!(["two", "12345678", 5]), Err("is full")),
        ("try-put", json!(["two", "1234567"]), null()),
        ("get", json!(["out", forever]), message("two")),
        ("get", json!(["out", 5]), message("1234567")),
        // Larger than all that it holds.
        (
            "put",
            json!(["two", "12345678901", forever]),
            Err("bound of 10 bytes"),
        ),
        (
            "try-put",
            json!(["in", "12345678901"]),
            Err("bound of 10 bytes"),
        ),
        // Empty.
        ("try-get", json!("two"), Err("is empty")),
        ("get", json!(["two", 0]), Err("is empty")),
        ("get", json!(["two", 5]), Err("is empty")),
        ("join-queue", json!(["two", forever]), Ok(json!(true))),
        ("put", json!(["two", "", forever]), null()),
        ("get", json!(["two", forever]), message("")),
        // Not granted.
        (
            "put",
            json!(["other", "x", 0]),
            Err("no queue named `other`"),
        ),
        ("get", json!(["", 0]), Err("no queue named ``")),
        ("open", json!(["queue", "two", 1024]), Ok(json!(1024))),
        ("open", json!(["queue", "two", 1025]), Err("1024 handles")),
        // Closed: not by who may not.
        ("close-queue", json!("out"), null()),
        ("put", json!(["two", "last", forever]), null()),
        ("close-queue", json!("in"), null()),
        ("close-queue", json!("two"), null()),
        ("put", json!(["two", "x", forever]), Err("queue is closed")),
        ("try-put", json!(["in", "x"]), Err("queue is closed")),
        ("get", json!(["out", forever]), message("last")),
        ("get", json!(["out", forever]), Err("has no more messages")),
        ("try-get", json!("two"), Err("has no more messages")),
        ("join-queue", json!(["two", forever]), Ok(json!(true))),
    ];
    check(&pool, rows);
    assert!(matches!(queue.try_get(), Err(GetError::Closed)));
    assert!(matches!(queue.try_put("x"), Err(PutError::Closed)));
    assert_eq!(queue.lost(), 0);
}

fn many_at_once(isolation: Isolation) {
    let queue = Queue::builder().messages(4).build();
    let jobs = Queue::builder().joinable(true).build();
    let large = Queue::new();
    let pool = builder(isolation, 1)
        .queue("four", &queue, Direction::Both)
        .queue("in", &queue, Direction::Put)
        .queue("out", &queue, Direction::Get)
        .queue("jobs", &jobs, Direction::Both)
        .queue("large", &large, Direction::Both);
    let pool = open(pool);
    let some = |texts: &[&str]| {
        let texts = texts.iter().map(|text| text.as_bytes());
        Ok(json!(texts.collect::<Vec<_>>()))
    };
    let rows: &[Row] = &[
        // As many as there is room for, in order.
        ("put-some", json!(["in", []]), Ok(json!(0))),
        ("put-all", json!(["in", []]), null()),
        ("get-some", json!(["out", 0]), some(&[])),
        ("put-some", json!(["in", ["a", "", "c"]]), Ok(json!(3))),
        ("put-some", json!(["four", ["d", "e"]]), Ok(json!(1))),
        ("get-some", json!(["out", 3]), some(&["a", "", "c"])),
        ("get-some", json!(["four", 1]), some(&["d"])),
        ("put-all", json!(["in", ["f", "g", "h", "i"]]), null()),
        (
            "get-some",
            json!(["out", 4_000_000]),
            some(&["f", "g", "h", "i"]),
        ),
        // Not permitted.
        ("put-some", json!(["out", ["x"]]), Err("for getting only")),
        ("get-some", json!(["in", 9]), Err("for putting only")),
        // Of a joinable queue each counts.
        ("put-all", json!(["jobs", ["1", "2"]]), null()),
        ("get-some", json!(["jobs", 9]), some(&["1", "2"])),
    ];
    check(&pool, rows);
    if let Isolation::Shared | Isolation::Thread = isolation {
        done(&pool, "task-done", json!("jobs"));
        done(&pool, "task-done", json!("jobs"));
    } else {
        // They came back when the instance ended.
        assert_eq!(jobs.get(Some(PATIENCE)).unwrap(), b"1");
        assert_eq!(jobs.get(Some(PATIENCE)).unwrap(), b"2");
        jobs.task_done().unwrap();
        jobs.task_done().unwrap();
    }
    assert!(jobs.join(Some(PATIENCE)));

    // What does not fit into one call goes with several, and by file where it must.
    let lengths = [100, 30_000, 40_000, 1, 200_000, 0, 61_436, 61_437, 3];
    let sent: Vec<Value> = lengths
        .iter()
        .map(|length| json!(pattern(*length)))
        .collect();
    done(&pool, "put-all", json!(["large", sent]));
    assert_eq!(large.len(), lengths.len());
    let mut got = Vec::new();
    while got.len() < sent.len() {
        let some = done(&pool, "get-some", json!(["large", 100]));
        let some = some.as_array().expect("a list");
        assert!(!some.is_empty());
        got.extend_from_slice(some);
    }
    assert_eq!(got, sent);
    queue.close();
    check(
        &pool,
        &[
            ("put-some", json!(["in", ["x"]]), Err("queue is closed")),
            ("get-some", json!(["out", 5]), Err("has no more messages")),
        ],
    );
}

fn lengths(isolation: Isolation) {
    let (there, back) = (Queue::new(), Queue::new());
    let pool = builder(isolation, 2)
        .queue("there", &there, Direction::Both)
        .queue("back", &back, Direction::Both);
    let pool = open(pool);
    for length in LENGTHS {
        let bytes_ = pattern(length);
        // From the host to a guest, and the other way.
        there.put(&bytes_, Some(PATIENCE)).unwrap();
        let got = bytes(&pool, "get", ("there", None::<u64>));
        assert!(got == bytes_, "{length}");
        let _: () = pool
            .apply("put", ("back", Bytes(bytes_.clone()), None::<u64>))
            .unwrap();
        assert!(back.get(Some(PATIENCE)).unwrap() == bytes_, "{length}");
    }
    // From guest to guest.
    let relayed = start(&pool, "relay", json!(["there", "back"]));
    for length in LENGTHS {
        there.put(pattern(length), Some(PATIENCE)).unwrap();
    }
    there.close();
    assert_eq!(relayed.done(), json!(LENGTHS.len()));
    for length in LENGTHS {
        assert!(back.try_get().unwrap() == pattern(length), "{length}");
    }
    // One that does not fit.
    let large = Bytes(vec![0; (64 << 20) + 1]);
    let put: Result<(), Error> = pool.apply("put", ("back", large, None::<u64>));
    let refused = put.unwrap_err().to_string();
    assert!(refused.contains("bound of 67108864 bytes"), "{refused}");
}

/// What consumers got of producers: each producer's numbers, in its order, all of them once.
fn check_order(got: &[Vec<(u32, u64)>], producers: u32, count: u64) {
    let mut all: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for consumed in got {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for (producer, number) in consumed {
            let before = last.insert(*producer, *number);
            assert!(before.is_none_or(|before| before < *number), "{consumed:?}");
            all.entry(*producer).or_default().push(*number);
        }
    }
    assert_eq!(all.len(), producers as usize);
    for numbers in all.values_mut() {
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..count));
    }
}

fn many_of_both(isolation: Isolation) {
    const COUNT: u64 = 300;
    // So short that everybody waits again and again.
    let queue = Queue::builder().messages(5).build();
    let pool = builder(isolation, 4).queue("q", &queue, Direction::Both);
    let pool = open(pool);
    let consumers = [(); 2].map(|()| start(&pool, "consume", json!("q")));
    let producers = [0, 1].map(|n| start(&pool, "produce", json!(["q", n, COUNT])));
    let putting = queue.clone();
    let producer = thread::spawn(move || {
        for number in 0..COUNT {
            putting.put_value(&(2u32, number), Some(PATIENCE)).unwrap();
        }
    });
    let getting = queue.clone();
    let consumer = thread::spawn(move || {
        let mut got: Vec<(u32, u64)> = Vec::new();
        while let Ok(value) = getting.get_value(Some(PATIENCE)) {
            got.push(value);
        }
        got
    });
    all_done(producers);
    producer.join().unwrap();
    queue.close();
    let mut got = vec![consumer.join().unwrap()];
    for consumer in consumers {
        got.push(serde_json::from_value(consumer.done()).unwrap());
    }
    check_order(&got, 3, COUNT);
    assert!(queue.join(Some(PATIENCE)));
    assert_eq!(queue.lost(), 0);
}

fn two_pools(isolation: Isolation) {
    const COUNT: u64 = 300;
    let queue = Queue::builder().messages(7).build();
    let putting = open(builder(isolation, 2).queue("out", &queue, Direction::Put));
    let getting = open(builder(isolation, 2).queue("in", &queue, Direction::Get));
    let consumers = [(); 2].map(|()| start(&getting, "consume", json!("in")));
    let producers = [0, 1].map(|n| start(&putting, "produce", json!(["out", n, COUNT])));
    all_done(producers);
    done(&putting, "close-queue", json!("out"));
    let got = consumers.map(|c| serde_json::from_value(c.done()).unwrap());
    check_order(&got, 2, COUNT);
}

fn closing_ends_waits(isolation: Isolation) {
    let (empty, full) = (Queue::new(), Queue::builder().messages(1).build());
    full.put("x", None).unwrap();
    let pool = builder(isolation, 3)
        .queue("empty", &empty, Direction::Both)
        .queue("full", &full, Direction::Both);
    let pool = open(pool);
    let get = start(&pool, "get", json!(["empty", null]));
    let put = start(&pool, "put", json!(["full", "y", null]));
    // The third worker does nothing else meanwhile.
    done(&pool, "queue-facts", json!("empty"));
    empty.close();
    full.close();
    assert!(
        get.result()
            .unwrap_err()
            .message
            .contains("no more messages")
    );
    assert!(
        put.result()
            .unwrap_err()
            .message
            .contains("queue is closed")
    );
    assert_eq!(full.try_get().unwrap(), b"x");
    assert!(matches!(full.try_get(), Err(GetError::Closed)));
}

/// More than a call may copy otherwise.
fn very_large(isolation: Isolation) {
    const BYTES: usize = 80 << 20;
    let queue = || Queue::builder().bytes(BYTES as u64).build();
    let (from, to) = (queue(), queue());
    let pool = builder(isolation, 1)
        .queue("from", &from, Direction::Get)
        .queue("to", &to, Direction::Put);
    let pool = open(pool);
    let sent = pattern(BYTES);
    from.put(&sent, None).unwrap();
    from.close();
    assert_eq!(done(&pool, "relay", json!(["from", "to"])), json!(1));
    assert!(to.try_get().unwrap() == sent);
}
