//! The waiting for words of a buffer. The buffer's memory is its owner's: here a word is only loaded.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Call, Hub, WaitId, answer, refuse};
use crate::ipc::call::{Answer, Op, Refusal, Word};
use crate::objects::object::{Memory, Reply, Rights};

/// Who waits for which word of a buffer.
pub(crate) struct WordsState {
    memory: Arc<dyn Memory>,
    /// Offsets and who waits for them, in the order in which they came.
    waiters: VecDeque<(u64, WaitId)>,
}

impl WordsState {
    pub(crate) fn new(memory: Arc<dyn Memory>) -> WordsState {
        WordsState {
            memory,
            waiters: VecDeque::new(),
        }
    }

    pub(super) fn call(&mut self, hub: &mut Hub, call: &Call, rights: Rights) -> Option<Reply> {
        match call.op {
            // Loaded under the lock that notifying takes, too: who changes the word and then notifies finds who saw it
            // unchanged.
            Op::AwaitWord(offset, expected, timeout) => match self.memory.load(offset, expected) {
                None => refuse(Refusal::OutOfBounds),
                Some(value) if value != expected => answer(Answer::Flag(false)),
                Some(_) if timeout == Some(0) => refuse(Refusal::TimedOut),
                Some(_) => {
                    self.waiters.push_back((offset, hub.wait(call, None)));
                    None
                }
            },
            Op::NotifyWord(..) if !rights.write => refuse(Refusal::NotPermitted),
            Op::NotifyWord(offset, _) if self.memory.load(offset, Word::U32(0)).is_none() => {
                refuse(Refusal::OutOfBounds)
            }
            Op::NotifyWord(offset, count) => {
                let mut woken = 0;
                self.waiters.retain(|(at, wait)| {
                    let wakes = *at == offset && woken < count;
                    if wakes {
                        woken += 1;
                        hub.answer(*wait, Answer::Flag(true), None);
                    }
                    !wakes
                });
                answer(Answer::Number(u64::from(woken)))
            }
            _ => refuse(Refusal::NotPermitted),
        }
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        self.waiters.retain(|(_, other)| *other != wait);
    }
}
