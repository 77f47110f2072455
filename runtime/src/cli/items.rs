//! Where items come from. Read as the job takes them: an endless input takes constant memory.
//!
//! Payloads are passed on as they are; whether a line is valid JSON or UTF-8 is for the worker to say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::csv::Table;
use super::exit::Problem;
use super::glob::{self, GlobError};
use super::input;
use super::json::is_json;
use super::names::{LineNumbers, Names};
use super::values::show_size;
use crate::catalogue::Code;
use crate::encoding::Encoding;
use crate::ipc::manifest::Function;
use crate::pool::{Feeder, Payload};

/// Bytes of a line, and of standard input as an item, at most. A longer one is an item that fails.
const MAX_LINE_BYTES: usize = 256 << 20;
/// Bytes read at a time.
const READ_BYTES: usize = 128 << 10;
/// Lines larger than this are passed on in the buffer they were read to; smaller ones are copied out of it.
const KEPT_BYTES: usize = 64 << 10;

/// What takes items: the way into a job.
pub trait Sink {
    /// Takes an item; false if no more are wanted.
    fn push(&mut self, item: Payload) -> bool;
    /// Takes the reason why an item cannot be had; false if no more are wanted.
    fn push_failed(&mut self, message: String) -> bool;
}

impl Sink for Feeder {
    fn push(&mut self, item: Payload) -> bool {
        Feeder::push(self, item)
    }
    fn push_failed(&mut self, message: String) -> bool {
        Feeder::push_failed(self, message)
    }
}

/// The items of a job.
#[derive(Debug)]
pub enum Items {
    /// Arguments.
    Arguments(Arc<[String]>),
    /// Files, each an item.
    Files(Arc<[PathBuf]>),
    /// Rows of a table.
    Rows(Table),
    /// Lines of a file, or of standard input.
    Lines {
        /// What is read.
        input: File,
        /// What it is called.
        name: String,
        /// Whether lines are JSON texts; else each is a string.
        json: bool,
        /// Where the items stand in it.
        numbers: Arc<LineNumbers>,
    },
}

impl Items {
    /// The lines of a file, which is opened now; `-` is standard input.
    pub fn lines(path: &Path, json: bool) -> Result<Self, Problem> {
        let (input, name) = open_input(path)?;
        Ok(Items::Lines {
            input,
            name,
            json,
            numbers: Arc::default(),
        })
    }

    /// Files by their paths, and by globs, which are expanded now, each in sorted order. No file is opened.
    pub fn files(patterns: &[PathBuf]) -> Result<Self, Problem> {
        // Among others a folder is an item that fails, as where a shell's `*` has met one.
        if let [path] = patterns
            && path.is_dir()
        {
            let error = io::Error::from(io::ErrorKind::IsADirectory);
            let all = |pattern| path.join(pattern).display().to_string();
            return Err(Problem::unreadable(path, error).hint(format!(
                "write \"{}\" for the files in it, \"{}\" for those in folders below it too",
                all("*"),
                all("**/*")
            )));
        }
        let mut files = Vec::new();
        for pattern in patterns {
            expand(pattern, &mut files)?;
        }
        Ok(Items::Files(files.into()))
    }

    /// How many there are, if that is known.
    pub fn total(&self) -> Option<u64> {
        match self {
            Items::Arguments(items) => Some(items.len() as u64),
            Items::Files(files) => Some(files.len() as u64),
            Items::Rows(_) | Items::Lines { .. } => None,
        }
    }

    /// How they are encoded.
    pub fn encoding(&self) -> Encoding {
        match self {
            Items::Arguments(_) | Items::Rows(_) | Items::Lines { json: true, .. } => {
                Encoding::Json
            }
            Items::Files(_) | Items::Lines { json: false, .. } => Encoding::Raw,
        }
    }

    /// Their names.
    pub fn names(&self) -> Names {
        match self {
            Items::Arguments(items) => Names::Arguments(items.clone()),
            Items::Files(files) => Names::Files(files.clone()),
            Items::Rows(table) => Names::Lines(table.numbers.clone()),
            Items::Lines { numbers, .. } => Names::Lines(numbers.clone()),
        }
    }

    /// Fits rows to the parameters of the function; of a task nothing is known. Other items are what they are.
    ///
    /// # Errors
    /// If columns are not the function's parameters.
    pub fn fit(&mut self, function: Option<&Function>) -> Result<(), Problem> {
        match self {
            Items::Rows(table) => table.fit(function),
            Items::Arguments(_) | Items::Files(_) | Items::Lines { .. } => Ok(()),
        }
    }

