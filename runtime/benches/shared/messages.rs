//! Messages between host and guests: how long one takes while many are under way, and there and back.

use std::time::Instant;

use wasmpool::objects::{Pipe, Queue};
use wasmpool::pool::{Direction, Handle, Pool, PoolBuilder};

use super::{builder, guest};

/// Round trips before those that count.
const WARM_UP: usize = 20;

/// Two queues that every guest has.
pub struct Queues {
    there: Queue,
    back: Queue,
    /// Messages that a guest puts, or gets, at once.
    batch: u64,
}

impl Queues {
    pub fn new() -> Queues {
        Queues {
            there: Queue::new(),
            back: Queue::new(),
            batch: 1,
        }
    }

    /// The same queues, to use so many messages at once.
    pub fn at_once(&self, batch: u64) -> Queues {
        Queues {
            there: self.there.clone(),
            back: self.back.clone(),
            batch,
        }
    }

    pub fn grant(&self, builder: PoolBuilder) -> PoolBuilder {
        builder.queue("there", &self.there, Direction::Both).queue(
            "back",
            &self.back,
            Direction::Both,
        )
    }

    /// From this process to a guest.
    pub fn to_guest(&self, pool: &Pool, bytes: usize, n: usize, out: &mut Vec<f64>) {
        let message = vec![7_u8; bytes];
        let start = Instant::now();
        let guest = self.get(pool, "there", n);
        for _ in 0..n {
            self.there.put(&message, None).expect("the queue is open");
        }
        let got = guest.wait().expect("an item without a fault");
        out.push(start.elapsed().as_nanos() as f64 / n as f64);
        assert_eq!(got, (n * bytes) as u64);
    }

    /// From a guest to this process.
    pub fn to_host(&self, pool: &Pool, bytes: usize, n: usize, out: &mut Vec<f64>) {
        let start = Instant::now();
        let guest = self.put(pool, "back", n, bytes);
        for _ in 0..n {
            let message = self.back.get(None).expect("the queue is open");
            assert_eq!(message.len(), bytes);
        }
        out.push(start.elapsed().as_nanos() as f64 / n as f64);
        guest.wait().expect("an item without a fault");
    }

    /// From a worker to another.
    pub fn between(&self, from: &Pool, to: &Pool, bytes: usize, n: usize, out: &mut Vec<f64>) {
        let start = Instant::now();
        let consumer = self.get(to, "there", n);
        let producer = self.put(from, "there", n, bytes);
        let got = consumer.wait().expect("an item without a fault");
        out.push(start.elapsed().as_nanos() as f64 / n as f64);
        producer.wait().expect("an item without a fault");
        assert_eq!(got, (n * bytes) as u64);
    }

    fn get(&self, pool: &Pool, queue: &str, n: usize) -> Handle<u64> {
        match self.batch {
            1 => submit(pool, "get-many", (queue, n)),
            batch => submit(pool, "get-batches", (queue, n, batch)),
        }
    }

    fn put(&self, pool: &Pool, queue: &str, n: usize, bytes: usize) -> Handle<()> {
        match self.batch {
            1 => submit(pool, "put-many", (queue, n, bytes)),
            batch => submit(pool, "put-batches", (queue, n, bytes, batch)),
        }
    }

    /// To a guest and back.
    pub fn round_trip(&self, pool: &Pool, n: usize, out: &mut Vec<f64>) {
        let guest = submit::<_, ()>(pool, "echo-queue", ("there", "back", WARM_UP + n));
        trips(n, out, |message| {
            self.there.put(message, None).expect("the queue is open");
            self.back.get(None).expect("the queue is open")
        });
        guest.wait().expect("an item without a fault");
    }
}

/// To a guest and back through the two directions of a pipe. An end has one holder for ever, so each time is with a
/// pipe and a process of its own.
pub fn through_a_pipe(n: usize, out: &mut Vec<f64>) {
    let (here, there) = Pipe::new();
    let pool = builder()
        .pipe("end", there)
        .open(guest::speed().expect("it was there when the benchmark began"));
    let pool = pool.expect("a pool of the guest");
    let guest = submit::<_, ()>(&pool, "echo-pipe", "end");
    trips(n, out, |message| {
        here.send(message, None).expect("the pipe is open");
        here.receive(None).expect("the pipe is open")
    });
    here.finish();
    guest.wait().expect("an item without a fault");
}

fn trips(n: usize, out: &mut Vec<f64>, trip: impl Fn(&[u8]) -> Vec<u8>) {
    for round in 0..WARM_UP + n {
        let message = (round as u64).to_le_bytes();
        let start = Instant::now();
        let back = trip(&message);
        if round >= WARM_UP {
            out.push(start.elapsed().as_nanos() as f64);
        }
        assert_eq!(back, message);
    }
}

fn submit<T: serde::Serialize, R: serde::de::DeserializeOwned>(
    pool: &Pool,
    task: &str,
    item: T,
) -> Handle<R> {
    pool.submit(task, item).expect("the pool takes jobs")
}
