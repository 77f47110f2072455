//! The allocator of programs that serve as a pool's processes: the system's, which says why it ends a worker that has no
//! memory left. Without it such a worker is just lost, and its item is run again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit;
use crate::sys::process::exit_now;

/// Set in a locked worker: where memory that is refused ends the process.
static IN_WORKER: AtomicBool = AtomicBool::new(false);

/// From now on, this process ends when it is refused memory.
pub(super) fn end_without_memory() {
    IN_WORKER.store(true, Ordering::Relaxed);
}

/// The system's allocator; in a worker, one that ends the process when it is refused memory, so that the host can tell
/// the memory limit from a lost worker.
///
/// The program `wasmpool` uses it. A program that serves as its own workers (see
/// [`enter_if_asked`](super::enter_if_asked)) may:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: wasmpool::worker::Allocator = wasmpool::worker::Allocator;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator;

fn checked(memory: *mut u8) -> *mut u8 {
    if memory.is_null() && IN_WORKER.load(Ordering::Relaxed) {
        exit_now(exit::NO_MEMORY);
    }
    memory
}

// SAFETY: every call is the system allocator's own, with the same arguments; a result is returned as it is, or the
// process ends.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        checked(unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        checked(unsafe { System.realloc(memory, layout, bytes) })
    }
}
