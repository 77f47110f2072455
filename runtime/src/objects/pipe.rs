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
///
/// ```
/// use wasmpool::objects::Pipe;
///
/// let (here, there) = Pipe::builder().messages(100).name("answers").build();
/// # drop((here, there));
/// ```
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
///
/// ```
/// use wasmpool::objects::Pipe;
///
/// // One end for this program; the other is given away: `Pool::builder().pipe("answers", there)`.
/// let (here, there) = Pipe::new();
/// drop(there);
/// assert!(here.receive(None).is_err(), "nobody is at the other end any more");
/// ```
#[derive(Debug)]
pub struct PipeEnd {
    handle: Arc<Handle>,
}

/// Why a message was not sent.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::{Pipe, SendError};
///
/// let (here, there) = Pipe::builder().messages(1).build();
/// here.send(b"first", None)?;
/// assert!(matches!(here.send(b"second", Some(Duration::ZERO)), Err(SendError::Full)));
/// drop(there);
/// assert!(matches!(here.send(b"third", None), Err(SendError::Broken)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::{Pipe, ReceiveError};
///
/// let (here, there) = Pipe::new();
/// assert!(matches!(here.receive(Some(Duration::ZERO)), Err(ReceiveError::Empty)));
/// drop(there);
/// assert!(matches!(here.receive(None), Err(ReceiveError::EndOfFile)));
/// ```
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
    ///
    /// ```
    /// let (here, there) = wasmpool::objects::Pipe::new();
    /// here.send(b"ping", None)?;
    /// assert_eq!(there.receive(None)?, b"ping");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> (PipeEnd, PipeEnd) {
        Pipe::builder().build()
    }

    /// A pipe with other bounds than those of [`new`](Pipe::new).
    ///
    /// ```
    /// use wasmpool::objects::{Pipe, SendError};
    ///
    /// let (here, _there) = Pipe::builder().bytes(3).build();
    /// assert!(matches!(here.send(b"four", None), Err(SendError::TooLarge(3))));
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (here, _there) = wasmpool::objects::Pipe::builder().messages(1).build();
    /// here.send(b"first", None)?;
    /// assert!(here.send(b"second", Some(Duration::ZERO)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn messages(mut self, messages: usize) -> PipeBuilder {
        self.messages = messages.max(1);
        self
    }

    /// Bytes of the messages in each direction together, at most, and so of one message. By default 64 MiB.
    ///
    /// ```
    /// let (here, _there) = wasmpool::objects::Pipe::builder().bytes(1 << 20).build();
    /// # drop(here);
    /// ```
    pub fn bytes(mut self, bytes: u64) -> PipeBuilder {
        self.bytes = bytes;
        self
    }

    /// The first end only receives, and the second only sends.
    ///
    /// ```
    /// use wasmpool::objects::{Pipe, SendError};
    ///
    /// let (receiver, sender) = Pipe::builder().one_way().build();
    /// sender.send(b"news", None)?;
    /// assert_eq!(receiver.receive(None)?, b"news");
    /// assert!(matches!(receiver.send(b"answer", None), Err(SendError::NotPermitted)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn one_way(mut self) -> PipeBuilder {
        self.one_way = true;
        self
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let (here, there) = wasmpool::objects::Pipe::builder().name("answers").build();
    /// # drop((here, there));
    /// ```
    pub fn name(mut self, name: &str) -> PipeBuilder {
        self.name = Some(name.into());
        self
    }

    /// Makes the pipe.
    ///
    /// ```
    /// let (here, there) = wasmpool::objects::Pipe::builder().messages(10).build();
    /// # drop((here, there));
    /// ```
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
    /// ```
    /// use wasmpool::objects::{Pipe, SendError};
    ///
    /// let (here, there) = Pipe::new();
    /// here.send(b"hello", None)?;
    /// drop(there);
    /// // Nobody will ever receive it: no use to wait.
    /// assert!(matches!(here.send(b"hello?", None), Err(SendError::Broken)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// ```
    /// use wasmpool::objects::{Pipe, ReceiveError};
    ///
    /// let (here, there) = Pipe::new();
    /// there.send(b"the last word", None)?;
    /// drop(there);
    /// assert_eq!(here.receive(None)?, b"the last word");
    /// assert!(matches!(here.receive(None), Err(ReceiveError::EndOfFile)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (here, there) = wasmpool::objects::Pipe::new();
    /// assert!(!here.poll(Some(Duration::from_millis(1))));
    /// there.send(b"news", None)?;
    /// assert!(here.poll(None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll(&self, timeout: Option<Duration>) -> bool {
        ask(&self.object(), self.handle.host, Op::Poll, timeout, None).0 == Answer::Flag(true)
    }

    /// The same without a thread that waits: completes when [`receive`](PipeEnd::receive) would return at once. A future
    /// that is dropped has changed nothing.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Waker}};
    /// let (here, there) = wasmpool::objects::Pipe::new();
    /// let mut ready = pin!(here.poll_async());
    /// # let mut context = Context::from_waker(Waker::noop());
    /// assert!(ready.as_mut().poll(&mut context).is_pending());
    /// there.send(b"news", None)?;
    /// assert!(ready.as_mut().poll(&mut context).is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll_async(&self) -> impl Future<Output = ()> + Send + use<> {
        let call = future::call(self.object(), self.handle.host, Op::Poll(None), None);
        async move { drop(call.await) }
    }

    /// Sends no more: the other end receives what was sent, then an end of file. This end still receives.
    ///
    /// ```
    /// let (here, there) = wasmpool::objects::Pipe::new();
    /// here.send(b"question", None)?;
    /// here.finish();
    /// assert_eq!(there.receive(None)?, b"question");
    /// assert!(there.receive(None).is_err(), "there is no second one");
    /// there.send(b"answer", None)?;
    /// assert_eq!(here.receive(None)?, b"answer");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
