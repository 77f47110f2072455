//! The files of new projects, which lie in `runtime/templates` and `wit`.

use super::language::Language;

/// A file: its path in the project, and what is in it.
type File = (&'static str, &'static [u8]);

/// Files, whose names in the templates' folder end in `.template` where their own would mean something to cargo or git.
macro_rules! files {
    ($folder:literal: $($path:literal)*; $($named:literal = $from:literal)*) => {
        &[
            $(($path, include_bytes!(concat!("../../../templates/", $folder, "/", $path))),)*
            $(($named, include_bytes!(concat!("../../../templates/", $folder, "/", $from))),)*
        ]
    };
}

macro_rules! interfaces {
    ($($name:literal)*) => {
        &[$((
            concat!("wit/deps/wasmpool-task/", $name),
            include_bytes!(concat!("../../../wit/0.1.0/", $name)),
        ),)*]
    };
}

const SHARED: &[File] = files!("shared":
    "README.md" "input/fox.txt" "input/hamlet.txt" "input/numbers.jsonl" "wit/guest.wit";
);

/// What a pool offers.
const INTERFACES: &[File] = interfaces!(
    "buffers.wit" "context.wit" "log.wit" "map.wit" "pipes.wit" "queues.wit" "results.wit" "sync.wit" "world.wit"
);

/// What the README says of a language: which file is what, and how a task is added. No files of a project.
const FILES: &str = "files.md";
const STEPS: &str = "steps.md";

fn own(language: Language) -> &'static [File] {
    match language {
        Language::Rust => files!("rust":
            "files.md" "steps.md" "rust-toolchain.toml" "src/guest.rs" "src/lib.rs";
            "Cargo.toml" = "Cargo.toml.template" ".gitignore" = "gitignore.template"
        ),
        Language::C => files!("c":
            "files.md" "steps.md" "Makefile" "requirements.txt" "src/guest.c" "test/expected.txt";
            ".gitignore" = "gitignore.template"
        ),
        Language::JavaScript => files!("javascript":
            "files.md" "steps.md" "package.json" "src/guest.js" "src/tasks.js" "test/tasks.test.js";
            ".gitignore" = "gitignore.template"
        ),
        Language::TypeScript => files!("typescript":
            "files.md" "steps.md" "package.json" "tsconfig.json" "src/guest.ts" "src/pool.d.ts" "src/tasks.ts"
            "test/tasks.test.ts";
            ".gitignore" = "gitignore.template"
        ),
        Language::Python => files!("python":
            "files.md" "steps.md" "requirements.txt" "src/app.py" "src/tasks.py" "src/test_tasks.py";
            ".gitignore" = "gitignore.template"
        ),
        Language::Zig => files!("zig":
            "files.md" "steps.md" "build.zig" "requirements.txt" "src/guest.zig" "src/tasks.zig";
            ".gitignore" = "gitignore.template"
        ),
    }
}

/// C bindings of the world of the templates, as wit-bindgen makes them.
const BINDINGS: &[File] = files!("bindings":
    "bindings/guest.c" "bindings/guest.h" "bindings/guest_component_type.o";
);

/// All files of a project: their paths in it, and what is in them.
pub fn files(language: Language, name: &str) -> Vec<(&'static str, Vec<u8>)> {
    let (about, own): (Vec<File>, Vec<File>) = own(language)
        .iter()
        .partition(|(path, _)| [FILES, STEPS].contains(path));
    let about = |wanted: &str| {
        let found = about.iter().find(|(path, _)| *path == wanted);
        found.map_or("", |(_, text)| str::from_utf8(text).unwrap_or_default())
    };
    let [run, test] = language.commands(name);
    let fill = |text: &str| {
        text.replace("{{files}}\n", about(FILES))
            .replace("{{steps}}\n", about(STEPS))
            .replace("{{run}}", &run)
            .replace("{{test}}", &test)
            .replace("{{language}}", language.title())
            .replace("{{name}}", name)
    };
    let bindings = match language {
        Language::C | Language::Zig => BINDINGS,
        Language::Rust | Language::JavaScript | Language::TypeScript | Language::Python => &[],
    };
    let all = own.iter().chain(SHARED).chain(INTERFACES).chain(bindings);
    all.map(|(path, content)| {
        let content = match str::from_utf8(content) {
            Ok(text) => fill(text).into_bytes(),
            Err(_) => content.to_vec(),
        };
        (*path, content)
    })
    .collect()
}
