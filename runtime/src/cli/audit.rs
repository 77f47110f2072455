//! `wasmpool audit`: runs the audit, writes its report, and says by its exit code what follows.

use std::fs;
use std::path::Path;

use serde::de::IgnoredAny;

use super::args::{AuditArgs, AuditFormat};
use super::console::Console;
use super::exit::{self, Problem};
use super::target::{self, Target};
use super::{input, print, project};
use crate::audit::{Audit, OwnModule, Report, Verdict, json, junit, text};
use crate::catalogue::Code;
use crate::limits::Limits;

/// Runs it.
///
/// # Errors
/// If the module cannot be read, or the report cannot be written.
pub fn run(args: AuditArgs) -> Result<u8, Problem> {
    let mut audit = Audit::new().host_program("/proc/self/exe");
    if let Some(path) = &args.module {
        audit = audit.module(own(path, &args)?);
    }
    let report = audit.run();
    let strict = !args.no_strict;
    let format = match args.json {
        true => AuditFormat::Json,
        false => args.format,
    };
    let written = match format {
        AuditFormat::Text => text::render(&report, args.verbose),
        AuditFormat::Json => json::render(&report)
            .map_err(|e| Problem::doing(Code::OutputFailed, "the report cannot be written", e))?,
        AuditFormat::Junit => junit::render(&report, strict),
    };
    let code = code(&report, strict);
    match &args.output {
        Some(path) => {
            let doing = || format!("cannot write {}", path.display());
            fs::write(path, written).map_err(|e| Problem::doing(Code::OutputFailed, doing(), e))?;
            Console::plain().report(&text::summary(&report));
        }
        None => _ = print(written.as_bytes())?,
    }
    Ok(code)
}

fn code(report: &Report, strict: bool) -> u8 {
    match report.verdict {
        Verdict::Proved => exit::DONE,
        Verdict::Broken => exit::ITEM_FAILED,
        Verdict::Incomplete if strict => exit::PROTECTION,
        Verdict::Incomplete => exit::DONE,
    }
}

fn own(given: &Path, args: &AuditArgs) -> Result<OwnModule, Problem> {
    let mut limits = Limits::new().timeout(args.timeout);
    if let Some(bytes) = args.memory {
        limits.memory_bytes = bytes;
    }
    let target = match &args.function {
        Some(function) => Target {
            module: given.to_owned(),
            function: Some(function.clone()),
        },
        None => target::split(given.as_os_str(), Path::exists)?,
    };
    let path = &project::module(&target.module, &Console::plain())?;
    let bytes = input::bytes(path, limits.module_bytes)
        .map_err(|e| Problem::unreadable(input::name(path), e))?;
    Ok(OwnModule {
        bytes,
        function: target.function,
        items: args.items.iter().map(|item| as_json(item)).collect(),
        limits,
    })
}

/// An item as `map` takes it: what is not valid JSON is a string.
fn as_json(item: &str) -> String {
    match serde_json::from_str::<IgnoredAny>(item) {
        Ok(_) => item.to_owned(),
        Err(_) => serde_json::Value::from(item).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::report::Machine;
    use crate::audit::{Check, Outcome};

    fn report(outcome: Outcome) -> Report {
        let check = Check {
            family: "time".into(),
            name: "spin".into(),
            requested: "an item ends".into(),
            enforced_by: "SIGKILL".into(),
            proof: "killed".into(),
            outcome,
            overshoot: None,
            took: std::time::Duration::ZERO,
        };
        Report::new(Machine::here(), Vec::new(), Vec::new(), vec![check])
    }

    #[test]
    fn only_what_is_missing_is_forgiven() {
        let missing = || Outcome::Unavailable("no landlock".into());
        for (outcome, strict, expected) in [
            (Outcome::Held, true, exit::DONE),
            (Outcome::Held, false, exit::DONE),
            (Outcome::Broken, true, exit::ITEM_FAILED),
            (Outcome::Broken, false, exit::ITEM_FAILED),
            (missing(), true, exit::PROTECTION),
            (missing(), false, exit::DONE),
        ] {
            let report = report(outcome);
            assert_eq!(code(&report, strict), expected, "{report:?}, {strict}");
        }
    }

    #[test]
    fn items_are_json_or_become_it() {
        for (item, expected) in [("7", "7"), ("[1,2]", "[1,2]"), ("a\"b", "\"a\\\"b\"")] {
            assert_eq!(as_json(item), expected);
        }
    }
}
