//! `wasmpool map` as people first meet it: items in, results out.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;

use serde_json::{Value, json};
use wasmpool_tests::{Suite, guests, module, program, temporary, wasmpool};

const SQUARE: &str = "examples/square-wat/square.wat:square";
const ISOLATIONS: [&str; 4] = ["thread", "shared", "instance", "process"];

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("the_first_command", the_first_command)
        .test("items_from_arguments", items_from_arguments)
        .test("items_from_json_lines", items_from_json_lines)
        .test("items_from_lines", items_from_lines)
        .test("items_from_files", items_from_files)
        .test("several_parameters", several_parameters)
        .guest("rows_of_a_table", rows_of_a_table)
        .guest("signatures", signatures)
        .guest("checks", checks)
        .test("no_items_at_all", no_items_at_all)
        .test("outputs", outputs)
        .test("output_directory", output_directory)
        .test("the_only_function_need_not_be_named", the_only_function)
        .test("usage", usage)
        .test("modules_that_cannot_be_used", modules_that_cannot_be_used)
        .test("a_closed_pipe_is_success", a_closed_pipe_is_success)
        .test("nothing_but_data_on_stdout", nothing_but_data_on_stdout)
        .test("inspect", inspect)
        .test("instances", instances)
        .test("text_of_any_kind_comes_back", text_of_any_kind_comes_back)
        .guest("tasks_of_the_guest_sdk", tasks_of_the_guest_sdk)
        .guest(
            "the_same_source_for_every_target",
            the_same_source_for_every_target,
        )
        .guest("generators", generators)
        .guest("what_a_task_is_told", what_a_task_is_told)
        .guest("bytes_in_bytes_out", bytes_in_bytes_out);
    for isolation in ISOLATIONS {
        suite = suite.test(format!("every_way_to_share_out::{isolation}"), move || {
            every_way_to_share_out(isolation);
        });
    }
    suite.run()
}

/// Checks that a map exits with success and prints these values, one a line, in this order.
#[track_caller]
fn check(args: &[&str], expected: &[Value]) {
    let ran = wasmpool(["map"].iter().chain(args)).run().exits(0);
    assert_eq!(ran.json(), expected, "{args:?}: {ran:?}");
    assert_eq!(ran.stderr, "", "{args:?}");
}

