//! From a value to the bytes of a result.

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use crate::host::Encoding;
use crate::raw::RawValue;

/// Appends the encoded value to `out`, or says why it has no encoding; then `out` may end in part of it.
#[inline]
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    encoding: Encoding,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match encoding {
        Encoding::Json => to_json(value, out),
        Encoding::Postcard => {
            postcard::serialize_with_flavor(value, Appending(out)).map_err(postcard_error)
        }
        Encoding::Raw => {
            let start = out.len();
            value.serialize(RawValue(out)).or_else(|_not_raw| {
                out.truncate(start);
                to_json(value, out)
            })
        }
    }
}

fn to_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer(out, value)
        .map_err(|error| format!("the result cannot be written as JSON: {error}"))
}

#[cold]
fn postcard_error(error: postcard::Error) -> String {
    let why = match error {
        postcard::Error::SerializeSeqLengthUnknown => {
            "a sequence does not know its length beforehand".to_owned()
        }
        // Postcard drops the text of errors that serialisation makes up itself.
        postcard::Error::SerdeSerCustom => "a part of it refused to be serialised".to_owned(),
        other => other.to_string(),
    };
    format!("the result cannot be written in postcard encoding: {why}; use JSON encoding")
}

/// Appends postcard's output to a buffer that others wrote to before.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
