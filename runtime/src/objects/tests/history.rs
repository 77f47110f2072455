//! Random calls, timeouts and ends of holders, each answer of which a model must agree with, and after each of which
//! nobody waits who could go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::models::{self, Event, Wait};
use super::stage::{Cells, Stage, text};
use crate::ipc::call::{Answer, Op, Refusal, Word};
use crate::objects::{
    Barrier, Condition, Event as Flag, Lock, Object, Pipe, Queue, Reply, Rights, Semaphore, Words,
    waiting,
};

const HOLDERS: usize = 6;

// The objects by number.
const QUEUE: usize = 0;
const JOINABLE: usize = 1;
const ENDS: [usize; 2] = [2, 3];
const LOCKS: [usize; 3] = [4, 5, 6];
/// Of the first lock, and two of the second.
const CONDITIONS: [(usize, usize); 3] = [(7, 0), (8, 1), (9, 1)];
const SEMAPHORES: [usize; 2] = [10, 11];
const EVENT: usize = 12;
const BARRIER: usize = 13;
const WORDS: usize = 14;

struct World {
    stage: Stage,
    objects: Vec<Object>,
    plain: Queue,
    joinable: Queue,
    cells: Arc<Cells>,
    /// In the order in which they began.
    waits: Vec<Wait>,
    queues: [models::Queue; 2],
    pipe: models::Pipe,
    locks: [models::Lock; 3],
    semaphores: [models::Semaphore; 2],
    set: bool,
    barrier: models::Barrier,
    sent: usize,
}

impl World {
    fn new() -> World {
        let plain = Queue::builder().messages(3).bytes(20).build();
        let joinable = Queue::builder()
            .messages(3)
            .bytes(20)
            .joinable(true)
            .deliveries(2)
            .build();
        let (a, b) = Pipe::builder().messages(2).bytes(16).build();
        let locks = [Lock::new(), Lock::recursive(), Lock::new()];
        let cells = Arc::new(Cells::default());
        let mut objects = vec![
            Object::from(&plain),
            Object::from(&joinable),
            a.into_object(),
            b.into_object(),
        ];
        objects.extend(locks.iter().map(Object::from));
        objects.extend(
            CONDITIONS
                .iter()
                .map(|(_, lock)| Object::from(&Condition::new(&locks[*lock]))),
        );
        objects.extend(
            [Semaphore::bounded(2), Semaphore::new(1)]
                .iter()
                .map(Object::from),
        );
        objects.push((&Flag::new()).into());
        objects.push((&Barrier::new(3)).into());
        objects.push((&Words::new("words", cells.clone())).into());
        World {
            stage: Stage::new(HOLDERS),
            objects,
            plain,
            joinable,
            cells,
            waits: Vec::new(),
            queues: [
                models::Queue::new(3, 20, None),
                models::Queue::new(3, 20, Some(2)),
            ],
            pipe: models::Pipe::new(2, 16),
            locks: [
                models::Lock::new(false),
                models::Lock::new(true),
                models::Lock::new(false),
            ],
            semaphores: [
                models::Semaphore::new(2, true),
                models::Semaphore::new(1, false),
            ],
            set: false,
            barrier: models::Barrier::new(3),
            sent: 0,
        }
    }

    fn waits_for(&self, object: usize) -> Vec<Wait> {
        self.waits
            .iter()
            .filter(|w| w.object == object)
            .cloned()
            .collect()
    }

    /// Whether it waits, with a timeout.
    fn is_timed(&self, who: usize) -> bool {
        self.waits.iter().any(|w| {
            w.who == who
                && matches!(
                    w.op,
                    Op::Put(Some(_))
                        | Op::Get(Some(_))
                        | Op::Join(Some(_))
                        | Op::Send(Some(_))
                        | Op::Receive(Some(_))
                        | Op::Poll(Some(_))
                        | Op::AwaitWord(_, _, Some(_))
                        | Op::Acquire(Some(_))
                        | Op::AwaitSet(Some(_))
                        | Op::AwaitNotify(Some(_))
                        | Op::AwaitOthers(Some(_))
                )
        })
    }

