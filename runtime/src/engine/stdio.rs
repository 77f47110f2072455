//! The standard streams of an instance, and the arguments and the outcome of a WASI command.
//!
//! What a function writes is log messages, a line each. Of a command, standard output is the result and is kept, within
//! the bound on results; its standard input is the item. Owns no stream of the process: a guest reaches nothing of the
//! worker's own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_io::bytes::Bytes;

use super::host::{Host, HostError};
use crate::encoding::Encoding;
use crate::ipc::frame::Level;

/// Bytes of a line that is not ended yet; a longer one is cut here.
const MAX_LINE_BYTES: usize = 4 << 10;
/// Bytes that a guest may write at once.
const WRITE_BYTES: usize = 64 << 10;
/// Lines of standard error that a failure quotes, and the bytes of each.
const LAST_WORDS: usize = 3;
const LAST_WORDS_BYTES: usize = 512;
/// In an argument, the item.
const ITEM: &str = "{}";

/// What a command is started with: its item, as it reads it.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) stdin: Vec<u8>,
    pub(super) args: Vec<String>,
}

impl Start {
    /// The item is standard input, and stands for each `{}` in the arguments. Of a JSON string it is the text, of `null`
    /// nothing, of any other value its JSON.
    ///
    /// # Errors
    /// If the item is not of the encoding, or cannot be in an argument.
    pub(super) fn new(args: &[String], input: Encoding, item: &[u8]) -> Result<Start, String> {
        let stdin = match input {
            Encoding::Raw => item.to_vec(),
            Encoding::Json => text_of_json(item)?,
            Encoding::Postcard => return Err("a WASI command takes no typed values".into()),
        };
        if !args.iter().any(|arg| arg.contains(ITEM)) {
            let args = args.to_vec();
            return Ok(Start { stdin, args });
        }
        let text = str::from_utf8(&stdin)
            .ok()
            .filter(|text| !text.contains('\0'))
            .ok_or("the item is not text, and cannot be an argument")?;
        let args = args.iter().map(|arg| arg.replace(ITEM, text)).collect();
        Ok(Start { args, stdin })
    }
}

fn text_of_json(item: &[u8]) -> Result<Vec<u8>, String> {
    let not_json = |e: serde_json::Error| format!("the item is not JSON: {e}");
    match item.trim_ascii() {
        b"null" => Ok(Vec::new()),
        text if text.starts_with(b"\"") => {
            let text: String = serde_json::from_slice(text).map_err(not_json)?;
            Ok(text.into_bytes())
        }
        text => {
            serde_json::from_slice::<serde::de::IgnoredAny>(text).map_err(not_json)?;
            Ok(text.to_vec())
        }
    }
}

/// The standard streams of one instance. Clones are the same streams.
#[derive(Clone, Debug)]
pub(super) struct Stdio<H>(Arc<Mutex<Streams<H>>>);

#[derive(Debug)]
struct Streams<H> {
    host: H,
    /// What is left of standard input.
    input: Bytes,
    args: Vec<String>,
    /// Standard output so far, of a command.
    kept: Option<Vec<u8>>,
    /// Bytes of it, at most.
    limit: u64,
    /// The lines of standard output and of standard error that are not ended yet.
    open: [Vec<u8>; 2],
    /// The last lines of standard error, the oldest first.
    last: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Output,
    Error,
}

impl<H: Host> Stdio<H> {
    /// Those of an instance that runs no command: nothing to read, and what is written is log messages.
    pub(super) fn new(host: H, limit: u64) -> Stdio<H> {
        Stdio(Arc::new(Mutex::new(Streams {
            host,
            input: Bytes::new(),
            args: Vec::new(),
            kept: None,
            limit,
            open: [Vec::new(), Vec::new()],
            last: Vec::new(),
        })))
    }

    fn streams(&self) -> MutexGuard<'_, Streams<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was written to standard error before.
    pub(super) fn fresh(&self) {
        self.streams().last.clear();
    }

    /// From now on they are a command's.
    pub(super) fn start(&self, start: Start) {
        let mut streams = self.streams();
        streams.input = start.stdin.into();
        streams.args = start.args;
        streams.kept = Some(Vec::new());
    }

    /// After a command: what it wrote to standard output. Lines that it did not end are logged.
    pub(super) fn finish(&self) -> Result<Vec<u8>, HostError> {
        let mut streams = self.streams();
        streams.end_lines()?;
        Ok(streams.kept.take().unwrap_or_default())
    }

    /// The arguments of the command, its name first; none of an instance that runs no command.
    pub(super) fn args(&self) -> Vec<String> {
        self.streams().args.clone()
    }

    /// The last lines that it wrote to standard error since [`Stdio::fresh`], in one.
    pub(super) fn last_words(&self) -> Option<String> {
        let mut streams = self.streams();
        // Who is asked is over: nothing is lost by a line that cannot be logged.
        let _ = streams.end_lines();
        let last = &streams.last;
        (!last.is_empty()).then(|| last.join("; "))
    }

