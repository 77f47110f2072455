//! Workers that are killed at random instants while they put, get, hold and wait: nothing is lost that is not told, nothing
//! comes twice, and nobody waits for the dead.
//!
//! `WASMPOOL_TEST_KILLS` says how many there are altogether.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use wasmpool::failure::{Failure, FailureKind};
use wasmpool::mode::Isolation;
use wasmpool::objects::{
    Access, Array, Barrier, Buffer, Condition, Event, Lock, Pipe, PipeEnd, Queue, ReceiveError,
    Semaphore, SendError, Value,
};
use wasmpool::pool::{Direction, Pool};
use wasmpool_tests::{PATIENCE, Random, Suite, patiently, workers};

use super::common::{PROCESSES, alone, builder, call, open, start};

/// How many kills there are altogether, if nothing else is said.
const KILLS: usize = 500;

/// What is done under fire.
type Test = fn(Isolation);

const TESTS: [(&str, Test); 12] = [
    ("consumers", consumers),
    ("consumers_of_many", consumers_of_many),
    ("producers", producers),
    ("joinable", joinable),
    ("dead_letters", dead_letters),
    ("pipes", pipes),
    ("locks", locks),
    ("semaphores", semaphores),
    ("events", events),
    ("conditions", conditions),
    ("barriers", barriers),
    ("buffers", buffers),
];

pub fn add(mut suite: Suite) -> Suite {
    for (name, test) in TESTS {
        suite = suite.guest(format!("kills::{name}"), move || {
            let _alone = alone();
            PROCESSES.into_iter().for_each(test);
        });
    }
    suite
}

/// Kills in each test with each isolation.
fn kills() -> usize {
    let all = match std::env::var("WASMPOOL_TEST_KILLS") {
        Ok(text) => text.parse().expect("WASMPOOL_TEST_KILLS is a number"),
        Err(_) => KILLS,
    };
    all.div_ceil(TESTS.len() * PROCESSES.len())
}

/// Kills workers of this process.
struct Killer {
    random: Random,
    killed: BTreeSet<wasmpool_tests::Process>,
}

impl Killer {
    fn new(test: &str, isolation: Isolation) -> Killer {
        Killer {
            random: Random::fresh(&format!("kills::{test} {isolation:?}")).part(isolation as usize),
            killed: BTreeSet::new(),
        }
    }

    /// Waits for a random instant, and kills one that is there then.
    fn strike(&mut self) {
        thread::sleep(Duration::from_micros(self.random.number() % 4000));
        let mut found = workers(std::process::id());
        // One that was killed may still be seen for a moment.
        found.retain(|worker| !self.killed.contains(worker));
        if !found.is_empty() {
            let chosen = found[self.random.below(found.len())];
            self.killed
                .extend(Some(chosen).filter(|worker| worker.kill()));
        }
    }
}

/// Does something while workers are killed, until the last of them is; then it is told so.
fn under_fire<T>(test: &str, isolation: Isolation, work: impl FnOnce(&AtomicBool) -> T) -> T {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut killer = Killer::new(test, isolation);
    let (firing, over) = (AtomicBool::new(true), AtomicBool::new(false));
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while killer.killed.len() < kills() && !over.load(Ordering::Relaxed) {
                assert!(start.elapsed() < PATIENCE, "there is nobody to kill");
                killer.strike();
            }
            firing.store(false, Ordering::Relaxed);
        });
        let _over = Over(&over);
        work(&firing)
    })
}

/// What a call gave, `None` if its worker was killed.
#[track_caller]
fn unless_killed(result: Result<Json, Failure>) -> Option<Json> {
    match result {
        Ok(value) => Some(value),
        Err(failure) if failure.kind == FailureKind::WorkerLost => None,
        Err(failure) => panic!("{failure}"),
    }
}

/// Has a task run again and again until it once comes to its end.
#[track_caller]
fn until_done(pool: &Pool, task: &str, args: &Json) -> Json {
    loop {
        if let Some(value) = unless_killed(call(pool, task, args.clone())) {
            return value;
        }
    }
}

/// Consumers of plain queues: what was delivered and not looked at is counted; nothing else is lost, nothing comes twice,
/// and each lane keeps its order.
fn consumers(isolation: Isolation) {
    relayed("consumers", isolation, None);
}

/// The same, of consumers that take up to seven messages at once.
fn consumers_of_many(isolation: Isolation) {
    relayed("consumers_of_many", isolation, Some(7));
}

