//! What happened in a pool, kept on request: the lives of its workers, what they ran and when, how long items took.
//!
//! Owns the record and keeps it small: what would be too much is joined (spans) or counted (lives). All times are the
//! host's own, in nanoseconds since the pool was opened; what the kernel says of a process is looked up by `core`. Decides
//! nothing, and no worker can make it larger.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::slot::Cause;
use crate::failure::FailureKind;
use crate::sys::seen::Usage;

/// Lives that are kept.
const MOST_LIVES: usize = 100_000;
/// Spans that are kept; if there are more, they are joined until there are half as many.
const MOST_SPANS: usize = 100_000;
/// A span ends after this time though its worker goes on, in nanoseconds.
const SPAN: u64 = 10_000_000;
/// The least and the most time of an item that is told from others, in nanoseconds.
const SHORTEST: u64 = 100;
const LONGEST: u64 = 30 * 24 * 3600 * 1_000_000_000;

/// Why a worker ended.
///
/// ```
/// use wasmpool::pool::{Pool, WorkerEnd};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(1).record(true).max_items_per_worker(1).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", [1i64, 2])?;
/// let ends = pool.recording().expect("it was asked for").ends;
/// assert_eq!(ends[0].0, WorkerEnd::Retired);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkerEnd {
    /// The pool ended.
    Closed,
    /// It served as many items as it may.
    Retired,
    /// Its item was ended with it, or it died.
    Failure(FailureKind),
    /// It broke the pool's protocol.
    BrokeProtocol,
    /// It did not take what it was given.
    NotTaken,
    /// It did not get ready.
    NotReady,
}

impl WorkerEnd {
    pub(super) fn of(cause: &Cause, pool_has_ended: bool) -> WorkerEnd {
        match cause {
            Cause::Retired if pool_has_ended => WorkerEnd::Closed,
            Cause::Retired => WorkerEnd::Retired,
            Cause::Timeout(_) => WorkerEnd::Failure(FailureKind::Timeout),
            Cause::Ended(ended) => WorkerEnd::Failure(ended.kind),
            Cause::Cancelled => WorkerEnd::Failure(FailureKind::Cancelled),
            Cause::Lost => WorkerEnd::Failure(FailureKind::WorkerLost),
            Cause::Violation(_) => WorkerEnd::BrokeProtocol,
            Cause::NotTaken(_) => WorkerEnd::NotTaken,
            Cause::NotReady(_) => WorkerEnd::NotReady,
        }
    }

    /// The name in reports: lower case, with hyphens.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    /// use wasmpool::pool::WorkerEnd;
    ///
    /// assert_eq!(WorkerEnd::Failure(FailureKind::Timeout).name(), "timeout");
    /// assert_eq!(WorkerEnd::NotReady.name(), "not-ready");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            WorkerEnd::Closed => "closed",
            WorkerEnd::Retired => "retired",
            WorkerEnd::Failure(kind) => kind.name(),
            WorkerEnd::BrokeProtocol => "broke-protocol",
            WorkerEnd::NotTaken => "not-taken",
            WorkerEnd::NotReady => "not-ready",
        }
    }
}

/// A worker, from its start to its end. Times are in nanoseconds since the pool was opened.
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(1).record(true).open("tasks.wasm")?;
/// pool.ready()?;
/// for worker in pool.recording().expect("it was asked for").workers {
///     println!("{}, the {}: {:?} to {:?}", worker.slot, worker.generation, worker.started, worker.ended);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerLife {
    /// Its place in the pool, from 0.
    pub slot: u32,
    /// Which of the workers that had the place, from 1.
    pub generation: u32,
    /// The number of its process, once it has said that it lives. `None` of threads.
    pub pid: Option<u32>,
    /// When it was started.
    pub started: u64,
    /// When it was ready, if it was.
    pub ready: Option<u64>,
    /// When it ended, and why, if it has.
    pub ended: Option<(u64, WorkerEnd)>,
    /// What its process used, as the kernel counts it. `None` of threads, and of processes that ended by themselves.
    pub usage: Option<Usage>,
}

