//! The processes of a pool: the compiler, for a moment, and the fork server, which forks the workers.
//!
//! What they say is as hostile as the module they read: bounded, checked, never executed here.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::error::Error;
use crate::grants::Granted;
use crate::ids::{Generation, SlotId};
use crate::ipc::launch::{Heard, Kill, Launch, NO_MEMORY, ROLE_ARGUMENT, serves};
use crate::ipc::link::WorkerEnd;
use crate::ipc::manifest::{MAX_ENCODED_BYTES, Manifest, OverLimit, Refusal};
use crate::ipc::wire::{self, Compile, Compiled, FromForkServer, Initializer, Load, ToForkServer};
use crate::limits::Limits;
use crate::mode::{CodeMode, Isolation};
use crate::sandbox;
use crate::sandbox::cgroup::Group;
use crate::sandbox::layers::{Layer, Layers, Role};
use crate::sys::memory::{Mapping, cut_and_seal, sealed_memfd, writable_memfd};
use crate::sys::poll::Poller;
use crate::sys::process::{OwnedChild, spawn};
use crate::sys::socket::{MAX_MESSAGE, Socket};
use crate::text::printable;

/// The program whose processes can be workers: this one, where it said so at its start, else the `wasmpool` that lies
/// beside it or above it, else the one in the search path.
pub(crate) fn program() -> io::Result<OsString> {
    if serves() {
        return Ok("/proc/self/exe".into());
    }
    let this = std::env::current_exe()?;
    let beside = this
        .ancestors()
        .skip(1)
        .take(3)
        .map(|folder| folder.join("wasmpool"));
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&in_path).map(|folder| folder.join("wasmpool"));
    beside
        .chain(in_path.collect::<Vec<_>>())
        .find(|path| path.is_file())
        .map(Into::into)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "no program to run workers with: call `wasmpool::worker::enter_if_asked()` at the top of `main`, or put \
                 the program `wasmpool` beside this one or into the search path",
            )
        })
}

/// A started process. Dropping it ends it, and only then its group is removed.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) socket: Socket,
    child: OwnedChild,
    group: Option<Group>,
    /// How long it may take to end by itself.
    patience: Duration,
}

impl Started {
    /// That it ended, and what it said last.
    pub(super) fn ended(&mut self, when: &str) -> io::Error {
        ended(when, &mut self.child)
    }

    /// The layers that it says it has, and that of its group.
    pub(super) fn with_group(&self, layers: Layers) -> Layers {
        let layers = layers.without(Layer::MemoryCgroup);
        match self.group {
            Some(_) => layers.with(Layer::MemoryCgroup),
            None => layers,
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A fork server that ends by itself has no process left in its group.
        self.socket.finish();
        let _ = self.child.end_after(self.patience);
    }
}

/// Starts a process in a role, in a control group of so many bytes and processes where there can be one, and shakes
/// hands. The calling thread must outlive the process.
pub(super) fn start(role: Role, memory: u64, processes: u32) -> io::Result<Started> {
    let (socket, theirs) = Socket::pair()?;
    // The process learns from the kernel who its parent is.
    let mut child = spawn(&program()?, &[ROLE_ARGUMENT], theirs)?;
    let group = Group::new(memory, processes).ok();
    let doors = group.as_ref().and_then(|group| group.doors().ok());
    let doors = doors.unwrap_or_default();
    // It goes through them before it answers, and has done nothing until then: all that it will have is counted.
    let fds: Vec<_> = doors.iter().map(AsFd::as_fd).collect();
    socket.send(&wire::hello(role), &fds)?;
    let mut buffer = [0; 64];
    let answer = receive(&socket, &mut buffer, Duration::from_secs(30))?
        .ok_or_else(|| ended("before it answered", &mut child))?;
    match wire::read_hello(&buffer[..answer.len]) {
        Ok(answered) if answered == role => Ok(Started {
            group: group.filter(|group| group.has(child.pid())),
            socket,
            child,
            patience: match role {
                Role::Compiler | Role::CompilerProber => Duration::ZERO,
                Role::ForkServer | Role::WorkerProber => Duration::from_secs(1),
            },
        }),
        Ok(_) => Err(io::Error::other(
            "the started process answered in another role",
        )),
        Err(e) => Err(io::Error::other(e)),
    }
}

/// A process that has ended, with what it said last.
fn ended(when: &str, child: &mut OwnedChild) -> io::Error {
    let status = match child.end_after(Duration::from_secs(1)) {
        Ok(status) => status.to_string(),
        Err(e) => e.to_string(),
    };
    let words = printable(&String::from_utf8_lossy(&child.last_words()), 4096);
    let words = match words.trim() {
        "" => "it said nothing",
        words => words,
    };
    io::Error::other(format!("it ended {when} ({status}): {words}"))
}

/// Waits for one message, for so long. `None` at the end of the socket.
pub(super) fn receive(
    socket: &Socket,
    buffer: &mut [u8],
    limit: Duration,
) -> io::Result<Option<crate::sys::socket::Received>> {
    let poller = Poller::new()?;
    poller.add(socket, 0)?;
    let (start, mut ready) = (std::time::Instant::now(), Vec::new());
    loop {
        let left = limit.saturating_sub(start.elapsed());
        poller.wait(Some(left), &mut ready)?;
        match socket.try_recv(buffer) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && !left.is_zero() => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            other => return other,
        }
    }
}

