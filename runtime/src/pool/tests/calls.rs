//! What a worker may do wrong with calls of shared objects. Beyond what holds of every attack, nobody else notices: what
//! the worker held is free, what it waited for comes to others, and what it was not granted is as it was.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::actor::{Actor, Item};
use super::attacks::{Expect, HOSTILE, ITEMS, When, check_granted, finish_all, random};
use super::files::{ask, want};
use crate::failure::FailureKind;
use crate::ipc::call::{Answer, Op, Refusal, THE_ITEM, Word};
use crate::ipc::frame::{
    Ended, MAX_MESSAGE, ToWorker, decode_to_worker, encode_call, encode_ended, encode_over,
};
use crate::objects::{
    Barrier, Buffer, Condition, Event, Lock, Object, Pipe, PipeEnd, Queue, Rights, Semaphore,
};
use crate::pool::core::GrantedObject;

/// The places of what workers are granted.
const QUEUE: u16 = 0;
const JOINABLE: u16 = 1;
const LOCK: u16 = 2;
const GRANTS: u16 = 10;

/// Bytes that a queue holds here.
const BYTES: u64 = 32 << 20;

/// One object of each kind, granted, and some that are not.
struct Props {
    queue: Queue,
    joinable: Queue,
    lock: Lock,
    semaphore: Semaphore,
    barrier: Barrier,
    condition: Condition,
    event: Event,
    buffer: Buffer,
    ends: (Object, Object),
    other_queue: Queue,
    other_lock: Lock,
}

impl Props {
    fn new() -> Props {
        let lock = Lock::new();
        let (a, b): (PipeEnd, PipeEnd) = Pipe::new();
        let queue = || Queue::builder().bytes(BYTES).deliveries(u32::MAX);
        let other_queue = Queue::new();
        other_queue.put(b"not yours", None).unwrap();
        Props {
            queue: queue().build(),
            joinable: queue().joinable(true).build(),
            semaphore: Semaphore::bounded(2),
            barrier: Barrier::new(2),
            condition: Condition::new(&lock),
            event: Event::new(),
            buffer: Buffer::new(64).unwrap(),
            ends: (a.into_object(), b.into_object()),
            lock,
            other_queue,
            other_lock: Lock::new(),
        }
    }

    fn granted(&self) -> Vec<GrantedObject> {
        let granted = |object: Object, rights, largest| GrantedObject {
            object,
            rights,
            largest,
        };
        let all = Rights::ALL;
        let gets = Rights { put: false, ..all };
        vec![
            granted((&self.queue).into(), all, BYTES),
            granted((&self.joinable).into(), all, BYTES),
            granted((&self.lock).into(), all, 0),
            granted((&self.semaphore).into(), all, 0),
            granted((&self.barrier).into(), all, 0),
            granted((&self.condition).into(), all, 0),
            granted((&self.event).into(), all, 0),
            granted(self.buffer.object(), all, 0),
            granted(self.ends.0.clone(), all, BYTES),
            granted((&self.queue).into(), gets, BYTES),
        ]
    }

    /// Plays an attack; what is not granted is untouched by it, and what is granted is free.
    #[track_caller]
    fn check(
        &self,
        when: When,
        expect: Expect,
        attack: impl Fn(Actor, &[Item]) + Send + Sync + 'static,
    ) {
        let granted = self.granted();
        assert_eq!(granted.len(), usize::from(GRANTS));
        check_granted(&granted, ITEMS, HOSTILE, &[1, 2], when, expect, attack);
        assert_eq!(self.other_queue.len(), 1);
        let others = self.other_lock.acquire(Some(Duration::ZERO)).unwrap();
        assert!(!others.was_abandoned());
        drop(self.lock.acquire(Some(Duration::ZERO)).expect("it is free"));
        assert_eq!(self.semaphore.value(), 2);
        assert_eq!(self.barrier.waiting(), 0);
    }
}

/// Plays an attack that ends the worker.
#[track_caller]
fn ends(attack: impl Fn(&mut Actor, &[Item]) + Send + Sync + 'static) {
    Props::new().check(When::Running, Expect::Discarded, move |mut actor, items| {
        attack(&mut actor, items);
        actor.linger();
    });
}

/// Plays what the host takes no notice of, and what the worker does afterwards as it should.
#[track_caller]
fn is_borne(attack: impl Fn(&mut Actor) + Send + Sync + 'static) {
    Props::new().check(When::Running, Expect::Right, move |mut actor, items| {
        attack(&mut actor);
        if finish_all(&mut actor, items) {
            actor.serve();
        }
    });
}

