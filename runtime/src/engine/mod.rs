//! WebAssembly: what was given, compiling it, describing it, loading it. The only module that names wasmtime.

pub mod compile;
pub mod config;
pub mod describe;
pub mod source;
pub mod value;

#[cfg(test)]
mod tests;
