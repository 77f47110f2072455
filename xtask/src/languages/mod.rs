//! `cargo xtask languages`: guests in languages other than Rust, and programs of others.
//!
//! Owns the list of the guests. Everything that is made lies in `<target>/languages`; the modules are put beside those of
//! [`crate::guests`]. A language whose tools cannot be had here is skipped, and the reason is said and written to
//! `NAME.skipped` beside the modules, where the tests find it.

mod compile;
mod programs;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use self::tools::Tools;
pub use self::tools::{installed, works};
use crate::project::Project;
use crate::run;

/// What guests can be written in, besides Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    C,
    Go,
    JavaScript,
    Python,
    Zig,
}

impl Language {
    const ALL: [Self; 5] = [Self::C, Self::Go, Self::JavaScript, Self::Python, Self::Zig];

    fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Zig => "zig",
        }
    }
}

/// One guest.
#[derive(Debug)]
struct Guest {
    /// Its module, without `.wasm`.
    name: &'static str,
    language: Language,
    /// Its one source file, from the workspace's top folder.
    source: &'static str,
    /// Its world; none of a program, which is a WASI command.
    world: Option<World>,
}

/// A world.
#[derive(Clone, Copy, Debug)]
struct World {
    /// The folder with its WIT.
    wit: &'static str,
    name: &'static str,
}

const fn task(name: &'static str, language: Language, source: &'static str) -> Guest {
    Guest {
        name,
        language,
        source,
        world: Some(World {
            wit: "examples/wit",
            name: "languages",
        }),
    }
}

const fn types(name: &'static str, language: Language, source: &'static str) -> Guest {
    Guest {
        name,
        language,
        source,
        world: Some(World {
            wit: "tests/guests/types/wit",
            name: "types",
        }),
    }
}

const fn guide(
    name: &'static str,
    language: Language,
    source: &'static str,
    world: &'static str,
) -> Guest {
    Guest {
        name,
        language,
        source,
        world: Some(World {
            wit: "examples/guide/wit",
            name: world,
        }),
    }
}

const GUESTS: [Guest; 9] = [
    Guest {
        name: "lang-go",
        language: Language::Go,
        source: "examples/go/main.go",
        world: None,
    },
    task("lang-c", Language::C, "examples/c/guest.c"),
    task("lang-zig", Language::Zig, "examples/zig/guest.zig"),
    task(
        "lang-javascript",
        Language::JavaScript,
        "examples/javascript/guest.js",
    ),
    task("lang-python", Language::Python, "examples/python/guest.py"),
    types(
        "types-javascript",
        Language::JavaScript,
        "tests/guests/types/types.js",
    ),
    types(
        "types-python",
        Language::Python,
        "tests/guests/types/types_guest.py",
    ),
    guide(
        "guide-python",
        Language::Python,
        "examples/guide/guest.py",
        "guide",
    ),
    guide(
        "guide-javascript",
        Language::JavaScript,
        "examples/guide/tasks.js",
        "tasks",
    ),
];

/// What came of it, by file name.
#[derive(Debug, Default)]
pub struct Built {
    /// The modules that are there.
    pub built: BTreeSet<String>,
    /// Those whose tools cannot be had.
    pub skipped: BTreeSet<String>,
}

fn folder_of_tools(project: &Project) -> PathBuf {
    project.target.join("languages")
}

/// Where Zig keeps what it has compiled: above all the C library, which takes half a minute.
pub fn zig_cache(project: &Project) -> PathBuf {
    folder_of_tools(project).join("zig-cache")
}

