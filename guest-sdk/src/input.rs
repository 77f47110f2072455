//! From an item's bytes to a task's parameters.
//!
//! An item's bytes belong to the task for as long as its chunk is run, so that borrowed parameters point into them. They
//! are also writable, so that a borrowed text whose JSON has escapes can be unescaped where it is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use crate::bytes::Bytes;
use crate::host::Encoding;
use crate::raw::RawItem;

/// Why an item is not what a task takes: a message for people.
pub type Invalid = String;

/// A way to take an item as the parameters `Args`.
pub trait Taking<'de, Args>: Copy {
    /// Decodes one item. `names` are the parameters' names, if they are known.
    fn take(
        self,
        item: &'de mut [u8],
        encoding: Encoding,
        names: &'static [&'static str],
    ) -> Result<Args, Invalid>;
}

/// Whatever serde deserialises.
#[derive(Clone, Copy)]
pub struct AnyItem;

/// One byte vector.
#[derive(Clone, Copy)]
pub struct ByteVec;

impl<'de, Args: Arguments<'de>> Taking<'de, Args> for AnyItem {
    #[inline]
    fn take(
        self,
        item: &'de mut [u8],
        encoding: Encoding,
        names: &'static [&'static str],
    ) -> Result<Args, Invalid> {
        Args::decode(item, encoding, names)
    }
}

impl<'de> Taking<'de, (Vec<u8>,)> for ByteVec {
    #[inline]
    fn take(
        self,
        item: &'de mut [u8],
        encoding: Encoding,
        _: &'static [&'static str],
    ) -> Result<(Vec<u8>,), Invalid> {
        let (Bytes(bytes),) = <(Bytes,)>::decode(item, encoding, &[])?;
        Ok((bytes,))
    }
}

/// Parameters that an item can be decoded into.
#[diagnostic::on_unimplemented(
    message = "a task cannot take `{Self}`",
    note = "every parameter of a task implements `serde::Deserialize`; a task has at most eight"
)]
pub trait Arguments<'de>: Sized {
    /// Decodes one item.
    fn decode(
        item: &'de mut [u8],
        encoding: Encoding,
        names: &'static [&'static str],
    ) -> Result<Self, Invalid>;
}

fn from_postcard<'de, T: Deserialize<'de>>(item: &'de [u8]) -> Result<T, Invalid> {
    use postcard::Error::{DeserializeUnexpectedEnd, WontImplement};
    match postcard::take_from_bytes(item) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes are left over after the item, in postcard encoding", rest.len())),
        Err(WontImplement) => {
            Err("the task takes a type that needs a self-describing format, which postcard is not: use JSON encoding".into())
        }
        Err(DeserializeUnexpectedEnd) => Err("the item ends too early, in postcard encoding".into()),
        Err(other) => Err(format!("the item is not what the task takes, in postcard encoding: {other}")),
    }
}

impl<'de> Arguments<'de> for () {
    fn decode(
        item: &'de mut [u8],
        encoding: Encoding,
        _: &'static [&'static str],
    ) -> Result<Self, Invalid> {
        match encoding {
            Encoding::Json => serde_json::Deserializer::from_slice(item).take_all(NothingVisitor),
            Encoding::Postcard => from_postcard(item),
            Encoding::Raw if item.is_empty() => Ok(()),
            Encoding::Raw => Err(format!(
                "the task takes no parameters, and the item has {} bytes",
                item.len()
            )),
        }
    }
}

impl<'de, A: Deserialize<'de>> Arguments<'de> for (A,) {
    #[inline]
    fn decode(
        item: &'de mut [u8],
        encoding: Encoding,
        _: &'static [&'static str],
    ) -> Result<Self, Invalid> {
        let argument = match encoding {
            Encoding::Json => A::deserialize(JsonItem(item)).map_err(|error| error.to_string()),
            Encoding::Postcard => from_postcard(item),
            Encoding::Raw => A::deserialize(RawItem(item)).map_err(|error| error.to_string()),
        };
        argument.map(|argument| (argument,))
    }
}

/// Runs a whole JSON text through a visitor.
trait TakeAll<'de> {
    fn take_all<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid>;
}

impl<'de, R: serde_json::de::Read<'de>> TakeAll<'de> for serde_json::Deserializer<R> {
    fn take_all<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Invalid> {
        let value = self
            .deserialize_any(visitor)
            .and_then(|value| self.end().map(|()| value));
        value.map_err(|error| error.to_string())
    }
}

struct NothingVisitor;

impl<'de> Visitor<'de> for NothingVisitor {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, since the task takes no parameters")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        match items.next_element::<de::IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_type(Unexpected::Seq, &self)),
        }
    }
}

/// Visits several parameters: in order, or by their names.
struct ArgumentsVisitor<Args> {
    names: &'static [&'static str],
    arguments: PhantomData<Args>,
}

/// The position of a parameter, from its name.
struct NameSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = usize;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for NameSeed {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a parameter")
    }
    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        let position = self.0.iter().position(|known| *known == name);
        position.ok_or_else(|| E::unknown_field(name, self.0))
    }
}

