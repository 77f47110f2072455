//! The end of workers: killing them, settling what they leave, and who is to blame.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use super::{Broken, Core, Late};
use crate::failure::FailureKind;
use crate::ids::{JobId, Seq};
use crate::ipc::launch::NO_MEMORY;
use crate::pool::record::WorkerEnd;
use crate::pool::slot::{Cause, Leftover, State};
use crate::sys::clock::now;

/// Starts in one place that may fail one after the other before the pool gives up.
const FAILED_STARTS: u32 = 8;
/// The pause before a start that follows a failed one, in nanoseconds; doubled each time, up to 64 times.
const RESTART_FLOOR: u64 = 10_000_000;
/// The signal by which the kernel ends a process that makes a system call that is not on its list.
const SIGSYS: i32 = rustix::process::Signal::SYS.as_raw();
/// How long the end of a worker may take to be told after its socket closed, in nanoseconds.
pub(super) const EXIT_NEWS: u64 = 1_000_000_000;
/// How long a worker whose item is late has to say where it is before it is killed, in nanoseconds.
pub(super) const LAST_WORD: u64 = 500_000_000;

impl Core {
    /// Ends a worker that is late, unless what it published in the meantime shows that it is not.
    pub(in crate::pool) fn end_if_late(&mut self, at: usize, time: u64) {
        let late = |core: &Core| match core.places[at].due(&core.shape.limits) {
            Some((due, what)) if time >= due => Some(what),
            _ => None,
        };
        if late(self).is_none() {
            return;
        }
        self.read_frames(at);
        self.look_for_room(at);
        match late(self) {
            None => {}
            Some(Late::Taking) => {
                let within = self.shape.limits.start_timeout;
                self.end_worker(at, Cause::NotTaken(within), None);
            }
            Some(Late::Item) => match &self.places[at].kill {
                Some(kill) if self.shape.backtrace_on_timeout => {
                    kill.interrupt();
                    self.places[at].slot.interrupt(now());
                }
                _ => self.end_worker(at, Cause::Timeout(Vec::new()), None),
            },
        }
    }

    /// Kills a worker. What it leaves is settled when its end is heard.
    pub(in crate::pool) fn end_worker(&mut self, at: usize, cause: Cause, culprit: Option<Seq>) {
        let place = &mut self.places[at];
        // Before it is killed: afterwards there is nothing to look at.
        if let Some(recorder) = &mut self.recorder
            && !matches!(
                place.slot.state(),
                State::Empty { .. } | State::Ending { .. }
            )
            && let Some(usage) = place.usage()
        {
            recorder.used(at, usage);
        }
        place.slot.end_worker(cause, culprit, now());
        if let (
            State::Ending {
                cause: Cause::Cancelled,
                culprit: Some(item),
                ..
            },
            Some(link),
        ) = (place.slot.state(), &place.link)
        {
            // For a thread, which goes on until it looks.
            link.page()
                .cancelled
                .0
                .store(u64::from(item.0) | 1 << 32, Ordering::Relaxed);
        }
        if let Some(kill) = &place.kill {
            kill.kill();
        }
        // A thread that waits is not killed by that, but ends when there is nothing to wait for.
        if let Some(link) = &place.link {
            link.finish();
        }
    }

