//! What each kind of object should do, as simply as can be said: who gets what is told by the history, and each model
//! says whether that may be, and who of those who wait could go on.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::ipc::call::{Answer, Op, Refusal};

/// A call that waits.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) who: usize,
    pub(super) object: usize,
    pub(super) op: Op,
    pub(super) sent: String,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    pub(super) who: usize,
    pub(super) op: Op,
    pub(super) sent: &'a str,
    pub(super) answer: &'a Answer,
    pub(super) got: &'a str,
    /// Who waits for the object now, in the order of coming, this one included if it did.
    pub(super) line: &'a [Wait],
    /// Whether it is the answer of a call that waited.
    pub(super) waited: bool,
}

impl Event<'_> {
    /// Whether it is served in its turn: as the first of those who wait, or where nobody waits.
    fn is_in_turn(&self, among: impl Fn(&Wait) -> bool) -> bool {
        let first = self.line.iter().find(|w| among(w)).map(|w| w.who);
        first == self.waited.then_some(self.who)
    }
}

fn refused(event: &Event, refusal: &Refusal) -> bool {
    matches!(event.answer, Answer::Refused(r) if r == refusal)
}

/// Messages between bounds.
pub(super) struct Queue {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// How often messages are delivered, if the queue is joinable.
    pub(super) deliveries: Option<u32>,
    /// Number, text, and how often it was delivered in vain.
    ready: BTreeMap<u64, (String, u32)>,
    owed: HashMap<usize, VecDeque<(u64, String, u32)>>,
    unseen: HashMap<usize, Vec<(u64, String)>>,
    next: u64,
    closed: bool,
    pub(super) lost: u64,
    pub(super) dead: Vec<String>,
}

impl Queue {
    pub(super) fn new(messages: usize, bytes: usize, deliveries: Option<u32>) -> Queue {
        Queue {
            messages,
            bytes,
            deliveries,
            ready: BTreeMap::new(),
            owed: HashMap::new(),
            unseen: HashMap::new(),
            next: 0,
            closed: false,
            lost: 0,
            dead: Vec::new(),
        }
    }

    fn fits(&self, text: &str) -> bool {
        let bytes: usize = self.ready.values().map(|(text, _)| text.len()).sum();
        self.ready.len() < self.messages && bytes + text.len() <= self.bytes
    }

    fn may_take(&self, who: usize) -> bool {
        let owed = self.owed.get(&who).into_iter().flatten();
        owed.map(|(_, text, _)| text.len()).sum::<usize>() < self.bytes
    }

    fn owes(&self, who: usize) -> bool {
        self.owed.get(&who).is_some_and(|owed| !owed.is_empty())
    }

    fn all_dealt_with(&self) -> bool {
        self.ready.is_empty() && !self.owed.keys().any(|who| self.owes(*who))
    }

    /// Whether nobody can give this one a message any more, or only those who wait for messages as it does.
    fn over_for(&self, who: usize, waits: &[Wait]) -> bool {
        let gets = |other| {
            waits
                .iter()
                .any(|w| w.who == other && matches!(w.op, Op::Get(_)))
        };
        let others = self
            .owed
            .keys()
            .filter(|other| self.owes(**other) && **other != who);
        let mut others = others.peekable();
        self.closed
            && self.ready.is_empty()
            && (others.peek().is_none() || self.owes(who) && others.all(|other| gets(*other)))
    }

