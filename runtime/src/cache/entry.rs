//! The layout of an entry, and the proof that it is ours.
//!
//! `[code, padded with zeros to pages][manifest][trailer]`; the trailer ends in a keyed BLAKE3 hash over the key and
//! all that is before it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs;

use super::dir::{damaged, touch};
use super::{CacheKey, CodeSource, Entry};
use crate::ipc::manifest::{MAX_ENCODED_BYTES, Manifest};

const PAGE: u64 = 4096;
const MAGIC: [u8; 8] = *b"wasmpool";
/// The version of the layout.
const LAYOUT: u32 = 1;
/// Magic, layout, length of the manifest, length of the code, authentication code.
const TRAILER: u64 = 8 + 4 + 4 + 8 + 32;
const CHUNK: usize = 256 << 10;

/// Bytes of the file of an entry.
pub(super) fn size(code_len: u64, manifest: &[u8]) -> Option<u64> {
    code_len
        .checked_next_multiple_of(PAGE)?
        .checked_add(manifest.len() as u64 + TRAILER)
}

/// Reads and authenticates an entry, and marks its file as used. With `copy` the entry's file is a sealed copy.
pub(super) fn read(
    secret: &[u8; 32],
    key: &CacheKey,
    file: File,
    max_bytes: u64,
    copy: bool,
) -> io::Result<Entry> {
    let size = file.metadata()?.len();
    let end = size.checked_sub(TRAILER).ok_or_else(damaged)?;
    let mut trailer = [0; TRAILER as usize];
    file.read_exact_at(&mut trailer, end)?;
    let (head, tag) = trailer.split_at(TRAILER as usize - 32);
    let field = |at: usize, len: usize| head.get(at..at + len).unwrap_or_default();
    let manifest_len = u32::from_le_bytes(field(12, 4).try_into().map_err(|_| damaged())?);
    let code_len = u64::from_le_bytes(field(16, 8).try_into().map_err(|_| damaged())?);
    let padded = code_len
        .checked_next_multiple_of(PAGE)
        .ok_or_else(damaged)?;
    let sound = field(0, 8) == MAGIC
        && field(8, 4) == LAYOUT.to_le_bytes()
        && manifest_len as usize <= MAX_ENCODED_BYTES
        && padded.checked_add(manifest_len.into()) == Some(end)
        && size <= max_bytes;
    if !sound {
        return Err(damaged());
    }

    let mut mac = authenticator(secret, key);
    let mut manifest = Vec::with_capacity(manifest_len as usize);
    let mut copy = copy.then(memory_file).transpose()?;
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < end {
        // Code and manifest are never in one chunk.
        let stop = if at < padded { padded } else { end };
        let len = CHUNK.min(usize::try_from(stop - at).unwrap_or(CHUNK));
        let chunk = chunk.get_mut(..len).ok_or_else(damaged)?;
        file.read_exact_at(chunk, at)?;
        mac.update(chunk);
        match &mut copy {
            _ if at >= padded => manifest.extend_from_slice(chunk),
            Some(copy) => copy.write_all(chunk)?,
            None => {}
        }
        at += len as u64;
    }
    mac.update(head);
    let expected: [u8; 32] = tag.try_into().map_err(|_| damaged())?;
    // Hashes of this type are compared in constant time.
    if mac.finalize() != blake3::Hash::from_bytes(expected) {
        return Err(damaged());
    }
    let manifest = Manifest::decode(&manifest).map_err(|_| damaged())?;
    if manifest.code_bytes != code_len {
        return Err(damaged());
    }
    touch(&file);
    let file = copy.map(seal).transpose()?.unwrap_or(file);
    Ok(Entry {
        file,
        code_len,
        manifest,
    })
}

/// Writes an entry to a new file.
pub(super) fn write(
    secret: &[u8; 32],
    key: &CacheKey,
    mut file: &File,
    code: CodeSource<'_>,
    code_len: u64,
    manifest: &[u8],
) -> io::Result<()> {
    let mut mac = authenticator(secret, key);
    each_chunk(code, code_len, |chunk| {
        mac.update(chunk);
        file.write_all(chunk)
    })?;
    let padding = [0; PAGE as usize];
    let padding = &padding[..(code_len.next_multiple_of(PAGE) - code_len) as usize];
    let mut tail = [padding, manifest, &MAGIC, &LAYOUT.to_le_bytes()].concat();
    tail.extend_from_slice(&(manifest.len() as u32).to_le_bytes());
    tail.extend_from_slice(&code_len.to_le_bytes());
    mac.update(&tail);
    file.write_all(&tail)?;
    file.write_all(mac.finalize().as_bytes())
}

/// The authentication code of an entry, which covers its key: an entry under another's name is not sound.
fn authenticator(secret: &[u8; 32], key: &CacheKey) -> blake3::Hasher {
    let mut mac = blake3::Hasher::new_keyed(secret);
    mac.update(&key.0);
    mac
}

fn each_chunk(
    code: CodeSource<'_>,
    code_len: u64,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    match code {
        CodeSource::Bytes(bytes) => {
            let len = usize::try_from(code_len).map_err(|_| io::ErrorKind::UnexpectedEof)?;
            bytes
                .get(..len)
                .ok_or(io::ErrorKind::UnexpectedEof)?
                .chunks(CHUNK)
                .try_for_each(take)
        }
        CodeSource::File(fd) => {
            let file = File::from(fd.try_clone_to_owned()?);
            let mut chunk = vec![0; CHUNK];
            let mut at = 0;
            while at < code_len {
                let len = CHUNK.min(usize::try_from(code_len - at).unwrap_or(CHUNK));
                let chunk = chunk.get_mut(..len).ok_or(io::ErrorKind::UnexpectedEof)?;
                file.read_exact_at(chunk, at)?;
                take(chunk)?;
                at += len as u64;
            }
            Ok(())
        }
    }
}

/// A file in memory that can be sealed.
fn memory_file() -> io::Result<File> {
    let flags = fs::MemfdFlags::CLOEXEC | fs::MemfdFlags::ALLOW_SEALING;
    Ok(fs::memfd_create("wasmpool-code", flags)?.into())
}

fn seal(file: File) -> io::Result<File> {
    use fs::SealFlags;
    fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(file)
}

/// A sealed copy in memory of the first `len` bytes.
pub(super) fn copy_sealed(file: &File, len: u64) -> io::Result<File> {
    let mut copy = memory_file()?;
    each_chunk(CodeSource::File(file.as_fd()), len, |chunk| {
        copy.write_all(chunk)
    })?;
    seal(copy)
}
