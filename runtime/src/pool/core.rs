//! The pool's one mediator: owns all jobs and all slots, hands out items, takes results, decides who is to blame.
//!
//! It never waits: what there is to wait for is told by `Core::next_deadline`, and the waiting is the supervisor's.
//! Everything that a worker says is checked against what it was given; one that lies is ended.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;

use super::error::Error;
use super::job::{Accepted, Job};
use super::options::{Bytes, Stats};
use super::slot::{Assigned, Cause, Leftover, Slot, State};
use crate::failure::{Failure, FailureKind};
use crate::ids::{Generation, JobId, Seq, SlotId};
use crate::ipc::frame::{
    self, ChunkHead, ITEM_HEAD, ItemHead, Level, MAX_INLINE, Status, Target, ToHost,
};
use crate::ipc::launch::{Heard, Kill, Launch};
use crate::ipc::link::{Control, HostLink, LinkError};
use crate::ipc::wire::{FromWorker, TaskInfo};
use crate::limits::Limits;
use crate::sys::clock::{nanos, now};
use crate::sys::memory::{Mapping, check_sealed};
use crate::sys::poll::{Poller, Token, Waker};
use crate::sys::process::ProcessHandle;
use crate::text::printable;

/// The supervisor's own wake-up in the poller.
pub(super) const WAKE: Token = u64::MAX;
/// The launcher's news in the poller.
pub(super) const NEWS: Token = u64::MAX - 1;

/// Starts that may fail one after the other before the pool gives up.
const FAILED_STARTS: u32 = 8;
/// The pause before a start that follows a failed one; doubled each time.
const RESTART_FLOOR: u64 = 10_000_000;
/// How long the end of a worker may take to be told after its socket closed.
const EXIT_NEWS: u64 = 1_000_000_000;
/// An item that runs longer than this loses what waits behind it to an idle worker.
const HOSTAGE: u64 = 2_000_000;
/// How long a worker spins for its next chunk while a processor is free.
const SPIN: u64 = 50_000;
/// Bytes of a guest's message that are passed on.
const MESSAGE_BYTES: usize = 16 << 10;

/// How the pool is to be.
pub(super) struct Shape {
    pub limits: Limits,
    /// Workers that run items at the same time.
    pub workers: usize,
    /// Places: more than workers where spares are kept ready.
    pub slots: usize,
    pub max_items_per_worker: Option<u64>,
    /// Whether the component is written with the guest SDK.
    pub has_tasks: bool,
}

/// A message of a guest, to be given to the user outside of the core's lock.
pub(super) struct Logged {
    pub index: u64,
    pub level: Level,
    pub message: String,
}

struct Place {
    slot: Slot,
    link: Option<HostLink>,
    kill: Option<Box<dyn Kill>>,
    /// Functions that this worker knows.
    bound: Vec<bool>,
    /// Chunks under way: number behind the last item, items, when sent.
    chunks: std::collections::VecDeque<(Seq, u32, u64)>,
    /// When the last chunk was finished.
    chunk_done: u64,
    exit: Option<ExitStatus>,
}

impl Kill for ProcessHandle {
    fn kill(&self) {
        ProcessHandle::kill(self);
    }
}

/// Why the pool takes no more work, in a form that can be given to many.
#[derive(Clone, Debug)]
pub(super) enum Broken {
    Start {
        message: String,
        backtrace: Vec<String>,
    },
    Pool {
        doing: String,
        reason: String,
    },
    Closed,
}

impl Broken {
    pub(super) fn error(&self) -> Error {
        match self.clone() {
            Broken::Start { message, backtrace } => Error::Start { message, backtrace },
            Broken::Pool { doing, reason } => Error::Pool {
                doing,
                source: std::io::Error::other(reason),
            },
            Broken::Closed => Error::Closed,
        }
    }
}

