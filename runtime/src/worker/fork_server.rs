//! The fork server: holds one component, loaded and never run, and forks workers that have it.
//!
//! One thread, always: that is what makes forking sound. It makes no runtime, no instance and no random numbers that
//! workers would share.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;

use rustix::process::Pid;

use super::allocator::end_without_memory;
use super::desk::Desk;
use super::serve::{self, End};
use super::{Broken, exit, fault, receive, unexpected};
use crate::engine::program::Program;
use crate::grants::{Directory, Granted};
use crate::ids::{Generation, SlotId};
use crate::ipc::link::{WorkerEnd, WorkerLink};
use crate::ipc::wire::{self, FromForkServer, FromWorker, Load, ToForkServer};
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::sandbox::{self, Bounds, Confined};
use crate::sys::memory::Mapping;
use crate::sys::poll::Poller;
use crate::sys::process::{
    Forked, child_signal, exit_now, forget_child_signal, fork, on_interrupt, reap, take_place,
};
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
pub(super) fn run(socket: Socket, confined: Confined) -> Result<(), Broken> {
    let Some((load, code, granted)) = receive_load(&socket)? else {
        return Ok(());
    };
    let limits = load.limits;
    let bounds = Bounds {
        data_bytes: limits.worker_data_bytes(),
        file_bytes: match granted.directories.iter().any(|d| d.writable) {
            true => u64::MAX,
            false => limits.memory_bytes.max(limits.result_bytes),
        },
    };
    let fenced = confined.fence(bounds, &granted.directories)?;
    let (wall, program) = fenced.lock_fork_server(load.without.as_deref(), || {
        let code = code.map()?;
        // SAFETY: nothing of the code is called in this process; in workers, which are locked, it may do what it likes.
        let program = unsafe { Program::load(code, load.mode, &limits, 1, None, granted) };
        let program = match program {
            Ok(program) => Arc::new(program.seeded(load.seed)),
            Err(error) => return Ok(Err(printable(&error.to_string(), 4096))),
        };
        if program.has_epochs() {
            let program = program.clone();
            // SAFETY: `interrupt` is made for signal handlers. Workers inherit it, and the program lies where it lies here.
            unsafe { on_interrupt(move || program.interrupt()) }?;
        }
        Ok::<_, io::Error>(Ok(program))
    })?;
    let program = match program? {
        Ok(program) => program,
        Err(message) => {
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
            isolation: load.isolation,
        },
        wall,
        children: HashMap::new(),
    }
    .run()?;
    Ok(())
}

/// The code as the host sent it.
struct Code {
    file: OwnedFd,
    bytes: u64,
}

impl Code {
    fn map(self) -> io::Result<Mapping> {
        let bytes = usize::try_from(self.bytes).map_err(io::Error::other)?;
        // A mapping past the end of its file would end the process when it is read.
        let size = rustix::fs::fstat(&self.file)?.st_size;
        if size < i64::try_from(self.bytes).map_err(io::Error::other)? {
            return Err(unexpected("code shorter than announced"));
        }
        Mapping::executable(&self.file, bytes)
    }
}

/// Receives what it is to be: granted directories, then the code. `None` if the host is gone.
fn receive_load(socket: &Socket) -> io::Result<Option<(Load, Code, Granted)>> {
    let mut granted = Granted::default();
    loop {
        let Some((message, mut fds)) = receive(socket)? else {
            return Ok(None);
        };
        let (Some(fd), true) = (fds.pop(), fds.is_empty()) else {
            return Err(unexpected("a directory, and the code, are one descriptor"));
        };
        match message {
            ToForkServer::Directory {
                guest_path,
                writable,
            } => granted.directories.push(Directory {
                fd,
                guest_path,
                writable,
            }),
            ToForkServer::Load(mut load) => {
                let code = Code {
                    file: fd,
                    bytes: load.code_bytes,
                };
                granted.env = std::mem::take(&mut load.env);
                return Ok(Some((load, code, granted)));
            }
            ToForkServer::Fork(..) => {
                return Err(unexpected("a worker was asked for before the code came"));
            }
        }
    }
}

struct Server {
    control: Socket,
    signal: OwnedFd,
    poller: Poller,
    component: Component,
    wall: sandbox::Server,
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
        tell(&self.control, &FromForkServer::Loaded(self.wall.layers()));
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
                Some((ToForkServer::Load(_) | ToForkServer::Directory { .. }, _)) => {
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
        let parent = self.wall.pid();
        // SAFETY: this process has one thread.
        match unsafe { fork() } {
            Ok(Forked::Child) => {
                forget_child_signal();
                let Server {
                    control,
                    signal,
                    poller,
                    component,
                    wall,
                    children,
                } = self;
                // All descriptors that a worker must not have; those of memory images it needs stay.
                drop((signal, poller, children));
                exit_now(worker(component, slot, end, control, wall, parent))
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

/// A worker's life. Returns its exit code. What goes wrong once it is locked it cannot write anywhere.
fn worker(
    component: Component,
    slot: SlotId,
    end: WorkerEnd,
    control: Socket,
    wall: sandbox::Server,
    parent: Pid,
) -> i32 {
    let link = || {
        let WorkerEnd { socket, memory } = end;
        // Under the number for which the lists of system calls have rules.
        let socket = take_place(socket, control)?;
        WorkerLink::new(WorkerEnd { socket, memory })
    };
    let link = match link() {
        Ok(link) => link,
        Err(error) => return fault(exit::BROKEN, error),
    };
    let locked = match wall.lock_worker(parent) {
        Ok(locked) => locked,
        Err(error) => return fault(exit::UNSAFE, error),
    };
    end_without_memory();
    if link.send(&FromWorker::Born).is_err() {
        return exit::DONE;
    }
    let Component {
        program,
        limits,
        isolation,
    } = component;
    match serve::serve(locked, &program, link, slot, isolation, &limits, None) {
        End::HostGone => exit::DONE,
        End::GuestEnded | End::StartFailed => exit::ENDED,
        End::Broken(_) => exit::BROKEN,
    }
}
