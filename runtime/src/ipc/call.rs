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
    /// Queue: append packed messages, and wait for room for the first only. [`Answer::Number`]: how many were appended.
    PutMany(Timeout),
    /// Queue: take at most so many messages, and wait for the first only. [`Answer::Message`], or [`Answer::Messages`].
    GetMany(u32, Timeout),
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
        matches!(self, Op::Put(_) | Op::PutMany(_) | Op::Send(_))
    }

    /// The time that it may wait; 0 for what never waits.
    pub fn timeout(self) -> Timeout {
        match self {
            Op::Put(timeout)
            | Op::PutMany(timeout)
            | Op::Get(timeout)
            | Op::GetMany(_, timeout)
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

/// Bytes of packed messages together, at most.
pub const MAX_PACK: usize = 60 << 10;

/// Several short messages in one: each behind its length.
#[derive(Debug, Default)]
pub struct Pack {
    bytes: Vec<u8>,
    messages: usize,
}

impl Pack {
    /// Bytes that a message of this length takes.
    pub fn cost(len: usize) -> usize {
        len.saturating_add(4)
    }

    /// Adds a message. False if it does not fit.
    pub fn push(&mut self, message: &[u8]) -> bool {
        let fits = Pack::cost(message.len()) <= MAX_PACK - self.bytes.len();
        if fits {
            self.bytes
                .extend_from_slice(&(message.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(message);
            self.messages += 1;
        }
        fits
    }

    /// How many messages are in it.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// What [`unpack`] takes apart.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes packed messages apart. `None` if they are no such thing.
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (message, rest) = rest.split_at_checked(len)?;
        messages.push(message);
        bytes = rest;
    }
    Some(messages)
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
    /// The packed messages that stand behind the answer, at least two.
    Messages,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_messages_come_back() {
        let mut pack = Pack::default();
        let messages: [&[u8]; 4] = [b"one", b"", &[7; 1000], b"\0"];
        assert!(messages.iter().all(|message| pack.push(message)));
        assert_eq!(pack.messages(), 4);
        assert_eq!(unpack(pack.bytes()).unwrap(), messages);
        assert_eq!(unpack(b"").unwrap(), [b""; 0]);
        for cut in 1..3 {
            assert_eq!(unpack(&pack.bytes()[..cut]), None);
            assert_eq!(unpack(&pack.bytes()[..pack.bytes().len() - cut]), None);
        }
        assert_eq!(unpack(&u32::MAX.to_le_bytes()), None);
    }

    #[test]
    fn there_is_an_end_to_what_is_packed() {
        let mut pack = Pack::default();
        assert!(!pack.push(&[0; MAX_PACK - 3]));
        assert!(pack.push(&[0; MAX_PACK - 8]) && pack.push(b""));
        assert!(!pack.push(b""));
        assert_eq!((pack.messages(), pack.bytes().len()), (2, MAX_PACK));
    }
}