/// Calls an object, in a frame of its own. False if the host is gone.
fn call(actor: &mut Actor, instance: u32, object: u16, op: Op, message: &[u8]) -> bool {
    let head = encode_call(instance, object, op, false).unwrap();
    actor.send(&[&head, message])
}

/// The answer to the last call. `None` if the host is gone.
fn answer(actor: &mut Actor) -> Option<Answer> {
    let mut frame = Vec::new();
    if !actor.link.answer(&mut frame).ok()? {
        return None;
    }
    match decode_to_worker(&frame).expect("the host keeps to the protocol") {
        ToWorker::Answer { answer, .. } => Some(answer),
        other => panic!("{other:?}"),
    }
}

fn asks(actor: &mut Actor, instance: u32, object: u16, op: Op, message: &[u8]) -> Option<Answer> {
    call(actor, instance, object, op, message);
    answer(actor)
}

/// Every operation, with this timeout where it has one.
fn all_operations(timeout: Option<u64>) -> Vec<Op> {
    vec![
        Op::Put(timeout),
        Op::PutMany(timeout),
        Op::Get(timeout),
        Op::GetMany(3, timeout),
        Op::Length,
        Op::TaskDone,
        Op::Join(timeout),
        Op::Close,
        Op::OpenEnd,
        Op::Send(timeout),
        Op::Receive(timeout),
        Op::Poll(timeout),
        Op::Finish,
        Op::CloseEnd,
        Op::AwaitWord(0, Word::U32(0), timeout),
        Op::AwaitWord(60, Word::U64(0), timeout),
        Op::AwaitWord(u64::MAX, Word::U32(0), timeout),
        Op::NotifyWord(0, u32::MAX),
        Op::NotifyWord(63, 1),
        Op::NotifyWord(u64::MAX - 3, 1),
        Op::Acquire(timeout),
        Op::Release,
        Op::Value,
        Op::Set,
        Op::Clear,
        Op::Is,
        Op::AwaitSet(timeout),
        Op::AwaitNotify(timeout),
        Op::Notify(u32::MAX),
        Op::AwaitOthers(timeout),
        Op::Abort,
        Op::Reset,
        Op::AwaitRoom,
    ]
}

#[test]
fn objects_that_were_not_granted() {
    for object in [GRANTS, GRANTS + 1, 1000, u16::MAX] {
        for op in [Op::Length, Op::Acquire(None), Op::Put(None)] {
            ends(move |actor, _| {
                call(actor, 1, object, op, b"");
            });
        }
    }
}

#[test]
fn room_for_values_that_nobody_takes_one_by_one() {
    for op in [Op::AwaitRoom, Op::Length, Op::Get(None)] {
        ends(move |actor, _| {
            call(actor, 1, THE_ITEM, op, b"");
        });
    }
}

#[test]
fn operations_of_other_kinds() {
    // Whatever is asked, there is one answer, at once or when a nanosecond has passed.
    for timeout in [0, 1] {
        is_borne(move |actor| {
            for object in 0..GRANTS {
                for op in all_operations(Some(timeout)) {
                    let message: &[u8] = match op {
                        Op::PutMany(_) => b"\x01\0\0\0x\0\0\0\0",
                        _ if op.takes_message() => b"x",
                        _ => b"",
                    };
                    if asks(actor, 1, object, op, message).is_none() {
                        return;
                    }
                }
            }
            // Others mend, and open, what was broken and closed.
            asks(actor, 1, 4, Op::Reset, b"");
            actor.send(&[&encode_over(1)]);
        });
    }
}

#[test]
fn what_is_not_permitted() {
    is_borne(|actor| {
        let put = asks(actor, 1, 9, Op::Put(Some(0)), b"x");
        let refused = Answer::Refused(Refusal::NotPermitted);
        assert!(put.is_none_or(|answer| answer == refused));
        let acquired = asks(actor, 1, QUEUE, Op::Acquire(None), b"");
        assert!(acquired.is_none_or(|answer| answer == refused));
    });
}

#[test]
fn timeouts_without_end() {
    // Given up as the worker ends; nothing is kept for it.
    for timeout in [Some(u64::MAX), Some(u64::MAX - 1), Some(1 << 62), None] {
        let props = Props::new();
        props.check(When::Running, Expect::Discarded, move |mut actor, _| {
            call(&mut actor, 1, QUEUE, Op::Get(timeout), b"");
            actor.leave();
        });
        props.queue.put(b"for others", None).unwrap();
        assert_eq!(props.queue.try_get().unwrap(), b"for others");
        assert_eq!(props.queue.lost(), 0);
    }
}

