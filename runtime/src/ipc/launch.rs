//! How a pool gets workers: the one thing in which processes and threads differ.

use std::io;
use std::process::ExitStatus;

use super::link::WorkerEnd;
use crate::ids::{Generation, SlotId};

/// Starts workers and hears of their end.
pub trait Launch: Send {
    /// Starts a worker that serves `end`. It says what becomes of it on its socket.
    ///
    /// Returns what ends it, where that is known now; a process that says it is born is ended through its handle.
    fn start(
        &mut self,
        slot: SlotId,
        generation: Generation,
        end: WorkerEnd,
    ) -> io::Result<Option<Box<dyn Kill>>>;

    /// Takes what was heard of workers. An error means that no worker can be started any more.
    fn heard(&mut self, into: &mut Vec<Heard>) -> io::Result<()>;

    /// Whether the end of every worker is told by [`Launch::heard`].
    fn tells_ends(&self) -> bool;
}

/// Ends a worker, whatever it does.
pub trait Kill: Send {
    /// Ends it. Does nothing if it has ended.
    fn kill(&self);
}

/// News of a worker.
#[derive(Debug)]
pub enum Heard {
    /// It could not be started.
    StartFailed(SlotId, Generation, String),
    /// It has ended.
    Exited(SlotId, Generation, ExitStatus),
}
