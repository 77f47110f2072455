//! What comes out of an item: results, emitted values, messages; how many bytes, and which.

use super::{HOSTILE, Seen, Spec, failed, failure_of, item, limits, pool};
use crate::audit::report::Check;
use crate::failure::FailureKind;
use crate::limits::PIECE_BYTES;
use crate::pool::options::{JobOptions, OnError};
use crate::pool::{Error, Payload};
use crate::text::printable;

pub(super) fn checks() -> Vec<Check> {
    let limits = limits();
    let kib = limits.result_bytes >> 10;
    vec![
        Spec::new(
            "output",
            "result",
            format!("a result has {kib} KiB at most"),
            "the worker, and again the host",
        )
        .check(|| {
            let pool = pool(HOSTILE, super::limits())?;
            let fits = failure_of(pool.apply::<i64, String>("text", 60 << 10))?;
            if let Err(failure) = fits {
                return Ok(Seen::new(false, format!("refused within it: {failure}")));
            }
            let over = failure_of(pool.apply::<i64, String>("text", 1 << 20))?;
            let over = over.map(|text| text.len());
            Ok(failed(over, FailureKind::OutputLimit))
        }),
        Spec::new(
            "output",
            "emitted",
            format!("emitted values have {kib} KiB together at most"),
            "the worker, and again the host",
        )
        .check(emitted),
        Spec::new(
            "output",
            "log",
            format!("messages have {} KiB at most", limits.log_bytes >> 10),
            "the worker, and again the host",
        )
        .check(|| {
            let pool = pool(HOSTILE, super::limits())?;
            Ok(failed(item(&pool, "log", 0)?, FailureKind::OutputLimit))
        }),
        Spec::new(
            "output",
            "control-characters",
            "no message of a guest commands a terminal",
            "escapes",
        )
        .check(|| {
            let pool = pool(HOSTILE, super::limits())?;
            let said = match failure_of(pool.apply::<i64, u64>("deceive", 0))? {
                Ok(value) => return Ok(Seen::new(false, format!("it gave {value}"))),
                Err(failure) => failure.message,
            };
            // Nothing is left to be escaped, and nothing was thrown away.
            let held = printable(&said, said.len()) == said && said.contains("1b}[2J");
            Ok(Seen::new(held, format!("it was told as {:?}", said.trim())))
        }),
    ]
}

fn emitted() -> Result<Seen, Error> {
    let pool = pool(HOSTILE, limits())?;
    let limit = limits().result_bytes;
    let options = JobOptions {
        on_error: OnError::Continue,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream("emit", options)?;
    feeder.push(Payload::Bytes(b"0".to_vec()));
    drop(feeder);
    let (mut bytes, mut values) = (0, 0);
    while let Some(outcome) = results.next() {
        for value in outcome?.emitted {
            bytes += value.len() as u64 + PIECE_BYTES;
            values += 1;
        }
    }
    let proof = format!("{values} values were taken, {bytes} bytes with their costs");
    let held = values > 0 && bytes <= limit;
    Ok(Seen::new(held, proof).over(format!("{} bytes", bytes.saturating_sub(limit))))
}
