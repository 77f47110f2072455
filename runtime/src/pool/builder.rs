//! What a pool is opened with, and opening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::core::Shape;
use super::error::Error;
use super::memo::{Memo, OnWarning, Setting};
use super::opening::{Opening, Ready};
use super::options::LogRecord;
use super::processes::{self, Code, Plan};
use super::running::Pool;
use super::shares::{self, Direction, Share};
use super::supervisor::OnLog;
use crate::cache::{Cache, CacheKey, CodeSource};
use crate::engine::config::fingerprint;
use crate::grants::{DirectoryGrant, Granted, Grants};
use crate::ipc::lookup::find_function;
use crate::ipc::manifest::{Manifest, OverLimit};
use crate::ipc::wire::{InitialFunction, Initializer};
use crate::limits::Limits;
use crate::mode::{CodeMode, Isolation};
use crate::objects::{Access, Barrier, Buffer, Condition, Event, Lock, PipeEnd, Queue, Semaphore};
use crate::sandbox::layers::Rank;

/// What a pool is opened with.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::limits::{Limits, MIB};
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let limits = Limits::new().timeout(Duration::from_secs(2)).memory(64 * MIB);
/// let pool = Pool::builder().workers(2).limits(limits).open("tasks.wasm")?;
/// assert_eq!(pool.map::<_, i64>("square", [2i64, 3])?, [4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct PoolBuilder {
    workers: Option<u32>,
    limits: Limits,
    isolation: Option<Isolation>,
    backtrace_on_timeout: bool,
    profile: Option<u32>,
    deterministic: Option<u64>,
    max_items_per_worker: Option<u32>,
    no_cache: bool,
    cache_results: bool,
    grants: Grants,
    name: Option<String>,
    shares: Vec<(String, Share)>,
    initializer: Option<(String, Result<Vec<u8>, String>)>,
    /// The name and the arguments of a WASI command.
    arg0: Option<String>,
    args: Vec<String>,
    strict: bool,
    without: Option<String>,
    record: bool,
    on_log: Option<OnLog>,
    on_warning: Option<OnWarning>,
}

/// Workers of a pool at most: what descriptors and memory of an ordinary machine allow.
const MOST_WORKERS: u32 = 1024;

