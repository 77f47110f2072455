//! How late a deadline is kept while every processor is busy, and what it costs to be asked where one is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wasmpool::failure::FailureKind;
use wasmpool::limits::Limits;
use wasmpool::pool::{Error, Pool, PoolBuilder};

/// The time limit of an item that never ends.
pub const LIMIT: Duration = Duration::from_millis(50);
/// Steps of the tight loop: a few milliseconds.
const STEPS: i64 = 10_000_000;

/// What a pool whose items are late is opened with.
pub fn builder() -> PoolBuilder {
    Pool::builder()
        .workers(1)
        .limits(Limits::new().timeout(LIMIT))
}

/// Keeps every processor busy as long as it lives.
struct Load<'a>(&'a AtomicBool);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// From the deadline of an item that never ends to its failure in the hands of who waits for it. Counted from the
/// submission: what the item took to be started, under this load, is in it.
pub fn overshoot(pool: &Pool, n: usize, out: &mut Vec<f64>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _load = Load(&over);
        for _ in 0..n {
            // The worker that replaces the last one is ready.
            let square: i64 = pool
                .apply("square", 3_i64)
                .expect("an item without a fault");
            assert_eq!(square, 9);
            let start = Instant::now();
            let late = pool
                .submit::<_, i64>("spin", 0_i64)
                .expect("the pool takes jobs");
            match late.wait() {
                Err(Error::Item { failure, .. }) if failure.kind == FailureKind::Timeout => {}
                other => panic!("{other:?}"),
            }
            out.push((start.elapsed().as_secs_f64() - LIMIT.as_secs_f64()) * 1e9);
        }
    });
}

/// A tight loop of the guest.
pub fn tight_loop(pool: &Pool, n: usize, out: &mut Vec<f64>) {
    for _ in 0..n {
        let start = Instant::now();
        let sum: i64 = pool.apply("sum", STEPS).expect("an item without a fault");
        out.push(start.elapsed().as_nanos() as f64);
        assert_eq!(sum, STEPS * (STEPS + 1) / 2);
    }
}
