//! Where guest code is at an interruption, told in a way that a profile can count. Takes nothing but names: debug
//! information, if there were any, would be read anew for every frame of every sample.

use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::{FrameInfo, StoreContextMut, WasmBacktrace};

use super::config::SAMPLE_FRAMES;
use super::ended::function_name;
use super::host::{Host, HostError};
use super::instance::State;
use crate::text::printable;

/// Bytes of a function's name in a sample, at most.
const MAX_NAME_BYTES: usize = 200;
/// What stands for the frames that a sample has no room for.
const CUT_OFF: &str = "[deeper]";

/// Tells the host where the guest is, for all that was asked since the last time. Nothing if nothing was.
pub(super) fn take<H: Host>(
    store: &StoreContextMut<'_, State<H>>,
    requests: &AtomicU32,
) -> Result<(), HostError> {
    let asked = requests.swap(0, Ordering::Relaxed);
    if asked == 0 {
        return Ok(());
    }
    let backtrace = WasmBacktrace::force_capture(store);
    let frames = backtrace.frames();
    let cut_off = (frames.len() >= SAMPLE_FRAMES).then(|| CUT_OFF.to_owned());
    let names = frames.iter().rev().map(name);
    let stack = cut_off.into_iter().chain(names).collect::<Vec<_>>();
    let asked = u16::try_from(asked).unwrap_or(u16::MAX);
    store.data().host.sample(asked, &stack.join("\n"))
}

/// A function's name, which says of itself where it belongs; one without a name is told with its module.
fn name(frame: &FrameInfo) -> String {
    let function = function_name(frame.func_name(), frame.func_index());
    let name = match (frame.func_name(), frame.module().name()) {
        (None, Some(module)) => format!("{module}: {function}"),
        _ => function,
    };
    printable(&name, MAX_NAME_BYTES).replace(['\n', '\t'], " ")
}
