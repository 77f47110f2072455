//! Renders the book: `wasmpool-book BOOK OUT`, with the folder of `book.toml` and one for the site.
//!
//! Chapters quote what is kept elsewhere, so that nothing is written twice. Each of these stands on a line of its own:
//!
//! - `{{#include PATH}}`: a file; within a block of code as it is, else as Markdown.
//! - `{{#section PATH#HEADING}}`: what a page says under one of its headings.
//! - `{{#commands PATH}}`: the help of all commands, a section each.
//! - `{{#interface FOLDER}}`: the WIT files of a folder, a section each.
//!
//! `quote` does that; `links` leads what it quotes to chapters, and else to the repository.

mod links;
mod quote;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_preprocessor::book::{Book, BookItem};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::links::Links;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(out), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: wasmpool-book BOOK OUT");
    };
    let folder = folder
        .canonicalize()
        .with_context(|| folder.display().to_string())?;
    let root = folder.parent().context("the book lies in the repository")?;
    let mut book = MDBook::load(&folder)?;
    book.config.build.build_dir = std::path::absolute(out)?;
    book.with_preprocessor(Quote {
        root: root.to_owned(),
    });
    book.build()
}

/// Puts what is quoted into the chapters, and turns links.
struct Quote {
    root: PathBuf,
}

impl Preprocessor for Quote {
    fn name(&self) -> &str {
        "quote"
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let source = context.root.join(&context.config.book.src);
        let source = source
            .strip_prefix(&self.root)
            .context("the chapters lie in the repository")?;
        let repository: Option<String> = context.config.get("output.html.git-repository-url")?;
        let repository = repository.context("book.toml does not say where the repository is")?;
        let chapters = book.chapters().filter_map(|chapter| {
            let path = chapter.source_path.as_deref()?;
            Some((path, chapter.content.as_str()))
        });
        let links = Links::new(&self.root, source, &repository, chapters)?;
        let mut trouble = None;
        book.for_each_mut(|item| {
            let BookItem::Chapter(chapter) = item else {
                return;
            };
            let Some(path) = chapter.source_path.clone() else {
                return;
            };
            match self.chapter(&chapter.content, source, &path, &links) {
                Ok(content) => chapter.content = content,
                Err(error) => trouble = Some(error.context(path.display().to_string())),
            }
        });
        trouble.map_or(Ok(book), Err)
    }
}

impl Quote {
    fn chapter(&self, text: &str, source: &Path, path: &Path, links: &Links) -> Result<String> {
        let own = source.join(path);
        let mut out = String::new();
        for part in quote::parts(text, &own) {
            let part = part?;
            let (text, from) = part.read(&self.root)?;
            out.push_str(&links.turned(&text, &from, path)?);
        }
        // The site's highlighter does not know the language, and complains of that.
        Ok(out.replace("```wit\n", "```text\n"))
    }
}
