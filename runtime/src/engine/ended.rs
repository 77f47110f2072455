//! Why guest code stopped for good, told from the engine's typed errors and never from their texts.

use thiserror::Error;
use wasmtime::{FrameInfo, FrameSymbol, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::host::HostError;
use super::limiter::Refused;
use super::stop::Interrupted;
use crate::failure::FailureKind;
use crate::ipc::frame::Ended;
use crate::text::printable;

/// Bytes of a message, at most.
const MAX_MESSAGE_BYTES: usize = 8 << 10;
/// Frames of a backtrace with those of inlined functions, at most.
const MAX_FRAMES: usize = 64;
/// Bytes of a function's name in a backtrace, at most.
const MAX_FUNCTION_BYTES: usize = 300;
/// Bytes of the path of its source, at most.
const MAX_PATH_BYTES: usize = 180;

/// An instance that will never be called again.
#[derive(Debug, Error)]
pub enum Stopped {
    /// Its own doing, or a limit's.
    #[error("{}", .0.message)]
    Ended(Ended),
    /// The host has gone or wants it to stop: there is nobody to tell.
    #[error("the host wants no more")]
    Gone,
}

/// What is known besides the error itself.
pub(super) struct Circumstances {
    /// The guest's own last words.
    pub(super) panic: Option<String>,
    /// The last lines that it wrote to standard error while the item ran.
    pub(super) last_words: Option<String>,
    /// The last growth that was refused while the item ran.
    pub(super) refused: Option<Refused>,
    /// The instance's fuel, and what is used of it, where that is counted.
    pub(super) fuel: Option<Fuel>,
}

/// The fuel of an instance, in wasm fuel units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fuel {
    pub(super) limit: u64,
    pub(super) used: u64,
}

/// Classifies an error of the engine.
pub(super) fn stopped(error: &wasmtime::Error, known: Circumstances) -> Stopped {
    let fuel = known.fuel.map(|fuel| fuel.used);
    match error.downcast_ref::<Interrupted>() {
        Some(Interrupted::Gone) => return Stopped::Gone,
        Some(Interrupted::Late) => {
            return Stopped::Ended(Ended {
                kind: FailureKind::Timeout,
                message: Interrupted::Late.to_string(),
                backtrace: backtrace(error),
                fuel,
            });
        }
        None => {}
    }
    let host = error.downcast_ref::<HostError>();
    let exit = error.downcast_ref::<I32Exit>();
    let trap = error.downcast_ref::<Trap>();
    let (kind, mut message) = match (host, exit, trap, &known.refused) {
        (Some(HostError::Gone), ..) => return Stopped::Gone,
        (Some(HostError::OutputLimit(message)), ..) => (FailureKind::OutputLimit, message.clone()),
        (Some(HostError::Broken(message)), ..) => (
            FailureKind::Trap,
            format!("the guest broke the rules: {message}"),
        ),
        (None, Some(I32Exit(code)), ..) => {
            (FailureKind::Trap, format!("the guest called exit({code})"))
        }
        (None, None, Some(Trap::OutOfFuel), _) => {
            let limit = known.fuel.map_or(0, |fuel| fuel.limit);
            let message = format!("the item used up its limit of {limit} wasm fuel units");
            (FailureKind::Trap, message)
        }
        (None, None, Some(trap), Some(refused)) if follows_refusal(*trap) => {
            (FailureKind::Memory, refused.to_string())
        }
        (None, None, Some(trap), _) => (FailureKind::Trap, trap.to_string()),
        (None, None, None, Some(refused)) => (FailureKind::Memory, refused.to_string()),
        (None, None, None, None) => (FailureKind::Trap, error.root_cause().to_string()),
    };
    match (known.panic, known.last_words) {
        (Some(panic), _) => message = format!("the guest panicked: {panic} ({message})"),
        (None, Some(words)) => message = format!("{message}; its last words: {words}"),
        (None, None) => {}
    }
    Stopped::Ended(Ended {
        kind,
        message: printable(&message, MAX_MESSAGE_BYTES),
        backtrace: backtrace(error),
        fuel,
    })
}

