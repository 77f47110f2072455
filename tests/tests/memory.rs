//! The host's memory does not grow with the number of items.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wasmpool_tests::{PATIENCE, Suite, module, wasmpool};

const LINES: u64 = 1_000_000;
/// KiB.
const BOUND: u64 = 100 << 10;

fn main() -> ExitCode {
    Suite::new()
        .test("a_million_lines", a_million_lines)
        .test("a_slow_reader", a_slow_reader)
        .test("endless_input", endless_input)
        .test("one_slow_item", one_slow_item)
        .run()
}

fn line(number: u64) -> String {
    format!("line {number}{}", "#".repeat((number % 17) as usize))
}

/// The most memory that a process has had in use at once so far, in KiB. None once it has ended.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Looks at a process until it ends.
fn watch(id: u32) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut most = 0;
        while let Some(now) = peak(id) {
            most = most.max(now);
            thread::sleep(Duration::from_millis(10));
        }
        most
    })
}

#[track_caller]
fn check_peak(what: &str, peak: u64) {
    println!("{what}: peak of {} MiB", peak >> 10);
    assert!(peak > 0, "the peak was never seen");
    assert!(peak < BOUND, "{what}: the host had {peak} KiB in use");
}

fn length() -> String {
    module("behave") + ":length"
}

fn a_million_lines() {
    let mut run = wasmpool(["map", &length(), "--lines", "-"]).start_piped();
    let watcher = watch(run.id());
    let mut stdin = BufWriter::new(run.child.stdin.take().expect("a pipe"));
    let writer = thread::spawn(move || {
        // A run that has ended too early is told below.
        let _ = (0..LINES).try_for_each(|number| writeln!(stdin, "{}", line(number)));
    });
    let mut results = 0;
    for got in BufReader::new(run.stdout()).lines() {
        let got = got.expect("a pipe can be read");
        assert_eq!(got, line(results).len().to_string(), "item {results}");
        results += 1;
    }
    let ran = run.finish().exits(0);
    writer.join().expect("the writer ends");
    assert_eq!(results, LINES, "{ran:?}");
    check_peak("a million lines", watcher.join().expect("the watcher ends"));
}

/// Feeds lines for ever, and counts them.
fn feed(mut stdin: std::process::ChildStdin) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    thread::spawn(move || {
        let block = [&[b'x'; 1023][..], b"\n"].concat();
        while stdin.write_all(&block).is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    count
}

/// Waits until no more lines are taken. Too many before that are too many in memory.
fn until_it_waits(lines: &AtomicU64) {
    let start = Instant::now();
    loop {
        let before = lines.load(Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
        let now = lines.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return;
        }
        assert!(
            now < 1 << 20,
            "a GiB was taken in, and nothing of it can have got out"
        );
        assert!(start.elapsed() < PATIENCE, "no line was ever taken");
    }
}

/// Nobody reads the results: the input waits.
fn a_slow_reader() {
    let echo = module("behave") + ":echo";
    let mut run = wasmpool(["map", &echo, "--lines", "-"]).start_piped();
    let lines = feed(run.child.stdin.take().expect("a pipe"));
    until_it_waits(&lines);
    check_peak("a slow reader", peak(run.id()).expect("it still runs"));
}

/// The first item does not end, and results are to come in order: the input waits.
fn one_slow_item() {
    let spin = module("behave") + ":spin-if-negative";
    let args = [
        "map",
        &spin,
        "--input",
        "-",
        "--timeout",
        "1h",
        "--workers",
        "2",
        "--chunk-size",
        "1",
    ];
    let mut run = wasmpool(args).start_piped();
    let mut stdin = run.child.stdin.take().expect("a pipe");
    stdin.write_all(b"-1\n").expect("it reads");
    let lines = Arc::new(AtomicU64::new(0));
    let counted = lines.clone();
    thread::spawn(move || {
        let block = [&[b' '; 1020][..], b"12\n"].concat();
        while stdin.write_all(&block).is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    until_it_waits(&lines);
    check_peak("one slow item", peak(run.id()).expect("it still runs"));
}

/// Whoever reads the results goes away, while there is input for ever.
fn endless_input() {
    let mut run = wasmpool(["map", &length(), "--lines", "-"]).start_piped();
    let watcher = watch(run.id());
    feed(run.child.stdin.take().expect("a pipe"));
    let mut results = BufReader::new(run.stdout()).lines();
    for _ in 0..1000 {
        assert_eq!(
            results
                .next()
                .expect("there is more")
                .expect("a pipe can be read"),
            "1023"
        );
    }
    drop(results);
    let ran = run.finish().exits(0);
    assert_eq!(ran.stderr, "");
    check_peak("endless input", watcher.join().expect("the watcher ends"));
}
