//! Tasks that behave badly, each in one way, for the tests of the pool. Those that end their instance do so only inside
//! WebAssembly: nothing here is meant to be called elsewhere.

mod data;
mod resources;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use wasmpool_guest::{Bytes, EmitError, context, emit, log};

use data::{echo_bytes, echo_json, echo_nested, echo_text, takes_map, wide};
use resources::{grow, leak, recurse, spin, spin_if, work};

/// Panics on 13; any other number is its own result.
fn panic_on(x: i64) -> i64 {
    if x == 13 {
        panic!("thirteen is not served here");
    }
    x
}

/// Reaches an instruction that traps, without a panic.
fn trap_unreachable(x: i64) -> i64 {
    #[cfg(target_arch = "wasm32")]
    if x >= 0 {
        std::arch::wasm32::unreachable();
    }
    x
}

/// Aborts, without a message.
fn abort(x: i64) -> i64 {
    if x >= 0 {
        std::process::abort();
    }
    x
}

/// Divides; aborts on 0.
fn divide(x: i32, y: i32) -> i32 {
    x.checked_div(y).unwrap_or_else(|| abort(0) as i32)
}

/// Fails with a message that names the item.
fn fail(x: i64) -> Result<i64, String> {
    Err(format!("the task does not like {x}"))
}

/// Fails with a message of so many bytes.
fn fail_at_length(bytes: usize) -> Result<(), String> {
    Err("x".repeat(bytes))
}

/// Fails odd numbers.
fn fail_odd(x: i64) -> Result<i64, String> {
    if x % 2 == 0 {
        Ok(x)
    } else {
        Err(format!("{x} is odd"))
    }
}

/// So many bytes, each the low byte of its position.
fn big_result(bytes: usize) -> Bytes {
    Bytes((0..bytes).map(|position| position as u8).collect())
}

/// Writes so many messages, one at each level in turn.
fn log_lines(lines: u32) -> u32 {
    use log::Level::{Debug, Error, Info, Trace, Warn};
    for line in 0..lines {
        let level = [Error, Warn, Info, Debug, Trace][line as usize % 5];
        log::write(level, &format!("line {line}"));
    }
    lines
}

/// Writes one message of so many bytes.
fn log_bytes(bytes: usize) -> usize {
    log::write(log::Level::Info, &"x".repeat(bytes));
    bytes
}

/// Writes messages for ever.
fn log_flood() {
    loop {
        log::write(log::Level::Info, "and another thing");
    }
}

/// Writes what would move the cursor and change colours if a terminal saw it as it is.
fn log_escapes() {
    log::write(
        log::Level::Warn,
        "\u{1b}[2J\u{1b}[31mred\u{7}\r\n\u{202e}gnp.exe",
    );
}

/// Emits the numbers from 0 up to the item, then returns how many.
fn emit_n(n: u64) -> Result<u64, EmitError> {
    for value in 0..n {
        emit(&value)?;
    }
    Ok(n)
}

/// Emits blocks of a KiB until the pool refuses one, and fails with its reason.
fn emit_flood() -> Result<(), EmitError> {
    let block = "x".repeat(1024);
    loop {
        emit(&block)?;
    }
}

/// Emits so many values, then panics.
fn emit_then_panic(n: u64) -> Result<u64, EmitError> {
    emit_n(n)?;
    panic!("after {n} values");
}

#[derive(Debug, PartialEq, Serialize)]
struct Whoami {
    worker_index: u32,
    item_index: Option<u64>,
    attempt: u32,
    has_deadline: bool,
    cancelled: bool,
}

/// What the task is told of its surroundings.
fn whoami() -> Whoami {
    Whoami {
        worker_index: context::worker_index(),
        item_index: context::item_index(),
        attempt: context::attempt(),
        has_deadline: context::time_left().is_some(),
        cancelled: context::cancelled(),
    }
}

/// Nanoseconds left until the deadline.
fn time_left() -> Option<u64> {
    let left = context::time_left();
    left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
}