/// Items that a worker ran one after the other. Times are in nanoseconds since the pool was opened.
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().record(true).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", 0..100i64)?;
/// let spans = pool.recording().expect("it was asked for").spans;
/// let busy: u64 = spans.iter().map(|span| span.to - span.from).sum();
/// println!("workers had something to do for {busy} ns");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The worker's place.
    pub slot: u32,
    /// The worker, or the last of those that were joined.
    pub generation: u32,
    /// The index of one of its items in its job: the first that was heard of.
    pub index: u64,
    /// How many items.
    pub items: u32,
    /// How many of them failed.
    pub failed: u32,
    /// When it was given the first, or ended the one before.
    pub from: u64,
    /// When the last one's end was heard of.
    pub to: u64,
}

/// How long items took, in nanoseconds, to within a percent: from when a worker was free for them to when their end was
/// heard of; of items that were heard of together, an equal share each.
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().record(true).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", 0..100i64)?;
/// let latency = pool.recording().expect("it was asked for").latency;
/// assert_eq!(latency.count, 100);
/// assert!(latency.min <= latency.p50 && latency.p50 <= latency.max);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// How many items.
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// Nine in ten took no longer.
    pub p90: u64,
    /// 99 in 100 took no longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
    /// How many took more than the bound before and up to this one, in nanoseconds; ten bounds a factor of ten.
    pub buckets: Vec<(u64, u64)>,
}

/// What happened in a pool so far: see [`PoolBuilder::record`](super::PoolBuilder::record).
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(1).record(true).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", 0..100i64)?;
/// let recording = pool.recording().expect("it was asked for");
/// assert_eq!(recording.workers.len(), 1);
/// println!("{:?} ns of processor time", recording.cpu_nanos);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recording {
    /// Until when, in nanoseconds since the pool was opened.
    pub until: u64,
    /// The workers, in the order of their starts: the first 100,000.
    pub workers: Vec<WorkerLife>,
    /// Workers beyond those.
    pub workers_left_out: u64,
    /// What workers ran, in the order of its ends, at most 100,000 spans: if there were more, those that follow one another
    /// in one place within `resolution` are joined.
    pub spans: Vec<Span>,
    /// Within what time spans are joined, in nanoseconds; 0: none are.
    pub resolution: u64,
    /// How long items took.
    pub latency: Latency,
    /// Why workers ended that were replaced, or would have been, and how many did.
    pub ends: Vec<(WorkerEnd, u64)>,
    /// Processor time of all worker processes whose use is known, in nanoseconds. `None` of threads.
    pub cpu_nanos: Option<u64>,
    /// The most memory that one worker process had at once, shared pages included, in bytes, of those whose use is known.
    pub peak_bytes: Option<u64>,
}

/// A place, as far as the record goes.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    generation: u32,
    /// The life of its worker, if that is kept.
    life: Option<usize>,
    /// Where its next span begins.
    from: u64,
    /// When results were heard of last, or there was first something to do since.
    heard: u64,
    /// Ends since then.
    batch: u64,
    /// Of the span that goes on.
    index: u64,
    items: u32,
    failed: u32,
    over: bool,
    /// Its last span.
    last: Option<usize>,
}

/// Keeps the record.
#[derive(Debug)]
pub(super) struct Recorder {
    opened: u64,
    lanes: Vec<Lane>,
    lives: Vec<WorkerLife>,
    left_out: u64,
    spans: Vec<Span>,
    most_spans: usize,
    resolution: u64,
    latency: Histogram<u64>,
    ends: BTreeMap<WorkerEnd, u64>,
    /// Of workers that have ended.
    used: Option<Usage>,
}

impl Recorder {
    /// An empty record of a pool with so many places, opened at a reading of the clock.
    pub fn new(places: usize, opened: u64) -> Option<Recorder> {
        Some(Recorder {
            opened,
            lanes: vec![Lane::default(); places],
            lives: Vec::new(),
            left_out: 0,
            spans: Vec::new(),
            most_spans: MOST_SPANS,
            resolution: 0,
            latency: Histogram::new_with_bounds(SHORTEST, LONGEST, 2).ok()?,
            ends: BTreeMap::new(),
            used: None,
        })
    }