    /// Somebody does something, or, while it waits, gives up or ends.
    fn step(&mut self, who: usize, action: u8, object: usize, arg: u8) {
        match action {
            0 => self.end(who),
            1 if self.is_timed(who) => self.cancel(who),
            2 => {
                self.stage.seen(who);
                self.queues.iter_mut().for_each(|queue| queue.seen(who));
            }
            3 if !self.stage.waits(who) => self.undelivered(who, usize::from(arg % 2)),
            4 => self.cells.0[0].store(u64::from(arg % 2), Ordering::SeqCst),
            _ if !self.stage.waits(who) => {
                let timeout = [None, Some(0), Some(1_000_000_000)][usize::from(arg % 3)];
                let op = op_of(object, arg / 3, timeout);
                self.call(who, object, op, usize::from(arg) % 11);
            }
            _ => {}
        }
        self.check();
    }

    fn call(&mut self, who: usize, object: usize, op: Op, len: usize) {
        self.sent += 1;
        let sent = format!("{who}.{:04}{:len$}", self.sent, "");
        let circle = self.closes_circle(who, object, op);
        let saved = self.stage.saved;
        let reply = self
            .stage
            .call(who, &self.objects[object], Rights::ALL, op, Some(&sent));
        if self.stage.saved == saved {
            // Any call says that the holder has seen what it got.
            self.queues.iter_mut().for_each(|queue| queue.seen(who));
        }
        let wait = Wait {
            who,
            object,
            op,
            sent,
        };
        let deadlock = matches!(&reply, Some((Answer::Refused(Refusal::Deadlock(_)), _)));
        assert_eq!(deadlock, circle, "{who} {op:?} {object}");
        match reply {
            Some(reply) => {
                let line = self.waits.clone();
                self.event(&wait, &reply, &line, &line, false);
            }
            None => {
                if let Some(lock) = LOCKS.iter().position(|lock| *lock == object) {
                    self.locks[lock].waits(who);
                }
                if let Some((condition, lock)) = CONDITIONS
                    .iter()
                    .find(|(condition, _)| *condition == object)
                {
                    self.locks[*lock].waits_for_condition(who, *condition);
                }
                self.waits.push(wait);
            }
        }
        self.hear();
    }

    /// Whether, of those who wait without a timeout, somebody waits for this one through others.
    fn closes_circle(&self, who: usize, object: usize, op: Op) -> bool {
        let Some(lock) = LOCKS.iter().position(|lock| *lock == object) else {
            return false;
        };
        if op != Op::Acquire(None) {
            return false;
        }
        let mut reached = vec![lock];
        for at in 0.. {
            let Some(holder) = reached.get(at).map(|lock| self.locks[*lock].holder()) else {
                return false;
            };
            if holder == Some(who) {
                // Its own lock is not waited for.
                return at > 0;
            }
            let waits = |lock: &models::Lock| {
                lock.line.iter().any(|(waiter, back)| {
                    let timed = self
                        .waits
                        .iter()
                        .any(|w| w.who == *waiter && matches!(w.op, Op::Acquire(Some(_))));
                    Some(*waiter) == holder && (back.is_some() || !timed)
                })
            };
            let next = self.locks.iter().position(waits);
            reached.extend(next.filter(|next| !reached.contains(next)));
        }
        false
    }

    /// What the others hear is checked as well.
    fn hear(&mut self) {
        let before = self.waits.clone();
        for (who, reply) in self.stage.heard() {
            let line = self.waits.clone();
            let at = line
                .iter()
                .position(|w| w.who == who)
                .expect("nobody waits");
            let wait = self.waits.remove(at);
            self.event(&wait, &reply, &before, &line, true);
        }
    }

