//! What guests are granted besides computing: directories, environment variables, what they share with others. By default
//! nothing.
//!
//! Owns the words; enforces nothing: that is `engine::wasi` for guests, and `sandbox::fence` for a worker that is no
//! longer the guest's keeper.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::ipc::call::{Kind, ObjectGrant};
use crate::sys::memory::Shared;

/// Directories of a pool at most.
pub const MOST_DIRECTORIES: usize = 64;
/// Bytes of all environment variables and guest paths of a pool together, at most.
pub const MOST_BYTES: usize = 32 << 10;

/// What the guests of a pool are granted.
///
/// ```
/// use wasmpool::grants::Grants;
///
/// let grants = Grants { env: vec![("LANG".into(), "C".into())], ..Grants::default() };
/// assert_eq!(grants.check(), Ok(()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Directories.
    pub directories: Vec<DirectoryGrant>,
    /// Environment variables: names and values.
    pub env: Vec<(String, String)>,
}

/// A directory of this machine under a path of the guests'.
///
/// ```
/// use wasmpool::grants::{DirectoryGrant, Grants};
///
/// let photos = DirectoryGrant {
///     host_path: "/home/ada/photos".into(),
///     guest_path: "/photos".into(),
///     writable: false,
/// };
/// let grants = Grants { directories: vec![photos], ..Grants::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGrant {
    /// The directory.
    pub host_path: PathBuf,
    /// What guests call it.
    pub guest_path: String,
    /// Whether they may change what is in it.
    pub writable: bool,
}

/// A granted directory, opened.
#[derive(Debug)]
#[doc(hidden)]
pub struct Directory {
    /// The directory.
    pub fd: OwnedFd,
    /// What guests call it.
    pub guest_path: String,
    /// Whether they may change what is in it.
    pub writable: bool,
}

/// What guests are granted, opened.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Granted {
    /// Directories.
    pub directories: Vec<Directory>,
    /// Environment variables: names and values.
    pub env: Vec<(String, String)>,
    /// What is shared with others.
    pub objects: GrantedShared,
}

/// What guests share with others, as a worker has it.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct GrantedShared {
    /// The objects, by their numbers.
    pub grants: Vec<ObjectGrant>,
    /// The memory of those that are buffers, in their order.
    pub memory: Vec<Shared>,
}

impl GrantedShared {
    /// Maps the memory of the buffers, whose descriptors these are, in their order.
    pub fn map(&mut self, buffers: impl IntoIterator<Item = OwnedFd>) -> io::Result<()> {
        let mut buffers = buffers.into_iter();
        for grant in &self.grants {
            if let Kind::Buffer { bytes, writable } = grant.kind {
                let none = || io::Error::new(io::ErrorKind::InvalidData, "a buffer without memory");
                let file = buffers.next().ok_or_else(none)?;
                let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
                self.memory.push(Shared::map_any(&file, bytes, writable)?);
            }
        }
        Ok(())
    }
}

impl DirectoryGrant {
    /// Opens it. What it means from now on is this directory, whatever becomes of its path.
    #[doc(hidden)]
    pub fn open(&self) -> io::Result<Directory> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory {
            fd: openat(CWD, &self.host_path, flags, Mode::empty())?,
            guest_path: self.guest_path.clone(),
            writable: self.writable,
        })
    }
}

impl Grants {
    /// What is wrong with them, if anything is: for people.
    ///
    /// ```
    /// use wasmpool::grants::Grants;
    ///
    /// let grants = Grants { env: vec![("A=B".into(), "C".into())], ..Grants::default() };
    /// assert_eq!(grants.check().unwrap_err(), "\"A=B\" is no environment variable");
    /// ```
    pub fn check(&self) -> Result<(), String> {
        if self.directories.len() > MOST_DIRECTORIES {
            return Err(format!("more than {MOST_DIRECTORIES} directories granted"));
        }
        for directory in &self.directories {
            let path = &directory.guest_path;
            if path.is_empty() || path.contains('\0') {
                return Err(format!("{path:?} is no path that a guest could use"));
            }
            let same = |other: &&DirectoryGrant| other.guest_path == *path;
            if self.directories.iter().filter(same).count() > 1 {
                return Err(format!("two directories are granted as {path}"));
            }
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!("{name:?} is no environment variable"));
            }
        }
        let paths = self.directories.iter().map(|d| d.guest_path.len());
        let env = self
            .env
            .iter()
            .map(|(name, value)| name.len() + value.len());
        match paths.chain(env).sum::<usize>() > MOST_BYTES {
            true => Err(format!(
                "granted names and values of more than {MOST_BYTES} bytes"
            )),
            false => Ok(()),
        }
    }
}
