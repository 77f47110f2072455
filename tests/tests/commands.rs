//! WASI commands as tasks: a program that knows nothing of pools, of preview 1 and of 0.2, under every isolation.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use wasmpool::encoding::Encoding;
use wasmpool::failure::{Failure, FailureKind};
use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::pool::{
    Error, JobOptions, Joined, OnError, Outcome, Payload, Pool, PoolBuilder, Process,
};
use wasmpool_tests::{PATIENCE, Suite, Temporary, guests, root, temporary, wasmpool};

/// The two forms of the same program.
const FORMS: [(&str, &str); 2] = [
    ("preview1", "program.wasm32-wasip1"),
    ("component", "program.wasm32-wasip2"),
];
const ALL: [Isolation; 4] = [
    Isolation::Thread,
    Isolation::Shared,
    Isolation::Instance,
    Isolation::Process,
];

type Test = fn(&str);

const TESTS: [(&str, Test); 15] = [
    ("item_as_input", item_as_input),
    ("item_as_argument", item_as_argument),
    ("bytes_in_and_out", bytes_in_and_out),
    ("exit_codes", exit_codes),
    ("traps", traps),
    ("limits", limits),
    ("an_instance_an_item", an_instance_an_item),
    ("logs", logs),
    ("directories_and_variables", directories_and_variables),
    ("no_network", no_network),
    ("deterministic", deterministic),
    ("cached_results", cached_results),
    ("from_the_library", from_the_library),
    ("run_by_command", run_by_command),
    ("inspected", inspected),
];

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for (form, guest) in FORMS {
        for (name, run) in TESTS {
            suite = suite.guest(format!("{name}::{form}"), move || run(guest));
        }
    }
    suite
        .test("arguments_that_cannot_be", arguments_that_cannot_be)
        .test("modules_that_are_no_command", modules_that_are_no_command)
        .run()
}

fn path(guest: &str) -> String {
    let folder = guests().expect("only run with guests");
    folder.join(format!("{guest}.wasm")).display().to_string()
}

fn builder(guest: &str, isolation: Isolation) -> (PoolBuilder, std::path::PathBuf) {
    let builder = Pool::builder().workers(2).isolation(isolation);
    (builder, path(guest).into())
}

/// What becomes of items, by the library.
fn outcomes(
    guest: &str,
    isolation: Isolation,
    args: &[&str],
    (input, output): (Encoding, Encoding),
    items: &[&[u8]],
) -> Vec<Result<Vec<u8>, Failure>> {
    let limits = Limits::new();
    with_limits(guest, isolation, limits, args, (input, output), items)
}

fn with_limits(
    guest: &str,
    isolation: Isolation,
    limits: Limits,
    args: &[&str],
    (input, output): (Encoding, Encoding),
    items: &[&[u8]],
) -> Vec<Result<Vec<u8>, Failure>> {
    let (builder, path) = builder(guest, isolation);
    let pool = builder
        .limits(limits)
        .args(args.iter().copied())
        .open(path)
        .unwrap();
    let options = JobOptions {
        input,
        output,
        on_error: OnError::Continue,
        ..JobOptions::default()
    };
    let (mut feeder, mut results) = pool.stream("run", options).unwrap();
    for item in items {
        assert!(feeder.push(Payload::Bytes(item.to_vec())));
    }
    drop(feeder);
    let result =
        |outcome: Result<Outcome, Error>| outcome.unwrap().result.map(|bytes| bytes.to_vec());
    std::iter::from_fn(|| results.next().map(result)).collect()
}

const RAW: (Encoding, Encoding) = (Encoding::Raw, Encoding::Raw);
const JSON: (Encoding, Encoding) = (Encoding::Json, Encoding::Json);

fn texts(outcomes: Vec<Result<Vec<u8>, Failure>>) -> Vec<String> {
    let text = |outcome: Result<Vec<u8>, Failure>| String::from_utf8(outcome.unwrap()).unwrap();
    outcomes.into_iter().map(text).collect()
}

fn failure(outcomes: Vec<Result<Vec<u8>, Failure>>) -> Failure {
    let [outcome] = outcomes.try_into().unwrap();
    outcome.unwrap_err()
}

