//! Each task, as far as one thread can show what it does.

use wasmpool_guest::Bytes;
use wasmpool_guest::testing::{self, Shared};

use super::*;
use crate::buffers::Operation;

fn text(outcome: Outcome<impl Sized>) -> String {
    outcome.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn everything_opens_by_its_name_only() {
    let kinds = [
        "buffer",
        "queue",
        "lock",
        "semaphore",
        "event",
        "condition",
        "barrier",
    ];
    let shared = Shared::new()
        .buffer("it", [0; 8])
        .queue("it")
        .pipe("it", "other")
        .lock("it")
        .semaphore("it", 1)
        .event("it")
        .condition("it", "it")
        .barrier("it", 1);
    shared.within(|| {
        for kind in kinds {
            assert_eq!(open(kind, "it", 3).unwrap(), 3);
            assert!(text(open(kind, "not it", 1)).contains(kind));
        }
        assert_eq!(open("pipe", "other", 1).unwrap(), 1);
        assert!(text(open("pipe", "it", 2)).contains("open already"));
        assert!(text(open("socket", "it", 1)).contains("socket"));
    });
    assert!(text(open("queue", "it", 1)).contains("no queue named `it`"));
}

#[test]
fn buffers_are_copied_and_changed() {
    let shared = Shared::new()
        .array("array", &[1_u64, 2, 3, 4])
        .value("value", 40_i64)
        .value("float", 0.5_f64)
        .read_only_buffer("table", [7; 16]);
    shared.within(|| {
        assert_eq!(read_bytes("array", 8, 2).unwrap(), Bytes(vec![2, 0]));
        write_bytes("array", 8, Bytes(vec![5])).unwrap();
        assert_eq!(sum_copied("array", 1, 3).unwrap(), 8);
        assert_eq!(sum_attached("array", 1, 3).unwrap(), 8);
        assert_eq!(sum_attached_as_slice("array", 0, 4).unwrap(), 13);
        assert_eq!(atomic("array", 0, Operation::Exchange, 9).unwrap(), 1);
        assert_eq!(atomic32("array", 0, Operation::Load, 0).unwrap(), 9);
        assert_eq!(compare_exchange("array", 0, 8, 1).unwrap(), 9);
        assert_eq!(wait_number("array", 0, 8, None).unwrap(), "unequal");
        assert_eq!(wait_number("array", 0, 9, Some(1)).unwrap(), "timed-out");
        assert_eq!(notify_number("array", 0, 1).unwrap(), 0);
        increment("value", 2).unwrap();
        assert_eq!(value("value").unwrap(), 42);
        increment_float("float", 2).unwrap();
        assert_eq!(sum_attached_floats("float", 0, 1).unwrap(), 2.5);
        fill_attached("array", 1, 4, 6).unwrap();
        assert_eq!(sum_copied("array", 0, 4).unwrap(), 27);
        assert_eq!(peek_attached("array", 8).unwrap(), 6);
        assert_eq!(attach_times("table", 3).unwrap(), 21);
        assert_eq!(attach_many("table", 3).unwrap(), 3);
        assert_eq!(nonzero_after_detaching("table").unwrap(), 0);
        assert_eq!(nonzero_in_new_memory(1).unwrap(), 0);
        keep_attached("table").unwrap();
        assert!(text(store_into_attached_read_only("table")).contains("did not trap"));
        assert_eq!(write_read_only("table").unwrap(), 8);
        assert!(text(write_read_only("array")).contains("Ok"));
        let facts = buffer_facts("table").unwrap();
        assert_eq!((facts.length, facts.writable), (16, false));
    });
}

#[test]
fn queues_carry_messages() {
    let shared = Shared::new()
        .queue("a")
        .queue("b")
        .bounded_queue("one", 1)
        .joinable_queue("jobs")
        .queue("squares");
    shared.within(|| {
        produce("a", 3, 2).unwrap();
        assert_eq!(queue_facts("a").unwrap().length, 2);
        close_queue("a").unwrap();
        assert_eq!(relay("a", "b").unwrap(), 2);
        close_queue("b").unwrap();
        assert_eq!(consume("b").unwrap(), [(3, 0), (3, 1)]);
        assert!(text(get("b", None)).contains("closed"));
        assert!(text(put("b", Bytes::default(), None)).contains("closed"));

        put("one", Bytes(vec![1]), None).unwrap();
        assert!(text(put("one", Bytes(vec![2]), Some(1))).contains("full"));
        assert!(text(try_put("one", Bytes(vec![2]))).contains("full"));
        assert_eq!(get("one", Some(1)).unwrap(), Bytes(vec![1]));
        assert!(text(try_get("one")).contains("empty"));

        put("jobs", Bytes(vec![3]), None).unwrap();
        close_queue("jobs").unwrap();
        assert!(!join_queue("jobs", Some(1)).unwrap());
        assert_eq!(work("jobs", "squares", true).unwrap(), 1);
        assert!(join_queue("jobs", None).unwrap());
        assert_eq!(try_get("squares").unwrap(), Bytes(vec![9]));
    });
}

#[test]
fn pipes_carry_messages() {
    let messages = vec![Bytes(vec![1]), Bytes(vec![])];
    let shared = Shared::new().pipe("here", "there");
    shared.within(|| {
        // The other end stays open, and empty.
        let there = PipeEnd::open("there").unwrap();
        there.send(&[2]).unwrap();
        there.finish();
        assert_eq!(exchange("here", messages).unwrap(), [Bytes(vec![2])]);
        assert_eq!(
            there.iter().collect::<Result<Vec<_>, _>>(),
            Ok(vec![vec![1], vec![]])
        );
    });
    let shared = Shared::new().pipe("here", "there");
    shared.within(|| {
        let here = PipeEnd::open("here").unwrap();
        here.send(&[7, 8]).unwrap();
        here.finish();
        assert_eq!(echo_pipe("there").unwrap(), 1);
        assert_eq!(here.receive(), Ok(vec![7, 8]));
    });
    let shared = Shared::new().pipe("here", "there").pipe("x", "y");
    shared.within(|| assert!(text(send_when_finished("x")).contains("has finished")));
    let shared = Shared::new().pipe("here", "there");
    shared.within(|| {
        let there = PipeEnd::open("there").unwrap();
        there.send(&[7]).unwrap();
        assert_eq!(receive("here", Some(1)).unwrap().0, [7]);
        assert!(text(flood("here", Bytes(vec![1]), 1)).contains("open already"));
    });
    let shared = Shared::new().pipe("here", "there").pipe("x", "y");
    shared.within(|| {
        send("here", Bytes(vec![1]), Some(5)).unwrap();
        assert!(poll_pipe("there", 5).unwrap());
        assert!(!poll_pipe("x", 0).unwrap());
        assert!(text(send("y", Bytes(vec![1]), None)).contains("closed"));
    });
}

#[test]
fn tasks_agree() {
    let shared = Shared::new()
        .lock("lock")
        .abandoned_lock("left")
        .abandoned_lock("abandoned")
        .buffer("pair", [0; 16])
        .recursive_lock("again")
        .semaphore("seats", 1)
        .value("number", 0_u64)
        .event("go")
        .event("held")
        .condition("turn", "lock")
        .barrier("gate", 1)
        .barrier("wide", 2);
    shared.within(|| {
        increment_locked("lock", "number", 4).unwrap();
        ping_pong("turn", "number", 0, 1).unwrap();
        assert_eq!(value("number").unwrap(), 5);
        assert!(acquire("left", Some(0)).unwrap());
        assert!(!acquire("left", None).unwrap());
        acquire_twice("again").unwrap();
        assert!(text(acquire_twice("lock")).contains("held here already"));
        deadlock("lock", "again", "gate").unwrap();

        assert_eq!(with_semaphore("seats", "number", 2).unwrap(), 6);
        assert!(!take_semaphore("seats", None).unwrap());
        assert!(text(take_semaphore("seats", Some(0))).contains("in time"));
        assert_eq!(semaphore_value("seats").unwrap(), 0);
        release_semaphore("seats").unwrap();
        assert!(text(release_semaphore("seats")).contains("initial value of 1"));

        assert!(!wait_event("go", Some(1)).unwrap());
        set_event("go").unwrap();
        assert!(wait_event("go", None).unwrap());
        hold_until("lock", "held", "go").unwrap();
        assert!(wait_event("held", None).unwrap());
        clear_event("go").unwrap();
        assert!(!wait_event("go", Some(1)).unwrap());

        assert_eq!(barrier_rounds("gate", 2).unwrap(), [0, 0]);
        assert!(text(barrier_wait("wide", Some(1))).contains("in time"));
        assert!(text(barrier_wait("wide", None)).contains("broken"));
        reset_barrier("wide").unwrap();
        assert!(!barrier_facts("wide").unwrap().broken);
        abort_barrier("wide").unwrap();
        assert!(barrier_facts("wide").unwrap().broken);

        // Two numbers in one buffer, the second of which is made to be the first one.
        write_bytes("pair", 0, Bytes(vec![3])).unwrap();
        assert!(text(keep_equal("lock", "pair", 1)).contains("nobody told"));
        assert_eq!(keep_equal("abandoned", "pair", 3).unwrap(), 1);
        assert_eq!(keep_equal_by_semaphore("seats", "pair", 2).unwrap(), 0);
        assert_eq!(
            read_bytes("pair", 0, 9).unwrap().0,
            [8, 0, 0, 0, 0, 0, 0, 0, 8]
        );
        assert_eq!(notify("turn", 3).unwrap(), 0);
        take_token("turn", "number").unwrap();
        set_event("go").unwrap();
        hold_twice_until("again", "held", "go").unwrap();

        assert!(text(condition_wait("turn", Some(1))).contains("in time"));
        assert!(text(notify_without_lock("turn")).contains("not held"));
        keep_held("lock").unwrap();
        assert!(text(acquire("lock", None)).contains("held here already"));
    });
}

#[test]
fn state_stays_and_values_are_emitted() {
    assert!(text(use_model(0)).contains("no model"));
    init(vec![0.5, 1.5]).unwrap();
    assert_eq!(use_model(1).unwrap(), 1.5);
    assert!(text(use_model(2)).contains("has 2 numbers"));
    assert!(text(init(vec![])).contains("already"));
    let (count, values) = testing::emitted::<String, _>(|| emit_many(2, 3).unwrap());
    assert_eq!((count, values), (2, vec!["xxx".into(), "xxx".into()]));
}

#[test]
#[should_panic(expected = "with a message of 2 bytes")]
fn some_panic_with_a_message() {
    Shared::new().queue("a").within(|| {
        put("a", Bytes(vec![1, 2]), None).unwrap();
        get_and_panic("a").unwrap();
    });
}

#[test]
#[should_panic(expected = "while the lock is held")]
fn some_panic_with_a_lock() {
    let shared = Shared::new().lock("a");
    shared.within(|| hold_and_panic("a").unwrap());
}

#[test]
#[should_panic(expected = "while a buffer is attached")]
fn some_panic_with_a_buffer() {
    let shared = Shared::new().buffer("a", [0]);
    shared.within(|| attach_and_panic("a", 1).unwrap());
}
