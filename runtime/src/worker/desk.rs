//! A worker's desk: what it does for a guest's calls, and the bookkeeping of the chunk under way.
//!
//! Owns the worker's side of the link. Checks what the guest reports; the host checks it again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::host::{Advice, EmitError, Host, HostError};
use crate::ids::{Seq, SlotId};
use crate::ipc::call::{Answer, Op, STREAM_BYTES, THE_ITEM};
use crate::ipc::frame::{
    self, Ended, Level, MAX_INLINE, MAX_MESSAGE, Status, ToWorker, decode_to_worker, encode_call,
    encode_ended, encode_log, encode_over, encode_result, encode_sample, item_head,
};
use crate::ipc::link::{LinkError, WorkerLink};
use crate::ipc::wire::FromWorker;
use crate::limits::{Limits, PIECE_BYTES};
use crate::sys::clock::now;
use crate::sys::memory::Mapping;

/// Nanoseconds after which finished results are worth publishing.
const PUBLISH_NANOS: u64 = 200_000;
/// Bytes of results after which they are worth publishing.
const PUBLISH_BYTES: usize = 16 << 10;
/// Bytes that are kept of what an initialiser reports.
const REHEARSED_BYTES: usize = 16 << 10;
/// The mark of an item that has its result, in the place of its emitted bytes.
const REPORTED: u64 = u64::MAX;

/// Why a worker cannot go on.
#[derive(Debug)]
pub(super) enum Fault {
    /// The host is gone.
    Gone,
    /// The link is broken.
    Link(LinkError),
    /// The guest broke a rule or a bound.
    Guest(HostError),
}

impl<E: Into<LinkError>> From<E> for Fault {
    fn from(error: E) -> Fault {
        Fault::Link(error.into())
    }
}

/// What a chunk is, as far as the desk must know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened<'a> {
    /// The number of its first item.
    pub first: Seq,
    /// How many items.
    pub count: u32,
    /// The items' headers.
    pub items: &'a [u8],
    /// The deadline of each item in microseconds; 0 for none.
    pub timeout_micros: u32,
    /// Whether emitted values are taken one by one.
    pub streamed: bool,
    /// Whether the guest says itself what it begins and what its results are: a task does, any other function not.
    pub guest_reports: bool,
}

/// The worker's side of everything that a guest asks for. Clones are the same desk.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    link: WorkerLink,
    slot: SlotId,
    result_bytes: u64,
    log_bytes: u64,
    /// Whether nothing that the guest is told may depend on the worker, on time or on what happened before.
    fixed: bool,
    first: Seq,
    timeout: u64,
    guest_reports: bool,
    streamed: bool,
    /// Bytes emitted since the host last had room for more.
    unread: u64,
    heads: Vec<u8>,
    /// For each item of the chunk the bytes that it emitted, or [`REPORTED`].
    spent: Vec<u64>,
    /// How many items were begun.
    begun: u32,
    /// Whether an item is running: the last one begun.
    running: bool,
    /// Whether the rest of the chunk was taken back.
    stopped: bool,
    /// The item whose reported result cannot be taken.
    refused: Option<u32>,
    started: u64,
    /// When the first item of the chunk was started, and what was spent with chunks before it.
    chunk_started: u64,
    worked: u64,
    logged: u64,
    published: u64,
    pending: usize,
    /// What is reported of what is no item of the host's, while that is so.
    rehearsed: Option<Vec<u8>>,
    /// How many instances there were.
    instances: u32,
    /// The answer to a call, as it came.
    answer: Vec<u8>,
    /// Why the link failed in the middle of a guest's call.
    broken: Option<LinkError>,
}