fn item_as_input(guest: &str) {
    for isolation in ALL {
        let items: [&[u8]; 5] = [b"\"a\\n\\u00e9\"", b"null", b"[1, {}]", b" 5 ", b"\"\""];
        let expected = [r#""a\né""#, r#""""#, r#""[1, {}]""#, r#""5""#, r#""""#];
        let got = texts(outcomes(guest, isolation, &["cat"], JSON, &items));
        assert_eq!(got, expected, "{isolation:?}");
        let got = outcomes(guest, isolation, &["lines"], RAW, &[b"a\nb", b"", b"c\n"]);
        assert_eq!(texts(got), ["1 a\n2 b\n", "", "1 c\n"], "{isolation:?}");
    }
    let bad = failure(outcomes(guest, Isolation::Shared, &["cat"], JSON, &[b"[1"]));
    assert_eq!(bad.kind, FailureKind::InvalidInput);
    assert!(bad.message.contains("not JSON"), "{bad:?}");
}

fn item_as_argument(guest: &str) {
    let name = format!("{guest}.wasm");
    for isolation in ALL {
        let args = ["args", "--x={}", "{}{}", "{", ""];
        let got = texts(outcomes(
            guest,
            isolation,
            &args,
            RAW,
            &["a b".as_bytes(), b""],
        ));
        let expected = [
            format!("{name}\nargs\n--x=a b\na ba b\n{{\n\n"),
            format!("{name}\nargs\n--x=\n\n{{\n\n"),
        ];
        assert_eq!(got, expected, "{isolation:?}");
    }
    for item in [b"\xff".as_slice(), b"a\0b"] {
        let bad = failure(outcomes(guest, Isolation::Shared, &["{}"], RAW, &[item]));
        assert_eq!(bad.kind, FailureKind::InvalidInput);
        assert!(bad.message.contains("cannot be an argument"), "{bad:?}");
    }
    let (builder, path) = builder(guest, Isolation::Shared);
    let pool = builder.args(["args"]).arg0("another").open(path).unwrap();
    let got: Vec<String> = pool.map("run", [()]).unwrap();
    assert_eq!(got, ["another\nargs\n"]);
}

fn bytes_in_and_out(guest: &str) {
    let large: Vec<u8> = (0..8 << 20).map(|i: u32| (i % 251) as u8).collect();
    for isolation in ALL {
        let got = outcomes(
            guest,
            isolation,
            &["cat"],
            RAW,
            &[&large, b"\0\xff", &large],
        );
        let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
        assert!(
            got == [&large, b"\0\xff".as_slice(), &large],
            "{isolation:?}"
        );
    }
    let as_text = (Encoding::Raw, Encoding::Json);
    let bad = failure(outcomes(
        guest,
        Isolation::Shared,
        &["bytes"],
        as_text,
        &[b""],
    ));
    assert_eq!(bad.kind, FailureKind::Failed);
    assert!(bad.message.contains("not text"), "{bad:?}");
}

fn exit_codes(guest: &str) {
    for isolation in ALL {
        let items: [&[u8]; 4] = [b"0", b"3", b"255", b"1"];
        let got = outcomes(guest, isolation, &["exit", "{}"], RAW, &items);
        let told = got.into_iter().map(|outcome| match outcome {
            Ok(bytes) => String::from_utf8(bytes).unwrap(),
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Failed, "{failure:?}");
                failure.message
            }
        });
        // A component of WASI 0.2 can only say whether it failed.
        let code = |code: &'static str| match guest.ends_with("wasip1") {
            true => code,
            false => "1",
        };
        let failed = |n| format!("exit code {}: first words; last words", code(n));
        let expected = [
            "not heard of\n".into(),
            failed("3"),
            failed("255"),
            failed("1"),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected, "{isolation:?}");
    }
    let left = outcomes(
        guest,
        Isolation::Shared,
        &["leave", "{}"],
        RAW,
        &[b"0", b"7"],
    );
    assert_eq!(left[0].as_deref(), Ok(b"left early\n".as_slice()));
    assert_eq!(left[1].as_ref().unwrap_err().kind, FailureKind::Failed);
}

fn traps(guest: &str) {
    for isolation in ALL {
        let got = outcomes(
            guest,
            isolation,
            &["panic", "{}"],
            RAW,
            &[b"oh no", b"again"],
        );
        for (outcome, words) in got.into_iter().zip(["oh no", "again"]) {
            let failure = outcome.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Trap, "{failure:?}");
            assert!(failure.message.contains("its last words: "), "{failure:?}");
            assert!(failure.message.contains(words), "{failure:?}");
            assert!(!failure.backtrace.is_empty(), "{failure:?}");
        }
    }
    let aborted = failure(outcomes(guest, Isolation::Shared, &["abort"], RAW, &[b""]));
    assert_eq!(aborted.kind, FailureKind::Trap);
}

