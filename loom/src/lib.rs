//! The rings, the claim word and the leases of the runtime, on the model checker's atomics and memory instead of the machine's.
//!
//! `cargo test --manifest-path loom/Cargo.toml` runs the models in `tests/`: small programs of two threads, under every
//! order of their steps and every value that a relaxed load may see. Part of `cargo xtask ci`. Without any one of the
//! fences, acquires and releases in `ring`, or with a claim or a
//! lease that is not taken back in one step, a model fails.
//!
//! `ring`, `page` and `lease` are the runtime's own files, taken in by path. What they stand on is replaced: `ipc::ground` has
//! loom's atomics and a ring of 32 bytes, so that it is full after two frames; `sys::memory` has cells that notice when
//! two threads touch a byte without an order between them. Not shown here: what a hostile side may do, which the tests
//! of `pool` and the fuzz targets try, and loads and stores that are sequentially consistent beyond what fences make of
//! them, which loom takes for weaker than they are. There are none.

#[path = "../../runtime/src/ids.rs"]
pub mod ids;

/// What of `ipc` has no lock.
#[path = "../../runtime/src/ipc"]
pub mod ipc {
    /// What the model stands on.
    pub mod ground {
        pub use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

        /// Bytes of each ring: two of the largest frames, and a bit.
        pub const RING_BYTES: usize = 32;
    }
    pub mod lease;
    pub mod page;
    pub mod ring;
}

/// The machine, as far as the rings need it.
pub mod sys {
    /// Memory that two sides read and write.
    pub mod memory {
        use loom::cell::UnsafeCell;

        use crate::ipc::ground::RING_BYTES;

        /// As in the runtime.
        pub const PAGE: usize = 4096;

        /// The bytes of one ring. Where two threads touch one without an order between them, and one of them writes,
        /// the model fails.
        #[derive(Debug)]
        pub struct Shared(Vec<UnsafeCell<u8>>);

        // SAFETY: loom lets one thread run at a time, and fails the model where the program needed more than that.
        unsafe impl Send for Shared {}
        // SAFETY: as above.
        unsafe impl Sync for Shared {}

        impl Default for Shared {
            fn default() -> Self {
                Shared((0..RING_BYTES).map(|_| UnsafeCell::new(0)).collect())
            }
        }

        impl Shared {
            /// Copies `from` to `offset`.
            pub fn write(&self, offset: usize, from: &[u8]) {
                for (cell, byte) in self.0[offset..][..from.len()].iter().zip(from) {
                    // SAFETY: the pointer is valid in the closure, and loom watches who else has one.
                    cell.with_mut(|at| unsafe { *at = *byte });
                }
            }

            /// The byte at `offset`.
            pub fn byte(&self, offset: usize) -> u8 {
                // SAFETY: as above.
                self.0[offset].with(|at| unsafe { *at })
            }

            /// Appends `len` bytes from `offset` to `to`.
            pub fn read(&self, offset: usize, len: usize, to: &mut Vec<u8>) {
                to.extend((offset..offset + len).map(|at| self.byte(at)));
            }
        }
    }
}
