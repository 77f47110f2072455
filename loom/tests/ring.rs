//! A ring between two threads: every frame is read as it was written, and no sleeper is forgotten.
//!
//! Both sides wait as the runtime's links do: a side that finds nothing says that it sleeps, looks once more, and waits
//! for its bell; who moves an index rings if the other side sleeps. A wake-up that is lost is a deadlock, which loom
//! reports.

use loom::sync::{Arc, Notify};
use loom::thread;
use wasmpool_loom::ipc::page::{RING_BYTES, RingWords};
use wasmpool_loom::ipc::ring::{Consumer, MAX_FRAME, Place, Producer};
use wasmpool_loom::sys::memory::Shared;

/// A ring, and the bells of its two sides.
#[derive(Default)]
struct Ring {
    words: RingWords,
    memory: Shared,
    producer: Notify,
    consumer: Notify,
}

impl Ring {
    fn at(&self) -> Place<'_> {
        Place {
            words: &self.words,
            memory: &self.memory,
            offset: 0,
        }
    }

    fn publish(&self, producer: &mut Producer) {
        if producer.publish(self.at()) {
            self.consumer.notify();
        }
    }

    /// Writes a frame, waiting for room, as `WorkerLink::write` does.
    fn write(&self, producer: &mut Producer, frame: &[u8]) {
        let (a, b) = frame.split_at(frame.len() / 2);
        while !producer.write(self.at(), &[a, b]).unwrap() {
            self.publish(producer);
            let room = producer.room(self.at()).unwrap();
            if room < 4 + frame.len() && producer.sleep(self.at(), room).unwrap() {
                self.producer.wait();
            }
        }
    }

    /// Waits for the next frame, as `WorkerLink::next` does.
    fn read(&self, consumer: &mut Consumer) -> Vec<u8> {
        let mut frame = Vec::new();
        while !consumer.read(self.at(), &mut frame).unwrap() {
            if consumer.sleep(self.at()).unwrap() {
                self.consumer.wait();
            }
        }
        frame
    }

    fn release(&self, consumer: &mut Consumer) {
        if consumer.release(self.at()) {
            self.producer.notify();
        }
    }
}

/// Frames that differ in every byte.
fn frame(i: u8, len: usize) -> Vec<u8> {
    (0..len as u8).map(|at| i * 16 + at).collect()
}

/// How often a thread is interrupted where it need not be, at most. Bugs show with two; without a bound the models take
/// hours. `LOOM_MAX_PREEMPTIONS` sets another: with five they take a minute and a half.
const INTERRUPTIONS: usize = 3;

/// Runs a producer and a consumer under every order with so many interruptions.
fn check(
    produce: impl Fn(&Ring, &mut Producer) + Send + Sync + Clone + 'static,
    consume: impl Fn(&Ring, &mut Consumer) + Send + Sync + 'static,
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound.get_or_insert(INTERRUPTIONS);
    model.check(move || {
        let ring = Arc::new(Ring::default());
        let (theirs, produce) = (ring.clone(), produce.clone());
        let producer = thread::spawn(move || produce(&theirs, &mut Producer::default()));
        consume(&ring, &mut Consumer::default());
        producer.join().unwrap();
    });
}

#[test]
fn a_consumer_that_sleeps_is_woken() {
    check(
        |ring, producer| {
            for i in 0..2 {
                ring.write(producer, &frame(i, 3));
                ring.publish(producer);
            }
        },
        |ring, consumer| {
            for i in 0..2 {
                assert_eq!(ring.read(consumer), frame(i, 3));
                ring.release(consumer);
            }
        },
    );
}

#[test]
fn frames_published_together_are_whole() {
    check(
        |ring, producer| {
            ring.write(producer, &frame(0, 2));
            ring.write(producer, &[]);
            ring.write(producer, &frame(1, MAX_FRAME));
            ring.publish(producer);
        },
        |ring, consumer| {
            assert_eq!(ring.read(consumer), frame(0, 2));
            assert_eq!(ring.read(consumer), []);
            assert_eq!(ring.read(consumer), frame(1, MAX_FRAME));
            ring.release(consumer);
        },
    );
}

/// Two frames fill the ring. The third waits for room, and goes around its end.
#[test]
fn a_producer_that_sleeps_is_woken() {
    check(
        |ring, producer| {
            for i in 0..3 {
                ring.write(producer, &frame(i, MAX_FRAME));
            }
            ring.publish(producer);
        },
        |ring, consumer| {
            for i in 0..3 {
                assert_eq!(ring.read(consumer), frame(i, MAX_FRAME));
                ring.release(consumer);
            }
        },
    );
}

/// Room is given back for several frames at once, as the host does. The third frame is one byte too long for what is
/// left.
#[test]
fn room_is_given_back_in_one_go() {
    const LEFT: usize = RING_BYTES - 2 * (4 + MAX_FRAME);
    let lens = [MAX_FRAME, MAX_FRAME, LEFT - 4 + 1];
    check(
        move |ring, producer| {
            for (i, len) in lens.into_iter().enumerate() {
                ring.write(producer, &frame(i as u8, len));
                ring.publish(producer);
            }
        },
        move |ring, consumer| {
            for (i, len) in lens.into_iter().enumerate() {
                assert_eq!(ring.read(consumer), frame(i as u8, len));
                if i > 0 {
                    ring.release(consumer);
                }
            }
        },
    );
}

/// A consumer that spins for a while takes its wish to be woken back, and makes it again.
#[test]
fn a_consumer_that_spins_in_between_is_woken() {
    check(
        |ring, producer| {
            for i in 0..2 {
                ring.write(producer, &frame(i, 1));
                ring.publish(producer);
            }
        },
        |ring, consumer| {
            if consumer.sleep(ring.at()).unwrap() {
                consumer.wake(ring.at());
            }
            assert_eq!(ring.read(consumer), frame(0, 1));
            consumer.wake(ring.at());
            assert_eq!(ring.read(consumer), frame(1, 1));
            ring.release(consumer);
        },
    );
}
