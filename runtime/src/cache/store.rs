//! A bounded set of files in a private directory: listed by when they were last used, the oldest removed first.
//!
//! Owns names and sizes; what is in a file, and the proof that it is ours, is for `entry` and `results`.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;

use super::dir::{self, CacheWarning, Private, Temporary};

/// Age at which a temporary file is taken for one whose writer died.
pub(super) const STALE: Duration = Duration::from_secs(3600);

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

/// An open directory of entries. Any number of processes may use the same one at a time.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) private: Private,
    pub(super) path: PathBuf,
    pub(super) max_bytes: u64,
    /// How the names of its entries end.
    suffix: &'static str,
    /// What the size of an entry is rounded up to: a file takes whole blocks.
    grain: u64,
}

impl Store {
    /// Opens a directory, which is made if it is missing, with those above it.
    ///
    /// # Errors
    /// As [`dir::open`].
    pub(super) fn open(
        path: &Path,
        suffix: &'static str,
        grain: u64,
        max_bytes: u64,
    ) -> Result<Self, CacheWarning> {
        Ok(Store {
            private: dir::open(path)?,
            path: path.into(),
            max_bytes,
            suffix,
            grain,
        })
    }

    /// The file of an entry.
    pub(super) fn name(&self, key: &[u8; 32]) -> CString {
        let hex = blake3::Hash::from_bytes(*key).to_hex();
        CString::new(format!("{hex}{}", self.suffix)).unwrap_or_default()
    }

    /// What a file of so many bytes counts for.
    pub(super) fn cost(&self, bytes: u64) -> u64 {
        bytes.checked_next_multiple_of(self.grain).unwrap_or(bytes)
    }

    /// Opens an entry's file, and tells its size. `InvalidData` if others could have touched it.
    pub(super) fn read(&self, name: &CStr) -> io::Result<(File, u64)> {
        let (file, stat) = dir::open_private(&self.private.dir, name)?;
        Ok((file, stat.st_size.try_into().unwrap_or(0)))
    }

    /// A new file, for an entry that is to be.
    pub(super) fn create(&self) -> io::Result<Temporary<'_>> {
        Temporary::create(&self.private.dir)
    }

    /// All entries, the least recently used first.
    pub(super) fn entries(&self) -> io::Result<Vec<EntryInfo>> {
        let of_ours = |name: &str| name.ends_with(self.suffix) && !name.starts_with('.');
        let mut entries = self.list(of_ours)?;
        entries.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// Removes all entries, and returns how many and their bytes.
    pub(super) fn clear(&self) -> io::Result<(usize, u64)> {
        let entries = self.entries()?;
        for entry in &entries {
            self.remove(&entry.name)?;
        }
        self.remove_stale(Duration::ZERO)?;
        Ok((entries.len(), entries.iter().map(|e| e.bytes).sum()))
    }

    /// Removes what was used least recently, but never `keep`, until the others take no more than `at_most` together with
    /// it. Failures leave more.
    pub(super) fn evict(&self, at_most: u64, keep: &CStr) {
        let Ok(entries) = self.entries() else { return };
        let mut total: u64 = entries.iter().map(|e| e.bytes).sum();
        for entry in entries
            .iter()
            .filter(|e| e.name.as_bytes() != keep.to_bytes())
        {
            if total <= at_most {
                break;
            }
            if self.remove(&entry.name).is_ok() {
                total = total.saturating_sub(entry.bytes);
            }
        }
        let _ = self.remove_stale(STALE);
    }

    /// Removes an entry that is damaged. A race with a writer that has just replaced it only costs doing the work again.
    pub(super) fn discard(&self, name: &CStr) {
        let _ = fs::unlinkat(&self.private.dir, name, AtFlags::empty());
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
        match fs::unlinkat(&self.private.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn list(&self, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<EntryInfo>> {
        let mut found = Vec::new();
        for item in fs::Dir::read_from(&self.private.dir)? {
            let item = item?;
            let Ok(name) = item.file_name().to_str() else {
                continue;
            };
            if !wanted(name) {
                continue;
            }
            // It may be gone by now.
            let Ok(stat) = fs::statat(&self.private.dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            let used = SystemTime::UNIX_EPOCH
                + Duration::new(
                    u64::try_from(stat.st_mtime).unwrap_or(0),
                    u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
                );
            found.push(EntryInfo {
                name: name.into(),
                bytes: self.cost(stat.st_size.try_into().unwrap_or(0)),
                used,
            });
        }
        Ok(found)
    }
}
