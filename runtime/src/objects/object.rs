//! What the transport of calls uses: an object of any kind, who calls it, and how an answer comes that was not
//! immediate. Owns the words and the way in; what the calls do is `state`.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::message::Message;
use super::state::{Call, Which, WordsState, with};
use super::{Barrier, Condition, Event, Lock, Queue, Semaphore};
use crate::ipc::call::{Answer, Op, Word};
use crate::sys::poll::Bell;

/// Who can hold locks, owe messages and wait: one instance of a component, or one guard or handle of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HolderId(u64);

impl HolderId {
    /// One that nobody had before. When it is over, say [`end`]; after that nothing may be called for it.
    #[allow(clippy::new_without_default)]
    pub(crate) fn new() -> HolderId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        HolderId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who makes a call.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) holder: HolderId,
    /// What people call it: "worker 0 of resize", "the host".
    pub(crate) name: Arc<str>,
    /// Where an answer goes that is not immediate.
    pub(crate) mail: Arc<dyn Mail>,
    /// What names this call among those that its holder has under way.
    pub(crate) ticket: u64,
    /// Of who calls a lock: how it may be lent the lock, if it may.
    pub(crate) lend: Option<Arc<dyn Lend>>,
}

/// Lends a lock to one holder, that acquires and releases it without a call until it is recalled.
pub(crate) trait Lend: Send + Sync {
    /// The lock is lent; the holder holds it `depth` times. Called under the lock of all objects.
    fn lend(&self, recursive: bool, depth: u32);

    /// The lock is not lent any more. How often the holder holds it now: its own word for it, which is no worse than a
    /// lock that it acquires and never releases. Called under the lock of all objects.
    fn recall(&self) -> u32;
}

/// Takes answers that were not immediate.
pub(crate) trait Mail: Send + Sync {
    /// Takes an answer. Called under the lock of all objects: only push it. Never call or drop an object here, and never
    /// wait for a lock that somebody holds while calling one.
    fn deliver(&self, delivered: Delivered);

    /// Wakes who waits for what was delivered. Called after each [`deliver`](Mail::deliver), behind the lock: whoever
    /// wakes mostly calls an object next, and would find it held. The same locks are not to be waited for.
    fn wake(&self);
}

/// An answer that was not immediate.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// Who made the call.
    pub(crate) holder: HolderId,
    /// Which of its calls.
    pub(crate) ticket: u64,
    /// What came of it.
    pub(crate) answer: Answer,
    /// The message, if the answer is one.
    pub(crate) message: Option<Message>,
}

/// What comes of a call; the message is there exactly if the answer is [`Answer::Message`].
pub(crate) type Reply = (Answer, Option<Message>);

/// What a grant allows. Objects that know no such difference ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Queue: putting and closing.
    pub(crate) put: bool,
    /// Queue: getting and confirming.
    pub(crate) get: bool,
    /// Buffer: notifying.
    pub(crate) write: bool,
}

impl Rights {
    /// Everything.
    pub(crate) const ALL: Rights = Rights {
        put: true,
        get: true,
        write: true,
    };
}

/// The memory of a buffer, as far as waiting for its words needs it.
pub(crate) trait Memory: Send + Sync {
    /// The word at this offset, of the size of `like`, by one sequentially consistent atomic load; `None` where it does
    /// not lie within the buffer or is misaligned. Called under the lock of all objects: nothing but the load.
    fn load(&self, offset: u64, like: Word) -> Option<Word>;
}

/// An object of any kind. A clone is the same object. It exists as long as a handle to it or a wait for it does.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A queue.
    Queue(Queue),
    /// An end of a pipe.
    End(Arc<Handle>),
    /// A lock.
    Lock(Lock),
    /// A semaphore.
    Semaphore(Semaphore),
    /// An event.
    Event(Event),
    /// A condition.
    Condition(Condition),
    /// A barrier.
    Barrier(Barrier),
    /// The words of a buffer.
    Words(Words),
}

