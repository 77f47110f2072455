//! The prober: goes the way of a fork server, or of a compiler, and then forks processes that go the way of a worker, or
//! of a compiler, to the end, try one forbidden thing each, and end.
//!
//! Takes each step by the very functions that the real ones take. Judges nothing: what came of an attempt, or at which
//! call its process ended, is the host's to read.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, getpid};

use super::forking::{Forking, Side};
use super::{Broken, exit, receive, unexpected};
use crate::audit::probes::{self, Probe, Scene};
use crate::ipc::trial::Trial;
use crate::ipc::wire::{FromProber, ToProber};
use crate::sandbox::layers::{Layers, Role};
use crate::sandbox::{self, Bounds, Confined, Fenced, Locked, SandboxError};
use crate::sys::process::{exit_now, take_place};
use crate::sys::socket::Socket;

/// Serves until the host closes its end. Its processes end by their parent-death signal.
pub(super) fn run(socket: Socket, confined: Confined, role: Role) -> Result<(), Broken> {
    let Some((message, _)) = receive(&socket)? else {
        return Ok(());
    };
    let ToProber::Begin(limits) = message else {
        return Err(unexpected("a probe was asked for before the limits came").into());
    };
    let wall = match role.is_of_workers() {
        true => {
            let fenced = confined.fence(Bounds::of_workers(&limits, &[]), &[])?;
            Wall::Worker(fenced.lock_fork_server(false, None, || ())?.0)
        }
        false => Wall::Compiler(confined.fence(Bounds::of_compiler(&limits), &[])?),
    };
    let mut forking: Forking<u32> = Forking::new(socket)?;
    forking.tell(&FromProber::Ready(wall.layers()));
    let parent = getpid();
    while let Some((message, fds)) = forking.next(FromProber::Ended)? {
        let ToProber::Try(index) = message else {
            return Err(unexpected("limits came a second time").into());
        };
        let probe = usize::try_from(index).ok();
        let probe = probe.and_then(|index| probes::all().nth(index));
        let probe = probe.ok_or_else(|| unexpected("a probe that does not exist"))?;
        let [channel, memory] = <[OwnedFd; 2]>::try_from(fds)
            .map_err(|_| unexpected("a probe is given two descriptors"))?;
        match forking.fork(index) {
            Side::Child(control) => {
                exit_now(attempt(
                    probe,
                    channel.into(),
                    memory,
                    control,
                    wall,
                    parent,
                ));
            }
            Side::Parent(back, forked) => {
                forking = back;
                if let Err(error) = forked {
                    forking.tell(&FromProber::ForkFailed(error.to_string()));
                }
            }
        }
    }
    Ok(())
}

/// As far as the server of such processes is locked.
enum Wall {
    Worker(sandbox::Server),
    /// A compiler is locked by itself, at once.
    Compiler(Fenced),
}

impl Wall {
    fn layers(&self) -> Layers {
        match self {
            Wall::Worker(server) => server.layers(),
            Wall::Compiler(fenced) => fenced.layers(),
        }
    }

    fn lock(self, parent: Pid) -> Result<Locked, SandboxError> {
        match self {
            Wall::Worker(server) => server.lock_worker(parent),
            Wall::Compiler(fenced) => fenced.lock_like_compiler(parent),
        }
    }
}

/// The life of a probe's process. Returns, or ends with, an exit code.
fn attempt(
    probe: &Probe,
    channel: Socket,
    memory: OwnedFd,
    control: Socket,
    wall: Wall,
    parent: Pid,
) -> i32 {
    let share = || -> io::Result<_> {
        // Under the number for which the lists of system calls have rules.
        let channel = take_place(channel, control)?;
        let trial = Trial::map(&memory)?;
        drop(memory);
        Ok((channel, trial))
    };
    let Ok((channel, trial)) = share() else {
        return exit::BROKEN;
    };
    // SAFETY: a process forked for this probe, with one thread; it ends in this function, right after the report.
    let Ok(scene) = (unsafe { Scene::new(channel.as_fd(), trial.trace()) }) else {
        return exit::BROKEN;
    };
    if wall.lock(parent).is_err() {
        return exit::UNSAFE;
    }
    let attempt = probe.attempt(&scene);
    trial.report(attempt.to_word());
    // Returning would close and unmap, which is not on every list.
    exit_now(exit::DONE)
}
