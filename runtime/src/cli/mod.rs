//! The command line: flags become plain values, plain values become validated options, and only then does work start.
//!
//! - `args`: the flags, as clap reads them; `values`: sizes, durations and counts as people write them.
//! - `plan`: what a `map` is to do, validated; `target`: which part of an argument is the module.
//! - `items`: where items come from; `glob`: patterns of files; `csv`: rows as items; `names`: what an item is called; `json`: texts of guests as lines.
//! - `output`: what is printed of an outcome; `directory`: a file an item.
//! - `progress`: what is shown while a job goes on; `summary`, `report`: what is told at its end.
//! - `console`: all that goes to standard error; `line`: a line of it that is drawn anew; `signal`: Ctrl-C; `figures`: numbers with
//!   three digits; `exit`: exit codes.
//! - `module`: where a module is; `project`: a project in its place, which is built first; `input`: files read as a whole.
//! - `config`: the file of settings, and the environment.
//! - `misuse`: arguments that are not understood; `nearest`: what a misspelt name was meant to be.
//! - `flame`: a profile as a picture.
//! - `map`, `profile`, `run`, `pipeline`, `inspect`, `check`, `top`, `new`, `audit`, `bench`, `explain`, `cache`, `man`: the commands.
//!
//! The only module that names clap and anyhow. Standard output carries data only. Runs no guest code, and
//! looks at payloads only to see that what it prints is one well-formed value.

mod args;
mod audit;
mod bench;
mod cache;
mod check;
mod config;
mod console;
mod csv;
mod directory;
pub mod exit;
mod explain;
mod figures;
mod flame;
mod glob;
mod input;
mod inspect;
mod items;
mod json;
mod line;
mod man;
mod map;
mod misuse;
mod module;
mod names;
mod nearest;
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

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Command};
use self::console::Console;
use self::exit::Problem;
use self::misuse::Refused;

/// Runs the command that the arguments of this process ask for. Never panics for what is given.
pub fn main() -> ExitCode {
    match parse_and_run() {
        Ok(code) => code.into(),
        Err(Refused::Usage(stop)) => misuse::tell(&stop).into(),
        Err(Refused::Problem(problem)) => {
            if !problem.is_closed_pipe() {
                Console::plain().problem(&problem);
            }
            problem.exit().into()
        }
    }
}

fn parse_and_run() -> Result<u8, Refused> {
    let mut matches = Cli::command().try_get_matches()?;
    let config = config::load(&matches)?;
    if let Some(config) = &config {
        matches = config.apply(Cli::command()).try_get_matches()?;
    }
    let done = match Cli::from_arg_matches(&matches)?.command {
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
        Command::Config(args) => return config::run(&args, config.as_ref()),
        Command::Explain(args) => explain::run(&args),
        Command::Cache { command } => cache::run(command),
        Command::Man { folder } => man::run(&folder),
        Command::Completions { shell } => completions(shell),
    };
    Ok(done?)
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
