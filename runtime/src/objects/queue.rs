//! A queue, as the host sees it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::future;
use super::host::{ask, tell};
use super::message::Message;
use super::object::{Handle, Object, Reply};
use super::state::{QueueOptions, QueueState, Which, with};
use crate::ipc::call::{Answer, Op, Refusal};

/// Messages of a queue, or of a direction of a pipe, at most, by default.
pub(super) const MESSAGES: usize = 65_536;
/// Their bytes together, at most, by default.
pub(super) const BYTES: u64 = 64 << 20;

/// First in, first out, between any number of producers and consumers: workers, and threads of the host. A clone is the
/// same queue.
///
/// It is bounded by a number of messages and by their bytes together: a put waits while either bound is reached, and
/// nobody overtakes who waits. A message is put whole or not at all, and delivered to exactly one consumer; those of one
/// producer are delivered in its order.
///
/// A [`joinable`](Queue::joinable) queue keeps each message until its consumer has confirmed it by
/// [`task_done`](Queue::task_done). Where a worker ends before that, its messages are delivered again, before all others,
/// and so possibly handled twice. For this it keeps at most about as much for each consumer as the queue may hold (and at
/// least 1,024 messages): who owes more gets no message before it confirms some. Of any other queue a message that was
/// delivered is delivered, and may be [`lost`](Queue::lost) with the worker that got it.
///
/// All threads of the host are one consumer.
///
/// ```
/// use wasmpool::objects::{GetError, Queue};
///
/// let queue = Queue::new();
/// queue.put(b"one", None)?;
/// queue.put(b"two", None)?;
/// queue.close();
/// assert_eq!(queue.get(None)?, b"one");
/// assert_eq!(queue.get(None)?, b"two");
/// assert!(matches!(queue.get(None), Err(GetError::Closed)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    pub(super) handle: Arc<Handle>,
}

/// A queue made by [`Queue::joinable`].
///
/// ```
/// use wasmpool::objects::{JoinableQueue, Queue};
///
/// let jobs: JoinableQueue = Queue::joinable();
/// ```
pub type JoinableQueue = Queue;

/// How a queue is made.
///
/// ```
/// use wasmpool::objects::Queue;
///
/// let jobs = Queue::builder().messages(100).bytes(1 << 20).joinable(true).name("jobs").build();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueBuilder {
    options: QueueOptions,
    name: Option<String>,
}

