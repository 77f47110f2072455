//! What a component is, as plain data: what it exports, what it asks for, what it needs.
//!
//! Owns the description that the compiler process hands to the host, and the bounds on it. The compiler has read
//! hostile bytes, so a manifest is hostile until [`Manifest::decode`] or [`Manifest::check`] has passed; after that
//! its texts can be printed and its counts are small, but what it *claims* may still be false. A false claim costs
//! only the component that made it: a worker refuses to load what does not fit its engine. Names no engine.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits::Limits;

/// Bytes of an encoded manifest, at most.
pub const MAX_ENCODED_BYTES: usize = 4 << 20;
/// Functions of a component, at most.
pub const MAX_FUNCTIONS: usize = 4096;
/// Parameters of a function, at most.
pub const MAX_PARAMS: usize = 256;
/// Imports of a component, at most.
pub const MAX_IMPORTS: usize = 1024;
/// Linear memories that a component declares, at most.
pub const MAX_MEMORIES: usize = 1024;
/// Producers that a manifest lists; more are left out.
pub const MAX_PRODUCERS: usize = 64;
/// Kinds of sections that a manifest lists; those beyond are one, `other`.
pub const MAX_SECTIONS: usize = 24;
/// Bytes of a name in a manifest, at most.
pub const MAX_NAME_BYTES: usize = 512;
/// Bytes of a type, a reason or a message in a manifest, at most.
pub const MAX_TEXT_BYTES: usize = 2048;

/// What was given, before it became a component.
///
/// ```
/// use wasmpool::module::SourceKind;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// assert_eq!(pool.manifest().source, SourceKind::Component);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// A component.
    Component,
    /// A core module with component metadata.
    CoreModule,
    /// A core module with component metadata that uses WASI preview 1, joined to the preview-1 adapter.
    CoreModuleWithAdapter,
    /// A core module with `_start`, joined to the adapter that makes it a WASI command.
    CommandModule,
}

impl SourceKind {
    /// For people.
    ///
    /// ```
    /// use wasmpool::module::SourceKind;
    ///
    /// assert_eq!(SourceKind::Component.describe(), "component");
    /// ```
    pub fn describe(self) -> &'static str {
        match self {
            SourceKind::Component => "component",
            SourceKind::CoreModule => "core module with component metadata",
            SourceKind::CoreModuleWithAdapter => {
                "core module with component metadata, for WASI preview 1"
            }
            SourceKind::CommandModule => "core module with `_start`, a command of WASI preview 1",
        }
    }
}

/// One exported function.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for function in &pool.manifest().functions {
///     match &function.callable {
///         Ok(()) => println!("{}", function.signature()),
///         Err(reason) => println!("{}: {reason}", function.name),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The full name: `square`, or `local:demo/api@1.0.0#square` of a function in an exported interface.
    pub name: String,
    /// Names and WIT types of the parameters, in order.
    pub params: Vec<(String, String)>,
    /// WIT type of the result, if there is one.
    pub result: Option<String>,
    /// Whether the pool can call it, or why not.
    pub callable: Result<(), String>,
}

impl Function {
    /// Whether it starts a WASI command: a program whose item is its standard input, and whose result is its standard
    /// output.
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().workers(1).open("args.wasm")?;
    /// assert!(pool.manifest().functions[0].is_command());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_command(&self) -> bool {
        self.name.starts_with("wasi:cli/run@") && self.name.ends_with("#run")
    }

    /// The function in WIT's spelling, as `square: func(x: s64) -> s64`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let add = pool.function("add").expect("it is exported");
    /// assert_eq!(add.signature(), "add: func(a: s64, b: s64) -> s64");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn signature(&self) -> String {
        let params: Vec<_> = self
            .params
            .iter()
            .map(|(name, ty)| format!("{name}: {ty}"))
            .collect();
        let mut text = format!("{}: func({})", self.name, params.join(", "));
        if let Some(result) = &self.result {
            text.push_str(" -> ");
            text.push_str(result);
        }
        text
    }
}