    /// `before`: who waited for this queue before this step.
    pub(super) fn event(&mut self, event: &Event, before: &[Wait]) {
        let Event { who, sent, .. } = *event;
        match event.op {
            Op::Put(timeout) => match event.answer {
                Answer::Done => {
                    assert!(
                        !self.closed && self.fits(sent),
                        "{sent} was put where there is no room"
                    );
                    assert!(event.is_in_turn(|w| matches!(w.op, Op::Put(_))));
                    self.ready.insert(self.next, (sent.into(), 0));
                    self.next += 1;
                }
                Answer::Refused(Refusal::Closed) => assert!(self.closed),
                Answer::Refused(Refusal::TooLarge(bound)) => {
                    assert!(sent.len() as u64 > *bound && *bound == self.bytes as u64);
                }
                Answer::Refused(Refusal::TimedOut) => {
                    let queued = before
                        .iter()
                        .any(|w| w.who != who && matches!(w.op, Op::Put(_)));
                    assert!(timeout.is_some() && (queued || !self.fits(sent)));
                }
                other => panic!("put: {other:?}"),
            },
            Op::Get(timeout) => match event.answer {
                Answer::Message => {
                    assert!(self.may_take(who));
                    let could = |w: &Wait| matches!(w.op, Op::Get(_)) && self.may_take(w.who);
                    assert!(event.is_in_turn(could));
                    let (seq, (text, times)) =
                        self.ready.pop_first().expect("a message from nowhere");
                    assert_eq!(text, event.got, "out of order");
                    match self.deliveries {
                        Some(_) => self
                            .owed
                            .entry(who)
                            .or_default()
                            .push_back((seq, text, times)),
                        None => self.unseen.entry(who).or_default().push((seq, text)),
                    }
                }
                Answer::Refused(Refusal::EndOfFile) => assert!(self.over_for(who, before)),
                Answer::Refused(Refusal::TimedOut) => {
                    assert!(timeout.is_some() && (self.ready.is_empty() || !self.may_take(who)));
                }
                other => panic!("get: {other:?}"),
            },
            Op::TaskDone if self.deliveries.is_none() => {
                assert!(refused(event, &Refusal::NotJoinable))
            }
            Op::TaskDone => match self.owed.get_mut(&who).and_then(VecDeque::pop_front) {
                Some(_) => assert_eq!(*event.answer, Answer::Done),
                None => assert!(refused(event, &Refusal::NothingOwed)),
            },
            Op::Join(timeout) => match event.answer {
                Answer::Done => assert!(self.all_dealt_with()),
                _ => assert!(timeout.is_some() && !self.all_dealt_with()),
            },
            Op::Length => assert_eq!(*event.answer, Answer::Number(self.ready.len() as u64)),
            Op::Close => self.closed = true,
            op => panic!("{op:?}"),
        }
    }

    pub(super) fn seen(&mut self, who: usize) {
        self.unseen.remove(&who);
    }

    /// The last message that this one got and may not have seen.
    pub(super) fn last(&self, who: usize) -> Option<String> {
        match self.deliveries {
            Some(_) => Some(self.owed.get(&who)?.back()?.1.clone()),
            None => Some(self.unseen.get(&who)?.last()?.1.clone()),
        }
    }

    pub(super) fn undelivered(&mut self, who: usize) {
        if let Some((seq, text, times)) = self.owed.get_mut(&who).and_then(VecDeque::pop_back) {
            self.ready.insert(seq, (text, times));
        }
        if let Some((seq, text)) = self.unseen.get_mut(&who).and_then(Vec::pop) {
            self.ready.insert(seq, (text, 0));
        }
    }

    pub(super) fn end(&mut self, who: usize) {
        self.lost += self
            .unseen
            .remove(&who)
            .map_or(0, |unseen| unseen.len() as u64);
        for (seq, text, times) in self.owed.remove(&who).unwrap_or_default() {
            match Some(times + 1) < self.deliveries {
                true => _ = self.ready.insert(seq, (text, times + 1)),
                false => self.dead.push(text),
            }
        }
    }

    /// Those who wait wait for something.
    pub(super) fn check(&self, waits: &[Wait]) {
        if let Some(put) = waits.iter().find(|w| matches!(w.op, Op::Put(_))) {
            assert!(!self.closed && !self.fits(&put.sent), "{put:?} could go on");
        }
        for wait in waits {
            match wait.op {
                Op::Get(_) => {
                    assert!(
                        self.ready.is_empty() || !self.may_take(wait.who),
                        "{wait:?} could go on"
                    );
                    assert!(
                        !self.over_for(wait.who, waits),
                        "{wait:?} waits for nothing"
                    );
                }
                Op::Join(_) => assert!(!self.all_dealt_with(), "{wait:?} could go on"),
                _ => {}
            }
        }
    }

    /// What is left, in order.
    pub(super) fn left(&self) -> Vec<String> {
        self.ready.values().map(|(text, _)| text.clone()).collect()
    }
}

/// Two ends, each of which has been opened by nobody, is held, or is closed.
pub(super) struct Pipe {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    inbox: [VecDeque<String>; 2],
    holder: [Option<usize>; 2],
    closed: [bool; 2],
    finished: [bool; 2],
}

impl Pipe {
    pub(super) fn new(messages: usize, bytes: usize) -> Pipe {
        Pipe {
            messages,
            bytes,
            inbox: Default::default(),
            holder: [None; 2],
            closed: [false; 2],
            finished: [false; 2],
        }
    }

    fn silent(&self, side: usize) -> bool {
        self.closed[side] || self.finished[side]
    }

