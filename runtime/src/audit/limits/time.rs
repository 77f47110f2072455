//! Wall time of an item: whatever it does, its worker is killed.

use std::time::{Duration, Instant};

use super::{HOSTILE, LATE, Seen, Spec, failed, item, limits, pool};
use crate::audit::report::Check;
use crate::failure::FailureKind;
use crate::pool::{Error, JobOptions, Payload, Pool};

const TIMEOUT: Duration = Duration::from_millis(200);

/// How often each is tried; the worst is told.
const TIMES: u32 = 3;

pub(super) fn checks() -> Vec<Check> {
    [
        ("spin", "a loop"),
        ("sleep", "a call of the host that blocks"),
        ("fill", "instructions that fill 16 MiB each"),
    ]
    .map(|(function, what)| {
        let requested = format!("an item ends after {} ms: {what}", TIMEOUT.as_millis());
        Spec::new("time", function, requested, "SIGKILL through the pidfd").check(|| late(function))
    })
    .into_iter()
    .chain([Spec::new(
        "time",
        "fuel",
        format!("in deterministic mode an item has {FUEL} units of fuel"),
        "counts in compiled code",
    )
    .check(fuel)])
    .collect()
}

/// Fuel of an item, far less than a loop uses until its deadline.
const FUEL: u64 = 5_000_000;

/// Ends a loop without a clock, and counts the same for the same item in two pools.
fn fuel() -> Result<Seen, Error> {
    let mut used = Vec::new();
    for _ in 0..2 {
        let builder = Pool::builder().workers(1).cache(false).deterministic(1);
        let pool = builder
            .limits(limits().fuel(FUEL))
            .open_bytes(HOSTILE.as_bytes())?;
        let (mut feeder, mut results) = pool.stream("grow", JobOptions::default())?;
        feeder.push(Payload::Bytes(b"0".to_vec()));
        drop(feeder);
        let outcome = results.next().transpose()?;
        used.extend(outcome.and_then(|outcome| outcome.fuel));
        // Time would end it too, but later, and not by a trap.
        let seen = failed(item(&pool, "spin", 0)?, FailureKind::Trap);
        if !seen.held {
            return Ok(seen);
        }
    }
    let held = matches!(used[..], [first, second] if first == second && first > 0);
    let proof = format!("a loop ran out of it; the same item used {used:?} in two pools");
    Ok(Seen::new(held, proof))
}

fn late(function: &str) -> Result<Seen, Error> {
    let pool = pool(HOSTILE, limits().timeout(TIMEOUT))?;
    let mut worst = Duration::ZERO;
    for _ in 0..TIMES {
        // Only once it is answered is the worker there.
        pool.apply::<i64, i64>("identity", 1)?;
        let start = Instant::now();
        let seen = failed(item(&pool, function, 0)?, FailureKind::Timeout);
        let took = start.elapsed();
        if !seen.held {
            return Ok(seen);
        }
        if took < TIMEOUT {
            return Ok(Seen::new(false, "it was stopped before its time"));
        }
        worst = worst.max(took - TIMEOUT);
    }
    let held = pool.apply::<i64, i64>("identity", 5)? == 5;
    let proof = format!("killed {TIMES} times, and the next item was done");
    Ok(Seen::new(held, proof).late(worst, LATE))
}
