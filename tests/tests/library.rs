//! The library, used as another program would: typed values, iterators, handles.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use wasmpool::failure::FailureKind;
use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::pool::{
    ChunkSize, Error, Handle, JobOptions, OnError, Pool, PoolBuilder, as_completed, wait,
};
use wasmpool_tests::{PATIENCE, Suite, guests, module, patiently};

fn main() -> ExitCode {
    Suite::new()
        .test("map", map)
        .test("starmap", starmap)
        .test(
            "map_stops_at_the_first_failure",
            map_stops_at_the_first_failure,
        )
        .test("imap", imap)
        .test("imap_unordered", imap_unordered)
        .test("imap_is_lazy", imap_is_lazy)
        .test("a_dropped_imap_leaves_the_pool_usable", dropped_imap)
        .test("a_slow_item_in_a_chunk", slow_item_in_a_chunk)
        .test("several_jobs_at_once", several_jobs_at_once)
        .test("submit", submit)
        .test("handles_are_futures", handles_are_futures)
        .test("as_completed", completed)
        .test("wait", waiting)
        .test("cancel", cancel)
        .test("close_and_join", close_and_join)
        .test("join_waits_for_jobs", join_waits_for_jobs)
        .test("terminate", terminate)
        .test("dropping_a_pool_ends_its_processes", dropping_a_pool)
        .test("max_items_per_worker", max_items_per_worker)
        .test("values_that_do_not_fit", values_that_do_not_fit)
        .test("functions_that_are_not_there", functions_that_are_not_there)
        .test("every_isolation", every_isolation)
        .test("pools_in_many_threads", pools_in_many_threads)
        .guest("tasks_in_rust_values", tasks_in_rust_values)
        .guest("logs", logs)
        .guest("initializers", initializers)
        .guest("generators", generators)
        .guest("generators_that_fail", generators_that_fail)
        .run()
}

fn builder() -> PoolBuilder {
    let limits = Limits::new().timeout(PATIENCE);
    Pool::builder().workers(2).cache(false).limits(limits)
}

fn behave() -> Pool {
    open(builder())
}

fn open(builder: PoolBuilder) -> Pool {
    builder
        .open(module("behave"))
        .expect("the module can be used")
}

/// The kind of an item's failure, and its index.
#[track_caller]
fn failed<T: std::fmt::Debug>(result: Result<T, Error>) -> (u64, FailureKind) {
    match result {
        Err(Error::Item { index, failure }) => (index, failure.kind),
        other => panic!("not a failed item: {other:?}"),
    }
}

fn map() {
    let pool = behave();
    let items = 0..1000_i64;
    assert_eq!(
        pool.map::<_, i64>("identity", items.clone()).unwrap(),
        items.collect::<Vec<_>>()
    );
    let texts = ["", "a", "é🦀"];
    assert_eq!(pool.map::<_, String>("echo", texts).unwrap(), texts);
    assert!(pool.map::<i64, i64>("identity", []).unwrap().is_empty());
    assert_eq!(pool.apply::<_, u32>("length", "four").unwrap(), 4);
}

fn starmap() {
    let pairs = [(7, 2), (-9, 3), (0, 5)];
    let quotients = behave()
        .starmap::<(i32, i32), i32>("divide", pairs)
        .unwrap();
    assert_eq!(quotients, pairs.map(|(x, y)| x / y));
}

fn map_stops_at_the_first_failure() {
    let pool = behave();
    let items = [1, 2, -3, 4, -5];
    let result = pool.map::<i64, i64>("trap-if-negative", items);
    assert_eq!(failed(result), (2, FailureKind::Trap));
    let result = pool.map::<i64, i64>("fail-if-negative", items);
    assert_eq!(failed(result), (2, FailureKind::Failed));
    // What would never end is ended.
    let result = pool.map::<i64, i64>("fail-if-negative", (0..).map(|x| 10 - x));
    assert_eq!(failed(result), (11, FailureKind::Failed));
    assert_eq!(pool.apply::<_, i64>("identity", 5).unwrap(), 5);
}

fn imap() {
    let pool = behave();
    let items: Vec<i64> = (0..500).map(|x| if x % 7 == 3 { -x } else { x }).collect();
    for function in ["fail-if-negative", "trap-if-negative"] {
        let results = pool.imap::<_, i64, _>(function, &items).unwrap();
        let mut count = 0;
        for (index, result) in results.enumerate() {
            match items[index] {
                x if x < 0 => assert_eq!(failed(result).0, index as u64),
                x => assert_eq!(result.unwrap(), x),
            }
            count += 1;
        }
        assert_eq!(count, items.len());
    }
}

