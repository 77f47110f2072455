//! Shared memory as the host's programs see it: buffers, and the values and arrays in them.
//!
//! Owns the memory: a memory file, or a file of the user's own. Workers map it; nobody makes it larger or smaller.

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use thiserror::Error;

use super::host::{ask, tell};
use super::object::{Memory, Object, Words};
use crate::ipc::call::{Answer, Op, Word};
use crate::sys::memory::{Shared, fixed_memfd};

/// Why an access to a buffer was not made. Nothing was changed.
///
/// ```
/// use wasmpool::objects::{Buffer, BufferError};
///
/// let buffer = Buffer::new(16)?;
/// assert!(matches!(buffer.write(10, b"too long"), Err(BufferError::OutOfBounds { .. })));
/// assert!(matches!(buffer.load_u32(2), Err(BufferError::Misaligned { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BufferError {
    /// The range does not lie within the buffer.
    #[error("bytes {offset} to {end} do not lie within a buffer of {length} bytes")]
    OutOfBounds {
        /// Where the access starts, in bytes.
        offset: u64,
        /// Where it ends, in bytes.
        end: u64,
        /// The buffer's length, in bytes.
        length: u64,
    },
    /// The offset of an atomic operation is not a multiple of its size.
    #[error("offset {offset} is not a multiple of {size} bytes")]
    Misaligned {
        /// The offset, in bytes.
        offset: u64,
        /// The size of the number, in bytes.
        size: u64,
    },
    /// The buffer is made of a file, which is only read.
    #[error("the buffer is made of a file, which is only read")]
    ReadOnly,
    /// The file cannot be read.
    #[error("the buffer's file cannot be read: {0}")]
    File(#[from] io::Error),
}

/// Memory that the host and workers share, of a fixed length, at first zeros. A clone is the same memory.
///
/// Reads and writes are copies, and not atomic: what is read while somebody writes is any mixture of old and new bytes.
/// The atomic operations are sequentially consistent, and the same for the host and all guests. A guest reads and
/// writes it by copies, or attaches it to its own memory, without any.
///
/// ```
/// use wasmpool::objects::Buffer;
///
/// let buffer = Buffer::new(4096)?;
/// buffer.write(10, b"hello")?;
/// let mut read = [0; 5];
/// buffer.read(10, &mut read)?;
/// assert_eq!(&read, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes: Arc<Bytes>,
    words: Words,
}

/// Where the bytes are.
#[derive(Debug)]
enum Bytes {
    /// A memory file, mapped.
    Memory(OwnedFd, Shared),
    /// A file that others can cut: so it is not mapped here.
    File(File, u64),
}

/// Who may do what with a buffer.
///
/// ```no_run
/// use wasmpool::objects::{Access, Buffer};
/// use wasmpool::pool::Pool;
///
/// // Workers read the model, and not one of them can change it.
/// let model = Buffer::open("model.bin")?;
/// let pool = Pool::builder().buffer("model", &model, Access::ReadOnly).open("tasks.wasm")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading, atomic loads, waiting, and attaching for reading. The memory of workers allows no more.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

impl Buffer {
    /// A buffer of so many bytes, all 0. The memory is taken at once; it counts as this process's.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(4096)?;
    /// assert_eq!(buffer.to_vec()?, [0; 4096]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is not so much memory, or `bytes` is 0.
    pub fn new(bytes: u64) -> io::Result<Buffer> {
        let len = usize::try_from(bytes).map_err(io::Error::other)?;
        let file = fixed_memfd("wasmpool-buffer", bytes)?;
        fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        let memory = Shared::map(&file, len)?;
        Ok(Buffer::of(Bytes::Memory(file, memory)))
    }

    /// A buffer that begins with these bytes.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::from_bytes(b"a table")?;
    /// assert_eq!(buffer.len(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::new`].
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Buffer> {
        let buffer = Buffer::new(bytes.len() as u64)?;
        if let Bytes::Memory(_, memory) = &*buffer.0.bytes {
            memory.write(0, bytes);
        }
        Ok(buffer)
    }

