//! What is said of a component.

use super::*;
use crate::ipc::lookup::find_function;
use crate::ipc::manifest::{Function, MAX_SECTIONS, MAX_TEXT_BYTES, Memory, Needs, Producer};

/// A component whose export `f` has this type and passes the call on to an import. Its result must be one that both
/// sides of the ABI return in the same way.
fn of_type(types: &str, params: &str, result: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
            (core instance $i (instantiate $m))
            {types}
            (import "f" (func $f {params} {result}))
            (core func $l (canon lower (func $f)
                (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (func (export "f") {params} {result} (canon lift (core func $l)
                (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    )
}

/// The start of a component in which `$f` is a function.
const WITH_F: &str = r#"(component
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))"#;

/// Checks how the function `f` of a component with these types is described.
fn check(types: &str, params: &str, result: &str, signature: &str) -> Function {
    let manifest = compiled(of_type(types, params, result)).unwrap().manifest;
    assert_eq!(manifest.functions[0].signature(), signature);
    manifest.functions[0].clone()
}

#[test]
fn what_a_tool_left_exported_is_not_for_callers() {
    let params = r#"(param "shim" string) (param "script" string) (param "entry-path" (option string))
        (param "disable-gc" bool)"#;
    let named = |name: &str, params: &str| {
        let text = format!(
            r#"(component
                (core module $m
                    (memory (export "memory") 1)
                    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                    (func (export "f") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))
                (core instance $i (instantiate $m))
                (func (export "{name}") {params} (result (result (error string)))
                    (canon lift (core func $i "f")
                        (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
        );
        let manifest = compiled(text).unwrap().manifest;
        manifest.functions[0].clone()
    };
    let left = named("init", params);
    assert_eq!(left.name, "init");
    assert!(left.callable.unwrap_err().contains("componentize-qjs"));
    // Neither the name nor the types alone make it one.
    assert_eq!(named("start", params).callable, Ok(()));
    assert_eq!(
        named("init", &params.replace("shim", "name")).callable,
        Ok(())
    );
}

#[test]
fn the_version_of_the_guest_sdk_is_told() {
    let mut module = with_metadata(CORE_SQUARE, WORLD);
    for text in [&b"1.2.3"[..], b"\x1b[2J\xff"] {
        module.extend([0, 15 + text.len() as u8, 14]);
        module.extend(b"wasmpool-guest");
        module.extend(text);
    }
    let manifest = compiled(&module).unwrap().manifest;
    let sdk = |version: &str| Producer {
        field: "sdk".into(),
        name: "wasmpool-guest".into(),
        version: version.into(),
    };
    assert!(manifest.producers.contains(&sdk("1.2.3")), "{manifest:?}");
    assert!(
        manifest.producers.contains(&sdk("\u{fffd}[2J\u{fffd}")),
        "{manifest:?}"
    );
}

#[test]
fn a_core_module_tells_its_world() {
    let world = |bytes: &[u8]| compiled(bytes).unwrap().manifest.world;
    let module = with_metadata(CORE_SQUARE, WORLD);
    assert_eq!(world(&module).as_deref(), Some("local:demo/demo"));
    let versioned = WORLD.replace("local:demo;", "local:demo@1.2.3;");
    let module = with_metadata(CORE_SQUARE, &versioned);
    assert_eq!(world(&module).as_deref(), Some("local:demo/demo@1.2.3"));
    assert_eq!(world(SQUARE.as_bytes()), None);
}

#[test]
fn types_are_spelled_as_in_wit() {
    let function = check("", "", "", "f: func()");
    assert_eq!(function.callable, Ok(()));
    check(
        "",
        r#"(param "a" bool) (param "b" u8) (param "c" s16) (param "d" float32) (param "e" f64) (param "g" char)"#,
        "(result char)",
        "f: func(a: bool, b: u8, c: s16, d: f32, e: f64, g: char) -> char",
    );
    check(
        "",
        r#"(param "a" (list (option u32))) (param "b" (tuple s8 u64)) (param "c" (result s32 (error string)))"#,
        "(result s64)",
        "f: func(a: list<option<u32>>, b: tuple<s8, u64>, c: result<s32, string>) -> s64",
    );
    check(
        "",
        r#"(param "a" (result (error u8))) (param "b" (result u16))"#,
        "(result (result))",
        "f: func(a: result<_, u8>, b: result<u16>) -> result",
    );
    check(
        r#"(type $r' (record (field "x" s32) (field "y" (list u8))))
           (import "r" (type $r (eq $r')))
           (type $e' (enum "red" "green"))
           (import "e" (type $e (eq $e')))
           (type $g' (flags "read" "write"))
           (import "g" (type $g (eq $g')))
           (type $v' (variant (case "none") (case "some" $r)))
           (import "v" (type $v (eq $v')))"#,
        r#"(param "v" $v) (param "g" $g)"#,
        "(result $e)",
        "f: func(v: variant { none, some(record { x: s32, y: list<u8> }) }, g: flags { read, write }) \
         -> enum { red, green }",
    );
}

#[test]
fn functions_with_resources_are_listed_but_not_callable() {
    let function = check(
        r#"(import "r" (type $r (sub resource)))"#,
        r#"(param "it" (option (borrow $r)))"#,
        "",
        "f: func(it: option<borrow<resource>>)",
    );
    assert_eq!(
        function.callable,
        Err("its parameter `it` holds a resource".into())
    );
    let function = check(
        r#"(import "r" (type $r (sub resource)))"#,
        "",
        "(result (own $r))",
        "f: func() -> resource",
    );
    assert_eq!(function.callable, Err("its result holds a resource".into()));
}

#[test]
fn a_type_of_astronomic_size_costs_a_bounded_text() {
    let mut types = String::from("(type $t0 (tuple u8 u8))");
    for i in 1..14 {
        types += &format!("(type $t{i} (tuple $t{0} $t{0}))", i - 1);
    }
    let manifest = compiled(of_type(&types, r#"(param "x" $t13)"#, ""))
        .unwrap()
        .manifest;
    let function = &manifest.functions[0];
    assert_eq!(
        function.callable,
        Err("its parameter `x` holds a type that is too large".into())
    );
    assert!(function.params[0].1.ends_with('…') && function.params[0].1.len() <= MAX_TEXT_BYTES);

    let mut deep = String::from("(type $t0 (list u8))");
    for i in 1..60 {
        deep += &format!("(type $t{i} (list $t{}))", i - 1);
    }
    let manifest = compiled(of_type(&deep, r#"(param "x" $t59)"#, ""))
        .unwrap()
        .manifest;
    assert!(manifest.functions[0].callable.is_err());
    assert!(manifest.functions[0].params[0].1.contains('…'));
}

#[test]
fn interfaces_tasks_and_needs_are_found() {
    let manifest = compiled(
        r#"(component
            (core module $m
                (memory (export "memory") 2 5)
                (table 7 funcref)
                (func (export "f") (param i32) (result i32) local.get 0))
            (core instance $i (instantiate $m))
            (core instance $j (instantiate $m))
            (func $f (param "x" u32) (result u32) (canon lift (core func $i "f")))
            (instance $api (export "square-it" (func $f)))
            (export "local:demo/api@1.2.0" (instance $api))
            (export "wasmpool:task/map@0.1.7" (instance $api))
            (instance $run (export "run" (func $f)))
            (export "wasi:cli/run@0.2.0" (instance $run)))"#,
    )
    .unwrap()
    .manifest;
    let names: Vec<_> = manifest.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        ["local:demo/api@1.2.0#square-it", "wasi:cli/run@0.2.0#run"]
    );
    assert_eq!(
        find_function(&manifest, "api#square_it").map(|f| f.name.as_str()),
        Ok(names[0])
    );
    // Its name is a command's, its type is not.
    assert!(find_function(&manifest, names[1]).is_err());
    assert_eq!(manifest.tasks.as_deref(), Some("0.1.7"));
    assert_eq!(
        manifest.memories,
        [Memory {
            initial_pages: 2,
            maximum_pages: Some(5)
        }]
    );
    let needs = Needs {
        memories: 2,
        tables: 2,
        initial_memory_bytes: 2 << 16,
        initial_table_elements: 7,
    };
    assert_eq!(manifest.needs, needs);
}

#[test]
fn tasks_of_another_version_are_not_taken_for_ours() {
    for version in ["0.2.0", "1.1.0", "0.1.0-rc.1", "0.10.0"] {
        let manifest = compiled(format!(
            r#"{WITH_F} (instance $run (export "run" (func $f)))
                (export "wasmpool:task/map@{version}" (instance $run)))"#
        ))
        .unwrap()
        .manifest;
        assert_eq!(manifest.tasks, None, "{version}");
        let reason = manifest.functions[0].callable.clone().unwrap_err();
        assert!(reason.contains(version), "{reason}");
    }
}

#[test]
fn imports_are_offered_or_refused_with_a_reason() {
    let component = |name: &str, ty: &str| format!(r#"(component (import "{name}" {ty}))"#);
    let function = r#"(instance (export "f" (func)))"#;
    for name in [
        "wasi:cli/environment@0.2.0",
        "wasi:clocks/monotonic-clock@0.2.12",
        "wasi:io/streams@0.2.6",
        "wasi:sockets/tcp@0.2.3",
        "wasi:filesystem/types@0.2.0",
        "wasi:random/insecure-seed@0.2.1",
        "wasmpool:task/context@0.1.0",
        "wasmpool:task/log@0.1.9",
        "wasmpool:task/results@0.1.0",
        "wasmpool:task/queues@0.1.0",
        "wasmpool:task/buffers@0.1.0",
    ] {
        let manifest = compiled(component(name, function)).unwrap().manifest;
        assert_eq!(manifest.missing_imports().count(), 0, "{name}");
        assert_eq!(manifest.imports[0].name, name);
    }
    for (name, ty, reason) in [
        (
            "wasi:http/types@0.2.0",
            function,
            "wasi:http is not offered",
        ),
        (
            "wasi:clocks/timezone@0.2.0",
            function,
            "only monotonic-clock, wall-clock",
        ),
        ("wasi:clocks/wall-clock@0.3.0", function, "build for wasip2"),
        (
            "wasi:clocks/wall-clock@0.2.0-rc-2023-11-10",
            function,
            "build for wasip2",
        ),
        ("wasi:clocks/wall-clock", function, "build for wasip2"),
        (
            "wasmpool:task/sockets@0.1.0",
            function,
            "only buffers, context, log, pipes, queues, results, sync",
        ),
        (
            "wasmpool:task/log@0.2.0",
            function,
            "matching wasmpool-guest",
        ),
        ("local:other/thing@1.0.0", function, "wac plug"),
        ("helper", "(func)", "functions of their own world"),
    ] {
        let manifest = compiled(component(name, ty)).unwrap().manifest;
        let missing: Vec<_> = manifest.missing_imports().collect();
        assert!(
            missing.len() == 1 && missing[0].0 == name && missing[0].1.contains(reason),
            "{missing:?}"
        );
    }
}

#[test]
fn interfaces_of_types_alone_need_nobody() {
    let manifest = compiled(
        r#"(component (import "local:demo/types@1.0.0" (instance
            (type $r (record (field "x" u8))) (export "r" (type (eq $r))))))"#,
    )
    .unwrap()
    .manifest;
    assert_eq!(manifest.imports, []);
}

#[test]
fn producers_are_listed_once() {
    let manifest = compiled(
        r#"(component
            (core module (@producers (language "Rust" "1.95") (processed-by "a" "1")))
            (core module (@producers (language "Rust" "1.95"))))"#,
    )
    .unwrap()
    .manifest;
    let producer = |field: &str, name: &str, version: &str| Producer {
        field: field.into(),
        name: name.into(),
        version: version.into(),
    };
    assert_eq!(
        manifest.producers,
        [
            producer("language", "Rust", "1.95"),
            producer("processed-by", "a", "1")
        ]
    );
}

#[test]
fn limits_are_enforced_before_a_worker_sees_the_module() {
    let error =
        |limits: &Limits| compile(SQUARE.as_bytes(), &CodeMode::default(), limits).unwrap_err();
    let limits = Limits {
        module_bytes: SQUARE.len() as u64 - 1,
        ..Limits::default()
    };
    assert!(
        error(&limits)
            .to_string()
            .starts_with(&format!("the module has {} bytes, more", SQUARE.len()))
    );
    assert_eq!(
        error(&Limits::default().memory(65536)).to_string(),
        "the module has 131072 bytes of memory at its start, more than the limit of 65536"
    );
    let limits = Limits {
        table_elements: 99,
        ..Limits::default()
    };
    let tables =
        "(component (core module $m (table 100 funcref)) (core instance (instantiate $m)))";
    let error = compile(tables.as_bytes(), &CodeMode::default(), &limits).unwrap_err();
    assert!(error.to_string().contains("100 table elements"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn floods_of_names_are_refused() {
    let many: String = (0..5000)
        .map(|i| format!(r#"(export "f{i}" (func $f))"#))
        .collect();
    let error = refused(format!("{WITH_F} {many})"));
    assert!(error.to_string().contains("exported functions"), "{error}");
    let many: String = (0..1100)
        .map(|i| format!(r#"(import "f{i}" (func))"#))
        .collect();
    let error = refused(format!("(component {many})"));
    assert!(error.to_string().contains("imports"), "{error}");
    let long = "x".repeat(600);
    let manifest = compiled(format!(r#"{WITH_F} (export "{long}" (func $f)))"#))
        .unwrap()
        .manifest;
    assert!(manifest.functions[0].callable.is_err());
}

#[test]
fn the_sections_of_all_modules_are_measured() {
    let manifest = compiled(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (data (i32.const 0) "0123456789")
                (func (export "f") (result i32) i32.const 7)
                (@custom "notes" "some notes"))
            (core module $n (memory 1) (data (i32.const 0) "0123456789"))
            (core instance (instantiate $m))
            (core instance (instantiate $n)))"#,
    )
    .unwrap()
    .manifest;
    let bytes = |name: &str| {
        let found = manifest.sections.iter().find(|s| s.name == name);
        found.map(|section| section.bytes)
    };
    // A count, and for each segment its kind, an expression of three bytes, a length and ten bytes.
    assert_eq!(bytes("data"), Some(2 * (1 + 1 + 3 + 1 + 10)));
    // A count, and a body's length, locals and three bytes of code.
    assert_eq!(bytes("code"), Some(1 + 1 + 1 + 3));
    assert_eq!(bytes("custom: notes"), Some(5 + 1 + 10));
    let sizes: Vec<_> = manifest.sections.iter().map(|s| s.bytes).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");

    let many: String = (0..60)
        .map(|i| format!(r#"(@custom "s{i}" "x")"#))
        .collect();
    let manifest = compiled(format!("(component {many})")).unwrap().manifest;
    assert_eq!(manifest.sections.len(), MAX_SECTIONS);
    assert!(manifest.sections.iter().any(|s| s.name == "other"));
}