/// `Err` if a process is less protected than it has to be.
fn protected(role: Role, layers: Layers, strict: bool) -> Result<(), Error> {
    match sandbox::missing(role, layers, strict) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Error::Protection { missing }),
    }
}

/// Compiled code and its description.
#[derive(Debug)]
pub(super) struct Code {
    /// Holds the code from offset 0.
    pub file: OwnedFd,
    /// Bytes of the code.
    pub bytes: u64,
    /// What it is. Checked.
    pub manifest: Manifest,
}

/// Compiles a module in a process of its own, within the limits.
pub(super) fn compile(
    module: &[u8],
    mode: &CodeMode,
    limits: &Limits,
    strict: bool,
) -> Result<Code, Error> {
    OverLimit::test("bytes", module.len() as u64, limits.module_bytes)?;
    let failed = || Error::pool("the compiler process cannot be used");
    let module_file = sealed_memfd("wasmpool-module", &[module]).map_err(failed())?;
    let memory = limits
        .compile_memory_bytes
        .saturating_add(limits.compiled_bytes)
        .saturating_add(GROUP_BYTES);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let mut started = start(Role::Compiler, memory, GROUP_PROCESSES + threads)
        .map_err(Error::pool("the compiler process cannot be started"))?;
    let socket = &started.socket;
    let request = Compile {
        mode: *mode,
        limits: limits.clone(),
        module_bytes: module.len() as u64,
    };
    let request = wire::encode(&request).map_err(failed())?;
    let file = writable_memfd("wasmpool-code", limits.compiled_bytes, false).map_err(failed())?;
    socket
        .send(&request, &[module_file.as_fd(), file.as_fd()])
        .map_err(failed())?;
    let mut buffer = vec![0; MAX_MESSAGE];
    let answer = receive(socket, &mut buffer, Duration::from_secs(30)).map_err(failed())?;
    let answer =
        answer.ok_or_else(|| failed()(ended("before it was locked", &mut started.child)))?;
    match wire::decode(&buffer[..answer.len]).map_err(failed())? {
        Compiled::Locked(layers) => protected(Role::Compiler, layers, strict)?,
        _ => return Err(failed()(io::Error::other("it answered out of turn"))),
    };
    let answer = match receive(socket, &mut buffer, limits.compile_timeout) {
        Ok(Some(answer)) => answer,
        Err(e) if e.kind() == io::ErrorKind::TimedOut => {
            return Err(Error::CompileTimeout(limits.compile_timeout));
        }
        Ok(None) => {
            let status = started.child.wait().map_err(failed())?;
            if status.code() == Some(NO_MEMORY) {
                return Err(Error::CompileMemory(limits.compile_memory_bytes));
            }
            let ending = match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("{status}"),
            };
            return Err(Error::CompilerLost {
                ending,
                limit_bytes: limits.compile_memory_bytes,
            });
        }
        Err(e) => return Err(failed()(e)),
    };
    let answer = wire::decode(&buffer[..answer.len]).map_err(failed())?;
    // From here on nobody is there to change what it wrote.
    started.child.end().map_err(failed())?;
    match answer {
        Compiled::Locked(_) => Err(failed()(io::Error::other("it answered out of turn"))),
        Compiled::Refused { message, hint } => {
            Err(Error::Module(Refusal { message, hint }.bounded()))
        }
        Compiled::OverLimit(over) => Err(Error::OverLimit(over.bounded())),
        Compiled::Done {
            code_bytes,
            manifest_bytes,
        } => {
            let manifest = read_manifest(&file, code_bytes, manifest_bytes, limits);
            Ok(Code {
                file,
                bytes: code_bytes,
                manifest: manifest.map_err(failed())?,
            })
        }
    }
}

fn read_manifest(
    file: &OwnedFd,
    code_bytes: u64,
    manifest_bytes: u64,
    limits: &Limits,
) -> io::Result<Manifest> {
    let size = code_bytes
        .checked_add(manifest_bytes)
        .filter(|size| *size <= limits.compiled_bytes)
        .filter(|_| manifest_bytes <= MAX_ENCODED_BYTES as u64)
        .ok_or_else(|| io::Error::other("the compiler's output is longer than it may be"))?;
    cut_and_seal(file, size)?;
    let all = Mapping::read_only(file, usize::try_from(size).map_err(io::Error::other)?)?;
    let at = usize::try_from(code_bytes).map_err(io::Error::other)?;
    Manifest::decode(&all[at..]).map_err(io::Error::other)
}

