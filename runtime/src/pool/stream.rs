//! The two ends of a job: items in, outcomes out. Both wait without polling; a reader spins for a moment first while a
//! processor is free, since waking a sleeping one costs more than most items.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::Thread;

use super::core::unusable;
use super::error::Error;
use super::memo::{JobMemo, Memo};
use super::options::{Bytes, Outcome};
use super::payload::Payload;
use super::supervisor::Shared;
use crate::cache::ResultKey;
use crate::failure::FailureKind;
use crate::ids::JobId;
use crate::sys::clock::now;

/// How long a reader looks for a result by itself before it sleeps, in nanoseconds.
const SPIN: u64 = 50_000;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker of the current thread.
pub(super) fn thread_waker() -> Waker {
    Waker::from(Arc::new(Unpark(std::thread::current())))
}

/// A job, removed from the pool with its last end.
pub(super) struct JobGuard {
    pub(super) shared: Arc<Shared>,
    pub(super) id: JobId,
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        self.shared.core().remove_job(self.id);
    }
}

/// The way in of a job. Dropping it ends the input.
///
/// ```
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
/// feeder.push(Payload::Bytes(b"3".to_vec()));
/// drop(feeder);
/// assert!(results.next().is_some());
/// assert!(results.next().is_none(), "no more come");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Feeder {
    shared: Arc<Shared>,
    id: JobId,
    /// Where results of earlier runs are looked for, if they are.
    memo: Option<JobMemo>,
    /// The index of the next item.
    next: u64,
}

impl Feeder {
    pub(super) fn new(shared: Arc<Shared>, id: JobId, memo: Option<JobMemo>) -> Feeder {
        Feeder {
            shared,
            id,
            memo,
            next: 0,
        }
    }

    /// Adds an item; waits while the job has enough under way. False once the job wants no more: it stopped at a
    /// failure, was cancelled, or its results are not wanted any more.
    ///
    /// An item that cannot be taken (a file that cannot be read, 4 GiB or more) fails as `invalid-input` in its place.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, results) = pool.stream("square", JobOptions::default())?;
    /// assert!(feeder.push(Payload::Bytes(b"3".to_vec())));
    /// drop(results);
    /// assert!(!feeder.push(Payload::Bytes(b"4".to_vec())), "nobody wants it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push(&mut self, item: Payload) -> bool {
        let stored = match item.store() {
            Ok(stored) => stored,
            Err(e) => return self.push_failed(format!("the item cannot be read: {e}")),
        };
        let Some(memo) = &self.memo else {
            return self.with_room(|job| job.push(stored, None));
        };
        // An item that cannot be mapped is run, and its result not kept.
        let key = memo.key(self.next, &stored).ok();
        match key.and_then(|key| memo.find(&key)) {
            Some(known) => self.with_room(|job| job.push_known(known)),
            None => self.with_room(|job| job.push(stored, key)),
        }
    }

    /// Adds an item that cannot be had: its outcome, in its place, is a failure of kind `invalid-input`.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    /// use wasmpool::pool::JobOptions;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
    /// feeder.push_failed("page 7 is missing".into());
    /// let failure = results.next().unwrap()?.result.unwrap_err();
    /// assert_eq!(failure.kind, FailureKind::InvalidInput);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn push_failed(&mut self, message: String) -> bool {
        self.with_room(|job| job.push_failed(unusable(message)))
    }

    /// Adds an item if there is room now; gives it back if not. `None` once the job wants no more.
    pub(super) fn try_push(&mut self, item: Payload) -> Option<Result<(), Payload>> {
        {
            let mut core = self.shared.core();
            let workers = core.workers();
            let job = core.jobs.get_mut(&self.id).filter(|job| job.is_open())?;
            if !job.has_room(workers) {
                return Some(Err(item));
            }
        }
        self.push(item).then_some(Ok(()))
    }

    fn with_room(&mut self, push: impl FnOnce(&mut super::job::Job)) -> bool {
        let mut waker = None;
        loop {
            let mut core = self.shared.core();
            let workers = core.workers();
            let Some(job) = core.jobs.get_mut(&self.id).filter(|job| job.is_open()) else {
                return false;
            };
            if job.has_room(workers) {
                push(job);
                self.next += 1;
                // Others wait only because no worker was to have them: whatever changes that looks for them.
                if job.waiting() <= 1 || job.waiting().is_multiple_of(64) {
                    core.pump();
                }
                return true;
            }
            core.pump();
            if let Some(job) = core.jobs.get_mut(&self.id)
                && !job.has_room(workers)
            {
                job.on_room(waker.get_or_insert_with(thread_waker));
                drop(core);
                std::thread::park();
            }
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        let mut core = self.shared.core();
        if let Some(job) = core.jobs.get_mut(&self.id) {
            job.end_input();
        }
        core.pump();
    }
}

