//! Many shared numbers.

use std::marker::PhantomData;
use std::ops::RangeBounds;

use super::element::{bytes_of, bytes_of_mut};
use super::{Access, AccessError, AttachError, AttachedSlice, Buffer, Element, Scalar, bounds};
use crate::OpenError;

/// Many numbers of one type that are shared: a buffer whose length is a multiple of theirs. Places are counted in
/// numbers, from 0.
///
/// ```
/// use wasmpool_guest::buffer::Array;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().array("histogram", &[0_u64; 4]).within(|| {
///     let histogram = Array::<u64>::open("histogram").unwrap();
///     for place in [1, 3, 3] {
///         histogram.fetch_add(place, 1).unwrap();
///     }
///     assert_eq!(histogram.read_all().unwrap(), [0, 1, 0, 2]);
/// });
/// ```
#[derive(Debug)]
pub struct Array<T> {
    buffer: Buffer,
    bytes: u64,
    numbers: PhantomData<T>,
}

impl<T: Element> Array<T> {
    const SIZE: u64 = size_of::<T>() as u64;

    /// Opens a granted buffer as numbers.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.len(), 3);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no buffer of this name was granted, its length is no multiple of the number's, or too many handles are
    /// open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        let (buffer, bytes) = Buffer::open_sized(name, size_of::<T>(), |length, size| {
            length.is_multiple_of(size)
        })?;
        Ok(Array {
            buffer,
            bytes,
            numbers: PhantomData,
        })
    }

    /// How many numbers there are. That never changes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.len(), 3);
    /// });
    /// ```
    pub fn len(&self) -> u64 {
        self.bytes / Self::SIZE
    }

    /// Whether there are none.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert!(!data.is_empty());
    /// });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// What the grant allows.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Access, Array};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.access(), Access::ReadWrite);
    /// });
    /// ```
    pub fn access(&self) -> Access {
        self.buffer.access()
    }

    /// The number at a place; atomic if it has 4 or 8 bytes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.get(2), Ok(4.0));
    ///     assert!(data.get(3).is_err());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not so many.
    pub fn get(&self, index: u64) -> Result<T, AccessError> {
        T::read(&self.buffer, self.offset(index)?)
    }

    /// Replaces the number at a place; atomic if it has 4 or 8 bytes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     data.set(0, -1.0).unwrap();
    ///     assert_eq!(data.get(0), Ok(-1.0));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not so many, or the grant is read-only.
    pub fn set(&self, index: u64, value: T) -> Result<(), AccessError> {
        T::write(&self.buffer, self.offset(index)?, value)
    }

    /// Where a number is in the buffer, or would be.
    fn offset(&self, index: u64) -> Result<u64, AccessError> {
        index
            .checked_mul(Self::SIZE)
            .ok_or(AccessError::OutOfBounds { length: self.bytes })
    }

    /// A copy of all numbers, which is not atomic.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.read_all().unwrap(), [1.5, 2.5, 4.0]);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are more than memory can hold.
    pub fn read_all(&self) -> Result<Vec<T>, AccessError> {
        let length = usize::try_from(self.len()).map_err(|_| AccessError::TooLarge {
            limit: usize::MAX as u64,
        })?;
        let mut numbers = vec![T::default(); length];
        self.read_into(0, &mut numbers)?;
        Ok(numbers)
    }

    /// Copies numbers out, from the one at `first`, as many as `numbers` holds. Not atomic.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     let mut last = [0.0; 2];
    ///     data.read_into(1, &mut last).unwrap();
    ///     assert_eq!(last, [2.5, 4.0]);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not so many; then `numbers` is as it was.
    pub fn read_into(&self, first: u64, numbers: &mut [T]) -> Result<(), AccessError> {
        self.buffer.read(self.offset(first)?, bytes_of_mut(numbers))
    }

    /// Copies numbers in, the first to the place `first`. Not atomic.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     data.write_from(1, &[0.0, 0.5]).unwrap();
    ///     assert_eq!(data.read_all().unwrap(), [1.5, 0.0, 0.5]);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not so many, or the grant is read-only; then nothing is changed.
    pub fn write_from(&self, first: u64, numbers: &[T]) -> Result<(), AccessError> {
        self.buffer.write(self.offset(first)?, bytes_of(numbers))
    }

    /// Makes all numbers appear in the task's own memory: see [`Buffer::attach`].
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.attach().unwrap().iter().sum::<f64>(), 8.0);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As of `Buffer::attach`.
    pub fn attach(&self) -> Result<AttachedSlice<'_, T>, AttachError> {
        self.attach_range(..)
    }

    /// Makes the numbers in a range of places appear in the task's own memory: see [`Buffer::attach`].
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.attach_range(1..).unwrap().iter().sum::<f64>(), 6.5);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As of `Buffer::attach`.
    pub fn attach_range(
        &self,
        range: impl RangeBounds<u64>,
    ) -> Result<AttachedSlice<'_, T>, AttachError> {
        let range = bounds(range, self.len());
        let bytes = range.start.saturating_mul(Self::SIZE)..range.end.saturating_mul(Self::SIZE);
        AttachedSlice::new(&self.buffer, self.bytes, bytes)
    }

    /// The buffer that holds the numbers.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     // In bytes, not in numbers.
    ///     assert_eq!(data.as_buffer().len(), 24);
    /// });
    /// ```
    pub fn as_buffer(&self) -> &Buffer {
        &self.buffer
    }
}

impl<T: Scalar> Array<T> {
    /// Adds to the number at a place, atomically, integers wrapping around. Returns the old one.
    ///
    /// For more atomic operations, and to wait, use [`as_buffer`](Self::as_buffer).
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1.5_f64, 2.5, 4.0]).within(|| {
    ///     let data = Array::<f64>::open("data").unwrap();
    ///     assert_eq!(data.fetch_add(0, 0.5), Ok(1.5));
    ///     assert_eq!(data.get(0), Ok(2.0));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When there are not so many, or the grant is read-only.
    pub fn fetch_add(&self, index: u64, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_add(self.offset(index)?, operand)
    }
}
