//! `cargo xtask setup`: a compiler for WebAssembly guests.
//!
//! Owns the choice between the ways to get one. A compiler that is not the active toolchain's is only ever set for the
//! command that builds guests: with it in the environment, cargo would build the host's crates with it as well.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::run;

/// The targets that guests may be built for.
pub const TARGETS: [&str; 3] = ["wasm32-unknown-unknown", "wasm32-wasip1", "wasm32-wasip2"];

/// How long rustup may take before another way is tried.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// What guests can be built with.
#[derive(Debug)]
pub struct Toolchain {
    /// The compiler for guests; nothing when the active toolchain's own will do.
    pub rustc: Option<PathBuf>,
    /// Those of [`TARGETS`] that it has a standard library for.
    pub targets: Vec<&'static str>,
    /// Why a target is missing: each way that was tried, and what came of it. Empty when none is.
    pub tried: Vec<String>,
}

impl Toolchain {
    fn of_active(sysroot: &Path) -> Self {
        Self {
            rustc: None,
            targets: installed(sysroot),
            tried: Vec::new(),
        }
    }

    fn is_complete(&self) -> bool {
        self.targets.len() == TARGETS.len()
    }

    /// # Errors
    /// When a target is missing.
    pub fn require(&self) -> Result<()> {
        if !self.is_complete() {
            bail!("not every WebAssembly target is available");
        }
        Ok(())
    }

    fn announce(self, route: &str) -> Self {
        run::say(&format!("WebAssembly targets: {route}"));
        if let Some(rustc) = &self.rustc {
            run::say(&format!("RUSTC for guests: {}", rustc.display()));
        }
        self
    }
}

/// Makes a toolchain for guests available: the active one's targets if they are installed, else rustup's, else one from
/// Debian's packages. Cached in the target directory, and safe to run twice at once.
///
/// A machine where none of these works gets what the active toolchain has, possibly nothing, and is told so: only what
/// needs a guest is lost.
///
/// # Errors
/// When the active compiler cannot be asked, or the target directory cannot be written.
pub fn set_up(project: &Project) -> Result<Toolchain> {
    let sysroot = sysroot()?;
    let active = Toolchain::of_active(&sysroot);
    if active.is_complete() {
        return Ok(active.announce("installed in the active toolchain"));
    }
    let prefix = project.target.join("wasm-toolchain");
    fs::create_dir_all(&prefix).with_context(|| format!("cannot create {}", prefix.display()))?;
    let lock = File::create(prefix.join("lock")).context("cannot create the toolchain's lock")?;
    if lock.try_lock().is_err() {
        run::say("waiting for another set-up of the toolchain to end");
        lock.lock().context("cannot lock the toolchain")?;
    }

    let mut tried = Vec::new();
    // Once the fallback is installed it is kept, so that rustup's time limit is not waited for again and again.
    if !prefix.join("debian/recipe").exists() {
        match add_with_rustup() {
            Ok(()) => {
                let active = Toolchain::of_active(&sysroot);
                if active.is_complete() {
                    return Ok(active.announce("added by rustup"));
                }
                tried.push("rustup: says that it added the targets, but they are not there".into());
            }
            Err(error) => tried.push(format!("rustup: {error:#}")),
        }
    }
    match install_from_debian(project, &prefix, lock) {
        Ok(rustc) => Ok(Toolchain {
            rustc: Some(rustc),
            targets: TARGETS.to_vec(),
            tried: Vec::new(),
        }
        .announce("from Debian's packages")),
        Err(error) => {
            tried.push(format!("Debian's packages: {error:#}"));
            let incomplete = Toolchain { tried, ..active };
            eprintln!("{}", explain(&incomplete));
            Ok(incomplete)
        }
    }
}

fn explain(toolchain: &Toolchain) -> String {
    let missing: Vec<&str> = TARGETS
        .into_iter()
        .filter(|target| !toolchain.targets.contains(target))
        .collect();
    let mut text = format!(
        "warning: no compiler for {}: guests for it are skipped\n",
        missing.join(", ")
    );
    for line in &toolchain.tried {
        text.push_str(&format!("  tried {line}\n"));
    }
    text.push_str(&format!(
        "hint: with a network, run `rustup target add {}`, then this command again",
        missing.join(" ")
    ));
    text
}

fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("cannot start rustc")?;
    if !output.status.success() {
        bail!(
            "rustc --print sysroot: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)
        .context("the sysroot's path is not UTF-8")?
        .trim_end()
        .into())
}

/// Those of [`TARGETS`] whose standard library is in `sysroot`.
fn installed(sysroot: &Path) -> Vec<&'static str> {
    let has_std = |target: &&str| {
        let folder = sysroot.join("lib/rustlib").join(target).join("lib");
        fs::read_dir(folder).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    };
    TARGETS.into_iter().filter(has_std).collect()
}

fn add_with_rustup() -> Result<()> {
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) {
        bail!("not tried, since CI is set");
    }
    if std::env::var_os("WASMPOOL_RUSTUP").is_some_and(|value| value == "0") {
        bail!("not tried, since WASMPOOL_RUSTUP is 0");
    }
    let mut command = Command::new("rustup");
    command.args(["target", "add"]).args(TARGETS);
    run_within(&mut command, RUSTUP_LIMIT)
}

/// Runs `command` quietly to its end, and kills it once `limit` has passed. Its last line says why it failed.
fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    run::say(&format!(
        "$ {} (at most {} s)",
        run::display(command),
        limit.as_secs()
    ));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot be started")?;
    let mut stderr = child.stderr.take().context("has no standard error")?;
    let (ended, end) = mpsc::channel();
    // The end of its standard error is taken for its own end; the thread ends with the pipe.
    thread::spawn(move || {
        let mut said = Vec::new();
        let read = stderr.read_to_end(&mut said);
        // The receiver is gone when the limit has passed, and then nobody wants to know.
        let _ = ended.send(read.map(|_| said));
    });
    let said = match end.recv_timeout(limit) {
        Ok(said) => said.context("its messages cannot be read")?,
        Err(_) => {
            child.kill().context("cannot be stopped")?;
            child.wait().context("cannot be waited for")?;
            bail!("took longer than {} s", limit.as_secs());
        }
    };
    let status = child.wait().context("cannot be waited for")?;
    if !status.success() {
        let said = String::from_utf8_lossy(&said);
        bail!(
            "{status}: {}",
            said.trim_end().lines().last().unwrap_or("no message")
        );
    }
    Ok(())
}

/// The lock becomes the script's standard input, so that it is held until the script ends, even if this program is
/// killed before.
fn install_from_debian(project: &Project, prefix: &Path, lock: File) -> Result<PathBuf> {
    let mut script = project.command("bash");
    script
        .arg(project.root.join("xtask/wasm-toolchain.sh"))
        .arg(prefix)
        .args(TARGETS)
        .stdin(lock);
    let stdout = run::output(&mut script).context("its messages are above")?;
    let rustc = String::from_utf8(stdout).context("the compiler's path is not UTF-8")?;
    Ok(rustc.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_program_is_stopped_and_a_failing_one_gives_its_last_line() {
        let start = std::time::Instant::now();
        let limit = Duration::from_millis(50);
        let error = run_within(Command::new("sleep").arg("60"), limit).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));

        let mut failing = Command::new("sh");
        failing.args(["-c", "echo first >&2; echo second >&2; exit 4"]);
        let error = run_within(&mut failing, Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.to_string(), "exit status: 4: second");

        run_within(&mut Command::new("true"), Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn what_is_missing_is_named_with_what_was_tried() {
        let toolchain = Toolchain {
            rustc: None,
            targets: vec!["wasm32-wasip1"],
            tried: vec!["rustup: not tried".into()],
        };
        let text = explain(&toolchain);
        assert!(text.contains("no compiler for wasm32-unknown-unknown, wasm32-wasip2:"));
        assert!(text.contains("tried rustup: not tried"));
        assert!(text.contains("rustup target add wasm32-unknown-unknown wasm32-wasip2"));
        assert!(toolchain.require().is_err());
    }

    #[test]
    fn a_sysroot_without_libraries_has_no_targets() {
        assert!(installed(Path::new("/nonexistent")).is_empty());
    }
}
