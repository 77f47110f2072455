//! A report of the benchmark as text: a line a row, for people. No colours.

use std::fmt::Write;

use super::ROWS;
use super::report::{Line, Report, State, three_digits};
use crate::text::printable;

/// The longest reason that is shown, in bytes.
const LONGEST: usize = 500;

/// The report, with a newline at its end.
///
/// ```
/// use wasmpool::bench::{Machine, Report, report::SCHEMA};
///
/// let report = Report { schema: SCHEMA, machine: Machine::here(), rows: Vec::new() };
/// print!("{}", wasmpool::bench::text::render(&report));
/// ```
pub fn render(report: &Report) -> String {
    let mut out = report.machine.in_words();
    let longest = report.rows.iter().map(|line| line.id.len()).max();
    let width = longest.unwrap_or(0);
    let _ = writeln!(
        out,
        "\n\n{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}  beside",
        "", "median", "10 %", "90 %", "99 %", "samples"
    );
    for (group, lines) in report.groups() {
        let _ = writeln!(out, "{group}");
        for line in lines {
            out.push_str(row(line, width).trim_end());
            out.push('\n');
        }
    }
    out
}

fn row(line: &Line, width: usize) -> String {
    let reason = match &line.state {
        State::Measured => None,
        State::Unavailable(reason) => Some(("not here", reason)),
        State::Failed(reason) => Some(("FAILED", reason)),
    };
    if let Some((mark, reason)) = reason {
        let reason = printable(reason, LONGEST).replace('\n', " ");
        return format!("{:width$}  {mark}: {reason}", line.id);
    }
    let show = |number: Option<f64>| number.map_or(String::new(), |number| line.show(number));
    let beside = line.beside.as_ref().map_or(String::new(), |beside| {
        format!("{} x {}", three_digits(beside.ratio), beside.what)
    });
    format!(
        "{:width$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}  {beside}",
        line.id,
        show(line.median),
        show(line.p10),
        show(line.p90),
        show(line.p99),
        line.samples
    )
}

/// Every row that there is, and what it measures.
///
/// ```
/// assert!(wasmpool::bench::text::list().lines().any(|line| line.starts_with("apply-shared ")));
/// ```
pub fn list() -> String {
    let width = ROWS.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for rows in ROWS.chunk_by(|a, b| a.group == b.group) {
        for row in rows {
            let _ = writeln!(out, "{:width$}  {}", row.id, row.what(false));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::mixed;
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let expected = "\
wasmpool 0.1.0, Linux 6.18.44, A <fast> one, 2 processors, 24.0 GiB, load 0.50 0.25 0.00

                 median       10 %       90 %       99 %  samples  beside
floors
floor-futex     6.00 µs    5.00 µs    7.00 µs    7.00 µs        3
round trips
apply-shared    3.00 µs    2.00 µs    4.00 µs    4.00 µs        3  0.50 x floor-futex
jobs
map-auto      FAILED: the sum is wrong
memory
idle-worker   not here: <not> \"allowed\" & so on
scale
open-1          1.00 ms    1.00 ms    1.00 ms    1.00 ms        1
open-2          2.00 ms    2.00 ms    2.00 ms    2.00 ms        1
open-16         16.0 ms    16.0 ms    16.0 ms    16.0 ms        1
";
        assert_eq!(render(&mixed()), expected);
    }

    #[test]
    fn every_row_is_listed() {
        assert_eq!(list().lines().count(), ROWS.len());
        assert!(list().contains("apply-process"));
    }
}