    pub(super) fn input(&self) -> impl StdinStream + use<H> {
        Stream(self.clone(), Input)
    }

    pub(super) fn output(&self) -> impl StdoutStream + use<H> {
        Stream(self.clone(), Which::Output)
    }

    pub(super) fn error(&self) -> impl StdoutStream + use<H> {
        Stream(self.clone(), Which::Error)
    }
}

impl<H: Host> Streams<H> {
    fn write(&mut self, which: Which, bytes: &[u8]) -> Result<(), HostError> {
        match (which, &mut self.kept) {
            (Which::Output, Some(kept)) => {
                if (kept.len() as u64).saturating_add(bytes.len() as u64) > self.limit {
                    let limit = self.limit;
                    return Err(HostError::OutputLimit(format!(
                        "the item's standard output passes its limit of {limit} bytes"
                    )));
                }
                kept.extend_from_slice(bytes);
                Ok(())
            }
            _ => self.lines(which, bytes),
        }
    }

    fn lines(&mut self, which: Which, bytes: &[u8]) -> Result<(), HostError> {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            for piece in text.chunks(MAX_LINE_BYTES) {
                if self.open[which as usize].len() + piece.len() > MAX_LINE_BYTES {
                    self.log(which)?;
                }
                self.open[which as usize].extend_from_slice(piece);
            }
            if ended {
                self.log(which)?;
            }
        }
        Ok(())
    }

    /// Logs the line that is open.
    fn log(&mut self, which: Which) -> Result<(), HostError> {
        let line = std::mem::take(&mut self.open[which as usize]);
        let line = String::from_utf8_lossy(&line);
        let level = match which {
            Which::Output => Level::Info,
            Which::Error => Level::Warn,
        };
        if which == Which::Error && !line.trim().is_empty() {
            if self.last.len() == LAST_WORDS {
                self.last.remove(0);
            }
            let end = line.floor_char_boundary(LAST_WORDS_BYTES);
            self.last.push(line[..end].trim().to_owned());
        }
        self.host.log(level, &line)
    }

    fn end_lines(&mut self) -> Result<(), HostError> {
        for which in [Which::Output, Which::Error] {
            if !self.open[which as usize].is_empty() {
                self.log(which)?;
            }
        }
        Ok(())
    }
}

/// One of the streams, as WASI takes it: `W` is [`Input`], or [`Which`] of the two that are written to.
#[derive(Clone)]
struct Stream<H, W>(Stdio<H>, W);

struct Input;

impl<H, W> IsTerminal for Stream<H, W> {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl<H: Host, W: Send + 'static> Pollable for Stream<H, W> {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl<H: Host> StdinStream for Stream<H, Input> {
    /// Only WASI 0.3 asks for this one, and is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Stream(self.0.clone(), Input))
    }
}

impl<H: Host> InputStream for Stream<H, Input> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut streams = self.0.streams();
        if streams.input.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(streams.input.len());
        Ok(streams.input.split_to(size))
    }
}

impl<H: Host> StdoutStream for Stream<H, Which> {
    /// Only WASI 0.3 asks for this one, and is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl<H: Host> OutputStream for Stream<H, Which> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let written = self.0.streams().write(self.1, &bytes);
        written.map_err(|e| StreamError::Trap(e.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(args: &[&str], input: Encoding, item: &[u8]) -> Result<(String, Vec<String>), String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let start = Start::new(&args, input, item)?;
        Ok((
            String::from_utf8_lossy(&start.stdin).into_owned(),
            start.args,
        ))
    }

    #[test]
    fn an_item_is_input_and_argument() {
        let json = |item: &str| start(&["p", "-{}-{}", "x"], Encoding::Json, item.as_bytes());
        let is = |stdin: &str, arg: &str| {
            Ok((stdin.to_owned(), vec!["p".into(), arg.into(), "x".into()]))
        };
        assert_eq!(json(r#" "a\nb" "#), is("a\nb", "-a\nb-a\nb"));
        assert_eq!(json("null"), is("", "--"));
        assert_eq!(json(" [1, 2] "), is("[1, 2]", "-[1, 2]-[1, 2]"));
        assert!(json("[1").unwrap_err().contains("not JSON"));
        assert!(json("\"a").unwrap_err().contains("not JSON"));
        assert!(
            json("\"\\u0000\"")
                .unwrap_err()
                .contains("cannot be an argument")
        );
    }

    #[test]
    fn bytes_are_input_as_they_are_but_no_argument() {
        let raw = |args: &[&str]| start(args, Encoding::Raw, b"\xff");
        assert_eq!(raw(&["p"]), Ok(("\u{fffd}".into(), vec!["p".into()])));
        assert!(raw(&["{}"]).unwrap_err().contains("not text"));
        assert!(start(&["p"], Encoding::Postcard, b"").is_err());
    }
}
