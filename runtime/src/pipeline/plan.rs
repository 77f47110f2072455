//! What a pipeline is. Plain data, and the checks that need no process.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::grants::Grants;
use crate::limits::Limits;
use crate::objects::{Access, Barrier, Buffer, Event, Lock, Queue, Semaphore};

/// Processes of a pipeline, replicas counted, at most.
pub const MOST_PROCESSES: u32 = 1024;

/// Processes, and what they share. The names of objects are those under which guests open them.
///
/// ```
/// use wasmpool::objects::Queue;
/// use wasmpool::pipeline::{Pipeline, Stage, Stopper};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let greetings = Queue::new();
/// let pipeline = Pipeline {
///     queues: [("greetings".into(), greetings.clone())].into(),
///     // This program gets what the stage puts.
///     held: ["greetings".into()].into(),
///     stages: vec![Stage {
///         function: Some("greet".into()),
///         item: br#""hello""#.to_vec(),
///         puts: vec!["greetings".into()],
///         ..Stage::new("greeter", "tasks.wasm")
///     }],
///     ..Pipeline::default()
/// };
/// pipeline.run(&Stopper::new()?, |_, _| {})?;
/// assert_eq!(greetings.get(None)?, b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Pipeline {
    /// Queues. One that all its producers have left is closed, so that its consumers come to its end.
    pub queues: BTreeMap<String, Queue>,
    /// Those of the queues that this process puts into or gets from itself: nobody closes one that it puts into but
    /// itself.
    pub held: BTreeSet<String>,
    /// Buffers.
    pub buffers: BTreeMap<String, Buffer>,
    /// Locks.
    pub locks: BTreeMap<String, Lock>,
    /// Semaphores.
    pub semaphores: BTreeMap<String, Semaphore>,
    /// Events.
    pub events: BTreeMap<String, Event>,
    /// Barriers.
    pub barriers: BTreeMap<String, Barrier>,
    /// The processes, started in this order.
    pub stages: Vec<Stage>,
}

/// A process of a pipeline: one call of a function, in so many processes as there are replicas.
///
/// ```
/// use wasmpool::pipeline::Stage;
///
/// // Three processes that get pages, and put words.
/// let stage = Stage {
///     replicas: 3,
///     gets: vec!["pages".into()],
///     puts: vec!["words".into()],
///     ..Stage::new("split", "split.wasm")
/// };
/// ```
#[derive(Clone, Debug)]
pub struct Stage {
    /// What it is called. Unique.
    pub name: String,
    /// The module.
    pub module: PathBuf,
    /// The function; may be left out if the module has only one task or function.
    pub function: Option<String>,
    /// The item that each replica is called with, in JSON. Default `[]`: a function without parameters.
    pub item: Vec<u8>,
    /// How many processes. Default 1.
    pub replicas: u32,
    /// Queues that it gets messages from.
    pub gets: Vec<String>,
    /// Queues that it puts messages into.
    pub puts: Vec<String>,
    /// Buffers, and how it may use them.
    pub buffers: Vec<(String, Access)>,
    /// Locks, semaphores, events and barriers.
    pub uses: Vec<String>,
    /// Directories and environment variables.
    pub grants: Grants,
    /// The bounds on each process. Default: no time limit, otherwise [`Limits::new`].
    pub limits: Limits,
}

impl Stage {
    /// A stage with nothing but its function.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wasmpool::pipeline::Stage;
    ///
    /// let stage = Stage::new("split", "split.wasm");
    /// assert_eq!((stage.replicas, stage.limits.timeout), (1, Duration::MAX));
    /// ```
    pub fn new(name: impl Into<String>, module: impl Into<PathBuf>) -> Stage {
        Stage {
            name: name.into(),
            module: module.into(),
            function: None,
            item: b"[]".to_vec(),
            replicas: 1,
            gets: Vec::new(),
            puts: Vec::new(),
            buffers: Vec::new(),
            uses: Vec::new(),
            grants: Grants::default(),
            limits: Limits::new().timeout(Duration::MAX),
        }
    }
}

/// What is wrong with a pipeline before anything is started.
///
/// ```
/// use wasmpool::pipeline::{Pipeline, PlanError, Stage};
///
/// let stages = vec![Stage { gets: vec!["pages".into()], ..Stage::new("split", "split.wasm") }];
/// let pipeline = Pipeline { stages, ..Pipeline::default() };
/// assert!(matches!(pipeline.check(), Err(PlanError::Unknown { kind: "queue", .. })));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// There is nothing to run.
    #[error("the pipeline has no process")]
    Empty,
    /// Too many processes.
    #[error("the pipeline has {0} processes, more than {MOST_PROCESSES}")]
    TooMany(u64),
    /// Two stages of one name, or one without.
    #[error("the name {0:?} of a process is empty, or another process has it")]
    Name(String),
    /// A stage uses what there is not.
    #[error("the process {stage:?} uses the {kind} {name:?}, which the pipeline does not have")]
    Unknown {
        /// The stage.
        stage: String,
        /// What kind of object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A queue that nobody fills.
    #[error(
        "the process {stage:?} gets from the queue {queue:?}, into which nobody puts: it would wait for ever"
    )]
    NoProducer {
        /// The stage.
        stage: String,
        /// The queue.
        queue: String,
    },
    /// A queue that nobody empties.
    #[error(
        "the process {stage:?} puts into the queue {queue:?}, from which nobody gets: it would fill up"
    )]
    NoConsumer {
        /// The stage.
        stage: String,
        /// The queue.
        queue: String,
    },
}

