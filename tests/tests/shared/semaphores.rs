//! Semaphores.

use std::time::Duration;

use serde_json::json;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, ReleaseError, Semaphore, Value};
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{ALL, Row, builder, check, done, for_each, keeps_instances, null, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "semaphores::operations", operations);
    let suite = for_each(suite, &ALL, "semaphores::never_too_many", never_too_many);
    for_each(suite, &ALL, "semaphores::host_and_guests", host_and_guests)
}

fn operations(isolation: Isolation) {
    let (free, bounded) = (Semaphore::new(1), Semaphore::bounded(2));
    let pool = builder(isolation, 1)
        .semaphore("s", &free)
        .semaphore("b", &bounded);
    let pool = open(pool);
    let rows: &[Row] = &[
        // One that is not bounded takes units from anybody, and what was taken stays taken.
        ("semaphore-value", json!("s"), Ok(json!(1))),
        ("release-semaphore", json!("s"), null()),
        ("semaphore-value", json!("s"), Ok(json!(2))),
        ("take-semaphore", json!(["s", null]), Ok(json!(false))),
        ("take-semaphore", json!(["s", 0]), Ok(json!(false))),
        ("take-semaphore", json!(["s", 0]), Err("not free in time")),
        ("take-semaphore", json!(["s", 5]), Err("not free in time")),
        ("semaphore-value", json!("s"), Ok(json!(0))),
        ("release-semaphore", json!("b"), Err("initial value of 2")),
        (
            "semaphore-value",
            json!("other"),
            Err("no semaphore named `other`"),
        ),
        ("open", json!(["semaphore", "b", 1025]), Err("1024 handles")),
    ];
    check(&pool, rows);
    free.release().unwrap();
    assert_eq!(bounded.release(), Err(ReleaseError::TooMany(2)));
    if keeps_instances(isolation) {
        // The instance has what its items took.
        let rows: &[Row] = &[
            ("take-semaphore", json!(["b", null]), Ok(json!(false))),
            ("take-semaphore", json!(["b", 5]), Ok(json!(false))),
            ("take-semaphore", json!(["b", 0]), Err("not free in time")),
            ("semaphore-value", json!("b"), Ok(json!(0))),
            ("release-semaphore", json!("b"), null()),
            ("release-semaphore", json!("b"), null()),
            ("release-semaphore", json!("b"), Err("initial value of 2")),
            ("take-semaphore", json!(["s", null]), Ok(json!(false))),
        ];
        check(&pool, rows);
    } else {
        // What an item took comes back with its end, and is told once; the host gives nothing back to the other one.
        for abandoned in [false, true, true] {
            let row = ("take-semaphore", json!(["b", null]), Ok(json!(abandoned)));
            check(&pool, &[row]);
            patiently("its end is known", || (bounded.value() == 2).then_some(()));
        }
        let rows: &[Row] = &[
            ("release-semaphore", json!("b"), Err("initial value of 2")),
            ("take-semaphore", json!(["s", null]), Ok(json!(false))),
            ("take-semaphore", json!(["s", 5]), Err("not free in time")),
        ];
        check(&pool, rows);
    }
    drop(pool);
    let permits = [(); 2].map(|()| bounded.acquire(Some(PATIENCE)).unwrap());
    assert_eq!((bounded.value(), free.value()), (0, 0));
    // Not of somebody else.
    assert_eq!(bounded.release(), Err(ReleaseError::NotHeld));
    drop(permits);
    assert_eq!(bounded.value(), 2);
}

fn never_too_many(isolation: Isolation) {
    let semaphore = Semaphore::bounded(2);
    let inside = Value::new(0u64).unwrap();
    let pool = || {
        let pool = builder(isolation, 2).semaphore("s", &semaphore);
        open(pool.buffer("n", inside.buffer(), Access::ReadWrite))
    };
    let (one, other) = (pool(), pool());
    let all = [&one, &one, &other, &other];
    let all = all.map(|pool| start(pool, "with-semaphore", json!(["s", "n", 300])));
    for _ in 0..300 {
        let permit = semaphore.acquire(Some(PATIENCE)).unwrap();
        assert!(!permit.was_abandoned());
        assert!(inside.update(|n| n + 1) < 2);
        inside.update(|n| n - 1);
    }
    for most in all {
        let most = most.done();
        assert!([json!(1), json!(2)].contains(&most), "{most}");
    }
    assert_eq!((inside.get(), semaphore.value()), (0, 2));
}

fn host_and_guests(isolation: Isolation) {
    let semaphore = Semaphore::bounded(1);
    let pool = open(builder(isolation, 1).semaphore("s", &semaphore));
    let permit = semaphore.acquire(None).unwrap();
    let waits = start(&pool, "take-semaphore", json!(["s", null]));
    drop(permit);
    assert_eq!(waits.done(), json!(false));
    if keeps_instances(isolation) {
        assert!(semaphore.acquire(Some(Duration::ZERO)).is_err());
        done(&pool, "release-semaphore", json!("s"));
        assert!(!semaphore.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    } else {
        assert!(semaphore.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    }
}
