//! Multiprocessing for code you do not trust.
pub mod encoding;
pub mod failure;
pub mod ids;
pub mod ipc;
pub mod limits;
pub mod mode;
pub mod sys;
pub mod text;