    /// Where a worker's end is wholly heard: its items find their fate, and its place is free.
    pub(in crate::pool) fn settle(&mut self, at: usize) {
        let time = now();
        let tells = self.launcher.as_ref().is_some_and(|l| l.tells_ends());
        let place = &mut self.places[at];
        let State::Ending { closed, since, .. } = *place.slot.state() else {
            return;
        };
        let heard = closed && (place.exit.is_some() || !tells || time > since + EXIT_NEWS);
        if !heard {
            return;
        }
        // What was published before the end still counts.
        self.read_frames(at);
        self.end_instances(at);
        let place = &mut self.places[at];
        place.stalled = None;
        let status = place.exit.take();
        let Some(link) = place.link.take() else {
            return;
        };
        // One that closed its socket and lives on is not to outlive its handle.
        if let (Some(kill), None) = (place.kill.take(), status) {
            kill.kill();
        }
        place.bound.clear();
        place.chunks.clear();
        let claimed = link.page().claim.read();
        drop(link);
        let started = matches!(
            place.slot.state(),
            State::Ending {
                cause: Cause::NotReady(_),
                ..
            }
        );
        let not_ready =
            started || (place.slot.assigned_in_all() == 0 && !was_asked(place.slot.state()));
        let mut not_before = 0;
        if not_ready {
            place.failed_starts += 1;
            not_before = time + (RESTART_FLOOR << (place.failed_starts - 1).min(6));
        }
        let Some(left) = self.places[at].slot.clear(claimed, not_before) else {
            return;
        };
        self.stats.workers_replaced += u64::from(!matches!(left.cause, Cause::Retired));
        if let Some(recorder) = &mut self.recorder {
            let why = WorkerEnd::of(&left.cause, self.broken.is_some());
            recorder.ended(at, since, why, left.culprit.map(|item| item.index));
        }
        if not_ready && self.places[at].failed_starts >= FAILED_STARTS {
            let message = match &left.cause {
                Cause::NotReady(message) | Cause::Violation(message) => message.clone(),
                _ => format!("the worker process {} before it was ready", ending(status)),
            };
            self.give_up(Broken::Start {
                message: format!("{message} ({FAILED_STARTS} times in a row)"),
                backtrace: Vec::new(),
            });
        }
        self.blame(left, status);
        self.fill();
    }

    pub(in crate::pool) fn blame(&mut self, left: Leftover, status: Option<ExitStatus>) {
        let mut again: BTreeMap<JobId, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
        left.started
            .iter()
            .for_each(|i| again.entry(i.job).or_default().0.push(i.index));
        left.unstarted
            .iter()
            .for_each(|i| again.entry(i.job).or_default().1.push(i.index));
        let mut stopped = None;
        if let Some(item) = left.culprit
            && let Some(job) = self.jobs.get_mut(&item.job)
        {
            match left.cause {
                Cause::Timeout(backtrace) => {
                    let message = format!(
                        "the item ran longer than its time limit of {:?}",
                        self.shape.limits.timeout
                    );
                    job.fail_run(item.index, FailureKind::Timeout, message, backtrace);
                }
                Cause::NotTaken(within) => {
                    let message = format!(
                        "the worker did not take the item within {within:?}: it was stopped, or got no processor"
                    );
                    if job.lose_unstarted(item.index, &message) {
                        again.entry(item.job).or_default().1.push(item.index);
                    }
                }
                Cause::Ended(ended) => {
                    job.used(item.index, ended.fuel);
                    job.fail_run(item.index, ended.kind, ended.message, ended.backtrace)
                }
                Cause::Cancelled => job.cancel_item(item.index),
                Cause::Violation(reason) => {
                    let message = format!("the worker broke the pool's protocol: {reason}");
                    if job.lose(item.index, &message) {
                        again.entry(item.job).or_default().0.push(item.index);
                    }
                }
                Cause::Lost if status.and_then(|s| s.code()) == Some(NO_MEMORY) => {
                    let message = format!(
                        "the worker process reached its limit of {} bytes of memory",
                        self.shape.limits.worker_data_bytes()
                    );
                    job.fail_run(item.index, FailureKind::Memory, message, Vec::new());
                }
                Cause::Lost | Cause::Retired | Cause::NotReady(_) => {
                    let message = format!("the worker process {}", ending(status));
                    if job.lose(item.index, &message) {
                        again.entry(item.job).or_default().0.push(item.index);
                    }
                }
            }
            stopped = (job.limit() != u64::MAX).then_some(item.job);
        }
        for (id, (started, unstarted)) in again {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.again(&started, &unstarted);
            }
        }
        if let Some(id) = stopped {
            self.end_unwanted(id);
        }
    }
}

/// Whether the pool itself ended this worker.
fn was_asked(state: &State) -> bool {
    matches!(
        state,
        State::Ending {
            cause: Cause::Retired | Cause::Cancelled,
            ..
        }
    )
}

fn ending(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.map(|s| (s.signal(), s.code())) {
        Some((Some(9), _)) => {
            "was killed (SIGKILL: by a person, or by the kernel for want of memory)".into()
        }
        Some((Some(SIGSYS), _)) => {
            "was ended by its sandbox (SIGSYS: it tried what it may not, or crashed)".into()
        }
        Some((Some(signal), _)) => format!("was ended by signal {signal}"),
        Some((None, Some(code))) => format!("ended with status {code}"),
        Some((None, None)) | None => "ended".into(),
    }
}
