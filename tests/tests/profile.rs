//! `wasmpool profile`: where the time of items is spent, told from samples of locked workers.

use std::process::ExitCode;

use serde_json::Value;
use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::{PATIENCE, Ran, Suite, built, module, temporary, wasmpool, well_formed};

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("hostile_names_stay_text", hostile_names)
        .test("a_command_is_profiled_too", command)
        .test("deep_stacks_are_cut", deep_stacks)
        .test("what_waits_counts_where_it_goes_on", waits)
        .test("usage", usage)
        .guest("an_item_that_traps", item_that_traps)
        .guest("an_item_that_is_late", item_that_is_late)
        .guest("files", files)
        .guest("in_rust", in_rust);
    for isolation in ["shared", "instance", "process"] {
        suite = suite.guest(format!("the_hottest_function::{isolation}"), move || {
            hottest(isolation);
        });
    }
    suite.run()
}

fn traced(function: &str) -> String {
    let path = built("traced").expect("it is built with the others");
    format!("{}:{function}", path.display())
}

fn profile(args: &[&str]) -> Ran {
    wasmpool([&["profile", "--format", "json"], args].concat()).run()
}

/// The only value on standard output.
fn value(ran: &Ran) -> Value {
    let mut values = ran.json();
    assert_eq!(values.len(), 1, "{ran:?}");
    values.remove(0)
}

/// The name of the function with the most samples of its own, and its share of all.
fn first(value: &Value) -> (&str, f64) {
    let samples = value["samples"].as_f64().expect("a number");
    let first = &value["functions"][0];
    let own = first["own"].as_f64().expect("there were samples");
    (first["name"].as_str().expect("a name"), own / samples)
}

fn has_function(value: &Value, name: &str) -> bool {
    let functions = value["functions"].as_array().expect("a list");
    functions.iter().any(|f| f["name"] == name)
}

fn hottest(isolation: &str) {
    let function = traced("busy");
    let args = ["--isolation", isolation, &function, "400000", "400000"];
    let value = value(&profile(&args).exits(0));
    assert!(value["samples"].as_u64() > Some(20), "{value}");
    let (name, share) = first(&value);
    assert_eq!(name, "traced::hot", "{value}");
    // Nine tenths of the work.
    assert!(share > 0.6, "{share}: {value}");
    assert!(has_function(&value, "traced::cold"), "{value}");

    let samples = |list: &str, count: &str| -> u64 {
        let list = value[list].as_array().expect("a list");
        list.iter().filter_map(|one| one[count].as_u64()).sum()
    };
    let all = value["samples"].as_u64().expect("a number");
    assert_eq!(
        (samples("functions", "own"), samples("stacks", "samples")),
        (all, all)
    );
    assert_eq!(value["other"], 0);
}

/// What it did before is told all the same, and the failure as in a map.
fn item_that_traps() {
    let ran = profile(&[&traced("busy-then-trap"), "400000"]).exits(1);
    assert_eq!(first(&value(&ran)).0, "traced::hot", "{ran:?}");
    ran.says("error: item 0 (400000): trap: ")
        .says("traced::outer");
}

fn item_that_is_late() {
    let ran = profile(&[&traced("busy-for-ever"), "--timeout", "700ms", "1000"]).exits(1);
    assert!(has_function(&value(&ran), "traced::spend"), "{ran:?}");
    ran.says("timeout");
}

fn files() {
    let folder = temporary();
    let (svg, folded) = (folder.text("flame.svg"), folder.text("folded.txt"));
    let function = traced("busy");
    let args = ["profile", &function, "200000", "--top", "1"];
    let files = [
        "--flame-graph",
        &svg,
        "--folded",
        &folded,
        "--frequency",
        "500",
    ];
    let ran = wasmpool([&args[..], &files].concat()).run().exits(0);
    let lines = ran.lines();
    assert!(lines[0].ends_with(" samples, 500 a second"), "{ran:?}");
    assert!(lines[2].ends_with("  traced::hot"), "{ran:?}");
    assert!(lines[3].starts_with("and "), "{ran:?}");

    let folded = std::fs::read_to_string(folded).expect("it was written");
    assert!(folded.lines().count() > 0);
    for line in folded.lines() {
        let (stack, samples) = line.rsplit_once(' ').expect("a number behind a stack");
        assert!(
            stack.contains(';') && samples.parse::<u64>().is_ok(),
            "{line}"
        );
    }
    let svg = std::fs::read_to_string(svg).expect("it was written");
    assert!(svg.contains("<title>traced::hot: "), "{svg}");
    well_formed(&svg);

    let nowhere = ["profile", &function, "1", "--folded", "/nowhere/folded.txt"];
    wasmpool(nowhere)
        .run()
        .exits(5)
        .says("cannot write /nowhere/folded.txt");
}

/// A module whose function is called `name`, and works for so many thousand rounds.
fn named(name: &str) -> String {
    let name: String = name.bytes().map(|b| format!("\\{b:02x}")).collect();
    format!(
        r#"(component
  (core module $m
    (func $work (@name "{name}") (param i64) (local i64)
      loop
        local.get 1 i64.const 3 i64.mul i64.const 1 i64.add local.set 1
        local.get 0 i64.const 1 i64.sub local.tee 0
        i64.const 0 i64.ne br_if 0
      end)
    (func (export "busy") (param i64) local.get 0 i64.const 1000 i64.mul call $work))
  (core instance $i (instantiate $m))
  (func (export "busy") (param "rounds" s64) (canon lift (core func $i "busy"))))"#
    )
}

