//! What runs outside the host: compiler, fork server and workers.
//!
//! - [`enter_if_asked`]: the way in, for programs that are started as one of them.
//! - `compiler`, `fork_server`, `prober`: the roles of a started process; `forking`: what the last two have in common.
//! - `serve`: a worker's life, over a link; the same for processes and threads. `desk`: its side of the link.
//! - `threads`: workers that are threads of the host.
//!
//! Knows the host only through `ipc`.

use std::fmt::Display;

use crate::ipc::launch::{ROLE_ARGUMENT, this_program_serves};
use crate::ipc::wire::{self, HELLO_BYTES, HelloError};
use crate::sandbox::layers::Role;
use crate::sandbox::{self, SandboxError, cgroup};
use crate::sys::process::{exit_now, take_standard_input};
use crate::sys::socket::Socket;

mod allocator;
mod compiler;
mod desk;
mod fork_server;
mod forking;
mod prober;
#[doc(hidden)]
pub mod serve;
#[doc(hidden)]
pub mod threads;

#[cfg(test)]
mod tests;

pub use allocator::Allocator;
#[doc(hidden)]
pub use desk::Desk;

/// How a process of the pool ends, for who reads its exit status.
mod exit {
    pub use crate::ipc::launch::NO_MEMORY;

    /// Its work is done, or the host wants no more.
    pub const DONE: i32 = 0;
    /// A worker whose guest ended it, after it said why.
    pub const ENDED: i32 = 1;
    /// Not started by a host, or by one that does not speak this protocol.
    pub const NOT_ASKED: i32 = 2;
    /// The other side broke the protocol, or the machine failed.
    pub const BROKEN: i32 = 3;
    /// The host speaks another version.
    pub const VERSION: i32 = 4;
    /// A step of the sandbox failed.
    pub const UNSAFE: i32 = 5;
}

/// Becomes one of a pool's processes if this process was started to be one, and then never returns. Otherwise does
/// nothing.
///
/// Call it first thing in `main`: a program that does can be its own workers' executable. It must not have started a
/// thread before.
///
/// ```no_run
/// fn main() -> Result<(), wasmpool::pool::Error> {
///     wasmpool::worker::enter_if_asked();
///     // From here on this is the program that its user started.
///     let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
///     println!("{}", pool.apply::<_, i64>("square", 7i64)?);
///     Ok(())
/// }
/// ```
pub fn enter_if_asked() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg == ROLE_ARGUMENT) && args.next().is_none() {
        exit_now(role());
    }
    this_program_serves();
}

fn role() -> i32 {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("wasmpool: a fault in a process of the pool: {panic}");
        std::process::abort();
    }));
    let socket = match take_standard_input() {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("wasmpool: {ROLE_ARGUMENT} is for wasmpool itself: {error}");
            return exit::NOT_ASKED;
        }
    };
    let role = match greet(&socket) {
        Ok(role) => role,
        Err(code) => return code,
    };
    let parent = match socket.maker() {
        Ok(parent) => parent,
        Err(error) => return fault(exit::UNSAFE, error),
    };
    let confined = match sandbox::confine(role, &socket, parent) {
        Ok(confined) => confined,
        Err(error) => return fault(exit::UNSAFE, error),
    };
    let done = match role {
        Role::Compiler => compiler::run(&socket, confined),
        Role::ForkServer => fork_server::run(socket, confined),
        Role::WorkerProber | Role::CompilerProber => prober::run(socket, confined, role),
    };
    match done {
        Ok(()) => exit::DONE,
        Err(Broken::Wall(error)) => fault(exit::UNSAFE, error),
        Err(Broken::Link(error)) => fault(exit::BROKEN, error),
    }
}

/// What ends a started process.
enum Broken {
    /// A step of the sandbox.
    Wall(SandboxError),
    /// The other side, or the machine.
    Link(std::io::Error),
}

impl From<SandboxError> for Broken {
    fn from(error: SandboxError) -> Broken {
        Broken::Wall(error)
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Broken {
        Broken::Link(error)
    }
}

/// Reads the host's first message, enters the control group that comes with it, and answers. `Err` is the exit code.
fn greet(socket: &Socket) -> Result<Role, i32> {
    let mut buffer = [0; HELLO_BYTES];
    let received = match socket.recv(&mut buffer) {
        Ok(Some(received)) => received,
        Ok(None) => return Err(exit::DONE),
        Err(error) => return Err(fault(exit::NOT_ASKED, error)),
    };
    match wire::read_hello(&buffer[..received.len]) {
        Ok(role) => {
            cgroup::enter(received.fds);
            match socket.send(&wire::hello(role), &[]) {
                Ok(()) => Ok(role),
                Err(_) => Err(exit::DONE),
            }
        }
        Err(error @ HelloError::Version(_)) => {
            // So that the host can say which versions met.
            let _ = socket.send(&wire::hello(Role::Compiler), &[]);
            Err(fault(exit::VERSION, error))
        }
        Err(error) => Err(fault(exit::NOT_ASKED, error)),
    }
}

fn fault(code: i32, error: impl Display) -> i32 {
    eprintln!("wasmpool: a process of the pool ends: {error}");
    code
}

/// Receives one message with its descriptors. `None` at the end.
fn receive<T: serde::de::DeserializeOwned>(
    socket: &Socket,
) -> std::io::Result<Option<(T, Vec<std::os::fd::OwnedFd>)>> {
    let mut buffer = vec![0; crate::sys::socket::MAX_MESSAGE];
    let Some(received) = socket.recv(&mut buffer)? else {
        return Ok(None);
    };
    Ok(Some((wire::decode(&buffer[..received.len])?, received.fds)))
}

/// A message that does not belong where it came.
fn unexpected(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned())
}
