//! An event.

use std::collections::VecDeque;

use super::{Call, Hub, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal};
use crate::objects::object::Reply;

/// An event.
#[derive(Default)]
pub(crate) struct EventState {
    set: bool,
    waiters: VecDeque<WaitId>,
}

impl EventState {
    pub(super) fn call(&mut self, hub: &mut Hub, call: &Call) -> Option<Reply> {
        match call.op {
            Op::Set => {
                self.set = true;
                hub.answer_all(self.waiters.drain(..), Answer::Done);
                answer(Answer::Done)
            }
            Op::Clear => {
                self.set = false;
                answer(Answer::Done)
            }
            Op::Is => answer(Answer::Flag(self.set)),
            Op::AwaitSet(_) if self.set => answer(Answer::Done),
            Op::AwaitSet(Some(0)) => refuse(Refusal::TimedOut),
            Op::AwaitSet(_) => {
                self.waiters.push_back(hub.wait(call, None));
                None
            }
            _ => refuse(Refusal::NotPermitted),
        }
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        leave(&mut self.waiters, wait);
    }
}
