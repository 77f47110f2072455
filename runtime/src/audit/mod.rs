//! What `wasmpool audit` does: shows, on the machine at hand, which protections hold, and how that was found out.
//!
//! - `probes`: native code that tries what a worker must not be able to do.
//! - `report`: what was found, as plain data; `text`, `json` and `junit` write it down.
//!
//! Judges and reports; confines nothing itself. Apart from `sys`, `probes` alone makes system calls of its own.

pub mod json;
pub mod junit;
pub mod probes;
pub mod report;
pub mod text;
