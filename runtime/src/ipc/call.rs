//! What a worker asks of the objects that its pool was granted, and what the host answers. Pure data, and its bytes.
//!
//! A call is a frame of the worker's ring, its answer a frame of the host's; the bytes of a message stand behind either,
//! or, where they are too many for a frame, lie in a file of their own. A worker has one call under way at a time.

use serde::{Deserialize, Serialize};

/// The time that a call may wait, in nanoseconds: 0 not to wait at all, `None` for ever.
pub type Timeout = Option<u64>;

/// The number of the running item itself, among those of objects.
pub const THE_ITEM: u16 = u16::MAX;

/// Bytes of emitted values after which a worker waits for room, where they are taken one by one.
pub const STREAM_BYTES: u64 = 256 << 10;

/// What is asked of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Queue: append the message. [`Answer::Done`].
    Put(Timeout),
    /// Queue: take the first message. [`Answer::Message`].
    Get(Timeout),
    /// Queue: how many messages wait. [`Answer::Number`].
    Length,
    /// Joinable queue: the first message got is dealt with. [`Answer::Done`].
    TaskDone,
    /// Queue: wait until all is dealt with. [`Answer::Done`].
    Join(Timeout),
    /// Queue: take no more messages. [`Answer::Done`].
    Close,

    /// End of a pipe: hold it. [`Answer::Done`].
    OpenEnd,
    /// End of a pipe: send the message. [`Answer::Done`].
    Send(Timeout),
    /// End of a pipe: take the next message. [`Answer::Message`].
    Receive(Timeout),
    /// End of a pipe: whether there is something to receive. [`Answer::Flag`].
    Poll(Timeout),
    /// End of a pipe: send no more. [`Answer::Done`].
    Finish,
    /// End of a pipe: give it up. [`Answer::Done`].
    CloseEnd,

    /// Buffer: wait for a notification of the word at this offset, if it has this value. [`Answer::Flag`]: whether it
    /// was notified; false if the value is another one.
    AwaitWord(u64, Word, Timeout),
    /// Buffer: wake at most so many of those who wait for this offset. [`Answer::Number`].
    NotifyWord(u64, u32),

    /// Lock: hold it. Semaphore: take a unit. [`Answer::Acquired`].
    Acquire(Timeout),
    /// Lock, semaphore: give back. [`Answer::Done`].
    Release,
    /// Semaphore: free units. Barrier: how many wait. [`Answer::Number`].
    Value,

    /// Event: raise the flag. [`Answer::Done`].
    Set,
    /// Event: lower the flag. [`Answer::Done`].
    Clear,
    /// Event: whether the flag is up. Barrier: whether it is broken. [`Answer::Flag`].
    Is,
    /// Event: wait for the flag. [`Answer::Done`].
    AwaitSet(Timeout),

    /// Condition: give up its lock, wait for a notification, and hold the lock again. [`Answer::Acquired`]; after a
    /// refusal as timed out, the lock is held again, too.
    AwaitNotify(Timeout),
    /// Condition: wake at most so many. [`Answer::Number`].
    Notify(u32),

    /// Barrier: wait for the others. [`Answer::Number`]: this party's own.
    AwaitOthers(Timeout),
    /// Barrier: break it. [`Answer::Done`].
    Abort,
    /// Barrier: mend it. [`Answer::Done`].
    Reset,

    /// Of no object but [`THE_ITEM`], whose emitted values are taken one by one: wait until the host has room for more.
    /// [`Answer::Done`].
    AwaitRoom,
}

impl Op {
    /// Whether a message comes with it.
    pub fn takes_message(self) -> bool {
        matches!(self, Op::Put(_) | Op::Send(_))
    }

    /// The time that it may wait; 0 for what never waits.
    pub fn timeout(self) -> Timeout {
        match self {
            Op::Put(timeout)
            | Op::Get(timeout)
            | Op::Join(timeout)
            | Op::Send(timeout)
            | Op::Receive(timeout)
            | Op::Poll(timeout)
            | Op::AwaitWord(_, _, timeout)
            | Op::Acquire(timeout)
            | Op::AwaitSet(timeout)
            | Op::AwaitNotify(timeout)
            | Op::AwaitOthers(timeout) => timeout,
            Op::AwaitRoom => None,
            Op::Length
            | Op::TaskDone
            | Op::Close
            | Op::OpenEnd
            | Op::Finish
            | Op::CloseEnd
            | Op::NotifyWord(..)
            | Op::Release
            | Op::Value
            | Op::Set
            | Op::Clear
            | Op::Is
            | Op::Notify(_)
            | Op::Abort
            | Op::Reset => Some(0),
        }
    }
}

/// A value to compare a word of a buffer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// 32 bits.
    U32(u32),
    /// 64 bits.
    U64(u64),
}

/// What comes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// The message that stands behind the answer.
    Message,
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// It is held now; whether a holder before ended without releasing it.
    Acquired {
        /// True once for each such end.
        abandoned: bool,
    },
    /// It was not done.
    Refused(Refusal),
}

/// Why something was not done. Nothing was changed, but for what [`Op::AwaitNotify`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Not until the timeout passed: also for a queue that is full or empty.
    TimedOut,
    /// The queue is closed; the pipe's other end takes no more.
    Closed,
    /// Everything was received, and there will never be more.
    EndOfFile,
    /// The message alone is larger than the object's bound in bytes.
    TooLarge(u64),
    /// The grant does not allow it.
    NotPermitted,
    /// The end of the pipe is held already, or is not held by who asks.
    InUse,
    /// No message that was got is without its confirmation.
    NothingOwed,
    /// The queue does not count what is dealt with.
    NotJoinable,
    /// Who asks holds it already.
    AlreadyHeld,
    /// Who asks does not hold it.
    NotHeld,
    /// The semaphore would have more units than it began with: the bound.
    TooMany(u32),
    /// Nobody would ever end the wait: who waits for whom.
    Deadlock(String),
    /// The barrier is broken.
    Broken,
    /// The range does not lie within the buffer, or is misaligned.
    OutOfBounds,
}

/// An object that the guests of a pool were granted. Its place in the list of all of them is its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectGrant {
    /// What guests call it. Empty for one that they cannot open by name: the lock of a granted condition.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What an object is, as far as a worker must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A queue, and what the guest may do with it.
    Queue {
        /// Put messages, and close it.
        put: bool,
        /// Get messages.
        get: bool,
        /// Bytes of the largest message that it takes.
        largest: u64,
    },
    /// One end of a pipe.
    PipeEnd {
        /// Bytes of the largest message that it takes.
        largest: u64,
    },
    /// Memory of so many bytes.
    Buffer {
        /// Its length.
        bytes: u64,
        /// Whether guests may change it.
        writable: bool,
    },
    /// A lock.
    Lock,
    /// A semaphore.
    Semaphore,
    /// An event.
    Event,
    /// A condition, and the number of its lock among the grants.
    Condition {
        /// The lock.
        lock: u16,
    },
    /// A barrier of so many parties.
    Barrier {
        /// How many it takes.
        parties: u32,
    },
}

impl Kind {
    /// Bytes of the largest message that it takes; 0 of what takes none.
    pub fn largest_message(self) -> u64 {
        match self {
            Kind::Queue { largest, .. } | Kind::PipeEnd { largest } => largest,
            _ => 0,
        }
    }
}