    /// `before`: who waited before this step; `line`: who waits now, this one included if it did.
    fn event(
        &mut self,
        wait: &Wait,
        (answer, message): &Reply,
        before: &[Wait],
        line: &[Wait],
        waited: bool,
    ) {
        let Wait {
            who,
            object,
            op,
            sent,
        } = wait;
        let of = |waits: &[Wait]| -> Vec<Wait> {
            waits
                .iter()
                .filter(|w| w.object == *object)
                .cloned()
                .collect()
        };
        let (got, before, line) = (text(message), of(before), of(line));
        let event = Event {
            who: *who,
            op: *op,
            sent,
            answer,
            got: &got,
            line: &line,
            waited,
        };
        match *object {
            QUEUE | JOINABLE => self.queues[*object].event(&event, &before),
            2 | 3 => self.pipe.event(object - ENDS[0], &event),
            4..=6 => self.locks[object - LOCKS[0]].event(&event),
            7..=9 => self.locks[CONDITIONS[object - 7].1].condition_event(*object, &event),
            10 | 11 => self.semaphores[object - SEMAPHORES[0]].event(&event),
            EVENT => match (op, answer) {
                (Op::Set, _) => self.set = true,
                (Op::Clear, _) => self.set = false,
                (Op::AwaitSet(_), Answer::Done) => assert!(self.set),
                (_, answer) => assert_eq!(
                    *answer,
                    if *op == Op::Is {
                        Answer::Flag(self.set)
                    } else {
                        TIMED_OUT
                    }
                ),
            },
            BARRIER => self.barrier.event(&event),
            _ => {
                let value = Word::U64(self.cells.0[0].load(Ordering::SeqCst));
                match (op, answer) {
                    (Op::AwaitWord(_, expected, _), Answer::Flag(woken)) if !waited => {
                        assert!(!woken && *expected != value);
                    }
                    (Op::AwaitWord(..), Answer::Flag(true)) => {}
                    (Op::AwaitWord(_, expected, timeout), Answer::Refused(Refusal::TimedOut)) => {
                        assert!(timeout.is_some() && (waited || *expected == value));
                    }
                    (Op::NotifyWord(_, count), Answer::Number(woken)) => {
                        assert_eq!(*woken, u64::from(*count).min(line.len() as u64));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn cancel(&mut self, who: usize) {
        let reply = self.stage.cancel(who);
        let at = self
            .waits
            .iter()
            .position(|w| w.who == who)
            .expect("it waits");
        if let Some((_, lock)) = CONDITIONS
            .iter()
            .find(|(condition, _)| *condition == self.waits[at].object)
        {
            self.locks[*lock].cancelled(who, reply.as_ref().map(|(answer, _)| answer));
            if reply.is_some() {
                self.waits.remove(at);
            }
        } else {
            let (answer, message) = reply.expect("the wait has no answer, and is not there");
            let expected = match self.waits[at].op {
                Op::Poll(_) => Answer::Flag(false),
                _ => TIMED_OUT,
            };
            assert_eq!((&answer, message.is_none()), (&expected, true));
            let wait = self.waits.remove(at);
            if wait.object == BARRIER {
                self.barrier.end();
            }
            if LOCKS.contains(&wait.object) {
                self.locks[wait.object - LOCKS[0]]
                    .line
                    .retain(|(other, _)| *other != who);
            }
        }
        self.hear();
    }

    fn undelivered(&mut self, who: usize, queue: usize) {
        if let Some(text) = self.queues[queue].last(who) {
            self.stage.undelivered(who, &self.objects[queue], &text);
            self.queues[queue].undelivered(who);
            self.hear();
        }
    }

    fn end(&mut self, who: usize) {
        self.stage.end(who);
        let wait = self
            .waits
            .iter()
            .position(|w| w.who == who)
            .map(|at| self.waits.remove(at));
        self.queues.iter_mut().for_each(|queue| queue.end(who));
        self.pipe.end(who);
        self.locks.iter_mut().for_each(|lock| lock.end(who));
        self.semaphores
            .iter_mut()
            .for_each(|semaphore| semaphore.end(who));
        if wait.is_some_and(|wait| wait.object == BARRIER) {
            self.barrier.end();
        }
        self.hear();
    }

    /// Nobody waits who could go on, and who waits is known.
    fn check(&mut self) {
        for (object, queue) in self.queues.iter().enumerate() {
            queue.check(&self.waits_for(object));
        }
        for side in [0, 1] {
            self.pipe.check(side, &self.waits_for(ENDS[side]));
        }
        self.locks.iter().for_each(models::Lock::check);
        for (semaphore, object) in self.semaphores.iter().zip(SEMAPHORES) {
            semaphore.check(&self.waits_for(object));
        }
        assert!(
            !self.set || self.waits_for(EVENT).is_empty(),
            "the event is set, and somebody waits for it"
        );
        let waits = self.waits_for(BARRIER);
        self.barrier.check(&waits);
        let known: Vec<(usize, Op)> = self.waits.iter().map(|w| (w.who, w.op)).collect();
        let seen = waiting()
            .into_iter()
            .filter_map(|w| Some((self.stage.who(w.holder)?, w.op)));
        assert_eq!(seen.collect::<Vec<_>>(), known);
    }

    /// All end; what is left comes out once.
    fn finish(mut self) {
        for who in 0..HOLDERS {
            self.end(who);
            self.check();
        }
        for (queue, model) in [&self.plain, &self.joinable].into_iter().zip(&self.queues) {
            let take = || {
                let message = queue.try_get().ok();
                // Of the joinable one: else no more than it holds is given.
                let _ = queue.task_done();
                message
            };
            let left: Vec<Vec<u8>> = std::iter::from_fn(take).collect();
            assert_eq!(
                left,
                model
                    .left()
                    .into_iter()
                    .map(String::into_bytes)
                    .collect::<Vec<_>>()
            );
            assert_eq!(queue.lost(), model.lost);
            let dead = queue.dead_letters().unwrap();
            let all: Vec<Vec<u8>> = model
                .dead
                .iter()
                .map(|text| text.clone().into_bytes())
                .collect();
            // Some are dropped where there are many; the latest are kept.
            assert_eq!(dead.messages.len() as u64 + dead.dropped, all.len() as u64);
            assert!(all.ends_with(&dead.messages));
        }
        for lock in LOCKS {
            assert!(matches!(
                self.stage
                    .call(0, &self.objects[lock], Rights::ALL, Op::Acquire(None), None),
                Some((Answer::Acquired { .. }, _))
            ));
        }
    }
}

const TIMED_OUT: Answer = Answer::Refused(Refusal::TimedOut);

fn op_of(object: usize, arg: u8, timeout: Option<u64>) -> Op {
    let among = |ops: &[Op]| ops[usize::from(arg) % ops.len()];
    let (put, get) = (Op::Put(timeout), Op::Get(timeout));
    let (send, receive) = (Op::Send(timeout), Op::Receive(timeout));
    match object {
        QUEUE | JOINABLE if arg == 80 => Op::Close,
        QUEUE => among(&[put, get, put, get, Op::Join(timeout), Op::Length]),
        JOINABLE => among(&[
            put,
            get,
            put,
            get,
            Op::TaskDone,
            Op::TaskDone,
            Op::Join(timeout),
        ]),
        2 | 3 if arg == 80 => Op::CloseEnd,
        2 | 3 if arg == 79 => Op::Finish,
        2 | 3 => among(&[Op::OpenEnd, send, receive, send, receive, Op::Poll(timeout)]),
        4..=6 => among(&[Op::Acquire(timeout), Op::Acquire(timeout), Op::Release]),
        7..=9 => among(&[
            Op::AwaitNotify(timeout),
            Op::AwaitNotify(timeout),
            Op::Notify(1),
            Op::Notify(2),
        ]),
        10 | 11 => among(&[
            Op::Acquire(timeout),
            Op::Acquire(timeout),
            Op::Release,
            Op::Value,
        ]),
        EVENT => among(&[
            Op::AwaitSet(timeout),
            Op::AwaitSet(timeout),
            Op::Set,
            Op::Clear,
            Op::Clear,
            Op::Is,
        ]),
        BARRIER => {
            let wait = Op::AwaitOthers(timeout);
            among(&[
                wait,
                wait,
                wait,
                wait,
                Op::Reset,
                Op::Reset,
                Op::Abort,
                Op::Value,
                Op::Is,
            ])
        }
        _ => among(&[
            Op::AwaitWord(0, Word::U64(u64::from(arg / 3 % 2)), timeout),
            Op::AwaitWord(0, Word::U64(u64::from(arg / 3 % 2)), timeout),
            Op::NotifyWord(0, u32::from(arg % 4)),
        ]),
    }
}

/// Steps on some of the objects: few of them, so that much happens to each.
fn steps() -> impl Strategy<Value = Vec<(usize, u8, usize, u8)>> {
    let sets: Vec<Vec<usize>> = vec![
        vec![QUEUE],
        vec![JOINABLE],
        vec![QUEUE, JOINABLE],
        ENDS.to_vec(),
        LOCKS.to_vec(),
        vec![4, 7],
        vec![5, 8, 9],
        vec![4, 5, 6, 7, 8],
        SEMAPHORES.to_vec(),
        vec![EVENT, BARRIER],
        vec![BARRIER],
        vec![WORDS],
        (0..=WORDS).collect(),
    ];
    prop::sample::select(sets).prop_flat_map(|objects| {
        let step = (
            0..HOLDERS,
            0u8..28,
            prop::sample::select(objects),
            any::<u8>(),
        );
        prop::collection::vec(step, 0..250)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_everybody_gets_what_is_due(steps in steps()) {
        let mut world = World::new();
        for (who, action, object, arg) in steps {
            world.step(who, action, object, arg);
        }
        world.finish();
    }
}