pub(super) struct Core {
    shape: Shape,
    launcher: Box<dyn Launch>,
    poller: std::sync::Arc<Poller>,
    waker: std::sync::Arc<Waker>,
    places: Vec<Place>,
    pub jobs: BTreeMap<JobId, Job>,
    next_job: u64,
    /// The job that is served next, for fairness.
    turn: JobId,
    functions: Vec<Target>,
    function_numbers: HashMap<Target, u16>,
    pub tasks: Option<Vec<TaskInfo>>,
    pub broken: Option<Broken>,
    /// No new jobs.
    pub closed: bool,
    failed_starts: u32,
    pub logs: Vec<Logged>,
    pub stats: Stats,
    pub failures: BTreeMap<&'static str, (FailureKind, u64)>,
    /// When the supervisor wakes by itself.
    pub wakes_at: u64,
    /// Threads that look for frames by themselves.
    spinners: u32,
    processors: usize,
    opened: u64,
    scratch: Vec<u8>,
    frame: Vec<u8>,
    /// Wakers of those who wait for the pool itself.
    pub watchers: Vec<std::task::Waker>,
}

impl Core {
    pub fn new(
        shape: Shape,
        launcher: Box<dyn Launch>,
        poller: std::sync::Arc<Poller>,
        waker: std::sync::Arc<Waker>,
    ) -> std::io::Result<Core> {
        if let Some(fd) = launcher.news() {
            poller.add(fd, NEWS)?;
        }
        let places = (0..shape.slots)
            .map(|_| Place {
                slot: Slot::new(),
                link: None,
                kill: None,
                bound: Vec::new(),
                chunks: Default::default(),
                chunk_done: 0,
                exit: None,
            })
            .collect();
        Ok(Core {
            shape,
            launcher,
            poller,
            waker,
            places,
            jobs: BTreeMap::new(),
            next_job: 0,
            turn: JobId(0),
            functions: Vec::new(),
            function_numbers: HashMap::new(),
            tasks: None,
            broken: None,
            closed: false,
            failed_starts: 0,
            logs: Vec::new(),
            stats: Stats::default(),
            failures: BTreeMap::new(),
            wakes_at: 0,
            spinners: 0,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            opened: now(),
            scratch: Vec::new(),
            frame: Vec::new(),
            watchers: Vec::new(),
        })
    }

    pub fn workers(&self) -> usize {
        self.shape.workers
    }

    /// Adds a job.
    pub fn add_job(
        &mut self,
        target: Target,
        options: super::options::JobOptions,
    ) -> Result<JobId, Error> {
        if let Some(broken) = &self.broken {
            return Err(broken.error());
        }
        if self.closed {
            return Err(Error::Closed);
        }
        let function = match self.function_numbers.get(&target) {
            Some(number) => *number,
            None => {
                let number = u16::try_from(self.functions.len()).map_err(|_| Error::Pool {
                    doing: "too many functions of one pool".into(),
                    source: std::io::Error::other("at most 65,536"),
                })?;
                self.functions.push(target.clone());
                self.function_numbers.insert(target, number);
                number
            }
        };
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.jobs.insert(id, Job::new(function, options));
        Ok(id)
    }

    /// Removes a job; what of it is under way is ended.
    pub fn remove_job(&mut self, id: JobId) {
        self.stop_job(id, 0);
        if let Some(job) = self.jobs.remove(&id) {
            for (name, (kind, n)) in job.failed {
                self.failures.entry(name).or_insert((kind, 0)).1 += n;
            }
            self.stats.done += job.succeeded;
            self.stats.run_again += job.run_again;
        }
        self.notify();
    }

    /// Items of a job from `from` on are not wanted: those that run are ended with their workers.
    pub fn stop_job(&mut self, id: JobId, from: u64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.stop_at(from);
        self.end_unwanted(id);
    }

    /// Ends what is under way beyond a job's limit.
    fn end_unwanted(&mut self, id: JobId) {
        let Some(limit) = self.jobs.get(&id).map(Job::limit) else {
            return;
        };
        if limit == u64::MAX {
            return;
        }
        let unwanted = |item: Assigned| item.job == id && item.index >= limit;
        for at in 0..self.places.len() {
            self.observe(at);
            if self.places[at].slot.has(unwanted) {
                self.take_back(at);
                if self.places[at].slot.runs(unwanted) {
                    self.end_worker(at, Cause::Cancelled, None);
                }
            }
        }
        self.fill();
    }

    /// Everything that can be done now: results in, news in, items out.
    pub fn pump(&mut self) {
        for at in 0..self.places.len() {
            if self.places[at]
                .link
                .as_ref()
                .is_some_and(HostLink::is_ready)
            {
                self.read_frames(at);
            }
        }
        self.fill();
    }

