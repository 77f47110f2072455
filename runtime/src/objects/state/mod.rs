//! The state of all objects of this process, under one lock.
//!
//! One lock, because conditions join two objects, the end of a holder touches all of them, and a circle of waits can only
//! be seen in one moment of them all. Nothing waits under it, and nothing foreign is called but [`Mail::deliver`] and
//! [`Memory::load`]; what is given up under it is dropped behind it, in [`with`], since dropping may call anything.
//!
//! [`Mail::deliver`]: super::object::Mail::deliver
//! [`Memory::load`]: super::object::Memory::load

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::message::Message;
use super::object::{Caller, Delivered, Depth, HolderId, Object, Reply, Rights, Waiting};
use crate::ipc::call::{Answer, Op, Refusal};
use crate::sys::poll::Bell;

mod barrier;
mod condition;
mod deadlock;
mod event;
mod lock;
mod pipe;
mod queue;
mod semaphore;
mod words;

pub(crate) use barrier::BarrierState;
pub(crate) use condition::ConditionState;
pub(crate) use event::EventState;
pub(crate) use lock::LockState;
pub(crate) use pipe::PipeState;
pub(crate) use queue::{QueueOptions, QueueState};
pub(crate) use semaphore::SemaphoreState;
pub(crate) use words::WordsState;

/// Which object, of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Queue(u64),
    /// The pipe, and which of its ends: 0 or 1.
    End(u64, usize),
    Lock(u64),
    Semaphore(u64),
    Event(u64),
    Condition(u64),
    Barrier(u64),
    Words(u64),
}

/// A call, as it arrives at an object.
pub(crate) struct Call<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) object: &'a Object,
    pub(crate) op: Op,
}

/// Names a wait. A later one has a larger number.
pub(super) type WaitId = u64;

/// A call that has no answer yet. It keeps its object existing.
pub(super) struct Wait {
    caller: Caller,
    object: Object,
    op: Op,
    /// What it wants to put or send.
    message: Option<Message>,
    /// Of a condition's waiter: its way back to the lock.
    back: Option<Back>,
}

/// The way of a condition's waiter back to the lock.
#[derive(Clone, Copy)]
struct Back {
    /// How often it held the lock.
    depth: u32,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It waits for a notification.
    Waiting,
    /// It was notified, with others of those that waited before this number came up, and waits for the lock.
    Notified { before: WaitId },
    /// Its timeout passed, and it waits for the lock.
    TimedOut,
}

/// What is known of a holder besides what objects know.
#[derive(Default)]
struct Holder {
    /// The objects that it has called.
    touched: Vec<Which>,
    /// Messages of plain queues that it may not have seen: the queue, and the message's number.
    unseen: Vec<(u64, u64)>,
}

/// What all objects share: who waits, and who holds.
pub(super) struct Hub {
    waits: BTreeMap<WaitId, Wait>,
    holders: BTreeMap<HolderId, Holder>,
    next_wait: WaitId,
    /// Who wants to know when so many wait, and for ever.
    watches: Vec<(Arc<Bell>, usize)>,
    trash: Vec<Trash>,
}

