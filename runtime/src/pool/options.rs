//! What can be asked of a pool and of a job. Plain values.

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::failure::Failure;
use crate::sys::memory::Mapping;

/// What becomes of a job when an item fails.
///
/// ```
/// use wasmpool::pool::{JobOptions, OnError};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let options = JobOptions { on_error: OnError::Continue, ..JobOptions::default() };
/// let results = pool.imap_with::<i64, i64, _>("inverse", [4, 0, 2], options)?;
/// assert_eq!(results.filter_map(Result::ok).collect::<Vec<_>>(), [250, 500]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The items not yet done are cancelled.
    #[default]
    Stop,
    /// All items are run; failures are reported one by one.
    Continue,
}

/// How many items are sent together.
///
/// ```
/// use wasmpool::pool::{ChunkSize, JobOptions};
///
/// // Items that take long: none waits behind another.
/// let options = JobOptions { chunk_size: ChunkSize::Items(1), ..JobOptions::default() };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkSize {
    /// As many as take about a millisecond, as measured while the job runs.
    #[default]
    Auto,
    /// At most this many, at least 1.
    Items(u32),
}

/// How a job is run.
///
/// ```
/// use wasmpool::pool::{ChunkSize, JobOptions, OnError};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let options = JobOptions {
///     ordered: false,
///     on_error: OnError::Continue,
///     chunk_size: ChunkSize::Items(10),
///     ..JobOptions::default()
/// };
/// let results = pool.imap_with::<i64, i64, _>("square", 0..100, options)?;
/// assert_eq!(results.count(), 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JobOptions {
    /// The encoding of the items. Default JSON.
    pub input: Encoding,
    /// The encoding of the results. Default JSON.
    pub output: Encoding,
    /// How many items are sent together. Default automatic.
    pub chunk_size: ChunkSize,
    /// Whether results come in the order of the items (default) or as they are ready.
    pub ordered: bool,
    /// What becomes of the job when an item fails.
    pub on_error: OnError,
    /// How often an item is run again after its worker was lost. Default 1.
    pub retries: u32,
}

impl Default for JobOptions {
    fn default() -> Self {
        JobOptions {
            input: Encoding::Json,
            output: Encoding::Json,
            chunk_size: ChunkSize::Auto,
            ordered: true,
            on_error: OnError::Stop,
            retries: 1,
        }
    }
}

/// The bytes of a result.
///
/// ```
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
/// feeder.push(Payload::Bytes(b"12".to_vec()));
/// drop(feeder);
/// // They are read as any slice, wherever they are.
/// let bytes = results.next().unwrap()?.result?;
/// assert_eq!(&bytes[..], b"144");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Bytes {
    /// In memory of this process.
    Owned(Vec<u8>),
    /// In a sealed memory file of a worker, mapped.
    Mapped(Mapping),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// The bytes, copied only if they are mapped.
    ///
    /// ```
    /// use wasmpool::pool::Bytes;
    ///
    /// assert_eq!(Bytes::Owned(vec![1, 2, 3]).into_vec(), [1, 2, 3]);
    /// ```
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(bytes) => bytes.to_vec(),
        }
    }
}

/// What became of an item.
///
/// ```
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let (mut feeder, mut results) = pool.stream("inverse", JobOptions::default())?;
/// feeder.push(Payload::Bytes(b"0".to_vec()));
/// let outcome = results.next().unwrap()?;
/// assert_eq!((outcome.index, outcome.attempts), (0, 1));
/// assert!(outcome.result.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Outcome {
    /// The item's index in its job, from 0.
    pub index: u64,
    /// The values that the task emitted before its end, in order.
    pub emitted: Vec<Bytes>,
    /// Its result, or why it has none.
    pub result: Result<Bytes, Failure>,
    /// How often the item was started: 0 if its result was kept from an earlier run.
    pub attempts: u32,
    /// Time from the item's start to its result, as the host saw it, in nanoseconds; of an item in a chunk, its share. 0 if
    /// the result was kept from an earlier run.
    pub nanos: u64,
    /// What the item used of its fuel, in wasm fuel units, the start of its instance included; only told in deterministic
    /// mode, and not of an item that was killed. The worker's own word, bounded by `Limits::fuel`.
    pub fuel: Option<u64>,
}

/// One message from a guest.
///
/// ```
/// use wasmpool::pool::{Level, Pool};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder()
///     .on_log(|record| {
///         if record.level <= Level::Warn {
///             eprintln!("item {}: {}", record.index, record.message);
///         }
///     })
///     .open("tasks.wasm")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LogRecord<'a> {
    /// The item that ran.
    pub index: u64,
    /// How much it matters.
    pub level: crate::ipc::frame::Level,
    /// The message, fit to print.
    pub message: &'a str,
}

/// Counts since a pool was opened.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let _ = pool.apply::<_, i64>("inverse", 0i64);
/// let stats = pool.stats();
/// for (kind, items) in &stats.failed {
///     println!("{items} failed as {kind}");
/// }
/// assert_eq!(stats.failed.iter().map(|(_, items)| items).sum::<u64>(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Items with a result.
    pub done: u64,
    /// Those of them whose result was kept from an earlier run: see `PoolBuilder::cache_results`.
    pub cached: u64,
    /// Items that failed, by kind, in the order of `FailureKind`.
    pub failed: Vec<(crate::failure::FailureKind, u64)>,
    /// Workers started.
    pub workers_started: u64,
    /// Workers that ended while in use, for whatever reason, and were replaced.
    pub workers_replaced: u64,
    /// Items that were started again after their worker ended.
    pub run_again: u64,
    /// Chunks sent.
    pub chunks: u64,
    /// Bytes of items sent.
    pub bytes_in: u64,
    /// Bytes of results received.
    pub bytes_out: u64,
    /// Fuel that items used, in wasm fuel units, in the attempts that gave their outcome; 0 but in deterministic mode.
    pub fuel: u64,
    /// Whether the compiled component came from the cache.
    pub from_cache: bool,
    /// Time from opening to the first worker's readiness, in nanoseconds.
    pub start_nanos: u64,
}