    /// A buffer that is a file: it is not read, and guests that attach it see the file's own pages. Nobody can write to
    /// it through the buffer. Its length is the file's, now.
    ///
    /// Whoever writes to the file changes what is seen; a worker that touches what was cut off the file meanwhile is
    /// ended by the kernel, and its item counts as lost.
    ///
    /// ```
    /// use wasmpool::objects::{Buffer, BufferError};
    ///
    /// let file = Buffer::open("Cargo.toml")?;
    /// let mut start = [0; 9];
    /// file.read(0, &mut start)?;
    /// assert_eq!(&start, b"[package]");
    /// assert!(matches!(file.write(0, b"[changed]"), Err(BufferError::ReadOnly)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be opened, is empty or is no ordinary file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Buffer> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() || about.len() == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a buffer can be made of an ordinary file with at least one byte",
            ));
        }
        Ok(Buffer::of(Bytes::File(file, about.len())))
    }

    fn of(bytes: Bytes) -> Buffer {
        let bytes = Arc::new(bytes);
        let words = Words::new("a buffer", bytes.clone());
        Buffer(Arc::new(Inner { bytes, words }))
    }

    /// Its length in bytes, at least 1.
    ///
    /// ```
    /// assert_eq!(wasmpool::objects::Buffer::new(100)?.len(), 100);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.0.bytes.len()
    }

    /// Copies bytes out of it, from `offset` on.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::from_bytes(b"hello, world")?;
    /// let mut word = [0; 5];
    /// buffer.read(7, &mut word)?;
    /// assert_eq!(&word, b"world");
    /// assert!(buffer.read(8, &mut word).is_err(), "one byte too far");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they do not lie within it, or its file cannot be read.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), BufferError> {
        let at = self.0.bytes.range(offset, into.len() as u64)?;
        match &*self.0.bytes {
            Bytes::Memory(_, memory) => memory.copy_out(at, into),
            Bytes::File(file, _) => file.read_exact_at(into, offset)?,
        }
        Ok(())
    }

    /// Copies bytes into it, from `offset` on.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(8)?;
    /// buffer.write(4, b"1234")?;
    /// assert_eq!(buffer.to_vec()?, b"\0\0\0\x001234");
    /// assert!(buffer.write(5, b"1234").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If they do not lie within it, or it is a file.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), BufferError> {
        let at = self.0.bytes.range(offset, bytes.len() as u64)?;
        self.0.bytes.memory()?.write(at, bytes);
        Ok(())
    }

    /// All of its bytes.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::from_bytes(b"all of it")?;
    /// assert_eq!(buffer.to_vec()?, b"all of it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If its file cannot be read.
    pub fn to_vec(&self) -> Result<Vec<u8>, BufferError> {
        let len = usize::try_from(self.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        self.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// The 32-bit number at `offset`, in bytes: an atomic load.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::from_bytes(&7u32.to_le_bytes())?;
    /// assert_eq!(buffer.load_u32(0)?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it does not lie within the buffer, or `offset` is not a multiple of 4.
    pub fn load_u32(&self, offset: u64) -> Result<u32, BufferError> {
        match self.0.bytes.word(offset, Word::U32(0))? {
            Word::U32(word) => Ok(word),
            Word::U64(_) => Ok(0),
        }
    }

    /// The 64-bit number at `offset`, in bytes: an atomic load.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::from_bytes(&7u64.to_le_bytes())?;
    /// assert_eq!(buffer.load_u64(0)?, 7);
    /// assert!(buffer.load_u64(4).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it does not lie within the buffer, or `offset` is not a multiple of 8.
    pub fn load_u64(&self, offset: u64) -> Result<u64, BufferError> {
        match self.0.bytes.word(offset, Word::U64(0))? {
            Word::U64(word) => Ok(word),
            Word::U32(_) => Ok(0),
        }
    }

    /// Changes the 32-bit number at `offset`, in bytes, atomically; returns the old one. `change` may be called more
    /// than once.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(8)?;
    /// // Counted right, however many guests count at the same time.
    /// let before = buffer.update_u32(4, |count| count + 1)?;
    /// assert_eq!((before, buffer.load_u32(4)?), (0, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::load_u32`], and if the buffer is a file.
    pub fn update_u32(
        &self,
        offset: u64,
        mut change: impl FnMut(u32) -> u32,
    ) -> Result<u32, BufferError> {
        let at = self.0.bytes.aligned(offset, 4)?;
        // SAFETY: in bounds and aligned.
        let word: &AtomicU32 = unsafe { self.0.bytes.memory()?.at(at) };
        let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
        Ok(
            match word.fetch_update(set, fetch, |old| Some(change(old))) {
                Ok(old) | Err(old) => old,
            },
        )
    }

    /// Changes the 64-bit number at `offset`, in bytes, atomically; returns the old one. `change` may be called more
    /// than once.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(8)?;
    /// buffer.update_u64(0, |largest| largest.max(99))?;
    /// assert_eq!(buffer.load_u64(0)?, 99);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::load_u64`], and if the buffer is a file.
    pub fn update_u64(
        &self,
        offset: u64,
        mut change: impl FnMut(u64) -> u64,
    ) -> Result<u64, BufferError> {
        let at = self.0.bytes.aligned(offset, 8)?;
        // SAFETY: in bounds and aligned.
        let word: &AtomicU64 = unsafe { self.0.bytes.memory()?.at(at) };
        let (set, fetch) = (Ordering::SeqCst, Ordering::SeqCst);
        Ok(
            match word.fetch_update(set, fetch, |old| Some(change(old))) {
                Ok(old) | Err(old) => old,
            },
        )
    }

    /// Waits until somebody notifies `offset`, if the 32-bit number there is `expected`. False if it is another one, or
    /// the timeout passes.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let buffer = wasmpool::objects::Buffer::new(4)?;
    /// // It is not 1 any more, or not yet: no wait.
    /// assert!(!buffer.wait_u32(0, 1, None)?);
    /// // It is 0, and nobody notifies.
    /// assert!(!buffer.wait_u32(0, 0, Some(Duration::from_millis(1)))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::load_u32`].
    pub fn wait_u32(
        &self,
        offset: u64,
        expected: u32,
        timeout: Option<Duration>,
    ) -> Result<bool, BufferError> {
        self.0.bytes.aligned(offset, 4)?;
        Ok(self.wait(offset, Word::U32(expected), timeout))
    }

    /// As [`Buffer::wait_u32`], for the 64-bit number at `offset`.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(8)?;
    /// let other = buffer.clone();
    /// let thread = std::thread::spawn(move || {
    ///     while other.load_u64(0).unwrap() == 0 {
    ///         other.wait_u64(0, 0, None).unwrap();
    ///     }
    /// });
    /// buffer.update_u64(0, |_| 1)?;
    /// buffer.notify(0, u32::MAX)?;
    /// thread.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::load_u64`].
    pub fn wait_u64(
        &self,
        offset: u64,
        expected: u64,
        timeout: Option<Duration>,
    ) -> Result<bool, BufferError> {
        self.0.bytes.aligned(offset, 8)?;
        Ok(self.wait(offset, Word::U64(expected), timeout))
    }

    fn wait(&self, offset: u64, expected: Word, timeout: Option<Duration>) -> bool {
        let op = |timeout| Op::AwaitWord(offset, expected, timeout);
        let host = self.0.words.handle.host;
        ask(&self.object(), host, op, timeout, None).0 == Answer::Flag(true)
    }

    /// Wakes at most `count` of those who wait for `offset`, the longest waiting first; returns how many.
    ///
    /// ```
    /// let buffer = wasmpool::objects::Buffer::new(4)?;
    /// buffer.update_u32(0, |version| version + 1)?;
    /// let woken = buffer.notify(0, u32::MAX)?;
    /// assert_eq!(woken, 0, "nobody waits here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Buffer::load_u32`].
    pub fn notify(&self, offset: u64, count: u32) -> Result<u32, BufferError> {
        self.0.bytes.aligned(offset, 4)?;
        let op = Op::NotifyWord(offset, count);
        match tell(&self.object(), self.0.words.handle.host, op).0 {
            Answer::Number(woken) => Ok(u32::try_from(woken).unwrap_or(u32::MAX)),
            _ => Ok(0),
        }
    }

    pub(crate) fn object(&self) -> Object {
        Object::Words(self.0.words.clone())
    }

    /// A descriptor by which others can map it, with that access and no more.
    pub(crate) fn descriptor(&self, access: Access) -> io::Result<OwnedFd> {
        match (&*self.0.bytes, access) {
            (Bytes::Memory(file, _), Access::ReadWrite) => file.try_clone(),
            // Another opening of the same file: a mapping of it for writing is refused by the kernel, for ever.
            (Bytes::Memory(file, _), Access::ReadOnly) => {
                Ok(File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?.into())
            }
            (Bytes::File(file, _), Access::ReadOnly) => file.as_fd().try_clone_to_owned(),
            (Bytes::File(..), Access::ReadWrite) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "a buffer that is a file can only be granted for reading",
            )),
        }
    }
}

