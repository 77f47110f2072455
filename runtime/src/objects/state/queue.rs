//! A queue: messages between bounds, who waits for them, and, of a joinable one, who owes their confirmation.
//!
//! Messages are numbered as they are put, and `ready` is always in the order of the numbers. So a message that comes back
//! takes the place that it had.

use std::collections::{BTreeMap, VecDeque};

use super::{Call, Hub, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal, Timeout};
use crate::objects::message::Message;
use crate::objects::object::{HolderId, Reply, Rights};

/// A holder may always owe so many messages, however few its queue holds.
const OWED_AT_LEAST: usize = 1024;

/// What a queue is made with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueOptions {
    /// Messages at most.
    pub(crate) messages: usize,
    /// Bytes of all messages together, at most.
    pub(crate) bytes: u64,
    /// Whether it counts what is dealt with.
    pub(crate) joinable: bool,
    /// How often a message is delivered, at most, to holders that end.
    pub(crate) deliveries: u32,
}

/// A queue.
pub(crate) struct QueueState {
    id: u64,
    options: QueueOptions,
    ready: Messages,
    owed: BTreeMap<HolderId, Messages>,
    dead: Messages,
    dead_dropped: u64,
    putters: VecDeque<WaitId>,
    getters: VecDeque<WaitId>,
    joiners: VecDeque<WaitId>,
    closed: bool,
    next: u64,
    /// How many messages were given to holders that may not have seen them.
    pub(super) lost: u64,
}

/// Messages, and their bytes together.
#[derive(Default)]
struct Messages {
    entries: VecDeque<Entry>,
    bytes: u64,
}

struct Entry {
    /// Its number among all that were put.
    seq: u64,
    message: Message,
    /// How often it was delivered to a holder that ended.
    deliveries: u32,
}

impl Messages {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += entry.message.len();
        self.entries.push_back(entry);
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.message.len();
        Some(entry)
    }

    /// Takes out this message, the last of those that are it.
    fn take(&mut self, message: &Message) -> Option<Entry> {
        let is = |entry: &Entry| entry.message.is(message);
        let at = self.entries.iter().rposition(is)?;
        let entry = self.entries.remove(at)?;
        self.bytes -= entry.message.len();
        Some(entry)
    }

    /// Puts a message where it was.
    fn put_back(&mut self, entry: Entry) {
        self.bytes += entry.message.len();
        let at = self.entries.partition_point(|other| other.seq < entry.seq);
        self.entries.insert(at, entry);
    }
}

impl QueueState {
    /// Bytes that it holds, at most.
    pub(crate) fn bytes(&self) -> u64 {
        self.options.bytes
    }

    /// Messages that lie in it, and their bytes.
    pub(super) fn held(&self) -> (usize, u64) {
        (self.ready.len(), self.ready.bytes)
    }

    pub(crate) fn is_joinable(&self) -> bool {
        self.options.joinable
    }

    pub(crate) fn new(id: u64, options: QueueOptions) -> QueueState {
        QueueState {
            id,
            options,
            ready: Messages::default(),
            owed: BTreeMap::new(),
            dead: Messages::default(),
            dead_dropped: 0,
            putters: VecDeque::new(),
            getters: VecDeque::new(),
            joiners: VecDeque::new(),
            closed: false,
            next: 0,
            lost: 0,
        }
    }

    pub(super) fn call(
        &mut self,
        hub: &mut Hub,
        call: &Call,
        rights: Rights,
        message: Option<Message>,
    ) -> Option<Reply> {
        match call.op {
            Op::Put(_) | Op::Get(_) | Op::TaskDone if !allowed(call.op, rights) => {
                refuse(Refusal::NotPermitted)
            }
            Op::Put(timeout) => self.put(hub, call, timeout, message.unwrap_or_default()),
            Op::Get(timeout) => self.get(hub, call, timeout),
            Op::Length => answer(Answer::Number(self.ready.len() as u64)),
            Op::TaskDone => self.task_done(hub, call.caller.holder),
            Op::Join(_) if self.is_dealt_with() => answer(Answer::Done),
            Op::Join(Some(0)) => refuse(Refusal::TimedOut),
            Op::Join(_) => {
                self.joiners.push_back(hub.wait(call, None));
                None
            }
            Op::Close => {
                if rights.put {
                    self.close(hub);
                }
                answer(Answer::Done)
            }
            _ => refuse(Refusal::NotPermitted),
        }
    }

