//! Looking at pools from outside: at one, as long as it is there, or at all of this process.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::snapshot::Snapshot;
use super::supervisor::Shared;

static POOLS: Mutex<Vec<Watcher>> = Mutex::new(Vec::new());

/// Looks at a pool from any thread, and does not keep it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let watcher = pool.watcher();
/// assert!(watcher.snapshot().is_some());
/// drop(pool);
/// assert!(watcher.snapshot().is_none(), "it does not keep the pool");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Watcher(Weak<Shared>);

impl Watcher {
    pub(super) fn new(shared: &Arc<Shared>) -> Watcher {
        Watcher(Arc::downgrade(shared))
    }

    /// What goes on in the pool now; see [`Pool::snapshot`](super::Pool::snapshot). `None` once it is gone.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let watcher = pool.watcher();
    /// if let Some(now) = watcher.snapshot() {
    ///     println!("{} items are done", now.stats.done);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Option<Snapshot> {
        Some(self.0.upgrade()?.snapshot())
    }
}

/// From now on the pool is one of those that [`snapshots`] tells of.
pub(super) fn register(shared: &Arc<Shared>) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|pool| pool.0.strong_count() > 0);
    pools.push(Watcher::new(shared));
}

/// What goes on now in all pools of this process, in the order in which they were opened.
pub(crate) fn snapshots() -> Vec<Snapshot> {
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    pools.iter().filter_map(Watcher::snapshot).collect()
}
