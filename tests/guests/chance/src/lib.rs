//! Tasks whose results depend on all that is not their item: clocks, randomness, the order of a hash map, the bits of
//! NaN, surroundings. And one that waits in a call of the host.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use wasmpool_guest::context;

#[derive(Debug, PartialEq, Serialize)]
struct Seen {
    /// Nanoseconds since 1970.
    wall: u64,
    /// Nanoseconds between two readings.
    between: u64,
    /// Nanoseconds that a sleep of a millisecond took.
    slept: u64,
    /// The hash of the item by two hashers, each with keys of its own.
    hashes: [u64; 2],
    /// The keys of a map, in its order.
    order: Vec<u32>,
    /// Bits of NaN, made of several operations and of the item.
    nans: [u64; 4],
    /// Bytes that were had one after the other.
    grown: usize,
    /// How many items this instance has seen.
    items: u64,
    worker: u32,
    index: Option<u64>,
    attempt: u32,
    time_left: Option<u64>,
    cancelled: bool,
}

/// All that a task can see besides its item.
fn look(item: i64) -> Seen {
    static ITEMS: AtomicU64 = AtomicU64::new(0);
    let start = Instant::now();
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let between = start.elapsed();
    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(1));
    let slept = before.elapsed();
    let map: HashMap<u32, ()> = (0..64).map(|key| (key, ())).collect();
    Seen {
        wall: nanos(wall.unwrap_or_default()),
        between: nanos(between),
        slept: nanos(slept),
        hashes: [
            RandomState::new().hash_one(item),
            RandomState::new().hash_one(item),
        ],
        order: map.into_keys().collect(),
        nans: nans(item as f64),
        grown: grow(item.unsigned_abs() % 8),
        items: ITEMS.fetch_add(1, Ordering::Relaxed) + 1,
        worker: context::worker_index(),
        index: context::item_index(),
        attempt: context::attempt(),
        time_left: context::time_left().map(nanos),
        cancelled: context::cancelled(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn nans(x: f64) -> [u64; 4] {
    let zero = black_box(0.0_f64);
    let payload = black_box(f64::from_bits(0xfff4_0000_0000_1234));
    [
        (zero / black_box(0.0)).to_bits(),
        (x - f64::INFINITY + f64::INFINITY).to_bits(),
        (payload + x).to_bits(),
        u64::from((payload as f32 * x as f32).to_bits()),
    ]
}

/// Takes so many MiB, one after the other.
fn grow(mib: u64) -> usize {
    let blocks: Vec<Vec<u8>> = (0..mib).map(|_| black_box(vec![1; 1 << 20])).collect();
    blocks.iter().map(Vec::len).sum()
}

/// Sleeps so many seconds. Returns how many have passed.
fn nap(seconds: u64) -> u64 {
    let before = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    before.elapsed().as_secs()
}

wasmpool_guest::tasks! {
    /// All that a task can see besides its item.
    look,
    /// Sleeps so many seconds.
    nap,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nan_is_one() {
        let [a, b, c, d] = nans(2.5);
        assert!(
            [a, b, c]
                .into_iter()
                .all(|bits| f64::from_bits(bits).is_nan())
        );
        assert!(f32::from_bits(d as u32).is_nan());
    }

    #[test]
    fn what_is_asked_for_is_had() {
        assert_eq!(grow(3), 3 << 20);
        assert_eq!(nap(0), 0);
    }
}
