//! Workers and fork servers that are killed at random instants: nothing is lost, nothing comes twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use wasmpool_tests::{Random, Suite, fork_servers, module, patiently, wasmpool, workers};

const ITEMS: usize = 10_000;
const KILLS: usize = 200;
/// Steps of work in an item: a few tens of microseconds.
const STEPS: i64 = 20_000;

fn main() -> ExitCode {
    Suite::new()
        .test("workers::in_order", || workers_are_killed(&[]))
        .test("workers::unordered", || {
            workers_are_killed(&["--unordered"])
        })
        .test("workers::one_by_one", || {
            workers_are_killed(&["--chunk-size", "1"])
        })
        .test("workers::large_chunks", || {
            workers_are_killed(&["--chunk-size", "100"])
        })
        .test("the_fork_server", the_fork_server_is_killed)
        .run()
}

/// What `work` of the module gives: the same generator of numbers.
fn work(seed: i64, steps: i64) -> i64 {
    (0..steps).fold(seed, |seed, _| {
        seed.wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
    })
}

fn function() -> String {
    module("behave") + ":work"
}

/// Feeds items in as workers are killed, so that kills hit the job from its begin to its end.
fn workers_are_killed(options: &[&str]) {
    let mut random = Random::fresh(&format!("kills {options:?}"));
    let args = [
        "map",
        &function(),
        "--input",
        "-",
        "--workers",
        "4",
        "--retries",
        "1000",
    ];
    let fixed = ["--output", "records", "--stats"];
    let mut run = wasmpool([&args[..], &fixed, options].concat()).start_piped();
    let mut stdin = run.child.stdin.take().expect("a pipe");
    let stdout = BufReader::new(run.stdout());
    let reader = std::thread::spawn(move || {
        let lines = stdout.lines().map(|line| line.expect("a pipe can be read"));
        lines.collect::<Vec<_>>()
    });

    // Each is to be hit once: one that is killed may still be seen for a moment.
    let mut killed = BTreeSet::new();
    for index in 0..ITEMS {
        // What has gone wrong is told below.
        if writeln!(stdin, "[{index},{STEPS}]").is_err() {
            break;
        }
        if killed.len() < KILLS && index >= (killed.len() + 1) * (ITEMS / (KILLS + 1)) {
            std::thread::sleep(Duration::from_micros(random.number() % 3000));
            patiently("there is a worker to kill, or the run has ended", || {
                let mut found = workers(run.id());
                found.retain(|worker| !killed.contains(worker));
                let chosen = match found.len() {
                    0 => None,
                    n => Some(found[random.below(n)]).filter(|worker| worker.kill()),
                };
                killed.extend(chosen);
                (chosen.is_some() || reader.is_finished()).then_some(())
            });
        }
    }
    drop(stdin);
    let ran = run.finish();
    let lines = reader.join().expect("the reader ends");
    let ran = ran.exits(0);
    assert_eq!(killed.len(), KILLS);

    let mut seen = vec![false; ITEMS];
    for (at, line) in lines.iter().enumerate() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let index = record["index"].as_u64().expect("a record has an index") as usize;
        assert!(!seen[index], "item {index} came twice");
        seen[index] = true;
        assert_eq!(record["ok"], work(index as i64, STEPS), "{line}");
        assert!(
            options.contains(&"--unordered") || index == at,
            "{index} came as {at}"
        );
    }
    assert_eq!(lines.len(), ITEMS, "{ran:?}");
    let report = ran
        .stderr
        .lines()
        .find(|line| line.starts_with("workers: "));
    println!("kills {options:?}: {}", report.unwrap_or("no report"));
}

fn the_fork_server_is_killed() {
    let mut random = Random::fresh("the fork server");
    for _ in 0..10 {
        let args = ["map", &function(), "--input", "-", "--workers", "2"];
        let mut run = wasmpool(args).start_piped();
        let mut stdin = run.child.stdin.take().expect("a pipe");
        let writer = std::thread::spawn(move || {
            // Until nobody reads any more.
            while writeln!(stdin, "[1,{STEPS}]").is_ok() {}
        });
        let mut stdout = BufReader::new(run.stdout()).lines();
        let first = stdout
            .next()
            .expect("a result")
            .expect("a pipe can be read");
        assert_eq!(first, work(1, STEPS).to_string());
        let rest = std::thread::spawn(move || stdout.map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_micros(random.number() % 30_000));
        let servers = fork_servers(run.id());
        assert_eq!(servers.len(), 1, "a pool has one fork server");
        assert!(servers[0].kill());

        let ran = run.finish().exits(5);
        assert_eq!(
            ran.stderr.matches("error[pool-fault]: ").count(),
            1,
            "{ran:?}"
        );
        assert!(ran.stderr.contains("the fork server"), "{ran:?}");
        writer.join().expect("the writer ends");
        let rest = rest.join().expect("the reader ends");
        let expected = work(1, STEPS).to_string();
        assert!(
            rest.iter().all(|line| *line == expected),
            "a wrong or torn line"
        );
    }
}
