//! Signatures.
use std::fs::File;
use std::path::Path;

use super::error::Error;
use super::options::*;
use crate::ipc::manifest::Manifest;
use crate::ipc::wire::TaskInfo;
use crate::limits::Limits;
use crate::mode::Isolation;

/// What a pool is opened with.
#[derive(Default)]
pub struct PoolBuilder {}
#[allow(unused_variables, missing_docs)]
impl PoolBuilder {
    /// Workers; default: the processors this process may use.
    pub fn workers(self, n: u32) -> Self {
        todo!()
    }
    pub fn limits(self, limits: Limits) -> Self {
        todo!()
    }
    pub fn isolation(self, isolation: Isolation) -> Self {
        todo!()
    }
    /// A worker is replaced after so many items.
    pub fn max_items_per_worker(self, n: u32) -> Self {
        todo!()
    }
    /// Whether the cache of compiled components is used (default true).
    pub fn cache(self, on: bool) -> Self {
        todo!()
    }
    /// Called, on a thread of the pool, with every message of guests.
    pub fn on_log(self, f: impl Fn(&LogRecord<'_>) + Send + Sync + 'static) -> Self {
        todo!()
    }
    /// Called with warnings of the pool itself (no cache, ...).
    pub fn on_warning(self, f: impl Fn(&str) + Send + Sync + 'static) -> Self {
        todo!()
    }
    pub fn open(self, path: impl AsRef<Path>) -> Result<Pool, Error> {
        todo!()
    }
    pub fn open_bytes(self, module: &[u8]) -> Result<Pool, Error> {
        todo!()
    }
}

/// A pool of workers.
pub struct Pool {}
#[allow(unused_variables, missing_docs)]
impl Pool {
    pub fn builder() -> PoolBuilder {
        todo!()
    }
    pub fn manifest(&self) -> &Manifest {
        todo!()
    }
    /// The guest's own list of tasks, if it is written with the SDK. Waits for the first worker.
    pub fn tasks(&self) -> Result<Vec<TaskInfo>, Error> {
        todo!()
    }
    /// A job whose items come from one thread and whose results go to another.
    pub fn stream(&self, function: &str, options: JobOptions) -> Result<(Feeder, Results), Error> {
        todo!()
    }
    pub fn stats(&self) -> Stats {
        todo!()
    }
    pub fn close(&self) {
        todo!()
    }
    pub fn terminate(&self) {
        todo!()
    }
}

/// Describes a module without running it: a compiler process reads it.
#[allow(unused_variables)]
pub fn inspect(module: &[u8], limits: &Limits) -> Result<Manifest, Error> {
    todo!()
}

/// An item's bytes.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Payload {
    Bytes(Vec<u8>),
    File(File),
}

/// The way in of a job. `Send`. Dropping it ends the input.
pub struct Feeder {}
#[allow(unused_variables, missing_docs)]
impl Feeder {
    /// Waits while the job has enough items under way. False once the job wants no more (it stopped or was cancelled).
    pub fn push(&mut self, item: Payload) -> bool {
        todo!()
    }
    /// An item that cannot be had: it gets this failure (kind invalid-input) as its outcome, in its place.
    pub fn push_failed(&mut self, message: String) -> bool {
        todo!()
    }
}

/// The way out of a job. `Send`. Dropping it cancels the job.
pub struct Results {}
#[allow(missing_docs)]
impl Results {
    /// Waits for the next outcome; `None` at the end. An error ends the job as a whole (never for single items: with
    /// `OnError::Stop` the failed item's outcome comes in its place and `Err(Failure kind cancelled)` outcomes do not follow: the stream ends).
    pub fn next(&mut self) -> Option<Result<Outcome, Error>> {
        todo!()
    }
    /// The next outcome if one is ready. `None` if none is ready now, and at the end.
    pub fn try_next(&mut self) -> Option<Result<Outcome, Error>> {
        todo!()
    }
    /// A handle that cancels the job from another thread.
    pub fn canceller(&self) -> Canceller {
        todo!()
    }
}
/// Cancels a job from another thread; results that are ready still come, then the stream ends.
#[derive(Clone)]
pub struct Canceller {}
#[allow(missing_docs)]
impl Canceller {
    pub fn cancel(&self) {
        todo!()
    }
}