/// One import.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for import in &pool.manifest().imports {
///     println!("{}: {:?}", import.name, import.offered);
/// }
/// assert_eq!(pool.manifest().imports[0].name, "wasmpool:task/log@0.1.0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The name, with its version where it has one: `wasi:clocks/monotonic-clock@0.2.6`.
    pub name: String,
    /// Whether the pool can satisfy it, or why not and what is nearest.
    pub offered: Result<(), String>,
}

/// One declared linear memory. A page is 64 KiB.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let pages: u64 = pool.manifest().memories.iter().map(|memory| memory.initial_pages).sum();
/// assert_eq!(pages, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Pages at the start.
    pub initial_pages: u64,
    /// Pages at most, if the module says so.
    pub maximum_pages: Option<u64>,
}

/// What the bytes of a component are: sections of one kind, in all modules within, with what they are called.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for section in &pool.manifest().sections {
///     println!("{}: {} bytes", section.name, section.bytes);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// `code`, `data`, `debug information`, `names`, `custom: NAME` or the like.
    pub name: String,
    /// Bytes, the sections' headers left out.
    pub bytes: u64,
}

/// One tool that made the component, as its `producers` section says.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for tool in &pool.manifest().producers {
///     println!("{} {} {}", tool.field, tool.name, tool.version);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// What it did: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version. May be empty.
    pub version: String,
}

/// What one instance of the component takes from the engine's pools.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let needs = pool.manifest().needs;
/// assert_eq!((needs.memories, needs.initial_memory_bytes), (1, 64 << 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Bytes of the largest memory at its start.
    pub initial_memory_bytes: u64,
    /// Elements of the largest table at its start.
    pub initial_table_elements: u64,
}

impl Needs {
    /// The most that `limits` allow.
    #[doc(hidden)]
    pub fn most(limits: &Limits) -> Self {
        Needs {
            memories: limits.instances,
            tables: limits.instances,
            initial_memory_bytes: limits.memory_bytes,
            initial_table_elements: limits.table_elements,
        }
    }
}

/// A component that asks for more than a limit allows.
///
/// ```
/// use wasmpool::limits::Limits;
/// use wasmpool::pool::{Error, Pool};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let limits = Limits::new().memory(1000);
/// match Pool::builder().limits(limits).open("tasks.wasm") {
///     Err(Error::OverLimit(over)) => assert_eq!((over.needed, over.limit), (64 << 10, 1000)),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("the module has {needed} {what}, more than the limit of {limit}")]
pub struct OverLimit {
    /// What is counted, with its unit.
    pub what: String,
    /// How much the module has.
    pub needed: u64,
    /// How much is allowed.
    pub limit: u64,
}

impl OverLimit {
    /// The same, with its text made safe to print whoever sent it.
    #[doc(hidden)]
    pub fn bounded(self) -> Self {
        OverLimit {
            what: printable(&self.what, MAX_TEXT_BYTES),
            ..self
        }
    }

    /// `Err` if `needed` is more than `limit`.
    #[doc(hidden)]
    pub fn test(what: &str, needed: u64, limit: u64) -> Result<(), Self> {
        if needed <= limit {
            Ok(())
        } else {
            Err(OverLimit {
                what: what.into(),
                needed,
                limit,
            })
        }
    }
}

/// A manifest that breaks its bounds: the compiler process that sent it is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// The bytes are no manifest.
    #[error("the description of the component cannot be read")]
    Malformed,
    /// A bound is broken.
    #[error("the description of the component breaks its bounds: {0}")]
    Bounds(String),
}

