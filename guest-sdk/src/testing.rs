//! Stand-ins for the pool in an author's own tests, on targets other than WebAssembly.
//!
//! By default a task runs as the first attempt at item 0 in worker 0, without a deadline. Everything here belongs to
//! the current thread.
//!
//! ```
//! use wasmpool_guest::{context, emit, testing};
//!
//! fn countdown(from: u32) -> Result<(), wasmpool_guest::EmitError> {
//!     for n in (1..=from).rev() {
//!         if context::cancelled() {
//!             break;
//!         }
//!         emit(&n)?;
//!     }
//!     Ok(())
//! }
//!
//! let (result, emitted) = testing::emitted::<u32, _>(|| countdown(3));
//! assert_eq!(result, Ok(()));
//! assert_eq!(emitted, [3, 2, 1]);
//!
//! let cancelled = testing::Surroundings { cancelled: true, ..Default::default() };
//! let (_, emitted) = testing::emitted::<u32, _>(|| testing::within(cancelled, || countdown(3)));
//! assert!(emitted.is_empty());
//! ```
//!
//! What tasks share with each other is granted by [`Shared`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::host::{Advice, Encoding};

mod memory;
mod messages;
mod shared;
mod sync;

pub use shared::Shared;

/// What [`context`](crate::context) tells.
///
/// ```
/// use wasmpool_guest::{context, testing};
///
/// let second = testing::Surroundings { attempt: 2, ..Default::default() };
/// testing::within(second, || assert_eq!(context::attempt(), 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// See [`context::worker_index`](crate::context::worker_index).
    pub worker_index: u32,
    /// See [`context::item_index`](crate::context::item_index).
    pub item_index: Option<u64>,
    /// See [`context::attempt`](crate::context::attempt).
    pub attempt: u32,
    /// See [`context::time_left`](crate::context::time_left).
    pub time_left: Option<Duration>,
    /// See [`context::cancelled`](crate::context::cancelled).
    pub cancelled: bool,
}

impl Default for Surroundings {
    fn default() -> Self {
        Surroundings {
            worker_index: 0,
            item_index: Some(0),
            attempt: 1,
            time_left: None,
            cancelled: false,
        }
    }
}

/// Calls `f` in the given surroundings.
///
/// ```
/// use wasmpool_guest::{context, testing};
///
/// let seventh = testing::Surroundings { item_index: Some(6), ..Default::default() };
/// assert_eq!(testing::within(seventh, context::item_index), Some(6));
/// // Afterwards it is as it was.
/// assert_eq!(context::item_index(), Some(0));
/// ```
pub fn within<R>(surroundings: Surroundings, f: impl FnOnce() -> R) -> R {
    swapped(|stand_in| &mut stand_in.surroundings, surroundings, f).0
}

/// Calls `f` and returns, with its result, what it emitted. Values emitted outside a call of this are dropped.
///
/// ```
/// use wasmpool_guest::{emit, testing};
///
/// let (last, emitted) = testing::emitted::<u32, _>(|| {
///     emit(&1).unwrap();
///     emit(&2).unwrap();
///     3
/// });
/// assert_eq!((emitted, last), (vec![1, 2], 3));
/// ```
///
/// # Panics
///
/// If an emitted value is not a `T`: a test that expects another type has failed.
pub fn emitted<T: DeserializeOwned, R>(f: impl FnOnce() -> R) -> (R, Vec<T>) {
    let ((result, _), values) = swapped(
        |stand_in| &mut stand_in.emitted,
        Some(Vec::new()),
        || swapped(|stand_in| &mut stand_in.output, Encoding::Json, f),
    );
    let decode = |value: Vec<u8>| match serde_json::from_slice(&value) {
        Ok(value) => value,
        Err(error) => panic!("emitted {}: {error}", String::from_utf8_lossy(&value)),
    };
    (
        result,
        values.unwrap_or_default().into_iter().map(decode).collect(),
    )
}

/// Calls `f` with one part of the stand-in replaced; returns what became of that part.
fn swapped<P, R>(part: fn(&mut StandIn) -> &mut P, value: P, f: impl FnOnce() -> R) -> (R, P) {
    let swap =
        |value| STAND_IN.with_borrow_mut(|stand_in| std::mem::replace(part(stand_in), value));
    let before = swap(value);
    let result = f();
    (result, swap(before))
}

