//! Reads single numbers out of JSON, exactly.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Place, quote};
use super::types::Ty;

/// A number type of WIT.
pub(super) trait Numeric: Sized {
    fn read<'de, D: Deserializer<'de>>(json: D, at: Place<'_>, ty: &Ty) -> Result<Self, D::Error>;
}

/// A number as the JSON reader gives it.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Signed(i64),
    Unsigned(u64),
    /// Written with a fraction or an exponent, or an integer beyond 64 bits, or `-0`.
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Signed(value) => write!(f, "number {value}"),
            Number::Unsigned(value) => write!(f, "number {value}"),
            Number::Float(value) => write!(f, "number {value:?}"),
        }
    }
}

/// Below it, in magnitude, every integer is an `f64`, and no other number rounds to one that is not near it.
const EXACT: f64 = (1_u64 << 53) as f64;

/// An integer type, from the number that was read if it is exactly one of its values.
trait Integer: Sized {
    fn exactly(number: Number) -> Option<Self>;
}

struct IntegerVisitor<'a, T> {
    at: Place<'a>,
    ty: &'a Ty,
    integer: PhantomData<T>,
}

impl<T> IntegerVisitor<'_, T> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.at.mismatch(self.ty, got)
    }
}

impl<T: Integer> IntegerVisitor<'_, T> {
    fn number<E: de::Error>(&self, number: Number) -> Result<T, E> {
        T::exactly(number).ok_or_else(|| self.mismatch(number))
    }
}

impl<'de, T: Integer> Visitor<'de> for IntegerVisitor<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    refuse!(null bool text array object);

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.number(Number::Signed(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.number(Number::Unsigned(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        self.number(Number::Float(value))
    }
}

macro_rules! integers {
    ($($t:ty)*) => { $(
        impl Integer for $t {
            fn exactly(number: Number) -> Option<Self> {
                match number {
                    Number::Signed(value) => value.try_into().ok(),
                    Number::Unsigned(value) => value.try_into().ok(),
                    Number::Float(value) if value.fract() == 0.0 && value.abs() < EXACT => {
                        (value as i64).try_into().ok()
                    }
                    Number::Float(_) => None,
                }
            }
        }

        impl Numeric for $t {
            fn read<'de, D: Deserializer<'de>>(
                json: D,
                at: Place<'_>,
                ty: &Ty,
            ) -> Result<Self, D::Error> {
                json.deserialize_any(IntegerVisitor { at, ty, integer: PhantomData })
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
                if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
                    return Err(at.mismatch(ty, Raw(text)));
                }
                match text.parse::<$t>() {
                    Ok(value) if value.is_finite() => Ok(value),
                    _ => Err(at.fail(format_args!(
                        "{} is beyond the range of {}",
                        Raw(text),
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
pub(super) struct Raw<'t>(pub(super) &'t str);

impl fmt::Display for Raw<'_> {
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
