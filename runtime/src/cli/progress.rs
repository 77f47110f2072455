//! What is shown of a job while it goes on: how far it is, how fast, how long still, and who works.
//!
//! Owns the thread that looks at the pool now and then, what it remembers of that, and the words. Where they go is
//! `console`'s. `report` has its memory samples from here.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::console::Console;
use super::figures::{grouped, short, size};
use crate::pool::{Snapshot, Watcher, WorkerState};

/// The rate is that of so much time, at most.
const RATE_OVER: Duration = Duration::from_secs(10);
/// How often memory is looked at for a report.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Samples of memory that are kept; beyond that every other one goes, and half as many come.
const MOST_SAMPLES: usize = 2000;
/// Columns of the bar, at most, and what is not worth drawing.
const MOST_BAR: usize = 40;
const LEAST_BAR: usize = 8;

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Now {
    /// Items with a result.
    pub done: u64,
    /// Items that failed.
    pub failed: u64,
    /// All items, if that is known.
    pub total: Option<u64>,
    /// Items a second, lately.
    pub rate: Option<f64>,
    /// Workers that are at an item, and all of them.
    pub workers: (usize, usize),
    /// Memory of all worker processes, shared pages counted in each, in bytes.
    pub memory: Option<u64>,
    /// Since the start.
    pub elapsed: Duration,
}

/// Memory at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in nanoseconds since the pool was opened.
    pub at: u64,
    /// Of all worker processes, shared pages counted in each, in bytes.
    pub resident_bytes: u64,
    /// Workers that there were.
    pub workers: u64,
}

/// Looks at a pool until it is ended.
pub struct Looking {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<Vec<Sample>>>,
}

impl Looking {
    /// Shows progress if the console is to, of so many items if that is known, and keeps samples if it is asked for them.
    /// Where there is no thread to be had, neither.
    pub fn start(
        console: &Arc<Console>,
        watcher: Watcher,
        total: Option<u64>,
        sample: bool,
    ) -> Looking {
        let shown = console.progress_every();
        let every = shown
            .into_iter()
            .chain(sample.then_some(SAMPLE_EVERY))
            .min();
        let (stop, stopped) = mpsc::channel();
        let console = console.clone();
        let look = |every| {
            let thread = thread::Builder::new().name("progress".into());
            thread.spawn(move || {
                let mut samples = Samples::new(sample);
                let mut shower = Shower::new(console, shown, total);
                while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(every) {
                    let Some(snapshot) = watcher.snapshot() else {
                        break;
                    };
                    samples.take(&snapshot);
                    shower.show(&snapshot, false);
                }
                if let Some(snapshot) = watcher.snapshot() {
                    samples.take(&snapshot);
                    shower.show(&snapshot, true);
                }
                samples.kept
            })
        };
        Looking {
            stop: Some(stop),
            thread: every.and_then(|every| look(every).ok()),
        }
    }

    /// Shows the last of it, if lines are shown; gives the samples.
    pub fn end(mut self) -> Vec<Sample> {
        self.join()
    }

    fn join(&mut self) -> Vec<Sample> {
        drop(self.stop.take());
        let thread = self.thread.take();
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.join();
    }
}

/// Shows a job at its own pace.
struct Shower {
    console: Arc<Console>,
    every: Option<Duration>,
    total: Option<u64>,
    started: Instant,
    shown: Instant,
    rate: Rate,
}

impl Shower {
    fn new(console: Arc<Console>, every: Option<Duration>, total: Option<u64>) -> Shower {
        Shower {
            console,
            every,
            total,
            started: Instant::now(),
            shown: Instant::now(),
            rate: Rate::default(),
        }
    }

    fn show(&mut self, snapshot: &Snapshot, last: bool) {
        let Some(every) = self.every else { return };
        let due = self.shown.elapsed() + every / 10 >= every;
        if !due && !last {
            return;
        }
        self.shown = Instant::now();
        let mut now = Now::of(snapshot, self.total);
        now.elapsed = self.started.elapsed();
        now.rate = self.rate.of(now.elapsed, now.done + now.failed);
        self.console.progress(&now);
        if last {
            self.console.finish();
        }
    }
}

