//! Values as messages of queues and pipes: the postcard format, as the pool's typed Rust API has it.
//!
//! [`Queue::put_value`](crate::queue::Queue::put_value) and its like do this by themselves. Postcard is not
//! self-describing: both sides name the same type, and a type that asks what it is made of, such as
//! [`serde_json::Value`], does not work.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a value is no message, or a message no value of the type asked for.
///
/// ```
/// use wasmpool_guest::message;
///
/// let error = message::decode::<bool>(&[7]).unwrap_err();
/// assert!(error.to_string().starts_with("the message is no bool"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageError(String);

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MessageError {}

/// The message that stands for a value.
///
/// ```
/// use wasmpool_guest::message;
///
/// let message = message::encode(&("page", 7_u32)).unwrap();
/// assert_eq!(message, b"\x04page\x07");
/// ```
///
/// # Errors
///
/// When postcard has no encoding of the value, or the value refuses.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, MessageError> {
    postcard::to_allocvec(value)
        .map_err(|error| MessageError(format!("the value cannot be written as a message: {error}")))
}

/// The value that a message stands for.
///
/// ```
/// use wasmpool_guest::message;
///
/// assert_eq!(message::decode(b"\x04page\x07"), Ok(("page".to_owned(), 7_u32)));
/// ```
///
/// # Errors
///
/// When the message is not exactly one value of this type.
pub fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, MessageError> {
    match postcard::take_from_bytes(message) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(MessageError(format!(
            "the message has {} bytes more than a {}",
            rest.len(),
            std::any::type_name::<T>()
        ))),
        Err(error) => Err(MessageError(format!(
            "the message is no {}: {error}",
            std::any::type_name::<T>()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_exactly_one_value() {
        let value = (3_u32, "three".to_owned(), vec![Some(3.0), None]);
        let message = encode(&value).unwrap();
        assert_eq!(decode(&message), Ok(value));
        let short: Result<u32, _> = decode(&message);
        assert!(
            short
                .unwrap_err()
                .to_string()
                .contains("bytes more than a u32")
        );
        assert!(
            decode::<u64>(&[0x80])
                .unwrap_err()
                .to_string()
                .contains("no u64")
        );
    }
}