/// Why a message was not put.
///
/// ```
/// use wasmpool::objects::{PutError, Queue};
///
/// let queue = Queue::builder().messages(1).bytes(4).build();
/// queue.try_put("one")?;
/// assert!(matches!(queue.try_put("two"), Err(PutError::Full)));
/// assert!(matches!(queue.put("three", None), Err(PutError::TooLarge(4))));
/// queue.close();
/// assert!(matches!(queue.put("end", None), Err(PutError::Closed)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
pub enum PutError {
    /// There was no room until the timeout passed.
    #[error("the queue is full, and there was no room until the timeout passed")]
    Full,
    /// The queue was closed.
    #[error("the queue is closed, and takes no more messages")]
    Closed,
    /// The message alone is larger than the queue's bound; the value is that bound in bytes.
    #[error(
        "the message is larger than all that the queue holds, {0} bytes; make the queue with more, or put parts"
    )]
    TooLarge(u64),
    /// The value cannot be written as bytes.
    #[error("the value cannot be encoded")]
    Encode(#[source] postcard::Error),
    /// The system has no memory for it.
    #[error("there is no memory for the message")]
    Memory(#[source] io::Error),
}

/// Why there is no message.
///
/// ```
/// use wasmpool::objects::{GetError, Queue};
///
/// let queue = Queue::new();
/// assert!(matches!(queue.try_get(), Err(GetError::Empty)));
/// queue.close();
/// assert!(matches!(queue.get(None), Err(GetError::Closed)));
/// ```
#[derive(Debug, Error)]
pub enum GetError {
    /// No message came until the timeout passed.
    #[error("the queue is empty, and no message came until the timeout passed")]
    Empty,
    /// The queue was closed and every message of it has been delivered: there will never be another.
    #[error("the queue is closed, and all of its messages have been delivered")]
    Closed,
    /// A message came that is no value of the wanted type. It is taken; in a joinable queue it waits to be confirmed.
    #[error("the message is no value of the type asked for")]
    Decode(#[source] postcard::Error),
    /// The system has no memory for the message, which is back in the queue.
    #[error("there is no memory for the message, which stays in the queue")]
    Memory(#[source] io::Error),
}

/// Why a message was not confirmed.
///
/// ```
/// use wasmpool::objects::{Queue, TaskDoneError};
///
/// assert_eq!(Queue::new().task_done(), Err(TaskDoneError::NotJoinable));
/// assert_eq!(Queue::joinable().task_done(), Err(TaskDoneError::NothingOwed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TaskDoneError {
    /// The queue is not joinable: it does not count what is dealt with.
    #[error("the queue does not count what is dealt with: make it with `Queue::joinable`")]
    NotJoinable,
    /// Every message that the host got is confirmed.
    #[error("every message that the host got from the queue is confirmed already")]
    NothingOwed,
}

/// Messages that were delivered as often as they may be, each time to a worker that ended before it confirmed them.
///
/// ```
/// let jobs = wasmpool::objects::Queue::joinable();
/// // After workers were killed at it three times, a message lies here.
/// let dead = jobs.dead_letters()?;
/// for message in &dead.messages {
///     eprintln!("given up: {}", String::from_utf8_lossy(message));
/// }
/// assert_eq!(dead.dropped, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// The messages, in the order in which they were given up.
    pub messages: Vec<Vec<u8>>,
    /// How many there were besides: at most as much is kept as the queue may hold, the latest.
    pub dropped: u64,
}

impl Queue {
    /// A queue of at most 65,536 messages and 64 MiB.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// queue.put("hello", None)?;
    /// assert_eq!(queue.get(None)?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::new_without_default)]
    pub fn new() -> Queue {
        Queue::builder().build()
    }

    /// A queue, with the same bounds, that counts what is dealt with.
    ///
    /// ```
    /// let jobs = wasmpool::objects::Queue::joinable();
    /// jobs.put("a page", None)?;
    /// let page = jobs.get(None)?;
    /// // A worker that ends between the two gives the message back.
    /// jobs.task_done()?;
    /// assert!(jobs.join(None));
    /// # drop(page);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn joinable() -> JoinableQueue {
        Queue::builder().joinable(true).build()
    }

    /// A queue with other options than those of [`new`](Queue::new).
    ///
    /// ```
    /// use wasmpool::objects::{PutError, Queue};
    ///
    /// let queue = Queue::builder().messages(2).build();
    /// queue.try_put("a")?;
    /// queue.try_put("b")?;
    /// assert!(matches!(queue.try_put("c"), Err(PutError::Full)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> QueueBuilder {
        let options = QueueOptions {
            messages: MESSAGES,
            bytes: BYTES,
            joinable: false,
            deliveries: 3,
        };
        QueueBuilder {
            options,
            name: None,
        }
    }

    /// Appends a message, waiting for room.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::{PutError, Queue};
    ///
    /// let queue = Queue::builder().messages(1).build();
    /// queue.put(b"first", None)?;
    /// // Nobody gets: there is no room in time.
    /// let second = queue.put(b"second", Some(Duration::from_millis(1)));
    /// assert!(matches!(second, Err(PutError::Full)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Says [`PutError`]; the message was not put.
    pub fn put(
        &self,
        message: impl AsRef<[u8]>,
        timeout: Option<Duration>,
    ) -> Result<(), PutError> {
        let message = Message::new(message.as_ref()).map_err(PutError::Memory)?;
        let (object, host) = (Object::from(self), self.handle.host);
        put(ask(&object, host, Op::Put, timeout, Some(message)).0)
    }

    /// The same without a thread that waits. Nothing happens before the future is first polled; one that is dropped while
    /// it waits has put nothing.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Waker}};
    /// let queue = wasmpool::objects::Queue::builder().messages(1).build();
    /// queue.put("first", None)?;
    /// let mut put = pin!(queue.put_async(b"second"));
    /// # let mut context = Context::from_waker(Waker::noop());
    /// assert!(put.as_mut().poll(&mut context).is_pending());
    /// queue.get(None)?;
    /// assert!(put.as_mut().poll(&mut context).is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Queue::put), but never [`PutError::Full`].
    pub fn put_async(
        &self,
        message: &[u8],
    ) -> impl Future<Output = Result<(), PutError>> + Send + use<> {
        let message = Message::new(message).map_err(PutError::Memory);
        let (object, host) = (Object::from(self), self.handle.host);
        async move {
            put(future::call(object, host, Op::Put(None), Some(message?))
                .await
                .0)
        }
    }

    /// Appends a message if there is room now: `put_nowait`.
    ///
    /// ```
    /// use wasmpool::objects::{PutError, Queue};
    ///
    /// let queue = Queue::builder().messages(1).build();
    /// queue.try_put("first")?;
    /// assert!(matches!(queue.try_put("second"), Err(PutError::Full)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Queue::put).
    pub fn try_put(&self, message: impl AsRef<[u8]>) -> Result<(), PutError> {
        self.put(message, Some(Duration::ZERO))
    }

    /// Appends a value, as the bytes that serde and postcard make of it.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// queue.put_value(&("page", 7u32), None)?;
    /// let (what, number): (String, u32) = queue.get_value(None)?;
    /// assert_eq!((what.as_str(), number), ("page", 7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`put`](Queue::put), and [`PutError::Encode`].
    pub fn put_value<T: Serialize + ?Sized>(
        &self,
        value: &T,
        timeout: Option<Duration>,
    ) -> Result<(), PutError> {
        self.put(
            postcard::to_stdvec(value).map_err(PutError::Encode)?,
            timeout,
        )
    }

    /// Takes the first message, waiting for one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::objects::{GetError, Queue};
    ///
    /// let queue = Queue::new();
    /// queue.put("hello", None)?;
    /// assert_eq!(queue.get(None)?, b"hello");
    /// assert!(matches!(queue.get(Some(Duration::from_millis(1))), Err(GetError::Empty)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Says [`GetError`].
    pub fn get(&self, timeout: Option<Duration>) -> Result<Vec<u8>, GetError> {
        self.take(timeout, <[u8]>::to_vec)
    }

    /// Takes the first message if there is one now: `get_nowait`.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// queue.put("hello", None)?;
    /// while let Ok(message) = queue.try_get() {
    ///     println!("{}", String::from_utf8_lossy(&message));
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Queue::get).
    pub fn try_get(&self) -> Result<Vec<u8>, GetError> {
        self.get(Some(Duration::ZERO))
    }

    /// Takes the first message, which is a value as [`put_value`](Queue::put_value) puts it. The message may come from a
    /// worker: what is decoded is its word.
    ///
    /// ```
    /// use wasmpool::objects::{GetError, Queue};
    ///
    /// let queue = Queue::new();
    /// queue.put_value(&42u32, None)?;
    /// assert_eq!(queue.get_value::<u32>(None)?, 42);
    ///
    /// queue.put("no such value", None)?;
    /// assert!(matches!(queue.get_value::<bool>(None), Err(GetError::Decode(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Queue::get), and [`GetError::Decode`].
    pub fn get_value<T: DeserializeOwned>(&self, timeout: Option<Duration>) -> Result<T, GetError> {
        self.take(timeout, |bytes| postcard::from_bytes(bytes))?
            .map_err(GetError::Decode)
    }

    /// As [`get`](Queue::get) without a thread that waits: the first of several queues is had by waiting for all of them.
    /// A future that is dropped has taken nothing.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Poll, Waker}};
    /// let queue = wasmpool::objects::Queue::new();
    /// let mut get = pin!(queue.get_async());
    /// # let mut context = Context::from_waker(Waker::noop());
    /// assert!(get.as_mut().poll(&mut context).is_pending());
    /// queue.put("hello", None)?;
    /// let Poll::Ready(message) = get.as_mut().poll(&mut context) else { panic!("it is there") };
    /// assert_eq!(message?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`get`](Queue::get), but never [`GetError::Empty`].
    pub fn get_async(&self) -> impl Future<Output = Result<Vec<u8>, GetError>> + Send + use<'_> {
        let object = Object::from(self);
        // What is got from a joinable queue is owed by the host.
        let call = match self.look(|queue| queue.is_joinable()) {
            Some(true) => future::call(object, self.handle.host, Op::Get(None), None),
            _ => future::call_alone(object, Op::Get(None)),
        };
        async move { self.taken(call.await, <[u8]>::to_vec) }
    }

    fn take<T>(
        &self,
        timeout: Option<Duration>,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GetError> {
        let (object, host) = (Object::from(self), self.handle.host);
        self.taken(ask(&object, host, Op::Get, timeout, None), read)
    }

    fn taken<T>(&self, reply: Reply, read: impl FnOnce(&[u8]) -> T) -> Result<T, GetError> {
        match reply {
            (Answer::Message, message) => {
                let message = message.unwrap_or_default();
                match message.bytes() {
                    Ok(bytes) => Ok(read(&bytes)),
                    Err(error) => {
                        super::undelivered(self.handle.host, &Object::from(self), message);
                        Err(GetError::Memory(error))
                    }
                }
            }
            (Answer::Refused(Refusal::TimedOut), _) => Err(GetError::Empty),
            _ => Err(GetError::Closed),
        }
    }

    /// How many messages wait to be taken: `qsize`. By the time it is looked at, the number may be another.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// queue.put("a", None)?;
    /// queue.put("b", None)?;
    /// assert_eq!(queue.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn len(&self) -> usize {
        match tell(&Object::from(self), self.handle.host, Op::Length).0 {
            Answer::Number(messages) => usize::try_from(messages).unwrap_or(usize::MAX),
            _ => 0,
        }
    }

    /// Whether no message waits to be taken. By the time it is looked at, one may.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// assert!(queue.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes no more messages; those already there are still delivered. Who waits to put gets [`PutError::Closed`].
    ///
    /// In a joinable queue a consumer gets [`GetError::Closed`] once no message can come back: while others owe
    /// confirmations it waits for them, unless it owes some itself and they wait as well.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// queue.put("the last one", None)?;
    /// queue.close();
    /// assert!(queue.put("too late", None).is_err());
    /// // What was put before is still there; then comes the end.
    /// assert_eq!(queue.get(None)?, b"the last one");
    /// assert!(queue.get(None).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        tell(&Object::from(self), self.handle.host, Op::Close);
    }

    /// Says that the message which the host got first, of those not yet dealt with, has been dealt with.
    ///
    /// ```
    /// use wasmpool::objects::TaskDoneError;
    ///
    /// let jobs = wasmpool::objects::Queue::joinable();
    /// jobs.put("a page", None)?;
    /// let page = jobs.get(None)?;
    /// println!("{}", String::from_utf8_lossy(&page));
    /// jobs.task_done()?;
    /// assert_eq!(jobs.task_done(), Err(TaskDoneError::NothingOwed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If nothing is owed, or the queue is not joinable.
    pub fn task_done(&self) -> Result<(), TaskDoneError> {
        match tell(&Object::from(self), self.handle.host, Op::TaskDone).0 {
            Answer::Refused(Refusal::NotJoinable) => Err(TaskDoneError::NotJoinable),
            Answer::Refused(_) => Err(TaskDoneError::NothingOwed),
            _ => Ok(()),
        }
    }

    /// Waits until every message that was ever put has been taken and, in a joinable queue, confirmed, or put aside as a
    /// [dead letter](Queue::dead_letters). False if the timeout passed first.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let jobs = wasmpool::objects::Queue::joinable();
    /// jobs.put("a page", None)?;
    /// jobs.get(None)?;
    /// assert!(!jobs.join(Some(Duration::from_millis(1))), "it was taken, and is not confirmed");
    /// jobs.task_done()?;
    /// assert!(jobs.join(None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self, timeout: Option<Duration>) -> bool {
        ask(
            &Object::from(self),
            self.handle.host,
            Op::Join,
            timeout,
            None,
        )
        .0 == Answer::Done
    }

    /// How many messages of a queue that is not joinable were delivered to workers that ended before they did anything
    /// else: whether they were looked at is not known.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::new();
    /// // Let workers get from it; then:
    /// if queue.lost() > 0 {
    ///     eprintln!("{} messages went down with workers", queue.lost());
    /// }
    /// # assert_eq!(queue.lost(), 0);
    /// ```
    pub fn lost(&self) -> u64 {
        self.look(|queue| queue.lost()).unwrap_or(0)
    }

    /// Takes out the messages of a joinable queue that were delivered [as often as they may
    /// be](QueueBuilder::deliveries).
    ///
    /// ```
    /// let jobs = wasmpool::objects::Queue::builder().joinable(true).deliveries(1).build();
    /// // A message that ends the worker which handles it is not delivered for ever.
    /// for message in jobs.dead_letters()?.messages {
    ///     eprintln!("nobody survived {message:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the system has no memory for them; then they are gone.
    pub fn dead_letters(&self) -> io::Result<DeadLetters> {
        let (dead, dropped) = self.look(|queue| queue.take_dead()).unwrap_or_default();
        let messages = dead.iter().map(|message| Ok(message.bytes()?.to_vec()));
        Ok(DeadLetters {
            messages: messages.collect::<io::Result<_>>()?,
            dropped,
        })
    }

    fn look<T>(&self, look: impl FnOnce(&mut QueueState) -> T) -> Option<T> {
        with(|state| state.queues.get_mut(&self.handle.which.id()).map(look))
    }
}

