//! Workers started and items sent, as far as it goes.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use super::{Broken, Chunk, Core, Place, token};
use crate::ids::{JobId, SlotId};
use crate::ipc::frame::{self, ChunkHead, ITEM_HEAD, ItemHead, MAX_INLINE};
use crate::ipc::link::{HostLink, LinkError};
use crate::pool::job::Job;
use crate::pool::payload::Stored;
use crate::pool::slot::{Assigned, Cause, Slot, State};
use crate::sys::clock::{nanos, now};

/// An item that runs longer than this, in nanoseconds, loses what waits behind it to an idle worker.
pub(super) const HOSTAGE: u64 = 2_000_000;
/// How long a worker spins for its next chunk while a processor is free, in nanoseconds.
const SPIN: u64 = 50_000;

/// Whether items wait behind another one.
pub(super) fn has_hostages(slot: &Slot) -> bool {
    slot.unfinished() > 1 && slot.unstarted() > 0
}

impl Core {
    /// Starts workers and sends items, as far as it goes.
    pub(in crate::pool) fn fill(&mut self) {
        if self.broken.is_some() {
            return;
        }
        self.retire();
        self.start_workers();
        self.free_hostages();
        // One that has been at the same item for long keeps nobody from being woken.
        let time = now();
        let flows = |place: &Place| place.flows_until().is_some_and(|until| until > time);
        let mut flowing = self.places.iter().filter(|place| flows(place)).count();
        for depth in 1.. {
            let mut sent = false;
            for at in 0..self.places.len() {
                let idle = self.places[at].slot.unfinished() == 0;
                let wakes = idle && flowing >= self.processors;
                if self.may_take(at, depth)
                    && let Some(job) = self.next_job(depth, wakes)
                    && self.send_chunk(at, job)
                {
                    sent = true;
                    flowing += usize::from(idle);
                }
            }
            if !sent {
                break;
            }
        }
        let deadline = self.next_deadline();
        if deadline < self.wakes_at {
            self.wakes_at = deadline;
            self.waker.wake();
        }
    }

    pub(in crate::pool) fn start_workers(&mut self) {
        let time = now();
        for at in 0..self.places.len() {
            let State::Empty { not_before } = *self.places[at].slot.state() else {
                continue;
            };
            if not_before > time {
                continue;
            }
            if let Err(e) = self.start_worker(at, time) {
                self.give_up(Broken::Pool {
                    doing: "a worker cannot be started".into(),
                    reason: e.to_string(),
                });
                return;
            }
        }
    }

    pub(in crate::pool) fn start_worker(&mut self, at: usize, time: u64) -> std::io::Result<()> {
        let Some(launcher) = &mut self.launcher else {
            return Err(std::io::Error::other("the pool has ended"));
        };
        let (mut link, end) = HostLink::new()?;
        let slot = SlotId(at as u32);
        let generation = self.places[at].slot.start(time);
        self.poller.add(link.as_fd(), token(slot, generation))?;
        link.sleep();
        let place = &mut self.places[at];
        place.link = Some(link);
        place.exit = None;
        (place.chunk_done, place.worked) = (0, 0);
        (place.blocked, place.asked_for) = (None, 0);
        place.kill = launcher.start(slot, generation, end)?;
        self.stats.workers_started += 1;
        if let Some(recorder) = &mut self.recorder {
            recorder.started(at, generation.0, time);
        }
        Ok(())
    }

    pub(in crate::pool) fn busy(&self) -> usize {
        self.places
            .iter()
            .filter(|p| p.slot.unfinished() > 0)
            .count()
    }

    pub(in crate::pool) fn may_take(&self, at: usize, depth: u32) -> bool {
        let place = &self.places[at];
        let allowed = self
            .shape
            .max_items_per_worker
            .is_none_or(|max| place.slot.assigned_in_all() < max);
        let idle = place.slot.unfinished() == 0;
        let fits = place.chunks.len() < depth as usize && (idle || depth > 1);
        place.slot.is_serving()
            && allowed
            && fits
            && (!idle || self.shape.slots == self.shape.workers || self.busy() < self.shape.workers)
    }

