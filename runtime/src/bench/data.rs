//! Much data in one item: by copy, and in place.

use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use super::lab::{Lab, Missing, expect};
use super::report::memory;
use crate::encoding::Encoding;
use crate::limits::{Limits, MIB};
use crate::objects::{Access, Buffer};
use crate::pool::{JobOptions, Payload, Pool};
use crate::sys::memory::{Mapping, memfd};

/// Bytes of an item that is given back.
pub(super) const LARGE: usize = 64 << 20;

/// Bytes that are summed: 1 GiB, unless the run is to be quick, or an eighth of the memory that is left is less.
pub(super) fn size(quick: bool) -> usize {
    let most = if quick { 32 << 20 } else { 1 << 30 };
    let left = usize::try_from(memory("MemAvailable:") / 8).unwrap_or(most);
    // Whole megabytes, so that halves are whole pages and whole vectors.
    let power = |bytes: usize| 1_usize << bytes.ilog2();
    most.min(power(left.max(1 << 20)))
}

impl Lab {
    pub(super) fn echo(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let limits = || Limits::new().memory(256 * MIB);
        let large = || {
            let mut limits = limits();
            limits.result_bytes = 2 * LARGE as u64;
            Pool::builder().workers(1).limits(limits)
        };
        let pool = self.pool("one worker, large results", large)?;
        let bytes: Vec<u8> = (0..LARGE).map(|i| (i >> 8) as u8).collect();
        for _ in 0..n {
            let item = bytes.clone();
            let options = JobOptions {
                input: Encoding::Raw,
                output: Encoding::Raw,
                ..JobOptions::default()
            };
            let start = Instant::now();
            let (mut feeder, mut results) = pool.stream("echo", options)?;
            feeder.push(Payload::Bytes(item));
            drop(feeder);
            let none = || Missing::Wrong("there is no outcome".to_owned());
            let outcome = results.next().ok_or_else(none)??;
            let echoed = outcome.result.map_err(|e| Missing::Wrong(e.to_string()))?;
            out.push(start.elapsed().as_nanos() as f64);
            expect(*echoed == bytes[..], true)?;
        }
        Ok(())
    }

    pub(super) fn sum(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        self.numbers()?.guests(n, out)
    }
}

/// Many numbers in a memory file, which guests have as a buffer.
pub(super) struct Numbers {
    file: File,
    bytes: usize,
    buffer: Buffer,
    sum: u64,
    pool: Option<Pool>,
}

impl Numbers {
    pub(super) fn new(bytes: usize) -> Result<Numbers, Missing> {
        let file = memfd("numbers")?;
        let (mut at, mut sum, mut next) = (0, 0_u64, 1_u64);
        let mut piece = Vec::with_capacity(1 << 20);
        while at < bytes {
            piece.clear();
            while piece.len() < (1 << 20).min(bytes - at) {
                next = next.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                sum = sum.wrapping_add(next);
                piece.extend_from_slice(&next.to_le_bytes());
            }
            file.write_all_at(&piece, at as u64)?;
            at += piece.len();
        }
        let buffer = Buffer::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        Ok(Numbers {
            file,
            bytes,
            buffer,
            sum,
            pool: None,
        })
    }

    /// By two threads, mapped for this sum alone.
    pub(super) fn native(&self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        for _ in 0..n {
            let start = Instant::now();
            let mapping = Mapping::read_only(&self.file, self.bytes)?;
            let sum = sum_by_two(&mapping);
            drop(mapping);
            out.push(start.elapsed().as_nanos() as f64);
            expect(sum, self.sum)?;
        }
        Ok(())
    }

    /// By two workers, each of which attaches its half for this sum alone.
    fn guests(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let half = (self.bytes / 2) as u64;
        let pool = match &mut self.pool {
            Some(pool) => pool,
            none => {
                let limits = Limits::new()
                    .timeout(Duration::from_secs(60))
                    .memory(half.next_multiple_of(MIB) + MIB);
                let pool = Pool::builder()
                    .workers(2)
                    .limits(limits)
                    .buffer("numbers", &self.buffer, Access::ReadOnly)
                    .open_bytes(include_bytes!("sum.wat"))?;
                // A megabyte each, so that both are there.
                pool.map::<_, u64>("sum", [(0_u64, 1_u32 << 20); 4])?;
                none.insert(pool)
            }
        };
        for _ in 0..n {
            let start = Instant::now();
            let first = pool.submit::<_, u64>("sum", (0_u64, half))?;
            let second = pool.submit::<_, u64>("sum", (half, half))?;
            let sum = first.wait()?.wrapping_add(second.wait()?);
            out.push(start.elapsed().as_nanos() as f64);
            expect(sum, self.sum)?;
        }
        Ok(())
    }
}

fn sum_by_two(bytes: &[u8]) -> u64 {
    let (a, b) = bytes.split_at(bytes.len() / 2);
    thread::scope(|scope| {
        let a = scope.spawn(|| sum(black_box(a)));
        let b = sum(black_box(b));
        // A sum does not panic; if it did, this one would be wrong.
        a.join().unwrap_or(0).wrapping_add(b)
    })
}

fn sum(bytes: &[u8]) -> u64 {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().fold(0, |sum, number| {
        sum.wrapping_add(u64::from_le_bytes(*number))
    })
}