#[test]
fn a_second_call_while_one_is_under_way() {
    let props = Props::new();
    props.check(When::Running, Expect::Discarded, |mut actor, _| {
        call(&mut actor, 1, QUEUE, Op::Get(None), b"");
        call(&mut actor, 2, LOCK, Op::Acquire(None), b"");
        actor.linger();
    });
    props.queue.put(b"x", None).unwrap();
    assert_eq!(props.queue.try_get().unwrap(), b"x");
}

#[test]
fn an_end_while_a_call_is_under_way() {
    ends(|actor, _| {
        call(actor, 1, QUEUE, Op::Get(None), b"");
        actor.send(&[&encode_over(1)]);
    });
}

#[test]
fn messages_where_none_belong() {
    for op in [Op::Get(None), Op::Length, Op::Acquire(None), Op::Close] {
        ends(move |actor, _| {
            call(actor, 1, QUEUE, op, b"a message");
        });
        // In a file that does not exist, and in one that does.
        ends(move |actor, _| {
            let head = encode_call(1, QUEUE, op, true).unwrap();
            actor.send(&[&head]);
        });
        ends(move |actor, _| {
            let file = ask(actor, MAX_MESSAGE as u64 + 1);
            let head = encode_call(1, QUEUE, op, true).unwrap();
            actor.send(&[&head]);
            drop(file);
        });
    }
}

#[test]
fn packed_messages_that_cannot_be() {
    for pack in [&b""[..], b"x", b"\x02\0\0\0x", b"\0\0\0\0\xff\xff\xff\xffx"] {
        ends(move |actor, _| {
            call(actor, 1, QUEUE, Op::PutMany(None), pack);
        });
    }
    ends(|actor, _| {
        // They are never in a file.
        let file = ask(actor, MAX_MESSAGE as u64 + 1);
        let head = encode_call(1, QUEUE, Op::PutMany(None), true).unwrap();
        actor.send(&[&head]);
        drop(file);
    });
    ends(|actor, _| {
        call(actor, 1, QUEUE, Op::GetMany(0, None), b"");
    });
}

#[test]
fn messages_in_files_that_were_not_asked_for() {
    for op in [Op::Put(None), Op::Send(None)] {
        ends(move |actor, _| {
            let head = encode_call(1, QUEUE, op, true).unwrap();
            actor.send(&[&head]);
        });
    }
    ends(|actor, _| {
        // One file, and two messages in it.
        let file = ask(actor, MAX_MESSAGE as u64 + 1);
        let head = encode_call(1, QUEUE, Op::Put(None), true).unwrap();
        actor.send(&[&head]);
        answer(actor);
        actor.send(&[&head]);
        drop(file);
    });
}

#[test]
fn messages_larger_than_any_object_takes() {
    // The limit of a result is larger than that of the queues.
    ends(|actor, _| {
        actor.say(&want((64 << 20) + 1));
    });
    is_borne(|actor| {
        let Some(file) = ask(actor, BYTES + 1) else {
            return;
        };
        drop(file);
        let head = encode_call(1, QUEUE, Op::Put(None), true).unwrap();
        actor.send(&[&head]);
        let refused = Answer::Refused(Refusal::TooLarge(BYTES));
        assert!(answer(actor).is_none_or(|answer| answer == refused));
    });
}

#[test]
fn more_instances_than_there_can_be() {
    ends(|actor, _| {
        for instance in 0..5000 {
            if asks(actor, instance, LOCK, Op::Acquire(Some(0)), b"").is_none() {
                return;
            }
        }
    });
}

#[test]
fn thousands_of_instances_one_after_the_other() {
    is_borne(|actor| {
        for instance in 0..5000 {
            // Each acquires what the one before left held.
            match asks(actor, instance, LOCK, Op::Acquire(Some(0)), b"") {
                None => return,
                Some(Answer::Acquired { abandoned }) => assert!(abandoned || instance == 0),
                Some(other) => panic!("{other:?}"),
            }
            actor.send(&[&encode_over(instance)]);
        }
    });
}

#[test]
fn ends_of_instances_that_are_not_known() {
    is_borne(|actor| {
        for instance in [0, 1, 77, u32::MAX] {
            for _ in 0..1000 {
                actor.send(&[&encode_over(instance)]);
            }
        }
        // One that is over may be there again: another one.
        asks(actor, 7, LOCK, Op::Acquire(None), b"");
        actor.send(&[&encode_over(7)]);
        asks(actor, 7, LOCK, Op::Acquire(None), b"");
    });
}

