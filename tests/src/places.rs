//! Where things are.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

/// The workspace's top folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package lies in the workspace")
}

/// The folder of the compiled guests; none if `WASMPOOL_GUESTS` is not set.
///
/// # Panics
/// If it is set and is no folder.
pub fn guests() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("WASMPOOL_GUESTS")?);
    let folder = match folder.is_relative() {
        true => root().join(folder),
        false => folder,
    };
    assert!(
        folder.is_dir(),
        "WASMPOOL_GUESTS is {}, which is no folder",
        folder.display()
    );
    Some(folder)
}

/// A compiled guest by its name, or why there is none.
pub fn built(name: &str) -> Result<PathBuf, String> {
    let folder = guests().ok_or("no guests")?;
    let path = folder.join(format!("{name}.wasm"));
    if path.is_file() {
        return Ok(path);
    }
    let note = std::fs::read_to_string(path.with_extension("skipped"));
    Err(note.unwrap_or_else(|_| format!("{name} was not built")))
}

/// A text module of these tests, by its name.
pub fn module(name: &str) -> String {
    let path = root().join(format!("tests/modules/{name}.wat"));
    path.to_str().expect("a path that is text").to_owned()
}

/// The program under test: `wasmpool`, of the same build as the running test.
///
/// # Panics
/// If it was not built, or before its sources were last changed.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let this = std::env::current_exe().expect("this program has a path");
        let program = this.ancestors().skip(1).take(3).map(|f| f.join("wasmpool"));
        let Some(program) = program.into_iter().find(|path| path.is_file()) else {
            panic!(
                "no `wasmpool` lies above {}: run `cargo test --workspace`, or build it first with `cargo build -p \
                 wasmpool` and the same profile",
                this.display()
            );
        };
        let built = modified(&program);
        for source in sources(&program) {
            assert!(
                built >= modified(&source),
                "{} is older than {}: run `cargo test --workspace`, or build it first with `cargo build -p wasmpool` \
                 and the same profile",
                program.display(),
                source.display()
            );
        }
        program
    })
}

fn modified(path: &Path) -> SystemTime {
    let modified = path.metadata().and_then(|m| m.modified());
    modified.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What the program was built from, as cargo notes it beside the program.
fn sources(program: &Path) -> Vec<PathBuf> {
    let notes = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let sources = notes.split_once(": ").map_or("", |(_, sources)| sources);
    // Blanks within a path are escaped.
    let sources = sources.trim().replace("\\ ", "\0");
    let paths = sources
        .split_whitespace()
        .map(|path| path.replace('\0', " "));
    paths
        .map(PathBuf::from)
        .filter(|path| path.is_file())
        .collect()
}

/// A folder that is removed with its value.
#[derive(Debug)]
pub struct Temporary(PathBuf);

/// Makes an empty folder.
pub fn temporary() -> Temporary {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("wasmpool-test-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Temporary(path)
}

impl Temporary {
    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The same as text, for a command line.
    pub fn text(&self, name: &str) -> String {
        self.path(name)
            .to_str()
            .expect("a path that is text")
            .to_owned()
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.text(name);
        std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{path}: {e}"));
        path
    }
}

/// A copy of the program, in a folder that every user may look into: its processes are told from all others by it.
#[derive(Debug)]
pub struct Copied {
    /// Where it is, without links on the way.
    pub path: PathBuf,
    _folder: Temporary,
}

/// Copies the program. To be done before there are threads: a child of another one would hold the copy open for writing,
/// which then cannot be run.
pub fn copied() -> Copied {
    let folder = temporary();
    let path = folder.path("wasmpool");
    std::fs::copy(program(), &path).expect("the program can be copied");
    Copied {
        path: path.canonicalize().expect("it is there"),
        _folder: folder,
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
