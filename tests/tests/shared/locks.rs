//! Locks, and recursive ones.

use std::time::Duration;

use serde_json::json;
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, AcquireError, Event, Lock, Value};
use wasmpool_tests::{PATIENCE, Suite};

use super::common::{ALL, Row, all_done, builder, call, check, done, for_each, null, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "locks::operations", operations);
    let suite = for_each(suite, &ALL, "locks::host_and_guests", host_and_guests);
    let suite = for_each(suite, &ALL, "locks::recursive", recursive);
    for_each(suite, &ALL, "locks::one_at_a_time", one_at_a_time)
}

fn operations(isolation: Isolation) {
    let (lock, again) = (Lock::new(), Lock::recursive());
    let pool = builder(isolation, 1).lock("l", &lock).lock("r", &again);
    let pool = open(pool);
    let free: &[Row] = &[
        ("acquire", json!(["l", null]), Ok(json!(false))),
        ("acquire", json!(["l", 0]), Ok(json!(false))),
        ("acquire", json!(["l", 5]), Ok(json!(false))),
        ("acquire-twice", json!("l"), Err("held here already")),
        ("acquire-twice", json!("r"), null()),
        ("acquire", json!(["l", 0]), Ok(json!(false))),
        ("acquire", json!(["r", 0]), Ok(json!(false))),
        ("acquire", json!(["other", 0]), Err("no lock named `other`")),
        ("open", json!(["lock", "l", 1024]), Ok(json!(1024))),
        ("open", json!(["lock", "l", 1025]), Err("1024 handles")),
    ];
    check(&pool, free);
    let guards = [&lock, &again].map(|lock| lock.acquire(Some(PATIENCE)).unwrap());
    let held: &[Row] = &[
        ("acquire", json!(["l", 0]), Err("not free in time")),
        ("acquire", json!(["l", 5]), Err("not free in time")),
        ("acquire", json!(["r", 0]), Err("not free in time")),
        ("acquire-twice", json!("other"), Err("no lock")),
    ];
    check(&pool, held);
    drop(guards);
    check(&pool, free);
}

fn host_and_guests(isolation: Isolation) {
    let (lock, held, go) = (Lock::new(), Event::new(), Event::new());
    let pool = builder(isolation, 2)
        .lock("l", &lock)
        .event("held", &held)
        .event("go", &go);
    let pool = open(pool);
    // A guest holds it; the host and another guest wait.
    let holds = start(&pool, "hold-until", json!(["l", "held", "go"]));
    assert!(held.wait(Some(PATIENCE)));
    for timeout in [0, 5] {
        let refused = lock.acquire(Some(Duration::from_millis(timeout))).err();
        assert!(
            matches!(refused, Some(AcquireError::TimedOut { .. })),
            "{refused:?}"
        );
    }
    let waits = start(&pool, "acquire", json!(["l", null]));
    go.set();
    holds.done();
    assert_eq!(waits.done(), json!(false));
    // The host holds it, and a guest waits.
    let guard = lock.acquire(Some(PATIENCE)).unwrap();
    assert!(!guard.was_abandoned());
    let waits = start(&pool, "acquire", json!(["l", null]));
    drop(guard);
    assert_eq!(waits.done(), json!(false));
    // Its holder fails without giving it back: the next one is told, and nobody else.
    let failure = call(&pool, "hold-and-panic", json!("l")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Trap);
    assert_eq!(done(&pool, "acquire", json!(["l", null])), json!(true));
    assert_eq!(done(&pool, "acquire", json!(["l", null])), json!(false));
    call(&pool, "hold-and-panic", json!("l")).unwrap_err();
    assert!(lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    assert!(!lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
}

fn recursive(isolation: Isolation) {
    let (lock, once, go) = (Lock::recursive(), Event::new(), Event::new());
    let pool = builder(isolation, 1)
        .lock("l", &lock)
        .event("once", &once)
        .event("go", &go);
    let pool = open(pool);
    let holds = start(&pool, "hold-twice-until", json!(["l", "once", "go"]));
    // Released once of twice, it is held.
    assert!(once.wait(Some(PATIENCE)));
    assert!(lock.acquire(Some(Duration::ZERO)).is_err());
    go.set();
    holds.done();
    let guard = lock.acquire(Some(PATIENCE)).unwrap();
    let second = guard.again().unwrap();
    drop(guard);
    let refused = call(&pool, "acquire", json!(["l", 0])).unwrap_err();
    assert!(refused.message.contains("not free"), "{refused}");
    drop(second);
    done(&pool, "acquire-twice", json!("l"));
}

fn one_at_a_time(isolation: Isolation) {
    const TIMES: u64 = 400;
    let (lock, number) = (Lock::new(), Value::new(0u64).unwrap());
    let pool = || {
        let pool = builder(isolation, 2).lock("l", &lock);
        open(pool.buffer("n", number.buffer(), Access::ReadWrite))
    };
    let (one, other) = (pool(), pool());
    let adds = [&one, &one, &other, &other]
        .map(|pool| start(pool, "increment-locked", json!(["l", "n", TIMES])));
    for _ in 0..TIMES {
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        assert!(!guard.was_abandoned());
        // Not by one operation, as the guests.
        let now = number.get();
        number.set(now + 1);
    }
    all_done(adds);
    assert_eq!(number.get(), 5 * TIMES);
}
