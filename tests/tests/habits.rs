//! What people expect of a command without thinking: `-`, odd file names, closed pipes, signals, `--json`, and inputs of
//! every size.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use wasmpool_tests::{
    Running, Started, Suite, Temporary, Watched, built, module, patiently, temporary, wasmpool,
    workers,
};

const SQUARE: &str = "examples/square-wat/square.wat";

fn main() -> ExitCode {
    let mut suite = Suite::new()
        .test("version", version)
        .test("manual_pages", manual_pages)
        .test("json_wherever_there_is_a_table", json_everywhere)
        .test("a_module_from_standard_input", module_from_stdin)
        .test("standard_input_in_place_of_a_file", stdin_as_a_file)
        .test("names_that_are_not_text", odd_names)
        .guest("a_granted_directory_that_is_not_text", odd_directory)
        .test("nobody_reads_what_is_printed", closed_pipes)
        .test("nobody_reads_what_is_said", closed_stderr)
        .test("a_full_disk_is_an_error", full_disk)
        .test("nothing_at_all", empty_inputs)
        .test("far_too_much", huge_inputs);
    for signal in [Signal::Int, Signal::Term] {
        suite = suite
            .test(format!("{signal:?}_ends_a_map"), move || ends_a_map(signal))
            .test(format!("{signal:?}_ends_a_process"), move || {
                ends_spinning("run", signal)
            })
            .test(format!("{signal:?}_ends_a_pipeline"), move || {
                ends_spinning("pipeline", signal);
            });
        for command in ["map", "run", "pipeline"] {
            suite = suite.test(
                format!("{signal:?}_twice_stops_a_{command}_at_once"),
                move || {
                    twice(command, signal);
                },
            );
        }
    }
    suite.run()
}

fn behave(function: &str) -> String {
    format!("{}:{function}", module("behave"))
}

fn version() {
    let ran = wasmpool(["--version"]).run().exits(0);
    let [line] = ran.lines()[..] else {
        panic!("{ran:?}")
    };
    assert!(
        line.starts_with("wasmpool 0.") && line.contains(" (wasmtime 48."),
        "{line}"
    );
    assert!(line.ends_with(", wasmpool:task 0.1.0)"), "{line}");
    let short = wasmpool(["-V"]).run().exits(0);
    assert_eq!(Some(short.text().trim_end()), line.split(" (").next());
}