impl Pipeline {
    /// Whether it can be run, as far as its own words tell.
    ///
    /// ```
    /// use wasmpool::pipeline::{Pipeline, PlanError};
    ///
    /// assert_eq!(Pipeline::default().check(), Err(PlanError::Empty));
    /// ```
    ///
    /// # Errors
    /// Says what is wrong, and where.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.stages.is_empty() {
            return Err(PlanError::Empty);
        }
        let processes = self.stages.iter().map(|s| u64::from(s.replicas)).sum();
        if processes > u64::from(MOST_PROCESSES) {
            return Err(PlanError::TooMany(processes));
        }
        let mut names = BTreeSet::new();
        for stage in &self.stages {
            if stage.name.is_empty() || !names.insert(&stage.name) {
                return Err(PlanError::Name(stage.name.clone()));
            }
            self.check_names(stage)?;
        }
        for stage in &self.stages {
            let other_end = |queue: &String, of: fn(&Stage) -> &Vec<String>| {
                self.held.contains(queue) || self.stages.iter().any(|s| of(s).contains(queue))
            };
            for queue in &stage.gets {
                if !other_end(queue, |s| &s.puts) {
                    return Err(PlanError::NoProducer {
                        stage: stage.name.clone(),
                        queue: queue.clone(),
                    });
                }
            }
            for queue in &stage.puts {
                if !other_end(queue, |s| &s.gets) {
                    return Err(PlanError::NoConsumer {
                        stage: stage.name.clone(),
                        queue: queue.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_names(&self, stage: &Stage) -> Result<(), PlanError> {
        let queues = stage.gets.iter().chain(&stage.puts);
        let unknown_queue = queues.map(|name| ("queue", name, self.queues.contains_key(name)));
        let buffers = stage.buffers.iter();
        let unknown_buffer =
            buffers.map(|(name, _)| ("buffer", name, self.buffers.contains_key(name)));
        let used = |name: &String| {
            self.locks.contains_key(name)
                || self.semaphores.contains_key(name)
                || self.events.contains_key(name)
                || self.barriers.contains_key(name)
        };
        let unknown_use = stage
            .uses
            .iter()
            .map(|name| ("lock, semaphore, event or barrier", name, used(name)));
        let mut all = unknown_queue.chain(unknown_buffer).chain(unknown_use);
        match all.find(|(_, _, known)| !known) {
            None => Ok(()),
            Some((kind, name, _)) => Err(PlanError::Unknown {
                stage: stage.name.clone(),
                kind,
                name: name.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, gets: &[&str], puts: &[&str]) -> Stage {
        Stage {
            gets: gets.iter().map(|s| (*s).into()).collect(),
            puts: puts.iter().map(|s| (*s).into()).collect(),
            ..Stage::new(name, "m.wasm")
        }
    }

    fn pipeline(stages: Vec<Stage>) -> Pipeline {
        Pipeline {
            queues: [("a".into(), Queue::new()), ("b".into(), Queue::new())].into(),
            stages,
            ..Pipeline::default()
        }
    }

    #[test]
    fn what_cannot_run_is_told_before_it_does() {
        let good = || vec![stage("x", &[], &["a"]), stage("y", &["a"], &[])];
        assert_eq!(pipeline(good()).check(), Ok(()));
        assert_eq!(pipeline(Vec::new()).check(), Err(PlanError::Empty));
        let many = Stage {
            replicas: 2000,
            ..stage("x", &[], &[])
        };
        assert_eq!(pipeline(vec![many]).check(), Err(PlanError::TooMany(2000)));
        let twice = vec![stage("x", &[], &[]), stage("x", &[], &[])];
        assert_eq!(pipeline(twice).check(), Err(PlanError::Name("x".into())));
        let wrong = |stages: Vec<Stage>| pipeline(stages).check().unwrap_err().to_string();
        assert!(wrong(vec![stage("x", &["c"], &[])]).contains("\"c\""));
        assert!(wrong(vec![stage("x", &["a"], &[])]).contains("wait for ever"));
        assert!(wrong(vec![stage("x", &[], &["b"])]).contains("fill up"));
        let uses = Stage {
            uses: vec!["l".into()],
            ..stage("x", &[], &[])
        };
        assert!(wrong(vec![uses]).contains("\"l\""));
        // This process may be the other end.
        let mut held = pipeline(vec![stage("x", &["a"], &["b"])]);
        held.held = ["a".into(), "b".into()].into();
        assert_eq!(held.check(), Ok(()));
    }
}
