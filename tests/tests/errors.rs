//! Every error that a command can be brought to, as its user sees it, and every code that there is.
//!
//! `errors.txt` has the commands, what they write to standard error, and their exit codes. With
//! `WASMPOOL_UPDATE_SNAPSHOTS=1` it is written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use wasmpool::catalogue::Code;
use wasmpool_tests::{Suite, program, root, temporary, wasmpool};

/// What each code is provoked by, in a folder that [`prepare`] has filled.
const CASES: &[(Code, &str)] = &[
    (Code::Failed, "wasmpool map behave.wat:fail-if-negative -5"),
    (
        Code::InvalidInput,
        "wasmpool map square.wat:square '\"five\"'",
    ),
    (Code::Trap, "wasmpool map behave.wat:trap-if-negative -5"),
    (
        Code::Timeout,
        "wasmpool map behave.wat:spin-if-negative -5 --timeout 300ms",
    ),
    (
        Code::Memory,
        "wasmpool map behave.wat:hold 100 --memory 16MiB",
    ),
    (
        Code::OutputLimit,
        "wasmpool map behave.wat:repeat 2000 --result-bytes 1KiB",
    ),
    (
        Code::ItemsFailed,
        "wasmpool map square.wat:square x 2 y --on-error continue --output records > records",
    ),
    (Code::Usage, "wasmpool map"),
    (Code::CommandUnknown, "wasmpool mop square.wat 1"),
    (Code::OptionUnknown, "wasmpool map square.wat 1 --wrokers 2"),
    (Code::ValueInvalid, "wasmpool map square.wat 1 --memory 64M"),
    (
        Code::ValueInvalid,
        "WASMPOOL_TIMEOUT=5 wasmpool map square.wat 1",
    ),
    (
        Code::OptionsConflict,
        "wasmpool map square.wat 1 --input items.json",
    ),
    (
        Code::OptionsConflict,
        "wasmpool map square.wat 1 --deterministic --isolation shared",
    ),
    (
        Code::OptionsConflict,
        "wasmpool config --config wasmpool.toml --no-config",
    ),
    (Code::TargetInvalid, "wasmpool map square.wat: 1"),
    (Code::ItemsMissing, "wasmpool map square.wat:square"),
    (
        Code::InputUnreadable,
        "wasmpool map square.wat:square --input itmes.json",
    ),
    (
        Code::InputUnreadable,
        "wasmpool map square.wat:square --files items.jso",
    ),
    (
        Code::InputTooLarge,
        "wasmpool map square.wat:square 1 --config /dev/zero",
    ),
    (
        Code::InputUnreadable,
        "wasmpool map square.wat:square --files folder",
    ),
    (Code::InvalidInput, "wasmpool map square.wat items.json"),
    (Code::OptionUnknown, "wasmpool map square.wat 1 --jobs 4"),
    (Code::OptionUnknown, "wasmpool map square.wat 1 --json"),
    (Code::OptionUnknown, "wasmpool map square.wat 1 --no-color"),
    (Code::Usage, "wasmpool new my-tasks"),
    (Code::InputTwice, "wasmpool map - --input - < square.wat"),
    (
        Code::GlobEmpty,
        "wasmpool map behave.wat:echo --files '*.none'",
    ),
    (
        Code::TableUnfit,
        "wasmpool map behave.wat:divide --csv table.csv",
    ),
    (
        Code::OutputRefused,
        "wasmpool map square.wat:square 1 --output-dir items.json",
    ),
    (Code::FunctionUnknown, "wasmpool map square.wat:sqare 1"),
    (Code::FunctionAmbiguous, "wasmpool map twice.wat:run 1"),
    (Code::FunctionUnnamed, "wasmpool map behave.wat 1"),
    (
        Code::NotCacheable,
        "wasmpool map clock.wat 1 --cache-results",
    ),
    (
        Code::GrantRefused,
        "wasmpool map square.wat 1 --dir nothing::/data",
    ),
    (Code::ProjectMissing, "wasmpool map folder:square 1"),
    (
        Code::ProjectBroken,
        "PATH=/nonexistent wasmpool map project:square 1",
    ),
    (Code::NameRefused, "wasmpool new 'My Tasks' --lang rust"),
    (
        Code::CacheUnusable,
        "WASMPOOL_CACHE_DIR=items.json wasmpool cache list",
    ),
    (
        Code::MonitorUnusable,
        "XDG_RUNTIME_DIR=$PWD/run wasmpool top --once",
    ),
    (Code::PipelineInvalid, "wasmpool pipeline pipeline.toml"),
    (
        Code::ConfigInvalid,
        "wasmpool map square.wat 1 --config misspelt.toml",
    ),
    (
        Code::ConfigUntrusted,
        "cd granting; wasmpool map ../square.wat 1",
    ),
    (Code::RowUnknown, "wasmpool bench aply-shared"),
    (Code::CodeUnknown, "wasmpool explain timeoot"),
    (Code::ModuleUnreadable, "wasmpool map sqaure.wat:square 1"),
    (Code::ModuleUnreadable, "wasmpool map square:square 1"),
    (Code::ModuleRefused, "wasmpool map items.json 1"),
    (
        Code::ModuleOverLimit,
        "wasmpool map large.wat 1 --memory 1MiB",
    ),
    (Code::ImportMissing, "wasmpool map http.wat 1"),
    (Code::FunctionNotCallable, "wasmpool map handle.wat:take 1"),
    (Code::FunctionNone, "wasmpool map nothing.wat 1"),
    (Code::StartFailed, "wasmpool map start-trap.wat 1"),
    (Code::OutputFailed, "wasmpool explain timeout > /dev/full"),
];

