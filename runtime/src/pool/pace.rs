//! How many items to send together, measured while a job runs. Pure.

use super::options::ChunkSize;

/// What a chunk is meant to take, in nanoseconds: long enough to make its cost small, short enough for results to flow
/// and for deadlines, progress and the other workers.
const TARGET: u64 = 1_000_000;
/// From here on, a second chunk is not queued behind a running one: it would wait longer than it costs to send.
const LONG: u64 = 10_000_000;
/// What waking a worker takes, and more: what wakes one should take that long.
const WAKING: u64 = 50_000;
/// Items in an automatic chunk, at most.
const MOST: u32 = 4096;
/// Chunks under way at one worker, at most.
const DEEPEST: u32 = 128;

/// A job's pace.
#[derive(Debug)]
pub struct Pace {
    fixed: Option<u32>,
    chunk: u32,
    nanos_per_item: Option<u64>,
}

impl Pace {
    /// Nothing measured yet: automatic chunks start with one item.
    pub fn new(size: ChunkSize) -> Pace {
        let fixed = match size {
            ChunkSize::Auto => None,
            ChunkSize::Items(n) => Some(n.clamp(1, crate::ipc::frame::MAX_CHUNK as u32)),
        };
        Pace {
            fixed,
            chunk: 1,
            nanos_per_item: None,
        }
    }

    /// A chunk of `items` took `nanos`.
    pub fn measured(&mut self, items: u32, nanos: u64) {
        let new = nanos / u64::from(items.max(1));
        let mean = match self.nanos_per_item {
            // A slow item among fast ones counts at once, a fast one among slow ones by and by.
            Some(old) if new < old => old - (old - new) / 4,
            Some(old) => old + (new - old) / 2,
            None => new,
        };
        self.nanos_per_item = Some(mean);
        let wanted = u32::try_from(TARGET / mean.max(1)).unwrap_or(MOST);
        self.chunk = wanted
            .clamp((self.chunk / 2).max(1), self.chunk.saturating_mul(2))
            .min(MOST);
    }

    /// Items to send together now.
    pub fn chunk(&self) -> u32 {
        self.fixed.unwrap_or(self.chunk)
    }

    /// Items that are worth waking a worker for; more than a chunk never.
    pub fn worth_waking(&self) -> usize {
        let worth = self.nanos_per_item.map_or(1, |mean| WAKING / mean.max(1));
        usize::try_from(worth).map_or(1, |worth| worth.clamp(1, self.chunk() as usize))
    }

    /// Chunks to have under way at one worker.
    pub fn depth(&self) -> u32 {
        let Some(mean) = self.nanos_per_item else {
            return 1;
        };
        let chunk = mean.saturating_mul(u64::from(self.chunk())).max(1);
        if chunk >= LONG {
            return 1;
        }
        u32::try_from(TARGET / chunk)
            .unwrap_or(DEEPEST)
            .saturating_add(1)
            .clamp(2, DEEPEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_while_items_are_fast_and_shrink_at_once() {
        let mut pace = Pace::new(ChunkSize::Auto);
        assert_eq!((pace.chunk(), pace.depth()), (1, 1));
        for _ in 0..20 {
            let n = pace.chunk();
            pace.measured(n, u64::from(n) * 1_000);
        }
        assert_eq!((pace.chunk(), pace.depth()), (1000, 2));
        assert_eq!(pace.worth_waking(), 50);
        for _ in 0..12 {
            let n = pace.chunk();
            pace.measured(n, u64::from(n) * 50_000_000);
        }
        assert_eq!((pace.chunk(), pace.depth()), (1, 1));
        assert_eq!(pace.worth_waking(), 1);
    }

    #[test]
    fn a_fixed_size_is_kept_and_made_deep() {
        let mut pace = Pace::new(ChunkSize::Items(1));
        pace.measured(1, 10_000);
        assert_eq!(
            (pace.chunk(), pace.depth(), pace.worth_waking()),
            (1, 101, 1)
        );
        assert_eq!(Pace::new(ChunkSize::Items(0)).chunk(), 1);
    }
}
