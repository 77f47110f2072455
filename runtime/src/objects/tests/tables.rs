//! Tables: who calls what, the answer, and what others hear of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::stage::{Cells, Stage, short};
use crate::ipc::call::{Op, Word};
use crate::objects::{
    Barrier, Condition, Event, Lock, Object, Pipe, Queue, Rights, Semaphore, Words, waiting,
};

/// What somebody does.
enum Act {
    /// Calls the object of this number, with a message.
    Call(usize, Op, &'static str),
    /// The same, with fewer rights.
    With(Rights, usize, Op, &'static str),
    /// Its timeout passes.
    Cancel,
    /// It ends.
    End,
    /// It has gone on.
    Seen,
    /// It could not be given this message of the object.
    Undelivered(usize, &'static str),
}
use Act::*;

const TRY: Option<u64> = Some(0);
const TIMED: Option<u64> = Some(1_000_000_000);

/// Plays rows of who, what, and what comes of it: its own answer, `waits` without one, and what others hear.
fn check(objects: &[Object], rows: &[(usize, Act, &str)]) {
    let mut stage = Stage::new(6);
    for (row, (who, act, expected)) in rows.iter().enumerate() {
        let calls = matches!(act, Call(..) | With(..));
        assert!(!calls || !stage.waits(*who), "row {row}: {who} waits");
        let reply = match act {
            Call(object, op, message) => {
                Some(stage.call(*who, &objects[*object], Rights::ALL, *op, Some(message)))
            }
            With(rights, object, op, message) => {
                Some(stage.call(*who, &objects[*object], *rights, *op, Some(message)))
            }
            Cancel => Some(stage.cancel(*who)),
            End => {
                stage.end(*who);
                None
            }
            Seen => {
                stage.seen(*who);
                None
            }
            Undelivered(object, message) => {
                stage.undelivered(*who, &objects[*object], message);
                None
            }
        };
        let own = reply.map(|reply| reply.as_ref().map_or("waits".into(), short));
        let heard = stage
            .heard()
            .into_iter()
            .map(|(who, reply)| format!("{who}: {}", short(&reply)));
        let got: Vec<String> = own.into_iter().chain(heard).collect();
        assert_eq!(got.join("; "), *expected, "row {row}");
    }
}

fn put(message: &'static str) -> Act {
    Call(0, Op::Put(None), message)
}

fn try_put(message: &'static str) -> Act {
    Call(0, Op::Put(TRY), message)
}

fn op(op: Op) -> Act {
    Call(0, op, "")
}

fn on(object: usize, op: Op) -> Act {
    Call(object, op, "")
}

#[test]
fn a_queue_is_bounded_in_messages_and_in_bytes_and_nobody_overtakes() {
    let queue = Queue::builder().messages(2).bytes(10).build();
    check(
        &[(&queue).into()],
        &[
            (0, try_put("12345678901"), "TooLarge(10)"),
            (0, put("1234567890"), "done"),
            (0, op(Op::Length), "1"),
            (0, try_put("x"), "TimedOut"),
            (0, put("long"), "waits"),
            (1, put(""), "waits"),
            (2, try_put(""), "TimedOut"),
            (3, op(Op::Get(TRY)), "1234567890; 0: done; 1: done"),
            (2, put("third"), "waits"),
            (0, put("fourth"), "waits"),
            (3, op(Op::Get(None)), "long; 2: done"),
            (2, Cancel, "waits"),
            (0, Cancel, "TimedOut"),
            (3, op(Op::Get(None)), ""),
            (3, op(Op::Get(None)), "third"),
            (3, op(Op::Get(TRY)), "TimedOut"),
            (3, op(Op::Get(None)), "waits"),
            (4, op(Op::Get(TIMED)), "waits"),
            (0, put("a"), "done; 3: a"),
            (4, Cancel, "TimedOut"),
            (0, put("b"), "done"),
        ],
    );
}

#[test]
fn who_gives_up_a_place_in_the_line_lets_the_next_ones_go_on() {
    let queue = Queue::builder().messages(9).bytes(10).build();
    check(
        &[(&queue).into()],
        &[
            (0, put("123456"), "done"),
            (0, put("12345"), "waits"),
            (1, put("1"), "waits"),
            (2, put("12"), "waits"),
            (0, Cancel, "TimedOut; 1: done; 2: done"),
            (0, put("12"), "waits"),
            (1, put("1"), "waits"),
            (0, End, "1: done"),
            (3, op(Op::Get(None)), "123456"),
        ],
    );
}

#[test]
fn a_closed_queue_gives_what_is_left_and_then_an_end() {
    let queue = Queue::builder().messages(1).build();
    check(
        &[(&queue).into()],
        &[
            (0, put("a"), "done"),
            (1, put("b"), "waits"),
            (4, op(Op::Join(None)), "waits"),
            (0, op(Op::Close), "done; 1: Closed"),
            (0, op(Op::Close), "done"),
            (1, put("c"), "Closed"),
            (4, Cancel, "TimedOut"),
            (4, op(Op::Join(TRY)), "TimedOut"),
            (4, op(Op::Join(TIMED)), "waits"),
            (2, op(Op::Get(None)), "a; 4: done"),
            (2, op(Op::Get(None)), "EndOfFile"),
            (4, op(Op::Join(None)), "done"),
        ],
    );
    let queue = Queue::new();
    check(
        &[(&queue).into()],
        &[
            (0, op(Op::Get(None)), "waits"),
            (1, op(Op::Get(TIMED)), "waits"),
            (2, op(Op::Close), "done; 0: EndOfFile; 1: EndOfFile"),
        ],
    );
}

#[test]
fn a_grant_bounds_what_a_queue_does() {
    let queue = Queue::joinable();
    let putting = Rights {
        put: true,
        get: false,
        write: false,
    };
    let getting = Rights {
        put: false,
        get: true,
        write: false,
    };
    check(
        &[(&queue).into()],
        &[
            (0, With(getting, 0, Op::Put(None), "a"), "NotPermitted"),
            (0, With(getting, 0, Op::Close, ""), "done"),
            (0, With(putting, 0, Op::Put(None), "a"), "done"),
            (0, With(putting, 0, Op::Get(None), ""), "NotPermitted"),
            (0, With(getting, 0, Op::Get(None), ""), "a"),
            (0, With(putting, 0, Op::TaskDone, ""), "NotPermitted"),
            (0, With(getting, 0, Op::TaskDone, ""), "done"),
            (0, op(Op::Set), "NotPermitted"),
            (0, op(Op::Acquire(None)), "NotPermitted"),
        ],
    );
}

#[test]
fn what_a_consumer_of_a_joinable_queue_owes_comes_back_in_its_old_order() {
    let queue = Queue::builder().joinable(true).deliveries(2).build();
    check(
        &[(&queue).into()],
        &[
            (0, put("a"), "done"),
            (0, put("b"), "done"),
            (0, put("c"), "done"),
            (0, put("d"), "done"),
            (1, op(Op::TaskDone), "NothingOwed"),
            (1, op(Op::Get(None)), "a"),
            (2, op(Op::Get(None)), "b"),
            (1, op(Op::Get(None)), "c"),
            (4, op(Op::Join(None)), "waits"),
            (2, End, ""),
            (1, End, ""),
            (0, op(Op::Length), "4"),
            (3, op(Op::Get(None)), "a"),
            (3, op(Op::Get(None)), "b"),
            (3, op(Op::TaskDone), "done"),
            (2, op(Op::Get(None)), "c"),
            (2, op(Op::Get(None)), "d"),
            (2, op(Op::Get(None)), "waits"),
            // It delivers "b" for the second time, in vain.
            (3, End, ""),
            (2, Cancel, "TimedOut"),
            (2, op(Op::TaskDone), "done"),
            (2, op(Op::TaskDone), "done; 4: done"),
            (2, op(Op::TaskDone), "NothingOwed"),
        ],
    );
    let dead = queue.dead_letters().unwrap();
    assert_eq!((dead.messages, dead.dropped), (vec![b"b".to_vec()], 0));
    assert!(queue.dead_letters().unwrap().messages.is_empty());
    assert_eq!(queue.lost(), 0);
}

#[test]
fn a_message_that_comes_back_goes_to_who_waits() {
    let queue = Queue::joinable();
    check(
        &[(&queue).into()],
        &[
            (0, put("a"), "done"),
            (1, op(Op::Get(None)), "a"),
            (2, op(Op::Get(None)), "waits"),
            (0, op(Op::Close), "done"),
            (3, op(Op::Get(TRY)), "TimedOut"),
            (1, End, "2: a"),
            (3, op(Op::Get(None)), "waits"),
            (2, op(Op::TaskDone), "done; 3: EndOfFile"),
        ],
    );
}

#[test]
fn consumers_that_owe_do_not_wait_for_each_other_at_the_end() {
    let queue = Queue::joinable();
    check(
        &[(&queue).into()],
        &[
            (0, put("a"), "done"),
            (0, put("b"), "done"),
            (1, op(Op::Get(None)), "a"),
            (2, op(Op::Get(None)), "b"),
            (0, op(Op::Close), "done"),
            (3, op(Op::Get(None)), "waits"),
            (1, op(Op::Get(None)), "waits"),
            (2, op(Op::Get(None)), "EndOfFile"),
            (2, op(Op::TaskDone), "done; 1: EndOfFile"),
            (1, op(Op::TaskDone), "done; 3: EndOfFile"),
        ],
    );
}

#[test]
fn what_is_kept_for_who_confirms_nothing_is_bounded() {
    let queue = Queue::builder().joinable(true).bytes(4).build();
    check(
        &[(&queue).into()],
        &[
            (0, put("abc"), "done"),
            (1, op(Op::Get(None)), "abc"),
            (0, put("def"), "done"),
            (1, op(Op::Get(None)), "def"),
            (0, put("ghi"), "done"),
            (1, op(Op::Get(TRY)), "TimedOut"),
            (1, op(Op::Get(None)), "waits"),
            (2, op(Op::Get(None)), "ghi"),
            (1, Cancel, "TimedOut"),
            (1, op(Op::TaskDone), "done"),
            (0, put("jkl"), "done"),
            (1, op(Op::Get(None)), "jkl"),
        ],
    );
}

#[test]
fn a_message_that_was_not_handed_over_takes_its_place_again() {
    for queue in [
        Queue::new(),
        Queue::builder().joinable(true).deliveries(1).build(),
    ] {
        check(
            &[(&queue).into()],
            &[
                (0, put("a"), "done"),
                (0, put("b"), "done"),
                (1, op(Op::Get(None)), "a"),
                (1, Undelivered(0, "a"), ""),
                (1, Undelivered(0, "a"), ""),
                (1, End, ""),
                (1, op(Op::Get(None)), "a"),
                (2, op(Op::Get(None)), "b"),
                (3, op(Op::Get(None)), "waits"),
                (2, Undelivered(0, "b"), "3: b"),
                (2, End, ""),
            ],
        );
    }
}

#[test]
fn a_message_of_a_plain_queue_is_lost_with_who_may_not_have_seen_it() {
    let queue = Queue::new();
    check(
        &[(&queue).into()],
        &[
            (0, put("a"), "done"),
            (0, put("b"), "done"),
            (0, put("c"), "done"),
            (0, put("d"), "done"),
            (1, op(Op::Get(None)), "a"),
            (1, op(Op::Length), "3"),
            (1, End, ""),
            (1, op(Op::Get(None)), "b"),
            (1, Seen, ""),
            (1, End, ""),
            (1, op(Op::Get(None)), "c"),
            (1, End, ""),
            (1, op(Op::TaskDone), "NotJoinable"),
        ],
    );
    assert_eq!((queue.lost(), queue.len()), (1, 1));
}

fn pipe(build: crate::objects::PipeBuilder) -> [Object; 2] {
    let (a, b) = build.build();
    [a.into_object(), b.into_object()]
}

fn send(end: usize, message: &'static str) -> Act {
    Call(end, Op::Send(None), message)
}

#[test]
fn a_pipe_carries_messages_both_ways_until_its_ends_close() {
    check(
        &pipe(Pipe::builder().messages(2).bytes(5)),
        &[
            (0, send(0, "early"), "InUse"),
            (0, on(0, Op::OpenEnd), "done"),
            (1, on(0, Op::OpenEnd), "InUse"),
            (0, on(0, Op::OpenEnd), "InUse"),
            (0, send(0, "123456"), "TooLarge(5)"),
            (0, on(0, Op::Poll(TRY)), "false"),
            (0, send(0, "12345"), "done"),
            (0, Call(0, Op::Send(TRY), "x"), "TimedOut"),
            (0, send(0, "x"), "waits"),
            (1, on(1, Op::OpenEnd), "done"),
            (1, on(1, Op::Poll(None)), "true"),
            (1, on(1, Op::Receive(None)), "12345; 0: done"),
            (1, on(1, Op::Receive(None)), "x"),
            (1, on(1, Op::Receive(TRY)), "TimedOut"),
            (1, on(1, Op::Poll(None)), "waits"),
            (0, send(0, "y"), "done; 1: true"),
            (1, send(1, "back"), "done"),
            (0, on(0, Op::Finish), "done"),
            (0, send(0, "z"), "NotPermitted"),
            (0, on(0, Op::Receive(None)), "back"),
            (1, on(1, Op::Receive(None)), "y"),
            (1, on(1, Op::Receive(None)), "EndOfFile"),
            (1, on(1, Op::Poll(None)), "true"),
            (0, on(0, Op::Receive(None)), "waits"),
            (1, send(1, "last"), "done; 0: last"),
            (1, send(1, "word"), "done"),
            (1, on(1, Op::CloseEnd), "done"),
            (1, send(1, "more"), "InUse"),
            (0, on(0, Op::Receive(None)), "word"),
            (0, on(0, Op::Receive(None)), "EndOfFile"),
        ],
    );
}

#[test]
fn nobody_overtakes_who_waits_to_send() {
    // Two threads of one holder.
    let [a, b] = pipe(Pipe::builder().bytes(4));
    let mut stage = Stage::new(2);
    let mut call = |who: usize, end: &Object, op, message| {
        let reply = stage.call(who, end, Rights::ALL, op, Some(message));
        let heard = stage.heard().into_iter().map(|(_, reply)| short(&reply));
        let got: Vec<String> = reply.iter().map(short).chain(heard).collect();
        got.join("; ")
    };
    assert_eq!(call(0, &a, Op::OpenEnd, ""), "done");
    assert_eq!(call(1, &b, Op::OpenEnd, ""), "done");
    assert_eq!(call(0, &a, Op::Send(None), "1"), "done");
    assert_eq!(call(0, &a, Op::Send(None), "1234"), "");
    assert_eq!(call(0, &a, Op::Send(TRY), "5"), "TimedOut");
    assert_eq!(call(0, &a, Op::Send(None), "5"), "");
    assert_eq!(call(1, &b, Op::Receive(None), ""), "1; done");
    assert_eq!(call(1, &b, Op::Receive(None), ""), "1234; done");
    assert_eq!(call(1, &b, Op::Receive(None), ""), "5");
}

#[test]
fn the_end_of_a_holder_closes_its_end_of_a_pipe() {
    check(
        &pipe(Pipe::builder().messages(1)),
        &[
            (0, on(0, Op::OpenEnd), "done"),
            // Nobody has opened the other end yet: that is no end of file.
            (0, on(0, Op::Receive(TRY)), "TimedOut"),
            (0, send(0, "a"), "done"),
            (0, send(0, "b"), "waits"),
            (1, on(1, Op::OpenEnd), "done"),
            (1, End, "0: Closed"),
            (0, on(0, Op::Receive(None)), "EndOfFile"),
            (1, on(1, Op::OpenEnd), "InUse"),
        ],
    );
    check(
        &pipe(Pipe::builder()),
        &[
            (0, on(0, Op::OpenEnd), "done"),
            (1, on(1, Op::OpenEnd), "done"),
            (0, send(0, "a"), "done"),
            (1, on(1, Op::Receive(None)), "a"),
            (1, on(1, Op::Receive(None)), "waits"),
            (0, End, "1: EndOfFile"),
            (1, send(1, "b"), "Closed"),
        ],
    );
}

#[test]
fn a_one_way_pipe_receives_at_its_first_end() {
    check(
        &pipe(Pipe::builder().one_way()),
        &[
            (0, on(0, Op::OpenEnd), "done"),
            (1, on(1, Op::OpenEnd), "done"),
            (0, send(0, "a"), "NotPermitted"),
            (1, on(1, Op::Receive(None)), "NotPermitted"),
            (1, send(1, "a"), "done"),
            (0, on(0, Op::Receive(None)), "a"),
            (0, on(0, Op::Poll(TIMED)), "waits"),
            (0, Cancel, "false"),
            (0, on(0, Op::Receive(None)), "waits"),
            (1, on(1, Op::Finish), "done; 0: EndOfFile"),
        ],
    );
}

#[test]
fn an_end_that_nobody_can_open_any_more_is_closed() {
    let [a, b] = pipe(Pipe::builder());
    let mut stage = Stage::new(1);
    assert_eq!(
        short(&stage.call(0, &a, Rights::ALL, Op::OpenEnd, None).unwrap()),
        "done"
    );
    assert!(
        stage
            .call(0, &a, Rights::ALL, Op::Receive(None), None)
            .is_none()
    );
    drop(b);
    let heard: Vec<String> = stage
        .heard()
        .iter()
        .map(|(_, reply)| short(reply))
        .collect();
    assert_eq!(heard, ["EndOfFile"]);
}

const ACQUIRE: Op = Op::Acquire(None);

#[test]
fn a_lock_goes_to_who_waits_longest_and_tells_of_a_holder_that_ended() {
    let lock = Lock::new();
    check(
        &[(&lock).into()],
        &[
            (0, op(Op::Release), "NotHeld"),
            (0, op(ACQUIRE), "acquired"),
            (0, op(Op::Acquire(TRY)), "AlreadyHeld"),
            (1, op(Op::Acquire(TRY)), "TimedOut"),
            (1, op(Op::Release), "NotHeld"),
            (1, op(ACQUIRE), "waits"),
            (2, op(Op::Acquire(TIMED)), "waits"),
            (3, op(ACQUIRE), "waits"),
            (0, op(Op::Release), "done; 1: acquired"),
            (2, Cancel, "TimedOut"),
            (2, op(ACQUIRE), "waits"),
            (1, End, "3: acquired, abandoned"),
            (2, End, ""),
            (3, op(Op::Release), "done"),
            (0, op(ACQUIRE), "acquired"),
            (0, End, ""),
            (1, op(ACQUIRE), "acquired, abandoned"),
            (1, op(Op::Release), "done"),
            (0, op(ACQUIRE), "acquired"),
        ],
    );
}

#[test]
fn a_recursive_lock_is_free_once_it_was_released_as_often() {
    let lock = Lock::recursive();
    check(
        &[(&lock).into()],
        &[
            (0, op(ACQUIRE), "acquired"),
            (0, op(ACQUIRE), "acquired"),
            (1, op(ACQUIRE), "waits"),
            (0, op(Op::Release), "done"),
            (0, op(Op::Release), "done; 1: acquired"),
            (0, op(Op::Release), "NotHeld"),
        ],
    );
}

#[test]
fn a_lock_that_only_one_uses_costs_it_no_calls() {
    for lock in [Lock::new(), Lock::recursive()] {
        let lock = Object::from(&lock);
        let mut stage = Stage::new(2);
        let acquire = |stage: &mut Stage, who| {
            let reply = stage.call(who, &lock, Rights::ALL, ACQUIRE, None);
            assert_eq!(short(&reply.unwrap()), "acquired");
        };
        let release = |stage: &mut Stage, who| {
            let reply = stage.call(who, &lock, Rights::ALL, Op::Release, None);
            assert_eq!(short(&reply.unwrap()), "done");
        };
        for _ in 0..10 {
            acquire(&mut stage, 0);
            release(&mut stage, 0);
        }
        assert_eq!(stage.saved, 19, "all but the first");
        // Another takes its place once it calls twice in a row.
        acquire(&mut stage, 1);
        release(&mut stage, 1);
        assert_eq!(stage.saved, 19);
        acquire(&mut stage, 1);
        assert_eq!(stage.saved, 20);
        // Who ends while it holds it in this way has abandoned it.
        stage.end(1);
        let reply = stage.call(0, &lock, Rights::ALL, ACQUIRE, None);
        assert_eq!(short(&reply.unwrap()), "acquired, abandoned");
    }
}

#[test]
fn who_closes_a_circle_of_waits_is_told_who_waits_for_whom() {
    let locks = || ["a", "b", "c"].map(|name| Object::from(&Lock::new().named(name)));
    check(
        &locks(),
        &[
            (0, on(0, ACQUIRE), "acquired"),
            (1, on(1, ACQUIRE), "acquired"),
            (2, on(2, ACQUIRE), "acquired"),
            (0, on(1, ACQUIRE), "waits"),
            (1, on(2, ACQUIRE), "waits"),
            (3, on(0, ACQUIRE), "waits"),
            // With a timeout it is no circle.
            (2, on(0, Op::Acquire(TIMED)), "waits"),
            (2, Cancel, "TimedOut"),
            (
                2,
                on(0, ACQUIRE),
                "worker 2 holds lock `c` and waits for lock `a`; worker 0 holds lock `a` and waits for \
            lock `b`; worker 1 holds lock `b` and waits for lock `c`",
            ),
            (2, on(2, Op::Release), "done; 1: acquired"),
        ],
    );
    check(
        &locks(),
        &[
            (0, on(0, ACQUIRE), "acquired"),
            (1, on(1, ACQUIRE), "acquired"),
            (0, on(1, Op::Acquire(TIMED)), "waits"),
            (1, on(0, ACQUIRE), "waits"),
            (0, Cancel, "TimedOut"),
            (
                0,
                on(1, ACQUIRE),
                "worker 0 holds lock `a` and waits for lock `b`; worker 1 holds lock `b` and waits for lock `a`",
            ),
        ],
    );
}

#[test]
fn a_condition_gives_its_lock_up_and_takes_it_again() {
    let lock = Lock::recursive();
    let condition = Condition::new(&lock);
    let wait = |timeout| on(1, Op::AwaitNotify(timeout));
    let notify = |count| on(1, Op::Notify(count));
    check(
        &[(&lock).into(), (&condition).into()],
        &[
            (0, wait(None), "NotHeld"),
            (0, notify(1), "NotHeld"),
            (0, op(ACQUIRE), "acquired"),
            (0, notify(1), "0"),
            (0, wait(TRY), "TimedOut"),
            (0, op(ACQUIRE), "acquired"),
            (0, wait(None), "waits"),
            (1, op(ACQUIRE), "acquired"),
            (1, wait(TIMED), "waits"),
            (2, op(ACQUIRE), "acquired"),
            (2, wait(TIMED), "waits"),
            (3, op(ACQUIRE), "acquired"),
            // Its timeout passes, but the lock is not free.
            (2, Cancel, "waits"),
            (2, Cancel, "waits"),
            (3, notify(1), "1"),
            (3, op(Op::Release), "done; 2: TimedOut"),
            (2, op(Op::Release), "done; 0: acquired"),
            // It held it twice.
            (0, op(Op::Release), "done"),
            (3, op(Op::Acquire(TRY)), "TimedOut"),
            (0, op(Op::Release), "done"),
            (1, Cancel, "TimedOut"),
            (1, op(Op::Release), "done"),
        ],
    );
}

#[test]
fn a_notification_is_not_lost_with_who_was_to_hear_it() {
    let lock = Lock::new();
    let condition = Condition::new(&lock);
    let wait = || on(1, Op::AwaitNotify(None));
    check(
        &[(&lock).into(), (&condition).into()],
        &[
            (0, op(ACQUIRE), "acquired"),
            (0, wait(), "waits"),
            (1, op(ACQUIRE), "acquired"),
            (1, wait(), "waits"),
            (2, op(ACQUIRE), "acquired"),
            (2, on(1, Op::Notify(1)), "1"),
            (0, End, ""),
            (2, op(Op::Release), "done; 1: acquired"),
            // Who came after the notification is not meant.
            (3, op(ACQUIRE), "waits"),
            (1, on(1, Op::Notify(9)), "0"),
            (1, wait(), "waits; 3: acquired"),
            (3, on(1, Op::Notify(9)), "1"),
            (3, wait(), "waits; 1: acquired"),
            (1, End, ""),
            (2, op(ACQUIRE), "acquired, abandoned"),
            (2, on(1, Op::Notify(9)), "1"),
            (2, End, "3: acquired, abandoned"),
        ],
    );
}

#[test]
fn a_bounded_semaphore_gets_back_what_its_holders_took() {
    let semaphore = Semaphore::bounded(2);
    check(
        &[(&semaphore).into()],
        &[
            (0, op(Op::Release), "TooMany(2)"),
            (0, op(ACQUIRE), "acquired"),
            (0, op(Op::Acquire(TRY)), "acquired"),
            (1, op(Op::Release), "NotHeld"),
            (1, op(Op::Acquire(TRY)), "TimedOut"),
            (1, op(ACQUIRE), "waits"),
            (2, op(Op::Acquire(TIMED)), "waits"),
            (0, op(Op::Release), "done; 1: acquired"),
            (2, Cancel, "TimedOut"),
            (3, op(ACQUIRE), "waits"),
            (0, End, "3: acquired, abandoned"),
            (1, op(Op::Value), "0"),
            (1, op(Op::Release), "done"),
            (3, op(Op::Release), "done"),
            (1, op(Op::Value), "2"),
            (1, op(Op::Release), "TooMany(2)"),
        ],
    );
}

#[test]
fn any_other_semaphore_takes_units_from_anybody() {
    let semaphore = Semaphore::new(0);
    check(
        &[(&semaphore).into()],
        &[
            (0, op(ACQUIRE), "waits"),
            (1, op(Op::Release), "done; 0: acquired"),
            (0, End, ""),
            (1, op(Op::Value), "0"),
            (1, op(Op::Release), "done"),
            (1, op(Op::Release), "done"),
            (1, op(Op::Value), "2"),
        ],
    );
    check(
        &[(&Semaphore::new(u32::MAX)).into()],
        &[(0, op(Op::Release), "TooMany(4294967295)")],
    );
}

#[test]
fn an_event_wakes_all_who_wait() {
    check(
        &[(&Event::new()).into()],
        &[
            (0, op(Op::Is), "false"),
            (0, op(Op::AwaitSet(TRY)), "TimedOut"),
            (0, op(Op::AwaitSet(None)), "waits"),
            (1, op(Op::AwaitSet(TIMED)), "waits"),
            (2, op(Op::AwaitSet(None)), "waits"),
            (1, Cancel, "TimedOut"),
            (3, op(Op::Set), "done; 0: done; 2: done"),
            (0, op(Op::AwaitSet(TRY)), "done"),
            (0, op(Op::Clear), "done"),
            (0, op(Op::Is), "false"),
        ],
    );
}

#[test]
fn a_barrier_opens_for_all_or_breaks_for_all() {
    let wait = |timeout| op(Op::AwaitOthers(timeout));
    check(
        &[(&Barrier::new(3)).into()],
        &[
            (0, wait(None), "waits"),
            (1, wait(None), "waits"),
            (5, op(Op::Value), "2"),
            (2, wait(TRY), "2; 0: 0; 1: 1"),
            (0, wait(None), "waits"),
            (1, wait(TIMED), "waits"),
            (1, Cancel, "TimedOut; 0: Broken"),
            (0, wait(None), "Broken"),
            (0, op(Op::Is), "true"),
            (0, op(Op::Reset), "done"),
            (0, op(Op::Is), "false"),
            (0, wait(None), "waits"),
            (1, wait(None), "waits"),
            (0, End, "1: Broken"),
            (1, op(Op::Reset), "done"),
            (0, wait(None), "waits"),
            (1, op(Op::Abort), "done; 0: Broken"),
            (1, op(Op::Reset), "done"),
            (0, wait(None), "waits"),
            (1, op(Op::Reset), "done; 0: Broken"),
            (0, wait(None), "waits"),
            (1, wait(TRY), "TimedOut; 0: Broken"),
        ],
    );
    check(&[(&Barrier::new(0)).into()], &[(0, wait(None), "0")]);
}

#[test]
fn who_waits_for_a_word_is_woken_only_by_a_notification_of_it() {
    let cells = Arc::new(Cells::default());
    cells.0[0].store(7 << 32, Ordering::SeqCst);
    let words = Words::new("buffer", cells);
    let wait = |offset, word| op(Op::AwaitWord(offset, word, None));
    let notify = |offset, count| op(Op::NotifyWord(offset, count));
    let reading = Rights {
        write: false,
        ..Rights::ALL
    };
    check(
        &[(&words).into()],
        &[
            (0, wait(0, Word::U32(1)), "false"),
            (0, wait(4, Word::U64(7 << 32)), "OutOfBounds"),
            (0, wait(16, Word::U32(0)), "OutOfBounds"),
            (0, op(Op::AwaitWord(4, Word::U32(7), TRY)), "TimedOut"),
            (0, wait(4, Word::U32(7)), "waits"),
            (1, wait(0, Word::U64(7 << 32)), "waits"),
            (2, wait(4, Word::U32(7)), "waits"),
            (3, wait(4, Word::U32(7)), "waits"),
            (
                5,
                With(reading, 0, Op::NotifyWord(4, 1), ""),
                "NotPermitted",
            ),
            (5, notify(16, 1), "OutOfBounds"),
            (5, notify(2, 1), "OutOfBounds"),
            (5, notify(8, 1), "0"),
            (2, Cancel, "TimedOut"),
            (5, notify(4, 0), "0"),
            (5, notify(4, 9), "2; 0: true; 3: true"),
            (5, notify(0, 9), "1; 1: true"),
        ],
    );
}

#[test]
fn everybody_who_waits_is_seen_with_what_for() {
    let queue = Queue::builder().name("frames").build();
    let lock = Lock::new().named("tables");
    let condition = Condition::new(&lock).named("changed");
    let mut stage = Stage::new(3);
    assert!(
        stage
            .call(0, &(&queue).into(), Rights::ALL, Op::Get(TIMED), None)
            .is_none()
    );
    assert!(
        stage
            .call(1, &(&lock).into(), Rights::ALL, ACQUIRE, None)
            .is_some()
    );
    assert!(
        stage
            .call(
                1,
                &(&condition).into(),
                Rights::ALL,
                Op::AwaitNotify(TIMED),
                None
            )
            .is_none()
    );
    assert!(
        stage
            .call(2, &(&lock).into(), Rights::ALL, ACQUIRE, None)
            .is_some()
    );
    stage.cancel(1);
    // Other tests wait as well.
    let ours = waiting()
        .into_iter()
        .filter(|wait| stage.who(wait.holder).is_some());
    let ours: Vec<(String, bool)> = ours.map(|wait| (wait.to_string(), wait.timed)).collect();
    assert_eq!(
        ours,
        [
            (
                "worker 0 waits for a message of the queue `frames`".into(),
                true
            ),
            ("worker 1 waits for the condition `changed`".into(), false),
        ]
    );
}
