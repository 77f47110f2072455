//! Pages for people: their blocks of code, and the commands in them.

use std::path::{Path, PathBuf};

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

/// The chapters of the book, its summary left out.
pub fn chapters() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join("docs/src"), &mut found);
    found.retain(|path| !path.ends_with("SUMMARY.md"));
    found.sort();
    found
}

/// The chapters that are written for the book: the others only quote what is kept, and checked, elsewhere.
pub fn guides() -> Vec<PathBuf> {
    let mut guides = chapters();
    guides.retain(|path| {
        let page = std::fs::read_to_string(path).expect("a chapter that can be read");
        let quotes = |line: &&str| line.starts_with("{{#");
        page.lines().any(|line| line.starts_with("```")) || !page.lines().any(|line| quotes(&line))
    });
    guides
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = folder
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
}

/// The file of the repository that a relative link in a page means, from the top folder.
pub fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let link = link.split('#').next().unwrap_or_default();
    let path = page.parent()?.join(link).canonicalize().ok()?;
    Some(path.strip_prefix(root()).ok()?.to_owned())
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
