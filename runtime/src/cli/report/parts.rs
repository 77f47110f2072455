//! What a report says without a script: its figures, in plain HTML. Everything of the data passes through [`markup`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::super::figures::{grouped, percent, short, size, time, whole};
use crate::text::markup;

/// So many failures can be read without a script.
const PLAIN_FAILURES: usize = 20;

/// The module's name, without the folder it is in.
fn file(data: &Value) -> &str {
    let module = data["module"].as_str().unwrap_or("");
    module.rsplit('/').next().unwrap_or(module)
}

pub fn name(data: &Value) -> String {
    let file = file(data);
    match data["function"].as_str() {
        Some(function) => format!("{file}:{function}"),
        None => file.to_owned(),
    }
}

/// How many items have failed, of all kinds.
fn failed(data: &Value) -> u64 {
    let kinds = data["counts"]["failed"].as_object();
    let counts = kinds.into_iter().flatten();
    counts.filter_map(|(_, count)| count.as_u64()).sum()
}

pub fn head(data: &Value) -> String {
    let (class, state) = match data["exit"].as_str() {
        Some("done") => ("good", "Finished"),
        Some("interrupted") => ("warn", "Interrupted"),
        Some(_) if failed(data) > 0 => ("bad", "With failures"),
        Some(_) => ("bad", "Failed"),
        None => ("", "Unknown"),
    };
    let function = match data["function"].as_str() {
        None => String::new(),
        Some(function) => format!("<span class=\"dim\">:</span>{}", markup(function)),
    };
    let (done, bad) = (number(&data["counts"]["done"]), failed(data));
    let items = match done + bad {
        1 => "1 item".to_owned(),
        items => format!("{} items", grouped(items)),
    };
    let bad = match bad {
        0 => "none failed".to_owned(),
        bad => format!("<strong class=\"bad\">{} failed</strong>", grouped(bad)),
    };
    let workers = match slots(data) {
        0 => String::new(),
        1 => " by 1 worker".to_owned(),
        slots => format!(" by {} workers", grouped(slots)),
    };
    let took = time(number(&data["ended"]));
    let started = started(data).map_or(String::new(), |when| {
        format!(
            "<time datetime=\"{when}\">{}</time>",
            when.replace('T', " ").replace('Z', " UTC")
        )
    });
    format!(
        "<p class=\"state\"><span class=\"badge {class}\">{state}</span> {started}</p>\n\
         <h1 class=\"guest\">{}{function}</h1>\n\
         <p class=\"lead\">{items} in <strong>{took}</strong>{workers}, {bad}.</p>",
        markup(file(data))
    )
}

fn started(data: &Value) -> Option<String> {
    let seconds = data["started_unix"].as_f64()?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    let when = UNIX_EPOCH.checked_add(since)?;
    // What it cannot write down is beyond the year 9999.
    (seconds < 253_000_000_000.0).then(|| humantime::format_rfc3339_seconds(when).to_string())
}

/// How many workers there were at once, at most.
fn slots(data: &Value) -> u64 {
    let workers = data["workers"].as_array();
    let slots = workers.into_iter().flatten();
    let slots: BTreeSet<_> = slots.filter_map(|w| w["slot"].as_u64()).collect();
    slots.len() as u64
}