/// The way out of a job. Dropping it cancels the job.
///
/// ```
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
/// for item in ["1", "2", "3"] {
///     feeder.push(Payload::Bytes(item.into()));
/// }
/// drop(feeder);
/// while let Some(outcome) = results.next() {
///     let outcome = outcome?;
///     println!("{}: {}", outcome.index, String::from_utf8_lossy(&outcome.result?));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Results {
    job: Arc<JobGuard>,
    /// Where results are kept, if they are.
    memo: Option<Arc<Memo>>,
}

/// What a reader finds.
enum Found {
    /// And the key under which it is to be kept, if it is.
    Outcome(Outcome, Option<Box<ResultKey>>),
    /// One of the values that are taken one by one.
    Emitted(Bytes),
    Room,
    Nothing,
    End,
    Error(Error),
}

impl Results {
    pub(super) fn new(shared: Arc<Shared>, id: JobId, memo: Option<Arc<Memo>>) -> Results {
        Results {
            job: Arc::new(JobGuard { shared, id }),
            memo,
        }
    }

    fn look(core: &mut super::core::Core, id: JobId) -> Found {
        let broken = core.broken.clone();
        let Some(job) = core.jobs.get_mut(&id) else {
            return Found::End;
        };
        if let Some(value) = job.take_emitted() {
            core.go_on_emitting(id);
            return Found::Emitted(value);
        }
        match job.take() {
            // Items that were cancelled because the job stopped are no news: the failure that stopped it was.
            Some((o, _))
                if o.result
                    .as_ref()
                    .is_err_and(|f| f.kind == FailureKind::Cancelled)
                    && o.index >= job.limit() =>
            {
                match broken {
                    Some(broken) => Found::Error(broken.error()),
                    None => Found::End,
                }
            }
            Some((outcome, key)) => Found::Outcome(outcome, key),
            None if job.is_over() => match broken {
                Some(broken) if job.limit() == 0 => Found::Error(broken.error()),
                _ => Found::End,
            },
            None => match broken {
                Some(broken) => Found::Error(broken.error()),
                None => Found::Nothing,
            },
        }
    }

