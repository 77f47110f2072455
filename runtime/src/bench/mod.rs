//! What `wasmpool bench` does: measures the machine's own floors, and what a pool costs beside them.
//!
//! A [`Bench`] runs [`ROWS`] in turns, round after round, so that what the machine does besides meets all of them, and
//! gives a [`Report`]:
//!
//! ```no_run
//! // First thing in `main`: this program is started as the processes that are measured.
//! wasmpool::worker::enter_if_asked();
//! let report = wasmpool::bench::Bench::new().quick(true).run(&mut |_| {});
//! println!("{}", wasmpool::bench::text::render(&report));
//! ```
//!
//! - `floors`: what the machine can do at best; `jobs`: round trips and maps; `data`: much of it in one item; `starts`:
//!   from nothing to a result; `faults`: what comes after a kill, a trap, a deadline; `scale`: many workers.
//! - `lab`: what the rows have in common: pools, a folder, why there is no number.
//! - `report`: what was found, as plain data; `text`, `json` and `svg` write it down.
//!
//! Every result is checked. Compares rows of one run only, and judges nothing: bounds are in SPECIFICATION.md.

mod data;
mod faults;
#[doc(hidden)]
pub mod floors;
mod jobs;
pub mod json;
mod lab;
pub mod report;
mod scale;
mod starts;
pub mod svg;
pub mod text;

use std::path::PathBuf;

use self::lab::{Lab, Missing};
use self::report::SCHEMA;
pub use self::report::{Beside, Line, Machine, Report, State, Unit};

/// One thing that can be measured.
///
/// ```
/// let row = wasmpool::bench::find("apply-process").expect("names stay");
/// println!("{}: {}, beside {:?}", row.id, row.what(true), row.beside);
/// ```
pub struct Row {
    /// Its name, which stays.
    pub id: &'static str,
    /// With which others it belongs.
    pub group: &'static str,
    /// What is measured. `{items}` and `{size}` stand for what depends on the run.
    what: &'static str,
    /// What the samples are counted in.
    pub unit: Unit,
    /// The row that it is compared with.
    pub beside: Option<&'static str>,
    /// Samples of a round, and of the only round of a quick run.
    each: [usize; 2],
    run: fn(&mut Lab, usize, &mut Vec<f64>) -> Result<(), Missing>,
}

const fn row(
    id: &'static str,
    group: &'static str,
    beside: Option<&'static str>,
    each: [usize; 2],
    what: &'static str,
    run: fn(&mut Lab, usize, &mut Vec<f64>) -> Result<(), Missing>,
) -> Row {
    Row {
        id,
        group,
        what,
        unit: Unit::Nanoseconds,
        beside,
        each,
        run,
    }
}

const fn bytes(row: Row) -> Row {
    Row {
        unit: Unit::Bytes,
        ..row
    }
}

const FLOORS: &str = "floors";
const TRIPS: &str = "round trips";
const JOBS: &str = "jobs";
const DATA: &str = "data";
const STARTS: &str = "starts";
const FAULTS: &str = "faults";
const SCALE: &str = "number of workers";

const FUTEX: Option<&str> = Some("floor-futex");
const FORK: Option<&str> = Some("floor-fork");
const SPAWN: Option<&str> = Some("floor-spawn");

