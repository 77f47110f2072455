//! Items that fail, each in its way: what is said, and that the others do not notice.

use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use serde_json::{Value, json};
use wasmpool_tests::{Ran, Suite, Watched, guests, module, patiently, wasmpool, workers};

const ISOLATIONS: [&str; 4] = ["thread", "shared", "instance", "process"];

/// A function of which some items fail.
struct Case {
    function: &'static str,
    /// An item that does not fail, and its result.
    good: (&'static str, Value),
    bad: &'static str,
    args: &'static [&'static str],
    kind: &'static str,
    /// A part of the message.
    says: &'static str,
    /// Functions in the backtrace, innermost first.
    frames: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let case = |function, good, bad, kind, says| Case {
        function,
        good,
        bad,
        args: &[],
        kind,
        says,
        frames: &[],
    };
    vec![
        case(
            "fail-if-negative",
            ("7", json!(7)),
            "-1",
            "failed",
            "it is negative",
        ),
        case(
            "identity",
            ("7", json!(7)),
            "\"seven\"",
            "invalid-input",
            "expected s64",
        ),
        Case {
            frames: &["the-culprit", "the-caller"],
            ..case(
                "trap-if-negative",
                ("7", json!(7)),
                "-1",
                "trap",
                "unreachable",
            )
        },
        case(
            "divide",
            ("[7,2]", json!(3)),
            "[7,0]",
            "trap",
            "divide by zero",
        ),
        Case {
            args: &["--timeout", "700ms"],
            ..case(
                "spin-if-negative",
                ("7", json!(7)),
                "-1",
                "timeout",
                "700ms",
            )
        },
        Case {
            args: &["--memory", "16MiB"],
            ..case("hold", ("1", json!(1)), "64", "memory", "16 MiB")
        },
        Case {
            args: &["--result-bytes", "1KiB"],
            ..case(
                "repeat",
                ("3", json!("xxx")),
                "5000",
                "output-limit",
                "1024",
            )
        },
    ]
}

fn zoo_cases() -> Vec<Case> {
    let case = |function, good, bad, kind, says| Case {
        function,
        good,
        bad,
        args: &[],
        kind,
        says,
        frames: &[],
    };
    vec![
        case("fail-odd", ("4", json!(4)), "3", "failed", "3 is odd"),
        case("identity", ("4", json!(4)), "\"four\"", "invalid-input", ""),
        Case {
            // The task itself is inlined.
            frames: &[
                "rust_panic",
                "core::panicking::panic_fmt",
                "wasmpool:task/map",
            ],
            ..case(
                "panic-on",
                ("4", json!(4)),
                "13",
                "trap",
                "thirteen is not served here",
            )
        },
        Case {
            args: &["--timeout", "700ms"],
            ..case("spin-if", ("4", json!(4)), "3", "timeout", "700ms")
        },
        Case {
            args: &["--log-bytes", "1KiB"],
            ..case("log-bytes", ("4", json!(4)), "5000", "output-limit", "1024")
        },
        Case {
            args: &["--result-bytes", "1KiB"],
            ..case(
                "big-result",
                ("2", json!([0, 1])),
                "5000",
                "output-limit",
                "1024",
            )
        },
    ]
}

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("stop_prints_what_came_before", stop_prints_what_came_before)
        .test("continue_prints_null", continue_prints_null)
        .test("a_lost_worker_is_told", a_lost_worker_is_told)
        .test("a_lost_worker_costs_nothing", a_lost_worker_costs_nothing)
        .test("interrupted", interrupted)
        .test("interrupted_twice", interrupted_twice)
        .guest("memory_ends", memory_ends)
        .guest("floods_and_recursion", floods_and_recursion)
        .guest(
            "no_guest_commands_the_terminal",
            no_guest_commands_the_terminal,
        );
    for isolation in ISOLATIONS {
        for case in cases() {
            let name = format!("{}::{}::{isolation}", case.kind, case.function);
            suite = suite.test(name, move || {
                neighbours_are_unharmed(&module("behave"), &case, isolation);
            });
        }
    }
    for case in zoo_cases() {
        let name = format!("zoo::{}::{}", case.kind, case.function);
        suite = suite.guest(name, move || {
            neighbours_are_unharmed(&zoo(), &case, "shared")
        });
    }
    suite.run()
}

fn zoo() -> String {
    let path = guests().expect("only run with guests").join("zoo.wasm");
    path.to_str().expect("a path that is text").to_owned()
}

fn behave(function: &str) -> String {
    format!("{}:{function}", module("behave"))
}

