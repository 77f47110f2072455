//! The command line as a whole: what is accepted, and what the help says.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Format, MapArgs};
use super::exit::{Problem, USAGE};
use super::items::Items;
use super::plan::Plan;
use super::*;
use crate::encoding::Encoding;
use crate::limits::Limits;
use crate::pool::options::OnError;

fn map(args: &[&str]) -> Result<MapArgs, ErrorKind> {
    let all = ["wasmpool", "map"].iter().chain(args);
    match Cli::try_parse_from(all).map_err(|e| e.kind())?.command {
        Command::Map(args) => Ok(*args),
        other => panic!("{other:?}"),
    }
}

fn plan(args: &[&str]) -> Result<Plan, Problem> {
    Plan::new(map(args).unwrap())
}

#[test]
fn the_description_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn items_that_look_like_flags() {
    let args = map(&["m.wasm:f", "-5", "--workers", "2", "-1.5e3", "x"]).unwrap();
    assert_eq!(args.job.items, ["-5", "-1.5e3", "x"]);
    assert_eq!(args.job.workers, Some(2));
    assert_eq!(
        map(&["m", "--", "--x", "-v"]).unwrap().job.items,
        ["--x", "-v"]
    );
}

#[test]
fn what_is_refused() {
    for (args, kind) in [
        (&["m", "1", "--input", "-"][..], ErrorKind::ArgumentConflict),
        (
            &["m", "--lines", "a", "--input", "-"],
            ErrorKind::ArgumentConflict,
        ),
        (
            &["m", "--lines", "a", "--files", "b"],
            ErrorKind::ArgumentConflict,
        ),
        (&["m", "-q", "-v", "1"], ErrorKind::ArgumentConflict),
        (&["m", "--workers", "0", "1"], ErrorKind::ValueValidation),
        (&["m", "--timeout", "5", "1"], ErrorKind::ValueValidation),
        (&["m", "--memory", "64M", "1"], ErrorKind::ValueValidation),
        (&["m", "--output", "xml", "1"], ErrorKind::InvalidValue),
        (&["m", "--no-such-flag"], ErrorKind::UnknownArgument),
        (
            &["m", "--fuel", "9", "1"],
            ErrorKind::MissingRequiredArgument,
        ),
        (&["m", "--deterministic=x", "1"], ErrorKind::ValueValidation),
        (&[], ErrorKind::MissingRequiredArgument),
    ] {
        assert_eq!(map(args).err(), Some(kind), "{args:?}");
    }
    for args in [
        &["m:f"][..],
        &["m:", "1"],
        &["-", "--input", "-"],
        &["m", "--input", "/no/such/file"],
    ] {
        let problem = plan(args).err().expect("no plan");
        assert_eq!(problem.exit(), USAGE, "{args:?}");
    }
}

#[test]
fn flags_become_options() {
    let plan = plan(&[
        "m.wasm:f",
        "--lines",
        "/dev/null",
        "--timeout=500ms",
        "--memory=64MiB",
        "--on-error=continue",
        "--unordered",
        "--output=raw",
        "--no-cache",
        "--retries=0",
    ])
    .unwrap_or_else(|problem| panic!("{problem:?}"));
    let limits = Limits::new()
        .timeout(std::time::Duration::from_millis(500))
        .memory(64 << 20);
    assert_eq!(plan.limits, limits);
    assert_eq!(
        (plan.job.input, plan.job.output),
        (Encoding::Raw, Encoding::Raw)
    );
    assert_eq!(plan.job.on_error, OnError::Continue);
    assert!(!plan.job.ordered && !plan.cache && plan.job.retries == 0);
    assert_eq!(plan.style.format, Format::Raw);
    assert!(matches!(plan.items, Items::Lines { json: false, .. }));
    assert_eq!(plan.target.function.as_deref(), Some("f"));
}

#[test]
fn a_seed_is_told_from_an_item() {
    let args = map(&["m:f", "--deterministic", "7"]).unwrap();
    assert_eq!(
        (args.deterministic, args.job.items),
        (Some(0), vec!["7".into()])
    );
    let args = map(&["m:f", "--deterministic=7", "--fuel=1000", "8"]).unwrap();
    assert_eq!((args.deterministic, args.fuel), (Some(7), Some(1000)));
    assert_eq!(args.job.items, ["8"]);
}

