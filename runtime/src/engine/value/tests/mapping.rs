//! The table in the module's documentation, row by row.

use super::Guest;
use super::guests::{T, echo_list, echo_scalar, echo_string, list, option, prim, result};

/// Checks that `item` is taken and comes back as `back`, alone and as the element of a list.
fn check(ty: &T, item: &str, back: &str) {
    let mut guests: Vec<(Guest, bool)> = vec![(echo_list(ty), true)];
    match ty {
        T::Prim("string") => guests.push((echo_string(), false)),
        T::Prim(name) => guests.push((echo_scalar(name), false)),
        T::List(element) => guests.push((echo_list(element), false)),
        _ => {}
    }
    for (mut guest, wrapped) in guests {
        let (item, back) = match wrapped {
            true => (format!(" [ {item} , {item} ] "), format!("[{back},{back}]")),
            false => (item.to_owned(), back.to_owned()),
        };
        match guest.json("echo", &item) {
            Ok(out) => assert_eq!(out, back, "{item} of {ty:?}"),
            Err(error) => panic!("{item} of {ty:?}: {error}"),
        }
    }
}

fn same(ty: &T, items: &[&str]) {
    for item in items {
        check(ty, item, item);
    }
}

#[test]
fn booleans() {
    same(&prim("bool"), &["true", "false"]);
}

#[test]
fn integers_are_exact_over_the_whole_range() {
    same(&prim("s8"), &["-128", "127", "0"]);
    same(&prim("u8"), &["0", "255"]);
    same(&prim("s16"), &["-32768", "32767"]);
    same(&prim("u16"), &["65535"]);
    same(&prim("s32"), &["-2147483648", "2147483647"]);
    same(&prim("u32"), &["4294967295"]);
    same(
        &prim("s64"),
        &[
            "-9223372036854775808",
            "9223372036854775807",
            "9007199254740993",
        ],
    );
    same(&prim("u64"), &["18446744073709551615", "9007199254740993"]);
}

#[test]
fn integers_written_as_floats_are_taken_if_integral() {
    check(&prim("s8"), "1.0", "1");
    check(&prim("u16"), "1e3", "1000");
    check(&prim("s64"), "-250e-1", "-25");
    check(&prim("s32"), "-0", "0");
    check(&prim("u64"), "9007199254740991.0", "9007199254740991");
}

#[test]
fn floats_round_trip() {
    let f64s = [
        "0.0",
        "-0.0",
        "0.1",
        "5e-324",
        "1.7976931348623157e+308",
        "2.2250738585072014e-308",
        "1.5",
        "\"NaN\"",
        "\"Infinity\"",
        "\"-Infinity\"",
    ];
    same(&prim("f64"), &f64s);
    check(&prim("f64"), "9007199254740993", "9007199254740992.0");
    check(&prim("f64"), "-0", "-0.0");
    check(&prim("f64"), "1", "1.0");
    // Halfway cases that a reader without correct rounding gets wrong.
    check(
        &prim("f64"),
        "2.2250738585072011e-308",
        "2.225073858507201e-308",
    );
    check(&prim("f64"), "1e-400", "0.0");
}

#[test]
fn single_precision_is_rounded_once_and_written_shortest() {
    same(
        &prim("f32"),
        &[
            "0.1",
            "-0.0",
            "3.4028235e+38",
            "1e-45",
            "16777216.0",
            "\"NaN\"",
            "\"-Infinity\"",
        ],
    );
    check(&prim("f32"), "16777217", "16777216.0");
    // Through an f64 this would become 1.0: it lies just above the middle of two f32.
    check(
        &prim("f32"),
        "1.00000005960464477539062500000001",
        "1.0000001",
    );
}

#[test]
fn characters() {
    same(
        &prim("char"),
        &["\"a\"", "\"é\"", "\"🦀\"", "\"\\\"\"", "\"\\n\""],
    );
    check(&prim("char"), "\"\\u00e9\"", "\"é\"");
    check(&prim("char"), "\"\\ud83e\\udd80\"", "\"🦀\"");
}

