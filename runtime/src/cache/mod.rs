//! The cache of compiled components, on the host's side.
//!
//! Owns a private directory of entries, each a file of native code, its manifest and a proof that this user's host
//! wrote it. The host never parses the code: it checks that the bytes are those it once stored under the same key.
//! What is damaged, cut short, foreign or not provably ours counts as absent. Everything happens relative to one
//! descriptor of the directory, so that renaming or replacing the directory changes nothing for a running pool.
//!
//! Not protected against: other programs of the same user, who could as well attach a debugger.

mod dir;
mod entry;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;
use thiserror::Error;

pub use self::dir::CacheWarning;
use self::dir::Temporary;
use crate::ipc::manifest::{Manifest, ManifestError};

/// Bytes that all entries together may take, unless said otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 2 << 30;

const SUFFIX: &str = ".code";
/// Age at which a temporary file is taken for one whose writer died.
const STALE: Duration = Duration::from_secs(3600);

/// Why an entry could not be stored. The component can be used all the same.
#[derive(Debug, Error)]
pub enum PutError {
    /// The entry alone is larger than the cache may be.
    #[error("an entry of {bytes} bytes does not fit a cache of {max}")]
    TooLarge {
        /// Bytes of the entry.
        bytes: u64,
        /// Bytes that the cache may take.
        max: u64,
    },
    /// The manifest is of other code.
    #[error("the description is of {said} bytes of code, but there are {found}")]
    Length {
        /// Bytes of the code.
        found: u64,
        /// Bytes that the manifest tells.
        said: u64,
    },
    /// The manifest breaks its bounds.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The operating system refused, or the code is shorter than was said.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an entry is found by: the hash of a module and of all else that its code depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of a module, as given, compiled under a `fingerprint` of the compiler and its settings.
    pub fn new(fingerprint: &[u8; 32], module: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("wasmpool cache entry");
        hasher.update(fingerprint);
        hasher.update(module);
        CacheKey(*hasher.finalize().as_bytes())
    }

    fn file_name(&self) -> CString {
        let hex = blake3::Hash::from_bytes(self.0).to_hex();
        CString::new(format!("{hex}{SUFFIX}")).unwrap_or_default()
    }
}

/// Where an entry's code comes from.
#[derive(Clone, Copy, Debug)]
pub enum CodeSource<'a> {
    /// Memory.
    Bytes(&'a [u8]),
    /// A file that starts with the code, such as the memfd of a compiler process. Must not change meanwhile.
    File(BorrowedFd<'a>),
}

/// A verified entry.
#[derive(Debug)]
pub struct Entry {
    /// Read-only. Starts with the code, followed by bytes that are not code from `code_len` on.
    pub file: File,
    /// Bytes of the code.
    pub code_len: u64,
    /// What the component is.
    pub manifest: Manifest,
}

/// One entry as the directory shows it: not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryInfo {
    /// The file's name in the cache's directory.
    pub name: String,
    /// Bytes that it takes.
    pub bytes: u64,
    /// When it was last used or written.
    pub used: SystemTime,
}

/// An open cache. Any number of processes may use the same directory at a time.
#[derive(Debug)]
pub struct Cache {
    dir: OwnedFd,
    path: PathBuf,
    secret: [u8; 32],
    max_bytes: u64,
    /// Whether files in the directory cannot be mapped executable, so that entries are given out as copies.
    noexec: bool,
}

impl Cache {
    /// The directory that [`Cache::open_default`] uses: `$WASMPOOL_CACHE_DIR`, else `$XDG_CACHE_HOME/wasmpool`, else
    /// `~/.cache/wasmpool`. None if no variable names one.
    pub fn default_dir() -> Option<PathBuf> {
        dir::from_variables(|name| std::env::var_os(name))
    }

    /// Opens the user's cache, of at most [`DEFAULT_MAX_BYTES`].
    ///
    /// # Errors
    /// As [`Cache::open`], and if no variable says where it is.
    pub fn open_default() -> Result<Self, CacheWarning> {
        Self::open(
            &Self::default_dir().ok_or(CacheWarning::Nowhere)?,
            DEFAULT_MAX_BYTES,
        )
    }

