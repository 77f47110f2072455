//! Why an item has no result.
//!
//! Owns the kinds, their names in records and their data. Decides nothing: who is to blame is decided in `pool`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::Code;

/// The kind of a [`Failure`].
///
/// ```
/// use wasmpool::failure::FailureKind;
/// use wasmpool::pool::Error;
///
/// /// Whether it may help to try once more.
/// fn passing(error: &Error) -> bool {
///     match error {
///         Error::Item { failure, .. } => {
///             matches!(failure.kind, FailureKind::Timeout | FailureKind::WorkerLost)
///         }
///         _ => false,
///     }
/// }
/// assert!(!passing(&Error::Closed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The task returned an error.
    Failed,
    /// The item does not fit the task's type.
    InvalidInput,
    /// The guest trapped, or broke the component model's rules.
    Trap,
    /// The item's deadline passed; its worker was killed.
    Timeout,
    /// A memory limit was reached and the guest could not go on.
    Memory,
    /// A bound on results or logs was passed.
    OutputLimit,
    /// The worker process died, more often than `retries` allows.
    WorkerLost,
    /// Cancelled by the user or by the policy.
    Cancelled,
}

impl FailureKind {
    /// The name in records and messages: lower case, with hyphens.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    ///
    /// assert_eq!(FailureKind::InvalidInput.name(), "invalid-input");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Failed => "failed",
            FailureKind::InvalidInput => "invalid-input",
            FailureKind::Trap => "trap",
            FailureKind::Timeout => "timeout",
            FailureKind::Memory => "memory",
            FailureKind::OutputLimit => "output-limit",
            FailureKind::WorkerLost => "worker-lost",
            FailureKind::Cancelled => "cancelled",
        }
    }
}

impl FailureKind {
    /// Its entry in the catalogue of errors; the code is the name.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    ///
    /// assert_eq!(FailureKind::Trap.code().name(), FailureKind::Trap.name());
    /// ```
    pub fn code(self) -> Code {
        match self {
            FailureKind::Failed => Code::Failed,
            FailureKind::InvalidInput => Code::InvalidInput,
            FailureKind::Trap => Code::Trap,
            FailureKind::Timeout => Code::Timeout,
            FailureKind::Memory => Code::Memory,
            FailureKind::OutputLimit => Code::OutputLimit,
            FailureKind::WorkerLost => Code::WorkerLost,
            FailureKind::Cancelled => Code::Cancelled,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an item has no result. Plain data, whatever the guest did.
///
/// ```
/// use wasmpool::pool::Error;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let Err(Error::Item { failure, .. }) = pool.apply::<_, i64>("inverse", 0i64) else { panic!() };
/// assert!(failure.to_string().starts_with("trap: "));
/// for frame in &failure.backtrace {
///     eprintln!("  at {frame}");
/// }
/// assert_eq!(failure.attempts, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for people: one paragraph, no control characters but newlines. May quote the guest.
    pub message: String,
    /// The guest's frames, innermost first, of a trap; else empty. Function names where the module has them.
    pub backtrace: Vec<String>,
    /// How many times the item was started.
    pub attempts: u32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_and_its_code_have_one_name() {
        for kind in [
            FailureKind::Failed,
            FailureKind::InvalidInput,
            FailureKind::Trap,
            FailureKind::Timeout,
            FailureKind::Memory,
            FailureKind::OutputLimit,
            FailureKind::WorkerLost,
            FailureKind::Cancelled,
        ] {
            assert_eq!(kind.code().name(), kind.name());
        }
    }
}
