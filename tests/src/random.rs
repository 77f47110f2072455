//! Numbers that look random and can be had again.

use std::time::SystemTime;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers in every run, or those of `WASMPOOL_TEST_SEED`. Prints the seed.
    pub fn fixed(test: &str) -> Self {
        Self::announced(test, 1)
    }

    /// Other numbers in every run, or those of `WASMPOOL_TEST_SEED`. Prints the seed.
    pub fn fresh(test: &str) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::announced(
            test,
            now.map_or(1, |t| u64::from(t.subsec_nanos()) ^ t.as_secs()),
        )
    }

    fn announced(test: &str, default: u64) -> Self {
        let seed = match std::env::var("WASMPOOL_TEST_SEED") {
            Ok(text) => text.parse().expect("WASMPOOL_TEST_SEED is a number"),
            Err(_) => default,
        };
        println!("{test}: WASMPOOL_TEST_SEED={seed}");
        Random(seed)
    }

    /// Other numbers for each part of a test, under the same seed.
    pub fn part(mut self, part: usize) -> Self {
        self.0 = self.0.wrapping_add(part as u64 + 1);
        Random(self.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }
}