    fn put(
        &mut self,
        hub: &mut Hub,
        call: &Call,
        timeout: Timeout,
        message: Message,
    ) -> Option<Reply> {
        if self.closed {
            return refuse(Refusal::Closed);
        }
        if message.len() > self.options.bytes {
            return refuse(Refusal::TooLarge(self.options.bytes));
        }
        // Nobody overtakes who waits already, with however small a message.
        if self.putters.is_empty() && self.fits(message.len()) {
            self.push(message);
            self.settle(hub);
            return answer(Answer::Done);
        }
        if timeout == Some(0) {
            return refuse(Refusal::TimedOut);
        }
        self.putters.push_back(hub.wait(call, Some(message)));
        None
    }

    fn get(&mut self, hub: &mut Hub, call: &Call, timeout: Timeout) -> Option<Reply> {
        let holder = call.caller.holder;
        // Where there are messages, those who wait already may take none.
        if self.may_take(holder)
            && let Some(entry) = self.ready.pop()
        {
            let message = self.deliver(entry, holder, hub);
            self.settle(hub);
            return Some((Answer::Message, Some(message)));
        }
        if self.is_over_for(holder, hub) {
            return refuse(Refusal::EndOfFile);
        }
        if timeout == Some(0) {
            return refuse(Refusal::TimedOut);
        }
        self.getters.push_back(hub.wait(call, None));
        None
    }

    pub(super) fn put_more(&mut self, hub: &mut Hub, messages: &[Message]) -> usize {
        let mut put = 0;
        for message in messages {
            if self.closed || !self.putters.is_empty() || !self.fits(message.len()) {
                break;
            }
            self.push(message.clone());
            put += 1;
        }
        self.settle(hub);
        put
    }

    pub(super) fn take_more(
        &mut self,
        hub: &mut Hub,
        holder: HolderId,
        mut may: impl FnMut(u64) -> bool,
    ) -> Vec<Message> {
        let mut taken = Vec::new();
        while self.may_take(holder)
            && let Some(next) = self.ready.entries.front()
            && may(next.message.len())
            && let Some(entry) = self.ready.pop()
        {
            taken.push(self.deliver(entry, holder, hub));
        }
        self.settle(hub);
        taken
    }

    fn task_done(&mut self, hub: &mut Hub, holder: HolderId) -> Option<Reply> {
        if !self.options.joinable {
            return refuse(Refusal::NotJoinable);
        }
        let Some(owed) = self.owed.get_mut(&holder) else {
            return refuse(Refusal::NothingOwed);
        };
        if let Some(entry) = owed.pop() {
            hub.discard(entry.message);
        }
        if owed.is_empty() {
            self.owed.remove(&holder);
        }
        self.settle(hub);
        answer(Answer::Done)
    }

    fn close(&mut self, hub: &mut Hub) {
        self.closed = true;
        hub.answer_all(self.putters.drain(..), Answer::Refused(Refusal::Closed));
        self.settle(hub);
    }

    /// Whether there is room for one more message of so many bytes. In an empty queue there is for any that is allowed.
    fn fits(&self, len: u64) -> bool {
        self.ready.len() < self.options.messages
            && self.ready.bytes.saturating_add(len) <= self.options.bytes
    }

    fn push(&mut self, message: Message) {
        let seq = self.next;
        self.next += 1;
        self.ready.push(Entry {
            seq,
            message,
            deliveries: 0,
        });
    }

    /// Whether a holder may get a message: not while it owes as much as the queue may hold, so that what is kept for
    /// those who confirm nothing is bounded.
    fn may_take(&self, holder: HolderId) -> bool {
        self.owed.get(&holder).is_none_or(|owed| {
            owed.len() < self.options.messages.max(OWED_AT_LEAST)
                && owed.bytes < self.options.bytes.max(1)
        })
    }

    fn deliver(&mut self, entry: Entry, holder: HolderId, hub: &mut Hub) -> Message {
        let message = entry.message.clone();
        match self.options.joinable {
            true => self.owed.entry(holder).or_default().push(entry),
            false => hub.given(holder, self.id, entry.seq),
        }
        message
    }

    fn is_dealt_with(&self) -> bool {
        self.ready.is_empty() && self.owed.is_empty()
    }