    /// Passes on all items, until no more are wanted.
    ///
    /// # Errors
    /// If the input cannot be read any further.
    pub fn feed(self, sink: &mut impl Sink) -> Result<(), Problem> {
        match self {
            Items::Arguments(items) => {
                for item in items.iter() {
                    if !sink.push(Payload::Bytes(argument(item))) {
                        break;
                    }
                }
                Ok(())
            }
            Items::Files(files) => {
                for path in files.iter() {
                    let more = match payload(path) {
                        Ok(payload) => sink.push(payload),
                        Err(e) => sink.push_failed(format!("cannot read the file: {e}")),
                    };
                    if !more {
                        break;
                    }
                }
                Ok(())
            }
            Items::Rows(table) => table.feed(sink),
            Items::Lines {
                input,
                name,
                json,
                numbers,
            } => {
                let reader = BufReader::with_capacity(READ_BYTES, input);
                feed_lines(reader, json, &numbers, MAX_LINE_BYTES, sink).map_err(|e| {
                    let doing = format!("cannot read on from {name}");
                    Problem::doing(Code::InputUnreadable, doing, e)
                })
            }
        }
    }
}

/// A file that items are read from, and what it is called; `-` is standard input.
pub fn open_input(path: &Path) -> Result<(File, String), Problem> {
    let opened = match input::is_stdin(path) {
        true => io::stdin().as_fd().try_clone_to_owned().map(File::from),
        false => File::open(path),
    };
    let opened = opened.and_then(|file| match file.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(file),
    });
    match opened {
        Ok(file) => Ok((file, input::name(path).display().to_string())),
        Err(e) => Err(Problem::unreadable(input::name(path), e)),
    }
}

/// A JSON text as it is; anything else becomes a JSON string.
pub fn argument(text: &str) -> Vec<u8> {
    if is_json(text) {
        text.into()
    } else {
        serde_json::Value::from(text).to_string().into_bytes()
    }
}

fn feed_lines(
    mut reader: impl BufRead,
    json: bool,
    numbers: &LineNumbers,
    max: usize,
    sink: &mut impl Sink,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let (mut index, mut number, mut skipped) = (0u64, 0u64, false);
    loop {
        let line = next_line(&mut reader, &mut buffer, max)?;
        number += 1;
        if number == 1 && buffer.starts_with(b"\xef\xbb\xbf") {
            buffer.drain(..3);
        }
        let more = match line {
            Line::End => return Ok(()),
            Line::Whole if json && buffer.iter().all(u8::is_ascii_whitespace) => {
                skipped = true;
                continue;
            }
            Line::Whole | Line::TooLong if std::mem::take(&mut skipped) => {
                numbers.jump(index, number);
                push_line(line, &mut buffer, max, sink)
            }
            Line::Whole | Line::TooLong => push_line(line, &mut buffer, max, sink),
        };
        if !more {
            return Ok(());
        }
        index += 1;
    }
}

fn push_line(line: Line, buffer: &mut Vec<u8>, max: usize, sink: &mut impl Sink) -> bool {
    match line {
        Line::TooLong => {
            sink.push_failed(format!("the line is longer than {}", show_size(max as u64)))
        }
        _ if buffer.len() > KEPT_BYTES => sink.push(Payload::Bytes(std::mem::take(buffer))),
        _ => sink.push(Payload::Bytes(buffer.as_slice().into())),
    }
}

#[derive(Clone, Copy)]
enum Line {
    End,
    Whole,
    TooLong,
}

/// Reads a line, without its end, into the buffer. Of one that is too long, no more than `max` bytes are held.
fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>, max: usize) -> io::Result<Line> {
    buffer.clear();
    let read = reader
        .by_ref()
        .take(max as u64 + 1)
        .read_until(b'\n', buffer)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        if buffer.last() == Some(&b'\r') {
            buffer.pop();
        }
    } else if read > max {
        *buffer = Vec::new();
        reader.skip_until(b'\n')?;
        return Ok(Line::TooLong);
    }
    Ok(Line::Whole)
}

/// A file's bytes. Standard input has no size, and is read to its end.
fn payload(path: &Path) -> io::Result<Payload> {
    if !input::is_stdin(path) {
        return open(path).map(Payload::File);
    }
    let bytes = input::bytes(path, MAX_LINE_BYTES as u64)?;
    match bytes.len() > MAX_LINE_BYTES {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(Payload::Bytes(bytes)),
    }
}

/// Opens a regular file; never waits for the other side of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let file = input::open_at_once(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

