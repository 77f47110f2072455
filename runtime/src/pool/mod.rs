//! The pool: its API, its jobs, its workers' states. Runs no guest code and parses no guest payloads.
//!
//! - `builder`, `running`, `calls`, `handle`, `stream`, `process`, `generator`: what users see, from the most to the least general need.
//! - `opening`: from options to a pool; the fork server's first steps are taken meanwhile.
//! - `core`: the one mediator of all state; `slot`, `job`, `pace`, `payload`: its parts, without input or output.
//! - `record`: what happened, kept on request; `snapshot`: what goes on now; `watcher`: looking at that from outside.
//! - `memo`: results kept from one run to the next.
//! - `shares`: the objects that guests are granted.
//! - `profile`: where guests spend their time.
//! - `supervisor`: the one thread that waits.
//! - `processes`: the compiler and the fork server, as the host sees them; `prober`: those that try what must not work.
//!
//! Meets workers at `ipc` only.

mod builder;
mod calls;
mod core;
#[doc(hidden)]
pub mod error;
mod generator;
mod handle;
mod job;
mod memo;
mod opening;
#[doc(hidden)]
pub mod options;
mod pace;
mod payload;
pub(crate) mod prober;
mod process;
mod processes;
pub mod profile;
mod record;
mod running;
mod shares;
mod slot;
mod snapshot;
mod stream;
mod supervisor;
#[cfg(test)]
mod tests;
mod watcher;

pub use builder::{PoolBuilder, inspect};
pub use calls::Imap;
pub use error::Error;
pub use generator::{Generator, Values};
pub use handle::{Handle, as_completed, wait};
pub use options::{Bytes, ChunkSize, JobOptions, LogRecord, OnError, Outcome, Stats};
pub use payload::Payload;
pub use process::{Joined, Process};
pub(crate) use processes::program;
pub use profile::Profile;
pub use record::{Latency, Recording, Span, WorkerEnd, WorkerLife};
pub use running::Pool;
pub use shares::Direction;
pub use snapshot::{JobNow, Snapshot, WorkerNow, WorkerState};
pub use stream::{Canceller, Feeder, Results};
pub use watcher::Watcher;
// What the interface tells of, and others own.
pub use crate::ipc::frame::Level;
pub use crate::ipc::wire::TaskInfo;
pub use crate::sandbox::layers::{Layer, Layers, Rank};
pub use crate::sys::memory::Mapping;
pub use crate::sys::seen::Usage;
pub(crate) use watcher::snapshots;
