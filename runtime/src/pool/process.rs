//! One long call in a worker process of its own: `multiprocessing`'s `Process`.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::PoolBuilder;
use super::calls::{encode, encoding, typed};
use super::error::Error;
use super::options::{Bytes, JobOptions, OnError, Outcome};
use super::payload::Payload;
use super::running::Pool;
use super::stream::Results;
use crate::encoding::Encoding;
use crate::failure::{Failure, FailureKind};
use crate::ipc::frame::Target;
use crate::limits::Limits;
use crate::sys::poll::Bell;

/// A function that runs by itself in a worker process of its own, and talks through what it was granted.
///
/// Dropping it kills it.
///
/// ```
/// use std::time::Duration;
///
/// use wasmpool::objects::Queue;
/// use wasmpool::pool::{Direction, Joined, Process};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let queue = Queue::new();
/// let process = Process::builder()
///     .name("greeter")
///     .queue("greetings", &queue, Direction::Put)
///     .start("tasks.wasm", "greet", "world")?;
/// assert_eq!(queue.get(Some(Duration::from_secs(60)))?, b"world");
/// assert!(matches!(process.join(None), Joined::Exited(Ok(()))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Process {
    name: String,
    /// Rings once, when it is over.
    bell: Arc<Bell>,
    encoding: Encoding,
    state: Mutex<State>,
    /// Behind the job, which it would end.
    pool: Pool,
}

struct State {
    results: Results,
    outcome: Option<Result<Outcome, Error>>,
}

/// What [`Process::join`] found.
///
/// ```
/// use wasmpool::pool::{Joined, Process};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let process = Process::builder().start("tasks.wasm", "inverse", 0i64)?;
/// match process.join(None) {
///     Joined::Exited(Ok(())) => println!("done"),
///     Joined::Exited(Err(failure)) => println!("{failure}"),
///     Joined::TimedOut => println!("it still runs"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It is over: it returned, or why it did not.
    Exited(Result<(), Failure>),
    /// It still runs.
    TimedOut,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

impl PoolBuilder {
    /// Starts a process that calls one function of the module in a file with one item, and returns at once: see
    /// [`Process`]. The item's types are those of [`Pool::map`].
    ///
    /// The process has one worker, whatever the options say, and is not run again if that is lost.
    ///
    /// ```
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "square", 12i64)?;
    /// assert_eq!(process.result::<i64>()?, 144);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`PoolBuilder::open`] and [`Pool::submit`].
    pub fn start<T: Serialize>(
        self,
        path: impl AsRef<Path>,
        function: &str,
        item: T,
    ) -> Result<Process, Error> {
        let name = self.process_name(function);
        Process::start(self.workers(1).open(path)?, name, function, item)
    }

    /// The same with an item that is encoded already, and a result in the same encoding. A module that has only one
    /// function, or task, needs no name of it.
    ///
    /// ```
    /// use wasmpool::encoding::Encoding;
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let item = b"12".to_vec();
    /// let process = Process::builder().start_encoded("squares.wasm", None, Encoding::Json, item)?;
    /// assert_eq!(&process.into_bytes()?[..], b"144");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`PoolBuilder::start`], and [`Error::Several`] where a function must be named.
    pub fn start_encoded(
        self,
        path: impl AsRef<Path>,
        function: Option<&str>,
        encoding: Encoding,
        item: Vec<u8>,
    ) -> Result<Process, Error> {
        let name = self.process_name(function.unwrap_or("process"));
        let pool = self.workers(1).open(path)?;
        let function = match function {
            Some(function) => function.to_owned(),
            None => pool.only_function()?,
        };
        let target = pool.resolve(&function)?;
        Process::encoded(pool, name, target, encoding, item)
    }

    /// The same for a module that is in memory.
    ///
    /// ```
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let module = std::fs::read("tasks.wasm")?;
    /// let process = Process::builder().start_bytes(&module, "square", 12i64)?;
    /// assert_eq!(process.result::<i64>()?, 144);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`PoolBuilder::start`].
    pub fn start_bytes<T: Serialize>(
        self,
        module: &[u8],
        function: &str,
        item: T,
    ) -> Result<Process, Error> {
        let name = self.process_name(function);
        Process::start(self.workers(1).open_bytes(module)?, name, function, item)
    }
}

