//! Results that are kept: handed out again without running anything, byte by byte as they were, and only where nothing
//! that they depend on has changed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use wasmpool::encoding::Encoding;
use wasmpool::failure::FailureKind;
use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::objects::Queue;
use wasmpool::pool::{
    ChunkSize, Direction, Error, JobOptions, OnError, Outcome, Payload, Pool, PoolBuilder,
};
use wasmpool_tests::{Ran, Suite, Temporary, guests, module, temporary, wasmpool};

fn main() -> ExitCode {
    let cache = temporary();
    // SAFETY: there are no other threads yet.
    unsafe { std::env::set_var("WASMPOOL_CACHE_DIR", cache.path("cache")) };
    Suite::new()
        .test("a_second_run_runs_nothing", second_run)
        .test("known_and_new_items_keep_their_order", known_and_new)
        .test("handles_and_iterators", handles_and_iterators)
        .test("what_changes_a_result_is_a_miss", misses)
        .test("what_does_not_is_a_hit", hits)
        .test("failures_are_not_kept", failures)
        .test("large_items_and_results", large)
        .test("deterministic::fuel", fuel)
        .test("refused", refused)
        .test("cli::stats_list_and_clear", cli)
        .test("cli::damaged_results_are_run_again", damaged)
        .test("cli::processes_share_a_folder", processes)
        .test("cli::no_folder", no_folder)
        .test("cli::a_folder_that_cannot_be_written", not_written)
        .guest("tasks::typed", typed_tasks)
        .guest("tasks::emitted_values", emitted)
        .guest("tasks::generators_keep_nothing", generators)
        .guest("tasks::what_they_see", what_tasks_see)
        .run()
}

/// The functions of `behave.wat`, in a module that no other test has.
fn text(test: &str) -> Vec<u8> {
    let text = fs::read_to_string(module("behave")).expect("it can be read");
    format!("{text}\n;; {test}\n").into_bytes()
}

fn builder() -> PoolBuilder {
    Pool::builder().workers(2).cache_results(true)
}

fn open(builder: PoolBuilder, test: &str) -> Pool {
    builder.open_bytes(&text(test)).expect("it can be opened")
}

fn options() -> JobOptions {
    JobOptions {
        on_error: OnError::Continue,
        ..JobOptions::default()
    }
}

/// Runs items to their outcomes.
fn outcomes(
    pool: &Pool,
    function: &str,
    options: JobOptions,
    items: impl IntoIterator<Item = Payload>,
) -> Vec<Outcome> {
    let (mut feeder, mut results) = pool.stream(function, options).expect("it is there");
    for item in items {
        assert!(feeder.push(item));
    }
    drop(feeder);
    let all = std::iter::from_fn(|| results.next());
    all.map(|outcome| outcome.expect("a pool without a fault"))
        .collect()
}

fn bytes(items: &[&str]) -> Vec<Payload> {
    let payload = |item: &&str| Payload::Bytes(item.as_bytes().to_vec());
    items.iter().map(payload).collect()
}

/// An index, what was emitted, the result, and the fuel.
type Said = (u64, Vec<Vec<u8>>, Result<Vec<u8>, FailureKind>, Option<u64>);

/// What an outcome says of its item.
fn said(outcome: &Outcome) -> Said {
    let result = outcome.result.as_ref();
    (
        outcome.index,
        outcome.emitted.iter().map(|value| value.to_vec()).collect(),
        result.map(|value| value.to_vec()).map_err(|f| f.kind),
        outcome.fuel,
    )
}

/// How many results were kept, and how many chunks were sent.
fn counts(pool: &Pool) -> (u64, u64) {
    let stats = pool.stats();
    (stats.cached, stats.chunks)
}

