//! A lock.

use std::collections::VecDeque;

use super::{Back, Call, Hub, Phase, State, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal, Timeout};
use crate::objects::object::{HolderId, Reply};

/// A lock.
pub(crate) struct LockState {
    recursive: bool,
    /// Who holds it, and how often.
    pub(super) held: Option<(HolderId, u32)>,
    /// A holder ended without releasing it, and nobody was told yet.
    abandoned: bool,
    /// Those who wait for it, a condition's waiters on their way back among them.
    pub(super) waiters: VecDeque<WaitId>,
}

impl LockState {
    pub(crate) fn new(recursive: bool) -> LockState {
        LockState {
            recursive,
            held: None,
            abandoned: false,
            waiters: VecDeque::new(),
        }
    }

    pub(super) fn is_held_by(&self, holder: HolderId) -> bool {
        self.held.is_some_and(|(by, _)| by == holder)
    }

    /// Gives it to the first who waits, if it is free.
    pub(super) fn grant(&mut self, hub: &mut Hub) {
        if self.held.is_none()
            && let Some(wait) = self.waiters.pop_front()
            && let Some(waiter) = hub.waits.get(&wait)
        {
            let holder = waiter.caller.holder;
            let (depth, answer) = match waiter.back {
                // Refused, it cannot be told: the next one is.
                Some(Back {
                    depth,
                    phase: Phase::TimedOut,
                }) => (depth, Answer::Refused(Refusal::TimedOut)),
                Some(Back { depth, .. }) => (depth, self.acquired()),
                None => (1, self.acquired()),
            };
            self.held = Some((holder, depth));
            hub.answer(wait, answer, None);
        }
    }

    fn acquired(&mut self) -> Answer {
        Answer::Acquired {
            abandoned: std::mem::take(&mut self.abandoned),
        }
    }

    fn acquire(&mut self, holder: HolderId) -> Option<Reply> {
        match &mut self.held {
            None => {
                self.held = Some((holder, 1));
                answer(self.acquired())
            }
            Some((by, depth)) if *by == holder => match depth.checked_add(1) {
                Some(deeper) if self.recursive => {
                    *depth = deeper;
                    answer(Answer::Acquired { abandoned: false })
                }
                _ => refuse(Refusal::AlreadyHeld),
            },
            Some(_) => None,
        }
    }

    fn release(&mut self, hub: &mut Hub, holder: HolderId) -> Option<Reply> {
        match &mut self.held {
            Some((by, depth)) if *by == holder => {
                *depth -= 1;
                if *depth == 0 {
                    self.held = None;
                    self.grant(hub);
                }
                answer(Answer::Done)
            }
            _ => refuse(Refusal::NotHeld),
        }
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        leave(&mut self.waiters, wait);
    }

    pub(super) fn end(&mut self, holder: HolderId, hub: &mut Hub) {
        if self.is_held_by(holder) {
            self.held = None;
            self.abandoned = true;
            self.grant(hub);
        }
    }
}

impl State {
    pub(super) fn call_lock(&mut self, id: u64, call: &Call) -> Option<Reply> {
        let holder = call.caller.holder;
        let lock = self.locks.get_mut(&id)?;
        match call.op {
            Op::Acquire(timeout) => {
                let at_once = lock.acquire(holder);
                if at_once.is_some() {
                    return at_once;
                }
                self.wait_for_lock(id, call, timeout)
            }
            Op::Release => lock.release(&mut self.hub, holder),
            _ => refuse(Refusal::NotPermitted),
        }
    }

    fn wait_for_lock(&mut self, id: u64, call: &Call, timeout: Timeout) -> Option<Reply> {
        match timeout {
            Some(0) => return refuse(Refusal::TimedOut),
            Some(_) => {}
            None => {
                if let Some(circle) = self.circle(call.caller, id) {
                    return refuse(Refusal::Deadlock(circle));
                }
            }
        }
        let wait = self.hub.wait(call, None);
        if let Some(lock) = self.locks.get_mut(&id) {
            lock.waiters.push_back(wait);
        }
        None
    }
}