impl Bytes {
    fn len(&self) -> u64 {
        match self {
            Bytes::Memory(_, memory) => memory.len() as u64,
            Bytes::File(_, len) => *len,
        }
    }

    fn memory(&self) -> Result<&Shared, BufferError> {
        match self {
            Bytes::Memory(_, memory) => Ok(memory),
            Bytes::File(..) => Err(BufferError::ReadOnly),
        }
    }

    fn range(&self, offset: u64, len: u64) -> Result<usize, BufferError> {
        let length = self.len();
        let end = offset.saturating_add(len);
        match usize::try_from(offset) {
            Ok(at) if end <= length => Ok(at),
            _ => Err(BufferError::OutOfBounds {
                offset,
                end,
                length,
            }),
        }
    }

    fn aligned(&self, offset: u64, size: u64) -> Result<usize, BufferError> {
        match offset.is_multiple_of(size) {
            true => self.range(offset, size),
            false => Err(BufferError::Misaligned { offset, size }),
        }
    }

    fn word(&self, offset: u64, like: Word) -> Result<Word, BufferError> {
        let size = match like {
            Word::U32(_) => 4,
            Word::U64(_) => 8,
        };
        let at = self.aligned(offset, size)?;
        Ok(match (self, like) {
            (Bytes::Memory(_, memory), Word::U32(_)) => {
                // SAFETY: in bounds and aligned.
                let word: &AtomicU32 = unsafe { memory.at(at) };
                Word::U32(word.load(Ordering::SeqCst))
            }
            (Bytes::Memory(_, memory), Word::U64(_)) => {
                // SAFETY: in bounds and aligned.
                let word: &AtomicU64 = unsafe { memory.at(at) };
                Word::U64(word.load(Ordering::SeqCst))
            }
            (Bytes::File(file, _), Word::U32(_)) => {
                let mut word = [0; 4];
                file.read_exact_at(&mut word, offset)?;
                Word::U32(u32::from_le_bytes(word))
            }
            (Bytes::File(file, _), Word::U64(_)) => {
                let mut word = [0; 8];
                file.read_exact_at(&mut word, offset)?;
                Word::U64(u64::from_le_bytes(word))
            }
        })
    }
}

