//! Wall time of an item: whatever it does, its worker is killed.

use std::time::{Duration, Instant};

use super::{HOSTILE, LATE, Seen, Spec, failed, item, limits, milliseconds, pool};
use crate::audit::report::Check;
use crate::failure::FailureKind;
use crate::pool::Error;

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
    .into()
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
    let held = pool.apply::<i64, i64>("identity", 5)? == 5 && worst <= LATE;
    let proof = format!("killed {TIMES} times, and the next item was done");
    Ok(Seen::new(held, proof).over(milliseconds(worst)))
}
