//! Running a pipeline: one thread that waits for processes to end, and does what follows from it.

use std::os::fd::AsFd;
use std::sync::Arc;

use thiserror::Error;

use super::plan::{Pipeline, PlanError, Stage};
use crate::catalogue::Code;
use crate::encoding::Encoding;
use crate::failure::{Failure, FailureKind};
use crate::objects::{self, Watch};
use crate::pool::{Bytes, Direction, Joined, LogRecord, Pool, PoolBuilder, Process};
use crate::sys::poll::{Bell, wait_for_any};

/// What is called with messages of guests: the process's name, and the message.
type OnLog = Arc<dyn Fn(&str, &LogRecord<'_>) + Send + Sync>;

/// What became of a pipeline.
///
/// ```
/// use wasmpool::pipeline::{Pipeline, Stage, Stopper};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let square = Stage {
///     function: Some("square".into()),
///     item: b"12".to_vec(),
///     ..Stage::new("square", "tasks.wasm")
/// };
/// let pipeline = Pipeline { stages: vec![square], ..Pipeline::default() };
/// let report = pipeline.run(&Stopper::new()?, |_, _| {})?;
/// assert_eq!(&report.ended[0].result.as_ref().unwrap()[..], b"144");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Report {
    /// Of each process, in the order of the stages, what it returned, in JSON, or why it did not.
    pub ended: Vec<Ended>,
}

/// How one process of a pipeline ended.
///
/// ```
/// use wasmpool::pipeline::Report;
///
/// fn tell(report: &Report) {
///     for process in &report.ended {
///         match &process.result {
///             Ok(result) => println!("{}: {} bytes", process.name, result.len()),
///             Err(failure) => println!("{}: {failure}", process.name),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Ended {
    /// Its stage's name; of several replicas with `-` and a number from 0 behind it.
    pub name: String,
    /// What it returned, in JSON, or why it did not.
    pub result: Result<Bytes, Failure>,
}

/// Why a pipeline did not come to its end.
///
/// ```
/// use wasmpool::pipeline::{Pipeline, PipelineError, Stage, Stopper};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let fails = Stage {
///     function: Some("inverse".into()),
///     item: b"0".to_vec(),
///     ..Stage::new("divide", "tasks.wasm")
/// };
/// let pipeline = Pipeline { stages: vec![fails], ..Pipeline::default() };
/// match pipeline.run(&Stopper::new()?, |_, _| {}) {
///     Err(PipelineError::Failed { name, .. }) => assert_eq!(name, "divide"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Error)]
pub enum PipelineError {
    /// It cannot run at all.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A process cannot be started.
    #[error("the process {name:?} cannot be started")]
    Start {
        /// Its name.
        name: String,
        /// Why.
        source: crate::pool::Error,
    },
    /// A process failed; the others were killed.
    #[error("the process {name:?} failed: {failure}")]
    Failed {
        /// Its name.
        name: String,
        /// Why.
        failure: Failure,
    },
    /// Every process waits for another; they were killed.
    #[error("no process can go on: {}", .0.join("; "))]
    Deadlock(Vec<String>),
    /// It was stopped.
    #[error("the pipeline was stopped")]
    Stopped,
    /// The machine does not do what is needed.
    #[error("processes cannot be waited for: {0}")]
    Wait(#[from] std::io::Error),
}

impl PipelineError {
    /// Its code, as [`Error::code`](crate::pool::Error::code); that of a process is that of its own error or failure.
    ///
    /// ```
    /// use wasmpool::catalogue::Code;
    /// use wasmpool::pipeline::PipelineError;
    ///
    /// assert_eq!(PipelineError::Stopped.code(), Code::Cancelled);
    /// ```
    pub fn code(&self) -> Code {
        match self {
            PipelineError::Plan(_) => Code::PipelineInvalid,
            PipelineError::Start { source, .. } => source.code(),
            PipelineError::Failed { failure, .. } => failure.kind.code(),
            PipelineError::Deadlock(_) => Code::Deadlock,
            PipelineError::Stopped => Code::Cancelled,
            PipelineError::Wait(_) => Code::Machine,
        }
    }
}

/// Stops a pipeline from another thread.
///
/// ```
/// use wasmpool::pipeline::{Pipeline, PipelineError, Stage, Stopper};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let endless = Stage {
///     function: Some("spin".into()),
///     item: b"1".to_vec(),
///     ..Stage::new("spin", "tasks.wasm")
/// };
/// let pipeline = Pipeline { stages: vec![endless], ..Pipeline::default() };
/// let stopper = Stopper::new()?;
/// let ended = std::thread::scope(|scope| {
///     scope.spawn(|| stopper.stop());
///     pipeline.run(&stopper, |_, _| {})
/// });
/// assert!(matches!(ended, Err(PipelineError::Stopped)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Bell>);

impl Stopper {
    /// One for a pipeline that is to be run.
    ///
    /// ```
    /// let stopper = wasmpool::pipeline::Stopper::new()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no descriptor left.
    pub fn new() -> std::io::Result<Stopper> {
        Ok(Stopper(Arc::new(Bell::new()?)))
    }

    /// Kills all processes of the pipeline, which ends as stopped.
    ///
    /// ```
    /// let stopper = wasmpool::pipeline::Stopper::new()?;
    /// // From any thread, before or while the pipeline runs.
    /// stopper.clone().stop();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self) {
        self.0.ring();
    }
}

struct Running<'a> {
    stage: &'a Stage,
    process: Process,
    ended: bool,
}

