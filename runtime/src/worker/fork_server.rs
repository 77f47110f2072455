//! The fork server: holds one component, loaded and never run, and forks workers that have it.
//!
//! One thread, always: that is what makes forking sound. It makes no runtime, no instance and no random numbers that
//! workers would share.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use rustix::process::{Pid, getpid};

use super::desk::Desk;
use super::serve::{self, End};
use super::{exit, fault, receive, unexpected};
use crate::engine::program::Program;
use crate::ids::{Generation, SlotId};
use crate::ipc::link::{WorkerEnd, WorkerLink};
use crate::ipc::wire::{self, FromForkServer, FromWorker, ToForkServer};
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::sandbox::{self, Subject};
use crate::sys::memory::Mapping;
use crate::sys::poll::Poller;
use crate::sys::process::{Forked, child_signal, exit_now, forget_child_signal, fork, reap};
use crate::sys::socket::Socket;
use crate::text::printable;

const CONTROL: u64 = 0;
const CHILDREN: u64 = 1;

/// What all workers of a server have in common.
struct Component {
    program: Arc<Program<Desk>>,
    limits: Limits,
    isolation: Isolation,
}

/// Serves until the host closes its end. Workers end by their parent-death signal.
pub(super) fn run(socket: Socket) -> io::Result<()> {
    let Some((message, mut fds)) = receive(&socket)? else {
        return Ok(());
    };
    let ToForkServer::Load {
        mode,
        limits,
        isolation,
        code_bytes,
    } = message
    else {
        return Err(unexpected("a worker was asked for before the code came"));
    };
    let code = match (fds.pop(), fds.is_empty()) {
        (Some(fd), true) => fd,
        _ => return Err(unexpected("the code is one descriptor")),
    };
    let bytes = usize::try_from(code_bytes).map_err(io::Error::other)?;
    // A mapping past the end of its file would end the process when it is read.
    if rustix::fs::fstat(&code)?.st_size < i64::try_from(code_bytes).map_err(io::Error::other)? {
        return Err(unexpected("code shorter than announced"));
    }
    let mapping = Mapping::executable(&code, bytes)?;
    drop(code);
    // SAFETY: nothing of the code is called in this process; in workers, which are confined, it may do what it likes.
    let program = match unsafe { Program::load(mapping, mode, &limits, 1, None) } {
        Ok(program) => Arc::new(program),
        Err(error) => {
            let message = printable(&error.to_string(), 4096);
            tell(&socket, &FromForkServer::LoadFailed(message));
            return Ok(());
        }
    };
    Server {
        poller: Poller::new()?,
        signal: child_signal()?,
        control: socket,
        component: Component {
            program,
            limits,
            isolation,
        },
        children: HashMap::new(),
    }
    .run()
}

struct Server {
    control: Socket,
    signal: OwnedFd,
    poller: Poller,
    component: Component,
    children: HashMap<Pid, (SlotId, Generation)>,
}

/// Tells the host. If it is gone, the end of file says so next.
fn tell(socket: &Socket, message: &FromForkServer) {
    if let Ok(message) = wire::encode(message) {
        let _ = socket.send(&message, &[]);
    }
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        self.poller.add(&self.control, CONTROL)?;
        self.poller.add(&self.signal, CHILDREN)?;
        tell(&self.control, &FromForkServer::Loaded);
        let mut ready = Vec::new();
        loop {
            self.poller.wait(None, &mut ready)?;
            if ready.contains(&CHILDREN) {
                self.reap();
            }
            if !ready.contains(&CONTROL) {
                continue;
            }
            match receive(&self.control)? {
                None => return Ok(()),
                Some((ToForkServer::Load { .. }, _)) => {
                    return Err(unexpected("code came a second time"));
                }
                Some((ToForkServer::Fork(slot, generation), fds)) => {
                    let [socket, memory] = <[OwnedFd; 2]>::try_from(fds)
                        .map_err(|_| unexpected("a worker is given two descriptors"))?;
                    let end = WorkerEnd {
                        socket: socket.into(),
                        memory,
                    };
                    self = self.fork(slot, generation, end);
                }
            }
        }
    }

    fn reap(&mut self) {
        // Several signals may have become one: read it away, then take whoever has ended.
        let _ = rustix::io::read(&self.signal, &mut [0u8; 128 * 8]);
        while let Some((pid, status)) = reap() {
            if let Some((slot, generation)) = self.children.remove(&pid) {
                tell(
                    &self.control,
                    &FromForkServer::Exited(slot, generation, status.into_raw()),
                );
            }
        }
    }

    fn fork(mut self, slot: SlotId, generation: Generation, end: WorkerEnd) -> Server {
        let parent = getpid();
        // SAFETY: this process has one thread.
        match unsafe { fork() } {
            Ok(Forked::Child) => {
                forget_child_signal();
                let Server {
                    control,
                    signal,
                    poller,
                    component,
                    children,
                } = self;
                // All descriptors that a worker must not have; those of memory images it needs stay.
                drop((control, signal, poller, children));
                exit_now(worker(component, slot, end, parent))
            }
            Ok(Forked::Parent(pid)) => {
                self.children.insert(pid, (slot, generation));
            }
            Err(error) => tell(
                &self.control,
                &FromForkServer::ForkFailed(slot, generation, error.to_string()),
            ),
        }
        self
    }
}

/// A worker's life. Returns its exit code.
fn worker(component: Component, slot: SlotId, end: WorkerEnd, parent: Pid) -> i32 {
    if let Err(error) = sandbox::enter(Subject::Forked { parent }) {
        return fault(exit::UNSAFE, error);
    }
    let link = match WorkerLink::new(end) {
        Ok(link) => link,
        Err(error) => return fault(exit::BROKEN, error),
    };
    if link.send(&FromWorker::Born).is_err() {
        return exit::DONE;
    }
    let Component {
        program,
        limits,
        isolation,
    } = component;
    match serve::serve(&program, link, slot, isolation, &limits, None) {
        End::HostGone => exit::DONE,
        End::GuestEnded | End::StartFailed => exit::ENDED,
        End::Broken(error) => fault(exit::BROKEN, error),
    }
}
