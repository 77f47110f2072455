//! What workers ask of the objects that the pool was granted: calls taken, answers given back, waits given up.
//!
//! A worker has one call under way. It is answered once: at once, by mail when it has waited, or when its time is over.
//! What an object does is `objects`' own; here is only who asks, and until when.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::Core;
use crate::ids::JobId;
use crate::ipc::call::{Answer, MAX_PACK, Op, Pack, THE_ITEM, unpack};
use crate::ipc::frame;
use crate::ipc::link::{LeaseEnd, LinkError};
use crate::objects::{
    self, Caller, Delivered, HolderId, Lend, Mail, Message, Object, Reply, Rights,
};
use crate::pool::job::Job;
use crate::pool::slot::State;
use crate::sys::clock::now;
use crate::sys::poll::Waker;

/// Instances of one worker that hold something, or wait, at most: one is used, and one is made ahead.
const MAX_INSTANCES: usize = 4;

/// An object that the guests of a pool were granted. Its place in the list of all of them is its number.
#[derive(Clone)]
pub(in crate::pool) struct GrantedObject {
    pub object: Object,
    pub rights: Rights,
    /// Bytes of the largest message that it takes.
    pub largest: u64,
}

/// An instance that has asked for something.
pub(in crate::pool) struct Instance {
    /// The worker's number for it.
    number: u32,
    holder: HolderId,
}

/// A call that waits for its answer.
pub(in crate::pool) struct Asked {
    holder: HolderId,
    ticket: u64,
    object: u16,
    many: Many,
    /// When the wait is given up.
    deadline: u64,
}

/// Whether a call is about several messages. The objects know only of its first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Many {
    No,
    /// The others are put if the first need not wait.
    Put,
    /// So many more are wanted.
    Get(u32),
}

/// Where answers come that were waited for.
pub(in crate::pool) struct Mailbox {
    delivered: Mutex<Mails>,
    waker: Arc<Waker>,
}

#[derive(Default)]
struct Mails {
    waiting: Vec<Delivered>,
    /// Whether somebody will look without being woken.
    watched: bool,
    /// Whether somebody looks again and again.
    attended: bool,
}

impl Mailbox {
    pub(in crate::pool) fn new(waker: Arc<Waker>) -> Mailbox {
        Mailbox {
            delivered: Mutex::default(),
            waker,
        }
    }

    /// Nobody needs to be woken until the next [`Mailbox::take`].
    fn watch(&self) {
        let mut mails = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        mails.watched = true;
    }

    /// From now on somebody looks again and again, or no longer: then, whether there is something for which nobody may
    /// have been woken.
    pub(super) fn attend(&self, attended: bool) -> bool {
        let mut mails = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        (mails.attended, mails.watched) = (attended, attended);
        !mails.waiting.is_empty()
    }

    fn take(&self) -> Vec<Delivered> {
        let mut mails = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        mails.watched = mails.attended;
        std::mem::take(&mut mails.waiting)
    }
}

impl Mail for Mailbox {
    fn deliver(&self, delivered: Delivered) {
        let mut mails = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        mails.waiting.push(delivered);
    }

    fn wake(&self) {
        let mut mails = self
            .delivered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let unseen = !mails.waiting.is_empty() && !std::mem::replace(&mut mails.watched, true);
        drop(mails);
        if unseen {
            self.waker.wake();
        }
    }
}

impl Lend for LeaseEnd {
    fn lend(&self, recursive: bool, depth: u32) {
        LeaseEnd::lend(self, recursive, depth);
    }

    fn recall(&self) -> u32 {
        LeaseEnd::recall(self)
    }
}