    /// A worker's socket has something.
    pub fn on_socket(&mut self, slot: u32, generation: u32) {
        let at = slot as usize;
        let Some(place) = self.places.get(at) else {
            return;
        };
        if place.slot.generation() == Generation(generation) && place.link.is_some() {
            self.read_socket(at);
            self.read_frames(at);
            self.settle(at);
        }
    }

    fn read_socket(&mut self, at: usize) {
        let mut controls = Vec::new();
        let Some(link) = &mut self.places[at].link else {
            return;
        };
        let drained = link.drain(&mut controls);
        for control in controls {
            self.on_control(at, control);
        }
        match drained {
            Ok(true) => {}
            Ok(false) => {
                // Its last frames may say why it ended.
                self.read_frames(at);
                if let Some(link) = &self.places[at].link {
                    self.poller.remove(link.as_fd());
                }
                self.places[at].slot.closed(now());
            }
            Err(e) => self.violation(at, e.to_string()),
        }
    }

    fn on_control(&mut self, at: usize, control: Control) {
        let place = &mut self.places[at];
        match control.message {
            FromWorker::Born if place.kill.is_none() => {
                match control.sender.map(ProcessHandle::open) {
                    Some(Ok(process)) => place.kill = Some(Box::new(process)),
                    // It has ended already, which its socket tells next.
                    Some(Err(_)) | None => {}
                }
                if matches!(place.slot.state(), State::Ending { .. })
                    && let Some(kill) = &place.kill
                {
                    kill.kill();
                }
            }
            FromWorker::Ready(tasks) => {
                if !place.slot.ready(now()) {
                    return self.violation(at, "it said twice that it is ready".into());
                }
                self.failed_starts = 0;
                if self.tasks.is_none() {
                    self.stats.start_nanos = now() - self.opened;
                    self.tasks = Some(checked_tasks(tasks));
                    self.notify();
                }
            }
            FromWorker::StartFailed { message, backtrace } => {
                let message = printable(&message, MESSAGE_BYTES);
                let backtrace = checked_backtrace(backtrace);
                self.end_worker(at, Cause::NotReady(message.clone()), None);
                self.give_up(Broken::Start { message, backtrace });
            }
            FromWorker::Born | FromWorker::Doorbell | FromWorker::Payload => {
                self.violation(at, "a message out of turn".into());
            }
        }
    }

    /// News of the launcher.
    pub fn on_news(&mut self) {
        let mut heard = Vec::new();
        if let Err(e) = self.launcher.heard(&mut heard) {
            self.give_up(Broken::Pool {
                doing: "the fork server has ended".into(),
                reason: e.to_string(),
            });
        }
        for news in heard {
            match news {
                Heard::Exited(slot, generation, status) => {
                    let at = slot.0 as usize;
                    if self
                        .places
                        .get(at)
                        .is_some_and(|p| p.slot.generation() == generation)
                    {
                        self.places[at].exit = Some(status);
                        self.read_socket(at);
                        self.places[at].slot.closed(now());
                        self.settle(at);
                    }
                }
                Heard::StartFailed(slot, generation, message) => {
                    let at = slot.0 as usize;
                    if self
                        .places
                        .get(at)
                        .is_some_and(|p| p.slot.generation() == generation)
                    {
                        self.end_worker(at, Cause::NotReady(message), None);
                        self.places[at].slot.closed(now());
                        self.places[at].exit = Some(ExitStatus::default());
                        self.settle(at);
                    }
                }
            }
        }
    }

    /// What the shared words say of a worker's progress.
    fn observe(&mut self, at: usize) {
        let place = &mut self.places[at];
        if let Some(link) = &place.link {
            let page = link.page();
            let claimed = page.claim.read();
            place
                .slot
                .progress(claimed, page.started.0.load(Ordering::Relaxed), now());
        }
    }

    fn read_frames(&mut self, at: usize) {
        self.observe(at);
        let mut frame = std::mem::take(&mut self.frame);
        let mut any = false;
        loop {
            frame.clear();
            let Some(link) = &mut self.places[at].link else {
                break;
            };
            match link.read(&mut frame) {
                Ok(true) => {
                    any = true;
                    if let Err(reason) = self.on_frame(at, &frame) {
                        self.violation(at, reason);
                        break;
                    }
                }
                Ok(false) => break,
                Err(e) => {
                    self.violation(at, e.to_string());
                    break;
                }
            }
        }
        self.frame = frame;
        if let (true, Some(link)) = (any, &mut self.places[at].link) {
            link.release();
        }
    }

