//! Sizes, durations and counts as people write them. Pure functions.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::grants::DirectoryGrant;
use crate::pool::options::ChunkSize;

/// A number that is at least 1.
pub fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err(format!(
            "must be a whole number from 1 to {}, such as 4",
            u32::MAX
        )),
    }
}

/// Units of fuel, at least 1.
pub fn fuel(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err(format!(
            "must be a whole number from 1 to {}, such as 1000000",
            u64::MAX
        )),
    }
}

/// `auto`, or a number that is at least 1.
pub fn chunk_size(text: &str) -> Result<ChunkSize, String> {
    match text {
        "auto" => Ok(ChunkSize::Auto),
        text => count(text)
            .map(ChunkSize::Items)
            .map_err(|e| format!("{e}, or `auto`")),
    }
}

/// A time with its unit, as `500ms` or `1m 30s`; more than none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; write a time with its unit, such as 500ms, 30s or 2m"))?;
    if time.is_zero() {
        return Err("must be more than none".into());
    }
    Ok(time)
}

/// A directory and what guests call it: `HOST::GUEST`, `HOST::GUEST:ro` or `HOST::GUEST:rw`.
/// HOST need not be text.
pub fn directory(text: impl AsRef<OsStr>) -> Result<DirectoryGrant, String> {
    const HOW: &str =
        "write HOST::GUEST, such as ./data::/data, with :rw behind it to let guests write";
    let text = text.as_ref().as_bytes();
    let at = text.windows(2).position(|pair| pair == b"::").ok_or(HOW)?;
    let (host, guest) = (&text[..at], &text[at + 2..]);
    let guest = str::from_utf8(guest).map_err(|_| "what guests call it is UTF-8")?;
    if host.is_empty() || guest.is_empty() {
        return Err(HOW.into());
    }
    let (guest_path, writable) = match guest.strip_suffix(":rw") {
        Some(path) => (path, true),
        None => (guest.strip_suffix(":ro").unwrap_or(guest), false),
    };
    Ok(DirectoryGrant {
        host_path: OsStr::from_bytes(host).into(),
        guest_path: guest_path.into(),
        writable,
    })
}

/// An environment variable: `NAME=VALUE`.
pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE, such as LANG=C".into()),
    }
}

/// A function and its item: `FUNCTION`, or `FUNCTION=JSON`; what is not valid JSON is a string.
pub fn initializer(text: &str) -> Result<(String, serde_json::Value), String> {
    let (function, item) = text.split_once('=').unwrap_or((text, "[]"));
    if function.is_empty() {
        return Err("write FUNCTION or FUNCTION=JSON, such as load=[1,2,3]".into());
    }
    let item = serde_json::from_str(item).unwrap_or_else(|_| item.into());
    Ok((function.into(), item))
}

/// The extension of a file's name, with or without its dot: letters and digits, and dots between them.
pub fn extension(text: &str) -> Result<String, String> {
    let extension = text.strip_prefix('.').unwrap_or(text);
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    match extension.len() <= 16 && extension.split('.').all(is_part) {
        true => Ok(extension.to_owned()),
        false => Err("must be at most 16 letters and digits, such as png or json.gz".into()),
    }
}

/// Bytes, as `64MiB`, `1GB` or `4096`; at least 1.
pub fn size(text: &str) -> Result<u64, String> {
    const HOW: &str = "write bytes, such as 4096, 512KiB, 64MiB or 2GiB";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| HOW.to_string())?;
    let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(HOW.into()),
    };
    match number.checked_mul(unit) {
        None => Err("is too large".into()),
        Some(0) => Err("must be at least 1 byte".into()),
        Some(bytes) => Ok(bytes),
    }
}

/// Bytes for people: `4096 bytes` up to 10 KiB, then the largest unit that fits.
pub fn show_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    if bytes < 10 << 10 {
        return format!("{bytes} bytes");
    }
    for (unit, name) in UNITS {
        if bytes >= unit {
            return match bytes % unit {
                0 => format!("{} {name}", bytes / unit),
                _ => format!("{:.1} {name}", bytes as f64 / unit as f64),
            };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        assert_eq!(extension("png").as_deref(), Ok("png"));
        assert_eq!(extension(".json.gz").as_deref(), Ok("json.gz"));
        for wrong in [
            "",
            ".",
            "..",
            "a/b",
            "../x",
            "a..b",
            "a.",
            "\u{e4}",
            &"x".repeat(17),
        ] {
            assert!(extension(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("64MiB", Some(64 << 20)),
            ("64 mib", Some(64 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1kB", Some(1000)),
            ("1b", Some(1)),
            ("0", None),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("64M", None),
            ("99999999999GiB", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn grants() {
        for (text, expected) in [
            ("a::/b", Some(("a", "/b", false))),
            ("a::/b:ro", Some(("a", "/b", false))),
            ("a::/b:rw", Some(("a", "/b", true))),
            ("/x y::.:rw", Some(("/x y", ".", true))),
            ("a", None),
            ("a:/b", None),
            ("::/b", None),
            ("a::", None),
        ] {
            let grant = directory(text).ok();
            let parts = grant.map(|d| (d.host_path, d.guest_path, d.writable));
            let expected = expected.map(|(h, g, w)| (h.into(), g.into(), w));
            assert_eq!(parts, expected, "{text}");
        }
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        assert!(variable("=b").is_err());
        assert!(variable("A").is_err());
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("500ms", Some(Duration::from_millis(500))),
            ("30s", Some(Duration::from_secs(30))),
            ("1m 30s", Some(Duration::from_secs(90))),
            ("2h", Some(Duration::from_secs(7200))),
            ("0s", None),
            ("30", None),
            ("-1s", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn counts_and_chunks() {
        assert_eq!(count("4"), Ok(4));
        assert!(count("0").is_err() && count("-1").is_err() && count("x").is_err());
        assert_eq!(fuel("18446744073709551615"), Ok(u64::MAX));
        assert!(fuel("0").is_err() && fuel("-1").is_err() && fuel("1e6").is_err());
        assert_eq!(chunk_size("auto"), Ok(ChunkSize::Auto));
        assert_eq!(chunk_size("8"), Ok(ChunkSize::Items(8)));
        assert!(chunk_size("0").is_err());
    }

    #[test]
    fn sizes_are_shown_with_one_unit() {
        assert_eq!(show_size(0), "0 bytes");
        assert_eq!(show_size(4096), "4096 bytes");
        assert_eq!(show_size(64 << 20), "64 MiB");
        assert_eq!(show_size(1_500_000), "1.4 MiB");
    }
}
