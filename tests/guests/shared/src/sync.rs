//! Locks, semaphores, events, conditions, barriers.

use serde::Serialize;
use wasmpool_guest::buffer::{Buffer, Value};
use wasmpool_guest::sync::{Barrier, Condition, Event, Lock, Semaphore};

use crate::{Outcome, milliseconds, spin};

pub fn acquire(lock: &str, timeout: Option<u64>) -> Outcome<bool> {
    let lock = Lock::open(lock)?;
    let guard = match milliseconds(timeout) {
        None => lock.acquire(),
        Some(timeout) if timeout.is_zero() => lock.try_acquire(),
        Some(timeout) => lock.acquire_timeout(timeout),
    };
    Ok(guard?.was_abandoned())
}

pub fn acquire_twice(lock: &str) -> Outcome<()> {
    let lock = Lock::open(lock)?;
    let _outer = lock.acquire()?;
    let _inner = lock.acquire()?;
    Ok(())
}

pub fn increment_locked(lock: &str, value: &str, times: u64) -> Outcome<()> {
    let (lock, value) = (Lock::open(lock)?, Buffer::open(value)?);
    for _ in 0..times {
        let _guard = lock.acquire()?;
        let mut number = [0; 8];
        value.read(0, &mut number)?;
        let number = u64::from_le_bytes(number) + 1;
        value.write(0, &number.to_le_bytes())?;
    }
    Ok(())
}

pub fn hold_and_spin(lock: &str) -> Outcome<()> {
    let lock = Lock::open(lock)?;
    let _guard = lock.acquire()?;
    spin()
}

pub fn hold_and_panic(lock: &str) -> Outcome<()> {
    let lock = Lock::open(lock)?;
    let _guard = lock.acquire()?;
    panic!("while the lock is held");
}

pub fn hold_until(lock: &str, held: &str, done: &str) -> Outcome<()> {
    let (lock, held, done) = (Lock::open(lock)?, Event::open(held)?, Event::open(done)?);
    let _guard = lock.acquire()?;
    held.set();
    done.wait();
    Ok(())
}

pub fn hold_twice_until(lock: &str, once: &str, done: &str) -> Outcome<()> {
    let (lock, once, done) = (Lock::open(lock)?, Event::open(once)?, Event::open(done)?);
    let _outer = lock.acquire()?;
    drop(lock.acquire()?);
    once.set();
    done.wait();
    Ok(())
}

/// Adds 1 to two numbers, of which only the first counts where a holder ended in between: whoever is told that sets the
/// second right. How often that was.
fn step_both(buffer: &Buffer, told: bool) -> Outcome<u64> {
    let (first, second): (u64, u64) = (buffer.load(0)?, buffer.load(8)?);
    if first != second && !told {
        return Err(format!("{first} and {second}, and nobody told").into());
    }
    buffer.store(0, first + 1)?;
    buffer.store(8, first + 1)?;
    Ok(u64::from(first != second))
}

pub fn keep_equal(lock: &str, buffer: &str, times: u64) -> Outcome<u64> {
    let (lock, buffer) = (Lock::open(lock)?, Buffer::open(buffer)?);
    let mut repaired = 0;
    for _ in 0..times {
        let guard = lock.acquire()?;
        repaired += step_both(&buffer, guard.was_abandoned())?;
    }
    Ok(repaired)
}

pub fn keep_equal_by_semaphore(semaphore: &str, buffer: &str, times: u64) -> Outcome<u64> {
    let (semaphore, buffer) = (Semaphore::open(semaphore)?, Buffer::open(buffer)?);
    let mut repaired = 0;
    for _ in 0..times {
        let unit = semaphore.acquire()?;
        repaired += step_both(&buffer, unit.was_abandoned())?;
    }
    Ok(repaired)
}

pub fn keep_held(lock: &str) -> Outcome<()> {
    std::mem::forget(Lock::open(lock)?.acquire()?);
    Ok(())
}

pub fn deadlock(first: &str, second: &str, barrier: &str) -> Outcome<()> {
    let (first, second) = (Lock::open(first)?, Lock::open(second)?);
    let _first = first.acquire()?;
    Barrier::open(barrier)?.wait()?;
    let _second = second.acquire()?;
    Ok(())
}

pub fn with_semaphore(semaphore: &str, inside: &str, times: u64) -> Outcome<u64> {
    let (semaphore, inside) = (Semaphore::open(semaphore)?, Value::<u64>::open(inside)?);
    let mut most = 0;
    for _ in 0..times {
        let _unit = semaphore.acquire()?;
        most = most.max(inside.fetch_add(1)? + 1);
        inside.fetch_sub(1)?;
    }
    Ok(most)
}

