//! Write wasmpool tasks as plain Rust functions.
//!
//! A task is a function; one line makes a component of the crate:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! fn square(x: i64) -> Result<i64, String> {
//!     x.checked_mul(x).ok_or_else(|| format!("{x} squared does not fit 64 bits"))
//! }
//!
//! fn word_count(text: &str) -> BTreeMap<String, u64> {
//!     let mut counts = BTreeMap::new();
//!     for word in text.split_whitespace() {
//!         *counts.entry(word.to_lowercase()).or_default() += 1;
//!     }
//!     counts
//! }
//!
//! wasmpool_guest::tasks! {
//!     /// Squares a number.
//!     square,
//!     /// Counts the words of a text.
//!     word_count,
//! }
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`, `wasm32-wasip1` or `wasm32-wasip2`; `println!`, clocks and
//! files need one of the latter two. On other targets the same crate is an ordinary library, so tasks are tested with
//! plain `cargo test`; [`context`], [`log`](mod@log), [`emit`] and what tasks share then have the stand-ins described
//! in [`testing`].
//!
//! # Items
//!
//! A task's parameters are anything that serde can deserialise; borrowed `&str` and `&[u8]` point into the item,
//! without a copy.
//!
//! - One parameter is the item itself.
//! - Several parameters are an array or a tuple, up to eight. Registered with their names, `tasks!(area(width, height))`,
//!   they may also be a JSON object.
//! - No parameters: `null`, or an empty array.
//!
//! An item that does not fit is reported as invalid input, with what was expected, and the task is not called.
//!
//! # Results
//!
//! A result is anything that serde can serialise. Of a `Result`, the error fails the item: its [`Display`] text is the
//! message, followed by the texts of its sources if it is an [`Error`](std::error::Error), a `Box<dyn Error>` or an
//! `anyhow::Error`. A panic ends the instance; its message and place are shown with the trap.
//!
//! [`Display`]: std::fmt::Display
//!
//! # Encodings
//!
//! The pool chooses how items and results travel; a task need not know.
//!
//! - JSON. Numbers that JSON does not have, NaN and the infinities, become `null` as in JavaScript: return an `Option`
//!   or an error where that matters. Byte lists are arrays of numbers; [`Bytes`] and `&[u8]` also take a string.
//! - Postcard, compact, for the pool's Rust API. Types that need to be asked what they are, such as
//!   [`serde_json::Value`] or untagged enums, do not work in it, and say so.
//! - Raw: the item's bytes are the parameter of a task that takes one text (`&str`, `String`) or bytes (`&[u8]`,
//!   `Vec<u8>`, [`Bytes`]), and likewise its result; a result of any other type is its JSON text.
//!
//! `Vec<u8>` as a parameter or result, and [`Bytes`] anywhere, are copied whole. Inside another type `Vec<u8>` goes
//! byte by byte.
//!
//! # What tasks share
//!
//! Tasks in different workers, and the host, share what the pool was granted by name: memory ([`buffer`]), messages
//! ([`queue`], [`pipe`]), and agreement on who may do what, and when ([`sync`]). The names are those of Python's
//! `multiprocessing`. A task opens what it uses; a name that was not granted does not exist for it.
//!
//! ```
//! use wasmpool_guest::{buffer::Value, queue::Queue};
//!
//! /// Takes texts until there are no more, and counts their words in a shared number.
//! fn count_words(texts: &str, total: &str) -> Result<(), Box<dyn std::error::Error>> {
//!     let total = Value::<u64>::open(total)?;
//!     for text in Queue::open(texts)?.values::<String>() {
//!         total.fetch_add(text?.split_whitespace().count() as u64)?;
//!     }
//!     Ok(())
//! }
//!
//! // In a test, without a pool:
//! let shared = wasmpool_guest::testing::Shared::new().queue("texts").value("total", 0_u64);
//! shared.within(|| {
//!     let texts = Queue::open("texts").unwrap();
//!     texts.put_value("to be or").unwrap();
//!     texts.put_value("not to be").unwrap();
//!     texts.close();
//!     count_words("texts", "total").unwrap();
//!     assert_eq!(Value::<u64>::open("total").unwrap().get(), 6);
//! });
//! ```
//!
//! An operation that waits can be given a timeout. Without one only the item's deadline ends it, and with it the
//! worker; what an instance held is released, and the next holder told.
//!
//! # What outlives an item
//!
//! Where the items of a worker share an instance, statics keep what they hold from one item to the next. An initialiser
//! is a task like any other, which the pool calls once in each instance, before its items: it has arguments, and fails
//! as tasks do.
//!
//! ```
//! use std::sync::OnceLock;
//!
//! static MODEL: OnceLock<Vec<f64>> = OnceLock::new();
//!
//! /// The initialiser.
//! fn load(weights: Vec<f64>) -> Result<(), String> {
//!     MODEL.set(weights).map_err(|_| "the model is loaded already".into())
//! }
//!
//! fn score(features: Vec<f64>) -> Result<f64, String> {
//!     let model = MODEL.get().ok_or("no model: make `load` the pool's initialiser")?;
//!     Ok(model.iter().zip(&features).map(|(weight, feature)| weight * feature).sum())
//! }
//!
//! wasmpool_guest::tasks!(load, score);
//!
//! # fn main() {
//! load(vec![2.0, 0.5]).unwrap();
//! assert_eq!(score(vec![1.0, 4.0]), Ok(4.0));
//! # }
//! ```
//!
//! Handles to what is shared belong to one thread, so those that are to stay open are kept in a `thread_local!` with a
//! `OnceCell`; in a component, there is just one thread. An instance that traps is replaced by a new one, with new
//! statics.
#![deny(unsafe_code)]

pub mod buffer;
pub mod context;
pub mod log;
pub mod message;
pub mod pipe;
pub mod queue;
pub mod sync;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

mod bytes;
mod chunk;
mod dispatch;
mod emit;
mod host;
mod input;
mod open;
mod output;
mod raw;
mod tasks;

pub use bytes::Bytes;
pub use emit::{EmitError, emit};
pub use open::OpenError;
pub use {serde, serde_json};

/// What the macros expand to. Not part of the API: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::chunk::Run;
    pub use crate::host::{Advice, Encoding};
    #[cfg(target_family = "wasm")]
    pub use crate::host::{bindings, list_tasks, run};
    pub use crate::tasks::{Entry, arity_of};

    pub mod dispatch {
        pub use crate::dispatch::*;
    }
}
