//! How a pool gets workers: the one thing in which processes and threads differ.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};

use super::link::WorkerEnd;
use crate::ids::{Generation, SlotId};

/// The only argument of a program that is started to be one of a pool's processes.
pub const ROLE_ARGUMENT: &str = "--wasmpool-process";

/// The exit code of a worker or a compiler that was refused memory by the limit on its process.
pub const NO_MEMORY: i32 = 7;

static SERVES: AtomicBool = AtomicBool::new(false);

/// Says that this program, started with [`ROLE_ARGUMENT`], serves as one of a pool's processes.
pub fn this_program_serves() {
    SERVES.store(true, Ordering::Relaxed);
}

/// Whether this program can be started to be one of a pool's processes.
pub fn serves() -> bool {
    SERVES.load(Ordering::Relaxed)
}

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

    /// What to wait for, for [`Launch::heard`] to have something.
    fn news(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether the end of every worker is told by [`Launch::heard`].
    fn tells_ends(&self) -> bool;
}

/// Ends a worker, whatever it does.
pub trait Kill: Send {
    /// Ends it. Does nothing if it has ended.
    fn kill(&self);

    /// Has the guest's code stop where it is, so that the worker says where that was and ends. Only code compiled with
    /// epochs does; nobody may rely on it, and the worker must not be used again.
    fn interrupt(&self) {}

    /// The number of the process that it is, if it is one.
    fn pid(&self) -> Option<u32> {
        None
    }
}

/// News of a worker.
#[derive(Debug)]
pub enum Heard {
    /// It could not be started.
    StartFailed(SlotId, Generation, String),
    /// It has ended.
    Exited(SlotId, Generation, ExitStatus),
}
