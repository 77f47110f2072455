//! Multiprocessing for code you do not trust.
//!
//! A [`Pool`](pool::Pool) maps a function over items, as Python's `multiprocessing` does. Its workers are processes,
//! each of which runs one WebAssembly component with wasmtime, under [`Limits`](limits::Limits) of time, memory and output.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use wasmpool::limits::{Limits, MIB};
//! use wasmpool::pool::{Error, Pool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // First thing in `main`: this program can be started as one of its pool's own processes.
//! wasmpool::worker::enter_if_asked();
//!
//! let limits = Limits::new().timeout(Duration::from_secs(2)).memory(64 * MIB);
//! let pool = Pool::builder().workers(4).limits(limits).open("square.wasm")?;
//!
//! // All results in order, or the first failure.
//! let squares: Vec<i64> = pool.map("square", 1..=5i64)?;
//! assert_eq!(squares, [1, 4, 9, 16, 25]);
//!
//! // Lazy in, lazy out, a bounded number of items ahead. A failed item does not end the others.
//! for square in pool.imap_unordered::<_, i64, _>("square", 0..1_000i64)? {
//!     match square {
//!         Ok(square) => println!("{square}"),
//!         Err(Error::Item { index, failure }) => eprintln!("item {index}: {failure}"),
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//!
//! // One item, now or later: wait for it, await it, or cancel it, which kills what runs.
//! let mut handle = pool.submit::<_, i64>("square", 7i64)?;
//! if !handle.wait_timeout(Duration::from_secs(1)) {
//!     handle.cancel();
//! }
//! println!("{}", handle.wait()?);
//! # Ok(())
//! # }
//! ```
//!
//! Without `enter_if_asked` the pool looks for the program `wasmpool` beside the caller's, above it, and in the search
//! path.
//!
//! # What can be run
//!
//! Components, core modules with component metadata, and the text of either. A function is an export, called by its own
//! types, or a task written with the crate `wasmpool-guest`. Items and results of the typed calls are what serde
//! carries: postcard for tasks of the SDK, JSON for other exports. [`Pool::stream`](pool::Pool::stream) takes and gives bytes.
//!
//! # What is not promised
//!
//! An item is counted once, but may be run more than once: after its worker was lost, or after it shared a chunk with an
//! item that ended its worker. Items of one worker share an instance unless another
//! [`Isolation`](mode::Isolation) is asked for. Nothing is promised about side channels. Which layers of the wall around
//! workers are in force depends on the machine: [`Pool::layers`](pool::Pool::layers) tells, and
//! [`PoolBuilder::strict`](pool::PoolBuilder::strict) insists.
//!
//! # Where to look
//!
//! [`pool`] is the interface, and [`objects`] what its guests share with each other and with their host; [`limits`],
//! [`mode`], [`grants`], [`encoding`], [`module`], [`failure`] and [`catalogue`] are their words. [`pipeline`] runs
//! processes that feed each other, [`audit`] tries the walls, [`mod@bench`] measures, [`monitor`] looks at running pools.
//! Modules that are hidden here are public for the project's own programs and tests, and change without notice.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "wasmpool runs on Linux, on x86_64 and aarch64: its worker processes need Linux's own protections"
);

pub mod audit;
pub mod bench;
#[doc(hidden)]
pub mod cache;
pub mod catalogue;
#[doc(hidden)]
pub mod cli;
pub mod encoding;
#[doc(hidden)]
pub mod engine;
pub mod failure;
pub mod grants;
#[doc(hidden)]
pub mod ids;
#[doc(hidden)]
pub mod ipc;
pub mod limits;
pub mod mode;
pub mod module;
pub mod monitor;
pub mod objects;
pub mod pipeline;
pub mod pool;
#[doc(hidden)]
pub mod sandbox;
#[doc(hidden)]
pub mod sys;
#[doc(hidden)]
pub mod text;
mod threads;
pub mod worker;