/// Items a second.
#[derive(Default)]
struct Rate(VecDeque<(Duration, u64)>);

impl Rate {
    /// Adds what was done by a time; the rate since some seconds ago, if anything was done since.
    fn of(&mut self, elapsed: Duration, done: u64) -> Option<f64> {
        // What passes before the first item is through is the start's.
        if done == 0 {
            self.0.clear();
        }
        self.0.push_back((elapsed, done));
        // The first that is kept is the last that is old enough.
        while self
            .0
            .get(1)
            .is_some_and(|(at, _)| elapsed.saturating_sub(*at) >= RATE_OVER)
        {
            self.0.pop_front();
        }
        let (since, before) = *self.0.front()?;
        let items = done.checked_sub(before).filter(|items| *items > 0)?;
        Some(items as f64 / elapsed.saturating_sub(since).as_secs_f64().max(1e-3))
    }
}

impl Now {
    fn of(snapshot: &Snapshot, total: Option<u64>) -> Now {
        let jobs = &snapshot.jobs;
        let busy = |state| matches!(state, WorkerState::Busy | WorkerState::Waiting);
        let memory = snapshot
            .workers
            .iter()
            .filter_map(|worker| worker.resident_bytes);
        Now {
            done: snapshot.stats.done,
            failed: snapshot.stats.failed.iter().map(|(_, n)| n).sum(),
            total: total.or_else(|| {
                jobs.iter()
                    .map(|job| job.total)
                    .sum::<Option<u64>>()
                    .filter(|_| !jobs.is_empty())
            }),
            rate: None,
            workers: (
                snapshot
                    .workers
                    .iter()
                    .filter(|worker| busy(worker.state))
                    .count(),
                snapshot.workers.len(),
            ),
            memory: memory.fold(None, |sum, bytes| Some(sum.unwrap_or(0) + bytes)),
            elapsed: Duration::ZERO,
        }
    }

    fn ended(&self) -> u64 {
        self.done + self.failed
    }

    /// How long it still takes at the rate, if the total is known.
    fn left(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.ended());
        let seconds = left as f64 / self.rate?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// For a line of so many columns: what does not fit is left out, the least important first.
    pub fn line(&self, width: usize) -> String {
        let count = match self.total {
            Some(total) => format!("{} of {}", grouped(self.ended()), grouped(total)),
            None => format!("{} items", grouped(self.ended())),
        };
        let mut parts = vec![count];
        if self.failed > 0 {
            parts.push(format!("{} failed", grouped(self.failed)));
        }
        if let Some(left) = self.left() {
            parts.push(format!("{} left", clock(left)));
        }
        if let Some(rate) = self.rate {
            parts.push(format!("{}/s", short(rate)));
        }
        let (busy, workers) = self.workers;
        parts.push(format!("{busy}/{workers} busy"));
        parts.extend(self.memory.map(size));
        if self.left().is_none() {
            parts.push(clock(self.elapsed));
        }
        let mut line = String::new();
        for part in parts {
            let gap = if line.is_empty() { 0 } else { 2 };
            if line.chars().count() + gap + part.len() > width {
                break;
            }
            line.extend([" "].repeat(gap));
            line.push_str(&part);
        }
        let room = width.saturating_sub(line.len() + 3).min(MOST_BAR);
        match self.total {
            Some(total) if room >= LEAST_BAR => {
                let full =
                    (self.ended().min(total) as f64 / total.max(1) as f64 * room as f64) as usize;
                format!("[{}{}] {line}", "#".repeat(full), "-".repeat(room - full))
            }
            _ => line,
        }
    }

    /// For a file: all that is known.
    pub fn words(&self) -> String {
        let mut words = match self.total {
            Some(total) => format!("{} of {total} items", self.ended()),
            None => format!("{} items", self.ended()),
        };
        let (busy, workers) = self.workers;
        let mut more = Vec::new();
        more.extend((self.failed > 0).then(|| format!("{} failed", self.failed)));
        more.extend(self.rate.map(|rate| format!("{} a second", short(rate))));
        more.extend(self.left().map(|left| format!("{} left", clock(left))));
        more.push(format!("{busy} of {workers} workers busy"));
        more.extend(self.memory.map(size));
        for part in more {
            words.push_str(", ");
            words.push_str(&part);
        }
        words
    }
}

