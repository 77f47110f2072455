//! What may be granted, and under which names.

use serde_json::json;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Event, Lock, Queue};
use wasmpool::pool::{Direction, Error, PoolBuilder};
use wasmpool_tests::Suite;

use super::common::{ALL, builder, done, for_each, module, open};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "grants::names", names);
    let suite = for_each(suite, &ALL, "grants::as_many_as_may_be", as_many_as_may_be);
    for_each(
        suite,
        &[Isolation::Instance],
        "grants::not_deterministic",
        not_deterministic,
    )
}

/// Checks that a pool does not open, and says so.
#[track_caller]
fn refused(builder: PoolBuilder, part: &str) {
    match builder.open(module()) {
        Err(Error::Grant { what, source }) => {
            assert!(
                format!("{what}: {source}").contains(part),
                "{what}: {source}"
            );
        }
        Err(Error::Options { message, .. }) => assert!(message.contains(part), "{message}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the pool opens"),
    }
}

fn names(isolation: Isolation) {
    let (lock, event) = (Lock::new(), Event::new());
    let long = "n".repeat(64);
    for name in ["", "a b", "a\n", "\u{e4}", &(long.clone() + "n")] {
        let what = format!("an object called {name:?}");
        refused(builder(isolation, 1).lock(name, &lock), &what);
    }
    let twice = builder(isolation, 1).lock("l", &lock);
    refused(twice.lock("l", &Lock::new()), "a second lock called \"l\"");
    // The same name of two kinds, and the same object by two names.
    let pool = builder(isolation, 1)
        .lock("l", &lock)
        .lock(&long, &lock)
        .event("l", &event);
    let pool = open(pool);
    assert_eq!(done(&pool, "acquire", json!([long, 0])), json!(false));
    assert_eq!(done(&pool, "acquire", json!(["l", 0])), json!(false));
    done(&pool, "set-event", json!("l"));
    assert!(event.is_set());
}

fn as_many_as_may_be(isolation: Isolation) {
    let queues: Vec<Queue> = (0..129).map(|_| Queue::new()).collect();
    let granting = |count: usize| {
        let queues = queues[..count].iter().enumerate();
        queues.fold(builder(isolation, 1), |pool, (place, queue)| {
            pool.queue(format!("q{place}"), queue, Direction::Both)
        })
    };
    refused(granting(129), "at most 128");
    let pool = open(granting(128));
    done(&pool, "put", json!(["q127", "last", null]));
    assert_eq!(queues[127].try_get().unwrap(), b"last");
}

fn not_deterministic(isolation: Isolation) {
    let pool = builder(isolation, 1).deterministic(1);
    refused(pool.lock("l", &Lock::new()), "can share nothing");
}
