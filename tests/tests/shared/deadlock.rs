//! Two guests that hold what the other one wants.

use serde_json::{Value, json};
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Barrier, Lock};
use wasmpool_tests::{PATIENCE, Suite};

use super::common::{ALL, builder, for_each, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "deadlock::within_a_pool", within_a_pool);
    for_each(suite, &ALL, "deadlock::between_pools", between_pools)
}

/// One is told who waits for whom, and gives up; the other goes on.
fn check(results: [Result<Value, wasmpool::failure::Failure>; 2], names: [&str; 2]) {
    let [one, other] = &results;
    let (failed, other) = match (one, other) {
        (Err(failure), Ok(_)) => (failure, 0),
        (Ok(_), Err(failure)) => (failure, 1),
        both => panic!("{both:?}"),
    };
    assert_eq!(failed.kind, FailureKind::Failed);
    // Who failed says it first, and may have held either lock.
    let (held, wanted) = if other == 0 {
        ("left", "right")
    } else {
        ("right", "left")
    };
    let (_, circle) = failed
        .message
        .split_once("would never end: ")
        .expect("it says so");
    let parts: Vec<&str> = circle.split("; ").collect();
    assert_eq!(parts.len(), 2, "{circle}");
    for (part, (holds, wants)) in parts.iter().zip([(held, wanted), (wanted, held)]) {
        let says = format!("holds lock `{holds}` and waits for lock `{wants}`");
        assert!(part.ends_with(&says), "{circle}");
    }
    for name in names {
        assert!(circle.contains(name), "{circle}");
    }
}

fn within_a_pool(isolation: Isolation) {
    for _ in 0..10 {
        let (left, right) = (Lock::new().named("left"), Lock::new().named("right"));
        let barrier = Barrier::new(2);
        let pool = builder(isolation, 2)
            .lock("a", &left)
            .lock("b", &right)
            .barrier("both", &barrier);
        let pool = open(pool);
        let calls = [["a", "b"], ["b", "a"]]
            .map(|[first, second]| start(&pool, "deadlock", json!([first, second, "both"])));
        check(calls.map(|c| c.result()), ["worker ", " of the test"]);
        for lock in [left, right] {
            assert!(!lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
        }
    }
}

fn between_pools(isolation: Isolation) {
    let (left, right) = (Lock::new().named("left"), Lock::new().named("right"));
    let barrier = Barrier::new(2);
    let pools = ["reader", "writer"].map(|name| {
        let pool = builder(isolation, 1)
            .name(name)
            .lock("a", &left)
            .lock("b", &right)
            .barrier("both", &barrier);
        open(pool)
    });
    let calls = [(&pools[0], "a", "b"), (&pools[1], "b", "a")]
        .map(|(pool, first, second)| start(pool, "deadlock", json!([first, second, "both"])));
    check(
        calls.map(|c| c.result()),
        [" of reader holds", " of writer holds"],
    );
}
