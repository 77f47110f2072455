//! Reads JSON straight into arguments, guided by their types.
//!
//! The types decide how deep the reading goes, so an item cannot: an array where no array belongs is refused at its
//! first byte.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wasmtime::component::Val;

use super::bulk::Arg;
use super::number::{self, Numeric, Raw};
use super::path::{Expected, Path, Place, Report, quote, suggest};
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

/// Text, borrowed from the item where it has no escapes.
struct Text<'a> {
    at: Place<'a>,
    ty: &'a Ty,
}

impl Text<'_> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.at.mismatch(self.ty, got)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    refuse!(null bool numbers array object);

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A list of numbers of one type, without a [`Val`] for each.
#[derive(Clone, Copy)]
struct List<'a> {
    at: Place<'a>,
    ty: &'a Ty,
    element: &'a Ty,
}

impl List<'_> {
    fn numbers<'de, D: Deserializer<'de>, T: Numeric>(self, json: D) -> Result<Vec<T>, D::Error> {
        json.deserialize_any(Numbers {
            list: self,
            number: PhantomData,
        })
    }

    fn elements<'de, A: SeqAccess<'de>, T: Numeric>(
        self,
        mut array: A,
    ) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        loop {
            let path = Path::Index(self.at.path, values.len());
            let element = number::Element::new(self.at.at(&path), self.element);
            match array.next_element_seed(element)? {
                Some(value) => values.push(value),
                None => return Ok(values),
            }
        }
    }

    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.at.mismatch(self.ty, got)
    }
}

struct Numbers<'a, T> {
    list: List<'a>,
    number: PhantomData<T>,
}

impl<T> Numbers<'_, T> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.list.mismatch(got)
    }
}

impl<'de, T: Numeric> Visitor<'de> for Numbers<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers")
    }

    refuse!(null bool numbers text object);

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        self.list.elements(array)
    }
}

/// A `list<u8>`: numbers, or text that means its bytes.
struct Bytes<'a>(List<'a>);

impl Bytes<'_> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.0.mismatch(got)
    }
}

impl<'de> Visitor<'de> for Bytes<'_> {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers or a string")
    }

    refuse!(null bool numbers object);

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text.as_bytes()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.as_bytes().to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        self.0.elements(array).map(Cow::Owned)
    }
}

impl Place<'_> {
    /// Reads the elements of an array as values of as many types, and nothing after them.
    fn exactly<'de, 't, A: SeqAccess<'de>, S: Slot<'de>>(
        self,
        mut array: A,
        types: impl ExactSizeIterator<Item = &'t Ty>,
        what: impl fmt::Display,
    ) -> Result<Vec<S>, A::Error> {
        let expected = types.len();
        let mut values = Vec::with_capacity(expected.min(PREALLOCATED));
        for ty in types {
            let path = Path::Index(self.path, values.len());
            let at = self.at(&path);
            match array.next_element_seed(Element::new(at, ty))? {
                Some(value) => values.push(value),
                None => {
                    let got = values.len();
                    return Err(self.fail(format_args!(
                        "expected {what}, got an array of {got}, not {expected}"
                    )));
                }
            }
        }
        if array.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(self.fail(format_args!(
                "expected {what}, got an array of more than {expected}"
            )));
        }
        Ok(values)
    }

    /// Reads an object by names; what is missing must be an option.
    fn named<'de, A: MapAccess<'de>, S: Slot<'de>>(
        self,
        mut object: A,
        types: &[(String, Ty)],
        what: &str,
    ) -> Result<Vec<S>, A::Error> {
        let mut slots: Vec<Option<S>> = types.iter().map(|_| None).collect();
        // Objects are mostly written in the order of the type.
        let mut next = 0;
        while let Some(key) = object.next_key_seed(Key)? {
            let known = match types.get(next) {
                Some((name, _)) if *name == *key => Some(next),
                _ => types.iter().position(|(name, _)| *name == *key),
            };
            let Some(index) = known else {
                let names = types.iter().map(|(name, _)| name.as_str());
                return Err(self.fail(format_args!(
                    "unknown {what} {}; {}",
                    quote(&key),
                    suggest(&key, names)
                )));
            };
            let (name, ty) = &types[index];
            if slots[index].is_some() {
                return Err(self.fail(format_args!("the {what} `{name}` is given twice")));
            }
            let path = Path::Name(self.path, name);
            slots[index] = Some(object.next_value_seed(Element::new(self.at(&path), ty))?);
            next = index + 1;
        }
        let filled = slots.into_iter().zip(types).map(|(slot, (name, ty))| {
            slot.or_else(|| ty.is_option().then(|| S::from_val(Val::Option(None))))
                .ok_or_else(|| {
                    self.fail(format_args!(
                        "the {what} `{name}`, {}, is missing",
                        brief(&ty.ty)
                    ))
                })
        });
        filled.collect()
    }

    /// Reads an object of exactly one key, whose value `payload` reads.
    fn tagged<'de, A: MapAccess<'de>, R>(
        self,
        mut object: A,
        ty: &Ty,
        payload: impl FnOnce(&str, &mut A) -> Result<R, A::Error>,
    ) -> Result<R, A::Error> {
        let Some(key) = object.next_key_seed(Key)? else {
            return Err(self.mismatch(ty, "an empty object"));
        };
        let value = payload(&key, &mut object)?;
        match object.next_key_seed(Key)? {
            None => Ok(value),
            Some(_) => Err(self.mismatch(ty, "an object of more than one key")),
        }
    }
}

