//! The fork server: holds one component, loaded and never run, and forks workers that have it.
//!
//! One thread, always: that is what makes forking sound. It makes no runtime, no instance and no random numbers that
//! workers would share.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::process::{Pid, getpid};

use super::allocator::end_without_memory;
use super::desk::Desk;
use super::forking::{Forking, Side, tell};
use super::serve::{self, End};
use super::{Broken, exit, fault, receive, unexpected};
use crate::engine::program::Program;
use crate::grants::{Directory, Granted};
use crate::ids::{Generation, SlotId};
use crate::ipc::link::{WorkerEnd, WorkerLink};
use crate::ipc::wire::{FromForkServer, FromWorker, Load, ToForkServer};
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::sandbox::{self, Bounds, Confined};
use crate::sys::memory::Mapping;
use crate::sys::process::{exit_now, on_interrupt, take_place};
use crate::sys::socket::Socket;
use crate::text::printable;

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
    let bounds = Bounds::of_workers(&limits, &granted.directories);
    let fenced = confined.fence(bounds, &granted.directories)?;
    let (wall, program) =
        fenced.lock_fork_server(load.mode.attach, load.without.as_deref(), || {
            let code = code.map()?;
            // SAFETY: nothing of the code is called in this process; in workers, which are locked, it may do what it likes.
            let program = unsafe { Program::load(code, load.mode, &limits, 1, None, granted) };
            let program = match program {
                Ok(program) => Arc::new(program.seeded(load.seed).initialized(load.initializer)),
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
        forking: Forking::new(socket)?,
        component: Component {
            program,
            limits,
            isolation: load.isolation,
        },
        wall,
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
    let mut buffers = Vec::new();
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
            ToForkServer::Buffer => buffers.push(fd),
            ToForkServer::Load(mut load) => {
                let code = Code {
                    file: fd,
                    bytes: load.code_bytes,
                };
                granted.env = std::mem::take(&mut load.env);
                granted.objects.grants = std::mem::take(&mut load.objects);
                // Workers inherit the mappings, and have no descriptors.
                granted.objects.map(buffers)?;
                return Ok(Some((load, code, granted)));
            }
            ToForkServer::Fork(..) => {
                return Err(unexpected("a worker was asked for before the code came"));
            }
        }
    }
}

struct Server {
    forking: Forking<(SlotId, Generation)>,
    component: Component,
    wall: sandbox::Server,
}

impl Server {
    fn run(mut self) -> io::Result<()> {
        self.forking
            .tell(&FromForkServer::Loaded(self.wall.layers()));
        let ended = |(slot, generation), status| FromForkServer::Exited(slot, generation, status);
        while let Some((message, fds)) = self.forking.next(ended)? {
            let ToForkServer::Fork(slot, generation) = message else {
                return Err(unexpected("code came a second time"));
            };
            let [socket, memory] = <[OwnedFd; 2]>::try_from(fds)
                .map_err(|_| unexpected("a worker is given two descriptors"))?;
            let end = WorkerEnd {
                socket: socket.into(),
                memory,
            };
            self = self.fork(slot, generation, end);
        }
        Ok(())
    }

    fn fork(self, slot: SlotId, generation: Generation, end: WorkerEnd) -> Server {
        let Server {
            forking,
            component,
            wall,
        } = self;
        let parent = getpid();
        match forking.fork((slot, generation)) {
            // Descriptors of memory images, which workers need, stay.
            Side::Child(control) => exit_now(worker(component, slot, end, control, wall, parent)),
            Side::Parent(forking, forked) => {
                if let Err(error) = forked {
                    let error = error.to_string();
                    forking.tell(&FromForkServer::ForkFailed(slot, generation, error));
                }
                Server {
                    forking,
                    component,
                    wall,
                }
            }
        }
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