/// Ten items in one chunk, one of them bad, at each of several places: nine results, each once, and one failure.
fn neighbours_are_unharmed(module: &str, case: &Case, isolation: &str) {
    let function = format!("{module}:{}", case.function);
    for at in [0, 4, 9] {
        let items: Vec<_> = (0..10)
            .map(|i| if i == at { case.bad } else { case.good.0 })
            .collect();
        let args = ["map", &function, "--isolation", isolation, "--workers", "1"];
        let options = [
            "--chunk-size",
            "10",
            "--on-error",
            "continue",
            "--output",
            "records",
        ];
        let args = [&args[..], &options, case.args, &items].concat();
        let ran = wasmpool(&args).run().exits(1).says("1 of 10 items failed");
        let records = ran.json();
        assert_eq!(records.len(), 10, "{ran:?}");
        for (index, record) in records.iter().enumerate() {
            if index != at {
                assert_eq!(
                    *record,
                    json!({"index": index, "ok": case.good.1}),
                    "{ran:?}"
                );
            }
        }
        check_error(&records[at], at, case, &ran);
    }
}

fn check_error(record: &Value, index: usize, case: &Case, ran: &Ran) {
    assert_eq!(record["index"], index, "{ran:?}");
    let error = &record["error"];
    assert_eq!(error["kind"], case.kind, "{ran:?}");
    let message = error["message"]
        .as_str()
        .unwrap_or_else(|| panic!("no message: {ran:?}"));
    assert!(
        message.contains(case.says),
        "no `{}` in {message}",
        case.says
    );
    let attempts = error["attempts"].as_u64();
    assert!(attempts.is_some_and(|n| (1..=3).contains(&n)), "{ran:?}");
    let first = message.lines().next().unwrap_or_default();
    assert!(
        ran.stderr.contains(&format!("{}: {first}", case.kind)),
        "{ran:?}"
    );
    assert!(
        ran.stderr
            .contains(&format!("error: item {index} ({})", case.bad)),
        "{ran:?}"
    );

    let frames: Vec<_> = error["backtrace"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut found = frames.iter().filter_map(|frame| frame.as_str());
    for name in case.frames {
        assert!(
            found.any(|frame| frame.contains(name)),
            "no {name} in {frames:?}"
        );
        assert!(
            ran.stderr
                .lines()
                .any(|l| l.starts_with("  at ") && l.contains(name)),
            "{ran:?}"
        );
    }
}

fn stop_prints_what_came_before() {
    for chunk in ["1", "3", "10"] {
        let args = [
            "map",
            &behave("trap-if-negative"),
            "--chunk-size",
            chunk,
            "--workers",
            "2",
        ];
        let args = [&args[..], &["1", "2", "3", "-4", "5", "6"]].concat();
        let ran = wasmpool(args).run().exits(1).says("item 3 (-4): trap");
        assert_eq!(ran.lines(), ["1", "2", "3"], "{ran:?}");
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
    }
}

fn continue_prints_null() {
    let args = [
        "map",
        &behave("fail-if-negative"),
        "--on-error",
        "continue",
        "1",
        "-2",
        "3",
    ];
    let ran = wasmpool(args)
        .run()
        .exits(1)
        .says("item 1 (-2): failed: it is negative");
    assert_eq!(ran.lines(), ["1", "null", "3"], "{ran:?}");
    ran.says("1 of 3 items failed");
}

/// Kills every worker in which an item spins, until the run has ended.
fn kill_spinning(args: &[&str]) -> Ran {
    let mut run = wasmpool(args).start();
    // The first result shows that the only worker has come to the second item.
    let mut stdout = BufReader::new(run.stdout());
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a pipe can be read");
    assert_eq!(line, "{\"index\":0,\"ok\":1}\n");
    let id = run.id();
    let printed = std::thread::spawn(move || {
        let rest: Vec<_> = stdout.lines().map(|line| line.expect("text")).collect();
        rest.join("\n")
    });
    patiently("the run ends", || {
        workers(id).into_iter().for_each(|worker| _ = worker.kill());
        std::thread::sleep(std::time::Duration::from_millis(300));
        printed.is_finished().then_some(())
    });
    let mut ran = run.finish();
    ran.stdout = printed.join().expect("the reader ends").into();
    ran
}

fn a_lost_worker_is_told() {
    for (retries, attempts) in [("0", 1), ("2", 3)] {
        let args = [
            "map",
            &behave("spin-if-negative"),
            "--workers",
            "1",
            "--chunk-size",
            "1",
        ];
        let options = [
            "--output",
            "records",
            "--on-error",
            "continue",
            "--retries",
            retries,
        ];
        let ran = kill_spinning(&[&args[..], &options, &["1", "-2"]].concat()).exits(1);
        let records = ran.json();
        assert_eq!(records.len(), 1, "{ran:?}");
        let error = &records[0]["error"];
        assert_eq!(error["kind"], "worker-lost", "{ran:?}");
        assert_eq!(error["attempts"], attempts, "{ran:?}");
        assert!(error["message"].to_string().contains("SIGKILL"), "{error}");
        ran.says("item 1 (-2): worker-lost: ");
    }
}

/// A worker that is lost between items is replaced, and nobody is blamed.
fn a_lost_worker_costs_nothing() {
    use std::io::Write;
    let args = [
        "map",
        &behave("identity"),
        "--input",
        "-",
        "--workers",
        "1",
        // Nothing is to be seen but errors, and of those none.
        "--quiet",
        "--retries",
        "0",
    ];
    let mut run = wasmpool(args).start_piped();
    let mut stdin = run.child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(run.stdout());
    for turn in 0..5 {
        writeln!(stdin, "{turn}").expect("the run goes on");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a pipe can be read");
        assert_eq!(line, format!("{turn}\n"));
        let old = workers(run.id());
        assert_eq!(old.len(), 1, "one worker was asked for");
        assert!(old[0].kill());
        patiently("the worker is replaced", || {
            let new = workers(run.id());
            (!new.is_empty() && !new.contains(&old[0])).then_some(())
        });
    }
    drop(stdin);
    let ran = run.finish().exits(0);
    assert_eq!(ran.stderr, "");
}

/// A run whose only worker prints one result and then spins.
fn spinning() -> (
    wasmpool_tests::Started,
    BufReader<std::process::ChildStdout>,
) {
    let args = [
        "map",
        &behave("spin-if-negative"),
        "--workers",
        "1",
        "--chunk-size",
        "1",
    ];
    let mut run = wasmpool([&args[..], &["1", "-2", "3"]].concat()).start();
    let mut stdout = BufReader::new(run.stdout());
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a pipe can be read");
    assert_eq!(line, "1\n");
    (run, stdout)
}

fn interrupted() {
    let (mut run, mut stdout) = spinning();
    let mut watched = Watched::new(run.id());
    watched.look();
    assert!(watched.count() >= 2, "a fork server and a worker");
    run.interrupt();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).expect("a pipe can be read");
    assert_eq!(rest, "");
    run.finish().exits(130).says("interrupted after 1 results");
    patiently("no process is left", || {
        watched.left().is_empty().then_some(())
    });
}

