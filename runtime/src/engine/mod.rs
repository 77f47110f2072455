//! WebAssembly: what was given, compiling it, describing it, loading it. The only module that names wasmtime.

pub mod compile;
pub mod config;
pub mod describe;
pub mod source;

#[cfg(test)]
mod tests;
