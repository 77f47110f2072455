//! How items and results are encoded. Pure data.

use serde::{Deserialize, Serialize};

/// The encoding of an item or of a result.
///
/// ```
/// use wasmpool::encoding::Encoding;
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let options = JobOptions { input: Encoding::Raw, ..JobOptions::default() };
/// let (mut feeder, mut results) = pool.stream("count-words", options)?;
/// // The text itself, not a JSON string of it.
/// feeder.push(Payload::Bytes(b"to be or not to be".to_vec()));
/// assert_eq!(&results.next().unwrap()?.result?[..], b"6");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// One JSON text.
    Json,
    /// The postcard wire format: compact, typed, not self-describing. Only for tasks written with the guest SDK.
    Postcard,
    /// The bytes themselves: for functions that take, or return, one string or list of bytes.
    Raw,
}