impl Core {
    /// A worker asks something of an object. An error means that it broke the protocol.
    pub(super) fn on_call(
        &mut self,
        at: usize,
        instance: u32,
        object: u16,
        op: Op,
        message: Option<&[u8]>,
    ) -> Result<(), String> {
        if self.places[at].asked.is_some() || self.places[at].stalled.is_some() {
            return Err("a call while another one is under way".into());
        }
        if (object, op) == (THE_ITEM, Op::AwaitRoom) && message == Some(&[]) {
            return self.on_stall(at);
        }
        let Some(granted) = self.granted.get(usize::from(object)) else {
            return Err("a call of an object that it was not granted".into());
        };
        let place = &mut self.places[at];
        let mut rest = Vec::new();
        let message = match (op.takes_message(), message) {
            (true, Some(bytes)) if matches!(op, Op::PutMany(_)) => {
                let all = unpack(bytes).ok_or("packed messages that cannot be")?;
                let all = all.into_iter().map(Message::new);
                rest = all
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|e| e.to_string())?;
                if rest.is_empty() {
                    return Err("no message where there are several".into());
                }
                Some(rest.remove(0))
            }
            (true, Some(bytes)) => Some(Message::new(bytes).map_err(|e| e.to_string())?),
            (true, None) if matches!(op, Op::PutMany(_)) => {
                return Err("packed messages in a file".into());
            }
            (true, None) => {
                let link = place.link.as_mut().ok_or("no link")?;
                let (file, bytes) = link.take_sealed().map_err(|e| e.to_string())?;
                Some(Message::File(Arc::new((file, bytes))))
            }
            (false, Some([])) => None,
            (false, _) => return Err("a message where none belongs".into()),
        };
        let known = place.instances.iter().find(|i| i.number == instance);
        let holder = match known {
            Some(instance) => instance.holder,
            None if place.instances.len() >= MAX_INSTANCES => {
                return Err("more instances than there can be".into());
            }
            None => {
                let holder = HolderId::new();
                place.instances.push(Instance {
                    number: instance,
                    holder,
                });
                holder
            }
        };
        let (op, many) = match op {
            Op::PutMany(timeout) => (Op::Put(timeout), Many::Put),
            Op::GetMany(0, _) => return Err("no message wanted".into()),
            Op::GetMany(most, timeout) => (Op::Get(timeout), Many::Get(most - 1)),
            op => (op, Many::No),
        };
        self.calls += 1;
        let ticket = self.calls;
        let link = place.link.as_ref();
        let lend = match &granted.object {
            Object::Lock(_) => link.and_then(|link| link.lease(object, instance)),
            _ => None,
        };
        let caller = Caller {
            holder,
            name: self.names[at].clone(),
            mail: self.mailbox.clone(),
            ticket,
            lend: lend.map(|end| Arc::new(end) as Arc<dyn Lend>),
        };
        self.mailbox.watch();
        match granted.object.call(&caller, granted.rights, op, message) {
            Some((Answer::Done, _)) if many == Many::Put => {
                let put = 1 + granted.object.put_more(&rest);
                self.answer(
                    at,
                    holder,
                    object,
                    (Answer::Number(put as u64), None),
                    Many::No,
                );
            }
            Some(reply) => self.answer(at, holder, object, reply, many),
            None => {
                let deadline = match op.timeout() {
                    Some(timeout) => now().saturating_add(timeout),
                    None => u64::MAX,
                };
                self.places[at].asked = Some(Asked {
                    holder,
                    ticket,
                    object,
                    many,
                    deadline,
                });
            }
        }
        Ok(())
    }

    /// A worker has emitted much: it goes on when what it emitted is taken. That time is not its item's.
    fn on_stall(&mut self, at: usize) -> Result<(), String> {
        self.observe(at);
        let running = self.places[at].slot.running_item();
        let id = running.ok_or("room asked for while no item runs")?.job;
        if !self.jobs.get(&id).is_none_or(Job::is_streamed) {
            return Err("room asked for by an item that needs none".into());
        }
        self.places[at].stalled = Some((id, now()));
        self.go_on_emitting(id);
        Ok(())
    }

    /// Lets workers go on that wait for room for what they emit, if there is room now.
    pub fn go_on_emitting(&mut self, id: JobId) {
        // Nobody waits for the values of a job that is gone.
        if !self.jobs.get(&id).is_none_or(Job::has_stream_room) {
            return;
        }
        for at in 0..self.places.len() {
            let place = &mut self.places[at];
            if let Some((_, since)) = place.stalled.take_if(|(job, _)| *job == id) {
                place.slot.excuse(since, now());
                let sent = self.try_answer(at, &(Answer::Done, None), &[]);
                self.sent(at, sent);
            }
        }
    }

    /// Whether there were calls since this was last asked.
    pub fn has_called(&mut self) -> bool {
        std::mem::replace(&mut self.calls_known, self.calls) != self.calls
    }

    /// Workers that compute: those that wait for an answer leave their processor to others.
    pub(super) fn computing(&self) -> usize {
        self.places.iter().filter(|place| place.computes()).count()
    }

    /// An instance is over: what it held is free.
    pub(super) fn on_over(&mut self, at: usize, instance: u32) -> Result<(), String> {
        let place = &mut self.places[at];
        if place.asked.is_some() {
            return Err("an instance that is over while it waits".into());
        }
        let known = place.instances.iter().position(|i| i.number == instance);
        // One that asked for nothing in the end is not known.
        if let Some(known) = known {
            let over = place.instances.swap_remove(known);
            self.mailbox.watch();
            objects::end(over.holder);
        }
        Ok(())
    }

    /// A worker's instances have seen what they were given so far.
    pub(super) fn seen(&self, at: usize) {
        for instance in &self.places[at].instances {
            objects::seen(instance.holder);
        }
    }

    /// A worker has ended: whatever its instances held is free, and what they were to get goes back.
    pub(super) fn end_instances(&mut self, at: usize) {
        if let Some(asked) = &self.places[at].asked
            && objects::cancel(asked.holder, asked.ticket).is_none()
        {
            // The answer is in the mail already.
            self.read_mail();
        }
        let place = &mut self.places[at];
        place.asked = None;
        for instance in place.instances.drain(..) {
            objects::end(instance.holder);
        }
    }

    /// Gives the answers that came by mail to those who wait for them.
    pub(super) fn read_mail(&mut self) {
        loop {
            let mails = self.mailbox.take();
            if mails.is_empty() {
                return;
            }
            for mail in mails {
                let is = |asked: &Asked| (asked.holder, asked.ticket) == (mail.holder, mail.ticket);
                let waits = |place: &super::Place| place.asked.as_ref().is_some_and(is);
                // A wait goes only with its worker, and not before its mail is read.
                if let Some(at) = self.places.iter().position(waits)
                    && let Some(asked) = self.places[at].asked.take()
                {
                    let reply = (mail.answer, mail.message);
                    self.answer(at, asked.holder, asked.object, reply, asked.many);
                }
            }
        }
    }

    /// Gives up what has waited long enough.
    pub(super) fn end_waits(&mut self, time: u64) {
        for at in 0..self.places.len() {
            let Some(asked) = &mut self.places[at].asked else {
                continue;
            };
            if asked.deadline > time {
                continue;
            }
            // Should the answer be on its way already, or, of a condition, wait for its lock, it comes by mail.
            asked.deadline = u64::MAX;
            let (holder, object, many) = (asked.holder, asked.object, asked.many);
            if let Some(reply) = objects::cancel(holder, asked.ticket) {
                self.places[at].asked = None;
                self.answer(at, holder, object, reply, many);
            }
        }
    }

    /// When the next wait is to be given up.
    pub(super) fn next_wait_ends(&self) -> u64 {
        let waits = self.places.iter().filter_map(|p| p.asked.as_ref());
        waits.map(|asked| asked.deadline).min().unwrap_or(u64::MAX)
    }

    fn answer(&mut self, at: usize, holder: HolderId, object: u16, mut reply: Reply, many: Many) {
        let over = matches!(
            self.places[at].slot.state(),
            State::Ending { .. } | State::Empty { .. }
        );
        let mut more = Vec::new();
        match (many, &reply, self.granted.get(usize::from(object))) {
            (Many::Put, (Answer::Done, _), _) => reply.0 = Answer::Number(1),
            (Many::Get(mut left), (_, Some(Message::Owned(first))), Some(granted)) if !over => {
                let mut bytes = Pack::cost(first.len());
                more = granted.object.take_more(holder, |len| {
                    bytes = bytes.saturating_add(Pack::cost(len as usize));
                    let may = left > 0 && bytes <= MAX_PACK;
                    left = left.saturating_sub(1);
                    may
                });
            }
            _ => {}
        }
        let sent = match over {
            true => Ok(false),
            false => self.try_answer(at, &reply, &more),
        };
        if let Ok(true) = sent {
            return;
        }
        if let Some(granted) = self.granted.get(usize::from(object)) {
            for message in reply.1.into_iter().chain(more).rev() {
                objects::undelivered(holder, &granted.object, message);
            }
        }
        if !over {
            self.sent(at, sent);
        }
    }

    /// Ends a worker that does not take its answer.
    fn sent(&mut self, at: usize, sent: Result<bool, LinkError>) {
        match sent {
            Ok(true) => {}
            Ok(false) => {
                self.violation(at, "it waits for an answer and makes no room for it".into());
            }
            Err(e) => self.violation(at, e.to_string()),
        }
    }

    /// Sends an answer. False if the worker has no room for it.
    fn try_answer(
        &mut self,
        at: usize,
        (answer, message): &Reply,
        more: &[Message],
    ) -> Result<bool, LinkError> {
        // What was right when its item was sent may be long ago.
        let spin = self.worker_spin(self.computing());
        let Some(link) = &mut self.places[at].link else {
            return Ok(false);
        };
        let file = match message {
            Some(Message::File(file)) => Some(&**file),
            _ => None,
        };
        if let Some((file, bytes)) = file {
            link.send_message(file.as_fd(), *bytes)?;
        }
        let mut pack = Pack::default();
        let (answer, message) = match message {
            Some(Message::Owned(first)) if !more.is_empty() => {
                // They were taken because they fit.
                pack.push(first);
                for message in more {
                    pack.push(&message.bytes()?);
                }
                (&Answer::Messages, pack.bytes())
            }
            Some(Message::Owned(bytes)) => (answer, &bytes[..]),
            _ => (answer, &[][..]),
        };
        let head = frame::encode_answer(answer, file.is_some()).map_err(std::io::Error::other)?;
        let written = link.write(&[&head, message])?;
        if !written {
            return Ok(false);
        }
        link.let_spin(spin);
        link.publish();
        if self.spinners == 0 && !link.sleep() {
            self.overlook();
        }
        Ok(true)
    }
}
