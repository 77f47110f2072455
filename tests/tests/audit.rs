//! `wasmpool audit` as its users run it: as root, as an ordinary user, where namespaces are forbidden; in every format.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use wasmpool::audit::{LayerState, Outcome, Report, Verdict, probes};
use wasmpool_tests::{Ran, Suite, copied, module, temporary, wasmpool, wasmpool_at};

/// An ordinary user that no system has.
const NOBODY_ELSE: &str = "61001";

/// Takes the right to make user namespaces from the program that it then runs, and from nobody else.
const WITHOUT_NAMESPACES: &str = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";

fn main() -> ExitCode {
    // Before there are threads: a child of another one would hold a copy open for writing, which then cannot be run.
    let copy = copied();
    let path = copy.path.clone();
    Suite::new()
        .test("as_this_user", as_this_user)
        .where_possible("as_an_ordinary_user", ordinary_user(), move || {
            as_an_ordinary_user(&copy.path);
        })
        .where_possible(
            "where_namespaces_are_forbidden",
            forbidding_namespaces(),
            move || where_namespaces_are_forbidden(&path),
        )
        .test("own_module", own_module)
        .test("own_module::all_functions", all_functions_of_a_module)
        .test("own_module::refused", a_module_that_is_refused)
        .test("arguments", arguments)
        .run()
}

