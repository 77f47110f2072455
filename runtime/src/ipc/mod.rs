//! What crosses from process to process.

pub mod lookup;
pub mod manifest;
