//! A pool that is open: what it can be asked, its jobs, its end. How it is opened is `builder`'s.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::builder::PoolBuilder;
use super::core::Broken;
use super::error::Error;
use super::memo::{JobMemo, Memo};
use super::options::{JobOptions, Stats};
use super::profile::Profile;
use super::record::Recording;
use super::snapshot::Snapshot;
use super::stream::{Feeder, Results, thread_waker};
use super::supervisor::Shared;
use super::watcher::Watcher;
use crate::ipc::frame::Target;
use crate::ipc::lookup::{find_function, same_name};
use crate::ipc::manifest::{Function, Manifest};
use crate::ipc::wire::TaskInfo;
use crate::sandbox::layers::Layers;

/// Bytes of a command's name and arguments, at most, each with 4 more: they cross in one message.
const MAX_ARGS_BYTES: usize = 32 << 10;

/// A pool of workers, all running one component.
///
/// Dropping it is [`Pool::terminate`] and [`Pool::join`].
///
/// ```
/// use wasmpool::pool::Pool;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let pool = Pool::builder().workers(2).open("tasks.wasm")?;
/// let squares: Vec<i64> = pool.map("square", 1..=5i64)?;
/// assert_eq!(squares, [1, 4, 9, 16, 25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool {
    pub(super) shared: Arc<Shared>,
    pub(super) manifest: Manifest,
    pub(super) layers: Option<Layers>,
    pub(super) memo: Option<Arc<Memo>>,
    /// The name and the arguments of a WASI command.
    pub(super) argv: Vec<String>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("workers", &self.shared.core().workers())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// What a pool is opened with.
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().workers(1).open("tasks.wasm")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// What the component is.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let names: Vec<_> = pool.manifest().functions.iter().map(|f| f.name.as_str()).collect();
    /// assert_eq!(names[..3], ["square", "add", "inverse"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The layers of the wall around the pool's processes that are in force. `None` of workers that are threads: there
    /// is no wall.
    ///
    /// ```
    /// use wasmpool::pool::Layer;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// if let Some(layers) = pool.layers() {
    ///     assert!(layers.has(Layer::Seccomp), "no pool opens without");
    ///     println!("{layers:?}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn layers(&self) -> Option<Layers> {
        self.layers
    }

    /// The tasks that the guest lists; none of a component without the guest SDK. Waits for the first worker.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// // Names and descriptions, of a module written with `wasmpool-guest`. This one is not.
    /// for task in pool.tasks()? {
    ///     println!("{}: {}", task.name, task.description);
    /// }
    /// # assert!(pool.tasks()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If no worker gets ready.
    pub fn tasks(&self) -> Result<Vec<TaskInfo>, Error> {
        // Not in the `match`: the core would stay locked.
        let has_tasks = self.shared.core().has_tasks();
        match has_tasks {
            true => self.first_worker(),
            false => Ok(Vec::new()),
        }
    }

    /// What the first worker listed when it was ready.
    fn first_worker(&self) -> Result<Vec<TaskInfo>, Error> {
        loop {
            let mut core = self.shared.core();
            if let Some(tasks) = &core.tasks {
                return Ok(tasks.clone());
            }
            if let Some(broken) = &core.broken {
                return Err(broken.error());
            }
            core.watchers.push(thread_waker());
            drop(core);
            std::thread::park();
        }
    }

    /// The name of the one function, or task, that can be called.
    ///
    /// ```
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let squares = Pool::builder().workers(1).open("squares.wasm")?;
    /// assert_eq!(squares.only_function()?, "square");
    ///
    /// let tasks = Pool::builder().workers(1).open("tasks.wasm")?;
    /// assert!(matches!(tasks.only_function(), Err(Error::Several { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is none, or there are several.
    pub fn only_function(&self) -> Result<String, Error> {
        only(&self.manifest, || self.tasks())
    }

    /// What a name means, if that is an exported function: tasks of the guest SDK have no types that others can see.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let function = pool.function("count-words").expect("it is exported");
    /// assert_eq!(function.signature(), "count-words: func(text: string) -> u64");
    /// // `-` and `_` are the same.
    /// assert_eq!(pool.function("count_words"), Some(function));
    /// assert!(pool.function("count-letters").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn function(&self, name: &str) -> Option<&Function> {
        match self.resolve(name) {
            Ok(Target::Export(_) | Target::Command(..)) => find_function(&self.manifest, name).ok(),
            Ok(Target::Task(_)) | Err(_) => None,
        }
    }

    /// Whether a function's name means a WASI command.
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().workers(1).open("args.wasm")?;
    /// assert!(pool.is_command("run"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_command(&self, function: &str) -> bool {
        find_function(&self.manifest, function).is_ok_and(Function::is_command)
    }

    /// Whether a name means a function or a task.
    ///
    /// # Errors
    /// Why it means none.
    pub(crate) fn resolves(&self, function: &str) -> Result<(), Error> {
        self.resolve(function).map(drop)
    }

    /// Waits until the first worker is ready: the module is loaded, linked and instantiated under its limits.
    ///
    /// ```
    /// use wasmpool::pool::{Error, Pool};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// Pool::builder().workers(1).open("tasks.wasm")?.ready()?;
    ///
    /// // An initializer that fails is a fault of the start.
    /// let broken = Pool::builder().workers(1).initializer("inverse", 0i64).open("tasks.wasm")?;
    /// assert!(matches!(broken.ready(), Err(Error::Start { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If that cannot be, and why; an initialiser is part of it.
    pub fn ready(&self) -> Result<(), Error> {
        self.first_worker().map(drop)
    }

    /// Other arguments for a WASI command than those that the pool was opened with.
    pub(crate) fn set_args(&mut self, args: Vec<String>) -> Result<(), Error> {
        self.argv.truncate(1);
        self.argv.extend(args);
        if self.argv.iter().map(|arg| arg.len() + 4).sum::<usize>() > MAX_ARGS_BYTES {
            return Err(Error::Options {
                message: "the arguments of a WASI command have more than 32 KiB together",
                hint: "give the command a file, in a directory that it is granted, or its standard input",
            });
        }
        match self.argv.iter().any(|arg| arg.contains('\0')) {
            true => Err(Error::Options {
                message: "an argument of a WASI command has a zero character",
                hint: "leave it out: programs take an argument to end there",
            }),
            false => Ok(()),
        }
    }

    /// What a function's name means: a task of the guest's own list, or an export. `-` and `_` are the same.
    pub(super) fn resolve(&self, function: &str) -> Result<Target, Error> {
        let tasks = self.tasks()?;
        if let Some(i) = tasks.iter().position(|t| same_name(&t.name, function)) {
            return Ok(Target::Task(i as u32));
        }
        match find_function(&self.manifest, function) {
            Ok(found) if found.is_command() => {
                Ok(Target::Command(found.name.clone(), self.argv.clone()))
            }
            Ok(_) if self.argv.len() > 1 => Err(Error::Options {
                message: "arguments are given, and the function is no WASI command",
                hint: "pass it what it needs in the item",
            }),
            Ok(found) => Ok(Target::Export(found.name.clone())),
            Err(_) if self.shared.core().has_tasks() && self.manifest.functions.is_empty() => {
                Err(Error::no_task(function, tasks))
            }
            Err(e) => Err(e.into()),
        }
    }

    /// A job whose items go in at one end and whose outcomes come out at the other, each end on any thread. Bytes in,
    /// bytes out: see [`JobOptions`] for their encodings.
    ///
    /// ```
    /// use wasmpool::pool::{JobOptions, Payload};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let (mut feeder, mut results) = pool.stream("square", JobOptions::default())?;
    /// let feeding = std::thread::spawn(move || {
    ///     for item in 0..1000 {
    ///         // False once nobody wants more.
    ///         if !feeder.push(Payload::Bytes(item.to_string().into_bytes())) {
    ///             break;
    ///         }
    ///     }
    /// });
    /// let mut last = Vec::new();
    /// while let Some(outcome) = results.next() {
    ///     last = outcome?.result.map(|bytes| bytes.into_vec())?;
    /// }
    /// assert_eq!(last, b"998001");
    /// # feeding.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such function, the pool is closed, or no worker gets ready.
    pub fn stream(&self, function: &str, options: JobOptions) -> Result<(Feeder, Results), Error> {
        let target = self.resolve(function)?;
        self.stream_target(target, options)
    }

    pub(super) fn stream_target(
        &self,
        target: Target,
        options: JobOptions,
    ) -> Result<(Feeder, Results), Error> {
        self.stream_as(target, options, false)
    }

    pub(super) fn stream_as(
        &self,
        target: Target,
        options: JobOptions,
        streamed: bool,
    ) -> Result<(Feeder, Results), Error> {
        // Values that are taken one by one are gone when the outcome comes.
        let memo = self.memo.as_ref().filter(|_| !streamed);
        let keys = memo.and_then(|memo| self.keys(memo, &target, &options));
        let id = self.shared.core().add_job(target, options, streamed)?;
        Ok((
            Feeder::new(self.shared.clone(), id, keys),
            Results::new(self.shared.clone(), id, memo.cloned()),
        ))
    }

    /// What the items of a job are found by. `None` of a task whose name is not known.
    fn keys(&self, memo: &Arc<Memo>, target: &Target, options: &JobOptions) -> Option<JobMemo> {
        match target {
            Target::Export(name) => Some(memo.job(&["export", name], options)),
            Target::Command(name, argv) => {
                let parts = ["command", name].into_iter();
                let parts: Vec<_> = parts.chain(argv.iter().map(String::as_str)).collect();
                Some(memo.job(&parts, options))
            }
            Target::Task(number) => {
                let core = self.shared.core();
                let task = core.tasks.as_ref()?.get(*number as usize)?;
                Some(memo.job(&["task", &task.name], options))
            }
        }
    }

    /// Counts since the pool was opened.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..100i64)?;
    /// let stats = pool.stats();
    /// assert_eq!((stats.done, stats.workers_started), (100, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.shared.core().counts()
    }

    /// What happened in the pool so far. `None` unless it was opened with [`PoolBuilder::record`].
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().record(true).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..1000i64)?;
    /// let recording = pool.recording().expect("it was asked for");
    /// println!("99 of 100 items took at most {} ns", recording.latency.p99);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recording(&self) -> Option<Recording> {
        self.shared.core().recording()
    }

    /// What goes on in the pool now. Looks at each worker's process, which takes 15 µs each; the pool goes on meanwhile.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// pool.ready()?;
    /// for worker in pool.snapshot().workers {
    ///     println!("{}: {:?}, {:?} bytes", worker.slot, worker.state, worker.resident_bytes);
    /// }
    /// # assert_eq!(pool.snapshot().workers.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Looks at the pool from another thread.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let watcher = pool.watcher();
    /// let thread = std::thread::spawn(move || watcher.snapshot().map(|now| now.stats.done));
    /// println!("{:?} items are done", thread.join().unwrap());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watcher(&self) -> Watcher {
        Watcher::new(&self.shared)
    }

    /// Where guests spent their time so far; `None` unless [`PoolBuilder::profile`] was asked for.
    ///
    /// ```
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let pool = Pool::builder().profile(100).open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..1000i64)?;
    /// if let Some(profile) = pool.profile() {
    ///     // For tools that draw flame graphs.
    ///     std::fs::write("profile.folded", profile.folded())?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn profile(&self) -> Option<Profile> {
        self.shared.core().profile()
    }

    /// The numbers of the worker processes that there are now, for tools that look at processes: as
    /// `multiprocessing.active_children`. A worker that was replaced has another number, and that of one that has ended may
    /// come to mean another process. Empty with [`Isolation::Thread`](crate::mode::Isolation::Thread).
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// pool.ready()?;
    /// let workers = pool.pids();
    /// assert_eq!(workers.len(), 1);
    /// assert!(!workers.contains(&std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pids(&self) -> Vec<u32> {
        self.shared.core().pids()
    }

    /// Takes no more jobs. Those under way go on.
    ///
    /// ```
    /// use wasmpool::pool::Error;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// pool.close();
    /// assert!(matches!(pool.apply::<_, i64>("square", 3i64), Err(Error::Closed)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        self.shared.core().closed = true;
    }

    /// Ends all jobs and kills all workers. Items without a result fail as `cancelled`; iterators end with
    /// [`Error::Closed`].
    ///
    /// ```
    /// use wasmpool::pool::Error;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let handle = pool.submit::<_, i64>("spin", 1i64)?;
    /// pool.terminate();
    /// assert!(handle.wait().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(&self) {
        self.shared.core().give_up(Broken::Closed);
        self.shared.wake();
    }

    /// Waits until the pool is closed and its jobs are over, then ends the workers. False if `timeout` passes before:
    /// call [`Pool::terminate`], or wait again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::pool::Pool;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let mut pool = Pool::builder().open("tasks.wasm")?;
    /// let _: Vec<i64> = pool.map("square", 0..100i64)?;
    /// pool.close();
    /// assert!(pool.join(None), "nothing is under way: the workers end");
    /// assert!(pool.pids().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&mut self, timeout: Option<Duration>) -> bool {
        let start = Instant::now();
        loop {
            {
                let mut core = self.shared.core();
                if core.broken.is_some() {
                    break;
                }
                if core.closed && core.jobs.is_empty() {
                    core.give_up(Broken::Closed);
                    break;
                }
                core.watchers.push(thread_waker());
            }
            match timeout.map(|t| t.saturating_sub(start.elapsed())) {
                None => std::thread::park(),
                Some(left) if left.is_zero() => return false,
                Some(left) => std::thread::park_timeout(left),
            }
        }
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        true
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.terminate();
        self.join(None);
    }
}

