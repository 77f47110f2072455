//! A condition: those who gave up its lock until somebody notifies them.

use std::collections::VecDeque;

use super::{Back, Call, Hub, Phase, State, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal};
use crate::objects::object::Reply;

/// A condition.
pub(crate) struct ConditionState {
    /// Its lock.
    pub(super) lock: u64,
    waiters: VecDeque<WaitId>,
}

impl ConditionState {
    pub(crate) fn new(lock: u64) -> ConditionState {
        ConditionState {
            lock,
            waiters: VecDeque::new(),
        }
    }

    /// Sends the first waiter on to the lock, if it waited before `before`.
    fn notify(&mut self, before: WaitId, line: &mut VecDeque<WaitId>, hub: &mut Hub) -> bool {
        let Some(wait) = self.waiters.pop_front_if(|wait| *wait < before) else {
            return false;
        };
        if let Some(back) = hub.waits.get_mut(&wait).and_then(|wait| wait.back.as_mut()) {
            back.phase = Phase::Notified { before };
        }
        line.push_back(wait);
        true
    }
}

impl State {
    pub(super) fn call_condition(&mut self, id: u64, call: &Call) -> Option<Reply> {
        let condition = self.conditions.get_mut(&id)?;
        let lock = self.locks.get_mut(&condition.lock)?;
        lock.recall();
        let hub = &mut self.hub;
        let count = match call.op {
            Op::AwaitNotify(_) | Op::Notify(_) if !lock.is_held_by(call.caller.holder) => {
                return refuse(Refusal::NotHeld);
            }
            Op::AwaitNotify(Some(0)) => return refuse(Refusal::TimedOut),
            Op::AwaitNotify(_) => {
                let depth = lock.held.take().map_or(1, |(_, depth)| depth);
                let wait = hub.wait(call, None);
                if let Some(wait) = hub.waits.get_mut(&wait) {
                    wait.back = Some(Back {
                        depth,
                        phase: Phase::Waiting,
                    });
                }
                condition.waiters.push_back(wait);
                lock.grant(hub);
                return None;
            }
            Op::Notify(count) => count,
            _ => return refuse(Refusal::NotPermitted),
        };
        // Nobody of them gets the lock now: the caller holds it.
        let (before, mut woken) = (hub.next_wait, 0);
        while woken < count && condition.notify(before, &mut lock.waiters, hub) {
            woken += 1;
        }
        answer(Answer::Number(u64::from(woken)))
    }

    /// The timeout of a condition's waiter has passed: it must hold the lock before it is told.
    pub(super) fn cancel_condition(&mut self, id: u64, wait: WaitId) -> Option<Reply> {
        let condition = self.conditions.get_mut(&id)?;
        let lock = self.locks.get_mut(&condition.lock)?;
        if !leave(&mut condition.waiters, wait) {
            return None;
        }
        lock.recall();
        let waiter = self.hub.waits.get_mut(&wait)?;
        let depth = waiter.back.map_or(1, |back| back.depth);
        if lock.held.is_none() {
            lock.held = Some((waiter.caller.holder, depth));
            self.hub.forget(wait);
            return refuse(Refusal::TimedOut);
        }
        waiter.back = Some(Back {
            depth,
            phase: Phase::TimedOut,
        });
        lock.waiters.push_back(wait);
        None
    }

    /// Takes a waiter out of the condition's line, or the lock's. A notification that it can no longer hear goes to the
    /// next of those whom it could have gone to.
    pub(super) fn withdraw_condition(&mut self, id: u64, wait: WaitId) {
        let phase = self
            .hub
            .waits
            .get(&wait)
            .and_then(|wait| wait.back)
            .map(|back| back.phase);
        if let Some(condition) = self.conditions.get_mut(&id)
            && let Some(lock) = self.locks.get_mut(&condition.lock)
        {
            leave(&mut condition.waiters, wait);
            leave(&mut lock.waiters, wait);
            // The lock is held: else the one that leaves would have it.
            if let Some(Phase::Notified { before }) = phase {
                condition.notify(before, &mut lock.waiters, &mut self.hub);
            }
        }
    }
}
