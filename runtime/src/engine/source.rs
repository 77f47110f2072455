//! What was given, and how it becomes a component.
//!
//! Owns telling components, core modules, text and everything else apart, by content and never by name, and turning
//! core modules with component metadata into components. Compiles nothing; does not know wasmtime. All input is
//! hostile, and so are the names in it.

use std::borrow::Cow;

use thiserror::Error;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::ipc::manifest::{MAX_TEXT_BYTES, SourceKind, printable};

/// The component that stands between WASI preview 1 and WASI 0.2.
pub(super) const ADAPTER: &[u8] = WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
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
    /// A program to be run, not a library of functions.
    #[error("a WASI command ({0}); WASI commands are not supported by this version")]
    Command(&'static str),
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
            SourceError::Command(_) => {
                "build a library that exports its functions (in Rust: crate-type = [\"cdylib\"]) with the \
                 wasmpool-guest SDK or wit-bindgen"
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
        let (component, kind) = from_binary(Cow::Borrowed(bytes))?;
        return Ok(Recognised {
            component,
            kind,
            text: false,
        });
    }
    let binary = from_text(bytes)?;
    let (component, kind) = from_binary(Cow::Owned(binary))?;
    Ok(Recognised {
        component,
        kind,
        text: true,
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

fn from_binary(bytes: Cow<'_, [u8]>) -> Result<(Cow<'_, [u8]>, SourceKind), SourceError> {
    let outline = Outline::read(&bytes)?;
    match outline.encoding {
        Encoding::Component => {
            if outline.only_a_command() {
                return Err(SourceError::Command(
                    "a component that exports only wasi:cli/run",
                ));
            }
            Ok((bytes, SourceKind::Component))
        }
        Encoding::Module if outline.metadata => {
            let kind = if outline.preview1 {
                SourceKind::CoreModuleWithAdapter
            } else {
                SourceKind::CoreModule
            };
            let component = encode(&bytes, outline.preview1)?;
            if Outline::read(&component)?.only_a_command()
                || (outline.start && exports_nothing(&component)?)
            {
                return Err(SourceError::Command("a core module with `_start`"));
            }
            Ok((Cow::Owned(component), kind))
        }
        Encoding::Module if outline.start => {
            Err(SourceError::Command("a core module with `_start`"))
        }
        Encoding::Module => Err(SourceError::CoreModule {
            exports: outline.exports,
            count: outline.count,
        }),
    }
}

fn exports_nothing(component: &[u8]) -> Result<bool, SourceError> {
    Ok(Outline::read(component)?.count == 0)
}

fn encode(module: &[u8], preview1: bool) -> Result<Vec<u8>, SourceError> {
    let attempt = || {
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true).module(module)?;
        if preview1 {
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, ADAPTER)?;
        }
        encoder.encode()
    };
    attempt()
        .map_err(|error| SourceError::Metadata(printable(&format!("{error:#}"), MAX_TEXT_BYTES)))
}

/// What the outermost level of a binary shows.
struct Outline {
    encoding: Encoding,
    /// The first names of the exports, printable, and the count of all.
    exports: Vec<String>,
    count: usize,
    /// Whether there is a `component-type` section.
    metadata: bool,
    /// Whether anything of WASI preview 1 is imported.
    preview1: bool,
    /// Whether `_start` is exported.
    start: bool,
    /// How many exports are of `wasi:cli/run`.
    run: usize,
}

impl Outline {
    fn read(bytes: &[u8]) -> Result<Self, SourceError> {
        let mut outline = Outline {
            encoding: Encoding::Module,
            exports: Vec::new(),
            count: 0,
            metadata: false,
            preview1: false,
            start: false,
            run: 0,
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
                _ if depth == 1 => outline.section(payload)?,
                _ => {}
            }
        }
        Ok(outline)
    }

    fn section(&mut self, payload: Payload<'_>) -> Result<(), SourceError> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.preview1 |=
                        import.map_err(malformed)?.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
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
                    let name = export.map_err(malformed)?.name.name;
                    self.run += usize::from(name.starts_with("wasi:cli/run@"));
                    self.export(name);
                }
            }
            Payload::CustomSection(section) => {
                self.metadata |= section.name().starts_with("component-type")
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

    fn only_a_command(&self) -> bool {
        self.run > 0 && self.run == self.count
    }
}

fn malformed(error: wasmparser::BinaryReaderError) -> SourceError {
    SourceError::Malformed {
        offset: error.offset(),
        message: printable(error.message(), MAX_TEXT_BYTES),
    }
}