fn only(
    manifest: &Manifest,
    tasks: impl FnOnce() -> Result<Vec<TaskInfo>, Error>,
) -> Result<String, Error> {
    let callable = manifest.functions.iter().filter(|f| f.callable.is_ok());
    let mut names: Vec<_> = callable.map(|function| function.name.clone()).collect();
    if manifest.tasks.is_some() {
        names.extend(tasks()?.into_iter().map(|task| task.name));
    }
    match names.len() {
        1 => Ok(names.swap_remove(0)),
        _ => Err(Error::Several { names }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::manifest::tests::sample;

    fn check(functions: &[&str], tasks: Option<&[&str]>, expected: Option<&str>) {
        let mut manifest = sample();
        let function = manifest.functions.remove(0);
        manifest.functions = functions
            .iter()
            .map(|name| Function {
                name: (*name).into(),
                callable: match name.starts_with('!') {
                    true => Err("no".into()),
                    false => Ok(()),
                },
                ..function.clone()
            })
            .collect();
        manifest.tasks = tasks.map(|_| "0.1.0".into());
        let tasks = tasks.unwrap_or_default().iter().map(|name| TaskInfo {
            name: (*name).into(),
            description: String::new(),
        });
        let found = only(&manifest, || Ok(tasks.collect()));
        assert_eq!(found.ok().as_deref(), expected);
    }

    #[test]
    fn a_function_need_not_be_named_if_it_is_the_only_one() {
        check(&["a#f"], None, Some("a#f"));
        check(&["!x", "f"], None, Some("f"));
        check(&[], Some(&["t"]), Some("t"));
        check(&["f", "g"], None, None);
        check(&["f"], Some(&["t"]), None);
        check(&["!x"], None, None);
        check(&[], Some(&[]), None);
    }
}
