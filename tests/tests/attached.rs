//! Work on attached buffers by two workers at once gives what it gives natively, and nothing of the data is in any
//! message. How fast it is, `cargo bench --workspace --bench shared` tells.

use std::process::ExitCode;

use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, Array};
use wasmpool::pool::{Pool, PoolBuilder};
use wasmpool_tests::{PATIENCE, Suite, guests};

/// Numbers of the array: 32 MiB.
const NUMBERS: u64 = 4 << 20;
/// Rows and columns of the matrices.
const ORDER: usize = 200;
/// Bytes of a few names and numbers.
const FEW: u64 = 256;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for isolation in [Isolation::Shared, Isolation::Instance, Isolation::Process] {
        suite = suite
            .guest(format!("a_sum_by_two_workers::{isolation:?}"), move || {
                sum(isolation);
            })
            .guest(
                format!("a_product_by_two_workers::{isolation:?}"),
                move || {
                    product(isolation);
                },
            );
    }
    suite.run()
}

fn open(isolation: Isolation, grant: impl FnOnce(PoolBuilder) -> PoolBuilder) -> Pool {
    let limits = Limits::new().timeout(PATIENCE).memory(64 * MIB);
    let builder = Pool::builder()
        .workers(2)
        .isolation(isolation)
        .limits(limits);
    let module = guests().expect("only run with guests").join("speed.wasm");
    grant(builder).open(module).unwrap()
}

/// What was in items and results so far.
fn sent(pool: &Pool) -> u64 {
    let stats = pool.stats();
    stats.bytes_in + stats.bytes_out
}

fn sum(isolation: Isolation) {
    let numbers: Vec<u64> = (0..NUMBERS)
        .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .collect();
    let array = Array::from_slice(&numbers).unwrap();
    let pool = open(isolation, |builder| {
        builder.buffer("numbers", array.buffer(), Access::ReadOnly)
    });
    // Parts that begin within a page.
    for middle in [NUMBERS / 2, NUMBERS / 3, 1] {
        let halves = [(0, middle), (middle, NUMBERS)].map(|(from, to)| {
            let item = ("numbers", from, to, 1_u64);
            pool.submit::<_, u64>("sum", item).unwrap()
        });
        let expected = numbers.split_at(middle as usize);
        let expected =
            [expected.0, expected.1].map(|part| part.iter().copied().fold(0, u64::wrapping_add));
        assert_eq!(halves.map(|half| half.wait().unwrap()), expected);
    }
    assert!(sent(&pool) < FEW, "{} bytes were sent", sent(&pool));
}

fn product(isolation: Isolation) {
    let numbers = |seed: usize| -> Vec<f64> {
        let number = |i: usize| ((i * seed) % 1009) as f64 / 1009.0 - 0.5;
        (0..ORDER * ORDER).map(number).collect()
    };
    let (a, b) = (numbers(7919), numbers(104_729));
    // In the order of the guest's own additions, so that the results are the same to the last bit.
    let mut expected = vec![0.0; ORDER * ORDER];
    for row in 0..ORDER {
        for k in 0..ORDER {
            for column in 0..ORDER {
                expected[row * ORDER + column] += a[row * ORDER + k] * b[k * ORDER + column];
            }
        }
    }
    let [a, b, product] =
        [a, b, vec![f64::NAN; ORDER * ORDER]].map(|m| Array::from_slice(&m).unwrap());
    let pool = open(isolation, |builder| {
        builder
            .buffer("a", a.buffer(), Access::ReadOnly)
            .buffer("b", b.buffer(), Access::ReadOnly)
            .buffer("product", product.buffer(), Access::ReadWrite)
    });
    let halves = [(0_usize, 77_usize), (77, ORDER)].map(|(from, to)| {
        let item = ("a", "b", "product", ORDER, from, to);
        pool.submit::<_, ()>("multiply", item).unwrap()
    });
    for half in halves {
        half.wait().unwrap();
    }
    assert!(product.to_vec().unwrap() == expected);
    assert!(sent(&pool) < FEW, "{} bytes were sent", sent(&pool));
}