    /// A frame of a worker. An error means that the worker broke the protocol.
    fn on_frame(&mut self, at: usize, bytes: &[u8]) -> Result<(), String> {
        match frame::decode_to_host(bytes).map_err(|e| e.to_string())? {
            ToHost::Result {
                item,
                status,
                payload,
            } => {
                let value = match payload {
                    Some(bytes) => Bytes::Owned(bytes.to_vec()),
                    None => Bytes::Mapped(self.payload(at)?),
                };
                self.on_result(at, item, status, value)
            }
            ToHost::Log(seq, level, bytes) => {
                let Some(item) = self.places[at].slot.item(seq) else {
                    return Err("a log message for an item that it does not run".into());
                };
                let Some(job) = self.jobs.get_mut(&item.job) else {
                    return Ok(());
                };
                match job.log(item.index, bytes.len(), &self.shape.limits) {
                    Accepted::Yes => self.logs.push(Logged {
                        index: item.index,
                        level,
                        message: printable(&String::from_utf8_lossy(bytes), MESSAGE_BYTES),
                    }),
                    Accepted::TooMuch(limit) => self.too_much(at, seq, "log messages", limit),
                }
                Ok(())
            }
            ToHost::Ended(seq, mut ended) => {
                let known = matches!(
                    ended.kind,
                    FailureKind::Trap | FailureKind::Memory | FailureKind::OutputLimit
                );
                if !known || self.places[at].slot.item(seq).is_none() {
                    return Err("an end that cannot be".into());
                }
                ended.message = printable(&ended.message, MESSAGE_BYTES);
                ended.backtrace = checked_backtrace(ended.backtrace);
                self.end_worker(at, Cause::Ended(ended), Some(seq));
                Ok(())
            }
        }
    }

    /// The payload that a worker sent as a descriptor.
    fn payload(&mut self, at: usize) -> Result<Mapping, String> {
        let mut controls = Vec::new();
        let link = self.places[at].link.as_mut().ok_or("no link")?;
        let payload: Option<OwnedFd> = link
            .next_payload(&mut controls)
            .map_err(|e| e.to_string())?;
        if !controls.is_empty() {
            return Err("a message out of turn".into());
        }
        let fd = payload.ok_or("a payload that was not sent")?;
        let size = check_sealed(&fd).map_err(|e| e.to_string())?;
        let size = usize::try_from(size).map_err(|e| e.to_string())?;
        Mapping::read_only(&fd, size).map_err(|e| e.to_string())
    }

    fn on_result(
        &mut self,
        at: usize,
        seq: Seq,
        status: Status,
        value: Bytes,
    ) -> Result<(), String> {
        let slot = &mut self.places[at].slot;
        let Some(item) = slot.item(seq) else {
            return Err("a result for an item that it does not have".into());
        };
        let limits = &self.shape.limits;
        let len = value.len();
        if let Some(job) = self.jobs.get_mut(&item.job)
            && let Accepted::TooMuch(limit) = job.fits(item.index, len, limits)
        {
            self.too_much(at, seq, "results", limit);
            return Ok(());
        }
        self.stats.bytes_out += len as u64;
        if status == Status::Emitted {
            if let Some(job) = self.jobs.get_mut(&item.job) {
                job.emit(item.index, value, limits);
            }
            return Ok(());
        }
        let time = now();
        slot.finish(seq, time);
        let took = self.chunk_progress(at, seq, time, item.job);
        let Some(job) = self.jobs.get_mut(&item.job) else {
            return Ok(());
        };
        let text = |bytes: &Bytes| printable(&String::from_utf8_lossy(bytes), MESSAGE_BYTES);
        match status {
            Status::Done => job.succeed(item.index, value, took),
            Status::Failed => {
                job.fail_run(item.index, FailureKind::Failed, text(&value), Vec::new())
            }
            Status::InvalidInput => job.fail_run(
                item.index,
                FailureKind::InvalidInput,
                text(&value),
                Vec::new(),
            ),
            Status::Emitted => {}
        }
        if status != Status::Done && job.limit() != u64::MAX {
            self.end_unwanted(item.job);
        }
        Ok(())
    }

