//! The flags. Plain values, not yet validated against each other.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::new::Language;
use super::values::{
    chunk_size, count, directory, duration, extension, fuel, initializer, size, variable,
};
use crate::grants::{DirectoryGrant, Grants};
use crate::limits::Limits;
use crate::mode;
use crate::pool::options::{self, ChunkSize};

/// The release of the interface that tasks are written against.
pub const INTERFACE: &str = "0.1.0";

/// With the releases of the engine and of the interface that tasks are written against.
fn long_version() -> String {
    let (own, engine) = (env!("CARGO_PKG_VERSION"), crate::engine::config::VERSION);
    format!("{own} (wasmtime {engine}, wasmpool:task {INTERFACE})")
}

const EXIT_CODES: &str = "\
Exit codes:
  0    all items are done, or the reader of the results closed the pipe
  1    some item failed
  2    the arguments, or the input, cannot be used
  3    the module cannot be used
  4    a protection that was required is not available here
  5    the pool itself is at fault, or the machine
  130  interrupted, by Ctrl-C or SIGTERM";

/// Multiprocessing for code you do not trust: WebAssembly tasks in isolated worker processes
#[derive(Debug, Parser)]
#[command(name = "wasmpool", version, long_version = long_version(), after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a function over items: one result a line, in the order of the items
    Map(Box<MapArgs>),
    /// Run a function over items, and tell in which of its functions the time was spent
    Profile(Box<ProfileArgs>),
    /// Run one function in a process of its own: what it emits, as it comes, and what it returns, a line each
    Run(Box<RunArgs>),
    /// Run the processes of a file, joined by queues: what each returns, a JSON object a line
    Pipeline(PipelineArgs),
    /// Tell what a module exports, what it imports and what it needs
    Inspect(InspectArgs),
    /// Tell whether a module would run here, under these limits and with these grants, and if not, why
    Check(Box<CheckArgs>),
    /// Show what the pools of your running programs do: workers, items, queues, memory
    Top(TopArgs),
    /// Make a project for tasks of your own, with a test, and print the two commands that run it and test it
    New(NewArgs),
    /// Show on this machine that the limits and protections hold, by trying to break them
    Audit(Box<AuditArgs>),
    /// Measure this machine and what a pool costs on it
    Bench(BenchArgs),
    /// Tell what is in force, and where each value comes from: an option beats the environment, which beats the file
    Config(ConfigCommandArgs),
    /// Tell what an error means, why it happens and what to do about it
    Explain(ExplainArgs),
    /// Look after the cache of compiled components, and of results
    Cache {
        /// What to do with it.
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Write a manual page a command into a folder
    #[command(hide = true)]
    Man {
        /// The folder, which is made if it is missing.
        folder: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What can be done with the cache.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CacheCommand {
    /// Print the directory
    Dir {
        /// For programs: a JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the entries, the least recently used first: bytes, seconds since the last use, name
    List {
        /// For programs: a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Remove all entries
    Clear,
}

/// What a map and a profile have in common: items, and how they are run.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// A WebAssembly file (.wasm or .wat; `-`, or `/dev/stdin`, is standard input), and a function or task of it; may be left out if there is only one. A folder
    /// is a project: what it was written in is found out, and it is built first, by its own build, outside of any sandbox
    #[arg(value_name = "MODULE[:FUNCTION]", value_hint = ValueHint::FilePath)]
    pub target: OsString,

    /// Items: JSON texts; what is not valid JSON is a string
    #[arg(value_name = "ITEM", allow_negative_numbers = true, group = "source")]
    pub items: Vec<String>,

    /// Read items from a file of JSON lines (`-` is standard input); empty lines are skipped
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "source", help_heading = "Items")]
    pub input: Option<PathBuf>,

    /// Read items from a file (`-` is standard input), each line a string, for functions of a string or bytes
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "source", help_heading = "Items")]
    pub lines: Option<PathBuf>,

    /// Read items from a CSV file (`-` is standard input): a row is an item, its columns are the function's parameters, by
    /// the names in the first line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "source", help_heading = "Items")]
    pub csv: Option<PathBuf>,

    /// Each file (`-` is standard input) is an item: its bytes, for functions of a string or bytes; globs are expanded, in
    /// sorted order
    #[arg(long, value_name = "PATH|GLOB", num_args = 1.., value_hint = ValueHint::FilePath, group = "source", help_heading = "Items")]
    pub files: Vec<PathBuf>,

    /// Worker processes [default: the processors that may be used]
    #[arg(long, value_name = "N", value_parser = count, env = "WASMPOOL_WORKERS", hide_env_values = true, help_heading = "Running")]
    pub workers: Option<u32>,

    /// How far items are kept apart [default: shared; with --deterministic or --cache-results: instance]
    #[arg(
        long,
        value_enum,
        env = "WASMPOOL_ISOLATION",
        hide_env_values = true,
        help_heading = "Running"
    )]
    pub isolation: Option<Isolation>,

    /// How many items are sent together
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = chunk_size, env = "WASMPOOL_CHUNK_SIZE", hide_env_values = true, help_heading = "Running")]
    pub chunk_size: ChunkSize,

    /// How often an item is run again after its worker was lost
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        env = "WASMPOOL_RETRIES",
        hide_env_values = true,
        help_heading = "Running"
    )]
    pub retries: u32,

    /// Give a WASI command an argument, behind its name; `{}` in it stands for the item, which is its standard input too
    #[arg(
        long,
        value_name = "ARG",
        allow_hyphen_values = true,
        help_heading = "Running"
    )]
    pub arg: Vec<String>,

    /// Have every instance call this function before its first item, with a JSON value or `[]`
    #[arg(long, value_name = "FUNCTION[=JSON]", value_parser = initializer, help_heading = "Running")]
    pub init: Option<(String, serde_json::Value)>,

    /// Replace a worker after so many items
    #[arg(long, value_name = "N", value_parser = count, env = "WASMPOOL_MAX_ITEMS_PER_WORKER", hide_env_values = true, help_heading = "Running")]
    pub max_items_per_worker: Option<u32>,

    /// What becomes of the other items when one fails
    #[arg(long, value_enum, default_value_t = OnError::Stop, env = "WASMPOOL_ON_ERROR", hide_env_values = true, help_heading = "Running")]
    pub on_error: OnError,

    /// Wall time of an item [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "WASMPOOL_TIMEOUT", hide_env_values = true, help_heading = "Limits")]
    pub timeout: Option<Duration>,

    /// The other bounds.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// What guests are granted.
    #[command(flatten)]
    pub grants: GrantArgs,

    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// How the module is made ready.
    #[command(flatten)]
    pub opening: OpeningArgs,

    /// Show progress on standard error; `auto`: if that is a terminal to which no results go
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "WASMPOOL_PROGRESS", hide_env_values = true, help_heading = "Output")]
    pub progress: Progress,

    /// Print a summary to standard error at the end: counts, times of items, why workers were replaced, processor time and
    /// memory of workers; the format must follow a `=`
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "text", help_heading = "Output")]
    pub stats: Option<StatsFormat>,

    /// Write a page to a file at the end: what every worker did and when, times, memory, failures, limits and layers. It
    /// needs no network and no other file
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub report: Option<PathBuf>,

    /// Write what every worker did and when to a file at the end, for Perfetto or `chrome://tracing`
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub trace: Option<PathBuf>,

    /// What is said on standard error.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

