//! Guests that break the canonical ABI: every lie is a trap, none reaches the output.

use super::Guest;
use super::guests::{T, Types, component, echo_list, list, prim};
use crate::encoding::Encoding::{Json, Raw};
use crate::engine::value::CallError;

/// Calls a function without parameters that returns `ty`, with a core function returning `body`.
fn lie(ty: &T, body: &str) {
    let mut types = Types::default();
    let result = format!("(result {})", types.define(ty));
    let body = format!("(result i32) {body}");
    let wat = component(&types.text, &[("lie", &result, &body)]);
    for output in [Json, Raw] {
        let mut guest = Guest::new(&wat.replace("(post-return (core func $i \"post\"))", ""));
        match guest.call("lie", Json, b"null", output) {
            Err(CallError::Trap(_)) => {}
            other => panic!("{ty:?} of {body}: {other:?}"),
        }
    }
}

/// Stores a pointer and a length where the result is, and returns where that is.
fn pair(pointer: u32, length: u32) -> String {
    format!(
        "(i32.store (i32.const 16) (i32.const {})) (i32.store (i32.const 20) (i32.const {})) (i32.const 16)",
        pointer as i32, length as i32
    )
}

#[test]
fn pointers_outside_memory() {
    for ty in [
        prim("string"),
        list(prim("u8")),
        list(prim("s64")),
        list(list(prim("bool"))),
    ] {
        lie(&ty, &pair(65_536, 1));
        lie(&ty, &pair(0, u32::MAX));
        lie(&ty, &pair(u32::MAX - 7, 1));
    }
    lie(&list(prim("f64")), &pair(0, 0x2000_0001));
    lie(&prim("string"), "(i32.const 65534)");
    lie(&prim("string"), "(i32.const -4)");
}

#[test]
fn pointers_that_are_not_aligned() {
    lie(&list(prim("s64")), &pair(4, 1));
    lie(&list(prim("f32")), &pair(2, 1));
    lie(&list(T::Tuple(vec![prim("u32"), prim("u8")])), &pair(3, 1));
    lie(&prim("string"), "(i32.const 17)");
}

#[test]
fn text_that_is_not_utf8() {
    let store = format!("(i32.store (i32.const 64) (i32.const -1)) {}", pair(64, 4));
    lie(&prim("string"), &store);
    let nested = format!(
        "(i32.store (i32.const 64) (i32.const -1)) (i32.store (i32.const 32) (i32.const 64))
         (i32.store (i32.const 36) (i32.const 2)) {}",
        pair(32, 1)
    );
    lie(&list(prim("string")), &nested);
}

#[test]
fn cases_that_do_not_exist() {
    lie(&T::Enum(vec!["a", "b"]), "(i32.const 2)");
    lie(&prim("char"), "(i32.const 0xd800)");
    let store =
        |byte: u32| format!("(i32.store8 (i32.const 16) (i32.const {byte})) (i32.const 16)");
    let text = || Some(Box::new(prim("string")));
    lie(&T::Result(text(), text()), &store(2));
    lie(&T::Option(Box::new(prim("string"))), &store(7));
    lie(
        &T::Variant(vec![("a", Some(prim("string"))), ("b", None)]),
        &store(2),
    );
}

#[test]
fn traps_and_calls_after_a_trap() {
    let wat = component(
        "",
        &[(
            "f",
            "(param \"x\" string) (result u8)",
            "(param i32 i32) (result i32) unreachable",
        )],
    );
    let mut guest = Guest::new(&wat);
    for _ in 0..2 {
        match guest.json("f", "\"x\"") {
            Err(CallError::Trap(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Each way that an allocator can lie about where an argument goes.
#[test]
fn allocators_that_lie() {
    for realloc in [
        "(i32.const -8)",
        "(i32.const 65530)",
        "(i32.const 3)",
        "unreachable",
    ] {
        for (ty, item) in [("string", "\"0123456789\""), ("$l", "[1,2,3]")] {
            let wat = format!(
                "(component
                    (core module $m
                        (memory (export \"memory\") 1)
                        (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) {realloc})
                        (func (export \"f\") (param i32 i32) (result i32) (i32.const 1)))
                    (core instance $i (instantiate $m))
                    (type $l (list s64))
                    (func (export \"f\") (param \"x\" {ty}) (result bool) (canon lift (core func $i \"f\")
                        (memory (core memory $i \"memory\")) (realloc (core func $i \"realloc\")))))"
            );
            let mut guest = Guest::new(&wat);
            let result = guest.json("f", item);
            // Any address is aligned for text; the others are not in memory.
            if ty == "string" && realloc == "(i32.const 3)" {
                assert_eq!(result.expect("in memory"), "true");
            } else {
                assert!(
                    matches!(result, Err(CallError::Trap(_))),
                    "{realloc} {ty}: {result:?}"
                );
            }
        }
    }
}

/// What one call may copy out of a guest is bounded, whichever way the function is called.
#[test]
fn results_beyond_the_stores_bound() {
    for (ty, element) in [("u8", "1"), ("s64", "1"), ("bool", "true")] {
        let mut guest = echo_list(&prim(ty));
        guest.store.set_hostcall_fuel(1000);
        let item = format!("[{}]", vec![element; 2000].join(","));
        let result = guest.json("echo", &item);
        assert!(matches!(result, Err(CallError::Trap(_))), "{result:?}");
    }
}
