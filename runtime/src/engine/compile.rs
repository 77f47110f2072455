//! From untrusted bytes to native code and a description of it.
//!
//! Owns the order of the steps and their errors. Runs in the compiler process, under its limits of time and memory:
//! nothing here bounds either, since small modules can cost minutes and gigabytes. Runs no guest code.

use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::config::{EngineError, compiler_config};
use super::describe::describe;
use super::source::{SourceError, recognise};
use crate::ipc::manifest::{MAX_TEXT_BYTES, Manifest, OverLimit, Refusal, printable};
use crate::limits::Limits;
use crate::mode::CodeMode;

/// A compiled component.
#[derive(Debug)]
pub struct Compiled {
    /// Native code, for [`load`](super::config::load) only: nothing else may parse it.
    pub code: Vec<u8>,
    /// What it is.
    pub manifest: Manifest,
}

/// Why a module was not compiled. Texts can be printed, whatever the module says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompileError {
    /// It is no component and cannot be made one.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It asks for more than the limits allow.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// It breaks the rules of WebAssembly or of components, or uses a proposal that this version refuses.
    #[error("not a valid component: {0}")]
    Invalid(String),
    /// The engine could not be set up. Not the module's fault.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl CompileError {
    /// What to do about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            CompileError::Source(error) => error.hint().map(Into::into),
            CompileError::OverLimit(_) => {
                Some("raise the limit if you trust the module with it".into())
            }
            CompileError::Invalid(_) => Some(
                "`wasm-tools validate` shows where; threads, 64-bit memories, garbage \
                 collection and exceptions are refused even where they are valid"
                    .into(),
            ),
            CompileError::Engine(_) => None,
        }
    }

    /// The error as the compiler process hands it to the host.
    pub fn refusal(&self) -> Refusal {
        Refusal {
            message: self.to_string(),
            hint: self.hint(),
        }
        .bounded()
    }

    pub(super) fn invalid(error: wasmtime::Error) -> Self {
        CompileError::Invalid(printable(&format!("{error:#}"), MAX_TEXT_BYTES))
    }
}

/// Compiles what was given: recognises it, makes a component of it, validates, compiles and describes it.
///
/// A component whose imports the pool cannot satisfy, or that exports nothing, is compiled all the same: its
/// manifest says so.
///
/// # Errors
/// If the module is larger than `limits` allow or at its start needs more than they allow, if it is no component and
/// cannot be made one, or if it is invalid.
pub fn compile(bytes: &[u8], mode: &CodeMode, limits: &Limits) -> Result<Compiled, CompileError> {
    OverLimit::test("bytes", bytes.len() as u64, limits.module_bytes)?;
    let source = recognise(bytes)?;
    let engine = Engine::new(&compiler_config(mode)).map_err(EngineError::new)?;
    let component =
        Component::from_binary(&engine, &source.component).map_err(CompileError::invalid)?;
    let mut manifest = describe(&engine, &component, &source)?;
    manifest.module_bytes = bytes.len() as u64;
    manifest.fits(limits)?;
    let code = component.serialize().map_err(CompileError::invalid)?;
    manifest.code_bytes = code.len() as u64;
    manifest.check().map_err(CompileError::Invalid)?;
    Ok(Compiled { code, manifest })
}