fn guest(name: &str) -> String {
    let path = guests().expect("only run with guests").join(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path.to_str().expect("a path that is text").to_owned()
}

fn behave(function: &str) -> String {
    format!("{}:{function}", module("behave"))
}

fn squares(items: impl IntoIterator<Item = i64>) -> Vec<Value> {
    items
        .into_iter()
        .map(|x| json!(x.wrapping_mul(x)))
        .collect()
}

fn the_first_command() {
    let ran = wasmpool(["map", SQUARE, "1", "2", "3", "4", "5"])
        .run()
        .exits(0);
    assert_eq!(ran.text(), "1\n4\n9\n16\n25\n");
}

fn items_from_arguments() {
    check(&[SQUARE, "-7", "0"], &squares([-7, 0]));
    // What is no JSON is a string.
    check(
        &[&behave("echo"), "plain", "\"quoted\"", "say \"hi\"", ""],
        &[
            json!("plain"),
            json!("quoted"),
            json!("say \"hi\""),
            json!(""),
        ],
    );
}

fn items_from_json_lines() {
    let folder = temporary();
    let file = folder.write("items", "1\n\n  2 \n-3");
    check(&[SQUARE, "--input", &file], &squares([1, 2, -3]));
    let ran = wasmpool(["map", SQUARE, "--input", "-"])
        .run_with("4\n5\n")
        .exits(0);
    assert_eq!(ran.json(), squares([4, 5]));
}

fn items_from_lines() {
    let folder = temporary();
    let file = folder.write("lines", "one\n\n[3]\r\nlast");
    let expected = ["one", "", "[3]", "last"].map(|line| json!(line));
    check(&[&behave("echo"), "--lines", &file], &expected);
    let lengths = [3, 0, 3, 4].map(|n| json!(n));
    check(&[&behave("length"), "--lines", &file], &lengths);
    let ran = wasmpool(["map", &behave("echo"), "--lines", "-"])
        .run_with("é\n")
        .exits(0);
    assert_eq!(ran.json(), [json!("é")]);
}

fn items_from_files() {
    let folder = temporary();
    let texts = ["first", "second\nline", ""];
    for (name, text) in ["a.txt", "b.txt", "c.txt"].iter().zip(texts) {
        folder.write(name, text);
    }
    folder.write("d.other", "no");
    let all = texts.map(|text| json!(text));
    check(&[&behave("echo"), "--files", &folder.text("*.txt")], &all);
    let (b, a) = (folder.text("b.txt"), folder.text("a.txt"));
    check(
        &[&behave("echo"), "--files", &b, &a],
        &[all[1].clone(), all[0].clone()],
    );
    let none = folder.text("*.none");
    wasmpool(["map", &behave("echo"), "--files", &none])
        .run()
        .exits(2)
        .says("no file matches");
}

fn several_parameters() {
    check(
        &[&behave("divide"), "[7, 2]", "{\"y\": 3, \"x\": -9}"],
        &[json!(3), json!(-3)],
    );
}

fn rows_of_a_table() {
    let folder = temporary();
    let csv = folder.write("t.csv", "y,x\n2,7\n0,1\nz,1\n-3,9\n");
    let ran = wasmpool([
        "map",
        &behave("divide"),
        "--csv",
        &csv,
        "--on-error",
        "continue",
    ]);
    let ran = ran.run().exits(1);
    assert_eq!(ran.lines(), ["3", "null", "null", "-3"]);
    let ran = ran.says("item 1 (line 3): ");
    ran.says("item 2 (line 4): invalid-input: ");
    let ran = wasmpool(["map", &behave("divide"), "--csv", "-"]).run_with("x,z\n1,2\n");
    ran.exits(2).says("the column `z` is no parameter");
    let ran = wasmpool(["map", SQUARE, "--csv", "-"]).run_with("x\n3\n4\n");
    assert_eq!(ran.exits(0).lines(), ["9", "16"]);
}

fn signatures() {
    let ran = wasmpool(["map", SQUARE, "--sig"]).run().exits(0);
    assert_eq!(ran.lines(), ["square: func(x: s64) -> s64"]);
    let ran = wasmpool(["map", &(guest("square.wasm") + ":square"), "--sig"]).run();
    assert_eq!(ran.exits(0).lines(), ["square: Squares a number."]);
    let ran = wasmpool(["map", &(guest("square.wasm") + ":sqare"), "--sig"]).run();
    ran.exits(2)
        .says("the module has no task `sqare`; it has square")
        .says("did you mean `square`?");
}

/// What `check` answers, and with which code: everything that a map would stumble over.
fn checks() {
    let folder = temporary();
    let check = |text: &str, options: &[&str], code: i32, says: &[&str]| {
        let path = folder.write("m.wat", text);
        let ran = wasmpool([&["check", &path], options].concat()).run();
        let ran = ran.exits(code);
        for line in says {
            assert!(ran.text().contains(line), "no `{line}` in {ran:?}");
        }
        let json = wasmpool([&["check", &path, "--format", "json"], options].concat()).run();
        let json = json.exits(code).json().remove(0);
        assert_eq!(json["runs"], json!(code == 0), "{json}");
    };
    check(
        "(module",
        &[],
        3,
        &["module     no: ", "m.wat would not run here"],
    );
    check(
        r#"(component (import "wasi:http/types@0.2.0" (instance (export "f" (func)))))"#,
        &[],
        3,
        &["import     no: wasi:http/types@0.2.0", "is not offered"],
    );
    // The interface is ours, the function's type is not.
    check(
        r#"(component (import "wasmpool:task/log@0.1.0" (instance
            (export "panic" (func (param "text" u32))))))"#,
        &[],
        3,
        &[
            "start      no: ",
            "wasmpool:task/log@0.1.0",
            "panic",
            "type",
        ],
    );
    check(
        r#"(component (core module $m (func unreachable) (start 0)) (core instance (instantiate $m)))"#,
        &[],
        3,
        &["start      no: ", "unreachable"],
    );
    check(
        "(component)",
        &[],
        3,
        &["functions  no: it exports nothing"],
    );
    let large = r#"(component (core module $m (memory 100)) (core instance (instantiate $m))
        (core module $n (func (export "f"))) (core instance $n (instantiate $n))
        (func (export "f") (canon lift (core func $n "f"))))"#;
    check(
        large,
        &["--memory", "1MiB"],
        3,
        &["module     no: ", "bytes of memory at its start"],
    );
    check(
        large,
        &[],
        0,
        &["functions  ok: 1 can be called", "would run here"],
    );
    wasmpool(["check", &format!("{SQUARE}:sqare")])
        .run()
        .exits(3);
    let program = guest("program.wasm32-wasip1.wasm");
    let ran = wasmpool(["check", &program]).run().exits(0);
    assert!(ran.text().contains("no files without --dir"), "{ran:?}");
    let dir = format!("{}::/d", folder.path("").display());
    let ran = wasmpool(["check", &program, "--dir", &dir]).run().exits(0);
    assert!(!ran.text().contains("--dir"), "{ran:?}");
}

