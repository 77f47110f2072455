//! What a component exports, imports and needs.
//!
//! Owns reading a compiled component's type into a [`Manifest`], and the rules of what can be called and which
//! imports are offered. Runs in the compiler process; every list and text it makes is bounded here, since a few
//! bytes of component can describe a type of astronomic size.

use std::collections::BTreeMap;
use std::ops::Range;

use wasmparser::{KnownCustom, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Type};

use super::adapter::EXIT;
use super::compile::CompileError;
use super::source::Recognised;
use crate::ipc::manifest::{
    Function, Import, MAX_FUNCTIONS, MAX_IMPORTS, MAX_MEMORIES, MAX_NAME_BYTES, MAX_PARAMS,
    MAX_PRODUCERS, MAX_SECTIONS, MAX_TEXT_BYTES, Manifest, Memory, Needs, OverLimit, Producer,
    Section, printable,
};

/// Nesting of a type, at most, for its function to be called.
const MAX_TYPE_DEPTH: usize = 32;
/// Types within a type, at most, for its function to be called.
const MAX_TYPE_NODES: usize = 4096;

/// The interfaces of WASI 0.2 that a worker links.
const WASI: [(&str, &[&str]); 6] = [
    (
        "cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("clocks", &["monotonic-clock", "wall-clock"]),
    ("filesystem", &["preopens", "types"]),
    ("io", &["error", "poll", "streams"]),
    ("random", &["random", "insecure", "insecure-seed"]),
    (
        "sockets",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];
/// The interfaces of `wasmpool:task` that a worker links.
const TASK: [&str; 7] = [
    "buffers", "context", "log", "pipes", "queues", "results", "sync",
];

/// The guest SDK, and the section in which it says its version.
const SDK_SECTION: &str = "wasmpool-guest";

/// Functions that a tool calls while it makes a component, and leaves exported: by their whole signature, since nothing else
/// tells them from an author's. Calling one again would undo what it has set up.
const OF_TOOLS: [(&str, &str); 1] = [(
    "init: func(shim: string, script: string, entry-path: option<string>, disable-gc: bool) -> result<_, string>",
    "it is componentize-qjs's own, which has called it",
)];

/// Describes a compiled component. The sizes of module and code are left at 0.
pub(super) fn describe(
    engine: &Engine,
    component: &Component,
    source: &Recognised<'_>,
) -> Result<Manifest, CompileError> {
    let ty = component.component_type();
    let mut manifest = Manifest {
        source: source.kind,
        text: source.text,
        world: source.world.clone(),
        module_bytes: 0,
        code_bytes: 0,
        functions: Vec::new(),
        tasks: None,
        imports: Vec::new(),
        memories: Vec::new(),
        needs: needs(component)?,
        producers: Vec::new(),
        sections: Vec::new(),
    };
    for (name, item) in ty.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(ty) => add_function(&mut manifest, name, &ty, None)?,
            ComponentItem::ComponentInstance(ty) => {
                add_interface(engine, &mut manifest, name, &ty)?
            }
            _ => {}
        }
    }
    for (name, item) in ty.imports(engine) {
        let only_types = match &item.ty {
            ComponentItem::ComponentInstance(ty) => ty
                .exports(engine)
                .all(|(_, item)| matches!(item.ty, ComponentItem::Type(_))),
            ComponentItem::Type(_) => true,
            _ => false,
        };
        if !only_types && name != EXIT {
            OverLimit::test(
                "imports",
                manifest.imports.len() as u64 + 1,
                MAX_IMPORTS as u64,
            )?;
            let offered = offered(name).map_err(|reason| printable(&reason, MAX_TEXT_BYTES));
            manifest.imports.push(Import {
                name: printable(name, MAX_NAME_BYTES),
                offered,
            });
        }
    }
    read_sections(&mut manifest, &source.component)?;
    Ok(manifest)
}

fn needs(component: &Component) -> Result<Needs, CompileError> {
    let needs = component.resources_required().ok_or_else(|| {
        CompileError::Invalid("it instantiates a core module that it imports".into())
    })?;
    Ok(Needs {
        memories: needs.num_memories,
        tables: needs.num_tables,
        initial_memory_bytes: needs
            .max_initial_memory_size
            .unwrap_or(0)
            .saturating_mul(65536),
        initial_table_elements: needs.max_initial_table_size.unwrap_or(0),
    })
}

