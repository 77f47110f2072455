//! Locks, and what acquiring and releasing may say.

use std::fmt;
use std::time::Duration;

use super::Acquired;
use crate::{OpenError, host};

/// Why something was not acquired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// It was not free: now, or until the timeout passed.
    TimedOut,
    /// The lock is held here already, and was not created as a recursive one: waiting would never end.
    AlreadyHeld,
    /// Waiting would never end: the holder waits, itself or through others, for what is held here, and nobody in that
    /// circle has a timeout. The text says who waits for whom.
    Deadlock(String),
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::TimedOut => f.write_str("it was not free in time"),
            AcquireError::AlreadyHeld => {
                f.write_str("the lock is held here already, and was not created as a recursive one")
            }
            AcquireError::Deadlock(circle) => write!(f, "waiting would never end: {circle}"),
        }
    }
}

impl std::error::Error for AcquireError {}

/// Why something was not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReleaseError {
    /// It is not held here.
    NotHeld,
    /// The semaphore would exceed its initial value.
    TooMany {
        /// That value.
        limit: u32,
    },
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReleaseError::NotHeld => f.write_str("it is not held here"),
            ReleaseError::TooMany { limit } => {
                write!(f, "the semaphore would exceed its initial value of {limit}")
            }
        }
    }
}

impl std::error::Error for ReleaseError {}

/// Held by one instance at a time. One that was created as recursive can be acquired again by its holder, and is free
/// once every guard is dropped; of any other that is [`AcquireError::AlreadyHeld`].
#[derive(Debug)]
pub struct Lock(host::Lock);

impl Lock {
    /// Opens a granted lock.
    ///
    /// # Errors
    ///
    /// When no lock of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Lock::open(name).map(Lock)
    }

    pub(super) fn of(lock: host::Lock) -> Self {
        Lock(lock)
    }

    /// Acquires the lock, waiting until it is free.
    ///
    /// # Errors
    ///
    /// When waiting would never end.
    pub fn acquire(&self) -> Result<LockGuard<'_>, AcquireError> {
        self.guard(None)
    }

    /// As [`acquire`](Self::acquire), waiting no longer than this.
    ///
    /// # Errors
    ///
    /// As `acquire`, and [`AcquireError::TimedOut`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<LockGuard<'_>, AcquireError> {
        self.guard(Some(timeout))
    }

    /// Acquires the lock if it is free now.
    ///
    /// # Errors
    ///
    /// [`AcquireError::TimedOut`] if it is not, [`AcquireError::AlreadyHeld`] if that is here.
    pub fn try_acquire(&self) -> Result<LockGuard<'_>, AcquireError> {
        self.guard(Some(Duration::ZERO))
    }

    fn guard(&self, timeout: Option<Duration>) -> Result<LockGuard<'_>, AcquireError> {
        let acquired = self.0.acquire(timeout)?;
        Ok(LockGuard {
            lock: &self.0,
            acquired,
        })
    }
}

/// Holds a [`Lock`]: dropping it releases it.
#[derive(Debug)]
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct LockGuard<'a> {
    lock: &'a host::Lock,
    acquired: Acquired,
}

impl LockGuard<'_> {
    /// Whether a holder before ended without releasing the lock: what it protects may have been left half done. Told to
    /// one acquirer, once for each such end.
    pub fn was_abandoned(&self) -> bool {
        self.acquired == Acquired::Abandoned
    }

    /// Notes how the lock was acquired again.
    pub(super) fn acquired_again(&mut self, acquired: Acquired) {
        if acquired == Acquired::Abandoned {
            self.acquired = acquired;
        }
    }
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // It is held, since only this releases it; and nothing could be done if it were not.
        let _ = self.lock.release();
    }
}