impl Memory for Bytes {
    fn load(&self, offset: u64, like: Word) -> Option<Word> {
        self.word(offset, like).ok()
    }
}

/// A number that values and arrays are made of: `i32`, `u32`, `i64`, `u64`, `f32`, `f64`. Little-endian in memory.
///
/// ```
/// use wasmpool::objects::{Array, Number};
///
/// fn first<T: Number>(numbers: &Array<T>) -> Option<T> {
///     numbers.get(0).ok()
/// }
/// assert_eq!(first(&Array::from_slice(&[1.5f32])?), Some(1.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Number: Copy + sealed::Bits {}

mod sealed {
    /// What a number is in memory.
    pub trait Bits {
        /// Bytes of it: 4 or 8.
        const BYTES: u64;
        /// The number of these bits, the upper half of which is not looked at if it has 4 bytes.
        fn from_bits(bits: u64) -> Self;
        /// Its bits.
        fn bits(self) -> u64;
    }
}

macro_rules! number {
    ($($number:ty, $bits:ty, $from:expr, $to:expr;)*) => {
        $(impl sealed::Bits for $number {
            const BYTES: u64 = size_of::<$number>() as u64;
            fn from_bits(bits: u64) -> $number {
                $from(bits as $bits)
            }
            fn bits(self) -> u64 {
                u64::from($to(self))
            }
        }
        impl Number for $number {})*
    };
}
number! {
    u32, u32, |bits| bits, |number| number;
    u64, u64, |bits| bits, |number| number;
    i32, u32, u32::cast_signed, i32::cast_unsigned;
    i64, u64, u64::cast_signed, i64::cast_unsigned;
    f32, u32, f32::from_bits, f32::to_bits;
    f64, u64, f64::from_bits, f64::to_bits;
}

