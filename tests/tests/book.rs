//! The book as a site: no link in it is dead, and in a browser no page complains or asks for what is not in the site.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use wasmpool_tests::pages::chapters;
use wasmpool_tests::{Browser, Look, Suite, browser, root};

fn main() -> ExitCode {
    let both = rendered().and(browser()).map(drop);
    Suite::new()
        .where_possible("every_chapter_is_in_it", rendered().map(drop), all_there)
        .where_possible("links_lead_somewhere", rendered().map(drop), links)
        .where_possible("pages_load_nothing_from_outside", both.clone(), sound)
        .where_possible("what_is_searched_is_found", both, search)
        .test("the_checks_find_what_they_look_for", the_checks_find)
        .run()
}

/// The folder of the site, or why there is none.
fn rendered() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let folders = this.ancestors().map(|folder| folder.join("book"));
    let found = folders.into_iter().find(|f| f.join("index.html").is_file());
    found.ok_or_else(|| "no book: `cargo xtask book` renders it".into())
}

fn site() -> PathBuf {
    rendered().expect("only run with one")
}

/// The pages, as paths in the site.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for path in next
            .read_dir()
            .expect("a folder")
            .flatten()
            .map(|e| e.path())
        {
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|e| e == "html") {
                found.push(path.strip_prefix(folder).expect("below it").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Not for reading by themselves: the table of contents for those without scripts, and what a server shows for a page
/// that is not there, whose links are meant from its top.
const ASIDE: [&str; 2] = ["toc.html", "404.html"];

fn all_there() {
    let pages: BTreeSet<PathBuf> = pages(&site()).into_iter().collect();
    let source = root().join("docs/src");
    let summary = fs::read_to_string(source.join("SUMMARY.md")).expect("a summary");
    for chapter in chapters() {
        let path = chapter.strip_prefix(&source).expect("a chapter");
        let listed = format!("({})", path.display());
        assert!(summary.contains(&listed), "SUMMARY.md leaves {listed} out");
        let page = path.with_extension("html");
        assert!(pages.contains(&page), "{}: render again", page.display());
        let made = site().join(&page).metadata().and_then(|m| m.modified());
        let written = chapter.metadata().and_then(|m| m.modified());
        let fresh = matches!((made, written), (Ok(made), Ok(written)) if made >= written);
        assert!(fresh, "{} has changed: `cargo xtask book`", path.display());
    }
}

/// The values of attributes of this name.
fn values<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let begin = format!(" {name}=\"");
    let parts = page.split(&begin).skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

/// Links of a page that lead nowhere: to files that are not there, or places that the page has not.
fn dead(
    folder: &Path,
    page: &Path,
    text: &str,
    places: &HashMap<PathBuf, BTreeSet<String>>,
) -> Vec<String> {
    let mut dead = Vec::new();
    for link in [values(text, "href"), values(text, "src")].concat() {
        let outside = ["https://", "http://", "data:", "mailto:"];
        if outside.iter().any(|start| link.starts_with(start)) {
            continue;
        }
        let (path, place) = link.split_once('#').unwrap_or((link, ""));
        let file = match path {
            "" => folder.join(page),
            path => folder.join(page).with_file_name("").join(path),
        };
        let Ok(file) = file.canonicalize() else {
            dead.push(format!("{}: {link}", page.display()));
            continue;
        };
        let own = file
            .strip_prefix(folder)
            .ok()
            .and_then(|file| places.get(file));
        if !place.is_empty() && !own.is_some_and(|places| places.contains(place)) {
            dead.push(format!("{}: {link}", page.display()));
        }
    }
    dead
}

fn links() {
    let folder = site().canonicalize().expect("it is there");
    let mut texts = HashMap::new();
    for page in pages(&folder) {
        let text = fs::read_to_string(folder.join(&page)).expect("a page");
        texts.insert(page, text);
    }
    let places = |text: &String| values(text, "id").into_iter().map(str::to_owned).collect();
    let places = texts
        .iter()
        .map(|(page, text)| (page.clone(), places(text)));
    let places: HashMap<_, _> = places.collect();
    let mut found = Vec::new();
    for (page, text) in &texts {
        if !ASIDE.iter().any(|aside| page == Path::new(aside)) {
            found.extend(dead(&folder, page, text, &places));
        }
    }
    assert!(texts.len() > 15);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn sound() {
    let folder = site().canonicalize().expect("it is there");
    let top = format!("file://{}/", folder.display());
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book");
    let mut browser = Browser::start(&browser().expect("only run with one"));
    for page in pages(&folder) {
        if ASIDE.iter().any(|aside| page == Path::new(aside)) || page.ends_with("print.html") {
            continue;
        }
        let url = format!("{top}{}", page.display());
        let looks: &[(Look, &str)] = match page.to_str() {
            Some("tutorial.html") => &[
                (Look::DESK, "light"),
                (Look::DARK, "dark"),
                (Look::NARROW, "narrow"),
            ],
            _ => &[(Look::DESK, "light")],
        };
        for (look, called) in looks {
            let mut shown = browser.open(&url, *look);
            assert_eq!(shown.complaints(), [] as [String; 0], "{url}");
            let outside: Vec<_> = shown
                .requests()
                .iter()
                .filter(|r| !r.starts_with(&top))
                .collect();
            assert!(outside.is_empty(), "{url}: {outside:?}");
            let title = shown.value("document.querySelector('main h1').innerText");
            assert!(
                title.as_str().is_some_and(|title| !title.is_empty()),
                "{url}"
            );
            if looks.len() > 1 {
                shown.picture(&pictures.join(format!("tutorial-{called}.png")), false);
            }
        }
    }
}

fn search() {
    let url = format!("file://{}/index.html", site().display());
    let mut browser = Browser::start(&browser().expect("only run with one"));
    let mut page = browser.open(&url, Look::DESK);
    page.press("s");
    for key in "worker-lost".chars() {
        page.press(&key.to_string());
    }
    // The index is read when it is first asked for.
    let found = page.value(
        "new Promise(done => { const look = () => {
        const links = [...document.querySelectorAll('#mdbook-searchresults a, #searchresults a')].map(a => a.href);
        if (links.length) done(links.join(' ')); else setTimeout(look, 20) }; look() })",
    );
    let found = found.as_str().expect("links").to_owned();
    assert!(found.contains("reference/failures.html"), "{found}");
    assert_eq!(page.complaints(), [] as [String; 0]);
}

fn the_checks_find() {
    let folder = root().join("docs").canonicalize().expect("it is there");
    let page = Path::new("src/x.html");
    let places = HashMap::from([
        (page.to_owned(), BTreeSet::from(["here".to_owned()])),
        (PathBuf::from("book.toml"), BTreeSet::from(["a".to_owned()])),
    ]);
    fs::metadata(folder.join("book.toml")).expect("a file to link to");
    let check = |text: &str| dead(&folder, page, text, &places).len();
    assert_eq!(
        check("<a href=\"../book.toml\"> <a href=\"../book.toml#a\"> <a href=\"https://x\">"),
        0
    );
    assert_eq!(
        check("<a href=\"../book.toml#b\"> <img src=\"none.png\">"),
        2
    );
    assert_eq!(
        values("<a id=\"b\" href=\"c\"><p id=\"d\">", "id"),
        ["b", "d"]
    );
}
