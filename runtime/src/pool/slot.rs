//! A worker's place, as a pure state machine: what it was given, what it finished, how long it has been at it, and who
//! is to blame when it ends. No input, no output, no clock: every input carries the time, in nanoseconds.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{Generation, JobId, Seq};
use crate::ipc::page::Claimed;

/// An item given to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Its job.
    pub job: JobId,
    /// Its index in the job.
    pub index: u64,
}

/// Why a worker is being ended, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its item passed its deadline; the guest's frames, if it was asked for them and said them in time.
    Timeout(Vec<String>),
    /// It did not take what it was given, in so long.
    NotTaken(Duration),
    /// The guest's run ended it, as the worker says.
    Ended(crate::ipc::frame::Ended),
    /// Its item was cancelled.
    Cancelled,
    /// It served as many items as it may.
    Retired,
    /// It broke the protocol.
    Violation(String),
    /// It ended by itself.
    Lost,
    /// It did not get ready.
    NotReady(String),
}

/// Where a worker is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none. The next one may be started at `not_before`.
    Empty { not_before: u64 },
    /// It was started and has not said that it is ready.
    Starting { since: u64 },
    /// It takes items.
    Serving { since: u64 },
    /// Its item passed its deadline, and it was told to say where it is and to end.
    Interrupted { since: u64, culprit: Option<Seq> },
    /// It was killed, or ended; what is left of it is still to be heard.
    Ending {
        since: u64,
        cause: Cause,
        culprit: Option<Seq>,
        closed: bool,
    },
}

/// What an ended worker leaves.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Why it ended.
    pub cause: Cause,
    /// The item that ended it, if one did.
    pub culprit: Option<Assigned>,
    /// Items that were started and have no result.
    pub started: Vec<Assigned>,
    /// Items that were not started.
    pub unstarted: Vec<Assigned>,
}

/// A worker's place.
#[derive(Debug)]
pub struct Slot {
    generation: u32,
    state: State,
    /// The items given and not finished, in order; `None` for a finished one with unfinished ones before it.
    given: VecDeque<Option<Assigned>>,
    /// The number of the first of `given`.
    first: Seq,
    /// How many of `given` are unfinished.
    unfinished: usize,
    /// The first item not started, as last seen.
    next: Seq,
    /// When the running item started, as far as is known.
    clock: u64,
    /// Since when there was something for it to take, and nothing else to do.
    free: u64,
    assigned_in_all: u64,
    /// Whether its worker has finished an item.
    has_finished: bool,
}

impl Slot {
    /// An empty place.
    pub fn new() -> Slot {
        Slot {
            generation: 0,
            state: State::Empty { not_before: 0 },
            given: VecDeque::new(),
            first: Seq(0),
            unfinished: 0,
            next: Seq(0),
            clock: 0,
            free: 0,
            assigned_in_all: 0,
            has_finished: false,
        }
    }

    /// Where its worker is in its life.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The worker that is, or was last, here.
    pub fn generation(&self) -> Generation {
        Generation(self.generation)
    }

    /// Whether it takes items.
    pub fn is_serving(&self) -> bool {
        matches!(self.state, State::Serving { .. })
    }

