//! Writes results as JSON or raw bytes.

use serde::ser::{Serialize, SerializeMap, Serializer};
use wasmtime::component::Val;

use super::bulk::Bulk;

/// What a function returned: of a `result`, one of its sides.
#[derive(Debug)]
pub(super) enum Output {
    /// No value.
    Nothing,
    Val(Val),
    Bulk(Bulk),
}

/// Beyond this length, bytes that were lifted become the output instead of being copied to it.
const MOVED: usize = 64 * 1024;

impl Output {
    /// Appends the value as one line of compact JSON.
    pub(super) fn json(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Output::Nothing => out.extend_from_slice(b"null"),
            Output::Val(val) => serde_json::to_writer(out, &Json(val))?,
            Output::Bulk(bulk) => {
                match bulk {
                    Bulk::Text(text) => serde_json::to_writer(out, text)?,
                    Bulk::U8(list) => serde_json::to_writer(out, list)?,
                    Bulk::S8(list) => serde_json::to_writer(out, list)?,
                    Bulk::S16(list) => serde_json::to_writer(out, list)?,
                    Bulk::U16(list) => serde_json::to_writer(out, list)?,
                    Bulk::S32(list) => serde_json::to_writer(out, list)?,
                    Bulk::U32(list) => serde_json::to_writer(out, list)?,
                    Bulk::S64(list) => serde_json::to_writer(out, list)?,
                    Bulk::U64(list) => serde_json::to_writer(out, list)?,
                    Bulk::F32(list) => serde_json::Serializer::new(out)
                        .collect_seq(list.iter().map(|v| Float(*v)))?,
                    Bulk::F64(list) => serde_json::Serializer::new(out)
                        .collect_seq(list.iter().map(|v| Float(*v)))?,
                }
            }
        }
        Ok(())
    }

    /// Appends the bytes of text or of a byte list, or of any other value its JSON.
    ///
    /// The caller knows that the type is text or bytes: an empty list does not tell what it is empty of.
    pub(super) fn raw(self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Output::Bulk(Bulk::U8(bytes)) => append(bytes, out),
            Output::Bulk(Bulk::Text(text)) | Output::Val(Val::String(text)) => {
                append(text.into_bytes(), out);
            }
            Output::Val(Val::List(list)) if list.iter().all(|v| matches!(v, Val::U8(_))) => {
                out.extend(list.iter().filter_map(|v| match v {
                    Val::U8(byte) => Some(*byte),
                    _ => None,
                }));
            }
            other => other.json(out)?,
        }
        Ok(())
    }

    /// The value as a message: text as it is, anything else as JSON.
    pub(super) fn message(self) -> serde_json::Result<String> {
        match self {
            Output::Nothing => Ok("the function returned an error without a value".to_owned()),
            Output::Bulk(Bulk::Text(text)) | Output::Val(Val::String(text)) => Ok(text),
            Output::Val(val) => serde_json::to_string(&Json(&val)),
            other => {
                let mut json = Vec::new();
                other.json(&mut json)?;
                Ok(String::from_utf8_lossy(&json).into_owned())
            }
        }
    }
}

/// Appends bytes, by taking them over where that saves a large copy.
fn append(bytes: Vec<u8>, out: &mut Vec<u8>) {
    if out.is_empty() && bytes.len() >= MOVED {
        *out = bytes;
    } else {
        out.extend_from_slice(&bytes);
    }
}

/// A value as JSON. How deep it nests was bounded with its type.
struct Json<'v>(&'v Val);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Val::Bool(v) => to.serialize_bool(*v),
            Val::S8(v) => to.serialize_i8(*v),
            Val::U8(v) => to.serialize_u8(*v),
            Val::S16(v) => to.serialize_i16(*v),
            Val::U16(v) => to.serialize_u16(*v),
            Val::S32(v) => to.serialize_i32(*v),
            Val::U32(v) => to.serialize_u32(*v),
            Val::S64(v) => to.serialize_i64(*v),
            Val::U64(v) => to.serialize_u64(*v),
            Val::Float32(v) => Float(*v).serialize(to),
            Val::Float64(v) => Float(*v).serialize(to),
            Val::Char(v) => to.serialize_char(*v),
            Val::String(v) | Val::Enum(v) | Val::Variant(v, None) => to.serialize_str(v),
            Val::List(v) | Val::Tuple(v) | Val::FixedLengthList(v) => {
                to.collect_seq(v.iter().map(Json))
            }
            Val::Map(v) => to.collect_seq(v.iter().map(|(key, value)| [Json(key), Json(value)])),
            Val::Record(v) => to.collect_map(v.iter().map(|(name, value)| (name, Json(value)))),
            Val::Flags(v) => to.collect_seq(v),
            Val::Variant(name, Some(v)) => tagged(to, name, Some(v)),
            Val::Option(None) => to.serialize_none(),
            Val::Option(Some(v)) if matches!(**v, Val::Option(_)) => tagged(to, "some", Some(v)),
            Val::Option(Some(v)) => Json(v).serialize(to),
            Val::Result(Ok(v)) => tagged(to, "ok", v.as_deref()),
            Val::Result(Err(v)) => tagged(to, "err", v.as_deref()),
            Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
                Err(serde::ser::Error::custom("a handle has no JSON form"))
            }
        }
    }
}

fn tagged<S: Serializer>(to: S, key: &str, value: Option<&Val>) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(1))?;
    map.serialize_entry(key, &value.map(Json))?;
    map.end()
}

/// A float as JSON.
struct Float<T>(T);

impl Serialize for Float<f32> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match unwritable(self.0.into()) {
            None => to.serialize_f32(self.0),
            Some(name) => to.serialize_str(name),
        }
    }
}

impl Serialize for Float<f64> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match unwritable(self.0) {
            None => to.serialize_f64(self.0),
            Some(name) => to.serialize_str(name),
        }
    }
}

/// The name of a float that JSON has no number for.
fn unwritable(value: f64) -> Option<&'static str> {
    if value.is_finite() {
        None
    } else if value.is_nan() {
        Some("NaN")
    } else if value > 0.0 {
        Some("Infinity")
    } else {
        Some("-Infinity")
    }
}
