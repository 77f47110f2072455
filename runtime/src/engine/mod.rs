//! WebAssembly: what was given, compiling it, describing it, loading it. The only module that names wasmtime.

mod adapter;
pub mod compile;
pub mod config;
pub mod describe;
pub mod ended;
mod files;
mod fixed;
pub mod host;
pub mod instance;
mod limiter;
mod objects;
pub mod program;
mod sample;
pub mod source;
mod stdio;
pub mod stop;
pub mod value;
mod wasi;

#[cfg(test)]
mod tests;
