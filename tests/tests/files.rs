//! What guests are granted of files, environment and clocks, and what they get at besides: nothing, whatever they and
//! the directories' own links try.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde_json::{Value, json};
use wasmpool_tests::{Suite, Temporary, guests, temporary, wasmpool};

const SECRET: &str = "secret of the host";

fn main() -> ExitCode {
    Suite::new()
        .guest("nothing_is_granted_by_default", nothing_by_default)
        .guest("environment_variables", environment)
        .guest("a_directory_to_read", read_only)
        .guest("a_directory_to_write", read_write)
        .guest("paths_that_lead_out", paths_that_lead_out)
        .guest("from_one_directory_into_another", across)
        .guest("links_that_change_while_they_are_read", swapped)
        .guest("grants_that_cannot_be", bad_grants)
        .run()
}

/// What a task returns, or the kind and the message of its failure.
fn call(options: &[&str], task: &str, item: Value) -> Result<Value, (String, String)> {
    let guest = guests().expect("only run with guests");
    let module = guest.join("files.wasm32-wasip1.wasm");
    let target = format!("{}:{task}", module.display());
    let folder = temporary();
    // Not as an argument: those may not be large.
    let input = folder.write("input", item.to_string());
    let fixed = ["--output", "records", "--input", &input];
    let ran = wasmpool([&["map", &target], options, &fixed].concat()).run();
    assert!(ran.code() <= 1, "{ran:?}");
    let record = ran.json().remove(0);
    match record.get("ok") {
        Some(value) => Ok(value.clone()),
        None => {
            let text = |key: &str| record["error"][key].as_str().unwrap_or_default().to_owned();
            Err((text("kind"), text("message")))
        }
    }
}

/// The task must say that it failed: not trap, not be killed, not succeed.
fn refused(options: &[&str], task: &str, item: Value) -> String {
    match call(options, task, item.clone()) {
        Err((kind, message)) if kind == "failed" => message,
        other => panic!("{task} {item}: {other:?}"),
    }
}

fn done(options: &[&str], task: &str, item: Value) -> Value {
    call(options, task, item.clone()).unwrap_or_else(|e| panic!("{task} {item}: {e:?}"))
}

fn nothing_by_default() {
    assert_eq!(done(&[], "environment", json!(null)), json!([]));
    assert_eq!(done(&[], "arguments", json!(null)), json!([]));
    assert_eq!(done(&[], "input", json!(null)), json!(""));
    for path in ["/", ".", "..", "/etc", "/proc/self", "/tmp"] {
        refused(&[], "list", json!(path));
    }
    for path in [
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/mem",
        "/dev/null",
        "Cargo.toml",
    ] {
        refused(&[], "read", json!(path));
        refused(&[], "write", json!([path, "x"]));
    }
    refused(&[], "connect", json!("127.0.0.1:22"));
}

fn environment() {
    let options = ["--env", "ONE=1", "--env", "TWO=a=b"];
    let expected = json!([["ONE", "1"], ["TWO", "a=b"]]);
    assert_eq!(done(&options, "environment", json!(null)), expected);
}

/// A directory to be granted, and beside it what must stay out of reach.
fn folder() -> Temporary {
    let folder = temporary();
    folder.write("secret", SECRET);
    for directory in ["data", "data/sub", "outside"] {
        fs::create_dir(folder.path(directory)).expect("an empty folder");
    }
    folder.write("outside/file", SECRET);
    folder.write("data/file", "inside");
    folder.write("data/sub/file", "below");
    folder
}

/// Every name below a directory, with its length, its time and its content.
fn state(directory: &Path) -> BTreeMap<String, (u64, SystemTime, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("it is there").flatten() {
        let (path, meta) = (entry.path(), entry.metadata().expect("it is there"));
        let content = match meta.is_file() {
            true => fs::read(&path).expect("it can be read"),
            false => Vec::new(),
        };
        if meta.is_dir() {
            all.extend(state(&path));
        }
        let time = meta.modified().expect("it has a time");
        all.insert(path.display().to_string(), (meta.len(), time, content));
    }
    all
}

