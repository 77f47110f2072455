//! Converts tables between CSV and JSON lines, and packs files with gzip. Each conversion has one that undoes it.

mod record;

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use wasmpool_guest::{Bytes, serde_json};

use crate::record::Record;

/// A CSV file as JSON lines: an object a row, by the names of the first row.
///
/// A field becomes a number if its text is exactly how JSON would write that number, and else a text, so that nothing is
/// lost: `3.10` stays a text.
///
/// # Errors
/// If it is no CSV, if its rows differ in length, or if JSON lines would not keep it: two columns have one name, or there
/// is no row to tell the names of the columns.
pub fn csv_to_json_lines(table: &str) -> Result<String, Box<dyn Error>> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names = reader.headers()?.clone();
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
        return Err(format!("two columns have the name `{name}`").into());
    }
    let mut lines = String::new();
    for row in reader.records() {
        let row = row?;
        let record = Record::from_texts(names.iter().zip(row.iter()));
        lines.push_str(&serde_json::to_string(&record)?);
        lines.push('\n');
    }
    if lines.is_empty() && !names.is_empty() {
        return Err("the table has no row, so that its columns would be lost".into());
    }
    Ok(lines)
}

/// JSON lines as a CSV file: undoes [`csv_to_json_lines`].
///
/// It gives back the same bytes if the table was written as most programs do, with quotes only where they are needed and
/// a line feed behind each row; and the same fields in any case.
///
/// # Errors
/// Names the line that is no JSON object, has anything but numbers and texts, or other names than the first.
pub fn json_lines_to_csv(lines: &str) -> Result<String, Box<dyn Error>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut names: Option<Vec<String>> = None;
    for (at, line) in lines.lines().enumerate() {
        let record: Record =
            serde_json::from_str(line).map_err(|e| format!("line {}: {e}", at + 1))?;
        match &names {
            Some(names) if !record.names().eq(names) => {
                return Err(format!("line {} has other names than the first", at + 1).into());
            }
            Some(_) => {}
            None => {
                writer.write_record(record.names())?;
                names = Some(record.names().map(str::to_owned).collect());
            }
        }
        writer.write_record(record.texts())?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The bytes as a gzip file.
///
/// # Errors
/// None that is known.
pub fn gzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(Bytes(encoder.finish()?))
}

/// What is in a gzip file, or in several that are joined. What unpacks to more than the pool allows fails the item.
///
/// # Errors
/// If it is no gzip file, or a damaged one.
pub fn gunzip(bytes: &[u8]) -> io::Result<Bytes> {
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut unpacked)?;
    Ok(Bytes(unpacked))
}

wasmpool_guest::tasks! {
    /// A CSV file as JSON lines, an object a row.
    csv_to_json_lines,
    /// JSON lines as a CSV file.
    json_lines_to_csv,
    /// The item's bytes as a gzip file.
    gzip,
    /// What is in a gzip file.
    gunzip,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, lines: &str) {
        assert_eq!(csv_to_json_lines(table).unwrap(), lines);
        assert_eq!(json_lines_to_csv(lines).unwrap(), table);
    }

    #[test]
    fn tables() {
        check(
            "b,a\n1,x\n-2.5,\n",
            "{\"b\":1,\"a\":\"x\"}\n{\"b\":-2.5,\"a\":\"\"}\n",
        );
        check(
            "name,\"a \"\"quote\"\", a comma\"\nÉtienne,\"two\nlines\"\n",
            "{\"name\":\"Étienne\",\"a \\\"quote\\\", a comma\":\"two\\nlines\"}\n",
        );
        check("", "");
    }

    #[test]
    fn what_a_number_would_not_keep_stays_a_text() {
        for text in [
            "3.10",
            "+1",
            "-0",
            "1e400",
            "0x10",
            "007",
            ".5",
            " 1",
            "NaN",
            "123456789012345678901",
        ] {
            check(&format!("x\n{text}\n"), &format!("{{\"x\":\"{text}\"}}\n"));
        }
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        for table in ["a,b\n1\n", "a,a\n1,2\n", "a,b\n"] {
            assert!(csv_to_json_lines(table).is_err(), "{table}");
        }
        for lines in [
            "1\n",
            "{\"a\":[1]}\n",
            "{\"a\":1}\n{\"b\":1}\n",
            "{\"a\":1}\n\n",
            "{\"a\":1",
        ] {
            assert!(json_lines_to_csv(lines).is_err(), "{lines}");
        }
    }

    #[test]
    fn gzip_files() {
        let one = gzip(b"one, ").unwrap();
        let two = gzip(b"two").unwrap();
        let joined = [&one[..], &two].concat();
        assert_eq!(**gunzip(&joined).unwrap(), *b"one, two");
        assert!(gunzip(&one[..one.len() - 1]).is_err());
        assert!(gunzip(b"no gzip file").is_err());
    }
}