impl PoolBuilder {
    /// How many workers run items at the same time, 1 to 1024. Default: the processors that this process may use, with
    /// its control group's quota counted in.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().workers(3).open("tasks.wasm")?;
    /// pool.ready()?;
    /// assert_eq!(pool.snapshot().workers.len(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workers(mut self, n: u32) -> Self {
        self.workers = Some(n.clamp(1, MOST_WORKERS));
        self
    }

    /// What an item may use. Default [`Limits::default`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::limits::Limits;
    /// # use wasmpool::pool::{Error, Pool};
    /// use wasmpool::failure::FailureKind;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let limits = Limits::new().timeout(Duration::from_millis(100));
    /// let pool = Pool::builder().limits(limits).open("tasks.wasm")?;
    /// match pool.apply::<_, i64>("spin", 1i64) {
    ///     Err(Error::Item { failure, .. }) => assert_eq!(failure.kind, FailureKind::Timeout),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How far items are kept apart. Default [`Isolation::Shared`]; in deterministic mode, and where results are cached,
    /// [`Isolation::Instance`].
    ///
    /// ```
    /// use wasmpool::mode::Isolation;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // What one item leaves in memory, the next one does not see.
    /// let pool = Pool::builder().isolation(Isolation::Instance).open("tasks.wasm")?;
    /// # assert_eq!(pool.apply::<_, i64>("square", 3i64)?, 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = Some(isolation);
        self
    }

    /// Whether the failure of an item that is late tells where the guest was. Default false: for that the code looks at
    /// every turn of a loop and every call whether it is to stop, which costs up to about half a nanosecond each time.
    /// That is nothing in most loops, and two thirds of the time of one that only adds.
    ///
    /// A guest that does not come to look within half a second after its deadline, since it is in a host call, in an
    /// operation on much memory or stopped, is killed all the same; its failure has no backtrace.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wasmpool::limits::Limits;
    /// # use wasmpool::pool::{Error, Pool};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let limits = Limits::new().timeout(Duration::from_millis(100));
    /// let pool = Pool::builder().limits(limits).backtrace_on_timeout(true).open("tasks.wasm")?;
    /// if let Err(Error::Item { failure, .. }) = pool.apply::<_, i64>("spin", 1i64) {
    ///     for frame in &failure.backtrace {
    ///         println!("  at {frame}");
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn backtrace_on_timeout(mut self, on: bool) -> Self {
        self.backtrace_on_timeout = on;
        self
    }

    /// Gathers where guests spend their time: of each worker that runs an item, so many samples a second, 1 to 10,000. Default:
    /// none. [`Pool::profile`] gives them, at any time.
    ///
    /// Code is compiled as for [`backtrace_on_timeout`](PoolBuilder::backtrace_on_timeout), with the same cost, and that takes
    /// no effect; debug information is not kept. Not with [`Isolation::Thread`].
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().profile(1000).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..1000i64)?;
    /// if let Some(profile) = pool.profile() {
    ///     print!("{}", profile.folded());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(mut self, frequency: u32) -> Self {
        self.profile = Some(frequency.clamp(1, 10_000));
        self
    }

    /// Makes results the same in every run, and for any number of workers and size of chunks: byte by byte, and in what
    /// they use of their fuel. Default: off, which costs nothing.
    ///
    /// Every item has a fresh instance, unless a fresh process or, for each item, a fresh instance in a thread is asked
    /// for; fuel is counted; every NaN that is computed has the same bits. WASI's clocks start with the instance, the
    /// wall clock at 2000-01-01 00:00:00 UTC, the monotonic clock at 0; each reading moves both by 1 µs; a guest that
    /// waits for a time is there at once. WASI's randomness is made of `seed` and of the item's index in its job. Of
    /// its surroundings a guest hears that it is in worker 0, at its first attempt, with its whole time left, not
    /// cancelled.
    ///
    /// Not the same in every run: whether an item meets its time limit, what a machine without memory does, and what is in
    /// granted directories, the times of files with it.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let run = |workers| {
    ///     let pool = Pool::builder().workers(workers).deterministic(42).open("tasks.wasm")?;
    ///     pool.map::<_, i64>("square", 0..100i64)
    /// };
    /// assert_eq!(run(1)?, run(2)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deterministic(mut self, seed: u64) -> Self {
        self.deterministic = Some(seed);
        self
    }

    /// A worker is replaced after so many items, at least 1. Default: never.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().workers(1).max_items_per_worker(10).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..25i64)?;
    /// assert!(pool.stats().workers_started >= 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_items_per_worker(mut self, n: u32) -> Self {
        self.max_items_per_worker = Some(n.max(1));
        self
    }

    /// Whether compiled components are kept in the user's cache folder. Default true.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().cache(false).open("tasks.wasm")?;
    /// assert!(!pool.stats().from_cache);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache(mut self, on: bool) -> Self {
        self.no_cache = !on;
        self
    }

    /// Whether results are kept in the user's cache folder, and those that are there handed out without running anything;
    /// as `joblib.Memory`. Default false.
    ///
    /// A result is found by the content of all that it can depend on: the module, the code that is made of it, the
    /// function, the item, both encodings, the limits but those of time, the environment, the initializer, the
    /// seed. So that there is nothing else, every item has a fresh instance ([`Isolation::Instance`] unless
    /// [`Isolation::Process`] is asked for, or deterministic mode); guests are granted no directories and no objects; and
    /// clocks, randomness and `wasmpool:task/context` are only for deterministic mode, where they are the same in every
    /// run. What contradicts that is an error when the pool is opened.
    ///
    /// Only successes are kept, with what the task emitted, as they are handed out; at most 1 GiB, each at most 64 MiB, the
    /// least recently used go first. An outcome that was kept has 0 attempts and took 0 ns, and its log messages are not
    /// repeated; its fuel is what it was. [`Stats::cached`](super::Stats::cached) counts them. [`Pool::generate`] keeps nothing. Where
    /// results cannot be stored, there is one warning, and the job goes on.
    ///
    /// Not promised: that a result is kept. A worker that was taken over, or a machine whose processor computes another
    /// NaN or that had no memory left, leaves its result for the next run too.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().cache_results(true).open("squares.wasm")?;
    /// let first: Vec<i64> = pool.map("square", 0..10i64)?;
    /// let again: Vec<i64> = pool.map("square", 0..10i64)?;
    /// assert_eq!(first, again);
    /// assert_eq!(pool.stats().cached, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache_results(mut self, on: bool) -> Self {
        self.cache_results = on;
        self
    }

    /// Grants guests a directory of this machine, through WASI, under a path of theirs: to read, or also to change what
    /// is in it. Default: none.
    ///
    /// Two walls keep guests in it: WASI's own checks of paths, and landlock around the worker, where the kernel has it.
    /// Symbolic links that lead out of it are not followed. What one guest writes, all guests of the pool see.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # std::fs::create_dir("photos")?;
    /// // Guests read what is in `photos`, as `/photos`, and can neither change it nor see anything else.
    /// let pool = Pool::builder().directory("photos", "/photos", false).open("tasks.wasm")?;
    ///
    /// let missing = Pool::builder().directory("no-such-folder", "/photos", false).open("tasks.wasm");
    /// assert_eq!(missing.unwrap_err().to_string(), "cannot grant the directory no-such-folder");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn directory(
        mut self,
        host_path: impl Into<PathBuf>,
        guest_path: impl Into<String>,
        writable: bool,
    ) -> Self {
        self.grants.directories.push(DirectoryGrant {
            host_path: host_path.into(),
            guest_path: guest_path.into(),
            writable,
        });
        self
    }

    /// Grants guests an environment variable, through WASI. Default: none, and nothing of this process's own.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().env("LANG", "de_DE.UTF-8").open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.grants.env.push((name.into(), value.into()));
        self
    }

    /// Grants all of these, in the place of what was granted before.
    ///
    /// ```
    /// use wasmpool::grants::{DirectoryGrant, Grants};
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # std::fs::create_dir("photos")?;
    /// let grants = Grants {
    ///     directories: vec![DirectoryGrant {
    ///         host_path: "photos".into(),
    ///         guest_path: "/photos".into(),
    ///         writable: false,
    ///     }],
    ///     ..Grants::default()
    /// };
    /// let pool = Pool::builder().grants(grants).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grants(mut self, grants: Grants) -> Self {
        self.grants = grants;
        self
    }

    /// Has every instance call a function before its first item, with `item`: a task of the guest SDK, or another exported
    /// function. What it leaves in the instance's memory, the items of that instance find there. Default: nothing.
    ///
    /// With [`Isolation::Shared`] that is once a worker, with the others before every item. It has
    /// `Limits::start_timeout` together with the rest of the instance's start; one that fails ends the pool with
    /// [`Error::Start`]. The item travels as JSON, at most 32 KiB: large inputs are for a [`PoolBuilder::buffer`]. Its
    /// log messages are dropped.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // Each worker calls `start-at(1000)` before its first item.
    /// let pool = Pool::builder().initializer("start-at", 1000i64).open("tasks.wasm")?;
    /// assert_eq!(pool.apply::<_, i64>("above", 7i64)?, 1007);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn initializer<T: Serialize>(mut self, function: impl Into<String>, item: T) -> Self {
        let item = serde_json::to_vec(&item).map_err(|e| e.to_string());
        self.initializer = Some((function.into(), item));
        self
    }

    /// The arguments of a WASI command, behind its name; in each, `{}` stands for the item, as with `xargs`. Default: none.
    /// At most 32 KiB together.
    ///
    /// The item is the command's standard input in any case: the bytes of an item in [`Encoding::Raw`], and of one in JSON
    /// the text of a string, nothing for `null`, or the JSON itself. An item that is not UTF-8 text, or has a zero
    /// character, cannot be an argument: it fails as `invalid-input`.
    ///
    /// Its standard output is the result: bytes in [`Encoding::Raw`], a string in JSON, where what is not UTF-8 text fails. It
    /// counts for `Limits::result_bytes`. Standard error is log messages, a line each. An exit code other than 0 is a
    /// failure, `failed`. Whatever the isolation, each item has an instance of its own.
    ///
    /// A function that is no command takes no arguments: calling one is [`Error::Options`] then.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // A program that prints its name and its arguments.
    /// let pool = Pool::builder().args(["--name", "{}"]).open("args.wasm")?;
    /// let out: String = pool.apply("run", "Ada")?;
    /// assert_eq!(out, "args.wasm\n--name\nAda\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Encoding::Raw`]: crate::encoding::Encoding::Raw
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// What a WASI command hears as its own name, its first argument. Default: the name of the module's file, or `command`.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().arg0("show").open("args.wasm")?;
    /// assert_eq!(pool.apply::<_, String>("run", ())?, "show\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn arg0(mut self, name: impl Into<String>) -> Self {
        self.arg0 = Some(name.into());
        self
    }

    /// What the pool is called in messages about who waits for whom. Default: "the pool".
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().name("thumbnails").open("tasks.wasm")?;
    /// assert_eq!(pool.snapshot().name, "thumbnails");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn process_name(&self, function: &str) -> String {
        self.name.clone().unwrap_or_else(|| function.to_owned())
    }

    fn share(mut self, name: impl Into<String>, share: Share) -> Self {
        self.shares.push((name.into(), share));
        self
    }

    /// Grants guests a queue, under a name: to put messages, to get them, or both. What they put stays put, whatever
    /// becomes of the item that did it.
    ///
    /// Of this and of all other objects: names are 1 to 64 printable ASCII characters without spaces, one object of its
    /// kind each, at most 128 of a pool. Not in deterministic mode. An item that waits is not excused from its
    /// time limit.
    ///
    /// ```
    /// use wasmpool::objects::Queue;
    /// use wasmpool::pool::Direction;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let greetings = Queue::new();
    /// let pool = Pool::builder().queue("greetings", &greetings, Direction::Put).open("tasks.wasm")?;
    /// // The task opens the queue by that name, and puts its item into it.
    /// let _: Option<()> = pool.apply("greet", "hello")?;
    /// assert_eq!(greetings.get(None)?, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue(self, name: impl Into<String>, queue: &Queue, direction: Direction) -> Self {
        self.share(name, Share::Queue(queue.clone(), direction))
    }

    /// Grants guests one end of a pipe, under a name. One instance holds it at a time; when that closes it, or ends, it
    /// is closed for good.
    ///
    /// ```
    /// use wasmpool::objects::Pipe;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let (here, there) = Pipe::new();
    /// let pool = Pool::builder().workers(1).pipe("questions", there).open("tasks.wasm")?;
    /// here.send(b"who are you?", None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pipe(self, name: impl Into<String>, end: PipeEnd) -> Self {
        self.share(name, Share::PipeEnd(end.into_object()))
    }

    /// Grants guests a buffer, under a name, to read or also to write.
    ///
    /// What is granted for reading is mapped so that not even a worker that is no longer its guest's keeper can write.
    /// In a pool of threads guests cannot attach buffers, only copy.
    ///
    /// ```
    /// use wasmpool::objects::{Access, Buffer};
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let model = Buffer::from_bytes(b"much data, which no worker gets a copy of")?;
    /// let pool = Pool::builder().buffer("model", &model, Access::ReadOnly).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn buffer(self, name: impl Into<String>, buffer: &Buffer, access: Access) -> Self {
        self.share(name, Share::Buffer(buffer.clone(), access))
    }

    /// Grants guests a lock, under a name.
    ///
    /// ```
    /// use wasmpool::objects::Lock;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let lock = Lock::new();
    /// let pool = Pool::builder().lock("ledger", &lock).open("tasks.wasm")?;
    /// // The host uses the same lock: no task has it now.
    /// let guard = lock.acquire(None)?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(self, name: impl Into<String>, lock: &Lock) -> Self {
        self.share(name, Share::Lock(lock.clone()))
    }

    /// Grants guests a semaphore, under a name.
    ///
    /// ```
    /// use wasmpool::objects::Semaphore;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // Eight workers, of which three at a time have a licence.
    /// let licences = Semaphore::bounded(3);
    /// let pool = Pool::builder().workers(8).semaphore("licences", &licences).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn semaphore(self, name: impl Into<String>, semaphore: &Semaphore) -> Self {
        self.share(name, Share::Semaphore(semaphore.clone()))
    }

    /// Grants guests an event, under a name.
    ///
    /// ```
    /// use wasmpool::objects::Event;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let stop = Event::new();
    /// let pool = Pool::builder().event("stop", &stop).open("tasks.wasm")?;
    /// stop.set();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn event(self, name: impl Into<String>, event: &Event) -> Self {
        self.share(name, Share::Event(event.clone()))
    }

    /// Grants guests a condition, under a name, and with it its lock.
    ///
    /// ```
    /// use wasmpool::objects::{Condition, Lock};
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let lock = Lock::new();
    /// let restocked = Condition::new(&lock);
    /// let pool = Pool::builder().condition("restocked", &restocked).open("tasks.wasm")?;
    /// restocked.notify_all(&lock.acquire(None)?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn condition(self, name: impl Into<String>, condition: &Condition) -> Self {
        self.share(name, Share::Condition(condition.clone()))
    }

    /// Grants guests a barrier, under a name.
    ///
    /// ```
    /// use wasmpool::objects::Barrier;
    /// # use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// // Two tasks and the host wait for each other.
    /// let start = Barrier::new(3);
    /// let pool = Pool::builder().workers(2).barrier("start", &start).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn barrier(self, name: impl Into<String>, barrier: &Barrier) -> Self {
        self.share(name, Share::Barrier(barrier.clone()))
    }

    /// Whether the pool refuses to open where a layer of the wall around its processes cannot be had: see
    /// [`Layer`](crate::sandbox::layers::Layer). Default false: it opens, with a warning, as long as the floor is there
    /// (seccomp, resource limits, no privileges).
    ///
    /// ```
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// match Pool::builder().strict(true).open("tasks.wasm") {
    ///     Ok(_) => println!("every layer is in force"),
    ///     Err(Error::Protection { missing }) => println!("this machine does not have {missing:?}"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn strict(mut self, on: bool) -> Self {
        self.strict = on;
        self
    }

    /// Denies workers one system call of their list: for the test that shows that each one is needed.
    #[doc(hidden)]
    pub fn without_system_call(mut self, name: impl Into<String>) -> Self {
        self.without = Some(name.into());
        self
    }

    /// Called with every message of guests, in order for each item, on some thread of the pool or of its user. It must
    /// not panic.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # use std::sync::{Arc, Mutex};
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let said = Arc::new(Mutex::new(Vec::new()));
    /// # let also = said.clone();
    /// let pool = Pool::builder()
    ///     .on_log(move |record| {
    ///         println!("item {}: {}", record.index, record.message);
    /// #       also.lock().unwrap().push(record.message.to_owned());
    ///     })
    ///     .open("tasks.wasm")?;
    /// let _: Vec<Option<()>> = pool.map("say", ["one", "two"])?;
    /// # drop(pool);
    /// # said.lock().unwrap().sort();
    /// # assert_eq!(*said.lock().unwrap(), ["one", "two"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_log(mut self, f: impl Fn(&LogRecord<'_>) + Send + Sync + 'static) -> Self {
        self.on_log = Some(Box::new(f));
        self
    }

    /// Called with warnings of the pool itself while it is opened, and if results cannot be kept any more. Default: they are
    /// dropped.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().on_warning(|warning| eprintln!("{warning}")).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_warning(mut self, f: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_warning = Some(Arc::new(f));
        self
    }

    /// Records what happens in the pool, for [`Pool::recording`]. Default off. Costs the host a few nanoseconds an item and
    /// up to 20 MB, and a worker's end a look at what its process has used, 30 µs.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().record(true).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..100i64)?;
    /// assert_eq!(pool.recording().map(|recording| recording.latency.count), Some(100));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record(mut self, on: bool) -> Self {
        self.record = on;
        self
    }

    /// Opens a pool of the module in a file.
    ///
    /// ```
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().open("tasks.wasm")?;
    /// assert!(matches!(Pool::builder().open("no-such-file"), Err(Error::Read { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read or is larger than `limits.module_bytes`, and those of [`PoolBuilder::open_bytes`].
    pub fn open(mut self, path: impl AsRef<Path>) -> Result<Pool, Error> {
        let module = read_module(path.as_ref(), &self.limits)?;
        if let (None, Some(name)) = (&self.arg0, path.as_ref().file_name()) {
            self.arg0 = Some(name.to_string_lossy().into_owned());
        }
        self.open_bytes(&module)
    }

    /// Opens a pool of a module: a component, a core module with component metadata or with `_start`, or the text of any.
    ///
    /// Compiles it, unless it is in the cache, and starts the workers; does not wait until they are ready.
    ///
    /// ```
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let module = br#"
    ///     (component
    ///       (core module $math
    ///         (func (export "double") (param i64) (result i64) (i64.shl (local.get 0) (i64.const 1))))
    ///       (core instance $math (instantiate $math))
    ///       (func (export "double") (param "x" s64) (result s64) (canon lift (core func $math "double"))))"#;
    /// let pool = Pool::builder().open_bytes(module)?;
    /// assert_eq!(pool.apply::<_, i64>("double", 21i64)?, 42);
    ///
    /// assert!(matches!(Pool::builder().open_bytes(b"no module"), Err(Error::Module(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If options contradict one another, the module cannot be used, or processes cannot be started.
    pub fn open_bytes(mut self, module: &[u8]) -> Result<Pool, Error> {
        let isolation = self.chosen_isolation()?;
        let workers = match self.workers {
            Some(n) => n as usize,
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let slots = match isolation {
            // A spare for each, so that the next item does not wait for a process.
            Isolation::Process => workers * 2,
            Isolation::Thread | Isolation::Shared | Isolation::Instance => workers,
        };
        let max_items_per_worker = match isolation {
            Isolation::Process => Some(1),
            _ => self.max_items_per_worker.map(u64::from),
        };
        let is_buffer = |(_, share): &(String, Share)| matches!(share, Share::Buffer(..));
        let mode =
            CodeMode::with_epochs(isolation == Isolation::Thread || self.backtrace_on_timeout)
                .profile(self.profile.is_some())
                .deterministic(self.deterministic.is_some())
                .attach(isolation != Isolation::Thread && self.shares.iter().any(is_buffer));
        let shared = shares::open(std::mem::take(&mut self.shares))?;
        let opening = Opening::start(isolation, slots, &self.limits)?;
        let (code, from_cache) = self.compile(module, &mode)?;
        code.manifest.fits(&self.limits)?;
        if let Some((name, reason)) = code.manifest.missing_imports().next() {
            return Err(Error::MissingImport {
                name: name.into(),
                reason: reason.into(),
            });
        }
        let initializer = match self.initializer.take() {
            Some((function, item)) => Some(initial(&code.manifest, function, item)?),
            None => None,
        };
        let memo = match self.cache_results {
            true => self.memo(module, &mode, &code.manifest, initializer.as_ref())?,
            false => None,
        };
        let shape = Shape {
            limits: self.limits,
            workers,
            slots,
            max_items_per_worker,
            has_tasks: code.manifest.tasks.is_some(),
            backtrace_on_timeout: self.backtrace_on_timeout && self.profile.is_none(),
            profile: self.profile,
            deterministic: mode.deterministic,
            record: self.record,
            name: self.name.unwrap_or_else(|| "the pool".into()),
            objects: shared.objects,
        };
        self.grants.check().map_err(|reason| Error::Grant {
            what: "what is asked for".into(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidInput, reason),
        })?;
        let mut granted = Granted {
            env: self.grants.env,
            ..Granted::default()
        };
        granted.objects.grants = shared.grants;
        for directory in &self.grants.directories {
            let opened = directory.open().map_err(|source| Error::Grant {
                what: format!("the directory {}", directory.host_path.display()),
                source,
            })?;
            granted.directories.push(opened);
        }
        let plan = Plan {
            mode,
            isolation,
            seed: self.deterministic.unwrap_or(0),
            granted,
            buffers: shared.descriptors,
            initializer,
            strict: self.strict,
            without: self.without,
        };
        let mut pool = opening.finish(Ready {
            code,
            plan,
            shape,
            on_log: self.on_log,
            from_cache,
        })?;
        pool.memo = memo;
        pool.argv
            .push(self.arg0.unwrap_or_else(|| "command".into()));
        pool.set_args(self.args)?;
        if let (Some(layers), Some(on_warning)) = (pool.layers(), &self.on_warning) {
            let missing: Vec<_> = layers
                .missing(Rank::Expected)
                .map(|layer| layer.name())
                .collect();
            if !missing.is_empty() {
                on_warning(&format!(
                    "this machine does not offer every protection; missing: {}; `wasmpool audit` tells why",
                    missing.join(", ")
                ));
            }
        }
        Ok(pool)
    }

    /// Describes a module as [`inspect`] does, within the builder's limits; what is compiled for it is looked for in the
    /// cache, and kept there.
    ///
    /// ```
    /// # use wasmpool::pool::Pool;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let manifest = Pool::builder().describe(&std::fs::read("tasks.wasm")?)?;
    /// assert_eq!(manifest.functions[0].signature(), "square: func(x: s64) -> s64");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`inspect`].
    pub fn describe(&self, module: &[u8]) -> Result<Manifest, Error> {
        let (code, _) = self.compile(module, &CodeMode::default())?;
        code.manifest.fits(&self.limits)?;
        Ok(code.manifest)
    }

    /// How far items are kept apart, where the options say that without a contradiction.
    fn chosen_isolation(&self) -> Result<Isolation, Error> {
        match (self.deterministic, self.isolation) {
            (_, Some(Isolation::Thread)) if self.profile.is_some() => Err(Error::Options {
                message: "threads cannot be profiled: all of them would be interrupted whenever one is",
                hint: "leave the isolation out, or choose shared, instance or process",
            }),
            (Some(_), Some(Isolation::Shared)) => Err(Error::Options {
                message: "in deterministic mode items cannot share an instance: what one leaves behind would depend on \
                          which worker had it",
                hint: "leave the isolation out, or choose instance, process or thread",
            }),
            (Some(_), _) if !self.shares.is_empty() => Err(Error::Options {
                message: "in deterministic mode guests can share nothing: what they see of it would depend on time",
                hint: "leave the shared objects out, or deterministic mode",
            }),
            _ if self.cache_results
                && !(self.shares.is_empty() && self.grants.directories.is_empty()) =>
            {
                Err(Error::Options {
                    message: "results cannot be cached where guests are granted directories or shared objects: what they \
                              find there may change, and what they do there would not be done again",
                    hint: "leave the grants out, or do not cache results",
                })
            }
            (None, Some(Isolation::Shared | Isolation::Thread)) if self.cache_results => {
                Err(Error::Options {
                    message: "results cannot be cached where items share an instance: what one leaves behind may change the \
                              next one's result",
                    hint: "leave the isolation out, or choose instance or process; thread needs deterministic mode",
                })
            }
            (None, _) if self.limits.fuel.is_some() => Err(Error::Options {
                message: "a limit of fuel needs deterministic mode: fuel is not counted otherwise",
                hint: "ask for deterministic mode, or bound the time",
            }),
            (Some(_), isolation) => Ok(isolation.unwrap_or(Isolation::Instance)),
            (None, None) if self.cache_results => Ok(Isolation::Instance),
            (None, isolation) => Ok(isolation.unwrap_or_default()),
        }
    }

    /// The cache of results for this pool; `None` if there can be none here.
    fn memo(
        &self,
        module: &[u8],
        mode: &CodeMode,
        manifest: &Manifest,
        initializer: Option<&Initializer>,
    ) -> Result<Option<Arc<Memo>>, Error> {
        let setting = Setting {
            module: &module_key(module, mode)?,
            imports: &manifest.imports,
            limits: &self.limits,
            env: &self.grants.env,
            deterministic: self.deterministic,
            initializer,
        };
        setting.check()?;
        Ok(Memo::open(&setting, self.on_warning.clone()).map(Arc::new))
    }

    fn compile(&self, module: &[u8], mode: &CodeMode) -> Result<(Code, bool), Error> {
        let warn = |text: String| {
            if let Some(on_warning) = &self.on_warning {
                on_warning(&text);
            }
        };
        if self.no_cache {
            return Ok((
                processes::compile(module, mode, &self.limits, self.strict)?,
                false,
            ));
        }
        let cache = match Cache::open_default() {
            Ok(cache) => cache,
            Err(warning) => {
                warn(format!("compiled modules are not cached: {warning}"));
                return Ok((
                    processes::compile(module, mode, &self.limits, self.strict)?,
                    false,
                ));
            }
        };
        let key = module_key(module, mode)?;
        if let Some(entry) = cache.get(&key) {
            return Ok((
                Code {
                    file: entry.file.into(),
                    bytes: entry.code_len,
                    manifest: entry.manifest,
                },
                true,
            ));
        }
        let code = processes::compile(module, mode, &self.limits, self.strict)?;
        use std::os::fd::AsFd;
        if let Err(e) = cache.put(
            &key,
            CodeSource::File(code.file.as_fd()),
            code.bytes,
            &code.manifest,
        ) {
            warn(format!("the compiled module was not cached: {e}"));
        }
        Ok((code, false))
    }
}

