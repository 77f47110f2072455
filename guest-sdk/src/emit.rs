//! Any number of results for one item.

use std::fmt;

use serde::Serialize;

use crate::{host, output};

/// Why a value was not emitted.
///
/// ```
/// use wasmpool_guest::{EmitError, emit, testing};
///
/// let between = testing::Surroundings { item_index: None, ..Default::default() };
/// testing::within(between, || assert_eq!(emit(&1), Err(EmitError::NoItem)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// No item is running.
    NoItem,
    /// The item's bound on result bytes would be passed.
    OutputLimit {
        /// The bound, in bytes.
        limit: u64,
    },
    /// The value cannot be encoded; the text says why.
    Encoding(String),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmitError::NoItem => f.write_str("no item is running"),
            EmitError::OutputLimit { limit } => {
                write!(
                    f,
                    "the results of this item would pass its bound of {limit} bytes"
                )
            }
            EmitError::Encoding(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for EmitError {}

/// Emits one result of the running item, before the one that the task returns: for tasks that have many results, or
/// none until late. Blocks while the pool has no room for it.
///
/// The value travels in the same encoding as the job's results. In the raw encoding, emit bytes as
/// [`Bytes`]: a plain `Vec<u8>` is a list of numbers to serde.
///
/// [`Bytes`]: crate::Bytes
///
/// ```
/// use wasmpool_guest::{EmitError, emit, testing};
///
/// /// The lines of a text, one by one; returns how many.
/// fn lines(text: &str) -> Result<usize, EmitError> {
///     text.lines().try_for_each(emit)?;
///     Ok(text.lines().count())
/// }
///
/// let (count, emitted) = testing::emitted::<String, _>(|| lines("one\ntwo"));
/// assert_eq!((count, emitted.join(" ")), (Ok(2), "one two".to_owned()));
/// ```
///
/// # Errors
///
/// When no item is running, the item's bound on result bytes would be passed, or the value cannot be encoded.
pub fn emit<T: Serialize + ?Sized>(value: &T) -> Result<(), EmitError> {
    let mut bytes = Vec::new();
    output::encode(value, host::output_encoding(), &mut bytes).map_err(EmitError::Encoding)?;
    host::emit(&bytes)
}
