//! `cargo xtask package`: what a Debian package holds, and that what is unpacked from it runs. Ignored where there is no
//! dpkg-deb.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use wasmpool_tests::{Suite, program, root, temporary};

/// The package and its program.
const NAME: &str = "wasmpool";

fn main() -> ExitCode {
    let packer = Command::new("dpkg-deb").arg("--version").output();
    let possible = packer.map(drop).map_err(|_| "there is no dpkg-deb".into());
    Suite::new()
        .where_possible(
            "a_package_holds_all_that_it_should_and_runs",
            possible,
            holds_all_and_runs,
        )
        .test("what_it_does_not_take_is_refused", refused)
        .run()
}

/// A copy that packs in seconds: what debuggers need takes minutes. The same where there is no `strip`.
fn without_symbols(program: &Path, folder: &Path) -> String {
    let copy = folder.join(NAME);
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&copy).arg(program);
    let stripped = strip.output().is_ok_and(|output| output.status.success());
    let path = if stripped { &copy } else { program };
    path.to_str().expect("a path that is text").to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("a program that starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

fn xtask(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("package").args(args).current_dir(root());
    command
}

fn refused() {
    for args in [&["--program"][..], &["--prog", "x"], &["x"]] {
        let output = xtask(args).output().expect("xtask");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("takes `--program FILE`"), "{said}");
    }
}

/// From the ordinary build: a static one takes minutes.
fn holds_all_and_runs() {
    let temporary = temporary();
    let folder = temporary.path("package");
    fs::create_dir(&folder).expect("a folder for this test");
    let into = folder.to_str().expect("a path that is text");
    let program = without_symbols(program(), &folder);
    output(&mut xtask(&["--program", &program, "--into", into]));
    let packages = fs::read_dir(&folder).expect("a folder").flatten();
    let mut packages = packages
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "deb"));
    let package = packages.next().expect("a package");

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
        let mode = match path.contains("/bin/") {
            true => "-rwxr-xr-x",
            false => "-rw-r--r--",
        };
        assert!(line.starts_with(&format!("{mode} root/root ")), "{line}");
    }
    let field = |name| output(Command::new("dpkg-deb").arg("-f").arg(&package).arg(name));
    assert_eq!(field("Package"), "wasmpool\n");
    // The ordinary build is not static.
    assert_eq!(field("Depends"), "libc6, libgcc-s1\n");

    let unpacked = folder.join("root");
    output(
        Command::new("dpkg-deb")
            .arg("-x")
            .arg(&package)
            .arg(&unpacked),
    );
    let run = |args: &[&str]| {
        let mut command = Command::new(unpacked.join("usr/bin/wasmpool"));
        output(command.args(args).env("WASMPOOL_NO_CONFIG", "true"))
    };
    assert!(run(&["--version"]).starts_with(NAME));
    let square = root().join("examples/square-wat/square.wat");
    let square = square.to_str().expect("a path that is text");
    assert_eq!(run(&["map", square, "--no-cache", "7"]), "49\n");
    let sums = fs::read_to_string(folder.join("tree/DEBIAN/md5sums")).expect("sums");
    let files = listed.lines().filter(|l| l.starts_with('-')).count();
    assert_eq!(sums.lines().count(), files);
    let mut check = Command::new("md5sum");
    check
        .args(["--check", "--quiet"])
        .arg(folder.join("tree/DEBIAN/md5sums"));
    output(check.current_dir(&unpacked));
}