/// What is dropped behind the lock: dropping it may call foreign code, take the lock, or take long.
pub(crate) enum Trash {
    /// Its answer is delivered: who waits for it is woken first.
    Answered(Wait),
    Wait(#[allow(dead_code)] Wait),
    Message(#[allow(dead_code)] Message),
    Body(#[allow(dead_code)] Box<dyn Send>),
}

/// All objects.
pub(crate) struct State {
    pub(crate) queues: BTreeMap<u64, QueueState>,
    pub(crate) pipes: BTreeMap<u64, PipeState>,
    pub(crate) locks: BTreeMap<u64, LockState>,
    pub(crate) semaphores: BTreeMap<u64, SemaphoreState>,
    pub(crate) events: BTreeMap<u64, EventState>,
    pub(crate) conditions: BTreeMap<u64, ConditionState>,
    pub(crate) barriers: BTreeMap<u64, BarrierState>,
    pub(crate) words: BTreeMap<u64, WordsState>,
    names: BTreeMap<u64, Arc<str>>,
    next: u64,
    hub: Hub,
}

static STATE: Mutex<State> = Mutex::new(State {
    queues: BTreeMap::new(),
    pipes: BTreeMap::new(),
    locks: BTreeMap::new(),
    semaphores: BTreeMap::new(),
    events: BTreeMap::new(),
    conditions: BTreeMap::new(),
    barriers: BTreeMap::new(),
    words: BTreeMap::new(),
    names: BTreeMap::new(),
    next: 1,
    hub: Hub {
        waits: BTreeMap::new(),
        holders: BTreeMap::new(),
        next_wait: 1,
        watches: Vec::new(),
        trash: Vec::new(),
    },
});

/// Does something with the state of all objects, under their lock.
pub(crate) fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let result = f(&mut state);
    let trash = std::mem::take(&mut state.hub.trash);
    drop(state);
    for trash in &trash {
        if let Trash::Answered(wait) = trash {
            wait.caller.mail.wake();
        }
    }
    drop(trash);
    result
}

/// An answer without a message, at once.
fn answer(answer: Answer) -> Option<Reply> {
    Some((answer, None))
}

/// A refusal, at once.
fn refuse(refusal: Refusal) -> Option<Reply> {
    answer(Answer::Refused(refusal))
}

/// Takes a wait out of a line of them. False if it is not in it.
fn leave(line: &mut VecDeque<WaitId>, wait: WaitId) -> bool {
    let at = line.iter().position(|w| *w == wait);
    at.is_some_and(|at| line.remove(at).is_some())
}

impl Hub {
    /// Writes down that a call waits.
    fn wait(&mut self, call: &Call, message: Option<Message>) -> WaitId {
        let id = self.next_wait;
        self.next_wait += 1;
        let wait = Wait {
            caller: call.caller.clone(),
            object: call.object.clone(),
            op: call.op,
            message,
            back: None,
        };
        self.waits.insert(id, wait);
        if !self.watches.is_empty() {
            let for_ever = self.waits.values().filter(|w| !w.is_timed()).count();
            let reached = self.watches.iter().filter(|(_, many)| for_ever >= *many);
            reached.for_each(|(bell, _)| bell.ring());
        }
        id
    }

    /// Answers a call that waited.
    fn answer(&mut self, wait: WaitId, answer: Answer, message: Option<Message>) {
        if let Some(wait) = self.waits.remove(&wait) {
            let Caller { holder, ticket, .. } = wait.caller;
            wait.caller.mail.deliver(Delivered {
                holder,
                ticket,
                answer,
                message,
            });
            self.trash.push(Trash::Answered(wait));
        }
    }

    /// Answers all of a line of calls alike.
    fn answer_all(&mut self, waits: impl IntoIterator<Item = WaitId>, answer: Answer) {
        for wait in waits {
            self.answer(wait, answer.clone(), None);
        }
    }

    /// Forgets a call that waited.
    fn forget(&mut self, wait: WaitId) {
        self.trash.extend(self.waits.remove(&wait).map(Trash::Wait));
    }

    /// Who makes a call that waits.
    fn holder(&self, wait: WaitId) -> Option<HolderId> {
        self.waits.get(&wait).map(|wait| wait.caller.holder)
    }

    /// The length of what a waiting call wants to put or send, in bytes.
    fn message_len(&self, wait: WaitId) -> u64 {
        let message = self.waits.get(&wait).and_then(|wait| wait.message.as_ref());
        message.map_or(0, Message::len)
    }

    /// What a waiting call wants to put or send.
    fn take_message(&mut self, wait: WaitId) -> Message {
        let message = self
            .waits
            .get_mut(&wait)
            .and_then(|wait| wait.message.take());
        message.unwrap_or_default()
    }

    /// Drops a message behind the lock.
    fn discard(&mut self, message: Message) {
        if matches!(message, Message::File(_)) {
            self.trash.push(Trash::Message(message));
        }
    }

    /// A holder was given a message of a plain queue.
    fn given(&mut self, holder: HolderId, queue: u64, seq: u64) {
        self.holders
            .entry(holder)
            .or_default()
            .unseen
            .push((queue, seq));
    }

    /// The last message of a queue that a holder may not have seen was not given to it.
    fn not_given(&mut self, holder: HolderId, queue: u64) -> Option<u64> {
        let unseen = &mut self.holders.get_mut(&holder)?.unseen;
        let at = unseen.iter().rposition(|(of, _)| *of == queue)?;
        Some(unseen.remove(at).1)
    }
}

impl State {
    /// Adds an object to one of the tables.
    pub(crate) fn add<T>(
        &mut self,
        name: Option<&str>,
        which: impl FnOnce(u64) -> Which,
        table: impl FnOnce(&mut State) -> &mut BTreeMap<u64, T>,
        body: impl FnOnce(u64) -> T,
    ) -> Which {
        let id = self.next;
        self.next += 1;
        table(self).insert(id, body(id));
        let which = which(id);
        let name = match name {
            Some(name) => name.into(),
            None => format!("{} {id}", which.kind()).into(),
        };
        self.names.insert(id, name);
        which
    }

    /// Removes an object that has no handle any more, or closes an end of a pipe.
    pub(crate) fn remove(&mut self, which: Which) {
        fn body<T: Send + 'static>(body: Option<T>) -> Option<Trash> {
            body.map(|body| Trash::Body(Box::new(body)))
        }
        let trash = match which {
            Which::Queue(id) => body(self.queues.remove(&id)),
            Which::End(id, side) => {
                let over = self
                    .pipes
                    .get_mut(&id)
                    .is_some_and(|pipe| pipe.drop_end(side, &mut self.hub));
                if !over {
                    return;
                }
                body(self.pipes.remove(&id))
            }
            Which::Lock(id) => body(self.locks.remove(&id)),
            Which::Semaphore(id) => body(self.semaphores.remove(&id)),
            Which::Event(id) => body(self.events.remove(&id)),
            Which::Condition(id) => body(self.conditions.remove(&id)),
            Which::Barrier(id) => body(self.barriers.remove(&id)),
            Which::Words(id) => body(self.words.remove(&id)),
        };
        self.hub.trash.extend(trash);
        self.names.remove(&which.id());
    }

    /// An object's name for people.
    pub(crate) fn name(&self, which: Which) -> Arc<str> {
        let name = self.names.get(&which.id()).cloned();
        name.unwrap_or_else(|| which.kind().into())
    }

    /// From now on this bell rings when so many wait for ever; 0: never.
    pub(crate) fn watch(&mut self, bell: &Arc<Bell>, many: usize) {
        self.hub
            .watches
            .retain(|(other, _)| !Arc::ptr_eq(other, bell));
        if many > 0 {
            self.hub.watches.push((bell.clone(), many));
        }
    }

    /// Bytes of the largest message that a queue or pipe takes.
    pub(crate) fn largest_message(&self, which: Which) -> u64 {
        match which {
            Which::Queue(id) => self.queues.get(&id).map_or(0, QueueState::bytes),
            Which::End(id, _) => self.pipes.get(&id).map_or(0, PipeState::bytes),
            _ => 0,
        }
    }

    /// Gives an object a name for people.
    pub(crate) fn rename(&mut self, which: Which, name: &str) {
        self.names.insert(which.id(), name.into());
    }

    /// Makes a call.
    pub(crate) fn call(
        &mut self,
        call: &Call,
        rights: Rights,
        message: Option<Message>,
    ) -> Option<Reply> {
        let which = call.object.handle().which;
        let holder = self.hub.holders.entry(call.caller.holder).or_default();
        holder.unseen.clear();
        if !holder.touched.contains(&which) {
            holder.touched.push(which);
        }
        let hub = &mut self.hub;
        // Whoever has the object has its handle, so it is in its table.
        let missing = || refuse(Refusal::NotPermitted);
        match which {
            Which::Queue(id) => match self.queues.get_mut(&id) {
                Some(queue) => queue.call(hub, call, rights, message),
                None => missing(),
            },
            Which::End(id, side) => match self.pipes.get_mut(&id) {
                Some(pipe) => pipe.call(side, hub, call, message),
                None => missing(),
            },
            Which::Lock(id) => self.call_lock(id, call),
            Which::Semaphore(id) => match self.semaphores.get_mut(&id) {
                Some(semaphore) => semaphore.call(hub, call),
                None => missing(),
            },
            Which::Event(id) => match self.events.get_mut(&id) {
                Some(event) => event.call(hub, call),
                None => missing(),
            },
            Which::Condition(id) => self.call_condition(id, call),
            Which::Barrier(id) => match self.barriers.get_mut(&id) {
                Some(barrier) => barrier.call(hub, call),
                None => missing(),
            },
            Which::Words(id) => match self.words.get_mut(&id) {
                Some(words) => words.call(hub, call, rights),
                None => missing(),
            },
        }
    }

    /// Puts more messages into a queue, as far as there is room.
    pub(crate) fn put_more(&mut self, which: Which, messages: &[Message]) -> usize {
        match which {
            Which::Queue(id) => self
                .queues
                .get_mut(&id)
                .map_or(0, |queue| queue.put_more(&mut self.hub, messages)),
            _ => 0,
        }
    }

    /// Takes more messages of a queue, as far as there are any.
    pub(crate) fn take_more(
        &mut self,
        which: Which,
        holder: HolderId,
        may: impl FnMut(u64) -> bool,
    ) -> Vec<Message> {
        match which {
            Which::Queue(id) => self.queues.get_mut(&id).map_or_else(Vec::new, |queue| {
                queue.take_more(&mut self.hub, holder, may)
            }),
            _ => Vec::new(),
        }
    }

    /// Takes a wait back whose timeout has passed.
    pub(crate) fn cancel(&mut self, holder: HolderId, ticket: u64) -> Option<Reply> {
        let ours = |wait: &Wait| wait.caller.holder == holder && wait.caller.ticket == ticket;
        let (id, wait) = self.hub.waits.iter().find(|(_, wait)| ours(wait))?;
        let (id, op) = (*id, wait.op);
        if let Which::Condition(condition) = wait.object.handle().which {
            return self.cancel_condition(condition, id);
        }
        let which = self.withdraw(id);
        self.settle(which);
        answer(match op {
            Op::Poll(_) => Answer::Flag(false),
            _ => Answer::Refused(Refusal::TimedOut),
        })
    }

    /// Takes a wait back, out of its object. What it was in the way of is yet to be settled.
    fn withdraw(&mut self, id: WaitId) -> Option<Which> {
        let which = self.hub.waits.get(&id)?.object.handle().which;
        let hub = &mut self.hub;
        match which {
            Which::Queue(queue) => self.queues.get_mut(&queue).map(|queue| queue.withdraw(id)),
            Which::End(pipe, _) => self.pipes.get_mut(&pipe).map(|pipe| pipe.withdraw(id)),
            Which::Lock(lock) => self.locks.get_mut(&lock).map(|lock| lock.withdraw(id)),
            Which::Semaphore(semaphore) => {
                self.semaphores.get_mut(&semaphore).map(|s| s.withdraw(id))
            }
            Which::Event(event) => self.events.get_mut(&event).map(|event| event.withdraw(id)),
            Which::Condition(condition) => {
                self.withdraw_condition(condition, id);
                None
            }
            Which::Barrier(barrier) => self.barriers.get_mut(&barrier).map(|b| b.withdraw(id, hub)),
            Which::Words(words) => self.words.get_mut(&words).map(|words| words.withdraw(id)),
        };
        self.hub.forget(id);
        Some(which)
    }

    /// Serves those whom a wait that was withdrawn was in the way of.
    fn settle(&mut self, which: Option<Which>) {
        match which {
            Some(Which::Queue(id)) => self
                .queues
                .get_mut(&id)
                .map(|queue| queue.settle(&mut self.hub)),
            Some(Which::End(id, _)) => self
                .pipes
                .get_mut(&id)
                .map(|pipe| pipe.settle(&mut self.hub)),
            _ => None,
        };
    }

    /// A holder is over.
    pub(crate) fn end(&mut self, holder: HolderId) {
        let ours = |(id, wait): (&WaitId, &Wait)| (wait.caller.holder == holder).then_some(*id);
        let waits: Vec<WaitId> = self.hub.waits.iter().filter_map(ours).collect();
        // All of them first: what is given up next must not be given to a holder that is over.
        for wait in waits {
            self.withdraw(wait);
        }
        let Some(Holder { touched, unseen }) = self.hub.holders.remove(&holder) else {
            return;
        };
        for (queue, _) in unseen {
            if let Some(queue) = self.queues.get_mut(&queue) {
                queue.lost += 1;
            }
        }
        let hub = &mut self.hub;
        for which in touched {
            match which {
                Which::Queue(id) => self.queues.get_mut(&id).map(|queue| queue.end(holder, hub)),
                Which::End(id, side) => self
                    .pipes
                    .get_mut(&id)
                    .map(|pipe| pipe.end(side, holder, hub)),
                Which::Lock(id) => self.locks.get_mut(&id).map(|lock| lock.end(holder, hub)),
                Which::Semaphore(id) => self.semaphores.get_mut(&id).map(|s| s.end(holder, hub)),
                // Of these there is nothing to hold but a place in the line, and that is given up.
                Which::Event(_) | Which::Condition(_) | Which::Barrier(_) | Which::Words(_) => None,
            };
        }
    }

    /// A holder has seen what it was given.
    pub(crate) fn seen(&mut self, holder: HolderId) {
        if let Some(holder) = self.hub.holders.get_mut(&holder) {
            holder.unseen.clear();
        }
    }

    /// A message could not be handed to a holder.
    pub(crate) fn undelivered(&mut self, holder: HolderId, which: Which, message: Message) {
        if let Which::Queue(id) = which
            && let Some(queue) = self.queues.get_mut(&id)
        {
            queue.undelivered(holder, message, &mut self.hub);
        }
    }

    /// How full queues and pipes are, in the order in which they were made.
    pub(crate) fn depths(&self) -> Vec<Depth> {
        let depth = |id: &u64, kind: &str, (messages, bytes): (usize, u64), most_bytes| {
            let waits = self.hub.waits.values();
            let here = |wait: &&Wait| wait.object.handle().which.id() == *id;
            Depth {
                name: self
                    .names
                    .get(id)
                    .map_or(kind.to_owned(), |name| name.to_string()),
                kind: kind.to_owned(),
                messages: messages as u64,
                bytes,
                most_bytes,
                waiting: waits.filter(here).count() as u64,
            }
        };
        let queues = self.queues.iter();
        let queues =
            queues.map(|(id, queue)| (*id, depth(id, "queue", queue.held(), queue.bytes())));
        let pipes = self.pipes.iter();
        let pipes = pipes.map(|(id, pipe)| (*id, depth(id, "pipe", pipe.held(), pipe.bytes())));
        let mut all: Vec<_> = queues.chain(pipes).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, depth)| depth).collect()
    }

    /// Everybody who waits.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let waits = self.hub.waits.values().map(|wait| Waiting {
            holder: wait.caller.holder,
            name: wait.caller.name.clone(),
            object: self.name(wait.object.handle().which),
            op: wait.op,
            timed: wait.is_timed(),
        });
        waits.collect()
    }
}

impl Wait {
    /// Whether it ends by itself.
    fn is_timed(&self) -> bool {
        let for_lock = self.back.is_some_and(|back| back.phase != Phase::Waiting);
        self.op.timeout().is_some() && !for_lock
    }
}

impl Which {
    pub(super) fn id(self) -> u64 {
        match self {
            Which::Queue(id)
            | Which::End(id, _)
            | Which::Lock(id)
            | Which::Semaphore(id)
            | Which::Event(id)
            | Which::Condition(id)
            | Which::Barrier(id)
            | Which::Words(id) => id,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Which::Queue(_) => "queue",
            Which::End(..) => "pipe",
            Which::Lock(_) => "lock",
            Which::Semaphore(_) => "semaphore",
            Which::Event(_) => "event",
            Which::Condition(_) => "condition",
            Which::Barrier(_) => "barrier",
            Which::Words(_) => "buffer",
        }
    }
}
