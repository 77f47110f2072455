//! Both rings of a worker, while its side of them does anything at all.
//!
//! The input is a script of steps. A step is a byte, which says what happens, and where it needs one a number of four.

use std::cell::OnceCell;
use std::sync::atomic::Ordering;

use crate::ipc::page::{Page, RING_BYTES, SHARED_BYTES, TO_HOST, TO_WORKER};
use crate::ipc::ring::{Consumer, MAX_FRAME, Place, Producer};
use crate::sys::memory::{Shared, fixed_memfd};

thread_local! {
    static MEMORY: OnceCell<Shared> = const { OnceCell::new() };
}

/// Steps of one run: more find nothing new.
const MOST_STEPS: usize = 500;

// The worker's steps.
const SET_TAIL: u8 = 0;
const ADD_TAIL: u8 = 1;
const SET_HEAD: u8 = 2;
const TAKE_ALL: u8 = 3;
const WRITE_LENGTH: u8 = 4;
const FILL: u8 = 5;
const WISH: u8 = 6;
// The host's.
const READ: u8 = 7;
const RELEASE: u8 = 8;
const WRITE: u8 = 9;
const PUBLISH: u8 = 10;
const SLEEP: u8 = 11;
const KINDS: u8 = 12;

struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*first))
    }
}

/// Runs a script. True if a frame was read.
pub fn run(data: &[u8]) -> bool {
    MEMORY.with(|memory| {
        let memory = memory.get_or_init(|| {
            let file = fixed_memfd("fuzz", SHARED_BYTES as u64).expect("a memory file");
            Shared::map(file, SHARED_BYTES).expect("a mapping")
        });
        play(memory, Script(data)).0
    })
}

/// Whether a frame was read, and whether the worker was found out.
fn play(memory: &Shared, mut script: Script<'_>) -> (bool, bool) {
    for from in (0..SHARED_BYTES).step_by(4096) {
        memory.write(from, &[0; 4096]);
    }
    // SAFETY: `Page` is made of atomics only.
    let page: &Page = unsafe { memory.header() };
    let input = Place {
        words: &page.to_host,
        memory,
        offset: TO_HOST,
    };
    let output = Place {
        words: &page.to_worker,
        memory,
        offset: TO_WORKER,
    };
    let (mut consumer, mut producer) = (Consumer::default(), Producer::default());
    let (mut frame, mut read, mut any) = (Vec::new(), 0usize, false);
    let mut room = RING_BYTES;
    for _ in 0..MOST_STEPS {
        let (Some(kind), Some(n)) = (script.byte(), script.number()) else {
            break;
        };
        let tail = page.to_host.tail.0.load(Ordering::Relaxed);
        let offset = |at: u32| TO_HOST + (at as usize & (RING_BYTES - 4));
        match kind % KINDS {
            SET_TAIL => page.to_host.tail.0.store(n, Ordering::Relaxed),
            ADD_TAIL => {
                let tail = tail.wrapping_add(n % (RING_BYTES as u32 + 2));
                page.to_host.tail.0.store(tail, Ordering::Relaxed);
            }
            SET_HEAD => page.to_worker.head.0.store(n, Ordering::Relaxed),
            TAKE_ALL => {
                let published = page.to_worker.tail.0.load(Ordering::Relaxed);
                page.to_worker.head.0.store(published, Ordering::Relaxed);
            }
            WRITE_LENGTH => memory.write(offset(tail), &n.to_le_bytes()),
            FILL => memory.write(offset(n), &[n as u8; 4]),
            WISH => page.to_host.producer_sleeps.0.store(n, Ordering::Relaxed),
            READ => {
                frame.clear();
                match consumer.read(input, &mut frame) {
                    Ok(true) => {
                        any = true;
                        read += 4 + frame.len();
                        assert!(frame.len() <= MAX_FRAME, "a frame of {}", frame.len());
                        assert!(read <= RING_BYTES, "{read} bytes in one go");
                    }
                    Ok(false) => assert!(frame.is_empty()),
                    // What a host does then.
                    Err(_) => return (any, true),
                }
            }
            RELEASE => {
                let woken = page.to_host.producer_sleeps.0.load(Ordering::Relaxed) != 0;
                assert_eq!(consumer.release(input), woken);
                read = 0;
            }
            WRITE => {
                let parts = [&[0xa5; 3][..], &vec![0x5a; n as usize % (MAX_FRAME - 3)]];
                let len = 4 + parts.concat().len();
                let Ok(now) = producer.room(output) else {
                    return (any, true);
                };
                assert!(
                    (room..=RING_BYTES).contains(&now),
                    "room of {now} after {room}"
                );
                let written = producer.write(output, &parts).expect("the room was fine");
                assert_eq!(written, now >= len, "{len} bytes into {now}");
                room = now - if written { len } else { 0 };
            }
            PUBLISH => {
                producer.publish(output);
            }
            _ => match consumer.sleep(input) {
                Ok(sleeps) => {
                    let wish = page.to_host.consumer_sleeps.0.load(Ordering::Relaxed);
                    assert_eq!(wish == 1, sleeps);
                    assert_eq!(consumer.is_ready(input), Ok(!sleeps));
                }
                Err(_) => return (any, true),
            },
        }
    }
    (any, false)
}

fn script(steps: &[(u8, u32)]) -> Vec<u8> {
    let bytes = |&(kind, n): &(u8, u32)| [&[kind][..], &n.to_le_bytes()].concat();
    steps.iter().flat_map(bytes).collect()
}

pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let ring = RING_BYTES as u32;
    let frame = [(WRITE_LENGTH, 100), (ADD_TAIL, 104), (READ, 0)];
    let quarter = MAX_FRAME as u32;
    let large = [(WRITE_LENGTH, quarter - 4), (ADD_TAIL, quarter), (READ, 0)];
    let full: Vec<_> = (0..5).flat_map(|_| large).collect();
    vec![
        (
            "frames",
            script(&[&frame[..], &frame, &[(RELEASE, 0)], &frame].concat()),
        ),
        ("ever-on", script(&full)),
        (
            "around",
            script(&[&full[..12], &[(RELEASE, 0)], &full[..6]].concat()),
        ),
        (
            "sleep",
            script(&[
                (SLEEP, 0),
                (WISH, 1),
                (ADD_TAIL, 8),
                (SLEEP, 0),
                (READ, 0),
                (RELEASE, 0),
            ]),
        ),
        ("tail-behind", script(&[(SET_TAIL, u32::MAX), (READ, 0)])),
        ("tail-beyond", script(&[(SET_TAIL, ring + 1), (READ, 0)])),
        (
            "long",
            script(&[(WRITE_LENGTH, u32::MAX), (ADD_TAIL, ring), (READ, 0)]),
        ),
        (
            "write",
            script(&[
                (WRITE, 1000),
                (PUBLISH, 0),
                (TAKE_ALL, 0),
                (WRITE, 60_000),
                (WRITE, 60_000),
            ]),
        ),
        (
            "head-beyond",
            script(&[(WRITE, 1000), (SET_HEAD, 1), (WRITE, 1)]),
        ),
    ]
}
