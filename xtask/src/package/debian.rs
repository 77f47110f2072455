//! A folder that becomes a Debian package: the program, completions, manual pages, and what says whose it is.
//!
//! Packed by `dpkg-deb`. The times of all files are that of the last commit, so that the same sources give the same
//! package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{NAME, elf};
use crate::project::Project;
use crate::run;

const MAINTAINER: &str = "wasmpool developers <wasmpool@users.noreply.github.com>";
const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");
const DESCRIPTION: &str = "\
multiprocessing for code you do not trust
 Runs functions of WebAssembly modules over many items, in worker processes
 that are isolated from the machine and from each other, under limits of time,
 memory and output. A pool maps a function over items as Python's
 multiprocessing does, from the command line or from Rust.";

/// The folder, and what it becomes.
pub struct Tree {
    folder: PathBuf,
    root: PathBuf,
    version: String,
    architecture: String,
    /// Seconds since 1970 of the last commit.
    epoch: String,
}

impl Tree {
    /// An empty one under `folder`.
    ///
    /// # Errors
    /// When it cannot be made, or dpkg does not tell its architecture.
    pub fn new(folder: &Path, version: &str) -> Result<Self> {
        let root = folder.join("tree");
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| format!("{}", root.display()))?;
        }
        fs::create_dir_all(&root).with_context(|| format!("{}", root.display()))?;
        let text = |command: &mut Command| -> Result<String> {
            Ok(String::from_utf8(run::output(command)?)?.trim().to_owned())
        };
        let mut git = Command::new("git");
        // Outside of a repository, as in an unpacked release.
        let epoch = text(git.args(["log", "-1", "--format=%ct"])).unwrap_or_else(|_| "0".into());
        Ok(Tree {
            folder: folder.to_owned(),
            root,
            version: version.to_owned(),
            architecture: text(Command::new("dpkg").arg("--print-architecture"))?,
            epoch,
        })
    }

    /// Fills it. `dependencies` is the text that says what else is in the program.
    ///
    /// # Errors
    /// When something cannot be written, or the program cannot be run.
    pub fn stage(&self, project: &Project, program: &Path, dependencies: &str) -> Result<()> {
        let program = program
            .canonicalize()
            .with_context(|| format!("{}", program.display()))?;
        let to = self.path("usr/bin/wasmpool")?;
        fs::copy(&program, &to)?;
        set_mode(&to, 0o755)?;
        for (shell, path) in [
            ("bash", "usr/share/bash-completion/completions/wasmpool"),
            ("zsh", "usr/share/zsh/vendor-completions/_wasmpool"),
            ("fish", "usr/share/fish/vendor_completions.d/wasmpool.fish"),
        ] {
            let script = run::output(Command::new(&program).args(["completions", shell]))?;
            self.write(path, &script)?;
        }
        let pages = self.folder.join("man");
        run::run(Command::new(&program).arg("man").arg(&pages))?;
        for page in fs::read_dir(&pages)? {
            let page = page?.path();
            let name = page
                .file_name()
                .context("a page has a name")?
                .to_string_lossy();
            self.write_packed(&format!("usr/share/man/man1/{name}.gz"), &fs::read(&page)?)?;
        }
        let doc = format!("usr/share/doc/{NAME}");
        let copyright = COPYRIGHT.replace("YEAR", &self.date("+%Y")?);
        self.write(&format!("{doc}/copyright"), copyright.as_bytes())?;
        if !elf::needs_loader(&program)? {
            let overrides = format!("usr/share/lintian/overrides/{NAME}");
            self.write(&overrides, STATIC_IS_MEANT.as_bytes())?;
        }
        self.write_packed(&format!("{doc}/changelog.gz"), self.changelog()?.as_bytes())?;
        self.write_packed(&format!("{doc}/dependencies.gz"), dependencies.as_bytes())?;
        for name in ["README.md", "SECURITY.md", "CHANGELOG.md"] {
            let text = fs::read(project.root.join(name)).context(name)?;
            self.write_packed(&format!("{doc}/{name}.gz"), &text)?;
        }
        Ok(())
    }

    /// Packs it, and returns the package.
    ///
    /// # Errors
    /// When dpkg-deb cannot be run, or refuses it.
    pub fn close(&self, program: &Path) -> Result<PathBuf> {
        let mut files = Vec::new();
        collect(&self.root, &mut files)?;
        files.sort();
        let bytes = files.iter().map(|file| Ok(file.metadata()?.len()));
        let bytes: u64 = bytes.sum::<Result<u64>>()?;
        let paths: Vec<_> = files
            .iter()
            .map(|file| file.strip_prefix(&self.root))
            .collect::<Result<_, _>>()?;
        let sums = run::output(Command::new("md5sum").args(paths).current_dir(&self.root))?;
        self.write("DEBIAN/md5sums", &sums)?;
        // glibc is all that a program needs that is not static.
        let depends = match elf::needs_loader(program)? {
            true => "Depends: libc6, libgcc-s1\n",
            false => "",
        };
        let control = format!(
            "Package: {NAME}\nVersion: {}\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {}\n\
             {depends}Section: utils\nPriority: optional\nHomepage: {HOMEPAGE}\nDescription: {DESCRIPTION}\n",
            self.version,
            self.architecture,
            bytes.div_ceil(1024),
        );
        self.write("DEBIAN/control", control.as_bytes())?;
        let name = format!("{NAME}_{}_{}.deb", self.version, self.architecture);
        let package = self.folder.join(name);
        let mut pack = Command::new("dpkg-deb");
        pack.args(["--build", "--root-owner-group"]);
        pack.arg(&self.root).arg(&package);
        pack.env("SOURCE_DATE_EPOCH", &self.epoch)
            .stdout(Stdio::null());
        run::run(&mut pack)?;
        Ok(package)
    }

    fn changelog(&self) -> Result<String> {
        let (version, date) = (&self.version, self.date("--rfc-email")?);
        Ok(format!(
            "{NAME} ({version}) unstable; urgency=medium\n\n  * What has changed is in CHANGELOG.md.gz.\n\n \
             -- {MAINTAINER}  {date}\n"
        ))
    }

    /// When the last commit was made, as `date` writes it in this format.
    fn date(&self, format: &str) -> Result<String> {
        let mut date = Command::new("date");
        date.args(["--utc", format, "--date", &format!("@{}", self.epoch)]);
        let date = String::from_utf8(run::output(date.env("LC_ALL", "C"))?)?;
        Ok(date.trim().to_owned())
    }

    /// A place in the tree, whose folder is there.
    fn path(&self, path: &str) -> Result<PathBuf> {
        let path = self.root.join(path);
        let folder = path.parent().context("it has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        let mut folder = Some(folder);
        while let Some(path) = folder.filter(|path| path.starts_with(&self.root)) {
            set_mode(path, 0o755)?;
            folder = path.parent();
        }
        Ok(path)
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let path = self.path(path)?;
        fs::write(&path, content).with_context(|| format!("{}", path.display()))?;
        set_mode(&path, 0o644)
    }

    /// The same, compressed, without a name and a time in it.
    fn write_packed(&self, path: &str, content: &[u8]) -> Result<()> {
        let plain = path.strip_suffix(".gz").context("it is called .gz")?;
        self.write(plain, content)?;
        run::run(Command::new("gzip").arg("-9n").arg(self.root.join(plain)))
    }
}

const COPYRIGHT: &str = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: wasmpool
Source: https://github.com/wasmpool/wasmpool

Files: *
Copyright: YEAR The wasmpool developers
License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0.
Comment: What is linked into the program, and under which licences, is in
 /usr/share/doc/wasmpool/dependencies.gz.
";

const STATIC_IS_MEANT: &str = "\
# A static program, that runs on any Linux of its processor; at addresses of chance, and so it looks like a library.
wasmpool: shared-library-lacks-prerequisites [usr/bin/wasmpool]
";

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("{}", path.display()))
}

/// All files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
