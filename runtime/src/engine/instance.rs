//! One instance of a program, and calling it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;
use wasmtime::component::{self, ComponentType, Func, Lift, Lower};
use wasmtime::{Store, UpdateDeadline};

use super::ended::{Circumstances, Fuel, Stopped, exit_code, stopped};
use super::fixed::Fixed;
use super::host::{Host, HostError};
use super::limiter::Limiter;
use super::objects::Objects;
use super::program::Program;
use super::sample;
use super::stdio::{Start, Stdio};
use super::stop::{Interrupted, Stop};
use super::value::{CallError, Invoker};
use super::wasi::{self, GrantedWasi, Wasi};
use crate::encoding::Encoding;
use crate::failure::FailureKind;
use crate::ipc::frame::Ended;
use crate::ipc::lookup::same_name;
use crate::ipc::wire::{InitialFunction, TaskInfo};
use crate::limits::PIECE_BYTES;
use crate::text::printable;

/// Tasks that a component may list.
const MAX_TASKS: usize = 1024;
/// Bytes of a task's name.
const MAX_TASK_NAME_BYTES: usize = 256;
/// Bytes of all names and descriptions together: they cross in one message.
const MAX_TASKS_BYTES: usize = 48 << 10;
/// Bytes of what is told of an initialiser that failed, at most.
const MAX_INITIALIZER_BYTES: usize = 8 << 10;
/// What a store holds.
pub struct State<H: Host> {
    pub(super) host: H,
    /// What it shares with others. Before all else: its drop puts memory back as it was.
    pub(super) objects: Objects<H>,
    pub(super) limiter: Limiter,
    pub(super) panic: Option<String>,
    /// What it reads and writes, and the arguments of a command.
    pub(super) stdio: Stdio<H>,
    /// Made when a guest first uses it: most never do.
    pub(super) wasi: Option<Wasi>,
    /// What WASI has for it.
    pub(super) granted: Arc<GrantedWasi>,
    /// Results that were reported in the middle of a call, in deterministic mode.
    pub(super) held: Option<Held>,
    pub(super) seed: u64,
    /// Made when a guest first uses it, in deterministic mode.
    pub(super) fixed: Option<Fixed>,
}

/// Reported results that wait for the end of their call: only then is it known what fuel the item used.
#[derive(Debug)]
pub(super) struct Held {
    frames: Vec<u8>,
    limit: u64,
}

impl<H: Host> State<H> {
    /// Keeps reported results until the call is over. Nothing is kept but in deterministic mode.
    pub(super) fn hold(&mut self, frames: &[u8]) -> Result<(), HostError> {
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        let bytes = (held.frames.len() as u64).saturating_add(frames.len() as u64);
        if bytes > held.limit.saturating_add(PIECE_BYTES) {
            return Err(HostError::OutputLimit(format!(
                "the item's result passes its limit of {} bytes",
                held.limit
            )));
        }
        held.frames.extend_from_slice(frames);
        Ok(())
    }
}

impl<H: Host> std::fmt::Debug for State<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("limiter", &self.limiter)
            .field("panic", &self.panic)
            .finish_non_exhaustive()
    }
}

/// What became of a call that has no result.
#[derive(Debug, Error)]
pub enum NoResult {
    /// The item does not fit.
    #[error("{0}")]
    InvalidInput(String),
    /// The function returned an error; the guest's words.
    #[error("{0}")]
    Failed(String),
    /// The instance cannot be called again.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum WitEncoding {
    #[component(name = "json")]
    Json,
    #[component(name = "postcard")]
    Postcard,
    #[component(name = "raw")]
    Raw,
}

