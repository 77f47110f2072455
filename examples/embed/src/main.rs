//! A Rust program with a pool in it: `map`, `imap_unordered`, `submit`, and what a failure looks like.

use std::time::Duration;

use anyhow::Result;
use wasmpool::limits::{Limits, MIB};
use wasmpool::pool::{Error, Pool};

fn main() -> Result<()> {
    // Lets this program be its own workers' executable. First, before any thread is started.
    wasmpool::worker::enter_if_asked();

    let limits = Limits::new()
        .timeout(Duration::from_secs(2))
        .memory(16 * MIB);
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/../square-wat/square.wat");
    let mut pool = Pool::builder().workers(2).limits(limits).open(module)?;

    let squares: Vec<i64> = pool.map("square", 1..=5)?;
    println!("map: {squares:?}");

    // Results as they are ready: their sum is the same in any order.
    let mut sum = 0;
    for square in pool.imap_unordered("square", 1..=1000)? {
        let square: i64 = square?;
        sum += square;
    }
    println!("imap_unordered: the sum of 1000 squares is {sum}");

    let mut handle = pool.submit::<_, i64>("square", 12)?;
    if !handle.wait_timeout(Duration::from_secs(10)) {
        handle.cancel();
    }
    println!("submit: {}", handle.wait()?);

    // An item that is no number fails by itself, and says why.
    match pool.apply::<_, i64>("square", "twelve") {
        Err(Error::Item { failure, .. }) => println!("apply: {}", failure.kind),
        other => println!("apply: {other:?}"),
    }

    pool.close();
    pool.join(None);
    Ok(())
}