    /// Measures chunks as their last items are finished; gives an item's share of time.
    fn chunk_progress(&mut self, at: usize, seq: Seq, time: u64, job: JobId) -> u64 {
        let place = &mut self.places[at];
        let Some(&(end, items, sent)) = place.chunks.front() else {
            return 0;
        };
        let took = time.saturating_sub(sent.max(place.chunk_done));
        if seq.plus(1).since(end).is_some() {
            place.chunks.pop_front();
            place.chunk_done = time;
            if let Some(job) = self.jobs.get_mut(&job) {
                job.pace.measured(items, took);
            }
        }
        took / u64::from(items.max(1))
    }

    fn too_much(&mut self, at: usize, seq: Seq, what: &str, limit: u64) {
        let ended = frame::Ended {
            kind: FailureKind::OutputLimit,
            message: format!("the item's {what} passed the limit of {limit} bytes"),
            backtrace: Vec::new(),
        };
        self.end_worker(at, Cause::Ended(ended), Some(seq));
    }

    fn violation(&mut self, at: usize, reason: String) {
        self.end_worker(at, Cause::Violation(reason), None);
    }

    /// Kills a worker. What it leaves is settled when its end is heard.
    fn end_worker(&mut self, at: usize, cause: Cause, culprit: Option<Seq>) {
        let place = &mut self.places[at];
        place.slot.end_worker(cause, culprit, now());
        if let Some(kill) = &place.kill {
            kill.kill();
        }
        // A thread that waits is not killed by that, but ends when there is nothing to wait for.
        if let Some(link) = &place.link {
            link.finish();
        }
    }