    fn since(&self, time: u64) -> u64 {
        time.saturating_sub(self.opened)
    }

    /// A worker was started.
    pub fn started(&mut self, at: usize, generation: u32, time: u64) {
        let started = self.since(time);
        let life = (self.lives.len() < MOST_LIVES).then_some(self.lives.len());
        match life {
            Some(_) => self.lives.push(WorkerLife {
                slot: at as u32,
                generation,
                pid: None,
                started,
                ready: None,
                ended: None,
                usage: None,
            }),
            None => self.left_out += 1,
        }
        self.lanes[at] = Lane {
            generation,
            life,
            from: started,
            heard: started,
            last: self.lanes[at].last,
            ..Lane::default()
        };
    }

    /// It says that it lives.
    pub fn born(&mut self, at: usize, pid: u32) {
        if let Some(life) = self.life(at) {
            life.pid = Some(pid);
        }
    }

    /// It says that it is ready.
    pub fn ready(&mut self, at: usize, time: u64) {
        let time = self.since(time);
        if let Some(life) = self.life(at) {
            life.ready = Some(time);
        }
    }

    /// It is about to be ended, and this is what its process has used until now.
    pub fn used(&mut self, at: usize, usage: Usage) {
        if let Some(life) = self.life(at) {
            life.usage = Some(usage);
        }
        self.used = Some(usage.and(self.used));
    }

    /// It has ended, with the item that ended it, if one did.
    pub fn ended(&mut self, at: usize, time: u64, why: WorkerEnd, culprit: Option<u64>) {
        if let Some(index) = culprit {
            self.finished(at, index, true);
        }
        self.lanes[at].over = true;
        self.heard(at, time);
        let time = self.since(time);
        if let Some(life) = self.life(at) {
            life.ended = Some((time, why));
        }
        *self.ends.entry(why).or_default() += 1;
    }

    fn life(&mut self, at: usize) -> Option<&mut WorkerLife> {
        self.lives.get_mut(self.lanes[at].life?)
    }

    /// A worker that had nothing to do was given something.
    pub fn given(&mut self, at: usize, time: u64) {
        let time = self.since(time);
        let lane = &mut self.lanes[at];
        (lane.from, lane.heard) = (time, time);
    }

    /// An item has ended; when is said by the next call of `heard`.
    pub fn finished(&mut self, at: usize, index: u64, failed: bool) {
        let lane = &mut self.lanes[at];
        if lane.items == 0 {
            lane.index = index;
        }
        lane.batch += 1;
        lane.items += 1;
        lane.failed += u32::from(failed);
    }

    /// Items that were sent together have all ended, or their worker has nothing more to do.
    pub fn over(&mut self, at: usize) {
        self.lanes[at].over = true;
    }

    /// All that a worker has said until now was read.
    pub fn heard(&mut self, at: usize, time: u64) {
        let time = self.since(time);
        let lane = &mut self.lanes[at];
        if let Some(each) = time.saturating_sub(lane.heard).checked_div(lane.batch) {
            self.latency.saturating_record_n(each, lane.batch);
            (lane.heard, lane.batch) = (time, 0);
        }
        if lane.items > 0 && (lane.over || time.saturating_sub(lane.from) >= SPAN) {
            let span = Span {
                slot: at as u32,
                generation: lane.generation,
                index: lane.index,
                items: lane.items,
                failed: lane.failed,
                from: lane.from,
                to: time,
            };
            (lane.from, lane.items, lane.failed) = (time, 0, 0);
            self.push(at, span);
        }
        self.lanes[at].over = false;
    }

    fn push(&mut self, at: usize, span: Span) {
        let resolution = self.resolution;
        let last = self.lanes[at]
            .last
            .and_then(|last| self.spans.get_mut(last));
        if !last.is_some_and(|last| last.joins(&span, resolution)) {
            self.lanes[at].last = Some(self.spans.len());
            self.spans.push(span);
        }
        if self.spans.len() >= self.most_spans {
            self.coarsen(span.to);
        }
    }

