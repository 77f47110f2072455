//! What processes share, beside what Python's `multiprocessing` does and what this machine can do at best: `cargo bench
//! --workspace --bench shared`, about two minutes. Needs the guests: `cargo xtask guests`.
//!
//! Rows are measured in turns in one run and compared with one another, never with a stored number. An argument is a
//! part of a row's name: only such rows are run, with those that they are compared with. Without `--bench`, as `cargo
//! test --benches` starts it, everything runs once, to see that it works.

#[path = "../../../tests/guests/speed/src/arithmetic.rs"]
mod arithmetic;
mod guest;
mod large;
mod messages;
mod peers;
#[path = "../pool/table.rs"]
mod table;

use std::time::{Duration, Instant};

use serde::Serialize;
use wasmpool::limits::{Limits, MIB};
use wasmpool::objects::{Access, Buffer, Lock, Value};
use wasmpool::pool::{Error, Pool, PoolBuilder};

use large::{Matrices, Numbers};
use messages::Queues;
use peers::Python;
use table::{Measure, Row};

const QUEUE: [&str; 3] = [
    "Python: Queue, 8 B: a message",
    "Python: Queue, 1 KiB: a message",
    "Python: Queue, 1 MiB: a message",
];
const QUEUE_TRIP: &str = "Python: round trip through two Queues";
const PIPE_TRIP: &str = "Python: round trip through two Pipes";
const LOCK: &str = "Python: Lock, acquire and release";
const VALUE: &str = "Python: Value, add under its lock";
const SUM: &str = "native: sum of 1 GiB, two threads";
const SUM_MAPPED: &str = "native: the same, mapped and unmapped";
const PRODUCT: &str = "native: matrix product, two threads";

/// Messages a second at least, beside `multiprocessing.Queue`: so much shorter is one.
const TEN_TIMES: f64 = 0.1;
const A_THIRD: f64 = 1.0 / 3.0;
/// Sixty percent of the speed.
const SIXTY_PERCENT: f64 = 1.0 / 0.6;

