//! Processes of the machine, as /proc tells them: which belong to a pool, how large they were, whether they still run.

use std::{fs, io};

use rustix::process::Pid;

use super::process::ProcessHandle;

/// A process, told apart from a later one of the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
    /// Clock ticks from the machine's start to its own.
    started: u64,
}

/// What a process has used.
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(1).record(true).open("tasks.wasm")?;
/// pool.ready()?;
/// for worker in pool.recording().expect("it was asked for").workers {
///     if let Some(usage) = worker.usage {
///         println!("{} bytes at most, {} ns of processor time", usage.peak_bytes, usage.cpu_nanos);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, in nanoseconds.
    pub cpu_nanos: u64,
    /// The most memory that it had at once, shared pages included, in bytes.
    pub peak_bytes: u64,
}

/// What a process of one thread has used so far. `None` if it has ended, or may not be looked at.
pub(crate) fn usage(id: u32) -> Option<Usage> {
    let scheduled = fs::read_to_string(format!("/proc/{id}/schedstat")).ok()?;
    Some(Usage {
        cpu_nanos: scheduled.split(' ').next()?.parse().ok()?,
        peak_bytes: status_bytes(id, "VmHWM:")?,
    })
}

/// Bytes of memory that a process has now, shared pages included.
pub(crate) fn resident_bytes(id: u32) -> Option<u64> {
    status_bytes(id, "VmRSS:")
}

fn status_bytes(id: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

struct Entry {
    process: Process,
    parent: u32,
}

fn entry(id: u32) -> Option<Entry> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may have anything in it.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    if matches!(*fields.first()?, "Z" | "X" | "x") {
        return None;
    }
    Some(Entry {
        process: Process {
            id,
            started: fields.get(19)?.parse().ok()?,
        },
        parent: fields.get(1)?.parse().ok()?,
    })
}

/// Those that have not ended.
fn all() -> Vec<Entry> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(entry).collect()
}

fn children(all: &[Entry], parent: u32) -> Vec<Process> {
    let found = all.iter().filter(|entry| entry.parent == parent);
    found.map(|entry| entry.process).collect()
}

/// All who descend from a process, each behind its parent.
pub(crate) fn descendants(of: u32) -> Vec<Process> {
    let all = all();
    let mut found = children(&all, of);
    let mut at = 0;
    while let Some(process) = found.get(at) {
        found.extend(children(&all, process.id));
        at += 1;
    }
    found
}

/// The processes that this one starts from now on: those of the next pool, if no other is opened.
pub(crate) struct Family {
    before: Vec<Process>,
}

impl Family {
    /// Who is there already does not count.
    pub(crate) fn before() -> Family {
        Family {
            before: children(&all(), std::process::id()),
        }
    }

    /// Those that descend from the new ones and have no children themselves. Where a pool has a worker that is ready,
    /// these are its workers.
    pub(crate) fn workers(&self) -> Vec<Process> {
        let all = all();
        let mut open = children(&all, std::process::id());
        open.retain(|process| !self.before.contains(process));
        let mut workers = Vec::new();
        while let Some(process) = open.pop() {
            match children(&all, process.id) {
                none if none.is_empty() => workers.push(process),
                children => open.extend(children),
            }
        }
        workers
    }
}

impl Process {
    /// Whether it has not ended. One that nobody has waited for has.
    pub(crate) fn runs(&self) -> bool {
        entry(self.id).is_some_and(|entry| entry.process == *self)
    }

    /// The most bytes of memory that it had at once, shared ones included.
    pub(crate) fn peak_bytes(&self) -> Option<u64> {
        status_bytes(self.id, "VmHWM:")
    }

    /// Bytes of memory that are its own, and shared with nobody.
    pub(crate) fn private_bytes(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id))?;
        let kib = text.lines().filter_map(|line| {
            let kib = line.strip_prefix("Private_")?.split_once(':')?.1;
            kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
        });
        Ok(kib.sum::<u64>() << 10)
    }

    /// Stops it. False if it has ended.
    pub(crate) fn stop(&self) -> bool {
        self.with_handle(ProcessHandle::stop)
    }

    /// Kills it. False if it has ended.
    pub(crate) fn kill(&self) -> bool {
        self.with_handle(ProcessHandle::kill)
    }

    fn with_handle(&self, act: impl FnOnce(&ProcessHandle)) -> bool {
        let pid = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let Some(Ok(handle)) = pid.map(ProcessHandle::open) else {
            return false;
        };
        // Only now is it certain whom the handle means.
        let runs = self.runs();
        if runs {
            act(&handle);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_seen_until_it_ends() {
        let family = Family::before();
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat");
        let seen = descendants(std::process::id());
        let process = *seen.iter().find(|p| p.id == child.id()).expect("a child");
        assert!(family.workers().contains(&process));
        assert!(process.runs() && process.peak_bytes().is_some_and(|bytes| bytes > 0));
        assert!(process.private_bytes().is_ok_and(|bytes| bytes > 0));
        assert!(process.kill());
        child.wait().expect("it was killed");
        assert!(!process.runs() && !process.stop());
    }
}