/// Elements room is made for before any of them is read: an item may be short where its type is long.
const PREALLOCATED: usize = 1024;

/// An object's key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Element<'a, S> {
    at: Place<'a>,
    ty: &'a Ty,
    slot: PhantomData<S>,
}

impl<'a, S> Element<'a, S> {
    fn new(at: Place<'a>, ty: &'a Ty) -> Self {
        Element {
            at,
            ty,
            slot: PhantomData,
        }
    }
}

impl<'de, S: Slot<'de>> DeserializeSeed<'de> for Element<'_, S> {
    type Value = S;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<S, D::Error> {
        S::read(json, self.at, self.ty)
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

impl<S> fmt::Display for Arguments<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = &self.signature.inputs;
        if params.is_empty() {
            return f.write_str("null: the function takes no arguments");
        }
        f.write_str("an array or object of the arguments (")?;
        for (index, (name, ty)) in params.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
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

/// A value of any type.
#[derive(Clone, Copy)]
struct Value<'a> {
    at: Place<'a>,
    ty: &'a Ty,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        match &self.ty.kind {
            Kind::Int(int) => match int {
                Int::S8 => i8::read(json, self.at, self.ty).map(Val::S8),
                Int::U8 => u8::read(json, self.at, self.ty).map(Val::U8),
                Int::S16 => i16::read(json, self.at, self.ty).map(Val::S16),
                Int::U16 => u16::read(json, self.at, self.ty).map(Val::U16),
                Int::S32 => i32::read(json, self.at, self.ty).map(Val::S32),
                Int::U32 => u32::read(json, self.at, self.ty).map(Val::U32),
                Int::S64 => i64::read(json, self.at, self.ty).map(Val::S64),
                Int::U64 => u64::read(json, self.at, self.ty).map(Val::U64),
            },
            Kind::F32 => f32::read(json, self.at, self.ty).map(Val::Float32),
            Kind::F64 => f64::read(json, self.at, self.ty).map(Val::Float64),
            Kind::Option(inner) => json.deserialize_option(Opt {
                at: self.at,
                ty: self.ty,
                inner,
            }),
            _ => json.deserialize_any(self),
        }
    }
}

