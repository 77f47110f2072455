//! What a misspelt name was meant to be. Pure but for reading a folder's names.

use std::io;
use std::path::Path;

use crate::text::nearest;

/// Names of a folder that are looked at, at most.
const LOOKED_AT: usize = 10_000;
/// What names of modules end with, and is left out first.
const ENDINGS: [&str; 2] = [".wasm", ".wat"];

/// The name that is spelled most like `wanted` and is another, if one is near.
pub fn name<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let others = names.into_iter().filter(|name| *name != wanted);
    let others: Vec<_> = others.collect();
    nearest(wanted, &others).map(|place| others[place])
}

/// The same as a question.
pub fn question<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    name(wanted, names).map(|name| format!("did you mean `{name}`?"))
}

/// A question for the name in the same folder that is spelled most like a path's last part, where an error says that there
/// is no such file.
pub fn file(path: &Path, error: &io::Error) -> Option<String> {
    if error.kind() != io::ErrorKind::NotFound {
        return None;
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let wanted = path.file_name()?.to_str()?;
    let entries = folder.read_dir().ok()?.take(LOOKED_AT).flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let names = || names.iter().map(String::as_str);
    let ending = |name: &&str| {
        let ending = name.strip_prefix(wanted);
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
    };
    let found = names().find(ending).or_else(|| name(wanted, names()))?;
    Some(format!(
        "did you mean `{}`?",
        path.with_file_name(found).display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_missing_is_guessed() {
        let dir = std::env::temp_dir().join(format!("wasmpool-nearest-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("task.wasm"), "").unwrap();
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let guess = file(&dir.join("tsak.wasm"), &missing).unwrap();
        assert!(guess.ends_with("/task.wasm`?"), "{guess}");
        assert_eq!(file(&dir.join("tsak.wasm"), &denied), None);
        // Far, but for the ending that was left out.
        std::fs::write(dir.join("t.wasm"), "").unwrap();
        let guess = file(&dir.join("t"), &missing).unwrap();
        assert!(guess.ends_with("/t.wasm`?"), "{guess}");
        assert_eq!(file(&dir.join("other"), &missing), None);
        assert_eq!(file(&dir.join("gone/task.wasm"), &missing), None);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
