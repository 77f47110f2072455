//! A file an item, in a directory.
//!
//! Names come from the names of input files or from indices, never from guests, and are single components: nothing is
//! written outside the directory. A file appears whole or not at all; one that is there already is replaced.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::Format;
use super::exit::Problem;
use super::input;
use super::items::Items;
use crate::catalogue::Code;

/// Where results are written to.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    naming: Naming,
}

#[derive(Debug)]
enum Naming {
    /// By the index, with this extension.
    Index(String),
    /// By these names.
    Given(Vec<OsString>),
}

impl Directory {
    /// Makes the directory if it is missing, and chooses the names.
    ///
    /// # Errors
    /// If it cannot be made, or if a result would take the place of an input file.
    pub fn new(
        path: &Path,
        items: &Items,
        format: Format,
        extension: Option<&str>,
    ) -> Result<Self, Problem> {
        let trouble = |e: io::Error| {
            let what = format!("cannot write to the directory {}", path.display());
            Problem::doing(Code::OutputRefused, what, e)
        };
        fs::create_dir_all(path).map_err(trouble)?;
        let path = path.canonicalize().map_err(trouble)?;
        let ending = match (extension, format) {
            (Some(extension), _) => Ending::Replaced(extension),
            (None, Format::Values | Format::Records) => Ending::Added("json"),
            (None, Format::Raw) => Ending::Kept,
        };
        let naming = match items {
            Items::Files(files) => {
                let names = names(files, ending);
                let inputs = inputs_inside(&path, files);
                if let Some(name) = names.iter().find(|name| inputs.contains(*name)) {
                    return Err(Problem::text(
                        Code::OutputRefused,
                        format!(
                            "the results would replace the input {}",
                            path.join(name).display()
                        ),
                    )
                    .hint("give another directory with --output-dir"));
                }
                Naming::Given(names)
            }
            Items::Arguments(_) | Items::Rows(_) | Items::Lines { .. } => {
                Naming::Index(match ending {
                    Ending::Kept => "bin".into(),
                    Ending::Added(extension) | Ending::Replaced(extension) => extension.into(),
                })
            }
        };
        Ok(Directory { path, naming })
    }

    /// Writes what is to be kept of an item.
    pub fn write(&self, index: u64, data: &[u8]) -> io::Result<()> {
        let name = match &self.naming {
            Naming::Index(extension) => format!("{index}.{extension}").into(),
            Naming::Given(names) => usize::try_from(index)
                .ok()
                .and_then(|at| names.get(at))
                .cloned()
                .ok_or_else(|| io::Error::other("an item that was not given"))?,
        };
        let temporary = Temporary::create(&self.path)?;
        (&temporary.file).write_all(data)?;
        temporary.rename(&self.path.join(name))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that is removed unless it gets its name.
struct Temporary {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Temporary {
    fn create(dir: &Path) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let path = dir.join(format!(".wasmpool-{}-{tries}", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => {
                    return Ok(Temporary {
                        path,
                        file,
                        kept: false,
                    });
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < 100 => tries += 1,
                Err(e) => return Err(e),
            }
        }
    }

    fn rename(mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What becomes of a name's end.
#[derive(Clone, Copy)]
enum Ending<'a> {
    /// It stays.
    Kept,
    /// This extension stands behind it.
    Added(&'a str),
    /// This extension stands in the place of its own.
    Replaced(&'a str),
}

/// A name for every file, each once. Depends on nothing but the files, so that a second run writes the same names.
fn names(files: &[PathBuf], ending: Ending<'_>) -> Vec<OsString> {
    let mut taken = HashSet::new();
    // The number from which to go on looking: many files may share a name.
    let mut copies: HashMap<&OsStr, u32> = HashMap::new();
    files
        .iter()
        .map(|file| {
            let name = match ending {
                _ if input::is_stdin(file) => Some(OsStr::new("stdin")),
                Ending::Replaced(_) => file.file_stem(),
                Ending::Kept | Ending::Added(_) => file.file_name(),
            };
            let base = name.unwrap_or(OsStr::new("item"));
            let mut name = named(base, None, ending);
            let copy = copies.entry(base).or_insert(1);
            while !taken.insert(name.clone()) {
                *copy += 1;
                name = named(base, Some(*copy), ending);
            }
            name
        })
        .collect()
}

fn named(base: &OsStr, copy: Option<u32>, ending: Ending<'_>) -> OsString {
    let mut name = base.to_owned();
    if let Some(copy) = copy {
        name.push(format!("-{copy}"));
    }
    if let Ending::Added(extension) | Ending::Replaced(extension) = ending {
        name.push(format!(".{extension}"));
    }
    name
}

/// The names of those files that lie in a directory.
fn inputs_inside(dir: &Path, files: &[PathBuf]) -> HashSet<OsString> {
    let (mut inside, mut outside) = (HashSet::new(), HashSet::new());
    let mut names = HashSet::new();
    for file in files {
        let parent = match file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        if !inside.contains(parent) && !outside.contains(parent) {
            match parent.canonicalize() {
                Ok(found) if found == dir => inside.insert(parent),
                _ => outside.insert(parent),
            };
        }
        if inside.contains(parent) {
            names.extend(file.file_name().map(OsStr::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[&str], ending: Ending<'_>, expected: &[&str]) {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        assert_eq!(names(&files, ending), expected);
    }

    #[test]
    fn names_are_single_components_and_each_there_once() {
        let json = Ending::Added("json");
        check(&["a/x.txt", "y"], json, &["x.txt.json", "y.json"]);
        check(
            &["a/x", "b/x", "c/x"],
            json,
            &["x.json", "x-2.json", "x-3.json"],
        );
        check(&["a/x", "b/x-2", "c/x"], Ending::Kept, &["x", "x-2", "x-3"]);
        check(
            &["a/x.jpg", "x.png", "y", ".hidden", ".."],
            Ending::Replaced("png"),
            &["x.png", "x-2.png", "y.png", ".hidden.png", "item.png"],
        );
        check(
            &["..", "/", "../../etc/passwd"],
            json,
            &["item.json", "item-2.json", "passwd.json"],
        );
    }

    #[test]
    fn files_are_whole_and_inputs_are_safe() {
        let dir = std::env::temp_dir().join(format!("wasmpool-output-{}", std::process::id()));
        fs::create_dir_all(dir.join("in")).unwrap();
        let input = dir.join("in/x.txt");
        fs::write(&input, "input").unwrap();
        let items = || Items::Files([input.clone()].into());
        let clash = Directory::new(&dir.join("in/../in"), &items(), Format::Raw, None).unwrap_err();
        assert_eq!(clash.exit(), super::super::exit::USAGE);

        let beside = Directory::new(&dir.join("in"), &items(), Format::Values, None).unwrap();
        beside.write(0, b"1\n").unwrap();
        beside.write(0, b"2\n").unwrap();
        assert!(beside.write(1, b"3\n").is_err());
        assert_eq!(fs::read(dir.join("in/x.txt.json")).unwrap(), b"2\n");
        assert_eq!(fs::read(&input).unwrap(), b"input");

        let numbered = Items::Arguments([String::from("7")].into());
        let out = Directory::new(&dir.join("new/out"), &numbered, Format::Raw, None).unwrap();
        out.write(12, b"\xff").unwrap();
        let all: Vec<_> = fs::read_dir(out.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(all, ["12.bin"]);
        fs::remove_dir_all(&dir).unwrap();
    }
}
