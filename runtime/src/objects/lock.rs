//! A lock and a condition, as the host sees them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::host::{Held, ask, tell};
use super::object::{Handle, HolderId, Object};
use super::state::{ConditionState, LockState, Which, with};
use crate::ipc::call::{Answer, Op, Refusal};

/// Held by one at a time: by a worker, or by a [`LockGuard`] of the host. A clone is the same lock.
///
/// In the host what holds it is the guard, not a thread: a guard may be dropped in another thread, and a thread that
/// acquires a lock of which it has a guard waits for itself. Circles of waits are noticed among workers; a guard of the
/// host is nobody who waits.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::Lock;
///
/// let lock = Lock::new();
/// let guard = lock.acquire(None)?;
/// assert!(!guard.was_abandoned());
/// assert!(lock.acquire(Some(Duration::ZERO)).is_err());
/// drop(guard);
/// assert!(lock.acquire(Some(Duration::ZERO)).is_ok());
/// # Ok::<_, wasmpool::objects::AcquireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lock {
    pub(super) handle: Arc<Handle>,
}

/// Holds a lock until it is dropped.
///
/// ```
/// use wasmpool::objects::Lock;
///
/// let lock = Lock::new();
/// {
///     let _guard = lock.acquire(None)?;
///     // Nobody else has the lock here.
/// }
/// // Here it is free again.
/// drop(lock.acquire(None)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the lock is released at once"]
pub struct LockGuard {
    lock: Lock,
    abandoned: bool,
    pub(super) held: Arc<Held>,
}

/// Why something was not acquired.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::{AcquireError, Lock};
///
/// let lock = Lock::new().named("ledger");
/// let _guard = lock.acquire(None)?;
/// match lock.acquire(Some(Duration::from_millis(1))) {
///     Err(AcquireError::TimedOut { what }) => assert_eq!(&*what, "ledger"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AcquireError {
    /// It was not free until the timeout passed.
    #[error("`{what}` was not free until the timeout passed")]
    TimedOut {
        /// The name of the lock or semaphore.
        what: Arc<str>,
    },
    /// The guard holds the lock already, and the lock is not recursive.
    #[error("`{what}` is held already, and is not recursive")]
    AlreadyHeld {
        /// The name of the lock.
        what: Arc<str>,
    },
    /// Waiting would never end.
    #[error("waiting for `{what}` would never end: {circle}")]
    Deadlock {
        /// The name of the lock.
        what: Arc<str>,
        /// Who waits for whom.
        circle: String,
    },
}

/// Acquires for a holder; whether a holder before ended without releasing.
pub(super) fn acquired(
    object: &Object,
    holder: &Held,
    timeout: Option<Duration>,
) -> Result<bool, AcquireError> {
    let refusal = match ask(object, holder.0, Op::Acquire, timeout, None).0 {
        Answer::Acquired { abandoned } => return Ok(abandoned),
        Answer::Refused(refusal) => refusal,
        _ => Refusal::TimedOut,
    };
    let what = object.name();
    Err(match refusal {
        Refusal::Deadlock(circle) => AcquireError::Deadlock { what, circle },
        Refusal::AlreadyHeld => AcquireError::AlreadyHeld { what },
        _ => AcquireError::TimedOut { what },
    })
}

impl Lock {
    /// A lock that is free.
    ///
    /// ```
    /// use wasmpool::objects::Lock;
    ///
    /// let lock = Lock::new();
    /// let same = lock.clone();
    /// let _guard = lock.acquire(None)?;
    /// assert!(same.acquire(Some(std::time::Duration::ZERO)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::new_without_default)]
    pub fn new() -> Lock {
        Lock::with(false)
    }