/// The key of a module's code in this mode, by this engine, on this processor.
fn module_key(module: &[u8], mode: &CodeMode) -> Result<CacheKey, Error> {
    let print = fingerprint(mode).map_err(|e| Error::Pool {
        doing: "the engine cannot be set up".into(),
        source: std::io::Error::other(e),
    })?;
    Ok(CacheKey::new(&print, module))
}
/// Bytes of an initialiser's item, at most: it crosses in one message.
const MAX_INITIAL_BYTES: usize = 32 << 10;

fn initial(
    manifest: &Manifest,
    function: String,
    item: Result<Vec<u8>, String>,
) -> Result<Initializer, Error> {
    let item = item.and_then(|item| match item.len() {
        0..=MAX_INITIAL_BYTES => Ok(item),
        bytes => Err(format!(
            "the initialiser's item has {bytes} bytes, more than {MAX_INITIAL_BYTES}: share a buffer instead"
        )),
    });
    let item = item.map_err(|reason| Error::Codec {
        index: 0,
        doing: "encoded",
        reason,
    })?;
    let function = match find_function(manifest, &function) {
        Ok(found) if found.is_command() => {
            return Err(Error::Options {
                message: "the initialiser is a WASI command, which leaves nothing in an instance",
                hint: "name a function, or leave the initialiser out",
            });
        }
        Ok(found) => InitialFunction::Export(found.name.clone()),
        // The guest's own list is known when its first instance is there.
        Err(_) if manifest.tasks.is_some() => InitialFunction::Task(function),
        Err(e) => return Err(e.into()),
    };
    Ok(Initializer { function, item })
}

fn read_module(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let failed = |source| Error::Read {
        path: path.display().to_string(),
        source,
    };
    let mut module = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    // What is too large, or has no end, is not read to its end only to tell how large it is.
    let size = file.metadata().map_err(failed)?.len();
    file.take(limits.module_bytes.saturating_add(1))
        .read_to_end(&mut module)
        .map_err(failed)?;
    let size = size.max(module.len() as u64);
    OverLimit::test("bytes", size, limits.module_bytes)?;
    Ok(module)
}

/// Describes a module without running any of it: a process of its own reads and compiles it.
///
/// ```
/// use wasmpool::limits::Limits;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let manifest = wasmpool::pool::inspect(&std::fs::read("tasks.wasm")?, &Limits::new())?;
/// for function in &manifest.functions {
///     println!("{}", function.signature());
/// }
/// assert_eq!(manifest.missing_imports().count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the module cannot be used, or the process cannot be started.
pub fn inspect(module: &[u8], limits: &Limits) -> Result<Manifest, Error> {
    Ok(processes::compile(module, &CodeMode::default(), limits, false)?.manifest)
}
