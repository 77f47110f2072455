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
use crate::ids::{Generation, SlotId};
use crate::ipc::launch::{Heard, Kill, Launch, ROLE_ARGUMENT, serves};
use crate::ipc::link::WorkerEnd;
use crate::ipc::manifest::{MAX_ENCODED_BYTES, Manifest, Refusal};
use crate::ipc::wire::{self, Compile, Compiled, FromForkServer, Role, ToForkServer};
use crate::limits::Limits;
use crate::mode::{CodeMode, Isolation};
use crate::sys::memory::{Mapping, check_sealed, sealed_memfd};
use crate::sys::poll::Poller;
use crate::sys::process::{OwnedChild, spawn};
use crate::sys::socket::{MAX_MESSAGE, Socket};

/// Environment variables that a started process keeps.
const KEPT: &[&str] = &["RUST_BACKTRACE"];

/// The program whose processes can be workers: this one, where it said so at its start, else the `wasmpool` that lies
/// beside it or above it, else the one in the search path.
fn program() -> io::Result<OsString> {
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

/// Starts a process in a role and shakes hands. The calling thread must outlive the process.
fn start(role: Role) -> io::Result<(OwnedChild, Socket)> {
    let (socket, theirs) = Socket::pair()?;
    // The process learns from the kernel who its parent is.
    let child = OwnedChild::new(spawn(&program()?, &[ROLE_ARGUMENT], theirs, KEPT)?);
    socket.send(&wire::hello(role), &[])?;
    let mut buffer = [0; 64];
    let answer = receive(&socket, &mut buffer, Duration::from_secs(30))?
        .ok_or_else(|| io::Error::other("the started process ended before it answered"))?;
    match wire::read_hello(&buffer[..answer.len]) {
        Ok(answered) if answered == role => Ok((child, socket)),
        Ok(_) => Err(io::Error::other(
            "the started process answered in another role",
        )),
        Err(e) => Err(io::Error::other(e)),
    }
}

/// Waits for one message, for so long. `None` at the end of the socket.
fn receive(
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
pub(super) fn compile(module: &[u8], mode: &CodeMode, limits: &Limits) -> Result<Code, Error> {
    if module.len() as u64 > limits.module_bytes {
        return Err(Error::Module(Refusal {
            message: format!(
                "the module has {} bytes, more than the limit of {}",
                module.len(),
                limits.module_bytes
            ),
            hint: Some("raise the limit, or strip the module".into()),
        }));
    }
    let failed = || Error::pool("the compiler process cannot be used");
    let module_file = sealed_memfd("wasmpool-module", &[module]).map_err(failed())?;
    let (mut child, socket) =
        start(Role::Compiler).map_err(Error::pool("the compiler process cannot be started"))?;
    let request = Compile {
        mode: *mode,
        limits: limits.clone(),
        module_bytes: module.len() as u64,
    };
    let request = wire::encode(&request).map_err(failed())?;
    socket
        .send(&request, &[module_file.as_fd()])
        .map_err(failed())?;
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut answer = match receive(&socket, &mut buffer, limits.compile_timeout) {
        Ok(Some(answer)) => answer,
        Err(e) if e.kind() == io::ErrorKind::TimedOut => {
            return Err(Error::CompileTimeout(limits.compile_timeout));
        }
        Ok(None) => {
            let status = child.wait().map_err(failed())?;
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
    match wire::decode(&buffer[..answer.len]).map_err(failed())? {
        Compiled::Refused { message, hint } => {
            Err(Error::Module(Refusal { message, hint }.bounded()))
        }
        Compiled::Done {
            code_bytes,
            manifest_bytes,
        } => {
            let file = answer
                .fds
                .pop()
                .ok_or_else(|| failed()(io::Error::other("it sent no code")))?;
            let manifest = read_manifest(&file, code_bytes, manifest_bytes).map_err(failed())?;
            Ok(Code {
                file,
                bytes: code_bytes,
                manifest,
            })
        }
    }
}

fn read_manifest(file: &OwnedFd, code_bytes: u64, manifest_bytes: u64) -> io::Result<Manifest> {
    let size = check_sealed(file)?;
    let fits = code_bytes.checked_add(manifest_bytes) == Some(size)
        && manifest_bytes <= MAX_ENCODED_BYTES as u64;
    if !fits {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the compiler's output is not as long as it says",
        ));
    }
    let all = Mapping::read_only(file, usize::try_from(size).map_err(io::Error::other)?)?;
    let at = usize::try_from(code_bytes).map_err(io::Error::other)?;
    Manifest::decode(&all[at..]).map_err(io::Error::other)
}

/// The fork server's end in the host.
#[derive(Debug)]
pub(super) struct ForkServer {
    socket: Socket,
    _process: OwnedChild,
}

impl ForkServer {
    /// Starts it and has it load the code. The calling thread must outlive it.
    pub(super) fn start(
        code: &Code,
        mode: CodeMode,
        limits: &Limits,
        isolation: Isolation,
    ) -> Result<ForkServer, Error> {
        let (process, socket) =
            start(Role::ForkServer).map_err(Error::pool("the fork server cannot be started"))?;
        let failed = || Error::pool("the fork server cannot be used");
        let load = ToForkServer::Load {
            mode,
            limits: limits.clone(),
            isolation,
            code_bytes: code.bytes,
        };
        socket
            .send(
                &wire::encode(&load).map_err(failed())?,
                &[code.file.as_fd()],
            )
            .map_err(failed())?;
        let mut buffer = vec![0; MAX_MESSAGE];
        let answer = receive(&socket, &mut buffer, Duration::from_secs(60)).map_err(failed())?;
        let answer =
            answer.ok_or_else(|| failed()(io::Error::other("it ended before it answered")))?;
        match wire::decode(&buffer[..answer.len]).map_err(failed())? {
            FromForkServer::Loaded => Ok(ForkServer {
                socket,
                _process: process,
            }),
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
}

impl Launch for ForkServer {
    fn start(
        &mut self,
        slot: SlotId,
        generation: Generation,
        end: WorkerEnd,
    ) -> io::Result<Option<Box<dyn Kill>>> {
        let message = wire::encode(&ToForkServer::Fork(slot, generation))?;
        self.socket
            .send(&message, &[end.socket.as_fd(), end.memory.as_fd()])?;
        Ok(None)
    }

    fn heard(&mut self, into: &mut Vec<Heard>) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let received = match self.socket.try_recv(&mut buffer) {
                Ok(Some(received)) => received,
                Ok(None) => return Err(io::Error::other("its socket is closed")),
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
        Some(self.socket.as_fd())
    }

    fn tells_ends(&self) -> bool {
        true
    }
}
