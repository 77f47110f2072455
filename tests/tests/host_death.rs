//! When the host dies, whatever kills it, every process that it started ends.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wasmpool_tests::{
    PATIENCE, Random, Suite, Watched, copied, module, patiently, running_program, wasmpool_at,
    workers,
};

const KILLS: usize = 50;
/// The promise is one second. The rest is for a machine that does other things too.
const BOUND: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    // Before there are threads: a child of another one would hold a copy open for writing, which then cannot be run.
    let (first, second) = (copied(), copied());
    Suite::new()
        .test("killed_at_random_instants", move || {
            killed_at_random_instants(&first.path);
        })
        .test("an_ordinary_end", move || an_ordinary_end(&second.path))
        .run()
}

/// Whoever is left of a host: descendants that were seen, and all that run its copy of the program.
fn left(copy: &Path, watched: &Watched) -> usize {
    running_program(copy).len() + watched.left().len()
}

fn killed_at_random_instants(copy: &Path) {
    let mut random = Random::fresh("host death");
    let spin = module("behave") + ":spin-if-negative";

    let (mut longest, mut most) = (Duration::ZERO, 0);
    for turn in 0..KILLS {
        let args = ["map", &spin, "--workers", "3", "--chunk-size", "1"];
        // Every other one may be hit while it compiles.
        let uncached: &[&str] = if turn % 2 == 0 { &["--no-cache"] } else { &[] };
        let isolation = ["--isolation", ["shared", "instance", "process"][turn % 3]];
        let items = ["-1", "-2", "-3", "-4"];
        let args = [&args[..], uncached, &isolation, &items].concat();
        let mut run = wasmpool_at(copy, &args).start();
        let mut watched = Watched::new(run.id());
        if turn % 5 == 0 {
            // Some are hit when all their workers run.
            patiently("three workers run", || {
                (workers(run.id()).len() >= 3).then_some(())
            });
        }
        let until = Instant::now() + Duration::from_micros(random.number() % 150_000);
        while Instant::now() < until {
            watched.look();
        }
        run.child.kill().expect("it runs");
        run.child.wait().expect("it was killed");
        let start = Instant::now();
        while left(copy, &watched) > 0 {
            assert!(
                start.elapsed() < BOUND,
                "{} processes outlive their host: {:?}",
                left(copy, &watched),
                running_program(copy)
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        longest = longest.max(start.elapsed());
        most = most.max(watched.count());
    }
    println!("host death: all ended within {longest:?}; up to {most} processes at once");
    assert!(most >= 4, "a fork server and three workers were never seen");
}

fn an_ordinary_end(copy: &Path) {
    let work = module("behave") + ":work";
    for isolation in ["shared", "instance", "process"] {
        let args = ["map", &work, "--workers", "3", "--isolation", isolation];
        let items = ["[1,1000]"; 20];
        wasmpool_at(copy, [&args[..], &items].concat())
            .run()
            .exits(0);
        let start = Instant::now();
        while !running_program(copy).is_empty() {
            assert!(
                start.elapsed() < PATIENCE.min(BOUND),
                "{:?}",
                running_program(copy)
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