/// `wasmpool map`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct MapArgs {
    /// The items, and how they are run.
    #[command(flatten)]
    pub job: JobArgs,

    /// Print the function's signature, and run nothing
    #[arg(long, help_heading = "Items")]
    pub sig: bool,

    /// Print results as they are ready, not in the order of the items
    #[arg(long, help_heading = "Running")]
    pub unordered: bool,

    /// Keep results, and print those of earlier runs without running anything: for functions that depend on their item
    /// alone, each item with an instance of its own
    #[arg(long, conflicts_with = "no_cache", help_heading = "Running")]
    pub cache_results: bool,

    /// The same results in every run, with any number of workers: fuel is counted, clocks and randomness are fixed, every
    /// item has an instance of its own; the seed of the randomness, which must follow a `=`, is 0 unless it is given
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0", help_heading = "Running")]
    pub deterministic: Option<u64>,

    /// Tell where the guest was when its time was over; loops and calls are slower with that, by up to half a nanosecond
    /// a turn
    #[arg(long, help_heading = "Limits")]
    pub backtrace_on_timeout: bool,

    /// Fuel of an item, in wasm fuel units: about one an instruction [default: no limit]
    #[arg(long, value_name = "N", value_parser = fuel, requires = "deterministic", help_heading = "Limits")]
    pub fuel: Option<u64>,

    /// What is printed of an item
    #[arg(long, value_enum, default_value_t = Format::Values, help_heading = "Output")]
    pub output: Format,

    /// Write a file an item into this directory instead, named after its input; none for an item that failed, unless it is a record
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    pub output_dir: Option<PathBuf>,

    /// Give these files this extension in place of their inputs' [default: with raw output the inputs' own, else `json`
    /// behind them]
    #[arg(long, value_name = "EXTENSION", value_parser = extension, requires = "output_dir", help_heading = "Output")]
    pub output_extension: Option<String>,
}

