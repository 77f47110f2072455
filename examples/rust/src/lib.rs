//! The tasks of the world `languages` in Rust, with `wit-bindgen` alone: as one writes them without the guest SDK.
#![cfg(target_family = "wasm")]
#![expect(missing_docs, reason = "what wit-bindgen makes has none")]

wit_bindgen::generate!({
    path: ["../../wit/0.1.0", "../wit"],
    world: "examples:languages/languages",
    generate_all,
});

use crate::wasmpool::task::buffers::{Buffer, Operation};
use crate::wasmpool::task::log::{Level, log};
use crate::wasmpool::task::queues::{GetError, Queue};
use crate::wasmpool::task::results::emit;

const BLOCK: u64 = 64 * 1024;
const DATA: u64 = 8;

struct Languages;

export!(Languages);

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\t', '\n', '\r'])
        .filter(|word| !word.is_empty())
}

fn count(counts: &mut Vec<(String, u32)>, word: &str) {
    match counts.iter_mut().find(|(known, _)| known == word) {
        Some((_, count)) => *count += 1,
        None => counts.push((word.to_owned(), 1)),
    }
}

fn open_queue(name: &str) -> Result<Queue, String> {
    Queue::open(name).map_err(|error| format!("cannot open the queue {name}: {error}"))
}

impl Guest for Languages {
    fn square(x: i64) -> i64 {
        x.wrapping_mul(x)
    }

    fn word_count(text: String) -> Vec<(String, u32)> {
        let mut counts = Vec::new();
        words(&text).for_each(|word| count(&mut counts, word));
        log(Level::Info, &format!("{} words", words(&text).count()));
        counts
    }

    fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    fn count_to(n: u32) -> u32 {
        let emitted = (1..=n).take_while(|i| emit(i.to_string().as_bytes()).is_ok());
        emitted.count() as u32
    }

    fn add_up(name: String) -> Result<u64, String> {
        let failed = |error| format!("cannot use the buffer {name}: {error}");
        let buffer = Buffer::open(&name)
            .map_err(|error| format!("cannot open the buffer {name}: {error}"))?;
        let length = buffer.length();
        let mut sum = 0;
        for at in (DATA..length).step_by(BLOCK as usize) {
            let block = buffer
                .read(at, (length - at).min(BLOCK) as u32)
                .map_err(failed)?;
            sum += block.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        buffer
            .update_u64(0, Operation::Add, sum)
            .map_err(|error| format!("cannot change the buffer {name}: {error}"))?;
        Ok(sum)
    }

    fn split(text: String, name: String) -> Result<u32, String> {
        let queue = open_queue(&name)?;
        let mut n = 0;
        for word in words(&text) {
            let put = queue.put(word.as_bytes(), None);
            put.map_err(|error| format!("cannot put into the queue {name}: {error}"))?;
            n += 1;
        }
        Ok(n)
    }

    fn tally(name: String) -> Result<Vec<(String, u32)>, String> {
        let queue = open_queue(&name)?;
        let mut counts = Vec::new();
        loop {
            match queue.get(None) {
                Ok(word) => count(&mut counts, &String::from_utf8_lossy(&word)),
                Err(GetError::Closed) => return Ok(counts),
                Err(error) => return Err(format!("cannot get from the queue {name}: {error}")),
            }
        }
    }
}
