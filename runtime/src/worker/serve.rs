//! A worker's life: an instance, chunks in, results out, until the host wants no more or the guest ends it.
//!
//! The same for processes and threads: no state of the process is touched here.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::desk::{Desk, Fault, Opened};
use crate::engine::ended::Stopped;
use crate::engine::instance::{Instance, NoResult};
use crate::engine::program::Program;
use crate::engine::stop::Stop as StopFlag;
use crate::failure::FailureKind;
use crate::ids::SlotId;
use crate::ipc::frame::{
    ChunkHead, Ended, ITEM_HEAD, Malformed, Status, Target, ToWorker, decode_to_worker,
    split_payload,
};
use crate::ipc::link::{LinkError, WorkerLink};
use crate::ipc::wire::{FromWorker, TaskInfo};
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::sandbox::Locked;

/// Bytes of a result's buffer that are kept for the next one.
const KEPT_BYTES: usize = 1 << 20;

/// How a worker's life ended.
#[derive(Debug)]
pub enum End {
    /// The host is gone, or wants no more.
    HostGone,
    /// The guest ended it; the host was told why.
    GuestEnded,
    /// No instance could be made; the host was told why.
    StartFailed,
    /// The host broke the protocol, or the machine failed.
    Broken(ServeError),
}

/// What ends a worker and is not the guest's doing.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A frame from the host.
    #[error(transparent)]
    Frame(#[from] Malformed),
    /// A chunk for a function that was never bound.
    #[error("a chunk for the unbound function {0}")]
    Unbound(u16),
}

/// How one piece of work ends the worker.
enum Stop {
    Fault(Fault),
    Guest(Stopped),
    Error(ServeError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Malformed> for Stop {
    fn from(error: Malformed) -> Stop {
        Stop::Error(error.into())
    }
}

/// Serves until the host wants no more, or the guest ends the worker. Only who is locked can serve.
///
/// `stop` makes guest code end in a program with epochs; see [`Instance::new`].
pub fn serve(
    _: Locked,
    program: &Arc<Program<Desk>>,
    link: WorkerLink,
    slot: SlotId,
    isolation: Isolation,
    limits: &Limits,
    stop: Option<Arc<StopFlag>>,
) -> End {
    let fixed = program.is_deterministic();
    let desk = Desk::new(link, slot, limits, fixed);
    let mut worker = Worker {
        program,
        desk: desk.clone(),
        fresh_each: match isolation {
            Isolation::Instance => true,
            Isolation::Thread | Isolation::Shared => fixed,
            // The process has one item.
            Isolation::Process => false,
        },
        last_item: isolation == Isolation::Process,
        stop,
        ahead: None,
        functions: HashMap::new(),
        items: Vec::new(),
        out: Vec::new(),
    };
    match worker.run() {
        Ok(end) => end,
        Err(Stop::Error(error)) => End::Broken(error),
        Err(Stop::Guest(Stopped::Ended(ended))) => match desk.end(&ended) {
            Ok(()) => End::GuestEnded,
            Err(fault) => lost(fault),
        },
        Err(Stop::Guest(Stopped::Gone)) => lost(desk.fault()),
        Err(Stop::Fault(Fault::Guest(error))) => match desk.end(&over_limit(error.to_string())) {
            Ok(()) => End::GuestEnded,
            Err(fault) => lost(fault),
        },
        Err(Stop::Fault(fault)) => lost(fault),
    }
}

fn lost(fault: Fault) -> End {
    match fault {
        Fault::Link(error) => End::Broken(error.into()),
        Fault::Gone | Fault::Guest(_) => End::HostGone,
    }
}

fn over_limit(message: String) -> Ended {
    Ended {
        kind: FailureKind::OutputLimit,
        message,
        backtrace: Vec::new(),
        fuel: None,
    }
}

struct Worker<'a> {
    program: &'a Arc<Program<Desk>>,
    desk: Desk,
    /// Whether every item has an instance of its own.
    fresh_each: bool,
    /// Whether the process has one item.
    last_item: bool,
    stop: Option<Arc<StopFlag>>,
    /// The instance for the next item, made ahead.
    ahead: Option<Instance<Desk>>,
    functions: HashMap<u16, Target>,
    /// Where the items of the chunk under way lie in its payload.
    items: Vec<Range<usize>>,
    /// The result under way.
    out: Vec<u8>,
}

impl Worker<'_> {
    fn run(&mut self) -> Result<End, Stop> {
        match self.instantiate() {
            Ok((instance, tasks)) => {
                self.ahead = Some(instance);
                self.desk.send(&FromWorker::Ready(tasks))?;
            }
            Err(Stopped::Gone) => return Err(Stop::Guest(Stopped::Gone)),
            Err(Stopped::Ended(Ended {
                message, backtrace, ..
            })) => {
                self.desk
                    .send(&FromWorker::StartFailed { message, backtrace })?;
                return Ok(End::StartFailed);
            }
        }
        let mut frame = Vec::new();
        while self.desk.next(&mut frame)? {
            match decode_to_worker(&frame)? {
                ToWorker::Bind(number, target) => {
                    self.functions.insert(number, target);
                }
                ToWorker::Chunk {
                    head,
                    items,
                    payload,
                } if head.by_descriptor => {
                    if !payload.is_empty() {
                        return Err(Malformed("a payload beside a descriptor").into());
                    }
                    let mapped = self.desk.payload()?;
                    self.chunk(head, items, &mapped)?;
                }
                ToWorker::Chunk {
                    head,
                    items,
                    payload,
                } => self.chunk(head, items, payload)?,
                ToWorker::Answer { .. } => {
                    return Err(Malformed("an answer that nobody waits for").into());
                }
            }
        }
        Ok(End::HostGone)
    }