/// What no command of a few words can be brought to, everywhere and always; and what shows it, if anything does.
const NOT_PROVOKED: &[(Code, &str)] = &[
    (Code::WorkerLost, "the suite `kills` kills workers"),
    (
        Code::Cancelled,
        "of the library, and of items behind one that failed, which are not told",
    ),
    (Code::ItemCodec, "of the library: the suite `library`"),
    (
        Code::Deadlock,
        "takes guests with queues: the suite `pipelines`",
    ),
    (
        Code::TaskUnknown,
        "takes a guest with tasks: the suite `cli`",
    ),
    (
        Code::TasksUnlisted,
        "takes a guest whose list of tasks is broken",
    ),
    (
        Code::ResultInvalid,
        "takes a guest that lies: the suite `hostile`",
    ),
    (
        Code::CompileTimeout,
        "takes a module that is slow to compile everywhere: the suite `hostile`",
    ),
    (
        Code::CompileMemory,
        "takes a large module: the suite `hostile`",
    ),
    (
        Code::CompilerLost,
        "takes a fault of the compiler, or of its program's allocator",
    ),
    (Code::ProtectionMissing, "depends on the machine"),
    (Code::Machine, "depends on the machine"),
    (
        Code::PoolFault,
        "takes a fault of the machine: the suite `kills`",
    ),
    (Code::PoolClosed, "of the library: the suite `library`"),
    (Code::BenchWrong, "takes a fault of the pool"),
    (Code::Interrupted, "takes a signal: the suite `habits`"),
];

fn main() -> ExitCode {
    Suite::new()
        .test("every_text_is_as_in_the_snapshot", snapshot)
        .test("every_code_is_provoked_or_said_why_not", every_code)
        .test("explain_prints_the_catalogue", explain)
        .run()
}

