//! An audit's report as JUnit XML: a suite a family, and one of the layers, for continuous integration.
//!
//! What is broken is a failure. What was asked for and is not available is an error where the audit is strict, and
//! skipped otherwise; what was not asked for or not tried is skipped.

use std::fmt::Write;
use std::time::Duration;

use super::report::{Check, LayerLine, LayerState, Outcome, Report};
use crate::text::markup;

/// How a case ended, if it did not pass, with what is said of it.
enum Flaw<'a> {
    Failure(&'a str),
    Error(&'a str),
    Skipped(&'a str),
}

struct Case<'a> {
    name: String,
    took: Duration,
    flaw: Option<Flaw<'a>>,
    /// What was seen.
    output: String,
}

/// The report. `strict`: whether what is not available is an error.
///
/// ```
/// # use wasmpool::audit::{Report, report::Machine};
/// let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
/// // What is not available counts as an error where `strict` is true.
/// let xml = wasmpool::audit::junit::render(&report, true);
/// assert!(xml.starts_with("<?xml"));
/// ```
pub fn render(report: &Report, strict: bool) -> String {
    let mut suites = Vec::new();
    if !report.layers.is_empty() {
        let cases = report.layers.iter().map(|layer| layer_case(layer, strict));
        suites.push(("layers", cases.collect::<Vec<_>>()));
    }
    for (family, checks) in report.families() {
        let cases = checks.iter().map(|check| check_case(check, strict));
        suites.push((family, cases.collect()));
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = suites.iter().flat_map(|(_, cases)| cases);
    let _ = writeln!(out, "<testsuites name=\"wasmpool audit\" {}>", counts(all));
    for (family, cases) in &suites {
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {}>",
            markup(family),
            counts(cases)
        );
        for case in cases {
            append(&mut out, family, case);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn layer_case(layer: &LayerLine, strict: bool) -> Case<'_> {
    let flaw = match &layer.state {
        LayerState::InForce => None,
        LayerState::Unavailable(reason) if layer.required && strict => Some(Flaw::Error(reason)),
        LayerState::Unavailable(reason) => Some(Flaw::Skipped(reason)),
    };
    Case {
        name: format!("{} around the {}", layer.name, layer.around),
        took: Duration::ZERO,
        flaw,
        output: layer.detail.clone(),
    }
}

fn check_case(check: &Check, strict: bool) -> Case<'_> {
    let flaw = match &check.outcome {
        Outcome::Held => None,
        Outcome::Broken => Some(Flaw::Failure(&check.proof)),
        Outcome::Unavailable(reason) if strict => Some(Flaw::Error(reason)),
        Outcome::Unavailable(reason) | Outcome::Skipped(reason) => Some(Flaw::Skipped(reason)),
    };
    let mut output = match check.enforced_by.as_str() {
        "" => check.proof.clone(),
        wall => format!("{wall}: {}", check.proof),
    };
    if let Some(overshoot) = &check.overshoot {
        let _ = write!(output, ", {overshoot} over");
    }
    Case {
        name: format!("{}: {}", check.name, check.requested),
        took: check.took,
        flaw,
        output,
    }
}

fn counts<'a>(cases: impl IntoIterator<Item = &'a Case<'a>>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    let mut took = Duration::ZERO;
    for case in cases {
        tests += 1;
        took += case.took;
        match case.flaw {
            None => {}
            Some(Flaw::Failure(_)) => failures += 1,
            Some(Flaw::Error(_)) => errors += 1,
            Some(Flaw::Skipped(_)) => skipped += 1,
        }
    }
    format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{:.3}\"",
        took.as_secs_f64()
    )
}