/// What a put comes to.
fn put(answer: Answer) -> Result<(), PutError> {
    match answer {
        Answer::Refused(Refusal::TimedOut) => Err(PutError::Full),
        Answer::Refused(Refusal::TooLarge(bound)) => Err(PutError::TooLarge(bound)),
        Answer::Refused(_) => Err(PutError::Closed),
        _ => Ok(()),
    }
}

impl QueueBuilder {
    /// Messages that wait to be taken, at most; at least 1. By default 65,536.
    ///
    /// ```
    /// use wasmpool::objects::Queue;
    ///
    /// let queue = Queue::builder().messages(1).build();
    /// queue.try_put("a")?;
    /// assert!(queue.try_put("b").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn messages(mut self, messages: usize) -> QueueBuilder {
        self.options.messages = messages.max(1);
        self
    }

    /// Bytes of the messages that wait to be taken together, at most, and so of one message. By default 64 MiB.
    ///
    /// ```
    /// use wasmpool::objects::{PutError, Queue};
    ///
    /// let queue = Queue::builder().bytes(1024).build();
    /// assert!(matches!(queue.try_put([0; 1025]), Err(PutError::TooLarge(1024))));
    /// ```
    pub fn bytes(mut self, bytes: u64) -> QueueBuilder {
        self.options.bytes = bytes;
        self
    }

    /// Whether it counts what is dealt with. By default it does not.
    ///
    /// ```
    /// let jobs = wasmpool::objects::Queue::builder().joinable(true).messages(10).build();
    /// ```
    pub fn joinable(mut self, joinable: bool) -> QueueBuilder {
        self.options.joinable = joinable;
        self
    }

    /// How often a message of a joinable queue is delivered at most, at least 1: once more each time that a worker ends
    /// before it confirmed it. Then it is a [dead letter](Queue::dead_letters). By default 3.
    ///
    /// ```
    /// // Each message gets one worker, and no second one.
    /// let jobs = wasmpool::objects::Queue::builder().joinable(true).deliveries(1).build();
    /// ```
    pub fn deliveries(mut self, deliveries: u32) -> QueueBuilder {
        self.options.deliveries = deliveries.max(1);
        self
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let jobs = wasmpool::objects::Queue::builder().name("jobs").build();
    /// ```
    pub fn name(mut self, name: &str) -> QueueBuilder {
        self.name = Some(name.into());
        self
    }

    /// Makes the queue.
    ///
    /// ```
    /// let queue = wasmpool::objects::Queue::builder().messages(10).build();
    /// assert!(queue.is_empty());
    /// ```
    pub fn build(self) -> Queue {
        let (name, options) = (self.name.as_deref(), self.options);
        let body = |id| QueueState::new(id, options);
        let which = with(|state| state.add(name, Which::Queue, |s| &mut s.queues, body));
        Queue {
            handle: Handle::new(which),
        }
    }
}
