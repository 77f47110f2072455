//! What the process of a probe shares with the host: the number of the call that it makes, and what came of the attempt.
//! Written by a process that may end, or change, at any moment: plain words, nothing else.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::sys::memory::Shared;

/// Bytes of the shared memory.
pub const BYTES: usize = size_of::<Words>();

/// Nothing was written yet: not what any attempt gives.
const SILENT: i64 = i64::MIN;

#[repr(C)]
struct Words {
    call: AtomicI64,
    report: AtomicI64,
}

/// The shared memory of one probe's process, at either end.
#[derive(Debug)]
pub struct Trial(Shared);

impl Trial {
    /// Maps it.
    ///
    /// # Errors
    /// If it is no memory file of this size.
    pub fn map(memory: impl AsFd) -> io::Result<Trial> {
        Ok(Trial(Shared::map(memory, BYTES)?))
    }

    fn words(&self) -> &Words {
        // SAFETY: made of atomics only, for which every bit pattern is valid.
        unsafe { self.0.header::<Words>() }
    }

    /// Says that nothing was tried and nothing reported. For the host, before the process is there.
    pub fn clear(&self) {
        self.words().call.store(SILENT, Ordering::Release);
        self.words().report.store(SILENT, Ordering::Release);
    }

    /// Where the number of each call goes before it is made.
    pub fn trace(&self) -> &AtomicI64 {
        &self.words().call
    }

    /// Reports what came of the attempt.
    pub fn report(&self, word: i64) {
        self.words().report.store(word, Ordering::Release);
    }

    /// The number of the last call, or what stands for none.
    pub fn last_call(&self) -> i64 {
        self.words().call.load(Ordering::Acquire)
    }

    /// What was reported.
    pub fn reported(&self) -> Option<i64> {
        let word = self.words().report.load(Ordering::Acquire);
        (word != SILENT).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::fixed_memfd;

    #[test]
    fn one_end_reads_what_the_other_writes() {
        let memory = fixed_memfd("trial", BYTES as u64).unwrap();
        let (host, probe) = (Trial::map(&memory).unwrap(), Trial::map(&memory).unwrap());
        host.clear();
        assert_eq!(probe.reported(), None);
        probe.trace().store(257, Ordering::Release);
        probe.report(-13);
        assert_eq!((host.last_call(), host.reported()), (257, Some(-13)));
    }
}
