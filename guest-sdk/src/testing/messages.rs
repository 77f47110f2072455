//! Queues and pipes of a test.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::shared::{for_ever, granted};
use crate::OpenError;
use crate::pipe::{ReceiveError, SendError};
use crate::queue::{Direction, GetError, PutError, TaskDoneError};

#[derive(Debug)]
pub(super) struct QueueState {
    name: String,
    bound: Option<usize>,
    joinable: bool,
    messages: RefCell<VecDeque<Vec<u8>>>,
    closed: Cell<bool>,
    /// Messages got and not yet confirmed; always none if the queue is not joinable.
    owed: Cell<u64>,
}

impl QueueState {
    pub fn new(name: &str, bound: Option<usize>, joinable: bool) -> Self {
        QueueState {
            name: name.to_owned(),
            bound,
            joinable,
            messages: RefCell::default(),
            closed: Cell::new(false),
            owed: Cell::new(0),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Queue(Rc<QueueState>);

impl Queue {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        granted("queue", name, |granted| &granted.queues).map(Queue)
    }

    pub(crate) fn direction(&self) -> Direction {
        Direction::Both
    }

    pub(crate) fn put(&self, message: &[u8], timeout: Option<Duration>) -> Result<(), PutError> {
        match self.try_put(message) {
            Err(PutError::Full) if timeout.is_none() => {
                for_ever(&format!("for room in the queue `{}`", self.0.name))
            }
            result => result,
        }
    }

    pub(crate) fn try_put(&self, message: &[u8]) -> Result<(), PutError> {
        if self.0.closed.get() {
            return Err(PutError::Closed);
        }
        let mut messages = self.0.messages.borrow_mut();
        if self.0.bound.is_some_and(|bound| messages.len() >= bound) {
            return Err(PutError::Full);
        }
        messages.push_back(message.to_vec());
        Ok(())
    }

    pub(crate) fn get(&self, timeout: Option<Duration>) -> Result<Vec<u8>, GetError> {
        match self.try_get() {
            Err(GetError::Empty) if timeout.is_none() => for_ever(&format!(
                "for a message in the queue `{}`, which is not closed",
                self.0.name
            )),
            result => result,
        }
    }

    pub(crate) fn try_get(&self) -> Result<Vec<u8>, GetError> {
        match self.0.messages.borrow_mut().pop_front() {
            Some(message) => {
                if self.0.joinable {
                    self.0.owed.update(|owed| owed + 1);
                }
                Ok(message)
            }
            None if self.0.closed.get() => Err(GetError::Closed),
            None => Err(GetError::Empty),
        }
    }

    pub(crate) fn put_many(
        &self,
        messages: &[Vec<u8>],
        timeout: Option<Duration>,
    ) -> Result<usize, PutError> {
        let Some((first, others)) = messages.split_first() else {
            return Ok(0);
        };
        self.put(first, timeout)?;
        let put = others.iter().take_while(|next| self.try_put(next).is_ok());
        Ok(1 + put.count())
    }

    pub(crate) fn get_many(
        &self,
        most: u32,
        timeout: Option<Duration>,
    ) -> Result<Vec<Vec<u8>>, GetError> {
        let Some(more) = most.checked_sub(1) else {
            return Ok(Vec::new());
        };
        let mut got = vec![self.get(timeout)?];
        got.extend((0..more).map_while(|_| self.try_get().ok()));
        Ok(got)
    }

    pub(crate) fn length(&self) -> u64 {
        self.0.messages.borrow().len() as u64
    }

    pub(crate) fn task_done(&self) -> Result<(), TaskDoneError> {
        if !self.0.joinable {
            return Err(TaskDoneError::NotJoinable);
        }
        let owed = self.0.owed.get().checked_sub(1);
        self.0.owed.set(owed.ok_or(TaskDoneError::NothingOwed)?);
        Ok(())
    }

    pub(crate) fn join(&self, timeout: Option<Duration>) -> bool {
        let (waiting, owed) = (self.length(), self.0.owed.get());
        let joined = waiting + owed == 0;
        if !joined && timeout.is_none() {
            let name = &self.0.name;
            for_ever(&format!(
                "for the queue `{name}`, with {waiting} messages to be taken and {owed} to be confirmed"
            ));
        }
        joined
    }

    pub(crate) fn close(&self) {
        self.0.closed.set(true);
    }
}

/// What one end sends and the other receives.
#[derive(Debug, Default)]
struct Direct {
    messages: RefCell<VecDeque<Vec<u8>>>,
    /// No more will be sent.
    finished: Cell<bool>,
    /// Nobody will receive any more.
    deaf: Cell<bool>,
}

/// One end of a pipe.
#[derive(Debug)]
pub(super) struct EndState {
    name: String,
    opened: Cell<bool>,
    sends: Rc<Direct>,
    receives: Rc<Direct>,
}

impl EndState {
    pub fn pair(one: &str, other: &str) -> (Self, Self) {
        let (there, back) = (Rc::new(Direct::default()), Rc::new(Direct::default()));
        let end = |name: &str, sends: &Rc<Direct>, receives: &Rc<Direct>| EndState {
            name: name.to_owned(),
            opened: Cell::new(false),
            sends: Rc::clone(sends),
            receives: Rc::clone(receives),
        };
        (end(one, &there, &back), end(other, &back, &there))
    }
}

#[derive(Debug)]
pub(crate) struct PipeEnd(Rc<EndState>);

impl PipeEnd {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let end = granted("end of a pipe", name, |granted| &granted.ends)?;
        if end.opened.replace(true) {
            return Err(OpenError::InUse {
                name: name.to_owned(),
            });
        }
        Ok(PipeEnd(end))
    }

    pub(crate) fn send(&self, message: &[u8], _: Option<Duration>) -> Result<(), SendError> {
        let sends = &self.0.sends;
        if sends.finished.get() {
            return Err(SendError::NotPermitted);
        }
        if sends.deaf.get() {
            return Err(SendError::Broken);
        }
        sends.messages.borrow_mut().push_back(message.to_vec());
        Ok(())
    }

    pub(crate) fn receive(&self, timeout: Option<Duration>) -> Result<Vec<u8>, ReceiveError> {
        let receives = &self.0.receives;
        match receives.messages.borrow_mut().pop_front() {
            Some(message) => Ok(message),
            None if receives.finished.get() => Err(ReceiveError::EndOfFile),
            None if timeout.is_some() => Err(ReceiveError::Empty),
            None => for_ever(&format!(
                "for a message at the end `{}` of a pipe",
                self.0.name
            )),
        }
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> bool {
        let receives = &self.0.receives;
        let ready = receives.finished.get() || !receives.messages.borrow().is_empty();
        if !ready && timeout.is_none() {
            for_ever(&format!(
                "for a message at the end `{}` of a pipe",
                self.0.name
            ));
        }
        ready
    }

    pub(crate) fn finish(&self) {
        self.0.sends.finished.set(true);
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.finish();
        self.0.receives.deaf.set(true);
    }
}