fn no_items_at_all() {
    check(&[SQUARE, "--input", "/dev/null"], &[]);
    wasmpool(["map", SQUARE]).run().exits(2).says("no items");
}

fn outputs() {
    let records = [json!({"index": 0, "ok": 4}), json!({"index": 1, "ok": 9})];
    check(&[SQUARE, "2", "3", "--output", "records"], &records);
    let ran = wasmpool(["map", &behave("echo"), "--output", "raw", "a", "é\n", "c"]).run();
    assert_eq!(ran.exits(0).stdout, "aé\nc".as_bytes());
}

fn output_directory() {
    let folder = temporary();
    let out = folder.text("out");
    check(&[SQUARE, "2", "3", "--output-dir", &out], &[]);
    let read = |name: &str| std::fs::read_to_string(folder.path("out").join(name));
    let names = || -> BTreeSet<String> {
        let entries = folder
            .path("out")
            .read_dir()
            .expect("it was made")
            .flatten();
        entries
            .map(|e| e.file_name().into_string().expect("a name that is text"))
            .collect()
    };
    assert_eq!(names(), ["0.json", "1.json"].map(String::from).into());
    assert_eq!(
        (read("0.json").unwrap(), read("1.json").unwrap()),
        ("4\n".into(), "9\n".into())
    );

    let a = folder.write("a.txt", "of a");
    let b = folder.write("b.txt", "of b");
    let echo = behave("echo");
    check(
        &[
            &echo,
            "--output",
            "raw",
            "--output-dir",
            &out,
            "--files",
            &a,
            &b,
        ],
        &[],
    );
    assert_eq!(
        (read("a.txt").unwrap(), read("b.txt").unwrap()),
        ("of a".into(), "of b".into())
    );
}

fn the_only_function() {
    check(&["examples/square-wat/square.wat", "6"], &squares([6]));
    wasmpool(["map", &module("behave"), "6"])
        .run()
        .exits(2)
        .says("identity");
}

