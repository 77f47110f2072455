//! What a process gives up before it touches anything hostile: ordered steps, each of which must succeed.
//!
//! Runs in the process that is confined, while it has one thread. Decides nothing about items or messages.

use std::io;

use rustix::process::Pid;
use thiserror::Error;

use crate::sys::process;
use crate::sys::socket::Socket;

/// Who is confined.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A process started as a program by `parent`: a compiler or a fork server. Of its descriptors it keeps the
    /// standard ones and `socket`.
    Started {
        /// The socket to its parent.
        socket: &'a Socket,
        /// Who must be its parent.
        parent: Pid,
    },
    /// A worker, forked by `parent`, which has dropped what it must not keep: it inherits what the fork server
    /// confined already.
    Forked {
        /// The fork server.
        parent: Pid,
    },
}

/// The step that failed. The process must end: it is less confined than it has to be.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Closing descriptors.
    #[error("inherited descriptors cannot be closed: {0}")]
    Descriptors(#[source] io::Error),
    /// The parent-death signal.
    #[error("the process cannot be tied to its parent's life: {0}")]
    ParentDeath(#[source] io::Error),
    /// The session.
    #[error("the process cannot leave its session: {0}")]
    Session(#[source] io::Error),
    /// Dumps, tracing, privileges.
    #[error("privileges cannot be given up: {0}")]
    Privileges(#[source] io::Error),
}

/// Proof that every step was taken.
#[derive(Debug)]
pub struct Confined(());

/// Takes all steps, in order.
///
/// # Errors
/// The first step that failed; those behind it were not tried.
pub fn enter(subject: Subject<'_>) -> Result<Confined, SandboxError> {
    let parent = match subject {
        Subject::Started { socket, parent } => {
            use std::os::fd::AsFd;
            process::close_all_but(socket.as_fd()).map_err(SandboxError::Descriptors)?;
            parent
        }
        Subject::Forked { parent } => parent,
    };
    process::die_with_parent(Some(parent)).map_err(SandboxError::ParentDeath)?;
    process::own_session().map_err(SandboxError::Session)?;
    process::give_up_privileges().map_err(SandboxError::Privileges)?;
    Ok(Confined(()))
}
