//! `wasmpool:task/queues`.

use wasmtime::component::{
    ComponentType, Linker, Lower, Resource, ResourceType, WasmList, WasmStr,
};

use super::{
    Ctx, Host, HostError, OpenError, State, ask, call, closed, number, open, too_large, unexpected,
};
use crate::ipc::call::{Kind, Op, Refusal, Timeout};

/// The resource type; a handle is the number of the queue.
struct Queue;

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum Direction {
    #[component(name = "put")]
    Put,
    #[component(name = "get")]
    Get,
    #[component(name = "both")]
    Both,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum PutError {
    #[component(name = "full")]
    Full,
    #[component(name = "closed")]
    Closed,
    #[component(name = "too-large")]
    TooLarge(u64),
    #[component(name = "not-permitted")]
    NotPermitted,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum GetError {
    #[component(name = "empty")]
    Empty,
    #[component(name = "closed")]
    Closed,
    #[component(name = "not-permitted")]
    NotPermitted,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum TaskDoneError {
    #[component(name = "not-joinable")]
    NotJoinable,
    #[component(name = "nothing-owed")]
    NothingOwed,
    #[component(name = "not-permitted")]
    NotPermitted,
}

fn put<H: Host>(
    mut store: Ctx<'_, H>,
    queue: &Resource<Queue>,
    message: WasmList<u8>,
    timeout: Timeout,
) -> wasmtime::Result<(Result<(), PutError>,)> {
    let number = number(&mut store);
    let message = message.as_le_slice(&store);
    if let Some(most) = too_large(&store, queue, message) {
        return Ok((Err(PutError::TooLarge(most)),));
    }
    let host = &store.data().host;
    let done = match ask(host, number, queue.rep(), Op::Put(timeout), message)? {
        Ok(_) => Ok(()),
        Err(Refusal::TimedOut) => Err(PutError::Full),
        Err(Refusal::Closed) => Err(PutError::Closed),
        Err(Refusal::TooLarge(most)) => Err(PutError::TooLarge(most)),
        Err(Refusal::NotPermitted) => Err(PutError::NotPermitted),
        Err(_) => return Err(unexpected().into()),
    };
    Ok((done,))
}

fn get<H: Host>(
    mut store: Ctx<'_, H>,
    queue: &Resource<Queue>,
    timeout: Timeout,
) -> wasmtime::Result<(Result<Vec<u8>, GetError>,)> {
    let got = match call(&mut store, queue, Op::Get(timeout))? {
        Ok(given) => Ok(given.message),
        Err(Refusal::TimedOut) => Err(GetError::Empty),
        Err(Refusal::EndOfFile) => Err(GetError::Closed),
        Err(Refusal::NotPermitted) => Err(GetError::NotPermitted),
        Err(_) => return Err(unexpected().into()),
    };
    Ok((got,))
}

pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut queues = linker.instance("wasmpool:task/queues@0.1.0")?;
    queues.resource("queue", ResourceType::host::<Queue>(), closed)?;
    queues.func_wrap(
        "[static]queue.open",
        |mut store: Ctx<'_, H>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?.into_owned();
            let is = |kind| matches!(kind, Kind::Queue { .. });
            let opened: Result<Resource<Queue>, OpenError> = open(&mut store, &name, is);
            Ok((opened,))
        },
    )?;
    queues.func_wrap(
        "[method]queue.direction",
        |store: Ctx<'_, H>, (queue,): (Resource<Queue>,)| {
            let direction = match store.data().objects.granted.kind(queue.rep()) {
                Some(Kind::Queue { put: true, get, .. }) if get => Direction::Both,
                Some(Kind::Queue { put: true, .. }) => Direction::Put,
                _ => Direction::Get,
            };
            Ok((direction,))
        },
    )?;
    queues.func_wrap(
        "[method]queue.put",
        |store: Ctx<'_, H>,
         (queue, message, timeout): (Resource<Queue>, WasmList<u8>, Option<u64>)| {
            put(store, &queue, message, timeout)
        },
    )?;
    queues.func_wrap(
        "[method]queue.try-put",
        |store: Ctx<'_, H>, (queue, message): (Resource<Queue>, WasmList<u8>)| {
            put(store, &queue, message, Some(0))
        },
    )?;
    queues.func_wrap(
        "[method]queue.get",
        |store: Ctx<'_, H>, (queue, timeout): (Resource<Queue>, Option<u64>)| {
            get(store, &queue, timeout)
        },
    )?;
    queues.func_wrap(
        "[method]queue.try-get",
        |store: Ctx<'_, H>, (queue,): (Resource<Queue>,)| get(store, &queue, Some(0)),
    )?;
    queues.func_wrap(
        "[method]queue.length",
        |mut store: Ctx<'_, H>, (queue,): (Resource<Queue>,)| {
            let given = call(&mut store, &queue, Op::Length)?;
            Ok((given.map_err(|_| unexpected())?.number()?,))
        },
    )?;
    queues.func_wrap(
        "[method]queue.task-done",
        |mut store: Ctx<'_, H>, (queue,): (Resource<Queue>,)| {
            let done = match call(&mut store, &queue, Op::TaskDone)? {
                Ok(_) => Ok(()),
                Err(Refusal::NothingOwed) => Err(TaskDoneError::NothingOwed),
                Err(Refusal::NotJoinable) => Err(TaskDoneError::NotJoinable),
                Err(Refusal::NotPermitted) => Err(TaskDoneError::NotPermitted),
                Err(_) => return Err(unexpected().into()),
            };
            Ok((done,))
        },
    )?;
    queues.func_wrap(
        "[method]queue.join",
        |mut store: Ctx<'_, H>, (queue, timeout): (Resource<Queue>, Option<u64>)| match call(
            &mut store,
            &queue,
            Op::Join(timeout),
        )? {
            Ok(_) => Ok((true,)),
            Err(Refusal::TimedOut) => Ok((false,)),
            Err(_) => Err(unexpected().into()),
        },
    )?;
    queues.func_wrap(
        "[method]queue.close",
        |mut store: Ctx<'_, H>, (queue,): (Resource<Queue>,)| match call(
            &mut store,
            &queue,
            Op::Close,
        )? {
            Ok(_) | Err(Refusal::NotPermitted) => Ok(()),
            Err(_) => Err(HostError::into(unexpected())),
        },
    )?;
    Ok(())
}