    /// Joins spans within twice the time, until there are half as many as may be.
    fn coarsen(&mut self, until: u64) {
        let least = until / self.most_spans as u64;
        self.resolution = (self.resolution * 2).max(least).max(1);
        self.lanes.iter_mut().for_each(|lane| lane.last = None);
        let mut kept: Vec<Span> = Vec::with_capacity(self.spans.len());
        for span in self.spans.drain(..) {
            let last = &mut self.lanes[span.slot as usize].last;
            let joined = last
                .and_then(|last| kept.get_mut(last))
                .is_some_and(|last| last.joins(&span, self.resolution));
            if !joined {
                *last = Some(kept.len());
                kept.push(span);
            }
        }
        self.spans = kept;
        if self.spans.len() > self.most_spans / 2 && self.resolution < until {
            self.coarsen(until);
        }
    }

    /// What happened until now, with what workers that live have used.
    pub fn recording(&self, time: u64, live: &[(usize, Usage)]) -> Recording {
        let mut workers = self.lives.clone();
        let mut used = self.used;
        for (at, usage) in live {
            if let Some(life) = self.lanes[*at].life.and_then(|life| workers.get_mut(life)) {
                life.usage = Some(*usage);
            }
            used = Some(usage.and(used));
        }
        Recording {
            until: self.since(time),
            workers,
            workers_left_out: self.left_out,
            spans: self.spans.clone(),
            resolution: self.resolution,
            latency: latency(&self.latency),
            ends: self.ends.iter().map(|(why, n)| (*why, *n)).collect(),
            cpu_nanos: used.map(|used| used.cpu_nanos),
            peak_bytes: used.map(|used| used.peak_bytes),
        }
    }
}

impl Span {
    /// Takes in the next span of its place, if both lie within this time.
    fn joins(&mut self, next: &Span, within: u64) -> bool {
        let joins = next.to.saturating_sub(self.from) <= within;
        if joins {
            self.items = self.items.saturating_add(next.items);
            self.failed = self.failed.saturating_add(next.failed);
            (self.generation, self.to) = (next.generation, next.to);
        }
        joins
    }
}

impl Usage {
    /// Of two processes: the time of both, the memory of the larger.
    fn and(self, other: Option<Usage>) -> Usage {
        let Some(other) = other else { return self };
        Usage {
            cpu_nanos: self.cpu_nanos.saturating_add(other.cpu_nanos),
            peak_bytes: self.peak_bytes.max(other.peak_bytes),
        }
    }
}

fn latency(all: &Histogram<u64>) -> Latency {
    let mut buckets = Vec::new();
    let mut below = 0;
    for bound in bounds() {
        if below == all.len() {
            break;
        }
        let upto = match bound {
            LONGEST => all.len(),
            bound => all.count_between(0, bound),
        };
        if upto > 0 {
            buckets.push((bound, upto - below));
        }
        below = upto;
    }
    Latency {
        count: all.len(),
        min: all.min(),
        p50: all.value_at_quantile(0.5),
        p90: all.value_at_quantile(0.9),
        p99: all.value_at_quantile(0.99),
        max: all.max(),
        buckets,
    }
}

