//! One module in a pool of this process: opened, called, closed; every outcome checked to be one that may be.

use std::time::Duration;

use wasmpool::encoding::Encoding;
use wasmpool::failure::FailureKind;
use wasmpool::ipc::lookup::LookupError;
use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::pool::{
    ChunkSize, Error, JobOptions, OnError, Outcome, Payload, Pool, PoolBuilder, Results,
};
use wasmpool_tests::{Random, temporary};

use crate::items::{item, junk};
use crate::{Made, Tally};

/// Functions of a module that are called, and items for each.
const FUNCTIONS: usize = 4;
const ITEMS: usize = 4;
/// Items that may be late before a module has taken enough time.
const LATE: u64 = 3;

fn count(tally: &mut Tally, what: impl Into<String>) {
    *tally.entry(what.into()).or_default() += 1;
}

/// Runs a module.
///
/// # Errors
/// What happened that may not.
pub fn run(made: &Made, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    count(tally, "modules");
    let folder = (random.below(3) == 0).then(temporary);
    let mut builder = builder(random);
    if let Some(folder) = &folder {
        folder.write("a", b"twelve bytes");
        builder = builder.directory(folder.path(""), "/", random.below(3) != 0);
    }
    let pool = match builder.open_bytes(&made.bytes) {
        Ok(_) if made.broken => return Err("it was accepted".into()),
        Ok(pool) => pool,
        Err(e) => {
            count(tally, refused(&e)?);
            return Ok(());
        }
    };
    count(tally, "opened");
    match calls(&pool, random, tally) {
        Err(Stop::Start) => {
            count(tally, "cannot be started");
            Ok(())
        }
        Err(Stop::Complaint(complaint)) => Err(complaint),
        Ok(()) => Ok(()),
    }
}

fn builder(random: &mut Random) -> PoolBuilder {
    let mut limits = Limits::new()
        .timeout(Duration::from_millis(200))
        .memory(16 * MIB);
    limits = limits.result_bytes(MIB).log_bytes(16 << 10);
    limits.start_timeout = Duration::from_secs(2);
    limits.compile_timeout = Duration::from_secs(5);
    limits.compile_memory_bytes = 512 * MIB;
    let mut builder = Pool::builder()
        .cache(false)
        .workers(1 + random.below(2) as u32)
        .on_log(drop_log)
        .env("NAME", "value");
    match random.below(8) {
        0 => {
            limits = limits.fuel(1_000_000);
            builder = builder.deterministic(random.number());
        }
        1 | 2 => builder = builder.isolation(Isolation::Process),
        3 | 4 => builder = builder.isolation(Isolation::Instance),
        _ => builder = builder.isolation(Isolation::Shared),
    }
    builder
        .limits(limits)
        .backtrace_on_timeout(random.below(8) == 0)
}

fn drop_log(record: &wasmpool::pool::LogRecord<'_>) {
    assert!(!record.message.contains('\u{1b}'), "it is fit to print");
}

/// What a module that cannot be used counts as.
fn refused(error: &Error) -> Result<&'static str, String> {
    match error {
        Error::Module(_) => Ok("refused"),
        Error::OverLimit(_) => Ok("over a limit"),
        Error::MissingImport { .. } => Ok("imports what is not there"),
        Error::CompileTimeout(_) => Ok("compiling takes too long"),
        Error::CompileMemory(_) => Ok("compiling takes too much memory"),
        other => Err(format!("it cannot be opened: {other:?}")),
    }
}

/// Why a pool is not called any more.
enum Stop {
    Start,
    Complaint(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error {
            // Else the guest did not say why, and its process died.
            Error::Start { message, .. } if !message.contains("in a row") => Stop::Start,
            other => Stop::Complaint(format!("{other:?}")),
        }
    }
}

