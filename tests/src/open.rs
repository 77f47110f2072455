//! Pools of built guests.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wasmpool::limits::Limits;
use wasmpool::pool::{Pool, PoolBuilder};

use crate::places::built;
use crate::run::PATIENCE;

/// A pool of two workers of a guest, by its name, whose items have all the time there is.
pub fn open(builder: PoolBuilder, guest: &str) -> Pool {
    open_within(builder, guest, PATIENCE)
}

/// The same with a time limit.
///
/// # Panics
/// If the guest was not built.
pub fn open_within(builder: PoolBuilder, guest: &str, timeout: Duration) -> Pool {
    // One at a time, so that what takes seconds to compile is compiled once and then found in the cache.
    static OPENING: Mutex<()> = Mutex::new(());
    let mut limits = Limits::new().timeout(timeout);
    limits.compile_timeout = PATIENCE;
    let module = built(guest).expect("only run with this guest");
    let opened = {
        let _turn = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        builder.workers(2).limits(limits).open(module)
    };
    opened.expect("the module can be used")
}
