//! Buffers: memory shared between tasks, and with the host.
//!
//! A buffer is granted by name, has a fixed length, and starts filled with zeros. There are three ways to see one:
//! [`Buffer`] as bytes, [`Value`] as one number, [`Array`] as many of one type. There are three ways to use it:
//!
//! - copies, [`Buffer::read`] and [`Buffer::write`]: simple, not atomic. What is seen of a write that runs elsewhere at
//!   the same time is any mixture of old and new bytes;
//! - atomic operations on integers of 4 or 8 bytes, [`Buffer::fetch_add`] and its like: sequentially consistent among
//!   themselves, whoever makes them. Each is a call of the host;
//! - attaching, [`Buffer::attach`]: the buffer appears in the task's own memory, without a copy. For large data that is
//!   far the fastest way.
//!
//! ```
//! use wasmpool_guest::buffer::{Array, Value};
//! use wasmpool_guest::testing::Shared;
//!
//! /// Adds the sum of a part of `data` to `total`.
//! fn add_part(from: u64, to: u64) -> Result<(), Box<dyn std::error::Error>> {
//!     let data = Array::<f64>::open("data")?;
//!     let sum: f64 = data.attach_range(from..to)?.iter().sum();
//!     Value::<f64>::open("total")?.fetch_add(sum)?;
//!     Ok(())
//! }
//!
//! Shared::new().array("data", &[0.5, 1.0, 2.0, 4.0]).value("total", 0.0).within(|| {
//!     add_part(0, 2).unwrap();
//!     add_part(2, 4).unwrap();
//!     assert_eq!(Value::<f64>::open("total").unwrap().get(), 7.5);
//! });
//! ```
//!
//! All numbers are little-endian.

use std::fmt;
use std::ops::{Bound, Range, RangeBounds};
use std::time::Duration;

use crate::{OpenError, host};

mod array;
mod attached;
pub(crate) mod cells;
mod element;
pub(crate) mod region;
mod value;

pub use array::Array;
pub use attached::{Attached, AttachedSlice, Iter};
#[cfg(not(target_family = "wasm"))]
pub(crate) use element::bytes_of;
pub use element::{Element, Integer, Scalar};
pub(crate) use element::{Operation, Word};
pub use value::Value;

/// What a grant allows.
///
/// ```
/// use wasmpool_guest::buffer::{Access, Buffer};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().read_only_buffer("model", [0; 8]).within(|| {
///     assert_eq!(Buffer::open("model").unwrap().access(), Access::ReadOnly);
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reading, atomic loads, waiting, and attaching for reading. Others may have been granted more: that one cannot
    /// write does not mean that nobody does.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// Why a read, a write or an atomic operation was not made.
///
/// ```
/// use wasmpool_guest::buffer::{AccessError, Buffer};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().read_only_buffer("model", [0; 8]).within(|| {
///     let model = Buffer::open("model").unwrap();
///     assert_eq!(model.write(0, b"mine"), Err(AccessError::ReadOnly));
///     assert_eq!(model.read_vec(6, 4), Err(AccessError::OutOfBounds { length: 8 }));
///     assert_eq!(model.load::<u32>(2), Err(AccessError::Misaligned { size: 4 }));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessError {
    /// The grant is read-only.
    ReadOnly,
    /// The range does not lie within the buffer.
    OutOfBounds {
        /// The buffer's length, in bytes.
        length: u64,
    },
    /// The offset is not a multiple of the number's size.
    Misaligned {
        /// That size, in bytes.
        size: u32,
    },
    /// More bytes than one call may copy.
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccessError::ReadOnly => f.write_str("the buffer was granted for reading only"),
            AccessError::OutOfBounds { length } => {
                write!(
                    f,
                    "the range does not lie within the buffer, which has {length} bytes"
                )
            }
            AccessError::Misaligned { size } => {
                write!(
                    f,
                    "the offset is not a multiple of the number's size of {size} bytes"
                )
            }
            AccessError::TooLarge { limit } => {
                write!(f, "more bytes than the {limit} that one call may copy")
            }
        }
    }
}

impl std::error::Error for AccessError {}

