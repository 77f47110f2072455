//! A semaphore.

use std::collections::{BTreeMap, VecDeque};

use super::{Call, Hub, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal};
use crate::objects::object::{HolderId, Reply};

/// A semaphore.
pub(crate) struct SemaphoreState {
    free: u32,
    /// Of a bounded one: its bound, and how many units each holder has.
    bounded: Option<(u32, BTreeMap<HolderId, u32>)>,
    /// Units that came back from holders that ended, and nobody was told of yet.
    abandoned: u32,
    waiters: VecDeque<WaitId>,
}

impl SemaphoreState {
    pub(crate) fn new(units: u32, bounded: bool) -> SemaphoreState {
        let bounded = bounded.then(|| (units, BTreeMap::new()));
        SemaphoreState {
            free: units,
            bounded,
            abandoned: 0,
            waiters: VecDeque::new(),
        }
    }

    pub(super) fn call(&mut self, hub: &mut Hub, call: &Call) -> Option<Reply> {
        let holder = call.caller.holder;
        match call.op {
            // Where units are free, nobody waits.
            Op::Acquire(_) if self.free > 0 => answer(self.take(holder)),
            Op::Acquire(Some(0)) => refuse(Refusal::TimedOut),
            Op::Acquire(_) => {
                self.waiters.push_back(hub.wait(call, None));
                None
            }
            Op::Release => self.release(hub, holder),
            Op::Value => answer(Answer::Number(u64::from(self.free))),
            _ => refuse(Refusal::NotPermitted),
        }
    }

    fn take(&mut self, holder: HolderId) -> Answer {
        self.free -= 1;
        if let Some((_, taken)) = &mut self.bounded {
            *taken.entry(holder).or_default() += 1;
        }
        let abandoned = self.abandoned > 0;
        self.abandoned -= u32::from(abandoned);
        Answer::Acquired { abandoned }
    }

    fn release(&mut self, hub: &mut Hub, holder: HolderId) -> Option<Reply> {
        let Some(free) = self.free.checked_add(1) else {
            return refuse(Refusal::TooMany(u32::MAX));
        };
        if let Some((bound, taken)) = &mut self.bounded {
            match taken.get_mut(&holder) {
                Some(1) => _ = taken.remove(&holder),
                Some(units) => *units -= 1,
                None if self.free == *bound => return refuse(Refusal::TooMany(*bound)),
                None => return refuse(Refusal::NotHeld),
            }
        }
        self.free = free;
        self.settle(hub);
        answer(Answer::Done)
    }

    fn settle(&mut self, hub: &mut Hub) {
        while self.free > 0
            && let Some(wait) = self.waiters.pop_front()
            && let Some(holder) = hub.holder(wait)
        {
            let acquired = self.take(holder);
            hub.answer(wait, acquired, None);
        }
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        leave(&mut self.waiters, wait);
    }

    pub(super) fn end(&mut self, holder: HolderId, hub: &mut Hub) {
        if let Some((_, taken)) = &mut self.bounded
            && let Some(units) = taken.remove(&holder)
        {
            self.free += units;
            self.abandoned += units;
            self.settle(hub);
        }
    }
}