fn main() -> Result<(), Error> {
    // The benchmark is its own workers' executable.
    wasmpool::worker::enter_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let full = args.iter().any(|arg| arg == "--bench");
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    let wanted = wanted.map_or("", |wanted| wanted);
    let rounds = if full { 7 } else { 1 };
    let each = |n: usize| if full { n } else { n.min(5) };
    let Some(module) = guest::speed() else {
        println!("nothing is measured without guests: `cargo xtask guests` builds them");
        return Ok(());
    };
    let python = Python::start();
    if python.is_none() {
        println!("python3: missing, so that nothing is compared with it");
    }

    let (size, order) = if full { (1 << 30, 1024) } else { (1 << 20, 64) };
    let queues = Queues::new();
    let batches = queues.at_once(64);
    let numbers = Numbers::new(size);
    let matrices = Matrices::new(order);
    let (lock, value) = (Lock::new(), Value::new(0_u64).expect("there is memory"));
    let page = Buffer::new(4096).expect("there is memory");
    let shared = || {
        matrices
            .grant(numbers.grant(queues.grant(builder())))
            .lock("lock", &lock)
            .buffer("value", value.buffer(), Access::ReadWrite)
            .buffer("page", &page, Access::ReadWrite)
    };
    // Two processes, and one with two workers.
    let (a, b) = (shared().open(&module)?, shared().open(&module)?);
    let two = shared().workers(2).open(&module)?;
    for pool in [&a, &b, &two] {
        pool.map::<_, u64>("add-many", vec![("value", 1_u64); 100])?;
    }

    let mut rows = Vec::new();
    if let Some(python) = &python {
        let (small, large) = (each(20_000), each(50));
        let whats = [
            (QUEUE[0], small, "throughput Queue 8"),
            (QUEUE[1], small, "throughput Queue 1024"),
            (QUEUE[2], large, "throughput Queue 1048576"),
            (
                "Python: SimpleQueue, 8 B",
                small,
                "throughput SimpleQueue 8",
            ),
            (
                "Python: SimpleQueue, 1 KiB",
                small,
                "throughput SimpleQueue 1024",
            ),
            (
                "Python: SimpleQueue, 1 MiB",
                large,
                "throughput SimpleQueue 1048576",
            ),
            ("Python: Pipe, 8 B", small, "throughput Pipe 8"),
            ("Python: Pipe, 1 KiB", small, "throughput Pipe 1024"),
            ("Python: Pipe, 1 MiB", large, "throughput Pipe 1048576"),
            (QUEUE_TRIP, each(1000), "round_trip Queue 8"),
            (
                "Python: the same, SimpleQueues",
                each(1000),
                "round_trip SimpleQueue 8",
            ),
            (PIPE_TRIP, each(1000), "round_trip Pipe 8"),
            (LOCK, each(10_000), "lock - 0"),
            (VALUE, each(10_000), "value - 0"),
        ];
        rows.extend(whats.map(|(name, n, what)| python.row(name, n, what)));
    }
    let sizes = [
        (&queues, 8, 20_000),
        (&queues, 1 << 10, 20_000),
        (&queues, 1 << 20, 50),
        (&batches, 8, 100_000),
        (&batches, 1 << 10, 50_000),
    ];
    let names = [
        [
            "queue, 8 B, host to guest: a message",
            "queue, 8 B, guest to host",
            "queue, 8 B, process to process",
            "queue, 8 B, worker to worker of a pool",
        ],
        [
            "queue, 1 KiB, host to guest: a message",
            "queue, 1 KiB, guest to host",
            "queue, 1 KiB, process to process",
            "queue, 1 KiB, worker to worker of a pool",
        ],
        [
            "queue, 1 MiB, host to guest: a message",
            "queue, 1 MiB, guest to host",
            "queue, 1 MiB, process to process",
            "queue, 1 MiB, worker to worker of a pool",
        ],
        [
            "queue, 8 B, 64 at once, host to guest",
            "queue, 8 B, 64 at once, guest to host",
            "queue, 8 B, 64 at once, process to process",
            "queue, 8 B, 64 at once, worker to worker",
        ],
        [
            "queue, 1 KiB, 64 at once, host to guest",
            "queue, 1 KiB, 64 at once, guest to host",
            "queue, 1 KiB, 64 at once, process to process",
            "queue, 1 KiB, 64 at once, worker to worker",
        ],
    ];
    let beside = QUEUE.into_iter().chain([QUEUE[0], QUEUE[1]]);
    for (((q, bytes, n), names), queue) in sizes.into_iter().zip(names).zip(beside) {
        let (a, b, two) = (&a, &b, &two);
        let runs: [Measure<'_>; 4] = [
            Box::new(move |n, out| q.to_guest(a, bytes, n, out)),
            Box::new(move |n, out| q.to_host(a, bytes, n, out)),
            Box::new(move |n, out| q.between(a, b, bytes, n, out)),
            Box::new(move |n, out| q.between(two, two, bytes, n, out)),
        ];
        rows.extend(
            names
                .into_iter()
                .zip(runs)
                .map(|(name, run)| row(name, each(n), Some((queue, TEN_TIMES)), run)),
        );
    }
    let runs: Vec<Single<'_>> = vec![
        (
            "round trip through two queues",
            each(1000),
            Some((QUEUE_TRIP, A_THIRD)),
            Box::new(|n, out| queues.round_trip(&a, n, out)),
        ),
        (
            "round trip through a pipe",
            each(1000),
            Some((PIPE_TRIP, A_THIRD)),
            Box::new(messages::through_a_pipe),
        ),
        (SUM, 1, None, Box::new(|n, out| numbers.native(n, out))),
        (
            SUM_MAPPED,
            1,
            None,
            Box::new(|n, out| numbers.native_mapped(n, out)),
        ),
        (
            "sum of 1 GiB, attached, two workers",
            1,
            Some((SUM, SIXTY_PERCENT)),
            Box::new(|n, out| numbers.guests(&two, 1, n, out)),
        ),
        (
            "the same beside threads that map it",
            1,
            Some((SUM_MAPPED, SIXTY_PERCENT)),
            Box::new(|n, out| numbers.guests(&two, 1, n, out)),
        ),
        (
            "the same, attached once for ten sums",
            1,
            Some((SUM, SIXTY_PERCENT)),
            Box::new(|n, out| numbers.guests(&two, 10, n, out)),
        ),
        (PRODUCT, 1, None, Box::new(|n, out| matrices.native(n, out))),
        (
            "matrix product, attached, two workers",
            1,
            Some((PRODUCT, 1.5)),
            Box::new(|n, out| matrices.guests(&two, n, out)),
        ),
        (
            "lock, acquire and release, alone",
            each(5000),
            Some((LOCK, 1.0)),
            Box::new(|n, out| many(&a, "lock-many", |n| ("lock", n), n, out)),
        ),
        (
            "value, atomic add",
            each(100_000),
            Some((VALUE, 1.0)),
            Box::new(|n, out| many(&a, "add-many", |n| ("value", n), n, out)),
        ),
        (
            "buffer, read of 4 KiB",
            each(20_000),
            None,
            Box::new(|n, out| many(&a, "read-many", |n| ("page", n, 4096_u64), n, out)),
        ),
        (
            "buffer, write of 4 KiB",
            each(20_000),
            None,
            Box::new(|n, out| many(&a, "write-many", |n| ("page", n, 4096_u64), n, out)),
        ),
        (
            "attach, read a byte, detach: 1 MiB",
            each(200),
            None,
            Box::new(|n, out| many(&a, "attach-times", |n| ("numbers", n, 1_u64 << 20), n, out)),
        ),
        (
            "attach, read a byte, detach: 256 MiB",
            each(20),
            None,
            Box::new(|n, out| {
                let bytes = numbers.bytes().min(256 * MIB);
                many(&a, "attach-times", |n| ("numbers", n, bytes), n, out);
            }),
        ),
    ];
    rows.extend(
        runs.into_iter()
            .map(|(name, each, against, run)| row(name, each, against, run)),
    );
    let samples = table::run(&mut rows, rounds, wanted);
    table::print(&rows, &samples);
    Ok(())
}

/// A row's name, how many a sample, what it is compared with, and how it is measured.
type Single<'a> = (
    &'static str,
    usize,
    Option<(&'static str, f64)>,
    Measure<'a>,
);

fn row<'a>(
    name: &'static str,
    each: usize,
    against: Option<(&'static str, f64)>,
    run: Measure<'a>,
) -> Row<'a> {
    Row {
        name,
        each,
        against,
        bound: None,
        run,
    }
}

fn builder() -> PoolBuilder {
    let limits = Limits::new()
        .timeout(Duration::from_secs(60))
        .memory(1024 * MIB);
    Pool::builder().workers(1).limits(limits)
}

/// One sample: a task that does something so many times.
fn many<T: Serialize>(
    pool: &Pool,
    task: &str,
    item: impl FnOnce(u64) -> T,
    n: usize,
    out: &mut Vec<f64>,
) {
    let item = item(n as u64);
    let start = Instant::now();
    let _: u64 = pool.apply(task, item).expect("an item without a fault");
    out.push(start.elapsed().as_nanos() as f64 / n as f64);
}
