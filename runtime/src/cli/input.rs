//! Files that are read as a whole, and so are bounded; `-` is standard input.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::exit::Problem;
use super::values::show_size;
use crate::catalogue::Code;

/// Whether a path means standard input. A file of the name `-` is `./-`.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdin")
}

/// What a path is called in messages.
pub fn name(path: &Path) -> &Path {
    match is_stdin(path) {
        true => Path::new("standard input"),
        false => path,
    }
}

/// The bytes of a file: one more than `most` if there are too many.
///
/// # Errors
/// If it cannot be read.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = most.saturating_add(1);
    match is_stdin(path) {
        true => io::stdin().lock().take(most).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// If it cannot be read, is larger, or is not UTF-8.
pub fn text(path: &Path, most: u64) -> Result<String, Problem> {
    as_text(bytes(path, most), path, most)
}

/// The same of a file that is open already.
///
/// # Errors
/// As [`text`].
pub fn text_of(file: &File, path: &Path, most: u64) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
    as_text(read.map(|_| bytes), path, most)
}

/// Opens a file, and never waits for the other side of a pipe.
///
/// # Errors
/// If it cannot be opened.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path)
}

fn as_text(bytes: io::Result<Vec<u8>>, path: &Path, most: u64) -> Result<String, Problem> {
    let shown = name(path).display();
    let bytes = bytes.map_err(|e| Problem::unreadable(name(path), e))?;
    if bytes.len() as u64 > most {
        let message = format!("{shown} has more than {}", show_size(most));
        return Err(Problem::text(Code::InputTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|e| {
        let doing = format!("cannot read {shown}");
        Problem::doing(Code::InputUnreadable, doing, e.utf8_error())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_text() {
        let path = std::env::temp_dir().join(format!("wasmpool-input-{}", std::process::id()));
        std::fs::write(&path, "four").unwrap();
        assert_eq!(text(&path, 4).unwrap(), "four");
        assert_eq!(text(&path, 3).unwrap_err().code(), Code::InputTooLarge);
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(text(&path, 4).unwrap_err().code(), Code::InputUnreadable);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text(&path, 4).unwrap_err().code(), Code::InputUnreadable);
        let endless = Path::new("/dev/zero");
        assert_eq!(text(endless, 99).unwrap_err().code(), Code::InputTooLarge);
    }
}
