//! What a task may know of its surroundings.
//!
//! Outside WebAssembly the answers are those of `testing::Surroundings`.

use std::time::Duration;

use crate::host;

/// The index of this worker in its pool, from 0. A replaced worker's successor has the same index.
///
/// ```
/// use wasmpool_guest::{context, testing};
///
/// let third = testing::Surroundings { worker_index: 2, ..Default::default() };
/// testing::within(third, || assert_eq!(context::worker_index(), 2));
/// ```
pub fn worker_index() -> u32 {
    host::worker_index()
}

/// The index of the running item in its job, from 0; none while no item runs.
///
/// ```
/// use wasmpool_guest::context;
///
/// // In a test, and in a task while it runs an item.
/// assert_eq!(context::item_index(), Some(0));
/// ```
pub fn item_index() -> Option<u64> {
    host::item_index()
}

/// Which attempt at the running item this is, from 1; 0 while no item runs.
///
/// Greater than 1 after a worker was lost, or after the item shared a chunk with one that ended its worker. What an
/// earlier attempt did outside its own memory was done.
///
/// ```
/// use wasmpool_guest::{context, log};
///
/// if context::attempt() > 1 {
///     log::warn!("what the attempt before has written may be half done");
/// }
/// # assert_eq!(context::attempt(), 1);
/// ```
pub fn attempt() -> u32 {
    host::attempt()
}

/// Time until the running item's deadline; none without a deadline or while no item runs. At zero the worker process
/// is killed: there is no time to clean up.
///
/// ```
/// use std::time::Duration;
/// use wasmpool_guest::{context, testing};
///
/// /// Goes on while there is time, and returns what it has by then.
/// fn refine(mut guess: f64) -> f64 {
///     while context::time_left().is_none_or(|left| left > Duration::from_millis(10)) {
///         let better = (guess + 2.0 / guess) / 2.0;
///         if better == guess {
///             break;
///         }
///         guess = better;
///     }
///     guess
/// }
///
/// let late = testing::Surroundings { time_left: Some(Duration::ZERO), ..Default::default() };
/// assert_eq!(testing::within(late, || refine(1.0)), 1.0);
/// ```
pub fn time_left() -> Option<Duration> {
    host::time_left().map(Duration::from_nanos)
}

/// Whether the running item was cancelled: finish early, the result is thrown away.
///
/// ```
/// use wasmpool_guest::{context, testing};
///
/// fn sum(numbers: &[u64]) -> u64 {
///     numbers.iter().take_while(|_| !context::cancelled()).sum()
/// }
///
/// assert_eq!(sum(&[1, 2, 3]), 6);
/// let cancelled = testing::Surroundings { cancelled: true, ..Default::default() };
/// assert_eq!(testing::within(cancelled, || sum(&[1, 2, 3])), 0);
/// ```
pub fn cancelled() -> bool {
    host::cancelled()
}
