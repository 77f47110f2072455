//! Processes: a worker that does not answer at all is killed, and nothing outlives a host that is killed.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{HOSTILE, LATE, Seen, Spec, failed, failure_of, limits, milliseconds, pool};
use crate::audit::report::Check;
use crate::failure::FailureKind;
use crate::pool::{Error, program};
use crate::sys::memory::sealed_memfd;
use crate::sys::seen::{self, Family, Process};

const SPIN: &str = include_str!("../guests/spin.wat");

const TIMEOUT: Duration = Duration::from_millis(400);

/// How long a worker may take to begin an item.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a host may take until its workers are there.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn checks(host: Option<&Path>) -> Vec<Check> {
    let stopped = Spec::new(
        "processes",
        "stopped-worker",
        format!("a stopped worker ends after {} ms", TIMEOUT.as_millis()),
        "SIGKILL through the pidfd",
    )
    .check(stopped);
    let death = Spec::new(
        "processes",
        "host-death",
        "nothing outlives a host that is killed",
        "parent-death signals, process namespace",
    );
    let found = program().ok().map(std::path::PathBuf::from);
    // A library's program cannot be started as a host; one called `wasmpool` can.
    let found = found.filter(|path| path.file_name().is_some_and(|name| name == "wasmpool"));
    let death = match host.map(Path::to_owned).or(found) {
        Some(program) => death.check(|| orphaned(&program)),
        None => death.skipped("the program `wasmpool` was not found"),
    };
    vec![stopped, death]
}

fn unseen(what: &str) -> Error {
    Error::pool("processes cannot be watched")(std::io::Error::other(what.to_owned()))
}

fn stopped() -> Result<Seen, Error> {
    let family = Family::before();
    let mut limits = limits().timeout(TIMEOUT);
    limits.start_timeout = START_TIMEOUT;
    let pool = pool(HOSTILE, limits)?;
    pool.apply::<i64, i64>("identity", 1)?;
    let workers = family.workers();
    let start = Instant::now();
    let handle = pool.submit::<i64, i64>("spin", 0)?;
    // In the middle of the item. One that is stopped before it has begun it has the time of a start besides.
    std::thread::sleep(TIMEOUT / 4);
    if workers.is_empty() || !workers.iter().all(Process::stop) {
        return Err(unseen("no worker is in /proc"));
    }
    let seen = failed(failure_of(handle.wait())?, FailureKind::Timeout);
    let late = start.elapsed().saturating_sub(TIMEOUT);
    let gone = gone(&workers, Instant::now()).is_some();
    let next = pool.apply::<i64, i64>("identity", 5)?;
    let held = seen.held && gone && next == 5;
    let proof = format!("{}; it is gone, and the next item was done", seen.proof);
    Ok(Seen::new(held, proof).late(late, LATE + START_TIMEOUT))
}

/// Since when until all of them had ended, unless that takes too long.
fn gone(processes: &[Process], since: Instant) -> Option<Duration> {
    while processes.iter().any(Process::runs) {
        if since.elapsed() > LATE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Some(since.elapsed())
}

/// A host that is killed when its value is dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn orphaned(program: &Path) -> Result<Seen, Error> {
    let failed = || Error::pool("a host cannot be started");
    let module = sealed_memfd("wasmpool-audit", &[SPIN.as_bytes()]).map_err(failed())?;
    let host = Command::new(program)
        .args(["map", "--no-cache", "--quiet", "--workers", "2"])
        .args(["--chunk-size", "1", "--timeout", "60s"])
        .args(["/dev/stdin:spin", "1", "2"])
        .stdin(Stdio::from(File::from(module)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed())?;
    let mut host = Host(host);
    let start = Instant::now();
    let processes = loop {
        let processes = seen::descendants(host.0.id());
        // A fork server and two workers, at least.
        if processes.len() >= 3 {
            break processes;
        }
        let ended = host.0.try_wait().map_err(failed())?;
        if ended.is_some() || start.elapsed() > PATIENCE {
            return Err(unseen("its workers were never there"));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let since = Instant::now();
    drop(host);
    Ok(match gone(&processes, since) {
        Some(took) => {
            let proof = format!("{} processes ended with it", processes.len());
            Seen::new(true, proof).over(milliseconds(took))
        }
        None => {
            let left = processes.iter().filter(|p| p.runs()).count();
            let proof = format!("{left} of {} processes outlive it", processes.len());
            Seen::new(false, proof)
        }
    })
}
