//! The chunk loop against a stand-in for the pool: framing, advice, encodings, failures.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use wasmpool_guest::__private::{Advice, Encoding, Entry};
use wasmpool_guest::testing::{Played, play};
use wasmpool_guest::{Bytes, EmitError, emit};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    label: Option<String>,
}

#[derive(Debug)]
struct Outer;
#[derive(Debug)]
struct Inner;

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("reading the table")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("row 3 is empty")
    }
}

impl std::error::Error for Inner {}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&Inner)
    }
}

fn square(x: i64) -> i64 {
    x * x
}
fn area(width: u32, height: u32) -> u32 {
    width * height
}
fn greeting(name: String, title: Option<String>) -> String {
    title.map_or(name.clone(), |title| format!("{title} {name}"))
}
fn answer() -> i64 {
    42
}
fn nothing(_: u8) {}
fn shout(text: &str) -> String {
    text.to_uppercase()
}
fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}
fn sum_slice(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}
fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}
fn reverse_fallibly(mut bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    bytes.reverse();
    Ok(bytes)
}
fn bytes_back(bytes: Bytes) -> Bytes {
    bytes
}
fn texts(text: String) -> Vec<String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
fn mirror(point: Point) -> Point {
    Point {
        x: -point.x,
        ..point
    }
}
fn value(value: serde_json::Value) -> serde_json::Value {
    value
}
fn word_count(text: String) -> Result<BTreeMap<String, u64>, String> {
    let mut counts = BTreeMap::new();
    for word in text.split(' ') {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    Ok(counts)
}
fn fails_with_text(_: u8) -> Result<u8, String> {
    Err("seven is not prime enough".into())
}
fn fails_with_error(_: u8) -> Result<u8, Outer> {
    Err(Outer)
}
fn fails_with_box(_: u8) -> Result<u8, Box<dyn std::error::Error>> {
    Err(Outer.into())
}
fn fails_with_send_box(_: u8) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    Err(Outer.into())
}
fn unwritable(_: u8) -> BTreeMap<Vec<u8>, u8> {
    BTreeMap::from([(vec![1], 2)])
}
fn ratio(x: f64, y: f64) -> f64 {
    x / y
}
fn countdown(from: u32) -> Result<&'static str, EmitError> {
    for n in (1..=from).rev() {
        emit(&n)?;
    }
    Ok("lift-off")
}
fn block(length: usize) -> Bytes {
    Bytes(vec![7; length])
}

static TASKS: &[Entry] = wasmpool_guest::__table!(
    /// Squares a number.
    ///
    ///   Wraps in release builds.
    square,
    area(width, height),
    greeting(name, title),
    answer,
    nothing,
    shout,
    first_word,
    sum_slice,
    reverse,
    reverse_fallibly,
    bytes_back,
    texts,
    mirror,
    value,
    word_count,
    fails_with_text,
    fails_with_error,
    fails_with_box,
    fails_with_send_box,
    unwritable,
    ratio,
    countdown,
    block
);

// The macro that authors use accepts the same list, on this target too.
wasmpool_guest::tasks!(square, area(width, height), word_count);

fn entry(name: &str) -> &'static Entry {
    TASKS
        .iter()
        .find(|entry| entry.task_name() == name)
        .unwrap_or_else(|| panic!("no task {name}"))
}

fn chunk<I: AsRef<[u8]>>(items: impl IntoIterator<Item = I>) -> Vec<u8> {
    let mut chunk = Vec::new();
    for item in items {
        chunk.extend((item.as_ref().len() as u32).to_le_bytes());
        chunk.extend(item.as_ref());
    }
    chunk
}

/// Reads result frames: index, status, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u32, u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let index = u32::from_le_bytes(header[..4].try_into().unwrap());
        let length = u32::from_le_bytes(header[5..].try_into().unwrap()) as usize;
        frames.push((index, header[4], rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "half a frame at the end");
    frames
}

fn play_one(task: &str, input: Encoding, output: Encoding, item: &[u8]) -> (u8, Vec<u8>) {
    let played = play(entry(task), input, output, &chunk([item]), []);
    let frames = frames(&played.returned.unwrap());
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].0, 0);
    (frames[0].1, frames[0].2.clone())
}