/// Everything that can be measured, in the order in which it is told.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("floor-spin", FLOORS, None, [2000, 200],
        "ping-pong of two processes that look at shared memory all the time", |_, n, out| Ok(floors::spin(n, out)?)),
    row("floor-futex", FLOORS, None, [500, 100],
        "ping-pong of two processes that sleep on a futex", |_, n, out| Ok(floors::sleep(n, out)?)),
    row("floor-futex-busy", FLOORS, None, [100, 50],
        "the same, every processor busy", |_, n, out| lab::busy(|| Ok(floors::sleep(n, out)?))),
    row("floor-socket", FLOORS, None, [500, 100],
        "ping-pong of two processes through a socket", |_, n, out| Ok(floors::socket(n, out)?)),
    row("floor-fork", FLOORS, None, [50, 10],
        "fork, exit and wait, of a small process", |lab, n, out| Ok(lab.forker()?.fork_and_exit(n, out)?)),
    row("floor-spawn", FLOORS, None, [10, 3],
        "start of the program `true`, until it has ended", |_, n, out| Ok(floors::spawn(n, out)?)),
    row("floor-copy", FLOORS, None, [3, 1],
        "copy of 64 MiB of memory", |_, n, out| { floors::copy(data::LARGE)(n, out); Ok(()) }),
    row("floor-sum", FLOORS, None, [1, 1],
        "sum of {size} by two threads, which map it for this sum", |lab, n, out| lab.numbers()?.native(n, out)),

    row("apply-shared", TRIPS, FUTEX, [500, 100],
        "an item that does nothing much, warm pool, from the call to its result", |lab, n, out| lab.apply(jobs::SHARED, n, out)),
    row("apply-shared-busy", TRIPS, Some("floor-futex-busy"), [100, 50],
        "the same, every processor busy", |lab, n, out| lab::busy(|| lab.apply(jobs::SHARED, n, out))),
    row("apply-thread", TRIPS, FUTEX, [500, 100],
        "the same in a thread: only for modules that are trusted", |lab, n, out| lab.apply(jobs::THREAD, n, out)),
    row("apply-instance", TRIPS, Some("apply-shared"), [300, 50],
        "the same with a fresh instance", |lab, n, out| lab.apply(jobs::INSTANCE, n, out)),
    row("apply-process", TRIPS, FORK, [50, 10],
        "the same with a fresh process", |lab, n, out| lab.apply(jobs::PROCESS, n, out)),

    row("map-chunk-1", JOBS, None, [1, 1],
        "map of {items} squares, chunks of 1: an item", |lab, n, out| lab.map_squares(jobs::Chunks::One, n, out)),
    row("map-auto", JOBS, None, [1, 1],
        "map of {items} squares, automatic chunks: an item", |lab, n, out| lab.map_squares(jobs::Chunks::Auto, n, out)),
    row("map-process", JOBS, FORK, [1, 1],
        "map of 100 squares, a fresh process an item: an item", |lab, n, out| lab.map_processes(n, out)),
    row("skewed-ideal", JOBS, None, [1, 1],
        "1,000 items, one of them 100 times as long, one after the other: divided by the workers", |lab, n, out| lab.skewed_alone(n, out)),
    row("skewed", JOBS, Some("skewed-ideal"), [1, 1],
        "the same items in a pool, automatic chunks", |lab, n, out| lab.skewed(n, out)),

    row("echo", DATA, Some("floor-copy"), [1, 1],
        "an item of 64 MiB, and the same as its result", |lab, n, out| lab.echo(n, out)),
    row("sum-attached", DATA, Some("floor-sum"), [1, 1],
        "sum of {size} by two workers, which attach it for this sum", |lab, n, out| lab.sum(n, out)),

    row("start-pool", STARTS, SPAWN, [3, 2],
        "from opening a pool, a worker a processor, to its first result, code cached", |lab, n, out| lab.start_pool(n, out)),
    row("start-command", STARTS, SPAWN, [3, 2],
        "`wasmpool map` of one item, code cached", |lab, n, out| lab.start_command(true, n, out)),
    row("start-command-new", STARTS, SPAWN, [1, 1],
        "the same, compiled anew", |lab, n, out| lab.start_command(false, n, out)),
    bytes(row("idle-worker", STARTS, None, [1, 1],
        "private memory of a worker that has done something and waits", |lab, n, out| lab.idle_workers(n, out))),

    row("recover-trap", FAULTS, FORK, [10, 3],
        "from a trap to the next item's result, in a new worker", |lab, n, out| lab.recover_trap(n, out)),
    row("recover-kill", FAULTS, FORK, [5, 2],
        "from killing the only worker in the middle of an item to the next item's result", |lab, n, out| lab.recover_kill(n, out)),
    row("overshoot", FAULTS, None, [10, 3],
        "by how much an item passes its limit of 50 ms", |lab, n, out| lab.overshoot(n, out)),
    row("overshoot-busy", FAULTS, None, [10, 3],
        "the same, every processor busy", |lab, n, out| lab::busy(|| lab.overshoot(n, out))),

    row("open-1", SCALE, None, [1, 1], "1 worker: from opening to the first result", |lab, _, out| lab.open_many(1, out)),
    row("open-2", SCALE, Some("open-1"), [1, 1], "2 workers", |lab, _, out| lab.open_many(2, out)),
    row("open-16", SCALE, Some("open-1"), [1, 1], "16 workers", |lab, _, out| lab.open_many(16, out)),
    row("open-64", SCALE, Some("open-1"), [1, 1], "64 workers", |lab, _, out| lab.open_many(64, out)),
    row("open-256", SCALE, Some("open-1"), [1, 1], "256 workers", |lab, _, out| lab.open_many(256, out)),
    row("item-1", SCALE, None, [1, 1], "1 worker: an item of a map", |lab, _, out| lab.item_of_many(1, out)),
    row("item-2", SCALE, Some("item-1"), [1, 1], "2 workers", |lab, _, out| lab.item_of_many(2, out)),
    row("item-16", SCALE, Some("item-1"), [1, 1], "16 workers", |lab, _, out| lab.item_of_many(16, out)),
    row("item-64", SCALE, Some("item-1"), [1, 1], "64 workers", |lab, _, out| lab.item_of_many(64, out)),
    row("item-256", SCALE, Some("item-1"), [1, 1], "256 workers", |lab, _, out| lab.item_of_many(256, out)),
    bytes(row("host-1", SCALE, None, [1, 1], "1 worker: what the host has more in memory", |lab, _, out| lab.host_of_many(1, out))),
    bytes(row("host-2", SCALE, None, [1, 1], "2 workers", |lab, _, out| lab.host_of_many(2, out))),
    bytes(row("host-16", SCALE, None, [1, 1], "16 workers", |lab, _, out| lab.host_of_many(16, out))),
    bytes(row("host-64", SCALE, None, [1, 1], "64 workers", |lab, _, out| lab.host_of_many(64, out))),
    bytes(row("host-256", SCALE, None, [1, 1], "256 workers", |lab, _, out| lab.host_of_many(256, out))),
];

