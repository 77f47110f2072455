//! Which part of `MODULE[:FUNCTION]` is the module.

use std::path::{Path, PathBuf};

/// A module, and what of it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, or the folder of the project that makes it.
    pub module: PathBuf,
    /// The function or task, if one is named.
    pub function: Option<String>,
}

/// Splits an argument. `exists` tells whether there is a file or folder of a name.
///
/// The whole argument if there is one, else the shortest part before a `:` that is one: names of functions may
/// have colons themselves. If there is none, what stands before the first `:`.
///
/// # Errors
/// If the module is standard input, or either part is empty.
pub fn split(text: &str, exists: impl Fn(&Path) -> bool) -> Result<Target, String> {
    let colons = || text.match_indices(':').map(|(at, _)| at);
    let at = if exists(Path::new(text)) {
        None
    } else {
        colons()
            .find(|at| exists(Path::new(&text[..*at])))
            .or_else(|| colons().next())
    };
    let (module, function) = match at {
        None => (text, None),
        Some(at) => (&text[..at], Some(&text[at + 1..])),
    };
    match (module, function) {
        ("-", _) => Err("a module cannot be read from standard input".into()),
        ("", _) => Err("no module is named".into()),
        (_, Some("")) => Err(format!("no function is named behind `{module}:`")),
        (module, function) => Ok(Target {
            module: module.into(),
            function: function.map(Into::into),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_file_that_exists() {
        let files = ["a.wasm", "dir/b.wasm", "odd:name.wasm", "odd:name.wasm:f"];
        let is_file = |path: &Path| files.iter().any(|f| Path::new(f) == path);
        for (text, module, function) in [
            ("a.wasm", "a.wasm", None),
            ("a.wasm:square", "a.wasm", Some("square")),
            (
                "dir/b.wasm:local:demo/api@1.0.0#square",
                "dir/b.wasm",
                Some("local:demo/api@1.0.0#square"),
            ),
            ("odd:name.wasm", "odd:name.wasm", None),
            ("odd:name.wasm:g", "odd:name.wasm", Some("g")),
            ("odd:name.wasm:f", "odd:name.wasm:f", None),
            ("missing.wasm:f:g", "missing.wasm", Some("f:g")),
            ("missing.wasm", "missing.wasm", None),
        ] {
            let expected = Target {
                module: module.into(),
                function: function.map(Into::into),
            };
            assert_eq!(split(text, is_file), Ok(expected), "{text}");
        }
        for text in ["", ":f", "-", "-:f", "a.wasm:"] {
            assert!(split(text, is_file).is_err(), "{text}");
        }
    }
}
