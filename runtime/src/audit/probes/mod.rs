//! Native probes: each tries one thing that a locked worker must not be able to do, as code would that has broken out of
//! the WebAssembly sandbox.
//!
//! Owns what is tried and how; not the sandbox, nor the processes in which probes run, nor the verdict on them. A probe
//! allocates nothing, prints nothing and calls the kernel directly, because the kernel may end its process at any call.
//! None does lasting harm where nothing stops it: what it makes it removes, what it changes it sets to what it was, and
//! a call that could hurt the machine is made with arguments that cannot work, so that only the permission is asked for.
//!
//! [`Scene`] is what a probe needs of its process, gathered before the process is locked, so that the first call a
//! probe makes is the very call it is about: [`Probe::call`].

mod files;
mod kernel;
mod memory;
mod objects;
mod privileges;
mod processes;
mod raw;
mod scene;
mod sockets;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::raw::{I386, X32};
pub use self::scene::{NOBODY, Scene};

use self::raw::Tried;

/// What kind of thing a probe tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Names in the file system, and descriptors made without one.
    Files,
    /// Sockets of every kind, and more of the one that the process has.
    Sockets,
    /// Starting, signalling, tracing and steering processes.
    Processes,
    /// Memory that can be executed, and changes to the address space.
    Memory,
    /// Loosening the process's own restrictions.
    Privileges,
    /// Descriptors, queues and timers that the kernel would keep.
    Objects,
    /// Large or dangerous parts of the kernel, and the machine's own settings.
    Kernel,
}

impl Family {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Files,
        Self::Sockets,
        Self::Processes,
        Self::Memory,
        Self::Privileges,
        Self::Objects,
        Self::Kernel,
    ];

    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sockets => "sockets",
            Self::Processes => "processes",
            Self::Memory => "memory",
            Self::Privileges => "privileges",
            Self::Objects => "objects",
            Self::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a probe can be shown to succeed, so that its failing in a worker means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// In an unlocked process of any user.
    Plain,
    /// The same, unless the kernel was built without it or somebody has switched it off: what decides that.
    Switched(&'static str),
    /// Only as root of throw-away namespaces (user, mount, pid, net, ipc, uts), in an unlocked process.
    Namespaced,
    /// Nowhere that it could be tried without risk: why.
    Never(&'static str),
}

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    label: &'static str,
    number: i64,
}

impl Call {
    /// Its name, as in its manual page.
    pub fn name(self) -> &'static str {
        self.label.strip_prefix("SYS_").unwrap_or(self.label)
    }

    /// Its number on this processor, as [`Scene`] traces it; [`I386`] or [`X32`] is added for those interfaces.
    pub fn number(self) -> i64 {
        self.number
    }
}

/// What came of an attempt. A probe that replaces its process by a program, and so never returns, has succeeded: that
/// program exits with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It worked: what the kernel gave. Not negative.
    Succeeded(i64),
    /// The kernel refused: the error number.
    Refused(i32),
}

impl Attempt {
    /// As one word, the way the kernel returns it: a negated error number, or what it gave.
    pub fn to_word(self) -> i64 {
        match self {
            Self::Succeeded(given) => given,
            Self::Refused(errno) => -i64::from(errno),
        }
    }

    /// The opposite of [`to_word`](Self::to_word), for any word.
    pub fn from_word(word: i64) -> Self {
        match word {
            0.. => Self::Succeeded(word),
            _ => Self::Refused(i32::try_from(word.unsigned_abs()).unwrap_or(i32::MAX)),
        }
    }
}

/// One forbidden thing, and the code that tries it.
#[derive(Clone, Copy)]
pub struct Probe {
    /// Unique, lower case with underscores.
    pub name: &'static str,
    /// What kind of thing it is.
    pub family: Family,
    /// What it tries, as a user would say it: "open a file".
    pub forbids: &'static str,
    /// The system call it is about, which is the first that it makes.
    pub call: Call,
    /// Where it succeeds.
    pub control: Control,
    run: fn(&Scene<'_>) -> Tried,
}

impl Probe {
    /// Tries it, once. May not return: the kernel may end the process, or a program may replace it.
    pub fn attempt(&self, scene: &Scene<'_>) -> Attempt {
        match (self.run)(scene) {
            Ok(given) => Attempt::Succeeded(given.max(0)),
            Err(errno) => Attempt::Refused(errno.raw_os_error()),
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("name", &self.name)
            .field("call", &self.call.name())
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// Every probe that exists on this processor, a family after the other. Their places are the same in every process of
/// one build of the program, so that a place can stand for a probe.
pub fn all() -> impl Iterator<Item = &'static Probe> {
    TABLES.iter().copied().flatten()
}

/// The probe of a name.
pub fn find(name: &str) -> Option<&'static Probe> {
    all().find(|probe| probe.name == name)
}

const TABLES: [&[Probe]; 7] = [
    files::PROBES,
    sockets::PROBES,
    processes::PROBES,
    memory::PROBES,
    privileges::PROBES,
    objects::PROBES,
    kernel::PROBES,
];

/// An entry of a table.
const fn probe(
    name: &'static str,
    family: Family,
    call: Call,
    forbids: &'static str,
    control: Control,
    run: fn(&Scene<'_>) -> Tried,
) -> Probe {
    Probe {
        name,
        family,
        forbids,
        call,
        control,
        run,
    }
}
