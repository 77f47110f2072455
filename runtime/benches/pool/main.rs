//! The pool beside what this machine can do at best: `cargo bench -p wasmpool`, about a minute.
//!
//! Rows are measured in turns in one run and compared with one another, never with a stored number. An argument is a
//! part of a row's name: only such rows are run, with those that they are compared with. Without `--bench`, as `cargo
//! test --benches` starts it, everything runs once, to see that it works.

mod deadlines;
mod table;

use std::time::{Duration, Instant};

use table::{Measure, Row};
use wasmpool::bench::floors::{self, Forker};
use wasmpool::encoding::Encoding;
use wasmpool::mode::Isolation;
use wasmpool::pool::{ChunkSize, Error, JobOptions, Payload, Pool, PoolBuilder};

/// Bytes of a large item.
const LARGE: usize = 16 << 20;

const SPIN: &str = "floor: ping-pong, spinning";
const FUTEX: &str = "floor: ping-pong, futex";
const SOCKET: &str = "floor: ping-pong, socket";
const FORK: &str = "floor: fork, exit, wait";
const COPY: &str = "floor: copy of 16 MiB";
const LOOP: &str = "tight loop of 10 million steps";

fn main() -> Result<(), Error> {
    // The benchmark is its own workers' executable.
    wasmpool::worker::enter_if_asked();
    let forker = Forker::start().expect("processes can be forked");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let full = args.iter().any(|arg| arg == "--bench");
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    let (rounds, items) = if full { (10, 100_000) } else { (1, 1000) };
    let each = |n: usize| if full { n } else { 1 };

    let shared = open(Pool::builder())?;
    let one_worker = open(Pool::builder().workers(1))?;
    let instance = open(Pool::builder().workers(1).isolation(Isolation::Instance))?;
    let process = open(Pool::builder().workers(1).isolation(Isolation::Process))?;
    let asked = open(Pool::builder().workers(1).backtrace_on_timeout(true))?;
    let counted = open(Pool::builder().workers(1).deterministic(0))?;
    let late = open(deadlines::builder())?;
    let late_asked = open(deadlines::builder().backtrace_on_timeout(true))?;

    let mut rows = vec![
        floor(SPIN, each(2000), works(floors::spin)),
        floor(FUTEX, each(500), works(floors::sleep)),
        floor(SOCKET, each(500), works(floors::socket)),
        floor(FORK, each(50), works(|n, out| forker.fork_and_exit(n, out))),
        floor(COPY, each(3), Box::new(floors::copy(LARGE))),
        Row {
            name: "apply(square), warm pool",
            each: each(500),
            against: Some((FUTEX, 3.0)),
            bound: None,
            run: Box::new(|n, out| apply(&one_worker, n, out)),
        },
        Row {
            name: "apply(square), an instance an item",
            each: each(300),
            against: Some(("apply(square), warm pool", 3.0)),
            bound: None,
            run: Box::new(|n, out| apply(&instance, n, out)),
        },
        Row {
            name: "apply(square), a process an item",
            each: each(50),
            against: Some((FORK, 5.0)),
            bound: Some(5e5),
            run: Box::new(|n, out| apply(&process, n, out)),
        },
        Row {
            name: "map(square), a process an item: an item",
            each: 1,
            against: Some((FORK, 5.0)),
            bound: None,
            run: Box::new(|n, out| map(&process, ChunkSize::Auto, items / 500, n, out)),
        },
        Row {
            name: "map(square), chunks of 1: an item",
            each: 1,
            against: None,
            bound: None,
            run: Box::new(|n, out| map(&shared, ChunkSize::Items(1), items, n, out)),
        },
        Row {
            name: "map(square), automatic chunks: an item",
            each: 1,
            against: None,
            bound: None,
            run: Box::new(|n, out| map(&shared, ChunkSize::Auto, items, n, out)),
        },
        Row {
            name: "from a trap to the next item's result",
            each: each(10),
            against: Some((FORK, 10.0)),
            bound: Some(5e6),
            run: Box::new(|n, out| replace(&one_worker, n, out)),
        },
        Row {
            name: "echo of 16 MiB, raw",
            each: each(3),
            // At least a third of the speed of two copies, one in and one out.
            against: Some((COPY, 6.0)),
            bound: None,
            run: Box::new(|n, out| echo(&one_worker, n, out)),
        },
        floor(
            LOOP,
            each(3),
            Box::new(|n, out| deadlines::tight_loop(&one_worker, n, out)),
        ),
        Row {
            name: "the same, to be asked for a backtrace",
            each: each(3),
            against: Some((LOOP, 4.0)),
            bound: None,
            run: Box::new(|n, out| deadlines::tight_loop(&asked, n, out)),
        },
        Row {
            name: "the same, in deterministic mode",
            each: each(3),
            against: Some((LOOP, 4.0)),
            bound: None,
            run: Box::new(|n, out| deadlines::tight_loop(&counted, n, out)),
        },
        Row {
            name: "overshoot of 50 ms, all processors busy",
            each: each(10),
            against: None,
            bound: None,
            run: Box::new(|n, out| deadlines::overshoot(&late, n, out)),
        },
        Row {
            name: "overshoot of 50 ms, busy, with a backtrace",
            each: each(10),
            against: None,
            bound: None,
            run: Box::new(|n, out| deadlines::overshoot(&late_asked, n, out)),
        },
    ];
    let samples = table::run(&mut rows, rounds, wanted.map_or("", |w| w));
    table::print(&rows, &samples);
    Ok(())
}

