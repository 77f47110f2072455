//! What a project can be written in, and how it is built, run and tested.

use clap::ValueEnum;

use crate::cli::project::quoted;

/// A language with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Language {
    /// cargo and wit-bindgen
    Rust,
    /// make, Zig's clang and wit-bindgen
    C,
    /// npm and componentize-qjs
    JavaScript,
    /// npm, tsc and componentize-qjs
    TypeScript,
    /// pip and componentize-py
    Python,
    /// Zig and wit-bindgen
    Zig,
}

impl Language {
    /// Its name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::JavaScript => "JavaScript",
            Self::TypeScript => "TypeScript",
            Self::Python => "Python",
            Self::Zig => "Zig",
        }
    }

    /// What builds and runs a project at a path, and what tests it, as a shell takes them.
    pub fn commands(self, path: &str) -> [String; 2] {
        let in_it = |file: &str| quoted(&format!("{path}/{file}"));
        let test = match self {
            Self::Rust => format!("cargo test --manifest-path {}", in_it("Cargo.toml")),
            Self::C => format!("make -C {} test", quoted(path)),
            Self::JavaScript | Self::TypeScript => format!("npm test --prefix {}", quoted(path)),
            Self::Python => format!("python3 -m unittest discover {}", in_it("src")),
            Self::Zig => format!(
                "{} -m ziglang build test --build-file {}",
                in_it(".venv/bin/python"),
                in_it("build.zig")
            ),
        };
        let target = quoted(&format!("{path}:square"));
        [format!("wasmpool map {target} 1 2 3"), test]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_whatever_the_path() {
        for language in Language::value_variants() {
            let [run, test] = language.commands("the/place");
            assert_eq!(run, "wasmpool map the/place:square 1 2 3");
            assert!(test.contains(" the/place") || test.starts_with("the/place/"));
            for command in language.commands("the place") {
                assert!(command.contains("'the place"), "{command}");
            }
        }
    }
}