fn second_run() {
    let items = ["\"\"", "\"a\"", "\"é🦀\"", "\"a \"", " \"a\""];
    let run = |items: &[&str]| {
        let pool = open(builder(), "second run");
        let outcomes = outcomes(&pool, "echo", options(), bytes(items));
        (outcomes, pool.stats())
    };
    let (first, stats) = run(&items);
    assert_eq!((stats.cached, stats.done), (0, 5));
    assert!(stats.chunks > 0);
    assert!(first.iter().all(|o| o.attempts == 1));

    let (second, stats) = run(&items);
    assert_eq!((stats.cached, stats.done, stats.chunks), (5, 5, 0));
    assert_eq!((stats.bytes_in, stats.bytes_out), (0, 0));
    assert!(second.iter().all(|o| (o.attempts, o.nanos) == (0, 0)));
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(said(first), said(second));
    }

    let mut backwards = items;
    backwards.reverse();
    let (third, stats) = run(&backwards);
    assert_eq!((stats.cached, stats.chunks), (5, 0));
    for (first, third) in first.iter().rev().zip(&third) {
        assert_eq!(said(first).2, said(third).2);
    }
}

fn known_and_new() {
    let pool = open(builder(), "known and new");
    let even: Vec<i64> = (0..1000).step_by(2).collect();
    assert_eq!(pool.map::<_, i64>("identity", &even).unwrap(), even);
    let all: Vec<i64> = (0..1000).collect();
    assert_eq!(pool.map::<_, i64>("identity", &all).unwrap(), all);
    assert_eq!(pool.stats().cached, 500);
    let unordered = pool.imap_unordered::<_, i64, _>("identity", 0..1100_i64);
    let mut unordered: Vec<i64> = unordered.unwrap().map(Result::unwrap).collect();
    unordered.sort_unstable();
    assert_eq!(unordered, (0..1100).collect::<Vec<_>>());
    assert_eq!(pool.stats().cached, 1500);
}

fn handles_and_iterators() {
    let pool = open(builder(), "handles");
    for kept in 0..3 {
        let handle = pool.submit::<_, i64>("identity", 7_i64).unwrap();
        assert_eq!(handle.wait().unwrap(), 7);
        assert_eq!(pool.stats().cached, kept);
    }
    // An iterator that is given up leaves what it handed out.
    let mut results = pool.imap::<_, i64, _>("identity", 100..).unwrap();
    assert_eq!(results.next().unwrap().unwrap(), 100);
    drop(results);
    let before = pool.stats().cached;
    assert_eq!(pool.apply::<_, i64>("identity", 100_i64).unwrap(), 100);
    assert_eq!(pool.stats().cached, before + 1);
}

/// Runs one item, and tells whether its result was kept from before.
fn kept(builder: PoolBuilder, module: &[u8], function: &str, job: JobOptions, item: &str) -> bool {
    let pool = builder.open_bytes(module).expect("it can be opened");
    let outcomes = outcomes(&pool, function, job, bytes(&[item]));
    assert!(outcomes[0].result.is_ok(), "{outcomes:?}");
    let (cached, chunks) = counts(&pool);
    assert_eq!(cached + chunks, 1);
    cached == 1
}

fn misses() {
    let module = text("misses");
    let raw = JobOptions {
        output: Encoding::Raw,
        ..options()
    };
    let raw_in = JobOptions {
        input: Encoding::Raw,
        ..options()
    };
    let run = |builder, job, item| kept(builder, &module, "echo", job, item);
    let limits = Limits::new;
    // Each is new when it comes first, whatever came before it, and known when it comes again.
    for round in [false, true] {
        let check = |what: &str, kept: bool| assert_eq!(kept, round, "{what}");
        check("echo", run(builder(), options(), "\"a\""));
        check("an item", run(builder(), options(), "\"b\""));
        check("output", run(builder(), raw.clone(), "\"a\""));
        check("input", run(builder(), raw_in.clone(), "\"a\""));
        let memory = limits().memory(MIB);
        check("memory", run(builder().limits(memory), options(), "\"a\""));
        let result = limits().result_bytes(MIB);
        check("result", run(builder().limits(result), options(), "\"a\""));
        check(
            "a seed",
            run(builder().deterministic(1), options(), "\"a\""),
        );
        check(
            "a seed",
            run(builder().deterministic(2), options(), "\"a\""),
        );
        let fuel = limits().fuel(1_000_000);
        let fuel = builder().deterministic(1).limits(fuel);
        check("fuel", run(fuel, options(), "\"a\""));
        let env = || builder().env("A", "1");
        check("a variable", run(env(), options(), "\"a\""));
        let begun = |item: i64| builder().initializer("identity", item);
        check("an initializer", run(begun(1), options(), "\"a\""));
        check("another", run(begun(2), options(), "\"a\""));
        let length = kept(builder(), &module, "length", options(), "\"a\"");
        check("a function", length);
        let other = text("misses, another");
        let other = kept(builder(), &other, "echo", options(), "\"a\"");
        check("a module", other);
    }
}

