//! The snippets of the classic introduction to multiprocessing: a process that prints, a pool that squares, a queue that
//! carries a greeting, a value that processes increment.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wasmpool::objects::{Access, Queue, Value};
use wasmpool::pool::{Direction, Joined, Pool, Process};

fn main() -> Result<()> {
    // Lets this program be its own workers' executable. First, before any thread is started.
    wasmpool::worker::enter_if_asked();

    let module = std::env::args_os().nth(1);
    let module = module.context("give the module: target/guests/introduction.wasm")?;
    a_process(Path::new(&module))?;
    a_pool(Path::new(&module))?;
    a_queue(Path::new(&module))?;
    a_value(Path::new(&module))
}

/// Waits for a process, and fails as it did.
fn join(process: &Process) -> Result<()> {
    match process.join(Some(Duration::from_secs(60))) {
        Joined::Exited(Ok(())) => Ok(()),
        Joined::Exited(Err(failure)) => Err(failure).context(process.name().to_owned()),
        Joined::TimedOut => anyhow::bail!("{} does not end", process.name()),
    }
}

/// `Process(target=hello, args=("bob",))`
fn a_process(module: &Path) -> Result<()> {
    let process = Process::builder()
        .on_log(|record| println!("process: {}", record.message))
        .start(module, "hello", "bob")?;
    join(&process)?;
    // What it printed has been told once the pool is gone.
    drop(process);
    Ok(())
}

/// `Pool(5).map(square, [1, 2, 3, 4, 5])`
fn a_pool(module: &Path) -> Result<()> {
    let pool = Pool::builder().workers(5).open(module)?;
    let squares: Vec<i64> = pool.map("square", 1..=5i64)?;
    println!("pool: {squares:?}");
    Ok(())
}

/// `q = Queue(); Process(target=greet, args=(q,))`
fn a_queue(module: &Path) -> Result<()> {
    let queue = Queue::new();
    let process = Process::builder()
        .queue("greetings", &queue, Direction::Put)
        .start(module, "greet", "greetings")?;
    let greeting: String = queue.get_value(Some(Duration::from_secs(60)))?;
    println!("queue: {greeting}");
    join(&process)
}

/// `v = Value("i", 0)`, incremented by one process, then by eight at once, 100,000 times each. No lock is needed.
fn a_value(module: &Path) -> Result<()> {
    let value = Value::new(0i64)?;
    let increment = |times: u32| {
        Process::builder()
            .buffer("counter", value.buffer(), Access::ReadWrite)
            .start(module, "increment", ("counter", times))
    };
    join(&increment(1)?)?;
    println!("value: {}", value.get());
    let processes: Result<Vec<_>, _> = (0..8).map(|_| increment(100_000)).collect();
    processes?.iter().try_for_each(join)?;
    println!("value: {}", value.get());
    ensure!(value.get() == 800_001, "increments were lost");
    Ok(())
}