/// A row that others are compared with.
fn floor<'a>(name: &'static str, each: usize, run: Measure<'a>) -> Row<'a> {
    Row {
        name,
        each,
        against: None,
        bound: None,
        run,
    }
}

/// What can fail on a machine without memory or processes.
fn works<'a>(measure: impl Fn(usize, &mut Vec<f64>) -> std::io::Result<()> + 'a) -> Measure<'a> {
    Box::new(move |n, out| measure(n, out).expect("the machine has memory and processes"))
}

/// Opens a pool of the benchmark's guest, and waits until it has done something.
fn open(builder: PoolBuilder) -> Result<Pool, Error> {
    let pool = builder
        .cache(false)
        .open_bytes(include_bytes!("../../src/bench/guest.wat"))?;
    let warm: Vec<i64> = pool.map("square", 0..100)?;
    assert_eq!(warm[9], 81);
    Ok(pool)
}

fn apply(pool: &Pool, n: usize, out: &mut Vec<f64>) {
    for i in 0..n as i64 {
        let start = Instant::now();
        let square: i64 = pool.apply("square", i).expect("an item without a fault");
        out.push(start.elapsed().as_nanos() as f64);
        assert_eq!(square, i * i);
    }
}

fn map(pool: &Pool, chunk_size: ChunkSize, items: i64, n: usize, out: &mut Vec<f64>) {
    for _ in 0..n {
        let options = JobOptions {
            chunk_size,
            ..JobOptions::default()
        };
        let start = Instant::now();
        let results = pool
            .imap_with("square", 0..items, options)
            .expect("the pool takes jobs");
        let (mut count, mut sum) = (0, 0_i64);
        for result in results {
            let square: i64 = result.expect("an item without a fault");
            sum += square;
            count += 1;
        }
        out.push(start.elapsed().as_nanos() as f64 / items as f64);
        assert_eq!(
            (count, sum),
            (items, (items - 1) * items * (2 * items - 1) / 6)
        );
    }
}

fn replace(pool: &Pool, n: usize, out: &mut Vec<f64>) {
    for _ in 0..n {
        let trap = pool
            .submit::<_, i64>("inverse", 0)
            .expect("the pool takes jobs");
        let next = pool
            .submit::<_, i64>("inverse", 10)
            .expect("the pool takes jobs");
        assert!(matches!(trap.wait(), Err(Error::Item { .. })));
        let start = Instant::now();
        assert_eq!(next.wait().expect("an item without a fault"), 100);
        out.push(start.elapsed().as_nanos() as f64);
    }
    // So that no sample of another row meets a worker that is just being started.
    std::thread::sleep(Duration::from_millis(5));
}

fn echo(pool: &Pool, n: usize, out: &mut Vec<f64>) {
    let bytes: Vec<u8> = (0..LARGE).map(|i| (i >> 8) as u8).collect();
    for _ in 0..n {
        let item = bytes.clone();
        let options = JobOptions {
            input: Encoding::Raw,
            output: Encoding::Raw,
            ..JobOptions::default()
        };
        let start = Instant::now();
        let (mut feeder, mut results) = pool.stream("echo", options).expect("the pool takes jobs");
        assert!(feeder.push(Payload::Bytes(item)));
        drop(feeder);
        let outcome = results
            .next()
            .expect("one outcome")
            .expect("a pool without a fault");
        let echoed = outcome.result.expect("an item without a fault");
        out.push(start.elapsed().as_nanos() as f64);
        assert!(*echoed == bytes[..]);
    }
}