pub fn tiles(data: &Value) -> String {
    let counts = &data["counts"];
    let (done, bad, ended) = (
        number(&counts["done"]),
        failed(data),
        number(&data["ended"]),
    );
    let mut out = String::new();
    let mut tile = |name: &str, value: String, class: &str, note: String| {
        let _ = writeln!(
            out,
            "<div class=\"tile\"><dt>{name}</dt><dd class=\"{class}\">{value}</dd><dd class=\"note\">{note}</dd></div>"
        );
    };
    let share = |part: u64, whole: u64| match whole {
        0 => String::new(),
        _ if part == 0 => String::new(),
        whole => format!("{} of all", percent(part as f64 / whole as f64)),
    };
    let cached = match number(&counts["cached"]) {
        0 => String::new(),
        cached => format!("{} from the cache", grouped(cached)),
    };
    tile("Done", grouped(done), "", cached);
    let class = if bad > 0 { "bad" } else { "" };
    tile("Failed", grouped(bad), class, share(bad, done + bad));
    if ended > 0 {
        let rate = (done + bad) as f64 / (ended as f64 / 1e9);
        tile("Throughput", short(rate), "", "items a second".into());
    }
    let latency = &data["latency"];
    if number(&latency["count"]) > 0 {
        let note = format!("99 % within {}", time(number(&latency["p99"])));
        tile("Median item", time(number(&latency["p50"])), "", note);
    }
    if let Some(cpu) = counts["cpu"].as_u64() {
        let note = match ended {
            0 => String::new(),
            ended => format!("{:.1} processors busy", cpu as f64 / ended as f64),
        };
        tile("Processor time", time(cpu), "", note);
    }
    if let Some(peak) = peak(data) {
        tile(
            "Peak memory",
            size(peak),
            "",
            "of all workers together".into(),
        );
    }
    let replaced = number(&counts["workers_replaced"]);
    let note = match replaced {
        0 => "none replaced".into(),
        replaced => format!("{} replaced", grouped(replaced)),
    };
    tile(
        "Workers started",
        grouped(number(&counts["workers_started"])),
        "",
        note,
    );
    let note = format!("{} out", size(number(&counts["bytes_out"])));
    tile("Data in", size(number(&counts["bytes_in"])), "", note);
    out
}

/// The most that all workers held at one time.
fn peak(data: &Value) -> Option<u64> {
    let samples = data["memory"].as_array()?;
    samples.iter().filter_map(|sample| sample[1].as_u64()).max()
}

pub fn quantiles(latency: &Value) -> String {
    if number(&latency["count"]) == 0 {
        return "<p class=\"none\">No item was run.</p>".into();
    }
    let mut out = String::from("<dl class=\"figures\">\n");
    for (key, name) in [
        ("min", "shortest"),
        ("p50", "half within"),
        ("p90", "90 % within"),
        ("p99", "99 % within"),
        ("max", "longest"),
    ] {
        let value = time(number(&latency[key]));
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out + "</dl>"
}

pub fn kinds(data: &Value) -> String {
    let kinds = data["counts"]["failed"].as_object();
    let kinds = kinds.into_iter().flatten();
    let kinds: Vec<_> = kinds
        .filter_map(|(kind, count)| Some((kind.clone(), count.as_u64()?)))
        .collect();
    bars(kinds, "bad", "No item failed.")
}

/// Why workers were replaced.
pub fn ends(data: &Value) -> String {
    let mut counts = BTreeMap::<String, u64>::new();
    for worker in data["workers"].as_array().into_iter().flatten() {
        // The end of its pool is no reason of its own.
        if let Some(why) = worker["why"].as_str().filter(|why| *why != "closed") {
            *counts.entry(why.to_owned()).or_default() += 1;
        }
    }
    bars(
        counts.into_iter().collect(),
        "warn",
        "No worker ended before the job did.",
    )
}

/// Counts with their names, the largest first.
fn bars(mut counts: Vec<(String, u64)>, class: &str, none: &str) -> String {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let Some(largest) = counts.first().map(|(_, count)| *count) else {
        return format!("<p class=\"none\">{none}</p>");
    };
    let mut out = String::from("<table class=\"bars\">\n");
    for (name, count) in counts {
        let width = 100.0 * count as f64 / largest as f64;
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"guest\">{}</th><td><svg class=\"bar {class}\" aria-hidden=\"true\">\
             <rect width=\"{width:.2}%\" height=\"100%\" rx=\"3\"/></svg></td><td class=\"n\">{}</td></tr>",
            markup(&name),
            grouped(count)
        );
    }
    out + "</table>"
}

