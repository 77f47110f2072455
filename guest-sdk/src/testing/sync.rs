//! What tasks agree by, of a test: there is one holder, and nobody to wait for.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::shared::{for_ever, granted};
use crate::OpenError;
use crate::sync::{AcquireError, Acquired, BarrierError, ReleaseError, WaitError};

#[derive(Debug)]
pub(super) struct LockState {
    recursive: bool,
    abandoned: Cell<bool>,
    /// How often it is held.
    depth: Cell<u32>,
}

impl LockState {
    pub fn new(recursive: bool, abandoned: bool) -> Self {
        LockState {
            recursive,
            abandoned: Cell::new(abandoned),
            depth: Cell::new(0),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Lock(Rc<LockState>);

impl Lock {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        granted("lock", name, |granted| &granted.locks).map(Lock)
    }

    pub(crate) fn acquire(&self, _: Option<Duration>) -> Result<Acquired, AcquireError> {
        let depth = self.0.depth.get();
        if depth > 0 && !self.0.recursive {
            return Err(AcquireError::AlreadyHeld);
        }
        self.0.depth.set(depth + 1);
        Ok(match self.0.abandoned.take() {
            true => Acquired::Abandoned,
            false => Acquired::Clean,
        })
    }

    pub(crate) fn release(&self) -> Result<(), ReleaseError> {
        let depth = self.0.depth.get().checked_sub(1);
        self.0.depth.set(depth.ok_or(ReleaseError::NotHeld)?);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct SemaphoreState {
    name: String,
    initial: u32,
    value: Cell<u32>,
}

impl SemaphoreState {
    pub fn new(name: &str, value: u32) -> Self {
        SemaphoreState {
            name: name.to_owned(),
            initial: value,
            value: Cell::new(value),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Semaphore(Rc<SemaphoreState>);

impl Semaphore {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        granted("semaphore", name, |granted| &granted.semaphores).map(Semaphore)
    }

    pub(crate) fn acquire(&self, timeout: Option<Duration>) -> Result<Acquired, AcquireError> {
        match self.0.value.get().checked_sub(1) {
            Some(left) => {
                self.0.value.set(left);
                Ok(Acquired::Clean)
            }
            None if timeout.is_some() => Err(AcquireError::TimedOut),
            None => for_ever(&format!("for a unit of the semaphore `{}`", self.0.name)),
        }
    }

    pub(crate) fn release(&self) -> Result<(), ReleaseError> {
        let (value, limit) = (self.0.value.get(), self.0.initial);
        if value >= limit {
            return Err(ReleaseError::TooMany { limit });
        }
        self.0.value.set(value + 1);
        Ok(())
    }

    pub(crate) fn value(&self) -> u32 {
        self.0.value.get()
    }
}

#[derive(Debug)]
pub(super) struct EventState {
    name: String,
    set: Cell<bool>,
}

impl EventState {
    pub fn new(name: &str) -> Self {
        EventState {
            name: name.to_owned(),
            set: Cell::new(false),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Event(Rc<EventState>);

impl Event {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        granted("event", name, |granted| &granted.events).map(Event)
    }

    pub(crate) fn set(&self) {
        self.0.set.set(true);
    }

    pub(crate) fn clear(&self) {
        self.0.set.set(false);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.set.get()
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let set = self.is_set();
        if !set && timeout.is_none() {
            for_ever(&format!("for the event `{}`", self.0.name));
        }
        set
    }
}

#[derive(Debug)]
pub(crate) struct Condition {
    name: String,
    lock: Rc<LockState>,
}

impl Condition {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let lock = granted("condition", name, |granted| &granted.conditions)?;
        Ok(Condition {
            name: name.to_owned(),
            lock,
        })
    }

    fn held(&self) -> bool {
        self.lock.depth.get() > 0
    }

    pub(crate) fn lock(&self) -> Lock {
        Lock(Rc::clone(&self.lock))
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Acquired, WaitError> {
        match timeout {
            _ if !self.held() => Err(WaitError::NotHeld),
            Some(_) => Err(WaitError::TimedOut),
            None => for_ever(&format!("for the condition `{}`", self.name)),
        }
    }

    pub(crate) fn notify(&self, _count: u32) -> Result<u32, ReleaseError> {
        self.notify_all()
    }

    pub(crate) fn notify_all(&self) -> Result<u32, ReleaseError> {
        match self.held() {
            true => Ok(0),
            false => Err(ReleaseError::NotHeld),
        }
    }
}

#[derive(Debug)]
pub(super) struct BarrierState {
    name: String,
    parties: u32,
    broken: Cell<bool>,
}

impl BarrierState {
    pub fn new(name: &str, parties: u32) -> Self {
        BarrierState {
            name: name.to_owned(),
            parties,
            broken: Cell::new(false),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Barrier(Rc<BarrierState>);

impl Barrier {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        granted("barrier", name, |granted| &granted.barriers).map(Barrier)
    }

    pub(crate) fn parties(&self) -> u32 {
        self.0.parties
    }

    pub(crate) fn waiting(&self) -> u32 {
        0
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<u32, BarrierError> {
        if self.is_broken() {
            return Err(BarrierError::Broken);
        }
        match timeout {
            _ if self.0.parties <= 1 => Ok(0),
            Some(_) => {
                self.abort();
                Err(BarrierError::TimedOut)
            }
            None => for_ever(&format!("for the others at the barrier `{}`", self.0.name)),
        }
    }

    pub(crate) fn abort(&self) {
        self.0.broken.set(true);
    }

    pub(crate) fn reset(&self) {
        self.0.broken.set(false);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.broken.get()
    }
}