impl Value<'_> {
    fn mismatch<E: de::Error>(self, got: impl fmt::Display) -> E {
        self.at.mismatch(self.ty, got)
    }

    fn unknown<'n, E: de::Error>(
        self,
        what: &str,
        wrong: &str,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> E {
        self.at.fail(format_args!(
            "unknown {what} {}; {}",
            quote(wrong),
            suggest(wrong, names)
        ))
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Expected(self.ty))
    }

    refuse!(null numbers);

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Val, E> {
        match self.ty.kind {
            Kind::Bool => Ok(Val::Bool(value)),
            _ => Err(self.mismatch(value)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Val, E> {
        match &self.ty.kind {
            Kind::String => Ok(Val::String(text.to_owned())),
            Kind::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => Ok(Val::Char(c)),
                    _ => Err(self.mismatch(format_args!("string {}", quote(text)))),
                }
            }
            Kind::Enum(names) => match names.iter().find(|name| **name == *text) {
                Some(name) => Ok(Val::Enum(name.clone())),
                None => Err(self.unknown("case", text, names.iter().map(String::as_str))),
            },
            Kind::Variant(cases) => match cases.iter().find(|(name, _)| *name == *text) {
                Some((name, None)) => Ok(Val::Variant(name.clone(), None)),
                Some((name, Some(ty))) => Err(self.at.fail(format_args!(
                    "the case `{name}` has a payload of type {ty}: write {{\"{name}\": …}}",
                    ty = brief(&ty.ty)
                ))),
                None => {
                    Err(self.unknown("case", text, cases.iter().map(|(name, _)| name.as_str())))
                }
            },
            Kind::List(_) if self.ty.is_bytes() => {
                Ok(Val::List(text.bytes().map(Val::U8).collect()))
            }
            _ => Err(self.mismatch(format_args!("string {}", quote(text)))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Val, A::Error> {
        match &self.ty.kind {
            Kind::List(element) => {
                let mut values = Vec::new();
                loop {
                    let path = Path::Index(self.at.path, values.len());
                    let at = self.at.at(&path);
                    match array.next_element_seed(Value { at, ty: element })? {
                        Some(value) => values.push(value),
                        None => return Ok(Val::List(values)),
                    }
                }
            }
            Kind::Map(pair) => {
                let mut pairs = Vec::new();
                loop {
                    let path = Path::Index(self.at.path, pairs.len());
                    let at = self.at.at(&path);
                    match array.next_element_seed(Pair { at, pair })? {
                        Some(pair) => pairs.push(pair),
                        None => return Ok(Val::Map(pairs)),
                    }
                }
            }
            Kind::Fixed(element, length) => {
                let types = (0..*length as usize).map(|_| &**element);
                let values = self.at.exactly(array, types, Expected(self.ty))?;
                Ok(Val::FixedLengthList(values))
            }
            Kind::Tuple(types) => {
                let values = self.at.exactly(array, types.iter(), Expected(self.ty))?;
                Ok(Val::Tuple(values))
            }
            Kind::Flags(names) => {
                let mut set = Vec::new();
                loop {
                    let path = Path::Index(self.at.path, set.len());
                    let at = self.at.at(&path);
                    match array.next_element_seed(Flag {
                        at,
                        names,
                        set: &set,
                    })? {
                        Some(name) => set.push(name),
                        None => return Ok(Val::Flags(set)),
                    }
                }
            }
            _ => Err(self.mismatch("an array")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Val, A::Error> {
        match &self.ty.kind {
            Kind::Record(fields) => {
                let values = self.at.named(object, fields, "field")?;
                let names = fields.iter().map(|(name, _)| name.clone());
                Ok(Val::Record(names.zip(values).collect()))
            }
            Kind::Variant(cases) => self.at.tagged(object, self.ty, |key, object| {
                let Some((name, payload)) = cases.iter().find(|(name, _)| *name == *key) else {
                    let names = cases.iter().map(|(name, _)| name.as_str());
                    return Err(self.unknown("case", key, names));
                };
                let Some(ty) = payload else {
                    return Err(self.at.fail(format_args!(
                        "the case `{name}` has no payload: write \"{name}\""
                    )));
                };
                let path = Path::Name(self.at.path, name);
                let at = self.at.at(&path);
                let value = object.next_value_seed(Value { at, ty })?;
                Ok(Val::Variant(name.clone(), Some(Box::new(value))))
            }),
            Kind::Result(ok, err) => self.at.tagged(object, self.ty, |key, object| {
                let payload = match key {
                    "ok" => ok,
                    "err" => err,
                    _ => return Err(self.unknown("key", key, ["ok", "err"].into_iter())),
                };
                let path = Path::Name(self.at.path, if key == "ok" { "ok" } else { "err" });
                let at = self.at.at(&path);
                let value = match payload {
                    Some(ty) => Some(Box::new(object.next_value_seed(Value { at, ty })?)),
                    None => object.next_value_seed(Null { at })?,
                };
                Ok(Val::Result(if key == "ok" {
                    Ok(value)
                } else {
                    Err(value)
                }))
            }),
            _ => Err(self.mismatch("an object")),
        }
    }
}

/// `null`, where a side of a result has no type.
struct Null<'a> {
    at: Place<'a>,
}

impl<'de> DeserializeSeed<'de> for Null<'_> {
    type Value = Option<Box<Val>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        let text = <&RawValue>::deserialize(json)?.get();
        match text {
            "null" => Ok(None),
            _ => Err(self
                .at
                .fail(format_args!("expected null, got {}", Raw(text)))),
        }
    }
}

/// One `[key, value]` of a map.
struct Pair<'a> {
    at: Place<'a>,
    pair: &'a [Ty; 2],
}

impl<'de> DeserializeSeed<'de> for Pair<'_> {
    type Value = (Val, Val);

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl Pair<'_> {
    const WHAT: &'static str = "a [key, value] array";

    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        self.at
            .fail(format_args!("expected {}, got {got}", Self::WHAT))
    }
}

