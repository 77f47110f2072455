//! Large data, in place: by guests that have it attached, and by threads of this process.

use std::fs::File;
use std::hint::black_box;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::Instant;

use wasmpool::objects::{Access, Array, Buffer};
use wasmpool::pool::{Pool, PoolBuilder};
use wasmpool::sys::memory::{Mapping, memfd};

use super::arithmetic;

/// Bytes of the items and results of all workers together that are no copies of data.
const NAMES_AND_NUMBERS: u64 = 256;

/// Many numbers in a memory file, which guests have as a buffer, and this process has mapped.
pub struct Numbers {
    file: File,
    mapping: Mapping,
    buffer: Buffer,
    sum: u64,
}

impl Numbers {
    pub fn new(bytes: usize) -> Numbers {
        let file = memfd("numbers").expect("there is memory");
        let (mut at, mut sum, mut next) = (0, 0_u64, 1_u64);
        let mut piece = Vec::with_capacity(1 << 20);
        while at < bytes {
            piece.clear();
            while piece.len() < (1 << 20).min(bytes - at) {
                next = next.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                sum = sum.wrapping_add(next);
                piece.extend_from_slice(&next.to_le_bytes());
            }
            let written = file.write_all_at(&piece, at as u64);
            written.expect("there is memory");
            at += piece.len();
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Numbers {
            mapping: Mapping::read_only(&file, bytes).expect("the file can be mapped"),
            buffer: Buffer::open(path).expect("the file can be a buffer"),
            file,
            sum,
        }
    }

    pub fn bytes(&self) -> u64 {
        self.buffer.len()
    }

    pub fn grant(&self, builder: PoolBuilder) -> PoolBuilder {
        builder.buffer("numbers", &self.buffer, Access::ReadOnly)
    }

    /// By two threads that have it mapped for long.
    pub fn native(&self, n: usize, out: &mut Vec<f64>) {
        for _ in 0..n {
            let start = Instant::now();
            let sum = sum_by_two(&self.mapping);
            out.push(start.elapsed().as_nanos() as f64);
            assert_eq!(sum, self.sum);
        }
    }

    /// By two threads, mapped for this sum alone.
    pub fn native_mapped(&self, n: usize, out: &mut Vec<f64>) {
        for _ in 0..n {
            let start = Instant::now();
            let mapping = Mapping::read_only(&self.file, self.mapping.len());
            let sum = sum_by_two(&mapping.expect("the file can be mapped"));
            out.push(start.elapsed().as_nanos() as f64);
            assert_eq!(sum, self.sum);
        }
    }

    /// By two workers, each of which attaches its half and sums it so many times.
    pub fn guests(&self, pool: &Pool, times: u32, n: usize, out: &mut Vec<f64>) {
        let len = self.bytes() / 8;
        for _ in 0..n {
            let before = pool.stats();
            let start = Instant::now();
            let halves = [(0, len / 2), (len / 2, len)].map(|(from, to)| {
                pool.submit::<_, u64>("sum", ("numbers", from, to, times))
                    .expect("the pool takes jobs")
            });
            let sums = halves.map(|half| half.wait().expect("an item without a fault"));
            out.push(start.elapsed().as_nanos() as f64 / f64::from(times));
            assert_eq!(sums[0].wrapping_add(sums[1]), self.sum);
            nothing_copied(pool, &before);
        }
    }
}

fn sum_by_two(bytes: &[u8]) -> u64 {
    // SAFETY: any bytes are numbers; what is not aligned is looked at below.
    let (before, numbers, behind) = unsafe { bytes.align_to::<u64>() };
    assert!(
        before.is_empty() && behind.is_empty(),
        "a mapping is whole pages"
    );
    let (a, b) = numbers.split_at(numbers.len() / 2);
    thread::scope(|scope| {
        let a = scope.spawn(|| arithmetic::sum(black_box(a)));
        let b = arithmetic::sum(black_box(b));
        a.join().expect("a sum without a fault").wrapping_add(b)
    })
}

/// Two matrices and their product, which guests have as buffers.
pub struct Matrices {
    order: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    expected: Vec<f64>,
    shared: [Array<f64>; 3],
}

impl Matrices {
    pub fn new(order: usize) -> Matrices {
        let numbers = |seed: usize| -> Vec<f64> {
            let number = |i: usize| ((i * seed) % 1009) as f64 / 1009.0;
            (0..order * order).map(number).collect()
        };
        let (a, b) = (numbers(7919), numbers(104_729));
        let mut expected = vec![0.0; order * order];
        multiply_by_two(&a, &b, &mut expected, order);
        let empty = vec![0.0; order * order];
        let shared = [&a, &b, &empty].map(|m| Array::from_slice(m).expect("there is memory"));
        Matrices {
            order,
            a,
            b,
            expected,
            shared,
        }
    }

    pub fn grant(&self, builder: PoolBuilder) -> PoolBuilder {
        let [a, b, product] = &self.shared;
        builder
            .buffer("a", a.buffer(), Access::ReadOnly)
            .buffer("b", b.buffer(), Access::ReadOnly)
            .buffer("product", product.buffer(), Access::ReadWrite)
    }

    /// By two threads, in this process's own memory.
    pub fn native(&self, n: usize, out: &mut Vec<f64>) {
        for _ in 0..n {
            let mut product = vec![0.0; self.order * self.order];
            let start = Instant::now();
            multiply_by_two(black_box(&self.a), &self.b, &mut product, self.order);
            out.push(start.elapsed().as_nanos() as f64);
            assert!(product == self.expected);
        }
    }

    /// By two workers, each of which attaches all three and computes half of the rows.
    pub fn guests(&self, pool: &Pool, n: usize, out: &mut Vec<f64>) {
        let order = self.order;
        for _ in 0..n {
            let before = pool.stats();
            let start = Instant::now();
            let halves = [(0, order / 2), (order / 2, order)].map(|(from, to)| {
                let item = ("a", "b", "product", order, from, to);
                pool.submit::<_, ()>("multiply", item)
                    .expect("the pool takes jobs")
            });
            for half in halves {
                half.wait().expect("an item without a fault");
            }
            out.push(start.elapsed().as_nanos() as f64);
            nothing_copied(pool, &before);
            let product = &self.shared[2];
            assert!(product.to_vec().expect("a buffer in memory") == self.expected);
            let zeros = vec![0.0; order * order];
            product.write(0, &zeros).expect("a buffer in memory");
        }
    }
}

fn multiply_by_two(a: &[f64], b: &[f64], product: &mut [f64], order: usize) {
    let half = order / 2 * order;
    let (rows, more_rows) = a.split_at(half);
    let (out, more_out) = product.split_at_mut(half);
    thread::scope(|scope| {
        scope.spawn(|| arithmetic::multiply(rows, b, out, order));
        arithmetic::multiply(more_rows, b, more_out, order);
    });
}

/// Items and results since then hold names and numbers, not data; the tasks call nothing that copies buffers.
fn nothing_copied(pool: &Pool, before: &wasmpool::pool::Stats) {
    let now = pool.stats();
    let bytes = now.bytes_in - before.bytes_in + now.bytes_out - before.bytes_out;
    assert!(
        bytes <= NAMES_AND_NUMBERS,
        "{bytes} bytes in items and results"
    );
}