/// What a component is.
///
/// ```
/// use wasmpool::limits::Limits;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let module = std::fs::read("tasks.wasm")?;
/// let manifest = wasmpool::pool::inspect(&module, &Limits::new())?;
/// assert_eq!(manifest.module_bytes, module.len() as u64);
/// assert!(manifest.functions.iter().any(|function| function.name == "square"));
/// assert_eq!(manifest.tasks, None, "it was not written with the guest SDK");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What was given.
    pub source: SourceKind,
    /// Whether it was given as text.
    pub text: bool,
    /// The world that it was built for, where a core module's metadata says it: `local:demo/demo@1.0.0`. A component does not
    /// say.
    pub world: Option<String>,
    /// Bytes as given.
    pub module_bytes: u64,
    /// Bytes of compiled code.
    pub code_bytes: u64,
    /// The exported functions, those of `wasmpool:task/map` left out.
    pub functions: Vec<Function>,
    /// The version of `wasmpool:task` whose interface `map` the component exports, if it is one that the pool runs.
    pub tasks: Option<String>,
    /// The imports. Interfaces that consist of types alone are left out: nothing has to satisfy them.
    pub imports: Vec<Import>,
    /// The declared linear memories, in the order of the core modules.
    pub memories: Vec<Memory>,
    /// What an instance takes.
    pub needs: Needs,
    /// The tools that made it, each once.
    pub producers: Vec<Producer>,
    /// What its bytes are, the largest first: of a core module, those of the component that it became.
    pub sections: Vec<Section>,
}

impl Manifest {
    /// The bytes of a manifest, for [`Manifest::decode`] of the same build.
    ///
    /// # Errors
    /// If the manifest breaks its bounds.
    #[doc(hidden)]
    pub fn encode(&self) -> Result<Vec<u8>, ManifestError> {
        self.check().map_err(ManifestError::Bounds)?;
        let bytes = postcard::to_stdvec(self).map_err(|_| ManifestError::Malformed)?;
        if bytes.len() > MAX_ENCODED_BYTES {
            return Err(ManifestError::Bounds(format!("{} bytes", bytes.len())));
        }
        Ok(bytes)
    }

    /// Reads a manifest from bytes that nobody vouches for.
    ///
    /// # Errors
    /// If the bytes are no manifest, or one that breaks its bounds. Never panics, and takes memory in proportion to
    /// the bytes only.
    #[doc(hidden)]
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_ENCODED_BYTES {
            return Err(ManifestError::Bounds(format!("{} bytes", bytes.len())));
        }
        let (manifest, rest): (Manifest, _) =
            postcard::take_from_bytes(bytes).map_err(|_| ManifestError::Malformed)?;
        if !rest.is_empty() {
            return Err(ManifestError::Malformed);
        }
        manifest.check().map_err(ManifestError::Bounds)?;
        Ok(manifest)
    }

    /// Enforces the bounds on counts and lengths, and that every text can be printed.
    ///
    /// # Errors
    /// The first bound that is broken. The message quotes nothing of the manifest.
    #[doc(hidden)]
    pub fn check(&self) -> Result<(), String> {
        count("functions", self.functions.len(), MAX_FUNCTIONS)?;
        count("imports", self.imports.len(), MAX_IMPORTS)?;
        count("memories", self.memories.len(), MAX_MEMORIES)?;
        count("producers", self.producers.len(), MAX_PRODUCERS)?;
        count("sections", self.sections.len(), MAX_SECTIONS)?;
        for function in &self.functions {
            text("a function's name", &function.name, MAX_NAME_BYTES)?;
            count("parameters", function.params.len(), MAX_PARAMS)?;
            for (name, ty) in &function.params {
                text("a parameter's name", name, MAX_NAME_BYTES)?;
                text("a parameter's type", ty, MAX_TEXT_BYTES)?;
            }
            if let Some(ty) = &function.result {
                text("a result's type", ty, MAX_TEXT_BYTES)?;
            }
            if let Err(reason) = &function.callable {
                text("a reason", reason, MAX_TEXT_BYTES)?;
            }
        }
        for import in &self.imports {
            text("an import's name", &import.name, MAX_NAME_BYTES)?;
            if let Err(reason) = &import.offered {
                text("a reason", reason, MAX_TEXT_BYTES)?;
            }
        }
        for producer in &self.producers {
            text("a producer's field", &producer.field, MAX_NAME_BYTES)?;
            text("a producer's name", &producer.name, MAX_NAME_BYTES)?;
            text("a producer's version", &producer.version, MAX_NAME_BYTES)?;
        }
        for section in &self.sections {
            text("a section's name", &section.name, MAX_NAME_BYTES)?;
        }
        if let Some(version) = &self.tasks {
            text("a version", version, MAX_NAME_BYTES)?;
        }
        if let Some(world) = &self.world {
            text("a world's name", world, MAX_NAME_BYTES)?;
        }
        Ok(())
    }

    /// Whether the component fits `limits`: a manifest from the cache was made under others.
    ///
    /// ```
    /// use wasmpool::limits::Limits;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// assert!(pool.manifest().fits(&Limits::new()).is_ok());
    /// assert!(pool.manifest().fits(&Limits::new().memory(1000)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first limit that it does not fit.
    pub fn fits(&self, limits: &Limits) -> Result<(), OverLimit> {
        let Needs {
            memories,
            tables,
            initial_memory_bytes,
            initial_table_elements,
        } = self.needs;
        OverLimit::test("bytes", self.module_bytes, limits.module_bytes)?;
        OverLimit::test("linear memories", memories.into(), limits.instances.into())?;
        OverLimit::test("tables", tables.into(), limits.instances.into())?;
        OverLimit::test(
            "bytes of memory at its start",
            initial_memory_bytes,
            limits.memory_bytes,
        )?;
        OverLimit::test(
            "table elements at its start",
            initial_table_elements,
            limits.table_elements,
        )
    }

    /// The imports that the pool cannot satisfy, each with the reason. Empty if the component can run.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let module = br#"(component (import "demo:unknown/clock@1.0.0" (instance (export "now" (func)))))"#;
    /// let manifest = wasmpool::pool::inspect(module, &wasmpool::limits::Limits::new())?;
    /// let missing: Vec<_> = manifest.missing_imports().map(|(name, _reason)| name).collect();
    /// assert_eq!(missing, ["demo:unknown/clock@1.0.0"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn missing_imports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.imports.iter().filter_map(|import| {
            Some((
                import.name.as_str(),
                import.offered.as_ref().err()?.as_str(),
            ))
        })
    }
}

