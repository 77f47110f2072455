//! What an item may hold: linear memories, tables, stack, and what it makes its process hold.

use super::{HOSTILE, Seen, Spec, failed, failure_of, item, limits, pool};
use crate::audit::report::Check;
use crate::failure::FailureKind;
use crate::limits::{Limits, MIB};
use crate::pool::Error;
use crate::sys::seen::Family;

const MEMORIES: &str = include_str!("../guests/memories.wat");

/// Bytes of a text that one item returns: as much as a result may have, but for its quotes.
const TEXT: i64 = (16 << 20) - 64;
/// Empty lists that one item returns: 8 bytes each in the guest, three words at least in its process.
const LISTS: i64 = 600_000;
/// More than calls may copy.
const MORE_LISTS: i64 = 3_500_000;

pub(super) fn checks() -> Vec<Check> {
    let limits = limits();
    let mib = limits.memory_bytes / MIB;
    vec![
        Spec::new(
            "memory",
            "grow",
            format!("an instance has {mib} MiB of memory at most"),
            "the engine's limiter",
        )
        .check(|| grown(HOSTILE, "grow", limits.memory_bytes, "bytes")),
        Spec::new(
            "memory",
            "memories",
            format!("four memories have {mib} MiB together at most"),
            "the engine's limiter",
        )
        .check(|| grown(MEMORIES, "grow", limits.memory_bytes, "bytes")),
        Spec::new(
            "memory",
            "table",
            format!("tables have {} elements at most", limits.table_elements),
            "the engine's limiter",
        )
        .check(|| grown(HOSTILE, "grow-table", limits.table_elements, "elements")),
        Spec::new(
            "memory",
            "stack",
            format!("an item has {} KiB of stack", limits.stack_bytes >> 10),
            "checks in compiled code",
        )
        .check(|| {
            let pool = pool(HOSTILE, super::limits())?;
            Ok(failed(item(&pool, "recurse", 0)?, FailureKind::Trap))
        }),
        Spec::new(
            "memory",
            "process",
            format!(
                "a worker has {} MiB at most, whatever it is made to copy",
                copying().worker_data_bytes() / MIB
            ),
            "RLIMIT_DATA, bounds on what calls copy",
        )
        .check(process),
        Spec::new(
            "memory",
            "left-behind",
            "a fresh instance has nothing of the item before",
            "memory given back between items",
        )
        .check(|| {
            let pool = pool(HOSTILE, super::limits())?;
            let mut left = Vec::new();
            for _ in 0..10 {
                left.push(pool.apply::<i64, i64>("leave", 0)?);
            }
            let held = left.iter().all(|found| *found == 0);
            Ok(Seen::new(held, format!("10 items found {left:?}")))
        }),
    ]
}

/// What it grew to in vain: near the limit, and not over it.
fn grown(module: &str, function: &str, limit: u64, unit: &str) -> Result<Seen, Error> {
    let pool = pool(module, limits())?;
    let seen = match item(&pool, function, 0)? {
        Ok(got) => {
            let got = u64::try_from(got).unwrap_or(u64::MAX);
            // A tenth less: it grows by more than one at a time. None at all would prove nothing.
            let held = got <= limit && got >= limit - limit / 10;
            let seen = Seen::new(held, format!("growing was refused at {got} {unit}"));
            seen.over(format!("{} {unit}", got.saturating_sub(limit)))
        }
        Err(failure) => Seen::new(
            failure.kind == FailureKind::Memory,
            super::first_line(&failure),
        ),
    };
    Ok(seen)
}

/// The limits for items that have much copied.
fn copying() -> Limits {
    let mut limits = limits();
    limits.memory_bytes = 64 * MIB;
    limits.result_bytes = 16 * MIB;
    limits
}

/// Has a worker copy more than it has room for, and watches how large it gets.
fn process() -> Result<Seen, Error> {
    let limits = copying();
    let bound = limits.worker_data_bytes();
    let family = Family::before();
    let pool = pool(HOSTILE, limits)?;
    pool.apply::<i64, i64>("identity", 1)?;
    let workers = family.workers();
    let text = pool.apply::<i64, String>("text", TEXT)?.len();
    let lists = pool.apply::<i64, Vec<Vec<u8>>>("lists", LISTS)?.len();
    // It is the same worker that did both, and still there.
    let peak = workers
        .iter()
        .filter_map(|worker| worker.peak_bytes())
        .max();
    let peak = peak.unwrap_or(0);
    let more = failure_of(pool.apply::<i64, Vec<Vec<u8>>>("lists", MORE_LISTS))?;
    let more = match more {
        Ok(_) => "were returned, too".to_owned(),
        Err(failure) => super::first_line(&failure),
    };
    let next = pool.apply::<i64, i64>("identity", 5)?;
    let proof = format!(
        "{text} bytes of text, then {lists} lists: largest resident size {:.0} MiB (VmHWM); {MORE_LISTS} lists: {more}",
        peak as f64 / MIB as f64
    );
    // A size that could not be read shows nothing.
    let held = peak > 0 && peak <= bound && next == 5;
    Ok(Seen::new(held, proof).over(format!("{} bytes", peak.saturating_sub(bound))))
}
