//! `wasmpool run`: one call in a process of its own. What it emits is printed as it comes.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Progress, RunArgs};
use super::console::Console;
use super::exit::{self, Problem};
use super::items::argument;
use super::json::append_line;
use super::map::hint;
use super::module::Module;
use super::signal::Interrupt;
use super::target;
use crate::catalogue::Code;
use crate::encoding::Encoding;
use crate::failure::{Failure, FailureKind};
use crate::limits::Limits;
use crate::monitor::Monitor;
use crate::pool::options::JobOptions;
use crate::pool::{Error, Payload, Pool};

/// Bytes of standard input that a WASI command is given, at most.
const MAX_INPUT_BYTES: u64 = 256 << 20;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the work could not be done at all. What was emitted until then has been printed.
pub fn run(args: RunArgs) -> Result<u8, Problem> {
    let target = target::split(&args.target, Path::exists)?;
    let limits = args.limits.limits(args.timeout.unwrap_or(Duration::MAX));
    let terminal = io::stdout().is_terminal();
    let console = Console::new(&args.voice, Progress::Never, terminal);
    let console = Arc::new(console);
    let module = Module::find(&target.module, &limits, &console)?;
    let interrupt =
        Interrupt::listen().map_err(|e| Problem::machine("cannot listen to Ctrl-C", e))?;
    let (for_logs, for_warnings) = (console.clone(), console.clone());
    let _monitor = Monitor::start(Monitor::AFTER);
    let compiling = console.compiling(module.name());
    let builder = Pool::builder()
        .workers(1)
        .limits(limits.clone())
        .cache(!args.opening.no_cache)
        .grants(args.grants.into())
        .strict(args.opening.strict)
        .on_log(move |record| for_logs.log_of("guest", record))
        .on_warning(move |text| for_warnings.warning(text));
    let mut pool = module.open(builder)?;
    drop(compiling);
    let function = match target.function {
        Some(function) => function,
        None => pool.only_function()?,
    };
    if pool.is_command(&function) {
        pool.set_args(args.args)?;
        return command(&pool, &function, &limits, &console, &interrupt);
    }
    let item = Payload::Bytes(parameters(&args.args));
    let mut values = pool.generate_encoded(&function, Encoding::Json, item)?;
    let canceller = values.canceller();
    interrupt.cancels(move || canceller.cancel());
    let mut printer = Printer {
        terminal,
        line: Vec::new(),
    };
    let typed = pool.function(&function).is_some();
    let failed = |failure: &Failure| {
        let hint = hint(failure.kind, &limits, typed);
        console.failure_of(&function, failure, hint.as_deref());
        Ok(exit::ITEM_FAILED)
    };
    let mut emitted = false;
    for value in &mut values {
        match value {
            Ok(value) => match printer.print(&value)? {
                true => emitted = true,
                false => return failed(&not_json()),
            },
            Err(_) if interrupt.is_interrupted() => break,
            Err(Error::Item { failure, .. }) => return failed(&failure),
            Err(error) => return Err(error.into()),
        }
    }
    if interrupt.is_interrupted() {
        console.error(Code::Interrupted, "interrupted");
        return Ok(exit::INTERRUPTED);
    }
    match values.returned() {
        // One that gave its values has nothing to say at its end.
        Some(value) if emitted && value.trim_ascii() == b"null" => {}
        Some(value) => {
            let printed = printer.print(value)?;
            return if printed {
                Ok(exit::DONE)
            } else {
                failed(&not_json())
            };
        }
        None => {}
    }
    Ok(exit::DONE)
}

/// Runs a WASI command once, between this program's own standard input and output.
fn command(
    pool: &Pool,
    function: &str,
    limits: &Limits,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<u8, Problem> {
    let options = JobOptions {
        input: Encoding::Raw,
        output: Encoding::Raw,
        retries: 0,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream(function, options)?;
    let canceller = results.canceller();
    interrupt.cancels(move || canceller.cancel());
    feeder.push(Payload::Bytes(standard_input()?));
    drop(feeder);
    let outcome = results.next().transpose()?;
    if interrupt.is_interrupted() {
        console.error(Code::Interrupted, "interrupted");
        return Ok(exit::INTERRUPTED);
    }
    match outcome.map(|outcome| outcome.result) {
        Some(Ok(output)) => {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(&output)
                .and_then(|()| stdout.flush())
                .map_err(Problem::stdout)?;
            Ok(exit::DONE)
        }
        Some(Err(failure)) => {
            let hint = hint(failure.kind, limits, false);
            console.failure_of(function, &failure, hint.as_deref());
            Ok(exit::ITEM_FAILED)
        }
        None => Ok(exit::DONE),
    }
}

/// All of standard input; nothing where that is a terminal, at which nobody may be.
fn standard_input() -> Result<Vec<u8>, Problem> {
    let mut input = Vec::new();
    let stdin = io::stdin().lock();
    if stdin.is_terminal() {
        return Ok(input);
    }
    let read = stdin.take(MAX_INPUT_BYTES + 1).read_to_end(&mut input);
    read.map_err(|e| Problem::doing(Code::InputUnreadable, "cannot read standard input", e))?;
    if input.len() as u64 > MAX_INPUT_BYTES {
        let message = format!("standard input has more than {} MiB", MAX_INPUT_BYTES >> 20);
        return Err(Problem::text(Code::InputTooLarge, message)
            .hint("grant the command a directory with a file: --dir"));
    }
    Ok(input)
}

/// The item that these parameters make: one is the item itself, several are a list.
pub(super) fn parameters(args: &[String]) -> Vec<u8> {
    match args {
        [one] => argument(one),
        several => {
            let texts: Vec<_> = several.iter().map(|arg| argument(arg)).collect();
            [b"[", texts.join(&b',').as_slice(), b"]"].concat()
        }
    }
}

fn not_json() -> Failure {
    Failure {
        kind: FailureKind::Trap,
        message: "the guest gave a value that is not JSON".into(),
        backtrace: Vec::new(),
        attempts: 1,
    }
}

struct Printer {
    terminal: bool,
    line: Vec<u8>,
}

impl Printer {
    /// Prints a value, at once. False if it is not JSON.
    fn print(&mut self, value: &[u8]) -> Result<bool, Problem> {
        self.line.clear();
        if append_line(&mut self.line, value, self.terminal).is_err() {
            return Ok(false);
        }
        self.line.push(b'\n');
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(&self.line)
            .and_then(|()| stdout.flush())
            .map_err(Problem::stdout)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_make_an_item() {
        let item = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            String::from_utf8(parameters(&args)).unwrap()
        };
        assert_eq!(item(&[]), "[]");
        assert_eq!(item(&["5"]), "5");
        assert_eq!(item(&["a b"]), "\"a b\"");
        assert_eq!(item(&["1", "x", "[2]"]), "[1,\"x\",[2]]");
    }
}