impl<'de> Visitor<'de> for Pair<'_> {
    type Value = (Val, Val);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WHAT)
    }

    refuse!(null bool numbers text object);

    fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Self::Value, A::Error> {
        let values = self.at.exactly(array, self.pair.iter(), Self::WHAT)?;
        match <[Val; 2]>::try_from(values) {
            Ok([key, value]) => Ok((key, value)),
            Err(values) => Err(self.mismatch(format_args!("{} values", values.len()))),
        }
    }
}

/// The name of a flag that is not yet set.
struct Flag<'a> {
    at: Place<'a>,
    names: &'a [String],
    set: &'a [String],
}

impl<'de> DeserializeSeed<'de> for Flag<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<String, D::Error> {
        let text = <&RawValue>::deserialize(json)?.get();
        let Ok(name) = serde_json::from_str::<Cow<'_, str>>(text) else {
            return Err(self.at.fail(format_args!(
                "expected the name of a flag, got {}",
                Raw(text)
            )));
        };
        if !self.names.iter().any(|known| *known == *name) {
            let names = self.names.iter().map(String::as_str);
            return Err(self.at.fail(format_args!(
                "unknown flag {}; {}",
                quote(&name),
                suggest(&name, names)
            )));
        }
        if self.set.iter().any(|set| *set == *name) {
            return Err(self
                .at
                .fail(format_args!("the flag `{name}` is given twice")));
        }
        Ok(name.into_owned())
    }
}

/// An `option`: `null`, or the value, wrapped if `null` could be a value.
struct Opt<'a> {
    at: Place<'a>,
    ty: &'a Ty,
    inner: &'a Ty,
}

impl<'de> Visitor<'de> for Opt<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Expected(self.ty))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_none<E: de::Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        let value = match self.inner.is_option() {
            false => Value {
                at: self.at,
                ty: self.inner,
            }
            .deserialize(json)?,
            true => json.deserialize_any(Wrapped(self))?,
        };
        Ok(Val::Option(Some(Box::new(value))))
    }
}

/// The `{"some": …}` around an option inside an option.
struct Wrapped<'a>(Opt<'a>);

impl Wrapped<'_> {
    fn mismatch<E: de::Error>(&self, got: impl fmt::Display) -> E {
        let ty = brief(&self.0.ty.ty);
        self.0.at.fail(format_args!(
            "expected null or {{\"some\": …}} for {ty}, got {got}"
        ))
    }
}

impl<'de> Visitor<'de> for Wrapped<'_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"some\": …}}")
    }

    refuse!(bool numbers text array);

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Val, A::Error> {
        let Opt { at, ty, inner } = self.0;
        at.tagged(object, ty, |key, object| {
            if key != "some" {
                return Err(self.mismatch(format_args!("an object with the key {}", quote(key))));
            }
            let path = Path::Name(at.path, "some");
            object.next_value_seed(Value {
                at: at.at(&path),
                ty: inner,
            })
        })
    }
}
