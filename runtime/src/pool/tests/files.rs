//! Large results: a worker asks for a file, the host makes it and gives it, the worker fills it. What a worker may do wrong
//! with that.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};

use super::actor::{Actor, Item};
use super::attacks::{Expect, HOSTILE, When, check, check_once};
use super::stage::{Plan, Stage, check_complete, failures};
use crate::failure::FailureKind;
use crate::ids::Seq;
use crate::ipc::frame::{MAX_INLINE, MAX_MESSAGE, Status, encode_result};
use crate::ipc::wire::{FromWorker, ToWorkerMessage, decode, encode};
use crate::limits::Limits;
use crate::sys::memory::Shared;

/// A size that needs a file.
const LARGE: u64 = MAX_INLINE as u64 + 1;

pub(super) fn want(bytes: u64) -> Vec<u8> {
    encode(&FromWorker::WantFile(bytes)).unwrap()
}

/// A frame that says that the result is in the file.
fn in_file(item: Seq) -> Vec<u8> {
    encode_result(item, Status::Done, true, None).to_vec()
}

/// The file that was asked for. None where the host is not going to give one.
fn receive(actor: &Actor) -> Option<OwnedFd> {
    let socket = actor.socket.as_ref()?;
    let mut buffer = [0; 64];
    loop {
        let mut got = socket.recv(&mut buffer).ok()??;
        if let ToWorkerMessage::File = decode(&buffer[..got.len]).expect("a message of the host") {
            return got.fds.pop();
        }
    }
}

/// A file of this size, which the host is asked for as an honest worker asks.
pub(super) fn ask(actor: &Actor, bytes: u64) -> Option<OwnedFd> {
    actor.say(&want(bytes));
    receive(actor)
}

#[test]
fn files_of_no_size() {
    for bytes in [0, 1, MAX_MESSAGE as u64, (64 << 20) + 1, 1 << 40, u64::MAX] {
        check_once(When::Running, move |actor, _| {
            actor.say(&want(bytes));
        });
    }
}

#[test]
fn files_without_an_item() {
    check_once(When::Early, |actor, _| {
        actor.say(&want(LARGE));
    });
}

#[test]
fn results_in_files_that_were_not_asked_for() {
    check_once(When::Running, |actor, items| {
        actor.frame(&in_file(items[0].seq));
    });
    check_once(When::Running, |actor, items| {
        // One file and two results in it.
        let file = ask(actor, LARGE);
        actor.frame(&encode_result(items[0].seq, Status::Emitted, true, None));
        actor.frame(&in_file(items[0].seq));
        drop(file);
    });
}

#[test]
fn more_files_than_results_may_be_under_way() {
    // By number, and by bytes.
    for bytes in [LARGE, 20 << 20] {
        check(When::Running, Expect::Discarded, move |actor, _| {
            let mut files = Vec::new();
            while let Some(file) = ask(&actor, bytes) {
                actor.opened(&file);
                files.push(file);
                let sum = files.len() as u64 * bytes;
                assert!(
                    files.len() <= 64 && sum <= 64 << 20,
                    "{} files",
                    files.len()
                );
            }
            actor.linger();
        });
    }
}

#[test]
fn files_that_nobody_receives() {
    check(When::Running, Expect::Discarded, |actor, _| {
        actor.until_killed(|| {
            actor.say(&want(LARGE));
        });
    });
}

/// A file that was tampered with before the frame that means it.
#[track_caller]
fn tampered<T>(tamper: impl Fn(&OwnedFd) -> T + Send + Sync + 'static) {
    check_once(When::Running, move |actor, items: &[Item]| {
        let Some(file) = ask(actor, LARGE) else {
            return;
        };
        actor.opened(&file);
        let _kept = tamper(&file);
        actor.frame(&in_file(items[0].seq));
        actor.linger();
    });
}

#[test]
fn files_that_could_still_change() {
    // Mapped for writing.
    tampered(|file| {
        fcntl_add_seals(file, SealFlags::SHRINK).expect("it may be sealed so far");
        Shared::map(file, LARGE as usize).expect("it may be mapped")
    });
    // Sealed against the host's own seals.
    tampered(|file| fcntl_add_seals(file, SealFlags::SEAL).expect("it may be sealed"));
}

#[test]
fn files_that_are_cut() {
    for size in [0, 1, 4096, LARGE - 1] {
        tampered(move |file| {
            assert!(ftruncate(file, LARGE + 1).is_err(), "it cannot grow");
            ftruncate(file, size).expect("it may be cut");
        });
    }
}

#[test]
fn a_result_in_a_file_counts_against_its_limit() {
    let mut plan = Plan {
        limits: Limits::new().result_bytes(LARGE * 3),
        ..Plan::default()
    };
    plan.limits.timeout = Plan::default().limits.timeout;
    let most = Arc::new(AtomicU64::new(0));
    let seen = most.clone();
    let stage = Stage::new(&plan, move |mut actor: Actor| {
        actor.ready();
        if actor.fate.generation.0 > HOSTILE {
            return actor.serve();
        }
        let Some(items) = actor.chunk() else { return };
        assert!(actor.start(items[0].seq), "it was given the item");
        let mut given = 0;
        while let Some(file) = ask(&actor, LARGE) {
            given += 1;
            drop(file);
            actor.send(&[&encode_result(items[0].seq, Status::Emitted, true, None)]);
            if actor.link.drain().is_err() {
                break;
            }
        }
        seen.fetch_max(given, Ordering::Relaxed);
        actor.linger();
    });
    let gave = stage.map(20, plan.options);
    check_complete(&gave, 20);
    assert_eq!(failures(&gave, FailureKind::OutputLimit), HOSTILE as usize);
    drop(gave);
    stage.close();
    let most = most.load(Ordering::Relaxed);
    assert!(
        (2..5).contains(&most),
        "{most} values of a third of the limit"
    );
}