#[track_caller]
fn check(
    task: &str,
    input: Encoding,
    output: Encoding,
    item: impl AsRef<[u8]>,
    expected: impl AsRef<[u8]>,
) {
    let (status, result) = play_one(task, input, output, item.as_ref());
    let (text, expected) = (String::from_utf8_lossy(&result), expected.as_ref());
    assert_eq!(status, 0, "{task}: {text}");
    assert_eq!(result, expected, "{task}: {text}");
}

#[track_caller]
fn check_json(task: &str, item: &str, expected: &str) {
    check(task, Encoding::Json, Encoding::Json, item, expected);
}

#[track_caller]
fn check_message(
    task: &str,
    encoding: Encoding,
    item: impl AsRef<[u8]>,
    status: u8,
    expected: &str,
) {
    let (actual, message) = play_one(task, encoding, Encoding::Json, item.as_ref());
    assert_eq!(
        (actual, String::from_utf8(message).unwrap().as_str()),
        (status, expected),
        "{task}"
    );
}

#[test]
fn names_and_descriptions_are_the_functions() {
    let first = &TASKS[0];
    assert_eq!(
        first.task_description(),
        "Squares a number.\n\nWraps in release builds."
    );
    assert_eq!(entry("word-count").task_description(), "");
}

#[test]
fn json_items_of_every_shape() {
    check_json("square", " -12 ", "144");
    check_json("area", "[3, 4]", "12");
    check_json("area", r#"{"height": 4, "width": 3}"#, "12");
    check_json("greeting", r#"["Ada", "Lady"]"#, r#""Lady Ada""#);
    check_json("greeting", r#"{"name": "Ada"}"#, r#""Ada""#);
    check_json("answer", "null", "42");
    check_json("answer", "[]", "42");
    check_json("nothing", "1", "null");
    check_json(
        "mirror",
        r#"{"x": 3, "label": "a"}"#,
        r#"{"x":-3,"label":"a"}"#,
    );
    check_json("value", r#"{"a":[1,null,"x"]}"#, r#"{"a":[1,null,"x"]}"#);
    check_json("word-count", r#""b a b""#, r#"{"a":1,"b":2}"#);
    check_json("ratio", "[0, 0]", "null");
}

#[test]
fn borrowed_texts_and_bytes_may_have_escapes() {
    check_json("shout", r#""plain""#, r#""PLAIN""#);
    check_json(
        "shout",
        r#" "tab\t \"quoted\" \u00e9\ud83d\ude00""#,
        r#""TAB\t \"QUOTED\" É😀""#,
    );
    check_json("first-word", r#""one\ttwo three""#, r#""one\ttwo""#);
    check_json("sum-slice", "[1, 2, 250]", "253");
    check_json("sum-slice", r#""\n""#, "10");
    check_json("sum-slice", "[]", "0");
}

#[test]
fn bytes_in_every_encoding() {
    use Encoding::{Json, Postcard, Raw};
    let all: Vec<u8> = (0..=255).collect();
    let backwards: Vec<u8> = (0..=255).rev().collect();
    for task in ["reverse", "reverse-fallibly"] {
        check(task, Raw, Raw, &all, &backwards);
        check(task, Raw, Raw, b"", b"");
        check(task, Raw, Postcard, b"abc", b"\x03cba");
        check(task, Postcard, Raw, b"\x03abc", b"cba");
        check(task, Json, Json, b"[1, 2, 255]", b"[255,2,1]");
        check(task, Json, Raw, br#""abc""#, b"cba");
    }
    check("bytes-back", Raw, Raw, &all, &all);
    check("bytes-back", Postcard, Json, b"\x02ab", b"[97,98]");
    check("sum-slice", Raw, Json, b"\x01\x02", b"3");
    check("sum-slice", Postcard, Postcard, b"\x02\x01\x02", b"\x03");
}

#[test]
fn raw_texts() {
    use Encoding::Raw;
    check("shout", Raw, Raw, "grüße \"x\"", "GRÜSSE \"X\"");
    check("word-count", Raw, Raw, "a b a", r#"{"a":2,"b":1}"#);
    check("texts", Raw, Raw, "a,b", r#"["a","b"]"#);
    check("texts", Raw, Raw, "", "[]");
    check("first-word", Raw, Raw, "one two", "one");
    check("answer", Raw, Raw, "", "42");
    check("value", Raw, Encoding::Json, "5", r#""5""#);
}

#[test]
fn postcard_agrees_with_postcard() {
    use Encoding::Postcard;
    let of = |point: &Point| postcard::to_allocvec(point).unwrap();
    let item = Point {
        x: 300,
        label: Some("α".into()),
    };
    check(
        "mirror",
        Postcard,
        Postcard,
        of(&item),
        of(&Point {
            x: -300,
            label: Some("α".into()),
        }),
    );
    check(
        "area",
        Postcard,
        Postcard,
        postcard::to_allocvec(&(3u32, 400u32)).unwrap(),
        postcard::to_allocvec(&1200u32).unwrap(),
    );
    check(
        "answer",
        Postcard,
        Postcard,
        b"",
        postcard::to_allocvec(&42i64).unwrap(),
    );
    check(
        "shout",
        Postcard,
        Postcard,
        postcard::to_allocvec("abc").unwrap(),
        postcard::to_allocvec("ABC").unwrap(),
    );
}

#[test]
fn invalid_input_says_what_is_wrong() {
    use Encoding::{Json, Postcard, Raw};
    check_message(
        "square",
        Json,
        r#""x""#,
        2,
        "invalid type: string \"x\", expected i64 at line 1 column 3",
    );
    check_message(
        "square",
        Json,
        "1 2",
        2,
        "trailing characters at line 1 column 3",
    );
    check_message(
        "square",
        Json,
        "",
        2,
        "EOF while parsing a value at line 1 column 0",
    );
    check_message(
        "area",
        Json,
        "[1]",
        2,
        "invalid length 1, expected an array or an object of the task's parameters (width, height) at line 1 column 3",
    );
    check_message(
        "area",
        Json,
        "[1, 2, 3, 4]",
        2,
        "invalid length 4, expected an array or an object of the task's parameters (width, height) at line 1 column 12",
    );
    check_message(
        "area",
        Json,
        r#"{"width": 1}"#,
        2,
        "missing field `height` at line 1 column 12",
    );
    check_message(
        "area",
        Json,
        r#"{"depth": 1}"#,
        2,
        "unknown field `depth`, expected `width` or `height` at line 1 column 8",
    );
    check_message(
        "area",
        Json,
        r#"{"width": 1, "width": 2}"#,
        2,
        "duplicate field `width` at line 1 column 24",
    );
    check_message(
        "ratio",
        Json,
        r#"{"x": 1}"#,
        2,
        "invalid type: map, expected an array of the task's 2 parameters at line 1 column 1",
    );
    check_message(
        "answer",
        Json,
        "5",
        2,
        "invalid type: integer `5`, expected null, since the task takes no parameters at line 1 column 1",
    );
    check_message(
        "shout",
        Json,
        "5",
        2,
        "invalid type: integer `5`, expected a borrowed string at line 1 column 1",
    );

    check_message(
        "shout",
        Raw,
        b"ab\xff",
        2,
        "the task takes text, and the item is not UTF-8: invalid utf-8 sequence of 1 bytes from index 2",
    );
    check_message(
        "square",
        Raw,
        "5",
        2,
        "a raw item is text or bytes, and the task takes i64: send JSON",
    );
    check_message(
        "mirror",
        Raw,
        "5",
        2,
        "a raw item is text or bytes, and the task takes struct Point: send JSON",
    );
    check_message(
        "area",
        Raw,
        "5",
        2,
        "a raw item is one text or one byte list, and the task takes 2 parameters: send JSON",
    );
    check_message(
        "answer",
        Raw,
        "x",
        2,
        "the task takes no parameters, and the item has 1 bytes",
    );

    check_message(
        "square",
        Postcard,
        b"",
        2,
        "the item ends too early, in postcard encoding",
    );
    check_message(
        "square",
        Postcard,
        b"\x02\x00\x00",
        2,
        "2 bytes are left over after the item, in postcard encoding",
    );
    check_message(
        "value",
        Postcard,
        b"\x00",
        2,
        "the task takes a type that needs a self-describing format, which postcard is not: use JSON encoding",
    );
}

#[test]
fn failures_carry_their_messages() {
    check_message(
        "fails-with-text",
        Encoding::Json,
        "7",
        1,
        "seven is not prime enough",
    );
    for task in ["fails-with-error", "fails-with-box", "fails-with-send-box"] {
        check_message(
            task,
            Encoding::Json,
            "7",
            1,
            "reading the table: row 3 is empty",
        );
    }
    check_message(
        "unwritable",
        Encoding::Json,
        "7",
        1,
        "the result cannot be written as JSON: key must be a string",
    );
}

#[test]
fn a_failing_item_leaves_its_neighbours() {
    let items = ["2", "x", "4"];
    let played = play(
        entry("square"),
        Encoding::Json,
        Encoding::Json,
        &chunk(items),
        [],
    );
    let results = frames(&played.returned.unwrap());
    let statuses: Vec<_> = results
        .iter()
        .map(|(index, status, _)| (*index, *status))
        .collect();
    assert_eq!(statuses, [(0, 0), (1, 2), (2, 0)]);
    assert_eq!(results[2].2, b"16");
    assert_eq!(played.begun, [0, 1, 2]);
}

#[test]
fn an_empty_chunk_does_nothing() {
    let played = play(entry("square"), Encoding::Json, Encoding::Json, &[], []);
    assert_eq!(
        played,
        Played {
            begun: vec![],
            reports: vec![],
            emitted: vec![],
            returned: Ok(vec![])
        }
    );
}

#[test]
fn advice_is_followed() {
    use Advice::{Proceed, Report, Stop};
    let run = |advice: &[Advice]| {
        let items = ["1", "2", "3", "4"];
        play(
            entry("square"),
            Encoding::Json,
            Encoding::Json,
            &chunk(items),
            advice.iter().copied(),
        )
    };
    let indices = |bytes: &[u8]| {
        frames(bytes)
            .into_iter()
            .map(|(index, _, _)| index)
            .collect::<Vec<_>>()
    };

    let played = run(&[Proceed, Proceed, Report, Proceed]);
    assert_eq!(
        played
            .reports
            .iter()
            .map(|report| indices(report))
            .collect::<Vec<_>>(),
        [[0, 1]]
    );
    assert_eq!(indices(&played.returned.unwrap()), [2, 3]);

    // Nothing is finished before the first item, so there is nothing to report.
    let played = run(&[Report, Report]);
    assert_eq!(
        played
            .reports
            .iter()
            .map(|report| indices(report))
            .collect::<Vec<_>>(),
        [[0]]
    );
    assert_eq!(indices(&played.returned.unwrap()), [1, 2, 3]);

    let played = run(&[Proceed, Stop]);
    assert_eq!(played.begun, [0, 1]);
    assert_eq!(indices(&played.returned.unwrap()), [0]);
}

#[test]
fn many_result_bytes_are_reported_without_advice() {
    let items = vec!["100000"; 6];
    let played = play(
        entry("block"),
        Encoding::Json,
        Encoding::Raw,
        &chunk(items),
        [],
    );
    let counts: Vec<usize> = played
        .reports
        .iter()
        .map(|report| frames(report).len())
        .collect();
    assert_eq!(counts, [3]);
    assert_eq!(frames(&played.returned.unwrap()).len(), 3);
}

#[test]
fn malformed_chunks_run_nothing() {
    let whole = chunk(["1", "22"]);
    for (bytes, offset) in [
        (&whole[..whole.len() - 1], 5),
        (&whole[..7], 5),
        (&whole[..3], 0),
        (&b"\xff\xff\xff\xff1"[..], 0),
    ] {
        let played = play(entry("square"), Encoding::Json, Encoding::Json, bytes, []);
        assert_eq!(played.returned, Err(offset));
        assert!(played.begun.is_empty());
    }
}

#[test]
fn emitted_values_are_encoded_as_results() {
    let run = |output| {
        play(
            entry("countdown"),
            Encoding::Json,
            output,
            &chunk(["300"]),
            [],
        )
    };
    let json = run(Encoding::Json);
    assert_eq!(json.emitted.len(), 300);
    assert_eq!(json.emitted[0], b"300");
    assert_eq!(
        frames(&json.returned.unwrap()),
        [(0, 0, b"\"lift-off\"".to_vec())]
    );
    assert_eq!(
        run(Encoding::Postcard).emitted[0],
        postcard::to_allocvec(&300u32).unwrap()
    );
}

#[test]
fn results_of_tiny_items_share_one_report() {
    // 10 000 items of a few bytes stay below the bound at which results are reported, in one buffer.
    let items: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let played = play(
        entry("square"),
        Encoding::Json,
        Encoding::Json,
        &chunk(&items),
        [],
    );
    assert!(played.reports.is_empty());
    let results = frames(&played.returned.unwrap());
    assert_eq!(results.len(), items.len());
    assert_eq!(results[9_999].2, b"99980001");
}
