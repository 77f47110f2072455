//! The file `wasmpool.toml` and the environment: what beats what, which files count, and what a file may do.

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use serde_json::{Value, json};
use wasmpool_tests::{Suite, Temporary, built, module, temporary, wasmpool};

fn main() -> ExitCode {
    Suite::new()
        .test(
            "a_flag_beats_the_environment_beats_the_file",
            what_beats_what,
        )
        .test("every_setting_is_told_with_its_place", every_setting)
        .test("a_file_is_found_here_or_above", found)
        .test("a_file_that_is_named_beats_one_that_is_found", named)
        .test("a_found_file_takes_no_protection_away", untrusted)
        .test("a_file_of_others_does_not_count", of_others)
        .test("commands_without_settings_read_none", not_read)
        .test("variables_are_named_when_they_are_wrong", wrong_variables)
        .test("help_is_the_same_with_a_file", help)
        .guest("grants_of_a_named_file", grants)
        .run()
}

/// A folder with a file of settings.
fn folder(text: &str) -> Temporary {
    let folder = temporary();
    folder.write("wasmpool.toml", text);
    folder
}

fn settings(json: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let all = json["settings"].as_array().expect("a list");
    all.iter().map(|setting| {
        let text = |key: &str| setting[key].as_str().expect("a text");
        (text("key"), text("value"), text("source"))
    })
}

/// A time limit is seen in what is said of an item that loops.
fn what_beats_what() {
    let folder = folder("[limits]\ntimeout = \"300ms\"\n");
    let spin = format!("{}:spin-if-negative", module("behave"));
    let run = |variable: Option<&str>, flag: &[&str]| {
        let args = [&["map", &spin, "-1"], flag].concat();
        let run = wasmpool(args).within(folder.path("")).configured();
        let run = match variable {
            Some(value) => run.variable("WASMPOOL_TIMEOUT", value),
            None => run,
        };
        run.run().exits(1)
    };
    run(None, &[]).says("time limit of 300ms");
    run(Some("310ms"), &[]).says("time limit of 310ms");
    run(Some("310ms"), &["--timeout", "320ms"]).says("time limit of 320ms");
    run(None, &["--timeout", "320ms"]).says("time limit of 320ms");
    // It is the limit of a process too.
    let args = ["run", &spin, "-1"];
    let run = wasmpool(args).within(folder.path("")).configured();
    run.run().exits(1).says("time limit of 300ms");
}

