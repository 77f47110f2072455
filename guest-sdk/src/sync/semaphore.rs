//! Semaphores.

use std::time::Duration;

use super::{AcquireError, Acquired, ReleaseError};
use crate::{OpenError, host};

/// Held up to a number of times together.
///
/// ```
/// use wasmpool_guest::sync::Semaphore;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().semaphore("seats", 2).within(|| {
///     let seats = Semaphore::open("seats").unwrap();
///     let seat = seats.acquire().unwrap();
///     assert_eq!(seats.value(), 1);
///     drop(seat);
///     // Taken for longer than a guard lives.
///     seats.acquire().unwrap().forget();
///     assert_eq!(seats.value(), 1);
///     seats.release().unwrap();
///     assert_eq!(seats.value(), 2);
/// });
/// ```
#[derive(Debug)]
pub struct Semaphore(host::Semaphore);

impl Semaphore {
    /// Opens a granted semaphore.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     assert_eq!(seats.value(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no semaphore of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Semaphore::open(name).map(Semaphore)
    }

    /// Takes one unit, waiting until there is one.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     let seat = seats.acquire().unwrap();
    ///     assert_eq!(seats.value(), 0);
    ///     drop(seat);
    ///     assert_eq!(seats.value(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When waiting would never end.
    pub fn acquire(&self) -> Result<SemaphoreGuard<'_>, AcquireError> {
        self.guard(None)
    }

    /// As [`acquire`](Self::acquire), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::sync::{AcquireError, Semaphore};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     use std::time::Duration;
    ///
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     let _seat = seats.acquire().unwrap();
    ///     let second = seats.acquire_timeout(Duration::from_secs(1));
    ///     assert_eq!(second.unwrap_err(), AcquireError::TimedOut);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `acquire`, and [`AcquireError::TimedOut`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<SemaphoreGuard<'_>, AcquireError> {
        self.guard(Some(timeout))
    }

    /// Takes one unit if there is one now.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     let _seat = seats.try_acquire().unwrap();
    ///     assert!(seats.try_acquire().is_err());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`] if there is none.
    pub fn try_acquire(&self) -> Result<SemaphoreGuard<'_>, AcquireError> {
        self.guard(Some(Duration::ZERO))
    }

    fn guard(&self, timeout: Option<Duration>) -> Result<SemaphoreGuard<'_>, AcquireError> {
        let acquired = self.0.acquire(timeout)?;
        Ok(SemaphoreGuard {
            semaphore: &self.0,
            acquired,
        })
    }

    /// Gives back one unit without a guard: one whose guard was [forgotten](SemaphoreGuard::forget). A bounded
    /// semaphore takes no more than were acquired; an unbounded one takes units from anybody, and its value grows.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     seats.acquire().unwrap().forget();
    ///     seats.release().unwrap();
    ///     assert_eq!(seats.value(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the unit is not this instance's to give.
    pub fn release(&self) -> Result<(), ReleaseError> {
        self.0.release()
    }

    /// How many units are free. By the time it is looked at, the number may be another.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     assert_eq!(seats.value(), 1);
    /// });
    /// ```
    pub fn value(&self) -> u32 {
        self.0.value()
    }
}

/// Holds one unit of a [`Semaphore`]: dropping it gives the unit back.
///
/// ```
/// use wasmpool_guest::sync::Semaphore;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().semaphore("seats", 1).within(|| {
///     let seats = Semaphore::open("seats").unwrap();
///     {
///         let _seat = seats.acquire().unwrap();
///         assert_eq!(seats.value(), 0);
///     }
///     assert_eq!(seats.value(), 1);
/// });
/// ```
#[derive(Debug)]
#[must_use = "the unit is given back at once if the guard is not kept"]
pub struct SemaphoreGuard<'a> {
    semaphore: &'a host::Semaphore,
    acquired: Acquired,
}

impl SemaphoreGuard<'_> {
    /// Whether a holder before ended without giving the unit back. Told to one acquirer, once for each such end.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     let seat = seats.acquire().unwrap();
    ///     assert!(!seat.was_abandoned(), "whoever had it gave it back");
    /// });
    /// ```
    pub fn was_abandoned(&self) -> bool {
        self.acquired == Acquired::Abandoned
    }

    /// Keeps the unit taken, until [`Semaphore::release`]. What of a bounded semaphore is still taken when the instance
    /// ends is given back by the host.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 1).within(|| {
    ///     let seats = Semaphore::open("seats").unwrap();
    ///     seats.acquire().unwrap().forget();
    ///     assert_eq!(seats.value(), 0);
    /// });
    /// ```
    pub fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for SemaphoreGuard<'_> {
    fn drop(&mut self) {
        // Fails only if the unit was released already, without this guard.
        let _ = self.semaphore.release();
    }
}
