//! Why guest code stopped for good, told from the engine's typed errors and never from their texts.

use thiserror::Error;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::host::HostError;
use super::limiter::Refused;
use super::stop::Interrupted;
use crate::failure::FailureKind;
use crate::ipc::frame::Ended;
use crate::text::printable;

/// Bytes of a message, at most.
const MAX_MESSAGE_BYTES: usize = 8 << 10;
/// Bytes of one frame of a backtrace, at most.
const MAX_FRAME_BYTES: usize = 512;

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

/// The guest's frames, innermost first.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frame = |frame: &wasmtime::FrameInfo| {
        let function = match frame.func_name() {
            // The alternate form leaves out the hash.
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        let text = match frame.module().name() {
            Some(module) => format!("{module}: {function}"),
            None => function,
        };
        printable(&text, MAX_FRAME_BYTES)
    };
    backtrace.frames().iter().map(frame).collect()
}