/// One number in shared memory. A clone is the same number.
///
/// Every operation is atomic; unlike `multiprocessing`'s it needs no lock to be counted with.
///
/// ```
/// use wasmpool::objects::Value;
///
/// let value = Value::new(40i64)?;
/// value.update(|n| n + 2);
/// assert_eq!(value.get(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Value<T> {
    buffer: Buffer,
    number: PhantomData<fn() -> T>,
}

impl<T: Number> Value<T> {
    /// A number.
    ///
    /// ```
    /// let temperature = wasmpool::objects::Value::new(21.5f64)?;
    /// assert_eq!(temperature.get(), 21.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no memory.
    pub fn new(value: T) -> io::Result<Value<T>> {
        let value_of = Value {
            buffer: Buffer::new(T::BYTES)?,
            number: PhantomData,
        };
        value_of.set(value);
        Ok(value_of)
    }

    /// The number now.
    ///
    /// ```
    /// let value = wasmpool::objects::Value::new(-1i32)?;
    /// assert_eq!(value.get(), -1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self) -> T {
        let bits = match T::BYTES {
            4 => self.buffer.load_u32(0).map(u64::from),
            _ => self.buffer.load_u64(0),
        };
        // The buffer was made for it.
        T::from_bits(bits.unwrap_or(0))
    }

    /// Sets it.
    ///
    /// ```
    /// let value = wasmpool::objects::Value::new(1u64)?;
    /// value.set(2);
    /// assert_eq!(value.get(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set(&self, value: T) {
        self.update(|_| value);
    }

    /// Changes it; returns the old number. `change` is called again if somebody else was faster.
    ///
    /// ```
    /// let largest = wasmpool::objects::Value::new(3i64)?;
    /// assert_eq!(largest.update(|n| n.max(5)), 3);
    /// assert_eq!(largest.get(), 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update(&self, mut change: impl FnMut(T) -> T) -> T {
        let bits = match T::BYTES {
            4 => {
                let change = |bits| change(T::from_bits(u64::from(bits))).bits() as u32;
                self.buffer.update_u32(0, change).map(u64::from)
            }
            _ => self
                .buffer
                .update_u64(0, |bits| change(T::from_bits(bits)).bits()),
        };
        T::from_bits(bits.unwrap_or(0))
    }

    /// The memory that it lies in, to grant it: a guest opens it as a value, or as a buffer of 4 or 8 bytes.
    ///
    /// ```no_run
    /// use wasmpool::objects::{Access, Value};
    /// use wasmpool::pool::Pool;
    ///
    /// let total = Value::new(0u64)?;
    /// let pool = Pool::builder().buffer("total", total.buffer(), Access::ReadWrite).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

/// Numbers in shared memory, one behind the other. A clone is the same memory.
///
/// Single numbers are read and written atomically, ranges are not.
///
/// ```
/// use wasmpool::objects::Array;
///
/// let array = Array::from_slice(&[1.5, 2.5, 3.0])?;
/// array.set(0, 2.0)?;
/// assert_eq!(array.to_vec()?, [2.0, 2.5, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Array<T> {
    buffer: Buffer,
    number: PhantomData<fn() -> T>,
}

impl<T: Number> Array<T> {
    /// So many numbers, all 0.
    ///
    /// ```
    /// let histogram = wasmpool::objects::Array::<u64>::new(256)?;
    /// assert_eq!(histogram.get(255)?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is not so much memory, or `len` is 0.
    pub fn new(len: u64) -> io::Result<Array<T>> {
        let bytes = len.checked_mul(T::BYTES);
        let bytes = bytes.ok_or_else(|| io::Error::other("more numbers than memory can be"))?;
        Ok(Array {
            buffer: Buffer::new(bytes)?,
            number: PhantomData,
        })
    }

    /// These numbers.
    ///
    /// ```
    /// let weights = wasmpool::objects::Array::from_slice(&[0.5f32, 0.25])?;
    /// assert_eq!(weights.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is not so much memory, or there are none.
    pub fn from_slice(numbers: &[T]) -> io::Result<Array<T>> {
        let array = Array::new(numbers.len() as u64)?;
        array.write(0, numbers).map_err(io::Error::other)?;
        Ok(array)
    }

