//! A job's items: waiting, under way, done, handed out. Pure bookkeeping; knows no worker.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use super::memo::Known;
use super::options::{Bytes, JobOptions, OnError, Outcome};
use super::pace::Pace;
use super::payload::Stored;
use crate::cache::ResultKey;
use crate::failure::{Failure, FailureKind};
use crate::ipc::call::STREAM_BYTES;
use crate::limits::{Limits, PIECE_BYTES};

/// Items that a job holds at most: waiting, under way, or done and not handed out.
const MOST_ITEMS: usize = 1 << 16;
/// Bytes of items and results that a job holds, beyond which it takes no more items.
const MOST_BYTES: usize = 64 << 20;
/// Bytes of emitted values that a job holds, beyond which its worker waits, where they are taken one by one.
const MOST_STREAMED: usize = 256 << 10;

#[derive(Debug)]
enum Progress {
    Waiting,
    UnderWay,
    Done(Result<Bytes, Failure>),
    HandedOut,
}

#[derive(Debug)]
struct Item {
    payload: Option<Stored>,
    progress: Progress,
    emitted: Vec<Bytes>,
    /// Bytes of results so far.
    result_bytes: u64,
    /// Bytes of log messages so far.
    log_bytes: u64,
    starts: u32,
    losses: u32,
    nanos: u64,
    fuel: Option<u64>,
    /// Under which its result is kept, if it is.
    key: Option<Box<ResultKey>>,
}

/// What a worker's word about an item comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// It is taken.
    Yes,
    /// The item's bound, in bytes, is passed.
    TooMuch(u64),
}

/// What an emitted value counts for in what a job holds.
fn cost(value: &Bytes) -> usize {
    value.len() + PIECE_BYTES as usize
}

fn held(emitted: &[Bytes]) -> usize {
    emitted.iter().map(cost).sum()
}

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    /// The number by which workers know the function.
    pub function: u16,
    /// How it is run.
    pub options: JobOptions,
    /// How many items to send together.
    pub pace: Pace,
    items: VecDeque<Item>,
    /// The index of the first of `items`.
    base: u64,
    /// Items to be sent, in order; those to be sent again come first.
    waiting: VecDeque<u64>,
    /// Items done and not handed out, as they were done.
    done: VecDeque<u64>,
    held_bytes: usize,
    /// Emitted values that are not taken yet, where they are taken one by one.
    stream: Option<VecDeque<Bytes>>,
    input_ended: bool,
    /// Items from here on are not wanted.
    limit: u64,
    /// Who waits for results, and who for room.
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Failures by kind, and successes.
    pub failed: BTreeMap<&'static str, (FailureKind, u64)>,
    pub succeeded: u64,
    /// Successes that were known from an earlier run.
    pub cached: u64,
    pub run_again: u64,
    /// Fuel that its items used, in the attempts that counted.
    pub fuel: u64,
}

impl Job {
    pub fn new(function: u16, options: JobOptions) -> Job {
        Job {
            function,
            pace: Pace::new(options.chunk_size),
            options,
            items: VecDeque::new(),
            base: 0,
            waiting: VecDeque::new(),
            done: VecDeque::new(),
            held_bytes: 0,
            stream: None,
            input_ended: false,
            limit: u64::MAX,
            reader: None,
            writer: None,
            failed: BTreeMap::new(),
            succeeded: 0,
            cached: 0,
            run_again: 0,
            fuel: 0,
        }
    }

    /// The same, of one item whose emitted values are taken one by one, as they come.
    pub fn streamed(function: u16, options: JobOptions) -> Job {
        Job {
            stream: Some(VecDeque::new()),
            ..Job::new(function, options)
        }
    }

    /// Whether emitted values are taken one by one.
    pub fn is_streamed(&self) -> bool {
        self.stream.is_some()
    }

    /// The next emitted value.
    pub fn take_emitted(&mut self) -> Option<Bytes> {
        let value = self.stream.as_mut()?.pop_front()?;
        self.held_bytes = self.held_bytes.saturating_sub(cost(&value));
        Some(value)
    }

    /// Whether a worker may go on emitting.
    pub fn has_stream_room(&self) -> bool {
        self.held_bytes < MOST_STREAMED
    }

    fn item(&mut self, index: u64) -> Option<&mut Item> {
        let at = usize::try_from(index.checked_sub(self.base)?).ok()?;
        self.items.get_mut(at)
    }

