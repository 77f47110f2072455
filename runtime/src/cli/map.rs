//! `wasmpool map`: items go in from a thread of their own while results are printed as they come.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::args::{Format, MapArgs, StatsFormat};
use super::console::Console;
use super::directory::Directory;
use super::exit::{self, Problem};
use super::items::Items;
use super::module::Module;
use super::names::Names;
use super::output::Style;
use super::plan::Plan;
use super::progress::Looking;
use super::report::{Exit, Failures, Story};
use super::signal::Interrupt;
use super::summary::Summary;
use super::values::show_size;
use crate::catalogue::Code;
use crate::encoding::Encoding;
use crate::failure::{Failure, FailureKind};
use crate::limits::Limits;
use crate::monitor::Monitor;
use crate::pool::options::{OnError, Outcome};
use crate::pool::{Feeder, Pool, Profile, Results};

/// Bytes of results that are gathered before they are written, unless the job has to be waited for.
const WRITE_BYTES: usize = 64 << 10;
/// A larger buffer is given back after the result that needed it.
const KEPT_BYTES: usize = 1 << 20;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the work could not be done at all, or not to its end. What was done until then has been printed.
pub fn run(args: MapArgs) -> Result<u8, Problem> {
    if args.sig {
        return super::inspect::signature(&args.job.target);
    }
    let mut plan = Plan::new(args)?;
    let sink = match plan.directory.take() {
        Some(directory) => Sink::Directory(directory),
        None => Sink::stdout().map_err(Problem::stdout)?,
    };
    carry_out(plan, sink, None).map(|(code, _)| code)
}

/// Runs items whose results nobody wants, with so many samples a second: what becomes of them, as an exit code, and where
/// the time went.
pub(super) fn profiled(plan: Plan, frequency: u32) -> Result<(u8, Profile), Problem> {
    let (code, profile) = carry_out(plan, Sink::Nowhere, Some(frequency))?;
    Ok((code, profile.unwrap_or_default()))
}