/// What a chunk did, as the pool sees it.
#[doc(hidden)]
#[derive(Debug, PartialEq, Eq)]
pub struct Played {
    /// The items begun, in order.
    pub begun: Vec<u32>,
    /// The results reported on the way, one call each.
    pub reports: Vec<Vec<u8>>,
    /// The values emitted.
    pub emitted: Vec<Vec<u8>>,
    /// What `run` returned.
    pub returned: Result<Vec<u8>, u64>,
}

/// Runs a chunk as the pool does, giving each item the next advice, and after the last one "proceed".
#[doc(hidden)]
pub fn play(
    entry: &crate::__private::Entry,
    input: Encoding,
    output: Encoding,
    chunk: &[u8],
    advice: impl IntoIterator<Item = Advice>,
) -> Played {
    let script = Script {
        advice: advice.into_iter().collect(),
        ..Script::default()
    };
    let run = || entry.run_chunk(input, output, &mut chunk.to_vec());
    let (((returned, script), emitted), _) = swapped(
        |stand_in| &mut stand_in.output,
        output,
        || {
            swapped(
                |stand_in| &mut stand_in.emitted,
                Some(Vec::new()),
                || swapped(|stand_in| &mut stand_in.script, script, run),
            )
        },
    );
    Played {
        begun: script.begun,
        reports: script.reports,
        emitted: emitted.unwrap_or_default(),
        returned,
    }
}

/// The pool's side of one chunk.
#[derive(Default)]
struct Script {
    advice: VecDeque<Advice>,
    begun: Vec<u32>,
    reports: Vec<Vec<u8>>,
}

struct StandIn {
    surroundings: Surroundings,
    output: Encoding,
    emitted: Option<Vec<Vec<u8>>>,
    script: Script,
    granted: shared::Granted,
}

thread_local! {
    static STAND_IN: RefCell<StandIn> = RefCell::new(StandIn {
        surroundings: Surroundings::default(),
        output: Encoding::Json,
        emitted: None,
        script: Script::default(),
        granted: shared::Granted::default(),
    });
}

/// The functions of `crate::host`, answered from the stand-in.
pub(crate) mod host {
    use super::{Advice, Encoding, STAND_IN};
    use crate::emit::EmitError;
    use crate::log::Level;

    pub(crate) use super::memory::{Attachment, Buffer, page_size};
    pub(crate) use super::messages::{PipeEnd, Queue};
    pub(crate) use super::sync::{Barrier, Condition, Event, Lock, Semaphore};

    pub(crate) fn begin(index: u32) -> Advice {
        STAND_IN.with_borrow_mut(|stand_in| {
            stand_in.script.begun.push(index);
            stand_in
                .script
                .advice
                .pop_front()
                .unwrap_or(Advice::Proceed)
        })
    }

    pub(crate) fn report(frames: &[u8]) {
        STAND_IN.with_borrow_mut(|stand_in| stand_in.script.reports.push(frames.to_vec()));
    }

    pub(crate) fn output_encoding() -> Encoding {
        STAND_IN.with_borrow(|stand_in| stand_in.output)
    }

    pub(crate) fn emit(value: &[u8]) -> Result<(), EmitError> {
        STAND_IN.with_borrow_mut(|stand_in| {
            if stand_in.surroundings.item_index.is_none() {
                return Err(EmitError::NoItem);
            }
            if let Some(emitted) = &mut stand_in.emitted {
                emitted.push(value.to_vec());
            }
            Ok(())
        })
    }

    pub(crate) fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    pub(crate) fn worker_index() -> u32 {
        STAND_IN.with_borrow(|stand_in| stand_in.surroundings.worker_index)
    }

    pub(crate) fn item_index() -> Option<u64> {
        STAND_IN.with_borrow(|stand_in| stand_in.surroundings.item_index)
    }

    pub(crate) fn attempt() -> u32 {
        STAND_IN.with_borrow(|stand_in| stand_in.surroundings.attempt)
    }

    pub(crate) fn time_left() -> Option<u64> {
        let left = STAND_IN.with_borrow(|stand_in| stand_in.surroundings.time_left);
        left.map(|left| u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn cancelled() -> bool {
        STAND_IN.with_borrow(|stand_in| stand_in.surroundings.cancelled)
    }
}
