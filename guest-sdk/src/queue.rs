//! Queues: first in, first out, between any number of producers and consumers, which are tasks and the host.
//!
//! A queue lives in the host and is bounded in messages and in bytes: a put waits while either bound is reached. A
//! message is delivered to exactly one consumer; those of one producer arrive in its order. A message is bytes; the
//! methods with `value` in their name take what serde carries, see [`message`].
//!
//! ```
//! use wasmpool_guest::queue::{GetError, PutError, Queue};
//! use wasmpool_guest::testing::Shared;
//!
//! /// Doubles what comes, until nothing more comes.
//! fn double(from: &str, to: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let (from, to) = (Queue::open(from)?, Queue::open(to)?);
//!     for number in from.values::<u64>() {
//!         to.put_value(&(2 * number?))?;
//!     }
//!     to.close();
//!     Ok(())
//! }
//!
//! Shared::new().queue("numbers").queue("doubled").within(|| {
//!     let numbers = Queue::open("numbers").unwrap();
//!     numbers.put_value(&1_u64).unwrap();
//!     numbers.put_value(&2_u64).unwrap();
//!     numbers.close();
//!     double("numbers", "doubled").unwrap();
//!     let doubled = Queue::open("doubled").unwrap();
//!     assert!(doubled.values::<u64>().eq([Ok(2), Ok(4)]));
//! });
//! ```
//!
//! # Work that must not get lost
//!
//! Of a *joinable* queue, as the host creates it, a consumer confirms each message with [`Queue::task_done`] once it
//! has dealt with it. What a consumer has not confirmed when it ends, however it ends, is delivered again, a bounded
//! number of times, so a message may be dealt with more than once. [`Queue::join`] waits until all are confirmed.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::message::{self, MessageError};
use crate::{OpenError, host};

/// What a grant allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Putting and closing.
    Put,
    /// Getting and confirming.
    Get,
    /// Everything.
    Both,
}

/// Why a message was not put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError {
    /// There was no room: now, or until the timeout passed.
    Full,
    /// The queue was closed.
    Closed,
    /// The message alone is larger than the queue may be.
    TooLarge {
        /// The queue's bound, in bytes.
        limit: u64,
    },
    /// The grant does not allow putting.
    NotPermitted,
    /// The value is no message.
    Message(MessageError),
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PutError::Full => f.write_str("the queue is full"),
            PutError::Closed => f.write_str("the queue is closed"),
            PutError::TooLarge { limit } => {
                write!(
                    f,
                    "the message is larger than the queue's bound of {limit} bytes"
                )
            }
            PutError::NotPermitted => f.write_str("the queue was granted for getting only"),
            PutError::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PutError {}

impl From<MessageError> for PutError {
    fn from(error: MessageError) -> Self {
        PutError::Message(error)
    }
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GetError {
    /// No message came: now, or until the timeout passed.
    Empty,
    /// The queue was closed and its last message delivered: there will never be another.
    Closed,
    /// The grant does not allow getting.
    NotPermitted,
    /// A message came, which is no value of the type asked for. It is gone.
    Message(MessageError),
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GetError::Empty => f.write_str("the queue is empty"),
            GetError::Closed => f.write_str("the queue is closed and has no more messages"),
            GetError::NotPermitted => f.write_str("the queue was granted for putting only"),
            GetError::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GetError {}

impl From<MessageError> for GetError {
    fn from(error: MessageError) -> Self {
        GetError::Message(error)
    }
}

/// Why [`Queue::task_done`] was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskDoneError {
    /// The queue was not created as a joinable one.
    NotJoinable,
    /// Every message that was got here is confirmed already.
    NothingOwed,
    /// The grant does not allow getting.
    NotPermitted,
}

impl fmt::Display for TaskDoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TaskDoneError::NotJoinable => {
                "the queue does not count what is dealt with: it was not created as a joinable one"
            }
            TaskDoneError::NothingOwed => "every message that was got here is confirmed already",
            TaskDoneError::NotPermitted => "the queue was granted for putting only",
        })
    }
}

impl std::error::Error for TaskDoneError {}

/// Messages at most that one call puts.
const SOME: usize = 1024;

/// A handle to one queue. Dropping it neither closes the queue nor loses a message.
#[derive(Debug)]
pub struct Queue(host::Queue);

