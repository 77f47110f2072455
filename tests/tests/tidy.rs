//! What of the style can be checked: who may import whom, what stands beside `unsafe`, words that must not stay.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wasmpool_tests::{Suite, root};

fn main() -> ExitCode {
    Suite::new()
        .test("imports_have_a_direction", imports_have_a_direction)
        .test("unsafe_says_why", unsafe_says_why)
        .test("modules_say_what_they_own", modules_say_what_they_own)
        .test("nothing_is_left_to_do", nothing_is_left_to_do)
        .test("the_checks_find_what_they_look_for", the_checks_find)
        .run()
}

struct Source {
    /// From the workspace's top folder.
    path: PathBuf,
    text: String,
}

/// The files with one of these endings, built and hidden folders left out.
fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), endings, &mut found);
    assert!(!found.is_empty(), "no {endings:?} in {folder}");
    found
}

fn collect(folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    let entries = folder
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        if name.starts_with('.') || name == "target" || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, endings, found);
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let path = path.strip_prefix(root()).unwrap_or(&path).to_owned();
            found.push(Source { path, text });
        }
    }
}

/// A line without its comment and without what stands in quotes.
fn code(line: &str) -> String {
    let mut code = String::new();
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => _ = chars.next(),
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            c if !quoted => code.push(c),
            _ => {}
        }
    }
    code
}

/// Whether code names something: the whole word.
fn names(code: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// Lines of code under a path that name something, where `allowed` does not hold.
fn offences(word: &str, allowed: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in files("runtime/src", &[".rs"]) {
        if allowed(&source.path) {
            continue;
        }
        for (at, line) in source.text.lines().enumerate() {
            if names(&code(line), word) {
                found.push(format!("{}:{}: {line}", source.path.display(), at + 1));
            }
        }
    }
    found
}

#[track_caller]
fn none(found: Vec<String>, what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn imports_have_a_direction() {
    let outside = |folder: &'static str| move |path: &Path| !path.starts_with(folder);
    let inside = |folder: &'static str| move |path: &Path| path.starts_with(folder);
    let (pool, worker) = ("runtime/src/pool", "runtime/src/worker");
    none(
        offences("crate::worker", outside(pool)),
        "`pool` imports `worker`",
    );
    none(
        offences("crate::pool", outside(worker)),
        "`worker` imports `pool`",
    );
    for name in ["wasmtime", "wasmtime_wasi"] {
        none(
            offences(name, inside("runtime/src/engine")),
            "only `engine` names wasmtime",
        );
    }
    for name in ["clap", "anyhow"] {
        none(
            offences(name, inside("runtime/src/cli")),
            "only `cli` names clap and anyhow",
        );
    }
    // Lists of system calls name them, and probes make calls that no wrapper would make.
    let calls = [
        "runtime/src/sys",
        "runtime/src/audit/probes",
        "runtime/src/sandbox/calls.rs",
    ];
    none(
        offences("libc", |path| {
            calls.iter().any(|place| path.starts_with(place))
        }),
        "only `sys`, the lists of system calls and the audit's probes name libc",
    );
    for inner in ["sys", "ipc", "engine", "sandbox", "cache"] {
        for outer in ["pool", "worker", "cli"] {
            let folder = Path::new("runtime/src").join(inner);
            let found = offences(&format!("crate::{outer}"), |path| {
                !path.starts_with(&folder)
            });
            none(found, &format!("`{inner}` imports `{outer}`"));
        }
    }
}

/// Lines with `unsafe` that have no reason close above them.
fn unexplained(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let explains = |line: &&str| line.contains("SAFETY:") || line.contains("# Safety");
    let needs = |line: &str| {
        let code = code(line);
        names(&code, "unsafe") && !code.contains("unsafe_") && !code.contains("deny(")
    };
    let found = lines.iter().enumerate().filter(|(at, line)| {
        let above = &lines[at.saturating_sub(12)..*at];
        needs(line) && !above.iter().any(explains)
    });
    found.map(|(at, _)| at + 1).collect()
}

fn unsafe_says_why() {
    let mut found = Vec::new();
    for folder in ["runtime/src", "guest-sdk/src"] {
        for source in files(folder, &[".rs"]) {
            let lines = unexplained(&source.text);
            found.extend(
                lines
                    .iter()
                    .map(|line| format!("{}:{line}", source.path.display())),
            );
        }
    }
    none(found, "`unsafe` without a SAFETY comment");
}

fn modules_say_what_they_own() {
    let silent = files("runtime/src", &[".rs"]);
    let silent = silent
        .iter()
        .filter(|source| !source.text.starts_with("//!"));
    none(
        silent.map(|s| s.path.display().to_string()).collect(),
        "modules without `//!`",
    );
}

/// Words that stand for work put off, split so that this file does not have them.
fn unfinished() -> Vec<String> {
    let halves = [
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X"),
        ("to", "do!("),
        ("unimple", "mented!("),
    ];
    halves.iter().map(|(a, b)| format!("{a}{b}")).collect()
}

fn nothing_is_left_to_do() {
    let mut found = Vec::new();
    let endings = [".rs", ".md", ".toml", ".wit", ".wat", ".sh"];
    for source in files("", &endings) {
        for (at, line) in source.text.lines().enumerate() {
            if unfinished().iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {line}", source.path.display(), at + 1));
            }
        }
    }
    none(found, "work put off");
}

fn the_checks_find() {
    assert_eq!(code("a(\"// \\\" x\") // b").trim(), "a()");
    assert!(names("use crate::pool::Pool;", "crate::pool"));
    assert!(!names("use crate::pools;", "crate::pool"));
    assert!(!names(&code("// wasmtime"), "wasmtime"));
    assert_eq!(unexplained("fn f() {\n    unsafe { g() }\n}"), [2]);
    assert!(unexplained("// SAFETY: g does nothing.\nunsafe { g() }").is_empty());
    assert!(!offences("wasmtime", |_| false).is_empty());
    assert!(!offences("libc", |_| false).is_empty());
    assert!(unfinished()[0].len() == 4);
}
