//! What a worker under an attacker's control may try, by what it has: rings, frames, shared words, its socket, silence.
//! In each case the host ends that worker or takes no notice, loses no item, and gets every result right in the end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
use rustix::net::Shutdown;

use super::actor::{Actor, Fate, Item, PATIENCE, answer, items_of};
use super::stage::{Gave, Plan, Stage, check_complete, failures, is_right};
use crate::failure::FailureKind;
use crate::ids::Seq;
use crate::ipc::frame::{
    Ended, Level, Status, encode_ended, encode_log, encode_result, encode_sample,
};
use crate::ipc::page::{Claimed, Page, RING_BYTES, SHARED_BYTES};
use crate::ipc::ring::{Consumer, MAX_FRAME};
use crate::ipc::wire::{FromWorker, TaskInfo, encode, hello};
use crate::limits::Limits;
use crate::pool::core::GrantedObject;
use crate::pool::error::Error;
use crate::pool::options::{ChunkSize, JobOptions};
use crate::sandbox::layers::Role;
use crate::sys::clock::now;
use crate::sys::memory::{memfd, sealed_memfd};
use crate::sys::socket::Socket;

pub(super) const ITEMS: usize = 300;
/// So many items are never given to one worker.
const FAR: u32 = 1 << 16;
/// Workers that attack, one after the other, before one is honest.
pub(super) const HOSTILE: u32 = 3;

/// What has to come of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// The worker is ended, and every result is right.
    Discarded,
    /// Every result is right.
    Right,
    /// Every item has an outcome: what the attacker says of its own items is its own choice.
    Complete,
}

/// When the attack begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Before the worker says that it is ready.
    Early,
    /// While it runs an item.
    Running,
}

use Expect::{Complete, Discarded, Right};
use When::{Early, Running};

/// Plays an attack in a pool of one worker, and beside an honest one.
#[track_caller]
pub(super) fn check(
    when: When,
    expect: Expect,
    attack: impl Fn(Actor, &[Item]) + Send + Sync + 'static,
) {
    check_with(ITEMS, HOSTILE, &[1, 2], when, expect, attack);
}

/// The same with so many items and attackers, in pools of so many workers.
#[track_caller]
fn check_with(
    items: usize,
    hostile: u32,
    pools: &[usize],
    when: When,
    expect: Expect,
    attack: impl Fn(Actor, &[Item]) + Send + Sync + 'static,
) {
    check_granted(&[], items, hostile, pools, when, expect, attack);
}

