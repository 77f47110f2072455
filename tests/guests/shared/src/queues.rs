//! Queues.

use serde::Serialize;
use wasmpool_guest::Bytes;
use wasmpool_guest::queue::{Direction, GetError, Queue};

use crate::{Outcome, milliseconds, spin};

pub fn put(queue: &str, message: Bytes, timeout: Option<u64>) -> Outcome<()> {
    let queue = Queue::open(queue)?;
    Ok(match milliseconds(timeout) {
        None => queue.put(&message),
        Some(timeout) => queue.put_timeout(&message, timeout),
    }?)
}

pub fn try_put(queue: &str, message: Bytes) -> Outcome<()> {
    Ok(Queue::open(queue)?.try_put(&message)?)
}

pub fn get(queue: &str, timeout: Option<u64>) -> Outcome<Bytes> {
    let queue = Queue::open(queue)?;
    let message = match milliseconds(timeout) {
        None => queue.get(),
        Some(timeout) => queue.get_timeout(timeout),
    };
    Ok(message?.into())
}

pub fn try_get(queue: &str) -> Outcome<Bytes> {
    Ok(Queue::open(queue)?.try_get()?.into())
}

#[derive(Debug, PartialEq, Serialize)]
pub struct Facts {
    pub length: u64,
    pub direction: &'static str,
}

pub fn queue_facts(queue: &str) -> Outcome<Facts> {
    let queue = Queue::open(queue)?;
    Ok(Facts {
        length: queue.len(),
        direction: match queue.direction() {
            Direction::Put => "put",
            Direction::Get => "get",
            Direction::Both => "both",
        },
    })
}

pub fn close_queue(queue: &str) -> Outcome<()> {
    Queue::open(queue)?.close();
    Ok(())
}

pub fn join_queue(queue: &str, timeout: Option<u64>) -> Outcome<bool> {
    let queue = Queue::open(queue)?;
    Ok(match milliseconds(timeout) {
        None => {
            queue.join();
            true
        }
        Some(timeout) => queue.join_timeout(timeout),
    })
}

pub fn task_done(queue: &str) -> Outcome<()> {
    Ok(Queue::open(queue)?.task_done()?)
}

pub fn relay(from: &str, to: &str) -> Outcome<u64> {
    let (from, to) = (Queue::open(from)?, Queue::open(to)?);
    let mut relayed = 0;
    for message in from.iter() {
        to.put(&message?)?;
        relayed += 1;
    }
    Ok(relayed)
}

pub fn put_all(queue: &str, messages: Vec<Bytes>) -> Outcome<()> {
    Ok(Queue::open(queue)?.put_all(messages)?)
}

pub fn put_some(queue: &str, messages: Vec<Bytes>) -> Outcome<usize> {
    let messages: Vec<Vec<u8>> = messages.into_iter().map(Vec::from).collect();
    Ok(Queue::open(queue)?.put_some(&messages)?)
}

pub fn get_some(queue: &str, most: usize) -> Outcome<Vec<Bytes>> {
    let messages = Queue::open(queue)?.get_some(most)?;
    Ok(messages.into_iter().map(Bytes::from).collect())
}

pub fn relay_some(from: &str, to: &str, most: usize) -> Outcome<u64> {
    let (from, to) = (Queue::open(from)?, Queue::open(to)?);
    let mut relayed = 0;
    loop {
        match from.get_some(most) {
            Ok(messages) => {
                relayed += messages.len() as u64;
                to.put_all(messages)?;
            }
            Err(GetError::Closed) => return Ok(relayed),
            Err(error) => return Err(error.into()),
        }
    }
}

pub fn produce(queue: &str, producer: u32, count: u64) -> Outcome<()> {
    let queue = Queue::open(queue)?;
    for number in 0..count {
        queue.put_value(&(producer, number))?;
    }
    Ok(())
}

pub fn consume(queue: &str) -> Outcome<Vec<(u32, u64)>> {
    Ok(Queue::open(queue)?.values().collect::<Result<_, _>>()?)
}

pub fn work(queue: &str, results: &str, task_done: bool) -> Outcome<u64> {
    let (queue, results) = (Queue::open(queue)?, Queue::open(results)?);
    let mut done = 0;
    for number in queue.values::<u64>() {
        let number = number?;
        results.put_value(&number.wrapping_mul(number))?;
        if task_done {
            queue.task_done()?;
        }
        done += 1;
    }
    Ok(done)
}

pub fn get_and_panic(queue: &str) -> Outcome<()> {
    let message = Queue::open(queue)?.get()?;
    panic!("with a message of {} bytes", message.len());
}

pub fn get_and_spin(queue: &str) -> Outcome<()> {
    Queue::open(queue)?.get()?;
    spin()
}