impl Pipeline {
    /// Starts all processes in order, and waits until all are over. Messages of guests go to `on_log`.
    ///
    /// A queue is closed when the last of its producers has returned; so an end of file travels from the source on. When
    /// one process fails, or all of them wait for each other for ever, all are killed.
    ///
    /// ```
    /// use wasmpool::pipeline::{Pipeline, Stage, Stopper};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let say = Stage {
    ///     function: Some("say".into()),
    ///     item: br#""hello""#.to_vec(),
    ///     replicas: 2,
    ///     ..Stage::new("talk", "tasks.wasm")
    /// };
    /// let pipeline = Pipeline { stages: vec![say], ..Pipeline::default() };
    /// let report = pipeline.run(&Stopper::new()?, |process, record| {
    ///     println!("{process}: {}", record.message);
    /// })?;
    /// assert_eq!(report.ended[1].name, "talk-1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a process cannot be started or fails, if none can go on, or if it is stopped.
    pub fn run(
        &self,
        stopper: &Stopper,
        on_log: impl Fn(&str, &LogRecord<'_>) + Send + Sync + 'static,
    ) -> Result<Report, PipelineError> {
        self.check()?;
        let on_log: OnLog = Arc::new(on_log);
        let mut running = Vec::new();
        for stage in &self.stages {
            for replica in 0..stage.replicas {
                let name = match stage.replicas {
                    1 => stage.name.clone(),
                    _ => format!("{}-{replica}", stage.name),
                };
                let process = self.start(stage, &name, &on_log);
                let process = process.map_err(|source| PipelineError::Start { name, source })?;
                running.push(Running {
                    stage,
                    process,
                    ended: false,
                });
            }
        }
        let watch = Watch::new(running.len())?;
        loop {
            self.settle(&mut running)?;
            let alive: Vec<_> = running.iter().filter(|r| !r.ended).collect();
            if alive.is_empty() {
                break;
            }
            watch.expect(alive.len());
            // What the host itself does with a queue may let somebody go on.
            if self.held.is_empty()
                && let Some(waits) = all_wait(&alive)
            {
                return Err(PipelineError::Deadlock(waits));
            }
            let mut bells = vec![stopper.0.as_fd(), watch.as_fd()];
            bells.extend(alive.iter().map(|r| r.process.as_fd()));
            let rung = wait_for_any(&bells)?;
            watch.reset();
            if rung == Some(0) {
                return Err(PipelineError::Stopped);
            }
        }
        let ended = running.into_iter().map(|r| Ended {
            name: r.process.name().to_owned(),
            result: result_of(r.process),
        });
        Ok(Report {
            ended: ended.collect(),
        })
    }

    /// What follows from the ends of processes.
    fn settle(&self, running: &mut [Running<'_>]) -> Result<(), PipelineError> {
        for at in 0..running.len() {
            if running[at].ended || running[at].process.is_alive() {
                continue;
            }
            running[at].ended = true;
            if let Joined::Exited(Err(failure)) = running[at].process.join(None) {
                let name = running[at].process.name().to_owned();
                return Err(PipelineError::Failed { name, failure });
            }
            for queue in &running[at].stage.puts {
                let produces = |r: &Running<'_>| !r.ended && r.stage.puts.contains(queue);
                if let Some(found) = self.queues.get(queue)
                    && !running.iter().any(produces)
                    && !self.is_filled_here(queue)
                {
                    found.close();
                }
            }
        }
        Ok(())
    }

    /// Whether this process puts into a queue: it holds one that some stage gets from.
    fn is_filled_here(&self, queue: &String) -> bool {
        self.held.contains(queue) && self.stages.iter().any(|s| s.gets.contains(queue))
    }

    fn start(&self, stage: &Stage, name: &str, log: &OnLog) -> Result<Process, crate::pool::Error> {
        let (log, called) = (log.clone(), name.to_owned());
        let mut builder: PoolBuilder = Pool::builder()
            .name(name)
            .workers(1)
            .limits(stage.limits.clone())
            .grants(stage.grants.clone())
            .on_log(move |record| log(&called, record));
        for (queue, object) in &self.queues {
            let direction = match (stage.gets.contains(queue), stage.puts.contains(queue)) {
                (true, true) => Direction::Both,
                (true, false) => Direction::Get,
                (false, true) => Direction::Put,
                (false, false) => continue,
            };
            builder = builder.queue(queue, object, direction);
        }
        for (name, access) in &stage.buffers {
            if let Some(buffer) = self.buffers.get(name) {
                builder = builder.buffer(name, buffer, *access);
            }
        }
        for name in &stage.uses {
            if let Some(lock) = self.locks.get(name) {
                builder = builder.lock(name, lock);
            }
            if let Some(semaphore) = self.semaphores.get(name) {
                builder = builder.semaphore(name, semaphore);
            }
            if let Some(event) = self.events.get(name) {
                builder = builder.event(name, event);
            }
            if let Some(barrier) = self.barriers.get(name) {
                builder = builder.barrier(name, barrier);
            }
        }
        let function = stage.function.as_deref();
        builder.start_encoded(&stage.module, function, Encoding::Json, stage.item.clone())
    }
}

/// Who waits for what, if all do, and for ever.
fn all_wait(alive: &[&Running<'_>]) -> Option<Vec<String>> {
    let waiting = objects::waiting();
    let waits = |running: &&Running<'_>| {
        let is = |name: &str| name == running.process.worker_name();
        let wait = waiting.iter().find(|w| is(&w.name) && !w.timed)?;
        Some(wait.to_string())
    };
    alive.iter().map(waits).collect()
}

fn result_of(process: Process) -> Result<Bytes, Failure> {
    process.into_bytes().map_err(|error| match error {
        crate::pool::Error::Item { failure, .. } => failure,
        error => Failure {
            kind: FailureKind::WorkerLost,
            message: error.to_string(),
            backtrace: Vec::new(),
            attempts: 1,
        },
    })
}