fn hits() {
    let module = text("hits");
    let run = |builder, job| kept(builder, &module, "identity", job, "3");
    assert!(!run(builder(), options()));
    assert!(run(builder().workers(3).max_items_per_worker(1), options()));
    assert!(run(builder().isolation(Isolation::Process), options()));
    let patient = Limits::new().timeout(Duration::from_secs(99));
    assert!(run(builder().limits(patient), options()));
    let others = JobOptions {
        chunk_size: ChunkSize::Items(9),
        ordered: false,
        on_error: OnError::Stop,
        retries: 5,
        ..options()
    };
    assert!(run(builder(), others));
    // Who does not ask for it gets nothing, and leaves nothing.
    assert!(!run(builder().cache_results(false), options()));
    let plain = Pool::builder().workers(1);
    assert!(!kept(plain, &module, "identity", options(), "4"));
    assert!(!kept(builder(), &module, "identity", options(), "4"));
}

fn failures() {
    use FailureKind::{Failed, InvalidInput, Timeout, Trap};
    for (function, items, kind) in [
        ("fail-if-negative", ["1", "-2", "3"], Failed),
        ("trap-if-negative", ["1", "-2", "3"], Trap),
        ("spin-if-negative", ["1", "-2", "3"], Timeout),
        ("identity", ["1", "\"no number\"", "3"], InvalidInput),
    ] {
        for round in 0..2 {
            let limits = Limits::new().timeout(Duration::from_secs(2));
            let pool = open(builder().limits(limits), "failures");
            let outcomes = outcomes(&pool, function, options(), bytes(&items));
            let results: Vec<_> = outcomes.iter().map(|o| said(o).2).collect();
            let ok = |text: &str| Ok(text.as_bytes().to_vec());
            assert_eq!(results, [ok("1"), Err(kind), ok("3")]);
            assert_eq!(pool.stats().cached, 2 * round, "{function}");
            assert_eq!(outcomes[1].attempts, 1, "it was run");
        }
    }
}

fn large() {
    let folder = temporary();
    let item = "x".repeat(300_000);
    let path = folder.write("item", &item);
    let raw = JobOptions {
        input: Encoding::Raw,
        output: Encoding::Raw,
        ..options()
    };
    let as_file = || Payload::File(fs::File::open(&path).unwrap());
    let as_bytes = || Payload::Bytes(item.clone().into_bytes());
    for (payload, cached) in [(as_file(), 0), (as_bytes(), 1), (as_file(), 1)] {
        let pool = open(builder(), "large");
        let outcomes = outcomes(&pool, "echo", raw.clone(), [payload]);
        assert_eq!(said(&outcomes[0]).2, Ok(item.clone().into_bytes()));
        assert_eq!(pool.stats().cached, cached);
    }
    // One byte more, or another, is another item.
    for other in [format!("{item}x"), format!("{}y", &item[1..])] {
        let pool = open(builder(), "large");
        let payload = Payload::Bytes(other.clone().into_bytes());
        let outcomes = outcomes(&pool, "echo", raw.clone(), [payload]);
        assert_eq!(said(&outcomes[0]).2, Ok(other.into_bytes()));
        assert_eq!(pool.stats().cached, 0);
    }
}