    fn fits(&self, to: usize, text: &str) -> bool {
        let bytes: usize = self.inbox[to].iter().map(String::len).sum();
        self.inbox[to].len() < self.messages && bytes + text.len() <= self.bytes
    }

    fn news(&self, side: usize) -> bool {
        !self.inbox[side].is_empty() || self.silent(1 - side)
    }

    fn close(&mut self, side: usize) {
        self.closed[side] = true;
        self.holder[side] = None;
        self.inbox[side].clear();
    }

    pub(super) fn event(&mut self, side: usize, event: &Event) {
        let (sent, to) = (event.sent, 1 - side);
        if event.op == Op::OpenEnd {
            match self.holder[side].is_none() && !self.closed[side] {
                true => assert_eq!(*event.answer, Answer::Done),
                false => assert!(refused(event, &Refusal::InUse)),
            }
            if *event.answer == Answer::Done {
                self.holder[side] = Some(event.who);
            }
            return;
        }
        if self.holder[side] != Some(event.who) {
            assert!(refused(event, &Refusal::InUse));
            return;
        }
        match event.op {
            Op::Send(timeout) => match event.answer {
                Answer::Done => {
                    assert!(!self.silent(side) && !self.closed[to] && self.fits(to, sent));
                    self.inbox[to].push_back(sent.into());
                }
                Answer::Refused(Refusal::NotPermitted) => assert!(self.finished[side]),
                Answer::Refused(Refusal::Closed) => assert!(self.closed[to]),
                Answer::Refused(Refusal::TooLarge(_)) => assert!(sent.len() > self.bytes),
                Answer::Refused(Refusal::TimedOut) => {
                    assert!(timeout.is_some() && !self.fits(to, sent))
                }
                other => panic!("send: {other:?}"),
            },
            Op::Receive(timeout) => match event.answer {
                Answer::Message => {
                    assert_eq!(self.inbox[side].pop_front().as_deref(), Some(event.got))
                }
                Answer::Refused(Refusal::EndOfFile) => {
                    assert!(self.inbox[side].is_empty() && self.silent(to))
                }
                Answer::Refused(Refusal::TimedOut) => {
                    assert!(timeout.is_some() && !self.news(side))
                }
                other => panic!("receive: {other:?}"),
            },
            Op::Poll(_) => assert_eq!(*event.answer, Answer::Flag(self.news(side))),
            Op::Finish => self.finished[side] = true,
            Op::CloseEnd => self.close(side),
            op => panic!("{op:?}"),
        }
    }

    pub(super) fn end(&mut self, who: usize) {
        for side in [0, 1] {
            if self.holder[side] == Some(who) {
                self.close(side);
            }
        }
    }

    pub(super) fn check(&self, side: usize, waits: &[Wait]) {
        for wait in waits {
            assert_eq!(self.holder[side], Some(wait.who));
            match wait.op {
                Op::Send(_) => assert!(
                    !self.fits(1 - side, &wait.sent)
                        && !self.silent(side)
                        && !self.closed[1 - side]
                ),
                _ => assert!(!self.news(side), "{wait:?} could go on"),
            }
        }
    }
}

/// A lock, and the conditions that belong to it.
pub(super) struct Lock {
    recursive: bool,
    held: Option<(usize, u32)>,
    abandoned: bool,
    /// Who waits for it, in order; and, of those who come back from a condition, from which, how often they held it, when
    /// they were notified if they were, and when they began to wait.
    pub(super) line: VecDeque<(usize, Option<Back>)>,
    /// Who waits for which condition, how often it held the lock, and since when.
    waiting: Vec<(usize, usize, u32, u64)>,
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Back {
    condition: usize,
    depth: u32,
    notified: Option<u64>,
}

impl Lock {
    pub(super) fn new(recursive: bool) -> Lock {
        Lock {
            recursive,
            held: None,
            abandoned: false,
            line: VecDeque::new(),
            waiting: Vec::new(),
            clock: 0,
        }
    }

    pub(super) fn holder(&self) -> Option<usize> {
        self.held.map(|(who, _)| who)
    }

    pub(super) fn waits(&mut self, who: usize) {
        assert!(self.holder().is_some_and(|holder| holder != who));
        self.line.push_back((who, None));
    }

    fn took(&mut self, who: usize, depth: u32, abandoned: bool) {
        assert_eq!(self.held, None, "{who} got a lock that is held");
        assert_eq!(abandoned, self.abandoned);
        (self.held, self.abandoned) = (Some((who, depth)), false);
    }