fn carry_out(
    mut plan: Plan,
    sink: Sink,
    profile: Option<u32>,
) -> Result<(u8, Option<Profile>), Problem> {
    let started = Instant::now();
    let console = Arc::new(plan.console);
    let module = Module::find(&plan.target.module, &plan.limits, &console)?;
    let interrupt =
        Interrupt::listen().map_err(|e| Problem::machine("cannot listen to Ctrl-C", e))?;

    let (for_logs, for_warnings) = (console.clone(), console.clone());
    let mut builder = Pool::builder()
        .limits(plan.limits.clone())
        .backtrace_on_timeout(plan.backtrace_on_timeout)
        .cache(plan.cache)
        .cache_results(plan.cache_results)
        .args(plan.args)
        .grants(plan.grants)
        .strict(plan.strict)
        .record(plan.stats.is_some() || plan.report.is_some() || plan.trace.is_some())
        .on_log(move |record| for_logs.log(record))
        .on_warning(move |text| for_warnings.warning(text));
    if let Some(frequency) = profile {
        builder = builder.profile(frequency);
    }
    if let Some(workers) = plan.workers {
        builder = builder.workers(workers);
    }
    if let Some(items) = plan.max_items_per_worker {
        builder = builder.max_items_per_worker(items);
    }
    if let Some(isolation) = plan.isolation {
        builder = builder.isolation(isolation);
    }
    if let Some((function, item)) = plan.initializer {
        builder = builder.initializer(function, item);
    }
    if let Some(seed) = plan.deterministic {
        builder = builder.deterministic(seed);
    }
    let compiling = console.compiling(module.name());
    let opened = Instant::now();
    let pool = module.open(builder)?;
    drop(compiling);
    let function = match plan.target.function {
        Some(function) => function,
        None => pool.only_function()?,
    };

    plan.items.fit(pool.function(&function))?;
    if matches!(sink, Sink::Nowhere) && pool.is_command(&function) {
        // Whatever it writes will do.
        plan.job.output = Encoding::Raw;
    }

    let on_error = plan.job.on_error;
    let (feeder, results) = pool.stream(&function, plan.job)?;
    let canceller = results.canceller();
    interrupt.cancels(move || canceller.cancel());
    let mut printer = Printer {
        sink,
        style: plan.style,
        on_error,
        names: plan.items.names(),
        limits: plan.limits,
        typed: pool.function(&function).is_some(),
        console: console.clone(),
        interrupt,
        buffer: Vec::new(),
        done: 0,
        failed: 0,
        failures: plan.report.is_some().then(Failures::default),
        opened,
        hinted: Vec::new(),
    };
    let monitor = Monitor::start(Monitor::AFTER);
    let sample = plan.report.is_some() || plan.trace.is_some();
    let looking = Looking::start(&console, pool.watcher(), plan.items.total(), sample);
    let feeding = Feeding::start(plan.items, feeder)?;
    let ended = printer.print_all(results);
    let interrupted = printer.interrupt.is_interrupted();
    let stopped = interrupted || matches!(ended, Ok(End::Stopped) | Err(_));
    if stopped {
        pool.terminate();
    } else {
        pool.close();
    }
    drop(monitor);
    let samples = looking.end();
    let summary = Summary {
        stats: pool.stats(),
        recording: pool.recording(),
        done: printer.done,
        failed: printer.failed,
        elapsed: started.elapsed(),
    };
    match plan.stats {
        Some(StatsFormat::Text) => console.report(&summary.text()),
        Some(StatsFormat::Json) => console.report(&format!("{}\n", summary.json())),
        None => {}
    }
    if let Some(recording) = &summary.recording {
        let failures = printer.failures.take().unwrap_or_default();
        let story = Story {
            summary: &summary,
            recording,
            samples: &samples,
            failures: &failures,
            module: module.name(),
            function: &function,
            limits: &printer.limits,
            layers: pool.layers(),
            exit: match (interrupted, printer.failed, &ended) {
                (true, ..) => Exit::Interrupted,
                (false, 0, Ok(_)) => Exit::Done,
                (false, ..) => Exit::Failed,
            },
        };
        plan.report.map(|to| story.report(to)).transpose()?;
        plan.trace.map(|to| story.trace(to)).transpose()?;
    }
    ended?;
    let profile = pool.profile();
    if interrupted {
        console.error(
            Code::Interrupted,
            &format!("interrupted after {} results", printer.done),
        );
        return Ok((exit::INTERRUPTED, profile));
    }
    if let Some(problem) = feeding.trouble() {
        return Err(problem);
    }
    let code = match (printer.failed, on_error) {
        (0, _) => exit::DONE,
        (failed, OnError::Continue) => {
            let items = printer.done + failed;
            console.error(
                Code::ItemsFailed,
                &format!("{failed} of {items} items failed"),
            );
            exit::ITEM_FAILED
        }
        (_, OnError::Stop) => exit::ITEM_FAILED,
    };
    Ok((code, profile))
}

/// The thread that passes on items. It may wait for input for ever, so nobody waits for it.
struct Feeding(Arc<Mutex<Option<Problem>>>);

impl Feeding {
    fn start(items: Items, mut feeder: Feeder) -> Result<Self, Problem> {
        let trouble = Arc::new(Mutex::new(None));
        let told = trouble.clone();
        thread::Builder::new()
            .name("input".into())
            .spawn(move || {
                if let Err(problem) = items.feed(&mut feeder) {
                    *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
                }
                // Only now does the job end: whoever saw its end sees the trouble.
                drop(feeder);
            })
            .map_err(|e| Problem::machine("cannot start a thread", e))?;
        Ok(Feeding(trouble))
    }

