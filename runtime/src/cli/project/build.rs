//! The commands of each kind of project, and where the module is that they make. The same that the READMEs of new projects
//! name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use super::kind::Kind;
use super::step::Step;
use crate::catalogue::Code;
use crate::cli::console::Console;
use crate::cli::exit::Problem;

/// The target of Cargo projects whose manifest names no other.
const TARGET: &str = "wasm32-unknown-unknown";
/// Where builds other than cargo's put the module.
const BUILD: &str = "build";
const ZIG_OUT: &str = "zig-out/bin";
const PYTHON_MODULE: &str = "build/app.wasm";
/// Python packages of a project, and the place that they are installed in.
const REQUIREMENTS: &str = "requirements.txt";
const VENV: &str = ".venv";
const VENV_PYTHON: &str = ".venv/bin/python";

const NO_CARGO: &str = "install Rust, with rustup";
const NO_NPM: &str = "install Node.js, which npm comes with";
const NO_MAKE: &str = "install make";
const NO_PYTHON: &str = "install Python 3 with venv and pip";
const NO_ZIG: &str = "install Zig, or name the Python package `ziglang` in requirements.txt";
const NO_COMPONENTIZE: &str = "name the Python package `componentize-py` in requirements.txt";

/// What a build has made.
#[derive(Debug)]
pub struct Built {
    /// The module.
    pub module: PathBuf,
    /// Whether it was there before, and nothing was run.
    pub fresh: bool,
}

/// A project that is being built.
#[derive(Debug)]
pub struct Project<'a> {
    folder: &'a Path,
    console: &'a Console,
}

impl<'a> Project<'a> {
    /// The project in a folder.
    pub fn new(folder: &'a Path, console: &'a Console) -> Self {
        Self { folder, console }
    }

    /// Builds it with its language's own tool.
    ///
    /// # Errors
    /// If a tool is missing, a command fails, or no module comes of it.
    pub fn build(&self, kind: Kind) -> Result<Built, Problem> {
        let module = match kind {
            Kind::Cargo => self.cargo(),
            Kind::Npm => self.npm(),
            Kind::Zig => self.zig(),
            Kind::Make => self.make(),
            Kind::Python => return self.python(),
        };
        let fresh = false;
        module.map(|module| Built { module, fresh })
    }

    fn cargo(&self) -> Result<PathBuf, Problem> {
        let manifest = fs::read_to_string(self.folder.join(Kind::Cargo.file()));
        let target = manifest.ok().and_then(|text| cargo_target(&text));
        let target = target.as_deref().unwrap_or(TARGET);
        let messages = self.run(Step {
            data: true,
            ..step(
                "cargo",
                &[
                    "build",
                    "--release",
                    "--target",
                    target,
                    "--message-format",
                    "json-render-diagnostics",
                ],
                NO_CARGO,
            )
        })?;
        let mut modules = cargo_modules(&messages);
        match (modules.pop(), modules.is_empty()) {
            (Some(module), true) => Ok(module),
            (None, _) => Err(self.no_module("cargo made no .wasm file").hint(
                "a guest is a library with `crate-type = [\"cdylib\"]` under [lib] in Cargo.toml",
            )),
            (Some(last), false) => {
                modules.push(last);
                let all: Vec<_> = modules.iter().map(|m| m.display().to_string()).collect();
                let several = format!("cargo made several modules: {}", all.join(", "));
                let hint = "give the folder of one package, or one of these files";
                Err(self.no_module(&several).hint(hint))
            }
        }
    }

    fn npm(&self) -> Result<PathBuf, Problem> {
        let install = step("npm", &["install", "--no-audit", "--no-fund"], NO_NPM);
        self.once("package.json", "node_modules", |project| {
            project.run(install).map(drop)
        })?;
        self.run(step("npm", &["run", "build"], NO_NPM))?;
        self.newest(BUILD)
    }

    fn zig(&self) -> Result<PathBuf, Problem> {
        if self.folder.join(REQUIREMENTS).is_file() {
            self.venv()?;
            self.run(step(VENV_PYTHON, &["-m", "ziglang", "build"], NO_PYTHON))?;
        } else {
            self.run(step("zig", &["build"], NO_ZIG))?;
        }
        self.newest(ZIG_OUT)
    }