fn append(out: &mut String, family: &str, case: &Case<'_>) {
    let _ = writeln!(
        out,
        "    <testcase classname=\"wasmpool.audit.{}\" name=\"{}\" time=\"{:.3}\">",
        markup(family),
        markup(&case.name),
        case.took.as_secs_f64()
    );
    let flaw = match case.flaw {
        None => None,
        Some(Flaw::Failure(what)) => Some(("failure", what)),
        Some(Flaw::Error(what)) => Some(("error", what)),
        Some(Flaw::Skipped(what)) => Some(("skipped", what)),
    };
    if let Some((kind, what)) = flaw {
        let _ = writeln!(out, "      <{kind} message=\"{}\"/>", markup(what));
    }
    if !case.output.is_empty() {
        let _ = writeln!(
            out,
            "      <system-out>{}</system-out>",
            markup(&case.output)
        );
    }
    out.push_str("    </testcase>\n");
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::{check, machine, mixed};
    use super::*;

    /// Reads well-formed XML of the kind that is written here, and gives its tags, closing ones left out. Knows nothing
    /// of how it was written: whatever a conforming reader would refuse, it refuses.
    fn tags(xml: &str) -> Vec<String> {
        let xml = xml
            .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
            .expect("a declaration");
        let (mut open, mut tags) = (Vec::new(), Vec::new());
        let mut rest = xml.trim_start();
        while !rest.is_empty() {
            let (text, tag) = rest.split_once('<').expect("text after the last tag");
            characters(text);
            // No `>` stands in an attribute: it is escaped there too.
            let (tag, after) = tag.split_once('>').expect("an open tag");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name.to_owned()));
            } else {
                let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
                if !tag.ends_with('/') {
                    open.push(name.to_owned());
                }
                attribute_list(attributes.trim_end_matches('/'));
                tags.push(tag.to_owned());
            }
            rest = after;
            if open.is_empty() {
                assert_eq!(rest, "\n", "more than one root");
                break;
            }
        }
        assert!(open.is_empty(), "{open:?}");
        tags
    }

    fn attribute_list(mut rest: &str) {
        while !rest.trim().is_empty() {
            let (name, after) = rest.trim_start().split_once("=\"").expect("an attribute");
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{name:?}");
            let (value, after) = after.split_once('"').expect("a closing quote");
            characters(value);
            rest = after;
        }
    }

    fn characters(text: &str) {
        for (at, c) in text.char_indices() {
            assert!(c == '\n' || !c.is_control(), "{c:?}");
            assert!(!matches!(c, '<' | '\u{fffe}' | '\u{ffff}'));
            if c == '&' {
                let entity = text[at + 1..].split_once(';').expect("an entity").0;
                let known = ["amp", "lt", "gt", "quot", "#39", "#10", "#9"];
                assert!(known.contains(&entity), "{entity}");
            }
        }
    }

    fn count(tags: &[String], name: &str) -> usize {
        tags.iter()
            .filter(|tag| tag.split([' ', '/']).next() == Some(name))
            .count()
    }

    #[test]
    fn a_suite_a_family_with_right_counts() {
        let tags = tags(&render(&mixed(), true));
        assert_eq!(
            tags[0],
            "testsuites name=\"wasmpool audit\" tests=\"7\" failures=\"1\" errors=\"1\" skipped=\"2\" time=\"0.006\""
        );
        assert_eq!(count(&tags, "testsuite"), 4);
        assert_eq!(count(&tags, "testcase"), 7);
        assert_eq!(count(&tags, "failure"), 1);
        assert_eq!(count(&tags, "error"), 1);
        assert_eq!(count(&tags, "skipped"), 2);
        let suite = "testsuite name=\"kernel\" tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"1\" time=\"0.002\"";
        assert!(tags.iter().any(|tag| tag == suite), "{tags:#?}");
    }

    #[test]
    fn without_strictness_nothing_that_is_missing_is_an_error() {
        let tags = tags(&render(&mixed(), false));
        assert_eq!(count(&tags, "error"), 0);
        assert_eq!(count(&tags, "skipped"), 3);
        assert_eq!(count(&tags, "failure"), 1);
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "]]> <a b='c' d=\"e\">&amp;\0\x1b[31m\u{fffe}\u{ffff}\u{202e}\r\n\té";
        let mut bad = check(hostile, hostile, Outcome::Broken);
        bad.proof = hostile.to_owned();
        bad.overshoot = Some(hostile.to_owned());
        let xml = render(&Report::new(machine(), vec![], vec![], vec![bad]), true);
        let tags = tags(&xml);
        assert_eq!(tags.len(), 5, "{tags:#?}");
        assert!(
            xml.contains("&amp;amp;\\u{0}\\u{1b}[31m\\u{fffe}\\u{ffff}\\u{202e}\\u{d}&#10;&#9;é")
        );
    }
}
