//! An item's bytes: how they are kept until the item has a result, and how they go out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;

use rustix::fs::sendfile;

use crate::ipc::frame::MAX_INLINE;
use crate::sys::memory::{memfd, seal};

/// An item's bytes, as given.
///
/// ```
/// use wasmpool::encoding::Encoding;
/// use wasmpool::pool::{JobOptions, Payload};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// # std::fs::write("page.txt", "to be or not to be")?;
/// let options = JobOptions { input: Encoding::Raw, ..JobOptions::default() };
/// let (mut feeder, mut results) = pool.stream("count-words", options)?;
/// feeder.push(Payload::File(std::fs::File::open("page.txt")?));
/// feeder.push(Payload::Bytes(b"that is the question".to_vec()));
/// assert_eq!(&results.next().unwrap()?.result?[..], b"6");
/// assert_eq!(&results.next().unwrap()?.result?[..], b"4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub enum Payload {
    /// In memory.
    Bytes(Vec<u8>),
    /// A whole file. A large one is copied by the kernel and never read into this process.
    File(File),
}

/// An item's bytes, ready to be sent any number of times.
#[derive(Debug)]
pub(super) enum Stored {
    /// Small enough to travel in a frame.
    Inline(Vec<u8>),
    /// A sealed memory file that holds the length (u32) and the bytes; the number is its size in bytes.
    Sealed(OwnedFd, u64),
}

impl Stored {
    /// Bytes of this process that it holds, for bounding what is held.
    pub(super) fn held(&self) -> usize {
        match self {
            Stored::Inline(bytes) => bytes.len(),
            Stored::Sealed(_, size) => usize::try_from(*size).unwrap_or(usize::MAX),
        }
    }
}

impl Payload {
    pub(super) fn store(self) -> io::Result<Stored> {
        match self {
            Payload::Bytes(bytes) if bytes.len() <= MAX_INLINE - 4 => Ok(Stored::Inline(bytes)),
            Payload::Bytes(bytes) => sealed(|file| {
                file.write_all(&bytes)?;
                Ok(())
            }),
            Payload::File(mut file) => {
                let data = file.metadata()?;
                // Before it is copied: a file may be larger than it is long to write.
                let too_large = data.len() > u64::from(u32::MAX);
                if data.is_file() && too_large {
                    return Err(of_4_gib());
                }
                if !data.is_file() {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "not a regular file",
                    ));
                }
                let mut start = Vec::new();
                Read::by_ref(&mut file)
                    .take(MAX_INLINE as u64 - 3)
                    .read_to_end(&mut start)?;
                if start.len() <= MAX_INLINE - 4 {
                    return Ok(Stored::Inline(start));
                }
                sealed(|out| {
                    out.write_all(&start)?;
                    while sendfile(&*out, &file, None, 1 << 30)? > 0 {}
                    Ok(())
                })
            }
        }
    }
}

fn of_4_gib() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "an item has 4 GiB or more")
}

fn sealed(write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Stored> {
    let mut file = memfd("wasmpool-item")?;
    file.write_all(&[0; 4])?;
    write(&mut file)?;
    let size = file.metadata()?.len();
    let len = u32::try_from(size - 4).map_err(|_| of_4_gib())?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&len.to_le_bytes())?;
    Ok(Stored::Sealed(seal(file)?, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::{Mapping, check_sealed};

    #[test]
    fn large_items_are_sealed_with_their_length() {
        for len in [0, 1, MAX_INLINE - 4, MAX_INLINE - 3, 1 << 20] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut file = memfd("test").unwrap();
            file.write_all(&bytes).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            for payload in [Payload::Bytes(bytes.clone()), Payload::File(file)] {
                match payload.store().unwrap() {
                    Stored::Inline(b) => assert!(b == bytes && len <= MAX_INLINE - 4),
                    Stored::Sealed(fd, size) => {
                        assert!(len > MAX_INLINE - 4);
                        assert_eq!(check_sealed(&fd).unwrap(), size);
                        let map = Mapping::read_only(&fd, size as usize).unwrap();
                        assert_eq!(map[..4], (len as u32).to_le_bytes());
                        assert!(map[4..] == bytes[..]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_folder_is_no_item() {
        assert!(Payload::File(File::open("/").unwrap()).store().is_err());
    }
}