/// The first failures, for who runs no scripts.
pub fn failures(data: &Value) -> String {
    let failures = data["failures"].as_array().map_or(&[][..], Vec::as_slice);
    if failures.is_empty() {
        return "<p class=\"none\">No item failed.</p>".into();
    }
    let mut out = String::from("<ol class=\"plain\">\n");
    for failure in failures.iter().take(PLAIN_FAILURES) {
        let word = |key: &str| markup(failure[key].as_str().unwrap_or(""));
        let name = match failure["name"].as_str() {
            Some(name) => format!(" ({})", markup(name)),
            None => String::new(),
        };
        let _ = write!(
            out,
            "<li class=\"guest\">item {}{name}: {}: {}",
            number(&failure["index"]),
            word("kind"),
            word("message")
        );
        let frames = failure["backtrace"].as_array().into_iter().flatten();
        for frame in frames.filter_map(Value::as_str) {
            let _ = write!(out, "\n    {}", markup(frame));
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    let all = number(&data["failures_left_out"]) + failures.len() as u64;
    if all > PLAIN_FAILURES as u64 {
        let _ = writeln!(
            out,
            "<p>The first {PLAIN_FAILURES} of {}.</p>",
            grouped(all)
        );
    }
    out
}

pub fn limits(limits: &Value) -> String {
    let empty = Map::new();
    let limits = limits.as_object().unwrap_or(&empty);
    if limits.is_empty() {
        return "<p class=\"none\">Not recorded.</p>".into();
    }
    let mut out = String::from("<table>\n");
    for (key, value) in limits {
        let (key, value) = limit(key, value);
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td></tr>",
            markup(&key),
            markup(&value)
        );
    }
    out + "</table>"
}

/// A limit in words: the unit is the end of its name.
fn limit(key: &str, value: &Value) -> (String, String) {
    let words = |key: &str| key.replace('_', " ");
    match (key, value.as_u64(), value) {
        (_, _, Value::Null) => (words(key), "none".into()),
        (key, Some(nanos), _) if key.ends_with("_ns") => {
            (words(&key[..key.len() - 3]), whole(&time(nanos)))
        }
        (key, Some(bytes), _) if key.ends_with("_bytes") => {
            (words(&key[..key.len() - 6]), whole(&size(bytes)))
        }
        (_, Some(count), _) => (words(key), grouped(count)),
        (_, None, Value::Bool(on)) => (words(key), if *on { "yes" } else { "no" }.into()),
        (_, None, Value::String(value)) => (words(key), value.clone()),
        (_, None, other) => (words(key), other.to_string()),
    }
}

pub fn layers(layers: &Value) -> String {
    let layers = layers.as_array().map_or(&[][..], Vec::as_slice);
    if layers.is_empty() {
        return "<p class=\"none\">Not recorded.</p>".into();
    }
    let mut out = String::from("<table>\n");
    for layer in layers {
        let state = layer["state"].as_str().unwrap_or("");
        let class = match state {
            "in force" => "good",
            "not available" => "warn",
            _ => "",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\"><span class=\"badge {class}\">{}</span></td></tr>",
            markup(layer["name"].as_str().unwrap_or("")),
            markup(state)
        );
    }
    out + "</table>"
}

/// What was run, by what.
pub fn run(data: &Value) -> String {
    let words = data["command"].as_array().into_iter().flatten();
    let words: Vec<_> = words.filter_map(Value::as_str).map(quoted).collect();
    let mut out = String::new();
    if !words.is_empty() {
        let _ = writeln!(
            out,
            "<pre class=\"command guest\" tabindex=\"0\">{}</pre>",
            markup(&words.join(" "))
        );
    }
    out.push_str("<table>\n");
    for (key, name) in [
        ("program", "program"),
        ("engine", "engine"),
        ("module", "module"),
    ] {
        if let Some(value) = data[key].as_str() {
            let value = markup(value);
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{name}</th><td class=\"guest\">{value}</td></tr>"
            );
        }
    }
    let counts = &data["counts"];
    for (key, name) in [("chunks", "chunks"), ("run_again", "items run again")] {
        if let Some(count) = counts[key].as_u64() {
            let count = grouped(count);
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{name}</th><td>{count}</td></tr>"
            );
        }
    }
    out + "</table>"
}

