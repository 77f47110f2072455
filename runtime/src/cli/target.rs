//! Which part of `MODULE[:FUNCTION]` is the module.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::exit::Problem;
use crate::catalogue::Code;

/// A module, and what of it is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, or the folder of the project that makes it.
    pub module: PathBuf,
    /// The function or task, if one is named.
    pub function: Option<String>,
}

/// Splits an argument. `exists` tells whether there is a file or folder of a name; a module of the name `-` is standard
/// input.
///
/// The whole argument if there is one, else the shortest part before a `:` that is one: names of functions may
/// have colons themselves. If there is none, what stands before the first `:`.
///
/// # Errors
/// If either part is empty, or the function's name is not text.
pub fn split(text: &OsStr, exists: impl Fn(&Path) -> bool) -> Result<Target, Problem> {
    let bytes = text.as_bytes();
    let part = |range: &[u8]| PathBuf::from(OsStr::from_bytes(range));
    let colons = || (0..bytes.len()).filter(|at| bytes[*at] == b':');
    let at = if exists(Path::new(text)) {
        None
    } else {
        colons()
            .find(|at| exists(&part(&bytes[..*at])))
            .or_else(|| colons().next())
    };
    let (module, function) = match at {
        None => (bytes, None),
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
    };
    let module = part(module);
    let refused = |message: String| {
        Problem::text(Code::TargetInvalid, message)
            .hint("write MODULE or MODULE:FUNCTION, such as task.wasm:square")
    };
    if module.as_os_str().is_empty() {
        return Err(refused("no module is named".into()));
    }
    let function = match function.map(str::from_utf8) {
        None => None,
        Some(Ok("")) => {
            let module = module.display();
            return Err(refused(format!("no function is named behind `{module}:`")));
        }
        Some(Ok(function)) => Some(function.to_owned()),
        Some(Err(_)) => return Err(refused("the name of a function is UTF-8".into())),
    };
    Ok(Target { module, function })
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
            ("-", "-", None),
            ("-:f", "-", Some("f")),
        ] {
            let expected = Target {
                module: module.into(),
                function: function.map(Into::into),
            };
            let target = split(OsStr::new(text), is_file);
            assert_eq!(target.ok(), Some(expected), "{text}");
        }
        for text in ["", ":f", "a.wasm:", "-:"] {
            let target = split(OsStr::new(text), is_file);
            assert_eq!(target.unwrap_err().code(), Code::TargetInvalid, "{text}");
        }
    }

    #[test]
    fn a_path_need_not_be_text() {
        let odd = |bytes: &'static [u8]| Path::new(OsStr::from_bytes(bytes));
        let split = |bytes| split(OsStr::from_bytes(bytes), |path| path == odd(b"\xff:.wasm"));
        let target = split(b"\xff:.wasm:f").unwrap();
        assert_eq!(target.module, odd(b"\xff:.wasm"));
        assert_eq!(target.function.as_deref(), Some("f"));
        assert!(split(b"a.wasm:\xff").is_err());
    }
}