/// `wasmpool profile`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ProfileArgs {
    /// The items, and how they are run.
    #[command(flatten)]
    pub job: JobArgs,

    /// Samples a second of each worker that runs an item, 1 to 10000
    #[arg(long, value_name = "HZ", default_value_t = 997, value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = "Profile")]
    pub frequency: u32,

    /// Functions in the table
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Profile")]
    pub top: usize,

    /// For people or for programs
    #[arg(long, value_enum, default_value_t = InspectFormat::Text, help_heading = "Profile")]
    pub format: InspectFormat,

    /// Write a flame graph to a file, as SVG
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Profile")]
    pub flame_graph: Option<PathBuf>,

    /// Write folded stacks to a file, a line each, for other tools
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Profile")]
    pub folded: Option<PathBuf>,
}

impl From<JobArgs> for MapArgs {
    /// A map whose results nobody reads.
    fn from(job: JobArgs) -> Self {
        MapArgs {
            job,
            sig: false,
            unordered: true,
            cache_results: false,
            deterministic: None,
            backtrace_on_timeout: false,
            fuel: None,
            output: Format::Raw,
            output_dir: None,
            output_extension: None,
        }
    }
}

/// Bounds that a map and a process have in common.
#[derive(Debug, Args)]
pub struct LimitArgs {
    /// Memory of an item, all linear memories together [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "WASMPOOL_MEMORY", hide_env_values = true, help_heading = "Limits")]
    pub memory: Option<u64>,

    /// Bytes of an item's result, with all that it emits [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "WASMPOOL_RESULT_BYTES", hide_env_values = true, help_heading = "Limits")]
    pub result_bytes: Option<u64>,

    /// Bytes of log messages of an item [default: 64KiB]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "WASMPOOL_LOG_BYTES", hide_env_values = true, help_heading = "Limits")]
    pub log_bytes: Option<u64>,

    /// Wall time of compiling the module [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "WASMPOOL_COMPILE_TIMEOUT", hide_env_values = true, help_heading = "Limits")]
    pub compile_timeout: Option<Duration>,

    /// Private memory of the compiler process [default: 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = size, env = "WASMPOOL_COMPILE_MEMORY", hide_env_values = true, help_heading = "Limits")]
    pub compile_memory: Option<u64>,
}

impl LimitArgs {
    /// The bounds, with a time limit for the item.
    pub fn limits(&self, timeout: Duration) -> Limits {
        let mut limits = Limits::new().timeout(timeout);
        let set = |limit: &mut u64, given: Option<u64>| *limit = given.unwrap_or(*limit);
        set(&mut limits.memory_bytes, self.memory);
        set(&mut limits.result_bytes, self.result_bytes);
        set(&mut limits.log_bytes, self.log_bytes);
        set(&mut limits.compile_memory_bytes, self.compile_memory);
        limits.compile_timeout = self.compile_timeout.unwrap_or(limits.compile_timeout);
        limits
    }
}

/// What guests are granted.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// Grant guests a directory under a path of theirs, to read (`ro`, the default) or also to write (`rw`)
    #[arg(long, value_name = "HOST::GUEST[:ro|rw]", value_parser = OsStringValueParser::new().try_map(|text| directory(&text)), value_hint = ValueHint::DirPath, help_heading = "Grants")]
    pub dir: Vec<DirectoryGrant>,

    /// Grant guests an environment variable
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, help_heading = "Grants")]
    pub env: Vec<(String, String)>,
}

/// How a module is made ready.
#[derive(Debug, Args)]
pub struct OpeningArgs {
    /// Compile anew, and store nothing
    #[arg(long, env = "WASMPOOL_NO_CACHE", hide_env_values = true, value_parser = BoolishValueParser::new(), help_heading = "Running")]
    pub no_cache: bool,

    /// End with exit code 4 if this machine does not offer every layer of protection, instead of with a warning
    #[arg(long, env = "WASMPOOL_STRICT", hide_env_values = true, value_parser = BoolishValueParser::new(), help_heading = "Running")]
    pub strict: bool,
}

