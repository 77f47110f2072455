//! Signatures as WIT text, and functions that cannot be called.

use super::Guest;
use super::guests::{ECHO_PAIR, T, component, echo_list, list, option, prim, result};
use crate::engine::value::{MAX_TYPE_DEPTH, Unsupported, wit_text};

fn shown(ty: &T) -> String {
    let invoker = echo_list(ty).invoker("echo").expect("supported");
    invoker.signature().to_string()
}

#[test]
fn types_are_shown_as_wit() {
    for (ty, text) in [
        (prim("f32"), "f32"),
        (T::Fixed(Box::new(prim("u8")), 4), "list<u8, 4>"),
        (
            T::Map(Box::new(prim("string")), Box::new(prim("u8"))),
            "map<string, u8>",
        ),
        (T::Tuple(vec![prim("u8"), prim("char")]), "tuple<u8, char>"),
        (
            T::Record(vec![("a-b", prim("s64")), ("c", option(prim("string")))]),
            "record { a-b: s64, c: option<string> }",
        ),
        (
            T::Variant(vec![("none", None), ("some-bytes", Some(list(prim("u8"))))]),
            "variant { none, some-bytes(list<u8>) }",
        ),
        (T::Enum(vec!["red", "green"]), "enum { red, green }"),
        (T::Flags(vec!["read", "write"]), "flags { read, write }"),
        (result(None, None), "result"),
        (result(Some(prim("u8")), None), "result<u8>"),
        (result(None, Some(prim("bool"))), "result<_, bool>"),
        (
            result(Some(prim("u8")), Some(prim("bool"))),
            "result<u8, bool>",
        ),
    ] {
        assert_eq!(shown(&ty), format!("func(x: list<{text}>) -> list<{text}>"));
    }
}

#[test]
fn signatures_without_parameters_or_result() {
    let mut guest = Guest::new(
        "(component (core module $m (func (export \"f\")) (func (export \"g\") (param i32 i64)))
            (core instance $i (instantiate $m))
            (func (export \"f\") (canon lift (core func $i \"f\")))
            (func (export \"g\") (param \"left\" u8) (param \"right\" s64) (canon lift (core func $i \"g\"))))",
    );
    let invoker = guest.invoker("f").expect("supported");
    assert_eq!(invoker.signature().to_string(), "func()");
    let invoker = guest.invoker("g").expect("supported");
    assert_eq!(
        invoker.signature().to_string(),
        "func(left: u8, right: s64)"
    );
}

fn nested(levels: usize) -> T {
    (0..levels).fold(prim("u8"), |ty, _| option(ty))
}

#[test]
fn types_may_be_nested_so_deep() {
    // The list around it and the number inside count too.
    let mut guest = echo_list(&nested(MAX_TYPE_DEPTH - 2));
    let open = "{\"some\":".repeat(MAX_TYPE_DEPTH - 3);
    let item = format!("[{open}7{}]", "}".repeat(MAX_TYPE_DEPTH - 3));
    assert_eq!(guest.json("echo", &item).expect("the value"), item);
    let error = echo_list(&nested(MAX_TYPE_DEPTH - 1)).invoker("echo").err();
    let place = "the parameter `x`".to_owned();
    assert_eq!(error, Some(Unsupported::TooDeep { place }));
}

/// A type that names two of the one before it is small to write down and enormous to spell out.
#[test]
fn types_that_share_parts() {
    let mut text = "(type $d0 (tuple u8 u8))\n".to_owned();
    for level in 1..16 {
        let below = level - 1;
        text.push_str(&format!("(type $d{level} (tuple $d{below} $d{below}))\n"));
    }
    text.push_str("(type $l (list $d15))");
    let echo = "(param \"x\" $l) (result $l)";
    let mut guest = Guest::new(&component(&text, &[("echo", echo, ECHO_PAIR)]));
    match guest.invoker("echo") {
        Err(Unsupported::TooLarge { place }) => assert_eq!(place, "the parameter `x`"),
        other => panic!("{other:?}"),
    }
    let func = guest
        .instance
        .get_func(&mut guest.store, "echo")
        .expect("exported");
    let ty = func
        .ty(&guest.store)
        .params()
        .next()
        .expect("a parameter")
        .1;
    let shown = wit_text(&ty);
    assert!(shown.len() < 8192, "{} bytes", shown.len());
    assert!(shown.contains('…'));
}

#[test]
fn resources_are_not_supported() {
    let wat = "(component
        (type $r' (resource (rep i32)))
        (core module $m (func (export \"take\") (param i32)) (func (export \"make\") (result i32) (i32.const 0))
            (memory (export \"memory\") 1))
        (core instance $i (instantiate $m))
        (export $r \"r\" (type $r'))
        (type $b (borrow $r))
        (type $o (own $r))
        (type $rec' (record (field \"name\" u8) (field \"handle\" $o)))
        (export $rec \"rec\" (type $rec'))
        (type $l (list $rec))
        (func (export \"take\") (param \"x\" $b) (canon lift (core func $i \"take\")))
        (func (export \"make\") (result $o) (canon lift (core func $i \"make\")))
        (func (export \"list\") (result $l) (canon lift (core func $i \"make\") (memory (core memory $i \"memory\")))))";
    let mut guest = Guest::new(wat);
    for (name, message) in [
        (
            "take",
            "the parameter `x` has the type `borrow<resource>`, which has no JSON form",
        ),
        (
            "make",
            "the result has the type `own<resource>`, which has no JSON form",
        ),
        (
            "list",
            "`handle` of an element of the result has the type `own<resource>`, which has no JSON form",
        ),
    ] {
        let error = guest.invoker(name).expect_err("unsupported");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn long_names_do_not_make_long_messages() {
    let wide: Vec<String> = (0..2000).map(|n| format!("field-number-{n}")).collect();
    let fields: String = wide
        .iter()
        .map(|name| format!("(field \"{name}\" u8)"))
        .collect();
    let types =
        format!("(type $d (record {fields})) (export $t \"t\" (type $d)) (type $l (list $t))");
    let echo = "(param \"x\" $l) (result $l)";
    let mut guest = Guest::new(&component(&types, &[("echo", echo, ECHO_PAIR)]));
    let message = guest.refused("echo", "[1]");
    assert!(message.len() < 300, "{message}");
    let message = guest.refused("echo", "[{\"y\":1}]");
    assert!(message.len() < 300, "{message}");
    let shown = guest
        .invoker("echo")
        .expect("supported")
        .signature()
        .to_string();
    assert!(shown.len() < 10_000, "{} bytes", shown.len());
}
