//! The limits of items, each tried by a hostile module in a real pool.
//!
//! - `time`, `memory`, `output`, `loading`, `surroundings`: the checks, a family each.
//! - `processes`: stopped workers and killed hosts.
//! - `neighbour`: a pool that must not notice any of it.

mod loading;
mod memory;
mod neighbour;
mod output;
mod processes;
mod surroundings;
mod time;

use std::path::Path;
use std::time::{Duration, Instant};

pub(super) use self::neighbour::Neighbour;

use super::native::reason;
use super::report::{Check, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::limits::{Limits, MIB};
use crate::mode::Isolation;
use crate::pool::{Error, Pool};
use crate::sandbox::layers::Layers;

/// A function an attack; all take one number.
const HOSTILE: &str = include_str!("../guests/hostile.wat");

/// By how much time a limit may be passed before it counts as broken: far more than it takes, since the machine may be
/// busy with something else. How much it was is in the report.
const LATE: Duration = Duration::from_secs(2);

/// How often a check is tried at most that was late, or could not be tried.
const TRIES: usize = 3;

/// All checks of limits. `host` is the program to start as a host of its own.
pub(super) fn all(host: Option<&Path>) -> Vec<Check> {
    [
        time::checks(),
        memory::checks(),
        output::checks(),
        loading::checks(),
        surroundings::checks(),
        processes::checks(host),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether what was probed is what a pool has.
pub(super) fn same_wall(probed: Layers) -> Check {
    Spec::new(
        "walls",
        "same",
        "a pool has the very layers that were probed",
        "the same functions for both",
    )
    .check(|| {
        let layers = pool(HOSTILE, limits())?.layers().unwrap_or_default();
        let proof = format!("{} layers around both", layers.iter().count());
        match layers == probed {
            true => Ok(Seen::new(true, proof)),
            false => Ok(Seen::new(
                false,
                format!("a pool has {layers:?}, and probed was {probed:?}"),
            )),
        }
    })
}

/// The limits that are tried: small, so that they are soon reached.
fn limits() -> Limits {
    let mut limits = Limits::new().timeout(Duration::from_secs(20));
    limits.memory_bytes = 32 * MIB;
    limits.table_elements = 10_000;
    limits.stack_bytes = 256 << 10;
    limits.result_bytes = 64 << 10;
    limits.log_bytes = 4 << 10;
    limits
}

/// A pool of one worker, without the cache: a fresh instance an item.
fn pool(module: &str, limits: Limits) -> Result<Pool, Error> {
    let pool = Pool::builder().workers(1).limits(limits).cache(false);
    pool.isolation(Isolation::Instance)
        .open_bytes(module.as_bytes())
}

/// What a check is about.
struct Spec {
    family: &'static str,
    name: &'static str,
    requested: String,
    enforced_by: &'static str,
}

/// What was seen.
struct Seen {
    held: bool,
    /// It held, but not in time.
    late: bool,
    proof: String,
    overshoot: Option<String>,
}

impl Seen {
    fn new(held: bool, proof: impl Into<String>) -> Seen {
        Seen {
            held,
            late: false,
            proof: proof.into(),
            overshoot: None,
        }
    }

    /// By how much it was over its time, of which so much is allowed.
    fn late(mut self, by: Duration, allowed: Duration) -> Seen {
        self.late = by > allowed;
        self.over(milliseconds(by))
    }

    fn over(mut self, overshoot: String) -> Seen {
        self.overshoot = Some(overshoot);
        self
    }
}

impl Spec {
    fn new(
        family: &'static str,
        name: &'static str,
        requested: impl Into<String>,
        enforced_by: &'static str,
    ) -> Spec {
        Spec {
            family,
            name,
            requested: requested.into(),
            enforced_by,
        }
    }

    /// Tries it. What was late, or an error, is tried again: a busy machine may hold anything up for seconds, but not each
    /// time. What did not hold is not.
    fn check(self, tried: impl Fn() -> Result<Seen, Error>) -> Check {
        self.once(|| {
            for _ in 1..TRIES {
                if let Ok(seen) = tried()
                    && (!seen.held || !seen.late)
                {
                    return Ok(seen);
                }
            }
            tried()
        })
    }

    /// Tries it, once. An error is no proof of anything.
    fn once(self, tried: impl FnOnce() -> Result<Seen, Error>) -> Check {
        let start = Instant::now();
        let (outcome, proof, overshoot) = match tried() {
            Ok(seen) => {
                let outcome = match seen.held && !seen.late {
                    true => Outcome::Held,
                    false => Outcome::Broken,
                };
                (outcome, seen.proof, seen.overshoot)
            }
            Err(error) => (Outcome::Unavailable(reason(&error)), String::new(), None),
        };
        self.became(outcome, proof, overshoot, start.elapsed())
    }

    fn skipped(self, reason: impl Into<String>) -> Check {
        let outcome = Outcome::Skipped(reason.into());
        self.became(outcome, String::new(), None, Duration::ZERO)
    }

    fn became(
        self,
        outcome: Outcome,
        proof: String,
        overshoot: Option<String>,
        took: Duration,
    ) -> Check {
        Check {
            family: self.family.to_owned(),
            name: self.name.to_owned(),
            requested: self.requested,
            enforced_by: self.enforced_by.to_owned(),
            proof,
            outcome,
            overshoot,
            took,
        }
    }
}

/// Runs one item, and gives its number or its failure. Errors of anything else are errors.
fn item(pool: &Pool, function: &str, x: i64) -> Result<Result<i64, Failure>, Error> {
    failure_of(pool.apply::<i64, i64>(function, x))
}

fn failure_of<T>(result: Result<T, Error>) -> Result<Result<T, Failure>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Item { failure, .. }) => Ok(Err(failure)),
        Err(error) => Err(error),
    }
}

/// Seen, if an item failed in the right way.
fn failed<T: std::fmt::Debug>(result: Result<T, Failure>, kind: FailureKind) -> Seen {
    match result {
        Ok(value) => Seen::new(false, format!("it was not stopped, and gave {value:?}")),
        Err(failure) => Seen::new(failure.kind == kind, first_line(&failure)),
    }
}

fn first_line(failure: &Failure) -> String {
    let line = failure.message.lines().next().unwrap_or_default();
    format!("{}: {line}", failure.kind)
}

/// A time in milliseconds, for people.
fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What became of a check that sees this, one after the other, and how often it was tried.
    fn tried(seen: &[(bool, u64)]) -> (Outcome, usize) {
        let tries = Cell::new(0);
        let check = Spec::new("time", "deadline", "it ends", "SIGKILL").check(|| {
            let (held, seconds) = seen[tries.get()];
            tries.set(tries.get() + 1);
            Ok(Seen::new(held, "it ended").late(Duration::from_secs(seconds), LATE))
        });
        (check.outcome, tries.get())
    }

    #[test]
    fn only_what_is_late_is_tried_again() {
        assert_eq!(tried(&[(true, 0)]), (Outcome::Held, 1));
        assert_eq!(
            tried(&[(true, 9), (true, 9), (true, 0)]),
            (Outcome::Held, 3)
        );
        assert_eq!(
            tried(&[(true, 9), (true, 9), (true, 9)]),
            (Outcome::Broken, 3)
        );
        assert_eq!(tried(&[(false, 0)]), (Outcome::Broken, 1));
        assert_eq!(tried(&[(true, 9), (false, 0)]), (Outcome::Broken, 2));
    }
}