fn expand(pattern: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    if input::is_stdin(pattern) {
        files.push(pattern.into());
        return Ok(());
    }
    match pattern.symlink_metadata() {
        Ok(_) => files.push(pattern.into()),
        Err(_) if glob::is_pattern(pattern) => {
            let found = glob::expand(pattern).map_err(|e| {
                let code = match e {
                    GlobError::Pattern(_) => Code::GlobEmpty,
                    GlobError::Folder(..) => Code::InputUnreadable,
                };
                let doing = format!("`{}` matches no file", pattern.display());
                Problem::doing(code, doing, e)
            })?;
            if found.is_empty() {
                let message = format!("no file matches `{}`", pattern.display());
                return Err(Problem::text(Code::GlobEmpty, message));
            }
            files.extend(found);
        }
        Err(e) => return Err(Problem::unreadable(pattern, e)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Taken(Vec<Result<String, String>>, usize);

    impl Sink for Taken {
        fn push(&mut self, item: Payload) -> bool {
            let mut text = String::new();
            match item {
                Payload::Bytes(bytes) => text = String::from_utf8(bytes).unwrap(),
                Payload::File(mut file) => _ = file.read_to_string(&mut text).unwrap(),
            }
            self.0.push(Ok(text));
            self.0.len() != self.1
        }
        fn push_failed(&mut self, message: String) -> bool {
            self.0.push(Err(message));
            self.0.len() != self.1
        }
    }

    fn check(text: &str, json: bool, max: usize, expected: &[Result<&str, &str>]) -> LineNumbers {
        // A reader of small pieces: lines cross its buffers.
        for piece in [1, 3, 1000] {
            let reader = BufReader::with_capacity(piece, text.as_bytes());
            let mut taken = Taken::default();
            feed_lines(reader, json, &LineNumbers::default(), max, &mut taken).unwrap();
            let taken: Vec<_> = taken
                .0
                .iter()
                .map(|r| r.as_deref().map_err(String::as_str))
                .collect();
            assert_eq!(taken, expected);
        }
        let numbers = LineNumbers::default();
        feed_lines(text.as_bytes(), json, &numbers, max, &mut Taken::default()).unwrap();
        numbers
    }

    #[test]
    fn lines() {
        check("", false, 100, &[]);
        check(
            "a\n\nb\r\nc",
            false,
            100,
            &[Ok("a"), Ok(""), Ok("b"), Ok("c")],
        );
        check(
            "\u{feff}a\n\u{feff}b",
            false,
            100,
            &[Ok("a"), Ok("\u{feff}b")],
        );
        let numbers = check("1\n \t\n\n[2]\n\n", true, 100, &[Ok("1"), Ok("[2]")]);
        let names = Names::Lines(Arc::new(numbers));
        assert_eq!(names.of(0).as_deref(), Some("line 1"));
        assert_eq!(names.of(1).as_deref(), Some("line 4"));
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let failed = Err("the line is longer than 4 bytes");
        check("abcd\nabcde\nx\n", false, 4, &[Ok("abcd"), failed, Ok("x")]);
        check("x\nabcdefghijkl", true, 4, &[Ok("x"), failed]);
    }

    #[test]
    fn reading_stops_when_no_more_is_wanted() {
        let endless = BufReader::new(io::repeat(b'\n'));
        let mut taken = Taken(Vec::new(), 5);
        feed_lines(endless, false, &LineNumbers::default(), 100, &mut taken).unwrap();
        assert_eq!(taken.0.len(), 5);
    }

    #[test]
    fn arguments_that_are_no_json_are_strings() {
        for (text, expected) in [
            ("5", "5"),
            ("-5", "-5"),
            ("[1,2]", "[1,2]"),
            ("null", "null"),
            ("\"a\"", "\"a\""),
            ("a", "\"a\""),
            ("", "\"\""),
            ("say \"hi\"\n", "\"say \\\"hi\\\"\\n\""),
            ("1 2", "\"1 2\""),
        ] {
            assert_eq!(argument(text), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn files_and_globs() {
        let dir = std::env::temp_dir().join(format!("wasmpool-items-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("sub.txt")).unwrap();
        for name in ["b.txt", "a.txt", ".hidden.txt", "c.md", "[x].txt"] {
            std::fs::write(dir.join(name), name).unwrap();
        }
        let files = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|p| dir.join(p)).collect();
            Items::files(&patterns)
        };
        let mut taken = Taken::default();
        let items = files(&["c.md", "*.txt"]).unwrap();
        assert_eq!(items.total(), Some(5));
        items.feed(&mut taken).unwrap();
        let directory = taken.0.pop().unwrap();
        assert!(directory.unwrap_err().starts_with("cannot read the file: "));
        let expected = ["c.md", "[x].txt", "a.txt", "b.txt"].map(|t| Ok(t.to_string()));
        assert_eq!(taken.0, expected);
        assert_eq!(files(&["[x].txt"]).unwrap().total(), Some(1));
        for wrong in ["*.none", "missing.txt", "[.x"] {
            let problem = files(&[wrong]).unwrap_err();
            assert_eq!(problem.exit(), super::super::exit::USAGE, "{wrong}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
