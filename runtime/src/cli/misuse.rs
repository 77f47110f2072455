//! What is said of a command line that clap does not take: its own words, with a code, and with the variable that a value
//! comes from.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Cli;
use super::console::{Console, coded};
use super::exit::{self, Problem};
use crate::catalogue::Code;

/// Why no command was run to its end.
#[derive(Debug)]
pub enum Refused {
    /// The command line is not understood, or asked for help.
    Usage(Box<clap::Error>),
    /// The command cannot do what it was asked for.
    Problem(Problem),
}

impl From<clap::Error> for Refused {
    fn from(stop: clap::Error) -> Self {
        Refused::Usage(Box::new(stop))
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Refused::Problem(problem)
    }
}

/// Prints why clap stopped, or the help or version that was asked for, and returns the exit code.
pub fn tell(stop: &clap::Error) -> u8 {
    let code = match stop.kind() {
        // Whoever closed the pipe wants no more of them.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = stop.print();
            return exit::DONE;
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = stop.print();
            return exit::USAGE;
        }
        kind => code(kind),
    };
    let text = stop.render().to_string();
    let text = match text.strip_prefix("error:") {
        Some(rest) => format!("{}:{rest}", coded(code)),
        None => text,
    };
    let console = Console::plain();
    console.report(&text);
    if let Some(variable) = variable(stop) {
        console.note("hint", &format!("the value is that of {variable}"));
    }
    // Where the module is standard input, and a function of it is named.
    if let Some(ContextValue::String(text)) = stop.get(ContextKind::InvalidArg)
        && text.starts_with("-:")
    {
        console.note("hint", "write /dev/stdin:FUNCTION");
    }
    if let Some(hint) = habit(stop).or_else(|| values(stop)) {
        console.note("hint", &hint);
    }
    exit::exit(code)
}

/// What other tools call an option, and what it is here.
const HABITS: [(&[&str], &str); 6] = [
    (
        &["--json"],
        "`--output records` is JSON, an object for each item",
    ),
    (&["--junit"], "write --format junit --output FILE"),
    (
        &["-j", "--jobs", "--processes", "--parallel", "--threads"],
        "write --workers NUMBER",
    ),
    (
        &["-k", "--keep-going", "--no-fail-fast"],
        "write --on-error continue",
    ),
    (
        &["--color", "--colour", "--no-color"],
        "colours are for terminals only; NO_COLOR=1 in the environment leaves them out",
    ),
    (
        &["--queue", "--queues"],
        "`wasmpool pipeline FILE` joins processes by queues",
    ),
];

fn habit(stop: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(given)) = stop.get(ContextKind::InvalidArg) else {
        return None;
    };
    if stop.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let known = HABITS
        .iter()
        .find(|(names, _)| names.contains(&given.as_str()));
    known.map(|(_, hint)| (*hint).to_owned())
}

/// What the first option that is missing may be, if it is one of a few names.
fn values(stop: &clap::Error) -> Option<String> {
    let Some(ContextValue::Strings(missing)) = stop.get(ContextKind::InvalidArg) else {
        return None;
    };
    if stop.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let option = missing.first()?;
    let mut command = Cli::command();
    command.build();
    let mut args = command.get_subcommands().flat_map(|c| c.get_arguments());
    let arg = args.find(|arg| arg.to_string() == *option)?;
    let names: Vec<_> = arg
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    let told = format!("{option} is one of {}", names.join(", "));
    (!names.is_empty()).then_some(told)
}

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidSubcommand => Code::CommandUnknown,
        ErrorKind::UnknownArgument => Code::OptionUnknown,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => Code::ValueInvalid,
        ErrorKind::ArgumentConflict => Code::OptionsConflict,
        // Clap may have more kinds one day.
        _ => Code::Usage,
    }
}

/// The environment variable that a refused value is that of.
fn variable(stop: &clap::Error) -> Option<String> {
    let told = |kind| match stop.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (option, value) = (
        told(ContextKind::InvalidArg)?,
        told(ContextKind::InvalidValue)?,
    );
    let mut command = Cli::command();
    // Before that no option can be written out.
    command.build();
    let args = command.get_subcommands().flat_map(|c| c.get_arguments());
    let mut variables = args
        .filter(|arg| arg.to_string() == option)
        .filter_map(|arg| arg.get_env());
    let given = |name: &&std::ffi::OsStr| {
        std::env::var_os(name).is_some_and(|given| given == value.as_str())
    };
    let found = variables.find(given)?;
    Some(found.to_string_lossy().into_owned())
}
