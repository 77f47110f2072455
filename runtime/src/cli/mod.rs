//! The command line: flags become plain values, plain values become validated options, and only then does work start.
//!
//! - `args`: the flags, as clap reads them; `values`: sizes, durations and counts as people write them.
//! - `plan`: what a `map` is to do, validated; `target`: which part of an argument is the module.
//! - `items`: where items come from; `csv`: rows as items; `names`: what an item is called; `json`: texts of guests as lines.
//! - `output`: what is printed of an outcome; `directory`: a file an item.
//! - `progress`: what is shown while a job goes on; `summary`, `report`: what is told at its end.
//! - `console`: all that goes to standard error; `line`: a line of it that is drawn anew; `signal`: Ctrl-C; `figures`: numbers with
//!   three digits; `exit`: exit codes.
//! - `project`: a project in place of a module, which is built first.
//! - `flame`: a profile as a picture.
//! - `map`, `profile`, `run`, `pipeline`, `inspect`, `check`, `top`, `new`, `audit`, `bench`, `cache`: the commands.
//!
//! The only module that names clap and anyhow. Standard output carries data only. Runs no guest code, and
//! looks at payloads only to see that what it prints is one well-formed value.

mod args;
mod audit;
mod bench;
mod cache;
mod check;
mod console;
mod csv;
mod directory;
pub mod exit;
mod figures;
mod flame;
mod inspect;
mod items;
mod json;
mod line;
mod map;
mod names;
mod new;
mod output;
mod pipeline;
mod plan;
mod profile;
mod progress;
mod project;
pub mod report;
mod run;
mod signal;
mod summary;
mod target;
#[cfg(test)]
mod tests;
mod top;
mod values;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command};
use self::console::Console;
use self::exit::Problem;

/// Runs the command that the arguments of this process ask for. Never panics for what is given.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(stop) => {
            // Help and versions come this way too. Whoever closed the pipe wants no more of them.
            let _ = stop.print();
            return if stop.use_stderr() {
                exit::USAGE.into()
            } else {
                exit::DONE.into()
            };
        }
    };
    let done = match cli.command {
        Command::Map(args) => map::run(*args),
        Command::Profile(args) => profile::run(*args),
        Command::Run(args) => run::run(*args),
        Command::Pipeline(args) => pipeline::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Check(args) => check::run(*args),
        Command::Top(args) => top::run(&args),
        Command::New(args) => new::run(&args),
        Command::Audit(args) => audit::run(*args),
        Command::Bench(args) => bench::run(args),
        Command::Cache { command } => cache::run(command),
        Command::Completions { shell } => completions(shell),
    };
    match done {
        Ok(code) => code.into(),
        Err(problem) => {
            if !problem.is_closed_pipe() {
                Console::plain().problem(&problem);
            }
            problem.code().into()
        }
    }
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "wasmpool", &mut script);
    print(&script)
}

/// Writes all of a short command's data.
fn print(data: &[u8]) -> Result<u8, Problem> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(data)
        .and_then(|()| stdout.flush())
        .map_err(Problem::stdout)?;
    Ok(exit::DONE)
}
