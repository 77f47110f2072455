//! Barriers.

use serde_json::{Value, json};
use wasmpool::mode::Isolation;
use wasmpool::objects::{Barrier, BarrierError};
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{ALL, Row, builder, check, done, for_each, null, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "barriers::operations", operations);
    let suite = for_each(suite, &ALL, "barriers::rounds", rounds);
    for_each(suite, &ALL, "barriers::broken_for_all", broken_for_all)
}

fn facts(waiting: u32, broken: bool) -> Result<Value, &'static str> {
    Ok(json!({ "parties": 2, "waiting": waiting, "broken": broken }))
}

fn operations(isolation: Isolation) {
    let (barrier, alone) = (Barrier::new(2), Barrier::new(1));
    let pool = builder(isolation, 1)
        .barrier("b", &barrier)
        .barrier("one", &alone);
    let pool = open(pool);
    let rows: &[Row] = &[
        ("barrier-facts", json!("b"), facts(0, false)),
        ("barrier-rounds", json!(["one", 3]), Ok(json!([0, 0, 0]))),
        ("barrier-wait", json!(["b", 5]), Err("in time")),
        ("barrier-facts", json!("b"), facts(0, true)),
        ("barrier-wait", json!(["b", null]), Err("broken")),
        ("reset-barrier", json!("b"), null()),
        ("barrier-facts", json!("b"), facts(0, false)),
        ("barrier-wait", json!(["b", 0]), Err("in time")),
        ("reset-barrier", json!("b"), null()),
        ("abort-barrier", json!("b"), null()),
        ("barrier-facts", json!("b"), facts(0, true)),
        ("barrier-wait", json!(["b", 0]), Err("broken")),
        ("reset-barrier", json!("b"), null()),
        (
            "barrier-facts",
            json!("other"),
            Err("no barrier named `other`"),
        ),
        ("open", json!(["barrier", "b", 1024]), Ok(json!(1024))),
        ("open", json!(["barrier", "b", 1025]), Err("1024 handles")),
    ];
    check(&pool, rows);
}

fn rounds(isolation: Isolation) {
    const ROUNDS: u32 = 50;
    let barrier = Barrier::new(5);
    let pool = || open(builder(isolation, 2).barrier("b", &barrier));
    let (one, other) = (pool(), pool());
    let guests = [&one, &one, &other, &other]
        .map(|pool| start(pool, "barrier-rounds", json!(["b", ROUNDS])));
    let host: Vec<u32> = (0..ROUNDS)
        .map(|_| barrier.wait(Some(PATIENCE)).unwrap())
        .collect();
    let mut all = vec![host];
    for guest in guests {
        all.push(serde_json::from_value(guest.done()).unwrap());
    }
    // In each round each has another number.
    for round in 0..ROUNDS as usize {
        let mut numbers: Vec<u32> = all.iter().map(|numbers| numbers[round]).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}

fn broken_for_all(isolation: Isolation) {
    let barrier = Barrier::new(4);
    let pool = open(builder(isolation, 3).barrier("b", &barrier));
    let both_wait = || {
        let waits = [(); 2].map(|()| start(&pool, "barrier-wait", json!(["b", null])));
        patiently("both wait", || (barrier.waiting() == 2).then_some(()));
        waits
    };
    let are_told = |waits: [super::common::Called; 2]| {
        for wait in waits {
            let failure = wait.result().unwrap_err();
            assert!(failure.message.contains("broken"), "{failure}");
        }
    };
    // A guest's timeout, a guest's abort, the host's timeout, and a reset, which breaks nothing for those who come.
    let waits = both_wait();
    let late = start(&pool, "barrier-wait", json!(["b", 5]));
    assert!(late.result().unwrap_err().message.contains("in time"));
    are_told(waits);
    assert!(barrier.is_broken());
    done(&pool, "reset-barrier", json!("b"));
    let waits = both_wait();
    done(&pool, "abort-barrier", json!("b"));
    are_told(waits);
    assert_eq!(barrier.wait(None), Err(BarrierError::Broken));
    barrier.reset();
    let waits = both_wait();
    assert_eq!(
        barrier.wait(Some(Default::default())),
        Err(BarrierError::TimedOut)
    );
    are_told(waits);
    barrier.reset();
    let waits = both_wait();
    done(&pool, "reset-barrier", json!("b"));
    are_told(waits);
    assert!(!barrier.is_broken());
}