    /// Where a worker's end is wholly heard: its items find their fate, and its place is free.
    fn settle(&mut self, at: usize) {
        let time = now();
        let tells = self.launcher.tells_ends();
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
        let place = &mut self.places[at];
        let status = place.exit.take();
        let Some(link) = place.link.take() else {
            return;
        };
        place.kill = None;
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
            self.failed_starts += 1;
            not_before = time + (RESTART_FLOOR << (self.failed_starts - 1).min(6));
        }
        let Some(left) = self.places[at].slot.clear(claimed, not_before) else {
            return;
        };
        self.stats.workers_replaced += u64::from(!matches!(left.cause, Cause::Retired));
        if not_ready && self.failed_starts >= FAILED_STARTS {
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

    fn blame(&mut self, left: Leftover, status: Option<ExitStatus>) {
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
                Cause::Timeout => {
                    let message = format!(
                        "the item ran longer than its time limit of {:?}",
                        self.shape.limits.timeout
                    );
                    job.fail_run(item.index, FailureKind::Timeout, message, Vec::new());
                }
                Cause::Ended(ended) => {
                    job.fail_run(item.index, ended.kind, ended.message, ended.backtrace)
                }
                Cause::Cancelled => job.cancel_item(item.index),
                Cause::Violation(reason) => {
                    let message = format!("the worker broke the pool's protocol: {reason}");
                    if job.lose(item.index, &message) {
                        again.entry(item.job).or_default().0.push(item.index);
                    }
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

    /// The pool can do no more: every job ends with one error.
    pub fn give_up(&mut self, why: Broken) {
        if self.broken.is_none() {
            self.broken = Some(why);
        }
        for at in 0..self.places.len() {
            self.end_worker(at, Cause::Retired, None);
        }
        for job in self.jobs.values_mut() {
            job.stop_at(0);
            job.wake_all();
        }
        self.notify();
        self.waker.wake();
    }

    fn notify(&mut self) {
        self.watchers.drain(..).for_each(std::task::Waker::wake);
    }

    /// Starts workers and sends items, as far as it goes.
    fn fill(&mut self) {
        if self.broken.is_some() {
            return;
        }
        self.retire();
        self.start_workers();
        self.free_hostages();
        for depth in 1.. {
            let mut sent = false;
            for at in 0..self.places.len() {
                if self.may_take(at, depth)
                    && let Some(job) = self.next_job(depth)
                {
                    sent |= self.send_chunk(at, job);
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

    fn start_workers(&mut self) {
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

    fn start_worker(&mut self, at: usize, time: u64) -> std::io::Result<()> {
        let (link, end) = HostLink::new()?;
        let slot = SlotId(at as u32);
        let generation = self.places[at].slot.start(time);
        self.poller.add(link.as_fd(), token(slot, generation))?;
        link.sleep();
        let place = &mut self.places[at];
        place.link = Some(link);
        place.exit = None;
        place.chunk_done = 0;
        place.kill = self.launcher.start(slot, generation, end)?;
        self.stats.workers_started += 1;
        Ok(())
    }

    fn busy(&self) -> usize {
        self.places
            .iter()
            .filter(|p| p.slot.unfinished() > 0)
            .count()
    }

    fn may_take(&self, at: usize, depth: u32) -> bool {
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

    /// The job whose turn it is, of those that have items waiting and want so many chunks at one worker.
    fn next_job(&mut self, depth: u32) -> Option<JobId> {
        let wants = |job: &Job| job.waiting() > 0 && (depth == 1 || depth <= job.pace.depth());
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
    fn send_chunk(&mut self, at: usize, id: JobId) -> bool {
        match self.try_send_chunk(at, id) {
            Ok(sent) => sent,
            Err(e) => {
                self.violation(at, e.to_string());
                false
            }
        }
    }

    fn try_send_chunk(&mut self, at: usize, id: JobId) -> Result<bool, LinkError> {
        let spin = if self.busy() < self.processors {
            SPIN
        } else {
            0
        };
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
            .min(share(job.waiting()))
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
                super::payload::Stored::Inline(bytes) => {
                    let need = heads.len() + ITEM_HEAD + payload.len() + 4 + bytes.len();
                    if need > room || (count > 0 && need > MAX_INLINE) {
                        break;
                    }
                    payload.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    payload.extend_from_slice(bytes);
                }
                super::payload::Stored::Sealed(fd, _) => {
                    use std::os::fd::AsFd;
                    if count > 0 || ITEM_HEAD > room || !link.send_payload(fd.as_fd())? {
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
            timeout_micros: u32::try_from(nanos(self.shape.limits.timeout) / 1000).unwrap_or(0),
        };
        let page = link.page();
        page.spin.0.store(spin, Ordering::Relaxed);
        page.claim.give(first, count);
        let written = link.write(&[&head.encode(), &heads, payload])?;
        debug_assert!(written, "the room was asked for");
        link.publish();
        if self.spinners == 0 {
            link.sleep();
        }
        place.chunks.push_back((first.plus(count), count, time));
        self.stats.chunks += 1;
        Ok(true)
    }

    /// Takes back what a worker has not started, for others.
    fn take_back(&mut self, at: usize) {
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
    fn has_idle(&self) -> bool {
        self.busy() < self.shape.workers
            && self
                .places
                .iter()
                .any(|p| p.slot.is_serving() && p.slot.unfinished() == 0)
            && self.jobs.values().all(|j| j.waiting() == 0)
    }

    /// Items that wait behind a slow one go back, if a worker is idle.
    fn free_hostages(&mut self) {
        if !self.has_idle() {
            return;
        }
        let time = now();
        for at in 0..self.places.len() {
            if self.places[at].slot.unfinished() > 1 {
                self.observe(at);
                let slot = &self.places[at].slot;
                if slot.unstarted() > 0
                    && slot
                        .running_since()
                        .is_some_and(|since| since + HOSTAGE <= time)
                {
                    self.take_back(at);
                }
            }
        }
    }

    /// When something is to be done though nothing happens.
    pub fn next_deadline(&self) -> u64 {
        let limits = &self.shape.limits;
        let idle = self.has_idle();
        let of_place = |place: &Place| match *place.slot.state() {
            State::Empty { not_before } if self.broken.is_none() => not_before,
            State::Empty { .. } => u64::MAX,
            State::Starting { since } => since.saturating_add(nanos(limits.start_timeout)),
            State::Serving { .. } => match place.slot.running_since() {
                Some(since) if idle && place.slot.unstarted() > 0 => since.saturating_add(HOSTAGE),
                Some(since) => since.saturating_add(nanos(limits.timeout)),
                None => u64::MAX,
            },
            State::Ending { since, closed, .. } if closed => since.saturating_add(EXIT_NEWS),
            State::Ending { .. } => u64::MAX,
        };
        self.places.iter().map(of_place).min().unwrap_or(u64::MAX)
    }

    /// Does what is due.
    pub fn on_time(&mut self) {
        let time = now();
        for at in 0..self.places.len() {
            self.observe(at);
            let slot = &self.places[at].slot;
            let (start_timeout, timeout) =
                (self.shape.limits.start_timeout, self.shape.limits.timeout);
            match slot.state() {
                State::Starting { since } if time >= since.saturating_add(nanos(start_timeout)) => {
                    let message = format!("it was not ready within {start_timeout:?}");
                    self.end_worker(at, Cause::NotReady(message.clone()), None);
                    self.give_up(Broken::Start {
                        message,
                        backtrace: Vec::new(),
                    });
                }
                State::Serving { .. } => {
                    let late = |since: u64| time >= since.saturating_add(nanos(timeout));
                    if slot.running_since().is_some_and(late) {
                        self.read_frames(at);
                        if self.places[at].slot.running_since().is_some_and(late) {
                            self.end_worker(at, Cause::Timeout, None);
                        }
                    }
                }
                State::Ending { .. } => self.settle(at),
                State::Starting { .. } | State::Empty { .. } => {}
            }
        }
        self.fill();
    }

    /// Workers that served as much as they may.
    fn retire(&mut self) {
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

    /// Asks all workers to ring when they have something. Returns false if one has something now.
    pub fn sleep(&mut self) -> bool {
        if self.spinners > 0 {
            return true;
        }
        let links = self
            .places
            .iter()
            .filter(|p| p.slot.unfinished() > 0)
            .filter_map(|p| p.link.as_ref());
        links.fold(true, |all, link| link.sleep() && all)
    }

    /// A thread starts, or stops, looking for frames by itself. False if it must look once more.
    pub fn spin(&mut self, start: bool) -> bool {
        if start {
            self.spinners += 1;
            self.places
                .iter()
                .filter_map(|p| p.link.as_ref())
                .for_each(HostLink::wake);
            return true;
        }
        self.spinners -= 1;
        self.sleep()
    }

    /// Whether a processor is free for spinning.
    pub fn may_spin(&self) -> bool {
        self.spinners == 0 && self.busy() < self.processors && self.busy() > 0
    }

    /// Whether every worker has ended.
    pub fn is_empty(&self) -> bool {
        self.places
            .iter()
            .all(|p| matches!(p.slot.state(), State::Empty { .. }))
    }

    pub fn has_tasks(&self) -> bool {
        self.shape.has_tasks
    }

    /// Counts of all jobs, those that go on included.
    pub fn counts(&self) -> Stats {
        let mut stats = self.stats.clone();
        let mut failures = self.failures.clone();
        for job in self.jobs.values() {
            stats.done += job.succeeded;
            stats.run_again += job.run_again;
            for (name, (kind, n)) in &job.failed {
                failures.entry(name).or_insert((*kind, 0)).1 += n;
            }
        }
        stats.failed = failures.into_values().collect();
        stats
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

pub(super) fn token(slot: SlotId, generation: Generation) -> Token {
    u64::from(generation.0) << 32 | u64::from(slot.0)
}

fn ending(status: Option<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.map(|s| (s.signal(), s.code())) {
        Some((Some(9), _)) => {
            "was killed (SIGKILL: by a person, or by the kernel for want of memory)".into()
        }
        Some((Some(signal), _)) => format!("was ended by signal {signal}"),
        Some((None, Some(code))) => format!("ended with status {code}"),
        Some((None, None)) | None => "ended".into(),
    }
}

fn checked_tasks(tasks: Vec<TaskInfo>) -> Vec<TaskInfo> {
    tasks
        .into_iter()
        .take(4096)
        .map(|t| TaskInfo {
            name: printable(&t.name, 512),
            description: printable(&t.description, 4096),
        })
        .collect()
}

fn checked_backtrace(frames: Vec<String>) -> Vec<String> {
    frames
        .into_iter()
        .take(64)
        .map(|f| printable(&f, 512))
        .collect()
}

/// An item that never got to a worker.
pub(super) fn unusable(message: String) -> Failure {
    Failure {
        kind: FailureKind::InvalidInput,
        message: printable(&message, MESSAGE_BYTES),
        backtrace: Vec::new(),
        attempts: 0,
    }
}
