//! Components that cannot start end a job with one clear error, not a storm of processes.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use wasmpool::limits::Limits;
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::{Suite, module, temporary, wasmpool, workers};

fn main() -> ExitCode {
    Suite::new()
        .test("a_trap_at_the_start", a_trap_at_the_start)
        .test("a_trap_at_the_start::by_command", a_trap_by_command)
        .test("a_start_that_never_ends", a_start_that_never_ends)
        .test("memory_at_the_start", memory_at_the_start)
        .run()
}

/// Opens a pool of a component that cannot start, and maps. Returns the error and how many workers were started.
fn check(path: &str, limits: Limits) -> (Error, u64) {
    let builder = Pool::builder().workers(2).cache(false).limits(limits);
    let pool = builder
        .open(path)
        .expect("nothing is wrong before the start");
    let error = pool
        .map::<i64, i64>("identity", 0..100)
        .expect_err("it cannot start");
    let again = pool
        .map::<i64, i64>("identity", 0..100)
        .expect_err("it still cannot");
    assert_eq!(again.to_string(), error.to_string());
    (error, pool.stats().workers_started)
}

fn a_trap_at_the_start() {
    let (error, started) = check(&module("start-trap"), Limits::new());
    let Error::Start { message, backtrace } = error else {
        panic!("{error:?}");
    };
    assert!(message.contains("unreachable"), "{message}");
    let named = |frame: &String| frame.contains("refuses-to-start");
    assert!(backtrace.iter().any(named), "{backtrace:?}");
    assert!(started <= 8, "{started} workers were started");
}

fn a_trap_by_command() {
    for isolation in ["thread", "shared", "instance", "process"] {
        let function = module("start-trap") + ":identity";
        let args = ["map", &function, "--isolation", isolation, "--workers", "2"];
        let mut run = wasmpool([&args[..], &["1", "2", "3"]].concat()).start();
        let mut seen = BTreeSet::new();
        while run
            .child
            .try_wait()
            .expect("a child can be waited for")
            .is_none()
        {
            seen.extend(workers(run.id()));
        }
        let ran = run
            .finish()
            .exits(3)
            .says("the component cannot be started");
        assert_eq!(ran.text(), "", "{isolation}");
        assert_eq!(
            ran.stderr.matches("error[").count(),
            1,
            "{isolation}: {ran:?}"
        );
        assert!(seen.len() <= 10, "{isolation}: {} workers", seen.len());
    }
}

fn a_start_that_never_ends() {
    let mut limits = Limits::new();
    limits.start_timeout = Duration::from_millis(700);
    let (error, started) = check(&module("start-loop"), limits);
    assert!(matches!(&error, Error::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("700ms"), "{error}");
    assert!(started <= 8, "{started} workers were started");
}

/// A component whose first memory is larger than an item may have.
fn memory_at_the_start() {
    let folder = temporary();
    let text = std::fs::read_to_string(module("behave")).expect("it can be read");
    let large = text.replacen(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") 1024)",
        1,
    );
    assert_ne!(large, text);
    let path = folder.write("large.wat", large);
    let args = ["map", &format!("{path}:identity"), "--memory", "16MiB", "1"];
    let ran = wasmpool(args).run().exits(3).says("memor");
    assert_eq!(ran.stderr.matches("error[").count(), 1, "{ran:?}");
}