pub fn take_semaphore(semaphore: &str, timeout: Option<u64>) -> Outcome<bool> {
    let semaphore = Semaphore::open(semaphore)?;
    let unit = match milliseconds(timeout) {
        None => semaphore.acquire(),
        Some(timeout) if timeout.is_zero() => semaphore.try_acquire(),
        Some(timeout) => semaphore.acquire_timeout(timeout),
    }?;
    let abandoned = unit.was_abandoned();
    unit.forget();
    Ok(abandoned)
}

pub fn release_semaphore(semaphore: &str) -> Outcome<()> {
    Ok(Semaphore::open(semaphore)?.release()?)
}

pub fn semaphore_value(semaphore: &str) -> Outcome<u32> {
    Ok(Semaphore::open(semaphore)?.value())
}

pub fn wait_event(event: &str, timeout: Option<u64>) -> Outcome<bool> {
    let event = Event::open(event)?;
    Ok(match milliseconds(timeout) {
        None => {
            event.wait();
            event.is_set()
        }
        Some(timeout) => event.wait_timeout(timeout),
    })
}

pub fn set_event(event: &str) -> Outcome<()> {
    Event::open(event)?.set();
    Ok(())
}

pub fn clear_event(event: &str) -> Outcome<()> {
    Event::open(event)?.clear();
    Ok(())
}

pub fn barrier_rounds(barrier: &str, rounds: u32) -> Outcome<Vec<u32>> {
    let barrier = Barrier::open(barrier)?;
    let numbers = (0..rounds).map(|_| barrier.wait());
    Ok(numbers.collect::<Result<_, _>>()?)
}

pub fn barrier_wait(barrier: &str, timeout: Option<u64>) -> Outcome<u32> {
    let barrier = Barrier::open(barrier)?;
    Ok(match milliseconds(timeout) {
        None => barrier.wait(),
        Some(timeout) => barrier.wait_timeout(timeout),
    }?)
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Facts {
    pub parties: u32,
    pub waiting: u32,
    pub broken: bool,
}

pub fn barrier_facts(barrier: &str) -> Outcome<Facts> {
    let barrier = Barrier::open(barrier)?;
    Ok(Facts {
        parties: barrier.parties(),
        waiting: barrier.waiting(),
        broken: barrier.is_broken(),
    })
}

pub fn abort_barrier(barrier: &str) -> Outcome<()> {
    Barrier::open(barrier)?.abort();
    Ok(())
}

pub fn reset_barrier(barrier: &str) -> Outcome<()> {
    Barrier::open(barrier)?.reset();
    Ok(())
}

pub fn ping_pong(condition: &str, number: &str, parity: u64, turns: u64) -> Outcome<()> {
    let (condition, number) = (Condition::open(condition)?, Value::<u64>::open(number)?);
    let lock = condition.lock();
    for _ in 0..turns {
        let mut guard = lock.acquire()?;
        condition.wait_for(&mut guard, || number.get() % 2 == parity)?;
        number.fetch_add(1)?;
        condition.notify(1)?;
    }
    Ok(())
}

pub fn condition_wait(condition: &str, timeout: Option<u64>) -> Outcome<bool> {
    let condition = Condition::open(condition)?;
    let lock = condition.lock();
    let mut guard = lock.acquire()?;
    match milliseconds(timeout) {
        None => condition.wait(&mut guard),
        Some(timeout) => condition.wait_timeout(&mut guard, timeout),
    }?;
    Ok(guard.was_abandoned())
}

pub fn take_token(condition: &str, tokens: &str) -> Outcome<()> {
    let (condition, tokens) = (Condition::open(condition)?, Value::<u64>::open(tokens)?);
    let lock = condition.lock();
    let mut guard = lock.acquire()?;
    condition.wait_for(&mut guard, || tokens.get() > 0)?;
    tokens.fetch_sub(1)?;
    Ok(())
}

pub fn notify(condition: &str, count: u32) -> Outcome<u32> {
    let condition = Condition::open(condition)?;
    let lock = condition.lock();
    let _guard = lock.acquire()?;
    Ok(condition.notify(count)?)
}

pub fn notify_without_lock(condition: &str) -> Outcome<u32> {
    Ok(Condition::open(condition)?.notify_all()?)
}
