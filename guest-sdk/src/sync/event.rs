//! Events.

use std::time::Duration;

use crate::{OpenError, host};

/// A flag to wait for.
#[derive(Debug)]
pub struct Event(host::Event);

impl Event {
    /// Opens a granted event.
    ///
    /// # Errors
    ///
    /// When no event of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Event::open(name).map(Event)
    }

    /// Sets the flag and wakes everybody who waits for it.
    pub fn set(&self) {
        self.0.set();
    }

    /// Clears the flag.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Whether the flag is set. By the time it is looked at, it may be otherwise.
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }

    /// Waits until the flag is set; only the item's deadline ends the wait.
    pub fn wait(&self) {
        self.0.wait(None);
    }

    /// As [`wait`](Self::wait), waiting no longer than this. False if that was too short.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.0.wait(Some(timeout))
    }
}
