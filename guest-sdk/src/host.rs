//! The only module that knows what is on the other side: the pool, through the component's imports, or, outside
//! WebAssembly, the stand-in of `testing`.

/// How an item or a result is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text.
    Json,
    /// Postcard.
    Postcard,
    /// The bytes themselves.
    Raw,
}

/// What to do with the next item of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Run it.
    Proceed,
    /// Report what is finished, then run it.
    Report,
    /// Run no more.
    Stop,
}

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::host::*;
#[cfg(target_family = "wasm")]
pub use component::*;
#[cfg(target_family = "wasm")]
pub(crate) use shared::*;

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
mod shared;