    fn make(&self) -> Result<PathBuf, Problem> {
        self.run(step("make", &[], NO_MAKE))?;
        self.newest(BUILD)
    }

    /// It takes half a minute and keeps nothing between two runs, so that it is only run when something has changed.
    fn python(&self) -> Result<Built, Problem> {
        let module = self.folder.join(PYTHON_MODULE);
        let inputs = ["src", "wit", REQUIREMENTS].map(|name| self.folder.join(name));
        let fresh = is_newer(&module, &inputs);
        if !fresh {
            self.venv()?;
            let build = self.folder.join(BUILD);
            fs::create_dir_all(&build).map_err(|e| cannot("create", &build, e))?;
            let arguments = [
                "--wit-path",
                "wit",
                "componentize",
                "app",
                "--python-path",
                "src",
                "--output",
                PYTHON_MODULE,
            ];
            self.run(Step {
                // Where it finds the packages that the tasks import.
                variable: Some(("VIRTUAL_ENV", VENV)),
                ..step(".venv/bin/componentize-py", &arguments, NO_COMPONENTIZE)
            })?;
        }
        Ok(Built { module, fresh })
    }

    /// Installs the Python packages that the project names, in the project.
    fn venv(&self) -> Result<(), Problem> {
        self.once(REQUIREMENTS, VENV, |project| {
            project.run(step("python3", &["-m", "venv", VENV], NO_PYTHON))?;
            let install = ["-m", "pip", "install", "--quiet", "-r", REQUIREMENTS];
            project.run(step(VENV_PYTHON, &install, NO_PYTHON))?;
            Ok(())
        })
    }

    /// Installs into a folder what a file lists, unless that was done for the same list. A copy of it in the folder tells.
    fn once(
        &self,
        list: &str,
        folder: &str,
        install: impl FnOnce(&Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let list = self.folder.join(list);
        let wanted = fs::read(&list).map_err(|e| cannot("read", &list, e))?;
        let installed = self.folder.join(folder).join(".installed-by-wasmpool");
        if fs::read(&installed).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        install(self)?;
        fs::create_dir_all(self.folder.join(folder))
            .and_then(|()| fs::write(&installed, wanted))
            .map_err(|e| cannot("write", &installed, e))
    }

    fn run(&self, step: Step<'_>) -> Result<Vec<u8>, Problem> {
        step.run(self.folder, self.console)
    }

    /// The module that was written last in a folder of the project.
    fn newest(&self, folder: &str) -> Result<PathBuf, Problem> {
        let place = self.folder.join(folder);
        let entries = place.read_dir().into_iter().flatten().flatten();
        let modules = entries.filter_map(|entry| {
            let path = entry.path();
            let is_module = path.extension().is_some_and(|ext| ext == "wasm");
            let modified = entry.metadata().and_then(|data| data.modified());
            is_module.then_some((modified.ok()?, path))
        });
        match modules.max() {
            Some((_, path)) => Ok(path),
            None => Err(self.no_module(&format!("there is no .wasm file in {}", place.display()))),
        }
    }

    fn no_module(&self, why: &str) -> Problem {
        let folder = self.folder.display();
        let message = format!("the build of {folder} gave no module: {why}");
        Problem::text(Code::ProjectBroken, message)
    }
}

fn step<'a>(program: &'a str, args: &'a [&'a str], missing: &'a str) -> Step<'a> {
    Step {
        program,
        args,
        variable: None,
        data: false,
        missing,
    }
}

fn cannot(what: &str, path: &Path, error: io::Error) -> Problem {
    let doing = format!("cannot {what} {}", path.display());
    Problem::doing(Code::ProjectBroken, doing, error)
}

/// The first of the targets that the manifest names under `[package.metadata.wasmpool]`.
fn cargo_target(manifest: &str) -> Option<String> {
    let manifest: toml::Table = manifest.parse().ok()?;
    let table = manifest.get("package")?.get("metadata")?.get("wasmpool")?;
    Some(table.get("targets")?.get(0)?.as_str()?.to_owned())
}

/// The part of cargo's messages that is used here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// The modules that cargo says it made.
fn cargo_modules(messages: &[u8]) -> Vec<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let is_guest = |message: &Message| {
        let target = message.target.as_ref();
        let kinds = target.map_or(&[][..], |target| &target.kind);
        message.reason == "compiler-artifact"
            && kinds.iter().any(|kind| kind == "cdylib" || kind == "bin")
    };
    let files = messages.filter(is_guest).flat_map(|m| m.filenames);
    let is_module = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "wasm");
    files.filter(is_module).collect()
}

