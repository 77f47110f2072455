//! x

pub mod cache;
pub mod engine;
pub mod failure;
pub mod ipc;
pub mod limits;
