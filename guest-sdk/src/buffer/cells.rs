//! Memory that others may read and write at any time, in other processes even: the only place that touches it.
//!
//! Each access is one relaxed atomic operation, so that a race has a defined outcome: some number that was there. A
//! reference to such memory is never made here. In WebAssembly without threads, and on x86-64, these are plain loads
//! and stores; all that the compiler may not do with them is to make wider ones of several.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::NonNull;

use super::element::Element;

/// So many numbers in memory that others may touch.
pub struct Cells<T> {
    start: NonNull<T>,
    length: usize,
}

/// Copies move words of this type where they can.
type Wide = u64;

impl<T: Element> Cells<T> {
    /// # Safety
    ///
    /// `start` is aligned. As long as this is used, `length` elements from there on are valid for reads and, if `set`
    /// or `copy_from_slice` are called, for writes; and whoever else touches them does so atomically, or is not this
    /// program.
    pub unsafe fn new(start: NonNull<T>, length: usize) -> Self {
        Cells { start, length }
    }

    pub fn start(&self) -> NonNull<T> {
        self.start
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    #[track_caller]
    pub fn get(&self, index: usize) -> T {
        assert!(index < self.length, "no element {index} of {}", self.length);
        // SAFETY: in bounds, and see `new`.
        unsafe { T::load(self.start.as_ptr().add(index)) }
    }

    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    #[track_caller]
    pub fn set(&self, index: usize, value: T) {
        assert!(index < self.length, "no element {index} of {}", self.length);
        // SAFETY: in bounds, and see `new`.
        unsafe { T::store(self.start.as_ptr().add(index), value) }
    }

    /// How many elements come before the first that begins a `Wide`.
    fn head(&self) -> usize {
        let offset = self.start.as_ptr().align_offset(align_of::<Wide>());
        offset.min(self.length)
    }

    /// # Panics
    ///
    /// If the lengths differ.
    #[track_caller]
    pub fn copy_to_slice(&self, to: &mut [T]) {
        assert_eq!(to.len(), self.length, "the slice has another length");
        let head = self.head();
        let (first, rest) = to.split_at_mut(head);
        let mut wide = rest.chunks_exact_mut(size_of::<Wide>() / size_of::<T>());
        let (words, per_word) = (wide.len(), size_of::<Wide>() / size_of::<T>());
        for (index, to) in first.iter_mut().enumerate() {
            *to = self.get(index);
        }
        // SAFETY: aligned by `head`, and within the elements, as many as the chunks of `rest` cover.
        let words_start = unsafe { self.start.as_ptr().add(head) }.cast::<Wide>();
        for (index, to) in wide.by_ref().enumerate() {
            // SAFETY: as above.
            let word =
                unsafe { <Wide as super::element::sealed::Element>::load(words_start.add(index)) };
            // SAFETY: `to` has the size of a word, and any bytes are elements.
            unsafe { to.as_mut_ptr().cast::<Wide>().write_unaligned(word) };
        }
        for (index, to) in wide.into_remainder().iter_mut().enumerate() {
            *to = self.get(head + words * per_word + index);
        }
    }

    /// # Panics
    ///
    /// If the lengths differ.
    #[track_caller]
    pub fn copy_from_slice(&self, from: &[T]) {
        assert_eq!(from.len(), self.length, "the slice has another length");
        let head = self.head();
        let (first, rest) = from.split_at(head);
        let per_word = size_of::<Wide>() / size_of::<T>();
        let wide = rest.chunks_exact(per_word);
        let (words, last) = (wide.len(), wide.remainder());
        for (index, from) in first.iter().enumerate() {
            self.set(index, *from);
        }
        // SAFETY: aligned by `head`, and within the elements, as many as the chunks of `rest` cover.
        let words_start = unsafe { self.start.as_ptr().add(head) }.cast::<Wide>();
        for (index, from) in wide.enumerate() {
            // SAFETY: `from` has the size of a word, and no padding.
            let word = unsafe { from.as_ptr().cast::<Wide>().read_unaligned() };
            // SAFETY: as above.
            unsafe {
                <Wide as super::element::sealed::Element>::store(words_start.add(index), word)
            };
        }
        for (index, from) in last.iter().enumerate() {
            self.set(head + words * per_word + index, *from);
        }
    }
}

impl<T> fmt::Debug for Cells<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} elements at {:?}", self.length, self.start)
    }
}