/// The waiting for words of a buffer.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    pub(super) handle: Arc<Handle>,
}

/// What keeps an object, or an end of a pipe, existing.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(super) which: Which,
    /// The host, where it uses the object without a guard.
    pub(super) host: HolderId,
}

impl Handle {
    pub(super) fn new(which: Which) -> Arc<Handle> {
        Arc::new(Handle {
            which,
            host: HolderId::new(),
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (which, host) = (self.which, self.host);
        with(|state| {
            state.end(host);
            state.remove(which);
        });
    }
}

impl Words {
    /// Waiting for the words of this memory.
    pub(crate) fn new(name: &str, memory: Arc<dyn Memory>) -> Words {
        let which = with(|state| {
            state.add(
                Some(name),
                Which::Words,
                |s| &mut s.words,
                |_| WordsState::new(memory),
            )
        });
        Words {
            handle: Handle::new(which),
        }
    }
}

impl Object {
    /// Makes a call. `None`: it waits, and its answer is delivered to the caller's mail exactly once, unless [`cancel`]
    /// or [`end`] takes the wait back first.
    ///
    /// Timeouts are not measured here: a call whose timeout is 0 is answered at once, any other waits until it is
    /// answered or cancelled. An operation that the object does not have is refused as not permitted. An `Op::Put` or
    /// `Op::Send` without a message has an empty one.
    pub(crate) fn call(
        &self,
        caller: &Caller,
        rights: Rights,
        op: Op,
        message: Option<Message>,
    ) -> Option<Reply> {
        let call = Call {
            caller,
            object: self,
            op,
        };
        // A file is not closed under the lock, whatever becomes of the message.
        let kept = message.clone();
        let reply = with(|state| state.call(&call, rights, message));
        drop(kept);
        reply
    }

    /// Puts more messages behind one that the same caller has just put into a queue, in their order, as many as there is
    /// room for now. How many.
    pub(crate) fn put_more(&self, messages: &[Message]) -> usize {
        with(|state| state.put_more(self.handle().which, messages))
    }

    /// Takes more messages behind one that this holder has just taken from a queue: those that are there, as long as
    /// `may` says so of the next one's length.
    pub(crate) fn take_more(&self, holder: HolderId, may: impl FnMut(u64) -> bool) -> Vec<Message> {
        with(|state| state.take_more(self.handle().which, holder, may))
    }

    /// Bytes of the largest message that it takes; 0 of what takes none.
    pub(crate) fn largest_message(&self) -> u64 {
        with(|state| state.largest_message(self.handle().which))
    }

    /// Its name in messages for people.
    pub(crate) fn name(&self) -> Arc<str> {
        with(|state| state.name(self.handle().which))
    }

    /// Whether it is the same object as another, and of a pipe the same end.
    pub(crate) fn is(&self, other: &Object) -> bool {
        self.handle().which == other.handle().which
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        match self {
            Object::Queue(queue) => &queue.handle,
            Object::End(handle) => handle,
            Object::Lock(lock) => &lock.handle,
            Object::Semaphore(semaphore) => &semaphore.handle,
            Object::Event(event) => &event.handle,
            Object::Condition(condition) => &condition.handle,
            Object::Barrier(barrier) => &barrier.handle,
            Object::Words(words) => &words.handle,
        }
    }
}

/// The timeout of a call that waits has passed: takes it back and says what it comes to. `None`: there is no such wait,
/// so its answer has been delivered already; or it waits for a condition, whose lock it must hold again first: then its
/// answer is delivered later.
pub(crate) fn cancel(holder: HolderId, ticket: u64) -> Option<Reply> {
    with(|state| state.cancel(holder, ticket))
}

/// The holder is over, however it ended. Its waits vanish without an answer; what it held or owed goes to others.
///
/// Answers with a message that could not be handed to it go back by [`undelivered`] *before* this.
pub(crate) fn end(holder: HolderId) {
    with(|state| state.end(holder));
}

/// The holder has gone on since the last answer it got: what it was given it has seen, and is not lost if it ends now.
/// Every call of its own says the same.
pub(crate) fn seen(holder: HolderId) {
    with(|state| state.seen(holder));
}

/// The message of an answer could not be handed to the holder, which is gone: it goes back into the queue, where it was.
/// Call it before [`end`], last answer first. Does nothing for other objects than queues.
pub(crate) fn undelivered(holder: HolderId, object: &Object, message: Message) {
    let kept = message.clone();
    with(|state| state.undelivered(holder, object.handle().which, message));
    drop(kept);
}

/// Somebody who waits, as [`waiting`] saw it.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// Who.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "tests tell waiters apart by it")
    )]
    pub(crate) holder: HolderId,
    /// What people call it.
    pub(crate) name: Arc<str>,
    /// The object's name.
    pub(crate) object: Arc<str>,
    /// The call.
    pub(crate) op: Op,
    /// Whether its wait ends by itself. False for a condition's waiter whose timeout has passed: it waits for the lock.
    pub(crate) timed: bool,
}

