//! Drives all targets without a fuzzer: the corpus, then mutations of it, the same in every run.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use wasmpool_fuzz::{TARGETS, Target};

/// Mutations of one input that are kept to go on from, because the target took them for good ones.
const MOST_KEPT: usize = 300;
/// Bytes that a mutated input has at most.
const MOST_BYTES: usize = 4096;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }
}

/// A number of the environment.
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => default,
    }
}

fn corpus(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let file = |file: std::io::Result<fs::DirEntry>| {
        let file = file.expect("a folder can be read");
        let bytes = fs::read(file.path()).expect("a file can be read");
        (file.file_name().to_string_lossy().into_owned(), bytes)
    };
    files.map(file).collect()
}

/// Runs an input; says which it was, if it shows a bug.
fn run(target: &Target, data: &[u8], what: &str) -> bool {
    match catch_unwind(AssertUnwindSafe(|| (target.run)(data))) {
        Ok(good) => good,
        Err(_) => {
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            panic!("{}: {what} shows a bug. The input: {hex}", target.name);
        }
    }
}

/// Numbers at which something often changes.
const EDGES: [u64; 14] = [
    0,
    1,
    4,
    8,
    0x7f,
    0x80,
    0xff,
    0xffff,
    1 << 16,
    1 << 18,
    0x7fff_ffff,
    1 << 31,
    u32::MAX as u64,
    u64::MAX,
];

fn mutate(random: &mut Random, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut data = inputs[random.below(inputs.len())].clone();
    for _ in 0..1 + random.below(4) {
        let at = random.below(data.len());
        let end = (at + 1 + random.below(16)).min(data.len());
        let edge = EDGES[random.below(EDGES.len())];
        match random.below(10) {
            0 if !data.is_empty() => data[at] ^= 1 << random.below(8),
            1 if !data.is_empty() => data[at] = random.number() as u8,
            2 => data.truncate(at),
            3 if !data.is_empty() => drop(data.drain(at..end)),
            4 => {
                let piece = data[at.min(end)..end].to_vec();
                let to = random.below(data.len() + 1);
                data.splice(to..to, piece);
            }
            5 => {
                let new: Vec<u8> = (0..1 + random.below(8))
                    .map(|_| random.number() as u8)
                    .collect();
                data.splice(at..at, new);
            }
            6 => {
                let size = [1, 2, 4, 8][random.below(4)];
                for (byte, new) in data[at..].iter_mut().zip(&edge.to_le_bytes()[..size]) {
                    *byte = *new;
                }
            }
            7 => {
                // As postcard writes numbers.
                let mut rest = edge;
                let mut new = Vec::new();
                while rest > 0x7f {
                    new.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                new.push(rest as u8);
                data.splice(at..(at + 1).min(data.len()), new);
            }
            8 => {
                let other = &inputs[random.below(inputs.len())];
                let from = random.below(other.len());
                data.truncate(at);
                data.extend_from_slice(&other[from.min(other.len())..]);
            }
            _ if !data.is_empty() => data[at] = data[at].wrapping_add([1, 255][random.below(2)]),
            _ => {}
        }
        data.truncate(MOST_BYTES);
    }
    data
}

#[test]
fn the_corpus_is_what_the_runtime_writes() {
    for target in TARGETS {
        let files = corpus(target);
        for (name, bytes) in (target.seeds)() {
            assert_eq!(
                files.get(name),
                Some(&bytes),
                "corpus/{}/{name} is not of this version of the runtime: write it anew with `cargo run \
                 --manifest-path fuzz/Cargo.toml --example seeds`",
                target.name
            );
        }
    }
}

/// A target that takes nothing for good would only ever test its refusals.
#[test]
fn every_target_takes_good_inputs_and_refuses_others() {
    for target in TARGETS {
        let results: Vec<bool> = corpus(target)
            .iter()
            .map(|(name, data)| run(target, data, name))
            .collect();
        assert!(results.contains(&true), "{} takes nothing", target.name);
        assert!(!run(target, &[], "the empty input"), "{}", target.name);
    }
}

#[test]
fn mutations_show_no_bug() {
    let runs = number("WASMPOOL_FUZZ_RUNS", 50_000);
    let seed = number("WASMPOOL_FUZZ_SEED", 1);
    println!("WASMPOOL_FUZZ_SEED={seed} WASMPOOL_FUZZ_RUNS={runs}");
    for target in TARGETS {
        let start = Instant::now();
        let mut random = Random(seed);
        let mut inputs: Vec<Vec<u8>> = corpus(target).into_values().collect();
        let own = inputs.len();
        let mut good = 0;
        for i in 0..runs {
            let data = mutate(&mut random, &inputs);
            if !run(target, &data, &format!("mutation {i} of seed {seed}")) {
                continue;
            }
            good += 1;
            if inputs.len() < own + MOST_KEPT {
                inputs.push(data);
            } else {
                let at = own + random.below(MOST_KEPT);
                inputs[at] = data;
            }
        }
        let took = start.elapsed();
        println!(
            "{}: {runs} inputs, {good} of them good, {took:.1?}",
            target.name
        );
    }
}
