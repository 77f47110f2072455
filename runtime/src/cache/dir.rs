//! A directory that only this user can write, and files in it.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use thiserror::Error;

use crate::sys::private::{self, NotPrivate};

/// How the names of temporary files start.
pub(super) const TEMPORARY: &str = ".new-";
const KEY_NAME: &CStr = c"key";

/// Why there is no cache. The run goes on without one: every module is compiled anew.
#[derive(Debug, Error)]
pub enum CacheWarning {
    /// No variable says where it would be.
    #[error("neither WASMPOOL_CACHE_DIR, XDG_CACHE_HOME nor HOME names a directory")]
    Nowhere,
    /// Others could have prepared it.
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CacheWarning {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            CacheWarning::NotPrivate(NotPrivate::Writable { path, .. }) => {
                format!("chmod 700 {}", path.display())
            }
            CacheWarning::Nowhere | CacheWarning::NotPrivate(_) | CacheWarning::Io { .. } => {
                "set WASMPOOL_CACHE_DIR to a directory that only you can write".into()
            }
        }
    }
}

/// An open directory and what was found out about it.
#[derive(Debug)]
pub(super) struct Private {
    pub(super) dir: OwnedFd,
    pub(super) secret: [u8; 32],
    /// Whether its file system forbids mapping files executable, so that code is given out as copies.
    pub(super) noexec: bool,
}

/// Opens a directory, which is made if it is missing, and refuses one that others could have prepared.
pub(super) fn open(path: &Path) -> Result<Private, CacheWarning> {
    let dir = private::directory(path)?;
    let failed = |source: io::Error| CacheWarning::Io {
        path: path.into(),
        source,
    };
    let noexec = fs::fstatvfs(&dir)
        .map_err(|e| failed(e.into()))?
        .f_flag
        .contains(fs::StatVfsMountFlags::NOEXEC);
    let secret = secret(&dir).map_err(failed)?;
    Ok(Private {
        dir,
        secret,
        noexec,
    })
}

/// The cache's directory, by the variables that `get` knows.
pub(super) fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| {
        get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    // As the XDG specification asks, a relative path counts as none.
    let absolute = |name| set(name).filter(|path| path.is_absolute());
    set("WASMPOOL_CACHE_DIR")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("wasmpool")))
        .or_else(|| Some(absolute("HOME")?.join(".cache").join("wasmpool")))
}

/// A new file that nobody looks for, removed again unless it is given its name.
pub(super) struct Temporary<'a> {
    dir: BorrowedFd<'a>,
    pub(super) name: CString,
    pub(super) file: File,
    done: bool,
}

impl<'a> Temporary<'a> {
    pub(super) fn create(dir: &'a OwnedFd) -> io::Result<Self> {
        let name: String = random::<16>()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = CString::new(format!("{TEMPORARY}{name}"))?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(dir, &name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Temporary {
            dir: dir.as_fd(),
            name,
            file: file.into(),
            done: false,
        })
    }

    /// Gives the file its name, in place of any that has it.
    pub(super) fn rename(mut self, name: &CStr) -> io::Result<()> {
        fs::renameat(self.dir, &self.name, self.dir, name)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::unlinkat(self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// The directory's secret, which the first to come makes. One that is damaged, or that others could have read, is
/// replaced, which makes all entries void.
fn secret(dir: &OwnedFd) -> io::Result<[u8; 32]> {
    for _ in 0..8 {
        match read_secret(dir) {
            Ok(secret) => return Ok(secret),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let temporary = Temporary::create(dir)?;
                (&temporary.file).write_all(&random::<32>()?)?;
                // Unlike renaming, linking does not replace the secret of one who was faster.
                match fs::linkat(dir, &temporary.name, dir, KEY_NAME, AtFlags::empty()) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // Of several who find it damaged one or more remove it, perhaps a sound one that another has made
                // since; that costs its entries, and is seen by its owner as entries that are void.
                match fs::unlinkat(dir, KEY_NAME, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the cache's key changes all the time"))
}

fn read_secret(dir: &OwnedFd) -> io::Result<[u8; 32]> {
    let (mut file, stat) = open_private(dir, KEY_NAME)?;
    let mut secret = [0; 32];
    if stat.st_size != 32 {
        return Err(damaged());
    }
    file.read_exact(&mut secret).map_err(|_| damaged())?;
    Ok(secret)
}

/// Opens a plain file in `dir` for reading. `InvalidData` if it is not plain, not ours, or open to others.
pub(super) fn open_private(dir: &OwnedFd, name: &CStr) -> io::Result<(File, Stat)> {
    // NONBLOCK: a pipe in its place must not hold us up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match fs::openat(dir, name, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NXIO) => return Err(damaged()),
        other => other?,
    };
    let stat = fs::fstat(&file)?;
    let private = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && stat.st_mode & 0o077 == 0;
    if private {
        Ok((file.into(), stat))
    } else {
        Err(damaged())
    }
}

/// Marks a file as used now. Only the order of eviction depends on it.
pub(super) fn touch(file: &File) {
    let now = fs::Timespec {
        tv_sec: 0,
        tv_nsec: fs::UTIME_NOW,
    };
    let _ = fs::futimens(
        file,
        &fs::Timestamps {
            last_access: now,
            last_modification: now,
        },
    );
}

/// Not a file that we wrote, or not as we wrote it.
pub(super) fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