/// Everybody who waits for anything now, the longest waiting first: one moment of all objects.
pub(crate) fn waiting() -> Vec<Waiting> {
    with(|state| state.waiting())
}

/// How full a queue or a pipe is at one moment.
///
/// ```no_run
/// // What other programs of this user have in their queues and pipes.
/// for program in wasmpool::monitor::programs()? {
///     for depth in program.queues {
///         println!("{} {}: {} messages, {} wait", depth.kind, depth.name, depth.messages, depth.waiting);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Depth {
    /// Its name.
    pub name: String,
    /// `queue` or `pipe`.
    pub kind: String,
    /// Messages that lie in it; of a pipe, of both directions.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that it holds at most; of a pipe, each direction.
    pub most_bytes: u64,
    /// Calls that wait for it.
    pub waiting: u64,
}

/// All queues and pipes of this process, in the order in which they were made: one moment of all of them.
pub(crate) fn depths() -> Vec<Depth> {
    with(|state| state.depths())
}

/// Rings when so many wait for ever: then it may be that nobody can go on.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Bell>);

impl Watch {
    /// One that rings when `many` wait.
    pub(crate) fn new(many: usize) -> io::Result<Watch> {
        let watch = Watch(Arc::new(Bell::new()?));
        watch.expect(many);
        Ok(watch)
    }

    /// From now on it rings when `many` wait.
    pub(crate) fn expect(&self, many: usize) {
        with(|state| state.watch(&self.0, many));
    }

    /// Is quiet again.
    pub(crate) fn reset(&self) {
        self.0.reset();
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.expect(0);
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.op {
            Op::Put(_) | Op::PutMany(_) => "for room in the queue",
            Op::Get(_) | Op::GetMany(..) => "for a message of the queue",
            Op::Join(_) => "for all to be dealt with in the queue",
            Op::Send(_) => "for room in the pipe",
            Op::Receive(_) | Op::Poll(_) => "for a message of the pipe",
            Op::AwaitWord(..) => "for a word of the buffer",
            Op::Acquire(_) => "to acquire",
            Op::AwaitSet(_) => "for the event",
            Op::AwaitNotify(_) => "for the condition",
            Op::AwaitOthers(_) => "for the others at the barrier",
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
            | Op::Reset
            | Op::AwaitRoom => "for",
        };
        write!(f, "{} waits {what} `{}`", self.name, self.object)
    }
}

macro_rules! from {
    ($($kind:ident),*) => {
        $(impl From<&$kind> for Object {
            fn from(object: &$kind) -> Object {
                Object::$kind(object.clone())
            }
        })*
    };
}
from!(Queue, Lock, Semaphore, Event, Condition, Barrier, Words);
