//! Processes of the machine, as /proc tells them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub id: i32,
    /// Clock ticks from the machine's start to its own.
    started: u64,
}

#[derive(Debug)]
struct Entry {
    process: Process,
    parent: i32,
    ended: bool,
}

fn entry(id: i32) -> Option<Entry> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may have anything in it.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Entry {
        process: Process {
            id,
            started: fields.get(19)?.parse().ok()?,
        },
        parent: fields.get(1)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

fn all() -> Vec<Entry> {
    let entries = fs::read_dir("/proc").expect("/proc can be read");
    let ids = entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok());
    ids.filter_map(entry).filter(|e| !e.ended).collect()
}

fn children(all: &[Entry], parents: &[i32]) -> Vec<Process> {
    let found = all.iter().filter(|e| parents.contains(&e.parent));
    found.map(|e| e.process).collect()
}

fn ids(processes: &[Process]) -> Vec<i32> {
    processes.iter().map(|p| p.id).collect()
}

/// Whether it is the first process of a process namespace that this one sees into.
fn is_first_inside(process: &Process) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id)).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|n| n.split_whitespace().skip(1).last() == Some("1"))
}

/// A host's fork servers, and its compilers while they compile. A fork server that is in a process namespace has a
/// keeper between itself and the host.
fn fork_servers_among(all: &[Entry], host: u32) -> Vec<Process> {
    let started = children(all, &[host as i32]);
    let inside = |keeper: &Process| {
        let mut kept = children(all, &[keeper.id]);
        kept.retain(is_first_inside);
        kept.first().copied().unwrap_or(*keeper)
    };
    started.iter().map(inside).collect()
}

/// The processes that a host started itself: its fork server, and its compiler while it compiles.
pub fn fork_servers(host: u32) -> Vec<Process> {
    fork_servers_among(&all(), host)
}

/// The workers of a host: the children of its fork server.
pub fn workers(host: u32) -> Vec<Process> {
    let all = all();
    children(&all, &ids(&fork_servers_among(&all, host)))
}

/// Those that have not ended. One that nobody has waited for counts as ended.
pub fn running(processes: impl IntoIterator<Item = Process>) -> Vec<Process> {
    let is_running = |p: &Process| entry(p.id).is_some_and(|e| e.process == *p && !e.ended);
    processes.into_iter().filter(is_running).collect()
}

/// All processes that run this very file, as far as this user may see that.
pub fn running_program(file: &Path) -> Vec<Process> {
    let runs = |e: &Entry| {
        let link = fs::read_link(format!("/proc/{}/exe", e.process.id));
        link.is_ok_and(|link| link == file)
    };
    let all = all();
    all.iter().filter(|e| runs(e)).map(|e| e.process).collect()
}

impl Process {
    /// Sends SIGKILL. False if it has ended before.
    pub fn kill(self) -> bool {
        self.send(Signal::KILL)
    }

    /// Sends SIGSTOP: it does nothing more until it is killed. False if it has ended before.
    pub fn stop(self) -> bool {
        self.send(Signal::STOP)
    }

    fn send(self, signal: Signal) -> bool {
        let Some(pid) = Pid::from_raw(self.id) else {
            return false;
        };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        // Only now is it certain whom the handle means.
        !running([self]).is_empty() && pidfd_send_signal(&handle, signal).is_ok()
    }
}

/// A host and everyone who was seen to descend from it.
#[derive(Debug)]
pub struct Watched {
    host: u32,
    seen: BTreeSet<Process>,
}

impl Watched {
    /// Nobody was seen yet.
    pub fn new(host: u32) -> Self {
        let seen = BTreeSet::new();
        Watched { host, seen }
    }

    /// Notes who is there now.
    pub fn look(&mut self) {
        let all = all();
        let mut parents = vec![self.host as i32];
        while !parents.is_empty() {
            let found = children(&all, &parents);
            parents = ids(&found);
            self.seen.extend(found);
        }
    }

    /// How many were seen.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Those who were seen and have not ended.
    pub fn left(&self) -> Vec<Process> {
        running(self.seen.iter().copied())
    }
}