    /// How many numbers.
    ///
    /// ```
    /// assert_eq!(wasmpool::objects::Array::<u32>::new(10)?.len(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.buffer.len() / T::BYTES
    }

    /// The number at a place, from 0.
    ///
    /// ```
    /// let array = wasmpool::objects::Array::from_slice(&[1i64, 2])?;
    /// assert_eq!(array.get(1)?, 2);
    /// assert!(array.get(2).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, at: u64) -> Result<T, BufferError> {
        let offset = at.saturating_mul(T::BYTES);
        let bits = match T::BYTES {
            4 => u64::from(self.buffer.load_u32(offset)?),
            _ => self.buffer.load_u64(offset)?,
        };
        Ok(T::from_bits(bits))
    }

    /// Sets the number at a place, from 0.
    ///
    /// ```
    /// let array = wasmpool::objects::Array::<i32>::new(2)?;
    /// array.set(1, -7)?;
    /// assert_eq!(array.to_vec()?, [0, -7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is none.
    pub fn set(&self, at: u64, number: T) -> Result<(), BufferError> {
        let offset = at.saturating_mul(T::BYTES);
        match T::BYTES {
            4 => drop(self.buffer.update_u32(offset, |_| number.bits() as u32)?),
            _ => drop(self.buffer.update_u64(offset, |_| number.bits())?),
        }
        Ok(())
    }

    /// Copies numbers out of it, from place `at` on.
    ///
    /// ```
    /// let array = wasmpool::objects::Array::from_slice(&[1u32, 2, 3, 4])?;
    /// let mut middle = [0; 2];
    /// array.read(1, &mut middle)?;
    /// assert_eq!(middle, [2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there are not so many.
    pub fn read(&self, at: u64, into: &mut [T]) -> Result<(), BufferError> {
        let size = T::BYTES as usize;
        let mut bytes = vec![0; into.len().min(PIECE) * size];
        let mut offset = at.saturating_mul(T::BYTES);
        let whole = (into.len() as u64).saturating_mul(T::BYTES);
        self.buffer.0.bytes.range(offset, whole)?;
        for piece in into.chunks_mut(PIECE) {
            let bytes = &mut bytes[..piece.len() * size];
            self.buffer.read(offset, bytes)?;
            for (number, bytes) in piece.iter_mut().zip(bytes.chunks_exact(size)) {
                let mut bits = [0; 8];
                bits[..size].copy_from_slice(bytes);
                *number = T::from_bits(u64::from_le_bytes(bits));
            }
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    /// Copies numbers into it, from place `at` on.
    ///
    /// ```
    /// let array = wasmpool::objects::Array::<u32>::new(4)?;
    /// array.write(2, &[3, 4])?;
    /// assert_eq!(array.to_vec()?, [0, 0, 3, 4]);
    /// assert!(array.write(3, &[5, 6]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there are not so many places. Nothing is changed then.
    pub fn write(&self, at: u64, numbers: &[T]) -> Result<(), BufferError> {
        let size = T::BYTES as usize;
        let mut offset = at.saturating_mul(T::BYTES);
        let whole = (numbers.len() as u64).saturating_mul(T::BYTES);
        self.buffer.0.bytes.range(offset, whole)?;
        let mut bytes = Vec::with_capacity(numbers.len().min(PIECE) * size);
        for piece in numbers.chunks(PIECE) {
            bytes.clear();
            for number in piece {
                bytes.extend_from_slice(&number.bits().to_le_bytes()[..size]);
            }
            self.buffer.write(offset, &bytes)?;
            offset += bytes.len() as u64;
        }
        Ok(())
    }

    /// All numbers.
    ///
    /// ```
    /// let array = wasmpool::objects::Array::from_slice(&[1.5, 2.5])?;
    /// assert_eq!(array.to_vec()?.iter().sum::<f64>(), 4.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is not so much memory.
    pub fn to_vec(&self) -> Result<Vec<T>, BufferError> {
        let len = usize::try_from(self.len()).map_err(io::Error::other)?;
        let mut numbers = vec![T::from_bits(0); len];
        self.read(0, &mut numbers)?;
        Ok(numbers)
    }

    /// The memory that they lie in, to grant it: a guest opens it as an array, or as a buffer.
    ///
    /// ```no_run
    /// use wasmpool::objects::{Access, Array};
    /// use wasmpool::pool::Pool;
    ///
    /// let table = Array::from_slice(&[1.0, 2.0, 4.0])?;
    /// let pool = Pool::builder().buffer("table", table.buffer(), Access::ReadOnly).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

/// Numbers that are copied at a time.
const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_out_of_bounds_change_nothing() {
        let buffer = Buffer::new(10).unwrap();
        assert_eq!(buffer.len(), 10);
        for (offset, len) in [(10, 1), (0, 11), (u64::MAX, 1), (u64::MAX, 0)] {
            assert!(buffer.write(offset, &vec![1; len]).is_err());
            assert!(buffer.read(offset, &mut vec![1; len]).is_err());
        }
        assert!(buffer.load_u64(8).is_err());
        assert!(buffer.load_u32(2).is_err());
        assert_eq!(buffer.to_vec().unwrap(), [0; 10]);
        buffer.write(9, b"x").unwrap();
        buffer.write(10, b"").unwrap();
        assert_eq!(buffer.to_vec().unwrap(), b"\0\0\0\0\0\0\0\0\0x");
        assert!(Buffer::new(0).is_err());
    }

    #[test]
    fn numbers_of_every_type_come_back() {
        fn same<T: Number + PartialEq + std::fmt::Debug>(numbers: &[T]) {
            let array = Array::from_slice(numbers).unwrap();
            assert_eq!(array.to_vec().unwrap(), numbers);
            assert_eq!(array.len(), numbers.len() as u64);
            for (at, number) in numbers.iter().enumerate() {
                assert_eq!(array.get(at as u64).unwrap(), *number);
                let value = Value::new(*number).unwrap();
                assert_eq!(value.get(), *number);
            }
            assert!(array.get(array.len()).is_err());
            assert!(array.set(u64::MAX, numbers[0]).is_err());
            assert!(array.write(1, numbers).is_err());
        }
        same(&[i32::MIN, -1, i32::MAX]);
        same(&[u32::MAX, 1]);
        same(&[i64::MIN, -1, i64::MAX]);
        same(&[u64::MAX, 1]);
        same(&[f32::MIN, -0.5, f32::INFINITY]);
        same(&[f64::MIN, -0.5, f64::INFINITY]);
        same(&(0..200_000).collect::<Vec<i64>>());
    }

    #[test]
    fn a_file_is_a_buffer_that_is_only_read() {
        let path = std::env::temp_dir().join(format!("wasmpool-buffer-{}", std::process::id()));
        std::fs::write(&path, b"12345678abcdefgh").unwrap();
        let buffer = Buffer::open(&path).unwrap();
        assert_eq!(buffer.to_vec().unwrap(), b"12345678abcdefgh");
        let word = u64::from_le_bytes(*b"abcdefgh");
        assert_eq!(buffer.load_u64(8).unwrap(), word);
        assert!(matches!(buffer.write(0, b"x"), Err(BufferError::ReadOnly)));
        assert!(buffer.descriptor(Access::ReadWrite).is_err());
        assert!(!buffer.wait_u64(8, 1, None).unwrap());
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(buffer.to_vec(), Err(BufferError::File(_))));
        assert!(Buffer::open(&path).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(Buffer::open("/").is_err());
    }

    #[test]
    fn who_may_only_read_can_never_map_it_for_writing() {
        let buffer = Buffer::new(4096).unwrap();
        let read_only = buffer.descriptor(Access::ReadOnly).unwrap();
        assert!(Shared::map_any(&read_only, 4096, true).is_err());
        assert!(
            !Shared::map_any(&read_only, 4096, false)
                .unwrap()
                .is_writable()
        );
        let both = buffer.descriptor(Access::ReadWrite).unwrap();
        Shared::map_any(&both, 4096, true).unwrap().write(0, b"y");
        let mut read = [0];
        buffer.read(0, &mut read).unwrap();
        assert_eq!(&read, b"y");
    }

    #[test]
    fn threads_count_exactly_and_waiters_are_woken() {
        let value = Value::new(0u64).unwrap();
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..10_000 {
                        value.update(|n| n + 1);
                    }
                });
            }
        });
        assert_eq!(value.get(), 40_000);
        let buffer = Buffer::new(8).unwrap();
        let waiter = buffer.clone();
        let waits = std::thread::spawn(move || waiter.wait_u32(4, 0, None).unwrap());
        while buffer.notify(4, u32::MAX).unwrap() == 0 {
            std::thread::yield_now();
        }
        assert!(waits.join().unwrap());
        assert!(!buffer.wait_u32(4, 1, None).unwrap());
        assert!(!buffer.wait_u32(4, 0, Some(Duration::ZERO)).unwrap());
    }
}
