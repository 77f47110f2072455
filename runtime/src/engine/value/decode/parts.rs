//! Reads the parts of arrays and objects: as many as there should be, by name, or by their only key.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::Slot;
use crate::engine::value::path::{Path, Place, quote, suggest};
use crate::engine::value::types::Ty;
use crate::engine::value::wit::brief;

impl Place<'_> {
    /// Reads the elements of an array as values of as many types, and nothing after them.
    pub(super) fn exactly<'de, 't, A: SeqAccess<'de>, S: Slot<'de>>(
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
    pub(super) fn named<'de, A: MapAccess<'de>, S: Slot<'de>>(
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
    pub(super) fn tagged<'de, A: MapAccess<'de>, R>(
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