fn add_interface(
    engine: &Engine,
    manifest: &mut Manifest,
    name: &str,
    ty: &ComponentInstance,
) -> Result<(), CompileError> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let mut reason = None;
    if interface == "wasmpool:task/map" {
        if is_minor(version, 0, 1) {
            manifest.tasks = Some(printable(version, MAX_NAME_BYTES));
            return Ok(());
        }
        reason = Some(format!(
            "tasks of wasmpool:task@{version} are not run by this version, which runs those of 0.1"
        ));
    } else if interface == "wasi:cli/run" && !is_minor(version, 0, 2) {
        reason = Some(format!(
            "it starts a command of WASI {version}; this version runs those of WASI 0.2 and preview 1"
        ));
    }
    for (function, item) in ty.exports(engine) {
        if let ComponentItem::ComponentFunc(ty) = item.ty {
            add_function(manifest, &format!("{name}#{function}"), &ty, reason.clone())?;
        }
    }
    Ok(())
}

fn add_function(
    manifest: &mut Manifest,
    name: &str,
    ty: &ComponentFunc,
    reason: Option<String>,
) -> Result<(), CompileError> {
    OverLimit::test(
        "exported functions",
        manifest.functions.len() as u64 + 1,
        MAX_FUNCTIONS as u64,
    )?;
    OverLimit::test(
        "parameters of one function",
        ty.params().len() as u64,
        MAX_PARAMS as u64,
    )?;
    let reason = reason
        .or_else(|| {
            (name.len() > MAX_NAME_BYTES)
                .then(|| format!("its name is longer than {MAX_NAME_BYTES} bytes"))
        })
        .or_else(|| uncallable(ty));
    let mut function = Function {
        name: printable(name, MAX_NAME_BYTES),
        params: ty
            .params()
            .map(|(name, ty)| (printable(name, MAX_NAME_BYTES), wit_text(&ty)))
            .collect(),
        result: ty.results().next().map(|ty| wit_text(&ty)),
        callable: reason.map_or(Ok(()), |reason| Err(printable(&reason, MAX_TEXT_BYTES))),
    };
    if let Some((_, reason)) = OF_TOOLS
        .iter()
        .find(|(signature, _)| *signature == function.signature())
    {
        function.callable = Err((*reason).into());
    }
    let fits = function.params.is_empty() && function.result.as_deref() == Some("result");
    if function.is_command() && function.callable.is_ok() && !fits {
        let reason = "it has the name of a WASI command's `run`, which is a func() -> result";
        function.callable = Err(reason.into());
    }
    manifest.functions.push(function);
    Ok(())
}

/// Why values of the function's types cannot be made from outside, if so.
fn uncallable(ty: &ComponentFunc) -> Option<String> {
    if ty.async_() {
        return Some("it is asynchronous".into());
    }
    let mut nodes = 0;
    let takes = ty
        .params()
        .find_map(|(name, ty)| Some((name.to_owned(), foreign(&ty, 0, &mut nodes)?)));
    if let Some((name, what)) = takes {
        return Some(format!("its parameter `{name}` holds {what}"));
    }
    ty.results()
        .find_map(|ty| foreign(&ty, 0, &mut nodes))
        .map(|what| format!("its result holds {what}"))
}

/// What in a type has no value outside the component, if anything.
fn foreign(ty: &Type, depth: usize, nodes: &mut usize) -> Option<&'static str> {
    *nodes += 1;
    if depth > MAX_TYPE_DEPTH || *nodes > MAX_TYPE_NODES {
        return Some("a type that is too large");
    }
    let mut within = |ty: &Type| foreign(ty, depth + 1, nodes);
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("a resource"),
        Type::Future(_) => Some("a future"),
        Type::Stream(_) => Some("a stream"),
        Type::ErrorContext => Some("an error context"),
        Type::Map(_) => Some("a map"),
        Type::FixedLengthList(_) => Some("a list of fixed length"),
        Type::List(ty) => within(&ty.ty()),
        Type::Option(ty) => within(&ty.ty()),
        Type::Record(ty) => ty.fields().find_map(|field| within(&field.ty)),
        Type::Tuple(ty) => ty.types().find_map(|ty| within(&ty)),
        Type::Variant(ty) => ty.cases().find_map(|case| within(&case.ty?)),
        Type::Result(ty) => ty
            .ok()
            .and_then(|ty| within(&ty))
            .or_else(|| within(&ty.err()?)),
        Type::Enum(_) | Type::Flags(_) | Type::Bool | Type::Char | Type::String => None,
        Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::Float32 | Type::Float64 => None,
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => None,
    }
}

/// A type in WIT's spelling, records and the like in full since their names are not kept; cut after
/// [`MAX_TEXT_BYTES`].
pub fn wit_text(ty: &Type) -> String {
    let mut out = String::new();
    write_type(ty, 0, &mut out);
    printable(&out, MAX_TEXT_BYTES)
}