    /// A new instance, ready for its first item, and the tasks that it lists.
    fn instantiate(&self) -> Result<(Instance<Desk>, Vec<TaskInfo>), Stopped> {
        let mut instance = Instance::new(self.program, self.desk.clone(), self.stop.clone())?;
        let tasks = instance.list_tasks()?;
        instance.initialize(&tasks)?;
        Ok((instance, tasks))
    }

    fn chunk(&mut self, head: ChunkHead, heads: &[u8], payload: &[u8]) -> Result<(), Stop> {
        let target = self
            .functions
            .get(&head.function)
            .cloned()
            .ok_or(Stop::Error(ServeError::Unbound(head.function)))?;
        let mut items = std::mem::take(&mut self.items);
        split_payload(payload, head.count as usize, &mut items)?;
        let opened = Opened {
            first: head.first,
            count: head.count,
            items: heads,
            timeout_micros: head.timeout_micros,
            streamed: head.streamed,
            guest_reports: matches!(target, Target::Task(_)),
        };
        let done = match target {
            Target::Task(task) if self.fresh_each => {
                self.tasks_apart(task, head, opened, payload, &items)
            }
            Target::Task(task) => self.tasks(task, head, opened, payload),
            Target::Export(_) | Target::Command(..) => {
                self.calls(&target, head, opened, payload, &items)
            }
        };
        self.items = items;
        done
    }

    /// The instance for what comes next; it is the caller's until he puts it back.
    fn take(&mut self) -> Result<Instance<Desk>, Stop> {
        match self.ahead.take() {
            Some(instance) => Ok(instance),
            None => self
                .instantiate()
                .map(|(instance, _)| instance)
                .map_err(Stop::Guest),
        }
    }

