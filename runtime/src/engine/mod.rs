//! The only module that names the WebAssembly engine.

pub mod value;
