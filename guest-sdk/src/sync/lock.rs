//! Locks, and what acquiring and releasing may say.

use std::fmt;
use std::time::Duration;

use super::Acquired;
use crate::{OpenError, host};

/// Why something was not acquired.
///
/// ```
/// use wasmpool_guest::sync::{AcquireError, Lock};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().lock("ledger").within(|| {
///     let ledger = Lock::open("ledger").unwrap();
///     let _guard = ledger.acquire().unwrap();
///     assert_eq!(ledger.acquire().unwrap_err(), AcquireError::AlreadyHeld);
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::sync::{ReleaseError, Semaphore};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().semaphore("seats", 2).within(|| {
///     let seats = Semaphore::open("seats").unwrap();
///     assert!(matches!(seats.release(), Err(ReleaseError::TooMany { limit: 2 } | ReleaseError::NotHeld)));
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::sync::Lock;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().lock("ledger").within(|| {
///     let ledger = Lock::open("ledger").unwrap();
///     {
///         let _guard = ledger.acquire().unwrap();
///         // Nobody else has the lock here.
///     }
///     assert!(ledger.try_acquire().is_ok(), "free again");
/// });
/// ```
#[derive(Debug)]
pub struct Lock(host::Lock);

impl Lock {
    /// Opens a granted lock.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("ledger").within(|| {
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     # drop(ledger);
    ///     assert!(Lock::open("diary").is_err());
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("ledger").within(|| {
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     let guard = ledger.acquire().unwrap();
    ///     // Change what the lock protects.
    ///     drop(guard);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When waiting would never end.
    pub fn acquire(&self) -> Result<LockGuard<'_>, AcquireError> {
        self.guard(None)
    }

    /// As [`acquire`](Self::acquire), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::sync::{AcquireError, Lock};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("ledger").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     match ledger.acquire_timeout(Duration::from_secs(1)) {
    ///         Ok(guard) => drop(guard),
    ///         Err(AcquireError::TimedOut) => println!("somebody has it for long"),
    ///         Err(error) => panic!("{error}"),
    ///     }
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `acquire`, and [`AcquireError::TimedOut`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<LockGuard<'_>, AcquireError> {
        self.guard(Some(timeout))
    }

    /// Acquires the lock if it is free now.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("ledger").within(|| {
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     let guard = ledger.try_acquire().unwrap();
    ///     assert!(ledger.try_acquire().is_err());
    ///     # drop(guard);
    /// });
    /// ```
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
///
/// ```
/// use wasmpool_guest::sync::Lock;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().recursive_lock("ledger").within(|| {
///     let ledger = Lock::open("ledger").unwrap();
///     let outer = ledger.acquire().unwrap();
///     let inner = ledger.acquire().unwrap();
///     drop(outer);
///     // Held until the last guard is dropped.
///     drop(inner);
/// });
/// ```
#[derive(Debug)]
#[must_use = "the lock is released at once if the guard is not kept"]
pub struct LockGuard<'a> {
    lock: &'a host::Lock,
    acquired: Acquired,
}

impl LockGuard<'_> {
    /// Whether a holder before ended without releasing the lock: what it protects may have been left half done. Told to
    /// one acquirer, once for each such end.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().abandoned_lock("ledger").within(|| {
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     let guard = ledger.acquire().unwrap();
    ///     assert!(guard.was_abandoned(), "put right what it protects");
    ///     drop(guard);
    ///     assert!(!ledger.acquire().unwrap().was_abandoned(), "told once");
    /// });
    /// ```
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
