//! Numbers that name things. Pure data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A worker's place in its pool, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotId(pub u32);

/// Which of the workers that had a place, one after the other. A late word of an earlier one is told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation(pub u32);

/// A map, or a submitted item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// The number of an item among all that one worker was ever given: what it is called between host and worker.
///
/// Wraps around; never compare two numbers of which one may be 2^31 items older.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seq(pub u32);

impl Seq {
    /// The number `n` items later.
    pub fn plus(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }

    /// How many items later than `earlier` this is; `None` if it is not later or equal.
    pub fn since(self, earlier: Seq) -> Option<u32> {
        let n = self.0.wrapping_sub(earlier.0);
        (n < 1 << 31).then_some(n)
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
