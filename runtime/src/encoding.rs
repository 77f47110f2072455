//! How items and results are encoded. Pure data.

use serde::{Deserialize, Serialize};

/// The encoding of an item or of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// One JSON text.
    Json,
    /// The postcard wire format: compact, typed, not self-describing. Only for tasks written with the guest SDK.
    Postcard,
    /// The bytes themselves: for functions that take, or return, one string or list of bytes.
    Raw,
}
