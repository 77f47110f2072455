//! The end that tells: one thread, which waits for somebody to ask.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::{Program, VERSION, command_line, is_own, place};
use crate::objects::depths;
use crate::pool::snapshots;
use crate::sys::private;

/// How long somebody who asked may take to read the answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Words of the command line, at most.
const WORDS: usize = 64;

/// Tells this user's other programs, through a socket, what the pools of this process do, as long as it lives.
///
/// Nobody else may connect: the directory is this user's own, and whoever connects is asked for by the kernel. What is
/// told are names, counts and times; no item and no result.
///
/// ```
/// let monitor = wasmpool::monitor::Monitor::start(wasmpool::monitor::Monitor::AFTER)?;
/// // From 0.2 s on `wasmpool top` shows what the pools of this program do, until the value is dropped.
/// drop(monitor);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Monitor {
    stop: Option<mpsc::Sender<()>>,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    over: bool,
    socket: Option<(Arc<UnixListener>, PathBuf)>,
}

impl Monitor {
    /// A program that is over sooner is of no interest to anybody.
    pub const AFTER: Duration = Duration::from_millis(200);

    /// Tells after this time, and not before: a program that is over by then leaves no trace. Where the socket cannot be
    /// had, nothing is told.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::monitor::Monitor;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // At once, for a program that runs for long.
    /// let monitor = Monitor::start(Duration::ZERO)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no thread for it.
    pub fn start(after: Duration) -> io::Result<Monitor> {
        Self::start_in(place(), after)
    }

    pub(super) fn start_in(dir: PathBuf, after: Duration) -> io::Result<Monitor> {
        let (stop, stopped) = mpsc::channel::<()>();
        let open = Arc::new(Mutex::new(Open::default()));
        let theirs = open.clone();
        thread::Builder::new()
            .name("monitor".into())
            .spawn(move || {
                if let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(after)
                    && let Ok(Some(listener)) = bind(dir, &theirs)
                {
                    serve(&listener);
                }
            })?;
        Ok(Monitor {
            stop: Some(stop),
            open,
        })
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        let mut open = lock(&self.open);
        open.over = true;
        if let Some((listener, path)) = open.socket.take() {
            let _ = std::fs::remove_file(path);
            // Wakes the thread that waits for somebody.
            let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
        }
    }
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the socket. `None` if that is not wanted any more.
fn bind(dir: PathBuf, open: &Mutex<Open>) -> io::Result<Option<Arc<UnixListener>>> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    private::directory(&dir).map_err(io::Error::other)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!("{}-{number}.sock", std::process::id()));
    let mut open = lock(open);
    if open.over {
        return Ok(None);
    }
    // One of an earlier process of this number.
    let _ = std::fs::remove_file(&path);
    let listener = Arc::new(UnixListener::bind(&path)?);
    open.socket = Some((listener.clone(), path));
    Ok(Some(listener))
}

/// Answers until the socket is shut down. One that cannot be answered is not.
fn serve(listener: &UnixListener) {
    while let Ok((stream, _)) = listener.accept() {
        let _ = answer(stream);
    }
}

fn answer(mut stream: UnixStream) -> io::Result<()> {
    if !is_own(&stream)? {
        return Ok(());
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    let program = Program {
        version: VERSION,
        pid: std::process::id(),
        command: command_line().take(WORDS).collect(),
        pools: snapshots(),
        queues: depths(),
    };
    stream.write_all(&serde_json::to_vec(&program)?)?;
    stream.shutdown(Shutdown::Write)
}