    /// Opens the cache in a directory, which is made (for this user alone) if it is missing, with those above it.
    ///
    /// # Errors
    /// If the directory is not one, is a link, belongs to another user, can be written by others, or if the
    /// operating system refuses. Directories above it are trusted.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, CacheWarning> {
        let private = dir::open(path)?;
        Ok(Cache {
            dir: private.dir,
            path: path.into(),
            secret: private.secret,
            max_bytes,
            noexec: private.noexec,
        })
    }

    /// The directory, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entry of a key, if there is a sound one. Reads and authenticates all of it, and marks it as used.
    ///
    /// The file is the entry itself: evicting or replacing the entry leaves it readable. Only on a file system that
    /// forbids executing files it is a sealed copy in memory.
    pub fn get(&self, key: &CacheKey) -> Option<Entry> {
        let name = key.file_name();
        let (file, _) = dir::open_private(&self.dir, &name).ok()?;
        let entry = entry::read(&self.secret, key, file, self.max_bytes, self.noexec);
        if entry.is_err() {
            // A race with a writer that has just replaced it only costs compiling once more.
            let _ = fs::unlinkat(&self.dir, &name, AtFlags::empty());
        }
        entry.ok()
    }

    /// Stores an entry, in place of any that there is, and returns it as [`Cache::get`] would.
    ///
    /// Evicts the entries that were used least recently if the cache grows beyond its bound. A reader, or another
    /// writer of the same key, sees a whole entry or none. Not synchronised to the disk: an entry that a power cut
    /// has damaged fails its authentication.
    ///
    /// # Errors
    /// If the entry is too large, the manifest does not belong to it, the source holds fewer than `code_len` bytes, or the operating system refuses.
    /// What was stored before stays.
    pub fn put(
        &self,
        key: &CacheKey,
        code: CodeSource<'_>,
        code_len: u64,
        manifest: &Manifest,
    ) -> Result<Entry, PutError> {
        let manifest_bytes = manifest.encode()?;
        if manifest.code_bytes != code_len {
            return Err(PutError::Length {
                found: code_len,
                said: manifest.code_bytes,
            });
        }
        let bytes = entry::size(code_len, &manifest_bytes)
            .filter(|bytes| *bytes <= self.max_bytes)
            .ok_or(PutError::TooLarge {
                bytes: code_len,
                max: self.max_bytes,
            })?;
        let temporary = Temporary::create(&self.dir)?;
        entry::write(
            &self.secret,
            key,
            &temporary.file,
            code,
            code_len,
            &manifest_bytes,
        )?;
        // A new descriptor: the one that can write is not to reach any other process.
        let (file, _) = dir::open_private(&self.dir, &temporary.name)?;
        let file = if self.noexec {
            entry::copy_sealed(&file, code_len)?
        } else {
            file
        };
        let name = key.file_name();
        temporary.rename(&name)?;
        self.evict(bytes, &name);
        Ok(Entry {
            file,
            code_len,
            manifest: manifest.clone(),
        })
    }

    /// All entries, the least recently used first.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn entries(&self) -> io::Result<Vec<EntryInfo>> {
        let mut entries = self.list(|name| name.ends_with(SUFFIX) && !name.starts_with('.'))?;
        entries.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// Removes all entries, and returns how many and their bytes. Pools that use them are not disturbed.
    ///
    /// # Errors
    /// If the directory cannot be read or an entry cannot be removed.
    pub fn clear(&self) -> io::Result<(usize, u64)> {
        let entries = self.entries()?;
        for entry in &entries {
            self.remove(&entry.name)?;
        }
        self.remove_stale(Duration::ZERO)?;
        Ok((entries.len(), entries.iter().map(|e| e.bytes).sum()))
    }

    /// Removes what was used least recently, but never `keep`, until all entries fit. Failures leave the cache larger.
    fn evict(&self, added: u64, keep: &CStr) {
        let Ok(entries) = self.entries() else { return };
        let mut total: u64 = entries.iter().map(|e| e.bytes).sum::<u64>().max(added);
        for entry in entries
            .iter()
            .filter(|e| e.name.as_bytes() != keep.to_bytes())
        {
            if total <= self.max_bytes {
                break;
            }
            if self.remove(&entry.name).is_ok() {
                total = total.saturating_sub(entry.bytes);
            }
        }
        let _ = self.remove_stale(STALE);
    }

    /// Removes temporary files that are older than `age`.
    fn remove_stale(&self, age: Duration) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in self.list(|name| name.starts_with(dir::TEMPORARY))? {
            if now
                .duration_since(entry.used)
                .is_ok_and(|passed| passed >= age)
            {
                self.remove(&entry.name)?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<EntryInfo>> {
        let mut found = Vec::new();
        for item in fs::Dir::read_from(&self.dir)? {
            let item = item?;
            let Ok(name) = item.file_name().to_str() else {
                continue;
            };
            if !wanted(name) {
                continue;
            }
            // It may be gone by now.
            let Ok(stat) = fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let used = SystemTime::UNIX_EPOCH
                + Duration::new(
                    u64::try_from(stat.st_mtime).unwrap_or(0),
                    u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
                );
            found.push(EntryInfo {
                name: name.into(),
                bytes: stat.st_size.try_into().unwrap_or(0),
                used,
            });
        }
        Ok(found)
    }
}
