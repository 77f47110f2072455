//! A report of the benchmark as JSON: one object, for programs.
//!
//! ```json
//! {
//!   "schema": 1,
//!   "machine": {"wasmpool": "0.1.0", "optimised": true, "processor": "…", "processors": 2, "memory_bytes": 25769803776,
//!               "kernel": "6.18.44", "load": [0.5, 0.25, 0.0]},
//!   "rows": [
//!     {"id": "apply-shared", "group": "round trips", "what": "…", "unit": "ns", "samples": 5000, "median": 2300.0,
//!      "p10": 2100.0, "p90": 2900.0, "p99": 9000.0, "beside": {"what": "floor-futex", "ratio": 0.43},
//!      "state": "measured"}
//!   ]
//! }
//! ```
//!
//! `unit` is `ns` or `bytes`. `state` is `measured`, `unavailable` (the machine does not offer what it takes) or `failed`
//! (something is wrong); beside the last two stands `reason`, the numbers are `null`, and `samples` is 0. `beside` is
//! `null` where there is nothing to compare with. [`SCHEMA`](super::report::SCHEMA) says what its number promises. It can
//! be read back with serde as a [`Report`].

use serde_json::json;

use super::report::Report;
use super::{ROWS, Row};

/// The report, indented, with a newline at its end.
///
/// ```
/// use wasmpool::bench::{Machine, Report, report::SCHEMA};
///
/// let report = Report { schema: SCHEMA, machine: Machine::here(), rows: Vec::new() };
/// let text = wasmpool::bench::json::render(&report)?;
/// assert_eq!(serde_json::from_str::<Report>(&text)?.rows.len(), 0);
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

/// Every row that there is, and what it measures: an array.
///
/// ```
/// let rows = wasmpool::bench::json::list();
/// assert_eq!(rows[0]["id"], "floor-spin");
/// ```
pub fn list() -> serde_json::Value {
    let each = |row: &Row| json!({"id": row.id, "group": row.group, "what": row.what(false)});
    ROWS.iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::report::tests::mixed;
    use super::*;

    #[test]
    fn it_can_be_read_back() {
        let text = render(&mixed()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), mixed());
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], 1);
        let apply = json!({
            "id": "apply-shared", "group": "round trips", "what": "what apply-shared is", "unit": "ns", "samples": 3,
            "median": 3000.0, "p10": 2000.0, "p90": 4000.0, "p99": 4000.0,
            "beside": {"what": "floor-futex", "ratio": 0.5}, "state": "measured",
        });
        assert_eq!(value["rows"][1], apply);
        assert_eq!(value["rows"][2]["state"], "failed");
        assert_eq!(value["rows"][2]["reason"], "the sum is wrong");
        assert_eq!(value["rows"][2]["median"], Value::Null);
    }
}
