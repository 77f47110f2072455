//! What was given, and how it becomes a component.
//!
//! Owns telling components, core modules, text and everything else apart, by content and never by name, and turning
//! core modules with component metadata into components. Compiles nothing; does not know wasmtime. All input is
//! hostile, and so are the names in it.

use std::borrow::Cow;

use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload};

use super::adapter::{self, Kind, PREVIEW1, PROC_EXIT};
use crate::ipc::manifest::{MAX_NAME_BYTES, MAX_TEXT_BYTES, SourceKind, printable};

/// How many names of a module an error lists, and the bytes of each.
const LISTED: usize = 12;
const LISTED_BYTES: usize = 80;

/// Bytes that are no component and cannot be made one. Texts can be printed, whatever the module says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There are no bytes.
    #[error("the module is empty")]
    Empty,
    /// Neither WebAssembly nor its text.
    #[error("not a WebAssembly module: {0}")]
    NotWasm(&'static str),
    /// Native or precompiled code.
    #[error("precompiled or native code is not accepted")]
    Precompiled,
    /// Text that does not parse. Line and column count from 1.
    #[error("WebAssembly text, line {line}, column {column}: {message}")]
    Text {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Starts as WebAssembly and goes on otherwise.
    #[error("malformed WebAssembly at byte {offset}: {message}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong there.
        message: String,
    },
    /// A core module that says nothing of components.
    #[error("a core module without component metadata; it exports {}", listed(.exports, *.count))]
    CoreModule {
        /// The first of its exports.
        exports: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// A program that imports what no WASI command does.
    #[error("a core module with `_start` that imports what a WASI command is not given: {}", listed(.imports, *.count))]
    Program {
        /// The first of these imports, as `module.name`.
        imports: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// A program that cannot be made a component.
    #[error("a core module with `_start` that cannot be run as a WASI command: {0}")]
    Command(String),
    /// A core module with component metadata that does not fit it.
    #[error("a core module whose component metadata does not fit it: {0}")]
    Metadata(String),
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            SourceError::Empty => "was it written completely?",
            SourceError::NotWasm(_) => {
                "give a component, a core module with component metadata, or WebAssembly text; sources in other \
                 languages are compiled first"
            }
            SourceError::Precompiled => {
                "give the WebAssembly that it was compiled from: compiled code is cached"
            }
            SourceError::CoreModule { .. } => {
                "looked for a component, or for a `component-type` section as wit-bindgen writes it; build it with \
                 the wasmpool-guest SDK, or wrap it with `wasm-tools component embed` and `wasm-tools component new`"
            }
            SourceError::Program { imports, .. } => {
                if imports
                    .iter()
                    .any(|import| import.starts_with("wasi.thread"))
                {
                    "threads are not offered: build it for wasm32-wasip1 or wasm32-wasip2, without threads"
                } else {
                    "build it for WASI preview 1 or 0.2 (wasm32-wasip1, wasm32-wasip2) and without another host's functions"
                }
            }
            SourceError::Command(_) => {
                "build it for WASI preview 1 or 0.2: wasm32-wasip1, wasm32-wasip2"
            }
            SourceError::Malformed { .. } => "was it written and copied completely?",
            SourceError::Metadata(_) => {
                "build it again; the tool that wrote the metadata and the code disagree on what the module exports \
                 or imports"
            }
            SourceError::Text { .. } => return None,
        })
    }
}

fn listed(names: &[String], count: usize) -> String {
    match count {
        0 => "nothing".into(),
        n if n > names.len() => format!("{}, and {} more", names.join(", "), n - names.len()),
        _ => names.join(", "),
    }
}

/// A component, and what it was made from. Not yet validated.
#[derive(Debug)]
pub struct Recognised<'a> {
    /// The component's bytes.
    pub component: Cow<'a, [u8]>,
    /// What was given.
    pub kind: SourceKind,
    /// Whether it was given as text.
    pub text: bool,
    /// The world that a core module's metadata names.
    pub world: Option<String>,
}

/// Recognises what `bytes` are and makes a component of them.
///
/// The component is not validated, and may export nothing that can be called.
///
/// # Errors
/// If the bytes are no WebAssembly, or WebAssembly that this version cannot use.
pub fn recognise(bytes: &[u8]) -> Result<Recognised<'_>, SourceError> {
    if bytes.is_empty() {
        return Err(SourceError::Empty);
    }
    if bytes.starts_with(b"\x7fELF") {
        return Err(SourceError::Precompiled);
    }
    if bytes.starts_with(b"\0asm") {
        return from_binary(Cow::Borrowed(bytes));
    }
    let binary = from_text(bytes)?;
    Ok(Recognised {
        text: true,
        ..from_binary(Cow::Owned(binary))?
    })
}

fn from_text(bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = str::from_utf8(bytes)
        .map_err(|_| SourceError::NotWasm("it is neither binary WebAssembly nor text"))?;
    let start = text.trim_start();
    if start.is_empty() {
        return Err(SourceError::Empty);
    }
    // Both kinds of comment, and every form, start so.
    if !(start.starts_with('(') || start.starts_with(";;")) {
        return Err(SourceError::NotWasm("it is text, but not WebAssembly text"));
    }
    wat::parse_str(text).map_err(|error| {
        // The first line says what, those after it show the place, as ` --> <anon>:3:14`.
        let shown = error.to_string();
        let (line, column) = shown.lines().find_map(position).unwrap_or((1, 1));
        let message = printable(shown.lines().next().unwrap_or_default(), MAX_TEXT_BYTES);
        SourceError::Text {
            line,
            column,
            message,
        }
    })
}