/// Why a part of a buffer was not attached.
///
/// ```
/// use wasmpool_guest::buffer::{AttachError, Buffer};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().buffer("page", [0; 8]).within(|| {
///     let page = Buffer::open("page").unwrap();
///     assert!(matches!(page.attach(4..12), Err(AttachError::OutOfBounds { length: 8 })));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// The range does not lie within the buffer.
    OutOfBounds {
        /// The buffer's length, in bytes.
        length: u64,
    },
    /// The task's memory has no room for a part of this size.
    OutOfMemory {
        /// How many bytes were needed.
        bytes: u64,
    },
    /// As many parts are attached as may be at once.
    TooManyRegions {
        /// That number.
        limit: u32,
    },
    /// This pool attaches nothing: use [`Buffer::read`] and [`Buffer::write`]. So in pools of threads.
    Unavailable,
    /// The pool refused for a reason that does not come up between a pool and a library of the same version.
    Refused,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttachError::OutOfBounds { length } => {
                write!(
                    f,
                    "the range does not lie within the buffer, which has {length} bytes"
                )
            }
            AttachError::OutOfMemory { bytes } => write!(
                f,
                "the task's memory has no room to attach {bytes} bytes: attach less at once, or raise the memory limit"
            ),
            AttachError::TooManyRegions { limit } => {
                write!(
                    f,
                    "{limit} parts of buffers are attached, and no more may be at once"
                )
            }
            AttachError::Unavailable => {
                f.write_str("this pool attaches no buffers: use copies, or a pool of processes")
            }
            AttachError::Refused => f.write_str("the pool refused to attach the buffer"),
        }
    }
}

impl std::error::Error for AttachError {}

/// Why a wait for a change of a number ended.
///
/// ```
/// use wasmpool_guest::buffer::{Value, WaitResult};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().value("version", 1_u32).within(|| {
///     let version = Value::<u32>::open("version").unwrap();
///     assert_eq!(version.wait(0), Ok(WaitResult::Unequal));
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitResult {
    /// Somebody notified.
    Woken,
    /// The number was not the expected one when the wait began.
    Unequal,
    /// The timeout passed.
    TimedOut,
}

/// Longer copies are made in pieces of this many bytes, so that they need little memory twice.
const PIECE_BYTES: usize = 1 << 20;

/// A handle to one buffer, as bytes. Offsets are in bytes.
///
/// ```
/// use wasmpool_guest::buffer::Buffer;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().buffer("page", b"hello, world").within(|| {
///     let page = Buffer::open("page").unwrap();
///     page.write(0, b"HELLO").unwrap();
///     assert_eq!(page.read_vec(3, 6).unwrap(), b"LO, wo");
///     assert_eq!(page.fetch_add(8, 1_u32), Ok(u32::from_le_bytes(*b"orld")));
/// });
/// ```
#[derive(Debug)]
pub struct Buffer(pub(crate) host::Buffer);