/// Sets up the tools of each language and builds its guests into `folder`. `names` are those of the languages; none
/// means all. What is newer than all that it was made of is left as it is.
///
/// # Errors
/// When there is no such language, or a guest does not compile. Tools that cannot be had are no error.
pub fn build(project: &Project, folder: &Path, names: &[String]) -> Result<Built> {
    let wanted = chosen(names)?;
    let work = folder_of_tools(project);
    for needed in [folder, &work] {
        fs::create_dir_all(needed)
            .with_context(|| format!("cannot create {}", needed.display()))?;
    }
    let lock = File::create(work.join("lock")).context("cannot create the lock of languages")?;
    lock.lock().context("cannot lock the languages' tools")?;

    let mut result = Built::default();
    let mut tools: BTreeMap<Language, Result<Tools, String>> = BTreeMap::new();
    for guest in GUESTS.iter().filter(|g| wanted.contains(&g.language)) {
        let tools = tools.entry(guest.language).or_insert_with(|| {
            tools::set_up(project, &work, guest.language).map_err(|error| format!("{error:#}"))
        });
        let tools = tools.as_ref().map_err(String::clone);
        publish_or_skip(folder, guest.name, tools, &mut result, |tools, module| {
            if is_fresh(project, guest, module) {
                return Ok(());
            }
            compile::compile(project, &work, tools, guest, module)
                .with_context(|| format!("cannot build {}", guest.source))
        })?;
    }
    if names.is_empty() || names.iter().any(|name| name == programs::NAME) {
        programs::build(project, &work, folder, &mut result)?;
    }
    run::say(&format!(
        "{} guests in languages other than Rust and programs, {} skipped",
        result.built.len(),
        result.skipped.len()
    ));
    Ok(result)
}

/// Makes a module, if its tools could be had; else takes away an older one, and writes down why.
fn publish_or_skip<T>(
    folder: &Path,
    name: &str,
    tools: Result<T, String>,
    result: &mut Built,
    make: impl FnOnce(&T, &Path) -> Result<()>,
) -> Result<()> {
    let file = format!("{name}.wasm");
    let module = folder.join(&file);
    let note = module.with_extension("skipped");
    match tools {
        Ok(tools) => {
            make(&tools, &module)?;
            remove(&note)?;
            result.built.insert(file);
        }
        Err(reason) => {
            eprintln!("warning: {file} is SKIPPED: {reason}");
            remove(&module)?;
            fs::write(&note, reason).with_context(|| format!("cannot write {}", note.display()))?;
            result.skipped.insert(file);
        }
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<Language>> {
    if names.is_empty() {
        return Ok(Language::ALL.to_vec());
    }
    let find = |name: &String| {
        let found = Language::ALL.into_iter().find(|l| l.name() == name);
        let Some(found) = found else {
            let known = Language::ALL.map(Language::name).join(", ");
            bail!(
                "there is no language `{name}`; these are: {known}, and {}",
                programs::NAME
            );
        };
        Ok(found)
    };
    let languages = names.iter().filter(|name| *name != programs::NAME);
    languages.map(find).collect()
}

/// Whether the module is newer than all that it was made of: its source, the WIT, and this program, which says how.
fn is_fresh(project: &Project, guest: &Guest, module: &Path) -> bool {
    let newest = || -> Result<SystemTime> {
        let mut inputs = vec![project.root.join(guest.source), std::env::current_exe()?];
        for folder in guest.world.iter().flat_map(|w| [w.wit, compile::TASK_WIT]) {
            inputs.extend(compile::wit_files(&project.root.join(folder))?);
        }
        let times = inputs.iter().map(|path| Ok(path.metadata()?.modified()?));
        let times: Result<Vec<SystemTime>> = times.collect();
        Ok(times?.into_iter().max().unwrap_or_else(SystemTime::now))
    };
    let made = module.metadata().and_then(|data| data.modified());
    matches!((made, newest()), (Ok(made), Ok(newest)) if made > newest)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_their_names() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(chosen(&[]).unwrap(), Language::ALL);
        let two = chosen(&names(&["zig", "c"])).unwrap();
        assert_eq!(two, [Language::Zig, Language::C]);
        let error = chosen(&names(&["cobol"])).unwrap_err().to_string();
        assert!(
            error.contains("`cobol`") && error.contains("python"),
            "{error}"
        );
    }

    #[test]
    fn every_guest_has_its_source_and_its_world() {
        let project = Project::load().unwrap();
        for guest in &GUESTS {
            assert!(project.root.join(guest.source).is_file(), "{guest:?}");
            if let Some(world) = guest.world {
                let wit = project.root.join(world.wit).join("world.wit");
                let text = fs::read_to_string(wit).unwrap();
                let opens = format!("world {} {{", world.name);
                assert!(text.contains(&opens), "{guest:?}");
            }
            assert!(!is_fresh(&project, guest, Path::new("/nonexistent")));
        }
    }
}
