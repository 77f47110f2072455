//! `cargo xtask doc`: the interfaces' documentation. Is it without a warning, and has every public item an example?
//!
//! Owns the rule, and the reading of rustdoc's pages: rustdoc alone knows what is public, wherever it stands in the
//! source. That examples are true is the documentation tests' to show.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::run;

/// The crates whose interface people call.
const CRATES: [&str; 2] = ["wasmpool", "wasmpool_guest"];

/// What needs an example, by the first word of its page's name. Constants and names for other types need none.
const KINDS: [&str; 6] = ["struct", "enum", "trait", "fn", "macro", "union"];

/// Has `cargo doc` make the pages, and looks at those of the interfaces: every type, trait, macro, function and method
/// has an example of its own. Fields, variants, constants and implementations of traits need none.
///
/// # Errors
/// When rustdoc has a warning. Names each item without an example. Also when the pages cannot be read, or show no item:
/// then this no longer understands them.
pub fn check(project: &Project) -> Result<()> {
    let mut doc = project.cargo(&["doc", "--workspace", "--no-deps", "--release"]);
    run::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    let mut without = Vec::new();
    let mut items = 0;
    for name in CRATES {
        let folder = project.target.join("doc").join(name);
        let all = read(&folder.join("all.html"))?;
        for page in pages(&all) {
            let found = examples(&read(&folder.join(page))?);
            items += found.len();
            let path = page.trim_end_matches(".html");
            without.extend(
                found
                    .into_iter()
                    .filter(|item| !item.example)
                    .map(|item| format!("{name}/{path} {}", item.name)),
            );
        }
    }
    if items == 0 {
        bail!("the pages of rustdoc show no public item: has their form changed?");
    }
    if !without.is_empty() {
        bail!(
            "public items without an example:\n  {}",
            without.join("\n  ")
        );
    }
    run::say(&format!("{items} public items have an example each"));
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The pages that the list of all items names, as far as they are of kinds that need examples.
fn pages(all: &str) -> impl Iterator<Item = &str> {
    all.split("<li><a href=\"")
        .skip(1)
        .filter_map(|link| Some(link.split_once('"')?.0))
        .filter(|page| {
            let file = page.rsplit('/').next().unwrap_or(page);
            file.split('.')
                .next()
                .is_some_and(|kind| KINDS.contains(&kind))
        })
}

#[derive(Debug, PartialEq)]
struct Item {
    /// The method; empty for the item that the page is of.
    name: String,
    example: bool,
}

/// The item that a page is of, and its own methods.
fn examples(page: &str) -> Vec<Item> {
    let (_, item) = page.split_once("id=\"main-content\"").unwrap_or_default();
    // Behind its own methods there are those of the traits that it implements, and of what it derefs to.
    let others = [
        "id=\"trait-implementations",
        "id=\"synthetic-implementations",
        "id=\"blanket-implementations",
        "id=\"deref-methods-",
    ];
    let ends = others.iter().filter_map(|id| item.find(id));
    let own = ends.min().map_or(item, |end| &item[..end]);
    let mut sections = own.split("<section id=\"");
    // Before the first section there are fields or variants too, but not for an example: theirs are not the item's.
    let head = sections.next().unwrap_or_default();
    let head = head.split("section-header\"").next().unwrap_or_default();
    let mut found = vec![Item {
        name: String::new(),
        example: has_example(head),
    }];
    for section in sections {
        let id = section.split('"').next().unwrap_or_default();
        let Some((kind @ ("method" | "tymethod"), name)) = id.split_once('.') else {
            continue;
        };
        found.push(Item {
            name: format!("{kind} {name}"),
            example: has_example(section),
        });
    }
    found
}

fn has_example(html: &str) -> bool {
    html.contains("rust-example-rendered")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"<div class="docblock"><pre class="rust rust-example-rendered">"#;

    fn item(name: &str, example: bool) -> Item {
        Item {
            name: name.to_owned(),
            example,
        }
    }

    #[test]
    fn items_and_their_own_methods_are_found() {
        let page = format!(
            r#"<section id="main-content"><h1>Struct Limits</h1>{EXAMPLE}</pre></div><h2 id="implementations" class="section-header">
            <section id="impl-Limits" class="impl">
            <section id="method.new" class="method">{EXAMPLE}</pre></div>
            <section id="method.fuel" class="method"><div class="docblock">Fuel.</div>
            <h2 id="trait-implementations" class="section-header">
            <section id="method.clone" class="method">"#
        );
        assert_eq!(
            examples(&page),
            [
                item("", true),
                item("method new", true),
                item("method fuel", false)
            ]
        );
    }

    #[test]
    fn the_example_of_a_field_is_not_its_type_s() {
        let page = format!(
            r#"<section id="main-content"><h1>Struct Limits</h1><h2 id="fields" class="fields section-header">Fields</h2>{EXAMPLE}"#
        );
        assert_eq!(examples(&page), [item("", false)]);
    }

    #[test]
    fn constants_need_none() {
        let all = r#"<ul><li><a href="limits/struct.Limits.html">limits::Limits</a></li>
            <li><a href="limits/constant.MIB.html">limits::MIB</a></li><li><a href="fn.map.html">map</a></li></ul>"#;
        assert!(pages(all).eq(["limits/struct.Limits.html", "fn.map.html"]));
    }
}
