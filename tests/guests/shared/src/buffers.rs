//! Copies and atomic operations.

use serde::{Deserialize, Serialize};
use wasmpool_guest::Bytes;
use wasmpool_guest::buffer::{
    Access, AccessError, Array, Buffer, Integer, Scalar, Value, WaitResult,
};

use crate::{Outcome, milliseconds};

#[derive(Debug, PartialEq, Serialize)]
pub struct Facts {
    pub length: u64,
    pub writable: bool,
}

pub fn buffer_facts(buffer: &str) -> Outcome<Facts> {
    let buffer = Buffer::open(buffer)?;
    Ok(Facts {
        length: buffer.len(),
        writable: buffer.access() == Access::ReadWrite,
    })
}

pub fn read_bytes(buffer: &str, offset: u64, length: usize) -> Outcome<Bytes> {
    Ok(Buffer::open(buffer)?.read_vec(offset, length)?.into())
}

pub fn write_bytes(buffer: &str, offset: u64, bytes: Bytes) -> Outcome<()> {
    Ok(Buffer::open(buffer)?.write(offset, &bytes)?)
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Load,
    Store,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Exchange,
}

fn apply<T: Scalar + Integer>(
    buffer: &str,
    offset: u64,
    operation: Operation,
    operand: T,
) -> Outcome<T> {
    let buffer = Buffer::open(buffer)?;
    Ok(match operation {
        Operation::Load => buffer.load(offset),
        Operation::Store => buffer.store(offset, operand).map(|()| operand),
        Operation::Add => buffer.fetch_add(offset, operand),
        Operation::Sub => buffer.fetch_sub(offset, operand),
        Operation::And => buffer.fetch_and(offset, operand),
        Operation::Or => buffer.fetch_or(offset, operand),
        Operation::Xor => buffer.fetch_xor(offset, operand),
        Operation::Exchange => buffer.swap(offset, operand),
    }?)
}

pub fn atomic(buffer: &str, offset: u64, operation: Operation, operand: u64) -> Outcome<u64> {
    apply(buffer, offset, operation, operand)
}

pub fn atomic32(buffer: &str, offset: u64, operation: Operation, operand: u32) -> Outcome<u32> {
    apply(buffer, offset, operation, operand)
}

pub fn compare_exchange(
    buffer: &str,
    offset: u64,
    expected: u64,
    replacement: u64,
) -> Outcome<u64> {
    Ok(Buffer::open(buffer)?.compare_exchange(offset, expected, replacement)?)
}

pub fn wait_number(
    buffer: &str,
    offset: u64,
    expected: u64,
    timeout: Option<u64>,
) -> Outcome<&'static str> {
    let buffer = Buffer::open(buffer)?;
    let ended = match milliseconds(timeout) {
        None => buffer.wait(offset, expected),
        Some(timeout) => buffer.wait_timeout(offset, expected, timeout),
    };
    Ok(match ended? {
        WaitResult::Woken => "woken",
        WaitResult::Unequal => "unequal",
        WaitResult::TimedOut => "timed-out",
    })
}

pub fn notify_number(buffer: &str, offset: u64, count: u32) -> Outcome<u32> {
    Ok(Buffer::open(buffer)?.notify(offset, count)?)
}

pub fn increment(value: &str, times: u64) -> Outcome<()> {
    let value = Value::<i64>::open(value)?;
    for _ in 0..times {
        value.fetch_add(1)?;
    }
    Ok(())
}

pub fn increment_float(value: &str, times: u64) -> Outcome<()> {
    let value = Value::<f64>::open(value)?;
    for _ in 0..times {
        value.fetch_add(1.0)?;
    }
    Ok(())
}

/// Computes until the number is not 0, if it is to.
pub fn compute_until(value: &str, wait: bool) -> Outcome<bool> {
    let value = Value::<i64>::open(value)?;
    while wait && value.get() == 0 {
        std::hint::spin_loop();
    }
    Ok(wait)
}

pub fn value(value: &str) -> Outcome<i64> {
    Ok(Value::open(value)?.get())
}

pub fn sum_copied(array: &str, from: u64, to: u64) -> Outcome<u64> {
    let array = Array::<u64>::open(array)?;
    let mut part = vec![0; usize::try_from(to.saturating_sub(from))?];
    array.read_into(from, &mut part)?;
    Ok(part.into_iter().fold(0, u64::wrapping_add))
}

pub fn write_read_only(buffer: &str) -> Outcome<usize> {
    let buffer = Buffer::open(buffer)?;
    let results = [
        buffer.write(0, b"x"),
        buffer.store(0, 1_u32),
        buffer.store(0, 1_u64),
        buffer.fetch_add(0, 1_u32).map(drop),
        buffer.fetch_add(0, 1_u64).map(drop),
        buffer.compare_exchange(0, 0_u32, 1).map(drop),
        buffer.compare_exchange(0, 0_u64, 1).map(drop),
        buffer.notify(0, 1).map(drop),
    ];
    let refused = results
        .iter()
        .filter(|result| **result == Err(AccessError::ReadOnly));
    match refused.count() {
        all if all == results.len() => Ok(all),
        _ => Err(format!("{results:?}").into()),
    }
}
