//! Reads single numbers out of JSON, exactly.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer};
use serde_json::value::RawValue;

use crate::engine::value::path::{Place, quote};
use crate::engine::value::types::Ty;

/// A number type of WIT.
pub(super) trait Numeric: Sized {
    fn read<'de, D: Deserializer<'de>>(json: D, at: Place<'_>, ty: &Ty) -> Result<Self, D::Error>;
}

/// Below it, in magnitude, every integer is an `f64`: a number written with a fraction or an exponent that reads as
/// an integer is that integer.
const EXACT: f64 = (1_u64 << 53) as f64;

/// The integer that a number with a fraction or an exponent is, if it is one.
fn integral(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// Whether a JSON text is a number.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

macro_rules! integers {
    ($($t:ident)*) => { $(
        impl Numeric for $t {
            /// Parses the number's own text: the reader rounds what is not an integer of 64 bits.
            fn read<'de, D: Deserializer<'de>>(
                json: D,
                at: Place<'_>,
                ty: &Ty,
            ) -> Result<Self, D::Error> {
                let text = <&RawValue>::deserialize(json)?.get();
                if let Ok(value) = text.parse::<$t>() {
                    return Ok(value);
                }
                let value = match text.contains(['.', 'e', 'E']) && is_number(text) {
                    true => integral(text).and_then(|value| value.try_into().ok()),
                    false => (text == "-0").then_some(0),
                };
                value.ok_or_else(|| at.mismatch(ty, Found(text)))
            }
        }
    )* };
}

integers!(i8 u8 i16 u16 i32 u32 i64 u64);

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl Numeric for $t {
            /// Parses the number's own text: the reader's conversion may be off by a digit, and knows no `f32`.
            fn read<'de, D: Deserializer<'de>>(
                json: D,
                at: Place<'_>,
                ty: &Ty,
            ) -> Result<Self, D::Error> {
                let text = <&RawValue>::deserialize(json)?.get();
                match text {
                    "\"NaN\"" => return Ok($t::NAN),
                    "\"Infinity\"" => return Ok($t::INFINITY),
                    "\"-Infinity\"" => return Ok($t::NEG_INFINITY),
                    _ => {}
                }
                if !is_number(text) {
                    return Err(at.mismatch(ty, Found(text)));
                }
                match text.parse::<$t>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(at.fail(format_args!(
                        "{} is beyond the range of {}",
                        Found(text),
                        stringify!($t)
                    ))),
                }
            }
        }
    )* };
}

floats!(f32 f64);

/// One element of a list of numbers.
pub(super) struct Element<'a, T> {
    at: Place<'a>,
    ty: &'a Ty,
    number: PhantomData<T>,
}

impl<'a, T> Element<'a, T> {
    pub(super) fn new(at: Place<'a>, ty: &'a Ty) -> Self {
        Element {
            at,
            ty,
            number: PhantomData,
        }
    }
}

impl<'de, T: Numeric> DeserializeSeed<'de> for Element<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        T::read(json, self.at, self.ty)
    }
}

/// Says what kind of value a JSON text is.
pub(super) struct Found<'t>(pub(super) &'t str);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_bytes().first() {
            Some(b'[') => f.write_str("an array"),
            Some(b'{') => f.write_str("an object"),
            Some(b'"') => match serde_json::from_str::<Cow<'_, str>>(self.0) {
                Ok(text) => write!(f, "string {}", quote(&text)),
                Err(_) => f.write_str("a string"),
            },
            Some(b'-' | b'0'..=b'9') => match self.0.get(..40) {
                Some(start) if self.0.len() > 40 => write!(f, "number {start}…"),
                _ => write!(f, "number {}", self.0),
            },
            _ => f.write_str(self.0),
        }
    }
}