    /// Why the input ended early, if it did.
    fn trouble(&self) -> Option<Problem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

enum Sink {
    Stdout(BufWriter<File>),
    Directory(Directory),
    Nowhere,
}

impl Sink {
    fn stdout() -> io::Result<Self> {
        // Not through the standard library's own buffer, which is flushed at every line.
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Sink::Stdout(BufWriter::with_capacity(WRITE_BYTES, stdout)))
    }
}

/// How the results ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// All are there, or were cancelled.
    All,
    /// At an item that failed.
    Stopped,
}

struct Printer {
    sink: Sink,
    style: Style,
    on_error: OnError,
    names: Names,
    limits: Limits,
    /// Whether the module says which types the function takes.
    typed: bool,
    console: Arc<Console>,
    interrupt: Interrupt,
    buffer: Vec<u8>,
    done: u64,
    failed: u64,
    /// Those that failed, where a report is to tell of them, in times since the pool was opened.
    failures: Option<Failures>,
    opened: Instant,
    /// Kinds whose hint was given: once is enough.
    hinted: Vec<FailureKind>,
}

impl Printer {
    fn print_all(&mut self, mut results: Results) -> Result<End, Problem> {
        loop {
            let next = match results.try_next() {
                Some(next) => Some(next),
                None => {
                    // Nobody is to wait for results that are there.
                    self.flush()?;
                    results.next()
                }
            };
            match next {
                None => {
                    self.flush()?;
                    return Ok(End::All);
                }
                Some(Ok(outcome)) => {
                    if self.print(&outcome)? == End::Stopped {
                        return Ok(End::Stopped);
                    }
                }
                Some(Err(error)) => {
                    self.flush()?;
                    return Err(error.into());
                }
            }
        }
    }

    /// Prints one outcome. `Stopped` if it is the last to be printed.
    fn print(&mut self, outcome: &Outcome) -> Result<End, Problem> {
        if is_cancelled(outcome) && self.interrupt.is_interrupted() {
            return Ok(End::All);
        }
        self.buffer.clear();
        let failure = self.style.append(&mut self.buffer, outcome);
        match &mut self.sink {
            Sink::Stdout(stdout) => {
                let written = match self.style.terminal {
                    true => self.console.aside(|| stdout.write_all(&self.buffer)),
                    false => stdout.write_all(&self.buffer),
                };
                written.map_err(Problem::stdout)?;
            }
            Sink::Nowhere => {}
            // A part of a result is not to be taken for all of it.
            Sink::Directory(_) if failure.is_some() && self.style.format != Format::Records => {}
            Sink::Directory(directory) => {
                directory.write(outcome.index, &self.buffer).map_err(|e| {
                    let path = directory.path().display();
                    Problem::doing(
                        Code::OutputFailed,
                        format!(
                            "cannot write the result of item {} to {path}",
                            outcome.index
                        ),
                        e,
                    )
                })?;
            }
        }
        if self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
        let Some(failure) = failure else {
            self.done += 1;
            return Ok(End::All);
        };
        self.failed += 1;
        // In the order in which they happened, where both go to one terminal.
        self.flush()?;
        self.tell(outcome.index, &failure);
        Ok(match self.on_error {
            OnError::Stop => End::Stopped,
            OnError::Continue => End::All,
        })
    }

    fn tell(&mut self, index: u64, failure: &Failure) {
        let hint = if self.hinted.contains(&failure.kind) {
            None
        } else {
            self.hinted.push(failure.kind);
            hint(failure.kind, &self.limits, self.typed)
        };
        let name = self.names.of(index);
        if let Some(failures) = &mut self.failures {
            let at = u64::try_from(self.opened.elapsed().as_nanos()).unwrap_or(u64::MAX);
            failures.add(index, name.clone(), failure, at);
        }
        self.console
            .failure(index, name.as_deref(), failure, hint.as_deref());
    }

