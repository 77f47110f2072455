//! Work for a processor in guests, beside the same source compiled natively: `cargo bench --workspace --bench kernels`,
//! about a minute. Needs the guests: `cargo xtask guests`.
//!
//! Each kernel alone, and eight of them shared out over two threads or two workers. The results are the same to the last
//! bit. Rows are measured in turns in one run; an argument is a part of a row's name: only such rows are run, with those
//! that they are compared with. Without `--bench`, as `cargo test --benches` starts it, everything runs once.

#[path = "../../../tests/guests/speed/src/arithmetic.rs"]
#[allow(dead_code)]
mod arithmetic;
#[path = "../shared/guest.rs"]
mod guest;
#[path = "../../../tests/guests/speed/src/kernels.rs"]
#[allow(dead_code)]
mod kernels;
#[path = "../pool/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use kernels::KERNELS;
use table::{Measure, Row};
use wasmpool::limits::Limits;
use wasmpool::pool::{Error, Pool};

/// Items that are shared out.
const ITEMS: u64 = 8;
/// A guest is to take no more than this times what native code takes.
const AT_MOST: f64 = 1.5;

fn main() -> Result<(), Error> {
    // The benchmark is its own workers' executable.
    wasmpool::worker::enter_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let full = args.iter().any(|arg| arg == "--bench");
    let wanted = args.iter().find(|arg| !arg.starts_with('-'));
    let rounds = if full { 10 } else { 1 };
    let Some(module) = guest::speed() else {
        println!("nothing is measured without guests: `cargo xtask guests` builds them");
        return Ok(());
    };
    let open = |workers| {
        let limits = Limits::new().timeout(Duration::from_secs(60));
        Pool::builder()
            .workers(workers)
            .limits(limits)
            .open(&module)
    };
    let (one, two) = (open(1)?, open(2)?);
    for pool in [&one, &two] {
        let _: Vec<u64> = pool.map("compute", [(KERNELS[0], 0_u64); 4])?;
    }
    let expected: BTreeMap<&str, Vec<u64>> = KERNELS
        .iter()
        .map(|kernel| {
            (
                *kernel,
                (0..ITEMS).map(|seed| native(kernel, seed)).collect(),
            )
        })
        .collect();

    let mut rows = Vec::new();
    for &kernel in KERNELS {
        let expected = &expected[kernel];
        let names = [
            "native",
            "guest",
            "native, two threads",
            "guest, two workers",
        ];
        // Rows are found by their names, which last as long as the program.
        let names = names.map(|how| &*format!("{kernel}, {how}").leak());
        let (one, two) = (&one, &two);
        let runs: [Measure<'_>; 4] = [
            Box::new(move |n, out| many(n, out, || vec![native(kernel, 0)], &expected[..1])),
            Box::new(move |n, out| many(n, out, || guest(one, kernel, 1), &expected[..1])),
            Box::new(move |n, out| many(n, out, || native_by_two(kernel), expected)),
            Box::new(move |n, out| many(n, out, || guest(two, kernel, ITEMS), expected)),
        ];
        let against = [
            None,
            Some((names[0], AT_MOST)),
            None,
            Some((names[2], AT_MOST)),
        ];
        rows.extend(
            names
                .into_iter()
                .zip(runs)
                .zip(against)
                .map(|((name, run), against)| Row {
                    name,
                    each: 1,
                    against,
                    bound: None,
                    run,
                }),
        );
    }
    let samples = table::run(&mut rows, rounds, wanted.map_or("", |wanted| wanted));
    table::print(&rows, &samples);
    Ok(())
}

fn many(n: usize, out: &mut Vec<f64>, mut run: impl FnMut() -> Vec<u64>, expected: &[u64]) {
    for _ in 0..n {
        let start = Instant::now();
        let results = run();
        out.push(start.elapsed().as_nanos() as f64);
        assert_eq!(results, expected);
    }
}

fn native(kernel: &str, seed: u64) -> u64 {
    kernels::run(black_box(kernel), black_box(seed)).expect("a kernel of this name")
}

/// Each takes every other item.
fn native_by_two(kernel: &str) -> Vec<u64> {
    let half = |from: u64| {
        move || {
            (from..ITEMS)
                .step_by(2)
                .map(|seed| native(kernel, seed))
                .collect::<Vec<_>>()
        }
    };
    thread::scope(|scope| {
        let odd = scope.spawn(half(1));
        let even = half(0)();
        let odd = odd.join().expect("a kernel without a fault");
        even.into_iter()
            .zip(odd)
            .flat_map(|(a, b)| [a, b])
            .collect()
    })
}

fn guest(pool: &Pool, kernel: &str, items: u64) -> Vec<u64> {
    let items = (0..items).map(|seed| (kernel, seed));
    pool.map("compute", items).expect("items without a fault")
}
