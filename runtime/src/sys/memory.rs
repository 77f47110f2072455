//! Memory files and mappings.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};

use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fcntl_get_seals, fstat,
    ftruncate, memfd_create,
};
use rustix::io::{Errno, pwrite};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap, mmap_anonymous, mremap_fixed, munmap};

/// The page size everything here is aligned to, in bytes. Also right where pages are larger: it is only used for
/// rounding inside files.
pub const PAGE: usize = 4096;

const SEALED: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// A new memory file of `len` zero bytes whose size can never change again. It has no name in any file system.
pub fn fixed_memfd(name: &str, len: u64) -> io::Result<OwnedFd> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&fd, len)?;
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(fd)
}

/// A new, empty memory file that can be written, and then sealed by [`seal`].
pub fn memfd(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// Makes a memory file one that can never change again.
pub fn seal(file: File) -> io::Result<OwnedFd> {
    fcntl_add_seals(&file, SEALED)?;
    Ok(file.into())
}

/// A new memory file that holds the parts one behind the other and can never change again.
pub fn sealed_memfd(name: &str, parts: &[&[u8]]) -> io::Result<OwnedFd> {
    let file = memfd(name)?;
    let mut at = 0;
    for part in parts {
        file.write_all_at(part, at)?;
        at += part.len() as u64;
    }
    seal(file)
}

/// A new memory file of `len` zero bytes, to be given to a hostile process that writes into it. It cannot grow.
///
/// With `now` its memory is taken at once, and so is this process's; else it is the writer's, as it is written.
pub fn writable_memfd(name: &str, len: u64, now: bool) -> io::Result<OwnedFd> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    match now {
        true => fallocate(&fd, FallocateFlags::empty(), 0, len)?,
        false => ftruncate(&fd, len)?,
    }
    fcntl_add_seals(&fd, SealFlags::GROW)?;
    Ok(fd)
}

/// Writes all of `bytes` into a file, from `offset` on.
pub fn write_at(fd: impl AsFd, offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    let mut at = offset;
    while !bytes.is_empty() {
        match pwrite(&fd, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => (at, bytes) = (at + n as u64, &bytes[n..]),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Makes a file of [`writable_memfd`] `len` bytes long, and one that nobody can change any more. Fails while another
/// process has it mapped for writing.
pub fn cut_and_seal(fd: &OwnedFd, len: u64) -> io::Result<()> {
    ftruncate(fd, len)?;
    fcntl_add_seals(fd, SEALED)?;
    // Who could write into it could have cut it, between the two calls.
    match check_sealed(fd)? == len {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a file that its writer has cut",
        )),
    }
}

/// Checks that a descriptor from a hostile process is a memory file that nobody can change any more, and gives its
/// size in bytes.
pub fn check_sealed(fd: impl AsFd) -> io::Result<u64> {
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "not a sealed memory file");
    let seals = fcntl_get_seals(&fd).map_err(|_| missing())?;
    if !seals.contains(SealFlags::SHRINK | SealFlags::WRITE) {
        return Err(missing());
    }
    u64::try_from(fstat(&fd)?.st_size).map_err(|_| missing())
}

/// Has the allocator of up to `threads` threads ask nothing of files, which a locked process cannot open. By itself glibc
/// counts the processors when it makes a second heap, and reads how the system overcommits memory before it first gives
/// back what lies free at the end of one. Call it before there are threads.
pub fn allocate_without_files(threads: usize) {
    #[cfg(target_env = "gnu")]
    {
        let threads = libc::c_int::try_from(threads).unwrap_or(libc::c_int::MAX);
        // SAFETY: sets numbers of the allocator's.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, threads);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = threads;
}

/// A read-only, or read-and-execute, private mapping of a file from its start.
///
/// ```
/// use wasmpool::pool::Bytes;
///
/// fn length(bytes: &Bytes) -> usize {
///     match bytes {
///         Bytes::Owned(bytes) => bytes.len(),
///         // A slice too, and not one byte of it was copied.
///         Bytes::Mapped(mapping) => mapping.len(),
///     }
/// }
/// assert_eq!(length(&Bytes::Owned(vec![1, 2])), 2);
/// ```
#[derive(Debug)]
pub struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: a `Mapping` owns its pages, which are never written through it: shared reads from any thread are fine.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file for reading.
    ///
    /// The file must not shrink while it is mapped (a read behind its end would end the process): pass a sealed
    /// memory file, or a file of the user's own.
    #[doc(hidden)]
    pub fn read_only(fd: impl AsFd, len: usize) -> io::Result<Mapping> {
        Self::new(fd, len, ProtFlags::READ)
    }

    /// Maps the first `len` bytes of a file for reading and executing.
    #[doc(hidden)]
    pub fn executable(fd: impl AsFd, len: usize) -> io::Result<Mapping> {
        Self::new(fd, len, ProtFlags::READ | ProtFlags::EXEC)
    }

    fn new(fd: impl AsFd, len: usize, prot: ProtFlags) -> io::Result<Mapping> {
        if len == 0 {
            return Ok(Mapping {
                at: NonNull::dangling(),
                len: 0,
            });
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe { mmap(ptr::null_mut(), len, prot, MapFlags::PRIVATE, fd, 0)? };
        let at =
            NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Mapping { at, len })
    }

    /// The mapped bytes as a raw slice, for who keeps the mapping alive himself.
    #[doc(hidden)]
    pub fn as_raw(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.at, self.len)
    }
}