impl From<Encoding> for WitEncoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => WitEncoding::Json,
            Encoding::Postcard => WitEncoding::Postcard,
            Encoding::Raw => WitEncoding::Raw,
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(variant)]
enum RunError {
    #[component(name = "unknown-task")]
    UnknownTask(u32),
    #[component(name = "unsupported-encoding")]
    UnsupportedEncoding(WitEncoding),
    #[component(name = "malformed-chunk")]
    MalformedChunk(u64),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::UnknownTask(task) => write!(f, "the guest knows no task {task}"),
            RunError::UnsupportedEncoding(encoding) => {
                let name = match encoding {
                    WitEncoding::Json => "JSON",
                    WitEncoding::Postcard => "postcard",
                    WitEncoding::Raw => "raw bytes",
                };
                write!(f, "the guest does not support {name}")
            }
            RunError::MalformedChunk(at) => {
                write!(f, "the guest could not read its items from byte {at} on")
            }
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Task {
    name: String,
    description: String,
}

type RunParams<'a> = (u32, WitEncoding, WitEncoding, &'a [u8]);
type RunResults = (Result<Vec<u8>, RunError>,);

/// One instance and its store. After [`Stopped`] it must only be dropped.
pub struct Instance<H: Host> {
    store: Store<State<H>>,
    instance: component::Instance,
    run: Option<Func>,
    exports: HashMap<String, Invoker>,
    /// Keeps the code mapped. Behind all that points into it.
    program: Arc<Program<H>>,
}

impl<H: Host> std::fmt::Debug for Instance<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

impl<H: Host> Instance<H> {
    /// Makes an instance: runs the component's start functions, and nothing else of it.
    ///
    /// `stop` ends guest code in a program with epochs, at the next [`Program::interrupt`] after it is set. Without one,
    /// every interrupt ends it, as late.
    ///
    /// In deterministic mode an instance has its whole fuel from the start: an item that is to have all of it, and the
    /// clocks and randomness of no other, needs an instance of its own.
    pub fn new(
        program: &Arc<Program<H>>,
        host: H,
        stop: Option<Arc<Stop>>,
    ) -> Result<Self, Stopped> {
        let limits = &program.limits;
        let state = State {
            objects: Objects::new(host.clone(), program.objects.clone()),
            limiter: Limiter::new(limits),
            panic: None,
            stdio: Stdio::new(host.clone(), limits.result_bytes),
            wasi: None,
            granted: program.granted.clone(),
            held: program.mode.deterministic.then(|| Held {
                frames: Vec::new(),
                limit: limits.result_bytes,
            }),
            seed: program.seed,
            fixed: None,
            host,
        };
        let mut store = Store::new(&program.engine, state);
        store.limiter(|state| &mut state.limiter);
        // A region that is attached counts as copied, though it is not.
        let copied = limits
            .copied_bytes()
            .saturating_add(program.objects.largest());
        store.set_hostcall_fuel(usize::try_from(copied).unwrap_or(usize::MAX));
        if program.mode.epochs {
            store.set_epoch_deadline(1);
            let flag = stop.clone();
            let told = move || match &flag {
                Some(flag) => flag.told(),
                None => Some(Interrupted::Late),
            };
            let requests = program.requests.clone();
            match program.mode.profile {
                true => store.epoch_deadline_callback(move |store| {
                    sample::take(&store, &requests)?;
                    Ok(UpdateDeadline::Continue(1))
                }),
                false => store.epoch_deadline_callback(move |_| match told() {
                    Some(interrupted) => Err(interrupted.into()),
                    None => Ok(UpdateDeadline::Continue(1)),
                }),
            }
            // Set before the deadline was: no epoch to come would tell.
            if stop.is_some_and(|stop| stop.told() == Some(Interrupted::Gone)) {
                return Err(Stopped::Gone);
            }
        }
        if let Some(fuel) = program.fuel() {
            store.set_fuel(fuel).map_err(|error| broken(&error))?;
        }
        let made = entered(program, || program.pre.instantiate(&mut store));
        let instance = match made {
            Ok(instance) => instance,
            Err(error) => return Err(explain(&mut store, program, &error)),
        };
        let run = program
            .map
            .as_ref()
            .and_then(|map| instance.get_func(&mut store, map.run));
        Ok(Instance {
            store,
            instance,
            run,
            exports: HashMap::new(),
            program: program.clone(),
        })
    }

