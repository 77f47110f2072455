//! Barriers.

use std::fmt;
use std::time::Duration;

use crate::{OpenError, host};

/// Why a barrier did not open.
///
/// ```
/// use wasmpool_guest::sync::{Barrier, BarrierError};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().barrier("start", 1).within(|| {
///     let start = Barrier::open("start").unwrap();
///     start.abort();
///     assert_eq!(start.wait(), Err(BarrierError::Broken));
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::sync::Barrier;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().barrier("start", 1).within(|| {
///     let start = Barrier::open("start").unwrap();
///     // One of them does what is to be done once.
///     if start.wait() == Ok(0) {
///         println!("everybody is here");
///     }
/// });
/// ```
#[derive(Debug)]
pub struct Barrier(host::Barrier);

impl Barrier {
    /// Opens the handle of a granted barrier.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     assert_eq!(start.parties(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no barrier of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Barrier::open(name).map(Barrier)
    }

    /// How many instances it takes.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     assert_eq!(start.parties(), 1);
    /// });
    /// ```
    pub fn parties(&self) -> u32 {
        self.0.parties()
    }

    /// How many wait now. By the time it is looked at, the number may be another.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     assert_eq!(start.waiting(), 0);
    /// });
    /// ```
    pub fn waiting(&self) -> u32 {
        self.0.waiting()
    }

    /// Waits for the others; only the item's deadline ends the wait. Returns a number from 0 to
    /// [`parties`](Self::parties) - 1, a different one to each of them.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     assert_eq!(start.wait(), Ok(0));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the barrier is broken, or breaks.
    pub fn wait(&self) -> Result<u32, BarrierError> {
        self.0.wait(None)
    }

    /// As [`wait`](Self::wait), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::sync::{Barrier, BarrierError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 2).within(|| {
    ///     use std::time::Duration;
    ///
    ///     let start = Barrier::open("start").unwrap();
    ///     let waited = start.wait_timeout(Duration::from_secs(1));
    ///     assert_eq!(waited, Err(BarrierError::TimedOut));
    ///     // For the others too: they do not wait for ever.
    ///     assert!(start.is_broken());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `wait`, and [`BarrierError::TimedOut`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<u32, BarrierError> {
        self.0.wait(Some(timeout))
    }

    /// Breaks the barrier for all who wait at it, and all who come before a [`reset`](Self::reset).
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     start.abort();
    ///     assert!(start.wait().is_err());
    /// });
    /// ```
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Makes a broken barrier usable again. Those who wait at it get [`BarrierError::Broken`].
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     start.abort();
    ///     start.reset();
    ///     assert_eq!(start.wait(), Ok(0));
    /// });
    /// ```
    pub fn reset(&self) {
        self.0.reset();
    }

    /// Whether the barrier is broken.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     let start = Barrier::open("start").unwrap();
    ///     assert!(!start.is_broken());
    /// });
    /// ```
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}
