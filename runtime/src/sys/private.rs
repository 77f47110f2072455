//! A directory of this user's own, which nobody else can have prepared or can change.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

/// Why a directory is not to be used.
///
/// ```
/// use wasmpool::monitor::{NotPrivate, Unreachable};
///
/// fn complain(error: &Unreachable) {
///     match error {
///         Unreachable::NotPrivate(NotPrivate::ForeignOwner { path, owner, .. }) => {
///             eprintln!("user {owner} made {}, and could pretend to be your programs", path.display());
///         }
///         other => eprintln!("{other}"),
///     }
/// }
/// ```
#[derive(Debug, Error)]
pub enum NotPrivate {
    /// The directory is a symbolic link, which others may have placed.
    #[error("{} is a symbolic link", .0.display())]
    Symlink(PathBuf),
    /// Something else than a directory is in its place.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The directory belongs to another user.
    #[error("{} belongs to user {owner}, not to user {user}", .path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Others may write in it.
    #[error("{} can be written by others (mode {mode:03o})", .path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Opens a directory, which is made if it is missing, and refuses one that others could have prepared.
pub(crate) fn directory(path: &Path) -> Result<OwnedFd, NotPrivate> {
    // A slash at the end would make the system follow a link in its place.
    let path = &path.components().collect::<PathBuf>();
    let failed = |source: io::Error| NotPrivate::Io {
        path: path.into(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::NOTDIR if path.is_symlink() => NotPrivate::Symlink(path.into()),
        Errno::NOTDIR => NotPrivate::NotADirectory(path.into()),
        error => failed(error.into()),
    })?;
    let stat = fs::fstat(&dir).map_err(|e| failed(e.into()))?;
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid != user {
        return Err(NotPrivate::ForeignOwner {
            path: path.into(),
            owner: stat.st_uid,
            user,
        });
    }
    let mode = stat.st_mode & 0o777;
    if mode & 0o022 != 0 {
        return Err(NotPrivate::Writable {
            path: path.into(),
            mode,
        });
    }
    Ok(dir)
}