/// Whether a command works here.
fn works(command: &[&str]) -> Result<(), String> {
    let done = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

const AS_NOBODY_ELSE: [&str; 6] = [
    "setpriv",
    "--reuid",
    NOBODY_ELSE,
    "--regid",
    NOBODY_ELSE,
    "--clear-groups",
];

fn ordinary_user() -> Result<(), String> {
    works(&[&AS_NOBODY_ELSE[..], &["true"]].concat())
}

const FORBIDDING: [&str; 5] = ["unshare", "-Ur", "sh", "-c", WITHOUT_NAMESPACES];

fn forbidding_namespaces() -> Result<(), String> {
    works(&[&FORBIDDING[..], &["sh", "true"]].concat())
}

/// The program, started by a command that has it as its last argument.
fn by(command: &[&str], program: &Path, args: &[&str]) -> Ran {
    let program = program.to_str().expect("a path that is text");
    let args = [&command[1..], &[program], args].concat();
    wasmpool_at(Path::new(command[0]), args).run()
}

fn report(ran: &Ran) -> Report {
    let report: Report =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    assert_eq!(ran.stderr, "", "{ran:?}");
    report
}

/// Everything that was tried held, behind both walls; and the verdict says just what is missing.
fn held(report: &Report) {
    let not_held: Vec<_> = report.not_held().collect();
    // The one thing that worked is one that a compiler may do.
    let skipped: Vec<_> = not_held
        .iter()
        .map(|check| (&*check.family, &*check.name))
        .collect();
    assert_eq!(
        skipped,
        [("compiler/privileges", "sigaction")],
        "{not_held:#?}"
    );
    assert!(
        matches!(not_held[0].outcome, Outcome::Skipped(_)),
        "{not_held:#?}"
    );

    for around in ["worker", "compiler"] {
        for probe in probes::all() {
            let family = format!("{around}/{}", probe.family);
            let found = report
                .checks
                .iter()
                .filter(|check| check.family == family && check.name == probe.name);
            assert_eq!(found.count(), 1, "{family}: {}", probe.name);
        }
        assert!(report.allowed.iter().any(|call| call.around == around));
        assert!(report.layers.iter().any(|layer| {
            layer.around == around && layer.name == "seccomp" && layer.state == LayerState::InForce
        }));
    }
    let families: Vec<_> = report.families().map(|(family, _)| family).collect();
    for family in [
        "walls",
        "time",
        "memory",
        "output",
        "loading",
        "surroundings",
        "processes",
    ] {
        assert!(families.contains(&family), "{family}: {families:?}");
    }
    // What has a measure of how late or how much too much it was, says so.
    for check in report.checks.iter().filter(|check| check.family == "time") {
        assert!(
            check.overshoot.is_some() || check.name == "fuel",
            "{check:?}"
        );
    }
    let expected = match report.missing().next() {
        None => Verdict::Proved,
        Some(_) => Verdict::Incomplete,
    };
    assert_eq!(report.verdict, expected);
}

fn code(report: &Report) -> i32 {
    match report.verdict {
        Verdict::Proved => 0,
        Verdict::Broken => 1,
        Verdict::Incomplete => 4,
    }
}

fn as_this_user() {
    let ran = wasmpool(["audit", "--format", "json"]).run();
    let report = report(&ran);
    held(&report);
    ran.exits(code(&report));
}

/// As text, with a line for every probe; and the counts of the same run in the summary.
fn as_an_ordinary_user(copy: &Path) {
    let ran = by(&AS_NOBODY_ELSE, copy, &["audit", "--verbose"]);
    let text = ran.text();
    assert!(text.contains(&format!("user {NOBODY_ELSE}")), "{ran:?}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!text.contains("BROKEN"), "{ran:?}");
    for probe in probes::all() {
        assert!(
            text.contains(&format!("ok     {}", probe.name)),
            "{}: {ran:?}",
            probe.name
        );
    }
    let missing = text.lines().any(|line| line.starts_with("NONE"));
    let verdict = if missing {
        "verdict: incomplete"
    } else {
        "verdict: proved"
    };
    assert!(text.contains(verdict), "{ran:?}");
    assert!(
        text.contains(" 0 broken, 0 unavailable, 1 skipped"),
        "{ran:?}"
    );
    ran.exits(if missing { 4 } else { 0 });
}

/// The tags of a document without its declaration, each with whether it opens, closes, or both; checked to be nested.
fn elements(xml: &str) -> Vec<String> {
    let xml = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("tags end");
        assert!(!text.contains('>') && !tag.contains('<'), "{part}");
        let name = tag
            .trim_matches('/')
            .split_whitespace()
            .next()
            .expect("a name");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{tag}"),
            (false, true) => found.push(tag.to_owned()),
            (false, false) => {
                open.push(name);
                found.push(tag.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

fn where_namespaces_are_forbidden(copy: &Path) {
    // The first of these is the name of the shell.
    let forbidding = [&FORBIDDING[..], &["sh"]].concat();
    // Without a mount namespace, a process of the pool finds what is there behind a granted root.
    let square = "examples/square-wat/square.wat";
    let ran = by(
        &forbidding,
        copy,
        &["map", square, "7", "--dir", "/::/host"],
    );
    assert_eq!(ran.exits(0).text(), "49\n");
    let ran = by(&forbidding, copy, &["audit", "--format", "json"]);
    let found = report(&ran);
    held(&found);
    let missing: Vec<_> = found
        .missing()
        .map(|layer| (&*layer.around, &*layer.name))
        .collect();
    for name in ["user", "mount", "network", "ipc", "uts", "cgroup"] {
        for around in ["worker", "compiler"] {
            let name = format!("{name}-namespace");
            assert!(
                missing.contains(&(around, &*name)),
                "{around} {name}: {missing:?}"
            );
        }
    }
    assert!(
        missing.contains(&("worker", "pid-namespace")),
        "{missing:?}"
    );
    let user = found.missing().find(|layer| layer.name == "user-namespace");
    let Some(LayerState::Unavailable(reason)) = user.map(|layer| &layer.state) else {
        panic!("{user:?}");
    };
    assert!(
        reason.contains("/proc/sys/user/max_user_namespaces"),
        "{reason}"
    );
    ran.exits(4);

    let behave = module("behave");
    let own = [
        "audit",
        "--module",
        &behave,
        "--function",
        "identity",
        "--items",
        "1",
    ];
    let strict = by(
        &forbidding,
        copy,
        &[&own[..], &["--format", "junit"]].concat(),
    )
    .exits(4);
    let tags = elements(strict.text());
    let errors = tags.iter().filter(|tag| tag.starts_with("error")).count();
    let counted = tags
        .iter()
        .find(|tag| tag.starts_with("testsuites"))
        .expect("the root");
    assert!(
        counted.contains(&format!("errors=\"{errors}\"")) && errors > 0,
        "{counted}"
    );
    let cases = tags
        .iter()
        .filter(|tag| tag.starts_with("testcase"))
        .count();
    assert!(counted.contains(&format!("tests=\"{cases}\"")), "{counted}");

    let lax = [&own[..], &["--format", "junit", "--no-strict"]].concat();
    let lax = by(&forbidding, copy, &lax).exits(0);
    assert!(
        !elements(lax.text())
            .iter()
            .any(|tag| tag.starts_with("error"))
    );
}

/// The checks of a module of one's own.
fn checks_of(args: &[&str]) -> Vec<Value> {
    let ran = wasmpool(
        [
            &["audit", "--format", "json", "--no-strict", "--module"],
            args,
        ]
        .concat(),
    )
    .run()
    .exits(0);
    let json: Value = serde_json::from_str(ran.text()).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    assert_eq!(json["schema"], 1);
    json["checks"].as_array().expect("checks").clone()
}

fn own_module() {
    let behave = module("behave");
    for (function, item, args, wall, proof) in [
        ("identity", "7", &[][..], "", "ran to its end"),
        (
            "spin-if-negative",
            "-1",
            &["--timeout", "300ms"],
            "its deadline: SIGKILL",
            "timeout",
        ),
        (
            "trap-if-negative",
            "-1",
            &[],
            "WebAssembly: it trapped",
            "unreachable",
        ),
        (
            "hold",
            "64",
            &["--memory", "16MiB"],
            "its bound on memory",
            "16 MiB",
        ),
        (
            "fail-if-negative",
            "-1",
            &[],
            "nothing: it said that it failed",
            "it is negative",
        ),
    ] {
        let own = [&behave, "--function", function, "--items", item];
        let checks = checks_of(&[&own[..], args].concat());
        assert_eq!(checks.len(), 1, "{checks:?}");
        assert_eq!(checks[0]["outcome"], "held", "{checks:?}");
        assert_eq!(checks[0]["enforced_by"], wall, "{checks:?}");
        assert_eq!(
            checks[0]["name"],
            format!("{function}({item})"),
            "{checks:?}"
        );
        assert!(checks[0]["proof"].to_string().contains(proof), "{checks:?}");
    }
}

/// Without items those that need some are skipped, and none is forgotten.
fn all_functions_of_a_module() {
    let checks = checks_of(&[&module("behave")]);
    assert_eq!(checks.len(), 11, "{checks:?}");
    for check in &checks {
        assert_eq!(check["outcome"], "skipped", "{check}");
    }
    let folder = temporary();
    let text = "(component (core module $m (func (export \"f\") unreachable)) (core instance $i (instantiate $m))
        (func (export \"f\") (canon lift (core func $i \"f\"))))";
    let checks = checks_of(&[&folder.write("no-parameters.wat", text)]);
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(
        checks[0]["enforced_by"], "WebAssembly: it trapped",
        "{checks:?}"
    );
}

fn a_module_that_is_refused() {
    let folder = temporary();
    let checks = checks_of(&[&folder.write("broken.wasm", "\0asm, but no more")]);
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(checks[0]["name"], "load");
    assert_eq!(
        checks[0]["enforced_by"], "checks before it runs",
        "{checks:?}"
    );
}

fn arguments() {
    wasmpool(["audit", "--items", "1"]).run().exits(2);
    wasmpool(["audit", "--format", "xml"]).run().exits(2);
    wasmpool(["audit", "--module", "there-is-no-such-file"])
        .run()
        .exits(2)
        .says("there-is-no-such-file");
    let folder = temporary();
    let (to, behave) = (folder.text("report.json"), module("behave"));
    let args = [
        "audit",
        "--no-strict",
        "--format",
        "json",
        "--output",
        &to,
        "--module",
        &behave,
    ];
    let args = [&args[..], &["--function", "identity", "--items", "1"]].concat();
    let ran = wasmpool(args).run().exits(0).says("verdict: ");
    assert_eq!(ran.text(), "");
    let written = std::fs::read(&to).expect("it was written");
    let report: Report = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(report.checks.len(), 1);
}
