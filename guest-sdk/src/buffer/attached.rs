//! A part of a buffer in the task's own memory.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

use super::cells::Cells;
use super::{Access, AttachError, Buffer, Element};
use crate::host;

/// A part of a buffer in the task's own memory, as bytes.
///
/// ```
/// use wasmpool_guest::buffer::{Attached, Buffer};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().buffer("page", b"to be or not").within(|| {
///     fn spaces(text: &Attached<'_>) -> usize {
///         text.iter().filter(|byte| *byte == b' ').count()
///     }
///     let page = Buffer::open("page").unwrap();
///     assert_eq!(spaces(&page.attach(..).unwrap()), 3);
/// });
/// ```
pub type Attached<'a> = AttachedSlice<'a, u8>;

/// A part of a buffer in the task's own memory, as a slice of numbers. Dropping it detaches.
///
/// Others may read and write the same memory at the same time, so this is a slice of cells: numbers are read and
/// written by value, each as a whole, and what is read is a number that was written at some time. To agree on more than
/// that, use a lock, or whatever else tells that somebody is done. Reading and writing here is a plain load or store,
/// with no call of the host. There are no atomic additions and the like: those of [`Buffer`] and
/// [`Array`](super::Array) work on the same memory.
///
/// ```
/// use wasmpool_guest::buffer::Array;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().array("pixels", &[1_u16, 2, 3, 4]).within(|| {
///     let pixels = Array::<u16>::open("pixels").unwrap();
///     let row = pixels.attach_range(1..3).unwrap();
///     for index in 0..row.len() {
///         row.set(index, 10 * row.get(index));
///     }
///     assert_eq!(row.iter().sum::<u16>(), 50);
///     assert_eq!(pixels.read_all().unwrap(), [1, 20, 30, 4]);
/// });
/// ```
///
/// # The compiler's own loops
///
/// Since every number is read as a whole and once, the compiler does not join several reads into a wide one: a sum of
/// bytes reads byte by byte. Where nobody writes meanwhile, [`as_slice`](Self::as_slice) gives an ordinary slice, with
/// all that the compiler can do for one. It cannot be known from the grant alone: a buffer that was granted here for
/// reading may be granted to others for writing, and the host may write it.
pub struct AttachedSlice<'a, T: Element> {
    cells: Cells<T>,
    writable: bool,
    /// Detaches when it is dropped. None if there is nothing to detach, since the slice is empty.
    _attachment: Option<host::Attachment<'a>>,
    _buffer: PhantomData<&'a Buffer>,
}

impl<'a, T: Element> AttachedSlice<'a, T> {
    /// Attaches a range of a buffer of this length, both in bytes. The range's ends are multiples of the size of `T`.
    pub(super) fn new(
        buffer: &'a Buffer,
        length: u64,
        range: Range<u64>,
    ) -> Result<Self, AttachError> {
        if range.start > range.end || range.end > length {
            return Err(AttachError::OutOfBounds { length });
        }
        let writable = buffer.access() == Access::ReadWrite;
        if range.is_empty() {
            return Ok(AttachedSlice {
                // SAFETY: there are no elements.
                cells: unsafe { Cells::new(NonNull::dangling(), 0) },
                writable,
                _attachment: None,
                _buffer: PhantomData,
            });
        }
        // Whole pages are attached, from the one that the range begins in.
        let page = u64::from(host::page_size());
        let before = range.start % page;
        let bytes = (range.end - range.start + before).next_multiple_of(page);
        let bytes_here = usize::try_from(bytes).map_err(|_| AttachError::OutOfMemory { bytes })?;
        let attachment = buffer.0.attach(range.start - before, bytes_here)?;
        // SAFETY: `before` is less than a page, and the attachment has at least one.
        let start = unsafe { attachment.start().add(before as usize) };
        let elements = (range.end - range.start) as usize / size_of::<T>();
        Ok(AttachedSlice {
            // SAFETY: the attachment, which lives as long as this, covers the range. It begins at a page and the range
            // at a multiple of the element's size: the elements are aligned. Whoever else touches them is another
            // process, the host, or another attachment, which does so in the same way. `writable` guards all writes.
            cells: unsafe { Cells::new(start.cast(), elements) },
            writable,
            _attachment: Some(attachment),
            _buffer: PhantomData,
        })
    }

    /// How many numbers there are.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     assert_eq!(row.len(), 3);
    /// });
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     assert!(!row.is_empty());
    /// });
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at a place.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     assert_eq!(row.get(1), 2);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    #[track_caller]
    pub fn get(&self, index: usize) -> T {
        self.cells.get(index)
    }

    /// Replaces the number at a place.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     row.set(1, 20);
    ///     assert_eq!(row.get(1), 20);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If there are not so many, or the buffer was granted for reading only.
    #[inline]
    #[track_caller]
    pub fn set(&self, index: usize, value: T) {
        self.check_writable();
        self.cells.set(index, value);
    }

