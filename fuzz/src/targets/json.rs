//! What guests want printed: results as JSON, and raw bytes on a terminal.

use serde_json::Value;

use crate::cli::json::{append_line, append_shown, append_string};
use crate::memory::bounded;

/// A result that is printed as a line.
pub fn line(data: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(data).ok();
    let mut lines = Vec::new();
    for escape in [false, true] {
        let mut out = b"before\n".to_vec();
        // An escape is up to twelve bytes for four, and the list doubles as it grows.
        let done = bounded(data, 16, 4096, || append_line(&mut out, data, escape));
        let line = out.strip_prefix(b"before\n").expect("it only appends");
        if done.is_err() {
            assert!(line.is_empty() && value.is_none());
            return false;
        }
        assert!(!line.is_empty() && line.iter().all(|byte| *byte >= b' '));
        let text = std::str::from_utf8(line).expect("text");
        if escape {
            assert!(!text.chars().any(hides), "{text:?}");
        }
        lines.push(serde_json::from_str::<Value>(text).ok());
    }
    // Values of ordinary depth, which a reader takes, are the same.
    assert_eq!(lines, [value.clone(), value]);
    true
}

/// Bytes that are shown on a terminal, and a text that is printed as a JSON string.
pub fn shown(data: &[u8]) -> bool {
    let mut out = Vec::new();
    bounded(data, 32, 4096, || append_shown(&mut out, data));
    let text = String::from_utf8(out).expect("text");
    let harmless = |c: char| c == '\n' || c == '\t' || !(c.is_control() || hides(c));
    assert!(text.chars().all(harmless), "{text:?}");
    let Ok(given) = std::str::from_utf8(data) else {
        return false;
    };
    for escape in [false, true] {
        let mut out = Vec::new();
        append_string(&mut out, given, escape);
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            serde_json::from_str::<String>(&text).as_deref().ok(),
            Some(given)
        );
        assert!(!escape || !text.chars().any(hides), "{text:?}");
    }
    !data.is_empty()
}

/// Characters that hide or reorder others, or command a terminal. A list of its own, not the one that is tested.
fn hides(c: char) -> bool {
    let ranges = [
        ('\u{7f}', '\u{9f}'),
        ('\u{61c}', '\u{61c}'),
        ('\u{200b}', '\u{200f}'),
        ('\u{2028}', '\u{202e}'),
        ('\u{2060}', '\u{2064}'),
        ('\u{2066}', '\u{2069}'),
        ('\u{feff}', '\u{feff}'),
        ('\u{e0001}', '\u{e0001}'),
        ('\u{e0020}', '\u{e007f}'),
    ];
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&c))
}

pub fn line_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let deep = "[".repeat(100) + &"]".repeat(100);
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("number", text("-12.5e-3")),
        ("large-number", text("18446744073709551616")),
        ("string", text("\"a\\n\\u00e9\\ud83d\\ude00 \u{202e}\"")),
        (
            "object",
            text("{\"a\": [true, null, {}],\r\n\t\"b\": \"\u{7f}\"}"),
        ),
        ("deep", deep.into_bytes()),
        ("two-values", text("1 2")),
        ("not-closed", text("{\"a\":[1,2")),
        ("not-text", vec![b'"', 0xff, b'"']),
        ("spaces", text(" \n 1 \t")),
    ]
}

pub fn shown_seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("colours", b"a\x1b[31mb\x07\r\n\tc".to_vec()),
        (
            "reordered",
            "left \u{202e}right\u{2069} \u{feff}".as_bytes().to_vec(),
        ),
        ("not-text", vec![b'a', 0xc3, 0x28, 0xff, 0xf0, 0x9f, b'b']),
        ("tags", "\u{e0041}\u{e007f}".as_bytes().to_vec()),
    ]
}
