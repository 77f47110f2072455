//! Messages for people, shown by the pool on its standard error.
//!
//! The macros take what [`format!`] takes: `log::warn!("{skipped} lines skipped")`. Messages are bounded in bytes an
//! item by the pool's limits, and control characters are escaped before a terminal sees them. Outside WebAssembly they
//! go to standard error as they are.

use crate::host;

pub use crate::{debug, error, info, trace, warn};

/// How much a message matters, most first.
///
/// ```
/// use wasmpool_guest::log::Level;
///
/// assert!(Level::Error < Level::Trace, "what matters most comes first");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something went wrong.
    Error,
    /// Something may be wrong.
    Warn,
    /// Worth knowing.
    Info,
    /// For finding faults.
    Debug,
    /// Every step.
    Trace,
}

/// Writes one message.
///
/// ```
/// use wasmpool_guest::log::{self, Level};
///
/// let level = if std::env::args().count() > 10 { Level::Warn } else { Level::Debug };
/// log::write(level, "the level is decided as the task runs");
/// ```
pub fn write(level: Level, message: &str) {
    host::log(level, message);
}

/// Writes a message at [`Level::Error`](crate::log::Level::Error).
///
/// ```
/// use wasmpool_guest::log;
///
/// log::error!("cannot go on: {}", "no model");
/// ```
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Warn`](crate::log::Level::Warn).
///
/// ```
/// use wasmpool_guest::log;
///
/// log::warn!("{} lines skipped", 3);
/// ```
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Info`](crate::log::Level::Info).
///
/// ```
/// use wasmpool_guest::log;
///
/// log::info!("{} pages", 7);
/// ```
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Debug`](crate::log::Level::Debug).
///
/// ```
/// use wasmpool_guest::log;
///
/// log::debug!("cache: {:?}", Some(1));
/// ```
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Trace`](crate::log::Level::Trace).
///
/// ```
/// use wasmpool_guest::log;
///
/// log::trace!("step {}", 1);
/// ```
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($message)+)) };
}