/// Samples that become rarer as they become many.
struct Samples {
    wanted: bool,
    kept: Vec<Sample>,
    /// One in so many is kept.
    one_in: u64,
    seen: u64,
}

impl Samples {
    fn new(wanted: bool) -> Samples {
        Samples {
            wanted,
            kept: Vec::new(),
            one_in: 1,
            seen: 0,
        }
    }

    fn take(&mut self, snapshot: &Snapshot) {
        self.seen += 1;
        if !self.wanted || !self.seen.is_multiple_of(self.one_in) {
            return;
        }
        if self.kept.len() >= MOST_SAMPLES {
            let mut keep = false;
            self.kept.retain(|_| {
                keep = !keep;
                keep
            });
            self.one_in *= 2;
        }
        let memory = snapshot
            .workers
            .iter()
            .filter_map(|worker| worker.resident_bytes);
        self.kept.push(Sample {
            at: snapshot.at,
            resident_bytes: memory.sum(),
            workers: snapshot.workers.len() as u64,
        });
    }
}

/// A time as people say it: `8 s`, `3 min`, `2 h 5 min`.
fn clock(time: Duration) -> String {
    match time.as_secs() {
        0 => "<1 s".into(),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now {
            done: 1200,
            failed: 34,
            total: Some(10_000),
            rate: Some(1203.4),
            workers: (3, 4),
            memory: Some(45 << 20),
            elapsed: Duration::from_secs(61),
        }
    }

    #[test]
    fn what_matters_most_is_left_on_a_narrow_line() {
        let check = |width, expected: &str| {
            let line = now().line(width);
            assert_eq!(line, expected);
            assert!(line.chars().count() <= width);
        };
        check(
            110,
            "[####------------------------------------] 1,234 of 10,000  34 failed  7 s left  1,203/s  3/4 busy  45.0 MiB",
        );
        check(
            80,
            "[#-----------] 1,234 of 10,000  34 failed  7 s left  1,203/s  3/4 busy  45.0 MiB",
        );
        check(40, "1,234 of 10,000  34 failed  7 s left");
        check(15, "1,234 of 10,000");
        check(3, "");
    }

    #[test]
    fn a_total_that_is_not_known_is_not_made_up() {
        let now = Now {
            total: None,
            failed: 0,
            ..now()
        };
        assert_eq!(
            now.line(80),
            "1,200 items  1,203/s  3/4 busy  45.0 MiB  61 s"
        );
        assert_eq!(
            now.words(),
            "1200 items, 1,203 a second, 3 of 4 workers busy, 45.0 MiB"
        );
    }

    #[test]
    fn the_rate_is_that_of_lately() {
        let mut rate = Rate::default();
        let mut of = |ms, done| rate.of(Duration::from_millis(ms), done);
        assert_eq!(of(100, 0), None);
        assert_eq!(of(1100, 100), Some(100.0));
        for second in 2..40 {
            of(second * 1000 + 100, 100 + second);
        }
        assert_eq!(of(40_100, 140), Some(1.0));
    }

    #[test]
    fn samples_become_rarer_and_stay_few() {
        let mut samples = Samples::new(true);
        let snapshot = |at| Snapshot {
            at,
            name: String::new(),
            workers: Vec::new(),
            jobs: Vec::new(),
            stats: Default::default(),
        };
        (0..10 * MOST_SAMPLES as u64).for_each(|at| samples.take(&snapshot(at)));
        let kept = &samples.kept;
        assert!(kept.len() <= MOST_SAMPLES && kept.len() > MOST_SAMPLES / 4);
        assert!(kept.is_sorted_by_key(|sample| sample.at) && kept[0].at == 0);
    }

    #[test]
    fn times_as_people_say_them() {
        for (seconds, text) in [
            (0, "<1 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7500, "2 h 5 min"),
        ] {
            assert_eq!(clock(Duration::from_secs(seconds)), text);
        }
    }
}
