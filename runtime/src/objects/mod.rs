//! What processes and the host share by name: queues, pipes, buffers, locks, semaphores, events, conditions, barriers.
//!
//! An object lives in the host. Guests use the ones that their pool was granted, under the names that they were granted
//! as; the host uses the same objects directly. Names and meaning are those of Python's `multiprocessing`, with one
//! difference: the host knows who holds what, so a holder that ends, however it ends, leaves nothing behind that others
//! wait for. Its locks are free again, and the next holder is told; what it took from a joinable queue and has not
//! confirmed is delivered again; its ends of pipes are closed.
//!
//! ```
//! use std::thread;
//! use std::time::Duration;
//! use wasmpool::objects::Queue;
//!
//! let numbers = Queue::new();
//! let producer = numbers.clone();
//! let thread = thread::spawn(move || {
//!     for n in 1..=100u32 {
//!         producer.put_value(&n, None).unwrap();
//!     }
//!     producer.close();
//! });
//! let mut sum = 0;
//! while let Ok(n) = numbers.get_value::<u32>(Some(Duration::from_secs(10))) {
//!     sum += n;
//! }
//! thread.join().unwrap();
//! assert_eq!(sum, 5050);
//! ```
//!
//! # Waiting
//!
//! What waits takes an `Option<Duration>`: `None` waits for ever, zero not at all. Nothing polls. Whoever waits is served
//! in the order of coming.
//!
//! # What this module owns
//!
//! The state of all objects, under one lock; it knows no worker, no pool and no engine, and does no input or output but
//! making and reading memory files. What calls on objects mean is `ipc::call`.
//!
//! - `object`: what the transport of calls uses: who calls, what is called, how an answer comes later.
//! - `message`: the bytes of a message, and how they are kept.
//! - `state`: the objects themselves, one file a kind.
//! - `buffer`: shared memory, which lies here and is mapped by workers.
//! - `future`: the same without a thread that waits.
//! - `host`: the waiting of the host's own threads. The other modules are the objects as the host's programs see them.

mod barrier;
mod buffer;
mod event;
mod future;
mod host;
mod lock;
mod message;
mod object;
mod pipe;
mod queue;
mod semaphore;
mod state;
#[cfg(test)]
mod tests;

pub use barrier::{Barrier, BarrierError};
pub use buffer::{Access, Array, Buffer, BufferError, Number, Value};
pub use event::Event;
pub use lock::{AcquireError, Condition, ConditionError, Lock, LockGuard};
pub use object::Depth;
pub use pipe::{Pipe, PipeBuilder, PipeEnd, ReceiveError, SendError};
pub use queue::{
    DeadLetters, GetError, JoinableQueue, PutError, Queue, QueueBuilder, TaskDoneError,
};
pub use semaphore::{Permit, ReleaseError, Semaphore};

#[allow(unused_imports)]
pub(crate) use message::{Bytes, MAX_OWNED, Message};
#[allow(unused_imports)]
pub(crate) use object::{
    Caller, Delivered, HolderId, Lend, Mail, Memory, Object, Reply, Rights, Waiting, Watch, Words,
    cancel, depths, end, seen, undelivered, waiting,
};
