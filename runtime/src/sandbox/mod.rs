//! The wall around a process that touches what is hostile: ordered steps, each of which must succeed or be reported.
//!
//! ```text
//! started ── confine ──► Confined ── fence ──► Fenced ── lock ──► Locked        (compiler)
//!                                                └── load ──► … ── lock ──► Locked   (fork server)
//!                                                                      └── worker ──► Locked, a list less (its forks)
//! ```
//!
//! Runs in the process that is confined, while it has one thread. Each state is the proof that the steps before it were
//! taken: only [`Locked`] can be given items. Decides nothing about items or messages. `layers` is plain data; `calls`
//! are the lists of system calls.

use std::io;
use std::os::fd::AsFd;

use rustix::process::Pid;
use thiserror::Error;

pub mod calls;
pub mod cgroup;
pub mod fence;
pub mod filter;
pub mod layers;

use self::filter::Filter;
use self::layers::{Layer, Layers, Rank, Role};
use crate::grants::Directory;
use crate::limits::Limits;
use crate::sys::clock;
use crate::sys::confine::{self, Namespace};
use crate::sys::process::{self, Forked, exit_now};
use crate::sys::socket::Socket;

/// The step that failed. The process must end: it is less confined than it has to be.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Closing descriptors.
    #[error("inherited descriptors cannot be closed: {0}")]
    Descriptors(#[source] io::Error),
    /// The environment.
    #[error("it was started with environment variables")]
    Environment,
    /// A process in the new process namespace.
    #[error("no process can be started in the new process namespace: {0}")]
    Keeper(#[source] io::Error),
    /// The parent-death signal.
    #[error("the process cannot be tied to its parent's life: {0}")]
    ParentDeath(#[source] io::Error),
    /// The session.
    #[error("the process cannot leave its session: {0}")]
    Session(#[source] io::Error),
    /// Capabilities.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(#[source] io::Error),
    /// Dumps, tracing, privileges.
    #[error("privileges cannot be given up: {0}")]
    Privileges(#[source] io::Error),
    /// Resource limits.
    #[error("resource limits cannot be set: {0}")]
    ResourceLimits(#[source] io::Error),
    /// Landlock, where the kernel says that it has it.
    #[error("landlock refuses its rules: {0}")]
    Landlock(#[source] io::Error),
    /// Seccomp.
    #[error("the list of system calls cannot be put in force: {0}")]
    Seccomp(#[source] io::Error),
}

/// What all processes of a role may use.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of private memory.
    pub data_bytes: u64,
    /// Bytes of the largest file that may be written.
    pub file_bytes: u64,
}

impl Bounds {
    /// Of a compiler.
    pub fn of_compiler(limits: &Limits) -> Bounds {
        Bounds {
            data_bytes: limits.compile_memory_bytes,
            file_bytes: limits.compiled_bytes,
        }
    }

    /// Of workers and their fork server. Where a granted directory may be written to, files may have any size.
    pub fn of_workers(limits: &Limits, granted: &[Directory]) -> Bounds {
        Bounds {
            data_bytes: limits.worker_data_bytes(),
            file_bytes: match granted.iter().any(|directory| directory.writable) {
                true => u64::MAX,
                false => limits.memory_bytes.max(limits.result_bytes),
            },
        }
    }
}

/// Proof that a started process has given up what it can give up before it knows what it is for.
#[derive(Debug)]
pub struct Confined {
    layers: Layers,
}

/// Takes the first steps of a started process. Of its descriptors it keeps the standard ones and `socket`.
///
/// A fork server goes on in a process of its own, the first of a new process namespace, where there can be one: the
/// calling process then waits for that one's end and never returns.
///
/// # Errors
/// The first step of the floor that failed; those behind it were not tried.
pub fn confine(role: Role, socket: &Socket, parent: Pid) -> Result<Confined, SandboxError> {
    let mut layers = Layers::none();
    process::close_all_but(socket.as_fd()).map_err(SandboxError::Descriptors)?;
    layers.add(Layer::Descriptors);
    if std::env::vars_os().next().is_some() {
        return Err(SandboxError::Environment);
    }
    layers.add(Layer::Environment);
    let mut parent = Some(parent);
    if confine::new_user_namespace().is_ok() {
        layers.add(Layer::UserNamespace);
        for (namespace, layer) in [
            (Namespace::Network, Layer::NetworkNamespace),
            (Namespace::Ipc, Layer::IpcNamespace),
            (Namespace::Uts, Layer::UtsNamespace),
            (Namespace::Cgroup, Layer::CgroupNamespace),
            (Namespace::Mount, Layer::MountNamespace),
        ] {
            if confine::new_namespace(namespace).is_ok() {
                layers.add(layer);
            }
        }
        if role.is_of_workers() && confine::new_namespace(Namespace::Pid).is_ok() {
            layers.add(Layer::PidNamespace);
            parent = go_on_inside(parent)?;
        }
    }
    part_from(parent)?;
    layers.add(Layer::ParentDeath);
    layers.add(Layer::Session);
    if layers.has(Layer::MountNamespace) && confine::empty_root().is_err() {
        layers = layers.without(Layer::MountNamespace);
    }
    confine::drop_capabilities().map_err(SandboxError::Capabilities)?;
    layers.add(Layer::NoCapabilities);
    process::give_up_privileges().map_err(SandboxError::Privileges)?;
    layers.add(Layer::NoDump);
    layers.add(Layer::NoNewPrivileges);
    if confine::refuse_new_code().is_ok() {
        layers.add(Layer::WriteXorExecute);
    }
    Ok(Confined { layers })
}

/// The steps that every process has to take itself, since no fork inherits them: it is killed with its parent, and leaves
/// the parent's session.
fn part_from(parent: Option<Pid>) -> Result<(), SandboxError> {
    process::die_with_parent(parent).map_err(SandboxError::ParentDeath)?;
    process::own_session().map_err(SandboxError::Session)
}

/// Forks the first process of the new process namespace, which goes on. This one keeps it: it waits for its end and
/// ends like it. Returns who the parent is as the new process sees it: nobody, from inside.
fn go_on_inside(parent: Option<Pid>) -> Result<Option<Pid>, SandboxError> {
    // SAFETY: the process has one thread.
    match unsafe { process::fork() }.map_err(SandboxError::Keeper)? {
        Forked::Child => Ok(None),
        Forked::Parent(inside) => {
            let ended = keep(parent, inside);
            // The process inside is killed by the end of this one, if it still runs.
            exit_now(ended.unwrap_or(KEEPER_FAILED))
        }
    }
}

/// The exit code of a keeper that could not be confined.
const KEEPER_FAILED: i32 = 6;

fn keep(parent: Option<Pid>, inside: Pid) -> io::Result<i32> {
    process::die_with_parent(parent)?;
    process::own_session()?;
    confine::drop_capabilities()?;
    process::give_up_privileges()?;
    process::close_all()?;
    Filter::new(&[calls::KEEPER], None)?.apply()?;
    process::wait_for(inside)
}

impl Confined {
    /// Bounds what the process may use, and fences it off from all files but the granted directories.
    ///
    /// # Errors
    /// The first step of the floor that failed.
    pub fn fence(self, bounds: Bounds, granted: &[Directory]) -> Result<Fenced, SandboxError> {
        let Confined { mut layers } = self;
        // Where the kernel's code for reading clocks is mapped is looked up once, by a call that is on no list.
        let _ = clock::now();
        process::limit_resources(bounds.data_bytes, bounds.file_bytes)
            .map_err(SandboxError::ResourceLimits)?;
        layers.add(Layer::ResourceLimits);
        if fence::put_up(granted).map_err(SandboxError::Landlock)? {
            layers.add(Layer::Landlock);
        }
        Ok(Fenced {
            layers,
            files: !granted.is_empty(),
        })
    }
}

/// Proof that a process is bounded and fenced.
#[derive(Debug)]
pub struct Fenced {
    layers: Layers,
    files: bool,
}

impl Fenced {
    /// The layers in force once the process is locked.
    pub fn layers(&self) -> Layers {
        self.layers.with(Layer::Seccomp)
    }

    /// Locks a compiler, all its threads included.
    ///
    /// # Errors
    /// If the list of system calls cannot be put in force.
    pub fn lock_compiler(self) -> Result<Locked, SandboxError> {
        let list = Filter::new(&[calls::COMPILER], None);
        list.and_then(|list| list.apply_to_all_threads())
            .map_err(SandboxError::Seccomp)?;
        Ok(Locked::new(self.layers()))
    }

    /// Locks a process that was just forked by `parent` as a compiler is locked: for probes of that lock.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn lock_like_compiler(self, parent: Pid) -> Result<Locked, SandboxError> {
        part_from(Some(parent))?;
        self.lock_compiler()
    }

    /// Locks a fork server; `load` maps the code in between: under a list already, one that allows mapping it.
    ///
    /// `attach` says whether workers attach buffers; `without` takes one system call out of their list.
    ///
    /// # Errors
    /// If a list of system calls cannot be put in force.
    pub fn lock_fork_server<T>(
        self,
        attach: bool,
        without: Option<&str>,
        load: impl FnOnce() -> T,
    ) -> Result<(Server, T), SandboxError> {
        let files: &[_] = if self.files { calls::FILES } else { &[] };
        let attach: &[_] = if attach { calls::ATTACH } else { &[] };
        let worker = [calls::WORKER, files, attach];
        let locks = || -> io::Result<_> {
            let [a, b, c] = worker;
            let loading = Filter::new(&[a, b, c, calls::FORK_SERVER, calls::LOADING], None)?;
            let serving = Filter::new(&[a, b, c, calls::FORK_SERVER], None)?;
            let worker = Filter::new(&worker, without)?;
            Ok((loading, serving, worker))
        };
        let (loading, serving, worker) = locks().map_err(SandboxError::Seccomp)?;
        loading.apply().map_err(SandboxError::Seccomp)?;
        let loaded = load();
        serving.apply().map_err(SandboxError::Seccomp)?;
        let server = Server {
            layers: self.layers(),
            worker,
        };
        Ok((server, loaded))
    }
}

/// Proof that a fork server is locked.
#[derive(Debug)]
pub struct Server {
    layers: Layers,
    worker: Filter,
}

impl Server {
    /// The layers in force.
    pub fn layers(&self) -> Layers {
        self.layers
    }

    /// Locks a worker that was just forked by `parent`: it has what the server has, and less.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn lock_worker(self, parent: Pid) -> Result<Locked, SandboxError> {
        part_from(Some(parent))?;
        process::limit_processes().map_err(SandboxError::ResourceLimits)?;
        self.worker.apply().map_err(SandboxError::Seccomp)?;
        Ok(Locked::new(self.layers))
    }
}

/// Proof that a process is locked, and so may be given what is hostile.
#[derive(Debug)]
pub struct Locked {
    layers: Layers,
}

impl Locked {
    fn new(layers: Layers) -> Locked {
        Locked { layers }
    }

    /// The layers in force.
    pub fn layers(&self) -> Layers {
        self.layers
    }

    /// What a thread of the host has instead: no wall at all. For components that are trusted, as their user says by
    /// asking for threads.
    pub(crate) fn thread_of_the_host() -> Locked {
        Locked::new(Layers::none())
    }
}

/// Says what is missing, if a pool cannot open without it: of the floor always, of the expected where `strict`.
pub fn missing(role: Role, layers: Layers, strict: bool) -> Vec<Layer> {
    let expected = layers.missing(Rank::Expected).filter(|_| strict);
    let missing = layers.missing(Rank::Floor).chain(expected);
    missing.filter(|layer| role.can_have(*layer)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_missing_that_a_role_cannot_have() {
        let all = Layer::ALL.into_iter().fold(Layers::none(), Layers::with);
        let without = all.without(Layer::PidNamespace);
        assert_eq!(missing(Role::Compiler, without, true), []);
        assert_eq!(
            missing(Role::ForkServer, without, true),
            [Layer::PidNamespace]
        );
        assert_eq!(missing(Role::ForkServer, without, false), []);
        let without = all.without(Layer::Seccomp);
        assert_eq!(missing(Role::Compiler, without, false), [Layer::Seccomp]);
    }
}