impl Row {
    /// What is measured, in a run of this kind.
    ///
    /// ```
    /// let row = wasmpool::bench::find("map-auto").expect("names stay");
    /// assert!(row.what(true).contains("5,000 squares"));
    /// assert!(row.what(false).contains("100,000 squares"));
    /// ```
    pub fn what(&self, quick: bool) -> String {
        let items = if quick { "5,000" } else { "100,000" };
        let size = report::bytes(data::size(quick) as f64);
        self.what.replace("{items}", items).replace("{size}", &size)
    }
}

/// A row by its name.
///
/// ```
/// use wasmpool::bench::find;
///
/// assert_eq!(find("apply-process").and_then(|row| row.beside), Some("floor-fork"));
/// assert!(find("no-such-row").is_none());
/// ```
pub fn find(id: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}

/// How far a run is, told before each measurement.
///
/// ```
/// use wasmpool::bench::{Bench, find};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let row = find("floor-copy").expect("names stay");
/// Bench::new().quick(true).row(row).run(&mut |step| {
///     eprintln!("{} of {}: {}", step.done, step.all, step.id);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The row that is measured next.
    pub id: &'static str,
    /// How many measurements were made.
    pub done: usize,
    /// How many there are.
    pub all: usize,
}

/// What is to be measured.
///
/// ```
/// use wasmpool::bench::{Bench, State, find};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let row = find("floor-copy").expect("names stay");
/// let report = Bench::new().quick(true).row(row).run(&mut |_| {});
/// assert_eq!(report.rows[0].state, State::Measured);
/// println!("{}", wasmpool::bench::text::render(&report));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bench {
    quick: bool,
    rounds: Option<u32>,
    wanted: Vec<&'static str>,
    program: Option<PathBuf>,
}

impl Bench {
    /// Every row, in ten rounds: two minutes or so.
    ///
    /// ```
    /// let bench = wasmpool::bench::Bench::new();
    /// ```
    pub fn new() -> Bench {
        Bench::default()
    }

    /// Whether there is one round only, with few samples and little data: to see that it works, and what is of the order
    /// of ten times too slow. Default false.
    ///
    /// ```
    /// let bench = wasmpool::bench::Bench::new().quick(true);
    /// ```
    pub fn quick(mut self, on: bool) -> Bench {
        self.quick = on;
        self
    }

    /// How many rounds, at least 1. Default 10, and 1 of a quick run.
    ///
    /// ```
    /// // Fewer samples, and so a wider spread.
    /// let bench = wasmpool::bench::Bench::new().rounds(3);
    /// ```
    pub fn rounds(mut self, n: u32) -> Bench {
        self.rounds = Some(n.max(1));
        self
    }

    /// Measures this row, with the one that it is compared with, and of the others only those that are asked for too.
    /// Default: all. See [`find`].
    ///
    /// ```
    /// use wasmpool::bench::{Bench, find};
    ///
    /// let bench = ["apply-shared", "map-auto"]
    ///     .into_iter()
    ///     .filter_map(find)
    ///     .fold(Bench::new(), Bench::row);
    /// ```
    pub fn row(mut self, row: &'static Row) -> Bench {
        self.wanted.push(row.id);
        self.wanted.extend(row.beside);
        self
    }