fn relayed(test: &str, isolation: Isolation, most: Option<u32>) {
    let lanes = [(); 2].map(|()| (Queue::builder().messages(20).build(), Queue::new()));
    let mut pool = builder(isolation, 2);
    for (lane, (from, to)) in lanes.iter().enumerate() {
        pool = pool
            .queue(format!("from{lane}"), from, Direction::Get)
            .queue(format!("to{lane}"), to, Direction::Put);
    }
    let pool = open(pool);
    let put = under_fire(test, isolation, |firing| {
        thread::scope(|scope| {
            let feeders = lanes.each_ref().map(|(from, _)| {
                scope.spawn(move || {
                    let mut put = 0u64;
                    while firing.load(Ordering::Relaxed) || put < 100 {
                        // Some of them large, and in files.
                        let mut message = put.to_le_bytes().to_vec();
                        if put.is_multiple_of(16) {
                            message.resize(70_000, 0);
                        }
                        from.put(message, Some(PATIENCE)).unwrap();
                        put += 1;
                    }
                    from.close();
                    put
                })
            });
            for lane in 0..lanes.len() {
                let pool = &pool;
                let (from, to) = (format!("from{lane}"), format!("to{lane}"));
                let (task, lane) = match most {
                    None => ("relay", json!([from, to])),
                    Some(most) => ("relay-some", json!([from, to, most])),
                };
                scope.spawn(move || until_done(pool, task, &lane));
            }
            feeders.map(|feeder| feeder.join().unwrap())
        })
    });
    for ((from, to), put) in lanes.iter().zip(put) {
        let mut got = Vec::new();
        while let Ok(message) = to.try_get() {
            got.push(u64::from_le_bytes(message[..8].try_into().unwrap()));
        }
        assert!(got.is_sorted_by(|a, b| a < b), "{got:?}");
        assert_eq!(got.len() as u64 + from.lost(), put, "{got:?}");
        assert!(from.join(Some(PATIENCE)) && to.lost() == 0);
    }
}

/// Producers: of each that was killed, the first so many messages are there, in order; of others all are.
fn producers(isolation: Isolation) {
    const COUNT: u64 = 40;
    let queue = Queue::builder().messages(10).build();
    let pool = open(builder(isolation, 3).queue("q", &queue, Direction::Put));
    let next = AtomicU32::new(0);
    let (returned, got) = under_fire("producers", isolation, |firing| {
        thread::scope(|scope| {
            let callers = [(); 3].map(|()| {
                scope.spawn(|| {
                    let mut returned = BTreeSet::new();
                    while firing.load(Ordering::Relaxed) || returned.is_empty() {
                        let id = next.fetch_add(1, Ordering::Relaxed);
                        let result = call(&pool, "produce", json!(["q", id, COUNT]));
                        returned.extend(unless_killed(result).map(|_| id));
                    }
                    returned
                })
            });
            let getting = queue.clone();
            let consumer = scope.spawn(move || {
                let mut got: BTreeMap<u32, u64> = BTreeMap::new();
                while let Ok((id, number)) = getting.get_value::<(u32, u64)>(Some(PATIENCE)) {
                    let count = got.entry(id).or_default();
                    assert_eq!(number, *count, "of producer {id}");
                    *count += 1;
                }
                got
            });
            let returned: BTreeSet<u32> = callers
                .into_iter()
                .flat_map(|c| c.join().unwrap())
                .collect();
            queue.close();
            (returned, consumer.join().unwrap())
        })
    });
    for id in returned {
        assert_eq!(got.get(&id), Some(&COUNT), "of producer {id}");
    }
    assert!(got.values().all(|count| *count <= COUNT));
    assert_eq!(queue.lost(), 0);
}

/// Has numbers squared by workers that are killed. How many numbers there were, and how often each square came.
fn squared(test: &str, isolation: Isolation, jobs: &Queue) -> (u64, BTreeMap<u64, usize>) {
    let squares = Queue::new();
    let pool = builder(isolation, 3)
        .queue("jobs", jobs, Direction::Get)
        .queue("squares", &squares, Direction::Put);
    let pool = open(pool);
    let put = under_fire(test, isolation, |firing| {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| until_done(&pool, "work", &json!(["jobs", "squares", true])));
            }
            let mut put = 0u64;
            while firing.load(Ordering::Relaxed) || put < 100 {
                jobs.put_value(&put, Some(PATIENCE)).unwrap();
                put += 1;
            }
            assert!(jobs.join(Some(PATIENCE)));
            jobs.close();
            put
        })
    });
    assert!(jobs.is_empty() && jobs.join(Some(Duration::ZERO)));
    let mut came = BTreeMap::new();
    while !squares.is_empty() {
        let square: u64 = squares.get_value(Some(PATIENCE)).unwrap();
        *came.entry(square).or_default() += 1;
    }
    (put, came)
}

