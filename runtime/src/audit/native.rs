//! The native probes, tried behind the real walls: in processes that were locked as workers are, and as compilers are. A
//! probe that works there is a hole; one that ends its process shows at which call the wall stands.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use super::probes::{self, Attempt, Probe};
use super::report::{Check, LayerLine, LayerState, Outcome};
use super::walls;
use crate::limits::Limits;
use crate::pool::Error;
use crate::pool::prober::{Ended, Prober};
use crate::sandbox::calls::{self, Call};
use crate::sandbox::layers::{Layers, Role};

/// What came of all probes behind one wall.
pub(super) struct Probed {
    /// What their processes say is in force; None where there were none.
    pub wall: Option<Layers>,
    pub layers: Vec<LayerLine>,
    pub checks: Vec<Check>,
}

/// Tries all probes in processes of a role.
pub(super) fn probe(role: Role, around: &str, limits: &Limits) -> Probed {
    let mut prober = match Prober::start(role, limits) {
        Ok(prober) => prober,
        Err(error) => return without(around, &error),
    };
    let wall = prober.layers();
    let layers = walls::lines(role, around, wall);
    let list = match role.is_of_workers() {
        true => calls::WORKER,
        false => calls::COMPILER,
    };
    let all = (0..).zip(probes::all());
    let checks = all.map(|(index, probe)| {
        let start = Instant::now();
        let judged = match prober.attempt(index) {
            Ok(ended) => judge(probe, ended, list),
            Err(error) => Judged::unavailable(reason(&error)),
        };
        Check {
            family: format!("{around}/{}", probe.family),
            name: probe.name.to_owned(),
            requested: probe.forbids.to_owned(),
            enforced_by: judged.enforced_by.to_owned(),
            proof: judged.proof,
            outcome: judged.outcome,
            overshoot: None,
            took: start.elapsed(),
        }
    });
    let checks = checks.collect();
    Probed {
        wall: Some(wall),
        layers,
        checks,
    }
}

/// A wall that cannot be put up at all.
fn without(around: &str, error: &Error) -> Probed {
    let layer = LayerLine {
        name: "wall".to_owned(),
        around: around.to_owned(),
        required: true,
        state: LayerState::Unavailable(reason(error)),
        detail: "all of it".to_owned(),
    };
    let check = Check {
        family: format!("{around}/wall"),
        name: "start".to_owned(),
        requested: "start a process behind the wall".to_owned(),
        enforced_by: String::new(),
        proof: String::new(),
        outcome: Outcome::Unavailable(reason(error)),
        overshoot: None,
        took: Duration::ZERO,
    };
    Probed {
        wall: None,
        layers: vec![layer],
        checks: vec![check],
    }
}

/// An error with its cause.
pub(super) fn reason(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let error_text = error.to_string();
        if !text.ends_with(&error_text) {
            text.push_str(": ");
            text.push_str(&error_text);
        }
        cause = error.source();
    }
    text
}

struct Judged {
    outcome: Outcome,
    enforced_by: &'static str,
    proof: String,
}

impl Judged {
    fn new(outcome: Outcome, enforced_by: &'static str, proof: String) -> Judged {
        Judged {
            outcome,
            enforced_by,
            proof,
        }
    }

    fn unavailable(reason: String) -> Judged {
        Judged::new(Outcome::Unavailable(reason), "", String::new())
    }
}