    fn flush(&mut self) -> Result<(), Problem> {
        match &mut self.sink {
            Sink::Stdout(stdout) if !stdout.buffer().is_empty() => match self.style.terminal {
                true => self.console.aside(|| stdout.flush()),
                false => stdout.flush(),
            }
            .map_err(Problem::stdout),
            Sink::Stdout(_) | Sink::Directory(_) | Sink::Nowhere => Ok(()),
        }
    }
}

fn is_cancelled(outcome: &Outcome) -> bool {
    matches!(&outcome.result, Err(failure) if failure.kind == FailureKind::Cancelled)
}

/// What to do about a kind of failure, if anything is known.
///
/// `typed` is whether the module says of the function which types it takes: a task of the SDK alone knows its own.
pub(super) fn hint(kind: FailureKind, limits: &Limits, typed: bool) -> Option<String> {
    match kind {
        FailureKind::Timeout => Some(format!(
            "raise --timeout, which is {}",
            humantime::format_duration(limits.timeout)
        )),
        FailureKind::Memory => Some(format!(
            "raise --memory, which is {}",
            show_size(limits.memory_bytes)
        )),
        FailureKind::OutputLimit => Some(format!(
            "raise --result-bytes, which is {}, or --log-bytes, which is {}",
            show_size(limits.result_bytes),
            show_size(limits.log_bytes)
        )),
        FailureKind::InvalidInput if typed => {
            Some("`wasmpool inspect MODULE` tells the types of its functions".into())
        }
        FailureKind::InvalidInput
        | FailureKind::Failed
        | FailureKind::Trap
        | FailureKind::WorkerLost
        | FailureKind::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::options::Bytes;

    /// Prints outcomes until told to stop; returns what was printed, and how many were done and failed.
    fn printed(
        format: Format,
        on_error: OnError,
        results: &[Result<&str, FailureKind>],
    ) -> (String, u64, u64) {
        let path = std::env::temp_dir().join(format!(
            "wasmpool-printed-{}-{format:?}-{on_error:?}",
            std::process::id()
        ));
        let mut printer = Printer {
            sink: Sink::Stdout(BufWriter::new(File::create(&path).unwrap())),
            style: Style {
                format,
                null_for_failed: on_error == OnError::Continue,
                terminal: false,
            },
            on_error,
            names: Names::Arguments(Arc::from([])),
            limits: Limits::new(),
            typed: true,
            console: Arc::new(Console::plain()),
            interrupt: Interrupt::default(),
            buffer: Vec::new(),
            done: 0,
            failed: 0,
            failures: None,
            opened: Instant::now(),
            hinted: Vec::new(),
        };
        for (index, result) in (0..).zip(results) {
            let outcome = Outcome {
                index,
                emitted: Vec::new(),
                result: result
                    .map(|text| Bytes::Owned(text.into()))
                    .map_err(|kind| Failure {
                        kind,
                        message: "told by a test".into(),
                        backtrace: Vec::new(),
                        attempts: 1,
                    }),
                attempts: 1,
                nanos: 0,
                fuel: None,
            };
            if printer.print(&outcome).unwrap() == End::Stopped {
                break;
            }
        }
        printer.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (text, printer.done, printer.failed)
    }

    #[test]
    fn what_is_printed_when_an_item_fails() {
        let results = [Ok("1"), Err(FailureKind::Timeout), Ok("{"), Ok("4")];
        let printed = |format, on_error| printed(format, on_error, &results);
        assert_eq!(printed(Format::Values, OnError::Stop), ("1\n".into(), 1, 1));
        assert_eq!(
            printed(Format::Values, OnError::Continue),
            ("1\nnull\nnull\n4\n".into(), 2, 2)
        );
        assert_eq!(
            printed(Format::Raw, OnError::Continue),
            ("1{4".into(), 3, 1)
        );
        let (records, done, failed) = printed(Format::Records, OnError::Stop);
        assert_eq!((records.lines().count(), done, failed), (2, 1, 1));
    }
}
