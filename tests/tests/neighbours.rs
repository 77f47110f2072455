//! Two submitters side by side in one process: one attacks with all that there is, the other's results are right. Alone
//! in its program, so that nothing else disturbs what is measured.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use wasmpool::mode::Isolation;
use wasmpool::pool::Pool;
use wasmpool_tests::{Expected, Guest, Suite, hostile_guests, module};

/// Items of the neighbour, and steps of each.
const ITEMS: u64 = 10_000;
const STEPS: u32 = 40_000;

fn main() -> ExitCode {
    Suite::new()
        .test("a_map_beside_every_attack", beside_every_attack)
        .run()
}

fn beside_every_attack() {
    let neighbour = Pool::builder().cache(false).open(module("behave"));
    let neighbour = neighbour.expect("it can be used");
    let expected: Vec<i64> = (0..ITEMS as i64).map(|seed| work(seed, STEPS)).collect();
    let map = || {
        let start = Instant::now();
        let items = (0..ITEMS as i64).map(|seed| (seed, STEPS));
        let results = neighbour
            .starmap::<_, i64>("work", items)
            .expect("no item fails");
        assert_eq!(results, expected);
        start.elapsed()
    };
    map();
    let alone = median((0..3).map(|_| map()).collect());

    let (over, attacks) = (AtomicBool::new(false), AtomicUsize::new(0));
    let guests = hostile_guests();
    let beside = std::thread::scope(|scope| {
        let attacker = scope.spawn(|| {
            // All of them once, then again until the neighbour has finished.
            for guest in &guests {
                attack(guest);
                attacks.fetch_add(1, Ordering::Relaxed);
            }
            over.store(true, Ordering::Relaxed);
        });
        let mut beside = Vec::new();
        while !over.load(Ordering::Relaxed) && !attacker.is_finished() {
            beside.push(map());
        }
        attacker.join().expect("every attack ends as it should");
        beside
    });
    let attacks = attacks.into_inner();
    assert_eq!(attacks, guests.len());
    let (maps, beside) = (beside.len(), median(beside));
    println!(
        "{ITEMS} items take {alone:.0?} alone, {beside:.0?} beside an attacker ({:.2} times; medians of 3 and {maps} maps \
         beside {attacks} attacks)",
        beside.as_secs_f64() / alone.as_secs_f64()
    );
}

/// Each attack in a pool of its own, each of its items in a process of its own.
fn attack(guest: &Guest) {
    match (&guest.expected, guest.run_in_pool(Isolation::Process)) {
        (Expected::Refused(says), Err(error)) => {
            assert!(
                error.to_string().contains(says),
                "{}: {error}",
                guest.full_name()
            );
        }
        (Expected::Fresh(value), Ok(became)) => {
            for result in became {
                assert_eq!(result.as_ref(), Ok(value), "{}", guest.full_name());
            }
        }
        (_, Ok(became)) => guest.check(&became),
        (expected, Err(error)) => panic!("{}: not {expected:?}: {error}", guest.full_name()),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What the guest's `work` computes.
fn work(seed: i64, steps: u32) -> i64 {
    (0..steps).fold(seed, |x, _| {
        x.wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407)
    })
}
