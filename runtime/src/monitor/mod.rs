//! What the pools of this user's programs do now: told by each program through a socket that only its user may open, and
//! asked by `wasmpool top`.
//!
//! Owns the sockets' place, the one document that is sent, and both ends. Looks at pools through `pool` and at queues
//! through `objects`; changes nothing. Who asks, and what answers, must be of the same user: the kernel says who it is.

mod client;
mod server;

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use client::{Unreachable, programs};
pub use server::Monitor;

pub use crate::sys::private::NotPrivate;

use crate::objects::Depth;
use crate::pool::Snapshot;
use crate::text::printable;

/// Raised when the document changes.
const VERSION: u32 = 1;
/// Bytes of one word of the command line, at most.
const WORD_BYTES: usize = 200;

/// What one program does: its pools, and what they share.
///
/// ```no_run
/// for program in wasmpool::monitor::programs()? {
///     let workers: usize = program.pools.iter().map(|pool| pool.workers.len()).sum();
///     println!("{}: {} ({workers} workers)", program.pid, program.command.join(" "));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The version of this document.
    pub version: u32,
    /// The program's process.
    pub pid: u32,
    /// Its command line, made fit to read.
    pub command: Vec<String>,
    /// Its pools, in the order in which they were opened.
    pub pools: Vec<Snapshot>,
    /// Its queues and pipes, in the order in which they were made.
    pub queues: Vec<Depth>,
}

/// The words of this process's command line, made fit to read.
pub(crate) fn command_line() -> impl Iterator<Item = String> {
    std::env::args_os().map(|word| printable(&word.to_string_lossy(), WORD_BYTES))
}

/// Where sockets lie: `$XDG_RUNTIME_DIR/wasmpool`, or where that is not set, `wasmpool-` and the user's number in the
/// directory of temporary files.
fn place() -> PathBuf {
    place_by(|name| std::env::var_os(name))
}

fn place_by(get: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let absolute = |name| {
        let path = PathBuf::from(get(name)?);
        path.is_absolute().then_some(path)
    };
    match absolute("XDG_RUNTIME_DIR") {
        Some(run) => run.join("wasmpool"),
        None => absolute("TMPDIR")
            .unwrap_or_else(|| "/tmp".into())
            .join(format!("wasmpool-{}", rustix::process::geteuid().as_raw())),
    }
}

/// Whether who is at the other end is this user.
fn is_own(socket: impl AsFd) -> io::Result<bool> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(peer.uid == rustix::process::geteuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_lie_where_only_their_user_may_look() {
        let user = rustix::process::geteuid().as_raw();
        let check = |variables: &[(&str, &str)], expected: &str| {
            let get = |name: &str| {
                let found = variables.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(place_by(get).to_str(), Some(expected), "{variables:?}");
        };
        let temporary = format!("/tmp/wasmpool-{user}");
        check(
            &[("XDG_RUNTIME_DIR", "/run/user/7")],
            "/run/user/7/wasmpool",
        );
        check(&[], &temporary);
        check(&[("XDG_RUNTIME_DIR", "run")], &temporary);
        check(&[("TMPDIR", "/x")], &format!("/x/wasmpool-{user}"));
    }

    #[test]
    fn a_program_is_found_while_it_tells_and_not_after() {
        let dir = std::env::temp_dir().join(format!("wasmpool-monitor-{}", std::process::id()));
        let found = || client::programs_in(&dir).unwrap();
        assert_eq!(found().len(), 0, "a missing directory is none");
        let queue = crate::objects::Queue::builder().name("told of").build();
        queue.try_put(b"12345").unwrap();
        let monitor = Monitor::start_in(dir.clone(), std::time::Duration::ZERO).unwrap();
        let start = std::time::Instant::now();
        let program = loop {
            if let Some(program) = found().pop() {
                break program;
            }
            assert!(start.elapsed().as_secs() < 60);
            std::thread::yield_now();
        };
        assert_eq!(
            (program.pid, program.version),
            (std::process::id(), VERSION)
        );
        let depth = program.queues.iter().find(|depth| depth.name == "told of");
        let depth = depth.map(|depth| (depth.messages, depth.bytes, depth.waiting));
        assert_eq!(depth, Some((1, 5, 0)));
        drop(monitor);
        assert_eq!(found().len(), 0);
        assert_eq!(
            std::fs::read_dir(&dir).unwrap().count(),
            0,
            "the socket is gone"
        );
        std::fs::remove_dir(&dir).unwrap();
    }

    #[test]
    fn what_does_not_answer_is_passed_over_and_what_is_dead_is_removed() {
        let dir = std::env::temp_dir().join(format!("wasmpool-silent-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let dead = dir.join("1.sock");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let liar = dir.join("2.sock");
        let listener = std::os::unix::net::UnixListener::bind(&liar).unwrap();
        let thread = std::thread::spawn(move || {
            use std::io::Write;
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(b"{\"version\":1,\"pid\":");
        });
        std::fs::write(dir.join("else"), b"").unwrap();
        assert_eq!(client::programs_in(&dir).unwrap().len(), 0);
        thread.join().unwrap();
        assert!(!dead.exists() && liar.exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
