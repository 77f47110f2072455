//! What is said about items that do not fit.

use super::Guest;
use super::guests::{ECHO_PAIR, T, Types, component, echo_list, list, option, prim, result};

/// Checks the message for an item of a list of the type: `item` is its only element.
fn check(ty: &T, item: &str, message: &str) {
    let got = echo_list(ty).refused("echo", &format!("[{item}]"));
    assert_eq!(got, message, "{item}");
}

#[test]
fn wrong_kinds_of_json() {
    check(&prim("string"), "5", "/0: expected string, got number 5");
    check(&prim("string"), "null", "/0: expected string, got null");
    check(
        &prim("bool"),
        "\"true\"",
        "/0: expected bool, got string \"true\"",
    );
    check(&prim("bool"), "[]", "/0: expected bool, got an array");
    check(
        &prim("char"),
        "{}",
        "/0: expected char (a string of one character), got an object",
    );
    check(
        &prim("char"),
        "\"ab\"",
        "/0: expected char (a string of one character), got string \"ab\"",
    );
    check(
        &prim("char"),
        "\"\"",
        "/0: expected char (a string of one character), got string \"\"",
    );
    check(
        &list(prim("bool")),
        "true",
        "/0: expected list<bool>, got true",
    );
    check(&list(prim("u8")), "null", "/0: expected list<u8>, got null");
    check(
        &list(prim("string")),
        "\"a\"",
        "/0: expected list<string>, got string \"a\"",
    );
    check(
        &option(prim("u8")),
        "\"x\"",
        "/0: expected u8 (0 to 255), got string \"x\"",
    );
}

#[test]
fn numbers_that_do_not_fit() {
    check(
        &prim("u8"),
        "256",
        "/0: expected u8 (0 to 255), got number 256",
    );
    check(
        &prim("s8"),
        "-129",
        "/0: expected s8 (-128 to 127), got number -129",
    );
    check(
        &prim("u16"),
        "-1",
        "/0: expected u16 (0 to 65535), got number -1",
    );
    check(
        &prim("s32"),
        "1.5",
        "/0: expected s32 (-2147483648 to 2147483647), got number 1.5",
    );
    check(
        &prim("s16"),
        "true",
        "/0: expected s16 (-32768 to 32767), got true",
    );
    check(
        &prim("u32"),
        "\"1\"",
        "/0: expected u32 (0 to 4294967295), got string \"1\"",
    );
    check(
        &prim("u64"),
        "18446744073709551616",
        "/0: expected u64 (0 to 18446744073709551615), got number 18446744073709551616",
    );
    check(
        &prim("s64"),
        "9223372036854775808",
        "/0: expected s64 (-9223372036854775808 to 9223372036854775807), got number 9223372036854775808",
    );
    check(
        &prim("s64"),
        "9007199254740993.0",
        "/0: expected s64 (-9223372036854775808 to 9223372036854775807), got number 9007199254740993.0",
    );
    check(
        &prim("f64"),
        "\"nan\"",
        "/0: expected f64, got string \"nan\"",
    );
    check(&prim("f64"), "true", "/0: expected f64, got true");
    check(&prim("f64"), "[1]", "/0: expected f64, got an array");
    check(
        &prim("f64"),
        "1e400",
        "/0: number 1e400 is beyond the range of f64",
    );
    check(
        &prim("f32"),
        "-1e39",
        "/0: number -1e39 is beyond the range of f32",
    );
}

#[test]
fn places_are_json_pointers() {
    let inner = T::Record(vec![("name", prim("string")), ("xs", list(prim("s16")))]);
    let outer = T::Record(vec![("items", list(inner))]);
    check(
        &outer,
        r#"{"items":[{"name":"a","xs":[1]},{"name":5,"xs":[]}]}"#,
        "/0/items/1/name: expected string, got number 5",
    );
    check(
        &outer,
        r#"{"items":[{"name":"a","xs":[1,2,"three"]}]}"#,
        "/0/items/0/xs/2: expected s16 (-32768 to 32767), got string \"three\"",
    );
    let tuple = T::Tuple(vec![prim("u8"), result(Some(prim("u8")), None)]);
    check(
        &tuple,
        r#"[1,{"ok":null}]"#,
        "/0/1/ok: expected u8 (0 to 255), got null",
    );
    let variant = T::Variant(vec![("many", Some(list(prim("f32"))))]);
    check(
        &variant,
        r#"{"many":[0,{}]}"#,
        "/0/many/1: expected f32, got an object",
    );
    let two = option(option(prim("u8")));
    check(
        &two,
        r#"{"some":true}"#,
        "/0/some: expected u8 (0 to 255), got true",
    );
    let map = T::Map(Box::new(prim("string")), Box::new(prim("u8")));
    check(
        &map,
        r#"[["a",1],["b",-1]]"#,
        "/0/1/1: expected u8 (0 to 255), got number -1",
    );
}

