//! The host's own interface, from many threads.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::Duration;

use crate::objects::{
    AcquireError, Barrier, BarrierError, Condition, ConditionError, Event, GetError, Lock,
    MAX_OWNED, Pipe, PutError, Queue, ReceiveError, ReleaseError, Semaphore, SendError,
    TaskDoneError, end,
};

const NOW: Option<Duration> = Some(Duration::ZERO);
/// Passes often, and so meets answers on their way.
const SHORT: Option<Duration> = Some(Duration::from_micros(20));

#[test]
fn each_message_comes_once_and_in_its_producers_order() {
    const EACH: u32 = 2_000;
    for joinable in [false, true] {
        let queue = Queue::builder()
            .messages(5)
            .bytes(100)
            .joinable(joinable)
            .build();
        let seen: Vec<Vec<(u32, u32)>> = thread::scope(|scope| {
            let consumers: Vec<_> = (0..3u32)
                .map(|consumer| {
                    let queue = queue.clone();
                    scope.spawn(move || {
                        let mut seen = Vec::new();
                        loop {
                            match queue.get_value::<(u32, u32)>(if consumer == 0 {
                                SHORT
                            } else {
                                None
                            }) {
                                Ok(value) => {
                                    seen.push(value);
                                    assert_eq!(queue.task_done().is_ok(), joinable);
                                }
                                Err(GetError::Empty) => assert_eq!(consumer, 0),
                                Err(GetError::Closed) => return seen,
                                Err(error) => panic!("{error}"),
                            }
                        }
                    })
                })
                .collect();
            let producers: Vec<_> = (0..3u32)
                .map(|producer| {
                    let queue = queue.clone();
                    scope.spawn(move || {
                        for n in 0..EACH {
                            let timeout = if producer == 0 { SHORT } else { None };
                            while let Err(error) = queue.put_value(&(producer, n), timeout) {
                                assert!(matches!(error, PutError::Full), "{error}");
                            }
                        }
                    })
                })
                .collect();
            producers
                .into_iter()
                .for_each(|producer| producer.join().unwrap());
            queue.close();
            assert!(queue.join(None));
            consumers
                .into_iter()
                .map(|consumer| consumer.join().unwrap())
                .collect()
        });
        let mut all = HashMap::new();
        for seen in seen {
            let mut last = HashMap::new();
            for (producer, n) in seen {
                assert!(
                    last.insert(producer, n).is_none_or(|before| before < n),
                    "out of order"
                );
                *all.entry((producer, n)).or_insert(0) += 1;
            }
        }
        assert_eq!(all.len(), 3 * EACH as usize);
        assert!(all.values().all(|times| *times == 1));
    }
}

#[test]
fn a_queue_says_what_is_wrong() {
    let queue = Queue::builder().messages(1).bytes(1 << 20).build();
    assert!(matches!(queue.try_get(), Err(GetError::Empty)));
    assert!(
        matches!(queue.put(vec![0; (1 << 20) + 1], None), Err(PutError::TooLarge(bound)) if bound == 1 << 20)
    );
    let large: Vec<u8> = (0..=MAX_OWNED).map(|i| i as u8).collect();
    queue.put(&large, None).unwrap();
    assert!(matches!(queue.try_put(b"x"), Err(PutError::Full)));
    assert_eq!((queue.len(), queue.is_empty()), (1, false));
    assert!(!queue.join(NOW));
    assert!(queue.try_get().unwrap() == large);
    queue.put_value("text", None).unwrap();
    assert!(matches!(
        queue.get_value::<(u64, Vec<String>)>(None),
        Err(GetError::Decode(_))
    ));
    assert_eq!(queue.task_done(), Err(TaskDoneError::NotJoinable));
    queue.close();
    assert!(matches!(queue.put(b"x", None), Err(PutError::Closed)));
    assert!(matches!(queue.get(None), Err(GetError::Closed)));
    let joinable = Queue::joinable();
    assert_eq!(joinable.task_done(), Err(TaskDoneError::NothingOwed));
}

#[test]
fn a_pipe_carries_messages_between_threads() {
    let (a, b) = Pipe::builder().messages(2).bytes(200_000).build();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..500usize {
                let message = b.receive(None).unwrap();
                assert_eq!(message.len(), n * 131 % 99_991);
                b.send(&n.to_le_bytes(), None).unwrap();
            }
            b.finish();
            assert!(matches!(b.send(b"x", None), Err(SendError::NotPermitted)));
            assert!(matches!(b.receive(None), Err(ReceiveError::EndOfFile)));
        });
        for n in 0..500usize {
            a.send(&vec![1; n * 131 % 99_991], None).unwrap();
            if n % 2 == 1 {
                assert_eq!(a.receive(None).unwrap(), (n - 1).to_le_bytes());
                assert!(a.poll(None));
                assert_eq!(a.receive(None).unwrap(), n.to_le_bytes());
            }
        }
        assert!(a.poll(None));
        assert!(matches!(a.receive(None), Err(ReceiveError::EndOfFile)));
        drop(a);
    });
}