    /// The program `wasmpool`, which is started as a command. Default: the one that lies beside this program or in the
    /// search path, or this program itself, if it is one that is called `wasmpool`.
    ///
    /// ```
    /// let bench = wasmpool::bench::Bench::new().host_program("/usr/local/bin/wasmpool");
    /// ```
    pub fn host_program(mut self, path: impl Into<PathBuf>) -> Bench {
        self.program = Some(path.into());
        self
    }

    /// Does it. What cannot be measured is in the report, with the reason.
    ///
    /// Keeps the compiled guest in the user's cache, if there is one.
    ///
    /// ```
    /// use wasmpool::bench::{Bench, find};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let row = find("floor-copy").expect("names stay");
    /// let report = Bench::new().quick(true).row(row).run(&mut |_| {});
    /// assert_eq!(report.failed().count(), 0);
    /// ```
    pub fn run(self, on_step: &mut dyn FnMut(Step)) -> Report {
        let machine = Machine::here();
        let wanted = |row: &&Row| self.wanted.is_empty() || self.wanted.contains(&row.id);
        let rows: Vec<&'static Row> = ROWS.iter().filter(wanted).collect();
        let rounds = self.rounds.unwrap_or(if self.quick { 1 } else { 10 }) as usize;
        let mut lab = Lab::new(self.quick, self.program);
        let mut samples = vec![Vec::new(); rows.len()];
        let mut states = vec![State::Measured; rows.len()];
        for round in 0..rounds {
            lab.next_round();
            for (at, row) in rows.iter().enumerate() {
                on_step(Step {
                    id: row.id,
                    done: round * rows.len() + at,
                    all: rounds * rows.len(),
                });
                if states[at] != State::Measured {
                    continue;
                }
                let n = row.each[usize::from(self.quick)];
                if let Err(missing) = (row.run)(&mut lab, n, &mut samples[at]) {
                    states[at] = missing.into();
                    samples[at].clear();
                }
            }
        }
        drop(lab);
        let lines = rows.iter().zip(states).zip(&mut samples);
        let lines = lines.map(|((row, state), samples)| line(row, self.quick, state, samples));
        let mut report = Report {
            schema: SCHEMA,
            machine,
            rows: lines.collect(),
        };
        compare(&mut report);
        report
    }
}

fn line(row: &Row, quick: bool, state: State, samples: &mut [f64]) -> Line {
    let mut line = Line {
        id: row.id.to_owned(),
        group: row.group.to_owned(),
        what: row.what(quick),
        unit: row.unit,
        samples: 0,
        median: None,
        p10: None,
        p90: None,
        p99: None,
        beside: None,
        state,
    };
    line.take(samples);
    line
}

/// Puts beside each line what it is compared with.
fn compare(report: &mut Report) {
    let medians: Vec<_> = report
        .rows
        .iter()
        .map(|l| (l.id.clone(), l.median))
        .collect();
    for line in &mut report.rows {
        let Some(other) = find(&line.id).and_then(|row| row.beside) else {
            continue;
        };
        let found = medians.iter().find(|(id, _)| id == other);
        if let (Some(median), Some((_, Some(floor)))) = (line.median, found)
            && *floor > 0.0
        {
            line.beside = Some(Beside {
                what: other.to_owned(),
                ratio: median / floor,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_comparisons_are_of_rows() {
        let ids: BTreeSet<_> = ROWS.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), ROWS.len());
        for row in ROWS {
            assert!(
                row.beside.is_none_or(|other| ids.contains(other)),
                "{}",
                row.id
            );
            assert!(row.each.iter().all(|n| *n > 0), "{}", row.id);
            assert!(!row.what(true).contains('{'), "{}", row.id);
        }
    }

    #[test]
    fn a_row_brings_what_it_is_compared_with() {
        let bench = Bench::new().row(find("apply-process").unwrap());
        assert_eq!(bench.wanted, ["apply-process", "floor-fork"]);
    }

    #[test]
    fn ratios_are_those_of_the_medians() {
        let mut report = report::tests::mixed();
        compare(&mut report);
        let beside = report.line("apply-shared").unwrap().beside.clone();
        assert_eq!(
            beside.map(|b| (b.what, b.ratio)),
            Some(("floor-futex".into(), 0.5))
        );
        let open = report.line("open-16").unwrap().beside.clone();
        assert_eq!(open.map(|b| b.ratio), Some(16.0));
        assert!(report.line("map-auto").unwrap().beside.is_none());
    }
}
