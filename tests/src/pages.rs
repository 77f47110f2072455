//! Pages for people: their blocks of code, and the commands in them.

use std::path::PathBuf;

use crate::root;

/// A command that a page shows.
#[derive(Debug)]
pub struct Example {
    /// Its line in the page, from 1.
    pub line: usize,
    /// What is run.
    pub command: String,
    /// What it prints.
    pub expected: String,
}

/// The guides.
pub fn guides() -> Vec<PathBuf> {
    let entries = root().join("docs").read_dir().expect("there are guides");
    let paths = entries.flatten().map(|entry| entry.path());
    let mut guides: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    guides.sort();
    guides
}

/// The fenced blocks of a page: the line where one begins, its language, its lines.
pub fn blocks(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, &str, Vec<&str>)> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => open = Some((at + 1, language.trim(), Vec::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, _, lines)), None) => lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a block `console`, which begins at this line of its page, and what stands under each.
pub fn console(line: usize, lines: &[&str]) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (at, text) in lines.iter().enumerate() {
        if let Some(command) = text.strip_prefix("$ ") {
            examples.push(Example {
                line: line + at + 1,
                command: command.into(),
                expected: String::new(),
            });
        } else if let Some(example) = examples.last_mut() {
            let part = match example.command.ends_with('\\') && example.expected.is_empty() {
                true => &mut example.command,
                false => &mut example.expected,
            };
            if !part.is_empty() {
                part.push('\n');
            }
            part.push_str(text);
        }
    }
    examples
}
