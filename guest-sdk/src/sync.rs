//! Agreement between tasks: locks, semaphores, events, conditions, barriers.
//!
//! Their state lives in the host, which knows each holder: a holder is one instance of a component. What an instance
//! holds when it ends, however it ends, the host releases, and tells the next one to acquire it, since what the lock
//! protects may have been left half done: [`LockGuard::was_abandoned`]. Those who wait are served in the order in which
//! they came.
//!
//! Without a timeout only the item's deadline ends a wait, but for a lock: where waiting for it could never end,
//! acquiring it is an error.
//!
//! ```
//! use wasmpool_guest::buffer::Value;
//! use wasmpool_guest::sync::Lock;
//! use wasmpool_guest::testing::Shared;
//!
//! /// Adds to two numbers that must stay equal.
//! fn add_to_both(amount: i64) -> Result<(), Box<dyn std::error::Error>> {
//!     let (left, right) = (Value::<i64>::open("left")?, Value::<i64>::open("right")?);
//!     let lock = Lock::open("both")?;
//!     let guard = lock.acquire()?;
//!     if guard.was_abandoned() {
//!         right.set(left.get())?;
//!     }
//!     left.set(left.get() + amount)?;
//!     right.set(right.get() + amount)?;
//!     Ok(())
//! }
//!
//! let shared = Shared::new().value("left", 3_i64).value("right", 2_i64).abandoned_lock("both");
//! shared.within(|| {
//!     add_to_both(4).unwrap();
//!     assert_eq!(Value::<i64>::open("right").unwrap().get(), 7);
//! });
//! ```

mod barrier;
mod condition;
mod event;
mod lock;
mod semaphore;

pub use barrier::{Barrier, BarrierError};
pub use condition::{Condition, WaitError};
pub use event::Event;
pub use lock::{AcquireError, Lock, LockGuard, ReleaseError};
pub use semaphore::{Semaphore, SemaphoreGuard};

/// How something was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquired {
    /// The holder before released it, or there was none.
    Clean,
    /// A holder before ended without releasing it.
    Abandoned,
}