fn read_only() {
    let folder = folder();
    let before = state(&folder.path(""));
    for grant in ["data::/data", "data::/data:ro"] {
        let grant = folder.text(grant);
        let options = ["--dir", &grant];
        assert_eq!(done(&options, "read", json!("/data/file")), "inside");
        assert_eq!(
            done(&options, "read-at", json!(["/data/file", 2, 3])),
            "sid"
        );
        assert_eq!(
            done(&options, "list", json!("/data")),
            json!(["file", "sub"])
        );
        assert_eq!(done(&options, "length", json!("/data/sub/file")), 5);
        assert_eq!(done(&options, "read", json!("/data/sub/../file")), "inside");
        for (task, item) in [
            ("write", json!(["/data/file", "x"])),
            ("write", json!(["/data/new", "x"])),
            ("append", json!(["/data/file", "x"])),
            ("open-truncated", json!("/data/file")),
            ("resize", json!(["/data/file", 0])),
            ("touch", json!("/data/file")),
            ("make-dir", json!("/data/new")),
            ("remove", json!("/data/file")),
            ("remove-dir", json!("/data/sub")),
            ("rename", json!(["/data/file", "/data/other"])),
            ("make-symlink", json!(["file", "/data/link"])),
            ("make-link", json!(["/data/file", "/data/link"])),
        ] {
            refused(&options, task, item);
        }
    }
    assert_eq!(state(&folder.path("")), before);
}

fn read_write() {
    let folder = folder();
    let grant = folder.text("data::/data:rw");
    let options = ["--dir", &grant];
    let read = |name: &str| fs::read_to_string(folder.path(name)).expect("it is there");
    done(&options, "write", json!(["/data/new", "one"]));
    assert_eq!(read("data/new"), "one");
    done(&options, "append", json!(["/data/new", " two"]));
    assert_eq!(read("data/new"), "one two");
    done(&options, "resize", json!(["/data/new", 2]));
    assert_eq!(read("data/new"), "on");
    done(&options, "touch", json!("/data/new"));
    let time = folder
        .path("data/new")
        .metadata()
        .and_then(|m| m.modified());
    let seconds = time
        .expect("it has a time")
        .duration_since(SystemTime::UNIX_EPOCH);
    assert_eq!(seconds.expect("after 1970").as_secs(), 1_000_000_000);
    done(&options, "make-dir", json!("/data/d"));
    done(&options, "rename", json!(["/data/new", "/data/d/moved"]));
    assert_eq!(read("data/d/moved"), "on");
    done(
        &options,
        "make-link",
        json!(["/data/d/moved", "/data/second"]),
    );
    done(&options, "make-symlink", json!(["d/moved", "/data/link"]));
    assert_eq!(done(&options, "read", json!("/data/link")), "on");
    assert_eq!(
        done(&options, "read-symlink", json!("/data/link")),
        "d/moved"
    );
    done(&options, "open-truncated", json!("/data/second"));
    assert_eq!(read("data/d/moved"), "");
    for name in ["/data/link", "/data/second", "/data/d/moved"] {
        done(&options, "remove", json!(name));
    }
    done(&options, "remove-dir", json!("/data/d"));
    assert_eq!(
        done(&options, "list", json!("/data")),
        json!(["file", "sub"])
    );
    // A large file, through every buffer.
    let large = "0123456789abcdef".repeat(20_000);
    done(&options, "write", json!(["/data/large", large]));
    assert_eq!(read("data/large"), large);
    assert_eq!(done(&options, "read", json!("/data/large")), large);
}