impl std::ops::Deref for Mapping {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `at` is valid for `len` bytes until drop, and the mapping is private and never written.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the range was mapped by `new` and nobody else unmaps it. An error leaves it mapped: a leak.
            let _ = unsafe { munmap(self.at.as_ptr().cast(), self.len) };
        }
    }
}

/// Memory that two processes read and write at the same time.
///
/// There are no references into it but to atomics; bytes are copied in and out. What the other side does to it at the
/// same time can change the bytes copied, never the copy's bounds.
#[derive(Debug)]
pub struct Shared {
    at: NonNull<u8>,
    len: usize,
    writable: bool,
}

// SAFETY: all access is by atomics or by copies through raw pointers; nothing depends on the thread.
unsafe impl Send for Shared {}
// SAFETY: as above; concurrent copies into the same range may tear bytes, which every reader must expect anyway.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps `len` bytes of a memory file, shared, for reading and writing.
    pub fn map(fd: impl AsFd, len: usize) -> io::Result<Shared> {
        let size = usize::try_from(fstat(&fd)?.st_size).unwrap_or(0);
        let seals = fcntl_get_seals(&fd)?;
        if size < len || len == 0 || !seals.contains(SealFlags::SHRINK) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "shared memory of the wrong size, or not sealed",
            ));
        }
        Self::map_any(fd, len, true)
    }

    /// The same of any file, for reading and writing or for reading alone.
    ///
    /// Where the file shrinks, an access behind its end ends the process: pass a sealed memory file, or let that be
    /// survived.
    pub fn map_any(fd: impl AsFd, len: usize, writable: bool) -> io::Result<Shared> {
        let access = match writable {
            true => ProtFlags::READ | ProtFlags::WRITE,
            false => ProtFlags::READ,
        };
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let at = unsafe { mmap(ptr::null_mut(), len, access, MapFlags::SHARED, fd, 0)? };
        let at =
            NonNull::new(at.cast()).ok_or_else(|| io::Error::other("mmap returned address 0"))?;
        Ok(Shared { at, len, writable })
    }

    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it can be written to.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// A reference to an atomic number at `offset`. That of memory which cannot be written to can only be loaded.
    ///
    /// # Panics
    /// Where it is out of bounds: callers check their offsets.
    ///
    /// # Safety
    /// `T` must be an atomic number, and `offset` a multiple of its size.
    pub unsafe fn at<T>(&self, offset: usize) -> &T {
        assert!(
            offset <= self.len && size_of::<T>() <= self.len - offset,
            "a number out of shared memory"
        );
        // SAFETY: in bounds as asserted, aligned as the caller says: mappings start at pages. Atomics allow the other
        // side's writes.
        unsafe { self.at.add(offset).cast().as_ref() }
    }

    /// Makes `len` bytes at `to` show this memory from `offset` on: what lay there is gone.
    ///
    /// It stays so, whatever becomes of `self`, until [`show_nothing`]. Asks the kernel for a second mapping of the same
    /// pages, for which it needs no descriptor.
    ///
    /// # Panics
    /// Where `offset` is out of bounds: callers check it.
    ///
    /// # Safety
    /// The range at `to` must be mapped and the caller's to replace, with no reference into it; all three numbers must
    /// be multiples of the page size. What lies behind the end of the memory must not be touched, but for the rest of
    /// its last page.
    pub unsafe fn show(&self, offset: usize, to: NonNull<u8>, len: usize) -> io::Result<()> {
        assert!(offset <= self.len, "a region out of shared memory");
        // SAFETY: an old size of 0 leaves the old mapping as it is; the new place is the caller's.
        unsafe {
            mremap_fixed(
                self.at.as_ptr().add(offset).cast(),
                0,
                len,
                MremapFlags::MAYMOVE,
                to.as_ptr().cast(),
            )?;
        }
        Ok(())
    }

    /// A reference to a structure made of atomics only, at the start of the memory.
    ///
    /// # Panics
    /// Where the memory is smaller than `T`: a constant of the program, not data.
    ///
    /// # Safety
    /// Every bit pattern must be a valid `T`, and all of `T`'s fields must be atomics.
    pub unsafe fn header<T>(&self) -> &T {
        assert!(
            size_of::<T>() <= self.len && align_of::<T>() <= PAGE,
            "a header larger than its memory"
        );
        // SAFETY: in bounds and aligned as asserted; the caller vouches for the type, whose atomics allow the other
        // side's writes.
        unsafe { self.at.cast().as_ref() }
    }

    /// Copies `from` to `offset`.
    ///
    /// # Panics
    /// Where the range is out of bounds: callers mask their offsets.
    pub fn write(&self, offset: usize, from: &[u8]) {
        assert!(
            offset <= self.len && from.len() <= self.len - offset,
            "a write out of shared memory"
        );
        assert!(self.writable, "a write to memory that is only read");
        // SAFETY: in bounds as asserted, and `from` is no part of this mapping, into which no reference exists.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), self.at.as_ptr().add(offset), from.len()) }
    }

    /// The byte at `offset`.
    ///
    /// # Panics
    /// Where it is out of bounds: callers mask their offsets.
    pub fn byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len, "a read out of shared memory");
        // SAFETY: in bounds as asserted; volatile, since the other side may write it at the same time.
        unsafe { self.at.as_ptr().add(offset).read_volatile() }
    }

    /// Copies the bytes from `offset` on to `to`.
    ///
    /// # Panics
    /// Where the range is out of bounds: callers check their offsets.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) {
        assert!(
            offset <= self.len && to.len() <= self.len - offset,
            "a read out of shared memory"
        );
        // SAFETY: in bounds as asserted, and `to` is no part of this mapping, into which no reference exists.
        unsafe { ptr::copy_nonoverlapping(self.at.as_ptr().add(offset), to.as_mut_ptr(), to.len()) }
    }

    /// Appends `len` bytes from `offset` to `to`.
    ///
    /// # Panics
    /// Where the range is out of bounds: callers mask their offsets.
    pub fn read(&self, offset: usize, len: usize, to: &mut Vec<u8>) {
        assert!(
            offset <= self.len && len <= self.len - offset,
            "a read out of shared memory"
        );
        to.reserve(len);
        // SAFETY: the source is in bounds as asserted, the destination is reserved capacity of another allocation, and
        // `len` bytes of it are initialised by the copy before the length says so.
        unsafe {
            ptr::copy_nonoverlapping(
                self.at.as_ptr().add(offset),
                to.as_mut_ptr().add(to.len()),
                len,
            );
            to.set_len(to.len() + len);
        }
    }
}

