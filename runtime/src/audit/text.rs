//! An audit's report as text: a line a layer and a line a check, for people. Plain ASCII marks, no colours, at most
//! [`COLUMNS`] columns.
//!
//! What does not fit its column is cut, with `..` at its end; nothing is cut in [`json`](super::json). What was seen, and
//! why something is not there, stands in full on lines of its own where it does not fit.

use std::fmt::Write;

use super::report::{Check, LayerLine, LayerState, Outcome, Report, Verdict};
use crate::text::printable;

/// No line is longer.
pub const COLUMNS: usize = 100;

/// The longest text that is shown, in bytes.
const LONGEST: usize = 2_000;

/// Where the text of a line begins, behind its mark.
const INDENT: usize = 7;

/// The report, with a newline at its end. `every`: native probes that held have a line each, too, and are not just
/// counted.
///
/// ```
/// # use wasmpool::audit::{Report, report::Machine};
/// # let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
/// let text = wasmpool::audit::text::render(&report, true);
/// assert!(text.lines().all(|line| line.chars().count() <= wasmpool::audit::text::COLUMNS));
/// ```
pub fn render(report: &Report, every: bool) -> String {
    let mut out = String::new();
    head(&mut out, report);
    layers(&mut out, &report.layers);
    allowed(&mut out, report);
    for (family, checks) in report.families() {
        let held = checks.iter().filter(|c| c.outcome == Outcome::Held).count();
        let _ = writeln!(out, "\n{}: {held} of {} held", line(family), checks.len());
        let native = family.contains('/');
        let shown = |check: &&Check| every || !native || check.outcome != Outcome::Held;
        let shown: Vec<_> = checks.iter().filter(shown).collect();
        table(&mut out, &shown, !native);
    }
    out.push('\n');
    out.push_str(&summary(report));
    out
}

fn head(out: &mut String, report: &Report) {
    let machine = &report.machine;
    let filtered = match machine.filtered {
        true => ", inside another filter of system calls",
        false => "",
    };
    let text = format!(
        "wasmpool {}, Linux {} on {}, {} processors, user {}{filtered}",
        machine.wasmpool, machine.kernel, machine.architecture, machine.processors, machine.user
    );
    wrap(out, &text, 0);
}

fn layers(out: &mut String, layers: &[LayerLine]) {
    if layers.is_empty() {
        return;
    }
    out.push_str("\nlayers\n");
    let rows: Vec<[String; 3]> = layers
        .iter()
        .map(|layer| [line(&layer.name), line(&layer.around), line(&layer.detail)])
        .collect();
    let widths = widths(&rows);
    for (layer, row) in layers.iter().zip(&rows) {
        match &layer.state {
            LayerState::InForce => cells(out, "ok", row, &widths),
            LayerState::Unavailable(reason) => {
                let mark = if layer.required { "NONE" } else { "none" };
                cells(out, mark, row, &widths);
                wrap(out, reason, INDENT);
            }
        }
    }
}

fn allowed(out: &mut String, report: &Report) {
    for calls in report.allowed.chunk_by(|a, b| a.around == b.around) {
        let names: Vec<_> = calls.iter().map(|call| line(&call.call)).collect();
        let (count, around) = (names.len(), line(&calls[0].around));
        let plural = if count == 1 { "" } else { "s" };
        let _ = writeln!(out, "\nallowed to a {around}: {count} system call{plural}");
        wrap(out, &names.join(" "), INDENT);
    }
}

fn table(out: &mut String, checks: &[&Check], stacked: bool) {
    let rows: Vec<[String; 4]> = checks
        .iter()
        .map(|check| {
            let mut proof = line(&check.proof);
            if let Some(overshoot) = &check.overshoot {
                let _ = write!(proof, ", {} over", line(overshoot));
            }
            let (name, requested) = (line(&check.name), line(&check.requested));
            [name, requested, line(&check.enforced_by), proof]
        })
        .collect();
    // What was seen has lines of its own, if it would have to be cut otherwise.
    let stacked = stacked && !fits(&rows);
    let first: Vec<[String; 3]> = rows
        .iter()
        .map(|[a, b, c, _]| [a.clone(), b.clone(), c.clone()])
        .collect();
    let (widths, widths_first) = (widths(&rows), widths(&first));
    for ((check, row), first) in checks.iter().zip(&rows).zip(&first) {
        let (mark, reason) = match &check.outcome {
            Outcome::Held => ("ok", None),
            Outcome::Broken => ("BROKEN", None),
            Outcome::Unavailable(reason) => ("none", Some(reason)),
            Outcome::Skipped(reason) => ("skip", Some(reason)),
        };
        match stacked {
            true => cells(out, mark, first, &widths_first),
            false => cells(out, mark, row, &widths),
        }
        match reason {
            Some(reason) => wrap(out, reason, INDENT),
            None if stacked || check.outcome == Outcome::Broken => wrap(out, &row[3], INDENT),
            None => {}
        }
    }
}

