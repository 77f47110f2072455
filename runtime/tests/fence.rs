//! The second wall around granted directories: even native code that knows nothing of WASI opens nothing else.
//!
//! One process, which fences itself: there is no way back.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use wasmpool::grants::DirectoryGrant;
use wasmpool::sandbox::fence;

fn main() {
    let folder = std::env::temp_dir().join(format!("wasmpool-fence-{}", std::process::id()));
    let path = |name: &str| folder.join(name);
    for name in ["read", "write", "outside"] {
        fs::create_dir_all(path(name)).unwrap();
        fs::write(path(name).join("file"), name).unwrap();
    }
    std::os::unix::fs::symlink("../outside/file", path("read/link")).unwrap();
    let open = |name: &str, writable| {
        let grant = DirectoryGrant {
            host_path: path(name),
            guest_path: "/d".into(),
            writable,
        };
        grant.open().unwrap()
    };
    let granted = [open("read", false), open("write", true)];
    // Removing the folder is beyond the fence: a process outside does it.
    let cleaner = Cleaner::start(&folder);
    if !fence::put_up(&granted).unwrap() {
        println!("SKIPPED: this kernel has no landlock");
        drop(cleaner);
        return;
    }

    let denied = |what: &str, result: std::io::Result<()>| match result {
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {}
        other => panic!("{what}: {other:?}"),
    };
    let read = |path: PathBuf| fs::read_to_string(path);
    assert_eq!(read(path("read/file")).unwrap(), "read");
    assert_eq!(read(path("write/file")).unwrap(), "write");
    for out in [
        path("outside/file"),
        path("read/link"),
        path("read/../outside/file"),
        path("write/../outside/file"),
        "/etc/passwd".into(),
        "/proc/self/environ".into(),
        "/proc/self/root/etc/passwd".into(),
    ] {
        denied(&out.display().to_string(), read(out).map(drop));
    }
    denied("listing the root", fs::read_dir("/").map(drop));
    denied("listing above", fs::read_dir(path("read/..")).map(drop));

    fs::write(path("write/new"), "x").unwrap();
    fs::rename(path("write/new"), path("write/newer")).unwrap();
    fs::remove_file(path("write/newer")).unwrap();
    denied("writing", fs::write(path("read/file"), "x"));
    denied("making", fs::write(path("read/new"), "x"));
    denied("truncating", truncate(&path("read/file")));
    denied("removing", fs::remove_file(path("read/file")));
    denied(
        "making outside",
        File::create(path("outside/new")).map(drop),
    );
    let moved = fs::rename(path("write/file"), path("outside/taken"));
    assert!(moved.is_err(), "moving out");
    let moved = fs::rename(path("outside/file"), path("write/taken"));
    assert!(moved.is_err(), "moving in");
    let linked = fs::hard_link(path("read/file"), path("write/linked"));
    assert!(linked.is_err(), "linking what may only be read");
    let run = std::process::Command::new("/bin/true").status();
    denied("running a program", run.map(drop));
    denied(
        "connecting",
        std::net::TcpStream::connect("127.0.0.1:9").map(drop),
    );
    println!("the fence holds");
}

fn truncate(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)?
        .flush()
}

/// A process outside of the fence that removes the folder at the end.
struct Cleaner(std::process::Child);

impl Cleaner {
    fn start(folder: &Path) -> Cleaner {
        let remove = format!("read line; rm -rf '{}'", folder.display());
        let child = std::process::Command::new("sh")
            .args(["-c", &remove])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        Cleaner(child)
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
