//! Somebody's own module, run under the limits: what stopped each of its functions, or that nothing had to.

use std::time::{Duration, Instant};

use super::native::reason;
use super::report::{Check, LayerLine, Outcome};
use super::walls;
use crate::failure::{Failure, FailureKind};
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::pool::options::{JobOptions, OnError};
use crate::pool::{Error, Payload, Pool};
use crate::sandbox::layers::Role;
use crate::text::printable;

/// A module, what of it is to be run, and with what.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::audit::{Audit, OwnModule, Outcome};
/// use wasmpool::limits::Limits;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let module = OwnModule {
///     bytes: std::fs::read("tasks.wasm")?,
///     function: Some("spin".into()),
///     items: vec!["1".into()],
///     limits: Limits::new().timeout(Duration::from_millis(50)),
/// };
/// let report = Audit::new().module(module).run();
/// assert_eq!(report.checks[0].outcome, Outcome::Held, "it never ends, and was ended");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OwnModule {
    /// A component, a core module with component metadata, or the text of either.
    pub bytes: Vec<u8>,
    /// The function or task to run. None: all.
    pub function: Option<String>,
    /// What each is run with, JSON texts. Empty: functions without parameters are run, and the others skipped.
    pub items: Vec<String>,
    /// What it may use.
    pub limits: Limits,
}

/// Bytes of a name or of a guest's text in a report.
const TEXT: usize = 1000;

/// One function, and the item it is to be run with, or why it is not run.
struct Run {
    function: String,
    item: Result<String, String>,
}

pub(super) fn run(own: &OwnModule) -> (Vec<LayerLine>, Vec<Check>) {
    let start = Instant::now();
    let opened = Pool::builder()
        .workers(1)
        .limits(own.limits.clone())
        .isolation(Isolation::Instance)
        .cache(false)
        .open_bytes(&own.bytes);
    let runs = opened.and_then(|pool| {
        let runs = runs(&pool, own)?;
        Ok((pool, runs))
    });
    match runs {
        Ok((pool, runs)) => {
            let layers = pool.layers().unwrap_or_default();
            let lines = walls::lines(Role::ForkServer, "worker", layers);
            let checks = runs.into_iter().map(|run| check(&pool, run));
            (lines, checks.collect())
        }
        Err(error) => (Vec::new(), vec![refused(&error, start.elapsed())]),
    }
}

/// A module that did not come as far as being called.
fn refused(error: &Error, took: Duration) -> Check {
    let (enforced_by, outcome) = match error {
        Error::CompileTimeout(_) => ("the compiler's deadline", Outcome::Held),
        Error::CompileMemory(_) | Error::CompilerLost { .. } => {
            ("the compiler's bound on memory", Outcome::Held)
        }
        Error::Start { .. } => ("the worker, at its start", Outcome::Held),
        Error::Module(_) | Error::OverLimit(_) | Error::MissingImport { .. } => {
            ("checks before it runs", Outcome::Held)
        }
        other => ("", Outcome::Unavailable(reason(other))),
    };
    Check {
        family: "module".to_owned(),
        name: "load".to_owned(),
        requested: "the module is loaded within its limits".to_owned(),
        enforced_by: enforced_by.to_owned(),
        proof: printable(&reason(error), TEXT),
        outcome,
        overshoot: None,
        took,
    }
}

fn runs(pool: &Pool, own: &OwnModule) -> Result<Vec<Run>, Error> {
    let tasks = pool.tasks()?;
    // The first item a task is given is up to its author: none has a type that says so.
    let tasks = tasks.into_iter().map(|task| (task.name, Some("null")));
    let functions = pool.manifest().functions.iter().map(|function| {
        let without = function.params.is_empty().then_some("[]");
        (function.name.clone(), without)
    });
    let all: Vec<_> = match &own.function {
        Some(name) => {
            let name = name.clone();
            let found = functions.chain(tasks).find(|(found, _)| *found == name);
            vec![found.unwrap_or((name, None))]
        }
        None => functions.chain(tasks).collect(),
    };
    let mut runs = Vec::new();
    for (function, without) in all {
        let items: Vec<_> = match (&own.items[..], without) {
            ([], Some(item)) => vec![Ok(item.to_owned())],
            ([], None) => vec![Err("it has parameters: give it items".to_owned())],
            (items, _) => items.iter().cloned().map(Ok).collect(),
        };
        runs.extend(items.into_iter().map(|item| Run {
            function: function.clone(),
            item,
        }));
    }
    Ok(runs)
}

fn check(pool: &Pool, run: Run) -> Check {
    let start = Instant::now();
    let (outcome, enforced_by, proof) = match &run.item {
        Err(reason) => (Outcome::Skipped(reason.clone()), "", String::new()),
        Ok(item) => match attempt(pool, &run.function, item) {
            Ok(Ok(bytes)) => {
                let proof = format!("ran to its end, with a result of {bytes} bytes");
                (Outcome::Held, "", proof)
            }
            Ok(Err(failure)) => stopped(&failure),
            Err(error) => (Outcome::Unavailable(reason(&error)), "", String::new()),
        },
    };
    let name = match &run.item {
        Ok(item) => format!("{}({item})", run.function),
        Err(_) => run.function,
    };
    Check {
        family: "module".to_owned(),
        name: printable(&name, TEXT),
        requested: "ends within its limits".to_owned(),
        enforced_by: enforced_by.to_owned(),
        proof,
        outcome,
        overshoot: None,
        took: start.elapsed(),
    }
}

/// The bytes of its result, or its failure.
fn attempt(pool: &Pool, function: &str, item: &str) -> Result<Result<u64, Failure>, Error> {
    let options = JobOptions {
        on_error: OnError::Continue,
        retries: 0,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream(function, options)?;
    feeder.push(Payload::Bytes(item.as_bytes().to_vec()));
    drop(feeder);
    match results.next() {
        Some(outcome) => {
            let outcome = outcome?;
            Ok(outcome.result.map(|bytes| bytes.len() as u64))
        }
        None => Err(Error::Closed),
    }
}

/// Which wall a failure means.
fn stopped(failure: &Failure) -> (Outcome, &'static str, String) {
    let wall = match failure.kind {
        FailureKind::Failed => "nothing: it said that it failed",
        FailureKind::InvalidInput => {
            let reason = printable(&failure.message, TEXT);
            return (Outcome::Skipped(reason), "", String::new());
        }
        FailureKind::Trap => "WebAssembly: it trapped",
        FailureKind::Timeout => "its deadline: SIGKILL",
        FailureKind::Memory => "its bound on memory",
        FailureKind::OutputLimit => "its bounds on output",
        FailureKind::WorkerLost => "its process's own end",
        FailureKind::Cancelled => "",
    };
    let line = failure.message.lines().next().unwrap_or_default();
    let proof = format!("{}: {}", failure.kind, printable(line, TEXT));
    (Outcome::Held, wall, proof)
}
