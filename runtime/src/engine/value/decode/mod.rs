//! Reads JSON straight into arguments, guided by their types.
//!
//! The types decide how deep the reading goes, so an item cannot: what has no place in a type is refused, or skipped
//! without recursion, however deep it nests.

#[macro_use]
mod refuse;
mod list;
mod number;
mod parts;
mod value;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use self::list::{Bytes, List, Text};
use self::value::Value;
use super::bulk::Arg;
use super::path::{Place, Report};
use super::types::{Int, Kind, Signature, Ty};
use super::wit::brief;

/// Reads an item: the arguments of one call, in order.
///
/// # Errors
///
/// A message for people: where, what was expected there and what was found.
pub(super) fn arguments<'de, S: Slot<'de>>(
    signature: &Signature,
    item: &'de [u8],
) -> Result<Vec<S>, String> {
    read(item, |json, report| match &signature.inputs[..] {
        [(_, ty)] => S::read(json, Place::root(report), ty).map(|slot| vec![slot]),
        _ => json.deserialize_any(Arguments {
            signature,
            report,
            slot: PhantomData,
        }),
    })
}

type Json<'j, 'de> = &'j mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>;

fn read<'de, R>(
    item: &'de [u8],
    read: impl FnOnce(Json<'_, 'de>, &Report) -> serde_json::Result<R>,
) -> Result<R, String> {
    let report = Report::default();
    let mut json = serde_json::Deserializer::from_slice(item);
    let result = read(&mut json, &report).and_then(|value| json.end().map(|()| value));
    result.map_err(|error| report.message(&error))
}

/// What an argument is read into.
pub(super) trait Slot<'de>: Sized {
    fn read<D: Deserializer<'de>>(json: D, at: Place<'_>, ty: &Ty) -> Result<Self, D::Error>;

    fn from_val(val: Val) -> Self;

    /// The argument of a `list<u8>` parameter.
    fn from_bytes(bytes: &'de [u8]) -> Self;

    /// The argument of a `string` parameter.
    fn from_text(text: &'de str) -> Self;
}

impl<'de> Slot<'de> for Val {
    fn read<D: Deserializer<'de>>(json: D, at: Place<'_>, ty: &Ty) -> Result<Self, D::Error> {
        Value { at, ty }.deserialize(json)
    }

    fn from_val(val: Val) -> Self {
        val
    }

    fn from_bytes(bytes: &'de [u8]) -> Self {
        Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())
    }

    fn from_text(text: &'de str) -> Self {
        Val::String(text.to_owned())
    }
}

impl<'de> Slot<'de> for Arg<'de> {
    fn read<D: Deserializer<'de>>(json: D, at: Place<'_>, ty: &Ty) -> Result<Self, D::Error> {
        let list = match &ty.kind {
            Kind::String => return json.deserialize_any(Text { at, ty }).map(Arg::Text),
            Kind::List(element) if ty.is_bulk() => List { at, ty, element },
            _ => return Value { at, ty }.deserialize(json).map(Arg::Scalar),
        };
        match list.element.kind {
            Kind::Int(Int::U8) => json.deserialize_any(Bytes(list)).map(Arg::U8),
            Kind::Int(Int::S8) => list.numbers(json).map(Arg::S8),
            Kind::Int(Int::S16) => list.numbers(json).map(Arg::S16),
            Kind::Int(Int::U16) => list.numbers(json).map(Arg::U16),
            Kind::Int(Int::S32) => list.numbers(json).map(Arg::S32),
            Kind::Int(Int::U32) => list.numbers(json).map(Arg::U32),
            Kind::Int(Int::S64) => list.numbers(json).map(Arg::S64),
            Kind::Int(Int::U64) => list.numbers(json).map(Arg::U64),
            Kind::F32 => list.numbers(json).map(Arg::F32),
            Kind::F64 => list.numbers(json).map(Arg::F64),
            _ => Value { at, ty }.deserialize(json).map(Arg::Scalar),
        }
    }

    fn from_val(val: Val) -> Self {
        Arg::Scalar(val)
    }

    fn from_bytes(bytes: &'de [u8]) -> Self {
        Arg::U8(Cow::Borrowed(bytes))
    }

    fn from_text(text: &'de str) -> Self {
        Arg::Text(Cow::Borrowed(text))
    }
}

/// The arguments of a function of no or of several parameters.
struct Arguments<'a, S> {
    signature: &'a Signature,
    report: &'a Report,
    slot: PhantomData<S>,
}

impl<S> Arguments<'_, S> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        Place::root(self.report).fail(format_args!("expected {self}, got {got}"))
    }
}

/// Parameters that a message shows.
const SHOWN: usize = 8;

impl<S> fmt::Display for Arguments<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = &self.signature.inputs;
        if params.is_empty() {
            return f.write_str("null: the function takes no arguments");
        }
        f.write_str("an array or object of the arguments (")?;
        for (index, (name, ty)) in params.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            if index == SHOWN {
                f.write_str(", …")?;
                break;
            }
            write!(f, "{comma}{name}: {}", brief(&ty.ty))?;
        }
        f.write_str(")")
    }
}

impl<'de, S: Slot<'de>> Visitor<'de> for Arguments<'_, S> {
    type Value = Vec<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        match self.signature.inputs.is_empty() {
            true => Ok(Vec::new()),
            false => Err(self.mismatch("null")),
        }
    }

    refuse!(bool numbers text);

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        let types = self.signature.inputs.iter().map(|(_, ty)| ty);
        Place::root(self.report).exactly(array, types, &self)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        Place::root(self.report).named(object, &self.signature.inputs, "parameter")
    }
}