/// Why a module cannot be used, as it crosses from the compiler process to the host.
///
/// ```
/// use wasmpool::pool::{Error, Pool};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// match Pool::builder().open_bytes(b"#!/bin/sh") {
///     Err(Error::Module(refusal)) => println!("{}; {:?}", refusal.message, refusal.hint),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong, on one line.
    pub message: String,
    /// What to do about it, if anything is known.
    pub hint: Option<String>,
}

impl Refusal {
    /// The same, with its texts made safe to print whoever sent them.
    #[doc(hidden)]
    pub fn bounded(self) -> Self {
        Refusal {
            message: printable(&self.message, MAX_TEXT_BYTES),
            hint: self.hint.map(|hint| printable(&hint, MAX_TEXT_BYTES)),
        }
    }
}

/// `text` on one line, without characters that could command a terminal or deceive a reader, and at most `max` bytes
/// long: what is cut ends in `…`.
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let c = match c {
            '\n' | '\r' | '\t' => ' ',
            c if is_plain(c) => c,
            _ => '\u{fffd}',
        };
        if out.len() + c.len_utf8() > max {
            while out.len() + '…'.len_utf8() > max && out.pop().is_some() {}
            if max >= '…'.len_utf8() {
                out.push('…');
            }
            break;
        }
        out.push(c);
    }
    out
}

/// Neither a control character nor one that reorders or hides text.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        && !matches!(c, '\u{61c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn count(what: &str, found: usize, max: usize) -> Result<(), String> {
    if found <= max {
        Ok(())
    } else {
        Err(format!("{found} {what}, at most {max}"))
    }
}

