//! The words that host and worker share. Layout only, and the protocols of single words.
//!
//! The worker's side of every word may hold anything: what the host reads of it is a hint until it is checked.

pub use super::ground::RING_BYTES;
use super::ground::{AtomicU32, AtomicU64, Ordering};
use super::lease::{LEASES, Lease};
use crate::ids::Seq;
use crate::sys::memory::PAGE;
use std::mem::offset_of;

/// Where the ring of frames from host to worker starts.
pub const TO_WORKER: usize = PAGE;

/// Where the ring of frames from worker to host starts.
pub const TO_HOST: usize = TO_WORKER + RING_BYTES;

/// Bytes of a worker's shared memory.
pub const SHARED_BYTES: usize = TO_HOST + RING_BYTES;

/// A word on a cache line of its own, so that two sides do not slow each other down.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Line<T>(pub T);

/// The indices of one ring. Positions count bytes since the start and wrap around.
#[derive(Debug, Default)]
#[repr(C)]
pub struct RingWords {
    /// How far the producer has published.
    pub tail: Line<AtomicU32>,
    /// How far the consumer has consumed.
    pub head: Line<AtomicU32>,
    /// 1 while the consumer wants to be told of new frames through the socket.
    pub consumer_sleeps: Line<AtomicU32>,
    /// 1 while the producer wants to be told of new room through the socket.
    pub producer_sleeps: Line<AtomicU32>,
}

/// The first page of a worker's shared memory.
#[derive(Debug)]
#[repr(C)]
pub struct Page {
    /// Frames from host to worker.
    pub to_worker: RingWords,
    /// Frames from worker to host.
    pub to_host: RingWords,
    /// Which items the worker may start.
    pub claim: Claim,
    /// When the worker started its current item, in nanoseconds of the shared clock.
    pub started: Line<AtomicU64>,
    /// How long the worker spins for frames before it sleeps, in nanoseconds. Written by the host.
    pub spin: Line<AtomicU64>,
    /// The number of the item that is to be given up, plus 2^32; 0 for none. Written by the host.
    pub cancelled: Line<AtomicU64>,
    /// Nanoseconds that the worker has spent with its chunks, as far as their results are published: without the time in
    /// which it was woken. Wraps around.
    pub worked: Line<AtomicU64>,
    /// Locks that the worker was lent, by their numbers among what it was granted.
    pub leases: [Lease; LEASES],
}

const _: () = assert!(
    size_of::<Page>() <= PAGE,
    "the shared words must fit into the first page: see `TO_WORKER`"
);
const _: () = assert!(
    offset_of!(Page, to_host) == 256
        && offset_of!(Page, claim) == 512
        && offset_of!(Page, cancelled) == 704
        && offset_of!(Page, leases) == 832,
    "the layout of shared memory changed: raise `wire::VERSION` and correct this line"
);

/// Which items a worker may start: those from `next` up to, not including, `limit`.
///
/// The worker starts an item by moving `next` behind it. The host takes back what is not started by moving `limit` down
/// to `next`. Both are one word, so an item is either started or taken back, never both.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Claim(AtomicU64);

/// A reading of [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The first item that is not started.
    pub next: Seq,
    /// The first item that may not be started.
    pub limit: Seq,
}

fn pack(c: Claimed) -> u64 {
    u64::from(c.next.0) << 32 | u64::from(c.limit.0)
}

fn unpack(word: u64) -> Claimed {
    Claimed {
        next: Seq((word >> 32) as u32),
        limit: Seq(word as u32),
    }
}

impl Claim {
    /// What the word says now.
    pub fn read(&self) -> Claimed {
        unpack(self.0.load(Ordering::Acquire))
    }

    /// Worker: starts an item. False if it was taken back.
    pub fn start(&self, item: Seq) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let c = unpack(word);
                let open = item.since(c.next).is_some() && c.limit.since(item.plus(1)).is_some();
                open.then(|| {
                    pack(Claimed {
                        next: item.plus(1),
                        ..c
                    })
                })
            })
            .is_ok()
    }

    /// Host: gives `n` more items, of which the first is `first`.
    pub fn give(&self, first: Seq, n: u32) {
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let c = unpack(word);
                // After a take-back `first` lies behind `limit`: what is between was taken back for good.
                let next = if c.next == c.limit { first } else { c.next };
                Some(pack(Claimed {
                    next,
                    limit: first.plus(n),
                }))
            });
    }

    /// Host: takes back all that is not started. Returns the reading before.
    pub fn take_back(&self) -> Claimed {
        match self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let c = unpack(word);
                Some(pack(Claimed { limit: c.next, ..c }))
            }) {
            Ok(word) | Err(word) => unpack(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim::default()
    }

    #[test]
    fn items_are_started_in_order_and_once() {
        let c = claim();
        assert!(!c.start(Seq(0)));
        c.give(Seq(0), 2);
        assert!(c.start(Seq(0)));
        assert!(!c.start(Seq(0)));
        assert!(c.start(Seq(1)));
        assert!(!c.start(Seq(2)));
        c.give(Seq(2), 1);
        assert!(c.start(Seq(2)));
    }

    #[test]
    fn what_was_taken_back_is_never_started() {
        let c = claim();
        c.give(Seq(0), 4);
        assert!(c.start(Seq(0)));
        assert_eq!(
            c.take_back(),
            Claimed {
                next: Seq(1),
                limit: Seq(4)
            }
        );
        assert!(!c.start(Seq(1)));
        c.give(Seq(4), 2);
        for taken in 1..4 {
            assert!(!c.start(Seq(taken)));
        }
        assert!(c.start(Seq(4)) && c.start(Seq(5)));
    }

    #[test]
    fn numbers_wrap_around() {
        let c = claim();
        c.0.store(
            pack(Claimed {
                next: Seq(u32::MAX),
                limit: Seq(u32::MAX),
            }),
            Ordering::Relaxed,
        );
        c.give(Seq(u32::MAX), 3);
        assert!(c.start(Seq(u32::MAX)) && c.start(Seq(0)) && c.start(Seq(1)) && !c.start(Seq(2)));
    }

    #[test]
    fn each_item_is_started_or_taken_back_never_both() {
        let c = claim();
        c.give(Seq(0), 100_000);
        let (started, taken) = std::thread::scope(|s| {
            let worker = s.spawn(|| (0..100_000).take_while(|i| c.start(Seq(*i))).count() as u32);
            std::thread::yield_now();
            let before = c.take_back();
            (worker.join().unwrap(), before)
        });
        assert_eq!(started, taken.next.0);
        assert_eq!(taken.limit.0, 100_000);
    }
}
