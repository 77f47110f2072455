//! Barriers.

use std::fmt;
use std::time::Duration;

use crate::{OpenError, host};

/// Why a barrier did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BarrierError {
    /// The timeout passed. The barrier is broken for the others.
    TimedOut,
    /// Somebody's timeout passed, somebody ended while waiting, or called [`Barrier::abort`].
    Broken,
}

impl fmt::Display for BarrierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BarrierError::TimedOut => "the others did not come to the barrier in time",
            BarrierError::Broken => "the barrier is broken",
        })
    }
}

impl std::error::Error for BarrierError {}

/// Opens when a number of instances wait at it, for all of them at once; then it is closed again.
#[derive(Debug)]
pub struct Barrier(host::Barrier);

impl Barrier {
    /// Opens the handle of a granted barrier.
    ///
    /// # Errors
    ///
    /// When no barrier of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Barrier::open(name).map(Barrier)
    }

    /// How many instances it takes.
    pub fn parties(&self) -> u32 {
        self.0.parties()
    }

    /// How many wait now. By the time it is looked at, the number may be another.
    pub fn waiting(&self) -> u32 {
        self.0.waiting()
    }

    /// Waits for the others; only the item's deadline ends the wait. Returns a number from 0 to
    /// [`parties`](Self::parties) - 1, a different one to each of them.
    ///
    /// # Errors
    ///
    /// When the barrier is broken, or breaks.
    pub fn wait(&self) -> Result<u32, BarrierError> {
        self.0.wait(None)
    }

    /// As [`wait`](Self::wait), waiting no longer than this.
    ///
    /// # Errors
    ///
    /// As `wait`, and [`BarrierError::TimedOut`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, BarrierError> {
        self.0.wait(Some(timeout))
    }

    /// Breaks the barrier for all who wait at it, and all who come before a [`reset`](Self::reset).
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Makes a broken barrier usable again. Those who wait at it get [`BarrierError::Broken`].
    pub fn reset(&self) {
        self.0.reset();
    }

    /// Whether the barrier is broken.
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}