    /// The job whose turn it is, of those that have items waiting and want so many chunks at one worker. If one more worker
    /// has to be woken for them (`wakes`) than there are processors, only a job that has enough of them to be worth it.
    pub(in crate::pool) fn next_job(&mut self, depth: u32, wakes: bool) -> Option<JobId> {
        let wants = |job: &Job| {
            job.waiting() > 0
                && (depth == 1 || depth <= job.pace.depth())
                && (!wakes || job.waiting() >= job.pace.worth_waking())
        };
        let id = self
            .jobs
            .range(self.turn..)
            .chain(self.jobs.range(..self.turn))
            .find(|(_, job)| wants(job))
            .map(|(id, _)| *id)?;
        self.turn = JobId(id.0 + 1);
        Some(id)
    }

    /// Sends a chunk of a job to a worker. False if nothing could be sent.
    pub(in crate::pool) fn send_chunk(&mut self, at: usize, id: JobId) -> bool {
        match self.try_send_chunk(at, id) {
            Ok(true) => {
                self.places[at].blocked = None;
                true
            }
            Ok(false) => {
                self.note_blocked(at);
                false
            }
            Err(e) => {
                self.violation(at, e.to_string());
                false
            }
        }
    }

    /// A worker does not take what it is to be sent. One that has nothing to do has read all that it was sent before, or
    /// is about to: if it does not, no deadline of an item would ever end it.
    fn note_blocked(&mut self, at: usize) {
        let place = &mut self.places[at];
        let Some(link) = &mut place.link else { return };
        if place.slot.unfinished() > 0 {
            return;
        }
        let asked = link.room().and_then(|room| {
            place.blocked.get_or_insert((now(), room));
            link.sleep_for_room(room)
        });
        match asked {
            Ok(true) => {}
            Ok(false) => self.overlook(),
            Err(e) => self.violation(at, e.to_string()),
        }
    }

    /// A worker that took nothing may have made room since, when there was nothing to send any more.
    pub(in crate::pool) fn look_for_room(&mut self, at: usize) {
        let place = &mut self.places[at];
        if let (Some((_, known)), Some(link)) = (place.blocked, &mut place.link)
            && link.room().is_ok_and(|room| room > known)
        {
            place.blocked = None;
        }
    }

    /// How long a worker is to look for frames by itself while so many others compute, in nanoseconds.
    pub(super) fn worker_spin(&self, computing: usize) -> u64 {
        match computing < self.processors && !self.sleeps_at_once() {
            true => SPIN,
            false => 0,
        }
    }