#[test]
fn an_end_that_was_dropped_ends_the_wait_of_the_other() {
    let (a, b) = Pipe::builder().messages(1).build();
    thread::scope(|scope| {
        scope.spawn(|| {
            a.send(b"1", None).unwrap();
            while let Ok(()) = a.send(b"3", None) {}
            assert!(matches!(a.receive(None), Err(ReceiveError::EndOfFile)));
        });
        b.receive(None).unwrap();
        drop(b);
    });
    let (to, from) = Pipe::builder().one_way().messages(1).bytes(1).build();
    assert!(matches!(to.send(b"x", None), Err(SendError::NotPermitted)));
    assert!(matches!(
        from.receive(None),
        Err(ReceiveError::NotPermitted)
    ));
    assert!(matches!(
        from.send(b"xy", None),
        Err(SendError::TooLarge(1))
    ));
    assert!(matches!(to.receive(NOW), Err(ReceiveError::Empty)));
    from.send(b"x", None).unwrap();
    assert!(matches!(from.send(b"y", SHORT), Err(SendError::Full)));
}

#[test]
fn one_at_a_time_holds_a_lock() {
    let (lock, inside, turns) = (Lock::new(), AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for timeout in [None, None, SHORT, SHORT] {
            let (lock, inside, turns) = (&lock, &inside, &turns);
            scope.spawn(move || {
                for _ in 0..1_000 {
                    match lock.acquire(timeout) {
                        Ok(guard) => {
                            assert!(!inside.swap(true, Ordering::Relaxed), "two hold the lock");
                            assert!(!guard.was_abandoned());
                            turns.fetch_add(1, Ordering::Relaxed);
                            inside.store(false, Ordering::Relaxed);
                        }
                        Err(error) => assert!(
                            timeout.is_some() && matches!(error, AcquireError::TimedOut { .. })
                        ),
                    }
                }
            });
        }
    });
    assert!(turns.into_inner() >= 2_000);
    assert!(lock.acquire(NOW).is_ok());
}

#[test]
fn guards_hold_for_whom_they_were_made() {
    let lock = Lock::new().named("accounts");
    let guard = lock.acquire(None).unwrap();
    assert_eq!(
        lock.acquire(NOW).unwrap_err().to_string(),
        "`accounts` was not free until the timeout passed"
    );
    assert!(matches!(
        guard.again(),
        Err(AcquireError::AlreadyHeld { .. })
    ));
    thread::spawn(move || drop(guard)).join().unwrap();
    let lock = Lock::recursive();
    let outer = lock.acquire(None).unwrap();
    let inner = outer.again().unwrap();
    drop(outer);
    assert!(lock.acquire(NOW).is_err());
    drop(inner);
    let guard = lock.acquire(NOW).unwrap();
    // As if its holder had died.
    end(guard.held.0);
    assert!(lock.acquire(NOW).unwrap().was_abandoned());
}

#[test]
fn a_semaphore_lets_so_many_in() {
    let (semaphore, inside) = (Semaphore::bounded(2), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let permit = semaphore.acquire(None).unwrap();
                    assert!(inside.fetch_add(1, Ordering::Relaxed) < 2);
                    inside.fetch_sub(1, Ordering::Relaxed);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(
        (semaphore.value(), semaphore.release()),
        (2, Err(ReleaseError::TooMany(2)))
    );
    let permit = semaphore.acquire(None).unwrap();
    assert_eq!(semaphore.release(), Err(ReleaseError::NotHeld));
    end(permit.held.0);
    assert!(semaphore.acquire(None).unwrap().was_abandoned());
    let semaphore = Semaphore::new(0);
    thread::scope(|scope| {
        scope.spawn(|| semaphore.release().unwrap());
        assert!(!semaphore.acquire(None).unwrap().was_abandoned());
    });
}

#[test]
fn a_barrier_lets_all_pass_together() {
    const ROUNDS: usize = 300;
    let (barrier, arrived) = (Barrier::new(3), AtomicUsize::new(0));
    let leaders = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 1..=ROUNDS {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    if barrier.wait(None).unwrap() == 0 {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                    assert!(
                        arrived.load(Ordering::SeqCst) >= 3 * round,
                        "one passed before all had come"
                    );
                }
            });
        }
    });
    assert_eq!(leaders.into_inner(), ROUNDS);
    assert_eq!(
        (barrier.parties(), barrier.waiting(), barrier.is_broken()),
        (3, 0, false)
    );
    thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait(None));
        assert!(matches!(
            barrier.wait(SHORT),
            Err(BarrierError::TimedOut | BarrierError::Broken)
        ));
        assert_eq!(other.join().unwrap(), Err(BarrierError::Broken));
    });
    barrier.reset();
    assert!(!barrier.is_broken());
    barrier.abort();
    assert_eq!(barrier.wait(None), Err(BarrierError::Broken));
}