    /// Waits for the next outcome; `None` at the end. An error ends the job as a whole. After a failure that stops
    /// the job, its outcome is the last.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
    /// feeder.push(Payload::Bytes(b"12".to_vec()));
    /// drop(feeder);
    /// assert_eq!(&results.next().unwrap()?.result?[..], b"144");
    /// assert!(results.next().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Outcome, Error>> {
        self.wait(false).flatten()
    }

    /// Waits for the next outcome, or, if `for_room`, until the job takes another item: then `None`.
    pub(super) fn wait(&mut self, for_room: bool) -> Option<Option<Result<Outcome, Error>>> {
        outcome(self.find(for_room))
    }

    /// Waits for the next emitted value, or for the outcome, of a job whose values are taken one by one. `None` at the
    /// end.
    pub(super) fn next_value(&mut self) -> Option<Result<Value, Error>> {
        match self.find(false) {
            Found::Emitted(value) => Some(Ok(Value::Emitted(value))),
            Found::Outcome(outcome, _) => Some(Ok(Value::Last(outcome))),
            Found::Error(error) => Some(Err(error)),
            Found::End | Found::Nothing | Found::Room => None,
        }
    }

    /// Waits until there is something; never finds nothing.
    fn find(&mut self, for_room: bool) -> Found {
        let (shared, id) = (self.job.shared.clone(), self.job.id);
        let look = |core: &mut super::core::Core| match Self::look(core, id) {
            Found::Nothing if for_room && has_room(core, id) => Found::Room,
            found => found,
        };
        let ask = |core: &mut super::core::Core, waker: &Waker| {
            if let Some(job) = core.jobs.get_mut(&id) {
                job.on_result(waker);
                if for_room {
                    job.on_room(waker);
                }
            }
        };
        let mut waker = None;
        loop {
            let spin = {
                let mut core = shared.core();
                core.pump();
                match look(&mut core) {
                    Found::Nothing => {}
                    found => return self.found(core, found),
                }
                let spin = core.may_spin();
                if spin {
                    core.spin(true);
                } else {
                    ask(&mut core, waker.get_or_insert_with(thread_waker));
                }
                spin
            };
            shared.deliver_logs();
            if !spin {
                std::thread::park();
                continue;
            }
            let start = now();
            let mut found = Found::Nothing;
            while matches!(found, Found::Nothing) && now() - start < SPIN {
                for _ in 0..16 {
                    std::hint::spin_loop();
                }
                if let Some(mut core) = shared.try_core() {
                    core.pump();
                    found = look(&mut core);
                }
            }
            let mut core = shared.core();
            core.spun(!matches!(found, Found::Nothing));
            if !core.spin(false) {
                core.pump();
                if !core.sleep() {
                    core.overlook();
                }
            }
            if matches!(found, Found::Nothing) {
                found = look(&mut core);
            }
            if !matches!(found, Found::Nothing) {
                return self.found(core, found);
            }
            ask(&mut core, waker.get_or_insert_with(thread_waker));
            drop(core);
            std::thread::park();
        }
    }

    fn found(&self, core: std::sync::MutexGuard<'_, super::core::Core>, found: Found) -> Found {
        let logs = !core.logs.is_empty();
        drop(core);
        if logs {
            self.job.shared.deliver_logs();
        }
        if let (Some(memo), Found::Outcome(outcome, Some(key))) = (&self.memo, &found) {
            memo.store(key, outcome);
        }
        found
    }

    /// The next outcome if one is ready now. `None` where none is, and at the end.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
    /// assert!(results.try_next().is_none(), "there is nothing yet");
    /// feeder.push(Payload::Bytes(b"12".to_vec()));
    /// let outcome = loop {
    ///     if let Some(outcome) = results.try_next() {
    ///         break outcome?;
    ///     }
    ///     std::thread::yield_now();
    /// };
    /// assert_eq!(&outcome.result?[..], b"144");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_next(&mut self) -> Option<Result<Outcome, Error>> {
        let mut core = self.job.shared.core();
        let found = match Self::look(&mut core, self.job.id) {
            Found::Nothing => {
                core.pump();
                Self::look(&mut core, self.job.id)
            }
            found => found,
        };
        outcome(self.found(core, found)).flatten()
    }

    /// The next outcome if one is ready; else `waker` is woken when it is worth asking again.
    pub(super) fn poll_next(&mut self, waker: &Waker) -> Option<Option<Result<Outcome, Error>>> {
        let mut core = self.job.shared.core();
        core.pump();
        match Self::look(&mut core, self.job.id) {
            Found::Nothing => {
                if let Some(job) = core.jobs.get_mut(&self.job.id) {
                    job.on_result(waker);
                }
                None
            }
            found => outcome(self.found(core, found)),
        }
    }

    /// A handle that cancels the job from another thread.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, mut results) = pool.stream("spin", JobOptions::default())?;
    /// feeder.push(Payload::Bytes(b"1".to_vec()));
    /// let canceller = results.canceller();
    /// let thread = std::thread::spawn(move || canceller.cancel());
    /// // Would wait for ever otherwise.
    /// assert!(results.next().is_none());
    /// # thread.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn canceller(&self) -> Canceller {
        Canceller {
            job: Arc::downgrade(&self.job),
        }
    }
}

/// What the job whose values are taken one by one gives next.
pub(super) enum Value {
    /// One that it emitted.
    Emitted(Bytes),
    /// What became of the item.
    Last(Outcome),
}

/// The outcome that was found; inside, `None` at the end.
fn outcome(found: Found) -> Option<Option<Result<Outcome, Error>>> {
    match found {
        Found::Outcome(outcome, _) => Some(Some(Ok(outcome))),
        Found::Error(error) => Some(Some(Err(error))),
        Found::End => Some(None),
        // Values are emitted one by one only to who asks for them.
        Found::Nothing | Found::Room | Found::Emitted(_) => None,
    }
}

fn has_room(core: &mut super::core::Core, id: JobId) -> bool {
    let workers = core.workers();
    core.jobs
        .get(&id)
        .is_some_and(|job| job.is_open() && job.has_room(workers))
}

/// Cancels a job from another thread. Results that are ready still come, then the job ends.
///
/// ```
/// use wasmpool::pool::{Canceller, JobOptions};
///
/// fn on_interrupt(job: Canceller) {
///     job.cancel();
/// }
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let (_feeder, mut results) = pool.stream("square", JobOptions::default())?;
/// on_interrupt(results.canceller());
/// assert!(results.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Canceller {
    job: std::sync::Weak<JobGuard>,
}

impl Canceller {
    /// Cancels the job: what runs is killed. Does nothing if the job is over.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, results) = pool.stream("square", JobOptions::default())?;
    /// results.canceller().cancel();
    /// assert!(!feeder.push(Payload::Bytes(b"1".to_vec())), "the job takes no more");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        if let Some(job) = self.job.upgrade() {
            job.shared.core().stop_job(job.id, 0);
        }
    }
}
