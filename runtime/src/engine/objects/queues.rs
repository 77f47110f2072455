//! `wasmpool:task/queues`.

use wasmtime::component::{
    ComponentType, Linker, Lower, Resource, ResourceType, WasmList, WasmStr,
};

use super::{
    Ctx, Host, HostError, OpenError, State, ask, call, closed, number, open, too_large, unexpected,
};
use crate::ipc::call::{Answer, Kind, Op, Pack, Refusal, Timeout, unpack};

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
    Ok((
        match ask(host, number, queue.rep(), Op::Put(timeout), message)? {
            Ok(_) => Ok(()),
            Err(refusal) => Err(put_error(refusal)?),
        },
    ))
}

fn put_error(refusal: Refusal) -> Result<PutError, HostError> {
    Ok(match refusal {
        Refusal::TimedOut => PutError::Full,
        Refusal::Closed => PutError::Closed,
        Refusal::TooLarge(most) => PutError::TooLarge(most),
        Refusal::NotPermitted => PutError::NotPermitted,
        _ => return Err(unexpected()),
    })
}

/// Puts the first of these messages, and as many of the others as fit into one call and into the queue.
fn put_many<H: Host>(
    mut store: Ctx<'_, H>,
    queue: &Resource<Queue>,
    messages: &WasmList<WasmList<u8>>,
    timeout: Timeout,
) -> wasmtime::Result<(Result<u32, PutError>,)> {
    let number = number(&mut store);
    let mut pack = Pack::default();
    while let Some(message) = messages.get(&mut store, pack.messages()) {
        let message = message?;
        let bytes = message.as_le_slice(&store);
        let too_large = too_large(&store, queue, bytes);
        if too_large.is_none() && pack.push(bytes) {
            continue;
        }
        // The next call comes to it, unless it is the first.
        if pack.messages() == 0 {
            let (put,) = put(store, queue, message, timeout)?;
            return Ok((put.map(|()| 1),));
        }
        break;
    }
    let op = Op::PutMany(timeout);
    let host = &store.data().host;
    Ok((match pack.messages() {
        0 => Ok(0),
        _ => match ask(host, number, queue.rep(), op, pack.bytes())? {
            Ok(given) => Ok(given.small_number()?),
            Err(refusal) => Err(put_error(refusal)?),
        },
    },))
}

fn get_error(refusal: Refusal) -> Result<GetError, HostError> {
    Ok(match refusal {
        Refusal::TimedOut => GetError::Empty,
        Refusal::EndOfFile => GetError::Closed,
        Refusal::NotPermitted => GetError::NotPermitted,
        _ => return Err(unexpected()),
    })
}

/// Takes a message, waiting for it, and those that are there with it.
fn get_many<H: Host>(
    mut store: Ctx<'_, H>,
    queue: &Resource<Queue>,
    most: u32,
    timeout: Timeout,
) -> wasmtime::Result<(Result<Vec<Vec<u8>>, GetError>,)> {
    if most == 0 {
        return Ok((Ok(Vec::new()),));
    }
    Ok(
        (match call(&mut store, queue, Op::GetMany(most, timeout))? {
            Ok(given) if given.answer == Answer::Messages => {
                let messages = unpack(&given.message).ok_or_else(unexpected)?;
                Ok(messages.into_iter().map(<[u8]>::to_vec).collect())
            }
            Ok(given) => Ok(vec![given.message]),
            Err(refusal) => Err(get_error(refusal)?),
        },),
    )
}

fn get<H: Host>(
    mut store: Ctx<'_, H>,
    queue: &Resource<Queue>,
    timeout: Timeout,
) -> wasmtime::Result<(Result<Vec<u8>, GetError>,)> {
    Ok((match call(&mut store, queue, Op::Get(timeout))? {
        Ok(given) => Ok(given.message),
        Err(refusal) => Err(get_error(refusal)?),
    },))
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
        "[method]queue.put-many",
        |store: Ctx<'_, H>,
         (queue, messages, timeout): (Resource<Queue>, WasmList<WasmList<u8>>, Option<u64>)| {
            put_many(store, &queue, &messages, timeout)
        },
    )?;
    queues.func_wrap(
        "[method]queue.get-many",
        |store: Ctx<'_, H>, (queue, most, timeout): (Resource<Queue>, u32, Option<u64>)| {
            get_many(store, &queue, most, timeout)
        },
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
