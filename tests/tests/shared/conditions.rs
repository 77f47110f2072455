//! Conditions.

use std::time::Duration;

use serde_json::json;
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, Condition, ConditionError, Lock, Value};
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{ALL, Row, all_done, builder, call, check, done, for_each, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "conditions::operations", operations);
    let suite = for_each(suite, &ALL, "conditions::notified", notified);
    let suite = for_each(suite, &ALL, "conditions::turns", turns);
    for_each(suite, &ALL, "conditions::told_of_an_end", told_of_an_end)
}

fn operations(isolation: Isolation) {
    let lock = Lock::new();
    let condition = Condition::new(&lock);
    // The lock itself is not granted: it comes with the condition, and has no name.
    let pool = open(builder(isolation, 1).condition("c", &condition));
    let rows: &[Row] = &[
        ("condition-wait", json!(["c", 0]), Err("in time")),
        ("condition-wait", json!(["c", 5]), Err("in time")),
        ("notify", json!(["c", 3]), Ok(json!(0))),
        ("notify-without-lock", json!("c"), Err("not held here")),
        (
            "notify",
            json!(["other", 3]),
            Err("no condition named `other`"),
        ),
        ("acquire", json!(["c", 0]), Err("no lock named `c`")),
        ("acquire", json!(["", 0]), Err("no lock named ``")),
        ("open", json!(["condition", "c", 1024]), Ok(json!(1024))),
        ("open", json!(["condition", "c", 1025]), Err("1024 handles")),
    ];
    check(&pool, rows);
    let other = Lock::new();
    let mut guard = other.acquire(None).unwrap();
    assert_eq!(
        condition.wait(&mut guard, None),
        Err(ConditionError::NotHeld)
    );
    assert_eq!(condition.notify(&guard, 1), Err(ConditionError::NotHeld));
    // After each of these the lock is free.
    assert!(!lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
}

fn notified(isolation: Isolation) {
    let lock = Lock::new();
    let condition = Condition::new(&lock);
    let pool = builder(isolation, 3)
        .condition("c", &condition)
        .lock("l", &lock);
    let pool = open(pool);
    let waits = [(); 2].map(|()| start(&pool, "condition-wait", json!(["c", null])));
    // One by the host, the other by a guest.
    patiently("somebody waits", || {
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        (condition.notify(&guard, 1).unwrap() == 1).then_some(())
    });
    patiently("somebody waits", || {
        (done(&pool, "notify", json!(["c", 1])) == json!(1)).then_some(())
    });
    for wait in waits {
        assert_eq!(wait.done(), json!(false));
    }
    // All at once, and not before the lock is free.
    let mut waits = [(); 2].map(|()| Some(start(&pool, "condition-wait", json!(["c", null]))));
    let mut woken = 0;
    let guard = patiently("both wait", || {
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        woken += condition.notify_all(&guard).unwrap();
        (woken == 2).then_some(guard)
    });
    let refused = call(&pool, "acquire", json!(["l", 0])).unwrap_err();
    assert!(refused.message.contains("in time"), "{refused}");
    drop(guard);
    for wait in &mut waits {
        assert_eq!(wait.take().unwrap().done(), json!(false));
    }
    // The host waits, and a guest notifies.
    let mut guard = lock.acquire(Some(PATIENCE)).unwrap();
    let notify = start(&pool, "notify", json!(["c", 1]));
    condition.wait(&mut guard, Some(PATIENCE)).unwrap();
    drop(guard);
    assert_eq!(notify.done(), json!(1));
}

fn turns(isolation: Isolation) {
    const TURNS: u64 = 200;
    let condition = Condition::new(&Lock::new());
    let number = Value::new(0u64).unwrap();
    let pool = || {
        let pool = builder(isolation, 1).condition("c", &condition);
        open(pool.buffer("n", number.buffer(), Access::ReadWrite))
    };
    let (even, odd) = (pool(), pool());
    let turns = [(&even, 0), (&odd, 1)]
        .map(|(pool, parity)| start(pool, "ping-pong", json!(["c", "n", parity, TURNS])));
    all_done(turns);
    assert_eq!(number.get(), 2 * TURNS);
}

fn told_of_an_end(isolation: Isolation) {
    let lock = Lock::new();
    let condition = Condition::new(&lock);
    let pool = builder(isolation, 2)
        .condition("c", &condition)
        .lock("l", &lock);
    let pool = open(pool);
    let waits = start(&pool, "condition-wait", json!(["c", null]));
    let guard = patiently("it waits", || {
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        (condition.notify(&guard, 1).unwrap() == 1).then_some(guard)
    });
    // It is the first in the line; who comes behind it ends with the lock held, and it is told nothing.
    let ends = start(&pool, "hold-and-panic", json!("l"));
    drop(guard);
    assert_eq!(waits.done(), json!(false));
    assert_eq!(ends.result().unwrap_err().kind, FailureKind::Trap);
    let mut guard = lock.acquire(Some(PATIENCE)).unwrap();
    assert!(guard.was_abandoned());
    // Who gives up waiting cannot be told of an end in between: the next one is.
    let ends = start(&pool, "hold-and-panic", json!("l"));
    let timed_out = condition.wait(&mut guard, Some(Duration::from_millis(1)));
    assert_eq!(timed_out, Err(ConditionError::TimedOut));
    drop(guard);
    assert_eq!(ends.result().unwrap_err().kind, FailureKind::Trap);
    assert!(lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
}
