//! Tasks that give back what they got, in every shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasmpool_guest::serde_json::Value;

pub fn echo_bytes(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

pub fn echo_text(text: &str) -> &str {
    text
}

pub fn echo_json(value: Value) -> Value {
    value
}

/// One of everything that serde knows.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Nested {
    pub flag: bool,
    pub small: i8,
    pub large: u64,
    pub fraction: f64,
    pub letter: char,
    pub text: String,
    pub nothing: (),
    pub maybe: Option<Option<u32>>,
    pub shape: Shape,
    pub list: Vec<Shape>,
    pub map: BTreeMap<String, Vec<Option<i32>>>,
    pub pair: (u8, Box<Option<Nested>>),
}

/// One of every kind of variant.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Rectangle { width: u32, height: u32 },
}

pub fn echo_nested(value: Nested) -> Nested {
    value
}

pub fn takes_map(map: BTreeMap<String, i64>) -> usize {
    map.len()
}

#[expect(clippy::too_many_arguments, reason = "the most that a task may have")]
pub fn wide(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64) -> i64 {
    a + b + c + d + e + f + g + h
}