fn interrupted_twice() {
    let (mut run, _stdout) = spinning();
    let mut watched = Watched::new(run.id());
    watched.look();
    run.interrupt();
    run.interrupt();
    run.finish().exits(130);
    patiently("no process is left", || {
        watched.left().is_empty().then_some(())
    });
}

/// Runs one item of the zoo that must fail, and returns its error.
fn zoo_error(task: &str, args: &[&str], item: &str) -> Value {
    let function = format!("{}:{task}", zoo());
    let fixed = [
        "map",
        &function,
        "--on-error",
        "continue",
        "--output",
        "records",
    ];
    let ran = wasmpool([&fixed[..], args, &[item]].concat())
        .run()
        .exits(1);
    let mut records = ran.json();
    assert_eq!(records.len(), 1, "{ran:?}");
    records[0]["error"].take()
}

fn memory_ends() {
    let error = zoo_error("leak", &["--memory", "32MiB"], "null");
    assert_eq!(error["kind"], "memory", "{error}");
    // A task that notices, and says so itself, has only failed.
    let error = zoo_error("grow", &["--memory", "32MiB"], "100");
    assert_eq!(error["kind"], "failed", "{error}");
    let ran = wasmpool(["map", &format!("{}:grow", zoo()), "--memory", "32MiB", "8"]).run();
    assert_eq!(ran.exits(0).text(), "8\n");
}

fn floods_and_recursion() {
    assert_eq!(
        zoo_error("log-flood", &["-q"], "null")["kind"],
        "output-limit"
    );
    assert_eq!(zoo_error("recurse", &[], "0")["kind"], "trap");
    assert_eq!(zoo_error("abort", &[], "0")["kind"], "trap");
    let flood = zoo_error("emit-flood", &["--result-bytes", "64KiB"], "null");
    assert!(
        ["failed", "output-limit"].contains(&flood["kind"].as_str().unwrap_or("")),
        "{flood}"
    );
}

fn no_guest_commands_the_terminal() {
    let ran = wasmpool(["map", &format!("{}:log-escapes", zoo()), "null"])
        .run()
        .exits(0);
    let ran = ran.says("item 0 warn: ").says("red");
    let harmless = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
    assert!(ran.stderr.chars().all(harmless), "{ran:?}");
}