#[test]
fn strings() {
    same(
        &prim("string"),
        &[
            "\"\"",
            "\"plain\"",
            "\"é🦀\"",
            r#""\"\\ \n\r\t\b\f \u0000 \u001f""#,
        ],
    );
    check(&prim("string"), r#""\/\u0041""#, "\"/A\"");
}

#[test]
fn lists() {
    same(&list(prim("string")), &["[]", "[\"a\",\"b\"]"]);
    same(&list(list(prim("bool"))), &["[[],[true],[false,true]]"]);
    same(&list(prim("s64")), &["[]", "[-1,9007199254740993]"]);
    same(&list(prim("f64")), &["[0.1,\"NaN\",\"-Infinity\",-0.0]"]);
    same(&list(prim("f32")), &["[0.1,\"Infinity\"]"]);
    for ty in ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"] {
        same(&list(prim(ty)), &["[]", "[1,2,127]"]);
    }
}

#[test]
fn bytes_may_be_given_as_text() {
    same(&list(prim("u8")), &["[0,255]", "[]"]);
    check(&list(prim("u8")), "\"aé\"", "[97,195,169]");
    check(&list(prim("u8")), "\"\\n\"", "[10]");
    check(&list(prim("u8")), "\"\"", "[]");
}

#[test]
fn lists_of_fixed_length() {
    same(&T::Fixed(Box::new(prim("u16")), 3), &["[1,2,3]"]);
}

#[test]
fn maps_are_pairs() {
    let map = T::Map(Box::new(prim("string")), Box::new(option(prim("u32"))));
    same(&map, &["[]", "[[\"b\",1],[\"a\",null],[\"b\",2]]"]);
}

#[test]
fn tuples() {
    same(&T::Tuple(vec![prim("u8"), prim("string")]), &["[1,\"a\"]"]);
}

#[test]
fn records() {
    let record = T::Record(vec![
        ("id", prim("u32")),
        ("full-name", option(prim("string"))),
        ("tags", list(prim("string"))),
    ]);
    same(&record, &[r#"{"id":1,"full-name":"x","tags":["a"]}"#]);
    check(
        &record,
        r#"{"tags":[],"id":1}"#,
        r#"{"id":1,"full-name":null,"tags":[]}"#,
    );
    check(
        &record,
        r#"{ "full\u002dname" : null , "tags" : [ ] , "id" : 1 }"#,
        r#"{"id":1,"full-name":null,"tags":[]}"#,
    );
}

#[test]
fn variants() {
    let variant = T::Variant(vec![
        ("nothing", None),
        ("number", Some(prim("f64"))),
        ("many", Some(list(prim("u8")))),
    ]);
    same(
        &variant,
        &["\"nothing\"", "{\"number\":1.5}", "{\"many\":[1]}"],
    );
}

#[test]
fn enums_and_flags() {
    same(&T::Enum(vec!["red", "green"]), &["\"red\"", "\"green\""]);
    let flags = T::Flags(vec!["read", "write", "run"]);
    same(&flags, &["[]", "[\"read\",\"run\"]"]);
    check(&flags, "[\"run\",\"read\"]", "[\"read\",\"run\"]");
}

#[test]
fn options_inside_options_are_told_apart() {
    same(&option(prim("u8")), &["null", "5"]);
    let two = option(option(prim("u8")));
    same(&two, &["null", "{\"some\":null}", "{\"some\":5}"]);
    let three = option(two);
    same(
        &three,
        &[
            "null",
            "{\"some\":null}",
            "{\"some\":{\"some\":null}}",
            "{\"some\":{\"some\":5}}",
        ],
    );
    // A list, record or result in between keeps them apart by itself.
    same(&option(list(option(prim("u8")))), &["null", "[null,5]"]);
}

#[test]
fn results_inside_values() {
    let both = result(Some(prim("u8")), Some(prim("string")));
    same(&both, &["{\"ok\":1}", "{\"err\":\"no\"}"]);
    let none = result(None, None);
    same(&none, &["{\"ok\":null}", "{\"err\":null}"]);
    let optional = result(Some(option(prim("u8"))), None);
    same(
        &optional,
        &["{\"ok\":null}", "{\"ok\":1}", "{\"err\":null}"],
    );
}
