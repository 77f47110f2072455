//! Multiprocessing for code you do not trust.

pub mod encoding;
pub mod engine;