/// What is said on standard error.
#[derive(Debug, Args)]
pub struct VoiceArgs {
    /// Print errors only: no messages of guests, no warnings, no progress
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Print debug messages of guests too; twice: all messages
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

/// Where settings come from that are not on the command line.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Take settings from this file (`-` is standard input) [default: the nearest `wasmpool.toml`, in this folder or above]
    #[arg(long, value_name = "FILE", env = "WASMPOOL_CONFIG", hide_env_values = true, value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    pub config: Option<PathBuf>,

    /// Take settings from no file
    #[arg(long, env = "WASMPOOL_NO_CONFIG", hide_env_values = true, value_parser = BoolishValueParser::new(), help_heading = "Configuration")]
    pub no_config: bool,
}

/// `wasmpool config`.
#[derive(Debug, Args)]
pub struct ConfigCommandArgs {
    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// For programs: a JSON object
    #[arg(long)]
    pub json: bool,
}

/// `wasmpool explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The word in brackets behind `error`, or the word behind the name of an item [default: all]
    #[arg(value_name = "CODE")]
    pub code: Option<String>,

    /// For programs: a JSON object, or an array of them
    #[arg(long)]
    pub json: bool,
}

impl From<GrantArgs> for Grants {
    fn from(args: GrantArgs) -> Grants {
        Grants {
            directories: args.dir,
            env: args.env,
        }
    }
}

/// `wasmpool run`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RunArgs {
    /// A WebAssembly file (.wasm or .wat; `-`, or `/dev/stdin`, is standard input), and a function or task of it; may be left out if there is only one. A folder
    /// is a project: what it was written in is found out, and it is built first, by its own build, outside of any sandbox
    #[arg(value_name = "MODULE[:FUNCTION]", value_hint = ValueHint::FilePath)]
    pub target: OsString,

    /// The function's parameters: JSON texts; what is not valid JSON is a string. Of a WASI command its arguments, as they
    /// are, and its standard input is that of this program unless it is a terminal
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    pub args: Vec<String>,

    /// Wall time of the process [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "WASMPOOL_TIMEOUT", hide_env_values = true, help_heading = "Limits")]
    pub timeout: Option<Duration>,

    /// The other bounds.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// What the guest is granted.
    #[command(flatten)]
    pub grants: GrantArgs,

    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// How the module is made ready.
    #[command(flatten)]
    pub opening: OpeningArgs,

    /// What is said on standard error.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

/// `wasmpool pipeline`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct PipelineArgs {
    /// A TOML file (`-` is standard input): its processes, and what they share; paths in it start from its own folder. A
    /// module that is a folder is a project, which is built first, outside of any sandbox
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,

    /// What is said on standard error.
    #[command(flatten)]
    pub voice: VoiceArgs,
}

/// `wasmpool top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// How often the screen is drawn anew; `q` or Ctrl-C ends it
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub every: Duration,

    /// Print once, and end; so it does where there is no terminal
    #[arg(long)]
    pub once: bool,

    /// Print what there is to know as JSON, and end
    #[arg(long)]
    pub json: bool,
}

/// `wasmpool inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A WebAssembly file (.wasm or .wat; `-` is standard input), or a project's folder, which is built first, outside of any sandbox
    #[arg(value_name = "MODULE", value_hint = ValueHint::FilePath)]
    pub module: PathBuf,

    /// For people or for programs
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    pub format: InspectFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Compile anew, and store nothing
    #[arg(long)]
    pub no_cache: bool,
}

const CHECK_EXIT_CODES: &str = "\
Exit codes:
  0    it would run
  2    the arguments cannot be read
  3    it would not: the reasons are printed
  4    a protection that was required is not available here";

/// `wasmpool check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXIT_CODES)]
pub struct CheckArgs {
    /// A WebAssembly file (.wasm or .wat; `-`, or `/dev/stdin`, is standard input), and a function or task of it. A folder is a project, which is built first,
    /// outside of any sandbox
    #[arg(value_name = "MODULE[:FUNCTION]", value_hint = ValueHint::FilePath)]
    pub target: OsString,

    /// For people or for programs
    #[arg(long, value_enum, default_value_t = InspectFormat::Text)]
    pub format: InspectFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// The bounds on it.
    #[command(flatten)]
    pub limits: LimitArgs,

    /// What it is granted.
    #[command(flatten)]
    pub grants: GrantArgs,

    /// Where settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,

    /// How the module is made ready.
    #[command(flatten)]
    pub opening: OpeningArgs,
}

