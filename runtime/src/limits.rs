//! What an item may use.
//!
//! Owns the limits, their units and their defaults. Enforces nothing: that is `engine`, `pool` and `sandbox`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One mebibyte, in bytes.
pub const MIB: u64 = 1 << 20;

/// What an emitted value or a log message costs beyond its own bytes, so that a bound on bytes also bounds their number.
pub const PIECE_BYTES: u64 = 64;

/// The bounds on one item, and on what it takes to get it running. Every limit is always in force.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::limits::{Limits, MIB};
///
/// let mut limits = Limits::new().timeout(Duration::from_secs(5)).memory(64 * MIB);
/// // All of them are fields too.
/// limits.start_timeout = Duration::from_secs(2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// Wall time an item may take, from its start in a worker. Default 30 s. Enforced by killing the worker.
    pub timeout: Duration,
    /// Bytes of all linear memories of an instance together. Default 256 MiB. A growth beyond it is refused.
    pub memory_bytes: u64,
    /// Elements of all tables of an instance together. Default 100,000. A growth beyond it is refused.
    pub table_elements: u64,
    /// Core instances, memories and tables a component may have, each. Default 64.
    pub instances: u32,
    /// Bytes of native stack that guest code may use. Default 1 MiB.
    pub stack_bytes: u64,
    /// Bytes of one item's result, all emitted values included, each of which counts [`PIECE_BYTES`] more than it has.
    /// Default 64 MiB.
    pub result_bytes: u64,
    /// Bytes of log messages an item may write, each of which counts [`PIECE_BYTES`] more than it has. Default 64 KiB;
    /// what goes beyond ends the item.
    pub log_bytes: u64,
    /// Bytes of a module, as given. Default 64 MiB.
    pub module_bytes: u64,
    /// Wall time that compiling a module may take. Default 60 s.
    pub compile_timeout: Duration,
    /// Bytes of private memory that the compiler process may use. Default 2 GiB.
    pub compile_memory_bytes: u64,
    /// Bytes of compiled code and its description. Default 256 MiB.
    pub compiled_bytes: u64,
    /// Wall time from a worker's start to its being ready, the component's own start functions included.
    /// Default 10 s. Also the time after which a ready worker that has not taken what it was given counts as lost.
    pub start_timeout: Duration,
    /// Fuel that an item may use, in wasm fuel units: about one a WebAssembly instruction. Default none: no bound but
    /// time. Only counted, and only allowed, in deterministic mode. The start of an item's instance is a part of it.
    pub fuel: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            timeout: Duration::from_secs(30),
            memory_bytes: 256 * MIB,
            table_elements: 100_000,
            instances: 64,
            stack_bytes: MIB,
            result_bytes: 64 * MIB,
            log_bytes: 64 << 10,
            module_bytes: 64 * MIB,
            compile_timeout: Duration::from_secs(60),
            compile_memory_bytes: 2048 * MIB,
            compiled_bytes: 256 * MIB,
            start_timeout: Duration::from_secs(10),
            fuel: None,
        }
    }
}

/// Bytes of private memory that a worker needs besides what its limits name.
const WORKER_BYTES: u64 = 64 * MIB;

/// Bytes that calls may copy out of a guest, besides twice a result: room for frames, and for values that are larger
/// here than there.
#[doc(hidden)]
pub const CALL_BYTES: u64 = 64 * MIB;

impl Limits {
    /// Bytes that a guest may have the host copy for one instance: a result twice, and small calls.
    #[doc(hidden)]
    pub fn copied_bytes(&self) -> u64 {
        self.result_bytes
            .saturating_mul(2)
            .saturating_add(CALL_BYTES)
    }

    /// Bytes of private memory of a worker process, at most: its linear memories and tables, the stack, what calls
    /// copy, and a fixed part. What goes beyond is refused to the guest, or ends the worker.
    #[doc(hidden)]
    pub fn worker_data_bytes(&self) -> u64 {
        let tables = u64::from(self.instances)
            .saturating_mul(self.table_elements)
            .saturating_mul(8);
        [
            self.memory_bytes,
            tables,
            self.stack_bytes,
            self.copied_bytes(),
            WORKER_BYTES,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// The defaults.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::limits::{Limits, MIB};
    ///
    /// let limits = Limits::new();
    /// assert_eq!((limits.timeout, limits.memory_bytes), (Duration::from_secs(30), 256 * MIB));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the wall time of an item.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::limits::Limits;
    ///
    /// let limits = Limits::new().timeout(Duration::from_millis(500));
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the bytes of all linear memories of an instance together.
    ///
    /// ```
    /// use wasmpool::limits::{Limits, MIB};
    ///
    /// let limits = Limits::new().memory(16 * MIB);
    /// ```
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets the bytes of one item's result.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    /// use wasmpool::limits::Limits;
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let limits = Limits::new().result_bytes(2);
    /// let pool = Pool::builder().limits(limits).open("tasks.wasm")?;
    /// assert_eq!(pool.apply::<_, i64>("square", 9i64)?, 81);
    /// match pool.apply::<_, i64>("square", 10i64) {
    ///     Err(Error::Item { failure, .. }) => assert_eq!(failure.kind, FailureKind::OutputLimit),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_bytes(mut self, bytes: u64) -> Self {
        self.result_bytes = bytes;
        self
    }

    /// Sets the fuel of an item, in wasm fuel units. Only allowed in deterministic mode.
    ///
    /// ```
    /// use wasmpool::limits::Limits;
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let limits = Limits::new().fuel(100_000);
    /// let pool = Pool::builder().limits(limits).deterministic(1).open("tasks.wasm")?;
    /// let error = pool.apply::<_, i64>("spin", 1i64).unwrap_err();
    /// assert!(error.to_string().contains("fuel"), "{error}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fuel(mut self, units: u64) -> Self {
        self.fuel = Some(units);
        self
    }

    /// Sets the bytes of log messages of an item.
    ///
    /// ```
    /// use wasmpool::limits::Limits;
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let limits = Limits::new().log_bytes(80);
    /// let pool = Pool::builder().limits(limits).open("tasks.wasm")?;
    /// let _: Option<()> = pool.apply("say", "a few words")?;
    /// assert!(pool.apply::<_, Option<()>>("say", "many words ".repeat(10)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn log_bytes(mut self, bytes: u64) -> Self {
        self.log_bytes = bytes;
        self
    }
}
