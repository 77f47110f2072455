//! A row as a JSON object whose fields keep their order.

use std::fmt;

use wasmpool_guest::serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use wasmpool_guest::serde::ser::{Serialize, Serializer};
use wasmpool_guest::serde_json::{self, Number, Value};

/// Names and fields. A field is a number or a text.
pub struct Record(Vec<(String, Value)>);

impl Record {
    pub fn from_texts<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Record(
            fields
                .map(|(name, text)| (name.to_owned(), field(text)))
                .collect(),
        )
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The fields as they stand in a CSV file.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(_, field)| match field {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// A number only if it is written again as it was.
fn field(text: &str) -> Value {
    match serde_json::from_str::<Number>(text) {
        Ok(number) if number.to_string() == text => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, field)| (name, field)))
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecordVisitor;
        impl<'de> Visitor<'de> for RecordVisitor {
            type Value = Record;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, field)) = map.next_entry::<String, Value>()? {
                    if !matches!(field, Value::String(_) | Value::Number(_)) {
                        return Err(A::Error::custom(format!(
                            "`{name}` is neither number nor text"
                        )));
                    }
                    fields.push((name, field));
                }
                Ok(Record(fields))
            }
        }
        deserializer.deserialize_map(RecordVisitor)
    }
}