fn manual_pages() {
    let folder = temporary();
    let pages = folder.path("man/man1");
    wasmpool([OsStr::new("man"), pages.as_os_str()])
        .run()
        .exits(0);
    let read = |name: &str| {
        let page = std::fs::read_to_string(pages.join(name));
        page.unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    for name in [
        "wasmpool",
        "wasmpool-map",
        "wasmpool-cache-list",
        "wasmpool-explain",
    ] {
        let page = read(&format!("{name}.1"));
        assert!(page.contains(".SH NAME") && page.contains(".TH"), "{name}");
    }
    assert!(
        read("wasmpool-map.1").contains("Exit codes") || read("wasmpool.1").contains("Exit codes")
    );
    assert!(!pages.join("wasmpool-man.1").exists(), "it is hidden");
    let file = folder.write("file", "");
    let ran = wasmpool(["man", &file]).run().exits(5);
    ran.says("error[output-failed]: ");
}

fn json_everywhere() {
    let square = format!("{SQUARE}:square");
    for args in [
        &["inspect", SQUARE][..],
        &["check", &square],
        &["bench", "--list"],
    ] {
        let long = wasmpool([args, &["--format", "json"]].concat())
            .run()
            .exits(0);
        let short = wasmpool([args, &["--json"]].concat()).run().exits(0);
        assert_eq!(long.text(), short.text());
        assert_eq!(short.json().len(), 1);
        let both = wasmpool([args, &["--json", "--format", "text"]].concat());
        both.run().exits(2).says("error[options-conflict]: ");
    }
    let folder = temporary();
    let cache = folder.text("cache");
    wasmpool(["map", &square, "3"]).cache(&cache).run().exits(0);
    let list = wasmpool(["cache", "list", "--json"]).cache(&cache).run();
    let list = list.exits(0).json().remove(0);
    let entries = list.as_array().expect("a list");
    assert_eq!(entries.len(), 1, "{list}");
    assert!(entries[0]["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    assert!(entries[0]["unused_seconds"].is_u64() && entries[0]["name"].is_string());
    let text = wasmpool(["cache", "list"]).cache(&cache).run().exits(0);
    assert!(
        text.text()
            .contains(entries[0]["name"].as_str().expect("a name"))
    );
    let dir = wasmpool(["cache", "dir", "--json"]).cache(&cache).run();
    assert_eq!(dir.exits(0).json(), [json!({"dir": cache})]);
}

fn module_from_stdin() {
    let bytes = || std::fs::read(wasmpool_tests::root().join(SQUARE)).expect("an example");
    let run = |args: &[&str]| wasmpool(args).run_with(bytes());
    assert_eq!(run(&["map", "-", "3", "4"]).exits(0).lines(), ["9", "16"]);
    assert_eq!(
        run(&["map", "/dev/stdin:square", "3"]).exits(0).text(),
        "9\n"
    );
    assert_eq!(
        run(&["run", "/dev/stdin:square", "5"]).exits(0).text(),
        "25\n"
    );
    let sig = run(&["map", "-", "--sig"]).exits(0);
    assert_eq!(sig.text(), "square: func(x: s64) -> s64\n");
    let inspected = run(&["inspect", "-"]).exits(0);
    assert!(
        inspected.text().starts_with("module: standard input\n"),
        "{inspected:?}"
    );
    let checked = run(&["check", "/dev/stdin:square"]).exits(0);
    assert!(
        checked.text().ends_with("standard input would run here\n"),
        "{checked:?}"
    );
    run(&["map", "/dev/stdin:cube", "3"])
        .exits(2)
        .says("error[function-unknown]: ");
    run(&["map", "-:square", "3"])
        .exits(2)
        .says("hint: write /dev/stdin:FUNCTION");
    let none = wasmpool(["map", "-", "3"]).run().exits(3);
    none.says("error[module-refused]: ");
    for source in ["--input", "--lines", "--csv", "--files"] {
        run(&["map", "-", source, "-"])
            .exits(2)
            .says("error[input-twice]: ");
    }
}

fn stdin_as_a_file() {
    let run = |args: &[&str], input: &str| wasmpool(args).run_with(input).exits(0);
    let echo = behave("echo");
    assert_eq!(
        run(&["map", &echo, "--files", "-"], "a\nb").json(),
        [json!("a\nb")]
    );
    let folder = temporary();
    let out = folder.text("out");
    let args = [
        "map",
        &echo,
        "--files",
        "-",
        "--output",
        "raw",
        "--output-dir",
        &out,
    ];
    run(&args, "a\nb");
    let written = std::fs::read(folder.path("out/stdin")).expect("a result");
    assert_eq!(written, b"a\nb");
    let pipeline = format!(
        "[[process]]\nname = \"p\"\nmodule = \"{SQUARE}\"\nfunction = \"square\"\nargs = [7]\n"
    );
    let ran = run(&["pipeline", "-"], &pipeline);
    assert_eq!(ran.json(), [json!({"process": "p", "ok": 49})]);
}

/// A name that is no UTF-8, which file systems allow.
fn odd(folder: &Temporary, name: &[u8]) -> PathBuf {
    folder.path("").join(OsStr::from_bytes(name))
}

fn args<const N: usize>(args: [&dyn AsRef<OsStr>; N]) -> [OsString; N] {
    args.map(|arg| arg.as_ref().to_owned())
}

fn odd_names() {
    let folder = temporary();
    let place = odd(&folder, b"pl\xffce");
    std::fs::create_dir(&place).expect("a folder can be made");
    let in_place = |name: &[u8]| place.join(OsStr::from_bytes(name));
    let (task, items, text) = (
        in_place(b"t\xe9.wat"),
        in_place(b"\xc3\x28.json"),
        in_place(b"x\xff.txt"),
    );
    let copied = std::fs::copy(module("behave"), &task).expect("it can be copied");
    assert!(copied > 0);
    std::fs::write(&items, "1\n2\n").expect("it can be written");
    std::fs::write(&text, "text").expect("it can be written");
    let target = |function: &str| {
        let mut target = task.clone().into_os_string();
        target.push(function);
        target
    };
    let identity = target(":identity");
    let ran = wasmpool(args([&"map", &identity, &"--input", &items])).run();
    assert_eq!(ran.exits(0).lines(), ["1", "2"]);
    let ran = wasmpool(args([&"run", &identity, &"3"])).run().exits(0);
    assert_eq!(ran.text(), "3\n");
    for command in ["inspect", "check"] {
        wasmpool(args([&command, &task])).run().exits(0);
    }
    let out = in_place(b"\xf0out");
    let ran = wasmpool(args([
        &"map",
        &target(":echo"),
        &"--files",
        &text,
        &"--output",
        &"raw",
        &"--output-dir",
        &out,
    ]));
    ran.run().exits(0);
    let names: Vec<_> = out
        .read_dir()
        .expect("it was made")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(names, [OsStr::from_bytes(b"x\xff.txt")]);
    // In messages what is no text is shown as such.
    let fails = target(":fail-if-negative");
    let ran = wasmpool(args([&"map", &fails, &"--files", &text]))
        .run()
        .exits(1);
    ran.says("x\u{fffd}.txt");
    let gone = in_place(b"g\xffne.wat");
    let ran = wasmpool(args([&"map", &gone, &"1"])).run().exits(3);
    ran.says("error[module-unreadable]: ");
    let settings = in_place(b"s\xff.toml");
    std::fs::write(&settings, "workers = 2").expect("it can be written");
    wasmpool(args([&"map", &identity, &"1", &"--config", &settings]))
        .run()
        .exits(0);
    let cache = in_place(b"c\xffche");
    let ran = wasmpool(args([&"map", &identity, &"1"]))
        .cache(&cache)
        .run();
    ran.exits(0);
    let dir = wasmpool(["cache", "dir"]).cache(&cache).run().exits(0);
    assert_eq!(dir.stdout, [cache.as_os_str().as_bytes(), b"\n"].concat());
    // A pattern finds them too.
    let pattern = in_place(b"*.txt");
    let ran = wasmpool(args([&"map", &target(":echo"), &"--files", &pattern])).run();
    assert_eq!(ran.exits(0).text(), "\"text\"\n");
    // An item has to be text: it is JSON, or becomes a JSON string.
    let item = OsStr::from_bytes(b"\xff");
    let ran = wasmpool(args([&"map", &target(":echo"), &item]))
        .run()
        .exits(2);
    ran.says("error[usage]: ").says("UTF-8");
}

fn odd_directory() {
    let folder = temporary();
    let place = odd(&folder, b"d\xffta");
    std::fs::create_dir(&place).expect("a folder can be made");
    std::fs::write(place.join("hello.txt"), "hello").expect("it can be written");
    let guest = built("files.wasm32-wasip1").expect("it was built");
    let target = format!("{}:length", guest.display());
    let mut dir = place.into_os_string();
    dir.push("::/input");
    let ran = wasmpool(args([&"map", &target, &"/input/hello.txt", &"--dir", &dir])).run();
    assert_eq!(ran.exits(0).text(), "5\n");
}

/// A command of each kind that prints something, quickly.
fn printing() -> Vec<Vec<String>> {
    let behave = module("behave");
    let square = format!("{SQUARE}:square");
    let lines: [&[&str]; 17] = [
        &["--help"],
        &["--version"],
        &["help", "map"],
        &["map", &square, "1", "2"],
        &["map", &square, "--sig"],
        &["run", &square, "3"],
        &["pipeline", "-"],
        &["inspect", &behave],
        &["inspect", &behave, "--json"],
        &["check", &square],
        &["config"],
        &["explain"],
        &["explain", "timeout", "--json"],
        &["bench", "--list"],
        &["cache", "dir"],
        &["cache", "list"],
        &["completions", "bash"],
    ];
    let owned = |line: &&[&str]| line.iter().map(|word| (*word).to_owned()).collect();
    lines.iter().map(owned).collect()
}

/// Runs a command to its end, with a file if it is the pipeline.
fn started(line: &[String], start: impl FnOnce(Running) -> Started) -> Started {
    let (_folder, file) = pipeline_of("identity", "7");
    let line: Vec<_> = line
        .iter()
        .map(|word| if word == "-" { &file } else { word })
        .collect();
    let mut run = start(wasmpool(line));
    // Until it has ended, as the file is read by then.
    patiently("the command ends", || {
        run.child.try_wait().expect("a child")
    });
    run
}

fn closed_pipes() {
    for line in printing() {
        let mut run = started(&line, |run| {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            run.start_into(writer)
        });
        let ran = run.finish().exits(0);
        assert_eq!(ran.stderr, "", "{line:?}");
    }
}

fn closed_stderr() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    for line in [
        &["map", "no/such.wasm", "1"][..],
        &["mop"],
        &["explain", "no-such-code"],
        &["map", &behave("trap-if-negative"), "-1"],
        &[
            "map",
            SQUARE,
            "x",
            "--on-error",
            "continue",
            "--stats",
            "--progress",
            "always",
        ],
        &["pipeline", "/dev/null"],
        &["bench", "no-such-row"],
        &["new", "Bad Name", "--lang", "c"],
    ] {
        let heard = wasmpool(line).run();
        let unheard = wasmpool(line)
            .start_unheard(writer.try_clone().expect("a descriptor"))
            .finish();
        assert_eq!(unheard.code(), heard.code(), "{line:?}: {heard:?}");
        assert!((1..=3).contains(&heard.code()), "{line:?}: {heard:?}");
    }
}

fn full_disk() {
    for line in printing() {
        let full = File::options().write(true).open("/dev/full");
        let mut run = started(&line, |run| run.start_into(full.expect("a device")));
        let ran = run.finish();
        // What clap itself prints is printed as far as it can be.
        if ["--help", "--version", "help"].contains(&line[0].as_str()) {
            continue;
        }
        ran.exits(5)
            .says("error[output-failed]: cannot write to standard output: ");
    }
}

fn empty_inputs() {
    let folder = temporary();
    let empty = folder.write("empty", "");
    let run = |args: &[&str]| wasmpool(args).run();
    let echo = behave("echo");
    for source in ["--input", "--lines"] {
        for file in [&empty, "-", "/dev/null"] {
            assert_eq!(run(&["map", &echo, source, file]).exits(0).text(), "");
        }
    }
    assert_eq!(
        run(&["map", &echo, "--files", &empty]).exits(0).text(),
        "\"\"\n"
    );
    run(&["map", &echo, "--csv", &empty])
        .exits(2)
        .says("error[table-unfit]: ");
    let header = folder.write("header.csv", "text\n");
    assert_eq!(run(&["map", &echo, "--csv", &header]).exits(0).text(), "");
    run(&["map", &empty, "1"])
        .exits(3)
        .says("error[module-refused]: ");
    run(&["inspect", &empty])
        .exits(3)
        .says("error[module-refused]: ");
    assert!(
        run(&["check", &empty])
            .exits(3)
            .text()
            .contains("would not run here")
    );
    run(&["pipeline", &empty]).exits(2).says("has no process");
    run(&["map", SQUARE, "2", "--config", &empty]).exits(0);
    run(&["map", "", "2"])
        .exits(2)
        .says("error[target-invalid]: ");
    assert_eq!(run(&["map", &echo, ""]).exits(0).text(), "\"\"\n");
}

/// A file of so many bytes, which takes no room.
fn sparse(path: &Path, bytes: u64) -> String {
    File::create(path)
        .and_then(|file| file.set_len(bytes))
        .expect("a file can be made");
    path.to_str().expect("a text").to_owned()
}

fn huge_inputs() {
    let folder = temporary();
    let run = |args: &[&str]| wasmpool(args).run();
    // More than an item can have, more than this machine has: not copied first.
    let huge = sparse(&folder.path("huge"), 1 << 40);
    let ran = run(&["map", &behave("echo"), "--files", &huge]).exits(1);
    ran.says("an item has 4 GiB or more");
    run(&["map", &huge, "1"])
        .exits(3)
        .says("error[module-over-limit]: ");
    run(&["inspect", &huge])
        .exits(3)
        .says("error[module-over-limit]: ");
    assert!(
        run(&["check", &huge])
            .exits(3)
            .text()
            .contains("more than the limit")
    );
    for file in [&huge, "/dev/zero"] {
        run(&["pipeline", file])
            .exits(2)
            .says("error[input-too-large]: ");
        let ran = run(&["map", SQUARE, "1", "--config", file]).exits(2);
        ran.says("error[input-too-large]: ");
    }
    let ran = run(&["map", "/dev/zero", "1"]).exits(3);
    ran.says("error[module-over-limit]: ");
    // As many arguments as there may be on one command line, about.
    let items: Vec<String> = (0..20_000).map(|x: u64| x.to_string()).collect();
    let all: Vec<&str> = ["map", SQUARE]
        .into_iter()
        .chain(items.iter().map(String::as_str))
        .collect();
    let ran = run(&all).exits(0);
    assert_eq!(ran.lines().len(), 20_000);
    assert_eq!(ran.lines().last(), Some(&"399960001"));
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Int,
    Term,
}

impl Signal {
    fn send(self, run: &Started) {
        match self {
            Signal::Int => run.interrupt(),
            Signal::Term => run.end(),
        }
    }
}

fn none_left(watched: &Watched) {
    patiently("no process is left", || {
        watched.left().is_empty().then_some(())
    });
}

/// What is printed stays, what runs is cancelled, and it says so.
fn ends_a_map(signal: Signal) {
    let function = behave("spin-if-negative");
    let args = [
        "map",
        &function,
        "1",
        "-2",
        "3",
        "--workers",
        "1",
        "--chunk-size",
        "1",
    ];
    let mut run = wasmpool(args).start();
    let mut stdout = BufReader::new(run.stdout());
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a pipe can be read");
    assert_eq!(line, "1\n");
    let mut watched = Watched::new(run.id());
    watched.look();
    signal.send(&run);
    let ran = run.finish().exits(130);
    assert_eq!(
        ran.stderr,
        "error[interrupted]: interrupted after 1 results\n"
    );
    none_left(&watched);
}

fn pipeline_of(function: &str, arg: &str) -> (Temporary, String) {
    let folder = temporary();
    let module = module("behave");
    let text = format!(
        "[[process]]\nname = \"p\"\nmodule = \"{module}\"\nfunction = \"{function}\"\nargs = [{arg}]\n"
    );
    let file = folder.write("pipeline.toml", text);
    (folder, file)
}

fn ends_spinning(command: &str, signal: Signal) {
    let (_folder, file) = pipeline_of("spin-if-negative", "-1");
    let function = behave("spin-if-negative");
    let args = match command {
        "run" => vec!["run", &function, "-1"],
        _ => vec!["pipeline", &file],
    };
    let mut run = wasmpool(args).start();
    patiently("a worker runs", || {
        (!workers(run.id()).is_empty()).then_some(())
    });
    let mut watched = Watched::new(run.id());
    watched.look();
    signal.send(&run);
    let ran = run.finish().exits(130);
    assert_eq!(ran.text(), "");
    none_left(&watched);
}

/// The first one cancels what runs; but the program hangs at its output, which nobody reads. The second one ends it.
fn twice(command: &str, signal: Signal) {
    const BYTES: &str = "10000000";
    let (_folder, file) = pipeline_of("repeat", BYTES);
    let function = behave("repeat");
    let args = match command {
        "pipeline" => vec!["pipeline", &file],
        command => vec![command, &function, BYTES],
    };
    let mut run = wasmpool(args).start();
    let stdout = run.stdout();
    let waiting = || rustix::io::ioctl_fionread(&stdout).expect("a pipe");
    // The size of a pipe, unless its user has very many of them.
    patiently("the pipe is full", || (waiting() >= 4096).then_some(()));
    let mut last = 0;
    patiently("no more comes", || {
        let before = std::mem::replace(&mut last, waiting());
        std::thread::sleep(std::time::Duration::from_millis(50));
        (before == last).then_some(())
    });
    let mut watched = Watched::new(run.id());
    watched.look();
    signal.send(&run);
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(
        run.child.try_wait().expect("a child").is_none(),
        "it has nothing to wait for"
    );
    signal.send(&run);
    let ran = run.finish().exits(130);
    assert!(!ran.stderr.contains("interrupted"), "{ran:?}");
    none_left(&watched);
    drop(stdout);
}
