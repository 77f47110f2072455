//! `cargo xtask guests`: builds every guest: packages, for each target that they ask for, and those of
//! [`crate::languages`].
//!
//! Guests have a target directory of their own, `<target>/guests`, since their compiler may be another one than the
//! host's. Each module is put at its top: `NAME.wasm` for the default target, `NAME.TARGET.wasm` for any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::project::{DEFAULT_TARGET, Package, Project};
use crate::toolchain::{TARGETS, Toolchain};
use crate::{languages, run};

/// Variables that are meant for builds of the host, and would change or break a guest.
const HOST_ONLY: [&str; 7] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// What came of building the guests.
#[derive(Debug)]
pub struct Guests {
    /// The folder with the modules.
    pub folder: PathBuf,
    /// The modules in it, by file name.
    pub built: BTreeSet<String>,
    /// The modules that no tools could be had for, by file name.
    pub skipped: BTreeSet<String>,
}

impl Guests {
    /// The module's path, if it was built.
    pub fn module(&self, file: &str) -> Option<PathBuf> {
        self.built.contains(file).then(|| self.folder.join(file))
    }
}

/// The folder for the modules of all guests.
pub fn folder(project: &Project) -> PathBuf {
    project.target.join("guests")
}

/// Builds all guests of the workspace.
///
/// # Errors
/// When a guest does not compile, or asks for a target that nobody knows. A target that there is no compiler for here
/// is no error: its guests are skipped, and named.
pub fn build(project: &Project, toolchain: &Toolchain) -> Result<Guests> {
    let mut guests = Guests {
        folder: folder(project),
        built: BTreeSet::new(),
        skipped: BTreeSet::new(),
    };
    fs::create_dir_all(&guests.folder)
        .with_context(|| format!("cannot create {}", guests.folder.display()))?;

    for ((target, profile), packages) in by_target(&project.members)? {
        let files = packages.iter().map(|package| file_name(package, &target));
        if !toolchain.targets.contains(&target.as_str()) {
            guests.skipped.extend(files);
            continue;
        }
        guests.built.extend(files);
        let build = Build {
            project,
            toolchain,
            folder: &guests.folder,
            target: &target,
            profile,
        };
        let modules = build.run(&packages)?;
        for package in packages {
            let [module] = modules.get(&package.id).map_or(&[][..], Vec::as_slice) else {
                bail!(
                    "{} gives {} modules for {target}, not one: a guest is a cdylib or a program",
                    package.name,
                    modules.get(&package.id).map_or(0, Vec::len)
                );
            };
            publish(module, &guests.folder.join(file_name(package, &target)))?;
        }
    }
    let others = languages::build(project, &guests.folder, &[])?;
    guests.built.extend(others.built);
    guests.skipped.extend(others.skipped);
    remove_others(&guests.folder, &guests.built)?;

    run::say(&format!(
        "{} guests in {}",
        guests.built.len(),
        guests.folder.display()
    ));
    if !guests.skipped.is_empty() {
        let names: Vec<&str> = guests.skipped.iter().map(String::as_str).collect();
        eprintln!(
            "warning: {} guests SKIPPED, since their tools cannot be had here: {}",
            names.len(),
            names.join(", ")
        );
    }
    Ok(guests)
}

/// Packages by target and cargo's profile.
type ByTarget<'a> = BTreeMap<(String, &'static str), Vec<&'a Package>>;

fn by_target(members: &[Package]) -> Result<ByTarget<'_>> {
    let mut map = ByTarget::new();
    for package in members {
        let guest = package.guest()?;
        let profile = match guest.debug {
            true => "guest-debug",
            false => "guest",
        };
        for target in guest.targets {
            if !TARGETS.contains(&target.as_str()) {
                bail!(
                    "{}: `{target}` is no target for guests; these are: {}",
                    package.manifest_path.display(),
                    TARGETS.join(", ")
                );
            }
            map.entry((target, profile)).or_default().push(package);
        }
    }
    Ok(map)
}

fn file_name(package: &Package, target: &str) -> String {
    if target == DEFAULT_TARGET {
        format!("{}.wasm", package.name)
    } else {
        format!("{}.{target}.wasm", package.name)
    }
}

/// The part of cargo's build messages that is used here.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// One cargo command.
struct Build<'a> {
    project: &'a Project,
    toolchain: &'a Toolchain,
    folder: &'a Path,
    target: &'a str,
    profile: &'static str,
}

impl Build<'_> {
    /// Builds packages. The modules it made, by package identifier.
    fn run(&self, packages: &[&Package]) -> Result<BTreeMap<String, Vec<PathBuf>>> {
        let mut command = self.project.cargo(&["build", "--target", self.target]);
        command.args(["--profile", self.profile]);
        command.args(["--message-format", "json-render-diagnostics"]);
        command.arg("--target-dir").arg(self.folder);
        for package in packages {
            command.args(["-p", &package.name]);
        }
        use_compiler(&mut command, self.toolchain.rustc.as_deref());

        let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for line in run::output(&mut command)?.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let message: Artifact =
                serde_json::from_slice(line).context("cargo build gave something unexpected")?;
            if message.reason == "compiler-artifact" {
                let is_module = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "wasm");
                let found = message.filenames.into_iter().filter(is_module);
                modules.entry(message.package_id).or_default().extend(found);
            }
        }
        Ok(modules)
    }
}

fn use_compiler(command: &mut Command, rustc: Option<&Path>) {
    for variable in HOST_ONLY {
        command.env_remove(variable);
    }
    if let Some(rustc) = rustc {
        command.env("RUSTC", rustc);
    }
}

/// Copies in two steps, so that nobody ever maps half a module.
///
/// # Errors
/// When either file cannot be used.
pub fn publish(module: &Path, to: &Path) -> Result<()> {
    let partial = to.with_extension(format!("partial-{}", std::process::id()));
    fs::copy(module, &partial)
        .and_then(|_| fs::rename(&partial, to))
        .with_context(|| format!("cannot copy {} to {}", module.display(), to.display()))
}

/// Removes the modules of guests that are no more, so that no test runs one by mistake.
fn remove_others(folder: &Path, keep: &BTreeSet<String>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".wasm") && !keep.contains(&name) {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
        }
    }
    Ok(())
}