    /// Whether another item is taken now. Looks ahead as far as keeps `workers` busy, and no further.
    pub fn has_room(&self, workers: usize) -> bool {
        let ahead = workers * 2 * (self.pace.chunk() * self.pace.depth()) as usize + 16;
        self.waiting.len() < ahead
            && self.items.len() < MOST_ITEMS
            && (self.held_bytes < MOST_BYTES || self.items.len() < 2 * workers)
    }

    /// Whether the job wants more items at all.
    pub fn is_open(&self) -> bool {
        !self.input_ended && self.base + (self.items.len() as u64) < self.limit
    }

    /// Takes an item, whose result is to be kept if it has a key.
    pub fn push(&mut self, payload: Stored, key: Option<ResultKey>) {
        let index = self.add(Some(payload), Progress::Waiting);
        if let Some(item) = self.item(index) {
            item.key = key.map(Box::new);
        }
        self.waiting.push_back(index);
    }

    /// Takes an item whose result is known.
    pub fn push_known(&mut self, known: Known) {
        let index = self.add(None, Progress::Waiting);
        self.held_bytes += held(&known.emitted) + known.result.len();
        if let Some(item) = self.item(index) {
            item.emitted = known.emitted;
        }
        self.used(index, known.fuel);
        self.succeeded += 1;
        self.cached += 1;
        self.finish(index, Ok(known.result));
    }

    /// Takes an item that has failed already.
    pub fn push_failed(&mut self, failure: Failure) {
        let index = self.add(None, Progress::Waiting);
        self.fail(index, failure);
    }

    fn add(&mut self, payload: Option<Stored>, progress: Progress) -> u64 {
        self.held_bytes += payload.as_ref().map_or(0, Stored::held);
        self.items.push_back(Item {
            payload,
            progress,
            emitted: Vec::new(),
            result_bytes: 0,
            log_bytes: 0,
            starts: 0,
            losses: 0,
            nanos: 0,
            fuel: None,
            key: None,
        });
        self.base + self.items.len() as u64 - 1
    }

    /// There are no more items.
    pub fn end_input(&mut self) {
        self.input_ended = true;
        self.wake_reader();
    }

    /// How many items it has, once all are known.
    pub fn total(&self) -> Option<u64> {
        let items = self.base + self.items.len() as u64;
        self.input_ended.then_some(items)
    }

    /// How many items wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next item to be sent, with its payload and which attempt it is. It still waits.
    pub fn peek(&self) -> Option<(u64, &Stored, u32)> {
        let index = *self.waiting.front()?;
        let item = self.items.get(usize::try_from(index - self.base).ok()?)?;
        Some((index, item.payload.as_ref()?, item.starts + 1))
    }

    /// The item that was peeked is under way.
    pub fn sent(&mut self) {
        if let Some(index) = self.waiting.pop_front()
            && let Some(item) = self.item(index)
        {
            item.progress = Progress::UnderWay;
        }
        self.wake_writer();
    }

    /// A worker emitted a value.
    pub fn emit(&mut self, index: u64, value: Bytes, limits: &Limits) -> Accepted {
        let len = cost(&value);
        if let Some(stream) = &mut self.stream {
            // Values that are taken as they come do not add up; what the worker is to wait for does.
            let most = MOST_STREAMED as u64 + STREAM_BYTES + limits.result_bytes;
            self.held_bytes += len;
            stream.push_back(value);
            self.wake_reader();
            return match self.held_bytes as u64 > most || len as u64 > limits.result_bytes {
                true => Accepted::TooMuch(limits.result_bytes),
                false => Accepted::Yes,
            };
        }
        let Some(item) = self.item(index) else {
            return Accepted::Yes;
        };
        item.result_bytes += len as u64;
        if item.result_bytes > limits.result_bytes {
            return Accepted::TooMuch(limits.result_bytes);
        }
        item.emitted.push(value);
        self.held_bytes += len;
        Accepted::Yes
    }

    /// A worker logged so many bytes.
    pub fn log(&mut self, index: u64, bytes: usize, limits: &Limits) -> Accepted {
        let Some(item) = self.item(index) else {
            return Accepted::Yes;
        };
        item.log_bytes += bytes as u64 + PIECE_BYTES;
        match item.log_bytes > limits.log_bytes {
            true => Accepted::TooMuch(limits.log_bytes),
            false => Accepted::Yes,
        }
    }

    /// A worker gave a result, within the bound or not.
    pub fn fits(&mut self, index: u64, len: usize, limits: &Limits) -> Accepted {
        let Some(item) = self.item(index) else {
            return Accepted::Yes;
        };
        match item.result_bytes + len as u64 > limits.result_bytes {
            true => Accepted::TooMuch(limits.result_bytes),
            false => Accepted::Yes,
        }
    }