const ALL: &str = "\
workers = 3
isolation = \"process\"
chunk-size = 2
retries = 5
max-items-per-worker = 7
on-error = \"continue\"
strict = false
no-cache = true
progress = \"never\"
[limits]
timeout = \"1m 30s\"
memory = \"64MiB\"
result-bytes = 4096
log-bytes = \"1KiB\"
compile-timeout = \"5s\"
compile-memory = \"1GiB\"
[grants]
dir = [\"/tmp::/a\", \"here::/b:rw\"]
env = { LANG = \"C\" }
";

fn every_setting() {
    let folder = folder(ALL);
    let file = folder.text("wasmpool.toml");
    let run = || wasmpool(["config", "--config", &file, "--json"]);
    let told = run().run().exits(0).json().remove(0);
    assert_eq!(told["file"], json!(file));
    let here = format!("/tmp::/a, {}::/b:rw", folder.text("here"));
    let expected = [
        ("workers", "3"),
        ("isolation", "process"),
        ("chunk-size", "2"),
        ("retries", "5"),
        ("max-items-per-worker", "7"),
        ("on-error", "continue"),
        ("strict", "false"),
        ("no-cache", "true"),
        ("progress", "never"),
        ("limits.timeout", "1m 30s"),
        ("limits.memory", "64MiB"),
        ("limits.result-bytes", "4096"),
        ("limits.log-bytes", "1KiB"),
        ("limits.compile-timeout", "5s"),
        ("limits.compile-memory", "1GiB"),
        ("grants.dir", &here),
        ("grants.env", "LANG=C"),
    ];
    let of_file = expected.map(|(key, value)| (key, value, "file"));
    assert_eq!(settings(&told).collect::<Vec<_>>(), of_file);
    assert_eq!(told["settings"][9]["place"], format!("{file}:11"));

    let mut all = run();
    for (key, value) in &expected[..15] {
        let name = key.rsplit('.').next().unwrap_or(key).replace('-', "_");
        all = all.variable(&format!("WASMPOOL_{}", name.to_uppercase()), value);
    }
    let told = all.run().exits(0).json().remove(0);
    for (at, (key, value, source)) in settings(&told).enumerate() {
        let from = if at < 15 { "environment" } else { "file" };
        assert_eq!((key, value, source), (expected[at].0, expected[at].1, from));
    }
    let told = wasmpool(["config", "--json"])
        .run()
        .exits(0)
        .json()
        .remove(0);
    assert!(settings(&told).all(|(_, _, source)| source == "default"));
    assert_eq!(told["file"], Value::Null);
    let told = wasmpool(["config", "--config", &file]).run().exits(0);
    assert!(
        told.text().starts_with(&format!("file: {file}\nworkers ")),
        "{told:?}"
    );
}

fn workers(run: wasmpool_tests::Running) -> (String, String) {
    let told = run.run().exits(0).json().remove(0);
    let mut all = settings(&told);
    let (_, value, source) = all.next().expect("there are settings");
    (value.to_owned(), source.to_owned())
}

fn found() {
    let folder = folder("workers = 3");
    let (deep, other) = (folder.path("a/b"), folder.path("c"));
    for path in [&deep, &other] {
        std::fs::create_dir_all(path).expect("a folder can be made");
    }
    std::fs::write(other.join("wasmpool.toml"), "workers = 4").expect("it can be written");
    let of_file = |n: &str| (n.to_owned(), "file".to_owned());
    for (place, expected) in [(folder.path(""), "3"), (deep.clone(), "3"), (other, "4")] {
        let run = wasmpool(["config", "--json"]).within(place).configured();
        assert_eq!(workers(run), of_file(expected));
    }
    let run = wasmpool(["config", "--json", "--no-config"]);
    assert_eq!(workers(run.within(&deep).configured()).1, "default");
    let run = wasmpool(["config", "--json"]).within(&deep);
    assert_eq!(
        workers(run.variable("WASMPOOL_NO_CONFIG", "1")).1,
        "default"
    );
}

fn named() {
    let folder = folder("workers = 3");
    let file = folder.write("other.toml", "workers = 5");
    let here = || folder.path("");
    let run = wasmpool(["config", "--json", "--config", &file]);
    assert_eq!(workers(run.within(here()).configured()).0, "5");
    let run = wasmpool(["config", "--json"]).variable("WASMPOOL_CONFIG", &file);
    assert_eq!(workers(run.within(here()).configured()).0, "5");
    // What is typed beats what is set.
    let run = wasmpool(["config", "--json", "--config", &file]);
    assert_eq!(workers(run.variable("WASMPOOL_NO_CONFIG", "true")).0, "5");
    let run = wasmpool(["config", "--json", "--no-config"]);
    assert_eq!(workers(run.variable("WASMPOOL_CONFIG", &file)).1, "default");
    let gone = folder.text("gone.toml");
    let run = wasmpool(["config", "--config", &gone]).run().exits(2);
    run.says("error[input-unreadable]: cannot read");
    let run = wasmpool(["config", "--json", "--config", "-"]).run_with("workers = 6");
    assert!(run.exits(0).text().contains("\"value\":\"6\""));
}

fn untrusted() {
    for (text, what) in [
        ("[grants]\ndir = [\"/::/host:rw\"]", "grants.dir"),
        ("[grants]\nenv = { A = \"1\" }", "grants.env"),
        ("isolation = \"thread\"", "isolation = \"thread\""),
    ] {
        let folder = folder(text);
        let map = |args: &[&str]| {
            let square = format!("{}:identity", module("behave"));
            let args = [&["map", &square, "7"], args].concat();
            wasmpool(args).within(folder.path("")).configured()
        };
        let ran = map(&[]).run().exits(2).says("error[config-untrusted]: ");
        assert_eq!(ran.says(what).text(), "");
        assert_eq!(map(&["--no-config"]).run().exits(0).text(), "7\n");
        let file = folder.text("wasmpool.toml");
        assert_eq!(map(&["--config", &file]).run().exits(0).text(), "7\n");
    }
}

fn of_others() {
    let folder = folder("workers = 3");
    let file = folder.path("wasmpool.toml");
    let ignored = |why: &str| {
        let run = wasmpool(["config", "--json"]);
        let ran = run.within(folder.path("")).configured().run().exits(0);
        assert_eq!(ran.json()[0]["file"], Value::Null);
        ran.says("warning: ").says("is not read: ").says(why);
    };
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, mode).expect("it is ours");
    };
    mode(0o666);
    ignored("everybody may write it");
    mode(0o664);
    let run = || {
        wasmpool(["config", "--json"])
            .within(folder.path(""))
            .configured()
    };
    assert_eq!(workers(run()).0, "3");
    // Only root can give a file away.
    if std::os::unix::fs::chown(&file, Some(65534), None).is_ok() {
        ignored("it belongs to user 65534");
        std::os::unix::fs::chown(&file, Some(0), None).expect("it can be taken back");
    }
    let link = folder.path("sub");
    std::fs::create_dir(&link).expect("a folder can be made");
    std::os::unix::fs::symlink(&file, link.join("wasmpool.toml")).expect("a link can be made");
    let run = wasmpool(["config", "--json"]).within(&link).configured();
    assert_eq!(workers(run).0, "3");
    std::fs::remove_file(&file).expect("it is ours");
    std::fs::create_dir(&file).expect("a folder can be made");
    ignored("it is no file");
    std::fs::remove_dir(&file).expect("it is empty");
    // Nobody is waited for at its other end.
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    );
    made.expect("a pipe can be made");
    ignored("it is no file");
}

