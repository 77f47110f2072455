//! What the guides quote, in Rust with the guest SDK: tasks that each show one thing.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use wasmpool_guest::buffer::{Array, Value};
use wasmpool_guest::pipe::PipeEnd;
use wasmpool_guest::sync::{Barrier, Condition, Event, Lock, Semaphore};
use wasmpool_guest::{Bytes, EmitError, context, emit, log};

fn percent(part: f64, whole: f64) -> Result<f64, String> {
    if whole == 0.0 {
        return Err(format!("{part} is no part of nothing"));
    }
    Ok(100.0 * part / whole)
}

fn element(numbers: Vec<i64>, at: usize) -> i64 {
    numbers[at]
}

fn invert(bytes: &[u8]) -> Bytes {
    Bytes(bytes.iter().map(|byte| !byte).collect())
}

fn numbers(text: &str) -> Vec<f64> {
    let mut numbers = Vec::new();
    for word in text.split_whitespace() {
        match word.parse() {
            Ok(number) => numbers.push(number),
            Err(error) => log::warn!("`{word}`: {error}"),
        }
    }
    log::debug!("{} numbers", numbers.len());
    numbers
}

fn collatz(from: u64) -> Result<u64, EmitError> {
    let (mut number, mut steps) = (from, 0);
    while number > 1 {
        number = if number % 2 == 0 {
            number / 2
        } else {
            3 * number + 1
        };
        emit(&number)?;
        steps += 1;
    }
    Ok(steps)
}

static WEIGHTS: OnceLock<Vec<f64>> = OnceLock::new();

fn load(weights: Vec<f64>) -> Result<(), String> {
    let set = WEIGHTS.set(weights);
    set.map_err(|_| "this instance has its weights already".into())
}

fn score(features: Vec<f64>) -> Result<f64, String> {
    let weights = WEIGHTS.get();
    let weights = weights.ok_or("no weights: make `load` the initialiser")?;
    Ok(weights.iter().zip(&features).map(|(w, f)| w * f).sum())
}

const MARGIN: Duration = Duration::from_millis(500);

fn series(terms: u64) -> (u64, f64) {
    let late = || context::time_left().is_some_and(|left| left < MARGIN);
    let mut sum = 0.0;
    for n in 0..terms {
        if n % 1000 == 0 && (late() || context::cancelled()) {
            return (n, 4.0 * sum);
        }
        let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
        sum += sign / (2 * n + 1) as f64;
    }
    (terms, 4.0 * sum)
}

fn label() -> String {
    match context::item_index() {
        Some(index) => format!("item {index}, attempt {}", context::attempt()),
        None => "no item".into(),
    }
}

type Outcome<T> = Result<T, Box<dyn Error>>;

fn sum(array: &str, from: u64, to: u64) -> Outcome<f64> {
    let array = Array::<f64>::open(array)?;
    let part = array.attach_range(from..to)?;
    Ok(part.iter().sum())
}

fn answer(end: &str) -> Outcome<u32> {
    let end = PipeEnd::open(end)?;
    let mut answered = 0;
    for message in end.iter() {
        let mut message = message?;
        message.reverse();
        end.send(&message)?;
        answered += 1;
    }
    Ok(answered)
}

fn increase(lock: &str, number: &str, amount: u64) -> Outcome<u64> {
    let (lock, number) = (Lock::open(lock)?, Value::<u64>::open(number)?);
    let guard = lock.acquire()?;
    if guard.was_abandoned() {
        log::warn!("somebody ended while holding the lock");
    }
    number.set(number.get() + amount)?;
    Ok(number.get())
}

fn deposit(condition: &str, number: &str, amount: u64) -> Outcome<u64> {
    let (changed, number) = (Condition::open(condition)?, Value::<u64>::open(number)?);
    let lock = changed.lock();
    let _guard = lock.acquire()?;
    number.set(number.get() + amount)?;
    changed.notify_all()?;
    Ok(number.get())
}

fn withdraw(condition: &str, number: &str, amount: u64) -> Outcome<u64> {
    let (changed, number) = (Condition::open(condition)?, Value::<u64>::open(number)?);
    let lock = changed.lock();
    let mut guard = lock.acquire()?;
    changed.wait_for(&mut guard, || number.get() >= amount)?;
    number.set(number.get() - amount)?;
    Ok(number.get())
}

fn visit(semaphore: &str, inside: &str) -> Outcome<u64> {
    let (seats, inside) = (Semaphore::open(semaphore)?, Value::<u64>::open(inside)?);
    let _seat = seats.acquire()?;
    let now = inside.fetch_add(1)? + 1;
    inside.fetch_sub(1)?;
    Ok(now)
}

