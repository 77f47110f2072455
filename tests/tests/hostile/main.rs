//! Guests that attack. Each must end as it says itself, and nobody else may notice: the items beside it have their
//! results, no process is left, and nothing that it wrote commands a terminal.

mod broken;
mod compile;
mod oracle;

use std::process::ExitCode;

use serde_json::Value;
use wasmpool::mode::Isolation;
use wasmpool_tests::{Became, Expected, Guest, Ran, Suite, hostile_guests};

use oracle::{Ours, run};

fn main() -> ExitCode {
    let ours = Ours::now();
    let mut suite = Suite::new();
    for guest in hostile_guests() {
        suite = suite.test(guest.full_name(), move || attack(&guest));
    }
    suite = compile::add(suite);
    suite = broken::add(suite);
    let code = suite.run();
    match ours.is_left() {
        Ok(()) => code,
        Err(difference) => {
            eprintln!("the suite left something behind: {difference}");
            ExitCode::FAILURE
        }
    }
}

fn attack(guest: &Guest) {
    match (&guest.expected, guest.options()) {
        (Expected::Fresh(value), options) => {
            let options = options.expect("limits that the program has an option for");
            apart(guest, value, &options);
        }
        (Expected::Refused(says), Some(options)) => {
            let ran = map(guest, &guest.items(), "shared", &options).exits(3);
            assert_eq!(ran.text(), "");
            assert!(ran.stderr.lines().any(|line| line.starts_with("error[")));
            shows(guest, &ran.says(says));
        }
        (Expected::Refused(says), None) => {
            let error = guest.run_in_pool(Isolation::Shared).expect_err("refused");
            assert!(error.to_string().contains(says), "{error}");
        }
        (_, Some(options)) => {
            let ran = map(guest, &guest.items(), "shared", &options);
            let failed = matches!(guest.expected, Expected::Fails(..));
            let ran = ran.exits(i32::from(failed));
            guest.check(&became(&ran));
            shows(guest, &ran);
        }
        (_, None) => {
            let became = guest.run_in_pool(Isolation::Shared);
            guest.check(&became.expect("the module can be used"));
        }
    }
}

fn shows(guest: &Guest, ran: &Ran) {
    for text in &guest.stderr {
        assert!(ran.stderr.contains(text), "no `{text}` in {ran:?}");
    }
}

/// Runs items through the program, in one chunk.
fn map(guest: &Guest, items: &[&str], isolation: &str, options: &[String]) -> Ran {
    let target = format!("{}:{}", guest.path, guest.function);
    let mut args = vec!["map", &target, "--workers", "1", "--chunk-size", "4"];
    args.extend(["--isolation", isolation, "--on-error", "continue"]);
    args.extend(["--output", "records"]);
    args.extend(options.iter().map(String::as_str));
    args.extend(items);
    run(&args)
}

/// What the records say.
fn became(ran: &Ran) -> Vec<Became> {
    let records = ran.json().into_iter().enumerate();
    let became = records.map(|(index, mut record)| {
        assert_eq!(record["index"], index, "{ran:?}");
        if let Some(result) = record.get_mut("ok") {
            return Ok(result.take());
        }
        let error = &record["error"];
        let attempts = error["attempts"].as_u64();
        assert!(attempts.is_some_and(|n| (1..=3).contains(&n)), "{ran:?}");
        let text = |value: &Value| value.as_str().map(str::to_owned).expect("a text");
        Err((text(&error["kind"]), text(&error["message"])))
    });
    became.collect()
}

/// What one item leaves behind, the next one must not see. Where they share an instance it does: else this would show
/// nothing.
fn apart(guest: &Guest, expected: &Value, options: &[String]) {
    for isolation in ["instance", "process"] {
        let ran = map(guest, &["1", "2", "3", "4"], isolation, options).exits(0);
        for result in became(&ran) {
            assert_eq!(result.as_ref(), Ok(expected), "{isolation}: {ran:?}");
        }
        shows(guest, &ran);
    }
    let ran = map(guest, &["1", "2", "3", "4"], "shared", options);
    let seen = became(&ran);
    assert_eq!(seen.len(), 4, "{ran:?}");
    let differs = |result: &&Became| result.as_ref() != Ok(expected);
    assert!(
        seen.iter().any(|r| differs(&r)),
        "it leaks nowhere: {ran:?}"
    );
}