fn write_type(ty: &Type, depth: usize, out: &mut String) {
    // One text longer than the bound is what tells `printable` to mark the cut.
    if out.len() > MAX_TEXT_BYTES {
        return;
    }
    if depth > MAX_TYPE_DEPTH {
        out.push('…');
        return;
    }
    match ty {
        Type::Bool => out.push_str("bool"),
        Type::S8 => out.push_str("s8"),
        Type::U8 => out.push_str("u8"),
        Type::S16 => out.push_str("s16"),
        Type::U16 => out.push_str("u16"),
        Type::S32 => out.push_str("s32"),
        Type::U32 => out.push_str("u32"),
        Type::S64 => out.push_str("s64"),
        Type::U64 => out.push_str("u64"),
        Type::Float32 => out.push_str("f32"),
        Type::Float64 => out.push_str("f64"),
        Type::Char => out.push_str("char"),
        Type::String => out.push_str("string"),
        Type::Own(_) => out.push_str("resource"),
        Type::Borrow(_) => out.push_str("borrow<resource>"),
        Type::Future(_) => out.push_str("future"),
        Type::Stream(_) => out.push_str("stream"),
        Type::ErrorContext => out.push_str("error-context"),
        Type::List(ty) => write_parts("list<", ">", [(None, Some(ty.ty()))], depth, out),
        Type::Map(ty) => write_parts(
            "map<",
            ">",
            [(None, Some(ty.key())), (None, Some(ty.value()))],
            depth,
            out,
        ),
        Type::FixedLengthList(ty) => {
            write_parts("list<", "", [(None, Some(ty.ty()))], depth, out);
            out.push_str(&format!(", {}>", ty.len()));
        }
        Type::Option(ty) => write_parts("option<", ">", [(None, Some(ty.ty()))], depth, out),
        Type::Tuple(ty) => write_parts(
            "tuple<",
            ">",
            ty.types().map(|ty| (None, Some(ty))),
            depth,
            out,
        ),
        Type::Record(ty) => {
            write_parts(
                "record { ",
                " }",
                ty.fields().map(|f| (Some((f.name, ": ", "")), Some(f.ty))),
                depth,
                out,
            );
        }
        Type::Variant(ty) => {
            write_parts(
                "variant { ",
                " }",
                ty.cases().map(|c| (Some((c.name, "(", ")")), c.ty)),
                depth,
                out,
            );
        }
        Type::Enum(ty) => write_parts(
            "enum { ",
            " }",
            ty.names().map(|n| (Some((n, "", "")), None)),
            depth,
            out,
        ),
        Type::Flags(ty) => write_parts(
            "flags { ",
            " }",
            ty.names().map(|n| (Some((n, "", "")), None)),
            depth,
            out,
        ),
        Type::Result(ty) => match (ty.ok(), ty.err()) {
            (None, None) => out.push_str("result"),
            (Some(ok), None) => write_parts("result<", ">", [(None, Some(ok))], depth, out),
            (None, Some(err)) => write_parts("result<_, ", ">", [(None, Some(err))], depth, out),
            (Some(ok), Some(err)) => write_parts(
                "result<",
                ">",
                [(None, Some(ok)), (None, Some(err))],
                depth,
                out,
            ),
        },
    }
}

/// A part's name with what stands before and after the type that follows it, and the type.
type Part<'a> = (Option<(&'a str, &'a str, &'a str)>, Option<Type>);

fn write_parts<'a>(
    open: &str,
    close: &str,
    parts: impl IntoIterator<Item = Part<'a>>,
    depth: usize,
    out: &mut String,
) {
    out.push_str(open);
    for (index, (name, ty)) in parts.into_iter().enumerate() {
        if out.len() > MAX_TEXT_BYTES {
            return;
        }
        if index > 0 {
            out.push_str(", ");
        }
        let (name, before, after) = name.unwrap_or_default();
        out.push_str(name);
        if let Some(ty) = ty {
            out.push_str(before);
            write_type(&ty, depth + 1, out);
            out.push_str(after);
        }
    }
    out.push_str(close);
}

/// Whether the pool can satisfy an import of this name, or why not.
fn offered(name: &str) -> Result<(), String> {
    let Some((package, rest)) = name.split_once('/') else {
        return Err(
            "the pool gives tasks no functions of their own world; pass what it needs in the item"
                .into(),
        );
    };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    if package == "wasmpool:task" {
        return match (TASK.contains(&interface), is_minor(version, 0, 1)) {
            (true, true) => Ok(()),
            (true, false) => Err(
                "this version offers wasmpool:task@0.1; build with a matching wasmpool-guest"
                    .into(),
            ),
            (false, _) => Err(format!(
                "this version offers of wasmpool:task only {}",
                TASK.join(", ")
            )),
        };
    }
    let Some(wasi) = package.strip_prefix("wasi:") else {
        return Err("the pool offers interfaces of WASI 0.2 and wasmpool:task only; join the component that \
             provides it with `wac plug` or `wasm-tools compose`"
            .into());
    };
    match WASI.iter().find(|(package, _)| *package == wasi) {
        None => Err(format!(
            "wasi:{wasi} is not offered; a task may use {}",
            wasi_packages()
        )),
        Some(_) if !is_minor(version, 0, 2) => {
            Err("this version offers WASI 0.2; build for wasip2".into())
        }
        Some((_, interfaces)) if !interfaces.contains(&interface) => Err(format!(
            "this version offers of wasi:{wasi} only {}",
            interfaces.join(", ")
        )),
        Some(_) => Ok(()),
    }
}

