//! Where links lead: what they mean in the file that they stand in, as a chapter if it is one, else in the repository.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::quote::{self, Part, beside};

/// All that links can mean.
#[derive(Debug)]
pub struct Links {
    root: PathBuf,
    repository: String,
    /// The chapter that shows a file, or a section of one (`PATH#HEADING`).
    shown: HashMap<String, PathBuf>,
}

impl Links {
    /// Knows the chapters, which lie in `source`: their paths there, and their texts.
    ///
    /// # Errors
    /// If a chapter asks for what cannot be quoted.
    pub fn new<'c>(
        root: &Path,
        source: &Path,
        repository: &str,
        chapters: impl Iterator<Item = (&'c Path, &'c str)>,
    ) -> Result<Self> {
        let mut shown = HashMap::new();
        let mut show = |key: String, chapter: &Path| {
            shown.entry(key).or_insert_with(|| chapter.to_owned());
        };
        for (chapter, text) in chapters {
            let own = source.join(chapter);
            show(own.display().to_string(), chapter);
            for part in quote::parts(text, &own) {
                match part? {
                    Part::Page(path) | Part::Interface(path) => {
                        show(path.display().to_string(), chapter);
                    }
                    Part::Section(path, heading) => {
                        show(format!("{}#{heading}", path.display()), chapter);
                    }
                    Part::Own(..) | Part::Verbatim(_) | Part::Commands(_) => {}
                }
            }
        }
        Ok(Links {
            root: root.to_owned(),
            repository: repository.trim_end_matches('/').to_owned(),
            shown,
        })
    }

    /// Text from a file, in a chapter: its relative links lead there from the chapter.
    ///
    /// # Errors
    /// If a link leads nowhere.
    pub fn turned(&self, text: &str, from: &Path, chapter: &Path) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut code = false;
        for line in text.split_inclusive('\n') {
            let fence = line.trim_start().starts_with("```");
            code ^= fence;
            if code || fence {
                out.push_str(line);
                continue;
            }
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("](") {
                out.push_str(before);
                out.push_str("](");
                let Some((target, after)) = after.split_once(')') else {
                    rest = after;
                    continue;
                };
                out.push_str(&self.target(target, from, chapter)?);
                out.push(')');
                rest = after;
            }
            out.push_str(rest);
        }
        Ok(out)
    }

    fn target(&self, target: &str, from: &Path, chapter: &Path) -> Result<String> {
        if target.contains("://") {
            return Ok(target.to_owned());
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let file = match path {
            "" => Some(from.to_owned()),
            path => beside(from, path),
        };
        let there = file.filter(|file| self.root.join(file).exists());
        let Some(file) = there else {
            bail!("{}: a link leads nowhere: {target}", from.display());
        };
        let file = file.display().to_string();
        let behind = match heading {
            "" => String::new(),
            heading => format!("#{heading}"),
        };
        if let Some(shown) = self.shown.get(&file) {
            return Ok(format!("{}{behind}", relative(chapter, shown)));
        }
        if let Some(shown) = self.shown.get(&format!("{file}{behind}")) {
            return Ok(relative(chapter, shown));
        }
        Ok(format!("{}/blob/main/{file}{behind}", self.repository))
    }
}

/// The path from one chapter to another.
fn relative(from: &Path, to: &Path) -> String {
    let up = from.components().count() - 1;
    format!("{}{}", "../".repeat(up), to.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_chapters_and_else_to_the_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap();
        let chapters = [
            ("tutorial.md", "text"),
            (
                "internals/architecture.md",
                "{{#include ../../../ARCHITECTURE.md}}",
            ),
            (
                "reference/limits.md",
                "{{#section ../../../README.md#limits}}",
            ),
        ];
        let chapters = chapters.iter().map(|(path, text)| (Path::new(path), *text));
        let links = Links::new(
            root,
            Path::new("docs/src"),
            "https://example.org/w/",
            chapters,
        );
        let links = links.unwrap();
        let check = |text: &str, from: &str, chapter: &str, expected: &str| {
            let turned = links.turned(text, Path::new(from), Path::new(chapter));
            assert_eq!(turned.unwrap(), expected);
        };
        let (readme, chapter) = ("README.md", "internals/architecture.md");
        check(
            "[a](ARCHITECTURE.md#measured)",
            readme,
            chapter,
            "[a](../internals/architecture.md#measured)",
        );
        check(
            "[a](README.md#limits) b",
            readme,
            "tutorial.md",
            "[a](reference/limits.md) b",
        );
        check(
            "[a](LICENSE), [b](#limits)",
            readme,
            "tutorial.md",
            "[a](https://example.org/w/blob/main/LICENSE), [b](reference/limits.md)",
        );
        check("[a](https://a.b/c)", readme, chapter, "[a](https://a.b/c)");
        check(
            "```\n[a](nowhere)\n```\n",
            readme,
            chapter,
            "```\n[a](nowhere)\n```\n",
        );
        let dead = links.turned("[a](nowhere.md)", Path::new(readme), Path::new(chapter));
        assert!(dead.unwrap_err().to_string().contains("nowhere.md"));
    }
}
