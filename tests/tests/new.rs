//! New projects build, run and pass their tests by the two commands that `wasmpool new` prints, as printed; and a folder
//! in place of a module is built.
//!
//! A language is tried where its guests were built, since then its tools can be had; for Rust, `WASMPOOL_GUEST_RUSTC` is
//! the compiler if the active one has no target for guests.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use wasmpool_tests::{Suite, Temporary, built, program, root, temporary, wasmpool};

/// Languages, and a guest that is built with the same tools.
const LANGUAGES: [(&str, &str); 6] = [
    ("c", "lang-c"),
    ("javascript", "lang-javascript"),
    ("python", "lang-python"),
    ("rust", "square"),
    ("typescript", "lang-javascript"),
    ("zig", "lang-zig"),
];
const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for (language, guest) in LANGUAGES {
        let name = format!("{language}::commands_as_printed");
        suite = suite.where_possible(name, tools(language, guest), move || {
            commands_as_printed(language);
        });
    }
    let make = works("make", &["--version"]);
    suite
        .where_possible("a_folder_is_built", make.clone(), a_folder_is_built)
        .where_possible(
            "a_folder_in_a_pipeline",
            make.clone(),
            a_folder_in_a_pipeline,
        )
        .where_possible("a_failed_build_is_shown", make, a_failed_build_is_shown)
        .test("a_missing_tool_is_named", a_missing_tool_is_named)
        .test("a_folder_without_project", a_folder_without_project)
        .test("what_is_there_stays", what_is_there_stays)
        .test("a_name_that_will_not_do", a_name_that_will_not_do)
        .run()
}

/// Whether a project in this language can be built here, or why not.
fn tools(language: &str, guest: &str) -> Result<(), String> {
    built(guest)?;
    match language {
        "rust" => rustc().map(drop),
        "javascript" | "typescript" => works("npm", &["--version"]),
        _ => works("python3", &["-c", "import ensurepip, venv"]),
    }?;
    match language {
        "c" => works("make", &["--version"]),
        _ => Ok(()),
    }
}

