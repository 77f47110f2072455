//! One command of a build: said before it is run, its output kept, and shown if it fails.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::catalogue::Code;
use crate::cli::console::Console;
use crate::cli::exit::Problem;

/// A command, as it is typed in the project's folder.
#[derive(Debug)]
pub struct Step<'a> {
    /// A name, or a path from that folder.
    pub program: &'a str,
    /// Its arguments.
    pub args: &'a [&'a str],
    /// A variable that it is given.
    pub variable: Option<(&'a str, &'a str)>,
    /// Whether its standard output is for programs, and not to be shown.
    pub data: bool,
    /// What to do where there is no such program.
    pub missing: &'a str,
}

impl Step<'_> {
    /// Runs it, and returns what it wrote to standard output.
    ///
    /// # Errors
    /// If it cannot be started, or fails. What it wrote has then been shown.
    pub fn run(&self, folder: &Path, console: &Console) -> Result<Vec<u8>, Problem> {
        let program = match self.program.contains('/') {
            true => std::path::absolute(folder.join(self.program))
                .map_err(|e| Problem::machine("cannot tell the current folder", e))?,
            false => self.program.into(),
        };
        let mut command = Command::new(program);
        command
            .args(self.args)
            .envs(self.variable)
            .current_dir(folder)
            .stdin(Stdio::null());
        let shown = self.shown();
        console.note("building", &format!("{shown} (in {})", folder.display()));
        let output = command.output().map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let doing = format!("cannot start `{}` for {}", self.program, folder.display());
            let problem = Problem::doing(Code::ProjectBroken, doing, error);
            match missing {
                true => problem.hint(self.missing),
                false => problem,
            }
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        if !self.data {
            console.output(&output.stdout);
        }
        console.output(&output.stderr);
        let folder = folder.display();
        Err(Problem::text(
            Code::ProjectBroken,
            format!(
                "{folder} cannot be built: `{shown}` ended with {}",
                output.status
            ),
        ))
    }

    /// As one would type it.
    fn shown(&self) -> String {
        let variable = self
            .variable
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = [self.program].into_iter().chain(self.args.iter().copied());
        let words = variable.into_iter().chain(words.map(quoted));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(program: &'a str, args: &'a [&'a str]) -> Step<'a> {
        Step {
            program,
            args,
            variable: None,
            data: false,
            missing: "install it",
        }
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut step = step("make", &["a b", "it's", "", "-j2"]);
        assert_eq!(step.shown(), r"make 'a b' 'it'\''s' '' -j2");
        step.variable = Some(("PLACE", "x y"));
        assert!(step.shown().starts_with("PLACE='x y' make "));
    }

    #[test]
    fn output_is_returned_and_failure_names_the_command() {
        let (here, console) = (Path::new("."), Console::silent());
        let said = step("sh", &["-c", "echo out; echo err >&2"]).run(here, &console);
        assert_eq!(said.unwrap(), b"out\n");
        let failed = step("sh", &["-c", "exit 3"]).run(here, &console);
        let failed = failed.unwrap_err();
        assert_eq!(failed.exit(), crate::cli::exit::USAGE);
        assert!(failed.message().contains("`sh -c 'exit 3'`"), "{failed:?}");
        assert!(failed.message().contains("exit status: 3"), "{failed:?}");
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_what_to_do() {
        for program in ["no-such-program", "no/such/program"] {
            let missing = step(program, &[]).run(Path::new("."), &Console::silent());
            let missing = missing.unwrap_err();
            assert!(missing.message().contains(program), "{missing:?}");
            assert_eq!(missing.advice(), Some("install it"));
        }
        let nowhere = step("true", &[]).run(Path::new("/no/such/folder"), &Console::silent());
        assert!(nowhere.is_err());
    }
}