impl Queue {
    /// Opens a granted queue. Opening a name twice gives two handles to the same queue.
    ///
    /// # Errors
    ///
    /// When no queue of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Queue::open(name).map(Queue)
    }

    /// What the grant allows.
    pub fn direction(&self) -> Direction {
        self.0.direction()
    }

    /// Appends a message, waiting for room; only the item's deadline ends the wait.
    ///
    /// # Errors
    ///
    /// When the queue is closed, the message too large for it, or putting not granted.
    pub fn put(&self, message: &[u8]) -> Result<(), PutError> {
        self.0.put(message, None)
    }

    /// As [`put`](Self::put), waiting no longer than this.
    ///
    /// # Errors
    ///
    /// As `put`, and [`PutError::Full`].
    pub fn put_timeout(&self, message: &[u8], timeout: Duration) -> Result<(), PutError> {
        self.0.put(message, Some(timeout))
    }

    /// Appends a message if there is room now.
    ///
    /// # Errors
    ///
    /// As `put`, and [`PutError::Full`].
    pub fn try_put(&self, message: &[u8]) -> Result<(), PutError> {
        self.0.try_put(message)
    }

    /// Appends messages in their order, waiting for room where there is none. Many small messages cost little more in
    /// this way than one.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), of the first message that was not put. How many were is not told: put them singly, or with
    /// [`put_some`](Self::put_some), where that matters.
    pub fn put_all<M: Into<Vec<u8>>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<(), PutError> {
        let mut messages = messages.into_iter().map(M::into);
        loop {
            let some: Vec<Vec<u8>> = messages.by_ref().take(SOME).collect();
            if some.is_empty() {
                return Ok(());
            }
            let mut put = 0;
            while put < some.len() {
                put += self.put_some(&some[put..])?;
            }
        }
    }

    /// Appends the first of these messages, waiting for room, and as many of the others as there is room for at once, and
    /// as fit into one call: some 60 KiB. How many were put: always the first ones, and none only of none.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), of the first message.
    pub fn put_some(&self, messages: &[Vec<u8>]) -> Result<usize, PutError> {
        let messages = &messages[..messages.len().min(SOME)];
        Ok(self.0.put_many(messages, None)?.min(messages.len()))
    }

    /// As [`put`](Self::put), of a value.
    ///
    /// # Errors
    ///
    /// As `put`, and when the value is no message.
    pub fn put_value<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), PutError> {
        self.put(&message::encode(value)?)
    }

    /// Takes the first message, waiting for one; only the item's deadline ends the wait.
    ///
    /// # Errors
    ///
    /// When the queue is closed and empty, or getting not granted.
    pub fn get(&self) -> Result<Vec<u8>, GetError> {
        self.0.get(None)
    }

    /// As [`get`](Self::get), waiting no longer than this.
    ///
    /// # Errors
    ///
    /// As `get`, and [`GetError::Empty`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<Vec<u8>, GetError> {
        self.0.get(Some(timeout))
    }

    /// Takes the first message if there is one now.
    ///
    /// # Errors
    ///
    /// As `get`, and [`GetError::Empty`].
    pub fn try_get(&self) -> Result<Vec<u8>, GetError> {
        self.0.try_get()
    }

    /// Takes the first message, waiting for one, and with it those that are there already: at most `most`, and no more
    /// than some 60 KiB. They are this consumer's from then on, so a slow one leaves more to others with a small `most`.
    /// Of a joinable queue each is confirmed by itself.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn get_some(&self, most: usize) -> Result<Vec<Vec<u8>>, GetError> {
        self.0
            .get_many(u32::try_from(most).unwrap_or(u32::MAX), None)
    }

    /// As [`get`](Self::get), of a value.
    ///
    /// # Errors
    ///
    /// As `get`, and when the message is no `T`; then it is gone.
    pub fn get_value<T: DeserializeOwned>(&self) -> Result<T, GetError> {
        Ok(message::decode(&self.get()?)?)
    }

    /// Takes messages until the queue is closed and empty. What is not granted is one error, then the end.
    pub fn iter(&self) -> impl Iterator<Item = Result<Vec<u8>, GetError>> {
        until_closed(|| self.get())
    }

    /// As [`iter`](Self::iter), of values. A message that is no `T` is an error, and the next one follows.
    pub fn values<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, GetError>> {
        until_closed(|| self.get_value())
    }

    /// How many messages wait to be taken. Others put and get meanwhile: by the time it is looked at, the number may be
    /// another.
    pub fn len(&self) -> u64 {
        self.0.length()
    }

    /// Whether no message waits, with the same reservation as [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Confirms that a message of a joinable queue has been dealt with: the one that was got first of those not yet
    /// confirmed.
    ///
    /// # Errors
    ///
    /// When the queue is not joinable, nothing is left to confirm, or getting not granted.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        self.0.task_done()
    }

    /// Waits until every message that was ever put has been taken and, in a joinable queue, confirmed; only the item's
    /// deadline ends the wait.
    pub fn join(&self) {
        self.0.join(None);
    }

    /// As [`join`](Self::join), waiting no longer than this. False if that was too short.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.0.join(Some(timeout))
    }

    /// Takes no more messages; those already there are still delivered. Closing twice is no error; without the right to
    /// put it does nothing.
    pub fn close(&self) {
        self.0.close();
    }
}

/// What `get` gives until it says that there will never be more. An error that would come again ends it too.
fn until_closed<T>(
    mut get: impl FnMut() -> Result<T, GetError>,
) -> impl Iterator<Item = Result<T, GetError>> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        match get() {
            Err(GetError::Closed) => None,
            other => {
                ended = matches!(other, Err(GetError::NotPermitted));
                Some(other)
            }
        }
    })
}
