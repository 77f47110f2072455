//! What is printed of an outcome.

use std::io::Write;

use super::args::Format;
use super::json::{NotJson, append_line, append_shown, append_string};
use crate::failure::{Failure, FailureKind};
use crate::pool::options::Outcome;

/// How outcomes are printed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// What of them.
    pub format: Format,
    /// Whether an item that failed has a line of its own among values.
    pub null_for_failed: bool,
    /// Whether they go to a terminal, which could be deceived.
    pub terminal: bool,
}

impl Style {
    /// Appends what is printed of an outcome. Returns why the item has failed, if it has: also if what it gave is not
    /// JSON where JSON is to be printed.
    pub fn append(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Option<Failure> {
        match self.format {
            Format::Values => self.values(out, outcome),
            Format::Records => self.record(out, outcome),
            Format::Raw => self.raw(out, outcome),
        }
    }

    fn values(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Option<Failure> {
        let failure = self.append_values(out, outcome).err();
        if failure.is_some() && self.null_for_failed {
            out.extend_from_slice(b"null\n");
        }
        failure
    }

    fn append_values(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Result<(), Failure> {
        let not_json = |_: NotJson| not_json(outcome);
        for value in &outcome.emitted {
            append_line(out, value, self.terminal).map_err(not_json)?;
            out.push(b'\n');
        }
        let result = outcome.result.as_ref().map_err(Clone::clone)?;
        // A generator that gave its values has nothing to say at its end.
        if outcome.emitted.is_empty() || result.trim_ascii() != b"null" {
            append_line(out, result, self.terminal).map_err(not_json)?;
            out.push(b'\n');
        }
        Ok(())
    }

    fn record(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Option<Failure> {
        let _ = write!(out, "{{\"index\":{}", outcome.index);
        let head = out.len();
        let failure = match self.append_record_values(out, outcome) {
            Ok(()) => outcome.result.as_ref().err().cloned(),
            Err(NotJson) => {
                out.truncate(head);
                Some(not_json(outcome))
            }
        };
        if let Some(failure) = &failure {
            self.append_error(out, failure);
        }
        if let Some(fuel) = outcome.fuel {
            let _ = write!(out, ",\"fuel\":{fuel}");
        }
        out.extend_from_slice(b"}\n");
        failure
    }

    fn append_record_values(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Result<(), NotJson> {
        if !outcome.emitted.is_empty() {
            out.extend_from_slice(b",\"emitted\":[");
            for (at, value) in outcome.emitted.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                append_line(out, value, self.terminal)?;
            }
            out.push(b']');
        }
        if let Ok(result) = &outcome.result {
            out.extend_from_slice(b",\"ok\":");
            append_line(out, result, self.terminal)?;
        }
        Ok(())
    }

    fn append_error(&self, out: &mut Vec<u8>, failure: &Failure) {
        let _ = write!(out, ",\"error\":{{\"kind\":\"{}\"", failure.kind);
        out.extend_from_slice(b",\"message\":");
        append_string(out, &failure.message, self.terminal);
        let _ = write!(out, ",\"attempts\":{}", failure.attempts);
        if !failure.backtrace.is_empty() {
            out.extend_from_slice(b",\"backtrace\":[");
            for (at, frame) in failure.backtrace.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                append_string(out, frame, self.terminal);
            }
            out.push(b']');
        }
        out.push(b'}');
    }

    fn raw(&self, out: &mut Vec<u8>, outcome: &Outcome) -> Option<Failure> {
        for bytes in outcome.emitted.iter().chain(&outcome.result) {
            if self.terminal {
                append_shown(out, bytes);
            } else {
                out.extend_from_slice(bytes);
            }
        }
        outcome.result.as_ref().err().cloned()
    }
}

/// Why an outcome that is not JSON is a failure: if it is one anyway, that says more.
fn not_json(outcome: &Outcome) -> Failure {
    let failed = outcome.result.as_ref().err().cloned();
    failed.unwrap_or_else(|| Failure {
        kind: FailureKind::Failed,
        message: "the task returned text that is not JSON".into(),
        backtrace: Vec::new(),
        attempts: outcome.attempts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::options::Bytes;

    fn outcome(emitted: &[&str], result: Result<&str, FailureKind>) -> Outcome {
        let bytes = |text: &str| Bytes::Owned(text.into());
        Outcome {
            index: 3,
            emitted: emitted.iter().map(|t| bytes(t)).collect(),
            result: result.map(bytes).map_err(|kind| Failure {
                kind,
                message: "it \"broke\"\n\u{202e}".into(),
                backtrace: match kind {
                    FailureKind::Trap => vec!["f".into(), "main".into()],
                    _ => Vec::new(),
                },
                attempts: 2,
            }),
            attempts: 2,
            nanos: 0,
            fuel: None,
        }
    }

    fn check(format: Format, outcome: &Outcome, expected: &str, failed: Option<FailureKind>) {
        let style = Style {
            format,
            null_for_failed: true,
            terminal: false,
        };
        let mut out = Vec::new();
        let failure = style.append(&mut out, outcome);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert_eq!(failure.map(|f| f.kind), failed);
    }

    #[test]
    fn values() {
        let check = |o: &Outcome, expected, failed| check(Format::Values, o, expected, failed);
        check(&outcome(&[], Ok("9")), "9\n", None);
        check(&outcome(&[], Ok("null")), "null\n", None);
        check(&outcome(&["1", "2"], Ok(" null")), "1\n2\n", None);
        check(&outcome(&["1"], Ok("[\n2]")), "1\n[ 2]\n", None);
        check(
            &outcome(&["1"], Err(FailureKind::Timeout)),
            "1\nnull\n",
            Some(FailureKind::Timeout),
        );
        check(
            &outcome(&["1", "x"], Ok("2")),
            "1\nnull\n",
            Some(FailureKind::Failed),
        );
        check(
            &outcome(&[], Ok("2\n3")),
            "null\n",
            Some(FailureKind::Failed),
        );
    }

    #[test]
    fn when_the_job_stops_a_failed_item_has_no_line() {
        let style = Style {
            format: Format::Values,
            null_for_failed: false,
            terminal: false,
        };
        let mut out = Vec::new();
        assert!(
            style
                .append(&mut out, &outcome(&["1"], Err(FailureKind::Trap)))
                .is_some()
        );
        assert_eq!(out, b"1\n");
    }

    #[test]
    fn records() {
        let check = |o: &Outcome, expected, failed| check(Format::Records, o, expected, failed);
        check(&outcome(&[], Ok("9")), "{\"index\":3,\"ok\":9}\n", None);
        check(
            &outcome(&["1", "[2]"], Ok("null")),
            "{\"index\":3,\"emitted\":[1,[2]],\"ok\":null}\n",
            None,
        );
        check(
            &outcome(&[], Err(FailureKind::Trap)),
            "{\"index\":3,\"error\":{\"kind\":\"trap\",\"message\":\"it \\\"broke\\\"\\n\u{202e}\",\"attempts\":2,\"backtrace\":[\"f\",\"main\"]}}\n",
            Some(FailureKind::Trap),
        );
        check(
            &outcome(&["x"], Err(FailureKind::Memory)),
            "{\"index\":3,\"error\":{\"kind\":\"memory\",\"message\":\"it \\\"broke\\\"\\n\u{202e}\",\"attempts\":2}}\n",
            Some(FailureKind::Memory),
        );
        check(
            &outcome(&["1"], Ok("9}")),
            "{\"index\":3,\"error\":{\"kind\":\"failed\",\"message\":\"the task returned text that is not JSON\",\"attempts\":2}}\n",
            Some(FailureKind::Failed),
        );
    }

    #[test]
    fn records_tell_the_fuel_where_it_is_counted() {
        for (result, expected) in [
            (Ok("9"), "{\"index\":3,\"ok\":9,\"fuel\":12}\n"),
            (
                Err(FailureKind::Failed),
                "{\"index\":3,\"error\":{\"kind\":\"failed\",\"message\":\"it \\\"broke\\\"\\n\u{202e}\",\"attempts\":2},\"fuel\":12}\n",
            ),
        ] {
            let outcome = Outcome {
                fuel: Some(12),
                ..outcome(&[], result)
            };
            let failed = result.err();
            check(Format::Records, &outcome, expected, failed);
        }
    }

    #[test]
    fn every_record_is_json_on_one_line_even_on_a_terminal() {
        let style = Style {
            format: Format::Records,
            null_for_failed: false,
            terminal: true,
        };
        let mut out = Vec::new();
        style.append(
            &mut out,
            &outcome(&["\"\u{9b}\""], Err(FailureKind::Timeout)),
        );
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(text.is_ascii(), "{text}");
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["emitted"][0], "\u{9b}");
        assert_eq!(record["error"]["message"], "it \"broke\"\n\u{202e}");
    }

    #[test]
    fn raw_bytes_are_left_alone() {
        check(
            Format::Raw,
            &outcome(&["a\n", "b"], Ok("\x1bc")),
            "a\nb\x1bc",
            None,
        );
        check(
            Format::Raw,
            &outcome(&["a"], Err(FailureKind::Memory)),
            "a",
            Some(FailureKind::Memory),
        );
    }
}
