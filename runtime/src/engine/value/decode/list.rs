//! Reads what crosses in one run of memory: text, bytes and lists of numbers.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::number::{self, Numeric};
use crate::engine::value::path::{Path, Place};
use crate::engine::value::types::Ty;

/// Text, borrowed from the item where it has no escapes.
pub(super) struct Text<'a> {
    pub(super) at: Place<'a>,
    pub(super) ty: &'a Ty,
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

/// A list of numbers of one type, without a `Val` for each.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    pub(super) at: Place<'a>,
    pub(super) ty: &'a Ty,
    pub(super) element: &'a Ty,
}

impl List<'_> {
    pub(super) fn numbers<'de, D: Deserializer<'de>, T: Numeric>(
        self,
        json: D,
    ) -> Result<Vec<T>, D::Error> {
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
pub(super) struct Bytes<'a>(pub(super) List<'a>);

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
