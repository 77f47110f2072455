//! What a module is, as it is told before any of it runs: by [`inspect`](crate::pool::inspect) and
//! [`Pool::manifest`](crate::pool::Pool::manifest).
//!
//! Owns nothing but the names: what they name is `ipc::manifest` and `ipc::lookup`, which host and compiler share.

pub use crate::ipc::lookup::LookupError;
pub use crate::ipc::manifest::{
    Function, Import, Manifest, Memory, Needs, OverLimit, Producer, Refusal, Section, SourceKind,
};
