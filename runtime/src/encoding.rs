//! How the bytes of an item or a result are to be read.
//!
//! Owns the names. Encodes and decodes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one item, or one result, is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// One JSON text (RFC 8259), UTF-8.
    Json,
    /// The postcard wire format, version 1. Only tasks written with the guest SDK take it.
    Postcard,
    /// The bytes themselves: of a task that takes or returns text or bytes.
    Raw,
}

impl Encoding {
    /// The name in messages: lower case.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Json => "json",
            Encoding::Postcard => "postcard",
            Encoding::Raw => "raw",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