/// Every message of a joinable queue is dealt with; again only where the worker that had it was killed.
fn joinable(isolation: Isolation) {
    let jobs = Queue::builder().messages(20).joinable(true);
    let jobs = jobs.deliveries(u32::MAX).build();
    let (put, came) = squared("joinable", isolation, &jobs);
    assert!(came.keys().copied().eq((0..put).map(|n| n * n)));
    let again: usize = came.values().map(|times| times - 1).sum();
    assert!(again <= kills(), "{again} squares came again");
    assert_eq!(jobs.dead_letters().unwrap(), Default::default());
}

/// The same where a message is delivered once: it is dealt with, or put aside.
fn dead_letters(isolation: Isolation) {
    // As many dead letters are kept as the queue may hold.
    let jobs = Queue::builder().messages(20 + kills()).joinable(true);
    let jobs = jobs.deliveries(1).build();
    let (put, came) = squared("dead_letters", isolation, &jobs);
    assert!(came.values().all(|times| *times == 1));
    let dead = jobs.dead_letters().unwrap();
    assert_eq!(dead.dropped, 0);
    assert!(dead.messages.len() <= kills());
    // A worker may be killed behind its result, and before its confirmation.
    let mut all: BTreeSet<u64> = came.into_keys().collect();
    all.extend(dead.messages.iter().map(|message| {
        let number: u64 = decoded(message);
        number * number
    }));
    assert!(all.into_iter().eq((0..put).map(|n| n * n)));
}

/// A number as guests and hosts put it.
fn decoded(message: &[u8]) -> u64 {
    let queue = Queue::new();
    queue.put(message, None).unwrap();
    queue.get_value(None).unwrap()
}

/// The other end of a pipe gets what was sent, in order, and then an end of file.
fn pipes(isolation: Isolation) {
    const ENDS: usize = 60;
    under_fire("pipes", isolation, |firing| {
        while firing.load(Ordering::Relaxed) {
            let mut pool = builder(isolation, 2);
            let mut ours = Vec::new();
            for place in 0..ENDS {
                let (end, theirs) = Pipe::builder().messages(10).build();
                pool = pool.pipe(format!("p{place}"), theirs);
                ours.push((place, end));
            }
            let pool = open(pool);
            let second = ours.split_off(ENDS / 2);
            thread::scope(|scope| {
                for ours in [ours, second] {
                    let pool = &pool;
                    scope.spawn(move || {
                        for (place, end) in ours {
                            let echo = start(pool, "echo-pipe", json!(format!("p{place}")));
                            let over = AtomicBool::new(false);
                            thread::scope(|scope| {
                                scope.spawn(|| {
                                    unless_killed(echo.result());
                                    over.store(true, Ordering::Release);
                                });
                                converse(&end, firing, &over);
                            });
                            if !firing.load(Ordering::Relaxed) {
                                return;
                            }
                        }
                    });
                }
            });
        }
    });
}