/// Bytes of a group besides what its processes are bounded to: the kernel's objects, the program itself.
pub(super) const GROUP_BYTES: u64 = 128 << 20;
/// Bytes of a group for each worker besides its bound: the kernel's objects, its shared memory.
const WORKER_BYTES: u64 = 32 << 20;
/// Processes and threads of a group besides workers, and besides a compiler's for each processor.
pub(super) const GROUP_PROCESSES: u32 = 16;

/// What the processes of a pool are to be.
pub(super) struct Plan {
    pub mode: CodeMode,
    pub isolation: Isolation,
    pub granted: Granted,
    /// The descriptors of granted buffers.
    pub buffers: Vec<OwnedFd>,
    /// What each instance does before its first item.
    pub initializer: Option<Initializer>,
    /// What randomness is made of, in deterministic mode.
    pub seed: u64,
    pub strict: bool,
    /// A system call that workers are denied although their list has it.
    pub without: Option<String>,
}

/// The fork server's end in the host.
#[derive(Debug)]
pub(super) struct ForkServer {
    started: Started,
    layers: Layers,
}

impl ForkServer {
    /// Starts it, for so many workers at a time. The calling thread must outlive it.
    pub(super) fn start(slots: usize, limits: &Limits) -> Result<Started, Error> {
        let worker = limits.worker_data_bytes().saturating_add(WORKER_BYTES);
        // One more that is being replaced for each, and the server itself.
        let workers = (slots as u64).saturating_add(1);
        let memory = worker.saturating_mul(workers).saturating_add(GROUP_BYTES);
        let processes = GROUP_PROCESSES.saturating_add(2 * slots as u32);
        start(Role::ForkServer, memory, processes)
            .map_err(Error::pool("the fork server cannot be started"))
    }

    /// Has it load the code.
    pub(super) fn load(
        mut started: Started,
        code: &Code,
        plan: Plan,
        limits: &Limits,
    ) -> Result<ForkServer, Error> {
        let socket = &started.socket;
        let failed = || Error::pool("the fork server cannot be used");
        let send = |message: &ToForkServer, fd: BorrowedFd<'_>| {
            let message = wire::encode(message)?;
            socket.send(&message, &[fd])
        };
        for directory in plan.granted.directories {
            let message = ToForkServer::Directory {
                guest_path: directory.guest_path,
                writable: directory.writable,
            };
            send(&message, directory.fd.as_fd()).map_err(failed())?;
        }
        for buffer in &plan.buffers {
            send(&ToForkServer::Buffer, buffer.as_fd()).map_err(failed())?;
        }
        let load = Load {
            objects: plan.granted.objects.grants,
            mode: plan.mode,
            limits: limits.clone(),
            isolation: plan.isolation,
            code_bytes: code.bytes,
            env: plan.granted.env,
            initializer: plan.initializer,
            seed: plan.seed,
            without: plan.without,
        };
        send(&ToForkServer::Load(load), code.file.as_fd()).map_err(failed())?;
        let mut buffer = vec![0; MAX_MESSAGE];
        let answer = receive(socket, &mut buffer, Duration::from_secs(60)).map_err(failed())?;
        let answer =
            answer.ok_or_else(|| failed()(ended("before it answered", &mut started.child)))?;
        match wire::decode(&buffer[..answer.len]).map_err(failed())? {
            FromForkServer::Loaded(layers) => {
                protected(Role::ForkServer, layers, plan.strict)?;
                let layers = started.with_group(layers);
                Ok(ForkServer { started, layers })
            }
            FromForkServer::LoadFailed(message) => Err(Error::Module(
                Refusal {
                    message: format!("the compiled module cannot be loaded: {message}"),
                    hint: None,
                }
                .bounded(),
            )),
            _ => Err(failed()(io::Error::other("it answered out of turn"))),
        }
    }

    /// The layers in force around it and its workers.
    pub(super) fn layers(&self) -> Layers {
        self.layers
    }
}

impl Launch for ForkServer {
    fn start(
        &mut self,
        slot: SlotId,
        generation: Generation,
        end: WorkerEnd,
    ) -> io::Result<Option<Box<dyn Kill>>> {
        let message = wire::encode(&ToForkServer::Fork(slot, generation))?;
        self.started
            .socket
            .send(&message, &[end.socket.as_fd(), end.memory.as_fd()])?;
        Ok(None)
    }

    fn heard(&mut self, into: &mut Vec<Heard>) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let received = match self.started.socket.try_recv(&mut buffer) {
                Ok(Some(received)) => received,
                Ok(None) => return Err(ended("by itself", &mut self.started.child)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            into.push(match wire::decode(&buffer[..received.len])? {
                FromForkServer::Exited(slot, generation, status) => {
                    Heard::Exited(slot, generation, ExitStatus::from_raw(status))
                }
                FromForkServer::ForkFailed(slot, generation, message) => {
                    Heard::StartFailed(slot, generation, message)
                }
                _ => return Err(io::Error::other("a message out of turn")),
            });
        }
    }

    fn news(&self) -> Option<BorrowedFd<'_>> {
        Some(self.started.socket.as_fd())
    }

    fn tells_ends(&self) -> bool {
        true
    }
}