/// Panics at the first attempt at an item, and tells at which attempt it succeeded.
fn panic_at_first_attempt(_: i64) -> u32 {
    let attempt = context::attempt();
    if attempt <= 1 {
        panic!("the first attempt");
    }
    attempt
}

/// How many items this instance has run in this task, with this one.
fn counter() -> u64 {
    static ITEMS: AtomicU64 = AtomicU64::new(0);
    ITEMS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Does nothing.
fn nothing() {}

/// A number; the same as the item.
fn identity(x: i64) -> i64 {
    x
}

wasmpool_guest::tasks! {
    /// Panics on 13; any other number is its own result.
    panic_on,
    /// Traps without a panic, on numbers from 0.
    trap_unreachable,
    /// Aborts without a message, on numbers from 0.
    abort,
    /// Divides; aborts on 0.
    divide(x, y),
    /// Fails with a message that names the item.
    fail,
    /// Fails with a message of so many bytes.
    fail_at_length,
    /// Fails odd numbers.
    fail_odd,
    /// So many bytes.
    big_result,
    /// Writes so many log messages.
    log_lines,
    /// Writes one log message of so many bytes.
    log_bytes,
    /// Writes log messages for ever.
    log_flood,
    /// Writes terminal escapes to the log.
    log_escapes,
    /// Emits the numbers from 0 up to the item.
    emit_n,
    /// Emits blocks of a KiB until one is refused.
    emit_flood,
    /// Emits so many values, then panics.
    emit_then_panic,
    /// What the task is told of its surroundings.
    whoami,
    /// Nanoseconds left until the deadline.
    time_left,
    /// Panics at the first attempt.
    panic_at_first_attempt,
    /// How many items this instance has run in this task.
    counter,
    /// Does nothing.
    nothing,
    /// A number as it is.
    identity,
    /// Bytes as they are.
    echo_bytes,
    /// Text as it is.
    echo_text,
    /// Any JSON value as it is.
    echo_json,
    /// A nested value as it is.
    echo_nested,
    /// The number of entries of an object with numbers.
    takes_map,
    /// The sum of eight numbers.
    wide(a, b, c, d, e, f, g, h),
    /// Loops for ever.
    spin,
    /// Loops for ever on odd numbers.
    spin_if,
    /// Works for so many steps.
    work,
    /// Allocates and touches so many MiB, and frees them.
    grow,
    /// Allocates MiB after MiB until the memory ends.
    leak,
    /// Recurses without an end.
    recurse,
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmpool_guest::testing;

    #[test]
    fn tasks_that_return_do_what_they_say() {
        assert_eq!(panic_on(12), 12);
        assert_eq!(fail(3), Err("the task does not like 3".into()));
        assert_eq!(fail_odd(4), Ok(4));
        assert_eq!(big_result(258)[255..], [255, 0, 1]);
        assert_eq!(fail_at_length(3), Err("xxx".into()));
        assert_eq!(divide(7, 2), 3);
        assert_eq!(log_lines(2), 2);
        assert_eq!((counter(), counter()), (1, 2));
    }

    #[test]
    #[should_panic(expected = "thirteen is not served here")]
    fn thirteen_panics() {
        panic_on(13);
    }

    #[test]
    fn generators_emit() {
        let (result, values) = testing::emitted::<u64, _>(|| emit_n(3));
        assert_eq!((result, values), (Ok(3), vec![0, 1, 2]));
    }

    #[test]
    fn surroundings_are_told() {
        let surroundings = testing::Surroundings {
            worker_index: 3,
            attempt: 2,
            ..Default::default()
        };
        let told = testing::within(surroundings.clone(), whoami);
        assert_eq!(
            (told.worker_index, told.item_index, told.attempt),
            (3, Some(0), 2)
        );
        assert_eq!(
            testing::within(surroundings, || panic_at_first_attempt(1)),
            2
        );
    }
}
