//! What a guest can ask of the pool, and how its imports reach who answers: `wasmpool:task/{results,context,log}`.

use thiserror::Error;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, WasmList, WasmStr};
use wasmtime_wasi::I32Exit;

use super::adapter::EXIT;
use super::instance::State;
use crate::ipc::call::{Answer, Op};
use crate::ipc::frame;
use crate::text::printable;

/// Bytes of a guest's panic message that are kept.
const MAX_PANIC_BYTES: usize = 4 << 10;

/// What the guest does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Advice {
    /// Run the item.
    #[component(name = "proceed")]
    Proceed,
    /// Report what is finished, then run the item.
    #[component(name = "report")]
    Report,
    /// Run no more of the chunk.
    #[component(name = "stop")]
    Stop,
}

/// Why a value was not emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub enum EmitError {
    /// No item is running.
    #[component(name = "no-item")]
    NoItem,
    /// The item's bound on result bytes would be passed; the bound.
    #[component(name = "output-limit")]
    OutputLimit(u64),
}

/// Why what a guest asked for ends it.
#[derive(Debug, Error)]
pub enum HostError {
    /// A bound on results or logs was passed.
    #[error("{0}")]
    OutputLimit(String),
    /// The guest does not follow the interface's rules.
    #[error("{0}")]
    Broken(String),
    /// The host is gone.
    #[error("the host is gone")]
    Gone,
}

/// Who answers a guest. Clones are the same host.
///
/// Called in the middle of guest code: implementations must not call into an instance.
pub trait Host: Clone + Send + Sync + 'static {
    /// The item at `index` of the chunk is about to start.
    fn begin(&self, index: u32) -> Result<Advice, HostError>;
    /// Finished results, framed as the WIT says; in deterministic mode all of them at the end of the call, with what
    /// the instance used of its fuel.
    fn report(&self, frames: &[u8], fuel: Option<u64>) -> Result<(), HostError>;
    /// One of any number of results of the running item.
    fn emit(&self, value: &[u8]) -> Result<Result<(), EmitError>, HostError>;
    /// A message for people.
    fn log(&self, level: frame::Level, message: &str) -> Result<(), HostError>;
    /// Where the guest is, as a profile has it: the names of functions, the outermost first, a line each. The answer to so
    /// many of the host's requests.
    fn sample(&self, requests: u16, stack: &str) -> Result<(), HostError>;
    /// Asks something of an object, by its number among the grants, on behalf of an instance, and waits for the answer
    /// and the message that comes with it.
    fn call(
        &self,
        instance: u32,
        object: u16,
        op: Op,
        message: &[u8],
    ) -> Result<(Answer, Vec<u8>), HostError>;
    /// Acquires or releases, for an instance, a lock by its number among the grants, without asking. False: it has to be
    /// asked for with [`Host::call`].
    fn use_lent(&self, instance: u32, lock: u16, op: Op) -> bool;
    /// The number of another instance, among those that this host hears of.
    fn new_instance(&self) -> u32;
    /// An instance that has asked something of an object is over.
    fn over(&self, instance: u32);
    /// From now on, until [`Host::rehearsed`], what is begun and reported is no item of the host's.
    fn rehearse(&self);
    /// What was reported since.
    fn rehearsed(&self) -> Vec<u8>;
    /// The worker's place in its pool.
    fn worker_index(&self) -> u32;
    /// The running item's index in its job.
    fn item_index(&self) -> Option<u64>;
    /// Which attempt at the running item this is, from 1; 0 while none runs.
    fn attempt(&self) -> u32;
    /// Nanoseconds until the running item's deadline.
    fn time_left(&self) -> Option<u64>;
    /// Whether the running item was cancelled.
    fn cancelled(&self) -> bool;
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only ever lifted from a guest")]
enum Level {
    #[component(name = "error")]
    Error,
    #[component(name = "warn")]
    Warn,
    #[component(name = "info")]
    Info,
    #[component(name = "debug")]
    Debug,
    #[component(name = "trace")]
    Trace,
}

impl From<Level> for frame::Level {
    fn from(level: Level) -> frame::Level {
        match level {
            Level::Error => frame::Level::Error,
            Level::Warn => frame::Level::Warn,
            Level::Info => frame::Level::Info,
            Level::Debug => frame::Level::Debug,
            Level::Trace => frame::Level::Trace,
        }
    }
}

type Ctx<'a, H> = StoreContextMut<'a, State<H>>;

/// Links the interfaces. Byte lists and texts are borrowed from the guest's memory, not copied.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut results = linker.instance("wasmpool:task/results@0.1.0")?;
    results.func_wrap("begin", |mut store: Ctx<'_, H>, (index,): (u32,)| {
        let state = store.data_mut();
        state.limiter.forget();
        Ok((state.host.begin(index)?,))
    })?;
    results.func_wrap(
        "report",
        |mut store: Ctx<'_, H>, (frames,): (WasmList<u8>,)| {
            let bytes = frames.as_le_slice(&store);
            if store.data().held.is_none() {
                return Ok(store.data().host.report(bytes, None)?);
            }
            let bytes = bytes.to_vec();
            Ok(store.data_mut().hold(&bytes)?)
        },
    )?;
    results.func_wrap("emit", |store: Ctx<'_, H>, (value,): (WasmList<u8>,)| {
        Ok((store.data().host.emit(value.as_le_slice(&store))?,))
    })?;

    let mut context = linker.instance("wasmpool:task/context@0.1.0")?;
    context.func_wrap("worker-index", |store: Ctx<'_, H>, (): ()| {
        Ok((store.data().host.worker_index(),))
    })?;
    context.func_wrap("item-index", |store: Ctx<'_, H>, (): ()| {
        Ok((store.data().host.item_index(),))
    })?;
    context.func_wrap("attempt", |store: Ctx<'_, H>, (): ()| {
        Ok((store.data().host.attempt(),))
    })?;
    context.func_wrap("time-left", |store: Ctx<'_, H>, (): ()| {
        Ok((store.data().host.time_left(),))
    })?;
    context.func_wrap("cancelled", |store: Ctx<'_, H>, (): ()| {
        Ok((store.data().host.cancelled(),))
    })?;

    let mut command = linker.instance(EXIT)?;
    command.func_wrap(
        "exit",
        |_: Ctx<'_, H>, (code,): (u32,)| -> wasmtime::Result<()> {
            Err(I32Exit(code.cast_signed()).into())
        },
    )?;

    let mut log = linker.instance("wasmpool:task/log@0.1.0")?;
    log.func_wrap(
        "log",
        |store: Ctx<'_, H>, (level, message): (Level, WasmStr)| {
            let message = message.to_str(&store)?;
            Ok(store.data().host.log(level.into(), &message)?)
        },
    )?;
    log.func_wrap("panic", |mut store: Ctx<'_, H>, (message,): (WasmStr,)| {
        let message = printable(&message.to_str(&store)?, MAX_PANIC_BYTES);
        store.data_mut().panic = Some(message);
        Ok(())
    })?;
    Ok(())
}
