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
///
/// ```
/// use wasmpool_guest::queue::{Direction, Queue};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().queue("jobs").within(|| {
///     let jobs = Queue::open("jobs").unwrap();
///     assert_eq!(jobs.direction(), Direction::Both);
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::queue::{PutError, Queue};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().bounded_queue("jobs", 1).within(|| {
///     let jobs = Queue::open("jobs").unwrap();
///     jobs.put(b"first").unwrap();
///     assert_eq!(jobs.try_put(b"second"), Err(PutError::Full));
///     jobs.close();
///     assert_eq!(jobs.put(b"third"), Err(PutError::Closed));
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::queue::{GetError, Queue};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().queue("jobs").within(|| {
///     let jobs = Queue::open("jobs").unwrap();
///     assert_eq!(jobs.try_get(), Err(GetError::Empty));
///     jobs.close();
///     assert_eq!(jobs.get(), Err(GetError::Closed));
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::queue::{Queue, TaskDoneError};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().queue("letters").joinable_queue("jobs").within(|| {
///     assert_eq!(Queue::open("letters").unwrap().task_done(), Err(TaskDoneError::NotJoinable));
///     assert_eq!(Queue::open("jobs").unwrap().task_done(), Err(TaskDoneError::NothingOwed));
/// });
/// ```
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
///
/// ```
/// use wasmpool_guest::queue::Queue;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().queue("letters").within(|| {
///     let letters = Queue::open("letters").unwrap();
///     letters.put(b"a").unwrap();
///     letters.put(b"b").unwrap();
///     assert_eq!(letters.get().unwrap(), b"a");
/// });
/// ```
#[derive(Debug)]
pub struct Queue(host::Queue);

impl Queue {
    /// Opens a granted queue. Opening a name twice gives two handles to the same queue.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     assert!(Queue::open("letters").is_ok());
    ///     assert_eq!(
    ///         Queue::open("parcels").unwrap_err().to_string(),
    ///         "no queue named `parcels` was granted: the pool's owner grants it by its name"
    ///     );
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no queue of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Queue::open(name).map(Queue)
    }

    /// What the grant allows.
    ///
    /// ```
    /// use wasmpool_guest::queue::{Direction, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     assert!(letters.direction() != Direction::Get, "this task may put");
    /// });
    /// ```
    pub fn direction(&self) -> Direction {
        self.0.direction()
    }

    /// Appends a message, waiting for room; only the item's deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::queue::{PutError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"hello").unwrap();
    ///     letters.close();
    ///     assert_eq!(letters.put(b"too late"), Err(PutError::Closed));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the queue is closed, the message too large for it, or putting not granted.
    pub fn put(&self, message: &[u8]) -> Result<(), PutError> {
        self.0.put(message, None)
    }

    /// As [`put`](Self::put), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::queue::{PutError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().bounded_queue("letters", 1).within(|| {
    ///     use std::time::Duration;
    ///
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"first").unwrap();
    ///     let second = letters.put_timeout(b"second", Duration::from_secs(1));
    ///     assert_eq!(second, Err(PutError::Full));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `put`, and [`PutError::Full`].
    pub fn put_timeout(&self, message: &[u8], timeout: Duration) -> Result<(), PutError> {
        self.0.put(message, Some(timeout))
    }

    /// Appends a message if there is room now.
    ///
    /// ```
    /// use wasmpool_guest::queue::{PutError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().bounded_queue("letters", 1).within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.try_put(b"first").unwrap();
    ///     assert_eq!(letters.try_put(b"second"), Err(PutError::Full));
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("words").within(|| {
    ///     let words = Queue::open("words").unwrap();
    ///     words.put_all("to be or not to be".split(' ')).unwrap();
    ///     assert_eq!(words.len(), 6);
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("words").within(|| {
    ///     let words = Queue::open("words").unwrap();
    ///     let messages = [b"to".to_vec(), b"be".to_vec()];
    ///     let mut put = 0;
    ///     while put < messages.len() {
    ///         put += words.put_some(&messages[put..]).unwrap();
    ///     }
    ///     assert_eq!(words.len(), 2);
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("pages").within(|| {
    ///     let pages = Queue::open("pages").unwrap();
    ///     pages.put_value(&("cover", 1_u32)).unwrap();
    ///     assert_eq!(pages.get_value(), Ok(("cover".to_owned(), 1_u32)));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `put`, and when the value is no message.
    pub fn put_value<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), PutError> {
        self.put(&message::encode(value)?)
    }

    /// Takes the first message, waiting for one; only the item's deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::queue::{GetError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"hello").unwrap();
    ///     letters.close();
    ///     assert_eq!(letters.get().unwrap(), b"hello");
    ///     assert_eq!(letters.get(), Err(GetError::Closed));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the queue is closed and empty, or getting not granted.
    pub fn get(&self) -> Result<Vec<u8>, GetError> {
        self.0.get(None)
    }

    /// As [`get`](Self::get), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::queue::{GetError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let letters = Queue::open("letters").unwrap();
    ///     assert_eq!(letters.get_timeout(Duration::from_secs(1)), Err(GetError::Empty));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `get`, and [`GetError::Empty`].
    pub fn get_timeout(&self, timeout: Duration) -> Result<Vec<u8>, GetError> {
        self.0.get(Some(timeout))
    }

    /// Takes the first message if there is one now.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"hello").unwrap();
    ///     while let Ok(letter) = letters.try_get() {
    ///         assert_eq!(letter, b"hello");
    ///     }
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("words").within(|| {
    ///     let words = Queue::open("words").unwrap();
    ///     words.put_all(["to", "be", "or"]).unwrap();
    ///     // One call of the host, not two.
    ///     assert_eq!(words.get_some(2).unwrap(), [b"to", b"be"]);
    /// });
    /// ```
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
    /// ```
    /// use wasmpool_guest::queue::{GetError, Queue};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("numbers").within(|| {
    ///     let numbers = Queue::open("numbers").unwrap();
    ///     numbers.put_value(&42_u32).unwrap();
    ///     assert_eq!(numbers.get_value::<u32>(), Ok(42));
    ///
    ///     numbers.put(b"no number, and longer than one").unwrap();
    ///     assert!(matches!(numbers.get_value::<u32>(), Err(GetError::Message(_))));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `get`, and when the message is no `T`; then it is gone.
    pub fn get_value<T: DeserializeOwned>(&self) -> Result<T, GetError> {
        Ok(message::decode(&self.get()?)?)
    }

    /// Takes messages until the queue is closed and empty. What is not granted is one error, then the end.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put_all(["a", "b"]).unwrap();
    ///     letters.close();
    ///     assert_eq!(letters.iter().count(), 2);
    /// });
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<Vec<u8>, GetError>> {
        until_closed(|| self.get())
    }

    /// As [`iter`](Self::iter), of values. A message that is no `T` is an error, and the next one follows.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("numbers").within(|| {
    ///     let numbers = Queue::open("numbers").unwrap();
    ///     numbers.put_value(&1_u32).unwrap();
    ///     numbers.put_value(&2_u32).unwrap();
    ///     numbers.close();
    ///     let sum: Result<u32, _> = numbers.values::<u32>().sum();
    ///     assert_eq!(sum, Ok(3));
    /// });
    /// ```
    pub fn values<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, GetError>> {
        until_closed(|| self.get_value())
    }

    /// How many messages wait to be taken. Others put and get meanwhile: by the time it is looked at, the number may be
    /// another.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"hello").unwrap();
    ///     assert_eq!(letters.len(), 1);
    /// });
    /// ```
    pub fn len(&self) -> u64 {
        self.0.length()
    }

    /// Whether no message waits, with the same reservation as [`len`](Self::len).
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     assert!(Queue::open("letters").unwrap().is_empty());
    /// });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Confirms that a message of a joinable queue has been dealt with: the one that was got first of those not yet
    /// confirmed.
    ///
    /// ```
    /// use wasmpool_guest::queue::{Queue, TaskDoneError};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().joinable_queue("jobs").within(|| {
    ///     let jobs = Queue::open("jobs").unwrap();
    ///     jobs.put(b"a page").unwrap();
    ///     let page = jobs.get().unwrap();
    ///     // If this instance ended here, another would get the page.
    ///     assert_eq!(page, b"a page");
    ///     jobs.task_done().unwrap();
    ///     assert_eq!(jobs.task_done(), Err(TaskDoneError::NothingOwed));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the queue is not joinable, nothing is left to confirm, or getting not granted.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        self.0.task_done()
    }

    /// Waits until every message that was ever put has been taken and, in a joinable queue, confirmed; only the item's
    /// deadline ends the wait.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().joinable_queue("jobs").within(|| {
    ///     let jobs = Queue::open("jobs").unwrap();
    ///     jobs.put(b"a page").unwrap();
    ///     jobs.get().unwrap();
    ///     jobs.task_done().unwrap();
    ///     // All is dealt with.
    ///     jobs.join();
    /// });
    /// ```
    pub fn join(&self) {
        self.0.join(None);
    }

    /// As [`join`](Self::join), waiting no longer than this. False if that was too short.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().joinable_queue("jobs").within(|| {
    ///     use std::time::Duration;
    ///
    ///     let jobs = Queue::open("jobs").unwrap();
    ///     jobs.put(b"a page").unwrap();
    ///     assert!(!jobs.join_timeout(Duration::from_secs(1)), "nobody got it");
    /// });
    /// ```
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.0.join(Some(timeout))
    }

    /// Takes no more messages; those already there are still delivered. Closing twice is no error; without the right to
    /// put it does nothing.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("letters").within(|| {
    ///     let letters = Queue::open("letters").unwrap();
    ///     letters.put(b"the last").unwrap();
    ///     letters.close();
    ///     assert!(letters.put(b"too late").is_err());
    ///     assert_eq!(letters.get().unwrap(), b"the last");
    /// });
    /// ```
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