fn prepare(folder: &Path) {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap_or_else(|e| panic!("{name}: {e}"));
    };
    let copy = |from: &str, to: &str| {
        let from = root().join(from);
        std::fs::copy(&from, folder.join(to)).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    };
    copy("examples/square-wat/square.wat", "square.wat");
    copy("tests/modules/behave.wat", "behave.wat");
    copy("tests/modules/start-trap.wat", "start-trap.wat");
    write("items.json", "1\n2\n");
    write("table.csv", "x,z\n1,2\n");
    // So that none above this folder is looked for.
    write("wasmpool.toml", "");
    write("misspelt.toml", "# Mine.\n[limits]\nmemroy = \"64MiB\"\n");
    write(
        "pipeline.toml",
        "[[process]]\nname = \"read\"\nmodul = \"square.wat\"\n",
    );
    write("nothing.wat", "(component)");
    let function = |imports: &str, memory: u32| {
        format!(
            "(component {imports}
              (core module $m (memory {memory}) (func (export \"f\") (param i64) (result i64) (local.get 0)))
              (core instance $i (instantiate $m))
              (func (export \"f\") (param \"x\" s64) (result s64) (canon lift (core func $i \"f\"))))"
        )
    };
    write("large.wat", &function("", 1000));
    let clock = r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))"#;
    write("clock.wat", &function(clock, 1));
    let http = r#"(import "wasi:http/types@0.2.0" (instance (export "f" (func))))"#;
    write("http.wat", &function(http, 1));
    write(
        "twice.wat",
        r#"(component
          (core module $m (func (export "f") (param i64) (result i64) (local.get 0)))
          (core instance $i (instantiate $m))
          (func $f (param "x" s64) (result s64) (canon lift (core func $i "f")))
          (instance $j (export "run" (func $f)))
          (export "local:one/api" (instance $j))
          (export "local:two/api" (instance $j)))"#,
    );
    write(
        "handle.wat",
        r#"(component
          (type $r' (resource (rep i32)))
          (export $r "r" (type $r'))
          (core module $m (func (export "f") (param i32)))
          (core instance $i (instantiate $m))
          (func (export "take") (param "x" (own $r)) (canon lift (core func $i "f"))))"#,
    );
    for name in ["folder", "project", "granting", "run"] {
        std::fs::create_dir(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    write("run/wasmpool", "");
    write("project/Makefile", "all:\n");
    write(
        "granting/wasmpool.toml",
        "[grants]\nenv = { TOKEN = \"secret\" }\n",
    );
}

/// Runs a command as it is typed; what it says, and its exit code.
fn typed(folder: &Path, command: &str) -> (String, i32) {
    // A function is found whatever the search path is.
    let program = program().display();
    let line = format!("wasmpool() {{ '{program}' \"$@\"; }}; {command}");
    let output = Command::new("bash")
        .args(["-c", &line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("WASMPOOL_CACHE_DIR", folder.join("cache"))
        .env_remove("WASMPOOL_NO_CONFIG")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("there is a shell");
    let said = String::from_utf8(output.stderr).expect("it is text");
    let place = folder.canonicalize().expect("it is there");
    let said = said.replace(&format!("{}", place.display()), "/folder");
    // What this machine lacks is told by each run, and is another matter.
    let lines = said.lines().filter(|line| !line.starts_with("warning: "));
    let lines: Vec<_> = lines.collect();
    (lines.join("\n"), output.status.code().unwrap_or(-1))
}

fn snapshot() {
    let folder = temporary();
    prepare(&folder.path(""));
    let mut text = String::new();
    for (code, command) in CASES {
        let (said, exit) = typed(&folder.path(""), command);
        assert!(!said.contains("panicked"), "{command}: {said}");
        let coded =
            said.contains(&format!("error[{code}]: ")) || said.contains(&format!(": {code}: "));
        assert!(coded, "{command} does not say `{code}`: {said}");
        let _ = writeln!(text, "$ {command}\n{said}\n[{code}, exit code {exit}]\n");
    }
    let file = root().join("tests/tests/errors.txt");
    if std::env::var_os("WASMPOOL_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, text).expect("it can be written");
        return;
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    for (is, was) in text.split("\n\n$ ").zip(expected.split("\n\n$ ")) {
        assert_eq!(is, was);
    }
    assert_eq!(text.len(), expected.len());
}

fn every_code() {
    let provoked: BTreeSet<_> = CASES.iter().map(|(code, _)| *code).collect();
    let others: BTreeMap<_, _> = NOT_PROVOKED.iter().copied().collect();
    for code in Code::ALL {
        assert_ne!(
            provoked.contains(code),
            others.contains_key(code),
            "{code} is to stand in one of the two lists"
        );
    }
}

fn explain() {
    let all = wasmpool(["explain", "--json"])
        .run()
        .exits(0)
        .json()
        .remove(0);
    let all = all.as_array().expect("an array");
    assert_eq!(all.len(), Code::ALL.len());
    for (entry, code) in all.iter().zip(Code::ALL) {
        assert_eq!(entry["code"], code.name());
        let one = wasmpool(["explain", code.name()]).run().exits(0);
        for sentence in ["what", "why", "fix"] {
            let sentence = entry[sentence].as_str().expect("a text");
            assert!(one.text().contains(sentence), "{one:?}");
        }
        let one = wasmpool(["explain", &format!("error[{code}]"), "--json"]);
        assert_eq!(&one.run().exits(0).json()[0], entry);
    }
    let exits: BTreeSet<_> = all.iter().map(|entry| entry["exit"].to_string()).collect();
    assert_eq!(
        exits,
        ["1", "130", "2", "3", "4", "5"].map(String::from).into()
    );
    let list = wasmpool(["explain"]).run().exits(0);
    assert_eq!(list.lines().len(), Code::ALL.len());
    assert!(matches!(all[0]["exit"], Value::Number(_)));
}
