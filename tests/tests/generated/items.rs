//! Items for functions whose types nobody knows before: mostly values of their types, often at an edge, sometimes none.

use wasmpool_tests::Random;

/// One item for a function with parameters of these types, in WIT's spelling.
pub fn item(types: &[&str], random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => junk(random),
        1 => types
            .iter()
            .map(|_| "null")
            .collect::<String>()
            .into_bytes(),
        _ => {
            let values: Vec<_> = types.iter().map(|ty| value(ty, false, random)).collect();
            match values.as_slice() {
                [one] => one.clone().into_bytes(),
                several => format!("[{}]", several.join(",")).into_bytes(),
            }
        }
    }
}

/// An item that fits nothing, or anything.
pub fn junk(random: &mut Random) -> Vec<u8> {
    let junk: [&[u8]; 12] = [
        b"",
        b"null",
        b"{}",
        b"[]",
        b"-1",
        b"1e999",
        b"\"\\ud800\"",
        b"\xff\xfe\0",
        b"{\"x\":1,\"x\":2}",
        b"18446744073709551616",
        b"not json",
        b"\"text\"",
    ];
    match random.below(junk.len() + 2) {
        0 => b"[".repeat(100_000),
        1 => (0..random.below(200))
            .map(|_| random.number() as u8)
            .collect(),
        n => junk[n - 2].to_vec(),
    }
}

/// A value of a type. Only what is not within something else is ever large.
fn value(ty: &str, within: bool, random: &mut Random) -> String {
    let inner = |prefix: &str| {
        ty.strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix('>'))
    };
    if let Some(of) = inner("list<") {
        let most = if !within && random.below(20) == 0 {
            5000
        } else {
            5
        };
        let values: Vec<_> = (0..random.below(most))
            .map(|_| value(of, true, random))
            .collect();
        return format!("[{}]", values.join(","));
    }
    if let Some(of) = inner("option<") {
        return match random.below(2) {
            0 => "null".into(),
            _ => value(of, within, random),
        };
    }
    if let Some(of) = inner("tuple<") {
        let values: Vec<_> = parts(of)
            .into_iter()
            .map(|ty| value(ty, true, random))
            .collect();
        return format!("[{}]", values.join(","));
    }
    match ty {
        "bool" => ["true", "false"][random.below(2)].into(),
        "char" => ["\"a\"", "\"é\"", "\"\\u0000\"", "\"🦀\""][random.below(4)].into(),
        "string" => text(within, random),
        "f32" | "f64" => {
            ["0", "-0.0", "1.5", "-1e30", "\"NaN\"", "\"Infinity\"", "3"][random.below(7)].into()
        }
        _ => number(ty, random),
    }
}

/// An integer; of an unknown type, too.
fn number(ty: &str, random: &mut Random) -> String {
    let bits = ty
        .get(1..)
        .and_then(|bits| bits.parse().ok())
        .unwrap_or(64_u32);
    let small = random.below(20) as i128;
    let unsigned = ty.starts_with('u');
    let (least, most) = match unsigned {
        true => (0, (1_i128 << bits) - 1),
        false => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
    };
    let number = match random.below(24) {
        0..3 => least,
        3..6 => most,
        6..9 if !unsigned => -1,
        9 => most + 1,
        10..14 => least.max(-small),
        _ => small,
    };
    number.to_string()
}

fn text(within: bool, random: &mut Random) -> String {
    let length = match random.below(20) {
        // Too much for a ring.
        0 if !within => 100_000,
        1 if !within => 5000,
        _ => random.below(12),
    };
    format!(
        "\"{}\"",
        ["x", "é", "\\u001b", "🦀"][random.below(4)].repeat(length)
    )
}

/// The parts between the outermost commas.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '<' | '{' | '(' => depth += 1,
            '>' | '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}
