//! What goes on in a pool at one moment. Plain data.

use serde::{Deserialize, Serialize};

use super::options::Stats;

/// What goes on in a pool at one moment.
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
