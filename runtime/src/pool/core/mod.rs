//! The pool's one mediator: owns all jobs and all slots, hands out items, takes results, decides who is to blame.
//!
//! It never waits: what there is to wait for is told by `Core::next_deadline`, and the waiting is the supervisor's.
//! `receive` takes what workers say, `sampling` asks them where they are, `calls` what they ask of shared objects, `dispatch` sends items, `ends` settles ends;
//! each is a part of the same `Core`.
//!
//! Everything that a worker says is checked against what it was given; one that lies is ended.

mod calls;
mod dispatch;
mod ends;
mod receive;
mod sampling;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::process::ExitStatus;
use std::sync::Arc;

pub(super) use self::calls::GrantedObject;
use self::calls::{Asked, Instance, Mailbox};
use self::dispatch::{HOSTAGE, has_hostages};
use self::ends::{EXIT_NEWS, LAST_WORD};
use self::sampling::Sampling;
use super::error::Error;
use super::job::Job;
use super::options::{JobOptions, Stats};
use super::record::{Recorder, Recording};
use super::slot::{Assigned, Cause, Slot, State};
use super::snapshot::{JobNow, Snapshot, WorkerNow, WorkerState};
use crate::failure::{Failure, FailureKind};
use crate::ids::{Generation, JobId, Seq, SlotId};
use crate::ipc::frame::{Level, Target};
use crate::ipc::launch::{Kill, Launch};
use crate::ipc::link::HostLink;
use crate::ipc::wire::TaskInfo;
use crate::limits::Limits;
use crate::sys::clock::{nanos, now};
use crate::sys::poll::{Poller, Token, Waker};
use crate::sys::process::ProcessHandle;
use crate::sys::seen::{Usage, usage};
use crate::text::printable;

/// The supervisor's own wake-up in the poller.
pub(super) const WAKE: Token = u64::MAX;
/// The launcher's news in the poller.
pub(super) const NEWS: Token = u64::MAX - 1;

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
    /// Whether a worker whose item is late is asked where it is before it is killed.
    pub backtrace_on_timeout: bool,
    /// How many samples a second are taken of each worker that runs an item, if any are.
    pub profile: Option<u32>,
    /// Whether workers tell what items use of their fuel.
    pub deterministic: bool,
    /// What the pool is called, in messages about who waits for whom.
    pub name: String,
    /// Whether what happens is recorded.
    pub record: bool,
    /// Objects that guests were granted, by their numbers.
    pub objects: Vec<GrantedObject>,
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
    /// Chunks under way.
    chunks: VecDeque<Chunk>,
    /// When the last chunk was finished.
    chunk_done: u64,
    /// What it had worked when the last chunk was finished, in nanoseconds: its own word.
    worked: u64,
    /// When it was last read while the supervisor was away.
    read_at: u64,
    /// Since when it has nothing to do and takes nothing, and how many bytes it would take.
    blocked: Option<(u64, usize)>,
    exit: Option<ExitStatus>,
    /// Its instances that hold something, or may.
    instances: Vec<Instance>,
    /// The call that waits for its answer.
    asked: Option<Asked>,
    /// Samples that it was asked for and has not told.
    asked_for: u64,
    /// The job for whose emitted values it waits for room, and since when.
    stalled: Option<(JobId, u64)>,
    /// Starts here that failed, since one did not.
    failed_starts: u32,
}

/// Items that were sent together.
struct Chunk {
    /// The number behind its last item.
    end: Seq,
    items: u32,
    sent: u64,
    /// The place behind it in the worker's ring.
    mark: u32,
}

/// For what a worker is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// To take what it was given. Not the guest's doing: nothing of what is under way has reached it.
    Taking,
    /// With its item.
    Item,
}

impl Place {
    /// What its worker's process has used so far, if it has one.
    fn usage(&self) -> Option<Usage> {
        usage(self.kill.as_ref()?.pid()?)
    }

    /// Whether it has something to do, and does not wait for an answer.
    fn computes(&self) -> bool {
        self.slot.unfinished() > 0 && self.asked.is_none() && self.stalled.is_none()
    }

    /// Until when it counts as getting on with its items: as long as none of them takes long.
    fn flows_until(&self) -> Option<u64> {
        let since = self.slot.busy_since().filter(|_| self.computes())?;
        Some(since.saturating_add(HOSTAGE))
    }

    /// Whether the worker has taken the first chunk that it has not finished.
    fn has_taken(&self) -> bool {
        match (&self.link, self.chunks.front()) {
            (Some(link), Some(chunk)) => link.has_taken(chunk.mark),
            _ => true,
        }
    }

