//! The pool's one thread: waits for sockets, news and deadlines, and tells the core. It never waits without an end
//! that the core knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::core::{Broken, Core, Logged, NEWS, WAKE};
use super::options::LogRecord;
use crate::sys::clock::now;
use crate::sys::poll::{Poller, Waker};

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

    /// Gives the messages so far to the user, outside of the lock.
    pub(super) fn deliver_logs(&self) {
        let Ok(_delivering) = self.delivering.try_lock() else {
            return;
        };
        loop {
            let logs: Vec<Logged> = std::mem::take(&mut self.core().logs);
            if logs.is_empty() {
                return;
            }
            if let Some(on_log) = &self.on_log {
                for log in &logs {
                    on_log(&LogRecord {
                        index: log.index,
                        level: log.level,
                        message: &log.message,
                    });
                }
            }
        }
    }

    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Runs until the pool is broken or closed and its last worker has ended.
    pub(super) fn supervise(&self) {
        let mut ready = Vec::new();
        loop {
            let timeout = {
                let mut core = self.core();
                core.pump();
                let over = core.broken.is_some() && core.is_empty();
                if over {
                    core.watchers.drain(..).for_each(std::task::Waker::wake);
                    return;
                }
                if !core.logs.is_empty() {
                    drop(core);
                    self.deliver_logs();
                    continue;
                }
                if !core.sleep() {
                    continue;
                }
                core.wakes_at = core.next_deadline();
                match core.wakes_at {
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