fn usage() {
    let check = |args: &[&str], said: &str| {
        let ran = wasmpool(args).run().exits(2).says(said);
        assert_eq!(ran.text(), "", "{args:?}");
    };
    check(&[], "Usage");
    check(&["mop"], "mop");
    check(&["map"], "MODULE");
    check(&["map", SQUARE, "1", "--chunk-size", "0"], "--chunk-size");
    check(&["map", SQUARE, "1", "--workers", "-1"], "--workers");
    check(&["map", SQUARE, "1", "--timeout", "soon"], "--timeout");
    check(&["map", SQUARE, "1", "--memory", "lots"], "--memory");
    check(&["map", SQUARE, "1", "--input", "-"], "cannot be used with");
    check(&["map", SQUARE, "--input", "no/such/file"], "no/such/file");
    check(
        &["map", "examples/square-wat/square.wat:sqare", "1"],
        "square",
    );
}

fn modules_that_cannot_be_used() {
    let folder = temporary();
    let check = |module: &str, said: &str| {
        let ran = wasmpool(["map", module, "1"]).run().exits(3).says(said);
        assert!(ran.stderr.starts_with("error["), "{ran:?}");
        assert_eq!(ran.text(), "", "{module}");
    };
    check("no/such/module.wasm:f", "no/such/module.wasm");
    check(&folder.write("empty.wasm", ""), "");
    check(&folder.write("text.wasm", "this is no module"), "");
    check(&folder.write("odd.wat", "(component (func))"), "");
    check(
        &folder.write("bare.wat", "(module (func (export \"bare\")))"),
        "bare",
    );
    let absent = "(component (import \"absent\" (func)))";
    check(&folder.write("absent.wat", absent), "absent");
}

fn a_closed_pipe_is_success() {
    let mut run = wasmpool(["map", SQUARE, "--input", "-"]).start_piped();
    let mut stdin = run.child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        // Until nobody reads any more.
        while stdin.write_all(b"3\n").is_ok() {}
    });
    let mut first = String::new();
    let mut stdout = BufReader::new(run.stdout());
    stdout.read_line(&mut first).expect("a pipe can be read");
    assert_eq!(first, "9\n");
    drop(stdout);
    let ran = run.finish().exits(0);
    assert_eq!(ran.stderr, "");
    writer.join().expect("the writer ends");
}

fn nothing_but_data_on_stdout() {
    let args = ["map", SQUARE, "3", "--stats", "--progress", "always", "-vv"];
    let ran = wasmpool(args).run().exits(0).says("items: 1 done");
    assert_eq!(ran.text(), "9\n");
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
}

fn inspect() {
    let ran = wasmpool(["inspect", "examples/square-wat/square.wat"])
        .run()
        .exits(0);
    assert!(ran.text().contains("square"), "{ran:?}");
    let args = [
        "inspect",
        "examples/square-wat/square.wat",
        "--format",
        "json",
    ];
    let ran = wasmpool(args).run().exits(0);
    let value: Value = serde_json::from_slice(&ran.stdout).expect("it is JSON");
    assert!(value.to_string().contains("\"square\""), "{value}");
}

/// What one item leaves in its instance is seen by the next one, or not.
fn instances() {
    for (isolation, expected) in [
        ("shared", [1, 2, 3]),
        ("instance", [1; 3]),
        ("process", [1; 3]),
    ] {
        let args = [
            &behave("count"),
            "0",
            "0",
            "0",
            "--workers",
            "1",
            "--isolation",
            isolation,
        ];
        check(&args, &expected.map(|n| json!(n)));
    }
    let retired = [
        &behave("count"),
        "0",
        "0",
        "0",
        "--workers",
        "1",
        "--max-items-per-worker",
        "2",
    ];
    check(&retired, &[1, 2, 1].map(|n| json!(n)));
}

fn text_of_any_kind_comes_back() {
    let long = "ü".repeat(3 << 20);
    let texts = ["\u{0}\u{1f}\"\\\n\r\t", "\u{2028}\u{202e}🦀", "", &long];
    let input: String = texts.map(|text| json!(text).to_string() + "\n").concat();
    let ran = wasmpool(["map", &behave("echo"), "--input", "-"])
        .run_with(input)
        .exits(0);
    assert!(
        ran.json() == texts.map(|text| json!(text)),
        "not what went in"
    );
}