    /// When the worker is late if it does not go on, and for what. `None` while there is nothing for it to do.
    fn due(&self, limits: &Limits) -> Option<(u64, Late)> {
        if self.stalled.is_some() {
            return None;
        }
        if let (0, Some((since, _))) = (self.slot.unfinished(), self.blocked) {
            let due = since.saturating_add(nanos(limits.start_timeout));
            return Some((due, Late::Taking));
        }
        Some(match self.slot.is_running() || self.has_taken() {
            true => {
                let since = self.slot.running_since()?;
                (since.saturating_add(nanos(limits.timeout)), Late::Item)
            }
            false => {
                let since = self.slot.busy_since()?;
                (
                    since.saturating_add(nanos(limits.start_timeout)),
                    Late::Taking,
                )
            }
        })
    }

    /// When the worker is to be looked at: an item may have started since it was last looked at.
    fn look_at(&self, limits: &Limits) -> u64 {
        if self.stalled.is_some() {
            return u64::MAX;
        }
        let due = self.due(limits).map(|(due, _)| due);
        let item = self.slot.running_since();
        let item = item.map(|since| since.saturating_add(nanos(limits.timeout)));
        due.into_iter().chain(item).min().unwrap_or(u64::MAX)
    }
}

impl Kill for ProcessHandle {
    fn kill(&self) {
        ProcessHandle::kill(self);
    }

    fn interrupt(&self) {
        ProcessHandle::interrupt(self);
    }

