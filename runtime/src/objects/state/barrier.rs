//! A barrier.

use std::collections::VecDeque;

use super::{Call, Hub, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal};
use crate::objects::object::Reply;

/// A barrier.
pub(crate) struct BarrierState {
    parties: u32,
    broken: bool,
    /// Those who wait, in the order in which they came.
    waiters: VecDeque<WaitId>,
}

impl BarrierState {
    pub(crate) fn new(parties: u32) -> BarrierState {
        BarrierState {
            parties,
            broken: false,
            waiters: VecDeque::new(),
        }
    }

    pub(super) fn call(&mut self, hub: &mut Hub, call: &Call) -> Option<Reply> {
        match call.op {
            Op::AwaitOthers(_) if self.broken => refuse(Refusal::Broken),
            Op::AwaitOthers(_) if self.waiters.len() as u64 + 1 >= u64::from(self.parties) => {
                let last = self.waiters.len() as u64;
                for (wait, number) in self.waiters.drain(..).zip(0..) {
                    hub.answer(wait, Answer::Number(number), None);
                }
                answer(Answer::Number(last))
            }
            Op::AwaitOthers(Some(0)) => {
                self.break_up(true, hub);
                refuse(Refusal::TimedOut)
            }
            Op::AwaitOthers(_) => {
                self.waiters.push_back(hub.wait(call, None));
                None
            }
            Op::Value => answer(Answer::Number(self.waiters.len() as u64)),
            Op::Is => answer(Answer::Flag(self.broken)),
            Op::Abort => {
                self.break_up(true, hub);
                answer(Answer::Done)
            }
            Op::Reset => {
                self.break_up(false, hub);
                answer(Answer::Done)
            }
            _ => refuse(Refusal::NotPermitted),
        }
    }

    /// Sends away those who wait; whether it is broken from now on.
    fn break_up(&mut self, broken: bool, hub: &mut Hub) {
        self.broken = broken;
        hub.answer_all(self.waiters.drain(..), Answer::Refused(Refusal::Broken));
    }

    pub(super) fn withdraw(&mut self, wait: WaitId, hub: &mut Hub) {
        leave(&mut self.waiters, wait);
        self.break_up(true, hub);
    }
}