    fn first(&mut self, who: usize) -> Option<Back> {
        let (first, back) = self.line.pop_front().expect("nobody waits");
        assert_eq!(who, first, "not the one who waited longest");
        back
    }

    pub(super) fn event(&mut self, event: &Event) {
        let who = event.who;
        match (event.op, event.answer) {
            (Op::Acquire(_), Answer::Acquired { abandoned }) if self.holder() == Some(who) => {
                assert!(self.recursive && !abandoned);
                self.held = self.held.map(|(who, depth)| (who, depth + 1));
            }
            (Op::Acquire(_), Answer::Acquired { abandoned }) => {
                match event.waited {
                    true => assert!(self.first(who).is_none()),
                    false => assert!(self.line.is_empty()),
                }
                self.took(who, 1, *abandoned);
            }
            (Op::Acquire(_), Answer::Refused(Refusal::AlreadyHeld)) => {
                assert!(!self.recursive && self.holder() == Some(who));
            }
            (Op::Acquire(timeout), Answer::Refused(Refusal::TimedOut)) => {
                assert!(timeout.is_some() && self.holder().is_some());
                self.line.retain(|(other, _)| *other != who);
            }
            // Whether there is a circle is the history's to say.
            (Op::Acquire(None), Answer::Refused(Refusal::Deadlock(_))) => {}
            (Op::Release, Answer::Done) => {
                let (holder, depth) = self.held.expect("released, and not held");
                assert_eq!(holder, who);
                self.held = (depth > 1).then_some((who, depth - 1));
            }
            (Op::Release, Answer::Refused(Refusal::NotHeld)) => {
                assert_ne!(self.holder(), Some(who))
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn waits_for_condition(&mut self, who: usize, condition: usize) {
        let (holder, depth) = self
            .held
            .take()
            .expect("waits for a condition without its lock");
        assert_eq!(holder, who);
        self.clock += 1;
        self.waiting.push((who, condition, depth, self.clock));
    }

    fn notify(&mut self, condition: usize, before: u64) -> bool {
        let Some(at) = self.waiting.iter().position(|(_, of, ..)| *of == condition) else {
            return false;
        };
        if self.waiting[at].3 > before {
            return false;
        }
        let (who, _, depth, _) = self.waiting.remove(at);
        self.line.push_back((
            who,
            Some(Back {
                condition,
                depth,
                notified: Some(before),
            }),
        ));
        true
    }

    pub(super) fn condition_event(&mut self, condition: usize, event: &Event) {
        let who = event.who;
        match (event.op, event.answer) {
            (_, Answer::Refused(Refusal::NotHeld)) => assert_ne!(self.holder(), Some(who)),
            (Op::AwaitNotify(_), Answer::Acquired { abandoned }) => {
                let back = self.first(who).expect("it did not wait for the condition");
                assert!(back.notified.is_some());
                self.took(who, back.depth, *abandoned);
            }
            (Op::AwaitNotify(Some(0)), Answer::Refused(Refusal::TimedOut)) => {
                assert_eq!(self.holder(), Some(who))
            }
            (Op::AwaitNotify(Some(_)), Answer::Refused(Refusal::TimedOut)) if event.waited => {
                let back = self.first(who).expect("it did not wait for the condition");
                assert!(back.notified.is_none());
                let abandoned = self.abandoned;
                self.took(who, back.depth, abandoned);
                // It could not be told.
                self.abandoned = abandoned;
            }
            (Op::Notify(count), Answer::Number(woken)) => {
                assert_eq!(self.holder(), Some(who));
                let mut expected = 0;
                while expected < u64::from(count) && self.notify(condition, self.clock) {
                    expected += 1;
                }
                assert_eq!(*woken, expected);
            }
            other => panic!("{other:?}"),
        }
    }

    /// The timeout of a condition's waiter passed, and its answer is this, or none yet.
    pub(super) fn cancelled(&mut self, who: usize, answer: Option<&Answer>) {
        match self.waiting.iter().position(|(other, ..)| *other == who) {
            Some(at) => {
                let (_, condition, depth, _) = self.waiting.remove(at);
                match self.held {
                    None => {
                        assert_eq!(answer, Some(&Answer::Refused(Refusal::TimedOut)));
                        self.held = Some((who, depth));
                    }
                    Some(_) => {
                        assert_eq!(answer, None);
                        self.line.push_back((
                            who,
                            Some(Back {
                                condition,
                                depth,
                                notified: None,
                            }),
                        ));
                    }
                }
            }
            None => assert_eq!(answer, None),
        }
    }

    pub(super) fn end(&mut self, who: usize) {
        self.waiting.retain(|(other, ..)| *other != who);
        let back = self
            .line
            .iter()
            .find(|(other, _)| *other == who)
            .and_then(|(_, back)| *back);
        self.line.retain(|(other, _)| *other != who);
        if let Some(Back {
            condition,
            notified: Some(before),
            ..
        }) = back
        {
            self.notify(condition, before);
        }
        if self.holder() == Some(who) {
            (self.held, self.abandoned) = (None, true);
        }
    }

    pub(super) fn check(&self) {
        assert!(
            self.held.is_some() || self.line.is_empty(),
            "a free lock, and somebody waits"
        );
    }
}

/// A semaphore.
pub(super) struct Semaphore {
    free: u32,
    bound: Option<u32>,
    taken: HashMap<usize, u32>,
    abandoned: u32,
}

impl Semaphore {
    pub(super) fn new(units: u32, bounded: bool) -> Semaphore {
        Semaphore {
            free: units,
            bound: bounded.then_some(units),
            taken: HashMap::new(),
            abandoned: 0,
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match (event.op, event.answer) {
            (Op::Acquire(_), Answer::Acquired { abandoned }) => {
                assert!(self.free > 0, "a unit from nowhere");
                assert!(event.is_in_turn(|_| true));
                assert_eq!(*abandoned, self.abandoned > 0);
                self.abandoned = self.abandoned.saturating_sub(1);
                self.free -= 1;
                *self.taken.entry(event.who).or_default() += 1;
            }
            (Op::Acquire(Some(_)), Answer::Refused(Refusal::TimedOut)) => assert_eq!(self.free, 0),
            (Op::Release, Answer::Done) => {
                if self.bound.is_some() {
                    *self
                        .taken
                        .get_mut(&event.who)
                        .expect("released, and not held") -= 1;
                }
                self.free += 1;
            }
            (Op::Release, Answer::Refused(refusal)) => {
                let bound = self.bound.expect("an unbounded semaphore takes all");
                assert_eq!(self.taken.get(&event.who).copied().unwrap_or(0), 0);
                assert_eq!(*refusal == Refusal::TooMany(bound), self.free == bound);
            }
            (Op::Value, answer) => assert_eq!(*answer, Answer::Number(self.free.into())),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn end(&mut self, who: usize) {
        let units = self.taken.remove(&who).unwrap_or(0);
        if self.bound.is_some() {
            self.free += units;
            self.abandoned += units;
        }
    }

    pub(super) fn check(&self, waits: &[Wait]) {
        assert!(
            self.free == 0 || waits.is_empty(),
            "free units, and somebody waits"
        );
        if let Some(bound) = self.bound {
            assert_eq!(self.free + self.taken.values().sum::<u32>(), bound);
        }
    }
}

/// A barrier.
pub(super) struct Barrier {
    pub(super) parties: usize,
    broken: bool,
    /// The numbers given in the generation that is passing.
    numbers: HashSet<u64>,
}

impl Barrier {
    pub(super) fn new(parties: usize) -> Barrier {
        Barrier {
            parties,
            broken: false,
            numbers: HashSet::new(),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match (event.op, event.answer) {
            (Op::AwaitOthers(_), Answer::Number(number)) => {
                assert!(!self.broken && *number < self.parties as u64);
                assert!(
                    self.numbers.insert(*number),
                    "two of one generation with one number"
                );
            }
            (Op::AwaitOthers(_), Answer::Refused(Refusal::Broken)) => {
                assert!(self.broken || event.waited)
            }
            (Op::AwaitOthers(Some(_)), Answer::Refused(Refusal::TimedOut)) => self.broken = true,
            (Op::Value, answer) => assert_eq!(*answer, Answer::Number(event.line.len() as u64)),
            (Op::Is, answer) => assert_eq!(*answer, Answer::Flag(self.broken)),
            (Op::Abort, _) => self.broken = true,
            (Op::Reset, _) => self.broken = false,
            other => panic!("{other:?}"),
        }
    }

    /// Somebody who waited ended.
    pub(super) fn end(&mut self) {
        self.broken = true;
    }

    pub(super) fn check(&mut self, waits: &[Wait]) {
        assert!(
            !self.broken || waits.is_empty(),
            "somebody waits at a broken barrier"
        );
        assert!(
            waits.len() < self.parties,
            "all are there, and somebody waits"
        );
        let passed = std::mem::take(&mut self.numbers).len();
        assert!(
            passed == 0 || passed == self.parties,
            "{passed} passed, and not all"
        );
    }
}