/// The line and column of ` --> <anon>:3:14`.
fn position(shown: &str) -> Option<(usize, usize)> {
    let mut parts = shown.trim().strip_prefix("-->")?.rsplit(':');
    let column = parts.next()?.trim().parse().ok()?;
    let line = parts.next()?.trim().parse().ok()?;
    Some((line, column))
}

fn from_binary(bytes: Cow<'_, [u8]>) -> Result<Recognised<'_>, SourceError> {
    let outline = Outline::read(&bytes)?;
    let world = outline.world;
    let (component, kind) = match outline.encoding {
        Encoding::Component => (bytes, SourceKind::Component),
        Encoding::Module if outline.start && (outline.preview1 || !outline.metadata) => {
            // With metadata these may be of its world.
            if !outline.metadata && outline.foreign_count > 0 {
                return Err(SourceError::Program {
                    imports: outline.foreign,
                    count: outline.foreign_count,
                });
            }
            let component =
                encode(&bytes, Kind::Program(&outline.exits)).map_err(SourceError::Command)?;
            (Cow::Owned(component), SourceKind::CommandModule)
        }
        Encoding::Module if outline.metadata => {
            let (source, kind) = match outline.preview1 {
                true => (SourceKind::CoreModuleWithAdapter, Kind::Library),
                false => (SourceKind::CoreModule, Kind::Plain),
            };
            let component = encode(&bytes, kind).map_err(SourceError::Metadata)?;
            (Cow::Owned(component), source)
        }
        Encoding::Module => {
            return Err(SourceError::CoreModule {
                exports: outline.exports,
                count: outline.count,
            });
        }
    };
    Ok(Recognised {
        component,
        kind,
        text: false,
        world,
    })
}

/// The full name of the world that a `component-type` section holds. What cannot be read has none: whether the metadata
/// fits is found out when the component is made.
fn world_of(metadata: &[u8]) -> Option<String> {
    let (resolve, world) = wit_parser::decoding::decode_world(metadata).ok()?;
    let world = resolve.worlds.get(world)?;
    let name = match world.package {
        Some(package) => resolve
            .packages
            .get(package)?
            .name
            .interface_id(&world.name),
        None => world.name.clone(),
    };
    Some(printable(&name, MAX_NAME_BYTES))
}

fn encode(module: &[u8], kind: Kind<'_>) -> Result<Vec<u8>, String> {
    adapter::component(module, kind).map_err(|error| printable(&error, MAX_TEXT_BYTES))
}

/// What the outermost level of a binary shows.
struct Outline {
    encoding: Encoding,
    /// The first names of the exports, printable, and the count of all.
    exports: Vec<String>,
    count: usize,
    /// Whether there is a `component-type` section.
    metadata: bool,
    /// What the first of them names.
    world: Option<String>,
    /// Whether anything of WASI preview 1 is imported.
    preview1: bool,
    /// Where the module's name stands in imports of `proc_exit`.
    exits: Vec<usize>,
    /// Whether `_start` is exported.
    start: bool,
    /// The first of the imports that are not of WASI preview 1, as `module.name`, and the count of all.
    foreign: Vec<String>,
    foreign_count: usize,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, SourceError> {
        let mut outline = Outline {
            encoding: Encoding::Module,
            exports: Vec::new(),
            count: 0,
            metadata: false,
            world: None,
            preview1: false,
            exits: Vec::new(),
            start: false,
            foreign: Vec::new(),
            foreign_count: 0,
        };
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            match payload {
                Payload::Version { encoding, .. } => {
                    if depth == 0 {
                        outline.encoding = encoding;
                    }
                    depth += 1;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth == 1 => outline.section(bytes, payload)?,
                _ => {}
            }
        }
        Ok(outline)
    }

    fn section(&mut self, bytes: &[u8], payload: Payload<'_>) -> Result<(), SourceError> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(malformed)?;
                    if import.module == PREVIEW1 {
                        self.preview1 = true;
                        if import.name == PROC_EXIT {
                            let at = import.module.as_ptr().addr() - bytes.as_ptr().addr();
                            self.exits.push(at);
                        }
                        continue;
                    }
                    self.foreign_count += 1;
                    if self.foreign.len() < LISTED {
                        let name = format!("{}.{}", import.module, import.name);
                        self.foreign.push(printable(&name, LISTED_BYTES));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let name = export.map_err(malformed)?.name;
                    self.start |= name == "_start";
                    self.export(name);
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    self.export(export.map_err(malformed)?.name.name);
                }
            }
            Payload::CustomSection(section)
                if section.name().starts_with("component-type") && !self.metadata =>
            {
                self.metadata = true;
                self.world = world_of(section.data());
            }
            _ => {}
        }
        Ok(())
    }

    fn export(&mut self, name: &str) {
        self.count += 1;
        if self.exports.len() < LISTED {
            self.exports.push(printable(name, LISTED_BYTES));
        }
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> SourceError {
    SourceError::Malformed {
        offset: error.offset(),
        message: printable(error.message(), MAX_TEXT_BYTES),
    }
}
