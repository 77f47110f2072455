//! Events.

use serde_json::json;
use wasmpool::mode::Isolation;
use wasmpool::objects::Event;
use wasmpool_tests::{PATIENCE, Suite};

use super::common::{ALL, Row, builder, check, done, for_each, null, open, start};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "events::operations", operations);
    for_each(suite, &ALL, "events::wake_everybody", wake_everybody)
}

fn operations(isolation: Isolation) {
    let event = Event::new();
    let pool = open(builder(isolation, 1).event("e", &event));
    let rows: &[Row] = &[
        ("wait-event", json!(["e", 0]), Ok(json!(false))),
        ("wait-event", json!(["e", 5]), Ok(json!(false))),
        ("set-event", json!("e"), null()),
        ("set-event", json!("e"), null()),
        ("wait-event", json!(["e", 0]), Ok(json!(true))),
        ("wait-event", json!(["e", null]), Ok(json!(true))),
        ("clear-event", json!("e"), null()),
        ("wait-event", json!(["e", 0]), Ok(json!(false))),
        ("set-event", json!("other"), Err("no event named `other`")),
        ("open", json!(["event", "e", 1024]), Ok(json!(1024))),
        ("open", json!(["event", "e", 1025]), Err("1024 handles")),
    ];
    check(&pool, rows);
    assert!(!event.is_set());
    event.set();
    check(&pool, &rows[4..]);
    assert!(!event.is_set());
    done(&pool, "set-event", json!("e"));
    assert!(event.is_set() && event.wait(None));
}

fn wake_everybody(isolation: Isolation) {
    let event = Event::new();
    let pool = || open(builder(isolation, 2).event("e", &event));
    let (one, other) = (pool(), pool());
    let waits = [&one, &one, &other].map(|pool| start(pool, "wait-event", json!(["e", null])));
    let waiting = event.clone();
    let host = std::thread::spawn(move || waiting.wait(Some(PATIENCE)));
    done(&other, "set-event", json!("e"));
    for wait in waits {
        assert_eq!(wait.done(), json!(true));
    }
    assert!(host.join().unwrap());
}