#[test]
fn no_flags_mean_the_defaults_of_the_library() {
    let plan = plan(&["m", "1"]).unwrap_or_else(|problem| panic!("{problem:?}"));
    let defaults = crate::pool::options::JobOptions::default();
    assert_eq!(format!("{:?}", plan.job), format!("{defaults:?}"));
    assert_eq!(plan.limits, Limits::new());
    assert_eq!((plan.isolation, plan.deterministic), (None, None));
    assert!(!plan.backtrace_on_timeout);
    assert!(plan.cache && !plan.cache_results);
    assert!(plan.workers.is_none() && plan.max_items_per_worker.is_none());
}

/// The help promises defaults in words; here they are read and compared.
#[test]
fn limits_in_the_help_are_those_of_the_library() {
    let command = Cli::command();
    let map = command.find_subcommand("map").unwrap();
    let limits = Limits::new();
    let told = |name: &str| {
        let arg = map.get_arguments().find(|a| a.get_id() == name).unwrap();
        let help = arg.get_help().unwrap().to_string();
        let (_, default) = help.split_once("[default: ").unwrap();
        default.strip_suffix(']').unwrap().to_string()
    };
    let isolation = map.get_arguments().find(|a| a.get_id() == "isolation");
    let isolation = isolation.unwrap().get_help().unwrap().to_string();
    let words = "[default: shared; with --deterministic or --cache-results: instance]";
    assert!(isolation.ends_with(words));
    assert_eq!(
        crate::mode::Isolation::default(),
        crate::mode::Isolation::Shared
    );
    let size = |name| values::size(&told(name)).unwrap();
    let time = |name| values::duration(&told(name)).unwrap();
    assert_eq!(time("timeout"), limits.timeout);
    assert_eq!(time("compile_timeout"), limits.compile_timeout);
    assert_eq!(size("memory"), limits.memory_bytes);
    assert_eq!(size("result_bytes"), limits.result_bytes);
    assert_eq!(size("log_bytes"), limits.log_bytes);
}

#[test]
fn the_version_tells_what_is_built_in() {
    let manifest = include_str!("../../Cargo.toml");
    let (_, dependency) = manifest.split_once("\nwasmtime = { version = \"").unwrap();
    let (line, _) = dependency.split_once('"').unwrap();
    let interface = args::INTERFACE;
    let package = include_str!("../../wit/0.1.0/world.wit");
    assert!(package.contains(&format!("package wasmpool:task@{interface};")));
    let long = Cli::command().render_long_version();
    let own = env!("CARGO_PKG_VERSION");
    assert!(
        long.starts_with(&format!("wasmpool {own} (wasmtime {line}.")),
        "{long}"
    );
    let end = format!(", wasmpool:task {interface})\n");
    assert!(long.ends_with(&end), "{long}");
    assert_eq!(Cli::command().render_version(), format!("wasmpool {own}\n"));
}

/// Whether a file beside this one has this text. With `WASMPOOL_UPDATE_SNAPSHOTS=1` it is written anew.
#[track_caller]
fn snapshot(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/cli")
        .join(name);
    if std::env::var_os("WASMPOOL_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, text).unwrap();
    } else {
        assert_eq!(text, std::fs::read_to_string(file).unwrap());
    }
}

/// What the book tells of errors and settings.
#[test]
fn reference() {
    snapshot("errors.md", &explain::reference());
    snapshot("settings.md", &config::reference());
}

/// The help of every command.
#[test]
fn help() {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut text = root.render_long_help().to_string();
    for command in root
        .get_subcommands_mut()
        .filter(|c| c.get_name() != "help")
    {
        let name = command.get_name().to_string();
        let help = command.clone().term_width(100).render_long_help();
        text.push_str(&format!("\n======== {name} ========\n{help}"));
    }
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n") + "\n";
    snapshot("help.txt", &text);
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in <clap_complete::Shell as clap::ValueEnum>::value_variants() {
        let mut script = Vec::new();
        clap_complete::generate(*shell, &mut Cli::command(), "wasmpool", &mut script);
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("output-dir"), "{shell}");
    }
}
