//! What a `map` is to do: validated options. Making a plan opens the input and makes the output directory, and starts
//! nothing.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use super::args::{Format, MapArgs, StatsFormat};
use super::console::Console;
use super::csv::Table;
use super::directory::Directory;
use super::exit::Problem;
use super::input;
use super::items::Items;
use super::json::is_json;
use super::output::Style;
use super::report::Output;
use super::target::{self, Target};
use crate::catalogue::Code;
use crate::encoding::Encoding;
use crate::grants::Grants;
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::pool::options::{JobOptions, OnError};

/// A map, ready to be run.
pub struct Plan {
    /// The module and the function.
    pub target: Target,
    /// What it is run over.
    pub items: Items,
    /// The bounds on an item.
    pub limits: Limits,
    /// How the job is run.
    pub job: JobOptions,
    /// Worker processes, if that is said.
    pub workers: Option<u32>,
    /// How far items are kept apart, if that is said.
    pub isolation: Option<Isolation>,
    /// The seed, in deterministic mode.
    pub deterministic: Option<u64>,
    /// Whether a late item's failure tells where the guest was.
    pub backtrace_on_timeout: bool,
    /// After how many items a worker is replaced, if it is.
    pub max_items_per_worker: Option<u32>,
    /// Whether compiled components are cached.
    pub cache: bool,
    /// What every instance calls before its first item.
    pub initializer: Option<(String, serde_json::Value)>,
    /// Whether results are.
    pub cache_results: bool,
    /// The arguments of a WASI command.
    pub args: Vec<String>,
    /// What guests are granted.
    pub grants: Grants,
    /// Whether every layer of protection is required.
    pub strict: bool,
    /// How outcomes are printed.
    pub style: Style,
    /// Where they are written to, if not to standard output.
    pub directory: Option<Directory>,
    /// Standard error.
    pub console: Console,
    /// How a summary is printed at the end, if it is.
    pub stats: Option<StatsFormat>,
    /// Where a report is written to, and where a trace.
    pub report: Option<Output>,
    /// The same of a trace.
    pub trace: Option<Output>,
}

impl Plan {
    /// Validates the flags.
    ///
    /// # Errors
    /// If they contradict each other, or if what they name cannot be used.
    pub fn new(args: MapArgs) -> Result<Self, Problem> {
        let extension = args.output_extension.as_deref();
        let limits = limits(&args);
        let job = args.job;
        let target = target::split(&job.target, Path::exists)?;
        let sources = [&job.input, &job.lines, &job.csv];
        let mut sources = sources.into_iter().flatten().chain(&job.files);
        let items_there = sources.any(|path| input::is_stdin(path));
        drop(sources);
        if items_there && input::is_stdin(&target.module) {
            let message = "the module and the items cannot both be standard input";
            return Err(
                Problem::text(Code::InputTwice, message).hint("put one of them into a file")
            );
        }
        // Whoever grants a folder, or gives a program arguments, may well name files in items.
        let meant = match job.grants.dir.is_empty() && job.arg.is_empty() {
            true => meant_as_file(&job.items),
            false => None,
        };
        let items = items(job.items, job.input, job.lines, job.csv, job.files)?;
        let directory = args
            .output_dir
            .map(|dir| Directory::new(&dir, &items, args.output, extension))
            .transpose()?;
        let on_error = OnError::from(job.on_error);
        let terminal = directory.is_none() && io::stdout().is_terminal();
        let console = Console::new(&job.voice, job.progress, terminal);
        if let Some(hint) = meant {
            console.note("hint", &hint);
        }
        Ok(Plan {
            job: JobOptions {
                input: items.encoding(),
                output: match args.output {
                    Format::Values | Format::Records => Encoding::Json,
                    Format::Raw => Encoding::Raw,
                },
                chunk_size: job.chunk_size,
                ordered: !args.unordered,
                on_error,
                retries: job.retries,
            },
            style: Style {
                format: args.output,
                null_for_failed: on_error == OnError::Continue && directory.is_none(),
                terminal,
            },
            console,
            target,
            items,
            limits,
            workers: job.workers,
            isolation: job.isolation.map(Into::into),
            deterministic: args.deterministic,
            backtrace_on_timeout: args.backtrace_on_timeout,
            max_items_per_worker: job.max_items_per_worker,
            cache: !job.opening.no_cache,
            grants: job.grants.into(),
            initializer: job.init,
            cache_results: args.cache_results,
            args: job.arg,
            strict: job.opening.strict,
            directory,
            stats: job.stats,
            report: job.report.map(Output::create).transpose()?,
            trace: job.trace.map(Output::create).transpose()?,
        })
    }
}

fn limits(args: &MapArgs) -> Limits {
    let timeout = args.job.timeout.unwrap_or(Limits::new().timeout);
    let mut limits = args.job.limits.limits(timeout);
    limits.fuel = args.fuel;
    limits
}

/// What to write instead, if the first item is the name of a file, or stands for standard input: an item is the text that is
/// given.
fn meant_as_file(items: &[String]) -> Option<String> {
    match items.first()?.as_str() {
        "-" => Some(
            "the item is the text `-`; `--input -` reads JSON lines from standard input, `--lines -` lines of text"
                .into(),
        ),
        item if !is_json(item) && Path::new(item).is_file() => Some(format!(
            "the item is the text `{item}`; `--files {item}` takes what is in the file"
        )),
        _ => None,
    }
}

/// The one source of items that is given.
fn items(
    arguments: Vec<String>,
    input: Option<PathBuf>,
    lines: Option<PathBuf>,
    csv: Option<PathBuf>,
    files: Vec<PathBuf>,
) -> Result<Items, Problem> {
    match (input, lines) {
        (Some(path), _) => Items::lines(&path, true),
        (_, Some(path)) => Items::lines(&path, false),
        _ if csv.is_some() => Ok(Items::Rows(Table::open(&csv.unwrap_or_default())?)),
        _ if !files.is_empty() => Items::files(&files),
        _ if !arguments.is_empty() => Ok(Items::Arguments(arguments.into())),
        _ => {
            let hint = if io::stdin().is_terminal() {
                "give them as arguments, or with --input FILE, --lines FILE, --csv FILE or --files PATH"
            } else {
                "give them as arguments, or with --input FILE, --lines FILE, --csv FILE or --files PATH; \
                 `--input -` reads JSON lines from standard input"
            };
            Err(Problem::text(Code::ItemsMissing, "there are no items").hint(hint))
        }
    }
}
