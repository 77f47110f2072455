//! Modules that chance makes, by wasm-smith, and real ones that chance changes, by wasm-mutate, in pools of this process.
//! Whatever they are: each is refused or runs, each outcome is a documented one, nothing panics, no fault is the pool's,
//! and in the end this process has no more processes, descriptors, threads, control groups and memory than before.
//!
//! `WASMPOOL_GENERATED=10000` takes so many of each kind, `WASMPOOL_GENERATED=17..18` those with these numbers, as a
//! complaint names them, under the seed that it names.

mod census;
mod items;
mod make;
mod mutate;
mod trial;
mod wasi;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use census::{Census, Counting};
use wasmpool::pool::Pool;
use wasmpool_tests::{PATIENCE, Random, Suite, small_component};

/// Modules of each kind, where nobody asks for more.
const MODULES: usize = 150;
/// Modules before the first look at what there is.
const WARM: usize = 30;
/// Modules between one look at what is left behind and the next.
const ROUND: usize = 100;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    census::prepare();
    count_panics();
    Suite::new()
        .test("a_handle_keeps_no_process", a_handle_keeps_no_process)
        .test("generated", || all("generated", make::module))
        .guest("mutated", || {
            let originals = mutate::originals();
            all("mutated", |random| mutate::module(&originals, random));
        })
        .run()
}

/// A module to be tried.
pub struct Made {
    /// What it is, for complaints.
    pub what: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it must be refused.
    pub broken: bool,
}

/// How often what happened.
pub type Tally = BTreeMap<String, u64>;

/// What went wrong, and what happened in all.
#[derive(Default)]
struct Seen {
    tally: Tally,
    complaints: Vec<String>,
}

/// With the pool everything ends that it has started, at once, whoever still waits for a result.
fn a_handle_keeps_no_process() {
    let _alone = lock(&ALONE);
    let pool = Pool::builder().cache(false).open_bytes(&small_component());
    let pool = pool.expect("the module can be used");
    let handle = pool
        .submit::<_, i64>("identity", 7_i64)
        .expect("there is the function");
    assert!(Census::now().has_pools());
    drop(pool);
    let after = Census::now();
    assert!(!after.has_pools(), "{after}");
    drop(handle);
}

/// Tries every module that `make` makes, and looks at what they leave behind.
fn all(kind: &str, make: impl Fn(&mut Random) -> Made + Sync) {
    // The other kind would leave something, too.
    let _alone = lock(&ALONE);
    let random = Random::fixed(kind);
    let numbers = numbers();
    PANICS.store(0, Ordering::Relaxed);
    let seen = Mutex::new(Seen::default());
    // What is set up once is set up now: as many pools at a time as later.
    let first = numbers.start..numbers.end.min(numbers.start + WARM);
    round(first.clone(), &random, &make, &seen);
    let before = Census::now().settled();
    println!("{kind}: before: {before}");
    lock(&seen).complaints.extend(before.more_than(&before));

    for start in (first.end..numbers.end).step_by(ROUND) {
        round(start..numbers.end.min(start + ROUND), &random, &make, &seen);
        let now = before.settled();
        if start / 1000 != (start + ROUND) / 1000 {
            println!("{kind}: {start} and more: {now}");
        }
        if let Some(more) = now.more_than(&before) {
            lock(&seen)
                .complaints
                .push(format!("before {}: {more}", start + ROUND));
            break;
        }
    }
    println!("{kind}: after: {}", Census::now());
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{kind}: {:?}", seen.tally);
    let panics = PANICS.load(Ordering::Relaxed);
    assert!(
        seen.complaints.is_empty() && panics == 0,
        "{panics} panics, and:\n{}",
        seen.complaints.join("\n")
    );
    if numbers.len() >= MODULES {
        for common in ["refused", "opened", "done", "trap"] {
            assert!(
                seen.tally.contains_key(common),
                "none is {common}: they do too little to tell anything"
            );
        }
    }
}

static ALONE: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The modules with these numbers, in a few threads, whose pools are open at the same time.
///
/// A module that hangs ends this process: nothing else could end its thread.
fn round(
    numbers: Range<usize>,
    random: &Random,
    make: &(impl Fn(&mut Random) -> Made + Sync),
    seen: &Mutex<Seen>,
) {
    let threads = thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
    let next = AtomicUsize::new(numbers.start);
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return;
                    }
                    // Nobody listens any more: this process is about to end.
                    let _ = tell.send((number, true));
                    one(number, random.clone().part(number), make, seen);
                    let _ = tell.send((number, false));
                }
            });
        }
        drop(tell);
        let mut under_way = BTreeSet::new();
        loop {
            match told.recv_timeout(PATIENCE) {
                Ok((number, true)) => drop(under_way.insert(number)),
                Ok((number, false)) => drop(under_way.remove(&number)),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("among these one hangs: {under_way:?}");
                    std::process::exit(1);
                }
            }
        }
    });
}

fn one(number: usize, mut random: Random, make: &impl Fn(&mut Random) -> Made, seen: &Mutex<Seen>) {
    let made = quietly(|| make(&mut random));
    let mut tally = Tally::new();
    let result = match &made {
        Some(made) => trial::run(made, &mut random, &mut tally),
        // It is not the pool that gave up.
        None => {
            tally.insert("not made: their maker panics".into(), 1);
            Ok(())
        }
    };
    let mut seen = lock(seen);
    for (what, count) in tally {
        *seen.tally.entry(what).or_default() += count;
    }
    if let (Err(complaint), Some(made)) = (result, made) {
        let file = std::env::temp_dir().join(format!("wasmpool-generated-{number}.wasm"));
        let kept = match std::fs::write(&file, &made.bytes) {
            Ok(()) => file.display().to_string(),
            Err(e) => e.to_string(),
        };
        seen.complaints
            .push(format!("{number}, {} ({kept}): {complaint}", made.what));
    }
}

/// Panics in this process, but for those of the makers of modules.
static PANICS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MAKING: Cell<bool> = const { Cell::new(false) };
}

fn count_panics() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !MAKING.get() {
            PANICS.fetch_add(1, Ordering::Relaxed);
            told(info);
        }
    }));
}

/// What a maker makes; none if it panics.
fn quietly<T>(make: impl FnOnce() -> T) -> Option<T> {
    MAKING.set(true);
    let made = catch_unwind(AssertUnwindSafe(make)).ok();
    MAKING.set(false);
    made
}

fn numbers() -> Range<usize> {
    let Ok(text) = std::env::var("WASMPOOL_GENERATED") else {
        return 0..MODULES;
    };
    let number = |text: &str| {
        text.parse::<usize>()
            .expect("WASMPOOL_GENERATED is a number, or a range like 17..18")
    };
    match text.split_once("..") {
        Some((start, end)) => number(start)..number(end),
        None => 0..number(&text),
    }
}
