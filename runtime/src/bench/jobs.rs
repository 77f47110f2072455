//! Round trips of one item, and maps of many.

use std::time::Instant;

use super::lab::{Lab, Missing, expect};
use super::report::processors;
use crate::mode::Isolation;
use crate::pool::{ChunkSize, JobOptions, Pool};

/// Pools of one worker, by their isolation.
pub(super) const SHARED: (&str, Isolation) = ("one worker", Isolation::Shared);
pub(super) const THREAD: (&str, Isolation) = ("one thread", Isolation::Thread);
pub(super) const INSTANCE: (&str, Isolation) = ("one worker, instances", Isolation::Instance);
pub(super) const PROCESS: (&str, Isolation) = ("one worker, processes", Isolation::Process);

/// How many items go together.
#[derive(Clone, Copy)]
pub(super) enum Chunks {
    One,
    Auto,
}

/// Items of the job whose items are not alike, steps of each, and steps of the one in their middle.
const SKEWED: usize = 1000;
const SHORT: i64 = 50_000;
const LONG: i64 = 100 * SHORT;

impl Lab {
    pub(super) fn apply(
        &mut self,
        (name, isolation): (&'static str, Isolation),
        n: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), Missing> {
        let pool = self.pool(name, || Pool::builder().workers(1).isolation(isolation))?;
        for i in 0..n as i64 {
            let start = Instant::now();
            let square: i64 = pool.apply("square", i)?;
            out.push(start.elapsed().as_nanos() as f64);
            expect(square, i * i)?;
        }
        Ok(())
    }

    pub(super) fn map_squares(
        &mut self,
        chunks: Chunks,
        n: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), Missing> {
        let items = if self.quick { 5_000 } else { 100_000 };
        let pool = self.pool("all workers", Pool::builder)?;
        for _ in 0..n {
            out.push(squares(pool, chunks, items)?);
        }
        Ok(())
    }

    pub(super) fn map_processes(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let processes = || Pool::builder().isolation(Isolation::Process);
        let pool = self.pool("all workers, processes", processes)?;
        for _ in 0..n {
            out.push(squares(pool, Chunks::Auto, 100)?);
        }
        Ok(())
    }

    /// What it would take if it could be shared out without a rest.
    pub(super) fn skewed_alone(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let workers = skewed_workers();
        let pool = self.pool(SHARED.0, || Pool::builder().workers(1))?;
        for _ in 0..n {
            out.push(skewed(pool)? / f64::from(workers));
        }
        Ok(())
    }

    pub(super) fn skewed(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let several = || Pool::builder().workers(skewed_workers());
        let pool = self.pool("some workers", several)?;
        for _ in 0..n {
            out.push(skewed(pool)?);
        }
        Ok(())
    }
}

/// Nanoseconds of an item of a map.
pub(super) fn squares(pool: &Pool, chunks: Chunks, items: i64) -> Result<f64, Missing> {
    let options = JobOptions {
        chunk_size: match chunks {
            Chunks::One => ChunkSize::Items(1),
            Chunks::Auto => ChunkSize::Auto,
        },
        ..JobOptions::default()
    };
    let start = Instant::now();
    let (mut count, mut sum) = (0, 0_i64);
    for result in pool.imap_with("square", 0..items, options)? {
        let square: i64 = result?;
        sum = sum.wrapping_add(square);
        count += 1;
    }
    let took = start.elapsed().as_nanos() as f64;
    expect(count, items)?;
    expect(sum, (items - 1) * items * (2 * items - 1) / 6)?;
    Ok(took / items as f64)
}

/// As many as keep the long item from being what decides.
fn skewed_workers() -> u32 {
    processors().min(8) as u32
}

/// Nanoseconds of the job whose items are not alike.
fn skewed(pool: &Pool) -> Result<f64, Missing> {
    let steps = |i| if i == SKEWED / 2 { LONG } else { SHORT };
    let start = Instant::now();
    let sums: Vec<i64> = pool.map("sum", (0..SKEWED).map(steps))?;
    let took = start.elapsed().as_nanos() as f64;
    for (at, sum) in sums.iter().enumerate() {
        expect(*sum, steps(at) * (steps(at) + 1) / 2)?;
    }
    expect(sums.len(), SKEWED)?;
    Ok(took)
}