    /// A lock that its holder can acquire again, and that is free once it was released as often: an `RLock`. In the host
    /// it is acquired again by [`LockGuard::again`].
    ///
    /// ```
    /// use wasmpool::objects::Lock;
    ///
    /// let lock = Lock::recursive();
    /// let outer = lock.acquire(None)?;
    /// let inner = outer.again()?;
    /// drop(outer);
    /// assert!(lock.acquire(Some(std::time::Duration::ZERO)).is_err(), "still held by the other guard");
    /// drop(inner);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recursive() -> Lock {
        Lock::with(true)
    }

    fn with(recursive: bool) -> Lock {
        let which = with(|state| {
            state.add(
                None,
                Which::Lock,
                |s| &mut s.locks,
                |_| LockState::new(recursive),
            )
        });
        Lock {
            handle: Handle::new(which),
        }
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let lock = wasmpool::objects::Lock::new().named("ledger");
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Lock {
        with(|state| state.rename(self.handle.which, name));
        self
    }

    /// Acquires the lock, waiting until it is free.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::Lock;
    ///
    /// let lock = Lock::new();
    /// let guard = lock.acquire(None)?;
    /// let second = lock.acquire(Some(Duration::from_millis(1)));
    /// assert_eq!(second.unwrap_err().to_string(), "`lock 1` was not free until the timeout passed");
    /// drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::TimedOut`].
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<LockGuard, AcquireError> {
        let held = Arc::new(Held(HolderId::new()));
        let abandoned = acquired(&Object::from(self), &held, timeout)?;
        Ok(LockGuard {
            lock: self.clone(),
            abandoned,
            held,
        })
    }
}

impl LockGuard {
    /// Whether a worker held the lock and ended without releasing it: what the lock protects may be left half done. Told
    /// to one holder, once for each such end.
    ///
    /// ```
    /// let lock = wasmpool::objects::Lock::new();
    /// let guard = lock.acquire(None)?;
    /// if guard.was_abandoned() {
    ///     // A worker was killed while it held the lock: put right what the lock protects.
    /// }
    /// # assert!(!guard.was_abandoned());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn was_abandoned(&self) -> bool {
        self.abandoned
    }

    /// Acquires a recursive lock once more. It is free when both guards are dropped.
    ///
    /// ```
    /// use wasmpool::objects::{AcquireError, Lock};
    ///
    /// let recursive = Lock::recursive();
    /// let guard = recursive.acquire(None)?;
    /// let _again = guard.again()?;
    ///
    /// let plain = Lock::new();
    /// let guard = plain.acquire(None)?;
    /// assert!(matches!(guard.again(), Err(AcquireError::AlreadyHeld { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::AlreadyHeld`] if the lock is not recursive.
    pub fn again(&self) -> Result<LockGuard, AcquireError> {
        let abandoned = acquired(&Object::from(&self.lock), &self.held, Some(Duration::ZERO))?;
        Ok(LockGuard {
            lock: self.lock.clone(),
            abandoned,
            held: self.held.clone(),
        })
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        tell(&Object::from(&self.lock), self.held.0, Op::Release);
    }
}

/// To wait for a change of what a lock protects. Belongs to one lock. A clone is the same condition.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
/// use std::sync::Arc;
/// use wasmpool::objects::{Condition, Lock};
///
/// let (lock, done) = (Lock::new(), Arc::new(AtomicBool::new(false)));
/// let changed = Condition::new(&lock);
/// let thread = std::thread::spawn({
///     let (lock, changed, done) = (lock.clone(), changed.clone(), done.clone());
///     move || {
///         let guard = lock.acquire(None).unwrap();
///         done.store(true, Relaxed);
///         changed.notify_all(&guard).unwrap();
///     }
/// });
/// let mut guard = lock.acquire(None).unwrap();
/// assert!(changed.wait_for(&mut guard, None, || done.load(Relaxed)).unwrap());
/// drop(guard);
/// # thread.join().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Condition {
    pub(super) handle: Arc<Handle>,
    lock: Lock,
}

/// Why a wait for a condition ended without a notification, or nobody was notified.
///
/// ```
/// use wasmpool::objects::{Condition, ConditionError, Lock};
///
/// let (lock, other) = (Lock::new(), Lock::new());
/// let changed = Condition::new(&lock);
/// let mut wrong = other.acquire(None)?;
/// assert_eq!(changed.wait(&mut wrong, None), Err(ConditionError::NotHeld));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// The timeout passed. The lock is held again.
    #[error("nobody notified the condition until the timeout passed")]
    TimedOut,
    /// The guard is that of another lock. Nothing was done.
    #[error("the guard holds another lock than the condition's")]
    NotHeld,
}

