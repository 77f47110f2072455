//! The pool as a component sees it: exports, and the imports `context`, `log` and `results`.

use std::cell::Cell;
use std::sync::Once;

use super::{Advice, Encoding};
use crate::emit::EmitError;
use crate::log::Level;
use crate::tasks::Entry;
use bindings::exports::wasmpool::task::map;
use bindings::wasmpool::task::{context, log, results};

/// Generated from `wit/`. The export macro names it in the crate that has the tasks.
#[allow(
    missing_docs,
    unsafe_code,
    clippy::undocumented_unsafe_blocks,
    unused_qualifications
)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "task",
        path: "wit",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "wasmpool_guest::__private::bindings",
    });
}

/// The version of this crate, in a section of the module by its name: for whoever wants to know what a module was made with.
#[allow(unsafe_code)]
#[used]
// SAFETY: a section that nothing reads while the module runs.
#[unsafe(link_section = "wasmpool-guest")]
static VERSION: [u8; env!("CARGO_PKG_VERSION").len()] =
    *env!("CARGO_PKG_VERSION").as_bytes().first_chunk().unwrap();

thread_local! {
    static OUTPUT: Cell<Encoding> = const { Cell::new(Encoding::Json) };
}

/// Gives panics their way out, once in an instance.
fn show_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| std::panic::set_hook(Box::new(|panic| log::panic(&describe(panic)))));
}

/// The export `list-tasks`.
pub fn list_tasks(entries: &[Entry]) -> Vec<map::Task> {
    show_panics();
    entries
        .iter()
        .map(|entry| map::Task {
            name: entry.task_name(),
            description: entry.task_description(),
        })
        .collect()
}

fn describe(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("panicked");
    match panic.location() {
        Some(place) => format!("{message} (at {place})"),
        None => message.to_owned(),
    }
}

/// The export `run`.
pub fn run(
    entries: &[Entry],
    task: u32,
    input: map::Encoding,
    output: map::Encoding,
    mut chunk: Vec<u8>,
) -> Result<Vec<u8>, map::RunError> {
    show_panics();
    let entry = entries
        .get(task as usize)
        .ok_or(map::RunError::UnknownTask(task))?;
    let (input, output) = (encoding(input), encoding(output));
    OUTPUT.set(output);
    entry
        .run_chunk(input, output, &mut chunk)
        .map_err(map::RunError::MalformedChunk)
}

fn encoding(encoding: map::Encoding) -> Encoding {
    match encoding {
        map::Encoding::Json => Encoding::Json,
        map::Encoding::Postcard => Encoding::Postcard,
        map::Encoding::Raw => Encoding::Raw,
    }
}

pub(crate) fn output_encoding() -> Encoding {
    OUTPUT.get()
}

pub(crate) fn begin(index: u32) -> Advice {
    match results::begin(index) {
        results::Advice::Proceed => Advice::Proceed,
        results::Advice::Report => Advice::Report,
        results::Advice::Stop => Advice::Stop,
    }
}

pub(crate) fn report(frames: &[u8]) {
    results::report(frames);
}

pub(crate) fn emit(value: &[u8]) -> Result<(), EmitError> {
    results::emit(value).map_err(|error| match error {
        results::EmitError::NoItem => EmitError::NoItem,
        results::EmitError::OutputLimit(limit) => EmitError::OutputLimit { limit },
    })
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Error => log::Level::Error,
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
        Level::Trace => log::Level::Trace,
    };
    log::log(level, message);
}

pub(crate) fn worker_index() -> u32 {
    context::worker_index()
}

pub(crate) fn item_index() -> Option<u64> {
    context::item_index()
}

pub(crate) fn attempt() -> u32 {
    context::attempt()
}

pub(crate) fn time_left() -> Option<u64> {
    context::time_left()
}

pub(crate) fn cancelled() -> bool {
    context::cancelled()
}
