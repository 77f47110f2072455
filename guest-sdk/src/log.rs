//! Messages for people, shown by the pool on its standard error.
//!
//! The macros take what [`format!`] takes: `log::warn!("{skipped} lines skipped")`. Messages are bounded in bytes an
//! item by the pool's limits, and control characters are escaped before a terminal sees them. Outside WebAssembly they
//! go to standard error as they are.

use crate::host;

pub use crate::{debug, error, info, trace, warn};

/// How much a message matters, most first.
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
pub fn write(level: Level, message: &str) {
    host::log(level, message);
}

/// Writes a message at [`Level::Error`](crate::log::Level::Error).
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Warn`](crate::log::Level::Warn).
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Info`](crate::log::Level::Info).
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Debug`](crate::log::Level::Debug).
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($message)+)) };
}

/// Writes a message at [`Level::Trace`](crate::log::Level::Trace).
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Trace, &::std::format!($($message)+)) };
}