fn hostile_names() {
    let folder = temporary();
    let hostile = "</title></svg><script>alert(1)</script>;a\n\x1b[2J&\u{202e}\"";
    let module = folder.write("hostile.wat", named(hostile));
    let (svg, folded) = (folder.text("flame.svg"), folder.text("folded.txt"));
    let files = ["--flame-graph", &svg, "--folded", &folded];
    let ran = profile(&[&[&*module, "300000"], &files[..]].concat()).exits(0);
    let value = value(&ran);
    let (name, _) = first(&value);
    assert!(
        name.contains("<script>") && name.contains("\\u{1b}[2J"),
        "{name}"
    );
    assert!(
        !ran.text().contains('\x1b') && !name.contains('\n'),
        "{ran:?}"
    );
    let folded = std::fs::read_to_string(folded).expect("it was written");
    // The caller and this one, however it is called.
    assert!(
        folded.lines().all(|line| line.matches(';').count() == 1),
        "{folded}"
    );
    let svg = std::fs::read_to_string(svg).expect("it was written");
    assert!(!svg.contains("<script"), "{svg}");
    well_formed(&svg);

    let text = wasmpool(["profile", &module, "300000"]).run().exits(0);
    assert_eq!(text.lines().len(), 4, "{text:?}");
    assert!(!text.text().contains(['\x1b', '\u{202e}']), "{text:?}");
}

/// The item of a command is its input; what it writes need not be text.
fn command() {
    let folder = temporary();
    let module = folder.write(
        "command.wat",
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\01\00\00\00")
  (data (i32.const 16) "\ff")
  (func $grind (local i32)
    i32.const 300000000 local.set 0
    loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)
  (func (export "_start")
    call $grind
    i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write drop))"#,
    );
    let value = value(&profile(&[&module, "item"]).exits(0));
    assert_eq!(first(&value).0, "grind", "{value}");
}

fn deep_stacks() {
    let folder = temporary();
    let module = folder.write(
        "deep.wat",
        r#"(component
  (core module $m
    (func $grind (local i32)
      i32.const 200000000 local.set 0
      loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end)
    (func $down (param i32)
      local.get 0 i32.eqz
      if call $grind else local.get 0 i32.const 1 i32.sub call $down end)
    (func (export "deep") (param i32) local.get 0 call $down))
  (core instance $i (instantiate $m))
  (func (export "deep") (param "by" u32) (canon lift (core func $i "deep"))))"#,
    );
    for (depth, frames, cut) in [("20", 23, false), ("1000", 129, true)] {
        let value = value(&profile(&[&module, depth]).exits(0));
        let stacks = value["stacks"].as_array().expect("a list");
        let hottest = stacks.iter().max_by_key(|s| s["samples"].as_u64());
        let names = hottest.and_then(|s| s["frames"].as_array()).expect("one");
        assert_eq!(names.len(), frames, "{names:?}");
        assert_eq!(names[0] == "[deeper]", cut, "{names:?}");
        assert_eq!(names[frames - 1], "grind", "{names:?}");
    }
}

/// Time in a host call is told once the guest goes on: nothing is lost.
fn waits() {
    let folder = temporary();
    let module = folder.write(
        "wait.wat",
        r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $after)
  (func (export "_start")
    ;; A clock that only moves forward, 400 ms from now.
    i32.const 16 i32.const 0 i32.store8
    i32.const 24 i32.const 1 i32.store
    i32.const 32 i64.const 400000000 i64.store
    i32.const 8 i32.const 200 i32.const 1 i32.const 300 call $poll drop
    call $after))"#,
    );
    let value = value(&profile(&[&module, "item"]).exits(0));
    assert!(value["samples"].as_u64() > Some(20), "{value}");
}

fn usage() {
    let behave = format!("{}:identity", module("behave"));
    wasmpool(["profile", &behave])
        .run()
        .exits(2)
        .says("there are no items");
    wasmpool(["profile", &behave, "1", "--frequency", "0"])
        .run()
        .exits(2);
    let thread = ["profile", &behave, "1", "--isolation", "thread"];
    wasmpool(thread)
        .run()
        .exits(2)
        .says("threads cannot be profiled");
    let ran = wasmpool(["profile", &behave, "1"]).run().exits(0);
    assert!(
        ran.lines()[0].ends_with(" samples, 997 a second"),
        "{ran:?}"
    );
}

fn in_rust() {
    let builder = || {
        let limits = Limits::new().timeout(PATIENCE);
        Pool::builder().workers(1).limits(limits)
    };
    let path = built("traced").expect("it is built");
    let pool = builder().profile(1000).open(&path).expect("it can be used");
    let empty = pool.profile().expect("it was asked for");
    assert_eq!((empty.samples(), empty.frequency()), (0, 1000));
    pool.map::<u64, u64>("busy", [200_000_u64])
        .expect("it returns");
    let profile = pool.profile().expect("it was asked for");
    assert_eq!(profile.functions()[0].name, "traced::hot");
    assert!(profile.samples() > 20);

    assert_eq!(
        builder().open(&path).expect("it can be used").profile(),
        None
    );
    let threads = builder()
        .profile(1000)
        .isolation(Isolation::Thread)
        .open(&path);
    assert!(matches!(threads, Err(Error::Options { .. })));
}