    /// An item is done.
    pub fn succeed(&mut self, index: u64, value: Bytes, nanos: u64) {
        let len = value.len();
        if let Some(item) = self.item(index) {
            item.nanos = nanos;
            item.starts += 1;
            self.held_bytes += len;
            self.succeeded += 1;
            self.finish(index, Ok(value));
        }
    }

    /// What an item that is about to be done used of its fuel, where that is counted.
    pub fn used(&mut self, index: u64, fuel: Option<u64>) {
        let Some(item) = self.item(index) else { return };
        if !matches!(item.progress, Progress::Done(_) | Progress::HandedOut) {
            item.fuel = fuel;
            self.fuel = self.fuel.saturating_add(fuel.unwrap_or(0));
        }
    }

    /// An item failed, by its own run.
    pub fn fail_run(
        &mut self,
        index: u64,
        kind: FailureKind,
        message: String,
        backtrace: Vec<String>,
    ) {
        if let Some(item) = self.item(index) {
            item.starts += 1;
            let attempts = item.starts;
            self.fail(
                index,
                Failure {
                    kind,
                    message,
                    backtrace,
                    attempts,
                },
            );
        }
    }

    fn fail(&mut self, index: u64, failure: Failure) {
        let kind = failure.kind;
        self.failed.entry(kind.name()).or_insert((kind, 0)).1 += 1;
        let stop = self.options.on_error == OnError::Stop && kind != FailureKind::Cancelled;
        self.finish(index, Err(failure));
        if stop {
            self.stop_at(if self.options.ordered { index + 1 } else { 0 });
        }
    }

    fn finish(&mut self, index: u64, result: Result<Bytes, Failure>) {
        let Some(item) = self.item(index) else { return };
        if matches!(item.progress, Progress::Done(_) | Progress::HandedOut) {
            return;
        }
        item.progress = Progress::Done(result);
        let payload = item.payload.take().map_or(0, |p| p.held());
        self.held_bytes = self.held_bytes.saturating_sub(payload);
        self.done.push_back(index);
        if !self.options.ordered || index == self.base {
            self.wake_reader();
        }
    }

    /// An item's worker was lost while it ran. True if it is run again; else it has failed.
    pub fn lose(&mut self, index: u64, message: &str) -> bool {
        if self.may_lose(index) {
            return true;
        }
        self.fail_run(
            index,
            FailureKind::WorkerLost,
            message.to_owned(),
            Vec::new(),
        );
        false
    }

    /// The same of an item that its worker never took: no attempt is counted.
    pub fn lose_unstarted(&mut self, index: u64, message: &str) -> bool {
        if self.may_lose(index) {
            return true;
        }
        if let Some(item) = self.item(index) {
            let failure = Failure {
                kind: FailureKind::WorkerLost,
                message: message.to_owned(),
                backtrace: Vec::new(),
                attempts: item.starts,
            };
            self.fail(index, failure);
        }
        false
    }

    /// Counts a lost worker. True if the item may be run again.
    fn may_lose(&mut self, index: u64) -> bool {
        let retries = self.options.retries;
        let Some(item) = self.item(index) else {
            // Nobody waits for it: nothing is to be said of it either.
            return false;
        };
        item.losses += 1;
        item.losses <= retries
    }

    /// Items are to be sent again, before all others: those that were started count it as an attempt.
    pub fn again(&mut self, started: &[u64], unstarted: &[u64]) {
        let mut back: Vec<u64> = Vec::with_capacity(started.len() + unstarted.len());
        for (indices, starts) in [(started, 1), (unstarted, 0)] {
            for &index in indices {
                let limit = self.limit;
                let Some(item) = self.item(index) else {
                    continue;
                };
                item.starts += starts;
                // What an interrupted run left is not a result.
                let emitted: usize = held(&item.emitted);
                item.emitted.clear();
                (item.result_bytes, item.log_bytes) = (0, 0);
                let wanted = index < limit && matches!(item.progress, Progress::UnderWay);
                if wanted {
                    item.progress = Progress::Waiting;
                    back.push(index);
                }
                self.held_bytes = self.held_bytes.saturating_sub(emitted);
                if !wanted {
                    self.cancel_item(index);
                }
            }
        }
        self.run_again += started.len() as u64;
        back.sort_unstable();
        back.into_iter()
            .rev()
            .for_each(|index| self.waiting.push_front(index));
    }

