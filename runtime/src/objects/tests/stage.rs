//! Holders that call objects, and hear the answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::ipc::call::{Answer, Op, Refusal, Word};
use crate::ipc::lease::Lease;
use crate::objects::{
    Caller, Delivered, HolderId, Lend, Mail, Memory, Message, Object, Reply, Rights, cancel, end,
    seen, undelivered,
};

/// What was delivered to all holders, in order.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Vec<Delivered>>);

impl Mail for Inbox {
    fn deliver(&self, delivered: Delivered) {
        self.0.lock().unwrap().push(delivered);
    }

    fn wake(&self) {}
}

/// The word of a lock that a holder may be lent; its instance is the holder's number.
#[derive(Default)]
struct Lent {
    word: Lease,
    who: u32,
}

impl Lend for Lent {
    fn lend(&self, recursive: bool, depth: u32) {
        self.word.lend(self.who, recursive, depth);
    }

    fn recall(&self) -> u32 {
        self.word.recall(self.who)
    }
}

/// Holders by number. One with several calls under way is several threads.
pub(super) struct Stage {
    holders: Vec<HolderId>,
    /// The calls that each has under way.
    waits: Vec<Vec<u64>>,
    next: u64,
    inbox: Arc<Inbox>,
    /// The words of the locks that holders have called, by their names.
    leases: BTreeMap<(HolderId, Arc<str>), Arc<Lent>>,
    /// Calls that a lent lock made needless.
    pub(super) saved: u64,
}

impl Stage {
    pub(super) fn new(holders: usize) -> Stage {
        Stage {
            holders: (0..holders).map(|_| HolderId::new()).collect(),
            waits: vec![Vec::new(); holders],
            next: 0,
            inbox: Arc::default(),
            leases: BTreeMap::new(),
            saved: 0,
        }
    }

    /// Who has this number.
    pub(super) fn who(&self, holder: HolderId) -> Option<usize> {
        self.holders.iter().position(|h| *h == holder)
    }

    pub(super) fn waits(&self, who: usize) -> bool {
        !self.waits[who].is_empty()
    }

    /// Does without a call what a lent lock allows, as an instance does.
    fn use_lent(&mut self, lent: &Lent, op: Op) -> Option<Reply> {
        let answer = match op {
            Op::Acquire(_) if lent.word.acquire(lent.who) => Answer::Acquired { abandoned: false },
            Op::Release if lent.word.release(lent.who) => Answer::Done,
            _ => return None,
        };
        self.saved += 1;
        Some((answer, None))
    }

    pub(super) fn call(
        &mut self,
        who: usize,
        object: &Object,
        rights: Rights,
        op: Op,
        message: Option<&str>,
    ) -> Option<Reply> {
        let lend = match object {
            Object::Lock(_) => {
                let key = (self.holders[who], object.name());
                let lent = self.leases.entry(key).or_insert_with(|| {
                    Arc::new(Lent {
                        word: Lease::default(),
                        who: who as u32,
                    })
                });
                let lent = lent.clone();
                if let Some(reply) = self.use_lent(&lent, op) {
                    return Some(reply);
                }
                Some(lent as Arc<dyn Lend>)
            }
            _ => None,
        };
        self.next += 1;
        let caller = Caller {
            holder: self.holders[who],
            name: format!("worker {who}").into(),
            mail: self.inbox.clone(),
            ticket: self.next,
            lend,
        };
        let message = message.map(|text| Message::new(text.as_bytes()).unwrap());
        let reply = object.call(&caller, rights, op, message);
        if reply.is_none() {
            self.waits[who].push(self.next);
        }
        reply
    }

    /// The timeout of a holder's wait has passed.
    pub(super) fn cancel(&mut self, who: usize) -> Option<Reply> {
        let first = self.waits[who].first().copied();
        let reply = cancel(self.holders[who], first.unwrap_or(0));
        if reply.is_some() {
            self.waits[who].remove(0);
        }
        reply
    }

    /// A holder ends, and another takes its number.
    pub(super) fn end(&mut self, who: usize) {
        end(self.holders[who]);
        self.holders[who] = HolderId::new();
        self.waits[who].clear();
    }

    pub(super) fn seen(&self, who: usize) {
        seen(self.holders[who]);
    }

    pub(super) fn undelivered(&self, who: usize, object: &Object, message: &str) {
        undelivered(
            self.holders[who],
            object,
            Message::new(message.as_bytes()).unwrap(),
        );
    }

    /// What was delivered since this was asked last: to whom, and what. Nobody hears what it does not wait for.
    pub(super) fn heard(&mut self) -> Vec<(usize, Reply)> {
        let delivered = std::mem::take(&mut *self.inbox.0.lock().unwrap());
        let heard = delivered.into_iter().map(|delivered| {
            let who = self
                .who(delivered.holder)
                .expect("an answer for a holder that is over");
            let at = self.waits[who]
                .iter()
                .position(|ticket| *ticket == delivered.ticket);
            self.waits[who].remove(at.expect("an answer nobody waits for"));
            (who, (delivered.answer, delivered.message))
        });
        heard.collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for holder in &self.holders {
            end(*holder);
        }
    }
}

/// The text of a message.
pub(super) fn text(message: &Option<Message>) -> String {
    let bytes = message
        .as_ref()
        .map(|message| message.bytes().unwrap().to_vec());
    String::from_utf8(bytes.unwrap_or_default()).unwrap()
}

/// A reply, in short.
pub(super) fn short(reply: &Reply) -> String {
    let (answer, message) = reply;
    assert_eq!(
        *answer == Answer::Message,
        message.is_some(),
        "a message exactly where the answer says so"
    );
    match answer {
        Answer::Done => "done".into(),
        Answer::Message => text(message),
        Answer::Messages => unreachable!("objects give one message at a time"),
        Answer::Number(n) => n.to_string(),
        Answer::Flag(flag) => flag.to_string(),
        Answer::Acquired { abandoned: false } => "acquired".into(),
        Answer::Acquired { abandoned: true } => "acquired, abandoned".into(),
        Answer::Refused(Refusal::Deadlock(text)) => text.clone(),
        Answer::Refused(refusal) => format!("{refusal:?}"),
    }
}

/// Memory of a buffer of 16 bytes.
#[derive(Default)]
pub(super) struct Cells(pub(super) [AtomicU64; 2]);

impl Memory for Cells {
    fn load(&self, offset: u64, like: Word) -> Option<Word> {
        let cell = self
            .0
            .get(usize::try_from(offset / 8).ok()?)?
            .load(Ordering::SeqCst);
        match like {
            Word::U64(_) if offset.is_multiple_of(8) => Some(Word::U64(cell)),
            Word::U32(_) if offset.is_multiple_of(4) => {
                Some(Word::U32((cell >> (offset % 8 * 8)) as u32))
            }
            _ => None,
        }
    }
}