fn limits(guest: &str) {
    let short = Duration::from_millis(300);
    let mut bounded = Limits::new().timeout(PATIENCE);
    (bounded.memory_bytes, bounded.result_bytes) = (64 << 20, 1 << 20);
    for isolation in ALL {
        for (args, kind) in [
            (["spin", ""], FailureKind::Timeout),
            (["sleep", "100000"], FailureKind::Timeout),
            (["flood", ""], FailureKind::OutputLimit),
            (["grow", ""], FailureKind::Memory),
        ] {
            // A thread of the host that waits cannot be killed.
            if isolation == Isolation::Thread && args[0] == "sleep" {
                continue;
            }
            let mut bounded = bounded.clone();
            if kind == FailureKind::Timeout {
                bounded = bounded.timeout(short);
            }
            let failed = failure(with_limits(guest, isolation, bounded, &args, RAW, &[b""]));
            assert_eq!(failed.kind, kind, "{args:?} {isolation:?}: {failed:?}");
        }
    }
    // Standard output is a result, and not a log: its bound is the result's.
    let mut logs = Limits::new();
    logs.log_bytes = 16;
    let item = [b'x'; 1000];
    let got = with_limits(guest, Isolation::Shared, logs, &["cat"], RAW, &[&item]);
    assert_eq!(got[0].as_deref(), Ok(item.as_slice()));
}

fn an_instance_an_item(guest: &str) {
    for isolation in ALL {
        let got = texts(outcomes(
            guest,
            isolation,
            &["runs"],
            RAW,
            &[b"".as_slice(); 20],
        ));
        assert_eq!(got, ["1\n"; 20], "{isolation:?}");
    }
}

