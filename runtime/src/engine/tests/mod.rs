//! Tests of the engine, and the small guests that they share.

use crate::engine::compile::{CompileError, Compiled, compile};
use crate::limits::Limits;
use crate::mode::CodeMode;

mod corpus;
mod describe;
mod load;
mod source;

/// `square: func(x: s64) -> s64`, as text.
const SQUARE: &str = r#"
(component
  (core module $m
    (memory (export "memory") 2 5)
    (data (i32.const 8) "some data")
    (func (export "square") (param i64) (result i64)
      local.get 0 local.get 0 i64.mul)
    (func $fail (export "fail") unreachable)
    (func (export "first") (param i32) (result i32)
      local.get 0 i32.load8_u))
  (core instance $i (instantiate $m))
  (func (export "square") (param "x" s64) (result s64) (canon lift (core func $i "square")))
  (func (export "fail") (canon lift (core func $i "fail")))
  (func (export "first") (param "at" u32) (result u32) (canon lift (core func $i "first"))))"#;

/// A core module that fits [`world`], as text.
const CORE_SQUARE: &str = r#"
(module
  (memory (export "memory") 1)
  (func (export "square") (param i64) (result i64)
    local.get 0 local.get 0 i64.mul))"#;

/// The same, using WASI preview 1.
const CORE_PREVIEW1: &str = r#"
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_initialize"))
  (func (export "square") (param i64) (result i64)
    (drop (call $random (i32.const 0) (i32.const 8)))
    local.get 0 local.get 0 i64.mul))"#;

const WORLD: &str = "package local:demo; world demo { export square: func(x: s64) -> s64; }";

/// `module` with the metadata of the world in `wit`, as wit-bindgen writes it.
fn with_metadata(module: &str, wit: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("demo.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
        false,
    )
    .unwrap();
    module
}

fn compiled(bytes: impl AsRef<[u8]>) -> Result<Compiled, CompileError> {
    compile(bytes.as_ref(), &CodeMode::default(), &Limits::default())
}

fn refused(bytes: impl AsRef<[u8]>) -> CompileError {
    compiled(bytes).map(|c| c.manifest).unwrap_err()
}