fn fuel() {
    let run = |items: &[&str]| {
        let pool = open(builder().deterministic(9), "fuel");
        let outcomes = outcomes(&pool, "work", options(), bytes(items));
        let fuel: Vec<_> = outcomes.iter().map(|o| o.fuel.expect("told")).collect();
        assert_eq!(pool.stats().fuel, fuel.iter().sum::<u64>());
        (fuel, pool.stats().cached)
    };
    let (first, cached) = run(&["[1,100]", "[1,300]"]);
    assert!(first[0] < first[1]);
    assert_eq!(cached, 0);
    // Nothing in this module can see where in its job an item is.
    let (second, cached) = run(&["[1,300]", "[1,100]"]);
    assert_eq!((second, cached), (vec![first[1], first[0]], 2));
}

fn refused() {
    let module = text("refused");
    let check = |builder: PoolBuilder, said: &str| {
        let opened = builder.open_bytes(&module).map(drop);
        let error = opened.expect_err("it is refused");
        assert!(matches!(error, Error::Options { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.hint().is_some());
    };
    check(builder().isolation(Isolation::Shared), "share an instance");
    check(builder().isolation(Isolation::Thread), "share an instance");
    check(builder().directory("/tmp", "/tmp", false), "directories");
    let queue = Queue::new();
    check(
        builder().queue("queue", &queue, Direction::Put),
        "shared objects",
    );
    let thread = builder().isolation(Isolation::Thread).deterministic(1);
    assert!(thread.open_bytes(&module).is_ok());

    let identity = format!("{}:identity", self::module("behave"));
    let map = |args: &[&str]| {
        let fixed = ["map", &identity, "1", "--cache-results"];
        let all = [&fixed[..], args].concat();
        wasmpool(all).run()
    };
    map(&["--isolation", "shared"])
        .exits(2)
        .says("share an instance")
        .says("leave the isolation out");
    map(&["--dir", "/tmp::/tmp"]).exits(2).says("directories");
    map(&["--no-cache"]).exits(2);
}

/// A folder with a cache of its own.
fn folder() -> (Temporary, PathBuf) {
    let folder = temporary();
    let cache = folder.path("cache");
    (folder, cache)
}

fn map(cache: &Path, function: &str, args: &[&str]) -> Ran {
    let function = format!("{}:{function}", module("behave"));
    let fixed = ["map", &function, "--cache-results", "--stats"];
    wasmpool([&fixed[..], args].concat())
        .cache(cache)
        .run()
        .exits(0)
}

fn cached(ran: &Ran) -> u64 {
    let Some((before, _)) = ran.stderr.split_once(" from the cache)") else {
        return 0;
    };
    let (_, number) = before.rsplit_once('(').expect("a bracket");
    number.parse().expect("a number")
}

fn results_in(cache: &Path) -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(cache.join("results")) else {
        return Vec::new();
    };
    let files = folder.map(|item| item.expect("it can be listed").path());
    let results = files.filter(|path| path.extension().is_some_and(|e| e == "result"));
    results.collect()
}

fn cli() {
    let (_folder, cache) = folder();
    let items = ["[1,100]", "[2,100]", "[1,100]"];
    let first = map(&cache, "work", &items);
    assert_eq!(results_in(&cache).len(), 2, "{first:?}");
    let second = map(&cache, "work", &items);
    assert_eq!(cached(&second), 3, "{second:?}");
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains(", 0 chunks\n"), "{second:?}");

    let run = |what: &str| wasmpool(["cache", what]).cache(&cache).run().exits(0);
    let listed = run("list");
    let is_result = |line: &&&str| line.contains("\tresults/") && line.ends_with(".result");
    let listed = listed.lines();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!(listed.iter().filter(is_result).count(), 2, "{listed:?}");
    run("clear").says("3 entries removed");
    assert!(run("list").stdout.is_empty());
    assert_eq!(cached(&map(&cache, "work", &items)), 0);
}