/// What an end says of the wall, which has a list of system calls that it lets through. That nothing was tried proves
/// nothing.
fn judge(probe: &Probe, ended: Ended, list: &[Call]) -> Judged {
    let Ended {
        last_call,
        attempt,
        status,
    } = ended;
    let at = match last_call {
        number if number == probe.call.number() => probe.call.name().to_owned(),
        number => format!("system call {number}"),
    };
    let tried = last_call >= 0;
    let broken = |proof: String| Judged::new(Outcome::Broken, "", proof);
    match (attempt, status) {
        (Some(Attempt::Succeeded(given)), _) => {
            let meant = |call: &&Call| call.number == last_call && call.when.is_empty();
            if let Some(call) = list.iter().find(meant) {
                let reason = format!("this process may, for: {}", call.why);
                return Judged::new(Outcome::Skipped(reason), "", String::new());
            }
            broken(format!("{at} was allowed, and gave {given:#x}"))
        }
        (Some(Attempt::Refused(errno)), _) => {
            let error = io::Error::from_raw_os_error(errno);
            Judged::new(
                Outcome::Held,
                "the kernel",
                format!("{at} refused: {error}"),
            )
        }
        (None, None) if tried => broken(format!("{at} was allowed, and goes on and on")),
        (None, None) => Judged::unavailable("its process never came to try it".to_owned()),
        (None, Some(status)) => match (status.signal(), status.code()) {
            (Some(signal), _) if tried => {
                let (signal, by) = match signal {
                    signals::SYS => ("SIGSYS".to_owned(), "seccomp"),
                    signals::SEGV => ("SIGSEGV".to_owned(), "memory protection"),
                    other => (format!("signal {other}"), "the kernel"),
                };
                Judged::new(Outcome::Held, by, format!("killed by {signal} at {at}"))
            }
            (_, Some(code)) if tried => broken(format!(
                "{at} was allowed: its process ended with code {code}"
            )),
            _ => Judged::unavailable(format!("its process ended before it tried: {status}")),
        },
    }
}

/// Numbers of signals, the same on all processors.
mod signals {
    use rustix::process::Signal;

    pub(super) const SYS: i32 = Signal::SYS.as_raw();
    pub(super) const SEGV: i32 = Signal::SEGV.as_raw();
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::super::probes::NOBODY;
    use super::*;

    /// The number of a call of the list of compilers.
    fn number_of(name: &str) -> i64 {
        let mut list = calls::COMPILER.iter();
        list.find(|call| call.name == name)
            .map_or(-1, |call| call.number)
    }

    /// Judges the end of a process that was to open a file.
    fn outcome(last_call: i64, attempt: Option<Attempt>, status: Option<i32>) -> Outcome {
        let probe = probes::all().next().expect("there are probes");
        let ended = Ended {
            last_call,
            attempt,
            status: status.map(ExitStatus::from_raw),
        };
        judge(probe, ended, calls::COMPILER).outcome
    }

    #[test]
    fn whatever_works_is_broken_and_what_was_not_tried_proves_nothing() {
        let call = probes::all()
            .next()
            .expect("there are probes")
            .call
            .number();
        let exited = |code: i32| Some(code << 8);
        let proves_nothing = |o: Outcome| matches!(o, Outcome::Unavailable(_));

        let succeeded = Some(Attempt::Succeeded(3));
        assert_eq!(outcome(call, succeeded, exited(0)), Outcome::Broken);
        assert_eq!(
            outcome(call, succeeded, Some(signals::SYS)),
            Outcome::Broken
        );
        // A program ran in its place.
        assert_eq!(outcome(call, None, exited(0)), Outcome::Broken);
        assert_eq!(outcome(call, None, exited(1)), Outcome::Broken);
        assert_eq!(outcome(call, None, None), Outcome::Broken);

        // Only what a list lets through whatever its arguments are is meant to work.
        for (call, meant) in [
            (number_of("rt_sigaction"), true),
            (number_of("mmap"), false),
        ] {
            let outcome = outcome(call, succeeded, exited(0));
            assert_eq!(matches!(outcome, Outcome::Skipped(_)), meant, "{outcome:?}");
        }

        let refused = Some(Attempt::Refused(1));
        assert_eq!(outcome(call, refused, exited(0)), Outcome::Held);
        assert_eq!(outcome(call, None, Some(signals::SYS)), Outcome::Held);
        assert_eq!(outcome(call, None, Some(signals::SEGV)), Outcome::Held);

        assert!(proves_nothing(outcome(NOBODY, None, Some(signals::SYS))));
        assert!(proves_nothing(outcome(NOBODY, None, exited(5))));
        assert!(proves_nothing(outcome(i64::MIN, None, exited(3))));
        assert!(proves_nothing(outcome(NOBODY, None, None)));
    }
}