/// Sends numbers through a pipe and gets them back, until the echo is killed or nobody is killed any more.
fn converse(end: &PipeEnd, firing: &AtomicBool, over: &AtomicBool) {
    let (mut sent, mut got) = (0u64, 0u64);
    let mut finished = false;
    loop {
        if !firing.load(Ordering::Relaxed) && !finished {
            end.finish();
            finished = true;
        }
        // A few ahead, so that some are under way at any time.
        while !finished && sent < got + 5 {
            match end.send(&sent.to_le_bytes(), Some(PATIENCE)) {
                Ok(()) => sent += 1,
                Err(SendError::Broken) => finished = true,
                Err(error) => panic!("{error}"),
            }
        }
        // One that was killed before it opened its end has left it as it was: nobody holds it.
        let timeout = match got {
            0 if over.load(Ordering::Acquire) => Duration::ZERO,
            0 => Duration::from_millis(10),
            _ => PATIENCE,
        };
        match end.receive(Some(timeout)) {
            Err(ReceiveError::Empty) if timeout.is_zero() => break,
            Err(ReceiveError::Empty) if got == 0 => {}
            Ok(message) => {
                assert_eq!(message, got.to_le_bytes());
                got += 1;
            }
            Err(ReceiveError::EndOfFile) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(got <= sent);
}

/// What a lock protects is half done only where the next holder is told.
fn locks(isolation: Isolation) {
    let (lock, buffer) = (Lock::new(), Buffer::new(16).unwrap());
    let pool = builder(isolation, 3)
        .lock("l", &lock)
        .buffer("b", &buffer, Access::ReadWrite);
    let pool = open(pool);
    let told = stepped("locks", isolation, &pool, "keep-equal", "l", || {
        lock.acquire(Some(PATIENCE)).unwrap().was_abandoned()
    });
    check_equal(&buffer, told);
}

/// The same of a semaphore, which has all of its units in the end.
fn semaphores(isolation: Isolation) {
    let (units, buffer) = (Semaphore::bounded(1), Buffer::new(16).unwrap());
    let pool = builder(isolation, 3)
        .semaphore("s", &units)
        .buffer("b", &buffer, Access::ReadWrite);
    let pool = open(pool);
    let told = stepped(
        "semaphores",
        isolation,
        &pool,
        "keep-equal-by-semaphore",
        "s",
        || units.acquire(Some(PATIENCE)).unwrap().was_abandoned(),
    );
    check_equal(&buffer, told);
    assert_eq!(units.value(), 1);
}

/// Has guests take steps under an object while they are killed. What the host is told that takes it last.
fn stepped(
    test: &str,
    isolation: Isolation,
    pool: &Pool,
    task: &str,
    object: &str,
    last: impl Fn() -> bool,
) -> bool {
    let repaired = under_fire(test, isolation, |firing| {
        thread::scope(|scope| {
            let callers = [(); 3].map(|()| {
                scope.spawn(|| {
                    let mut repaired = 0;
                    while firing.load(Ordering::Relaxed) {
                        let result = call(pool, task, json!([object, "b", 100]));
                        repaired += unless_killed(result).and_then(|n| n.as_u64()).unwrap_or(0);
                    }
                    repaired
                })
            });
            callers
                .map(|caller| caller.join().unwrap())
                .iter()
                .sum::<u64>()
        })
    });
    assert!(repaired <= kills() as u64, "{repaired} repaired");
    last()
}

fn check_equal(buffer: &Buffer, told: bool) {
    let numbers = [0, 8].map(|offset| buffer.load_u64(offset).unwrap());
    assert!(numbers[0] > 0);
    assert!(
        told || numbers[0] == numbers[1],
        "{numbers:?}, and nobody told"
    );
}

/// Who waits for an event is woken, whoever else waited.
fn events(isolation: Isolation) {
    let event = Event::new();
    let pool = open(builder(isolation, 3).event("e", &event));
    under_fire("events", isolation, |firing| {
        while firing.load(Ordering::Relaxed) {
            let waits = [(); 3].map(|()| start(&pool, "wait-event", json!(["e", null])));
            thread::sleep(Duration::from_millis(2));
            event.set();
            for wait in waits {
                let woken = unless_killed(wait.result());
                assert!(woken.is_none_or(|woken| woken == json!(true)));
            }
            event.clear();
        }
    });
}

/// Every token is taken, once; one who is told that a holder ended wakes the others, as a notification may be lost with it.
fn conditions(isolation: Isolation) {
    let lock = Lock::new();
    let condition = Condition::new(&lock);
    let tokens = Value::new(0u64).unwrap();
    let pool = builder(isolation, 3).condition("c", &condition).buffer(
        "n",
        tokens.buffer(),
        Access::ReadWrite,
    );
    let pool = open(pool);
    let give = |more: u64| {
        let guard = lock.acquire(Some(PATIENCE)).unwrap();
        tokens.update(|n| n + more);
        match guard.was_abandoned() {
            true => condition.notify_all(&guard).unwrap(),
            false => condition.notify(&guard, 1).unwrap(),
        };
    };
    let over = AtomicBool::new(false);
    let (given, taken) = under_fire("conditions", isolation, |firing| {
        thread::scope(|scope| {
            let takers = [(); 3].map(|()| {
                scope.spawn(|| {
                    let mut taken = 0u64;
                    while !over.load(Ordering::Relaxed) {
                        let result = call(&pool, "take-token", json!(["c", "n"]));
                        taken += u64::from(unless_killed(result).is_some());
                    }
                    taken
                })
            });
            let mut given = 0u64;
            while firing.load(Ordering::Relaxed) || given < 50 {
                let more = u64::from(tokens.get() < 10);
                give(more);
                given += more;
            }
            patiently("all tokens are taken", || {
                give(0);
                (tokens.get() == 0).then_some(())
            });
            over.store(true, Ordering::Relaxed);
            // Those who wait still need one each.
            while !takers.iter().all(|taker| taker.is_finished()) {
                give(1);
                given += 1;
                thread::sleep(Duration::from_millis(1));
            }
            let taken = takers.map(|taker| taker.join().unwrap());
            (given - tokens.get(), taken.iter().sum::<u64>())
        })
    });
    // A taker may be killed behind its step, and before its result.
    assert!(
        taken <= given && given <= taken + kills() as u64,
        "{given} {taken}"
    );
}

/// Who waits at a barrier with one that is killed is told that it is broken.
fn barriers(isolation: Isolation) {
    let barrier = Barrier::new(3);
    let pool = open(builder(isolation, 2).barrier("b", &barrier));
    let mut killer = Killer::new("barriers", isolation);
    let began = Instant::now();
    while killer.killed.len() < kills() {
        assert!(began.elapsed() < PATIENCE, "there is nobody to kill");
        let before = killer.killed.len();
        let mut waits = [(); 2].map(|()| start(&pool, "barrier-wait", json!(["b", null])));
        // Half of the time both wait for certain; unless a worker was given one that had been killed before.
        let certain = killer.random.below(2) == 0;
        patiently("both wait", || {
            let came = barrier.waiting() == 2 || waits.iter_mut().any(|wait| wait.is_over());
            (came || !certain).then_some(())
        });
        let both = barrier.waiting() == 2;
        killer.strike();
        let hit = killer.killed.len() > before;
        // With processes an item, it may have been a spare.
        if both && hit && isolation != Isolation::Process {
            patiently("it is broken", || barrier.is_broken().then_some(()));
        } else {
            thread::sleep(Duration::from_millis(1));
            barrier.abort();
        }
        for wait in waits {
            match wait.result() {
                Err(failure) if failure.kind == FailureKind::WorkerLost => {}
                Err(failure) => assert!(failure.message.contains("broken"), "{failure}"),
                Ok(number) => panic!("passed a barrier as {number}"),
            }
        }
        assert!(barrier.is_broken() && barrier.waiting() == 0);
        barrier.reset();
    }
}

/// Attached buffers show what is in them; who waits for a number is woken, and nobody is counted who was killed.
fn buffers(isolation: Isolation) {
    let numbers: Vec<u64> = (0..50_000).collect();
    let array = Array::from_slice(&numbers).unwrap();
    let word = Buffer::new(8).unwrap();
    let pool = builder(isolation, 3)
        .buffer("a", array.buffer(), Access::ReadWrite)
        .buffer("w", &word, Access::ReadWrite);
    let pool = open(pool);
    under_fire("buffers", isolation, |firing| {
        thread::scope(|scope| {
            scope.spawn(|| {
                while firing.load(Ordering::Relaxed) {
                    let sum = call(&pool, "sum-attached", json!(["a", 0, 50_000]));
                    let right = json!(numbers.iter().sum::<u64>());
                    assert!(unless_killed(sum).is_none_or(|sum| sum == right));
                }
            });
            while firing.load(Ordering::Relaxed) {
                let mut waits =
                    [(); 2].map(|()| Some(start(&pool, "wait-number", json!(["w", 0, 0, null]))));
                thread::sleep(Duration::from_millis(2));
                // Whoever comes now finds another number, and who came before is woken.
                word.update_u64(0, |_| 1).unwrap();
                let counted = word.notify(0, u32::MAX).unwrap() as usize;
                let ends = waits.each_mut().map(|wait| {
                    let wait = wait.take().expect("it was started");
                    unless_killed(wait.result())
                });
                let woken = ends
                    .iter()
                    .filter(|end| **end == Some(json!("woken")))
                    .count();
                let unequal = ends
                    .iter()
                    .filter(|end| **end == Some(json!("unequal")))
                    .count();
                let killed = ends.iter().filter(|end| end.is_none()).count();
                assert_eq!(woken + unequal + killed, 2, "{ends:?}");
                assert!(woken <= counted && counted <= woken + killed, "{ends:?}");
                word.update_u64(0, |_| 0).unwrap();
            }
        });
    });
    let sum = until_done(&pool, "sum-copied", &json!(["a", 0, 50_000]));
    assert_eq!(sum, json!(numbers.iter().sum::<u64>()));
    assert_eq!(array.to_vec().unwrap(), numbers);
}
