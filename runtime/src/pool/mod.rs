//! The pool: its API, its jobs, its workers' states. Runs no guest code and parses no guest payloads.
//!
//! - `builder`, `calls`, `handle`, `stream`: what users see, from the most to the least general need.
//! - `core`: the one mediator of all state; `slot`, `job`, `pace`, `payload`: its parts, without input or output.
//! - `supervisor`: the one thread that waits.
//! - `processes`: the compiler and the fork server, as the host sees them; `prober`: those that try what must not work.
//!
//! Meets workers at `ipc` only.

mod builder;
mod calls;
mod core;
pub mod error;
mod handle;
mod job;
pub mod options;
mod pace;
mod payload;
pub(crate) mod prober;
mod processes;
mod slot;
mod stream;
mod supervisor;
#[cfg(test)]
mod tests;

pub use builder::{Pool, PoolBuilder, inspect};
pub use calls::Imap;
pub use error::Error;
pub use handle::{Handle, as_completed, wait};
pub use options::{Bytes, ChunkSize, JobOptions, LogRecord, OnError, Outcome, Stats};
pub use payload::Payload;
pub(crate) use processes::program;
pub use stream::{Canceller, Feeder, Results};