/// The code with which a guest wanted to end, if that is what ended it.
pub(super) fn exit_code(error: &wasmtime::Error) -> Option<i32> {
    error.downcast_ref::<I32Exit>().map(|I32Exit(code)| *code)
}

/// Whether a trap can be the guest's way of saying that it got no memory: an abort, or a use of memory it does not have.
fn follows_refusal(trap: Trap) -> bool {
    matches!(
        trap,
        Trap::UnreachableCodeReached
            | Trap::MemoryOutOfBounds
            | Trap::HeapMisaligned
            | Trap::TableOutOfBounds
    )
}

/// The guest's frames, innermost first; with source lines, and functions that were inlined, where the module tells them.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frames = backtrace.frames().iter().flat_map(shown);
    frames.take(MAX_FRAMES).collect()
}

/// A frame's own function, behind those that were inlined into it.
fn shown(frame: &FrameInfo) -> Vec<String> {
    let own = || function_name(frame.func_name(), frame.func_index());
    let text = |function: &str, symbol: Option<&FrameSymbol>| {
        let mut text = match frame.module().name() {
            Some(module) => format!("{module}: {function}"),
            None => function.to_owned(),
        };
        text = printable(&text, MAX_FUNCTION_BYTES);
        if let Some(place) = symbol.and_then(|s| place(s.file(), s.line(), s.column())) {
            text.push_str(&format!(" ({place})"));
        }
        text
    };
    match frame.symbols().split_last() {
        None => vec![text(&own(), None)],
        Some((last, inlined)) => inlined
            .iter()
            .map(|symbol| {
                let name = symbol.name().map_or("an inlined function".into(), readable);
                text(&name, Some(symbol))
            })
            .chain(std::iter::once_with(|| text(&own(), Some(last))))
            .collect(),
    }
}

/// A function as its author wrote it, or its number where it has no name.
pub(super) fn function_name(name: Option<&str>, index: u32) -> String {
    name.map_or_else(|| format!("function {index}"), readable)
}

fn readable(name: &str) -> String {
    // The alternate form leaves out the hash.
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Where in the source a function was, if the module tells: its own word, of which a long path keeps its end.
fn place(file: Option<&str>, line: Option<u32>, column: Option<u32>) -> Option<String> {
    let (file, line) = (file?, line.filter(|line| *line > 0)?);
    let from = file.ceil_char_boundary(file.len().saturating_sub(MAX_PATH_BYTES));
    let cut = if from > 0 { "…" } else { "" };
    let path = printable(&file[from..], MAX_PATH_BYTES).replace(['\n', '\t'], " ");
    let column = column.filter(|column| *column > 0);
    let column = column.map_or(String::new(), |column| format!(":{column}"));
    Some(format!("{cut}{path}:{line}{column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_far_as_it_is_known_and_fit_to_print() {
        let check = |file, line, column, wanted: Option<&str>| {
            assert_eq!(place(file, line, column).as_deref(), wanted);
        };
        check(Some("src/lib.rs"), Some(3), Some(7), Some("src/lib.rs:3:7"));
        check(Some("src/lib.rs"), Some(3), Some(0), Some("src/lib.rs:3"));
        check(Some("src/lib.rs"), Some(3), None, Some("src/lib.rs:3"));
        check(Some("src/lib.rs"), Some(0), Some(7), None);
        check(Some("src/lib.rs"), None, Some(7), None);
        check(None, Some(3), Some(7), None);
        let hostile = "a\n\u{1b}[2J\u{202e}b.c";
        check(
            Some(hostile),
            Some(1),
            None,
            Some("a \\u{1b}[2J\\u{202e}b.c:1"),
        );

        let long = format!("/{}/end.rs", "é".repeat(500));
        let told = place(Some(&long), Some(1), None).unwrap();
        assert!(
            told.starts_with('…') && told.ends_with("é/end.rs:1"),
            "{told}"
        );
        assert!(told.len() < MAX_PATH_BYTES + 8, "{told}");
    }
}