#[test]
fn calls_after_its_own_end() {
    let props = Props::new();
    props.check(When::Running, Expect::Discarded, |mut actor, items| {
        let ended = Ended {
            kind: FailureKind::Trap,
            message: "so it says".into(),
            backtrace: Vec::new(),
            fuel: None,
        };
        // Not the item's fault: it is run again elsewhere, whatever this worker says of one that it has not.
        let unknown = items[0].seq.plus(1 << 16);
        actor.send(&[&encode_ended(unknown, &ended).unwrap()]);
        call(&mut actor, 1, LOCK, Op::Acquire(None), b"");
        call(&mut actor, 1, JOINABLE, Op::Get(None), b"");
        actor.linger();
    });
    // As it leaves, what it asked last.
    let put = AtomicU32::new(0);
    let props = Props::new();
    props.check(When::Running, Expect::Discarded, move |mut actor, _| {
        let number = put.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        call(&mut actor, 1, LOCK, Op::Acquire(None), b"");
        answer(&mut actor);
        call(&mut actor, 1, QUEUE, Op::Put(None), &number);
        actor.leave();
    });
    // What was published before the end counts, once.
    let mut got = Vec::new();
    while let Ok(message) = props.queue.try_get() {
        got.push(message);
    }
    let expected: Vec<_> = (0..got.len() as u32).map(|n| n.to_le_bytes()).collect();
    assert!(got == expected && got.len() >= HOSTILE as usize, "{got:?}");
}

#[test]
fn answers_that_are_never_read() {
    ends(
        |actor, _| {
            while !actor.is_killed() && call(actor, 1, QUEUE, Op::Length, b"") {}
        },
    );
    // Large ones come through the socket; they come back as nobody takes them.
    let props = Props::new();
    let message = vec![7; MAX_MESSAGE + 1];
    let messages = 400;
    for _ in 0..messages {
        props.joinable.put(&message, None).unwrap();
    }
    props.check(When::Running, Expect::Discarded, |mut actor, _| {
        while !actor.is_killed() && call(&mut actor, 1, JOINABLE, Op::Get(None), b"") {}
        actor.linger();
    });
    assert_eq!(props.joinable.len(), messages);
    assert_eq!(props.joinable.dead_letters().unwrap().messages.len(), 0);
}

#[test]
fn calls_before_it_is_ready() {
    Props::new().check(When::Early, Expect::Right, |mut actor, _| {
        if asks(&mut actor, 1, LOCK, Op::Acquire(Some(0)), b"").is_none() {
            return;
        }
        actor.send(&[&encode_over(1)]);
        actor.ready();
        actor.serve();
    });
    // It holds the lock, and never gets ready.
    Props::new().check(When::Early, Expect::Discarded, |mut actor, _| {
        call(&mut actor, 1, LOCK, Op::Acquire(None), b"");
        actor.leave();
    });
}

#[test]
fn garbage_for_calls() {
    Props::new().check(When::Running, Expect::Discarded, |actor, _| {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let head = encode_call(1, QUEUE, Op::Length, false).unwrap();
        actor.until_killed(|| {
            let mut frame = head[..2].to_vec();
            for _ in 0..4 {
                frame.extend_from_slice(&random(&mut state).to_le_bytes());
            }
            frame.truncate(2 + random(&mut state) as usize % 32);
            actor.frame(&frame);
        });
    });
    // Of an object that it has.
    Props::new().check(When::Running, Expect::Discarded, |actor, _| {
        let mut state = 0x9e37_79b9_7f4a_7c16;
        let head = encode_call(1, QUEUE, Op::Length, false).unwrap();
        actor.until_killed(|| {
            let mut frame = head[..head.len() - 1].to_vec();
            frame[2] = random(&mut state) as u8 % GRANTS as u8;
            let op = random(&mut state).to_le_bytes();
            frame.extend_from_slice(&op[..1 + random(&mut state) as usize % 7]);
            actor.frame(&frame);
        });
    });
}

#[test]
fn a_wait_that_ends_as_its_worker_does() {
    // Messages come while workers that wait for them leave: each is got by somebody who is there, or told as lost.
    let props = Props::new();
    let (queue, joinable) = (props.queue.clone(), props.joinable.clone());
    let feeder = std::thread::spawn(move || {
        for number in 0..200u32 {
            queue.put(number.to_le_bytes(), None).unwrap();
            joinable.put(number.to_le_bytes(), None).unwrap();
            std::thread::yield_now();
        }
    });
    props.check(When::Running, Expect::Discarded, |mut actor, _| {
        let object = if actor.fate.generation.0.is_multiple_of(2) {
            QUEUE
        } else {
            JOINABLE
        };
        for _ in 0..20 {
            call(&mut actor, 1, object, Op::Get(None), b"");
        }
        actor.leave();
    });
    feeder.join().unwrap();
    assert_eq!(props.joinable.len(), 200);
    let left = props.queue.len() as u64;
    assert!(left + props.queue.lost() <= 200 && left > 0);
}
