//! What is recognised, what is refused, and what is said then.

use super::*;
use crate::engine::source::{SourceError, recognise};
use crate::ipc::manifest::{Import, SourceKind};

/// Checks the message of a refusal, and that it has a hint.
fn check(bytes: impl AsRef<[u8]>, message: &str) {
    let error = refused(bytes);
    assert_eq!(error.to_string(), message);
    assert!(error.hint().is_some(), "{error:?}");
    assert_eq!(error.refusal().message, message);
}

#[test]
fn components_and_modules_are_recognised_by_content() {
    let binary = wat::parse_str(SQUARE).unwrap();
    let core = with_metadata(CORE_SQUARE, WORLD);
    let preview1 = with_metadata(CORE_PREVIEW1, WORLD);
    let bom = ["\u{feff};; a comment\n", SQUARE].concat();
    for (bytes, kind, text) in [
        (binary.as_slice(), SourceKind::Component, false),
        (SQUARE.as_bytes(), SourceKind::Component, true),
        (bom.as_bytes(), SourceKind::Component, true),
        (core.as_slice(), SourceKind::CoreModule, false),
        (
            preview1.as_slice(),
            SourceKind::CoreModuleWithAdapter,
            false,
        ),
    ] {
        let source = recognise(bytes).unwrap();
        assert_eq!((source.kind, source.text), (kind, text));
        let compiled = compiled(bytes).unwrap();
        assert_eq!(compiled.manifest.source, kind);
        assert_eq!(
            compiled.manifest.functions[0].signature(),
            "square: func(x: s64) -> s64"
        );
    }
}

#[test]
fn what_is_no_webassembly_is_refused() {
    check("", "the module is empty");
    check(" \n\t", "the module is empty");
    check(
        b"\x7fELF\x02\x01\x01",
        "precompiled or native code is not accepted",
    );
    check(
        b"PK\x03\x04\xff\xfe",
        "not a WebAssembly module: it is neither binary WebAssembly nor text",
    );
    check(
        "def square(x):\n    return x * x\n",
        "not a WebAssembly module: it is text, but not WebAssembly text",
    );
    check(
        b"\0asm",
        "malformed WebAssembly at byte 4: unexpected end-of-file",
    );
    check(
        b"\0asm\x09\0\0\0",
        "malformed WebAssembly at byte 4: unknown binary version:        0x9",
    );
}

#[test]
fn compiled_code_is_refused_before_anything_reads_it() {
    let code = compiled(SQUARE).unwrap().code;
    check(code, "precompiled or native code is not accepted");
}

#[test]
fn errors_in_text_have_their_place() {
    let error = refused("(module\n  (func (result i32)\n    i32.constt 1))");
    let CompileError::Source(SourceError::Text {
        line,
        column,
        message,
    }) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((line, column), (3, 5));
    assert!(message.contains("unknown operator"), "{message}");
}

#[test]
fn a_core_module_without_metadata_says_what_it_exports() {
    check(
        CORE_SQUARE,
        "a core module without component metadata; it exports memory, square",
    );
    check(
        "(module)",
        "a core module without component metadata; it exports nothing",
    );
    let many: String = (0..20)
        .map(|i| format!(r#"(func (export "f{i}"))"#))
        .collect();
    let error = refused(format!("(module {many})")).to_string();
    assert!(error.ends_with("f10, f11, and 8 more"), "{error}");
}

#[test]
fn names_of_the_guest_cannot_command_a_terminal() {
    let error = refused("(module (func (export \"\\1b[2J\\0a\\e2\\80\\ae\")))").to_string();
    assert!(
        error.ends_with("it exports \u{fffd}[2J \u{fffd}"),
        "{error:?}"
    );
    let long = format!("(module (func (export \"{}\")))", "x".repeat(5000));
    assert!(refused(long).to_string().len() < 200);
}

#[test]
fn commands_are_recognised() {
    let start = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")))"#;
    let component = r#"(component
        (core module $m (func (export "run") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $run (export "run" (func $run)))
        (export "wasi:cli/run@0.2.3" (instance $run)))"#;
    let described = [
        (compiled(start), SourceKind::CommandModule),
        (
            compiled(with_metadata(start, "package local:demo; world demo { }")),
            SourceKind::CommandModule,
        ),
        (
            compiled(r#"(module (memory (export "memory") 1) (func (export "_start")))"#),
            SourceKind::CommandModule,
        ),
        (compiled(component), SourceKind::Component),
    ];
    for (at, (compiled, source)) in described.into_iter().enumerate() {
        let manifest = compiled.unwrap().manifest;
        let [function] = manifest.functions.as_slice() else {
            panic!("{at}: {manifest:?}");
        };
        assert!(function.is_command(), "{at}: {function:?}");
        assert_eq!(function.callable, Ok(()), "{at}");
        assert_eq!(manifest.source, source, "{at}");
        let hidden = |import: &Import| !import.name.starts_with("wasmpool:command");
        assert!(manifest.imports.iter().all(hidden), "{manifest:?}");
    }
    let newer = compiled(component.replace("0.2.3", "0.3.0")).unwrap();
    let reason = newer.manifest.functions[0].callable.clone().unwrap_err();
    assert!(reason.contains("0.3.0"), "{reason}");
}

#[test]
fn a_program_for_another_host_is_refused() {
    let error = refused(
        r#"(module (import "env" "memory" (memory 1)) (import "a" "b" (func))
            (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
            (func (export "_start")))"#,
    );
    assert_eq!(
        error.to_string(),
        "a core module with `_start` that imports what a WASI command is not given: env.memory, a.b"
    );
}

#[test]
fn a_module_with_start_that_exports_its_world_is_used() {
    let module = CORE_SQUARE.replacen("(memory", "(func (export \"_start\")) (memory", 1);
    let compiled = compiled(with_metadata(&module, WORLD)).unwrap();
    assert_eq!(compiled.manifest.functions[0].name, "square");
}

#[test]
fn metadata_that_does_not_fit_is_refused() {
    let other = "package local:demo; world demo { export cube: func(x: s64) -> s64; }";
    let error = refused(with_metadata(CORE_SQUARE, other));
    assert!(
        matches!(error, CompileError::Source(SourceError::Metadata(_))),
        "{error:?}"
    );
    assert!(error.to_string().contains("cube"), "{error}");
}