fn damaged() {
    let (_folder, cache) = folder();
    let items = ["1", "2", "3"];
    let first = map(&cache, "identity", &items);
    for spoil in [
        |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[13] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path: &Path| fs::write(path, "").unwrap(),
        |path: &Path| fs::remove_file(path).unwrap(),
    ] {
        let files = results_in(&cache);
        assert_eq!(files.len(), 3);
        files.iter().for_each(|path| spoil(path));
        let again = map(&cache, "identity", &items);
        assert_eq!((cached(&again), &again.stdout), (0, &first.stdout));
        let again = map(&cache, "identity", &items);
        assert_eq!((cached(&again), &again.stdout), (3, &first.stdout));
    }
    // Results that have changed places are found under a name that is not theirs.
    let files = results_in(&cache);
    let aside = cache.join("aside");
    fs::rename(&files[0], &aside).unwrap();
    fs::rename(&files[1], &files[0]).unwrap();
    fs::rename(&aside, &files[1]).unwrap();
    let again = map(&cache, "identity", &items);
    assert_eq!((cached(&again), &again.stdout), (1, &first.stdout));
}

fn processes() {
    let (folder, cache) = folder();
    let items: String = (0..300).map(|n| format!("{n}\n")).collect();
    let input = folder.write("items", &items);
    let function = format!("{}:identity", module("behave"));
    let args = ["map", &function, "--cache-results", "--workers", "1"];
    let args = [&args[..], &["--input", &input]].concat();
    let mut all: Vec<_> = (0..4)
        .map(|_| wasmpool(&args).cache(&cache).start())
        .collect();
    for started in &mut all {
        assert_eq!(started.finish().exits(0).text(), items);
    }
    assert_eq!(results_in(&cache).len(), 300);
    let last = map(&cache, "identity", &["--input", &input]);
    assert_eq!((cached(&last), last.text()), (300, items.as_str()));
}

fn no_folder() {
    let (folder, cache) = folder();
    wasmpool(["cache", "list"]).cache(&cache).run().exits(0);
    fs::remove_dir_all(cache.join("results")).unwrap();
    fs::write(cache.join("results"), "").unwrap();
    let ran = map(&cache, "identity", &["1", "2"]);
    assert_eq!(ran.lines(), ["1", "2"]);
    assert_eq!(ran.stderr.matches("results are not cached").count(), 1);
    drop(folder);
}

fn not_written() {
    let (_folder, cache) = folder();
    let function = format!("{}:identity", module("behave"));
    let args = ["map", &function, "--cache-results", "--input", "-"];
    let mut started = wasmpool(args).cache(&cache).start_piped();
    let mut items = started.child.stdin.take().expect("a pipe");
    let mut results = BufReader::new(started.stdout()).lines();
    let mut next = || results.next().expect("a line").expect("text");
    writeln!(items, "1").unwrap();
    assert_eq!(next(), "1");
    assert_eq!(results_in(&cache).len(), 1);
    fs::remove_dir_all(cache.join("results")).unwrap();
    for item in ["2", "3", "2"] {
        writeln!(items, "{item}").unwrap();
        assert_eq!(next(), item);
    }
    drop(items);
    let ran = started.finish().exits(0);
    let warnings = ran.stderr.matches("results are not cached any more");
    assert_eq!(warnings.count(), 1, "{ran:?}");
}

fn guest(name: &str) -> PathBuf {
    guests().expect("only run with guests").join(name)
}

/// A guest with a section that no other test has: another module, and the same code.
fn own(name: &str, test: &str) -> Vec<u8> {
    let mut module = fs::read(guest(name)).expect("it was built");
    let name = "test";
    let size = 1 + name.len() + test.len();
    assert!(size < 128);
    module.extend([0, size as u8, name.len() as u8]);
    module.extend(name.as_bytes());
    module.extend(test.as_bytes());
    module
}

