//! `cargo xtask package`: a static release of the program, and a Debian package of it.
//!
//! - `debian`: the files that make a folder a package.
//! - `elf`: whether a program needs a loader.
//!
//! The program is linked with a static glibc: it then runs on any Linux of its processor, and starts without a loader.
//! Of glibc's parts that need its shared libraries at run time (name service, locales, `dlopen`) it uses none.

mod debian;
mod elf;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::project::{Package, Project};
use crate::run;

/// The program's package and name.
const NAME: &str = "wasmpool";

/// Builds the program and packs it; with `--program FILE` packs that one.
///
/// # Errors
/// When something cannot be built, written or packed.
pub fn run(project: &Project, args: &[String]) -> Result<()> {
    let program = match args {
        [] => build(project)?,
        [flag, file] if flag == "--program" => PathBuf::from(file),
        _ => bail!("`cargo xtask package` takes nothing, or `--program FILE`"),
    };
    let folder = project.target.join("package");
    let package = pack(project, &program, &folder)?;
    let bytes = package.metadata()?.len();
    run::say(&format!(
        "{}: {:.1} MiB",
        package.display(),
        bytes as f64 / f64::from(1 << 20)
    ));
    Ok(())
}

/// The static program.
fn build(project: &Project) -> Result<PathBuf> {
    let target = host(project)?;
    // For this target, and so not for build scripts and macros, which are loaded by the compiler.
    let flags = format!("target.{target}.rustflags=[\"-C\", \"target-feature=+crt-static\"]");
    run::run(&mut project.cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        NAME,
        "--bin",
        NAME,
        "--target",
        &target,
        "--config",
        &flags,
        "--config",
        "profile.release.strip=\"symbols\"",
        "--config",
        "profile.release.debug=0",
    ]))?;
    let program = project.target.join(target).join("release").join(NAME);
    if elf::needs_loader(&program)? {
        bail!("{} is not static", program.display());
    }
    Ok(program)
}

/// What cargo builds for by itself.
fn host(project: &Project) -> Result<String> {
    let mut rustc = project.command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let told = run::output(rustc.arg("-vV"))?;
    let told = String::from_utf8_lossy(&told);
    let line = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not tell its host")?.to_owned())
}

/// Makes a Debian package of a program, in `folder`; returns its path.
fn pack(project: &Project, program: &Path, folder: &Path) -> Result<PathBuf> {
    let members = &project.members;
    let own = members.iter().find(|package| package.name == NAME);
    let own = own.context("the workspace has no wasmpool")?;
    let tree = debian::Tree::new(folder, &own.version)?;
    tree.stage(project, program, &dependencies(project)?)?;
    tree.close(program)
}

/// All that is linked into the program, with its licence: a line each.
fn dependencies(project: &Project) -> Result<String> {
    let mut lines: Vec<_> = project
        .dependencies(&[host(project)?])?
        .iter()
        .filter(|package| package.source.is_some())
        .map(line)
        .collect();
    lines.sort();
    lines.dedup();
    Ok(lines.concat())
}

fn line(package: &Package) -> String {
    let licence = package.license.as_deref().unwrap_or("see its source");
    format!("{} {}: {licence}\n", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The program of the build that this test is of.
    fn program() -> PathBuf {
        let this = std::env::current_exe().unwrap();
        let program = this.parent().and_then(Path::parent).unwrap().join(NAME);
        let how = "run `cargo test --workspace`, or build it first";
        assert!(program.is_file(), "no {}: {how}", program.display());
        program
    }

    fn output(command: &mut Command) -> String {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The layout of the package, from the ordinary build; and that what is unpacked from it runs.
    #[test]
    fn a_package_holds_all_that_it_should_and_runs() {
        if Command::new("dpkg-deb").arg("--version").output().is_err() {
            println!("skipped: there is no dpkg-deb");
            return;
        }
        let project = Project::load().unwrap();
        let folder = project
            .target
            .join(format!("package-test-{}", std::process::id()));
        let package = pack(&project, &program(), &folder).unwrap();
        let listed = output(Command::new("dpkg-deb").arg("-c").arg(&package));
        for path in [
            "./usr/bin/wasmpool",
            "./usr/share/bash-completion/completions/wasmpool",
            "./usr/share/zsh/vendor-completions/_wasmpool",
            "./usr/share/fish/vendor_completions.d/wasmpool.fish",
            "./usr/share/man/man1/wasmpool.1.gz",
            "./usr/share/man/man1/wasmpool-map.1.gz",
            "./usr/share/doc/wasmpool/copyright",
            "./usr/share/doc/wasmpool/changelog.gz",
            "./usr/share/doc/wasmpool/dependencies.gz",
            "./usr/share/doc/wasmpool/README.md.gz",
        ] {
            let line = listed
                .lines()
                .find(|line| line.ends_with(&format!(" {path}")));
            let line = line.unwrap_or_else(|| panic!("no {path} in\n{listed}"));
            let mode = if path.contains("/bin/") {
                "-rwxr-xr-x"
            } else {
                "-rw-r--r--"
            };
            assert!(line.starts_with(&format!("{mode} root/root ")), "{line}");
        }
        let field = |name| output(Command::new("dpkg-deb").arg("-f").arg(&package).arg(name));
        assert_eq!(field("Package"), "wasmpool\n");
        assert_eq!(
            field("Depends").is_empty(),
            !elf::needs_loader(&program()).unwrap()
        );

        let root = folder.join("root");
        output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&root));
        let run = |args: &[&str]| {
            let mut command = Command::new(root.join("usr/bin/wasmpool"));
            output(command.args(args).env("WASMPOOL_NO_CONFIG", "true"))
        };
        assert!(run(&["--version"]).starts_with(NAME));
        let square = project.root.join("examples/square-wat/square.wat");
        assert_eq!(
            run(&["map", square.to_str().unwrap(), "--no-cache", "7"]),
            "49\n"
        );
        let sums = std::fs::read_to_string(folder.join("tree/DEBIAN/md5sums")).unwrap();
        assert_eq!(
            sums.lines().count(),
            listed.lines().filter(|l| l.starts_with('-')).count()
        );
        let mut check = Command::new("md5sum");
        check
            .args(["--check", "--quiet"])
            .arg(folder.join("tree/DEBIAN/md5sums"));
        output(check.current_dir(&root));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