/// The same in pools that were granted objects.
#[track_caller]
pub(super) fn check_granted(
    objects: &[GrantedObject],
    items: usize,
    hostile: u32,
    pools: &[usize],
    when: When,
    expect: Expect,
    attack: impl Fn(Actor, &[Item]) + Send + Sync + 'static,
) {
    let attack = Arc::new(attack);
    for &workers in pools {
        let mut plan = Plan {
            workers,
            objects: objects.to_vec(),
            ..Plan::default()
        };
        // So that there are items left for all of them.
        plan.options.chunk_size = ChunkSize::Items(3);
        if expect == Complete {
            // Who may write anything may also miss what is said to it.
            plan.limits.timeout = Duration::from_millis(500);
            plan.limits.start_timeout = plan.limits.timeout;
        }
        let begun = Arc::new((Mutex::new(0u32), Condvar::new()));
        // Who is not discarded is the only one.
        let attackers = if expect == Discarded { hostile } else { 1 };
        let attack = attack.clone();
        let play = move |mut actor: Actor| {
            let (count, changed) = &*begun;
            if actor.fate.slot.0 > 0 || actor.fate.generation.0 > hostile {
                actor.ready();
                let Some(items) = actor.chunk() else { return };
                // So that there is something left to attack.
                let count = count.lock().unwrap();
                drop(changed.wait_timeout_while(count, PATIENCE, |n| *n < attackers));
                if actor.run(&items) {
                    actor.serve();
                }
                return;
            }
            let mut items = Vec::new();
            if when == Running {
                actor.ready();
                items = match actor.chunk() {
                    Some(items) => items,
                    None => return,
                };
                assert!(actor.start(items[0].seq), "it was given the item");
            }
            actor.attack();
            *count.lock().unwrap() += 1;
            changed.notify_all();
            attack(actor, &items);
        };
        let stage = Stage::new(&plan, play);
        let gave = stage.map(items, plan.options);
        check_complete(&gave, items);
        let wrong = gave.outcomes.iter().find(|o| !is_right(o));
        if let (Some(wrong), false) = (wrong, expect == Complete) {
            panic!("item {}: {:?}", wrong.index, wrong.result);
        }
        let attackers = stage.cast.attackers();
        assert!(!attackers.is_empty(), "nobody attacked");
        // The job may be over before the last of them is noticed.
        let start = Instant::now();
        let ended = |f: &Arc<Fate>| f.was_killed() || f.has_left();
        while expect == Discarded && !attackers.iter().all(ended) {
            // One that only waits is ended by the time limit of its start.
            assert!(start.elapsed() < PATIENCE * 3, "an attacker was not ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        stage.close();
    }
}

/// An attack after which the worker only waits.
#[track_caller]
pub(super) fn check_once(when: When, attack: impl Fn(&mut Actor, &[Item]) + Send + Sync + 'static) {
    check(when, Discarded, move |mut actor, items| {
        attack(&mut actor, items);
        actor.linger();
    });
}

fn said(message: &FromWorker) -> Vec<u8> {
    encode(message).unwrap()
}

/// Gives the results of items that are started, or not.
pub(super) fn finish_all(actor: &mut Actor, items: &[Item]) -> bool {
    let mut finish = |item: &Item| actor.finish(item.seq, &answer(&item.bytes));
    items.iter().all(&mut finish)
}

/// Numbers that look random.
pub(super) fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

// Rings.

#[test]
fn indices_that_cannot_be() {
    let ring = RING_BYTES as u32;
    for tail in [ring + 1, 2 * ring, 1 << 31, u32::MAX, u32::MAX - ring] {
        check_once(Running, move |actor, _| actor.set_tail(tail));
        check_once(Early, move |actor, _| actor.set_tail(tail));
    }
    for head in [1, ring, ring + 1, 1 << 31, u32::MAX] {
        // Seen when the host writes, which it does as long as there are items.
        check_with(ITEMS, HOSTILE, &[1], Early, Discarded, move |actor, _| {
            actor.page().to_worker.head.0.store(head, Ordering::SeqCst);
            actor.ready();
            actor.linger();
        });
    }
}

/// Answers whatever comes, from this item on, and never says that it has read it, until it is killed.
fn never_consume(actor: &mut Actor, from: Seq) {
    let (mut ring, mut frame) = (Consumer::default(), Vec::new());
    while !actor.is_killed() {
        frame.clear();
        let place = actor.place();
        if !ring
            .read(place, &mut frame)
            .expect("the host writes frames")
        {
            std::thread::yield_now();
            continue;
        }
        let mut items = items_of(&frame).expect("the host keeps to the protocol");
        items.retain(|item| item.seq.since(from).is_some());
        finish_all(actor, &items);
    }
}

#[test]
fn room_that_is_taken_back() {
    // More items than are under way at once, so that the host writes again. It may not have looked meanwhile.
    check_with(3000, HOSTILE, &[1], Running, Right, |mut actor, items| {
        let mut items = items.to_vec();
        for _ in 0..3 {
            finish_all(&mut actor, &items);
            items = actor.chunk().expect("there are more");
        }
        actor.page().to_worker.head.0.store(0, Ordering::SeqCst);
        never_consume(&mut actor, items[0].seq);
    });
}

#[test]
fn a_ring_that_is_never_emptied_is_ended_at_the_deadline() {
    let mut plan = Plan {
        limits: Limits::new().timeout(Duration::from_millis(150)),
        ..Plan::default()
    };
    plan.limits.start_timeout = plan.limits.timeout;
    plan.options.chunk_size = ChunkSize::Items(1);
    let stage = Stage::new(&plan, |mut actor: Actor| {
        actor.ready();
        if actor.fate.generation.0 > HOSTILE {
            return actor.serve();
        }
        actor.attack();
        never_consume(&mut actor, Seq(0));
    });
    // More than fit into three rings.
    let gave = stage.map(30_000, plan.options);
    check_complete(&gave, 30_000);
    assert!(gave.outcomes.iter().all(is_right));
    let attackers = stage.cast.attackers();
    assert_eq!(attackers.len(), HOSTILE as usize);
    assert!(attackers.iter().all(|f| f.was_killed()));
    stage.close();
}

#[test]
fn indices_that_change_all_the_time() {
    check(Running, Discarded, |actor, _| {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        actor.until_killed(|| actor.set_tail(random(&mut state) as u32));
    });
    check(Running, Discarded, |actor, _| {
        // Ever on, as if there were no end of frames.
        let mut tail = 0u32;
        actor.until_killed(|| {
            tail = tail.wrapping_add(12);
            actor.set_tail(tail);
        });
    });
    check_with(ITEMS, HOSTILE, &[1], Early, Discarded, |actor, _| {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let head = &actor.page().to_worker.head.0;
        let mut move_it = || head.store(random(&mut state) as u32, Ordering::SeqCst);
        move_it();
        actor.ready();
        actor.until_killed(move_it);
    });
}

#[test]
fn frame_lengths_that_cannot_be() {
    let ring = RING_BYTES as u32;
    let cases = [
        (0u32, 4),
        (1, 5),
        (7, 11),
        (8, 4),
        (100, 4 + 99),
        (u32::MAX, 4),
        (u32::MAX, ring),
        (u32::MAX - 3, ring),
        (MAX_FRAME as u32 + 1, ring),
        (ring - 4, ring),
        (1 << 31, ring),
    ];
    for (len, published) in cases {
        check_once(Running, move |actor, _| {
            actor.publish_raw(&len.to_le_bytes(), published);
        });
    }
    for torn in 1..4 {
        check_once(Running, move |actor, _| actor.publish_raw(&[0; 3], torn));
    }
}

#[test]
fn a_torn_frame_and_an_end() {
    check(Running, Discarded, |actor, items| {
        let head = encode_result(items[0].seq, Status::Done, false, None);
        let frame = [&100u32.to_le_bytes()[..], &head, b"only the start"].concat();
        actor.publish_raw(&frame, frame.len() as u32);
        actor.leave();
    });
}

#[test]
fn a_full_ring_and_nobody_who_reads() {
    let mut plan = Plan::default();
    plan.limits.result_bytes = 1 << 20;
    let stage = Stage::new(&plan, |mut actor: Actor| {
        actor.ready();
        if actor.fate.generation.0 > HOSTILE {
            return actor.serve();
        }
        let Some(items) = actor.chunk() else { return };
        assert!(actor.start(items[0].seq), "it was given the item");
        actor.attack();
        // It asks to be woken, and never is there when it is. Each value counts, so that there is an end to it.
        let head = encode_result(items[0].seq, Status::Emitted, false, None);
        let value = [0; MAX_FRAME / 2];
        while !actor.is_killed() && actor.send(&[&head, &value]) {
            let words = &actor.page().to_host;
            words.producer_sleeps.0.store(1, Ordering::SeqCst);
        }
        actor.linger();
    });
    let gave = stage.map(ITEMS, plan.options);
    check_complete(&gave, ITEMS);
    let right = gave.outcomes.iter().filter(|o| is_right(o)).count();
    let floods = failures(&gave, FailureKind::OutputLimit);
    assert_eq!(
        (floods, right),
        (HOSTILE as usize, ITEMS - HOSTILE as usize)
    );
    assert!(stage.cast.attackers().iter().all(|f| f.was_killed()));
    stage.close();
}

// Frames.

#[test]
fn frames_of_no_kind() {
    let seq = |items: &[Item]| items[0].seq.0.to_le_bytes();
    for (kind, status, flag) in [
        (0u8, 0u8, 0u8),
        (4, 0, 0),
        (255, 0, 0),
        (1, 4, 0),
        (1, 255, 0),
        (1, 0, 2),
        (1, 0, 255),
        (2, 5, 0),
        (2, 255, 0),
        (3, 0, 0),
    ] {
        check_once(Running, move |actor, items| {
            let mut frame = vec![kind, status, flag, 0];
            frame.extend(seq(items));
            frame.extend([0xff; 20]);
            actor.frame(&frame);
        });
    }
    for short in 0..8 {
        check_once(Running, move |actor, _| {
            actor.frame(&[1, 0, 0, 0, 0, 0, 0, 0][..short])
        });
    }
}

#[test]
fn results_for_items_that_it_does_not_have() {
    for off in [FAR, 1 << 30, 1 << 31, u32::MAX, u32::MAX - 1] {
        // Beyond any, and of the past.
        for status in [
            Status::Done,
            Status::Failed,
            Status::InvalidInput,
            Status::Emitted,
        ] {
            check_once(Running, move |actor, items| {
                let other = Seq(items[0].seq.0.wrapping_add(off));
                actor.frame(&encode_result(other, status, false, None));
            });
        }
    }
    check_once(Early, |actor, _| {
        actor.frame(&encode_result(Seq(0), Status::Done, false, None));
    });
}

#[test]
fn results_that_come_twice() {
    let twice = |second: Vec<u8>| {
        check_once(Running, move |actor, items| {
            let seq = items[0].seq;
            assert!(actor.finish(seq, &answer(&items[0].bytes)));
            let mut second = second.clone();
            second[4..8].copy_from_slice(&seq.0.to_le_bytes());
            actor.frame(&second);
        });
    };
    let late = Seq(0);
    for status in [
        Status::Done,
        Status::Failed,
        Status::InvalidInput,
        Status::Emitted,
    ] {
        twice([&encode_result(late, status, false, None)[..], b"again"].concat());
    }
    twice([&encode_log(late, Level::Info)[..], b"after its end"].concat());
    let ended = Ended {
        kind: FailureKind::Trap,
        message: "after its end".into(),
        backtrace: Vec::new(),
        fuel: None,
    };
    twice(encode_ended(late, &ended).unwrap());
}

#[test]
fn logs_and_last_words_of_no_item() {
    check_once(Running, |actor, items| {
        let next = items[0].seq.plus(FAR);
        actor.frame(&[&encode_log(next, Level::Error)[..], b"who?"].concat());
    });
    check_once(Early, |actor, _| {
        actor.frame(&[&encode_log(Seq(0), Level::Error)[..], b"who?"].concat());
    });
    check_once(Running, |actor, items| {
        let ended = Ended {
            kind: FailureKind::Trap,
            message: "of another".into(),
            backtrace: Vec::new(),
            fuel: None,
        };
        let next = items[0].seq.plus(FAR);
        actor.frame(&encode_ended(next, &ended).unwrap());
    });
}

#[test]
fn last_words_that_only_the_host_may_say() {
    for kind in [
        FailureKind::Failed,
        FailureKind::InvalidInput,
        FailureKind::Timeout,
        FailureKind::WorkerLost,
        FailureKind::Cancelled,
    ] {
        check_once(Running, move |actor, items| {
            let ended = Ended {
                kind,
                message: "believe me".into(),
                backtrace: vec!["f".into(); 64],
                fuel: None,
            };
            actor.frame(&encode_ended(items[0].seq, &ended).unwrap());
        });
    }
}

#[test]
fn fuel_that_nobody_asked_for() {
    check_once(Running, |actor, items| {
        let head = encode_result(items[0].seq, Status::Done, false, Some(1));
        actor.frame(&[&head[..], &answer(&items[0].bytes)].concat());
    });
    check_once(Running, |actor, items| {
        let mut head = encode_result(items[0].seq, Status::Done, false, Some(1)).to_vec();
        // An emitted value has none.
        head[1] = 3;
        actor.frame(&head);
    });
}

#[test]
fn samples_that_nobody_asked_for() {
    for requests in [0, 1, u16::MAX] {
        check_once(Running, move |actor, items| {
            let sample = encode_sample(items[0].seq, requests);
            actor.frame(&[&sample[..], b"main\nf"].concat());
        });
    }
    check_once(Running, |actor, items| {
        actor.frame(&encode_sample(items[0].seq.plus(FAR), 1));
    });
}

#[test]
fn a_valid_frame_and_then_garbage() {
    check_once(Running, |actor, items| {
        let seq = items[0].seq;
        let head = encode_result(seq, Status::Done, false, None);
        let good = [&head[..], &answer(&items[0].bytes)].concat();
        let mut both = (good.len() as u32).to_le_bytes().to_vec();
        both.extend(good);
        both.extend(40u32.to_le_bytes());
        both.extend([0xa5; 40]);
        // What would be right again behind it is not read.
        let wrong = [
            &encode_result(seq.plus(1), Status::Done, false, None)[..],
            b"wrong",
        ]
        .concat();
        both.extend((wrong.len() as u32).to_le_bytes());
        both.extend(wrong);
        actor.publish_raw(&both, both.len() as u32);
    });
}

// Shared words.

/// Serves honestly, but for the claim word, while another thread does as it likes with the words.
fn scribble(mut actor: Actor, items: &[Item], words: impl Fn(&Page, u64) + Send) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let memory = actor.memory.clone();
        let over = &over;
        scope.spawn(move || {
            // SAFETY: `Page` is made of atomics only.
            let page: &Page = unsafe { memory.header() };
            let mut state = 0x2545_f491_4f6c_dd1d;
            while !over.load(Ordering::Relaxed) {
                words(page, random(&mut state));
            }
        });
        let mut items = items.to_vec();
        loop {
            if !finish_all(&mut actor, &items) || actor.is_killed() {
                break;
            }
            items = match actor.chunk() {
                Some(items) => items,
                None => break,
            };
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_claim_word_that_says_anything() {
    let claim = |page: &Page| -> *const AtomicU64 { (&raw const page.claim).cast() };
    check(Running, Right, move |actor, items| {
        scribble(actor, items, |page, value| {
            // SAFETY: the claim is one atomic word.
            unsafe { &*claim(page) }.store(value, Ordering::Relaxed);
        });
    });
    for word in [
        0,
        u64::MAX,
        1 << 32,
        u64::from(u32::MAX),
        1 << 63,
        0x8000_0000,
    ] {
        check(Running, Right, move |actor, items| {
            scribble(actor, items, |page, _| {
                // SAFETY: as above.
                unsafe { &*claim(page) }.store(word, Ordering::Relaxed);
            });
        });
    }
}

#[test]
fn wishes_to_be_woken_that_flicker() {
    check(Running, Right, |actor, items| {
        scribble(actor, items, |page, value| {
            let wish = value as u32 & 1;
            // Its own it leaves on: else it would only miss its own items.
            page.to_worker.consumer_sleeps.0.store(1, Ordering::Relaxed);
            page.to_worker
                .producer_sleeps
                .0
                .store(wish, Ordering::Relaxed);
            page.to_host
                .producer_sleeps
                .0
                .store(wish, Ordering::Relaxed);
        });
    });
}

#[test]
fn clocks_that_lie() {
    for time in [0, 1, u64::MAX, u64::MAX / 2] {
        check(Running, Right, move |actor, items| {
            scribble(actor, items, |page, _| {
                page.started.0.store(time, Ordering::Relaxed);
                page.cancelled.0.store(time, Ordering::Relaxed);
            });
        });
    }
}

#[test]
fn all_of_the_memory_changes_all_the_time() {
    check(Running, Complete, |actor, items| {
        let memory = actor.memory.clone();
        scribble(actor, items, move |_, value| {
            let at = (value >> 8) as usize % SHARED_BYTES;
            memory.write(at, &[value as u8]);
            // The words more often than their share of the bytes.
            memory.write((value >> 32) as usize % 712, &[(value >> 24) as u8]);
        });
    });
}

#[test]
fn memory_that_is_to_shrink() {
    check(Running, Right, |mut actor, items| {
        for size in [0, 1, 4096, SHARED_BYTES as u64 - 1, SHARED_BYTES as u64 * 2] {
            assert!(ftruncate(&actor.memory_file, size).is_err(), "{size}");
        }
        assert!(fcntl_add_seals(&actor.memory_file, SealFlags::WRITE).is_err());
        finish_all(&mut actor, items);
        actor.serve();
    });
}

// The socket.

#[test]
fn messages_that_are_none() {
    let task = TaskInfo {
        name: "t".into(),
        description: "d".into(),
    };
    let mut behind = said(&FromWorker::Ready(vec![task]));
    behind.push(0);
    let messages = [
        vec![99],
        vec![0xff; 64],
        vec![0xff; 60 << 10],
        vec![0, 0],
        behind,
        // As many tasks as there are numbers, and none there.
        [
            &said(&FromWorker::Ready(Vec::new()))[..1],
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
        ]
        .concat(),
        b"wasmpool\x02\0\0\0\x02\0\0\0".to_vec(),
        hello(Role::ForkServer).to_vec(),
        // Larger than any.
        vec![0; 65 << 10],
    ];
    for message in messages {
        for when in [Early, Running] {
            let message = message.clone();
            check_once(when, move |actor, _| {
                actor.say(&message);
            });
        }
    }
}

#[test]
fn an_empty_message_is_an_end() {
    check_with(ITEMS, 1, &[1, 2], Running, Discarded, |actor, _| {
        actor.say(&[]);
        actor.linger();
    });
}

#[test]
fn messages_out_of_turn() {
    let failed = FromWorker::StartFailed {
        message: "not now".into(),
        backtrace: Vec::new(),
    };
    for message in [FromWorker::Ready(Vec::new()), FromWorker::Born, failed] {
        let message = said(&message);
        check_once(Running, move |actor, _| {
            actor.say(&message);
        });
    }
    check_once(Early, |actor, _| {
        actor.ready();
        actor.ready();
    });
    check_once(Early, |actor, _| {
        actor.say(&said(&FromWorker::Born));
    });
}

#[test]
fn more_tasks_than_there_can_be() {
    let empty = TaskInfo {
        name: String::new(),
        description: String::new(),
    };
    let ready = said(&FromWorker::Ready(vec![empty; 30 << 10]));
    check(Early, Right, move |actor, _| {
        actor.say(&ready);
        actor.serve();
    });
}

#[test]
fn storms_on_the_socket() {
    for message in [
        FromWorker::Doorbell,
        FromWorker::Ready(Vec::new()),
        FromWorker::Born,
    ] {
        let message = said(&message);
        for when in [Early, Running] {
            let message = message.clone();
            check(when, Discarded, move |actor, _| {
                actor.until_killed(|| {
                    actor.say(&message);
                });
            });
        }
    }
}

/// Descriptors that a worker may have, or make if it is not locked.
fn descriptors() -> Vec<OwnedFd> {
    let (a, b) = Socket::pair().unwrap();
    let (r, w) = rustix::pipe::pipe().unwrap();
    vec![
        memfd("not-sealed").unwrap().into(),
        sealed_memfd("sealed", &[b"not asked for"]).unwrap(),
        std::fs::File::open(std::env::temp_dir()).unwrap().into(),
        std::fs::File::open("/dev/null").unwrap().into(),
        a.into(),
        b.into(),
        r,
        w,
    ]
}

#[test]
fn descriptors_that_nobody_asked_for() {
    let messages = [
        FromWorker::Doorbell,
        FromWorker::Ready(Vec::new()),
        FromWorker::Born,
    ];
    for message in messages {
        let message = said(&message);
        for count in [1, 2, 4, 5, 8, 253] {
            let message = message.clone();
            check_once(Running, move |actor, _| {
                let own = descriptors();
                let all: Vec<BorrowedFd> =
                    own.iter().map(AsFd::as_fd).cycle().take(count).collect();
                // /dev/null and the directory are open elsewhere, too.
                for fd in own.iter().enumerate().filter(|(i, _)| !(2..4).contains(i)) {
                    actor.opened(fd.1);
                }
                actor.say_with(&message, &all);
            });
        }
    }
}

#[test]
fn descriptors_by_the_hundred() {
    check(Running, Discarded, |actor, _| {
        let own = descriptors();
        let file = &own[0];
        actor.opened(file);
        let all = [file.as_fd(); 253];
        actor.until_killed(|| {
            actor.say_with(&said(&FromWorker::Doorbell), &all);
        });
    });
    // Its own socket, so that the host would hold both ends.
    check(Running, Discarded, |actor, _| {
        if let Some(socket) = &actor.socket {
            actor.say_with(&said(&FromWorker::Doorbell), &[socket.as_fd()]);
        }
        actor.linger();
    });
}

// Ends.

#[test]
fn a_socket_closed_half_way() {
    for how in [Shutdown::Write, Shutdown::Both] {
        check_with(ITEMS, 1, &[1, 2], Running, Discarded, move |actor, _| {
            let socket = actor.socket.as_ref().expect("it is open");
            rustix::net::shutdown(socket, how).unwrap();
            actor.linger();
        });
    }
    check(Running, Discarded, |actor, _| actor.leave());
}

#[test]
fn a_worker_that_closes_its_socket_and_lives_on() {
    check_with(ITEMS, 1, &[1, 2], Running, Discarded, |mut actor, _| {
        actor.socket = None;
        let Actor { fate, link, .. } = actor;
        drop(link);
        fate.linger();
    });
}

/// Items that run beyond their deadline, for workers that never give a result.
fn timed(attack: impl Fn(Actor, &[Item]) + Send + Sync + 'static) -> Gave {
    let timeout = Duration::from_millis(150);
    let plan = Plan {
        limits: Limits::new().timeout(timeout),
        ..Plan::default()
    };
    let stage = Stage::new(&plan, move |mut actor: Actor| {
        actor.ready();
        if actor.fate.generation.0 > HOSTILE {
            return actor.serve();
        }
        let Some(items) = actor.chunk() else { return };
        assert!(actor.start(items[0].seq), "it was given the item");
        actor.attack();
        attack(actor, &items);
    });
    let gave = stage.map(ITEMS, plan.options);
    check_complete(&gave, ITEMS);
    let attackers = stage.cast.attackers();
    assert_eq!(attackers.len(), HOSTILE as usize);
    assert!(attackers.iter().all(|f| f.was_killed()));
    let right = gave.outcomes.iter().filter(|o| is_right(o)).count();
    let late = failures(&gave, FailureKind::Timeout);
    assert_eq!((late, right), (HOSTILE as usize, ITEMS - HOSTILE as usize));
    stage.close();
    gave
}

#[test]
fn silence_is_ended_at_the_deadline() {
    let gave = timed(|actor, _| actor.linger());
    assert!(gave.took < Duration::from_secs(5), "{:?}", gave.took);
}

#[test]
fn no_clock_and_no_claim_puts_a_deadline_off() {
    for time in [0, u64::MAX] {
        timed(move |actor, _| {
            actor.until_killed(|| actor.page().started.0.store(time, Ordering::Relaxed));
        });
    }
    timed(|actor, _| {
        let page = actor.page();
        actor.until_killed(|| {
            // It would have started its item this very moment, and has not started it, in turn.
            page.started.0.store(now(), Ordering::Relaxed);
            let claim = (&raw const page.claim).cast::<AtomicU64>();
            // SAFETY: the claim is one atomic word.
            let claim = unsafe { &*claim };
            claim.store(1, Ordering::Relaxed);
            claim.store(1 << 32 | 1, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_storm_of_wishes_does_not_put_a_deadline_off() {
    timed(|actor, _| {
        let page = actor.page();
        actor.until_killed(|| {
            page.to_worker.consumer_sleeps.0.store(1, Ordering::Relaxed);
            page.to_host.producer_sleeps.0.store(1, Ordering::Relaxed);
            page.to_host.consumer_sleeps.0.store(0, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_worker_that_is_never_ready_ends_the_pool_in_time() {
    let mut limits = Limits::new();
    limits.start_timeout = Duration::from_millis(150);
    let plan = Plan {
        limits,
        ..Plan::default()
    };
    let stage = Stage::new(&plan, |actor: Actor| {
        actor.attack();
        actor.linger();
    });
    let gave = stage.map(3, plan.options);
    assert!(gave.outcomes.is_empty());
    assert!(
        matches!(gave.error, Some(Error::Start { .. })),
        "{:?}",
        gave.error
    );
    assert!(gave.took < Duration::from_secs(5), "{:?}", gave.took);
    assert!(stage.cast.attackers().iter().all(|f| f.was_killed()));
    stage.close();
}

#[test]
fn workers_that_break_the_protocol_before_they_are_ready_end_the_pool() {
    let plan = Plan::default();
    let stage = Stage::new(&plan, |actor: Actor| {
        actor.attack();
        actor.frame(&[9; 9]);
        actor.linger();
    });
    let gave = stage.map(3, plan.options);
    assert!(
        matches!(gave.error, Some(Error::Start { .. })),
        "{:?}",
        gave.error
    );
    assert_eq!(stage.cast.attackers().len(), 8, "restarts have a budget");
    stage.close();
}

#[test]
fn an_item_that_every_worker_is_lost_with_fails_alone() {
    let retries = 2;
    let plan = Plan::default();
    let options = JobOptions {
        retries,
        chunk_size: ChunkSize::Items(1),
        ..plan.options.clone()
    };
    let stage = Stage::new(&plan, |mut actor: Actor| {
        actor.ready();
        while let Some(items) = actor.chunk() {
            if items.iter().any(|i| i.bytes == b"item 7") {
                // What is not read yet would be lost with it.
                actor.link.drain().expect("the host reads");
                actor.attack();
                actor.set_tail(u32::MAX);
                return actor.linger();
            }
            if !actor.run(&items) {
                return;
            }
        }
    });
    let gave = stage.map(20, options);
    check_complete(&gave, 20);
    for outcome in &gave.outcomes {
        match &outcome.result {
            Err(failure) => {
                assert_eq!((outcome.index, failure.kind), (7, FailureKind::WorkerLost));
                assert_eq!(outcome.attempts, retries + 1);
            }
            Ok(_) => assert!(is_right(outcome), "{outcome:?}"),
        }
    }
    assert_eq!(failures(&gave, FailureKind::WorkerLost), 1);
    stage.close();
}

/// A worker that has items it has not started, and an idle one: they are taken back, and what the first one says of them
/// then is a lie.
#[test]
fn results_for_what_was_taken_back() {
    let plan = Plan {
        workers: 2,
        ..Plan::default()
    };
    let options = JobOptions {
        chunk_size: ChunkSize::Items(10),
        ..plan.options.clone()
    };
    let lied = Arc::new(AtomicU32::new(0));
    let lies = lied.clone();
    let begin = Arc::new(Barrier::new(3));
    let (ready, fed) = (begin.clone(), begin);
    let holds = Arc::new(Barrier::new(2));
    let stage = Stage::new(&plan, move |mut actor: Actor| {
        let first = actor.fate.generation.0 == 1;
        if first {
            ready.wait();
        }
        // The second comes when the first has its items.
        if first && actor.fate.slot.0 > 0 {
            holds.wait();
        }
        actor.ready();
        while let Some(items) = actor.chunk() {
            if actor.fate.slot.0 > 0 || !first {
                if !actor.run(&items) {
                    return;
                }
                continue;
            }
            assert!(actor.start(items[0].seq), "it was given the item");
            actor.attack();
            holds.wait();
            let start = Instant::now();
            let second = items[1].seq;
            let taken = |c: Claimed| c.limit == second || c.next != second;
            while !taken(actor.page().claim.read()) {
                assert!(start.elapsed() < PATIENCE, "nothing was taken back");
                std::thread::sleep(Duration::from_millis(1));
            }
            lies.fetch_add(1, Ordering::Relaxed);
            actor.finish(second, b"a lie");
            return actor.linger();
        }
    });
    // All of them are there when the first is sent, so that chunks are as large as they may be.
    let gave = stage.map_after(20, options, move || {
        fed.wait();
    });
    check_complete(&gave, 20);
    assert!(gave.outcomes.iter().all(is_right), "{:?}", gave.outcomes);
    assert!(lied.load(Ordering::Relaxed) > 0, "nobody lied");
    assert!(stage.cast.attackers().iter().all(|f| f.was_killed()));
    stage.close();
}

/// A job of honest workers never waits for what is there already, whoever looks for it: the supervisor, or the reader,
/// who spins for 50 µs first. Items take about as long as that, so that each result may come when the other begins.
#[test]
fn no_wake_up_is_lost() {
    for workers in [1, 2] {
        let mut plan = Plan {
            workers,
            ..Plan::default()
        };
        plan.options.chunk_size = ChunkSize::Items(3);
        let stage = Stage::new(&plan, |mut actor: Actor| {
            let mut state = 0x9e37_79b9_7f4a_7c15 + u64::from(actor.fate.slot.0);
            actor.ready();
            while let Some(items) = actor.chunk() {
                for item in &items {
                    let until = now() + random(&mut state) % 90_000;
                    while now() < until {
                        std::hint::spin_loop();
                    }
                    if !actor.run(std::slice::from_ref(item)) {
                        return;
                    }
                }
            }
        });
        for round in 0..30 {
            let mut options = plan.options.clone();
            options.ordered = round % 2 == 0;
            let gave = stage.map(600, options);
            assert_eq!(gave.outcomes.len(), 600);
            assert!(gave.outcomes.iter().all(is_right));
            assert!(gave.took < PATIENCE / 2, "round {round}: {:?}", gave.took);
        }
        stage.close();
    }
}
