//! The prober as the host sees it: a process whose children are locked as workers or compilers are, and try one forbidden
//! thing each. Tells how they ended; judges nothing.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use super::error::Error;
use super::processes::{GROUP_BYTES, GROUP_PROCESSES, Started, receive, start};
use crate::audit::probes::Attempt;
use crate::ipc::trial::{self, Trial};
use crate::ipc::wire::{self, FromProber, ToProber};
use crate::limits::Limits;
use crate::sandbox::layers::{Layers, Role};
use crate::sys::memory::fixed_memfd;
use crate::sys::socket::Socket;

/// How long the process of a probe may run.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of one probe's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The number of the last call that it was about to make.
    pub last_call: i64,
    /// What it reported.
    pub attempt: Option<Attempt>,
    /// How it ended. None if it had to be killed because it went on and on.
    pub status: Option<ExitStatus>,
}

/// A prober. Dropping it ends all its processes.
#[derive(Debug)]
pub(crate) struct Prober {
    role: Role,
    limits: Limits,
    started: Started,
    layers: Layers,
}

impl Prober {
    /// Starts it, with processes as `limits` bound them. The calling thread must outlive it.
    pub(crate) fn start(role: Role, limits: &Limits) -> Result<Prober, Error> {
        let memory = match role.is_of_workers() {
            true => limits.worker_data_bytes(),
            false => limits.compile_memory_bytes,
        };
        let memory = memory.saturating_add(GROUP_BYTES);
        let started = start(role, memory, GROUP_PROCESSES)
            .map_err(Error::pool("the prober cannot be started"))?;
        let mut prober = Prober {
            role,
            limits: limits.clone(),
            started,
            layers: Layers::none(),
        };
        prober
            .begin()
            .map_err(Error::pool("the prober cannot be used"))?;
        Ok(prober)
    }

    fn begin(&mut self) -> io::Result<()> {
        let message = wire::encode(&ToProber::Begin(self.limits.clone()))?;
        self.started.socket.send(&message, &[])?;
        match self.hear(Duration::from_secs(30))? {
            Some(FromProber::Ready(layers)) => {
                self.layers = self.started.with_group(layers);
                Ok(())
            }
            Some(_) => Err(io::Error::other("it answered out of turn")),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The layers in force around its processes.
    pub(crate) fn layers(&self) -> Layers {
        self.layers
    }

    /// Has the probe at a place of their list tried.
    pub(crate) fn attempt(&mut self, probe: u32) -> Result<Ended, Error> {
        self.ended(probe)
            .map_err(Error::pool("the prober cannot be used"))
    }

    fn ended(&mut self, probe: u32) -> io::Result<Ended> {
        let (channel, theirs) = Socket::pair()?;
        let memory = fixed_memfd("wasmpool-trial", trial::BYTES as u64)?;
        let trial = Trial::map(&memory)?;
        trial.clear();
        let message = wire::encode(&ToProber::Try(probe))?;
        self.started
            .socket
            .send(&message, &[theirs.as_fd(), memory.as_fd()])?;
        drop(theirs);
        let status = match self.hear(PATIENCE)? {
            Some(FromProber::Ended(ended, status)) if ended == probe => {
                Some(ExitStatus::from_raw(status))
            }
            Some(FromProber::ForkFailed(reason)) => return Err(io::Error::other(reason)),
            Some(_) => return Err(io::Error::other("it answered out of turn")),
            None => None,
        };
        drop(channel);
        let ended = Ended {
            last_call: trial.last_call(),
            attempt: trial.reported().map(Attempt::from_word),
            status,
        };
        if status.is_none() {
            // Ends the process that goes on with the one that forked it.
            *self = Prober::start(self.role, &self.limits).map_err(io::Error::other)?;
        }
        Ok(ended)
    }

    /// Its next message; None if it takes longer than `limit`.
    fn hear(&mut self, limit: Duration) -> io::Result<Option<FromProber>> {
        let mut buffer = [0; 4096];
        let start = Instant::now();
        match receive(&self.started.socket, &mut buffer, limit) {
            Ok(Some(received)) => wire::decode(&buffer[..received.len]).map(Some),
            Ok(None) => Err(self.started.ended("while it probed")),
            Err(e) if e.kind() == io::ErrorKind::TimedOut && start.elapsed() >= limit => Ok(None),
            Err(e) => Err(e),
        }
    }
}
