//! A semaphore, as the host sees it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::AcquireError;
use super::host::{Held, tell};
use super::lock::acquired;
use super::object::{Handle, HolderId, Object};
use super::state::{SemaphoreState, Which, with};
use crate::ipc::call::{Answer, Op, Refusal};

/// Units that are taken and given back. A clone is the same semaphore.
///
/// Of a [`bounded`](Semaphore::bounded) one each unit belongs to who took it: nobody else gives it back, and where a
/// worker ends that has units, they come back by themselves. Any other takes units from anybody, and what a worker took
/// stays taken when it ends.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::Semaphore;
///
/// let licences = Semaphore::bounded(2);
/// let (a, b) = (licences.acquire(None)?, licences.acquire(None)?);
/// assert!(licences.acquire(Some(Duration::ZERO)).is_err());
/// drop(a);
/// assert_eq!(licences.value(), 1);
/// # drop(b);
/// # Ok::<_, wasmpool::objects::AcquireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Semaphore {
    pub(super) handle: Arc<Handle>,
}

/// A unit of a semaphore. Given back when this is dropped.
///
/// ```
/// let seats = wasmpool::objects::Semaphore::bounded(1);
/// let seat = seats.acquire(None)?;
/// assert_eq!(seats.value(), 0);
/// drop(seat);
/// assert_eq!(seats.value(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the unit is given back at once"]
pub struct Permit {
    semaphore: Semaphore,
    abandoned: bool,
    pub(super) held: Held,
}

/// Why a unit was not given to a semaphore.
///
/// ```
/// use wasmpool::objects::{ReleaseError, Semaphore};
///
/// let seats = Semaphore::bounded(1);
/// assert_eq!(seats.release(), Err(ReleaseError::TooMany(1)));
/// let _seat = seats.acquire(None)?;
/// // Nobody gives back what somebody else has.
/// assert_eq!(seats.release(), Err(ReleaseError::NotHeld));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReleaseError {
    /// A bounded semaphore takes units only from those who took them: drop the [`Permit`].
    #[error("the semaphore is bounded, and takes a unit only from who took it: drop its permit")]
    NotHeld,
    /// The semaphore would have more units than it may; the value is that bound.
    #[error("the semaphore has all of its {0} units, and takes no more")]
    TooMany(u32),
}

impl Semaphore {
    /// A semaphore with so many units, to which more may be given.
    ///
    /// ```
    /// let rounds = wasmpool::objects::Semaphore::new(0);
    /// rounds.release()?;
    /// drop(rounds.acquire(None)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(units: u32) -> Semaphore {
        Semaphore::with(units, false)
    }

    /// A semaphore with so many units, which never has more.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let licences = wasmpool::objects::Semaphore::bounded(1);
    /// let _licence = licences.acquire(None)?;
    /// assert!(licences.acquire(Some(Duration::ZERO)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bounded(units: u32) -> Semaphore {
        Semaphore::with(units, true)
    }

    fn with(units: u32, bounded: bool) -> Semaphore {
        let body = |_| SemaphoreState::new(units, bounded);
        let which = with(|state| state.add(None, Which::Semaphore, |s| &mut s.semaphores, body));
        Semaphore {
            handle: Handle::new(which),
        }
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let licences = wasmpool::objects::Semaphore::bounded(2).named("licences");
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Semaphore {
        with(|state| state.rename(self.handle.which, name));
        self
    }

    /// Takes one unit, waiting until there is one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::{AcquireError, Semaphore};
    ///
    /// let seats = Semaphore::new(0);
    /// let none = seats.acquire(Some(Duration::from_millis(1)));
    /// assert!(matches!(none, Err(AcquireError::TimedOut { .. })));
    /// ```
    ///
    /// # Errors
    /// [`AcquireError::TimedOut`].
    pub fn acquire(&self, timeout: Option<Duration>) -> Result<Permit, AcquireError> {
        let held = Held(HolderId::new());
        let object = Object::from(self);
        let abandoned = acquired(&object, &held, timeout)?;
        Ok(Permit {
            semaphore: self.clone(),
            abandoned,
            held,
        })
    }

    /// Gives one more unit to an unbounded semaphore.
    ///
    /// ```
    /// let items = wasmpool::objects::Semaphore::new(0);
    /// items.release()?;
    /// items.release()?;
    /// assert_eq!(items.value(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it is bounded, or has 4,294,967,295 units.
    pub fn release(&self) -> Result<(), ReleaseError> {
        match tell(&Object::from(self), self.handle.host, Op::Release).0 {
            Answer::Refused(Refusal::TooMany(bound)) => Err(ReleaseError::TooMany(bound)),
            Answer::Refused(_) => Err(ReleaseError::NotHeld),
            _ => Ok(()),
        }
    }

    /// How many units are free. By the time it is looked at, the number may be another.
    ///
    /// ```
    /// let seats = wasmpool::objects::Semaphore::bounded(3);
    /// let _seat = seats.acquire(None)?;
    /// assert_eq!(seats.value(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn value(&self) -> u32 {
        match tell(&Object::from(self), self.handle.host, Op::Value).0 {
            Answer::Number(units) => u32::try_from(units).unwrap_or(u32::MAX),
            _ => 0,
        }
    }
}

impl Permit {
    /// Whether a worker had this unit and ended without giving it back: look at what it stands for before relying on it.
    ///
    /// ```
    /// let printers = wasmpool::objects::Semaphore::bounded(1);
    /// let permit = printers.acquire(None)?;
    /// if permit.was_abandoned() {
    ///     // A worker was killed while it printed: reset the printer first.
    /// }
    /// # assert!(!permit.was_abandoned());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn was_abandoned(&self) -> bool {
        self.abandoned
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        tell(&Object::from(&self.semaphore), self.held.0, Op::Release);
    }
}
