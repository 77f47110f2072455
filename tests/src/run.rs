//! Running the program: with patience, but never for ever.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::places::{program, root};

/// How long anything may take before it counts as hanging, on however slow and busy a machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until `done` gives something, looking again and again.
///
/// # Panics
/// If it takes longer than [`PATIENCE`].
pub fn patiently<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How a run of the program ended.
pub struct Ran {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stdout = String::from_utf8_lossy(&self.stdout).into_owned();
        stdout.truncate(stdout.floor_char_boundary(4000));
        write!(
            f,
            "{}\n--- stdout\n{stdout}\n--- stderr\n{}",
            self.status, self.stderr
        )
    }
}

impl Ran {
    /// Its exit code; a death by signal is 128 and the signal's number, as in a shell.
    pub fn code(&self) -> i32 {
        let by_signal = || 128 + self.status.signal().unwrap_or(0);
        self.status.code().unwrap_or_else(by_signal)
    }

    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// The lines of standard output, each a JSON value.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &&str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{self:?}"))
        };
        self.lines().iter().map(parse).collect()
    }

    /// The same run, with its exit code checked.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self:?}");
        assert!(!self.stderr.contains("panicked at"), "{self:?}");
        self
    }

    /// The same run, with its standard error checked to have this in it.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:?}");
        self
    }
}

/// The program under test with arguments, in the workspace's top folder.
pub fn wasmpool<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Running {
    wasmpool_at(program(), args)
}

/// A copy of the program with arguments.
pub fn wasmpool_at<S: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = S>) -> Running {
    let mut command = Command::new(program);
    // What this machine's user has set is nothing to a test.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"WASMPOOL_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .env("WASMPOOL_CACHE_DIR", cache())
        .env("WASMPOOL_NO_CONFIG", "true")
        .env_remove("RUST_BACKTRACE")
        .env_remove("NO_COLOR");
    Running { command }
}

/// One for all tests, beside what cargo builds: compiling takes most of a short run.
fn cache() -> std::path::PathBuf {
    use std::os::unix::fs::DirBuilderExt;
    let folder = program().with_file_name("wasmpool-tests-cache");
    let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
    if let Err(e) = made
        && e.kind() != std::io::ErrorKind::AlreadyExists
    {
        panic!("{}: {e}", folder.display());
    }
    folder
}

/// A run that is still to be started.
#[derive(Debug)]
pub struct Running {
    command: Command,
}

impl Running {
    /// With a cache of its own, instead of that of all tests.
    pub fn cache(mut self, folder: impl AsRef<OsStr>) -> Self {
        self.command.env("WASMPOOL_CACHE_DIR", folder);
        self
    }

    /// In another folder than the workspace's top one.
    pub fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With an environment variable.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Looking for a file of settings, as a user's run does.
    pub fn configured(mut self) -> Self {
        self.command.env_remove("WASMPOOL_NO_CONFIG");
        self
    }

    /// With what stands here as its standard output, which is then not a part of what it ran to.
    pub fn start_into(mut self, stdout: impl Into<Stdio>) -> Started {
        self.command.stdout(stdout).stderr(Stdio::piped());
        self.spawn()
    }

    /// With what stands here as its standard error, which is then not a part of what it ran to.
    pub fn start_unheard(mut self, stderr: impl Into<Stdio>) -> Started {
        self.command.stdout(Stdio::piped()).stderr(stderr);
        self.spawn()
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        self.run_with("")
    }

    /// Runs it to its end, with this on standard input.
    pub fn run_with(mut self, input: impl Into<Vec<u8>>) -> Ran {
        let input = input.into();
        if !input.is_empty() {
            self.command.stdin(Stdio::piped());
        }
        let mut started = self.start();
        let mut stdin = started.child.stdin.take();
        let writer = std::thread::spawn(move || {
            if let Some(stdin) = &mut stdin {
                let _ = stdin.write_all(&input);
            }
        });
        let ran = started.finish();
        writer.join().expect("the writer does not panic");
        ran
    }

    /// Starts it with a pipe as its standard input.
    pub fn start_piped(mut self) -> Started {
        self.command.stdin(Stdio::piped());
        self.start()
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.spawn()
    }

    fn spawn(mut self) -> Started {
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|e| panic!("{:?}: {e}", self.command));
        let stderr = child.stderr.take().map(collect);
        Started { child, stderr }
    }
}

/// What stands in front of the layers of protection that this machine does not offer, in a default container, say.
const LACKS: &str = "warning: this machine does not offer every protection; missing: ";

/// What a run says apart from what it says of the machine, which is nothing to a test.
pub fn without_warning(stderr: &str) -> String {
    let lines = stderr.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(LACKS)).collect()
}

/// Whether this machine offers every layer of protection that a pool expects, so that no run warns.
pub fn is_complete() -> bool {
    static COMPLETE: LazyLock<bool> = LazyLock::new(|| {
        let mut command = wasmpool(["map", "examples/square-wat/square.wat", "1"]).command;
        let output = command.output().expect("the program can be started");
        !String::from_utf8_lossy(&output.stderr).contains(LACKS)
    });
    *COMPLETE
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// A run under way. Killed when it is dropped.
#[derive(Debug)]
pub struct Started {
    /// The process. Its standard input and output are pipes that can be taken.
    pub child: Child,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Started {
    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes its standard output.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it was not taken before")
    }

    /// Does what Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Does what `kill` does.
    pub fn end(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is not waited for yet");
    }

    /// Waits for its end. Standard output is what was not taken of it.
    ///
    /// # Panics
    /// If it hangs.
    pub fn finish(&mut self) -> Ran {
        let stdout = self.child.stdout.take().map(collect);
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("it hangs: process {}", self.id());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        // Its processes hold the other ends of these pipes: this also shows that they have ended.
        let rest = |thread: Option<JoinHandle<Vec<u8>>>| {
            let thread = thread?;
            patiently("the pipes of an ended run are closed", || {
                thread.is_finished().then_some(())
            });
            thread.join().ok()
        };
        let stderr = rest(self.stderr.take()).unwrap_or_default();
        Ran {
            status,
            stdout: rest(stdout).unwrap_or_default(),
            stderr: without_warning(&String::from_utf8_lossy(&stderr)),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