/// A word as a shell would take it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=:,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Nothing of the data is needed for there to be a page.
    #[test]
    fn what_is_missing_is_left_out() {
        for data in [
            json!({}),
            json!(null),
            json!([1]),
            json!({"counts": 3, "workers": "x", "latency": []}),
        ] {
            assert!(head(&data).contains("0 items"));
            assert!(!tiles(&data).contains("Median"));
            assert_eq!(failures(&data), "<p class=\"none\">No item failed.</p>");
            assert!(limits(&data["limits"]).contains("Not recorded"));
            assert!(!run(&data).contains("<pre"));
        }
    }

    #[test]
    fn the_head_says_how_it_ended() {
        let check = |exit: &str, failed: u64, state: &str| {
            let counts = json!({"done": 4, "failed": {"trap": failed}});
            let data = json!({"exit": exit, "module": "a/b.wasm", "counts": counts, "ended": 2_000_000_000});
            let head = head(&data);
            assert!(head.contains(&format!(">{state}</span>")), "{head}");
            assert!(head.contains("b.wasm") && !head.contains("a/"), "{head}");
            assert!(
                head.contains(&format!("{} items in <strong>2.00 s</strong>", 4 + failed)),
                "{head}"
            );
        };
        check("done", 0, "Finished");
        check("failed", 2, "With failures");
        check("failed", 0, "Failed");
        check("interrupted", 1, "Interrupted");
    }

    #[test]
    fn the_start_is_written_as_a_date() {
        let date = |seconds: f64| started(&json!({"started_unix": seconds}));
        assert_eq!(date(0.0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(
            date(1_763_917_239.5).as_deref(),
            Some("2025-11-23T17:00:39Z")
        );
        for nonsense in [-1.0, 1e12, 1e300] {
            assert_eq!(date(nonsense), None);
        }
    }

    #[test]
    fn limits_have_units() {
        for (key, value, expected) in [
            ("timeout_ns", json!(2_000_000_000_u64), ("timeout", "2 s")),
            ("memory_bytes", json!(268_435_456), ("memory", "256 MiB")),
            (
                "table_elements",
                json!(100_000),
                ("table elements", "100,000"),
            ),
            ("fuel", json!(null), ("fuel", "none")),
            ("strict", json!(true), ("strict", "yes")),
            ("mode", json!("x"), ("mode", "x")),
        ] {
            let (name, shown) = limit(key, &value);
            assert_eq!((name.as_str(), shown.as_str()), expected);
        }
    }

    #[test]
    fn the_largest_count_comes_first_and_is_the_whole_width() {
        let table = bars(
            vec![("a".into(), 1), ("b".into(), 4), ("c".into(), 0)],
            "bad",
            "none",
        );
        let (a, b) = (table.find(">a<").unwrap(), table.find(">b<").unwrap());
        assert!(b < a && !table.contains(">c<"), "{table}");
        assert!(
            table.contains("width=\"100.00%\"") && table.contains("width=\"25.00%\""),
            "{table}"
        );
        assert!(bars(Vec::new(), "bad", "none at all").contains("none at all"));
    }

    #[test]
    fn a_command_is_shown_as_a_shell_would_take_it() {
        for (word, expected) in [
            ("a.wasm:f", "a.wasm:f"),
            ("*.png", "'*.png'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn who_runs_no_scripts_reads_the_first_failures() {
        let failure = |index| json!({"index": index, "name": "a.txt", "kind": "trap", "message": "m", "backtrace": ["f"]});
        let list: Vec<_> = (0..30).map(failure).collect();
        let shown = failures(&json!({"failures": list, "failures_left_out": 5}));
        assert!(
            shown.contains("item 19 (a.txt): trap: m\n    f</li>"),
            "{shown}"
        );
        assert!(
            !shown.contains("item 20 ") && shown.contains("The first 20 of 35."),
            "{shown}"
        );
    }
}