impl Desk {
    /// In deterministic mode (`fixed`) a guest hears the same of its surroundings wherever and whenever it runs.
    pub(super) fn new(link: WorkerLink, slot: SlotId, limits: &Limits, fixed: bool) -> Desk {
        Desk(Arc::new(Mutex::new(State {
            link,
            slot,
            result_bytes: limits.result_bytes,
            log_bytes: limits.log_bytes,
            fixed,
            first: Seq(0),
            timeout: 0,
            guest_reports: false,
            streamed: false,
            unread: 0,
            heads: Vec::new(),
            spent: Vec::new(),
            begun: 0,
            running: false,
            stopped: false,
            refused: None,
            started: 0,
            chunk_started: 0,
            worked: 0,
            logged: 0,
            published: 0,
            pending: 0,
            rehearsed: None,
            instances: 0,
            answer: Vec::new(),
            broken: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a control message.
    pub(super) fn send(&self, message: &FromWorker) -> Result<(), Fault> {
        Ok(self.state().link.send(message)?)
    }

    /// Waits for the next frame. False at the end.
    pub(super) fn next(&self, frame: &mut Vec<u8>) -> Result<bool, Fault> {
        Ok(self.state().link.next(frame)?)
    }

    /// The payload of the chunk just read.
    pub(super) fn payload(&self) -> Result<Mapping, Fault> {
        self.state().link.payload()?.ok_or(Fault::Gone)
    }

    /// Starts the bookkeeping of a chunk.
    pub(super) fn open(&self, chunk: Opened<'_>) {
        let mut state = self.state();
        state.first = chunk.first;
        state.timeout = u64::from(chunk.timeout_micros) * 1000;
        state.guest_reports = chunk.guest_reports;
        (state.streamed, state.unread) = (chunk.streamed, 0);
        state.heads.clear();
        state.heads.extend_from_slice(chunk.items);
        state.spent.clear();
        state.spent.resize(chunk.count as usize, 0);
        (state.begun, state.running, state.stopped) = (0, false, false);
        state.worked = state.link.page().worked.0.load(Ordering::Relaxed);
        state.refused = None;
    }

    /// Starts the next item of the chunk. False if it was taken back, and all behind it.
    pub(super) fn start(&self) -> bool {
        let mut state = self.state();
        state.start(now())
    }

    /// Whether the rest of the chunk was taken back.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Writes the result of the running item, with what it used of its fuel where that is counted.
    pub(super) fn finish(
        &self,
        status: Status,
        payload: &[u8],
        fuel: Option<u64>,
    ) -> Result<(), Fault> {
        let mut state = self.state();
        let Some(index) = state.begun.checked_sub(1) else {
            return Ok(());
        };
        state.result(index, status, payload, fuel)?;
        state.publish_if_due(now())
    }

    /// Publishes what is finished.
    pub(super) fn publish(&self) -> Result<(), Fault> {
        self.state().publish(now())
    }

    /// After a guest has returned from its chunk: whether it left an item without a result that was not taken back. One
    /// that it did not even begin is started for it.
    pub(super) fn left_out(&self) -> bool {
        let mut state = self.state();
        state.running = false;
        let all_begun = state.begun as usize == state.spent.len();
        state.without_result().is_some() || !(state.stopped || all_begun) && state.start(now())
    }

    /// Says why the item that is to blame ended the worker: the one whose result was refused, else the one that runs,
    /// else, if none of the chunk was begun, the first one, which is started for it. Nothing is said if there is none, or
    /// if it was taken back: what happens behind an item's result is not the fault of the next one.
    pub(super) fn end(&self, ended: &Ended) -> Result<(), Fault> {
        let mut state = self.state();
        let mut to_blame = state.refused.take().or_else(|| state.without_result());
        if to_blame.is_none() && state.begun == 0 && state.start(now()) {
            to_blame = state.without_result();
        }
        if let Some(index) = to_blame {
            let item = state.first.plus(index);
            let frame = encode_ended(item, ended).map_err(std::io::Error::other)?;
            state.write(&[&frame])?;
        }
        state.publish(now())
    }

    /// The fault behind a guest call that said the host is gone.
    pub(super) fn fault(&self) -> Fault {
        self.state().broken.take().map_or(Fault::Gone, Fault::Link)
    }

    /// Runs what a guest asked for; a broken link is kept for [`Desk::fault`].
    fn answer<T>(&self, with: impl FnOnce(&mut State) -> Result<T, Fault>) -> Result<T, HostError> {
        let mut state = self.state();
        with(&mut state).map_err(|fault| match fault {
            Fault::Guest(error) => error,
            Fault::Gone => HostError::Gone,
            Fault::Link(error) => {
                state.broken = Some(error);
                HostError::Gone
            }
        })
    }
}

fn broken(what: impl Into<String>) -> Fault {
    Fault::Guest(HostError::Broken(what.into()))
}

impl State {
    fn start(&mut self, now: u64) -> bool {
        let index = self.begun;
        let taken_back = index as usize >= self.spent.len()
            || !self.link.page().claim.start(self.first.plus(index));
        if taken_back {
            self.stopped = true;
            self.running = false;
            return false;
        }
        self.link.page().started.0.store(now, Ordering::Release);
        if index == 0 {
            self.chunk_started = now;
        }
        (self.begun, self.running) = (index + 1, true);
        (self.started, self.logged) = (now, 0);
        true
    }

    /// The item begun that has no result: the last one if it has none, else the first of the others.
    fn without_result(&self) -> Option<u32> {
        let last = self.begun.checked_sub(1)?;
        if self.spent.get(last as usize) != Some(&REPORTED) {
            return Some(last);
        }
        (0..last).find(|i| self.spent.get(*i as usize) != Some(&REPORTED))
    }

    fn running(&self) -> Option<u32> {
        self.begun.checked_sub(1).filter(|_| self.running)
    }

    fn head(&self) -> Option<frame::ItemHead> {
        item_head(&self.heads, self.running()? as usize)
    }

    /// The bytes that item `index` has now, with `more`; `Err` if that passes its bound.
    fn spend(&self, index: u32, more: usize) -> Result<u64, Fault> {
        let spent = self.spent.get(index as usize).copied().unwrap_or(REPORTED);
        let sum = spent.saturating_add(more as u64);
        if sum > self.result_bytes {
            return Err(Fault::Guest(HostError::OutputLimit(format!(
                "the item's result passes its limit of {} bytes",
                self.result_bytes
            ))));
        }
        Ok(sum)
    }

    fn result(
        &mut self,
        index: u32,
        status: Status,
        payload: &[u8],
        fuel: Option<u64>,
    ) -> Result<(), Fault> {
        self.spend(index, payload.len())?;
        self.send(index, status, payload, fuel)?;
        if let Some(spent) = self.spent.get_mut(index as usize) {
            *spent = REPORTED;
        }
        if index + 1 == self.begun {
            self.running = false;
        }
        Ok(())
    }

    fn send(
        &mut self,
        index: u32,
        status: Status,
        payload: &[u8],
        fuel: Option<u64>,
    ) -> Result<(), Fault> {
        let item = self.first.plus(index);
        if payload.len() <= MAX_INLINE {
            return self.write(&[&encode_result(item, status, false, fuel), payload]);
        }
        if !self.link.send_file(payload)? {
            return Err(Fault::Gone);
        }
        self.write(&[&encode_result(item, status, true, fuel)])
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), Fault> {
        self.pending += parts.iter().map(|p| p.len()).sum::<usize>();
        match self.link.write(parts)? {
            true => Ok(()),
            false => Err(Fault::Gone),
        }
    }

    fn publish_if_due(&mut self, now: u64) -> Result<(), Fault> {
        if self.pending > PUBLISH_BYTES || now.saturating_sub(self.published) > PUBLISH_NANOS {
            self.publish(now)?;
        }
        Ok(())
    }

    fn publish(&mut self, now: u64) -> Result<(), Fault> {
        (self.published, self.pending) = (now, 0);
        if self.begun > 0 {
            let spent = now.saturating_sub(self.chunk_started);
            let worked = &self.link.page().worked.0;
            worked.store(self.worked.wrapping_add(spent), Ordering::Relaxed);
        }
        Ok(self.link.publish()?)
    }

    /// Only a task says what it begins and what came of it. Anybody else could only take results for those of others.
    fn is_told(&self) -> Result<(), Fault> {
        match self.guest_reports {
            true => Ok(()),
            false => Err(broken(
                "items are begun and reported by tasks only, while they run",
            )),
        }
    }

    /// Asks something of an object, and waits for what comes of it.
    fn call(
        &mut self,
        instance: u32,
        object: u16,
        op: Op,
        message: &[u8],
    ) -> Result<(Answer, Vec<u8>), Fault> {
        let in_file = message.len() > MAX_MESSAGE;
        if in_file && !self.link.send_file(message)? {
            return Err(Fault::Gone);
        }
        let head = encode_call(instance, object, op, in_file).map_err(std::io::Error::other)?;
        let behind = if in_file { &[] } else { message };
        self.write(&[&head, behind])?;
        self.publish(now())?;
        let mut frame = std::mem::take(&mut self.answer);
        if !self.link.answer(&mut frame)? {
            return Err(Fault::Gone);
        }
        let malformed = |_| std::io::Error::from(std::io::ErrorKind::InvalidData);
        let ToWorker::Answer { answer, message } = decode_to_worker(&frame).map_err(malformed)?
        else {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidData).into());
        };
        let message = match (&answer, message) {
            (Answer::Message | Answer::Messages, Some(bytes)) => bytes.to_vec(),
            (Answer::Message, None) => self.link.message()?.ok_or(Fault::Gone)?.to_vec(),
            _ => Vec::new(),
        };
        self.answer = frame;
        Ok((answer, message))
    }

    /// Takes the frames apart that a guest reports, exactly as the WIT says.
    fn report(&mut self, mut frames: &[u8], fuel: Option<u64>) -> Result<(), Fault> {
        while !frames.is_empty() {
            let (head, rest) = frames
                .split_first_chunk::<9>()
                .ok_or_else(|| broken("a reported result is cut short"))?;
            let index = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let len = u32::from_le_bytes([head[5], head[6], head[7], head[8]]) as usize;
            let status = match head[4] {
                0 => Status::Done,
                1 => Status::Failed,
                2 => Status::InvalidInput,
                other => return Err(broken(format!("a reported result has status {other}"))),
            };
            let (payload, rest) = rest
                .split_at_checked(len)
                .ok_or_else(|| broken("a reported result is cut short"))?;
            frames = rest;
            if index >= self.begun {
                return Err(broken(format!(
                    "item {index} has a result but was not begun"
                )));
            }
            if self.spent.get(index as usize) == Some(&REPORTED) {
                return Err(broken(format!("item {index} has two results")));
            }
            self.refused = Some(index);
            if status != Status::Done && std::str::from_utf8(payload).is_err() {
                return Err(broken(format!("the message of item {index} is not UTF-8")));
            }
            self.result(index, status, payload, fuel)?;
            self.refused = None;
        }
        Ok(())
    }
}

impl Host for Desk {
    fn begin(&self, index: u32) -> Result<Advice, HostError> {
        self.answer(|state| {
            if state.rehearsed.is_some() {
                return Ok(if index == 0 {
                    Advice::Proceed
                } else {
                    Advice::Stop
                });
            }
            state.is_told()?;
            if state.stopped {
                return Ok(Advice::Stop);
            }
            if index != state.begun || index as usize >= state.spent.len() {
                return Err(broken(format!("item {index} was begun out of turn")));
            }
            let now = now();
            if !state.start(now) {
                return Ok(Advice::Stop);
            }
            // The advice would be one that depends on time.
            if !state.fixed && now.saturating_sub(state.published) > PUBLISH_NANOS {
                state.publish(now)?;
                return Ok(Advice::Report);
            }
            Ok(Advice::Proceed)
        })
    }

    fn report(&self, frames: &[u8], fuel: Option<u64>) -> Result<(), HostError> {
        self.answer(|state| {
            if let Some(rehearsed) = &mut state.rehearsed {
                // Enough to say what came of it.
                let room = REHEARSED_BYTES.saturating_sub(rehearsed.len());
                rehearsed.extend_from_slice(&frames[..frames.len().min(room)]);
                return Ok(());
            }
            state.is_told()?;
            // What was right before the first wrong frame stands.
            let reported = state.report(frames, fuel);
            state.publish(now())?;
            reported
        })
    }

    fn emit(&self, value: &[u8]) -> Result<Result<(), EmitError>, HostError> {
        self.answer(|state| {
            let Some(index) = state.running() else {
                return Ok(Err(EmitError::NoItem));
            };
            let bytes = value.len() + PIECE_BYTES as usize;
            let Ok(spent) = state.spend(index, bytes) else {
                return Ok(Err(EmitError::OutputLimit(state.result_bytes)));
            };
            state.send(index, Status::Emitted, value, None)?;
            if state.streamed {
                // What is taken as it comes does not add up.
                state.unread += bytes as u64;
                if state.unread >= STREAM_BYTES {
                    state.call(0, THE_ITEM, Op::AwaitRoom, &[])?;
                    state.unread = 0;
                }
                state.publish_if_due(now())?;
                return Ok(Ok(()));
            }
            if let Some(place) = state.spent.get_mut(index as usize) {
                *place = spent;
            }
            state.publish_if_due(now())?;
            Ok(Ok(()))
        })
    }

    fn log(&self, level: Level, message: &str) -> Result<(), HostError> {
        self.answer(|state| {
            if state.rehearsed.is_some() {
                return Ok(());
            }
            state.logged = state
                .logged
                .saturating_add(message.len() as u64 + PIECE_BYTES);
            if state.logged > state.log_bytes {
                return Err(Fault::Guest(HostError::OutputLimit(format!(
                    "the item's log passes its limit of {} bytes",
                    state.log_bytes
                ))));
            }
            let index = state.begun.saturating_sub(1);
            let head = encode_log(state.first.plus(index), level);
            // A message longer than a frame goes in several, each of whole characters.
            let mut rest = message;
            loop {
                let end = rest.floor_char_boundary(MAX_INLINE);
                let (now, later) = rest.split_at(end);
                state.write(&[&head, now.as_bytes()])?;
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            // At once: the item may never end, and this may say why.
            state.publish(now())
        })
    }

    fn sample(&self, requests: u16, stack: &str) -> Result<(), HostError> {
        self.answer(|state| {
            let Some(index) = state.running() else {
                return Ok(());
            };
            let item = state.first.plus(index);
            // Of one that does not fit, the innermost functions say most.
            let from = stack.ceil_char_boundary(stack.len().saturating_sub(MAX_INLINE));
            state.write(&[&encode_sample(item, requests), &stack.as_bytes()[from..]])?;
            // At once: the item may never end, and this says what it did.
            state.publish(now())
        })
    }

    fn call(
        &self,
        instance: u32,
        object: u16,
        op: Op,
        message: &[u8],
    ) -> Result<(Answer, Vec<u8>), HostError> {
        self.answer(|state| state.call(instance, object, op, message))
    }

    fn rehearse(&self) {
        self.state().rehearsed = Some(Vec::new());
    }

    fn rehearsed(&self) -> Vec<u8> {
        self.state().rehearsed.take().unwrap_or_default()
    }

    fn use_lent(&self, instance: u32, lock: u16, op: Op) -> bool {
        let state = self.state();
        let lease = state.link.page().leases.get(usize::from(lock));
        lease.is_some_and(|lease| match op {
            Op::Acquire(_) => lease.acquire(instance),
            Op::Release => lease.release(instance),
            _ => false,
        })
    }

    fn new_instance(&self) -> u32 {
        let mut state = self.state();
        state.instances = state.instances.wrapping_add(1);
        state.instances
    }

    fn over(&self, instance: u32) {
        // A host that is gone needs not hear it.
        let _ = self.answer(|state| {
            state.write(&[&encode_over(instance)])?;
            state.publish(now())
        });
    }

    fn worker_index(&self) -> u32 {
        let state = self.state();
        match state.fixed {
            true => 0,
            false => state.slot.0,
        }
    }

    fn item_index(&self) -> Option<u64> {
        Some(self.state().head()?.index)
    }

    fn attempt(&self) -> u32 {
        let state = self.state();
        match state.head() {
            Some(_) if state.fixed => 1,
            Some(head) => head.attempt,
            None => 0,
        }
    }

    fn time_left(&self) -> Option<u64> {
        let state = self.state();
        state.running()?;
        if state.fixed {
            return (state.timeout > 0).then_some(state.timeout);
        }
        let deadline = state.started.saturating_add(state.timeout);
        (state.timeout > 0).then(|| deadline.saturating_sub(now()))
    }

    fn cancelled(&self) -> bool {
        let state = self.state();
        let Some(index) = state.running().filter(|_| !state.fixed) else {
            return false;
        };
        let number = u64::from(state.first.plus(index).0) + (1 << 32);
        state.link.page().cancelled.0.load(Ordering::Relaxed) == number
    }
}
