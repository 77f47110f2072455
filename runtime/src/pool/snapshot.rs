//! What goes on in a pool at one moment. Plain data.

use serde::{Deserialize, Serialize};

use super::options::Stats;

/// What goes on in a pool at one moment.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let handle = pool.submit::<_, i64>("spin", 1i64)?;
/// let now = pool.snapshot();
/// println!("{}: {} workers, {} jobs", now.name, now.workers.len(), now.jobs.len());
/// # assert_eq!(now.jobs.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// When, in nanoseconds since the pool was opened.
    pub at: u64,
    /// What the pool is called.
    pub name: String,
    /// The workers that there are, in the order of their places.
    pub workers: Vec<WorkerNow>,
    /// The jobs that are not over, in the order of their starts.
    pub jobs: Vec<JobNow>,
    /// Counts since the pool was opened.
    pub stats: Stats,
}

/// What a worker does.
///
/// ```
/// use wasmpool::pool::WorkerState;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// pool.ready()?;
/// let idle = |state| matches!(state, WorkerState::Starting | WorkerState::Idle);
/// assert!(pool.snapshot().workers.iter().all(|worker| idle(worker.state)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerState {
    /// It was started and is not ready.
    Starting,
    /// It has nothing to do.
    Idle,
    /// It runs an item.
    Busy,
    /// Its item waits for a queue, a lock or the like, or for its emitted values to be taken.
    Waiting,
    /// It is being ended.
    Ending,
}

/// A worker at one moment.
///
/// ```
/// use wasmpool::pool::WorkerState;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for worker in pool.snapshot().workers {
///     if worker.state == WorkerState::Busy {
///         println!("worker {}: item {:?}, for {} ns", worker.slot, worker.item, worker.since_nanos);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerNow {
    /// Its place in the pool, from 0.
    pub slot: u32,
    /// Which of the workers that had the place, from 1.
    pub generation: u32,
    /// Its process, if it is one and has said that it lives.
    pub pid: Option<u32>,
    /// What it does.
    pub state: WorkerState,
    /// For how long, in nanoseconds: of one that is busy or waits, how long it has been at its item.
    pub since_nanos: u64,
    /// The index of the item that it is known to run.
    pub item: Option<u64>,
    /// Items that it was given since its start.
    pub items_given: u64,
    /// Memory of its process, shared pages included, in bytes, if that can be seen.
    pub resident_bytes: Option<u64>,
}

/// A job at one moment.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let handle = pool.submit::<_, i64>("spin", 1i64)?;
/// let job = &pool.snapshot().jobs[0];
/// assert_eq!((job.function.as_str(), job.done, job.failed), ("spin", 0, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobNow {
    /// The function or task that it runs.
    pub function: String,
    /// Its items, once all are known.
    pub total: Option<u64>,
    /// Items with a result.
    pub done: u64,
    /// Items that failed.
    pub failed: u64,
    /// Items that wait for a worker.
    pub waiting: u64,
}
