//! `cargo xtask browser`: a browser without a window, for the tests that open pages.
//!
//! Chromium's headless shell with the libraries and fonts that it needs, from one package of npm, whose bytes are pinned;
//! into `<target>/browser`, where the tests look for it. Nothing is installed for the whole machine, and nothing needs
//! privileges. Where a browser is on the search path, that one is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::languages::{installed, works};
use crate::project::Project;
use crate::run;

const PACKAGE: &str = "@sparticuz/chromium@147.0.0";
/// The hash of the package, as npm writes it: what is in it runs as whoever tests.
const INTEGRITY: &str = "sha512-4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ==";
/// Names of browsers that the tests can drive: the same as theirs.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chromium-headless-shell",
];

/// Node reads what Brotli has packed, which no tool of a plain system does.
const UNPACK: &str = "const [from, to] = process.argv.slice(1), fs = require('fs'); \
    fs.writeFileSync(to, require('zlib').brotliDecompressSync(fs.readFileSync(from)), {mode: 0o755})";

/// Starts it with its own libraries; and with its own fonts, where the machine has none.
const START: &str = r#"#!/bin/sh
here=$(dirname "$0")
export LD_LIBRARY_PATH="$here/lib"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$here"
exec "$here/headless-shell" "$@"
"#;

/// Makes a browser available, and says which. Quick when there is one.
///
/// # Errors
/// When there is none for this processor, there is no npm, or it cannot get the package.
pub fn set_up(project: &Project) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if let Some(browser) = there {
        run::say(&format!("browser: {}", browser.display()));
        return Ok(browser);
    }
    if std::env::consts::ARCH != "x86_64" {
        bail!("{PACKAGE} is for x86_64 only: install chromium");
    }
    let folder = project.target.join("browser");
    let recipe = format!("{PACKAGE} {INTEGRITY} {}", START.len() + UNPACK.len());
    installed(&folder, &recipe, |folder| install(project, folder))?;
    let browser = folder.join("chromium");
    run::say(&format!("browser: {}", browser.display()));
    Ok(browser)
}

fn install(project: &Project, folder: &Path) -> Result<()> {
    works("node", &["--version"])?;
    works("npm", &["--version"])?;
    works("tar", &["--version"])?;
    let mut npm = project.command("npm");
    npm.args(["pack", "--json", "--loglevel=error", "--pack-destination"]);
    npm.arg(folder).arg(PACKAGE).stdin(Stdio::null());
    let archive = folder.join(checked(&run::output(&mut npm)?)?);

    let extract = |archive: &Path| {
        let mut tar = project.command("tar");
        tar.args(["--no-same-owner", "-xf"]).arg(archive);
        run::run(tar.arg("-C").arg(folder))
    };
    extract(&archive)?;
    for (packed, name) in [
        ("chromium.br", "headless-shell"),
        ("al2023.tar.br", "libraries.tar"),
        ("fonts.tar.br", "fonts.tar"),
    ] {
        let mut node = project.command("node");
        node.args(["-e", UNPACK])
            .arg(folder.join("package/bin").join(packed));
        run::run(node.arg(folder.join(name)))?;
    }
    for name in ["libraries.tar", "fonts.tar"] {
        extract(&folder.join(name))?;
        fs::remove_file(folder.join(name))?;
    }
    fs::remove_dir_all(folder.join("package"))?;
    fs::remove_file(archive)?;

    let start = folder.join("chromium");
    fs::write(&start, START)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&start, mode)?;
    let start = start.to_str().context("a path that is text")?;
    works(start, &["--headless", "--no-sandbox", "--version"])
}

/// The archive that npm says it wrote, if it is the one that is meant.
fn checked(said: &[u8]) -> Result<String> {
    let packed: serde_json::Value =
        serde_json::from_slice(said).context("npm pack said something unexpected")?;
    let package = &packed[0];
    let integrity = package["integrity"].as_str().unwrap_or("");
    if integrity != INTEGRITY {
        bail!("{PACKAGE} has the hash {integrity}, not {INTEGRITY}");
    }
    let name = package["filename"]
        .as_str()
        .context("npm pack names no file")?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_package_is_taken() {
        let said = |integrity: &str| {
            let package = serde_json::json!([{"integrity": integrity, "filename": "a.tgz"}]);
            checked(package.to_string().as_bytes())
        };
        assert_eq!(said(INTEGRITY).unwrap(), "a.tgz");
        let error = said("sha512-abc").unwrap_err().to_string();
        assert!(error.contains("has the hash sha512-abc"), "{error}");
        assert!(checked(b"").is_err());
        assert!(checked(b"[]").is_err());
    }

    /// The tests look for browsers under the same names.
    #[test]
    fn the_tests_know_the_same_names() {
        let project = Project::load().unwrap();
        let tests = fs::read_to_string(project.root.join("tests/src/browser.rs")).unwrap();
        for name in NAMES {
            assert!(tests.contains(&format!("    \"{name}\",")), "{name}");
        }
    }
}
