//! Telling guest code to stop, from outside of the thread that runs it. Only code compiled with epochs looks.

use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

const GONE: u8 = 1;
const LATE: u8 = 2;

/// What a worker that is a thread is told. Looked at after each
/// [`Program::interrupt`](super::program::Program::interrupt).
///
/// A worker process has none: there every interrupt means that the item is late, since all else is done by killing it.
#[derive(Debug, Default)]
pub struct Stop(AtomicU8);

impl Stop {
    /// End, and say nothing: there is nobody to tell. Stands over [`Stop::late`].
    pub fn gone(&self) {
        self.0.store(GONE, Ordering::Release);
    }

    /// End, and say where the guest was.
    pub fn late(&self) {
        let _ = self
            .0
            .compare_exchange(0, LATE, Ordering::Release, Ordering::Relaxed);
    }

    /// What it was told. `None`: go on.
    pub(super) fn told(&self) -> Option<Interrupted> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            LATE => Some(Interrupted::Late),
            _ => Some(Interrupted::Gone),
        }
    }
}

/// Why the engine ends guest code at an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Interrupted {
    /// There is nobody to tell.
    #[error("the worker was told to stop")]
    Gone,
    /// The item is late; the host asks where it is.
    #[error("the item is late")]
    Late,
}
