//! A pipe, as the host sees it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::future;
use super::host::{ask, copy, tell};
use super::message::Message;
use super::object::{Handle, Object};
use super::state::{PipeState, Which, with};
use crate::ipc::call::{Answer, Op, Refusal};

/// Makes pipes: two ends that send each other messages.
///
/// Each direction is first in, first out, and bounded in messages and in bytes. A message arrives whole or not at all.
///
/// ```
/// use wasmpool::objects::{Pipe, ReceiveError};
///
/// let (here, there) = Pipe::new();
/// here.send(b"hello", None)?;
/// assert_eq!(there.receive(None)?, b"hello");
/// there.send(b"bye", None)?;
/// drop(there);
/// assert_eq!(here.receive(None)?, b"bye");
/// assert!(matches!(here.receive(None), Err(ReceiveError::EndOfFile)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pipe(());

/// How a pipe is made.
#[derive(Clone, Debug)]
#[must_use]
pub struct PipeBuilder {
    messages: usize,
    bytes: u64,
    one_way: bool,
    name: Option<String>,
}

/// One end of a pipe. Dropping it closes it: the other end receives what was sent, then an end of file. An end has one
/// holder; it is given away by moving it into a grant.
#[derive(Debug)]
pub struct PipeEnd {
    handle: Arc<Handle>,
}

/// Why a message was not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The other end is closed, or its holder is gone.
    #[error("the pipe is broken: nobody will ever receive the message")]
    Broken,
    /// There was no room until the timeout passed.
    #[error("the pipe is full, and there was no room until the timeout passed")]
    Full,
    /// The message alone is larger than the pipe's bound; the value is that bound in bytes.
    #[error(
        "the message is larger than all that the pipe holds, {0} bytes; make the pipe with more, or send parts"
    )]
    TooLarge(u64),
    /// This end only receives, or has finished.
    #[error("this end of the pipe only receives, or has finished")]
    NotPermitted,
    /// The system has no memory for it.
    #[error("there is no memory for the message")]
    Memory(#[source] io::Error),
}

/// Why there is no message.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// The other end is closed or has finished, or its holder is gone, and every message of it has been received.
    #[error("the other end of the pipe sends no more")]
    EndOfFile,
    /// No message came until the timeout passed.
    #[error("no message came through the pipe until the timeout passed")]
    Empty,
    /// This end only sends.
    #[error("this end of the pipe only sends")]
    NotPermitted,
    /// The system has no memory for the message, which is lost.
    #[error("there is no memory for the message, which is lost")]
    Memory(#[source] io::Error),
}

impl Pipe {
    /// A pipe in both directions, each of at most 65,536 messages and 64 MiB.
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> (PipeEnd, PipeEnd) {
        Pipe::builder().build()
    }

    /// A pipe with other bounds than those of [`new`](Pipe::new).
    pub fn builder() -> PipeBuilder {
        PipeBuilder {
            messages: super::queue::MESSAGES,
            bytes: super::queue::BYTES,
            one_way: false,
            name: None,
        }
    }
}

impl PipeBuilder {
    /// Messages in each direction at most, at least 1. By default 65,536.
    pub fn messages(mut self, messages: usize) -> PipeBuilder {
        self.messages = messages.max(1);
        self
    }

    /// Bytes of the messages in each direction together, at most, and so of one message. By default 64 MiB.
    pub fn bytes(mut self, bytes: u64) -> PipeBuilder {
        self.bytes = bytes;
        self
    }

    /// The first end only receives, and the second only sends.
    pub fn one_way(mut self) -> PipeBuilder {
        self.one_way = true;
        self
    }

    /// Calls it this in messages for people.
    pub fn name(mut self, name: &str) -> PipeBuilder {
        self.name = Some(name.into());
        self
    }

    /// Makes the pipe.
    pub fn build(self) -> (PipeEnd, PipeEnd) {
        let body = |_| PipeState::new(self.messages, self.bytes, self.one_way);
        let which = with(|state| {
            state.add(
                self.name.as_deref(),
                |id| Which::End(id, 0),
                |s| &mut s.pipes,
                body,
            )
        });
        let end = |side| {
            let end = PipeEnd {
                handle: Handle::new(Which::End(which.id(), side)),
            };
            end.tell(Op::OpenEnd);
            end
        };
        (end(0), end(1))
    }
}

impl PipeEnd {
    /// Sends a message, waiting for room.
    ///
    /// # Errors
    /// Says [`SendError`]; the message was not sent.
    pub fn send(&self, message: &[u8], timeout: Option<Duration>) -> Result<(), SendError> {
        let message = Message::new(message).map_err(SendError::Memory)?;
        match ask(
            &self.object(),
            self.handle.host,
            Op::Send,
            timeout,
            Some(message),
        )
        .0
        {
            Answer::Refused(Refusal::TimedOut) => Err(SendError::Full),
            Answer::Refused(Refusal::TooLarge(bound)) => Err(SendError::TooLarge(bound)),
            Answer::Refused(Refusal::NotPermitted) => Err(SendError::NotPermitted),
            Answer::Refused(_) => Err(SendError::Broken),
            _ => Ok(()),
        }
    }

    /// Receives the next message, waiting for one.
    ///
    /// # Errors
    /// Says [`ReceiveError`].
    pub fn receive(&self, timeout: Option<Duration>) -> Result<Vec<u8>, ReceiveError> {
        match ask(&self.object(), self.handle.host, Op::Receive, timeout, None) {
            (Answer::Message, message) => copy(&message).map_err(ReceiveError::Memory),
            (Answer::Refused(Refusal::TimedOut), _) => Err(ReceiveError::Empty),
            (Answer::Refused(Refusal::NotPermitted), _) => Err(ReceiveError::NotPermitted),
            _ => Err(ReceiveError::EndOfFile),
        }
    }

    /// Whether [`receive`](PipeEnd::receive) would return at once, with a message or an error; waits for it.
    pub fn poll(&self, timeout: Option<Duration>) -> bool {
        ask(&self.object(), self.handle.host, Op::Poll, timeout, None).0 == Answer::Flag(true)
    }

    /// The same without a thread that waits: completes when [`receive`](PipeEnd::receive) would return at once. A future
    /// that is dropped has changed nothing.
    pub fn poll_async(&self) -> impl Future<Output = ()> + Send + use<> {
        let call = future::call(self.object(), self.handle.host, Op::Poll(None), None);
        async move { drop(call.await) }
    }

    /// Sends no more: the other end receives what was sent, then an end of file. This end still receives.
    pub fn finish(&self) {
        self.tell(Op::Finish);
    }

    /// Gives the end away: whoever is granted it may open it, once.
    pub(crate) fn into_object(self) -> Object {
        if let Which::End(id, side) = self.handle.which {
            with(|state| {
                if let Some(pipe) = state.pipes.get_mut(&id) {
                    pipe.give_away(side);
                }
            });
        }
        self.object()
    }

    fn object(&self) -> Object {
        Object::End(self.handle.clone())
    }

    fn tell(&self, op: Op) {
        tell(&self.object(), self.handle.host, op);
    }
}
