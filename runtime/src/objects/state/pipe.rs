//! A pipe: two ends, each with the messages that were sent to it.

use std::collections::VecDeque;

use super::{Call, Hub, WaitId, answer, leave, refuse};
use crate::ipc::call::{Answer, Op, Refusal, Timeout};
use crate::objects::message::Message;
use crate::objects::object::{HolderId, Reply};

/// A pipe.
pub(crate) struct PipeState {
    ends: [End; 2],
    messages: usize,
    bytes: u64,
    /// How many of its ends still have a handle.
    handles: u8,
}

struct End {
    hold: Hold,
    /// Whether it only sends.
    deaf: bool,
    /// Whether it only receives.
    mute: bool,
    /// Whether it sends no more.
    finished: bool,
    /// What was sent to it.
    inbox: VecDeque<Message>,
    inbox_bytes: u64,
    /// Those at the other end who wait for room in the inbox.
    senders: VecDeque<WaitId>,
    receivers: VecDeque<WaitId>,
    pollers: VecDeque<WaitId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Nobody has opened it.
    Free,
    By(HolderId),
    Closed,
}

impl End {
    fn new() -> End {
        End {
            hold: Hold::Free,
            deaf: false,
            mute: false,
            finished: false,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            senders: VecDeque::new(),
            receivers: VecDeque::new(),
            pollers: VecDeque::new(),
        }
    }

    /// Whether it sends nothing any more.
    fn is_silent(&self) -> bool {
        self.finished || self.hold == Hold::Closed
    }

    fn push(&mut self, message: Message) {
        self.inbox_bytes += message.len();
        self.inbox.push_back(message);
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        Some(message)
    }
}

impl PipeState {
    /// Messages that lie in it, of both directions, and their bytes.
    pub(super) fn held(&self) -> (usize, u64) {
        let ends = self.ends.iter();
        ends.fold((0, 0), |(messages, bytes), end| {
            (messages + end.inbox.len(), bytes + end.inbox_bytes)
        })
    }

    /// Bytes that one direction holds, at most.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A pipe with so many messages and bytes in each direction, at most. With `one_way` the first end only receives and
    /// the second only sends.
    pub(crate) fn new(messages: usize, bytes: u64, one_way: bool) -> PipeState {
        let mut ends = [End::new(), End::new()];
        if one_way {
            (ends[0].mute, ends[0].finished, ends[1].deaf) = (true, true, true);
        }
        PipeState {
            ends,
            messages,
            bytes,
            handles: 2,
        }
    }

    pub(super) fn call(
        &mut self,
        side: usize,
        hub: &mut Hub,
        call: &Call,
        message: Option<Message>,
    ) -> Option<Reply> {
        let end = &mut self.ends[side];
        match call.op {
            Op::OpenEnd if end.hold == Hold::Free => {
                end.hold = Hold::By(call.caller.holder);
                answer(Answer::Done)
            }
            Op::OpenEnd => refuse(Refusal::InUse),
            _ if end.hold != Hold::By(call.caller.holder) => refuse(Refusal::InUse),
            Op::Send(_) if end.mute => refuse(Refusal::NotPermitted),
            Op::Send(timeout) => self.send(side, hub, call, timeout, message.unwrap_or_default()),
            Op::Receive(_) if end.deaf => refuse(Refusal::NotPermitted),
            Op::Receive(timeout) => self.receive(side, hub, call, timeout),
            Op::Poll(_) if end.deaf || self.has_news(side) => answer(Answer::Flag(true)),
            Op::Poll(Some(0)) => answer(Answer::Flag(false)),
            Op::Poll(_) => {
                self.ends[side].pollers.push_back(hub.wait(call, None));
                None
            }
            Op::Finish => {
                self.finish(side, hub);
                answer(Answer::Done)
            }
            Op::CloseEnd => {
                self.close(side, hub);
                answer(Answer::Done)
            }
            _ => refuse(Refusal::NotPermitted),
        }
    }

    fn send(
        &mut self,
        side: usize,
        hub: &mut Hub,
        call: &Call,
        timeout: Timeout,
        message: Message,
    ) -> Option<Reply> {
        let to = 1 - side;
        if self.ends[side].finished {
            return refuse(Refusal::NotPermitted);
        }
        if self.ends[to].hold == Hold::Closed {
            return refuse(Refusal::Closed);
        }
        if message.len() > self.bytes {
            return refuse(Refusal::TooLarge(self.bytes));
        }
        if self.ends[to].senders.is_empty() && self.fits(to, message.len()) {
            self.ends[to].push(message);
            self.settle(hub);
            return answer(Answer::Done);
        }
        if timeout == Some(0) {
            return refuse(Refusal::TimedOut);
        }
        self.ends[to]
            .senders
            .push_back(hub.wait(call, Some(message)));
        None
    }

