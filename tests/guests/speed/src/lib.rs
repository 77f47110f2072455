//! Tasks that do one thing with shared objects many times, for measuring: `runtime/benches/shared`, and kernels that compute, for
//! `runtime/benches/kernels`. What is shared is
//! named by parameters.

mod arithmetic;
mod attached;
mod kernels;

use std::error::Error;

use wasmpool_guest::buffer::{Buffer, Value};
use wasmpool_guest::pipe::PipeEnd;
use wasmpool_guest::queue::Queue;
use wasmpool_guest::sync::Lock;

use attached::{attach_times, multiply, sum};

/// Of a task that fails with the text of whatever went wrong.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn put_many(queue: &str, count: u64, bytes: usize) -> Outcome<()> {
    let queue = Queue::open(queue)?;
    let message = vec![7; bytes];
    for _ in 0..count {
        queue.put(&message)?;
    }
    Ok(())
}

fn get_many(queue: &str, count: u64) -> Outcome<u64> {
    let queue = Queue::open(queue)?;
    let mut bytes = 0;
    for _ in 0..count {
        bytes += queue.get()?.len() as u64;
    }
    Ok(bytes)
}

fn put_batches(queue: &str, count: u64, bytes: usize, batch: usize) -> Outcome<()> {
    let queue = Queue::open(queue)?;
    let batch = vec![vec![7; bytes]; batch];
    let mut left = count as usize;
    while left > 0 {
        left -= queue.put_some(&batch[..batch.len().min(left)])?;
    }
    Ok(())
}

fn get_batches(queue: &str, count: u64, batch: usize) -> Outcome<u64> {
    let queue = Queue::open(queue)?;
    let (mut bytes, mut left) = (0, count as usize);
    while left > 0 {
        let messages = queue.get_some(batch.min(left))?;
        left -= messages.len();
        bytes += messages
            .iter()
            .map(|message| message.len() as u64)
            .sum::<u64>();
    }
    Ok(bytes)
}

fn echo_queue(from: &str, to: &str, count: u64) -> Outcome<()> {
    let (from, to) = (Queue::open(from)?, Queue::open(to)?);
    for _ in 0..count {
        to.put(&from.get()?)?;
    }
    Ok(())
}

fn echo_pipe(end: &str) -> Outcome<()> {
    let end = PipeEnd::open(end)?;
    for message in end.iter() {
        end.send(&message?)?;
    }
    Ok(())
}

fn lock_many(lock: &str, count: u64) -> Outcome<u64> {
    let lock = Lock::open(lock)?;
    for _ in 0..count {
        drop(lock.acquire());
    }
    Ok(count)
}

fn add_many(value: &str, count: u64) -> Outcome<u64> {
    let value = Value::<u64>::open(value)?;
    for _ in 0..count {
        value.fetch_add(1)?;
    }
    Ok(count)
}

fn read_many(buffer: &str, count: u64, bytes: usize) -> Outcome<u64> {
    let buffer = Buffer::open(buffer)?;
    let mut last = vec![0; bytes];
    let mut sum = 0;
    for _ in 0..count {
        buffer.read(0, &mut last)?;
        sum += u64::from(last[bytes - 1]);
    }
    Ok(sum)
}

fn write_many(buffer: &str, count: u64, bytes: usize) -> Outcome<u64> {
    let buffer = Buffer::open(buffer)?;
    let message = vec![7; bytes];
    for _ in 0..count {
        buffer.write(0, &message)?;
    }
    Ok(count)
}

fn compute(kernel: &str, seed: u64) -> Outcome<u64> {
    kernels::run(kernel, seed).ok_or_else(|| format!("there is no kernel `{kernel}`").into())
}

wasmpool_guest::tasks! {
    /// Puts so many messages of so many bytes.
    put_many(queue, count, bytes),
    /// Gets so many messages. Their bytes together.
    get_many(queue, count),
    /// Puts so many messages of so many bytes, so many at once.
    put_batches(queue, count, bytes, batch),
    /// Gets so many messages, at most so many at once. Their bytes together.
    get_batches(queue, count, batch),
    /// Gets so many messages, and puts each into another queue.
    echo_queue(from, to, count),
    /// Sends every message back, until the end of file.
    echo_pipe,
    /// Acquires a lock and releases it, so many times. How many.
    lock_many(lock, count),
    /// Adds 1 to a number, so many times. How many.
    add_many(value, count),
    /// Copies so many bytes out of a buffer, so many times. The sum of the last of each.
    read_many(buffer, count, bytes),
    /// Copies so many bytes into a buffer, so many times. How many.
    write_many(buffer, count, bytes),
    /// Attaches so many bytes of a buffer, so many times, and reads the first. The sum of what was read.
    attach_times(buffer, count, bytes),
    /// The sum of a part of an array of u64, attached once and summed so many times.
    sum(array, from, to, times),
    /// Runs a kernel on input made of a seed. A number that depends on all of what it did.
    compute(kernel, seed),
    /// Rows of the product of two square matrices of this order, all of them attached.
    multiply(a, b, product, order, from, to),
}

#[cfg(test)]
mod tests;