fn typed_tasks() {
    let module = own("square.wasm", "typed");
    for cached in [0, 5] {
        let pool = builder().open_bytes(&module).expect("it can be opened");
        let squares = pool.map::<_, i64>("square", 1..=5_i64).unwrap();
        assert_eq!(squares, [1, 4, 9, 16, 25]);
        assert_eq!(pool.stats().cached, cached);
        // The same item in another encoding.
        let outcomes = outcomes(&pool, "square", options(), bytes(&["3"]));
        assert_eq!(said(&outcomes[0]).2, Ok(b"9".to_vec()));
        assert_eq!(pool.stats().cached, cached + u64::from(cached > 0));
    }
}

fn emitted() {
    let module = own("zoo.wasm", "emitted");
    let run = || {
        let builder = builder().deterministic(1);
        let pool = builder.open_bytes(&module).expect("it can be opened");
        let outcomes = outcomes(&pool, "emit-n", options(), bytes(&["3", "0", "200"]));
        let said: Vec<_> = outcomes.iter().map(said).collect();
        (said, pool.stats().cached)
    };
    let (first, cached) = run();
    assert_eq!(cached, 0);
    for (n, (_, emitted, result, _)) in [3, 0, 200].into_iter().zip(&first) {
        let values: Vec<_> = (0..n).map(|i: u64| i.to_string().into_bytes()).collect();
        assert_eq!(*emitted, values);
        assert_eq!(*result, Ok(n.to_string().into_bytes()));
    }
    assert_eq!(run(), (first, 3));
}

fn generators() {
    let module = own("zoo.wasm", "generators");
    let builder = builder().deterministic(1);
    let pool = builder.open_bytes(&module).expect("it can be opened");
    for _ in 0..2 {
        let values = pool.generate::<_, u64>("emit-n", 5_u64).unwrap();
        let values: Result<Vec<u64>, _> = values.collect();
        assert_eq!(values.unwrap(), [0, 1, 2, 3, 4]);
    }
    assert_eq!(pool.stats().cached, 0);
}

/// What can see clocks, randomness or its surroundings is refused, unless these are fixed. Then its results are the same
/// from the cache; and where they depend on the item's index, that is a part of the key.
fn what_tasks_see() {
    for (name, import) in [
        ("zoo.wasm", "wasmpool:task/context"),
        ("chance.wasm32-wasip1.wasm", "wasmpool:task/context"),
        ("files.wasm32-wasip1.wasm", "wasi:clocks/monotonic-clock"),
    ] {
        let opened = builder().open(guest(name)).map(drop);
        let error = opened.expect_err("it is refused");
        assert!(matches!(error, Error::NotCacheable { .. }), "{error}");
        assert!(error.to_string().contains(import), "{error}");
        assert!(error.hint().is_some_and(|h| h.contains("deterministic")));
    }
    let (_folder, cache) = folder();
    let path = guest("chance.wasm32-wasip1.wasm");
    let look = format!("{}:look", path.to_str().expect("text"));
    let map = |items: &[&str], args: &[&str]| {
        let fixed = ["map", &look, "--cache-results", "--stats"];
        let all = [&fixed[..], &["--output", "records"], args, items].concat();
        wasmpool(all).cache(&cache).run()
    };
    map(&["1"], &[]).exits(2).says("deterministic mode");
    let fixed = ["--deterministic=7"];
    let first = map(&["1", "2", "3"], &fixed).exits(0);
    let second = map(&["1", "2", "3"], &fixed).exits(0);
    assert_eq!((cached(&second), &second.stdout), (3, &first.stdout));
    // The second of these is the item that it was at its place; the others are elsewhere.
    let moved = map(&["3", "2", "1"], &fixed).exits(0);
    assert_eq!(cached(&moved), 1);
    let plain = ["map", &look, "--deterministic=7", "--output", "records"];
    let plain = wasmpool([&plain[..], &["3", "2", "1"]].concat()).run();
    assert_eq!(plain.exits(0).stdout, moved.stdout);
}