fn imap_unordered() {
    let pool = behave();
    let results = pool
        .imap_unordered::<_, i64, _>("identity", 0..2000_i64)
        .unwrap();
    let mut results: Vec<i64> = results.map(|result| result.unwrap()).collect();
    results.sort_unstable();
    assert_eq!(results, (0..2000).collect::<Vec<_>>());
}

/// Numbers without an end, and how many were taken.
fn counted() -> (impl Iterator<Item = i64>, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let items = (0..).inspect(move |_| _ = count.fetch_add(1, Ordering::Relaxed));
    (items, taken)
}

fn imap_is_lazy() {
    let pool = behave();
    let (items, taken) = counted();
    let mut results = pool.imap::<_, i64, _>("identity", items).unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), 0, "nothing was asked for");
    let mut ahead = 0;
    for expected in 0..100_000 {
        assert_eq!(results.next().expect("it has no end").unwrap(), expected);
        ahead = ahead.max(taken.load(Ordering::Relaxed) - expected as usize);
    }
    println!("imap took up to {ahead} items ahead");
    assert!(ahead < 200_000, "{ahead} items were taken ahead");
}

fn dropped_imap() {
    let pool = behave();
    for turn in 0..20 {
        let (items, _) = counted();
        let results = pool.imap::<_, i64, _>("identity", items).unwrap();
        let got: Vec<i64> = results
            .take(turn * 10)
            .map(|result| result.unwrap())
            .collect();
        assert_eq!(got, (0..turn as i64 * 10).collect::<Vec<_>>());
        // One that is stuck is ended as well.
        drop(pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap());
    }
    let items = 0..1000_i64;
    assert_eq!(
        pool.map::<_, i64>("identity", items.clone()).unwrap(),
        items.collect::<Vec<_>>()
    );
}

/// An item that never ends costs its chunk time, and nobody a result.
fn slow_item_in_a_chunk() {
    let limits = Limits::new().timeout(Duration::from_millis(500));
    let pool = open(builder().workers(1).limits(limits));
    let options = JobOptions {
        chunk_size: ChunkSize::Items(10),
        on_error: OnError::Continue,
        ..JobOptions::default()
    };
    let items = [1, 2, 3, -4, 5_i64];
    let results = pool
        .imap_with::<_, i64, _>("spin-if-negative", items, options)
        .unwrap();
    for (index, result) in results.enumerate() {
        match items[index] {
            x if x < 0 => assert_eq!(failed(result), (index as u64, FailureKind::Timeout)),
            x => assert_eq!(result.unwrap(), x),
        }
    }
    assert_eq!(pool.apply::<_, i64>("identity", 6).unwrap(), 6);
}

fn several_jobs_at_once() {
    let pool = behave();
    thread::scope(|scope| {
        for start in 0..6_i64 {
            let pool = &pool;
            scope.spawn(move || {
                let items = start * 1000..start * 1000 + 500;
                let results = pool.map::<_, i64>("identity", items.clone()).unwrap();
                assert_eq!(results, items.collect::<Vec<_>>());
            });
        }
    });
    // A job that is stuck on one worker leaves the other to others.
    let stuck = pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap();
    assert_eq!(
        pool.map::<_, i64>("identity", 0..100_i64).unwrap().len(),
        100
    );
    drop(stuck);
}