fn missing<'de, T: Deserialize<'de>, E: de::Error>(name: &'static str) -> Result<T, E> {
    // As serde does for fields: an `Option` that is left out is none.
    struct Missing<E>(&'static str, PhantomData<E>);
    impl<'de, E: de::Error> Deserializer<'de> for Missing<E> {
        type Error = E;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
            Err(E::missing_field(self.0))
        }
        fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.visit_none()
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    T::deserialize(Missing(name, PhantomData))
}

macro_rules! arguments_of {
    ($count:literal $($parameter:ident $value:ident $position:tt)*) => {
        impl<'de, $($parameter: Deserialize<'de>),*> Visitor<'de> for ArgumentsVisitor<($($parameter,)*)> {
            type Value = ($($parameter,)*);

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.names {
                    [] => write!(f, "an array of the task's {} parameters", $count),
                    names => write!(f, "an array or an object of the task's parameters ({})", names.join(", ")),
                }
            }

            fn visit_seq<Items: SeqAccess<'de>>(self, mut items: Items) -> Result<Self::Value, Items::Error> {
                $(let Some($value) = items.next_element()? else {
                    return Err(Items::Error::invalid_length($position, &self));
                };)*
                if items.next_element::<de::IgnoredAny>()?.is_some() {
                    let mut length = $count + 1;
                    while items.next_element::<de::IgnoredAny>()?.is_some() {
                        length += 1;
                    }
                    return Err(Items::Error::invalid_length(length, &self));
                }
                Ok(($($value,)*))
            }

            fn visit_map<Items: MapAccess<'de>>(self, mut items: Items) -> Result<Self::Value, Items::Error> {
                if self.names.is_empty() {
                    return Err(Items::Error::invalid_type(Unexpected::Map, &self));
                }
                $(let mut $value = None;)*
                while let Some(position) = items.next_key_seed(NameSeed(self.names))? {
                    match position {
                        $($position => if $value.replace(items.next_value()?).is_some() {
                            return Err(Items::Error::duplicate_field(self.names[$position]));
                        },)*
                        _ => drop(items.next_value::<de::IgnoredAny>()?),
                    }
                }
                Ok(($(match $value {
                    Some(value) => value,
                    None => missing(self.names[$position])?,
                },)*))
            }
        }

        impl<'de, $($parameter: Deserialize<'de>),*> Arguments<'de> for ($($parameter,)*) {
            fn decode(
                item: &'de mut [u8],
                encoding: Encoding,
                names: &'static [&'static str],
            ) -> Result<Self, Invalid> {
                match encoding {
                    Encoding::Json => serde_json::Deserializer::from_slice(item)
                        .take_all(ArgumentsVisitor::<Self> { names, arguments: PhantomData }),
                    Encoding::Postcard => from_postcard(item),
                    Encoding::Raw => Err(format!(
                        "a raw item is one text or one byte list, and the task takes {} parameters: send JSON",
                        $count
                    )),
                }
            }
        }
    };
}

arguments_of!(2 A a 0 B b 1);
arguments_of!(3 A a 0 B b 1 C c 2);
arguments_of!(4 A a 0 B b 1 C c 2 D d 3);
arguments_of!(5 A a 0 B b 1 C c 2 D d 3 E e 4);
arguments_of!(6 A a 0 B b 1 C c 2 D d 3 E e 4 F f 5);
arguments_of!(7 A a 0 B b 1 C c 2 D d 3 E e 4 F f 5 G g 6);
arguments_of!(8 A a 0 B b 1 C c 2 D d 3 E e 4 F f 5 G g 6 H h 7);

/// One JSON item: serde_json's deserializer, except that a borrowed text or byte list always has something to point at.
struct JsonItem<'de>(&'de mut [u8]);

impl<'de> JsonItem<'de> {
    fn whole<T>(
        self,
        read: impl FnOnce(
            &mut serde_json::Deserializer<serde_json::de::SliceRead<'de>>,
        ) -> serde_json::Result<T>,
    ) -> serde_json::Result<T> {
        let mut deserializer = serde_json::Deserializer::from_slice(self.0);
        let value = read(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// Replaces the start of the item by what it means, which is never longer than its JSON.
    fn unescape(self, meaning: &[u8]) -> &'de [u8] {
        match self.0.get_mut(..meaning.len()) {
            Some(place) => {
                place.copy_from_slice(meaning);
                place
            }
            None => &[],
        }
    }
}

macro_rules! forward_to_serde_json {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.whole(|deserializer| deserializer.$method($($argument,)* visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for JsonItem<'de> {
    type Error = serde_json::Error;

    forward_to_serde_json! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_string() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str) deserialize_seq() deserialize_tuple(length: usize)
        deserialize_tuple_struct(name: &'static str, length: usize) deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if !self.0.contains(&b'\\') {
            return self.whole(|deserializer| deserializer.deserialize_str(visitor));
        }
        let text: String = serde_json::from_slice(self.0)?;
        match std::str::from_utf8(self.unescape(text.as_bytes())) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(error) => Err(Self::Error::custom(error)),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let Bytes(bytes) = serde_json::from_slice(self.0)?;
        visitor.visit_borrowed_bytes(self.unescape(&bytes))
    }
}