    fn pid(&self) -> Option<u32> {
        Some(ProcessHandle::pid(self))
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
    /// Gone once the pool is.
    launcher: Option<Box<dyn Launch>>,
    poller: Arc<Poller>,
    waker: Arc<Waker>,
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
    pub logs: Vec<Logged>,
    pub stats: Stats,
    pub failures: BTreeMap<&'static str, (FailureKind, u64)>,
    /// When the supervisor wakes by itself.
    pub wakes_at: u64,
    /// Since when the supervisor is busy with the user's own function, if it is.
    away: Option<u64>,
    /// The supervisor was woken for what a worker has, and has not slept since.
    overlooked: bool,
    /// Threads that look for frames by themselves.
    spinners: u32,
    /// How often spinning found nothing, since it last found something.
    spun_in_vain: u32,
    /// How many waits are still to come that do not spin.
    no_spin: u32,
    processors: usize,
    sampling: Option<Sampling>,
    granted: Vec<GrantedObject>,
    /// What workers are called.
    names: Vec<Arc<str>>,
    mailbox: Arc<Mailbox>,
    /// Calls so far, and how many there were when it was last asked.
    calls: u64,
    calls_known: u64,
    opened: u64,
    recorder: Option<Box<Recorder>>,
    scratch: Vec<u8>,
    frame: Vec<u8>,
    /// Wakers of those who wait for the pool itself.
    pub watchers: Vec<std::task::Waker>,
}

/// Spinning is tried again after at most 2 to this power waits.
const MOST_IN_VAIN: u32 = 5;

impl Core {
    pub fn new(
        mut shape: Shape,
        launcher: Box<dyn Launch>,
        poller: Arc<Poller>,
        waker: Arc<Waker>,
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
                worked: 0,
                read_at: 0,
                blocked: None,
                exit: None,
                instances: Vec::new(),
                asked: None,
                asked_for: 0,
                stalled: None,
                failed_starts: 0,
            })
            .collect();
        let granted = std::mem::take(&mut shape.objects);
        let sampling = shape.profile.map(Sampling::new);
        let name = |slot| format!("worker {slot} of {}", shape.name).into();
        let names = (0..shape.slots).map(name).collect();
        let mailbox = Arc::new(Mailbox::new(waker.clone()));
        let opened = now();
        let recorder = match shape.record {
            true => Recorder::new(shape.slots, opened).map(Box::new),
            false => None,
        };
        Ok(Core {
            shape,
            launcher: Some(launcher),
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
            logs: Vec::new(),
            stats: Stats::default(),
            failures: BTreeMap::new(),
            wakes_at: 0,
            away: None,
            overlooked: false,
            spinners: 0,
            spun_in_vain: 0,
            no_spin: 0,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            sampling,
            granted,
            names,
            mailbox,
            calls: 0,
            calls_known: 0,
            opened,
            recorder,
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
        options: JobOptions,
        streamed: bool,
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
        let job = match streamed {
            true => Job::streamed(function, options),
            false => Job::new(function, options),
        };
        self.jobs.insert(id, job);
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
            self.stats.cached += job.cached;
            self.stats.run_again += job.run_again;
            self.stats.fuel = self.stats.fuel.saturating_add(job.fuel);
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
        self.read_mail();
        self.fill();
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

    /// What starts workers, to be dropped without the lock: that waits for its end.
    pub fn take_launcher(&mut self) -> Option<Box<dyn Launch>> {
        self.launcher.take()
    }

    /// When something is to be done though nothing happens.
    pub fn next_deadline(&self) -> u64 {
        let limits = &self.shape.limits;
        let (idle_worker, waiting) = (self.has_idle_worker(), self.has_waiting());
        let idle = idle_worker && !waiting;
        // What waits although a worker is idle waits for those that get on: it is looked at again when one does not.
        let held_back = idle_worker && waiting;
        let time = if held_back { now() } else { 0 };
        let of_place = |place: &Place| match *place.slot.state() {
            State::Empty { not_before } if self.broken.is_none() => not_before,
            State::Empty { .. } => u64::MAX,
            State::Starting { since } => since.saturating_add(nanos(limits.start_timeout)),
            State::Serving { .. } => match place.slot.busy_since() {
                Some(since) if idle && has_hostages(&place.slot) => since.saturating_add(HOSTAGE),
                _ => match place.flows_until() {
                    Some(until) if held_back && until > time => until.min(place.look_at(limits)),
                    _ => place.look_at(limits),
                },
            },
            State::Interrupted { since, .. } => since.saturating_add(LAST_WORD),
            State::Ending { since, closed, .. } if closed => since.saturating_add(EXIT_NEWS),
            State::Ending { .. } => u64::MAX,
        };
        let next = self.places.iter().map(of_place).min();
        let next = next.unwrap_or(u64::MAX).min(self.next_wait_ends());
        next.min(self.next_sample())
    }

    /// Does what is due.
    pub fn on_time(&mut self) {
        let time = now();
        for at in 0..self.places.len() {
            self.observe(at);
            let start_timeout = self.shape.limits.start_timeout;
            match self.places[at].slot.state() {
                State::Starting { since } if time >= since.saturating_add(nanos(start_timeout)) => {
                    let message = format!("it was not ready within {start_timeout:?}");
                    self.end_worker(at, Cause::NotReady(message.clone()), None);
                    self.give_up(Broken::Start {
                        message,
                        backtrace: Vec::new(),
                    });
                }
                State::Serving { .. } => self.end_if_late(at, time),
                State::Interrupted { since, .. } if time >= since.saturating_add(LAST_WORD) => {
                    self.end_worker(at, Cause::Timeout(Vec::new()), None);
                }
                State::Ending { .. } => self.settle(at),
                State::Starting { .. } | State::Interrupted { .. } | State::Empty { .. } => {}
            }
        }
        self.ask_for_samples(time);
        self.end_waits(time);
        self.read_mail();
        self.fill();
    }

    /// The supervisor is away from now on: nobody is sure to read what workers say.
    pub fn leave(&mut self) {
        self.away = Some(now());
    }

    /// The supervisor is back. Who waited for it in the meantime is not billed for the time.
    pub fn come_back(&mut self) {
        for at in 0..self.places.len() {
            self.observe(at);
            self.excuse(at);
        }
        self.away = None;
    }

    /// A worker is about to be read. While the supervisor is away, what it has under way is not billed for the time
    /// since it was read last, if it has said something: it may have waited for room, or for an answer.
    fn excuse(&mut self, at: usize) {
        let Some(away) = self.away else { return };
        let place = &mut self.places[at];
        let from = away.max(place.read_at);
        place.read_at = now();
        if place.link.as_ref().is_some_and(HostLink::is_kept_waiting) {
            place.slot.excuse(from, place.read_at);
        }
    }

    /// Asks all workers to ring when they have something. Returns false if one has something now: that one is not asked.
    pub fn sleep(&mut self) -> bool {
        if self.spinners > 0 {
            return true;
        }
        self.overlooked = false;
        let mut quiet = true;
        let may_speak = |p: &&mut Place| p.slot.unfinished() > 0 || !p.instances.is_empty();
        for place in self.places.iter_mut().filter(may_speak) {
            quiet &= place.link.as_mut().is_none_or(HostLink::sleep);
        }
        quiet
    }

    /// A worker has something now, and was not asked to ring when there is more. So the supervisor has to look.
    pub fn overlook(&mut self) {
        if !self.overlooked {
            self.overlooked = true;
            self.waker.wake();
        }
    }

    /// A thread starts, or stops, looking for frames by itself. False if it must look once more.
    pub fn spin(&mut self, start: bool) -> bool {
        if start {
            self.spinners += 1;
            self.mailbox.attend(true);
            self.places
                .iter()
                .filter_map(|p| p.link.as_ref())
                .for_each(HostLink::wake);
            return true;
        }
        self.spinners -= 1;
        let mail = self.spinners == 0 && self.mailbox.attend(false);
        self.sleep() && !mail
    }

    /// Whether a reader that has to wait is to spin: while a processor is free, as far as the pool knows. What else
    /// the machine does shows in spins that find nothing: each doubles the number of waits that do not try.
    pub fn may_spin(&mut self) -> bool {
        let busy = self.computing();
        let spin = self.spinners == 0 && busy < self.processors && self.busy() > 0;
        if spin && self.no_spin > 0 {
            self.no_spin -= 1;
            return false;
        }
        spin
    }

    /// Whether a spin found what it waited for.
    pub fn spun(&mut self, found: bool) {
        if found {
            self.spun_in_vain = self.spun_in_vain.saturating_sub(1);
        } else {
            self.spun_in_vain = (self.spun_in_vain + 1).min(MOST_IN_VAIN);
            self.no_spin = (1 << self.spun_in_vain) - 1;
        }
    }

    /// Whether spinning is given up for now.
    pub(super) fn sleeps_at_once(&self) -> bool {
        self.no_spin > 0
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

    /// The processes of the workers that there are.
    pub fn pids(&self) -> Vec<u32> {
        let kills = self.places.iter().filter_map(|place| place.kill.as_ref());
        kills.filter_map(|kill| kill.pid()).collect()
    }

    /// What happened so far, if it is recorded.
    pub fn recording(&self) -> Option<Recording> {
        let recorder = self.recorder.as_ref()?;
        let live = |(at, place): (usize, &Place)| match place.slot.state() {
            State::Empty { .. } | State::Ending { .. } => None,
            _ => Some((at, place.usage()?)),
        };
        let live: Vec<_> = self.places.iter().enumerate().filter_map(live).collect();
        Some(recorder.recording(now(), &live))
    }

    /// What goes on now.
    pub fn snapshot(&mut self) -> Snapshot {
        (0..self.places.len()).for_each(|at| self.observe(at));
        let time = now();
        let worker = |(slot, place): (usize, &Place)| {
            let (state, since) = match *place.slot.state() {
                State::Empty { .. } => return None,
                State::Starting { since } => (WorkerState::Starting, since),
                State::Serving { since } => match place.slot.running_since() {
                    None => (WorkerState::Idle, since.max(place.chunk_done)),
                    Some(since) if place.computes() => (WorkerState::Busy, since),
                    Some(since) => (WorkerState::Waiting, since),
                },
                State::Interrupted { since, .. } | State::Ending { since, .. } => {
                    (WorkerState::Ending, since)
                }
            };
            Some(WorkerNow {
                slot: slot as u32,
                generation: place.slot.generation().0,
                pid: place.kill.as_ref().and_then(|kill| kill.pid()),
                state,
                since_nanos: time.saturating_sub(since),
                item: place.slot.running_item().map(|item| item.index),
                items_given: place.slot.assigned_in_all(),
                resident_bytes: None,
            })
        };
        let job = |job: &Job| {
            let function = match self.functions.get(usize::from(job.function)) {
                Some(Target::Task(number)) => {
                    let task = self
                        .tasks
                        .as_ref()
                        .and_then(|tasks| tasks.get(*number as usize));
                    task.map_or_else(|| format!("task {number}"), |task| task.name.clone())
                }
                Some(Target::Export(name) | Target::Command(name, _)) => name.clone(),
                None => String::new(),
            };
            JobNow {
                function,
                total: job.total(),
                done: job.succeeded,
                failed: job.failed.values().map(|(_, n)| n).sum(),
                waiting: job.waiting() as u64,
            }
        };
        Snapshot {
            at: time.saturating_sub(self.opened),
            name: self.shape.name.clone(),
            workers: self.places.iter().enumerate().filter_map(worker).collect(),
            jobs: self.jobs.values().map(job).collect(),
            stats: self.counts(),
        }
    }

    /// Counts of all jobs, those that go on included.
    pub fn counts(&self) -> Stats {
        let mut stats = self.stats.clone();
        let mut failures = self.failures.clone();
        for job in self.jobs.values() {
            stats.done += job.succeeded;
            stats.cached += job.cached;
            stats.run_again += job.run_again;
            stats.fuel = stats.fuel.saturating_add(job.fuel);
            for (name, (kind, n)) in &job.failed {
                failures.entry(name).or_insert((*kind, 0)).1 += n;
            }
        }
        stats.failed = failures.into_values().collect();
        stats
    }
}

pub(super) fn token(slot: SlotId, generation: Generation) -> Token {
    u64::from(generation.0) << 32 | u64::from(slot.0)
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
