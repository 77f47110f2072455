//! What a chapter quotes: finds the lines that ask for it, and reads it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A part of a chapter. Paths are from the top of the repository.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Text of a page.
    Own(String, PathBuf),
    /// A whole page.
    Page(PathBuf),
    /// What a page says under a heading.
    Section(PathBuf, String),
    /// A file within a block of code.
    Verbatim(PathBuf),
    /// The help of all commands.
    Commands(PathBuf),
    /// The WIT files of a folder.
    Interface(PathBuf),
}

/// The parts of the text of a page.
pub fn parts(text: &str, page: &Path) -> Vec<Result<Part>> {
    let mut parts = Vec::new();
    let mut own = String::new();
    let mut code = false;
    for line in text.lines() {
        let asks = line.strip_prefix("{{#").and_then(|l| l.strip_suffix("}}"));
        let Some(asks) = asks else {
            code ^= line.trim_start().starts_with("```");
            own.push_str(line);
            own.push('\n');
            continue;
        };
        parts.push(Ok(Part::Own(std::mem::take(&mut own), page.to_owned())));
        parts.push(asked(asks, page, code));
    }
    parts.push(Ok(Part::Own(own, page.to_owned())));
    parts
}

fn asked(asks: &str, page: &Path, code: bool) -> Result<Part> {
    let (what, target) = asks.split_once(' ').unwrap_or((asks, ""));
    let (target, heading) = target.split_once('#').unwrap_or((target, ""));
    let path =
        beside(page, target).with_context(|| format!("{asks}: outside of the repository"))?;
    Ok(match (what, code) {
        ("include", true) => Part::Verbatim(path),
        ("include", false) => Part::Page(path),
        ("section", false) => Part::Section(path, heading.to_owned()),
        ("commands", false) => Part::Commands(path),
        ("interface", false) => Part::Interface(path),
        _ => bail!("{asks}: nothing of the kind can be quoted here"),
    })
}

/// What a path in a page means, if it does not leave the repository.
pub fn beside(page: &Path, target: &str) -> Option<PathBuf> {
    let mut path = page.parent()?.to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

impl Part {
    /// Its text, as Markdown, and the page from which relative links in it are meant.
    pub fn read(self, root: &Path) -> Result<(String, PathBuf)> {
        let file = |path: &Path| {
            fs::read_to_string(root.join(path)).with_context(|| path.display().to_string())
        };
        Ok(match self {
            Part::Own(text, page) => (text, page),
            Part::Page(path) => (file(&path)?, path),
            Part::Verbatim(path) => (file(&path)?.trim_end().to_owned() + "\n", path),
            Part::Section(path, heading) => {
                let text = file(&path)?;
                let found = section(&text, &heading);
                let found =
                    found.with_context(|| format!("{}: no heading {heading}", path.display()))?;
                (found, path)
            }
            Part::Commands(path) => (commands(&file(&path)?), path),
            Part::Interface(folder) => {
                let mut names = Vec::new();
                for entry in fs::read_dir(root.join(&folder))? {
                    names.extend(entry?.file_name().into_string());
                }
                names.retain(|name| name.ends_with(".wit"));
                names.sort();
                let mut out = String::new();
                for name in names {
                    let text = file(&folder.join(&name))?;
                    out += &format!("## {name}\n\n```wit\n{}\n```\n\n", text.trim_end());
                }
                (out, folder)
            }
        })
    }
}

/// What is said under a heading, up to the next one that is no smaller.
fn section(text: &str, wanted: &str) -> Option<String> {
    let mut found: Option<(usize, String)> = None;
    let mut code = false;
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        let level = line.chars().take_while(|&c| c == '#').count();
        let is_heading = !code && level > 0 && line[level..].starts_with(' ');
        match &mut found {
            None if is_heading && anchor(&line[level..]) == wanted => {
                found = Some((level, String::new()));
            }
            None => {}
            Some((own, _)) if is_heading && level <= *own => break,
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found.map(|(_, text)| text)
}

/// The name of a heading in links, as GitHub and mdBook make it.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// The snapshot of all help texts: the program's own first, then `======== NAME ========` above each command's.
fn commands(help: &str) -> String {
    let mut out = String::from("## wasmpool\n\n```text\n");
    let mut last = String::new();
    for line in help.lines() {
        let name = line.strip_prefix("======== ");
        let Some(name) = name.and_then(|name| name.strip_suffix(" ========")) else {
            last.push_str(line);
            last.push('\n');
            continue;
        };
        out.push_str(std::mem::take(&mut last).trim_end());
        out += &format!("\n```\n\n## wasmpool {name}\n\n```text\n");
    }
    out.push_str(last.trim_end());
    out.push_str("\n```\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_found() {
        let page = Path::new("docs/src/guides/a.md");
        let text =
            "a\n{{#include ../../../B.md}}\n```wit\n{{#include c.wit}}\n```\n{{#section d.md#e}}\n";
        let found: Vec<_> = parts(text, page).into_iter().map(Result::unwrap).collect();
        let own = |text: &str| Part::Own(text.into(), page.to_owned());
        assert_eq!(
            found,
            [
                own("a\n"),
                Part::Page("B.md".into()),
                own("```wit\n"),
                Part::Verbatim("docs/src/guides/c.wit".into()),
                own("```\n"),
                Part::Section("docs/src/guides/d.md".into(), "e".into()),
                own(""),
            ]
        );
        for wrong in [
            "{{#inclde a}}",
            "{{#include ../../../../a}}",
            "```\n{{#section a#b}}",
        ] {
            assert!(parts(wrong, page).iter().any(Result::is_err), "{wrong}");
        }
    }

    #[test]
    fn a_section_ends_at_the_next_heading_that_is_no_smaller() {
        let text = "# A\n## B: c, `d`\none\n### E\n```sh\n# no heading\n```\n## F\ntwo\n";
        let b = "one\n### E\n```sh\n# no heading\n```\n";
        assert_eq!(section(text, "b-c-d").as_deref(), Some(b));
        assert_eq!(section(text, "f").as_deref(), Some("two\n"));
        assert_eq!(section(text, "g"), None);
    }

    #[test]
    fn help_is_split_into_commands() {
        let text = commands("top\n\n======== map ========\nMap\n");
        assert_eq!(
            text,
            "## wasmpool\n\n```text\ntop\n```\n\n## wasmpool map\n\n```text\nMap\n```\n"
        );
    }
}