impl Buffer {
    /// Opens a granted buffer. Opening a name twice gives two handles to the same memory.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     assert_eq!(page.len(), 16);
    ///     assert!(Buffer::open("book").is_err());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no buffer of this name was granted, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        host::Buffer::open(name).map(Buffer)
    }

    /// As `open`, of a buffer that holds elements of `size` bytes: as many as `fits` allows. Gives the number of bytes
    /// too.
    fn open_sized(
        name: &str,
        size: usize,
        fits: impl FnOnce(u64, u64) -> bool,
    ) -> Result<(Self, u64), OpenError> {
        let buffer = Buffer::open(name)?;
        let (length, size) = (buffer.len(), size as u64);
        if fits(length, size) {
            Ok((buffer, length))
        } else {
            Err(OpenError::WrongLength {
                name: name.to_owned(),
                length,
                size,
            })
        }
    }

    /// The buffer's length, in bytes. It never changes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     assert_eq!(page.len(), 16);
    /// });
    /// ```
    pub fn len(&self) -> u64 {
        self.0.length()
    }

    /// Whether the buffer has no bytes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     assert!(!page.is_empty());
    /// });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the grant allows.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Access, Buffer};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     assert_eq!(page.access(), Access::ReadWrite);
    /// });
    /// ```
    pub fn access(&self) -> Access {
        self.0.access()
    }

    /// Copies bytes from `offset` out of the buffer, as many as `bytes` holds.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     let mut word = [0; 5];
    ///     page.read(7, &mut word).unwrap();
    ///     assert_eq!(&word, b"world");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When they do not all lie within the buffer; then `bytes` is as it was.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), AccessError> {
        for (offset, piece) in self.pieces(offset, bytes.len())? {
            let piece = &mut bytes[piece];
            let read = self.0.read(offset, piece.len() as u32)?;
            piece.copy_from_slice(&read);
        }
        Ok(())
    }

    /// Copies `length` bytes from `offset` out of the buffer.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     assert_eq!(page.read_vec(0, 5).unwrap(), b"hello");
    ///     assert!(page.read_vec(0, 17).is_err());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When they do not all lie within the buffer.
    pub fn read_vec(&self, offset: u64, length: usize) -> Result<Vec<u8>, AccessError> {
        if length <= PIECE_BYTES {
            return self.0.read(offset, length as u32);
        }
        // Looked at before memory is taken for them.
        self.check(offset, length)?;
        let mut bytes = vec![0; length];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies bytes into the buffer at `offset`.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     page.write(7, b"there").unwrap();
    ///     assert_eq!(page.read_vec(0, 12).unwrap(), b"hello, there");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When they do not all fit within the buffer, or the grant is read-only; then nothing is changed.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        for (offset, piece) in self.pieces(offset, bytes.len())? {
            self.0.write(offset, &bytes[piece])?;
        }
        Ok(())
    }

    /// Checks that a range lies within the buffer.
    fn check(&self, offset: u64, length: usize) -> Result<(), AccessError> {
        let end = offset.checked_add(length as u64);
        let whole = self.len();
        match end {
            Some(end) if end <= whole => Ok(()),
            _ => Err(AccessError::OutOfBounds { length: whole }),
        }
    }

    /// A copy's pieces: where in the buffer, and which part of the slice. One piece is checked by the host.
    fn pieces(
        &self,
        offset: u64,
        length: usize,
    ) -> Result<impl Iterator<Item = (u64, Range<usize>)> + use<>, AccessError> {
        if length > PIECE_BYTES {
            self.check(offset, length)?;
        }
        let starts = (0..length.max(1)).step_by(PIECE_BYTES);
        Ok(starts.map(move |start| {
            (
                offset + start as u64,
                start..length.min(start + PIECE_BYTES),
            )
        }))
    }

    /// Makes a part of the buffer appear in the task's own memory, without a copy, until what this returns is dropped.
    ///
    /// The part takes as much of the task's memory, rounded up to whole pages, as it has bytes. A small number of such
    /// places is kept for later attachments. Detaching and attaching again costs tens of microseconds: attach once for
    /// much work. See [`AttachedSlice`] for what may be done with it while others write.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello, world....").within(|| {
    ///     let page = Buffer::open("page").unwrap();
    ///     let word = page.attach(7..12).unwrap();
    ///     assert_eq!(word.iter().filter(|byte| *byte == b'o').count(), 1);
    ///     word.set(0, b'W');
    ///     drop(word);
    ///     assert_eq!(page.read_vec(7, 5).unwrap(), b"World");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the range does not lie within the buffer, the task's memory has no room, too many parts are attached, or
    /// the pool attaches nothing.
    pub fn attach(&self, range: impl RangeBounds<u64>) -> Result<Attached<'_>, AttachError> {
        let length = self.len();
        AttachedSlice::new(self, length, bounds(range, length))
    }

    /// The number at `offset`.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     assert_eq!(counts.load::<u64>(8), Ok(0));
    ///     assert!(counts.load::<u64>(4).is_err(), "no multiple of 8");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When it does not lie within the buffer, or the offset is not a multiple of its size: so for all atomic
    /// operations.
    pub fn load<T: Scalar>(&self, offset: u64) -> Result<T, AccessError> {
        T::Word::load(&self.0, offset).map(T::from_word)
    }

    /// Replaces the number at `offset`.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.store(4, 1.5_f32).unwrap();
    ///     assert_eq!(counts.load::<f32>(4), Ok(1.5));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and when the grant is read-only.
    pub fn store<T: Scalar>(&self, offset: u64, value: T) -> Result<(), AccessError> {
        T::Word::store(&self.0, offset, value.to_word())
    }

    /// Replaces the number at `offset`. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     assert_eq!(counts.swap(0, 7_u32), Ok(0));
    ///     assert_eq!(counts.swap(0, 8_u32), Ok(7));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn swap<T: Scalar>(&self, offset: u64, value: T) -> Result<T, AccessError> {
        self.update(offset, Operation::Exchange, value)
    }

    /// Adds to the number at `offset`, integers wrapping around. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.fetch_add(8, 2_u64).unwrap();
    ///     assert_eq!(counts.fetch_add(8, 3_u64), Ok(2));
    ///     assert_eq!(counts.load::<u64>(8), Ok(5));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_add<T: Scalar>(&self, offset: u64, operand: T) -> Result<T, AccessError> {
        match T::FLOAT_ADD {
            None => self.update(offset, Operation::Add, operand),
            Some(add) => self.fetch_update(offset, |old| add(old, operand)),
        }
    }

    /// Subtracts from the number at `offset`, integers wrapping around. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.store(0, 5_i32).unwrap();
    ///     assert_eq!(counts.fetch_sub(0, 7), Ok(5));
    ///     assert_eq!(counts.load::<i32>(0), Ok(-2));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_sub<T: Scalar>(&self, offset: u64, operand: T) -> Result<T, AccessError> {
        match T::FLOAT_SUB {
            None => self.update(offset, Operation::Sub, operand),
            Some(sub) => self.fetch_update(offset, |old| sub(old, operand)),
        }
    }

    /// Combines the integer at `offset` with another, bit by bit, by "and". Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.store(0, 0b110_u32).unwrap();
    ///     counts.fetch_and(0, 0b011_u32).unwrap();
    ///     assert_eq!(counts.load::<u32>(0), Ok(0b010));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_and<T: Integer>(&self, offset: u64, operand: T) -> Result<T, AccessError> {
        self.update(offset, Operation::And, operand)
    }

    /// As [`fetch_and`](Self::fetch_and), by "or".
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     // The first to set the bit is the one that sees it clear.
    ///     let before: u32 = counts.fetch_or(0, 1 << 3).unwrap();
    ///     assert_eq!(before & 1 << 3, 0);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_or<T: Integer>(&self, offset: u64, operand: T) -> Result<T, AccessError> {
        self.update(offset, Operation::Or, operand)
    }

    /// As [`fetch_and`](Self::fetch_and), by "exclusive or".
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.fetch_xor(0, 0b1_u32).unwrap();
    ///     counts.fetch_xor(0, 0b1_u32).unwrap();
    ///     assert_eq!(counts.load::<u32>(0), Ok(0));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_xor<T: Integer>(&self, offset: u64, operand: T) -> Result<T, AccessError> {
        self.update(offset, Operation::Xor, operand)
    }

    fn update<T: Scalar>(
        &self,
        offset: u64,
        operation: Operation,
        operand: T,
    ) -> Result<T, AccessError> {
        T::Word::update(&self.0, offset, operation, operand.to_word()).map(T::from_word)
    }

    /// Replaces the number at `offset` if it is `expected`. Returns the old one: it was replaced exactly if that is
    /// `expected`, floats compared by their bits.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     // Whoever gets a 0 back has the place.
    ///     assert_eq!(counts.compare_exchange(0, 0_u32, 1), Ok(0));
    ///     assert_eq!(counts.compare_exchange(0, 0_u32, 2), Ok(1));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn compare_exchange<T: Scalar>(
        &self,
        offset: u64,
        expected: T,
        replacement: T,
    ) -> Result<T, AccessError> {
        T::Word::compare_exchange(&self.0, offset, expected.to_word(), replacement.to_word())
            .map(T::from_word)
    }

    /// Replaces the number at `offset` by what a function makes of it. If somebody else changes it meanwhile, the
    /// function is called again with what it is then. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.store(0, 3_u32).unwrap();
    ///     counts.fetch_update(0, |largest: u32| largest.max(9)).unwrap();
    ///     assert_eq!(counts.load::<u32>(0), Ok(9));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`store`](Self::store).
    pub fn fetch_update<T: Scalar>(
        &self,
        offset: u64,
        mut function: impl FnMut(T) -> T,
    ) -> Result<T, AccessError> {
        let mut old = T::Word::load(&self.0, offset)?;
        loop {
            let new = function(T::from_word(old)).to_word();
            let found = T::Word::compare_exchange(&self.0, offset, old, new)?;
            if found == old {
                return Ok(T::from_word(old));
            }
            old = found;
        }
    }

    /// Sleeps until somebody [notifies](Self::notify) this offset, if the number there is `expected`; only the item's
    /// deadline ends the wait. Never wakes for no reason.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Buffer, WaitResult};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.store(0, 1_u32).unwrap();
    ///     // It is not 0 any more: no wait.
    ///     assert_eq!(counts.wait(0, 0_u32), Ok(WaitResult::Unequal));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn wait<T: Scalar>(&self, offset: u64, expected: T) -> Result<WaitResult, AccessError> {
        T::Word::wait(&self.0, offset, expected.to_word(), None)
    }

    /// As [`wait`](Self::wait), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Buffer, WaitResult};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     use std::time::Duration;
    ///
    ///     let counts = Buffer::open("counts").unwrap();
    ///     let waited = counts.wait_timeout(0, 0_u32, Duration::from_secs(1));
    ///     assert_eq!(waited, Ok(WaitResult::TimedOut));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn wait_timeout<T: Scalar>(
        &self,
        offset: u64,
        expected: T,
        timeout: Duration,
    ) -> Result<WaitResult, AccessError> {
        T::Word::wait(&self.0, offset, expected.to_word(), Some(timeout))
    }

    /// Wakes at most `count` of those who wait for this offset, the longest waiting first, and returns how many.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("counts", [0; 16]).within(|| {
    ///     let counts = Buffer::open("counts").unwrap();
    ///     counts.fetch_add(0, 1_u32).unwrap();
    ///     assert_eq!(counts.notify(0, u32::MAX), Ok(0), "nobody waits here");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the offset does not lie within the buffer or is not a multiple of 4, or the grant is read-only.
    pub fn notify(&self, offset: u64, count: u32) -> Result<u32, AccessError> {
        self.0.notify(offset, count)
    }
}

/// A range without open ends. It may still be reversed, or reach too far.
fn bounds(range: impl RangeBounds<u64>, length: u64) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => length,
    };
    start..end
}
