//! What cargo knows of this workspace: where it is, where its builds go, which packages it has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::run::cargo;

/// The target that a guest is built for unless its manifest lists others.
pub const DEFAULT_TARGET: &str = "wasm32-unknown-unknown";

/// The workspace that this program belongs to.
#[derive(Debug)]
pub struct Project {
    /// The workspace's top folder.
    pub root: PathBuf,
    /// Cargo's target directory, as CARGO_TARGET_DIR and the configuration have it.
    pub target: PathBuf,
    /// The workspace's own packages.
    pub members: Vec<Package>,
}

/// A package, as far as the commands here need to know it.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Cargo's identifier, which also stands in build messages.
    pub id: String,
    /// Its licence expression.
    pub license: Option<String>,
    /// Where it came from; nothing for a local path.
    pub source: Option<String>,
    /// Its Cargo.toml.
    pub manifest_path: PathBuf,
    /// The table `[package.metadata]`.
    #[serde(default)]
    metadata: serde_json::Value,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

/// `[package.metadata.wasmpool]` of a guest package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuestTable {
    guest: bool,
    targets: Option<Vec<String>>,
    #[serde(default)]
    debug: bool,
}

/// What a package is as a guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct GuestKind {
    /// The targets that it is to be built for: none if it is no guest.
    pub targets: Vec<String>,
    /// Whether it keeps its debug information.
    pub debug: bool,
}

impl Project {
    /// Asks cargo about the workspace of the current directory.
    ///
    /// # Errors
    /// When cargo cannot read the workspace.
    pub fn load() -> Result<Self> {
        let metadata = metadata(&["--no-deps"])?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            members: metadata.packages,
        })
    }

    /// The workspace's packages and everything they depend on, when built for any of `targets`.
    ///
    /// # Errors
    /// When the lock file is out of date, or a package cannot be had.
    pub fn dependencies(&self, targets: &[String]) -> Result<Vec<Package>> {
        let mut args = vec!["--locked"];
        for target in targets {
            args.extend(["--filter-platform", target]);
        }
        Ok(metadata(&args)?.packages)
    }

    /// Runs `program` in the workspace's top folder.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// Runs cargo in the workspace's top folder.
    pub fn cargo(&self, args: &[&str]) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root).args(args);
        // A relative one was meant from where this program was started.
        if std::env::var_os("CARGO_TARGET_DIR").is_some() {
            command.env("CARGO_TARGET_DIR", &self.target);
        }
        command
    }
}

impl Package {
    /// The folder that holds the package.
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// What this package is as a guest.
    ///
    /// # Errors
    /// When `[package.metadata.wasmpool]` holds anything but `guest`, `targets` and `debug`.
    pub fn guest(&self) -> Result<GuestKind> {
        let Some(table) = self.metadata.get("wasmpool") else {
            return Ok(GuestKind::default());
        };
        let table: GuestTable = serde_json::from_value(table.clone()).with_context(|| {
            format!(
                "[package.metadata.wasmpool] of {}",
                self.manifest_path.display()
            )
        })?;
        Ok(GuestKind {
            targets: match (table.guest, table.targets) {
                (false, _) => Vec::new(),
                (true, Some(targets)) => targets,
                (true, None) => vec![DEFAULT_TARGET.to_owned()],
            },
            debug: table.debug,
        })
    }
}

fn metadata(args: &[&str]) -> Result<Metadata> {
    let output = cargo()
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave something unexpected")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(metadata: serde_json::Value) -> Package {
        serde_json::from_value(serde_json::json!({
            "name": "p", "version": "1.0.0", "id": "p", "license": "MIT", "source": null,
            "manifest_path": "/p/Cargo.toml", "metadata": metadata,
        }))
        .unwrap()
    }

    #[test]
    fn guests_are_found_by_their_metadata() {
        let check = |metadata, expected: &[&str]| {
            let guest = package(metadata).guest().unwrap();
            assert_eq!(guest.targets, expected);
            assert!(!guest.debug);
        };
        check(serde_json::json!(null), &[]);
        check(serde_json::json!({"other": 1}), &[]);
        check(serde_json::json!({"wasmpool": {"guest": false}}), &[]);
        check(
            serde_json::json!({"wasmpool": {"guest": true}}),
            &[DEFAULT_TARGET],
        );
        check(
            serde_json::json!({"wasmpool": {"guest": true, "targets": ["wasm32-wasip2"]}}),
            &["wasm32-wasip2"],
        );
        let debug = package(serde_json::json!({"wasmpool": {"guest": true, "debug": true}}));
        assert!(debug.guest().unwrap().debug);
    }

    #[test]
    fn a_misspelt_guest_table_is_an_error_that_names_the_manifest() {
        let error = package(serde_json::json!({"wasmpool": {"guest": true, "target": []}}))
            .guest()
            .unwrap_err();
        assert!(format!("{error:#}").contains("/p/Cargo.toml"), "{error:#}");
    }

    #[test]
    fn this_workspace_is_found() {
        let project = Project::load().unwrap();
        assert!(project.root.join("xtask/Cargo.toml").exists());
        assert!(project.members.iter().any(|member| member.name == "xtask"));
    }
}
