//! The end that asks.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{Program, VERSION, is_own, place};
use crate::sys::private::{self, NotPrivate};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of an answer, at most.
const MOST_BYTES: u64 = 4 << 20;

/// Why no program can be asked.
///
/// ```
/// use wasmpool::monitor::{Unreachable, programs};
///
/// match programs() {
///     Ok(programs) => println!("{} programs", programs.len()),
///     Err(Unreachable::NotPrivate(error)) => eprintln!("not safe to look: {error}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// ```
#[derive(Debug, Error)]
pub enum Unreachable {
    /// Somebody else could have put sockets there.
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    /// The directory of sockets cannot be read.
    #[error("{} cannot be read", .path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What this user's programs do now, by the numbers of their processes. Programs that do not answer in time are left out.
///
/// ```no_run
/// for program in wasmpool::monitor::programs()? {
///     for pool in program.pools {
///         println!("{}: {}, {} items done", program.pid, pool.name, pool.stats.done);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the directory of sockets is not this user's own, or cannot be read.
pub fn programs() -> Result<Vec<Program>, Unreachable> {
    programs_in(&place())
}

pub(super) fn programs_in(dir: &Path) -> Result<Vec<Program>, Unreachable> {
    match fs::symlink_metadata(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        _ => drop(private::directory(dir)?),
    }
    let unreadable = |source| Unreachable::Read {
        path: dir.into(),
        source,
    };
    let entries = fs::read_dir(dir).map_err(unreadable)?;
    let paths = entries.flatten().map(|entry| entry.path());
    let is_socket = |path: &PathBuf| path.extension().is_some_and(|e| e == "sock");
    let mut programs: Vec<_> = paths
        .filter(is_socket)
        .filter_map(|path| ask(&path))
        .collect();
    programs.sort_by_key(|program| program.pid);
    Ok(programs)
}

/// What a program says. One that is not there any more cannot have removed its socket: that is done here.
fn ask(path: &Path) -> Option<Program> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = fs::remove_file(path);
            return None;
        }
        Err(_) => return None,
    };
    if !is_own(&stream).ok()? {
        return None;
    }
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut text = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    let program: Program = serde_json::from_slice(&text).ok()?;
    (program.version == VERSION).then_some(program)
}