/// How many checks came to what, and the verdict: two lines.
///
/// ```
/// # use wasmpool::audit::{Report, report::Machine};
/// # let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
/// let summary = wasmpool::audit::text::summary(&report);
/// assert!(summary.starts_with("0 checks: 0 held"));
/// ```
pub fn summary(report: &Report) -> String {
    let mut out = String::new();
    let counts = report.counts();
    let _ = writeln!(
        out,
        "{} checks: {} held, {} broken, {} unavailable, {} skipped",
        counts.all(),
        counts.held,
        counts.broken,
        counts.unavailable,
        counts.skipped
    );
    let meaning = match report.verdict {
        Verdict::Proved => "every protection that was asked for is in force and held",
        Verdict::Broken => "something worked that must not: do not run code you do not trust here",
        Verdict::Incomplete => "a protection that was asked for is not available, or not shown",
    };
    let _ = writeln!(out, "verdict: {} ({meaning})", report.verdict);
    out
}

/// Fit for one line of a terminal.
fn line(text: &str) -> String {
    printable(text, LONGEST)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// What each column needs.
fn needed<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    let mut widths = [0; N];
    for (at, width) in widths.iter_mut().enumerate() {
        let needed = rows.iter().map(|row| row[at].chars().count()).max();
        *width = needed.unwrap_or(0).min(COLUMNS);
    }
    widths
}

/// Columns of a line that has so many cells.
fn room(cells: usize) -> usize {
    COLUMNS - INDENT - 2 * cells.saturating_sub(1)
}

/// Whether a line has room for what each column needs.
fn fits<const N: usize>(rows: &[[String; N]]) -> bool {
    needed(rows).iter().sum::<usize>() <= room(N)
}

/// What each column needs, if a line has room for all; else the widest give way, until it has.
fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    let mut widths = needed(rows);
    while widths.iter().sum::<usize>() > room(N) {
        match widths.iter_mut().max() {
            Some(widest) => *widest -= 1,
            None => break,
        }
    }
    widths
}

fn cells<const N: usize>(out: &mut String, mark: &str, row: &[String; N], widths: &[usize; N]) {
    let mut text = format!("{mark:<INDENT$}");
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(text, "{:<width$}  ", cut(cell, *width));
    }
    out.push_str(text.trim_end());
    out.push('\n');
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(2)).collect();
    kept.push_str("..");
    kept
}

/// Writes a text on as many lines as it needs, indented.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let room = COLUMNS - indent;
    let mut used = 0;
    for word in line(text).split(' ') {
        let word = cut(word, room);
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            out.push('\n');
            used = 0;
        }
        if used == 0 {
            let _ = write!(out, "{:indent$}", "");
        } else {
            out.push(' ');
            used += 1;
        }
        out.push_str(&word);
        used += length;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{check, layer, machine, mixed};
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let expected = "\
wasmpool 0.1.0, Linux 6.18.44 on x86_64, 2 processors, user 0

layers
ok     seccomp     worker
none   namespaces  worker
       user namespaces are not allowed: EPERM

allowed to a worker: 1 system call
       mmap

files: 1 of 2 held
ok     openat  open a file  seccomp  killed by SIGSYS at openat
BROKEN creat   open a file  seccomp  killed by SIGSYS at openat
       killed by SIGSYS at openat

time: 1 of 1 held
ok     loop  an item ends after 500 ms  SIGKILL  a loop was killed, 1.8 ms over

kernel: 0 of 2 held
none   mount  open a file  seccomp  killed by SIGSYS at openat
       user namespaces are not allowed: EPERM
skip   x32    open a file  seccomp  killed by SIGSYS at openat
       not built in

5 checks: 2 held, 1 broken, 1 unavailable, 1 skipped
verdict: broken (something worked that must not: do not run code you do not trust here)
";
        assert_eq!(render(&mixed(), false), expected);
    }

    #[test]
    fn no_line_is_too_long_and_none_deceives() {
        let long = "word ".repeat(60) + &"x".repeat(300) + "\x1b[31m\n\u{202e}back";
        let mut hostile = check("files", &long, Outcome::Broken);
        hostile.requested.clone_from(&long);
        hostile.enforced_by.clone_from(&long);
        hostile.proof.clone_from(&long);
        hostile.overshoot = Some(long.clone());
        let no = LayerState::Unavailable(long.clone());
        let layers = vec![layer(&long, true, no)];
        let report = Report::new(machine(), layers, Vec::new(), vec![hostile]);
        let text = render(&report, false);
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS, "{line}");
            assert!(!line.ends_with(' '), "{line:?}");
        }
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!text.contains('\u{202e}'));
        assert!(text.contains("NONE"));
    }
}
