//! Events.

use std::time::Duration;

use crate::{OpenError, host};

/// A flag to wait for.
///
/// ```
/// use wasmpool_guest::sync::Event;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().event("stop").within(|| {
///     let stop = Event::open("stop").unwrap();
///     assert!(!stop.is_set());
///     stop.set();
///     stop.wait();
/// });
/// ```
#[derive(Debug)]
pub struct Event(host::Event);

impl Event {
    /// Opens a granted event.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     let stop = Event::open("stop").unwrap();
    ///     # drop(stop);
    ///     assert!(Event::open("start").is_err());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no event of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Event::open(name).map(Event)
    }

    /// Sets the flag and wakes everybody who waits for it.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     let stop = Event::open("stop").unwrap();
    ///     stop.set();
    ///     assert!(stop.is_set());
    /// });
    /// ```
    pub fn set(&self) {
        self.0.set();
    }

    /// Clears the flag.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     let stop = Event::open("stop").unwrap();
    ///     stop.set();
    ///     stop.clear();
    ///     assert!(!stop.is_set());
    /// });
    /// ```
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Whether the flag is set. By the time it is looked at, it may be otherwise.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     let stop = Event::open("stop").unwrap();
    ///     let mut rounds = 0;
    ///     while !stop.is_set() {
    ///         rounds += 1;
    ///         # if rounds == 3 { stop.set(); }
    ///     }
    /// });
    /// ```
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until the flag is set; only the item's deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     let stop = Event::open("stop").unwrap();
    ///     stop.set();
    ///     stop.wait();
    /// });
    /// ```
    pub fn wait(&self) {
        self.0.wait(None);
    }

    /// As [`wait`](Self::wait), waiting no longer than this. False if that was too short.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let stop = Event::open("stop").unwrap();
    ///     assert!(!stop.wait_timeout(Duration::from_secs(1)));
    /// });
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.0.wait(Some(timeout))
    }
}
