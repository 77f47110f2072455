//! Results of items, kept as they came.
//!
//! An entry is `[magic][length of the head][head][emitted values][result][keyed BLAKE3 hash]`; the hash is over the key
//! and all that is before it. The head tells the lengths.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::dir::{self, damaged, touch};
use super::store::{EntryInfo, Store};
use super::{Cache, CacheKey, CacheWarning};

/// Bytes that all results together may take, unless said otherwise.
const DEFAULT_MAX_BYTES: u64 = 1 << 30;
/// The part of the bound that one result may take, and that may be written until somebody looks whether it is passed.
const SHARE: u64 = 16;
/// What a small file takes on most disks.
const BLOCK: u64 = 4096;
const DIR: &str = "results";
const SUFFIX: &str = ".result";
/// The last byte is the version of the layout.
const MAGIC: [u8; 8] = *b"wpresul\x01";
const HASH: usize = 32;

/// What results depend on besides an item: the module and how it is compiled, and whatever is added.
#[derive(Clone, Debug)]
pub struct Circumstances(blake3::Hasher);

impl Circumstances {
    /// Those of a module under the compiler and the settings that its key stands for, and nothing else yet.
    pub fn new(module: &CacheKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("wasmpool cached result");
        hasher.update(&MAGIC).update(&module.0);
        Circumstances(hasher)
    }

    /// The same and one part more. The order counts, and so does where one part ends and the next begins.
    pub fn with(mut self, part: &[u8]) -> Self {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// The key of an item's result under them.
    pub fn key(&self, item: &[u8]) -> ResultKey {
        let all = self.clone().with(item);
        ResultKey(*all.0.finalize().as_bytes())
    }
}

/// What a result is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResultKey([u8; 32]);

/// What came of an item: a success, since failures are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedResult {
    /// The values that the task emitted, in order.
    pub emitted: Vec<Vec<u8>>,
    /// The result.
    pub result: Vec<u8>,
    /// What the item used of its fuel, where that was counted.
    pub fuel: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    fuel: Option<u64>,
    emitted: Vec<u64>,
    result: u64,
}

/// An open cache of results. Any number of processes may use the same directory at a time.
#[derive(Debug)]
pub struct ResultCache(Store);

impl ResultCache {
    /// Opens the user's cache, below [`Cache::default_dir`], of at most 1 GiB.
    ///
    /// # Errors
    /// As [`ResultCache::open`], and if no variable says where it is.
    pub fn open_default() -> Result<Self, CacheWarning> {
        Self::open(
            &Cache::default_dir().ok_or(CacheWarning::Nowhere)?,
            DEFAULT_MAX_BYTES,
        )
    }

