//! A lock.
//!
//! One that only one holder uses is lent to it: it acquires and releases without a call, until anybody else calls, or it
//! ends. While the lock is lent nobody waits for it, and `held` says nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Back, Call, Hub, Phase, State, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal, Timeout};
use crate::objects::object::{Caller, HolderId, Lend, Reply};

/// A lock.
pub(crate) struct LockState {
    recursive: bool,
    /// Who holds it, and how often.
    pub(super) held: Option<(HolderId, u32)>,
    /// A holder ended without releasing it, and nobody was told yet.
    abandoned: bool,
    /// Those who wait for it, a condition's waiters on their way back among them.
    pub(super) waiters: VecDeque<WaitId>,
    /// To whom it is lent.
    lent: Option<(HolderId, Arc<dyn Lend>)>,
    /// Who called last, if that is not over.
    last: Option<HolderId>,
}

impl LockState {
    pub(crate) fn new(recursive: bool) -> LockState {
        LockState {
            recursive,
            held: None,
            abandoned: false,
            waiters: VecDeque::new(),
            lent: None,
            last: None,
        }
    }

    /// Takes it back from whom it is lent to: `held` is right again.
    pub(super) fn recall(&mut self) {
        if let Some((holder, lend)) = self.lent.take() {
            let most = if self.recursive { u32::MAX } else { 1 };
            let depth = lend.recall().min(most);
            self.held = (depth > 0).then_some((holder, depth));
        }
    }

    /// Lends it to who has just called, if that called last too and nobody is in its way.
    fn lend(&mut self, caller: &Caller) {
        let alone = self.last.is_none_or(|last| last == caller.holder) && self.waiters.is_empty();
        self.last = Some(caller.holder);
        let depth = match self.held {
            // Who acquires it next is to be told.
            None if self.abandoned => return,
            None => 0,
            Some((by, depth)) if by == caller.holder => depth,
            Some(_) => return,
        };
        if let (true, Some(lend)) = (alone, &caller.lend) {
            lend.lend(self.recursive, depth);
            self.lent = Some((caller.holder, lend.clone()));
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
        if self.lent.as_ref().is_some_and(|(to, _)| *to == holder) {
            self.recall();
        }
        self.last = self.last.filter(|last| *last != holder);
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
        lock.recall();
        let reply = match call.op {
            Op::Acquire(timeout) => match lock.acquire(holder) {
                None => return self.wait_for_lock(id, call, timeout),
                at_once => at_once,
            },
            Op::Release => lock.release(&mut self.hub, holder),
            _ => return refuse(Refusal::NotPermitted),
        };
        lock.lend(call.caller);
        reply
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
