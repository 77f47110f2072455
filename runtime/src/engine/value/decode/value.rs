//! Reads a value of any type as a [`Val`].

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wasmtime::component::Val;

use super::number::{Found, Numeric};
use crate::engine::value::path::{Expected, Path, Place, quote, suggest};
use crate::engine::value::types::{Int, Kind, Ty};
use crate::engine::value::wit::brief;

/// A value of any type.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) at: Place<'a>,
    pub(super) ty: &'a Ty,
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
                .fail(format_args!("expected null, got {}", Found(text)))),
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
                Found(text)
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
