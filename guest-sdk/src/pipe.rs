//! Pipes: two ends that send each other messages. A task or the host holds an end.
//!
//! Each direction is first in, first out, and bounded in messages and bytes. A message arrives whole or not at all.
//! When an end is dropped, or its holder ends, the other receives what was sent, then an end of file.
//!
//! ```
//! use wasmpool_guest::pipe::PipeEnd;
//! use wasmpool_guest::testing::Shared;
//!
//! /// Answers each question with its length.
//! fn answer(end: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let end = PipeEnd::open(end)?;
//!     for question in end.values::<String>() {
//!         end.send_value(&question?.len())?;
//!     }
//!     Ok(())
//! }
//!
//! Shared::new().pipe("questions", "answers").within(|| {
//!     let end = PipeEnd::open("questions").unwrap();
//!     end.send_value("how long is this?").unwrap();
//!     end.finish();
//!     answer("answers").unwrap();
//!     assert_eq!(end.receive_value(), Ok(17_usize));
//!     assert_eq!(end.receive(), Err(wasmpool_guest::pipe::ReceiveError::EndOfFile));
//! });
//! ```

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{self, MessageError};
use crate::{OpenError, host};

/// Why a message was not sent.
///
/// ```
/// use wasmpool_guest::pipe::{PipeEnd, SendError};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().pipe("here", "there").within(|| {
///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
///     drop(there);
///     assert_eq!(here.send(b"hello?"), Err(SendError::Broken));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The other end is closed, or its holder is gone: nobody will ever receive the message.
    Broken,
    /// There was no room: now, or until the timeout passed.
    Full,
    /// The message alone is larger than the pipe may hold.
    TooLarge {
        /// The pipe's bound, in bytes.
        limit: u64,
    },
    /// This end only receives, or has [finished](PipeEnd::finish).
    NotPermitted,
    /// The value is no message.
    Message(MessageError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Broken => f.write_str("the other end of the pipe is closed"),
            SendError::Full => f.write_str("the pipe is full"),
            SendError::TooLarge { limit } => {
                write!(
                    f,
                    "the message is larger than the pipe's bound of {limit} bytes"
                )
            }
            SendError::NotPermitted => {
                f.write_str("this end of the pipe only receives, or has finished")
            }
            SendError::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl From<MessageError> for SendError {
    fn from(error: MessageError) -> Self {
        SendError::Message(error)
    }
}

/// Why there is no message.
///
/// ```
/// use wasmpool_guest::pipe::{PipeEnd, ReceiveError};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().pipe("here", "there").within(|| {
///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
///     there.finish();
///     assert_eq!(here.receive(), Err(ReceiveError::EndOfFile));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The other end sends no more, and every message of it has been received.
    EndOfFile,
    /// No message came: now, or until the timeout passed.
    Empty,
    /// This end only sends.
    NotPermitted,
    /// A message came, which is no value of the type asked for. It is gone.
    Message(MessageError),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiveError::EndOfFile => f.write_str("the other end of the pipe sends no more"),
            ReceiveError::Empty => f.write_str("the pipe is empty"),
            ReceiveError::NotPermitted => f.write_str("this end of the pipe only sends"),
            ReceiveError::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReceiveError {}

impl From<MessageError> for ReceiveError {
    fn from(error: MessageError) -> Self {
        ReceiveError::Message(error)
    }
}

/// One end of a pipe. Dropping it closes it.
///
/// ```
/// use wasmpool_guest::pipe::PipeEnd;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().pipe("here", "there").within(|| {
///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
///     here.send(b"ping").unwrap();
///     assert_eq!(there.receive().unwrap(), b"ping");
///     there.send(b"pong").unwrap();
///     assert_eq!(here.receive().unwrap(), b"pong");
/// });
/// ```
#[derive(Debug)]
pub struct PipeEnd(host::PipeEnd);

impl PipeEnd {
    /// Opens a granted end.
    ///
    /// ```
    /// use wasmpool_guest::OpenError;
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let here = PipeEnd::open("here").unwrap();
    ///     // An end has one holder.
    ///     assert!(matches!(PipeEnd::open("here"), Err(OpenError::InUse { .. })));
    ///     # drop(here);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no end of this name was granted, it is open already, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::PipeEnd::open(name).map(PipeEnd)
    }

    /// Sends a message, waiting for room; only the item's deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::pipe::{PipeEnd, SendError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     here.send(b"hello").unwrap();
    ///     assert_eq!(there.receive().unwrap(), b"hello");
    ///     drop(there);
    ///     assert_eq!(here.send(b"hello?"), Err(SendError::Broken));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When nobody will receive it, it is too large for the pipe, or this end only receives.
    pub fn send(&self, message: &[u8]) -> Result<(), SendError> {
        self.0.send(message, None)
    }

    /// As [`send`](Self::send), waiting no longer than this; not at all with a timeout of zero.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     here.send_timeout(b"hello", Duration::from_secs(1)).unwrap();
    ///     assert_eq!(there.receive().unwrap(), b"hello");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `send`, and [`SendError::Full`].
    pub fn send_timeout(&self, message: &[u8], timeout: Duration) -> Result<(), SendError> {
        self.0.send(message, Some(timeout))
    }

    /// As [`send`](Self::send), of a value.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     here.send_value(&("page", 7_u32)).unwrap();
    ///     assert_eq!(there.receive_value(), Ok(("page".to_owned(), 7_u32)));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `send`, and when the value is no message.
    pub fn send_value<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), SendError> {
        self.send(&message::encode(value)?)
    }

    /// Receives the next message, waiting for one; only the item's deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::pipe::{PipeEnd, ReceiveError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     there.send(b"the last word").unwrap();
    ///     drop(there);
    ///     assert_eq!(here.receive().unwrap(), b"the last word");
    ///     assert_eq!(here.receive(), Err(ReceiveError::EndOfFile));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the other end sends no more, or this end only sends.
    pub fn receive(&self) -> Result<Vec<u8>, ReceiveError> {
        self.0.receive(None)
    }

    /// As [`receive`](Self::receive), waiting no longer than this; not at all with a timeout of zero.
    ///
    /// ```
    /// use wasmpool_guest::pipe::{PipeEnd, ReceiveError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     assert_eq!(here.receive_timeout(Duration::from_secs(1)), Err(ReceiveError::Empty));
    ///     # drop(there);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `receive`, and [`ReceiveError::Empty`].
    pub fn receive_timeout(&self, timeout: Duration) -> Result<Vec<u8>, ReceiveError> {
        self.0.receive(Some(timeout))
    }

    /// As [`receive`](Self::receive), of a value.
    ///
    /// ```
    /// use wasmpool_guest::pipe::{PipeEnd, ReceiveError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     there.send(b"no bool").unwrap();
    ///     assert!(matches!(here.receive_value::<bool>(), Err(ReceiveError::Message(_))));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `receive`, and when the message is no `T`; then it is gone.
    pub fn receive_value<T: DeserializeOwned>(&self) -> Result<T, ReceiveError> {
        Ok(message::decode(&self.receive()?)?)
    }

    /// Receives messages until the end of file. What is not granted is one error, then the end.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     there.send(b"a").unwrap();
    ///     there.send(b"b").unwrap();
    ///     there.finish();
    ///     assert_eq!(here.iter().count(), 2);
    /// });
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<Vec<u8>, ReceiveError>> {
        until_end_of_file(|| self.receive())
    }

    /// As [`iter`](Self::iter), of values. A message that is no `T` is an error, and the next one follows.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     there.send_value(&1_u32).unwrap();
    ///     there.send_value(&2_u32).unwrap();
    ///     there.finish();
    ///     let sum: Result<u32, _> = here.values::<u32>().sum();
    ///     assert_eq!(sum, Ok(3));
    /// });
    /// ```
    pub fn values<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, ReceiveError>> {
        until_end_of_file(|| self.receive_value())
    }

    /// Whether [`receive`](Self::receive) would return at once, with a message or an end of file.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     assert!(!here.poll());
    ///     there.send(b"news").unwrap();
    ///     assert!(here.poll());
    /// });
    /// ```
    pub fn poll(&self) -> bool {
        self.poll_timeout(Duration::ZERO)
    }

    /// As [`poll`](Self::poll), waiting for it no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     assert!(!here.poll_timeout(Duration::from_secs(1)));
    ///     # drop(there);
    /// });
    /// ```
    pub fn poll_timeout(&self, timeout: Duration) -> bool {
        self.0.poll(Some(timeout))
    }

    /// Sends no more: the other end receives what was sent, then an end of file. This end still receives.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     here.send(b"question").unwrap();
    ///     here.finish();
    ///     // The other end has it, and nothing more; the answer still comes.
    ///     assert_eq!(there.iter().count(), 1);
    ///     there.send(b"answer").unwrap();
    ///     assert_eq!(here.receive().unwrap(), b"answer");
    /// });
    /// ```
    pub fn finish(&self) {
        self.0.finish();
    }
}

/// What `receive` gives until the end of file. An error that would come again ends it too.
fn until_end_of_file<T>(
    mut receive: impl FnMut() -> Result<T, ReceiveError>,
) -> impl Iterator<Item = Result<T, ReceiveError>> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        match receive() {
            Err(ReceiveError::EndOfFile) => None,
            other => {
                ended = matches!(other, Err(ReceiveError::NotPermitted));
                Some(other)
            }
        }
    })
}