    fn receive(
        &mut self,
        side: usize,
        hub: &mut Hub,
        call: &Call,
        timeout: Timeout,
    ) -> Option<Reply> {
        if let Some(message) = self.ends[side].pop() {
            self.settle(hub);
            return Some((Answer::Message, Some(message)));
        }
        if self.ends[1 - side].is_silent() {
            return refuse(Refusal::EndOfFile);
        }
        if timeout == Some(0) {
            return refuse(Refusal::TimedOut);
        }
        self.ends[side].receivers.push_back(hub.wait(call, None));
        None
    }

    /// Whether an end has something to receive, be it that there is nothing more.
    fn has_news(&self, side: usize) -> bool {
        !self.ends[side].inbox.is_empty() || self.ends[1 - side].is_silent()
    }

    fn fits(&self, to: usize, len: u64) -> bool {
        let end = &self.ends[to];
        end.inbox.len() < self.messages && end.inbox_bytes.saturating_add(len) <= self.bytes
    }

    /// Serves everybody who can go on.
    pub(super) fn settle(&mut self, hub: &mut Hub) {
        for side in [0, 1] {
            loop {
                let mut moved = false;
                while !self.ends[side].receivers.is_empty()
                    && let Some(message) = self.ends[side].pop()
                {
                    if let Some(wait) = self.ends[side].receivers.pop_front() {
                        hub.answer(wait, Answer::Message, Some(message));
                    }
                    moved = true;
                }
                while let Some(wait) = self.ends[side].senders.front().copied()
                    && self.fits(side, hub.message_len(wait))
                {
                    let end = &mut self.ends[side];
                    end.senders.pop_front();
                    end.push(hub.take_message(wait));
                    hub.answer(wait, Answer::Done, None);
                    moved = true;
                }
                if !moved {
                    break;
                }
            }
            if self.has_news(side) {
                hub.answer_all(self.ends[side].pollers.drain(..), Answer::Flag(true));
            }
            if self.ends[1 - side].is_silent() {
                let over = Answer::Refused(Refusal::EndOfFile);
                hub.answer_all(self.ends[side].receivers.drain(..), over);
            }
        }
    }

    fn finish(&mut self, side: usize, hub: &mut Hub) {
        self.ends[side].finished = true;
        // Of the same holder, in other threads.
        hub.answer_all(
            self.ends[1 - side].senders.drain(..),
            Answer::Refused(Refusal::NotPermitted),
        );
        self.settle(hub);
    }

    fn close(&mut self, side: usize, hub: &mut Hub) {
        let end = &mut self.ends[side];
        end.hold = Hold::Closed;
        end.inbox_bytes = 0;
        for message in end.inbox.drain(..) {
            hub.discard(message);
        }
        hub.answer_all(end.senders.drain(..), Answer::Refused(Refusal::Closed));
        hub.answer_all(end.receivers.drain(..), Answer::Refused(Refusal::EndOfFile));
        hub.answer_all(end.pollers.drain(..), Answer::Flag(true));
        self.finish(side, hub);
    }

    pub(super) fn withdraw(&mut self, wait: WaitId) {
        for end in &mut self.ends {
            for line in [&mut end.senders, &mut end.receivers, &mut end.pollers] {
                leave(line, wait);
            }
        }
    }

    pub(super) fn end(&mut self, side: usize, holder: HolderId, hub: &mut Hub) {
        if self.ends[side].hold == Hold::By(holder) {
            self.close(side, hub);
        }
    }

    /// The last handle of an end is gone: nobody can open it any more. True if that was the last of both.
    pub(super) fn drop_end(&mut self, side: usize, hub: &mut Hub) -> bool {
        if self.ends[side].hold != Hold::Closed {
            self.close(side, hub);
        }
        self.handles -= 1;
        self.handles == 0
    }

    /// The host gives an end away, which it holds: somebody else may open it.
    pub(crate) fn give_away(&mut self, side: usize) {
        if let Hold::By(_) = self.ends[side].hold {
            self.ends[side].hold = Hold::Free;
        }
    }
}