    /// Items from `index` on are not wanted any more. Those that are under way are for the caller to end.
    pub fn stop_at(&mut self, index: u64) {
        if index >= self.limit {
            return;
        }
        self.limit = index;
        let drop: Vec<u64> = self
            .waiting
            .iter()
            .copied()
            .filter(|i| *i >= index)
            .collect();
        self.waiting.retain(|i| *i < index);
        drop.into_iter().for_each(|i| self.cancel_item(i));
        self.wake_reader();
        self.wake_writer();
    }

    /// From which index on items are not wanted; the largest number while all are.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// An item is given up.
    pub fn cancel_item(&mut self, index: u64) {
        if let Some(item) = self.item(index)
            && !matches!(item.progress, Progress::Done(_) | Progress::HandedOut)
        {
            let attempts = item.starts;
            let message = "the item was cancelled".to_owned();
            self.fail(
                index,
                Failure {
                    kind: FailureKind::Cancelled,
                    message,
                    backtrace: Vec::new(),
                    attempts,
                },
            );
        }
    }

    /// The next outcome to hand out, if there is one, and the key under which it is to be kept, if it is.
    pub fn take(&mut self) -> Option<(Outcome, Option<Box<ResultKey>>)> {
        let index = match self.options.ordered {
            true => match self.items.front()?.progress {
                Progress::Done(_) => self.base,
                _ => return None,
            },
            false => self.done.pop_front()?,
        };
        let item = self.item(index)?;
        let Progress::Done(result) = std::mem::replace(&mut item.progress, Progress::HandedOut)
        else {
            return None;
        };
        let key = item.key.take();
        let outcome = Outcome {
            index,
            emitted: std::mem::take(&mut item.emitted),
            result,
            attempts: item.starts,
            nanos: item.nanos,
            fuel: item.fuel,
        };
        let held: usize = held(&outcome.emitted) + outcome.result.as_ref().map_or(0, |b| b.len());
        self.held_bytes = self.held_bytes.saturating_sub(held);
        if self.options.ordered {
            self.done.clear();
        }
        while let Some(Item {
            progress: Progress::HandedOut,
            ..
        }) = self.items.front()
        {
            self.items.pop_front();
            self.base += 1;
        }
        self.wake_writer();
        Some((outcome, key))
    }

    /// Whether nothing more will be handed out: every item was, or those that are left are not wanted.
    pub fn is_over(&self) -> bool {
        let ready = match self.options.ordered {
            true => matches!(
                self.items.front(),
                Some(Item {
                    progress: Progress::Done(_),
                    ..
                })
            ),
            false => !self.done.is_empty(),
        };
        let unwanted = match self.options.ordered {
            true => self.base >= self.limit,
            false => self.limit != u64::MAX,
        };
        !ready && (unwanted || (self.items.is_empty() && !self.is_open()))
    }

    /// Who is to be woken when there is something to hand out, or nothing more.
    pub fn on_result(&mut self, waker: &Waker) {
        self.reader = Some(waker.clone());
    }

    /// Who is to be woken when there is room.
    pub fn on_room(&mut self, waker: &Waker) {
        self.writer = Some(waker.clone());
    }

