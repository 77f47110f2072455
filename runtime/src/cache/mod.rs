//! What is kept from one run to the next, on the host's side: compiled components, and results.
//!
//! Owns a private directory of entries, each a file with a proof that this user's host wrote it. An entry of [`Cache`]
//! is native code and its manifest, one of [`ResultCache`], in a directory below, what came of an item. The host never
//! parses either: it checks that the bytes are those it once stored under the same key. What is damaged, cut short,
//! foreign or not provably ours counts as absent. Everything happens relative to one descriptor of the directory, so
//! that renaming or replacing the directory changes nothing for a running pool.
//!
//! Not protected against: other programs of the same user, who could as well attach a debugger.

mod dir;
mod entry;
mod results;
mod store;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use self::dir::CacheWarning;
pub use self::results::{CachedResult, Circumstances, ResultCache, ResultKey};
pub use self::store::EntryInfo;
use self::store::Store;
use crate::ipc::manifest::{Manifest, ManifestError};

/// Bytes that all entries together may take, unless said otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 2 << 30;

const SUFFIX: &str = ".code";

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

/// An open cache. Any number of processes may use the same directory at a time.
#[derive(Debug)]
pub struct Cache {
    store: Store,
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
        Ok(Cache {
            store: Store::open(path, SUFFIX, 1, max_bytes)?,
        })
    }

    /// The directory, as it was opened.
    pub fn path(&self) -> &Path {
        &self.store.path
    }

    /// The entry of a key, if there is a sound one. Reads and authenticates all of it, and marks it as used.
    ///
    /// The file is the entry itself: evicting or replacing the entry leaves it readable. Only on a file system that
    /// forbids executing files it is a sealed copy in memory.
    pub fn get(&self, key: &CacheKey) -> Option<Entry> {
        let name = self.store.name(&key.0);
        let (file, _) = self.store.read(&name).ok()?;
        let private = &self.store.private;
        let entry = entry::read(
            &private.secret,
            key,
            file,
            self.store.max_bytes,
            private.noexec,
        );
        if entry.is_err() {
            self.store.discard(&name);
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
        let bytes = entry::size(code_len, &manifest_bytes);
        if bytes.is_none_or(|bytes| bytes > self.store.max_bytes) {
            return Err(PutError::TooLarge {
                bytes: code_len,
                max: self.store.max_bytes,
            });
        }
        let temporary = self.store.create()?;
        entry::write(
            &self.store.private.secret,
            key,
            &temporary.file,
            code,
            code_len,
            &manifest_bytes,
        )?;
        // A new descriptor: the one that can write is not to reach any other process.
        let (file, _) = self.store.read(&temporary.name)?;
        let file = if self.store.private.noexec {
            entry::copy_sealed(&file, code_len)?
        } else {
            file
        };
        let name = self.store.name(&key.0);
        temporary.rename(&name)?;
        self.store.evict(self.store.max_bytes, &name);
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
        self.store.entries()
    }

    /// Removes all entries, and returns how many and their bytes. Pools that use them are not disturbed.
    ///
    /// # Errors
    /// If the directory cannot be read or an entry cannot be removed.
    pub fn clear(&self) -> io::Result<(usize, u64)> {
        self.store.clear()
    }
}
