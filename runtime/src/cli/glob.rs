//! Patterns of file names, expanded as a shell would: sorted, `*` matches no `/`, and a hidden file only what begins with
//! a dot. `**` is any number of folders.
//!
//! Names need not be text: in a name that is none, each byte that is no UTF-8 counts as one character.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

/// Why a pattern cannot be expanded.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// It is no pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A folder cannot be read.
    #[error("cannot read {}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
}

/// Whether a path is a pattern, where there is no file of that name.
pub fn is_pattern(path: &Path) -> bool {
    has_wildcard(path.as_os_str())
}

fn has_wildcard(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// The paths that a pattern matches, sorted.
///
/// # Errors
/// If it is none, or a folder that it leads to cannot be read.
pub fn expand(pattern: &Path) -> Result<Vec<PathBuf>, GlobError> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = component.as_os_str();
        let mut next = Vec::new();
        for path in &found {
            match component {
                Component::Normal(_) if text == "**" => below(path, &mut next)?,
                Component::Normal(_) if has_wildcard(text) => {
                    let wanted = Pattern::new(&text.to_string_lossy())?;
                    for name in names(path)? {
                        if wanted.matches_with(&name.to_string_lossy(), AS_A_SHELL) {
                            next.push(path.join(name));
                        }
                    }
                }
                // What is below a file is left out when it turns out not to be there.
                _ => next.push(path.join(text)),
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found.sort();
    found.dedup();
    Ok(found)
}

const AS_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The names in a folder; none if it is no folder.
fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, GlobError> {
    let place = match folder == Path::new("") {
        true => Path::new("."),
        false => folder,
    };
    let cannot = |e| GlobError::Folder(place.to_owned(), e);
    match place.read_dir() {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name()).map_err(cannot))
            .collect(),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        Err(e) => Err(cannot(e)),
    }
}

/// A folder and all folders below it, but hidden ones and links.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), GlobError> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for name in names(&folder)? {
            let path = folder.join(&name);
            let is_folder = path.symlink_metadata().is_ok_and(|data| data.is_dir());
            if is_folder && !name.as_bytes().starts_with(b".") {
                waiting.push(path);
            }
        }
        found.push(folder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn patterns_are_expanded_as_in_a_shell() {
        let dir = std::env::temp_dir().join(format!("wasmpool-glob-{}", std::process::id()));
        let odd = OsStr::from_bytes(b"x\xff.txt");
        let odd_folder = OsStr::from_bytes(b"p\xfe");
        for folder in [OsStr::new("a/b"), OsStr::new(".hidden"), odd_folder] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        for name in [
            "2.txt",
            "1.txt",
            ".h.txt",
            "n.md",
            "a/3.txt",
            "a/b/4.txt",
            ".hidden/5.txt",
        ] {
            fs::write(dir.join(name), "").unwrap();
        }
        fs::write(dir.join(odd), "").unwrap();
        fs::write(dir.join(odd_folder).join("6.md"), "").unwrap();
        let check = |pattern: &OsStr, expected: &[&OsStr]| {
            let found = expand(&dir.join(pattern)).unwrap();
            let expected: Vec<_> = expected.iter().map(|name| dir.join(name)).collect();
            assert_eq!(found, expected, "{pattern:?}");
        };
        let text = OsStr::new;
        check(text("*.txt"), &[text("1.txt"), text("2.txt"), odd]);
        check(text("x?.txt"), &[odd]);
        check(text("[1]*"), &[text("1.txt")]);
        check(text(".*.txt"), &[text(".h.txt")]);
        check(text("*/*.txt"), &[text("a/3.txt")]);
        check(text("a/*/4.txt"), &[text("a/b/4.txt")]);
        check(text("*/4.txt"), &[]);
        check(text("n.md/*"), &[]);
        check(text("none/*"), &[]);
        check(text("**/[34].txt"), &[text("a/3.txt"), text("a/b/4.txt")]);
        let below = Path::new(odd_folder).join("*");
        let found = Path::new(odd_folder).join("6.md");
        check(below.as_os_str(), &[found.as_os_str()]);
        assert!(matches!(expand(&dir.join("[")), Err(GlobError::Pattern(_))));
        fs::remove_dir_all(&dir).unwrap();
    }
}