    /// Opens the cache in the folder `results` of a directory. Both are made (for this user alone) if they are missing.
    ///
    /// # Errors
    /// As [`Cache::open`], for both.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, CacheWarning> {
        dir::open(path)?;
        Store::open(&path.join(DIR), SUFFIX, BLOCK, max_bytes).map(ResultCache)
    }

    /// The folder, as it was opened.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Bytes of the largest entry.
    fn largest(&self) -> u64 {
        self.0.max_bytes / SHARE
    }

    /// The result of a key, if there is a sound one. Reads and authenticates all of it, and marks it as used.
    pub fn get(&self, key: &ResultKey) -> Option<CachedResult> {
        let name = self.0.name(&key.0);
        let (file, size) = self.0.read(&name).ok()?;
        let found = self.read(key, &file, size);
        if found.is_err() {
            self.0.discard(&name);
        }
        found.ok()
    }

    fn read(&self, key: &ResultKey, file: &File, size: u64) -> io::Result<CachedResult> {
        if size > self.largest() {
            return Err(damaged());
        }
        let mut bytes = Vec::with_capacity(size as usize);
        Read::take(file, size).read_to_end(&mut bytes)?;
        let (all, hash) = bytes.split_last_chunk::<HASH>().ok_or_else(damaged)?;
        let mut mac = self.authenticator(key);
        mac.update(all);
        // Hashes of this type are compared in constant time.
        if mac.finalize() != blake3::Hash::from_bytes(*hash) {
            return Err(damaged());
        }
        let found = decode(all).ok_or_else(damaged)?;
        touch(file);
        Ok(found)
    }

    /// Stores a result, in place of any that there is. False if it is too large to be kept: more than a sixteenth of what
    /// all may take.
    ///
    /// A reader, or another writer of the same key, sees a whole entry or none. That the cache grows beyond its bound is
    /// not seen at once, but by one put in so many, whoever makes them: on average when a sixteenth more was written. Then
    /// what was used least recently goes. Not synchronised to the disk, as [`Cache::put`].
    ///
    /// # Errors
    /// If the operating system refuses. What was stored before stays.
    pub fn put(
        &self,
        key: &ResultKey,
        emitted: &[&[u8]],
        result: &[u8],
        fuel: Option<u64>,
    ) -> io::Result<bool> {
        let head = Head {
            fuel,
            emitted: emitted.iter().map(|value| value.len() as u64).collect(),
            result: result.len() as u64,
        };
        let head = postcard::to_stdvec(&head).map_err(io::Error::other)?;
        let head_len = u32::try_from(head.len()).map_err(io::Error::other)?;
        let start = [&MAGIC[..], &head_len.to_le_bytes(), &head].concat();
        let parts = || {
            let values = emitted.iter().copied();
            [&start[..]].into_iter().chain(values).chain([result])
        };
        let size = parts().map(|part| part.len() as u64).sum::<u64>() + HASH as u64;
        if size > self.largest() {
            return Ok(false);
        }

        let temporary = self.0.create()?;
        let mut out = BufWriter::with_capacity(64 << 10, &temporary.file);
        let mut mac = self.authenticator(key);
        for part in parts() {
            mac.update(part);
            out.write_all(part)?;
        }
        out.write_all(mac.finalize().as_bytes())?;
        out.into_inner().map_err(|e| e.into_error())?;
        let name = self.0.name(&key.0);
        temporary.rename(&name)?;
        if self.is_to_look(key, size) {
            self.0.evict(self.0.max_bytes - self.largest(), &name);
        }
        Ok(true)
    }

    /// Whether who writes this entry is to look at the size of the whole. Listing all entries at every put would cost more
    /// than most items, and what others write is not known here; so it is left to chance, that of the key's bytes.
    fn is_to_look(&self, key: &ResultKey, size: u64) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = key.0;
        let draw = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        draw % self.largest().max(1) < self.0.cost(size)
    }

    /// The authentication code of an entry, which covers its key: an entry under another's name is not sound.
    fn authenticator(&self, key: &ResultKey) -> blake3::Hasher {
        let mut mac = blake3::Hasher::new_keyed(&self.0.private.secret);
        mac.update(&key.0);
        mac
    }

    /// All results, the least recently used first; names are relative to the directory that was opened.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn entries(&self) -> io::Result<Vec<EntryInfo>> {
        let mut entries = self.0.entries()?;
        for entry in &mut entries {
            entry.name = format!("{DIR}/{}", entry.name);
        }
        Ok(entries)
    }

    /// Removes all results, and returns how many and their bytes.
    ///
    /// # Errors
    /// If the folder cannot be read or a result cannot be removed.
    pub fn clear(&self) -> io::Result<(usize, u64)> {
        self.0.clear()
    }
}

/// What is in an entry without its hash.
fn decode(bytes: &[u8]) -> Option<CachedResult> {
    let bytes = bytes.strip_prefix(&MAGIC)?;
    let (head_len, bytes) = bytes.split_first_chunk::<4>()?;
    let head_len = usize::try_from(u32::from_le_bytes(*head_len)).ok()?;
    let (head, mut rest) = bytes.split_at_checked(head_len)?;
    let head: Head = postcard::from_bytes(head).ok()?;
    let mut take = |len: u64| {
        let (value, more) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        rest = more;
        Some(value.to_vec())
    };
    let emitted = head.emitted.iter().map(|len| take(*len));
    let emitted = emitted.collect::<Option<Vec<_>>>()?;
    let result = take(head.result)?;
    rest.is_empty().then_some(CachedResult {
        emitted,
        result,
        fuel: head.fuel,
    })
}