fn wasi_packages() -> String {
    WASI.map(|(package, _)| format!("wasi:{package}"))
        .join(", ")
}

/// Whether `version` is a release `major.minor.x`.
pub(super) fn is_minor(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    parts.next() == Some(Some(major))
        && parts.next() == Some(Some(minor))
        && matches!(parts.next(), Some(Some(_)))
        && parts.next().is_none()
}

/// Memories, producers and sizes, of all core modules within.
fn read_sections(manifest: &mut Manifest, binary: &[u8]) -> Result<(), CompileError> {
    let mut sizes = BTreeMap::new();
    for payload in Parser::new(0).parse_all(binary) {
        let payload = payload.map_err(unreadable)?;
        if let Some((name, bytes)) = measured(&payload) {
            add_size(&mut sizes, name, bytes);
        }
        match payload {
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let memory = memory.map_err(unreadable)?;
                    OverLimit::test(
                        "linear memories",
                        manifest.memories.len() as u64 + 1,
                        MAX_MEMORIES as u64,
                    )?;
                    manifest.memories.push(Memory {
                        initial_pages: memory.initial,
                        maximum_pages: memory.maximum,
                    });
                }
            }
            Payload::CustomSection(section) => {
                if section.name() == SDK_SECTION {
                    let version = String::from_utf8_lossy(section.data());
                    add_producer(manifest, "sdk", SDK_SECTION, &version);
                }
                // What a tool says of itself decides nothing, so a damaged section is no error.
                if let KnownCustom::Producers(fields) = section.as_known() {
                    for field in fields.into_iter().flatten() {
                        for value in field.values.into_iter().flatten() {
                            add_producer(manifest, field.name, value.name, value.version);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let section = |(name, bytes)| Section { name, bytes };
    manifest.sections = sizes.into_iter().map(section).collect();
    manifest
        .sections
        .sort_by_key(|section| std::cmp::Reverse(section.bytes));
    Ok(())
}

/// What a section is called, and its bytes; nothing of those that hold modules and components, whose sections are counted
/// by themselves.
fn measured(payload: &Payload<'_>) -> Option<(String, u64)> {
    let (_, range) = payload.as_section()?;
    let name = match payload {
        Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => return None,
        Payload::CodeSectionStart { .. } => "code",
        Payload::DataSection(_) => "data",
        Payload::CustomSection(section) => match section.name() {
            name if name.starts_with(".debug") => "debug information",
            "name" | "component-name" => "names",
            name => {
                let name = printable(name, MAX_NAME_BYTES / 2);
                return Some((format!("custom: {name}"), bytes_of(&range)));
            }
        },
        Payload::TypeSection(_)
        | Payload::ImportSection(_)
        | Payload::FunctionSection(_)
        | Payload::TableSection(_)
        | Payload::MemorySection(_)
        | Payload::TagSection(_)
        | Payload::GlobalSection(_)
        | Payload::ExportSection(_)
        | Payload::StartSection { .. }
        | Payload::ElementSection(_)
        | Payload::DataCountSection { .. } => "types, imports, exports and tables",
        _ => "component model",
    };
    Some((name.to_owned(), bytes_of(&range)))
}

fn bytes_of(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

fn add_size(sizes: &mut BTreeMap<String, u64>, name: String, bytes: u64) {
    // One place is kept for all that there is no place for.
    let name = match sizes.len() < MAX_SECTIONS - 1 || sizes.contains_key(&name) {
        true => name,
        false => "other".to_owned(),
    };
    *sizes.entry(name).or_default() += bytes;
}

fn add_producer(manifest: &mut Manifest, field: &str, name: &str, version: &str) {
    let [field, name, version] = [field, name, version].map(|text| printable(text, MAX_NAME_BYTES));
    let producer = Producer {
        field,
        name,
        version,
    };
    if manifest.producers.len() < MAX_PRODUCERS && !manifest.producers.contains(&producer) {
        manifest.producers.push(producer);
    }
}

fn unreadable(error: wasmparser::BinaryReaderError) -> CompileError {
    CompileError::Invalid(printable(&error.to_string(), MAX_TEXT_BYTES))
}
