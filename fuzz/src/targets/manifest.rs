//! What a compiler says of a module.

use super::LIST_BYTES;
use crate::ipc::manifest::{
    Function, Import, MAX_ENCODED_BYTES, Manifest, Memory, Needs, Producer, Section, SourceKind,
};
use crate::limits::Limits;
use crate::memory::bounded;

pub fn run(data: &[u8]) -> bool {
    let data = &data[..data.len().min(MAX_ENCODED_BYTES + 1)];
    let Ok(manifest) = bounded(data, 64, LIST_BYTES, || Manifest::decode(data)) else {
        return false;
    };
    assert_eq!(manifest.check(), Ok(()));
    let again = manifest.encode().expect("it was read");
    assert!(again.len() <= data.len());
    assert_eq!(Manifest::decode(&again).as_ref(), Ok(&manifest));
    // What is done with one that was believed: none of it may fail.
    let _ = manifest.fits(&Limits::default());
    let shown = |text: &str| assert!(!text.chars().any(char::is_control), "{text:?}");
    for function in &manifest.functions {
        shown(&function.signature());
    }
    for (name, reason) in manifest.missing_imports() {
        shown(name);
        shown(reason);
    }
    true
}

fn small() -> Manifest {
    Manifest {
        source: SourceKind::Component,
        text: false,
        world: None,
        module_bytes: 1234,
        code_bytes: 56_789,
        functions: Vec::new(),
        tasks: None,
        imports: Vec::new(),
        memories: Vec::new(),
        needs: Needs {
            memories: 1,
            tables: 1,
            initial_memory_bytes: 1 << 20,
            initial_table_elements: 10,
        },
        producers: Vec::new(),
        sections: Vec::new(),
    }
}

pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let function = |name: &str, callable| Function {
        name: name.into(),
        params: vec![("x".into(), "s64".into()), ("y".into(), "list<u8>".into())],
        result: Some("result<s64, string>".into()),
        callable,
    };
    let full = Manifest {
        source: SourceKind::CoreModuleWithAdapter,
        text: true,
        world: Some("local:demo/demo@1.0.0".into()),
        functions: vec![
            function("square", Ok(())),
            function(
                "local:demo/api@1.0.0#odd",
                Err("it takes a resource".into()),
            ),
        ],
        tasks: Some("0.1.0".into()),
        imports: vec![
            Import {
                name: "wasi:clocks/monotonic-clock@0.2.6".into(),
                offered: Ok(()),
            },
            Import {
                name: "a:b/c".into(),
                offered: Err("there is none".into()),
            },
        ],
        memories: vec![Memory {
            initial_pages: 17,
            maximum_pages: Some(65_536),
        }],
        producers: vec![Producer {
            field: "language".into(),
            name: "Rust".into(),
            version: String::new(),
        }],
        sections: vec![Section {
            name: "code".into(),
            bytes: 1000,
        }],
        ..small()
    };
    vec![
        ("small", small().encode().expect("within its bounds")),
        ("full", full.encode().expect("within its bounds")),
    ]
}