#[test]
fn a_condition_hands_over_without_losing_anybody() {
    // Two who take turns, and one who gives up again and again.
    let (lock, turn, over) = (Lock::new(), AtomicU32::new(0), AtomicBool::new(false));
    let changed = Condition::new(&lock);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut guard = lock.acquire(None).unwrap();
            while !over.load(Ordering::Relaxed) {
                match changed.wait(&mut guard, SHORT) {
                    Ok(()) => _ = changed.notify(&guard, 1).unwrap(),
                    Err(error) => assert_eq!(error, ConditionError::TimedOut),
                }
                assert!(
                    lock.acquire(NOW).is_err(),
                    "the lock is not held after waiting"
                );
            }
        });
        let players: Vec<_> = [0, 1]
            .map(|me| {
                let (lock, turn, changed) = (&lock, &turn, &changed);
                scope.spawn(move || {
                    for _ in 0..1_000 {
                        let mut guard = lock.acquire(None).unwrap();
                        let mine = || turn.load(Ordering::Relaxed) % 2 == me;
                        assert_eq!(changed.wait_for(&mut guard, None, mine), Ok(true));
                        turn.fetch_add(1, Ordering::Relaxed);
                        changed.notify_all(&guard).unwrap();
                    }
                })
            })
            .into_iter()
            .collect();
        players
            .into_iter()
            .for_each(|player| player.join().unwrap());
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(turn.into_inner(), 2_000);
    let mut guard = lock.acquire(None).unwrap();
    assert_eq!(changed.wait_for(&mut guard, SHORT, || false), Ok(false));
    let mut other = Lock::new().acquire(None).unwrap();
    assert_eq!(changed.wait(&mut other, None), Err(ConditionError::NotHeld));
    assert_eq!(changed.notify(&other, 1), Err(ConditionError::NotHeld));
}

#[test]
fn an_event_wakes_all_threads() {
    let event = Event::new();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| event.wait(None))).collect();
        assert!(!event.is_set());
        event.set();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    });
    event.clear();
    assert!(!event.wait(SHORT));
}

/// Polls a future once. Tells whether it was woken since.
fn poll<F: Future>(future: Pin<&mut F>, woken: &Arc<Woken>) -> Poll<F::Output> {
    woken.0.store(false, Ordering::SeqCst);
    future.poll(&mut Context::from_waker(&woken.clone().into()))
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_future_gets_what_comes_and_a_dropped_one_takes_nothing() {
    let woken = Arc::new(Woken::default());
    let (one, other) = (Queue::new(), Queue::new());
    {
        // The first of two queues.
        let mut gets = [&one, &other].map(|queue| Box::pin(queue.get_async()));
        for get in &mut gets {
            assert!(poll(get.as_mut(), &woken).is_pending());
        }
        other.put("x", None).unwrap();
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(poll(gets[0].as_mut(), &woken).is_pending());
        match poll(gets[1].as_mut(), &woken) {
            Poll::Ready(message) => assert_eq!(message.unwrap(), b"x"),
            Poll::Pending => panic!("it came"),
        }
    }
    // Nobody waits any more: what comes now stays. Nor is what came to a future that was never polled again gone.
    one.put("y", None).unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one.try_get().unwrap(), b"y");
    let mut get = Box::pin(one.get_async());
    assert!(poll(get.as_mut(), &woken).is_pending());
    one.put("z", None).unwrap();
    assert!(one.is_empty() && woken.0.load(Ordering::SeqCst));
    drop(get);
    assert_eq!(one.try_get().unwrap(), b"z");
    one.close();
    let closed = poll(Box::pin(one.get_async()).as_mut(), &woken);
    assert!(matches!(closed, Poll::Ready(Err(GetError::Closed))));
    let closed = poll(Box::pin(one.put_async(b"x")).as_mut(), &woken);
    assert!(matches!(closed, Poll::Ready(Err(PutError::Closed))));

    // A put that waits for room.
    let narrow = Queue::builder().messages(1).build();
    narrow.put("1", None).unwrap();
    for keep in [false, true] {
        let mut put = Box::pin(narrow.put_async(b"2"));
        assert!(poll(put.as_mut(), &woken).is_pending());
        if keep {
            assert_eq!(narrow.try_get().unwrap(), b"1");
            assert!(woken.0.load(Ordering::SeqCst));
            assert!(matches!(poll(put.as_mut(), &woken), Poll::Ready(Ok(()))));
        }
    }
    assert_eq!(narrow.try_get().unwrap(), b"2");

    let (event, (left, right)) = (Event::new(), Pipe::new());
    let (mut set, mut there) = (Box::pin(event.wait_async()), Box::pin(right.poll_async()));
    assert!(poll(set.as_mut(), &woken).is_pending());
    event.set();
    assert!(woken.0.load(Ordering::SeqCst) && poll(set.as_mut(), &woken).is_ready());
    assert!(poll(there.as_mut(), &woken).is_pending());
    left.send(b"x", None).unwrap();
    assert!(woken.0.load(Ordering::SeqCst) && poll(there.as_mut(), &woken).is_ready());
    assert_eq!(right.receive(NOW).unwrap(), b"x");
}
