//! All foreign calls: system calls with the types and the errors that the rest of the program wants.
//!
//! Owns every `unsafe` that talks to the kernel. Knows nothing of workers, items or messages.

pub mod clock;
pub mod confine;
pub mod memory;
pub mod poll;
pub mod private;
pub mod process;
pub(crate) mod seen;
pub mod socket;
pub mod terminal;
