//! An audit's report as JSON: one object, for programs.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "machine": {"wasmpool": "0.1.0", "kernel": "6.18.44", "architecture": "x86_64", "processors": 2, "user": 1000,
//!               "filtered": false},
//!   "verdict": "incomplete",
//!   "layers": [
//!     {"name": "seccomp", "around": "worker", "required": true, "state": "in-force", "detail": ""},
//!     {"name": "namespaces", "around": "worker", "required": true, "state": "unavailable", "reason": "…", "detail": ""}
//!   ],
//!   "allowed": [
//!     {"around": "worker", "call": "madvise", "only": "argument 2 is 0x4", "why": "instances: used memory is given back"}
//!   ],
//!   "checks": [
//!     {"family": "files", "name": "openat", "requested": "open a file", "enforced_by": "seccomp",
//!      "proof": "killed by SIGSYS at openat", "outcome": "held", "overshoot": null, "took_ms": 1.234}
//!   ]
//! }
//! ```
//!
//! `allowed` is all that such a process may ask of the kernel; `only` says with which arguments, and is empty for any.
//! `verdict` is `proved`, `broken` or `incomplete`; `state` is `in-force` or `unavailable`; `outcome` is `held`, `broken`,
//! `unavailable` or `skipped`. `reason` stands beside `unavailable` and `skipped`. [`SCHEMA`](super::report::SCHEMA) says
//! what its number promises. It can be read back with serde as a [`Report`].

use super::report::Report;

/// The report, indented, with a newline at its end.
///
/// ```
/// # use wasmpool::audit::{Report, report::Machine};
/// let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
/// let text = wasmpool::audit::json::render(&report)?;
/// // It is read back by serde.
/// assert_eq!(serde_json::from_str::<Report>(&text)?, report);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// None that a report can cause; what serde says otherwise.
pub fn render(report: &Report) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::report::tests::mixed;
    use super::*;

    #[test]
    fn a_report_survives_being_written() {
        let report = mixed();
        let text = render(&report).expect("plain data");
        assert!(text.ends_with("}\n"));
        let read: Report = serde_json::from_str(&text).expect("what was written");
        assert_eq!(read, report);
    }

    #[test]
    fn the_names_are_those_that_are_documented() {
        let text = render(&mixed()).expect("plain data");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["schema"], 1);
        assert_eq!(value["verdict"], "broken");
        let layer = json!({"name": "seccomp", "around": "worker", "required": true, "state": "in-force", "detail": ""});
        assert_eq!(value["layers"][0], layer);
        assert_eq!(value["layers"][1]["state"], "unavailable");
        assert!(value["layers"][1]["reason"].is_string());
        let allowed = json!({
            "around": "worker", "call": "mmap", "only": "argument 2 & 0x4 is 0x0", "why": "large allocations",
        });
        assert_eq!(value["allowed"][0], allowed);
        let check = json!({
            "family": "files", "name": "openat", "requested": "open a file", "enforced_by": "seccomp",
            "proof": "killed by SIGSYS at openat", "outcome": "held", "overshoot": null, "took_ms": 1.234,
        });
        assert_eq!(value["checks"][0], check);
        assert_eq!(value["checks"][4]["outcome"], "skipped");
        assert_eq!(value["checks"][4]["reason"], "not built in");
    }
}
