//! Conditions.

use std::fmt;
use std::time::Duration;

use super::{Lock, LockGuard, ReleaseError};
use crate::{OpenError, host};

/// Why a wait for a condition ended without a notification.
///
/// ```
/// use wasmpool_guest::sync::{Condition, Lock, WaitError};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().lock("shelf").lock("door").condition("restocked", "shelf").within(|| {
///     let restocked = Condition::open("restocked").unwrap();
///     let door = Lock::open("door").unwrap();
///     let mut wrong = door.acquire().unwrap();
///     assert_eq!(restocked.wait(&mut wrong), Err(WaitError::NotHeld));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The timeout passed. The lock is held again.
    TimedOut,
    /// The condition's lock is not held here: the guard is of another lock.
    NotHeld,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WaitError::TimedOut => "nobody notified the condition in time",
            WaitError::NotHeld => "the condition's lock is not held here",
        })
    }
}

impl std::error::Error for WaitError {}

/// To wait for a change of what a lock protects. Each condition belongs to one lock.
///
/// ```
/// use wasmpool_guest::buffer::Value;
/// use wasmpool_guest::sync::{Condition, WaitError};
/// use wasmpool_guest::testing::Shared;
///
/// /// Waits until there is stock, and takes one.
/// fn take() -> Result<u32, Box<dyn std::error::Error>> {
///     let (stock, restocked) = (Value::<u32>::open("stock")?, Condition::open("restocked")?);
///     let lock = restocked.lock();
///     let mut guard = lock.acquire()?;
///     restocked.wait_for(&mut guard, || stock.get() > 0)?;
///     Ok(stock.fetch_sub(1)? - 1)
/// }
///
/// Shared::new().value("stock", 3_u32).lock("l").condition("restocked", "l").within(|| {
///     assert_eq!(take().unwrap(), 2);
/// });
/// ```
#[derive(Debug)]
pub struct Condition(host::Condition);

impl Condition {
    /// Opens a granted condition.
    ///
    /// ```
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     assert!(Condition::open("restocked").is_ok());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no condition of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Condition::open(name).map(Condition)
    }

    /// The condition's lock: a new handle to the same lock each time.
    ///
    /// ```
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     let restocked = Condition::open("restocked").unwrap();
    ///     let lock = restocked.lock();
    ///     let guard = lock.acquire().unwrap();
    ///     # drop(guard);
    /// });
    /// ```
    pub fn lock(&self) -> Lock {
        Lock::of(self.0.lock())
    }

    /// Releases the lock, waits for a notification, and acquires the lock again; only the item's deadline ends the
    /// wait. Never wakes for no reason, but somebody else may have held the lock in between: check again what you
    /// waited for, or use [`wait_for`](Self::wait_for).
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::sync::{Condition, WaitError};
    ///
    /// fn take(stock: &Value<u32>, restocked: &Condition) -> Result<(), Box<dyn std::error::Error>> {
    ///     let lock = restocked.lock();
    ///     let mut guard = lock.acquire()?;
    ///     while stock.get() == 0 {
    ///         restocked.wait(&mut guard)?;
    ///     }
    ///     stock.fetch_sub(1)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When the guard is of another lock.
    pub fn wait(&self, guard: &mut LockGuard<'_>) -> Result<(), WaitError> {
        self.wait_at_most(guard, None)
    }

    /// As [`wait`](Self::wait), waiting for the notification no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::sync::{Condition, WaitError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let restocked = Condition::open("restocked").unwrap();
    ///     let lock = restocked.lock();
    ///     let mut guard = lock.acquire().unwrap();
    ///     let waited = restocked.wait_timeout(&mut guard, Duration::from_secs(1));
    ///     assert_eq!(waited, Err(WaitError::TimedOut));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `wait`, and [`WaitError::TimedOut`].
    pub fn wait_timeout(
        &self,
        guard: &mut LockGuard<'_>,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        self.wait_at_most(guard, Some(timeout))
    }

    /// Waits until the predicate is true. It is asked with the lock held, first at once, then after each notification.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     let restocked = Condition::open("restocked").unwrap();
    ///     let lock = restocked.lock();
    ///     let stock = Value::<u32>::open("stock").unwrap();
    ///     let mut guard = lock.acquire().unwrap();
    ///     restocked.wait_for(&mut guard, || stock.get() > 0).unwrap();
    ///     stock.fetch_sub(1).unwrap();
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the guard is of another lock.
    pub fn wait_for(
        &self,
        guard: &mut LockGuard<'_>,
        mut predicate: impl FnMut() -> bool,
    ) -> Result<(), WaitError> {
        while !predicate() {
            self.wait(guard)?;
        }
        Ok(())
    }

    fn wait_at_most(
        &self,
        guard: &mut LockGuard<'_>,
        timeout: Option<Duration>,
    ) -> Result<(), WaitError> {
        guard.acquired_again(self.0.wait(timeout)?);
        Ok(())
    }

    /// Wakes at most this many of those who wait, the longest waiting first, and returns how many.
    ///
    /// ```
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     let restocked = Condition::open("restocked").unwrap();
    ///     let lock = restocked.lock();
    ///     let guard = lock.acquire().unwrap();
    ///     assert_eq!(restocked.notify(1), Ok(0), "nobody waits here");
    ///     drop(guard);
    ///     assert!(restocked.notify(1).is_err(), "without the lock");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the condition's lock is not held here.
    pub fn notify(&self, count: u32) -> Result<u32, ReleaseError> {
        self.0.notify(count)
    }

    /// Wakes all who wait, and returns how many.
    ///
    /// ```
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("stock", 1_u32).lock("shelf").condition("restocked", "shelf").within(|| {
    ///     let restocked = Condition::open("restocked").unwrap();
    ///     let lock = restocked.lock();
    ///     let guard = lock.acquire().unwrap();
    ///     assert_eq!(restocked.notify_all(), Ok(0));
    ///     # drop(guard);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the condition's lock is not held here.
    pub fn notify_all(&self) -> Result<u32, ReleaseError> {
        self.0.notify_all()
    }
}