fn works(program: &str, args: &[&str]) -> Result<(), String> {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("`{program} {}` does not work", args.join(" "))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// The compiler for guests, if it is another one than the active one.
fn rustc() -> Result<Option<OsString>, String> {
    if let Some(other) = std::env::var_os("WASMPOOL_GUEST_RUSTC") {
        return Ok(Some(other));
    }
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    let output = output.map_err(|error| format!("rustc: {error}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    let library = Path::new(sysroot.trim_end()).join(format!("lib/rustlib/{TARGET}/lib"));
    match library.is_dir() {
        true => Ok(None),
        false => Err(format!("the active toolchain has no target {TARGET}")),
    }
}

/// A shell in an empty folder, on the machine of an author.
struct Shell(Temporary);

impl Shell {
    fn new() -> Self {
        Self(temporary())
    }

    fn run(&self, line: &str) -> Output {
        let program = program().parent().expect("it lies in a folder");
        let mut path = OsString::from(program);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut shell = Command::new("bash");
        shell
            .args(["-c", line])
            .current_dir(self.0.path(""))
            .stdin(Stdio::null())
            .env("PATH", path)
            .env("WASMPOOL_CACHE_DIR", self.0.path("cache"))
            .env("WASMPOOL_NO_CONFIG", "true")
            // Kept for the next run: what Rust guests depend on takes a minute to compile.
            .env("CARGO_TARGET_DIR", program.join("wasmpool-tests-new"))
            .env("RUSTUP_AUTO_INSTALL", "0");
        if let Ok(Some(rustc)) = rustc() {
            shell.env("RUSTC", rustc);
        }
        shell.output().expect("there is a shell")
    }

    /// Runs a command that has to succeed; what it prints, and what it says.
    #[track_caller]
    fn passes(&self, line: &str) -> (String, String) {
        let output = self.run(line);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let status = output.status;
        assert!(
            status.success(),
            "{line}: {status}\n--- stdout\n{stdout}--- stderr\n{stderr}"
        );
        (stdout, stderr)
    }
}

fn commands_as_printed(language: &str) {
    let shell = Shell::new();
    let (commands, said) = shell.passes(&format!("wasmpool new my-tasks --lang {language}"));
    assert!(said.starts_with("created: my-tasks, "), "{said}");
    let commands: Vec<&str> = commands.lines().collect();
    let [run, test] = commands[..] else {
        panic!("not two commands: {commands:?}");
    };
    let readme = std::fs::read_to_string(shell.0.path("my-tasks/README.md")).unwrap();
    assert!(readme.contains(&format!("```sh\n{run}\n{test}\n```")));

    let (squares, said) = shell.passes(run);
    assert_eq!(squares, "1\n4\n9\n");
    assert!(
        said.contains("building: ") && said.contains("\nbuilt: "),
        "{said}"
    );
    shell.passes(test);

    let input = "wasmpool map my-tasks:square --input my-tasks/input/numbers.jsonl";
    assert_eq!(shell.passes(input).0, "1\n4\n2147395600\n");
    let files = "wasmpool map my-tasks:count-words --files my-tasks/input/*.txt";
    let (words, said) = shell.passes(files);
    assert_eq!(words, "9\n10\n");
    assert!(said.contains("item 0 info: a text of 46 bytes"), "{said}");
    // It keeps nothing between two builds, which take long.
    assert!(
        language != "python" || !said.contains("building: "),
        "{said}"
    );

    let failing = "wasmpool map my-tasks:square 2 50000 --on-error continue --output records";
    let failing = shell.run(&format!("{failing} --quiet"));
    assert_eq!(failing.status.code(), Some(1));
    let records = String::from_utf8_lossy(&failing.stdout);
    let message = r#""kind":"failed","message":"the square of 50000 does not fit 32 bits""#;
    assert!(records.starts_with("{\"index\":0,\"ok\":4}\n"), "{records}");
    assert!(records.contains(message), "{records}");
    let said = String::from_utf8_lossy(&failing.stderr);
    assert!(!said.contains("building"), "{said}");

    let (exports, _) = shell.passes("wasmpool inspect my-tasks");
    let square = "  square: func(x: s32) -> result<s32, string>\n";
    assert!(exports.contains(square), "{exports}");
}

/// A project whose build is this makefile.
fn makefile(text: &str) -> (Temporary, String) {
    let folder = temporary();
    let place = folder.text("project");
    std::fs::create_dir(&place).unwrap();
    folder.write("project/Makefile", text);
    (folder, place)
}

fn a_folder_is_built() {
    let square = root().join("examples/square-wat/square.wat");
    let text = format!(
        "build/square.wasm:\n\techo working; mkdir build; cp {} $@\n",
        square.display()
    );
    let (_folder, place) = makefile(&text);
    let built = format!("{place}/build/square.wasm");
    let ran = wasmpool(["map", &format!("{place}:square"), "3"]).run();
    let ran = ran.exits(0).says("building: make (in ").says(&built);
    assert_eq!(ran.text(), "9\n");
    assert!(!ran.stderr.contains("working"), "{ran:?}");
    let ran = wasmpool(["run", &format!("{place}/:square"), "-4", "--quiet"]).run();
    assert_eq!((ran.text(), ran.stderr.as_str()), ("16\n", ""), "{ran:?}");
    let ran = wasmpool(["inspect", &place]).run().exits(0);
    assert!(
        ran.text().contains(&format!("module: {built}\n")),
        "{ran:?}"
    );
    let profiled = format!("{place}:square");
    let ran = wasmpool(["profile", &profiled, "3"]).run().exits(0);
    assert!(ran.text().contains(" samples, "), "{ran:?}");
    let audit = [
        "audit",
        "--no-strict",
        "--function",
        "square",
        "--items",
        "3",
        "--module",
    ];
    let ran = wasmpool([&audit[..], &[&place]].concat()).run().exits(0);
    assert!(ran.text().contains("square"), "{ran:?}");
}

/// Two processes of one project and one of a module: the project is built once, and only it.
fn a_folder_in_a_pipeline() {
    let square = root().join("examples/square-wat/square.wat");
    let text = format!(
        "build/square.wasm: again\n\tmkdir -p build; cp {} $@\nagain:\n.PHONY: again\n",
        square.display()
    );
    let (folder, place) = makefile(&text);
    let process = |name: &str, module: &str, item: i32| {
        format!("[[process]]\nname = '{name}'\nmodule = '{module}'\nargs = [{item}]\n")
    };
    let processes = [
        process("a", "project", 3),
        process("b", &place, 4),
        process("c", &square.display().to_string(), 5),
    ];
    let file = folder.write("pipeline.toml", processes.concat());
    let ran = wasmpool(["pipeline", &file])
        .run()
        .exits(0)
        .says("building: make (in ");
    assert_eq!(ran.stderr.matches("building: ").count(), 1, "{ran:?}");
    let mut lines = ran.lines();
    lines.sort_unstable();
    let wanted = ["a", "b", "c"].into_iter().zip([9, 16, 25]);
    let wanted = wanted.map(|(name, ok)| format!("{{\"process\":\"{name}\",\"ok\":{ok}}}"));
    assert_eq!(lines, wanted.collect::<Vec<_>>());

    let broken = folder.write("broken.toml", process("a", "nothing-here", 1));
    let ran = wasmpool(["pipeline", &broken]).run().exits(3);
    ran.says("nothing-here");
}

fn a_failed_build_is_shown() {
    let (_folder, place) =
        makefile("all:\n\t@echo this is on line 7; echo that is wrong >&2; exit 3\n");
    let ran = wasmpool(["map", &format!("{place}:square"), "3"]).run();
    assert_eq!(ran.text(), "");
    ran.exits(2)
        .says("\nthis is on line 7\n")
        .says("that is wrong\n")
        .says("cannot be built: `make` ended with exit status: 2");

    let (_folder, place) = makefile("all:\n\t@mkdir -p build\n");
    let ran = wasmpool(["map", &format!("{place}:square"), "3"]).run();
    ran.exits(2)
        .says("gave no module: there is no .wasm file in");
}

fn a_missing_tool_is_named() {
    for (file, tool, hint) in [
        ("Cargo.toml", "cargo", "install Rust"),
        ("package.json", "npm", "install Node.js"),
        ("build.zig", "zig", "install Zig"),
        ("Makefile", "make", "install make"),
        ("src/app.py", "python3", "install Python 3"),
    ] {
        let folder = temporary();
        for name in ["src", "wit"] {
            std::fs::create_dir(folder.path(name)).unwrap();
        }
        folder.write(file, "");
        if tool == "python3" {
            folder.write("requirements.txt", "");
        }
        let output = Command::new(program())
            .args(["map", ".:square", "1"])
            .current_dir(folder.path(""))
            .env("PATH", "/nonexistent")
            .env("WASMPOOL_NO_CONFIG", "true")
            .output()
            .expect("it can be started");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cannot start `{tool}`")), "{said}");
        assert!(said.contains(&format!("\nhint: {hint}")), "{said}");
    }
}

fn a_folder_without_project() {
    let folder = temporary();
    let place = folder.text("");
    let ran = wasmpool(["map", &format!("{place}:square"), "1"]).run();
    ran.exits(2)
        .says("holds no project")
        .says("hint: looked for Cargo.toml, package.json, build.zig, Makefile, src/app.py");
}

fn what_is_there_stays() {
    let folder = temporary();
    let file = folder.write("notes", "mine");
    let ran = wasmpool(["new", &file, "--lang", "rust"]).run();
    ran.exits(2).says("is there already");
    let used = folder.text("used");
    std::fs::create_dir(&used).unwrap();
    folder.write("used/notes", "mine");
    let ran = wasmpool(["new", &used, "--lang", "rust"]).run();
    ran.exits(2)
        .says("is not empty")
        .says("hint: give another name");
    assert_eq!(std::fs::read_dir(&used).unwrap().count(), 1);
    assert_eq!(std::fs::read(file).unwrap(), b"mine");

    let empty = folder.text("empty");
    std::fs::create_dir(&empty).unwrap();
    wasmpool(["new", &empty, "--lang", "rust"]).run().exits(0);
    let manifest = std::fs::read_to_string(folder.path("empty/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"empty\""), "{manifest}");
}

fn a_name_that_will_not_do() {
    let folder = temporary();
    let place = folder.text("My Tasks");
    let ran = wasmpool(["new", &place, "--lang", "python"]).run();
    ran.exits(2)
        .says("a project cannot be called `My Tasks`: a name begins with a lower-case letter")
        .says(&format!("hint: `{}` would do", folder.text("my-tasks")));
    assert!(!Path::new(&place).exists());
    let ran = wasmpool(["new", "tasks", "--lang", "cobol"]).run();
    ran.exits(2).says("cobol").says("typescript");
}
