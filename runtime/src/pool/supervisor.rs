//! The pool's one thread: waits for sockets, news and deadlines, and tells the core. It never waits without an end
//! that the core knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::core::{Broken, Core, Logged, NEWS, WAKE};
use super::options::LogRecord;
use super::snapshot::Snapshot;
use crate::sys::clock::now;
use crate::sys::poll::{Poller, Waker};
use crate::sys::seen::resident_bytes;

/// How long messages are delivered before something else is looked at, in nanoseconds, one call of the user's function
/// excepted.
const DELIVERY: u64 = 10_000_000;

/// How long the supervisor looks for calls by itself after the last one, in nanoseconds: an answer is mostly followed by
/// another call, and waking this thread would cost more than either.
const CALL_SPIN: u64 = 30_000;
/// How long it looks for nothing but calls, in nanoseconds.
const MOST_CALL_SPIN: u64 = 1_000_000;

/// What is called with every message of guests.
pub(super) type OnLog = Box<dyn Fn(&LogRecord<'_>) + Send + Sync>;

/// What the supervisor and all users of a pool share.
pub(super) struct Shared {
    core: Mutex<Core>,
    poller: Arc<Poller>,
    waker: Arc<Waker>,
    on_log: Option<OnLog>,
    /// Held while messages are delivered, so that they come in order.
    delivering: Mutex<()>,
}

impl Shared {
    pub(super) fn new(
        core: Core,
        poller: Arc<Poller>,
        waker: Arc<Waker>,
        on_log: Option<OnLog>,
    ) -> Shared {
        Shared {
            core: Mutex::new(core),
            poller,
            waker,
            on_log,
            delivering: Mutex::new(()),
        }
    }

    /// The core. A panic of a user's callback cannot poison it: none is called under the lock.
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_core(&self) -> Option<MutexGuard<'_, Core>> {
        self.core.try_lock().ok()
    }

    /// Gives the messages so far to the user, outside of the lock. Returns at once if another thread does.
    pub(super) fn deliver_logs(&self) {
        // Looked at again behind the lock: whoever came in between and was sent away may have had more.
        while self.deliver_some() && !self.core().logs.is_empty() {}
    }

    /// Gives messages to the user until there are none or [`DELIVERY`] has passed. False if another thread does.
    fn deliver_some(&self) -> bool {
        let Ok(_delivering) = self.delivering.try_lock() else {
            return false;
        };
        let start = now();
        let logs: Vec<Logged> = std::mem::take(&mut self.core().logs);
        let mut logs = logs.into_iter();
        let Some(on_log) = &self.on_log else {
            return true;
        };
        while now().saturating_sub(start) < DELIVERY
            && let Some(log) = logs.next()
        {
            on_log(&LogRecord {
                index: log.index,
                level: log.level,
                message: &log.message,
            });
        }
        if logs.len() > 0 {
            let mut core = self.core();
            let later = std::mem::take(&mut core.logs);
            core.logs = logs.chain(later).collect();
        }
        true
    }

    /// What goes on now. The core is free again while processes are looked at.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.core().snapshot();
        for worker in &mut snapshot.workers {
            worker.resident_bytes = worker.pid.and_then(resident_bytes);
        }
        snapshot
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Answers calls until there are none for a while. Whether there was one.
    fn look_for_calls(&self) -> bool {
        let start = now();
        let mut last = start;
        let mut time = start;
        while time - last < CALL_SPIN && time - start < MOST_CALL_SPIN {
            for _ in 0..16 {
                std::hint::spin_loop();
            }
            time = now();
            if let Some(mut core) = self.try_core() {
                core.pump();
                if core.has_called() {
                    last = time;
                }
            }
        }
        last > start
    }

    /// Runs until the pool is broken or closed and its last worker has ended; then ends what started them. In this
    /// thread, since the fork server is killed as it ends: afterwards nobody could wait for it to end in order, and
    /// whoever holds a handle would keep what is left of it.
    pub(super) fn supervise(&self) {
        let mut ready = Vec::new();
        loop {
            let timeout = {
                let mut core = self.core();
                core.pump();
                let over = core.broken.is_some() && core.is_empty();
                if over {
                    core.watchers.drain(..).for_each(std::task::Waker::wake);
                    let launcher = core.take_launcher();
                    drop(core);
                    drop(launcher);
                    return;
                }
                let mut busy = false;
                if !core.logs.is_empty() {
                    core.leave();
                    drop(core);
                    // If another thread delivers, it will see these too.
                    busy = self.deliver_some();
                    core = self.core();
                    // While the user's function took its time, rings filled up, and workers waited for room.
                    core.come_back();
                }
                if core.has_called() && core.may_spin() {
                    core.spin(true);
                    drop(core);
                    let found = self.look_for_calls();
                    core = self.core();
                    core.spun(found);
                    busy |= !core.spin(false);
                }
                // A worker that always has something does not keep the others' sockets and deadlines waiting.
                busy |= !core.sleep();
                core.wakes_at = core.next_deadline();
                match core.wakes_at {
                    _ if busy => Some(Duration::ZERO),
                    u64::MAX => None,
                    at => Some(Duration::from_nanos(at.saturating_sub(now()))),
                }
            };
            if let Err(e) = self.poller.wait(timeout, &mut ready) {
                let broken = Broken::Pool {
                    doing: "waiting for workers failed".into(),
                    reason: e.to_string(),
                };
                self.core().give_up(broken);
            }
            let mut core = self.core();
            core.wakes_at = 0;
            for &token in &ready {
                match token {
                    WAKE => self.waker.reset(),
                    NEWS => core.on_news(),
                    worker => core.on_socket(worker as u32, (worker >> 32) as u32),
                }
            }
            core.on_time();
        }
    }
}
