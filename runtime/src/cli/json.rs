//! JSON texts of guests, as lines. Pure functions: no value is ever built from them.

use serde::de::IgnoredAny;

/// The text is not one well-formed JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

/// Whether a text is one JSON value. Takes no stack for its depth.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Appends a guest's JSON text as one line, without its end: spaces around it are left out, line ends in it become
/// spaces. With `escape`, characters that could deceive a terminal become JSON escapes; the value stays the same.
///
/// # Errors
/// If it is not one well-formed value in UTF-8. Nothing is appended then.
pub fn append_line(out: &mut Vec<u8>, bytes: &[u8], escape: bool) -> Result<(), NotJson> {
    let text = std::str::from_utf8(bytes).map_err(|_| NotJson)?;
    if !is_json(text) {
        return Err(NotJson);
    }
    // In a well-formed text these bytes are outside strings.
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    let start = out.len();
    if escape && text.chars().any(deceives) {
        append_escaped(out, text);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r' | b'\t') {
            *byte = b' ';
        }
    }
    Ok(())
}

/// Appends a text as a JSON string.
pub fn append_string(out: &mut Vec<u8>, text: &str, escape: bool) {
    let quoted = serde_json::Value::from(text).to_string();
    if escape {
        append_escaped(out, &quoted);
    } else {
        out.extend_from_slice(quoted.as_bytes());
    }
}

/// Appends raw bytes as a terminal may get them: what deceives, and what is no UTF-8, is shown and not sent.
pub fn append_shown(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if (c.is_control() && c != '\n' && c != '\t') || deceives(c) {
                out.extend(c.escape_unicode().map(|c| c as u8));
            } else {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        for byte in chunk.invalid() {
            out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
}

fn append_escaped(out: &mut Vec<u8>, text: &str) {
    for c in text.chars() {
        if deceives(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// DEL, C1 controls, and characters that hide, reorder or break text. JSON has them in strings only, and C0 controls
/// not even there.
fn deceives(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8], escape: bool) -> Option<String> {
        let mut out = b"before ".to_vec();
        let done = append_line(&mut out, text, escape);
        let out = String::from_utf8(out).unwrap();
        let added = out.strip_prefix("before ").unwrap().to_string();
        assert!(done.is_ok() || added.is_empty());
        done.ok().map(|()| added)
    }

    #[test]
    fn a_value_is_one_line() {
        for (text, expected) in [
            ("9", Some("9")),
            (" [1,\r\n\t2]\n", Some("[1,   2]")),
            ("\"a\\nb\"", Some("\"a\\nb\"")),
            ("\"é\"", Some("\"é\"")),
            ("", None),
            ("1 2", None),
            ("1\n2", None),
            ("{\"a\":1", None),
            ("\"a\nb\"", None),
            ("nul", None),
            ("\u{feff}1", None),
        ] {
            assert_eq!(line(text.as_bytes(), false).as_deref(), expected, "{text}");
        }
        assert_eq!(line(b"\"\xff\"", false), None);
    }

    #[test]
    fn depth_takes_no_stack() {
        let deep = "[".repeat(2_000_000);
        assert_eq!(line(deep.as_bytes(), false), None);
        let closed = format!("{deep}{}", "]".repeat(2_000_000));
        assert_eq!(line(closed.as_bytes(), true), Some(closed));
    }

    #[test]
    fn on_a_terminal_the_value_is_the_same_and_the_text_is_harmless() {
        let nasty = "[\"a\u{7f}\u{9b}31m\u{202e}b\u{e0041}é\"]";
        let shown = line(nasty.as_bytes(), true).unwrap();
        assert_eq!(shown, "[\"a\\u007f\\u009b31m\\u202eb\\udb40\\udc41é\"]");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&shown), read(nasty));
    }

    #[test]
    fn raw_bytes_on_a_terminal_are_shown() {
        let mut out = Vec::new();
        append_shown(&mut out, b"a\x1b[31m\xffb\n\xc3\xa9");
        assert_eq!(String::from_utf8(out).unwrap(), "a\\u{1b}[31m\\xffb\né");
    }
}