    pub(in crate::pool) fn try_send_chunk(
        &mut self,
        at: usize,
        id: JobId,
    ) -> Result<bool, LinkError> {
        let spin = self.worker_spin(self.busy());
        let share = {
            let idle = self
                .places
                .iter()
                .filter(|p| p.slot.is_serving())
                .count()
                .min(self.shape.workers)
                .max(1);
            move |waiting: usize| waiting.div_ceil(idle)
        };
        let (Some(job), place) = (self.jobs.get_mut(&id), &mut self.places[at]) else {
            return Ok(false);
        };
        let Some(link) = &mut place.link else {
            return Ok(false);
        };

        // How many items go, and how.
        let left = self
            .shape
            .max_items_per_worker
            .map_or(u64::MAX, |max| max - place.slot.assigned_in_all());
        let most = (job.pace.chunk() as usize)
            .min(share(job.waiting()).max(job.pace.worth_waking()))
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let function = usize::from(job.function);
        if place.bound.len() <= function {
            place.bound.resize(function + 1, false);
        }
        if !place.bound[function] {
            let bind = frame::encode_bind(job.function, &self.functions[function])
                .map_err(std::io::Error::other)?;
            if !link.write(&[&bind])? {
                return Ok(false);
            }
            place.bound[function] = true;
        }
        let room = link.room()?.saturating_sub(64);
        let was_idle = place.slot.unfinished() == 0;
        let first = place.slot.end();
        let time = now();
        let (mut heads, payload) = (Vec::new(), &mut self.scratch);
        payload.clear();
        let mut count = 0u32;
        let mut by_descriptor = false;
        while (count as usize) < most.max(1) {
            let Some((index, stored, attempt)) = job.peek() else {
                break;
            };
            let head = ItemHead { index, attempt }.encode();
            match stored {
                Stored::Inline(bytes) => {
                    let need = heads.len() + ITEM_HEAD + payload.len() + 4 + bytes.len();
                    if need > room || (count > 0 && need > MAX_INLINE) {
                        break;
                    }
                    payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    payload.extend_from_slice(bytes);
                }
                Stored::Sealed(fd, bytes) => {
                    if count > 0 || ITEM_HEAD > room || !link.send_payload(fd.as_fd(), *bytes)? {
                        break;
                    }
                    by_descriptor = true;
                }
            }
            heads.extend_from_slice(&head);
            self.stats.bytes_in += stored.held() as u64;
            job.sent();
            place.slot.assign(Assigned { job: id, index }, time);
            count += 1;
            if by_descriptor {
                break;
            }
        }
        if count == 0 {
            return Ok(false);
        }
        let head = ChunkHead {
            function: job.function,
            input: job.options.input,
            output: job.options.output,
            first,
            count,
            by_descriptor,
            streamed: job.is_streamed(),
            timeout_micros: u32::try_from(nanos(self.shape.limits.timeout) / 1000).unwrap_or(0),
        };
        let page = link.page();
        page.claim.give(first, count);
        link.let_spin(spin);
        let written = link.write(&[&head.encode(), &heads, payload])?;
        debug_assert!(written, "the room was asked for");
        link.publish();
        let overlooked = self.spinners == 0 && !link.sleep();
        place.chunks.push_back(Chunk {
            end: first.plus(count),
            items: count,
            sent: time,
            mark: link.mark(),
        });
        self.stats.chunks += 1;
        if let (Some(recorder), true) = (&mut self.recorder, was_idle) {
            recorder.given(at, time);
        }
        if overlooked {
            self.overlook();
        }
        Ok(true)
    }

    /// Takes back what a worker has not started, for others.
    pub(in crate::pool) fn take_back(&mut self, at: usize) {
        let place = &mut self.places[at];
        let Some(link) = &place.link else { return };
        let before = link.page().claim.take_back();
        let taken = place.slot.take_back(before);
        if taken.is_empty() {
            return;
        }
        place.chunks.clear();
        let mut jobs: BTreeMap<JobId, Vec<u64>> = BTreeMap::new();
        taken
            .into_iter()
            .for_each(|i| jobs.entry(i.job).or_default().push(i.index));
        for (id, indices) in jobs {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.again(&[], &indices);
            }
        }
    }

    /// Whether a worker could take items and there are none for it.
    pub(in crate::pool) fn has_idle(&self) -> bool {
        self.has_idle_worker() && !self.has_waiting()
    }

    pub(super) fn has_idle_worker(&self) -> bool {
        let is_idle = |place: &Place| place.slot.is_serving() && place.slot.unfinished() == 0;
        self.busy() < self.shape.workers && self.places.iter().any(is_idle)
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.jobs.values().any(|job| job.waiting() > 0)
    }

    /// Items that wait behind a slow one go back, if a worker is idle.
    pub(in crate::pool) fn free_hostages(&mut self) {
        if !self.has_idle() {
            return;
        }
        let time = now();
        for at in 0..self.places.len() {
            if self.places[at].slot.unfinished() > 1 {
                self.observe(at);
                let slot = &self.places[at].slot;
                if has_hostages(slot)
                    && slot
                        .busy_since()
                        .is_some_and(|since| since.saturating_add(HOSTAGE) <= time)
                {
                    self.take_back(at);
                }
            }
        }
    }

    /// Workers that served as much as they may.
    pub(in crate::pool) fn retire(&mut self) {
        let Some(max) = self.shape.max_items_per_worker else {
            return;
        };
        for at in 0..self.places.len() {
            let slot = &self.places[at].slot;
            if slot.is_serving() && slot.unfinished() == 0 && slot.assigned_in_all() >= max {
                self.end_worker(at, Cause::Retired, None);
            }
        }
    }
}