/// `wasmpool new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The project's folder, whose last part is its name: lower-case letters, digits, `-` and `_`, a letter first
    #[arg(value_name = "NAME", value_hint = ValueHint::DirPath)]
    pub path: PathBuf,

    /// What it is written in, and built with
    #[arg(long, value_name = "LANGUAGE", value_enum)]
    pub lang: Language,
}

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0    every protection is there, and whatever was tried held
  1    something worked that must not: do not run code you do not trust here
  2    the arguments, or the module, cannot be read
  4    a protection that every pool expects is not available here, or could not be tried
  5    the report cannot be written";

/// `wasmpool audit`.
#[derive(Debug, Args)]
#[command(after_help = AUDIT_EXIT_CODES)]
pub struct AuditArgs {
    /// For people, for programs, or for continuous integration
    #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
    pub format: AuditFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Write the report to a file, and only the verdict to standard error
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// End with exit code 0 also where a protection is not available: the report says which
    #[arg(long)]
    pub no_strict: bool,

    /// A line of text for every native probe, and not just for those that did not hold
    #[arg(short, long)]
    pub verbose: bool,

    /// Run your own module (`-` is standard input) instead, and tell what stopped each of its functions, or the one that is
    /// named; a project's folder is built first, outside of any sandbox
    #[arg(long, value_name = "MODULE[:FUNCTION]", value_hint = ValueHint::FilePath, help_heading = "Your own module")]
    pub module: Option<PathBuf>,

    /// The function or task to run, where --module names none [default: all]
    #[arg(
        long,
        value_name = "NAME",
        requires = "module",
        help_heading = "Your own module"
    )]
    pub function: Option<String>,

    /// What each is run with, JSON texts; without, functions that have parameters are skipped
    #[arg(long, value_name = "ITEM", num_args = 1.., allow_negative_numbers = true, requires = "module", help_heading = "Your own module")]
    pub items: Vec<String>,

    /// Wall time of an item
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, help_heading = "Your own module")]
    pub timeout: Duration,

    /// Memory of an item, all linear memories together [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "module", help_heading = "Your own module")]
    pub memory: Option<u64>,
}

/// How an audit is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum AuditFormat {
    Text,
    Json,
    Junit,
}

const BENCH_EXIT_CODES: &str = "\
Exit codes:
  0    everything was measured, but for what this machine does not offer: the report says why
  2    the arguments cannot be used
  5    a result was wrong, a pool failed, or the report cannot be written";

/// `wasmpool bench`.
#[derive(Debug, Args)]
#[command(after_help = BENCH_EXIT_CODES)]
pub struct BenchArgs {
    /// What to measure, with what it is compared with [default: everything]
    #[arg(value_name = "ROW")]
    pub rows: Vec<String>,

    /// Tell what can be measured, and measure nothing
    #[arg(long)]
    pub list: bool,

    /// One round, with few samples and little data: some seconds, not minutes
    #[arg(long)]
    pub quick: bool,

    /// Rounds, in each of which everything is measured in turn [default: 10; with --quick: 1]
    #[arg(long, value_name = "N", value_parser = count)]
    pub rounds: Option<u32>,

    /// For people, for programs, or as a picture
    #[arg(long, value_enum, default_value_t = BenchFormat::Text)]
    pub format: BenchFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Write the picture to a file besides
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub plot: Option<PathBuf>,
}

/// How a benchmark is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum BenchFormat {
    Text,
    Json,
    Svg,
}

/// How far items are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// Workers are threads of this process: only for modules that are trusted
    Thread,
    /// The items of a worker process share an instance
    Shared,
    /// A fresh instance an item
    Instance,
    /// A fresh operating-system process an item
    Process,
}

impl From<Isolation> for mode::Isolation {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Thread => mode::Isolation::Thread,
            Isolation::Shared => mode::Isolation::Shared,
            Isolation::Instance => mode::Isolation::Instance,
            Isolation::Process => mode::Isolation::Process,
        }
    }
}

/// What becomes of the other items when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// They are cancelled
    Stop,
    /// They are run, and each failure is told
    Continue,
}

impl From<OnError> for options::OnError {
    fn from(policy: OnError) -> Self {
        match policy {
            OnError::Stop => options::OnError::Stop,
            OnError::Continue => options::OnError::Continue,
        }
    }
}

/// What is printed of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON value a line: emitted values, then the result; `null` for an item that failed
    Values,
    /// A JSON object a line, with the item's index and its result or its error
    Records,
    /// The bytes of the results, one behind the other
    Raw,
}

/// How a summary is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum StatsFormat {
    Text,
    Json,
}

/// When progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Progress {
    Auto,
    Always,
    Never,
}

/// How a module is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum InspectFormat {
    Text,
    Json,
}
