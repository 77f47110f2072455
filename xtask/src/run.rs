//! Running other programs: says what is run, how long it took and how it ended.

use std::process::{Command, ExitStatus};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Starts the clock that [`say`] shows.
pub fn start_clock() {
    LazyLock::force(&STARTED);
}

/// Says a line about this run, with the seconds since its start.
pub fn say(line: &str) {
    eprintln!("[{:6.1} s] {line}", STARTED.elapsed().as_secs_f64());
}

/// The cargo that runs this program, so that a `+toolchain` given to it counts here too.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs `command` to its end, with this program's standard streams.
///
/// # Errors
/// When it cannot be started, or ends with anything but success.
pub fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", name(command)))?;
    finish(command, status, start.elapsed())
}

/// Runs `command` to its end and returns what it wrote to standard output.
///
/// # Errors
/// As [`run`].
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    announce(command);
    let start = Instant::now();
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", name(command)))?;
    finish(command, output.status, start.elapsed())?;
    Ok(output.stdout)
}

fn announce(command: &Command) {
    say(&format!("$ {}", display(command)));
}

fn finish(command: &Command, status: ExitStatus, took: Duration) -> Result<()> {
    if !status.success() {
        bail!("`{}` ended with {status}", display(command));
    }
    say(&format!(
        "  {} took {:.1} s",
        name(command),
        took.as_secs_f64()
    ));
    Ok(())
}

fn name(command: &Command) -> String {
    let path = std::path::Path::new(command.get_program());
    path.file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned()
}

/// The command as one could type it in a shell, with the variables it sets.
pub fn display(command: &Command) -> String {
    let mut words = Vec::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            words.push(format!(
                "{}={}",
                key.to_string_lossy(),
                quote(&value.to_string_lossy())
            ));
        }
    }
    words.push(name(command));
    words.extend(
        command
            .get_args()
            .map(|word| quote(&word.to_string_lossy())),
    );
    words.join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_would_take_it() {
        let mut command = Command::new("/some/where/cargo");
        command
            .args(["doc", "a b", "*.rs", "it's", ""])
            .env("FLAGS", "-D warnings");
        assert_eq!(
            display(&command),
            r"FLAGS='-D warnings' cargo doc 'a b' '*.rs' 'it'\''s' ''"
        );
    }

    #[test]
    fn failure_is_an_error_and_output_is_returned() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert_eq!(output(Command::new("echo").arg("yes")).unwrap(), b"yes\n");
        assert!(run(&mut Command::new("/nonexistent/program")).is_err());
    }
}
