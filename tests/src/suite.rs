//! Lists tests and runs them. Like the built-in harness, but a test whose guests are missing is *ignored*, by the same
//! program that otherwise runs it.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::places::guests;

/// The tests of one suite.
#[derive(Default)]
pub struct Suite(Vec<Trial>);

impl Suite {
    /// No tests yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a test. It fails by a panic.
    pub fn test(mut self, name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Self {
        self.0.push(Trial::test(name, move || {
            run();
            Ok(())
        }));
        self
    }

    /// Adds a test that needs the compiled guests.
    pub fn guest(mut self, name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Self {
        let name = name.into();
        let missing = guests().is_none();
        if missing {
            eprintln!("SKIPPED (no guests): {name}");
        }
        let trial = Trial::test(name, move || {
            run();
            Ok(())
        });
        self.0.push(trial.with_ignored_flag(missing));
        self
    }

    /// Adds a test of something that this machine may not allow: then it is ignored, and the reason is told.
    pub fn where_possible(
        mut self,
        name: impl Into<String>,
        possible: Result<(), String>,
        run: impl FnOnce() + Send + 'static,
    ) -> Self {
        let name = name.into();
        if let Err(reason) = &possible {
            eprintln!("SKIPPED ({reason}): {name}");
        }
        let trial = Trial::test(name, move || {
            run();
            Ok(())
        });
        self.0.push(trial.with_ignored_flag(possible.is_err()));
        self
    }

    /// Runs what the command line asks for.
    pub fn run(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.0).exit_code()
    }
}