    #[inline]
    #[track_caller]
    fn check_writable(&self) {
        assert!(self.writable, "the buffer was granted for reading only");
    }

    /// The numbers, in order, each read when its turn comes.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     assert!(row.iter().rev().eq([3, 2, 1]));
    /// });
    /// ```
    #[inline]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            cells: &self.cells,
            rest: 0..self.len(),
        }
    }

    /// Copies all numbers out.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     let mut own = [0; 3];
    ///     row.copy_to_slice(&mut own);
    ///     assert_eq!(own, [1, 2, 3]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the slice has another length.
    #[track_caller]
    pub fn copy_to_slice(&self, to: &mut [T]) {
        self.cells.copy_to_slice(to);
    }

    /// Copies all numbers in.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     row.copy_from_slice(&[7, 8, 9]);
    ///     assert_eq!(row.get(2), 9);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the slice has another length, or the buffer was granted for reading only.
    #[track_caller]
    pub fn copy_from_slice(&self, from: &[T]) {
        self.check_writable();
        self.cells.copy_from_slice(from);
    }

    /// Replaces every number.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     row.fill(5);
    ///     assert!(row.iter().all(|number| number == 5));
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the buffer was granted for reading only.
    #[track_caller]
    pub fn fill(&self, value: T) {
        self.check_writable();
        for index in 0..self.len() {
            self.cells.set(index, value);
        }
    }

    /// Where the first number is. A store through this when the buffer was granted for reading only is a trap.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     // For code in C, which is linked to the task.
    ///     let first = row.as_ptr();
    ///     assert!(first.is_aligned());
    /// });
    /// ```
    pub fn as_ptr(&self) -> *mut T {
        self.cells.start().as_ptr()
    }

    /// The numbers as an ordinary slice, in place.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let row = row.attach().unwrap();
    ///     // SAFETY: in this test nobody writes.
    ///     let numbers = unsafe { row.as_slice() };
    ///     assert_eq!(numbers.iter().max(), Some(&3));
    /// });
    /// ```
    ///
    /// # Safety
    ///
    /// As long as the slice is used, nobody writes to this part of the buffer: no other worker, not the host, and not
    /// this task through another attachment or another handle.
    pub unsafe fn as_slice(&self) -> &[T] {
        // SAFETY: the cells are valid for reads, and the caller promises that nobody writes.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len()) }
    }

    /// The numbers as an ordinary slice to be written, in place.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("row", &[3_u32, 1, 2]).within(|| {
    ///     let row = Array::<u32>::open("row").unwrap();
    ///     let mut attached = row.attach().unwrap();
    ///     // SAFETY: in this test nobody else reads or writes.
    ///     unsafe { attached.as_mut_slice() }.sort();
    ///     drop(attached);
    ///     assert_eq!(row.read_all().unwrap(), [1, 2, 3]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the buffer was granted for reading only.
    ///
    /// # Safety
    ///
    /// As long as the slice is used, nobody else reads or writes this part of the buffer: no other worker, not the
    /// host, and not this task through another attachment or another handle.
    #[track_caller]
    pub unsafe fn as_mut_slice(&mut self) -> &mut [T] {
        self.check_writable();
        // SAFETY: the cells are valid for writes, since the grant is, and the caller promises that nobody else touches
        // them.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len()) }
    }
}

impl<T: Element> fmt::Debug for AttachedSlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttachedSlice").field(&self.cells).finish()
    }
}

impl<'s, T: Element> IntoIterator for &'s AttachedSlice<'_, T> {
    type Item = T;
    type IntoIter = Iter<'s, T>;

    fn into_iter(self) -> Iter<'s, T> {
        self.iter()
    }
}

/// The numbers of an [`AttachedSlice`].
///
/// ```
/// use wasmpool_guest::buffer::Array;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().array("row", &[1_u32, 2, 3]).within(|| {
///     let row = Array::<u32>::open("row").unwrap();
///     let row = row.attach().unwrap();
///     let mut numbers = row.iter();
///     assert_eq!((numbers.len(), numbers.next()), (3, Some(1)));
/// });
/// ```
#[derive(Debug)]
pub struct Iter<'a, T> {
    cells: &'a Cells<T>,
    rest: Range<usize>,
}

impl<T: Element> Iterator for Iter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.rest.next().map(|index| self.cells.get(index))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<T> {
        self.rest.nth(n).map(|index| self.cells.get(index))
    }

    #[inline]
    fn fold<A, F: FnMut(A, T) -> A>(self, initial: A, mut f: F) -> A {
        let cells = self.cells;
        self.rest
            .fold(initial, |sum, index| f(sum, cells.get(index)))
    }
}

impl<T: Element> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        self.rest.next_back().map(|index| self.cells.get(index))
    }
}

impl<T: Element> ExactSizeIterator for Iter<'_, T> {}