    /// What the instance has used of its fuel since it was made, its start included and [`Instance::list_tasks`] not.
    /// `None` but in deterministic mode.
    pub fn fuel(&self) -> Option<u64> {
        used(&self.store, &self.program).map(|fuel| fuel.used)
    }

    /// The tasks that the guest lists, with texts fit to print. Empty for a component without tasks.
    pub fn list_tasks(&mut self) -> Result<Vec<TaskInfo>, Stopped> {
        let Some(map) = &self.program.map else {
            return Ok(Vec::new());
        };
        let counts = self.program.mode.deterministic;
        let tasks = entered(&self.program, || {
            let list = self
                .instance
                .get_typed_func::<(), (Vec<Task>,)>(&mut self.store, map.list_tasks)?;
            if !counts {
                return list.call(&mut self.store, ());
            }
            // The pool's own wish, which no item pays for.
            let left = self.store.get_fuel()?;
            self.store.set_fuel(u64::MAX)?;
            let tasks = list.call(&mut self.store, ())?;
            self.store.set_fuel(left)?;
            Ok(tasks)
        });
        match tasks {
            Ok((tasks,)) => checked(tasks).map_err(|message| Stopped::Ended(trap(message))),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Makes the call that comes before the first item, if there is one. `tasks` are those that it lists.
    pub fn initialize(&mut self, tasks: &[TaskInfo]) -> Result<(), Stopped> {
        let program = self.program.clone();
        let Some(initializer) = &program.initializer else {
            return Ok(());
        };
        let (InitialFunction::Export(name) | InitialFunction::Task(name)) = &initializer.function;
        let failed = |why: &dyn std::fmt::Display| {
            let message = format!("the initialiser `{name}` failed: {why}");
            Stopped::Ended(trap(printable(&message, MAX_INITIALIZER_BYTES)))
        };
        let json = Encoding::Json;
        let item = &initializer.item;
        if let InitialFunction::Export(name) = &initializer.function {
            return match self.call(name, json, item, json, &mut Vec::new()) {
                Ok(()) => Ok(()),
                Err(NoResult::Stopped(stopped)) => Err(stopped),
                Err(error) => Err(failed(&error)),
            };
        }
        let Some(task) = tasks.iter().position(|task| same_name(&task.name, name)) else {
            let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
            let names = names.join(", ");
            return Err(failed(&format!("there is no such task, only {names}")));
        };
        let host = self.store.data().host.clone();
        let framed = [&(item.len() as u32).to_le_bytes(), item.as_slice()].concat();
        host.rehearse();
        let ran = self.run_chunk(task as u32, json, json, &framed);
        let frames = host.rehearsed();
        ran?;
        // One frame, as of any chunk of one item: its status, then a message unless that is 0.
        match (frames.get(4), frames.get(9..)) {
            (Some(0), _) => Ok(()),
            (Some(_), Some(message)) => Err(failed(&String::from_utf8_lossy(message))),
            _ => Err(failed(&"it left out its result")),
        }
    }

    /// Runs one task over a chunk, framed as the WIT says. The host hears of the items as they start and end.
    pub fn run_chunk(
        &mut self,
        task: u32,
        input: Encoding,
        output: Encoding,
        chunk: &[u8],
    ) -> Result<(), Stopped> {
        self.fresh();
        let Some(run) = self.run else {
            return Err(Stopped::Ended(trap("the component has no tasks".into())));
        };
        let returned = entered(&self.program, || {
            // The parameters' type has the chunk's lifetime, so the function cannot be kept typed.
            let run = run.typed::<RunParams<'_>, RunResults>(&self.store)?;
            run.call(&mut self.store, (task, input.into(), output.into(), chunk))
        });
        match returned {
            Ok((Ok(frames),)) => self.report(frames),
            Ok((Err(error),)) => Err(Stopped::Ended(trap(error.to_string()))),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Hands the host what a call returned, behind what was held back of it.
    fn report(&mut self, mut frames: Vec<u8>) -> Result<(), Stopped> {
        if let Some(held) = &mut self.store.data_mut().held
            && !held.frames.is_empty()
        {
            let mut all = std::mem::take(&mut held.frames);
            all.append(&mut frames);
            frames = all;
        }
        if frames.is_empty() {
            return Ok(());
        }
        let reported = self.store.data().host.report(&frames, self.fuel());
        reported.map_err(|error| self.explain(&error.into()))
    }

    fn explain(&mut self, error: &wasmtime::Error) -> Stopped {
        explain(&mut self.store, &self.program, error)
    }

    /// Calls an exported function, by its full name in the manifest, and appends its result to `out`.
    pub fn call(
        &mut self,
        export: &str,
        input: Encoding,
        item: &[u8],
        output: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), NoResult> {
        self.fresh();
        let cached = self.exports.contains_key(export);
        if !cached {
            let func = self.find(export);
            let func = func.ok_or_else(|| no_function(export))?;
            let invoker = Invoker::new(&self.store, func)
                .map_err(|error| NoResult::InvalidInput(error.to_string()))?;
            if let Entry::Vacant(place) = self.exports.entry(export.to_owned()) {
                place.insert(invoker);
            }
        }
        let invoker = self
            .exports
            .get(export)
            .ok_or_else(|| no_function(export))?;
        let called = {
            let _guard = match self.program.has_wasi {
                true => wasi::enter().map(Some),
                false => Ok(None),
            }
            .map_err(|error| NoResult::Stopped(explain(&mut self.store, &self.program, &error)))?;
            invoker.call(&mut self.store, input, item, output, out)
        };
        called.map_err(|error| match error {
            CallError::InvalidInput(message) => NoResult::InvalidInput(message),
            CallError::Failed(message) => NoResult::Failed(message),
            CallError::Trap(error) => self.explain(&error).into(),
        })
    }

    /// Runs a WASI command, by the full name of its `run` in the manifest, and appends what it writes to standard output
    /// to `out`. The item is its standard input, and stands for each `{}` in the arguments, the first of which is its own
    /// name.
    ///
    /// A command is run once: an instance that ran one must only be dropped.
    pub fn run_command(
        &mut self,
        command: &str,
        args: &[String],
        input: Encoding,
        item: &[u8],
        output: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), NoResult> {
        self.fresh();
        let start = Start::new(args, input, item).map_err(NoResult::InvalidInput)?;
        let run = self.find(command).ok_or_else(|| no_function(command))?;
        let stdio = self.store.data().stdio.clone();
        stdio.start(start);
        let ran = entered(&self.program, || {
            let run = run.typed::<(), (Result<(), ()>,)>(&self.store)?;
            let (done,) = run.call(&mut self.store, ())?;
            Ok(done)
        });
        let code = match ran {
            Ok(Ok(())) => 0,
            Ok(Err(())) => 1,
            Err(error) => exit_code(&error).ok_or_else(|| self.explain(&error))?,
        };
        // First, since it tells if the last lines pass the bound on logs.
        let written = stdio
            .finish()
            .map_err(|error| self.explain(&error.into()))?;
        if code != 0 {
            let message = match stdio.last_words() {
                Some(words) => format!("exit code {code}: {words}"),
                None => format!("exit code {code}"),
            };
            return Err(NoResult::Failed(message));
        }
        match output {
            Encoding::Raw => out.extend_from_slice(&written),
            Encoding::Json => {
                let text = str::from_utf8(&written).map_err(|error| {
                    NoResult::Failed(format!(
                        "its standard output is not text, which a JSON string must be: {error}; take results raw"
                    ))
                })?;
                serde_json::to_writer(out, text)
                    .map_err(|error| NoResult::Failed(error.to_string()))?;
            }
            Encoding::Postcard => {
                return Err(NoResult::InvalidInput(
                    "a WASI command returns no typed values".into(),
                ));
            }
        }
        Ok(())
    }

    /// Nothing that happened before is the next call's fault.
    fn fresh(&mut self) {
        let has_wasi = self.program.has_wasi;
        let state = self.store.data_mut();
        state.limiter.forget();
        state.panic = None;
        if has_wasi {
            state.stdio.fresh();
        }
    }

    fn find(&mut self, export: &str) -> Option<Func> {
        match export.rsplit_once('#') {
            None => self.instance.get_func(&mut self.store, export),
            Some((interface, function)) => {
                let interface = self
                    .instance
                    .get_export_index(&mut self.store, None, interface)?;
                let function =
                    self.instance
                        .get_export_index(&mut self.store, Some(&interface), function)?;
                self.instance.get_func(&mut self.store, function)
            }
        }
    }
}

fn no_function(export: &str) -> NoResult {
    NoResult::InvalidInput(format!("the component exports no function {export}"))
}

/// Runs `guest` where WASI finds its runtime, if the program uses WASI.
fn entered<H: Host, T>(
    program: &Program<H>,
    guest: impl FnOnce() -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    // What was asked before the guest was here is none of its doing.
    program.requests.store(0, Ordering::Relaxed);
    let _guard = match program.has_wasi {
        true => Some(wasi::enter()?),
        false => None,
    };
    guest()
}

fn explain<H: Host>(
    store: &mut Store<State<H>>,
    program: &Program<H>,
    error: &wasmtime::Error,
) -> Stopped {
    let fuel = used(store, program);
    let state = store.data_mut();
    let known = Circumstances {
        panic: state.panic.take(),
        last_words: state.stdio.last_words(),
        refused: state.limiter.refused.take(),
        fuel,
    };
    stopped(error, known)
}

/// The fuel of an instance, where it is counted.
fn used<H: Host>(store: &Store<State<H>>, program: &Program<H>) -> Option<Fuel> {
    let limit = program.fuel()?;
    let left = store.get_fuel().ok()?;
    let used = limit.saturating_sub(left);
    Some(Fuel { limit, used })
}

/// What the engine refuses though the program's mode is its own.
fn broken(error: &wasmtime::Error) -> Stopped {
    Stopped::Ended(trap(error.to_string()))
}

fn trap(message: String) -> Ended {
    Ended {
        kind: FailureKind::Trap,
        message,
        backtrace: Vec::new(),
        fuel: None,
    }
}

/// The guest's list within its bounds. Names must be whole; descriptions are cut.
fn checked(tasks: Vec<Task>) -> Result<Vec<TaskInfo>, String> {
    if tasks.len() > MAX_TASKS {
        return Err(format!(
            "{} tasks listed, at most {MAX_TASKS} are taken",
            tasks.len()
        ));
    }
    let names: usize = tasks.iter().map(|task| task.name.len() + 8).sum();
    let Some(mut left) = MAX_TASKS_BYTES.checked_sub(names) else {
        return Err(format!(
            "names of tasks of {names} bytes, at most {MAX_TASKS_BYTES} are taken"
        ));
    };
    let mut out = Vec::with_capacity(tasks.len());
    for task in tasks {
        let name = printable(&task.name, MAX_TASK_NAME_BYTES);
        if name.is_empty() || name != task.name || name.contains(['\n', '\t']) {
            return Err(format!(
                "a task's name is empty, too long or cannot be printed: {name}"
            ));
        }
        let description = printable(&task.description, left.min(2048));
        left = left.saturating_sub(description.len());
        out.push(TaskInfo { name, description });
    }
    Ok(out)
}