fn meet(event: &str, barrier: &str) -> Outcome<u32> {
    Event::open(event)?.wait();
    Ok(Barrier::open(barrier)?.wait()?)
}

wasmpool_guest::tasks! {
    /// How much a part is of a whole.
    percent(part, whole),
    /// The element at a place; panics if there is none.
    element(numbers, at),
    /// The same bytes, every bit of them inverted.
    invert,
    /// The numbers in a text; warns of what is none.
    numbers,
    /// Emits the numbers of Collatz's sequence behind this one. How many.
    collatz,
    /// Keeps weights for later items: an initialiser.
    load,
    /// The sum of features by their weights.
    score,
    /// Adds up terms of the Leibniz series, and stops before its time is over.
    series,
    /// Which item this is, and at which attempt.
    label,
    /// The sum of a part of a shared array.
    sum(array, from, to),
    /// Sends each message of a pipe back in reverse.
    answer,
    /// Adds to a shared number under a lock.
    increase(lock, number, amount),
    /// Adds to a shared number, and tells those who wait for it.
    deposit(condition, number, amount),
    /// Waits until a shared number is large enough, and subtracts.
    withdraw(condition, number, amount),
    /// How many are inside, of whom a semaphore bounds the number.
    visit(semaphore, inside),
    /// Waits for an event, then at a barrier.
    meet(event, barrier),
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmpool_guest::testing::{Shared, Surroundings, emitted, within};

    #[test]
    fn parts_of_nothing_are_an_error() {
        assert_eq!(percent(1.0, 4.0), Ok(25.0));
        assert!(percent(1.0, 0.0).is_err());
    }

    #[test]
    #[should_panic(expected = "index is 5")]
    fn what_is_not_there_is_a_panic() {
        element(vec![1, 2], 5);
    }

    #[test]
    fn bytes_and_texts() {
        assert_eq!(invert(&[0, 0x0f]).0, [0xff, 0xf0]);
        assert_eq!(numbers("1 two 3e2"), [1.0, 300.0]);
    }

    #[test]
    fn values_are_emitted() {
        let (steps, values) = emitted::<u64, _>(|| collatz(3));
        assert_eq!(steps, Ok(7));
        assert_eq!(values, [10, 5, 16, 8, 4, 2, 1]);
    }

    #[test]
    fn weights_are_kept() {
        assert!(score(vec![1.0]).is_err());
        load(vec![2.0, 0.5]).unwrap();
        assert_eq!(score(vec![1.0, 4.0]), Ok(4.0));
        assert!(load(vec![]).is_err());
    }

    #[test]
    fn late_items_stop_early() {
        let (terms, four_times) = series(5000);
        assert_eq!(terms, 5000);
        assert!((four_times - std::f64::consts::PI).abs() < 1e-3);
        let time_left = Some(Duration::from_millis(100));
        let late = Surroundings {
            time_left,
            attempt: 2,
            ..Default::default()
        };
        assert_eq!(within(late.clone(), || series(5000)).0, 0);
        assert_eq!(within(late, label), "item 0, attempt 2");
    }

    #[test]
    fn parts_of_an_array_are_added_up() {
        let shared = Shared::new().array("data", &[0.5, 1.0, 2.0, 4.0]);
        assert_eq!(shared.within(|| sum("data", 1, 3)).unwrap(), 3.0);
    }

    #[test]
    fn pipes_are_answered() {
        Shared::new().pipe("ours", "theirs").within(|| {
            let ours = PipeEnd::open("ours").unwrap();
            ours.send(b"abc").unwrap();
            ours.finish();
            assert_eq!(answer("theirs").unwrap(), 1);
            assert_eq!(ours.receive().unwrap(), b"cba");
        });
    }

    #[test]
    fn numbers_change_under_locks() {
        let shared = Shared::new()
            .abandoned_lock("lock")
            .condition("changed", "lock")
            .value("number", 3_u64);
        shared.within(|| {
            assert_eq!(increase("lock", "number", 4).unwrap(), 7);
            assert_eq!(deposit("changed", "number", 1).unwrap(), 8);
            assert_eq!(withdraw("changed", "number", 8).unwrap(), 0);
        });
    }

    #[test]
    fn others_are_waited_for() {
        let shared = Shared::new()
            .semaphore("seats", 1)
            .value("inside", 0_u64)
            .event("start")
            .barrier("all", 1);
        shared.within(|| {
            assert_eq!(visit("seats", "inside").unwrap(), 1);
            Event::open("start").unwrap().set();
            assert_eq!(meet("start", "all").unwrap(), 0);
        });
    }
}
