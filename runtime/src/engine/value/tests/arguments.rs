//! How items become arguments, and how results become output.

use super::Guest;
use super::guests::{ECHO_PAIR, T, Types, component, echo_list, echo_scalar, list, option, prim};
use crate::encoding::Encoding::{self, Json, Postcard, Raw};
use crate::engine::value::CallError;

fn text(guest: &mut Guest, name: &str, input: Encoding, item: &[u8], output: Encoding) -> String {
    match guest.call(name, input, item, output) {
        Ok(out) => String::from_utf8(out).expect("text"),
        Err(error) => panic!("{name}: {error:?}"),
    }
}

#[test]
fn no_parameters_and_no_result() {
    let mut guest = Guest::new(
        "(component (core module $m (func (export \"f\")) (func (export \"g\") (result i32) (i32.const 7)))
            (core instance $i (instantiate $m))
            (func (export \"f\") (canon lift (core func $i \"f\")))
            (func (export \"g\") (result u8) (canon lift (core func $i \"g\"))))",
    );
    for item in ["null", "[]", "{}"] {
        assert_eq!(guest.json("f", item).expect(item), "null");
        assert_eq!(guest.json("g", item).expect(item), "7");
    }
    assert_eq!(
        guest.refused("f", "1"),
        "expected null: the function takes no arguments, got number 1"
    );
    assert_eq!(
        guest.refused("f", "{\"x\":1}"),
        "unknown parameter \"x\"; there is none"
    );
}

#[test]
fn scalars_of_every_type_in_one_call() {
    let mut guest = Guest::new(
        "(component
            (core module $m (func (export \"sum\") (param i32 i32 i64 f32 f64) (result f64)
                (f64.add (f64.convert_i32_s (i32.add (local.get 0) (local.get 1)))
                (f64.add (f64.convert_i64_s (local.get 2))
                (f64.add (f64.promote_f32 (local.get 3)) (local.get 4))))))
            (core instance $i (instantiate $m))
            (func (export \"sum\") (param \"a\" s8) (param \"b\" bool) (param \"c\" s64) (param \"d\" f32)
                (param \"e\" f64) (result f64) (canon lift (core func $i \"sum\"))))",
    );
    assert!(guest.invoker("sum").expect("supported").copies_whole());
    assert_eq!(
        guest.json("sum", "[-1,true,40,0.5,0.25]").expect("sum"),
        "40.75"
    );
    assert_eq!(
        guest
            .json("sum", r#"{"e":0.25,"d":0.5,"c":40,"b":true,"a":-1}"#)
            .expect("sum"),
        "40.75"
    );
}

/// Seventeen core numbers: the canonical ABI passes the arguments in memory.
#[test]
fn more_arguments_than_fit_in_core_parameters() {
    let params: String = (0..17).map(|n| format!("(param \"p{n}\" u32) ")).collect();
    let ty = format!("{params} (result u32)");
    let body = "(param i32) (result i32) (i32.load offset=64 (local.get 0))";
    let mut guest = Guest::new(&component("", &[("last", &ty, body)]));
    assert!(!guest.invoker("last").expect("supported").copies_whole());
    let item = format!("{:?}", (0..17).collect::<Vec<u32>>());
    assert_eq!(guest.json("last", &item).expect("the last"), "16");
}

/// Sixteen, with lists among them: the most that are passed as core parameters.
#[test]
fn as_many_arguments_as_fit() {
    let mut types = Types::default();
    let bytes = types.define(&list(prim("u8")));
    let params: String = (0..8)
        .map(|n| format!("(param \"p{n}\" {bytes}) "))
        .collect();
    let core = "i32 ".repeat(16);
    let body = ECHO_PAIR
        .replace("(param i32 i32)", &format!("(param {core})"))
        .replace("local.get 0", "local.get 14")
        .replace("local.get 1)", "local.get 15)");
    let ty = format!("{params} (result {bytes})");
    let mut guest = Guest::new(&component(&types.text, &[("last", &ty, &body)]));
    assert!(guest.invoker("last").expect("supported").copies_whole());
    let item = "[[],[1],[],[2],[],[],[3],[4,5]]";
    assert_eq!(guest.json("last", item).expect("the last"), "[4,5]");
}

#[test]
fn raw_bytes_and_raw_text() {
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut bytes = echo_list(&prim("u8"));
    let mut out = Vec::new();
    let invoker = bytes.invoker("echo").expect("supported");
    for item in [&all[..], &all[..300], &[]] {
        out.clear();
        invoker
            .call(&mut bytes.store, Raw, item, Raw, &mut out)
            .expect("bytes");
        assert_eq!(out, item);
        // Behind what is there already, too.
        assert_eq!(bytes.call("echo", Raw, item, Raw).expect("bytes"), item);
    }
    assert_eq!(text(&mut bytes, "echo", Raw, b"ab", Json), "[97,98]");
    assert_eq!(text(&mut bytes, "echo", Json, b"[97,98]", Raw), "ab");
    let mut string = super::guests::echo_string();
    assert_eq!(
        text(&mut string, "echo", Raw, "\u{e9}\n".as_bytes(), Raw),
        "\u{e9}\n"
    );
    assert_eq!(text(&mut string, "echo", Raw, b"\n", Json), "\"\\n\"");
    match string.call("echo", Raw, b"ab\xff", Raw) {
        Err(CallError::InvalidInput(message)) => {
            assert_eq!(
                message,
                "expected text, got bytes that are not UTF-8 from offset 2"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn raw_where_it_does_not_fit() {
    let mut scalar = echo_scalar("s64");
    match scalar.call("echo", Raw, b"1", Raw) {
        Err(CallError::InvalidInput(message)) => assert_eq!(
            message,
            "raw bytes need one parameter of type string or list<u8>; this is func(x: s64) -> s64"
        ),
        other => panic!("{other:?}"),
    }
    // Raw output of what has no bytes of its own is JSON.
    assert_eq!(text(&mut scalar, "echo", Json, b"1", Raw), "1");
    let mut numbers = echo_list(&prim("u16"));
    assert_eq!(text(&mut numbers, "echo", Json, b"[]", Raw), "[]");
    for (input, output) in [(Postcard, Json), (Json, Postcard)] {
        match scalar.call("echo", input, b"1", output) {
            Err(CallError::InvalidInput(message)) => assert_eq!(
                message,
                "func(x: s64) -> s64 takes and returns JSON or raw bytes, not postcard"
            ),
            other => panic!("{other:?}"),
        }
    }
}

/// Functions of bytes that are called through values, since another parameter or the result is neither a scalar
/// nor one run of memory.
#[test]
fn bytes_beside_other_types() {
    let mut types = Types::default();
    let bytes = types.define(&list(prim("u8")));
    let level = types.define(&T::Enum(vec!["low", "high"]));
    let lists = types.define(&list(list(prim("u8"))));
    let first = format!("(param \"data\" {bytes}) (param \"level\" {level}) (result {bytes})");
    let body = ECHO_PAIR.replace("(param i32 i32)", "(param i32 i32 i32)");
    let split = format!("(param \"data\" {bytes}) (result {lists})");
    // One element, which is the argument: the pair at 16 is the list's memory.
    let one = "(param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
        (i32.store (i32.const 24) (i32.const 16)) (i32.store (i32.const 28) (i32.const 1)) (i32.const 24)";
    let wat = component(
        &types.text,
        &[("first", &first, &body), ("split", &split, one)],
    );
    let mut guest = Guest::new(&wat);
    assert!(!guest.invoker("first").expect("supported").copies_whole());
    assert_eq!(
        text(&mut guest, "first", Json, b"[\"ab\",\"high\"]", Raw),
        "ab"
    );
    assert_eq!(
        text(&mut guest, "first", Json, b"[[97],\"low\"]", Json),
        "[97]"
    );
    assert_eq!(text(&mut guest, "first", Json, b"[[],\"low\"]", Raw), "");
    assert_eq!(text(&mut guest, "split", Raw, b"ab", Json), "[[97,98]]");
}

/// A function `f` that returns a `result` of the type: the error side if the flag is set, with the same text.
fn checked(ok: &str, err: &str, store: &str) -> Guest {
    let ty = "(param \"fail\" bool) (param \"text\" string) (result $r)";
    let body = format!(
        "(param i32 i32 i32) (result i32) (i32.store8 (i32.const 16) (local.get 0)) {store} (i32.const 16)"
    );
    let types = format!("(type $b (list u8)) (type $r (result {ok} {err}))");
    Guest::new(&component(&types, &[("f", ty, &body)]))
}

const PAIR_AT_20: &str =
    "(i32.store (i32.const 20) (local.get 1)) (i32.store (i32.const 24) (local.get 2))";

fn failed(guest: &mut Guest, item: &str) -> String {
    match guest.json("f", item) {
        Err(CallError::Failed(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn results_succeed_or_fail() {
    let mut both = checked("$b", "(error string)", PAIR_AT_20);
    assert!(both.invoker("f").expect("supported").copies_whole());
    assert_eq!(both.json("f", "[false,\"ab\"]").expect("ok"), "[97,98]");
    assert_eq!(text(&mut both, "f", Json, b"[false,\"ab\"]", Raw), "ab");
    assert_eq!(failed(&mut both, "[true,\"no \\\"way\\\"\"]"), "no \"way\"");

    let mut bytes = checked("string", "(error $b)", PAIR_AT_20);
    assert_eq!(bytes.json("f", "[false,\"ab\"]").expect("ok"), "\"ab\"");
    assert_eq!(failed(&mut bytes, "[true,\"ab\"]"), "[97,98]");

    let mut no_error = checked("string", "", PAIR_AT_20);
    assert_eq!(no_error.json("f", "[false,\"ab\"]").expect("ok"), "\"ab\"");
    assert_eq!(
        failed(&mut no_error, "[true,\"ab\"]"),
        "the function returned an error without a value"
    );

    let mut only_error = checked("", "(error string)", PAIR_AT_20);
    assert_eq!(only_error.json("f", "[false,\"ab\"]").expect("ok"), "null");
    assert_eq!(
        text(&mut only_error, "f", Json, b"[false,\"ab\"]", Raw),
        "null"
    );
    assert_eq!(failed(&mut only_error, "[true,\"ab\"]"), "ab");
}

#[test]
fn results_of_numbers_succeed_or_fail() {
    for (ty, size, store, shown) in [
        (
            "bool",
            4,
            "(i32.store (i32.const 20) (i32.const 1))",
            "true",
        ),
        ("s32", 4, "(i32.store (i32.const 20) (i32.const -1))", "-1"),
        (
            "u32",
            4,
            "(i32.store (i32.const 20) (i32.const -1))",
            "4294967295",
        ),
        (
            "f32",
            4,
            "(f32.store (i32.const 20) (f32.const 0.1))",
            "0.1",
        ),
        ("s64", 8, "(i64.store (i32.const 24) (i64.const -1))", "-1"),
        (
            "u64",
            8,
            "(i64.store (i32.const 24) (i64.const -1))",
            "18446744073709551615",
        ),
        (
            "f64",
            8,
            "(f64.store (i32.const 24) (f64.const nan))",
            "\"NaN\"",
        ),
        (
            "char",
            4,
            "(i32.store (i32.const 20) (i32.const 0x1f980))",
            "\"🦀\"",
        ),
    ] {
        let at = 16 + size;
        let store = format!(
            "(if (local.get 0) (then (i32.store (i32.const {at}) (local.get 1))
                (i32.store (i32.const {}) (local.get 2))) (else {store}))",
            at + 4
        );
        // A boolean stands in the first byte of the payload, which is aligned for the string beside it.
        let mut guest = checked(ty, "(error string)", &store);
        assert_eq!(guest.json("f", "[false,\"x\"]").expect(ty), shown, "{ty}");
        assert_eq!(failed(&mut guest, "[true,\"x\"]"), "x", "{ty}");
        assert_eq!(
            guest.invoker("f").expect("supported").copies_whole(),
            ty != "char"
        );
    }
}

/// Errors that are not text are shown as JSON.
#[test]
fn errors_with_types_of_their_own() {
    let mut types = Types::default();
    let problem = types.define(&T::Variant(vec![
        ("too-large", Some(prim("u32"))),
        ("denied", None),
    ]));
    let result = types.define(&T::Result(
        Some(Box::new(prim("u8"))),
        Some(Box::new(T::Tuple(vec![prim("u32"), prim("bool")]))),
    ));
    let variant = format!("(type $v (result (error {problem})))");
    let text = format!("{}{variant}", types.text);
    let body = |code: u32| {
        format!(
            "(result i32) (i32.store8 (i32.const 16) (i32.const 1))
             (i32.store8 (i32.const 20) (i32.const {code}))
             (i32.store (i32.const 24) (i32.const 77)) (i32.const 16)"
        )
    };
    let tuple = "(result i32) (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store (i32.const 20) (i32.const 5)) (i32.store8 (i32.const 24) (i32.const 1)) (i32.const 16)";
    let wat = component(
        &text,
        &[
            ("large", "(result $v)", &body(0)),
            ("denied", "(result $v)", &body(1)),
            ("tuple", &format!("(result {result})"), tuple),
        ],
    );
    let mut guest = Guest::new(&wat);
    for (name, message) in [
        ("large", "{\"too-large\":77}"),
        ("denied", "\"denied\""),
        ("tuple", "[5,true]"),
    ] {
        match guest.json(name, "null") {
            Err(CallError::Failed(error)) => assert_eq!(error, message),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn options_of_text() {
    let types = "(type $o (option string))";
    let body = "(param i32 i32 i32) (result i32)
        (i32.store8 (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
        (i32.store (i32.const 24) (local.get 2)) (i32.const 16)";
    let ty = "(param \"some\" bool) (param \"text\" string) (result $o)";
    let mut guest = Guest::new(&component(types, &[("f", ty, body)]));
    assert!(guest.invoker("f").expect("supported").copies_whole());
    assert_eq!(guest.json("f", "[true,\"x\"]").expect("some"), "\"x\"");
    assert_eq!(guest.json("f", "[false,\"x\"]").expect("none"), "null");
    // An option has no bytes of its own: none and an empty text must differ.
    assert_eq!(text(&mut guest, "f", Json, b"[true,\"\"]", Raw), "\"\"");
}

/// One parameter is its value, also if that is an array or an object.
#[test]
fn one_parameter_is_not_a_list_of_arguments() {
    let mut guest = echo_list(&option(prim("u8")));
    assert_eq!(guest.json("echo", "[1,null]").expect("a list"), "[1,null]");
    assert_eq!(
        guest.refused("echo", "{\"x\":[1]}"),
        "expected list<option<u8>>, got an object"
    );
}
