//! The file `wasmpool.toml`, and what is in force: a flag beats the environment, which beats the file.
//!
//! - `settings`: what can be set, as data.
//! - `file`: a file's text as values of options.
//! - `show`: `wasmpool config`.
//!
//! What a file sets becomes the default of the option, so that clap decides what beats what. A file that is named is
//! trusted as the command line is. One that is found is not: it has to belong to the user, and it may grant nothing and
//! take no wall away, as whoever has the user unpack an archive, or clone a repository, can put one there.

mod file;
mod settings;
mod show;

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use self::file::Values;
use self::settings::{GRANTS, SETTINGS};
#[cfg(test)]
pub(super) use self::show::reference;
pub use self::show::run;
use super::args::Cli;
use super::console::Console;
use super::exit::Problem;
use super::input;
use crate::catalogue::Code;

/// The file that is looked for.
const NAME: &str = "wasmpool.toml";
/// Bytes of a file, at most.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The commands' options that say which file.
const CONFIG: &str = "config";
const NO_CONFIG: &str = "no_config";

/// A file that counts.
#[derive(Debug)]
pub struct Config {
    /// Where it is.
    path: PathBuf,
    /// What it sets.
    values: Values,
}

/// Reads the file that counts for the command that was given; none if it takes no settings, if none is there, or if it is
/// to be left out.
///
/// # Errors
/// If the file cannot be used.
pub fn load(matches: &ArgMatches) -> Result<Option<Config>, Problem> {
    let Some((_, matches)) = matches.subcommand() else {
        return Ok(None);
    };
    if !matches.ids().any(|id| id == NO_CONFIG) {
        return Ok(None);
    }
    let typed = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    let named = matches.get_one::<PathBuf>(CONFIG);
    let left_out = matches.get_flag(NO_CONFIG);
    if typed(CONFIG) && typed(NO_CONFIG) {
        let message = "--config and --no-config contradict each other";
        return Err(Problem::text(Code::OptionsConflict, message).hint("leave one of them out"));
    }
    match named {
        Some(path) if typed(CONFIG) || !left_out => {
            let text = input::text(path, MAX_FILE_BYTES)?;
            Config::read(input::name(path), &text).map(Some)
        }
        _ if left_out => Ok(None),
        _ => found(),
    }
}

/// The nearest file in the current folder or above, if it may count.
fn found() -> Result<Option<Config>, Problem> {
    let Ok(here) = std::env::current_dir() else {
        return Ok(None);
    };
    let candidates = here.ancestors().map(|folder| folder.join(NAME));
    let mut there = candidates.filter(|path| path.symlink_metadata().is_ok());
    let Some(path) = there.next() else {
        return Ok(None);
    };
    let file = match trusted(&path) {
        Ok(file) => file,
        Err(reason) => {
            let path = path.display();
            Console::plain().warning(&format!(
                "{path} is not read: {reason}; name it with --config if it is to count"
            ));
            return Ok(None);
        }
    };
    let text = input::text_of(&file, &path, MAX_FILE_BYTES)?;
    let config = Config::read(&path, &text)?;
    config.takes_nothing_away()?;
    Ok(Some(config))
}

/// Opens a file that was found, if it is the user's own; else why it is not. What is opened is what was looked at.
fn trusted(path: &Path) -> Result<File, String> {
    let file = input::open_at_once(path).map_err(|e| e.to_string())?;
    let data = file.metadata().map_err(|e| e.to_string())?;
    // Who made a link to it decides too what is read.
    let name = path.symlink_metadata().map_err(|e| e.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    for owner in [data.uid(), name.uid()] {
        if owner != user && owner != 0 {
            return Err(format!("it belongs to user {owner}"));
        }
    }
    if !data.is_file() {
        return Err("it is no file".into());
    }
    if data.mode() & 0o002 != 0 {
        return Err("everybody may write it".into());
    }
    Ok(file)
}

impl Config {
    fn read(path: &Path, text: &str) -> Result<Config, Problem> {
        let command = Cli::command();
        let options = command.find_subcommand("map").unwrap_or(&command);
        Ok(Config {
            path: path.to_owned(),
            values: file::read(path, text, options)?,
        })
    }

    fn takes_nothing_away(&self) -> Result<(), Problem> {
        for setting in SETTINGS {
            let Some(value) = self.values.get(&setting.id()) else {
                continue;
            };
            let threads = setting.name == "isolation" && value.texts == [OsStr::new("thread")];
            let what = match (setting.table, threads) {
                (GRANTS, _) => setting.key(),
                (_, true) => "isolation = \"thread\"".to_owned(),
                (_, false) => continue,
            };
            let path = self.path.display();
            let message = format!(
                "{path}:{}: `{what}` counts only in a file that is named",
                value.line
            );
            return Err(Problem::text(Code::ConfigUntrusted, message).hint(format!(
                "if you trust the file, give --config {path}; to leave it out, --no-config"
            )));
        }
        Ok(())
    }

    /// The command line with this file's values as the defaults of its options.
    pub fn apply(&self, mut root: Command) -> Command {
        let names: Vec<String> = root
            .get_subcommands()
            .filter(|command| command.get_arguments().any(|arg| arg.get_id() == NO_CONFIG))
            .map(|command| command.get_name().to_owned())
            .collect();
        for name in names {
            root = root.mut_subcommand(name, |command| {
                command.mut_args(|arg| match self.values.get(arg.get_id().as_str()) {
                    Some(value) if !value.texts.is_empty() => arg
                        .default_values(value.texts.clone())
                        .hide_default_value(true),
                    _ => arg,
                })
            });
        }
        root
    }
}