/// Whether a file is newer than all of these files and folders. What Python keeps beside its sources does not count.
fn is_newer(file: &Path, inputs: &[PathBuf]) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified());
    let newest = inputs.iter().map(|path| newest(path)).max().flatten();
    matches!((modified(file), newest), (Ok(made), Some(newest)) if made > newest)
}

fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return path.metadata().ok()?.modified().ok();
    }
    let entries = path.read_dir().ok()?.flatten();
    let sources = entries.filter(|entry| entry.file_name() != "__pycache__");
    sources.filter_map(|entry| newest(&entry.path())).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wasmpool-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// Writes a file that is as old as that.
        fn write(&self, name: &str, seconds_ago: u64) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = fs::File::create(&path).unwrap();
            let time = SystemTime::now() - Duration::from_secs(seconds_ago);
            file.set_modified(time).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_target_is_the_manifests_first() {
        let manifest = "[package.metadata.wasmpool]\ntargets = ['wasm32-wasip1', 'wasm32-wasip2']";
        assert_eq!(cargo_target(manifest).as_deref(), Some("wasm32-wasip1"));
        for other in [
            "",
            "[package]",
            "[package.metadata.wasmpool]\nguest = true",
            "[",
        ] {
            assert_eq!(cargo_target(other), None, "{other}");
        }
    }

    #[test]
    fn modules_are_those_of_libraries_and_programs() {
        let messages = br#"{"reason":"compiler-artifact","target":{"kind":["proc-macro"]},"filenames":["/a.so","/a.wasm"]}
{"reason":"compiler-artifact","target":{"kind":["cdylib","rlib"]},"filenames":["/t/b.wasm","/t/libb.rlib"]}
not a message
{"reason":"build-finished","success":true}
"#;
        assert_eq!(cargo_modules(messages), [Path::new("/t/b.wasm")]);
        assert!(cargo_modules(b"").is_empty());
    }

    #[test]
    fn the_newest_module_is_taken() {
        let (folder, console) = (Folder::new("newest"), Console::silent());
        let project = Project::new(&folder.0, &console);
        let none = project.newest(BUILD).unwrap_err();
        assert!(none.message().contains("no .wasm file in"), "{none:?}");
        folder.write("build/old.wasm", 20);
        let newer = folder.write("build/b.wasm", 10);
        folder.write("build/other.txt", 0);
        assert_eq!(project.newest(BUILD).unwrap(), newer);
    }

    #[test]
    fn a_module_is_fresh_when_nothing_is_newer() {
        let folder = Folder::new("fresh");
        let inputs = ["src", "list"].map(|name| folder.0.join(name));
        let module = folder.write("app.wasm", 10);
        assert!(!is_newer(&module, &inputs), "there is no source");
        folder.write("src/deep/a.py", 20);
        folder.write("list", 30);
        folder.write("src/__pycache__/a.pyc", 0);
        assert!(is_newer(&module, &inputs));
        folder.write("src/deep/a.py", 5);
        assert!(!is_newer(&module, &inputs));
        assert!(!is_newer(&folder.0.join("none.wasm"), &inputs));
    }

    #[test]
    fn what_a_list_names_is_installed_once() {
        let (folder, console) = (Folder::new("once"), Console::silent());
        let project = Project::new(&folder.0, &console);
        let runs = std::cell::Cell::new(0);
        let install = |_: &Project<'_>| {
            runs.set(runs.get() + 1);
            Ok(())
        };
        assert!(project.once("list", "place", install).is_err(), "no list");
        fs::write(folder.0.join("list"), "a").unwrap();
        let failed = project.once("list", "place", |_| {
            Err(Problem::text(Code::ProjectBroken, "no network"))
        });
        assert!(failed.is_err());
        for expected in [1, 1] {
            project.once("list", "place", install).unwrap();
            assert_eq!(runs.get(), expected);
        }
        fs::write(folder.0.join("list"), "b").unwrap();
        project.once("list", "place", install).unwrap();
        assert_eq!(runs.get(), 2);
    }
}
