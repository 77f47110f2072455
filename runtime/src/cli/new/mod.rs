//! `wasmpool new`: a project that builds, runs and tests.
//!
//! - `name`: what a project may be called.
//! - `language`: what it can be written in, and the commands that come next.
//! - `templates`: its files.
//!
//! Writes files and runs nothing.

mod language;
mod name;
mod templates;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub use self::language::Language;
use super::args::NewArgs;
use super::console::Console;
use super::exit::Problem;
use super::print;
use crate::catalogue::Code;

/// Runs the command, and returns the exit code. Prints the two commands that come next: one builds and runs the project,
/// the other one tests it.
///
/// # Errors
/// If a project cannot have this name, or the folder is in use or cannot be written.
pub fn run(args: &NewArgs) -> Result<u8, Problem> {
    let (path, language) = (&args.path, args.lang);
    let name = named(path)?;
    refuse_if_used(path)?;
    for (file, content) in templates::files(language, &name) {
        let to = path.join(file);
        write_new(&to, &content).map_err(|e| {
            Problem::doing(
                Code::OutputFailed,
                format!("cannot write {}", to.display()),
                e,
            )
        })?;
    }
    let (shown, title) = (path.display(), language.title());
    Console::plain().note(
        "created",
        &format!("{shown}, tasks in {title}; build and run them, then test them:"),
    );
    let commands = language.commands(&path.to_string_lossy());
    print(format!("{}\n", commands.join("\n")).as_bytes())
}

/// The project's name: the last part of its path.
fn named(path: &Path) -> Result<String, Problem> {
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    let Err(reason) = name::check(&last) else {
        return Ok(last.into_owned());
    };
    let refused = format!("a project cannot be called `{last}`: {reason}");
    let other = path.with_file_name(name::suggestion(&last));
    let hint = format!("`{}` would do", other.display());
    Err(Problem::text(Code::NameRefused, refused).hint(hint))
}

fn refuse_if_used(path: &Path) -> Result<(), Problem> {
    let used = match path.read_dir() {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => true,
        Err(error) => {
            let doing = format!("cannot look into {}", path.display());
            return Err(Problem::doing(Code::NameRefused, doing, error));
        }
    };
    if used {
        let refused = format!("{} is there already, and is not empty", path.display());
        return Err(
            Problem::text(Code::NameRefused, refused).hint("give another name, or remove it first")
        );
    }
    Ok(())
}

/// Never over something that is there.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::File::create_new(path)?.write_all(content)
}