fn calls(pool: &Pool, random: &mut Random, tally: &mut Tally) -> Result<(), Stop> {
    let tasks = pool.tasks()?;
    let mut functions: Vec<(&str, Option<Vec<&str>>)> = Vec::new();
    for function in &pool.manifest().functions {
        let types = function.params.iter().map(|(_, ty)| ty.as_str());
        functions.push((&function.name, Some(types.collect())));
    }
    functions.extend(tasks.iter().map(|task| (task.name.as_str(), None)));
    if functions.is_empty() {
        // It has to start all the same.
        let none = pool.stream("run", JobOptions::default());
        return match none.err() {
            Some(Error::Function(_) | Error::Task { .. }) => Ok(()),
            Some(other) => Err(other.into()),
            None => Err(Stop::Complaint("there is a function after all".into())),
        };
    }
    let mut late = 0;
    for _ in 0..functions.len().min(FUNCTIONS) {
        let (name, types) = functions.swap_remove(random.below(functions.len()));
        let items = (0..1 + random.below(ITEMS)).map(|_| match &types {
            Some(types) => item(types, random),
            None => match random.below(3) {
                0 => junk(random),
                _ => item(
                    &[["s64", "string", "list<u8>", "tuple<s32, s32>"][random.below(4)]],
                    random,
                ),
            },
        });
        let items: Vec<_> = items.collect();
        let options = JobOptions {
            chunk_size: [ChunkSize::Auto, ChunkSize::Items(3)][random.below(2)],
            on_error: OnError::Continue,
            // A worker that is lost once is told at once.
            retries: 0,
            output: Encoding::Json,
            ..JobOptions::default()
        };
        let (mut feeder, results) = match pool.stream(name, options) {
            Ok(ends) => ends,
            Err(Error::Function(LookupError::NotCallable { .. })) => {
                count(tally, "functions that cannot be called");
                continue;
            }
            Err(other) => return Err(other.into()),
        };
        let count = items.len();
        for item in items {
            feeder.push(Payload::Bytes(item));
        }
        drop(feeder);
        match random.below(24) {
            // The job goes, and the whole pool.
            0 => return Ok(()),
            1 => continue,
            _ => late += outcomes(results, count, types.is_some(), tally)?,
        }
        if late >= LATE {
            break;
        }
    }
    Ok(())
}

/// Takes all outcomes of a job; returns how many were late.
fn outcomes(
    mut results: Results,
    items: usize,
    json: bool,
    tally: &mut Tally,
) -> Result<u64, Stop> {
    let (mut next, mut late) = (0, 0);
    while let Some(outcome) = results.next() {
        let outcome = outcome?;
        if outcome.index != next {
            return Err(Stop::Complaint(format!("{next} is due: {outcome:?}")));
        }
        next += 1;
        let kind = check(&outcome, json).map_err(Stop::Complaint)?;
        late += u64::from(kind == "timeout");
        count(tally, kind);
        if late >= LATE {
            return Ok(late);
        }
    }
    match next == items as u64 {
        true => Ok(late),
        false => Err(Stop::Complaint(format!("{next} outcomes of {items} items"))),
    }
}

/// What an outcome counts as.
fn check(outcome: &Outcome, json: bool) -> Result<&'static str, String> {
    match &outcome.result {
        Ok(bytes) => match serde_json::from_slice::<serde_json::Value>(bytes) {
            // Of a task the guest makes it: whoever prints it looks.
            Err(e) if json => Err(format!("not JSON: {e}: {outcome:?}")),
            _ => Ok("done"),
        },
        Err(failure) => match failure.kind {
            FailureKind::Failed
            | FailureKind::InvalidInput
            | FailureKind::Trap
            | FailureKind::Timeout
            | FailureKind::Memory
            | FailureKind::OutputLimit => Ok(failure.kind.name()),
            // Nobody cancels, and no worker of a pool is lost by what a guest does.
            FailureKind::Cancelled | FailureKind::WorkerLost => Err(failure.to_string()),
        },
    }
}