#[test]
fn arrays_of_a_wrong_length() {
    let tuple = T::Tuple(vec![prim("u8"), prim("bool")]);
    check(
        &tuple,
        "[1]",
        "/0: expected tuple<u8, bool>, got an array of 1, not 2",
    );
    check(
        &tuple,
        "[1,true,0]",
        "/0: expected tuple<u8, bool>, got an array of more than 2",
    );
    let fixed = T::Fixed(Box::new(prim("u8")), 2);
    check(
        &fixed,
        "[]",
        "/0: expected list<u8, 2>, got an array of 0, not 2",
    );
    let map = T::Map(Box::new(prim("string")), Box::new(prim("u8")));
    check(
        &map,
        r#"[["a"]]"#,
        "/0/0: expected a [key, value] array, got an array of 1, not 2",
    );
    check(
        &map,
        r#"[{"a":1}]"#,
        "/0/0: expected a [key, value] array, got an object",
    );
    check(&map, "{}", "/0: expected map<string, u8>, got an object");
}

#[test]
fn fields() {
    let record = T::Record(vec![
        ("id", prim("u32")),
        ("full-name", prim("string")),
        ("note", option(prim("string"))),
    ]);
    check(
        &record,
        r#"{"id":1,"fullname":"x"}"#,
        "/0: unknown field \"fullname\"; did you mean `full-name`?",
    );
    check(
        &record,
        r#"{"zzzzzz":1}"#,
        "/0: unknown field \"zzzzzz\"; there is `id`, `full-name`, `note`",
    );
    check(
        &record,
        r#"{"id":1}"#,
        "/0: the field `full-name`, string, is missing",
    );
    check(
        &record,
        r#"{"id":1,"id":1}"#,
        "/0: the field `id` is given twice",
    );
    check(
        &record,
        r#"{"id":1,"full-name":"","note":null,"note":null}"#,
        "/0: the field `note` is given twice",
    );
    check(
        &record,
        "[1]",
        "/0: expected record { id: u32, full-name: string, note: option<string> }, got an array",
    );
}

#[test]
fn cases_and_flags() {
    let variant = T::Variant(vec![("none", None), ("size", Some(prim("u8")))]);
    check(
        &variant,
        "\"nine\"",
        "/0: unknown case \"nine\"; did you mean `none`?",
    );
    check(
        &variant,
        r#"{"sise":1}"#,
        "/0: unknown case \"sise\"; did you mean `size`?",
    );
    check(
        &variant,
        "\"size\"",
        "/0: the case `size` has a payload of type u8: write {\"size\": …}",
    );
    check(
        &variant,
        r#"{"none":null}"#,
        "/0: the case `none` has no payload: write \"none\"",
    );
    check(
        &variant,
        "{}",
        "/0: expected variant { none, size(u8) }, got an empty object",
    );
    check(
        &variant,
        r#"{"size":1,"none":1}"#,
        "/0: expected variant { none, size(u8) }, got an object of more than one key",
    );
    let colour = T::Enum(vec!["red", "green"]);
    check(
        &colour,
        "\"rad\"",
        "/0: unknown case \"rad\"; did you mean `red`?",
    );
    check(
        &colour,
        "0",
        "/0: expected enum { red, green }, got number 0",
    );
    let flags = T::Flags(vec!["read", "write"]);
    check(
        &flags,
        "[\"raed\"]",
        "/0/0: unknown flag \"raed\"; did you mean `read`?",
    );
    check(
        &flags,
        "[\"read\",\"read\"]",
        "/0/1: the flag `read` is given twice",
    );
    check(
        &flags,
        "[1]",
        "/0/0: expected the name of a flag, got number 1",
    );
    check(
        &flags,
        "\"read\"",
        "/0: expected flags { read, write }, got string \"read\"",
    );
    let result = result(Some(prim("u8")), None);
    check(
        &result,
        r#"{"okay":1}"#,
        "/0: unknown key \"okay\"; did you mean `ok`?",
    );
    check(
        &result,
        r#"{"err":1}"#,
        "/0/err: expected null, got number 1",
    );
    check(&result, "1", "/0: expected result<u8>, got number 1");
    let two = option(option(prim("u8")));
    check(
        &two,
        "5",
        "/0: expected null or {\"some\": …} for option<option<u8>>, got number 5",
    );
    check(
        &two,
        r#"{"none":5}"#,
        "/0: expected null or {\"some\": …} for option<option<u8>>, got an object with the key \"none\"",
    );
}