fn submit() {
    let pool = behave();
    let handles: Vec<Handle<i64>> = (0..100_i64)
        .map(|x| pool.submit("fail-if-negative", x - 50).unwrap())
        .collect();
    for (x, handle) in (-50..).zip(handles) {
        match handle.wait() {
            Ok(result) => assert_eq!(result, x),
            Err(e) => assert!(x < 0, "{e}"),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs one future to its end.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let parked = Instant::now();
        thread::park_timeout(PATIENCE);
        assert!(parked.elapsed() < PATIENCE, "it was never woken");
    }
}

fn handles_are_futures() {
    let pool = behave();
    let sum = block_on(async {
        let mut sum = 0;
        for x in 0..50_i64 {
            sum += pool.submit::<_, i64>("identity", x).unwrap().await.unwrap();
        }
        let both = [3, 4_i64].map(|x| pool.submit::<_, i64>("identity", x).unwrap());
        for handle in both {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, (0..50).sum::<i64>() + 7);
    let failure = block_on(pool.submit::<_, i64>("trap-if-negative", -1_i64).unwrap());
    assert_eq!(failed(failure), (0, FailureKind::Trap));
    // One that takes its time wakes whoever sleeps.
    let seed = block_on(
        pool.submit::<_, i64>("work", (1_i64, 50_000_000_u32))
            .unwrap(),
    )
    .unwrap();
    assert_ne!(seed, 1);
}

fn completed() {
    let pool = behave();
    let submit = |x: i64| pool.submit::<_, i64>("trap-if-negative", x).unwrap();
    let mut seen = [false; 30];
    for (position, result) in as_completed((0..30).map(|x| submit(x - 3))) {
        assert!(!seen[position], "{position} came twice");
        seen[position] = true;
        match result {
            Ok(x) => assert_eq!(x, position as i64 - 3),
            Err(e) => assert!(position < 3, "{e}"),
        }
    }
    assert_eq!(seen, [true; 30]);
}

fn waiting() {
    let pool = behave();
    let spin = |x: i64| pool.submit::<_, i64>("spin-if-negative", x).unwrap();
    let mut handles = vec![spin(-1), spin(1)];
    assert_eq!(wait(&mut handles, 1, None), [1]);
    assert_eq!(wait(&mut handles, 2, Some(Duration::from_millis(50))), [1]);
    assert!(!handles[0].wait_timeout(Duration::from_millis(20)));
    assert!(!handles[0].is_ready());
    handles[0].cancel();
    assert_eq!(wait(&mut handles, 2, None), [0, 1]);
    assert_eq!(wait::<i64>(&mut [], 1, None), [0_usize; 0]);
}

fn cancel() {
    let pool = open(builder().workers(1));
    let running = pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap();
    let waiting = pool.submit::<_, i64>("identity", 1_i64).unwrap();
    let after = pool.submit::<_, i64>("identity", 2_i64).unwrap();
    waiting.cancel();
    assert_eq!(failed(waiting.wait()).1, FailureKind::Cancelled);
    running.cancel();
    assert_eq!(failed(running.wait()).1, FailureKind::Cancelled);
    assert_eq!(after.wait().unwrap(), 2);
}

fn close_and_join() {
    let mut pool = behave();
    let handle = pool
        .submit::<_, i64>("work", (1_i64, 1_000_000_u32))
        .unwrap();
    pool.close();
    assert!(matches!(
        pool.submit::<_, i64>("identity", 1_i64).err(),
        Some(Error::Closed)
    ));
    assert!(handle.wait().is_ok(), "what was under way goes on");
    assert!(pool.join(Some(PATIENCE)));
}

fn join_waits_for_jobs() {
    let mut pool = behave();
    let handle = pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap();
    assert!(
        !pool.join(Some(Duration::from_millis(20))),
        "it is not closed"
    );
    pool.close();
    assert!(
        !pool.join(Some(Duration::from_millis(20))),
        "a job is under way"
    );
    drop(handle);
    assert!(pool.join(Some(PATIENCE)));
}

fn terminate() {
    let mut pool = behave();
    let handle = pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap();
    let (items, _) = counted();
    let mut results = pool.imap::<_, i64, _>("identity", items).unwrap();
    assert_eq!(results.next().expect("a result").unwrap(), 0);
    pool.terminate();
    assert!(handle.wait().is_err());
    let end = results
        .find(Result::is_err)
        .expect("it does not end as if all were done");
    assert!(matches!(end, Err(Error::Closed)), "{end:?}");
    assert!(results.next().is_none());
    drop(results);
    assert!(pool.join(Some(PATIENCE)));
    assert!(matches!(
        pool.map::<i64, i64>("identity", [1]),
        Err(Error::Closed)
    ));
}

fn dropping_a_pool() {
    let pool = open(builder().workers(3));
    assert_eq!(pool.apply::<_, i64>("identity", 1).unwrap(), 1);
    let started = pool.stats().workers_started;
    assert!((1..=3).contains(&started), "{started}");
    let stuck = pool.submit::<_, i64>("spin-if-negative", -1_i64).unwrap();
    let start = Instant::now();
    drop(pool);
    assert!(start.elapsed() < PATIENCE);
    assert!(stuck.wait().is_err());
}

fn max_items_per_worker() {
    let pool = open(builder().workers(1).max_items_per_worker(3));
    let counts = pool.map::<i64, u64>("count", 0..10).unwrap();
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]);
    assert!(pool.stats().workers_started >= 4);
}

fn values_that_do_not_fit() {
    let pool = behave();
    let result = pool.apply::<_, i64>("identity", "text");
    assert_eq!(failed(result).1, FailureKind::InvalidInput);
    let result = pool.apply::<_, Vec<String>>("identity", 1_i64);
    assert!(
        matches!(result, Err(Error::Codec { index: 0, .. })),
        "{result:?}"
    );
    // One that cannot be encoded fails in its place.
    let items = [f64::NAN, 1.0].map(|x| std::collections::BTreeMap::from([((x as i64, 1), x)]));
    let mut results = pool.imap::<_, i64, _>("identity", items).unwrap();
    let first = results.next().expect("an outcome");
    assert_eq!(failed(first), (0, FailureKind::InvalidInput));
}

fn functions_that_are_not_there() {
    let pool = behave();
    let error = pool
        .map::<i64, i64>("identty", [1])
        .expect_err("there is none");
    assert!(matches!(error, Error::Function(_)), "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("identity")),
        "{error:?}"
    );
    assert!(
        pool.manifest()
            .functions
            .iter()
            .any(|function| function.name == "identity")
    );
    assert!(pool.tasks().unwrap().is_empty());
}

fn every_isolation() {
    let items: Vec<i64> = (-20..20).collect();
    for isolation in [
        Isolation::Thread,
        Isolation::Shared,
        Isolation::Instance,
        Isolation::Process,
    ] {
        let pool = open(builder().isolation(isolation));
        let results = pool.imap::<_, i64, _>("trap-if-negative", &items).unwrap();
        for (index, result) in results.enumerate() {
            match items[index] {
                x if x < 0 => assert_eq!(failed(result), (index as u64, FailureKind::Trap)),
                x => assert_eq!(result.unwrap(), x, "{isolation:?}"),
            }
        }
    }
}

fn pools_in_many_threads() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    let pool = behave();
                    assert_eq!(
                        pool.map::<_, i64>("identity", 0..100_i64).unwrap().len(),
                        100
                    );
                }
            });
        }
    });
}

