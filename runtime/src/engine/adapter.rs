//! What joins modules of WASI preview 1 to the component model: the adapters that the engine's authors publish, and one for
//! the exit code of a program, of which the published one tells only whether it is 0.
//!
//! Owns the interface `wasmpool:command/exit`, which no author writes against.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The module from which preview 1 is imported.
pub(super) const PREVIEW1: &str = WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
/// The function of it that ends a program.
pub(super) const PROC_EXIT: &str = "proc_exit";
/// The interface by which a program's exit code comes.
pub(super) const EXIT: &str = "wasmpool:command/exit@0.1.0";

/// The module from which `proc_exit` is imported instead. As long as [`PREVIEW1`], so that it can be written in its place.
const EXIT_MODULE: &str = "wasmpool_proc_exit_v01";
const _: () = assert!(EXIT_MODULE.len() == PREVIEW1.len());

const EXIT_WIT: &str = "package wasmpool:command@0.1.0;
interface exit { exit: func(code: u32); }
world program { import exit; }";
const EXIT_WAT: &str = r#"(module
  (import "wasmpool:command/exit@0.1.0" "exit" (func $exit (param i32)))
  (func (export "proc_exit") (param i32) local.get 0 call $exit unreachable))"#;

/// What a component is made from, besides the module: if it changes, so do components.
pub(super) const PARTS: [&[u8]; 4] = [
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    EXIT_WIT.as_bytes(),
    EXIT_WAT.as_bytes(),
];

/// A module that is no part of a component yet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    /// It uses no WASI.
    Plain,
    /// Functions that use preview 1.
    Library,
    /// A program of preview 1, and where in it the names of the modules stand from which it imports [`PROC_EXIT`].
    Program(&'a [usize]),
}

/// Makes a component of a core module.
///
/// # Errors
/// If its imports and exports do not fit what is said of them. The text may hold names of the module.
pub(super) fn component(module: &[u8], kind: Kind<'_>) -> Result<Vec<u8>, String> {
    let exit = match kind {
        Kind::Program(_) => exit_adapter()?,
        Kind::Plain | Kind::Library => Vec::new(),
    };
    let attempt = || {
        let mut encoder = ComponentEncoder::default();
        encoder.validate(true);
        match kind {
            Kind::Plain => encoder.module(module)?,
            Kind::Library => encoder
                .module(module)?
                .adapter(PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?,
            Kind::Program(exits) => encoder
                .module(&renamed(module, exits))?
                .adapter(EXIT_MODULE, &exit)?
                .adapter(PREVIEW1, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)?,
        };
        encoder.encode()
    };
    attempt().map_err(|error| format!("{error:#}"))
}

/// The module with [`EXIT_MODULE`] at these places.
fn renamed(module: &[u8], places: &[usize]) -> Vec<u8> {
    let mut module = module.to_vec();
    for at in places {
        if let Some(name) = module.get_mut(*at..at + EXIT_MODULE.len()) {
            name.copy_from_slice(EXIT_MODULE.as_bytes());
        }
    }
    module
}

fn exit_adapter() -> Result<Vec<u8>, String> {
    let mut module = wat::parse_str(EXIT_WAT).map_err(|error| error.to_string())?;
    let mut attempt = || {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("exit.wit", EXIT_WIT)?;
        let world = resolve.select_world(&[package], None)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
    };
    let embedded = attempt();
    embedded.map_err(|error| format!("{error:#}"))?;
    Ok(module)
}