#[test]
fn what_is_quoted_is_short_and_printable() {
    let long = "x".repeat(1000);
    let shown = format!("/0: expected bool, got string \"{}\"…", "x".repeat(40));
    check(&prim("bool"), &format!("\"{long}\""), &shown);
    check(
        &prim("bool"),
        r#""\u001b[2J""#,
        "/0: expected bool, got string \"\\u{1b}[2J\"",
    );
    let digits = "9".repeat(1000);
    let shown = format!("/0: number {}… is beyond the range of f64", "9".repeat(40));
    check(&prim("f64"), &digits, &shown);
}

#[test]
fn text_that_is_not_json() {
    let mut guest = echo_list(&prim("s64"));
    for (item, message) in [
        (
            "",
            "invalid JSON: EOF while parsing a value at line 1 column 0",
        ),
        ("[1,]", "invalid JSON: trailing comma at line 1 column 4"),
        (
            "[1] 2",
            "invalid JSON: trailing characters at line 1 column 5",
        ),
        ("[NaN]", "invalid JSON: expected value at line 1 column 2"),
        ("[01]", "invalid JSON: invalid number at line 1 column 3"),
        (
            "\"",
            "invalid JSON: EOF while parsing a string at line 1 column 1",
        ),
    ] {
        assert_eq!(guest.refused("echo", item), message, "{item}");
    }
    let mut floats = echo_list(&prim("f64"));
    assert_eq!(
        floats.refused("echo", "[1.]"),
        "invalid JSON: invalid number at line 1 column 4"
    );
    let mut text = echo_list(&prim("string"));
    assert_eq!(
        text.refused("echo", r#"["\ud800"]"#),
        "invalid JSON: unexpected end of hex escape at line 1 column 9"
    );
}

#[test]
fn depth_does_not_reach_the_native_stack() {
    let deep = "[".repeat(10_000_000);
    let mut guest = echo_list(&prim("bool"));
    let message = guest.refused("echo", &deep);
    assert_eq!(message, "/0: expected bool, got an array");
    let mut guest = echo_list(&prim("s64"));
    let message = guest.refused("echo", &deep);
    assert!(message.starts_with("invalid JSON: EOF"), "{message}");
    let objects = "{\"some\":".repeat(1_000_000);
    let mut guest = echo_list(&prim("f64"));
    let message = guest.refused("echo", &format!("[{objects}"));
    assert!(message.starts_with("invalid JSON: EOF"), "{message}");
}

#[test]
fn several_arguments() {
    let mut types = Types::default();
    let note = types.define(&option(prim("string")));
    let echo = format!("(param \"left\" string) (param \"note\" {note}) (result string)");
    let body = ECHO_PAIR.replace("(param i32 i32)", "(param i32 i32 i32 i32 i32)");
    let mut guest = Guest::new(&component(&types.text, &[("f", &echo, &body)]));
    let takes = "expected an array or object of the arguments (left: string, note: option<string>)";
    for (item, message) in [
        ("5", format!("{takes}, got number 5")),
        ("null", format!("{takes}, got null")),
        ("\"x\"", format!("{takes}, got string \"x\"")),
        ("[\"x\"]", format!("{takes}, got an array of 1, not 2")),
        (
            "[\"x\",null,1]",
            format!("{takes}, got an array of more than 2"),
        ),
        ("[\"x\",1]", "/1: expected string, got number 1".to_owned()),
        (
            "{\"left\":1}",
            "/left: expected string, got number 1".to_owned(),
        ),
        (
            "{\"note\":null}",
            "the parameter `left`, string, is missing".to_owned(),
        ),
        (
            "{\"lift\":1}",
            "unknown parameter \"lift\"; did you mean `left`?".to_owned(),
        ),
        (
            "{\"left\":\"a\",\"left\":\"b\"}",
            "the parameter `left` is given twice".to_owned(),
        ),
    ] {
        assert_eq!(guest.refused("f", item), message, "{item}");
    }
    assert_eq!(guest.json("f", "[\"x\",null]").expect("an array"), "\"x\"");
    assert_eq!(
        guest.json("f", "{\"left\":\"x\"}").expect("an object"),
        "\"x\""
    );
    let named = guest.json("f", "{\"note\":\"n\",\"left\":\"x\"}");
    assert_eq!(named.expect("any order"), "\"x\"");
}
