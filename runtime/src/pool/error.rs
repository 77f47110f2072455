//! Why a pool, or a whole job, cannot go on. Failures of single items are [`Failure`]s.

use std::io;

use thiserror::Error;

use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ipc::lookup::LookupError;
use crate::ipc::manifest::{OverLimit, Refusal};
use crate::ipc::wire::TaskInfo;
use crate::sandbox::layers::Layer;
use crate::text::{nearest, printable};

/// Why a pool, or a whole job, cannot go on.
///
/// ```
/// use wasmpool::failure::FailureKind;
/// use wasmpool::pool::Error;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// match pool.apply::<_, i64>("inverse", 0i64) {
///     Ok(inverse) => println!("{inverse}"),
///     Err(Error::Item { index, failure }) => {
///         assert_eq!((index, failure.kind), (0, FailureKind::Trap));
///     }
///     Err(error) => eprintln!("{error}: {}", error.hint().unwrap_or_default()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The module could not be read.
    #[error("cannot read the module {path}")]
    Read {
        /// The path as given.
        path: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The pool's options contradict one another.
    #[error("{message}")]
    Options {
        /// Which, and why.
        message: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// Results were to be cached, but may depend on what is in no key.
    #[error("results cannot be cached: they may depend on what the module is told by {import}")]
    NotCacheable {
        /// What the module imports.
        import: String,
    },
    /// The module is none that the pool can use.
    #[error(transparent)]
    Module(#[from] Refusal),
    /// The module asks for more than a limit allows.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// The module imports what the pool does not offer.
    #[error("the module imports {name}, which is not offered: {reason}")]
    MissingImport {
        /// The import.
        name: String,
        /// Why it is not there.
        reason: String,
    },
    /// No such function, or none that can be called.
    #[error(transparent)]
    Function(#[from] LookupError),
    /// No such task.
    #[error("the module has no task `{wanted}`; it has {}", list(.tasks))]
    Task {
        /// What was asked for.
        wanted: String,
        /// What there is.
        tasks: Vec<String>,
        /// The nearest, if one is near.
        nearest: Option<String>,
    },
    /// No function was named, and the module has none that can be called, or several.
    #[error("{}", several(.names))]
    Several {
        /// What there is.
        names: Vec<String>,
    },
    /// Compiling took too long.
    #[error("compiling the module took longer than the limit of {0:?}")]
    CompileTimeout(std::time::Duration),
    /// Compiling needs more memory than the limit allows, in bytes.
    #[error("compiling the module needs more than the limit of {0} bytes of memory")]
    CompileMemory(u64),
    /// The compiler process died: by a crash, or, where the program that runs it does not use
    /// [`Allocator`](crate::worker::Allocator), for want of memory.
    #[error(
        "the compiler process ended without an answer ({ending}); its limit is {limit_bytes} bytes of memory"
    )]
    CompilerLost {
        /// How it ended.
        ending: String,
        /// Its memory limit, in bytes.
        limit_bytes: u64,
    },
    /// This machine does not offer what a process of the pool must be protected by.
    #[error("this machine does not offer every protection that is required; missing: {}", names(.missing))]
    Protection {
        /// The layers that cannot be had.
        missing: Vec<Layer>,
    },
    /// What guests were to be granted cannot be.
    #[error("cannot grant {what}")]
    Grant {
        /// What.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Workers do not get ready: the component itself fails at its start.
    #[error("the component cannot be started: {message}")]
    Start {
        /// What happened.
        message: String,
        /// The guest's frames, innermost first.
        backtrace: Vec<String>,
    },
    /// An item failed, and the job was to stop at the first failure.
    #[error("item {index}: {failure}")]
    Item {
        /// The item's index in its job.
        index: u64,
        /// What happened to it.
        #[source]
        failure: Failure,
    },
    /// An item could not be encoded, or a result not decoded.
    #[error("item {index} cannot be {doing}: {reason}")]
    Codec {
        /// The item's index in its job.
        index: u64,
        /// `encoded` or `decoded`.
        doing: &'static str,
        /// Why.
        reason: String,
    },
    /// The pool is closed, or was terminated.
    #[error("the pool is closed")]
    Closed,
    /// The pool itself is at fault, or the machine.
    #[error("{doing}")]
    Pool {
        /// What could not be done.
        doing: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// A task that is none of these, which is told with the nearest of them.
    pub(crate) fn no_task(wanted: &str, tasks: Vec<TaskInfo>) -> Error {
        let names: Vec<String> = tasks.into_iter().map(|task| task.name).collect();
        Error::Task {
            wanted: printable(wanted, 200),
            nearest: nearest(wanted, &names).map(|place| names[place].clone()),
            tasks: names,
        }
    }

    pub(crate) fn pool(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let doing = doing.into();
        move |source| Error::Pool { doing, source }
    }

    /// Its code, which stays the same from release to release: what to tell errors apart by, and what
    /// `wasmpool explain` takes. That of an item is that of its failure.
    ///
    /// ```
    /// use wasmpool::catalogue::Code;
    /// use wasmpool::pool::Pool;
    ///
    /// let error = Pool::builder().open("no-such-module.wasm").err().unwrap();
    /// assert_eq!(error.code(), Code::ModuleUnreadable);
    /// ```
    pub fn code(&self) -> Code {
        match self {
            Error::Read { .. } => Code::ModuleUnreadable,
            Error::Options { .. } => Code::OptionsConflict,
            Error::NotCacheable { .. } => Code::NotCacheable,
            Error::Module(_) => Code::ModuleRefused,
            Error::OverLimit(_) => Code::ModuleOverLimit,
            Error::MissingImport { .. } => Code::ImportMissing,
            Error::Function(LookupError::Unknown { .. }) => Code::FunctionUnknown,
            Error::Function(LookupError::Ambiguous { .. }) => Code::FunctionAmbiguous,
            Error::Function(LookupError::NotCallable { .. }) => Code::FunctionNotCallable,
            Error::Task { .. } => Code::TaskUnknown,
            Error::Several { names } if names.is_empty() => Code::FunctionNone,
            Error::Several { .. } => Code::FunctionUnnamed,
            Error::CompileTimeout(_) => Code::CompileTimeout,
            Error::CompileMemory(_) => Code::CompileMemory,
            Error::CompilerLost { .. } => Code::CompilerLost,
            Error::Protection { .. } => Code::ProtectionMissing,
            Error::Grant { .. } => Code::GrantRefused,
            Error::Start { .. } => Code::StartFailed,
            Error::Item { failure, .. } => failure.kind.code(),
            Error::Codec { .. } => Code::ItemCodec,
            Error::Closed => Code::PoolClosed,
            Error::Pool { .. } => Code::PoolFault,
        }
    }

    /// What to do about it, where something is known.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let error = pool.apply::<_, i64>("sqare", 3i64).unwrap_err();
    /// assert_eq!(error.hint().as_deref(), Some("did you mean `square`?"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Options { hint, .. } => Some((*hint).into()),
            Error::NotCacheable { .. } => Some(
                "ask for deterministic mode too, in which clocks, randomness and context are the same in every run; or build \
                 the module without it, for wasm32-unknown-unknown"
                    .into(),
            ),
            Error::Module(refusal) => refusal.hint.clone(),
            Error::Function(e) => e.hint(),
            Error::Task {
                nearest: Some(near),
                ..
            } => Some(format!("did you mean `{near}`?")),
            Error::Several { names } => Some(match names.first() {
                Some(first) => format!("say which one, as MODULE:{first}"),
                None => {
                    "`wasmpool inspect MODULE` tells what it exports, and why that cannot be called"
                        .into()
                }
            }),
            Error::MissingImport { .. } => Some(
                "build the module without it, or for wasm32-unknown-unknown with the guest SDK"
                    .into(),
            ),
            Error::OverLimit(_) => Some("raise the limit if you trust the module with it".into()),
            Error::CompileTimeout(_) | Error::CompileMemory(_) | Error::CompilerLost { .. } => {
                Some("raise the limit, or give a smaller module".into())
            }
            Error::Protection { .. } => Some(
                "`wasmpool audit` shows each layer; a container may have to allow user namespaces, and the kernel landlock"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn names(layers: &[Layer]) -> String {
    let names: Vec<_> = layers.iter().map(|layer| layer.name()).collect();
    names.join(", ")
}

fn several(names: &[String]) -> String {
    match names {
        [] => "the module exports no function that can be called".into(),
        names => format!("the module has several functions: {}", names.join(", ")),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        names => names.join(", "),
    }
}
