//! Counts what a decoder takes of memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a count a thread.
struct Counting;

thread_local! {
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn take(bytes: usize) {
    // A thread that ends has no count any more.
    let _ = USED.try_with(|used| {
        used.set(used.get().saturating_add(bytes));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(used.get())));
    });
}

fn give(bytes: usize) {
    let _ = USED.try_with(|used| used.set(used.get().saturating_sub(bytes)));
}

// SAFETY: every call is the system allocator's own, with the caller's arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while the bytes are moved.
        take(size);
        give(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs something, and checks that it had at most `fixed + factor * input` bytes more than before at any time.
pub fn bounded<T>(input: &[u8], factor: usize, fixed: usize, run: impl FnOnce() -> T) -> T {
    let before = USED.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let value = run();
    let took = PEAK.with(Cell::get).saturating_sub(before);
    let bound = fixed + factor * input.len();
    assert!(
        took <= bound,
        "{took} bytes of memory for an input of {}, more than {bound}",
        input.len()
    );
    value
}
