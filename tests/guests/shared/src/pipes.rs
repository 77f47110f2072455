//! Pipes.

use std::time::Duration;

use wasmpool_guest::Bytes;
use wasmpool_guest::pipe::{PipeEnd, SendError};

use crate::{Outcome, milliseconds, spin};

pub fn echo_pipe(end: &str) -> Outcome<u64> {
    let end = PipeEnd::open(end)?;
    let mut echoed = 0;
    for message in end.iter() {
        end.send(&message?)?;
        echoed += 1;
    }
    Ok(echoed)
}

pub fn exchange(end: &str, messages: Vec<Bytes>) -> Outcome<Vec<Bytes>> {
    let end = PipeEnd::open(end)?;
    for message in messages {
        end.send(&message)?;
    }
    end.finish();
    let received = end.iter().map(|message| message.map(Bytes));
    Ok(received.collect::<Result<_, _>>()?)
}

pub fn send(end: &str, message: Bytes, timeout: Option<u64>) -> Outcome<()> {
    let end = PipeEnd::open(end)?;
    Ok(match milliseconds(timeout) {
        None => end.send(&message),
        Some(timeout) => end.send_timeout(&message, timeout),
    }?)
}

pub fn receive(end: &str, timeout: Option<u64>) -> Outcome<Bytes> {
    let end = PipeEnd::open(end)?;
    let message = match milliseconds(timeout) {
        None => end.receive(),
        Some(timeout) => end.receive_timeout(timeout),
    };
    Ok(message?.into())
}

pub fn flood(end: &str, message: Bytes, timeout: u64) -> Outcome<u64> {
    let end = PipeEnd::open(end)?;
    let timeout = Duration::from_millis(timeout);
    let mut sent = 0;
    loop {
        match end.send_timeout(&message, timeout) {
            Ok(()) => sent += 1,
            Err(SendError::Full) => return Ok(sent),
            Err(error) => return Err(error.into()),
        }
    }
}

pub fn send_when_finished(end: &str) -> Outcome<()> {
    let end = PipeEnd::open(end)?;
    end.finish();
    Ok(end.send(b"more")?)
}

pub fn poll_pipe(end: &str, timeout: u64) -> Outcome<bool> {
    let end = PipeEnd::open(end)?;
    Ok(match timeout {
        0 => end.poll(),
        _ => end.poll_timeout(Duration::from_millis(timeout)),
    })
}

pub fn hold_pipe(end: &str) -> Outcome<()> {
    let _end = PipeEnd::open(end)?;
    spin()
}