impl Process {
    /// What a process is started with: a pool's options, with one worker, and without a time limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::limits::Limits;
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let limits = Limits::new().timeout(Duration::from_millis(50));
    /// let process = Process::builder().limits(limits).start("tasks.wasm", "spin", 1i64)?;
    /// assert!(process.result::<i64>().unwrap_err().to_string().starts_with("item 0: timeout: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> PoolBuilder {
        let limits = Limits::new().timeout(Duration::MAX);
        Pool::builder().workers(1).limits(limits)
    }

    fn start<T: Serialize>(
        pool: Pool,
        name: String,
        function: &str,
        item: T,
    ) -> Result<Process, Error> {
        let target = pool.resolve(function)?;
        let encoding = encoding(&target);
        let item = encode(&item, encoding).map_err(|reason| Error::Codec {
            index: 0,
            doing: "encoded",
            reason,
        })?;
        Process::encoded(pool, name, target, encoding, item)
    }

    fn encoded(
        pool: Pool,
        name: String,
        target: Target,
        encoding: Encoding,
        item: Vec<u8>,
    ) -> Result<Process, Error> {
        let options = JobOptions {
            input: encoding,
            output: encoding,
            on_error: OnError::Continue,
            retries: 0,
            ..JobOptions::default()
        };
        let bell = Bell::new().map_err(Error::pool("a process cannot be waited for"))?;
        let (mut feeder, results) = pool.stream_target(target, options)?;
        feeder.push(Payload::Bytes(item));
        drop(feeder);
        let process = Process {
            name,
            bell: Arc::new(bell),
            encoding,
            state: Mutex::new(State {
                results,
                outcome: None,
            }),
            pool,
        };
        drop(process.look());
        Ok(process)
    }

    /// What it is called.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// assert_eq!(process.name(), "spin", "that of its function, if it was given none");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its process; `None` before it is started and once it has ended, and with
    /// [`Isolation::Thread`](crate::mode::Isolation::Thread).
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// process.pool().ready()?;
    /// println!("process {:?}", process.pid());
    /// process.kill();
    /// assert_eq!(process.pid(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pid(&self) -> Option<u32> {
        self.pool
            .pids()
            .first()
            .copied()
            .filter(|_| self.is_alive())
    }

    /// The pool of one worker that it runs in.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// process.pool().ready()?;
    /// assert_eq!(process.pool().snapshot().workers.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes the outcome if it is there, and asks to be woken if not.
    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.outcome.is_none() {
            let waker = self.bell.clone().into();
            if let Some(outcome) = state.results.poll_next(&waker) {
                state.outcome = Some(outcome.unwrap_or_else(|| Err(Error::Closed)));
                self.bell.ring();
            }
        }
        state
    }

    /// Whether it runs, or is about to.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// assert!(process.is_alive());
    /// process.kill();
    /// assert!(!process.is_alive());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_alive(&self) -> bool {
        self.look().outcome.is_none()
    }

    /// Waits until it is over, but no longer than `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::pool::{Joined, Process};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// assert_eq!(process.join(Some(Duration::from_millis(10))), Joined::TimedOut);
    /// process.kill();
    /// assert!(matches!(process.join(None), Joined::Exited(Err(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(&self, timeout: Option<Duration>) -> Joined {
        let start = Instant::now();
        loop {
            if let Some(outcome) = &self.look().outcome {
                // It may have been made quiet by another thread that waits.
                self.bell.ring();
                return Joined::Exited(ended(outcome));
            }
            let left = timeout.map(|t| t.saturating_sub(start.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Joined::TimedOut;
            }
            self.bell.wait(left);
            // Rung for something else, it is quiet again before it is looked at.
            self.bell.reset();
        }
    }

    /// Kills it. What it has put into queues, and its locks, are as after any other end: nothing waits for it.
    ///
    /// Does nothing once it is over.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// process.kill();
    /// assert_eq!(process.exit_code(), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kill(&self) {
        // It may be over, and nobody has looked.
        drop(self.look());
        self.pool.terminate();
        drop(self.look());
    }

    /// The same: guests have no way to be asked. As [`Handle::cancel`](super::Handle::cancel) of its item.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "spin", 1i64)?;
    /// process.terminate();
    /// assert!(!process.is_alive());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(&self) {
        self.kill();
    }

    /// 0 once it has returned, 1 once it has failed or was killed, `None` while it runs. Why it failed is what
    /// [`Process::join`] says.
    ///
    /// ```
    /// # use wasmpool::pool::Process;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "square", 12i64)?;
    /// process.join(None);
    /// assert_eq!(process.exit_code(), Some(0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exit_code(&self) -> Option<i32> {
        let state = self.look();
        state
            .outcome
            .as_ref()
            .map(|outcome| i32::from(ended(outcome).is_err()))
    }

    /// Waits until it is over, and gives what it returned.
    ///
    /// ```
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "square", 12i64)?;
    /// assert_eq!(process.result::<i64>()?, 144);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Item`] if it failed or was killed, [`Error::Codec`] if what it returned is no `R`.
    pub fn result<R: DeserializeOwned>(self) -> Result<R, Error> {
        let encoding = self.encoding;
        typed(Ok(self.into_bytes()?), encoding, 0)
    }

    /// The same, as it came.
    ///
    /// ```
    /// use wasmpool::pool::Process;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let process = Process::builder().start("tasks.wasm", "count-words", "to be or not")?;
    /// assert_eq!(&process.into_bytes()?[..], b"4", "JSON, since the module is not of the guest SDK");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Item`] if it failed or was killed.
    pub fn into_bytes(self) -> Result<Bytes, Error> {
        self.join(None);
        let outcome = self.look().outcome.take();
        let outcome = outcome.unwrap_or(Err(Error::Closed))?;
        let index = outcome.index;
        outcome
            .result
            .map_err(|failure| Error::Item { index, failure })
    }

    /// What its worker is called in messages about who waits for whom.
    pub(crate) fn worker_name(&self) -> String {
        format!("worker 0 of {}", self.name)
    }
}

/// A descriptor that can be read once the process is over, to be waited for together with others; it is not to be read
/// from.
impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn ended(outcome: &Result<Outcome, Error>) -> Result<(), Failure> {
    let failure = |kind, message: String| Failure {
        kind,
        message,
        backtrace: Vec::new(),
        attempts: 1,
    };
    match outcome {
        Ok(outcome) => match &outcome.result {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.clone()),
        },
        Err(Error::Closed) => Err(failure(
            FailureKind::Cancelled,
            "the process was killed".into(),
        )),
        Err(error) => Err(failure(FailureKind::WorkerLost, error.to_string())),
    }
}