/// Makes `len` bytes at `to` ordinary memory of zeros, readable and writable.
///
/// # Safety
/// As [`Shared::show`].
pub unsafe fn show_nothing(to: NonNull<u8>, len: usize) -> io::Result<()> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // SAFETY: the place is the caller's.
    unsafe { mmap_anonymous(to.as_ptr().cast(), len, access, flags)? };
    Ok(())
}

/// The unit of mappings, in bytes.
pub fn page_size() -> usize {
    rustix::param::page_size()
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map` and nobody else unmaps it. An error leaves it mapped: a leak.
        let _ = unsafe { munmap(self.at.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sealed_memory_file_passes() {
        let sealed = sealed_memfd("test", &[b"abc", b"de"]).unwrap();
        assert_eq!(check_sealed(&sealed).unwrap(), 5);
        assert_eq!(&*Mapping::read_only(&sealed, 5).unwrap(), b"abcde");
        let open = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(check_sealed(&open).is_err());
        assert!(check_sealed(File::open("/dev/null").unwrap()).is_err());
        assert!(check_sealed(fixed_memfd("test", 10).unwrap()).is_err());
    }

    #[test]
    fn shared_memory_is_shared_and_bounded() {
        let fd = fixed_memfd("test", 8192).unwrap();
        let (a, b) = (
            Shared::map(&fd, 8192).unwrap(),
            Shared::map(&fd, 8192).unwrap(),
        );
        a.write(8000, b"hello");
        let mut got = b"> ".to_vec();
        b.read(8000, 5, &mut got);
        assert_eq!(got, b"> hello");
        assert!(Shared::map(&fd, 8193).is_err());
        assert!(std::panic::catch_unwind(|| a.write(8190, b"abc")).is_err());
    }
}