    /// Wakes all that wait: something about the whole pool changed.
    pub fn wake_all(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::Payload;
    use super::*;

    fn job(options: JobOptions, items: usize) -> Job {
        let mut job = Job::new(0, options);
        for i in 0..items {
            job.push(Payload::Bytes(vec![i as u8]).store().unwrap(), None);
        }
        job.end_input();
        (0..items).for_each(|_| job.sent());
        job
    }

    fn taken(job: &mut Job) -> Vec<(u64, Result<Vec<u8>, FailureKind>)> {
        std::iter::from_fn(|| job.take())
            .map(|(o, _)| (o.index, o.result.map(Bytes::into_vec).map_err(|f| f.kind)))
            .collect()
    }

    fn succeed(job: &mut Job, index: u64) {
        job.succeed(index, Bytes::Owned(vec![100 + index as u8]), 1);
    }

    #[test]
    fn outcomes_come_in_order_or_as_they_are_done() {
        for (ordered, expected) in [(true, [0, 1, 2]), (false, [2, 0, 1])] {
            let mut job = job(
                JobOptions {
                    ordered,
                    ..Default::default()
                },
                3,
            );
            [2, 0, 1].into_iter().for_each(|i| succeed(&mut job, i));
            let indices: Vec<u64> = taken(&mut job).into_iter().map(|(i, _)| i).collect();
            assert_eq!(indices, expected);
            assert!(job.is_over());
        }
    }

    #[test]
    fn a_stop_keeps_what_came_before_and_gives_up_the_rest() {
        let mut job = job(JobOptions::default(), 4);
        succeed(&mut job, 3);
        job.fail_run(1, FailureKind::Failed, "no".into(), Vec::new());
        assert_eq!(job.limit(), 2);
        assert!(!job.is_over(), "item 0 is still wanted");
        job.again(&[2], &[]);
        succeed(&mut job, 0);
        let outcomes = taken(&mut job);
        assert_eq!(
            outcomes[..2],
            [(0, Ok(vec![100])), (1, Err(FailureKind::Failed))]
        );
        assert_eq!(outcomes[2], (2, Err(FailureKind::Cancelled)));
        assert_eq!(job.waiting(), 0);
    }

    #[test]
    fn what_is_not_wanted_is_not_waited_for() {
        let mut job = job(JobOptions::default(), 2);
        job.fail_run(0, FailureKind::Trap, "trap".into(), Vec::new());
        assert_eq!(taken(&mut job), [(0, Err(FailureKind::Trap))]);
        assert!(job.is_over(), "item 1 runs, but nobody wants it");
    }

    #[test]
    fn an_item_is_run_again_until_its_retries_are_used_up() {
        let mut job = job(
            JobOptions {
                retries: 2,
                on_error: OnError::Continue,
                ..Default::default()
            },
            2,
        );
        for attempt in 1..=2 {
            assert!(job.lose(0, "gone"));
            job.again(&[0], &[1]);
            assert_eq!(
                job.peek().map(|(i, _, attempt)| (i, attempt)),
                Some((0, attempt + 1))
            );
            job.sent();
            assert_eq!(
                job.peek().map(|(i, _, attempt)| (i, attempt)),
                Some((1, 1)),
                "not started: no attempt"
            );
            job.sent();
        }
        assert!(!job.lose(0, "gone"));
        succeed(&mut job, 1);
        succeed(&mut job, 1);
        assert_eq!(
            taken(&mut job),
            [(0, Err(FailureKind::WorkerLost)), (1, Ok(vec![101]))]
        );
    }

    #[test]
    fn output_is_bounded_by_item_and_forgotten_with_the_attempt() {
        let limits = Limits::new().result_bytes(100).log_bytes(68);
        let mut job = job(JobOptions::default(), 1);
        assert_eq!(
            job.emit(0, Bytes::Owned(vec![0; 30]), &limits),
            Accepted::Yes
        );
        assert_eq!(job.fits(0, 7, &limits), Accepted::TooMuch(100));
        assert_eq!(job.log(0, 5, &limits), Accepted::TooMuch(68));
        assert!(job.lose(0, "gone"));
        job.again(&[0], &[]);
        job.sent();
        assert_eq!(job.fits(0, 100, &limits), Accepted::Yes);
        succeed(&mut job, 0);
        assert!(job.take().unwrap().0.emitted.is_empty());
    }

    #[test]
    fn what_is_known_is_done_in_its_place_and_what_is_new_keeps_its_key() {
        use crate::cache::{CacheKey, Circumstances};
        let key = Circumstances::new(&CacheKey::new(&[0; 32], b"module")).key(b"item");
        let mut job = Job::new(0, JobOptions::default());
        let known = |byte: u8| Known {
            emitted: vec![Bytes::Owned(vec![byte; 3])],
            result: Bytes::Owned(vec![byte]),
            fuel: Some(5),
        };
        job.push(Payload::Bytes(vec![0]).store().unwrap(), Some(key));
        job.push_known(known(1));
        job.push(Payload::Bytes(vec![2]).store().unwrap(), None);
        job.push_known(known(3));
        job.end_input();
        assert_eq!(job.waiting(), 2, "what is known is not sent");
        assert!(job.take().is_none(), "the first is not done");
        job.sent();
        job.sent();
        succeed(&mut job, 2);
        succeed(&mut job, 0);
        let mut found = Vec::new();
        while let Some((outcome, key)) = job.take() {
            let emitted: Vec<Vec<u8>> = outcome.emitted.into_iter().map(Bytes::into_vec).collect();
            let result = outcome.result.unwrap().into_vec();
            found.push((
                outcome.index,
                emitted,
                result,
                outcome.attempts,
                key.is_some(),
            ));
        }
        let expected = [
            (0, vec![], vec![100], 1, true),
            (1, vec![vec![1; 3]], vec![1], 0, false),
            (2, vec![], vec![102], 1, false),
            (3, vec![vec![3; 3]], vec![3], 0, false),
        ];
        assert_eq!(found, expected);
        assert!(job.is_over());
        assert_eq!((job.succeeded, job.cached, job.fuel), (4, 2, 10));
        assert_eq!(job.held_bytes, 0);
    }
}
