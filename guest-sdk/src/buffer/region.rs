//! Regions of the task's own memory in which buffers appear: aligned to pages, used for nothing else, and kept for the
//! next use when they are given back.
//!
//! They are kept since a large hole would soon have something small in its middle, and the next large region would need
//! to grow a memory that has a limit.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::ptr::NonNull;

/// How many regions are kept.
const KEPT: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

/// Memory from the allocator. Its content is nobody's: it may be uninitialised, and is touched only where a buffer is
/// attached to it.
#[derive(Debug)]
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    fn allocate(layout: Layout) -> Option<Self> {
        // SAFETY: the layout is not empty: `Region::take` sees to it.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        Some(Memory { start, layout })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// A region. Dropping it gives it back; one that must never be used again is forgotten.
#[derive(Debug)]
pub struct Region {
    /// Taken when it is dropped.
    memory: Option<Memory>,
    start: NonNull<u8>,
}

impl Region {
    /// A region of at least `length` bytes at a multiple of `page`, a power of two. None if the memory is at its end.
    pub fn take(length: usize, page: usize) -> Option<Self> {
        let layout = Layout::from_size_align(length.max(1), page).ok()?;
        let memory = take_kept(layout)
            .or_else(|| Memory::allocate(layout))
            .or_else(|| {
                FREE.take();
                Memory::allocate(layout)
            })?;
        Some(Region {
            start: memory.start,
            memory: Some(memory),
        })
    }

    /// Where it begins.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

/// The smallest kept region that is large enough, and not so large that it should wait for somebody who needs it.
fn take_kept(layout: Layout) -> Option<Memory> {
    let fits = |memory: &Memory| {
        memory.layout.align() >= layout.align()
            && memory.layout.size() >= layout.size()
            && memory.layout.size() / 2 <= layout.size()
    };
    FREE.with_borrow_mut(|free| {
        let (index, _) = free
            .iter()
            .enumerate()
            .filter(|(_, memory)| fits(memory))
            .min_by_key(|(_, memory)| memory.layout.size())?;
        Some(free.swap_remove(index))
    })
}

impl Drop for Region {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else {
            return;
        };
        // At the end of a thread there may be nowhere to keep it: then it is freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            free.push(memory);
            if free.len() > KEPT {
                let smallest = (0..free.len()).min_by_key(|index| free[*index].layout.size());
                smallest.map(|index| free.swap_remove(index))
            } else {
                None
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn take(pages: usize) -> Region {
        Region::take(pages * PAGE, PAGE).unwrap()
    }

    fn kept_pages() -> Vec<usize> {
        let mut pages: Vec<usize> =
            FREE.with_borrow(|free| free.iter().map(|m| m.layout.size() / PAGE).collect());
        pages.sort_unstable();
        pages
    }

    #[test]
    fn regions_are_aligned_and_apart() {
        for page in [PAGE, 65536] {
            let regions: Vec<Region> = (1..4)
                .map(|n| Region::take(n * page, page).unwrap())
                .collect();
            let mut starts: Vec<usize> =
                regions.iter().map(|r| r.start().as_ptr().addr()).collect();
            assert!(starts.iter().all(|start| start % page == 0));
            starts.dedup();
            assert_eq!(starts.len(), 3);
        }
    }

    #[test]
    fn a_region_is_used_again_for_what_is_about_as_large() {
        let first = take(8);
        let start = first.start();
        drop(first);
        assert_eq!(kept_pages(), [8]);
        // Too small a use for it, and too large a one.
        let (small, large) = (take(3), take(9));
        assert_ne!(small.start(), start);
        assert_ne!(large.start(), start);
        let again = take(5);
        assert_eq!(again.start(), start);
        assert_eq!(kept_pages(), [0_usize; 0]);
    }

    #[test]
    fn the_largest_are_kept() {
        let regions: Vec<Region> = [5, 1, 4, 2, 3, 6].into_iter().map(take).collect();
        drop(regions);
        assert_eq!(kept_pages(), [3, 4, 5, 6]);
    }

    #[test]
    fn what_no_memory_holds_is_refused() {
        assert!(Region::take(usize::MAX, PAGE).is_none());
        assert!(Region::take(1 << 62, PAGE).is_none());
        assert!(Region::take(1, 3).is_none());
    }
}