/// Ten a decade, from the shortest time to the longest.
fn bounds() -> impl Iterator<Item = u64> {
    let bound = |step: u32| (SHORTEST as f64 * 10_f64.powf(f64::from(step) / 10.0)).round() as u64;
    (1..)
        .map(bound)
        .take_while(|bound| *bound < LONGEST)
        .chain([LONGEST])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn recorder() -> Recorder {
        let mut recorder = Recorder::new(2, 1000).unwrap();
        recorder.started(0, 1, 1000);
        recorder.ready(0, 1000 + MS);
        recorder
    }

    fn usage(cpu_nanos: u64, peak_bytes: u64) -> Usage {
        Usage {
            cpu_nanos,
            peak_bytes,
        }
    }

    #[test]
    fn a_chunk_is_a_span_and_its_items_share_its_time() {
        let mut recorder = recorder();
        recorder.given(0, 1000 + 2 * MS);
        (0..4).for_each(|index| recorder.finished(0, index, index == 2));
        recorder.over(0);
        recorder.heard(0, 1000 + 6 * MS);
        let recording = recorder.recording(1000 + 7 * MS, &[(0, usage(5, 6))]);
        assert_eq!(
            recording.spans,
            [Span {
                slot: 0,
                generation: 1,
                index: 0,
                items: 4,
                failed: 1,
                from: 2 * MS,
                to: 6 * MS
            }]
        );
        assert_eq!((recording.until, recording.latency.count), (7 * MS, 4));
        let about = |time: u64| (time as f64 / MS as f64 - 1.0).abs() < 0.01;
        assert!(
            about(recording.latency.p50) && about(recording.latency.max),
            "{recording:?}"
        );
        let [worker] = &recording.workers[..] else {
            panic!("{recording:?}")
        };
        assert_eq!(
            (worker.ready, worker.ended, worker.usage),
            (Some(MS), None, Some(usage(5, 6)))
        );
        assert_eq!(
            (recording.cpu_nanos, recording.peak_bytes),
            (Some(5), Some(6))
        );
    }

    #[test]
    fn an_end_is_told_with_the_item_that_it_took_along() {
        let mut recorder = recorder();
        recorder.given(0, 1000 + 2 * MS);
        recorder.finished(0, 5, false);
        recorder.heard(0, 1000 + 3 * MS);
        recorder.used(0, usage(7, 8));
        recorder.ended(
            0,
            1000 + 9 * MS,
            WorkerEnd::Failure(FailureKind::Trap),
            Some(6),
        );
        recorder.started(0, 2, 1000 + 10 * MS);
        recorder.used(0, usage(1, 9));
        recorder.ended(0, 1000 + 12 * MS, WorkerEnd::Retired, None);
        let recording = recorder.recording(1000 + 12 * MS, &[]);
        let [span] = &recording.spans[..] else {
            panic!("{recording:?}")
        };
        assert_eq!(
            (span.index, span.items, span.failed, span.to),
            (5, 2, 1, 9 * MS)
        );
        assert_eq!(
            recording.workers[0].ended,
            Some((9 * MS, WorkerEnd::Failure(FailureKind::Trap)))
        );
        assert_eq!(
            recording.ends,
            [
                (WorkerEnd::Retired, 1),
                (WorkerEnd::Failure(FailureKind::Trap), 1)
            ]
        );
        assert_eq!(
            (recording.cpu_nanos, recording.peak_bytes),
            (Some(8), Some(9))
        );
    }

    #[test]
    fn many_spans_are_joined_and_no_item_is_forgotten() {
        let mut recorder = recorder();
        recorder.most_spans = 64;
        let mut time = 1000;
        for index in 0..10_000 {
            let at = (index % 2) as usize;
            recorder.given(at, time);
            time += 100_000;
            recorder.finished(at, index, index % 100 == 0);
            recorder.over(at);
            recorder.heard(at, time);
            assert!(recorder.spans.len() < 64);
        }
        let recording = recorder.recording(time, &[]);
        let sum = |of: fn(&Span) -> u32| recording.spans.iter().map(of).sum::<u32>();
        assert_eq!((sum(|s| s.items), sum(|s| s.failed)), (10_000, 100));
        assert!(
            recording.spans.len() >= 16 && recording.resolution > 0,
            "{recording:?}"
        );
        assert!(
            recording
                .spans
                .iter()
                .all(|s| s.to - s.from <= recording.resolution)
        );
        let buckets = &recording.latency.buckets;
        assert_eq!(buckets.iter().map(|(_, n)| n).sum::<u64>(), 10_000);
    }

    #[test]
    fn nothing_happened_in_a_new_pool() {
        let recording = Recorder::new(1, 5).unwrap().recording(5, &[]);
        assert_eq!((recording.latency.count, recording.latency.max), (0, 0));
        assert!(recording.latency.buckets.is_empty() && recording.spans.is_empty());
        assert_eq!((recording.cpu_nanos, recording.until), (None, 0));
    }
}