fn zoo(builder: PoolBuilder) -> Pool {
    let path = guests().expect("only run with guests").join("zoo.wasm");
    builder.open(path).expect("the module can be used")
}

fn tasks_in_rust_values() {
    let pool = zoo(builder());
    let names: Vec<String> = pool
        .tasks()
        .unwrap()
        .into_iter()
        .map(|task| task.name)
        .collect();
    assert!(names.contains(&"echo-bytes".into()), "{names:?}");
    assert_eq!(
        pool.starmap::<_, i32>("divide", [(7, 2), (9, -3)]).unwrap(),
        [3, -3]
    );
    let numbers = pool
        .map::<_, i64>("identity", [i64::MIN, -1, i64::MAX])
        .unwrap();
    assert_eq!(numbers, [i64::MIN, -1, i64::MAX]);
    let texts = pool.map::<_, String>("echo-text", ["é", ""]).unwrap();
    assert_eq!(texts, ["é", ""]);
    assert_eq!(
        failed(pool.map::<i64, i64>("panic-on", [1, 13])),
        (1, FailureKind::Trap)
    );
    let error = pool
        .map::<i64, i64>("identiti", [1])
        .expect_err("there is none");
    assert!(matches!(error, Error::Task { .. }), "{error:?}");

    let limits = Limits::new().memory(32 * MIB);
    let pool = zoo(builder().limits(limits));
    assert_eq!(
        failed(pool.apply::<_, ()>("leak", ())).1,
        FailureKind::Memory
    );
}

fn logs() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = seen.clone();
    let pool = zoo(builder().on_log(move |record| {
        let mut seen = told.lock().unwrap();
        seen.push((record.index, record.message.to_owned()));
    }));
    assert_eq!(
        pool.map::<u32, u32>("log-lines", [2, 0, 3]).unwrap(),
        [2, 0, 3]
    );
    patiently("all messages are told", || {
        (seen.lock().unwrap().len() >= 5).then_some(())
    });
    let mut seen = seen.lock().unwrap().clone();
    // In order for each item.
    seen.sort_by_key(|(index, _)| *index);
    let expected = [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)];
    assert_eq!(
        seen,
        expected.map(|(index, line)| (index, format!("line {line}")))
    );
}

