//! Exit codes, and which of them an error means.

use std::io;

use crate::ipc::lookup::LookupError;
use crate::pool::error::Error;

/// All items are done; also if the reader of the results closed the pipe.
pub const DONE: u8 = 0;
/// Some item failed.
pub const ITEM_FAILED: u8 = 1;
/// The arguments, or the input, cannot be used.
pub const USAGE: u8 = 2;
/// The module cannot be used.
pub const MODULE: u8 = 3;
/// A protection that was required is not available here.
pub const PROTECTION: u8 = 4;
/// The pool itself is at fault, or the machine.
pub const POOL: u8 = 5;
/// Interrupted by Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Why a command ends without having done its work.
#[derive(Debug)]
pub struct Problem {
    code: u8,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Problem {
    /// The arguments, or the input, cannot be used.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::new(USAGE, error)
    }

    /// The same, in words.
    pub fn usage_text(message: impl Into<String>) -> Self {
        Self::new(USAGE, anyhow::Error::msg(message.into()))
    }

    /// The module cannot be used, in words.
    pub fn module_text(message: impl Into<String>) -> Self {
        Self::new(MODULE, anyhow::Error::msg(message.into()))
    }

    /// The machine does not do what is needed.
    pub fn machine(doing: impl Into<String>, error: io::Error) -> Self {
        Self::new(POOL, anyhow::Error::new(error).context(doing.into()))
    }

    /// Standard output cannot be written.
    pub fn stdout(error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::BrokenPipe => DONE,
            _ => POOL,
        };
        Self::new(
            code,
            anyhow::Error::new(error).context("cannot write to standard output"),
        )
    }

    fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Problem {
            code,
            error: error.into(),
            hint: None,
        }
    }

    /// The same with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, said to be about something.
    pub fn of(mut self, what: &str) -> Self {
        self.error = self.error.context(what.to_owned());
        self
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Whether the reader of the results wants no more of them, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        self.code == DONE
    }

    /// What happened and why, on one line unless a cause has several.
    pub fn message(&self) -> String {
        format!("{:#}", self.error)
    }

    /// What to do about it, if anything is known.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let hint = error.hint();
        let code = code(&error);
        let error = match error {
            // Its text has that of its source in it.
            Error::Item { .. } => anyhow::Error::msg(error.to_string()),
            error => error.into(),
        };
        Problem { code, error, hint }
    }
}

fn code(error: &Error) -> u8 {
    match error {
        Error::Item { .. } | Error::Codec { .. } => ITEM_FAILED,
        Error::Task { .. } | Error::Options { .. } | Error::NotCacheable { .. } => USAGE,
        Error::Function(LookupError::Unknown { .. } | LookupError::Ambiguous { .. }) => USAGE,
        Error::Several { names } if !names.is_empty() => USAGE,
        Error::Function(LookupError::NotCallable { .. })
        | Error::Read { .. }
        | Error::Several { .. }
        | Error::Module(_)
        | Error::OverLimit(_)
        | Error::MissingImport { .. }
        | Error::CompileTimeout(_)
        | Error::CompileMemory(_)
        | Error::CompilerLost { .. }
        | Error::Start { .. } => MODULE,
        Error::Protection { .. } => PROTECTION,
        Error::Grant { .. } => USAGE,
        Error::Closed | Error::Pool { .. } => POOL,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::{Failure, FailureKind};
    use crate::ipc::manifest::Refusal;

    #[test]
    fn every_error_has_its_code() {
        let failure = Failure {
            kind: FailureKind::Trap,
            message: "unreachable".into(),
            backtrace: Vec::new(),
            attempts: 1,
        };
        let refusal = Refusal {
            message: "no module".into(),
            hint: Some("build one".into()),
        };
        let io = || io::Error::from(io::ErrorKind::NotFound);
        for (error, expected) in [
            (Error::Item { index: 3, failure }, ITEM_FAILED),
            (Error::Module(refusal), MODULE),
            (Error::CompileTimeout(Duration::from_secs(1)), MODULE),
            (
                Error::Options {
                    message: "this and that",
                    hint: "leave one out",
                },
                USAGE,
            ),
            (
                Error::Several {
                    names: vec!["f".into(), "g".into()],
                },
                USAGE,
            ),
            (Error::Several { names: Vec::new() }, MODULE),
            (Error::Closed, POOL),
            (
                Error::Pool {
                    doing: "fork".into(),
                    source: io(),
                },
                POOL,
            ),
            (
                Error::Read {
                    path: "x".into(),
                    source: io(),
                },
                MODULE,
            ),
            (
                Error::Task {
                    wanted: "a".into(),
                    tasks: vec!["b".into()],
                    nearest: None,
                },
                USAGE,
            ),
            (
                Error::Function(LookupError::NotCallable {
                    name: "f".into(),
                    reason: "async".into(),
                }),
                MODULE,
            ),
            (
                Error::Function(LookupError::Ambiguous {
                    wanted: "f".into(),
                    candidates: vec!["a#f".into(), "b#f".into()],
                }),
                USAGE,
            ),
        ] {
            let text = error.to_string();
            let problem = Problem::from(error);
            assert_eq!(problem.code(), expected, "{text}");
            assert!(problem.message().starts_with(&text));
        }
    }

    #[test]
    fn an_error_is_told_once_with_its_cause() {
        let failure = Failure {
            kind: FailureKind::Trap,
            message: "unreachable".into(),
            backtrace: Vec::new(),
            attempts: 1,
        };
        let item = Problem::from(Error::Item { index: 3, failure });
        assert_eq!(item.message(), "item 3: trap: unreachable");
        let read = Problem::from(Error::Read {
            path: "x.wasm".into(),
            source: io::Error::other("it is gone"),
        });
        assert_eq!(read.message(), "cannot read the module x.wasm: it is gone");
    }

    #[test]
    fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
        assert!(Problem::stdout(io::ErrorKind::BrokenPipe.into()).is_closed_pipe());
        assert_eq!(
            Problem::stdout(io::ErrorKind::StorageFull.into()).code(),
            POOL
        );
    }
}
