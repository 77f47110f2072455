//! A barrier, as the host sees it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::host::{ask, tell};
use super::object::{Handle, Object};
use super::state::{BarrierState, Which, with};
use crate::ipc::call::{Answer, Op, Refusal};

/// Opens when a number of parties wait at it, for all of them at once; then it is closed again. A clone is the same
/// barrier.
///
/// It is broken when the timeout of one of those who wait passes, or one of them ends; then nobody passes any more,
/// until [`reset`](Barrier::reset).
///
/// ```
/// use wasmpool::objects::Barrier;
///
/// let barrier = Barrier::new(2);
/// let other = barrier.clone();
/// let thread = std::thread::spawn(move || other.wait(None).unwrap());
/// let mut numbers = [barrier.wait(None).unwrap(), thread.join().unwrap()];
/// numbers.sort();
/// assert_eq!(numbers, [0, 1]);
/// ```
#[derive(Clone, Debug)]
pub struct Barrier {
    pub(super) handle: Arc<Handle>,
    parties: u32,
}

/// Why a barrier did not open.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::{Barrier, BarrierError};
///
/// let barrier = Barrier::new(2);
/// // The other does not come: the barrier is broken, for those who come later too.
/// assert_eq!(barrier.wait(Some(Duration::ZERO)), Err(BarrierError::TimedOut));
/// assert_eq!(barrier.wait(None), Err(BarrierError::Broken));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BarrierError {
    /// The timeout passed. The barrier is broken for the others.
    #[error("the others did not come to the barrier in time; it is broken now, until `reset`")]
    TimedOut,
    /// Somebody's timeout passed, somebody ended while waiting, or `abort` or `reset` was called.
    #[error(
        "the barrier is broken: somebody gave up waiting, ended, or aborted it; `reset` mends it"
    )]
    Broken,
}

impl Barrier {
    /// A barrier for so many parties, at least 1.
    ///
    /// ```
    /// use wasmpool::objects::Barrier;
    ///
    /// // A barrier of one is always open.
    /// assert_eq!(Barrier::new(1).wait(None)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(parties: u32) -> Barrier {
        let parties = parties.max(1);
        let which = with(|state| {
            state.add(
                None,
                Which::Barrier,
                |s| &mut s.barriers,
                |_| BarrierState::new(parties),
            )
        });
        Barrier {
            handle: Handle::new(which),
            parties,
        }
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let start = wasmpool::objects::Barrier::new(4).named("start");
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Barrier {
        with(|state| state.rename(self.handle.which, name));
        self
    }

    /// How many parties it takes.
    ///
    /// ```
    /// assert_eq!(wasmpool::objects::Barrier::new(4).parties(), 4);
    /// ```
    pub fn parties(&self) -> u32 {
        self.parties
    }

    /// How many wait now. By the time it is looked at, the number may be another.
    ///
    /// ```
    /// let barrier = wasmpool::objects::Barrier::new(2);
    /// assert_eq!(barrier.waiting(), 0);
    /// let other = barrier.clone();
    /// let thread = std::thread::spawn(move || other.wait(None));
    /// while barrier.waiting() == 0 {
    ///     std::thread::yield_now();
    /// }
    /// barrier.wait(None)?;
    /// # thread.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn waiting(&self) -> u32 {
        match self.tell(Op::Value) {
            Answer::Number(waiting) => u32::try_from(waiting).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    /// Waits for the others. Returns a number from 0 to `parties` - 1, a different one to each of them.
    ///
    /// ```
    /// use wasmpool::objects::Barrier;
    ///
    /// let barrier = Barrier::new(3);
    /// let round = || match barrier.wait(None) {
    ///     Ok(0) => println!("all three are here"),
    ///     Ok(_) => {}
    ///     Err(error) => eprintln!("{error}"),
    /// };
    /// std::thread::scope(|scope| {
    ///     for _ in 0..3 {
    ///         scope.spawn(round);
    ///     }
    /// });
    /// ```
    ///
    /// # Errors
    /// If the timeout passed, or the barrier is broken.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<u32, BarrierError> {
        match ask(
            &Object::from(self),
            self.handle.host,
            Op::AwaitOthers,
            timeout,
            None,
        )
        .0
        {
            Answer::Number(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
            Answer::Refused(Refusal::TimedOut) => Err(BarrierError::TimedOut),
            _ => Err(BarrierError::Broken),
        }
    }

    /// Breaks it: all who wait at it, and all who come before a `reset`, get [`BarrierError::Broken`].
    ///
    /// ```
    /// use wasmpool::objects::{Barrier, BarrierError};
    ///
    /// let barrier = Barrier::new(2);
    /// barrier.abort();
    /// assert_eq!(barrier.wait(None), Err(BarrierError::Broken));
    /// ```
    pub fn abort(&self) {
        self.tell(Op::Abort);
    }

    /// Makes it usable again. Those who wait at it get [`BarrierError::Broken`].
    ///
    /// ```
    /// let barrier = wasmpool::objects::Barrier::new(1);
    /// barrier.abort();
    /// barrier.reset();
    /// assert_eq!(barrier.wait(None), Ok(0));
    /// ```
    pub fn reset(&self) {
        self.tell(Op::Reset);
    }

    /// Whether it is broken.
    ///
    /// ```
    /// let barrier = wasmpool::objects::Barrier::new(2);
    /// assert!(!barrier.is_broken());
    /// barrier.abort();
    /// assert!(barrier.is_broken());
    /// ```
    pub fn is_broken(&self) -> bool {
        self.tell(Op::Is) == Answer::Flag(true)
    }

    fn tell(&self, op: Op) -> Answer {
        tell(&Object::from(self), self.handle.host, op).0
    }
}
