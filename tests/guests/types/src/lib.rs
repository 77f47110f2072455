//! Every kind of type, given back as it came.
#![cfg(target_family = "wasm")]
#![expect(missing_docs, reason = "what wit-bindgen makes has none")]

wit_bindgen::generate!({ path: "wit", world: "types" });

use exports::tests::types::echo::{Colour, Guest, Nested, Point, Rights, Shape};

struct Echo;

export!(Echo);

macro_rules! echo {
    ($($name:ident: $type:ty,)*) => {
        impl Guest for Echo {
            $(fn $name(v: $type) -> $type {
                v
            })*
        }
    };
}

echo! {
    echo_bool: bool,
    echo_s8: i8,
    echo_u8: u8,
    echo_s16: i16,
    echo_u16: u16,
    echo_s32: i32,
    echo_u32: u32,
    echo_s64: i64,
    echo_u64: u64,
    echo_f32: f32,
    echo_f64: f64,
    echo_char: char,
    echo_string: String,
    echo_bytes: Vec<u8>,
    echo_strings: Vec<String>,
    echo_numbers: Vec<f64>,
    echo_tuple: (u8, String, bool),
    echo_record: Point,
    echo_variant: Shape,
    echo_enum: Colour,
    echo_flags: Rights,
    echo_option: Option<u32>,
    echo_option_option: Option<Option<u32>>,
    echo_results: Vec<Result<u32, String>>,
    echo_outcome: Result<u32, String>,
    echo_nested: Nested,
}