fn paths_that_lead_out() {
    let folder = folder();
    let link = |target: &str, name: &str| {
        symlink(target, folder.path(name)).expect("a new name");
    };
    link(&folder.text("secret"), "data/absolute");
    link("../secret", "data/relative");
    link("../outside", "data/directory");
    link("..", "data/up");
    link("sub/../../secret", "data/through");
    link("chain-2", "data/chain-1");
    link("relative", "data/chain-2");
    link("loop-2", "data/loop-1");
    link("loop-1", "data/loop-2");
    link("/proc/self/environ", "data/environ");
    link("/proc/self/fd", "data/descriptors");
    link("/etc/passwd", "data/passwd");
    let before = state(&folder.path(""));
    let ways = [
        "/data/../secret",
        "/data/./../secret",
        "/data//..//secret",
        "/data/sub/../../secret",
        "/../secret",
        "../secret",
        "/data/absolute",
        "/data/absolute/",
        "/data/relative",
        "/data/relative/",
        "/data/directory/file",
        "/data/directory//file",
        "/data/directory/../secret",
        "/data/up/secret",
        "/data/up/data/../secret",
        "/data/through",
        "/data/chain-1",
        "/data/loop-1",
        "/data/environ",
        "/data/descriptors/0",
        "/data/passwd",
        "/proc/self/environ",
        "/data/sub/../../../../../../../../../../etc/passwd",
    ];
    for mode in [":ro", ":rw"] {
        let grant = folder.text("data::/data") + mode;
        let options = ["--dir", &grant];
        for way in ways {
            refused(&options, "read", json!(way));
            refused(&options, "append", json!([way, "x"]));
            refused(&options, "open-truncated", json!(way));
        }
        for way in ["/data/../secret", "/data/directory/file", "/data/up/secret"] {
            refused(&options, "rename", json!([way, "/data/taken"]));
        }
        for way in [
            "/data/..",
            "/data/directory",
            "/data/directory/",
            "/data/up",
            "/data/descriptors/",
        ] {
            refused(&options, "list", json!(way));
        }
        for way in ["/data/../new", "/data/directory/new", "/data/up/new"] {
            refused(&options, "write", json!([way, "x"]));
            refused(&options, "make-dir", json!(way));
            refused(&options, "make-link", json!(["/data/file", way]));
            refused(&options, "make-symlink", json!(["file", way]));
            refused(&options, "rename", json!(["/data/file", way]));
        }
        for way in ["/data/directory/file", "/data/up/secret", "/data/../secret"] {
            refused(&options, "remove", json!(way));
        }
        assert_eq!(state(&folder.path("")), before, "{mode}");
    }
    // Links that guests make lead nowhere, either.
    let grant = folder.text("data::/data:rw");
    for (number, target) in ["/etc/passwd", "../secret", "sub/../../secret"]
        .iter()
        .enumerate()
    {
        let name = format!("/data/made-{number}");
        let _ = call(&["--dir", &grant], "make-symlink", json!([target, name]));
        refused(&["--dir", &grant], "read", json!(name));
    }
}

fn across() {
    let folder = folder();
    fs::create_dir(folder.path("work")).expect("a new name");
    let (data, work) = (folder.text("data::/data:ro"), folder.text("work::/work:rw"));
    let options = ["--dir", &data, "--dir", &work];
    let before = state(&folder.path("data"));
    refused(&options, "make-link", json!(["/data/file", "/work/file"]));
    refused(&options, "rename", json!(["/data/file", "/work/file"]));
    done(&options, "write", json!(["/work/mine", "x"]));
    refused(&options, "rename", json!(["/work/mine", "/data/file"]));
    refused(&options, "make-link", json!(["/work/mine", "/data/mine"]));
    let _ = call(
        &options,
        "make-symlink",
        json!(["../data/file", "/work/link"]),
    );
    refused(&options, "open-truncated", json!("/work/link"));
    assert_eq!(state(&folder.path("data")), before);
}

/// The host's side swaps what a name means, as fast as it can, while a guest reads it.
fn swapped() {
    let folder = folder();
    let change = |name: &str, make: &dyn Fn(&Path)| {
        let partial = folder.path("partial");
        make(&partial);
        fs::rename(&partial, folder.path(name)).expect("the name is free or a link");
    };
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for (file, directory) in [("file", "sub"), ("../secret", "../outside")] {
                    change("data/flips", &|at| symlink(file, at).expect("a free name"));
                    change("data/flops", &|at| {
                        symlink(directory, at).expect("a free name")
                    });
                }
            }
        });
        let grant = folder.text("data::/data:ro");
        for (path, inside) in [("/data/flips", "inside"), ("/data/flops/file", "below")] {
            let seen = done(&["--dir", &grant], "read-often", json!([path, 10_000]));
            let seen = seen.as_array().expect("a list").clone();
            let others: Vec<_> = seen.iter().filter(|text| **text != inside).collect();
            // What it saw of the inside depends on luck; of the outside it may see nothing.
            if !others.is_empty() {
                over.store(true, Ordering::Relaxed);
                panic!("{path}: {others:?}");
            }
            println!("{path}: seen {seen:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

fn bad_grants() {
    let folder = folder();
    let module = guests()
        .expect("only run with guests")
        .join("files.wasm32-wasip1.wasm");
    let target = format!("{}:read", module.display());
    let (missing, file) = (folder.text("missing::/d"), folder.text("secret::/d"));
    let (one, two) = (folder.text("data::/d"), folder.text("outside::/d:rw"));
    for (options, says) in [
        (&["--dir", &missing][..], "No such file or directory"),
        (&["--dir", &file], "Not a directory"),
        (
            &["--dir", &one, "--dir", &two],
            "two directories are granted as /d",
        ),
        (&["--dir", "nothing"], "write HOST::GUEST"),
        (&["--env", "NOTHING"], "write NAME=VALUE"),
    ] {
        wasmpool([&["map", &target], options, &["x"]].concat())
            .run()
            .exits(2)
            .says(says);
    }
}
