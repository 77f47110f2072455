//! The commands in READMEs do what is written under them.
//!
//! In examples: a block `sh` with commands, then a block `text` with what they print. In the README at the top and in the
//! guides: blocks `console`, commands behind `$ `. Commands that run something else than wasmpool and what a shell has are
//! left out; a guide has none of them.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use wasmpool_tests::pages::{Example, blocks, console, guides};
use wasmpool_tests::{Suite, guests, is_complete, program, root, without_warning};

/// What may stand in for the folder in commands.
const GUESTS: &str = "target/guests";
/// First words of commands that are run here.
const KNOWN: &[&str] = &["wasmpool", "seq", "printf", "echo", "cat"];

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("examples_have_commands", examples_have_commands)
        .test("guides_leave_no_command_out", guides_leave_no_command_out);
    for readme in readmes() {
        let text = std::fs::read_to_string(&readme)
            .unwrap_or_else(|e| panic!("{}: {e}", readme.display()));
        let place = readme
            .strip_prefix(root())
            .unwrap_or(&readme)
            .display()
            .to_string();
        for example in examples(&text) {
            let name = format!("{place}:{}", example.line);
            let command = example.command.clone();
            let needs_guests = command.contains(GUESTS);
            let run = move || check(&example);
            suite = match (needs_guests, skipped(&command)) {
                (_, Some(reason)) => suite.where_possible(name, Err(reason), run),
                (true, None) => suite.guest(name, run),
                (false, None) => suite.test(name, run),
            };
        }
    }
    suite.run()
}

/// Why a command cannot be run: a module that it names was not built, since the tools of its language could not be had, or
/// this machine has something to say too.
fn skipped(command: &str) -> Option<String> {
    if command.contains("2>&1") && !is_complete() {
        return Some("the warning of what this machine lacks is in its output".into());
    }
    let folder = guests()?;
    let (_, after) = command.split_once(GUESTS)?;
    let (name, _) = after.trim_start_matches('/').split_once(".wasm")?;
    std::fs::read_to_string(folder.join(format!("{name}.skipped"))).ok()
}

fn readmes() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = example_folders()
        .iter()
        .map(|f| f.join("README.md"))
        .collect();
    found.push(root().join("README.md"));
    found.extend(guides());
    found.retain(|path| path.is_file());
    found
}

fn example_folders() -> Vec<PathBuf> {
    let entries = root()
        .join("examples")
        .read_dir()
        .expect("there are examples");
    let mut folders: Vec<_> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    folders
}

fn examples_have_commands() {
    for folder in example_folders() {
        let readme = folder.join("README.md");
        let text = std::fs::read_to_string(&readme)
            .unwrap_or_else(|e| panic!("{}: {e}", readme.display()));
        // A program is run by a test of its own package: only that one is sure to be built when it runs.
        let own_test = text.contains("cargo run") && folder.join("tests/run.rs").is_file();
        assert!(
            own_test || !examples(&text).is_empty(),
            "{} shows no command",
            readme.display()
        );
    }
}

fn guides_leave_no_command_out() {
    // What is embedded is a Rust program, run by a test of its own.
    let without = |guide: &Path| guide.ends_with("embedders.md");
    for guide in guides() {
        let text = std::fs::read_to_string(&guide).expect("a guide that can be read");
        let lines = text.lines().filter(|line| line.starts_with("$ ")).count();
        assert_eq!(
            lines == 0,
            without(&guide),
            "{} shows no command",
            guide.display()
        );
        assert_eq!(examples(&text).len(), lines, "{}", guide.display());
    }
}

fn examples(text: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let blocks = blocks(text);
    for (at, (line, language, lines)) in blocks.iter().enumerate() {
        match (*language, blocks.get(at + 1)) {
            ("sh", Some((_, "text", output))) => examples.push(Example {
                line: *line,
                command: lines.join("\n"),
                expected: output.join("\n"),
            }),
            ("console", _) => examples.extend(console(*line, lines)),
            _ => {}
        }
    }
    examples.retain(|e| {
        let first = e.command.split_whitespace().next();
        first.is_some_and(|word| KNOWN.contains(&word)) && e.command.contains("wasmpool")
    });
    examples
}

fn check(example: &Example) {
    let mut command = example.command.clone();
    if let Some(folder) = guests() {
        command = command.replace(GUESTS, &folder.display().to_string());
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let folder = program().parent().unwrap_or(Path::new("/"));
    let output = Command::new("bash")
        .args(["-c", &command])
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("WASMPOOL_NO_CONFIG", "true")
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), without_warning(&text(&output.stderr)));
    // What stands under a command is what a terminal shows: also why something has failed.
    let shown = [stdout.trim_end(), stderr.trim_end()];
    let both = format!("{stdout}{stderr}");
    let expected = example.expected.trim_end();
    assert!(
        shown.contains(&expected) || both.trim_end() == expected,
        "line {}: {command}\n--- expected\n{expected}\n--- stdout\n{stdout}--- stderr\n{stderr}",
        example.line,
    );
}