    /// Whether it was told to say where it is.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.state, State::Interrupted { .. })
    }

    /// Items given and not finished.
    pub fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Items ever given to this worker.
    pub fn assigned_in_all(&self) -> u64 {
        self.assigned_in_all
    }

    /// A worker is about to be started.
    pub fn start(&mut self, now: u64) -> Generation {
        self.generation = self.generation.wrapping_add(1);
        *self = Slot {
            generation: self.generation,
            state: State::Starting { since: now },
            ..Slot::new()
        };
        Generation(self.generation)
    }

    /// It says that it is ready. False if that is not expected.
    pub fn ready(&mut self, now: u64) -> bool {
        let expected = matches!(self.state, State::Starting { .. });
        if expected {
            self.state = State::Serving { since: now };
        }
        expected
    }

    /// Gives it an item; returns its number. Call only while it serves.
    pub fn assign(&mut self, item: Assigned, now: u64) -> Seq {
        if self.unfinished == 0 {
            (self.clock, self.free) = (now, now);
        }
        let seq = self.end();
        self.given.push_back(Some(item));
        self.unfinished += 1;
        self.assigned_in_all += 1;
        seq
    }

    /// The number that the next item gets.
    pub fn end(&self) -> Seq {
        self.first.plus(self.given.len() as u32)
    }

    /// The unfinished item of this number. `None`: no such item, the worker lies.
    pub fn item(&self, seq: Seq) -> Option<Assigned> {
        let at = seq.since(self.first)? as usize;
        *self.given.get(at)?
    }

    /// An item is finished. `None`: no such item, or finished before: the worker lies.
    pub fn finish(&mut self, seq: Seq, now: u64) -> Option<Assigned> {
        let at = seq.since(self.first)? as usize;
        let item = self.given.get_mut(at)?.take()?;
        self.has_finished = true;
        self.unfinished -= 1;
        while let Some(None) = self.given.front() {
            self.given.pop_front();
            self.first = self.first.plus(1);
        }
        if seq.plus(1) == self.next {
            (self.clock, self.free) = (now, now);
        }
        Some(item)
    }

    /// What the shared words say of its progress. Checked: a worker cannot start what it was not given, and its
    /// clock can neither run ahead nor back.
    pub fn progress(&mut self, claimed: Claimed, started: u64, now: u64) {
        let moved = claimed.next.since(self.next).is_some_and(|n| n > 0);
        if moved && self.end().since(claimed.next).is_some() {
            self.next = claimed.next;
            self.clock = started.clamp(self.clock, now.max(self.clock));
        }
    }

    /// When the running item started, as far as is known; before it starts, when it could have. `None` while it has
    /// none.
    pub fn running_since(&self) -> Option<u64> {
        (self.is_serving() && self.unfinished > 0).then_some(self.clock)
    }

    /// Whether an item is known to run.
    pub fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// Since when it has had something to do, and has gone no further. `None` while it has nothing.
    pub fn busy_since(&self) -> Option<u64> {
        let since = self.running_since()?;
        Some(if self.is_running() { since } else { self.free })
    }

    /// What it is to do next still lies untouched: the time of no item has begun.
    pub fn untouched(&mut self, now: u64) {
        if !self.is_running() {
            self.clock = self.clock.max(now);
        }
    }

    /// The host kept it waiting from `from` until `now`: that time is not the running item's. Both are the host's own
    /// readings of the clock; a worker can neither make the time longer nor be given more than it was kept.
    pub fn excuse(&mut self, from: u64, now: u64) {
        let kept = now.saturating_sub(from.max(self.clock));
        self.clock = self.clock.saturating_add(kept);
    }

    /// How many items it has not started, as last seen.
    pub fn unstarted(&self) -> usize {
        let started = self.next.since(self.first).unwrap_or(0) as usize;
        self.given.iter().skip(started).flatten().count()
    }

    /// The number of the item it runs, as last seen.
    fn running(&self) -> Option<Seq> {
        let last = Seq(self.next.0.wrapping_sub(1));
        self.item(last).map(|_| last)
    }

    /// The item it runs, as last seen.
    pub fn running_item(&self) -> Option<Assigned> {
        self.item(self.running()?)
    }

    /// Whether one of these is given to it and not finished.
    pub fn has(&self, which: impl Fn(Assigned) -> bool) -> bool {
        self.given.iter().flatten().any(|item| which(*item))
    }

    /// Whether the item it runs, as last seen, is one of these.
    pub fn runs(&self, which: impl Fn(Assigned) -> bool) -> bool {
        self.running()
            .and_then(|seq| self.item(seq))
            .is_some_and(which)
    }

    /// Takes back all items that it has not started; `before` is the claim before they were taken from it. The
    /// numbers are not used again.
    pub fn take_back(&mut self, before: Claimed) -> Vec<Assigned> {
        let next = match self.end().since(before.next) {
            Some(_) if before.next.since(self.next).is_some() => before.next,
            _ => self.next,
        };
        self.next = next;
        let keep = next.since(self.first).unwrap_or(0) as usize;
        let mut taken = Vec::new();
        for entry in self.given.iter_mut().skip(keep) {
            taken.extend(entry.take());
        }
        self.unfinished -= taken.len();
        if self.unfinished == 0 {
            self.first = self.end();
            self.given.clear();
        }
        taken
    }

    /// Its item is late, and it is told to say where it is before it is killed. That item is the one to blame,
    /// whatever runs when it says so.
    pub fn interrupt(&mut self, now: u64) {
        if self.is_serving() {
            let culprit = self.blamed();
            self.state = State::Interrupted {
                since: now,
                culprit,
            };
        }
    }

    /// It is to be killed. The item that runs now is the one that `cause` is about, unless another is named.
    ///
    /// Of one that was interrupted the verdict is a timeout already, unless the item is not wanted any more: of what it
    /// says, only the backtrace is taken.
    pub fn end_worker(&mut self, cause: Cause, culprit: Option<Seq>, now: u64) {
        let (cause, culprit) = match (&self.state, cause) {
            (State::Empty { .. } | State::Ending { .. }, _) => return,
            (_, cause @ (Cause::Retired | Cause::NotReady(_))) => (cause, None),
            (State::Starting { .. } | State::Serving { .. }, Cause::Lost) => {
                // Whoever got on may die between items: each death has cost it one, so it does not die for ever.
                let nobody = self.has_finished && self.running().is_none();
                (Cause::Lost, self.blamed().filter(|_| !nobody))
            }
            (State::Starting { .. } | State::Serving { .. }, cause)
            | (_, cause @ Cause::Cancelled) => (cause, culprit.or_else(|| self.blamed())),
            (State::Interrupted { culprit, .. }, Cause::Ended(ended)) => {
                (Cause::Timeout(ended.backtrace), *culprit)
            }
            (State::Interrupted { culprit, .. }, _) => (Cause::Timeout(Vec::new()), *culprit),
        };
        self.state = State::Ending {
            since: now,
            cause,
            culprit,
            closed: false,
        };
    }

    /// The item that runs; where none is known to run, the first without a result, so that a worker that dies between
    /// items cannot die for ever.
    fn blamed(&self) -> Option<Seq> {
        let first = || {
            let at = self.given.iter().position(Option::is_some)?;
            Some(self.first.plus(at as u32))
        };
        self.running().or_else(first)
    }

    /// Its socket is closed: nothing more comes from it. Where it was not being ended, it is lost.
    pub fn closed(&mut self, now: u64) {
        if !matches!(self.state, State::Ending { .. } | State::Empty { .. }) {
            self.end_worker(Cause::Lost, None, now);
        }
        if let State::Ending { closed, .. } = &mut self.state {
            *closed = true;
        }
    }

    /// All that will be heard of it was heard: empties the place. `None` unless it was ending.
    pub fn clear(&mut self, claimed: Claimed, not_before: u64) -> Option<Leftover> {
        let State::Ending { cause, culprit, .. } = &self.state else {
            return None;
        };
        let (cause, culprit) = (cause.clone(), *culprit);
        if self.end().since(claimed.next).is_some() && claimed.next.since(self.next).is_some() {
            self.next = claimed.next;
        }
        let mut left = Leftover {
            cause,
            culprit: None,
            started: Vec::new(),
            unstarted: Vec::new(),
        };
        for (i, item) in self.given.iter().enumerate() {
            let Some(item) = *item else { continue };
            let seq = self.first.plus(i as u32);
            if culprit == Some(seq) {
                left.culprit = Some(item);
            } else if self.next.since(seq.plus(1)).is_some() {
                left.started.push(item);
            } else {
                left.unstarted.push(item);
            }
        }
        *self = Slot {
            generation: self.generation,
            state: State::Empty { not_before },
            ..Slot::new()
        };
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(index: u64) -> Assigned {
        Assigned {
            job: JobId(1),
            index,
        }
    }

    fn claimed(next: u32, limit: u32) -> Claimed {
        Claimed {
            next: Seq(next),
            limit: Seq(limit),
        }
    }

    fn serving(items: u64) -> Slot {
        let mut slot = Slot::new();
        slot.start(0);
        assert!(slot.ready(1));
        for i in 0..items {
            slot.assign(item(i), 10);
        }
        slot
    }

    #[test]
    fn what_is_illegal_in_a_state_gets_an_answer() {
        let mut slot = Slot::new();
        assert!(!slot.ready(1));
        assert_eq!(slot.clear(claimed(0, 0), 5), None);
        slot.start(2);
        assert!(slot.ready(3));
        assert!(!slot.ready(4));
        assert_eq!(slot.finish(Seq(0), 5), None);
        slot.assign(item(0), 5);
        assert_eq!(slot.finish(Seq(1), 6), None);
        assert_eq!(slot.finish(Seq(0), 6), Some(item(0)));
        assert_eq!(slot.finish(Seq(0), 6), None);
    }

    #[test]
    fn the_running_item_is_blamed_and_its_neighbours_are_not() {
        let mut slot = serving(5);
        slot.finish(Seq(0), 20);
        slot.progress(claimed(3, 5), 15, 30);
        slot.closed(40);
        let left = slot.clear(claimed(3, 5), 50).unwrap();
        assert_eq!(left.cause, Cause::Lost);
        assert_eq!(left.culprit, Some(item(2)));
        assert_eq!(left.started, [item(1)]);
        assert_eq!(left.unstarted, [item(3), item(4)]);
    }

    #[test]
    fn an_item_that_finished_after_all_is_not_blamed() {
        let mut slot = serving(3);
        slot.progress(claimed(1, 3), 11, 20);
        slot.end_worker(Cause::Timeout(Vec::new()), None, 30);
        slot.finish(Seq(0), 31);
        slot.closed(32);
        let left = slot.clear(claimed(2, 3), 40).unwrap();
        assert_eq!((left.culprit, left.started), (None, vec![item(1)]));
        assert_eq!(left.unstarted, [item(2)]);
    }

    #[test]
    fn a_worker_that_dies_before_any_item_blames_the_first() {
        let mut slot = serving(2);
        slot.closed(20);
        assert_eq!(
            slot.clear(claimed(0, 2), 30).unwrap().culprit,
            Some(item(0))
        );
    }

    #[test]
    fn a_worker_that_dies_behind_a_result_blames_nobody() {
        let mut slot = serving(3);
        slot.progress(claimed(1, 3), 11, 20);
        slot.finish(Seq(0), 21);
        slot.closed(22);
        let left = slot.clear(claimed(1, 3), 30).unwrap();
        assert_eq!((left.culprit, left.started), (None, vec![]));
        assert_eq!(left.unstarted, [item(1), item(2)]);
    }

    #[test]
    fn the_clock_follows_the_items_and_believes_no_lie() {
        let mut slot = serving(4);
        assert_eq!(slot.running_since(), Some(10));
        slot.progress(claimed(1, 4), 12, 20);
        assert_eq!(slot.running_since(), Some(12));
        slot.progress(claimed(1, 4), 19, 21);
        assert_eq!(
            slot.running_since(),
            Some(12),
            "the same item cannot start twice"
        );
        slot.progress(claimed(2, 4), 999, 30);
        assert_eq!(slot.running_since(), Some(30), "nor in the future");
        slot.progress(claimed(99, 4), 30, 40);
        assert_eq!(
            slot.running_since(),
            Some(30),
            "nor be one that was not given"
        );
        slot.progress(claimed(3, 4), 1, 50);
        assert_eq!(slot.running_since(), Some(30), "nor in the past");
    }

    #[test]
    fn time_that_the_host_took_is_credited_once_and_no_more_than_that() {
        let mut slot = serving(3);
        slot.progress(claimed(1, 3), 100, 150);
        slot.excuse(200, 260);
        assert_eq!(slot.running_since(), Some(160));
        slot.excuse(120, 300);
        assert_eq!(
            slot.running_since(),
            Some(300),
            "not more than since its start"
        );
        slot.excuse(400, 350);
        assert_eq!(slot.running_since(), Some(300), "nor less than nothing");
        slot.progress(claimed(2, 3), 1, 310);
        assert_eq!(slot.running_since(), Some(300));
    }

    #[test]
    fn of_an_interrupted_worker_only_the_backtrace_is_believed() {
        let said = |kind| {
            Cause::Ended(crate::ipc::frame::Ended {
                kind,
                message: "it says".into(),
                backtrace: vec!["spin".into()],
                fuel: None,
            })
        };
        use crate::failure::FailureKind::{Memory, Timeout};
        for (cause, expected) in [
            (said(Timeout), Cause::Timeout(vec!["spin".into()])),
            (said(Memory), Cause::Timeout(vec!["spin".into()])),
            (Cause::Lost, Cause::Timeout(Vec::new())),
            (Cause::Violation("x".into()), Cause::Timeout(Vec::new())),
            (Cause::Timeout(Vec::new()), Cause::Timeout(Vec::new())),
        ] {
            let mut slot = serving(3);
            slot.progress(claimed(1, 3), 11, 20);
            slot.interrupt(30);
            assert!(slot.is_interrupted() && !slot.is_serving());
            slot.progress(claimed(2, 3), 31, 32);
            slot.end_worker(cause, Some(Seq(1)), 40);
            slot.closed(41);
            let left = slot.clear(claimed(2, 3), 50).unwrap();
            assert_eq!((left.cause, left.culprit), (expected, Some(item(0))));
            assert_eq!(
                (left.started, left.unstarted),
                (vec![item(1)], vec![item(2)])
            );
        }
        let mut slot = serving(2);
        slot.progress(claimed(1, 2), 11, 20);
        slot.interrupt(30);
        slot.end_worker(Cause::Cancelled, None, 40);
        slot.closed(41);
        assert_eq!(
            slot.clear(claimed(1, 2), 50).unwrap().cause,
            Cause::Cancelled
        );
    }

    #[test]
    fn the_time_of_an_item_that_lies_untouched_has_not_begun() {
        let mut slot = serving(2);
        slot.untouched(500);
        assert_eq!(
            (slot.running_since(), slot.busy_since()),
            (Some(500), Some(10))
        );
        slot.progress(claimed(1, 2), 600, 700);
        slot.untouched(800);
        assert_eq!(
            (slot.running_since(), slot.busy_since()),
            (Some(600), Some(600))
        );
        slot.finish(Seq(0), 900);
        slot.untouched(950);
        assert_eq!(
            (slot.running_since(), slot.busy_since()),
            (Some(950), Some(900))
        );
    }

    #[test]
    fn an_interrupted_worker_that_ends_without_a_word_was_late_and_not_lost() {
        let mut slot = serving(2);
        slot.progress(claimed(1, 2), 11, 20);
        slot.interrupt(30);
        slot.closed(31);
        assert_eq!(
            slot.clear(claimed(1, 2), 40).unwrap().cause,
            Cause::Timeout(Vec::new())
        );
        let mut slot = serving(2);
        slot.progress(claimed(1, 2), 11, 20);
        slot.interrupt(30);
        slot.finish(Seq(0), 31);
        slot.closed(32);
        let left = slot.clear(claimed(1, 2), 40).unwrap();
        assert_eq!(left.culprit, None, "its result came after all");
    }

    #[test]
    fn what_is_taken_back_is_given_elsewhere_once() {
        let mut slot = serving(4);
        assert_eq!(slot.take_back(claimed(1, 4)), [item(1), item(2), item(3)]);
        assert_eq!(slot.unfinished(), 1);
        assert_eq!(
            slot.finish(Seq(2), 20),
            None,
            "a result for what was taken back is a lie"
        );
        assert_eq!(slot.assign(item(9), 21), Seq(4));
        assert_eq!(slot.finish(Seq(0), 22), Some(item(0)));
        assert_eq!(slot.finish(Seq(4), 22), Some(item(9)));
        assert_eq!(slot.unfinished(), 0);
    }

    proptest! {
        /// Whatever a worker says: every item given comes out exactly once, finished, taken back or left over.
        #[test]
        fn no_item_is_lost_or_doubled(ops in prop::collection::vec((0u8..8, any::<u32>(), any::<u64>()), 0..200)) {
            let mut slot = serving(0);
            let (mut given, mut out) = (0u64, Vec::new());
            for (op, seq, time) in ops {
                let near = Seq(seq % (given as u32 + 3));
                match op {
                    0 | 1 if slot.is_serving() => { slot.assign(item(given), time); given += 1; }
                    2 => out.extend(slot.finish(near, time)),
                    3 => slot.progress(Claimed { next: near, limit: Seq(seq) }, time, time / 2),
                    4 if slot.is_serving() => out.extend(slot.take_back(Claimed { next: near, limit: Seq(0) })),
                    5 => slot.progress(Claimed { next: Seq(seq), limit: Seq(seq) }, time, time),
                    6 => slot.excuse(time / 3, time),
                    7 if seq % 8 == 0 => slot.interrupt(time),
                    7 => slot.untouched(time),
                    _ => {}
                }
                prop_assert!(slot.unstarted() <= slot.unfinished());
            }
            slot.closed(7);
            let left = slot.clear(Claimed { next: Seq(0), limit: Seq(0) }, 8).unwrap();
            out.extend(left.culprit);
            out.extend(left.started);
            out.extend(left.unstarted);
            let mut indices: Vec<u64> = out.iter().map(|i| i.index).collect();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..given).collect::<Vec<_>>());
        }
    }
}
