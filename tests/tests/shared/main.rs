//! What processes share, through the guests' side and the host's: queues, pipes, buffers and what is in `sync`, from pools
//! of every isolation.

use std::process::ExitCode;
use std::time::Duration;

use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::objects::{
    Access, Array, Barrier, Condition, Event, Lock, Pipe, Queue, Semaphore, Value,
};
use wasmpool::pool::{Direction, Error, Joined, Pool, PoolBuilder, Process};
use wasmpool_tests::{PATIENCE, Suite, guests};

fn main() -> ExitCode {
    Suite::new().guest("smoke", smoke).run()
}

fn module() -> std::path::PathBuf {
    guests().expect("only run with guests").join("shared.wasm")
}

fn builder(isolation: Isolation) -> PoolBuilder {
    Pool::builder()
        .workers(2)
        .isolation(isolation)
        .limits(Limits::new().timeout(PATIENCE))
}

fn smoke() {
    for isolation in [
        Isolation::Shared,
        Isolation::Instance,
        Isolation::Process,
        Isolation::Thread,
    ] {
        println!("{isolation:?}");
        let (a, b) = (Queue::new(), Queue::new());
        let (here, there) = Pipe::new();
        let lock = Lock::new();
        let value = Value::new(0u64).unwrap();
        let array = Array::from_slice(&(0..10_000u64).collect::<Vec<_>>()).unwrap();
        let event = Event::new();
        let barrier = Barrier::new(2);
        let condition = Condition::new(&lock);
        let semaphore = Semaphore::bounded(1);
        let pool = builder(isolation)
            .queue("a", &a, Direction::Both)
            .queue("b", &b, Direction::Both)
            .pipe("end", there)
            .lock("lock", &lock)
            .buffer("value", value.buffer(), Access::ReadWrite)
            .buffer("array", array.buffer(), Access::ReadWrite)
            .buffer("array-ro", array.buffer(), Access::ReadOnly)
            .event("event", &event)
            .barrier("barrier", &barrier)
            .condition("condition", &condition)
            .semaphore("semaphore", &semaphore)
            .open(module())
            .unwrap();
        let _: () = pool.apply("put", ("a", "hello", None::<u64>)).unwrap();
        println!("{:?}", a.get(Some(PATIENCE)));
        let sum: Result<u64, Error> = pool.apply("sum-copied", ("array", 0u64, 10_000u64));
        println!("{sum:?}");
        let sum: Result<u64, Error> = pool.apply("sum-attached", ("array-ro", 0u64, 10_000u64));
        println!("{sum:?}");
        let r: Result<Vec<()>, Error> = pool.map("increment", vec![("value", 10_000u64); 8]);
        println!("{r:?} {}", value.get());
        let r: Result<Vec<()>, Error> =
            pool.map("increment-locked", vec![("lock", "value", 1_000u64); 4]);
        println!("{r:?} {}", value.get());
        let r: Result<Vec<Vec<u32>>, Error> =
            pool.map("barrier-rounds", vec![("barrier", 3u32); 2]);
        println!("{r:?}");
        drop(here);
    }
}
