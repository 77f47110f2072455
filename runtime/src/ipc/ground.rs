//! What the protocols in shared memory stand on: the processor's atomics, and how large a ring is. `ring`, `page` and `lease` name
//! nothing else of the machine but the memory itself, so that the model checker in `loom/` can put its own in this place.

pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Bytes of each ring. A power of two.
pub const RING_BYTES: usize = 256 << 10;