fn shared_guest() -> std::path::PathBuf {
    guests().expect("only run with guests").join("shared.wasm")
}

fn initializers() {
    let model: Vec<f64> = (0..100).map(f64::from).collect();
    for isolation in [
        Isolation::Shared,
        Isolation::Instance,
        Isolation::Process,
        Isolation::Thread,
    ] {
        let with = builder().isolation(isolation).initializer("init", &model);
        let pool = with.open(shared_guest()).unwrap();
        let found: Vec<f64> = pool.map("use_model", 0..100usize).unwrap();
        assert_eq!(found, model, "{isolation:?}");
        // An instance without it has no model.
        let pool = builder().isolation(isolation).open(shared_guest()).unwrap();
        let without = pool.apply::<_, f64>("use-model", 1usize);
        assert_eq!(failed(without).1, FailureKind::Failed, "{isolation:?}");
        // One that fails, or that is not there, ends the pool with one error that says which.
        for (function, item, why) in [("init", "no numbers", "init"), ("unit", "", "no such task")]
        {
            let with = builder().isolation(isolation).initializer(function, item);
            let pool = with.open(shared_guest()).unwrap();
            match pool.apply::<_, f64>("use-model", 1usize) {
                Err(Error::Start { message, .. }) => assert!(message.contains(why), "{message}"),
                other => panic!("{isolation:?}: {other:?}"),
            }
        }
    }
    // An exported function can be one, too.
    let pool = open(builder().initializer("identity", 3i64));
    assert_eq!(pool.apply::<_, i64>("identity", 4i64).unwrap(), 4);
    assert!(
        builder()
            .initializer("nothing", ())
            .open(module("behave"))
            .is_err()
    );
    let large = "x".repeat(1 << 20);
    match builder()
        .initializer("identity", large)
        .open(module("behave"))
    {
        Err(Error::Codec { reason, .. }) => assert!(reason.contains("buffer"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

fn generators() {
    for isolation in [Isolation::Shared, Isolation::Process, Isolation::Thread] {
        let limits = Limits::new().timeout(PATIENCE).result_bytes(1 << 20);
        let pool = Pool::builder()
            .workers(1)
            .isolation(isolation)
            .limits(limits);
        let pool = pool.open(shared_guest()).unwrap();
        // 64 MiB in all, far beyond what a result may have, and what is held at a time.
        let mut generator = pool
            .generate::<_, Vec<u8>>("emit-many", (1024u32, 64u32 << 10))
            .unwrap();
        let mut taken = 0;
        for value in &mut generator {
            assert_eq!(value.unwrap().len(), 64 << 10);
            taken += 1;
        }
        assert_eq!(taken, 1024);
        assert!(generator.next().is_none());
        assert!(
            generator
                .returned::<()>()
                .is_some_and(|returned| returned.is_ok())
        );
        // A task whose values nobody takes waits; it is ended with its generator, and the worker serves on.
        let mut generator = pool
            .generate::<_, Vec<u8>>("emit-many", (u32::MAX, 1u32 << 10))
            .unwrap();
        assert!(generator.next().is_some());
        drop(generator);
        let all = pool
            .generate::<_, Vec<u8>>("emit-many", (3u32, 1u32))
            .unwrap();
        assert_eq!(all.count(), 3);
    }
}

/// The time that a task waits until its values are taken is not its own; what it computes is.
fn generators_that_fail() {
    let limits = Limits::new().timeout(Duration::from_millis(300));
    let pool = Pool::builder().workers(1).limits(limits);
    let pool = pool.open(shared_guest()).unwrap();
    let mut generator = pool
        .generate::<_, Vec<u8>>("emit-many", (2_000u32, 1u32 << 10))
        .unwrap();
    assert!(generator.next().is_some());
    thread::sleep(Duration::from_millis(900));
    let left: Result<Vec<_>, _> = generator.collect();
    assert_eq!(left.unwrap().len(), 1_999);
    // A value that is too large ends the item; those before it are given.
    let limits = Limits::new().timeout(PATIENCE).result_bytes(1000);
    let pool = Pool::builder().workers(1).limits(limits);
    let pool = pool.open(shared_guest()).unwrap();
    let values: Vec<_> = pool
        .generate::<_, Vec<u8>>("emit-many", (2u32, 2000u32))
        .unwrap()
        .collect();
    assert_eq!(values.len(), 1);
    assert!(matches!(&values[0], Err(Error::Item { .. })), "{values:?}");
}
