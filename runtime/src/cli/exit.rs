//! Exit codes, and which of them an error means.

use std::io;
use std::path::Path;

use super::nearest;
use crate::catalogue::Code;
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
/// Interrupted, by Ctrl-C or SIGTERM.
pub const INTERRUPTED: u8 = 130;

/// Why a command ends without having done its work.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    error: anyhow::Error,
    hint: Option<String>,
    closed_pipe: bool,
}

impl Problem {
    /// An error of a kind.
    pub fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Problem {
            code,
            error: error.into(),
            hint: None,
            closed_pipe: false,
        }
    }

    /// The same, in words.
    pub fn text(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, anyhow::Error::msg(message.into()))
    }

    /// The same: what could not be done, and why.
    pub fn doing(
        code: Code,
        doing: impl Into<String>,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::new(code, anyhow::Error::new(error).context(doing.into()))
    }

    /// A file cannot be read. Names the nearest one if there is none of this name.
    pub fn unreadable(path: &Path, error: io::Error) -> Self {
        let hint = nearest::file(path, &error);
        let doing = format!("cannot read {}", path.display());
        Problem {
            hint,
            ..Self::doing(Code::InputUnreadable, doing, error)
        }
    }

    /// The machine does not do what is needed.
    pub fn machine(doing: impl Into<String>, error: io::Error) -> Self {
        Self::doing(Code::Machine, doing, error)
    }

    /// Standard output cannot be written.
    pub fn stdout(error: io::Error) -> Self {
        Problem {
            closed_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::doing(Code::OutputFailed, "cannot write to standard output", error)
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

    /// Its entry in the catalogue.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self.closed_pipe {
            true => DONE,
            false => exit(self.code),
        }
    }

    /// Whether the reader of the results wants no more of them, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
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
        let hint = match &error {
            Error::Read { path, source } => nearest::file(Path::new(path), source),
            error => error.hint(),
        };
        let code = error.code();
        let error = match error {
            // Its text has that of its source in it.
            Error::Item { .. } => anyhow::Error::msg(error.to_string()),
            error => error.into(),
        };
        Problem {
            hint,
            ..Self::new(code, error)
        }
    }
}

/// The exit code of a kind of error.
pub fn exit(code: Code) -> u8 {
    match code {
        Code::Failed
        | Code::InvalidInput
        | Code::Trap
        | Code::Timeout
        | Code::Memory
        | Code::OutputLimit
        | Code::WorkerLost
        | Code::Cancelled
        | Code::ItemCodec
        | Code::ItemsFailed
        | Code::Deadlock => ITEM_FAILED,
        Code::Usage
        | Code::CommandUnknown
        | Code::OptionUnknown
        | Code::ValueInvalid
        | Code::OptionsConflict
        | Code::TargetInvalid
        | Code::ItemsMissing
        | Code::InputUnreadable
        | Code::InputTooLarge
        | Code::InputTwice
        | Code::GlobEmpty
        | Code::TableUnfit
        | Code::OutputRefused
        | Code::FunctionUnknown
        | Code::FunctionAmbiguous
        | Code::FunctionUnnamed
        | Code::TaskUnknown
        | Code::NotCacheable
        | Code::GrantRefused
        | Code::ProjectMissing
        | Code::ProjectBroken
        | Code::NameRefused
        | Code::CacheUnusable
        | Code::MonitorUnusable
        | Code::PipelineInvalid
        | Code::ConfigInvalid
        | Code::ConfigUntrusted
        | Code::RowUnknown
        | Code::CodeUnknown => USAGE,
        Code::ModuleUnreadable
        | Code::ModuleRefused
        | Code::ModuleOverLimit
        | Code::ImportMissing
        | Code::FunctionNotCallable
        | Code::FunctionNone
        | Code::CompileTimeout
        | Code::CompileMemory
        | Code::CompilerLost
        | Code::StartFailed
        | Code::TasksUnlisted
        | Code::ResultInvalid => MODULE,
        Code::ProtectionMissing => PROTECTION,
        Code::OutputFailed
        | Code::Machine
        | Code::PoolFault
        | Code::PoolClosed
        | Code::BenchWrong => POOL,
        Code::Interrupted => INTERRUPTED,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::{Failure, FailureKind};
    use crate::ipc::lookup::LookupError;
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
            assert_eq!(problem.exit(), expected, "{text}");
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
            Problem::stdout(io::ErrorKind::StorageFull.into()).exit(),
            POOL
        );
    }
}
