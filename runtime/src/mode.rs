//! How a component is compiled and run: the choices that host, compiler and workers must agree on. Pure data.

use serde::{Deserialize, Serialize};

/// How code is compiled. Code of one mode never runs in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[doc(hidden)]
pub struct CodeMode {
    /// Code checks at loops and calls whether it is to stop: for threads, which cannot be killed, and for backtraces of
    /// items that are late.
    pub epochs: bool,
    /// Code counts what it does as fuel, and every NaN that it computes has the same bits.
    pub deterministic: bool,
    /// Instances start from copies of their memory's image instead of mappings of it, so that parts of memory can be
    /// replaced by buffers and put back. For processes only.
    pub attach: bool,
    /// Workers take a sample of where they are at each interruption, and go on: for profiles. Together with `epochs`, and
    /// for processes only. Debug information is not kept.
    pub profile: bool,
}

impl CodeMode {
    /// The mode with interruption checks on or off.
    pub fn with_epochs(epochs: bool) -> Self {
        CodeMode {
            epochs,
            deterministic: false,
            attach: false,
            profile: false,
        }
    }

    /// The same with samples at interruptions, or without.
    pub fn profile(self, profile: bool) -> Self {
        CodeMode {
            epochs: self.epochs || profile,
            profile,
            ..self
        }
    }

    /// The same with memory that buffers can be attached to, or without.
    pub fn attach(self, attach: bool) -> Self {
        CodeMode { attach, ..self }
    }

    /// The same with fuel and canonical NaNs, or without.
    pub fn deterministic(self, deterministic: bool) -> Self {
        CodeMode {
            deterministic,
            ..self
        }
    }
}

/// How far items are kept apart.
///
/// ```
/// use wasmpool::mode::Isolation;
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(1).isolation(Isolation::Process).open("tasks.wasm")?;
/// let _: Vec<i64> = pool.map("square", 0..3i64)?;
/// assert!(pool.stats().workers_started >= 3, "a process an item");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Workers are threads of the host process. Only for components that are trusted.
    Thread,
    /// Items of a worker process share an instance: what one leaves behind, the next one sees. The default, but in
    /// deterministic mode and where results are cached.
    #[default]
    Shared,
    /// A fresh instance an item.
    Instance,
    /// A fresh operating-system process an item.
    Process,
}