impl Condition {
    /// A condition of this lock.
    ///
    /// ```
    /// use wasmpool::objects::{Condition, Lock};
    ///
    /// // Two conditions of one lock: who waits for room is not woken by who made none.
    /// let lock = Lock::new();
    /// let (filled, emptied) = (Condition::new(&lock), Condition::new(&lock));
    /// ```
    pub fn new(lock: &Lock) -> Condition {
        let of = lock.handle.which.id();
        let body = |_| ConditionState::new(of);
        let which = with(|state| state.add(None, Which::Condition, |s| &mut s.conditions, body));
        Condition {
            handle: Handle::new(which),
            lock: lock.clone(),
        }
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// # use wasmpool::objects::{Condition, Lock};
    /// let filled = Condition::new(&Lock::new()).named("filled");
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Condition {
        with(|state| state.rename(self.handle.which, name));
        self
    }

    /// Its lock.
    ///
    /// ```
    /// # use wasmpool::objects::{Condition, Lock};
    /// let filled = Condition::new(&Lock::new());
    /// let guard = filled.lock().acquire(None)?;
    /// assert_eq!(filled.notify_all(&guard), Ok(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    /// Releases the lock, waits for a notification, and acquires the lock again; the guard then tells whether it was
    /// abandoned meanwhile. All guards of a recursive lock are released meanwhile. Never wakes for no reason, but
    /// somebody else may have held the lock in between: check again what you waited for, or use
    /// [`wait_for`](Condition::wait_for). The timeout is that for the notification: acquiring the lock again has none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::{Condition, ConditionError, Lock};
    ///
    /// let lock = Lock::new();
    /// let changed = Condition::new(&lock);
    /// let mut guard = lock.acquire(None)?;
    /// // The lock is free while this waits, and held again afterwards.
    /// let waited = changed.wait(&mut guard, Some(Duration::from_millis(1)));
    /// assert_eq!(waited, Err(ConditionError::TimedOut));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the timeout passed, or the guard is another lock's.
    pub fn wait(
        &self,
        guard: &mut LockGuard,
        timeout: Option<Duration>,
    ) -> Result<(), ConditionError> {
        match ask(
            &Object::from(self),
            guard.held.0,
            Op::AwaitNotify,
            timeout,
            None,
        )
        .0
        {
            Answer::Acquired { abandoned } => {
                guard.abandoned = abandoned;
                Ok(())
            }
            Answer::Refused(Refusal::TimedOut) => Err(ConditionError::TimedOut),
            _ => Err(ConditionError::NotHeld),
        }
    }

    /// Waits until this is true, which is asked only while the lock is held. False if the timeout passed first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::{Condition, Lock, Value};
    ///
    /// let (lock, stock) = (Lock::new(), Value::new(0u32)?);
    /// let restocked = Condition::new(&lock);
    /// let mut guard = lock.acquire(None)?;
    /// let in_time = restocked.wait_for(&mut guard, Some(Duration::from_millis(1)), || stock.get() > 0)?;
    /// assert!(!in_time);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConditionError::NotHeld`].
    pub fn wait_for(
        &self,
        guard: &mut LockGuard,
        timeout: Option<Duration>,
        mut is_true: impl FnMut() -> bool,
    ) -> Result<bool, ConditionError> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !is_true() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            match self.wait(guard, left) {
                Ok(()) => {}
                Err(ConditionError::TimedOut) => return Ok(is_true()),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Wakes at most `count` waiters, the longest waiting first, and returns how many.
    ///
    /// ```
    /// use wasmpool::objects::{Condition, Lock};
    ///
    /// let lock = Lock::new();
    /// let changed = Condition::new(&lock);
    /// let guard = lock.acquire(None)?;
    /// // Change what the lock protects, then wake one of those who wait for that. Here nobody does.
    /// assert_eq!(changed.notify(&guard, 1)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConditionError::NotHeld`].
    pub fn notify(&self, guard: &LockGuard, count: u32) -> Result<u32, ConditionError> {
        match tell(&Object::from(self), guard.held.0, Op::Notify(count)).0 {
            Answer::Number(woken) => Ok(u32::try_from(woken).unwrap_or(u32::MAX)),
            _ => Err(ConditionError::NotHeld),
        }
    }

    /// Wakes every waiter and returns how many.
    ///
    /// ```
    /// use wasmpool::objects::{Condition, Lock};
    ///
    /// let lock = Lock::new();
    /// let changed = Condition::new(&lock);
    /// let guard = lock.acquire(None)?;
    /// assert_eq!(changed.notify_all(&guard)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ConditionError::NotHeld`].
    pub fn notify_all(&self, guard: &LockGuard) -> Result<u32, ConditionError> {
        self.notify(guard, u32::MAX)
    }
}
