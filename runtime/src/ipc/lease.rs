//! A lock that was lent to an instance: one word, by which it acquires and releases without asking the host.
//!
//! Owns the word and its protocol; whether a lock is lent, and to whom, is `objects`' own. The word lies in memory that the
//! worker writes: what the host reads in it is the worker's own account of what only that worker was lent.

use super::ground::{AtomicU64, Ordering};

/// Locks that a worker can be lent. One with a larger number is not lent.
pub const LEASES: usize = 128;

const LENT: u64 = 1;
const RECURSIVE: u64 = 2;
/// One more acquisition.
const DEPTH: u64 = 4;
const MAX_DEPTH: u32 = (1 << 30) - 1;

/// The instance in the upper half, how often it holds the lock, and two flags; 0 while the lock is not lent.
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Lease(AtomicU64);

/// A reading of the word of a lock that is lent.
#[derive(Clone, Copy)]
struct Lent {
    word: u64,
    instance: u32,
    depth: u32,
}

impl Lent {
    fn of(word: u64) -> Option<Lent> {
        (word & LENT != 0).then_some(Lent {
            word,
            instance: (word >> 32) as u32,
            depth: (word as u32) / DEPTH as u32,
        })
    }
}

impl Lease {
    /// Host: from here on the instance acquires and releases by itself; it holds the lock `depth` times now.
    pub fn lend(&self, instance: u32, recursive: bool, depth: u32) {
        let flags = LENT | if recursive { RECURSIVE } else { 0 };
        let depth = u64::from(depth.min(MAX_DEPTH)) * DEPTH;
        let word = u64::from(instance) << 32 | depth | flags;
        // What others did under the lock is seen by who acquires it here.
        self.0.store(word, Ordering::Release);
    }

    /// Host: takes the lock back, and says how often the instance holds it.
    pub fn recall(&self, instance: u32) -> u32 {
        match Lent::of(self.0.swap(0, Ordering::AcqRel)) {
            Some(lent) if lent.instance == instance => lent.depth,
            _ => 0,
        }
    }

    /// Worker: acquires the lock. False: it is not lent to this instance, or is for the host to decide.
    pub fn acquire(&self, instance: u32) -> bool {
        self.change(instance, |lent| {
            let again = lent.word & RECURSIVE != 0 && lent.depth < MAX_DEPTH;
            (lent.depth == 0 || again).then(|| lent.word + DEPTH)
        })
    }

    /// Worker: releases the lock. False: it is not lent to this instance, or not held.
    pub fn release(&self, instance: u32) -> bool {
        self.change(instance, |lent| (lent.depth > 0).then(|| lent.word - DEPTH))
    }

    fn change(&self, instance: u32, next: impl Fn(Lent) -> Option<u64>) -> bool {
        let next = |word| {
            let lent = Lent::of(word).filter(|lent| lent.instance == instance)?;
            next(lent)
        };
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_lent_it_acquires_and_releases() {
        let lease = Lease::default();
        assert!(!lease.acquire(0) && !lease.release(0), "it is not lent");
        lease.lend(7, false, 0);
        assert!(!lease.acquire(0), "it is lent to another instance");
        assert!(lease.acquire(7) && !lease.acquire(7), "it is held");
        assert!(lease.release(7) && !lease.release(7), "it is free");
        assert_eq!(lease.recall(7), 0);
        assert!(!lease.acquire(7), "it was taken back");

        lease.lend(7, false, 1);
        assert_eq!(lease.recall(7), 1);
        assert!(!lease.release(7), "who was held is for the host to release");
    }

    #[test]
    fn a_recursive_lock_counts() {
        let lease = Lease::default();
        lease.lend(u32::MAX, true, 1);
        assert!(lease.acquire(u32::MAX) && lease.acquire(u32::MAX) && lease.release(u32::MAX));
        assert_eq!(lease.recall(u32::MAX), 2);
        lease.lend(1, true, u32::MAX);
        assert!(!lease.acquire(1), "there is an end to counting");
        assert_eq!(lease.recall(1), MAX_DEPTH);
    }

    #[test]
    fn any_word_is_survived() {
        for word in [u64::MAX, 1 << 63, LENT, u64::from(u32::MAX), !LENT] {
            let lease = Lease(AtomicU64::new(word));
            let held = lease.recall(7);
            assert!(held <= MAX_DEPTH);
            assert_eq!(lease.recall(7), 0);
        }
    }
}
