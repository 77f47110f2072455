//! The pool: its API, its jobs, its workers' states. Runs no guest code and parses no guest payloads.

pub mod error;
pub mod options;
mod stub;
pub use stub::*;
