//! `wasmpool pipeline` and `wasmpool run`: ends of files, failures, deadlocks, interruption.

use std::process::ExitCode;

use wasmpool_tests::{Suite, Temporary, guests, patiently, temporary, wasmpool, workers};

fn main() -> ExitCode {
    Suite::new()
        .guest("ends_travel_from_the_source_on", ends_travel)
        .guest("a_process_that_fails_ends_all", failure)
        .guest("processes_that_all_wait_are_told", deadlock)
        .guest("what_cannot_run_is_refused", refused)
        .guest("ctrl_c_ends_all", ctrl_c)
        .guest("run_prints_values_as_they_come", run)
        .run()
}

fn guest() -> String {
    let guests = guests().expect("only run with guests");
    guests.join("shared.wasm").display().to_string()
}

/// A pipeline of these processes of the guest: name, function, arguments, and what they share.
fn pipeline(head: &str, processes: &[(&str, &str, &str, &str)]) -> (Temporary, String) {
    let mut text = head.to_owned();
    for (name, function, args, shares) in processes {
        let module = guest();
        text.push_str(&format!(
            "\n[[process]]\nname = '{name}'\nmodule = '{module}'\nfunction = '{function}'\nargs = {args}\n{shares}\n"
        ));
    }
    let folder = temporary();
    let path = folder.write("p.toml", &text);
    (folder, path)
}

const QUEUES: &str = "[queues]\na = { messages = 10 }\nb = {}\n";

fn ends_travel() {
    let (_folder, path) = pipeline(
        QUEUES,
        &[
            ("produce", "produce", "['a', 7, 1000]", "put = ['a']"),
            (
                "relay",
                "relay",
                "['a', 'b']",
                "replicas = 3\nget = ['a']\nput = ['b']",
            ),
            ("consume", "consume", "['b']", "get = ['b']"),
        ],
    );
    let lines = wasmpool(["pipeline", &path]).run().exits(0).json();
    let names: Vec<_> = lines.iter().map(|line| line["process"].as_str()).collect();
    let expected = ["produce", "relay-0", "relay-1", "relay-2", "consume"];
    assert_eq!(names, expected.map(Some));
    let relayed: u64 = (1..4).filter_map(|at| lines[at]["ok"].as_u64()).sum();
    assert_eq!(relayed, 1000);
    let consumed = lines[4]["ok"].as_array().expect("a list");
    let mut consumed: Vec<_> = consumed
        .iter()
        .filter_map(|pair| pair[1].as_u64())
        .collect();
    consumed.sort_unstable();
    assert_eq!(consumed, (0..1000).collect::<Vec<_>>());
}

fn failure() {
    let (_folder, path) = pipeline(
        QUEUES,
        &[
            // Waits for room that nobody makes, once the other has failed.
            ("produce", "produce", "['a', 0, 1000000]", "put = ['a']"),
            ("broken", "get-and-panic", "['a']", "get = ['a']"),
        ],
    );
    let ran = wasmpool(["pipeline", &path]).run().exits(1);
    assert_eq!(ran.says("broken: trap").text(), "");
}

fn deadlock() {
    let (_folder, path) = pipeline(
        QUEUES,
        &[
            ("one", "relay", "['a', 'b']", "get = ['a']\nput = ['b']"),
            ("two", "relay", "['b', 'a']", "get = ['b']\nput = ['a']"),
        ],
    );
    let ran = wasmpool(["pipeline", &path]).run().exits(1);
    let ran = ran
        .says("no process can go on")
        .says("of one")
        .says("of two");
    assert_eq!(ran.says("`a`").says("`b`").text(), "");
}

fn refused() {
    let (_folder, path) = pipeline("", &[("x", "get", "['a', 0]", "get = ['a']")]);
    let ran = wasmpool(["pipeline", &path]).run().exits(2);
    ran.says("the queue \"a\"");
    let (_folder, path) = pipeline(QUEUES, &[("x", "nothing", "[]", "")]);
    let ran = wasmpool(["pipeline", &path]).run().exits(2);
    ran.says("the process \"x\" cannot be started");
    wasmpool(["pipeline", "/nothing.toml"]).run().exits(2);
}

fn ctrl_c() {
    let (_folder, path) = pipeline(
        QUEUES,
        &[
            ("put", "put", "['a', 'x', 60000]", "put = ['a']"),
            ("spin", "get-and-spin", "['a']", "get = ['a']"),
        ],
    );
    let mut started = wasmpool(["pipeline", &path]).start();
    patiently("both workers run", || {
        (workers(started.id()).len() == 2).then_some(())
    });
    started.interrupt();
    started.finish().exits(130).says("interrupted");
}

fn run() {
    let target = format!("{}:emit-many", guest());
    let ran = wasmpool(["run", &target, "3", "2"]).run().exits(0);
    assert_eq!(ran.lines(), ["\"xx\"", "\"xx\"", "\"xx\"", "3"]);
    let target = format!("{}:use-model", guest());
    let ran = wasmpool(["run", &target, "0"]).run().exits(1);
    assert_eq!(ran.says("no model").text(), "");
    let with = ["map", &target, "1", "--init", "init=[1.5,2.5]"];
    assert_eq!(wasmpool(with).run().exits(0).text(), "2.5\n");
}
