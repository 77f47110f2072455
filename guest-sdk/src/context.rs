//! What a task may know of its surroundings.
//!
//! Outside WebAssembly the answers are those of `testing::Surroundings`.

use std::time::Duration;

use crate::host;

/// The index of this worker in its pool, from 0. A replaced worker's successor has the same index.
pub fn worker_index() -> u32 {
    host::worker_index()
}

/// The index of the running item in its job, from 0; none while no item runs.
pub fn item_index() -> Option<u64> {
    host::item_index()
}

/// Which attempt at the running item this is, from 1; 0 while no item runs.
///
/// Greater than 1 after a worker was lost, or after the item shared a chunk with one that ended its worker. What an
/// earlier attempt did outside its own memory was done.
pub fn attempt() -> u32 {
    host::attempt()
}

/// Time until the running item's deadline; none without a deadline or while no item runs. At zero the worker process
/// is killed: there is no time to clean up.
pub fn time_left() -> Option<Duration> {
    host::time_left().map(Duration::from_nanos)
}

/// Whether the running item was cancelled: finish early, the result is thrown away.
pub fn cancelled() -> bool {
    host::cancelled()
}
