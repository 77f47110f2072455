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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use clap::ValueEnum;

    use super::*;

    /// The files under a folder of this package, by their paths from it.
    fn found(folder: &str) -> BTreeSet<String> {
        fn collect(top: &Path, folder: &Path, all: &mut BTreeSet<String>) {
            for entry in folder.read_dir().unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    collect(top, &path, all);
                } else {
                    all.insert(path.strip_prefix(top).unwrap().display().to_string());
                }
            }
        }
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut all = BTreeSet::new();
        collect(&top, &top, &mut all);
        all
    }

    fn names(files: &[File], before: &str) -> BTreeSet<String> {
        let names = files.iter().map(|(path, _)| path.strip_prefix(before));
        names.map(|name| name.unwrap().to_owned()).collect()
    }

    #[test]
    fn every_file_of_a_template_is_in_it() {
        for language in Language::value_variants() {
            let folder = format!("templates/{}", language.title().to_lowercase());
            let own = names(own(*language), "");
            let there = found(&folder).into_iter().map(|name| {
                let dot = if name == "gitignore.template" {
                    "."
                } else {
                    ""
                };
                format!("{dot}{}", name.trim_end_matches(".template"))
            });
            assert_eq!(own, there.collect(), "{folder}");
        }
        assert_eq!(names(SHARED, ""), found("templates/shared"));
        assert_eq!(names(BINDINGS, ""), found("templates/bindings"));
        let interfaces = names(INTERFACES, "wit/deps/wasmpool-task/");
        assert_eq!(interfaces, found("wit/0.1.0"));
    }

    #[test]
    fn every_gap_is_filled() {
        for language in Language::value_variants() {
            let files = files(*language, "some-name");
            let mut paths: Vec<_> = files.iter().map(|(path, _)| *path).collect();
            paths.sort_unstable();
            paths.dedup();
            assert_eq!(paths.len(), files.len());
            assert!(paths.contains(&".gitignore") && !paths.contains(&FILES));
            let text = |path: &str| {
                let (_, content) = files.iter().find(|(name, _)| *name == path).unwrap();
                String::from_utf8(content.clone()).unwrap()
            };
            for (path, content) in &files {
                let content = String::from_utf8_lossy(content);
                assert!(!content.contains("{{") || path.ends_with(".c"), "{path}");
            }
            let readme = text("README.md");
            let [run, test] = language.commands("some-name");
            assert!(readme.starts_with("# some-name\n"));
            assert!(readme.contains(&format!("```sh\n{run}\n{test}\n```\n")));
            for (path, _) in own(*language) {
                let folder = path.split('/').next().unwrap_or(path);
                let is_told = readme.contains(&format!("`{path}`"))
                    || readme.contains(&format!("`{folder}`"))
                    || readme.contains(&format!("`{folder}/"));
                let is_plain = [FILES, STEPS, ".gitignore", "tsconfig.json", "Cargo.toml"];
                assert!(is_told || is_plain.contains(path), "{path}");
            }
        }
    }
}