fn not_read() {
    let folder = folder("no = sense");
    let run = |args: &[&str]| wasmpool(args).within(folder.path("")).configured().run();
    run(&["explain", "timeout"]).exits(0);
    run(&["inspect", &module("behave")]).exits(0);
    run(&["--help"]).exits(0);
    for command in ["map", "run", "check"] {
        let ran = run(&[command, &module("behave")]).exits(2);
        ran.says("error[config-invalid]: ").says("wasmpool.toml");
    }
    run(&["config"]).exits(2).says("line 1");
}

fn wrong_variables() {
    let map = || wasmpool(["map", &module("behave"), "1"]);
    for (name, value) in [
        ("WASMPOOL_WORKERS", "0"),
        ("WASMPOOL_TIMEOUT", "soon"),
        ("WASMPOOL_ISOLATION", "none"),
        ("WASMPOOL_STRICT", "perhaps"),
    ] {
        let ran = map().variable(name, value).run().exits(2);
        let ran = ran.says("error[value-invalid]: ");
        ran.says(&format!("hint: the value is that of {name}"));
    }
}

/// What a file sets is no part of what an option is.
fn help() {
    let folder = folder("workers = 3\n[limits]\nmemory = \"1MiB\"\n");
    let help = || wasmpool(["map", "--help"]).within(folder.path(""));
    let (with, without) = (help().configured().run(), help().run());
    assert_eq!(with.exits(0).text(), without.exits(0).text());
}

fn grants() {
    let folder = folder("[grants]\ndir = [\"data::/data\"]\nenv = { LANG = \"C\" }\n");
    std::fs::create_dir(folder.path("data")).expect("a folder can be made");
    folder.write("data/hello.txt", "hello");
    let guest = built("files.wasm32-wasip1").expect("it was built");
    let (guest, file) = (guest.display(), folder.text("wasmpool.toml"));
    let run = |task: &str, item: &str, more: &[&str]| {
        let target = format!("{guest}:{task}");
        // From another folder: directories start from the file's.
        wasmpool([&["map", &target, item, "--config", &file], more].concat()).run()
    };
    let ran = run("length", "/data/hello.txt", &[]).exits(0);
    assert_eq!(ran.text(), "5\n");
    let variables = run("environment", "null", &[]).exits(0);
    assert_eq!(variables.json(), [json!([["LANG", "C"]])]);
    // Those of the command line stand in their place.
    let variables = run("environment", "null", &["--env", "A=1"]).exits(0);
    assert_eq!(variables.json(), [json!([["A", "1"]])]);
}
