//! Tables and packed files, there and back, and as Python reads them.

use std::process::Command;

use wasmpool_tests::temporary;

use crate::{input, map, read, run_with};

const TABLES: [&str; 2] = ["penguins.csv", "penguins-raw.csv"];

/// Runs a task over files, into a folder.
fn convert(task: &str, files: &[String], folder: &str) -> Vec<String> {
    let mut args = vec!["--output", "raw", "--output-dir", folder, "--files"];
    args.extend(files.iter().map(String::as_str));
    map("convert-data", task, &args);
    TABLES.map(|table| format!("{folder}/{table}")).to_vec()
}

fn tables() -> Vec<String> {
    TABLES.map(|table| input("convert-data", table)).to_vec()
}

pub fn round_trip() {
    let folder = temporary();
    let as_lines = convert("csv-to-json-lines", &tables(), &folder.text("lines"));
    let packed = convert("gzip", &as_lines, &folder.text("packed"));
    let unpacked = convert("gunzip", &packed, &folder.text("unpacked"));
    let back = convert("json-lines-to-csv", &unpacked, &folder.text("back"));
    for (at, table) in tables().iter().enumerate() {
        let sizes = [&as_lines[at], &packed[at]].map(|path| read(path).len());
        assert!(
            sizes[1] < sizes[0] / 5,
            "{table}: packed from {} to {}",
            sizes[0],
            sizes[1]
        );
        assert!(
            read(&as_lines[at]) == read(&unpacked[at]),
            "{table}: not the same lines"
        );
        assert!(
            read(table) == read(&back[at]),
            "{table}: not the same table"
        );
    }
}

/// Compares a table, its JSON lines and the same packed.
const COMPARE: &str = r#"
import csv, gzip, json, sys
table, lines, packed = sys.argv[1:]
text = open(lines, encoding="utf-8").read()
rows = [json.loads(line, parse_int=str, parse_float=str) for line in text.splitlines()]
expected = list(csv.DictReader(open(table, encoding="utf-8", newline="")))
assert len(expected) > 300, len(expected)
assert rows == expected, "other rows"
assert any(type(field) is float for field in json.loads(text.splitlines()[0]).values()), "no numbers"
assert gzip.open(packed, "rt", encoding="utf-8").read() == text, "packed is something else"
"#;

pub fn in_python() {
    let folder = temporary();
    let lines = convert("csv-to-json-lines", &tables(), &folder.text("lines"));
    let packed = convert("gzip", &lines, &folder.text("packed"));
    for ((table, lines), packed) in tables().iter().zip(&lines).zip(&packed) {
        let output = Command::new("python3")
            .args(["-c", COMPARE, table, lines, packed])
            .current_dir(wasmpool_tests::root())
            .output()
            .expect("there is a python3");
        assert!(output.status.success(), "{table}: {output:?}");
    }
}

/// Zeros in such numbers that no item's memory holds them.
pub fn bomb() {
    let folder = temporary();
    let part = convert_data::gzip(&vec![0; 64 << 20]).expect("zeros can be packed");
    let bomb = folder.write("bomb.gz", part.repeat(5));
    let good = folder.write(
        "good.gz",
        convert_data::gzip(b"good").expect("as above").as_slice(),
    );
    let args = [
        "--output",
        "records",
        "--on-error",
        "continue",
        "--files",
        &bomb,
        &good,
    ];
    let records = run_with("convert-data", "gunzip", &args, "")
        .exits(1)
        .json();
    assert_eq!(
        records[0]["error"]["message"], "out of memory",
        "{records:?}"
    );
    assert_eq!(records[1]["ok"], serde_json::json!(b"good"), "{records:?}");
}