    /// Whether no message will ever come for this holder, which asks for one. What others owe may come back, unless they
    /// wait for messages themselves: then those who owe are sent on, for else each would wait for the other.
    fn is_over_for(&self, holder: HolderId, hub: &Hub) -> bool {
        let waits = |other| {
            self.getters
                .iter()
                .any(|wait| hub.holder(*wait) == Some(other))
        };
        let nobody_else = || {
            self.owed
                .keys()
                .all(|other| *other == holder || waits(*other))
        };
        self.closed
            && self.ready.is_empty()
            && (self.owed.is_empty() || (self.owed.contains_key(&holder) && nobody_else()))
    }

    /// Serves everybody who can go on.
    pub(super) fn settle(&mut self, hub: &mut Hub) {
        loop {
            let mut moved = false;
            while !self.ready.is_empty() {
                let may_take = |wait: &WaitId| {
                    hub.holder(*wait)
                        .is_some_and(|holder| self.may_take(holder))
                };
                let Some(at) = self.getters.iter().position(may_take) else {
                    break;
                };
                if let Some(wait) = self.getters.remove(at)
                    && let Some(holder) = hub.holder(wait)
                    && let Some(entry) = self.ready.pop()
                {
                    let message = self.deliver(entry, holder, hub);
                    hub.answer(wait, Answer::Message, Some(message));
                }
                moved = true;
            }
            while let Some(wait) = self.putters.front().copied()
                && self.fits(hub.message_len(wait))
            {
                self.putters.pop_front();
                let message = hub.take_message(wait);
                self.push(message);
                hub.answer(wait, Answer::Done, None);
                moved = true;
            }
            if !moved {
                break;
            }
        }
        if self.closed && self.ready.is_empty() {
            let over = |wait: &&WaitId| {
                hub.holder(**wait)
                    .is_some_and(|holder| self.is_over_for(holder, hub))
            };
            let over: Vec<WaitId> = self.getters.iter().filter(over).copied().collect();
            self.getters.retain(|wait| !over.contains(wait));
            hub.answer_all(over, Answer::Refused(Refusal::EndOfFile));
        }
        if self.is_dealt_with() {
            hub.answer_all(self.joiners.drain(..), Answer::Done);
        }
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        for line in [&mut self.putters, &mut self.getters, &mut self.joiners] {
            leave(line, wait);
        }
    }

    pub(super) fn end(&mut self, holder: HolderId, hub: &mut Hub) {
        for mut entry in self.owed.remove(&holder).unwrap_or_default().entries {
            entry.deliveries += 1;
            match entry.deliveries < self.options.deliveries {
                true => self.ready.put_back(entry),
                false => self.bury(entry, hub),
            }
        }
        self.settle(hub);
    }

    /// Puts a message aside for good, and makes room for it if there are too many.
    fn bury(&mut self, entry: Entry, hub: &mut Hub) {
        self.dead.push(entry);
        while self.dead.len() > self.options.messages || self.dead.bytes > self.options.bytes {
            if let Some(entry) = self.dead.pop() {
                hub.discard(entry.message);
            }
            self.dead_dropped += 1;
        }
    }

    /// Takes back a message that was to be given to a holder: of a joinable queue that one, of any other the last.
    pub(super) fn undelivered(&mut self, holder: HolderId, message: Message, hub: &mut Hub) {
        let entry = match self.options.joinable {
            true => self
                .owed
                .get_mut(&holder)
                .and_then(|owed| owed.take(&message)),
            false => hub.not_given(holder, self.id).map(|seq| Entry {
                seq,
                message,
                deliveries: 0,
            }),
        };
        if self.owed.get(&holder).is_some_and(Messages::is_empty) {
            self.owed.remove(&holder);
        }
        if let Some(entry) = entry {
            self.ready.put_back(entry);
            self.settle(hub);
        }
    }

    /// How many messages were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes out the messages that were put aside, and how many there were besides.
    pub(crate) fn take_dead(&mut self) -> (Vec<Message>, u64) {
        let dead = std::mem::take(&mut self.dead);
        let messages = dead.entries.into_iter().map(|entry| entry.message);
        (messages.collect(), std::mem::take(&mut self.dead_dropped))
    }
}

fn allowed(op: Op, rights: Rights) -> bool {
    match op {
        Op::Put(_) => rights.put,
        _ => rights.get,
    }
}