fn logs(guest: &str) {
    let ran = wasmpool(["map", &path(guest), "--arg", "both", "x", "y"]).run();
    let ran = ran
        .exits(0)
        .says("item 0 warn: to standard error\n")
        .says("item 1 warn: to standard error\n");
    assert_eq!(ran.lines(), [r#""to standard output\n""#; 2]);
}

fn directories_and_variables(guest: &str) {
    let folder = temporary();
    folder.write("in.txt", "from the host");
    let dir = format!("{}::/data:rw", folder.path("").display());
    let with = |args: &[&str], item: &str| {
        let mut all = vec!["map".to_owned(), path(guest), "--dir".into(), dir.clone()];
        all.extend([
            "--env".into(),
            "ONE=1".into(),
            "--output".into(),
            "raw".into(),
        ]);
        all.extend(args.iter().flat_map(|arg| ["--arg".into(), (*arg).into()]));
        all.push(item.into());
        wasmpool(all).run()
    };
    let read = with(&["read", "/data/{}"], "in.txt");
    assert_eq!(read.exits(0).stdout, b"from the host");
    with(&["write", "/data/out.txt"], "from the guest").exits(0);
    let written = std::fs::read_to_string(folder.path("out.txt")).unwrap();
    assert_eq!(written, "from the guest");
    assert_eq!(with(&["env"], "x").exits(0).stdout, b"ONE=1\n");
    for outside in ["/etc/passwd", "/data/../../etc/passwd", "in.txt"] {
        let ran = with(&["read", outside], "x");
        ran.exits(1).says("failed: exit code");
    }
}

fn no_network(guest: &str) {
    let failed = failure(outcomes(
        guest,
        Isolation::Shared,
        &["connect", "{}"],
        RAW,
        &[b"127.0.0.1:22"],
    ));
    assert_eq!(failed.kind, FailureKind::Failed, "{failed:?}");
}

fn deterministic(guest: &str) {
    let run = |workers: &str| {
        let path = path(guest);
        let args = [
            "map",
            &path,
            "--deterministic=7",
            "--workers",
            workers,
            "--output",
        ];
        let more = [
            "records", "--arg", "sleep", "--arg", "{}", "1000", "2", "3000",
        ];
        wasmpool([args.as_slice(), &more].concat())
            .run()
            .exits(0)
            .json()
    };
    let one = run("1");
    assert_eq!(one, run("3"));
    // Time moves by waiting and by readings, and not for any other reason.
    assert!(one[0]["ok"].as_str().unwrap().starts_with("100"), "{one:?}");
    assert!(
        one[0]["fuel"].as_u64().is_some_and(|fuel| fuel > 1000),
        "{one:?}"
    );
}

fn cached_results(guest: &str) {
    let cache = temporary();
    let run = |args: &[&str]| {
        let mut all = vec!["map", "--cache-results", "--deterministic=1", "--stats"];
        let path = path(guest);
        all.push(&path);
        all.extend(args);
        wasmpool(all).cache(cache.path("")).run()
    };
    let anew = "items: 1 done, 0 failed";
    let first = run(&["--arg", "cat", "a"]).exits(0).says(anew);
    let again = run(&["--arg", "cat", "a"]).exits(0);
    let again = again.says("items: 1 done (1 from the cache), 0 failed");
    assert_eq!(first.stdout, again.stdout);
    // Other arguments are another result.
    let other = run(&["--arg", "args", "a"]).exits(0).says(anew);
    assert_ne!(first.stdout, other.stdout);
    run(&["--arg", "args", "--arg", "x", "a"]).says("items: 1 done, 0 failed");
}

fn from_the_library(guest: &str) {
    for isolation in ALL {
        let (builder, path) = builder(guest, isolation);
        let pool = builder.args(["lines"]).open(&path).unwrap();
        assert!(pool.is_command("run"));
        assert_eq!(pool.tasks().unwrap(), []);
        let results: Vec<String> = pool.map("run", ["a\nb", "c"]).unwrap();
        assert_eq!(results, ["1 a\n2 b\n", "1 c\n"]);
        let applied: String = pool.apply("run", "d").unwrap();
        assert_eq!(applied, "1 d\n");
    }
    let process = Process::builder().args(["cat"]);
    let process = process.start(path(guest), "run", "x").unwrap();
    assert!(matches!(process.join(None), Joined::Exited(Ok(()))));
    assert_eq!(process.result::<String>().unwrap(), "x");
}

fn run_by_command(guest: &str) {
    let path = path(guest);
    let ran = wasmpool(["run", &path, "--", "args", "-x", "{}", "[1]"]).run();
    let expected = format!("{guest}.wasm\nargs\n-x\n\n[1]\n");
    assert_eq!(ran.exits(0).text(), expected);
    let ran = wasmpool(["run", &path, "cat"]).run_with(b"in\xff\0");
    assert_eq!(ran.exits(0).stdout, b"in\xff\0");
    let ran = wasmpool(["run", &path, "exit", "4"]).run().exits(1);
    let ran = ran.says("failed: exit code").says("last words");
    assert_eq!(ran.stdout, b"");
}

fn inspected(guest: &str) {
    let ran = wasmpool(["inspect", &path(guest), "--format", "json"]).run();
    let described = ran.exits(0).json().remove(0);
    let [function] = described["functions"].as_array().unwrap().as_slice() else {
        panic!("{described}");
    };
    assert_eq!(function["command"], json!(true));
    assert_eq!(function["callable"], json!(true));
    for import in described["imports"].as_array().unwrap() {
        assert_eq!(import["offered"], json!(true), "{import}");
    }
    let ran = wasmpool(["inspect", &path(guest)]).run().exits(0);
    assert!(ran.text().contains("a WASI command"), "{ran:?}");
}

/// A command that does nothing, as text.
const NOTHING: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")))"#;

fn nothing() -> (Temporary, String) {
    let folder = temporary();
    let path = folder.write("nothing.wat", NOTHING);
    (folder, path)
}

fn arguments_that_cannot_be() {
    let (_folder, path) = nothing();
    let open = |args: &[&str]| Pool::builder().args(args.iter().copied()).open(&path);
    assert_eq!(
        open(&["x"]).unwrap().map::<_, String>("run", [1]).unwrap(),
        [""]
    );
    let long = "x".repeat(33 << 10);
    for args in [[long.as_str()], ["a\0b"]] {
        let error = open(&args).unwrap_err();
        assert!(matches!(error, Error::Options { .. }), "{error:?}");
    }
    wasmpool(["map", &path, "x", "--arg", &long])
        .run()
        .exits(2)
        .says("more than 32 KiB");
    let square = root().join("examples/square-wat/square.wat");
    let square = square.display().to_string();
    wasmpool(["map", &square, "3", "--arg", "x"])
        .run()
        .exits(2)
        .says("is no WASI command");
    wasmpool(["map", &path, "x", "--init", "run"])
        .run()
        .exits(2)
        .says("the initialiser is a WASI command");
}

fn modules_that_are_no_command() {
    let folder = temporary();
    for (name, text, says) in [
        (
            "threads",
            r#"(module (import "wasi" "thread-spawn" (func (param i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
              (memory (export "memory") 1) (func (export "_start")))"#,
            "threads are not offered",
        ),
        (
            "emscripten",
            r#"(module (import "env" "emscripten_resize_heap" (func (param i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
              (memory (export "memory") 1) (func (export "_start")))"#,
            "env.emscripten_resize_heap",
        ),
        (
            "unknown",
            r#"(module (import "wasi_snapshot_preview1" "no_such_call" (func (param i32)))
              (memory (export "memory") 1) (func (export "_start")))"#,
            "no_such_call",
        ),
        (
            "type",
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i64)))
              (memory (export "memory") 1) (func (export "_start")))"#,
            "cannot be run as a WASI command",
        ),
        (
            "unstable",
            r#"(module (import "wasi_unstable" "proc_exit" (func (param i32)))
              (memory (export "memory") 1) (func (export "_start")))"#,
            "wasi_unstable.proc_exit",
        ),
    ] {
        let path = folder.write(&format!("{name}.wat"), text);
        let ran = wasmpool(["map", &path, "x"]).run();
        assert_eq!(ran.code(), 3, "{name}: {ran:?}");
        ran.says(says);
    }
}