    /// Keeps the instance, or replaces it where every item has its own. The engine's pool has room for one.
    fn put_back(&mut self, instance: Instance<Desk>, fresh: bool) -> Result<(), Stop> {
        if !fresh {
            self.ahead = Some(instance);
            return Ok(());
        }
        drop(instance);
        if self.last_item {
            return Ok(());
        }
        // One that cannot be made is the fault of the item that needs it: it is tried again then.
        match self.instantiate() {
            Ok((instance, _)) => self.ahead = Some(instance),
            Err(Stopped::Gone) => return Err(Stop::Guest(Stopped::Gone)),
            // The host has lost its patience with this very start.
            Err(Stopped::Ended(ended)) if ended.kind == FailureKind::Timeout => {
                return Err(Stop::Guest(Stopped::Ended(ended)));
            }
            Err(Stopped::Ended(_)) => {}
        }
        Ok(())
    }

    /// Items of a task in one call of one instance.
    fn tasks(
        &mut self,
        task: u32,
        head: ChunkHead,
        opened: Opened<'_>,
        payload: &[u8],
    ) -> Result<(), Stop> {
        self.desk.open(opened);
        let mut instance = self.take()?;
        instance
            .run_chunk(task, head.input, head.output, payload)
            .map_err(Stop::Guest)?;
        if self.desk.left_out() {
            return Err(Stop::Guest(Stopped::Ended(Ended {
                kind: FailureKind::Trap,
                message: "the guest returned and left out this item's result".into(),
                backtrace: Vec::new(),
                fuel: instance.fuel(),
            })));
        }
        self.desk.publish()?;
        self.put_back(instance, self.fresh_each)
    }

    /// Items of a task, each a chunk of its own in an instance of its own.
    fn tasks_apart(
        &mut self,
        task: u32,
        head: ChunkHead,
        opened: Opened<'_>,
        payload: &[u8],
        items: &[Range<usize>],
    ) -> Result<(), Stop> {
        let heads = opened.items.chunks_exact(ITEM_HEAD);
        for ((index, item), one_head) in (0..).zip(items).zip(heads) {
            let one = Opened {
                first: opened.first.plus(index),
                count: 1,
                items: one_head,
                timeout_micros: opened.timeout_micros,
                streamed: opened.streamed,
                guest_reports: true,
            };
            // With the length before it, the item is a chunk.
            let framed = payload.get(item.start.saturating_sub(4)..item.end);
            self.tasks(task, head, one, framed.unwrap_or_default())?;
            if self.desk.is_stopped() {
                break;
            }
        }
        Ok(())
    }

    /// Items of an exported function, a call each, or of a command, a run each in an instance of its own.
    fn calls(
        &mut self,
        target: &Target,
        head: ChunkHead,
        opened: Opened<'_>,
        payload: &[u8],
        items: &[Range<usize>],
    ) -> Result<(), Stop> {
        self.desk.open(opened);
        let fresh = self.fresh_each || matches!(target, Target::Command(..));
        for item in items {
            if !self.desk.start() {
                break;
            }
            let mut instance = self.take()?;
            let bytes = payload.get(item.clone()).unwrap_or_default();
            self.out.clear();
            let (input, output, out) = (head.input, head.output, &mut self.out);
            let called = match target {
                Target::Export(name) => instance.call(name, input, bytes, output, out),
                Target::Command(name, args) => {
                    instance.run_command(name, args, input, bytes, output, out)
                }
                Target::Task(_) => return Err(Malformed("a task that is called").into()),
            };
            let (status, message) = match called {
                Ok(()) => (Status::Done, None),
                Err(NoResult::Failed(message)) => (Status::Failed, Some(message)),
                Err(NoResult::InvalidInput(message)) => (Status::InvalidInput, Some(message)),
                Err(NoResult::Stopped(stopped)) => return Err(Stop::Guest(stopped)),
            };
            let payload = message.as_deref().map_or(&*self.out, str::as_bytes);
            self.desk.finish(status, payload, instance.fuel())?;
            if fresh {
                self.desk.publish()?;
            }
            self.put_back(instance, fresh)?;
        }
        self.desk.publish()?;
        self.out.shrink_to(KEPT_BYTES);
        Ok(())
    }
}
