//! `wasmpool bench` as its users run it: that it works. Of what it measures only ratios within one run are looked at, with
//! bounds that are passed by far, and by none of the noise of a busy machine.

use std::process::ExitCode;

use wasmpool::bench::{ROWS, Report, State, find};
use wasmpool_tests::{Suite, root, temporary, wasmpool, well_formed};

fn main() -> ExitCode {
    Suite::new()
        .test("every_row", every_row)
        .test("nothing_costs_many_times_what_it_should", guard)
        .test("one_row", one_row)
        .test("text", text)
        .test("list", list)
        .test("usage", usage)
        .test("the_comparison_asks_for_rows", the_comparison_asks_for_rows)
        .run()
}

fn report(json: &str) -> Report {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// Whether a row has numbers that can be right.
#[track_caller]
fn measured(report: &Report, id: &str) {
    let line = report.line(id).unwrap_or_else(|| panic!("no row {id}"));
    assert_eq!(line.state, State::Measured, "{line:?}");
    assert!(line.samples > 0, "{line:?}");
    let numbers = [line.p10, line.median, line.p90, line.p99];
    let numbers = numbers.map(|n| n.unwrap_or_else(|| panic!("{line:?}")));
    assert!(numbers.is_sorted() && numbers.iter().all(|n| n.is_finite()));
    let is_time_of_something = !id.starts_with("overshoot") && !id.starts_with("host-");
    assert!(!is_time_of_something || numbers[0] > 0.0, "{line:?}");
}

fn every_row() {
    let folder = temporary();
    let picture = folder.text("bench.svg");
    let ran = wasmpool(["bench", "--quick", "--format", "json", "--plot", &picture]);
    let ran = ran.run().exits(0);
    assert_eq!(ran.stderr, "");
    let report = report(ran.text());
    assert!(report.machine.processors > 0 && !report.machine.kernel.is_empty());
    let ids: Vec<&str> = report.rows.iter().map(|line| &*line.id).collect();
    let all: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
    assert_eq!(ids, all);
    for row in ROWS {
        let line = report.line(row.id).expect("looked at above");
        // What another user's process holds in memory is not everybody's to see.
        if row.id == "idle-worker" && matches!(line.state, State::Unavailable(_)) {
            continue;
        }
        measured(&report, row.id);
        let beside = line.beside.as_ref().map(|beside| &*beside.what);
        assert_eq!(beside, row.beside, "{line:?}");
    }
    let picture = std::fs::read_to_string(&picture).expect("it was written");
    well_formed(&picture);
    assert!(picture.contains(">apply-shared<") && picture.contains("<polyline"));
}

/// What is measured, what beside it, and how many times that it may be.
const GUARDED: [(&str, &str, f64); 7] = [
    // Sending many items together must not cost more than one by one.
    ("map-auto", "map-chunk-1", 5.0),
    // What is kept warm is no dearer than what is made anew.
    ("apply-shared", "apply-process", 1.0),
    ("apply-instance", "apply-process", 1.0),
    ("start-command", "start-command-new", 3.0),
    // Each item woke one more of the idle workers: 30 to 50 times then, 7 since.
    ("item-64", "item-1", 100.0),
    ("echo", "floor-copy", 200.0),
    ("recover-trap", "floor-fork", 100.0),
];

fn guard() {
    let ids = GUARDED.iter().flat_map(|(row, beside, _)| [*row, *beside]);
    let args = ["bench", "--quick", "--format", "json"];
    let slower = || -> Vec<String> {
        let ran = wasmpool(args.into_iter().chain(ids.clone())).run().exits(0);
        let report = report(ran.text());
        let median = |id| {
            report
                .line(id)
                .and_then(|line| line.median)
                .expect("a number")
        };
        let slower = GUARDED.iter().filter_map(|(row, beside, most)| {
            let ratio = median(row) / median(beside);
            (ratio > *most).then(|| format!("{row} is {ratio:.1} x {beside}, and at most {most}"))
        });
        slower.collect()
    };
    // Once may be chance.
    let found = (0..3).map(|_| slower()).find(|slower| slower.is_empty());
    assert!(found.is_some(), "three times: {:?}", slower());
}

fn one_row() {
    let args = [
        "bench",
        "map-auto",
        "apply-process",
        "--quick",
        "--rounds",
        "2",
    ];
    let ran = wasmpool(args.iter().chain(&["--format", "json"]))
        .run()
        .exits(0);
    let report = report(ran.text());
    let ids: Vec<&str> = report.rows.iter().map(|line| &*line.id).collect();
    assert_eq!(ids, ["floor-fork", "apply-process", "map-auto"]);
    ids.iter().for_each(|id| measured(&report, id));
    // One sample a round.
    assert_eq!(report.line("map-auto").map(|line| line.samples), Some(2));

    let ran = wasmpool(["bench", "floor-fork", "--quick", "--format", "svg"]);
    well_formed(ran.run().exits(0).text());
}

fn text() {
    let ran = wasmpool(["bench", "apply-shared", "--quick"])
        .run()
        .exits(0);
    let lines = ran.lines();
    assert!(lines[0].starts_with("wasmpool "), "{ran:?}");
    let row = lines.iter().find(|line| line.starts_with("apply-shared "));
    assert!(
        row.is_some_and(|row| row.ends_with("x floor-futex")),
        "{ran:?}"
    );
}

fn list() {
    let ran = wasmpool(["bench", "--list"]).run().exits(0);
    let ids: Vec<_> = ran.lines().iter().map(|l| l.split(' ').next()).collect();
    let all: Vec<_> = ROWS.iter().map(|row| Some(row.id)).collect();
    assert_eq!(ids, all);
}

fn usage() {
    let ran = wasmpool(["bench", "aply-shared"]).run().exits(2);
    ran.says("no row `aply-shared`")
        .says("did you mean `apply-shared`?");
    wasmpool(["bench", "--rounds", "0"]).run().exits(2);
    let ran = wasmpool([
        "bench",
        "floor-spin",
        "--quick",
        "--plot",
        "/no/such/folder/x.svg",
    ]);
    ran.run()
        .exits(5)
        .says("cannot write /no/such/folder/x.svg");
}

/// The script that measures others beside it names rows, which stay.
fn the_comparison_asks_for_rows() {
    let script = std::fs::read_to_string(root().join("compare/compare.py")).expect("it is there");
    let (_, workloads) = script.split_once("WORKLOADS = {").expect("it has some");
    let (workloads, _) = workloads.split_once("\n}").expect("they end");
    let rows = workloads.lines().filter_map(|line| line.split('"').nth(3));
    let rows: Vec<&str> = rows.collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        assert!(find(row).is_some(), "there is no row {row}");
    }
}