fn text(what: &str, text: &str, max: usize) -> Result<(), String> {
    if text.len() > max {
        return Err(format!("{what} of {} bytes, at most {max}", text.len()));
    }
    if text.chars().all(is_plain) {
        Ok(())
    } else {
        Err(format!("{what} with control characters"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small manifest that passes its check.
    pub(crate) fn sample() -> Manifest {
        Manifest {
            source: SourceKind::Component,
            text: true,
            world: Some("local:demo/demo@1.0.0".into()),
            module_bytes: 100,
            code_bytes: 5000,
            functions: vec![Function {
                name: "local:demo/api@1.0.0#square".into(),
                params: vec![("x".into(), "s64".into())],
                result: Some("s64".into()),
                callable: Ok(()),
            }],
            tasks: Some("0.1.0".into()),
            imports: vec![Import {
                name: "wasi:http/types@0.2.0".into(),
                offered: Err("not offered".into()),
            }],
            memories: vec![Memory {
                initial_pages: 1,
                maximum_pages: None,
            }],
            needs: Needs {
                memories: 1,
                tables: 1,
                initial_memory_bytes: 65536,
                initial_table_elements: 4,
            },
            producers: vec![Producer {
                field: "language".into(),
                name: "Rust".into(),
                version: "".into(),
            }],
            sections: vec![Section {
                name: "code".into(),
                bytes: 60,
            }],
        }
    }

    #[test]
    fn survives_encoding() {
        let manifest = sample();
        assert_eq!(
            Manifest::decode(&manifest.encode().unwrap()).unwrap(),
            manifest
        );
        assert_eq!(
            manifest.functions[0].signature(),
            "local:demo/api@1.0.0#square: func(x: s64) -> s64"
        );
        assert_eq!(
            manifest.missing_imports().collect::<Vec<_>>(),
            [("wasi:http/types@0.2.0", "not offered")]
        );
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let bytes = sample().encode().unwrap();
        for len in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..len]).is_err(), "{len}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert_eq!(Manifest::decode(&longer), Err(ManifestError::Malformed));
    }

    #[test]
    fn flipped_bits_never_panic_and_never_pass_a_bound() {
        let bytes = sample().encode().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(manifest) = Manifest::decode(&bytes) {
                manifest.check().unwrap();
            }
        }
    }

    #[test]
    fn bounds_are_enforced() {
        let broken: [fn(&mut Manifest); 10] = [
            |m| m.functions = vec![m.functions[0].clone(); MAX_FUNCTIONS + 1],
            |m| m.imports = vec![m.imports[0].clone(); MAX_IMPORTS + 1],
            |m| m.memories = vec![m.memories[0]; MAX_MEMORIES + 1],
            |m| m.functions[0].params = vec![("x".into(), "u8".into()); MAX_PARAMS + 1],
            |m| m.functions[0].name = "x".repeat(MAX_NAME_BYTES + 1),
            |m| m.functions[0].result = Some("x".repeat(MAX_TEXT_BYTES + 1)),
            |m| m.imports[0].offered = Err("\u{1b}[2J".into()),
            |m| m.producers[0].name = "a\u{202e}b".into(),
            |m| m.sections[0].name = "a\u{202e}b".into(),
            |m| m.sections = vec![m.sections[0].clone(); MAX_SECTIONS + 1],
        ];
        for (index, spoil) in broken.iter().enumerate() {
            let mut manifest = sample();
            spoil(&mut manifest);
            assert!(manifest.check().is_err(), "{index}");
            assert!(manifest.encode().is_err(), "{index}");
            let bytes = postcard::to_stdvec(&manifest).unwrap();
            assert!(
                matches!(Manifest::decode(&bytes), Err(ManifestError::Bounds(_))),
                "{index}"
            );
        }
    }

    #[test]
    fn limits_are_compared() {
        let manifest = sample();
        assert_eq!(manifest.fits(&Limits::default()), Ok(()));
        let error = manifest.fits(&Limits::default().memory(65535)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the module has 65536 bytes of memory at its start, more than the limit of 65535"
        );
    }

    #[test]
    fn texts_become_printable() {
        for (given, max, wanted) in [
            ("plain", 5, "plain"),
            ("plain", 4, "p…"),
            ("plain", 2, ""),
            ("a\nb\u{1b}[31m\u{202e}", 100, "a b\u{fffd}[31m\u{fffd}"),
            ("ééé", 5, "é…"),
        ] {
            let out = printable(given, max);
            assert_eq!(out, wanted);
            assert!(out.len() <= max);
        }
    }
}
