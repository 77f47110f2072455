//! Noticing that a wait for a lock would never end.

use std::sync::Arc;

use super::{Phase, State, Wait, Which};
use crate::ipc::call::Op;
use crate::objects::object::{Caller, HolderId};
use crate::text::cut;

/// The length of the text at most, in bytes.
const MAX_TEXT: usize = 2048;

impl State {
    /// Who waits for whom, if the caller's wait for this lock closed a circle of waits that have no timeout.
    pub(super) fn circle(&self, caller: &Caller, lock: u64) -> Option<String> {
        let mut others: Vec<(Arc<str>, u64, u64)> = Vec::new();
        let mut held = lock;
        loop {
            let (holder, _) = self.locks.get(&held)?.held?;
            if holder == caller.holder {
                break;
            }
            let (wait, wanted) = self.wait_for_lock_of(holder)?;
            others.push((wait.caller.name.clone(), held, wanted));
            // Also if there should be a circle without the caller.
            if others.len() > self.hub.waits.len() {
                return None;
            }
            held = wanted;
        }
        let name = |lock| self.name(Which::Lock(lock));
        let says = |who: &str, holds, wants| {
            format!(
                "{who} holds lock `{}` and waits for lock `{}`",
                name(holds),
                name(wants)
            )
        };
        let mut text = says(&caller.name, held, lock);
        for (who, holds, wants) in &others {
            text.push_str("; ");
            text.push_str(&says(who, *holds, *wants));
            if text.len() > MAX_TEXT {
                break;
            }
        }
        cut(&mut text, MAX_TEXT);
        Some(text)
    }

    /// The lock that a holder waits for without a timeout, and its wait.
    fn wait_for_lock_of(&self, holder: HolderId) -> Option<(&Wait, u64)> {
        self.hub.waits.values().find_map(|wait| {
            let lock = match (wait.object.handle().which, wait.op) {
                (Which::Lock(lock), Op::Acquire(None)) => lock,
                (Which::Condition(id), _)
                    if wait.back.is_some_and(|back| back.phase != Phase::Waiting) =>
                {
                    self.conditions.get(&id)?.lock
                }
                _ => return None,
            };
            (wait.caller.holder == holder).then_some((wait, lock))
        })
    }
}
