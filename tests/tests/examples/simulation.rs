//! Random numbers and planets, against exact and published values.

use serde_json::{Value, json};

use crate::{lines, map_with};

const SEEDS: std::ops::Range<u64> = 1..17;

/// Each estimate must be within four of its standard errors, all of them together too, and the errors must be as large
/// as they are said to be: the sum of sixteen squares has less than a thousandth outside of these bounds on each side.
#[track_caller]
fn check(estimates: &[(f64, f64)], exact: f64) {
    assert_eq!(estimates.len(), SEEDS.count());
    let off: Vec<f64> = estimates.iter().map(|(x, e)| (x - exact) / e).collect();
    assert!(off.iter().all(|z| z.abs() < 4.0), "{off:?}");
    let together = off.iter().sum::<f64>() / (off.len() as f64).sqrt();
    assert!(together.abs() < 4.0, "{together}: {off:?}");
    let squares: f64 = off.iter().map(|z| z * z).sum();
    assert!((3.9..39.3).contains(&squares), "{squares}: {off:?}");
}

pub fn pi() {
    let ran = map_with(
        "monte-carlo",
        "pi",
        &["--input", "-"],
        lines(SEEDS.map(Value::from)),
    );
    let native: Vec<String> = SEEDS
        .map(|seed| json!(monte_carlo::pi(seed)).to_string())
        .collect();
    assert_eq!(ran.lines(), native);

    let part = std::f64::consts::PI / 4.0;
    let error = 4.0 * (part * (1.0 - part) / f64::from(monte_carlo::POINTS)).sqrt();
    let estimates = ran.json();
    let estimates = estimates
        .iter()
        .map(|x| (x.as_f64().expect("a number"), error));
    check(&estimates.collect::<Vec<_>>(), std::f64::consts::PI);
}

pub fn prices() {
    // By the formula of Black and Scholes; Hull's book has 4.76.
    const EXACT: f64 = 4.759422392871532;
    let items = || SEEDS.map(|seed| json!({"seed": seed, "paths": 200_000}));
    let ran = map_with(
        "monte-carlo",
        "call-option",
        &["--input", "-"],
        lines(items()),
    );
    let native = items().map(|item| {
        let option = serde_json::from_value(item).expect("an item");
        let estimate = monte_carlo::call_option(option).expect("an option that makes sense");
        serde_json::to_string(&estimate).expect("two numbers")
    });
    assert_eq!(ran.lines(), native.collect::<Vec<_>>());

    let number = |estimate: &Value, name| estimate[name].as_f64().expect("a number");
    let estimates: Vec<(f64, f64)> = ran
        .json()
        .iter()
        .map(|e| (number(e, "value"), number(e, "standard_error")))
        .collect();
    check(&estimates, EXACT);
}

pub fn energies() {
    let runs = [(1000, 0.01), (2000, 0.005), (4000, 0.0025), (8000, 0.00125)];
    let items = runs.map(|(steps, step)| json!({"steps": steps, "step": step}));
    let energies = map_with("n-body", "energy", &["--input", "-"], lines(items)).json();
    let number = |run: usize, name| energies[run][name].as_f64().expect("a number");

    // As the benchmark game publishes them for 1000 steps.
    assert_eq!(format!("{:.9}", number(0, "before")), "-0.169075164");
    assert_eq!(format!("{:.9}", number(0, "after")), "-0.169087605");

    // A method of the first order: half the step, half the error.
    for run in 1..runs.len() {
        let (coarse, fine) = (number(run - 1, "drift"), number(run, "drift"));
        assert!((1.8..2.2).contains(&(coarse / fine)), "{coarse} {fine}");
    }
}