/// The results do not depend on how items are shared out.
fn every_way_to_share_out(isolation: &str) {
    // A fresh process an item is not meant for many.
    let items: Vec<i64> = match isolation {
        "process" => (-40..40).collect(),
        _ => (-500..500).collect(),
    };
    let input: String = items.iter().map(|x| format!("{x}\n")).collect();
    let expected = squares(items.iter().copied());
    for chunk in ["1", "7", "auto"] {
        for workers in ["1", "2", "8"] {
            let args = ["map", SQUARE, "--input", "-", "--isolation", isolation];
            let args = [&args[..], &["--chunk-size", chunk, "--workers", workers]].concat();
            let ran = wasmpool(&args).run_with(input.clone()).exits(0);
            assert_eq!(ran.json(), expected, "{args:?}");

            let args = [&args[..], &["--unordered", "--output", "records"]].concat();
            let mut records = wasmpool(&args).run_with(input.clone()).exits(0).json();
            records.sort_by_key(|record| record["index"].as_u64());
            let with_index = expected.iter().enumerate();
            let expected: Vec<_> = with_index
                .map(|(i, x)| json!({"index": i, "ok": x}))
                .collect();
            assert_eq!(records, expected, "{args:?}");
        }
    }
}

fn tasks_of_the_guest_sdk() {
    check(
        &[&(guest("square.wasm") + ":square"), "1", "-2", "3"],
        &squares([1, -2, 3]),
    );
    let zoo = guest("zoo.wasm");
    check(
        &[&format!("{zoo}:divide"), "[7,2]", "{\"x\":9,\"y\":3}"],
        &[json!(3), json!(3)],
    );
    let nested = json!({"a": [1, null, {"b": "c\n"}], "d": -1.5});
    check(
        &[&format!("{zoo}:echo-json"), &nested.to_string()],
        &[nested],
    );
    let ran = wasmpool(["map", &format!("{zoo}:no-such-task"), "1"])
        .run()
        .exits(2);
    ran.says("no-such-task");
}

fn the_same_source_for_every_target() {
    for target in ["", ".wasm32-wasip1", ".wasm32-wasip2"] {
        let module = guest(&format!("square{target}.wasm"));
        check(&[&format!("{module}:square"), "5", "6"], &squares([5, 6]));
    }
}

fn generators() {
    let task = guest("zoo.wasm") + ":emit-n";
    check(
        &[&task, "3", "0", "2"],
        &[0, 1, 2, 3, 0, 0, 1, 2].map(|n| json!(n)),
    );
    let record = json!({"index": 0, "emitted": [0, 1], "ok": 2});
    check(&[&task, "2", "--output", "records"], &[record]);
}

fn what_a_task_is_told() {
    let task = guest("zoo.wasm") + ":whoami";
    let ran = wasmpool(["map", &task, "null", "null", "--workers", "1"])
        .run()
        .exits(0);
    let told = ran.json();
    for (index, told) in told.iter().enumerate() {
        assert_eq!(told["item_index"], index, "{told}");
        assert_eq!(told["attempt"], 1, "{told}");
        assert_eq!(told["worker_index"], 0, "{told}");
        assert_eq!(told["has_deadline"], true, "{told}");
        assert_eq!(told["cancelled"], false, "{told}");
    }
    assert_eq!(told.len(), 2);
}

fn bytes_in_bytes_out() {
    let bytes = std::fs::read(program()).expect("the program can be read");
    let bytes = &bytes[..bytes.len().min(8 << 20)];
    let folder = temporary();
    let file = folder.write("bytes", bytes);
    let task = guest("zoo.wasm") + ":echo-bytes";
    let ran = wasmpool(["map", &task, "--output", "raw", "--files", &file])
        .run()
        .exits(0);
    assert!(ran.stdout == bytes, "{} bytes came back", ran.stdout.len());
}
