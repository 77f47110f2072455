//! `wasmpool:task/pipes`.

use wasmtime::component::{
    ComponentType, Linker, Lower, Resource, ResourceType, WasmList, WasmStr,
};

use super::{Ctx, Host, OpenError, State, ask, call, closed, number, open, too_large, unexpected};
use crate::ipc::call::{Kind, Op, Refusal};

/// The resource type; a handle is the number of the end.
struct End;

#[derive(ComponentType, Lower)]
#[component(variant)]
enum OpenEndError {
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "in-use")]
    InUse,
    #[component(name = "too-many-handles")]
    TooManyHandles(u32),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum SendError {
    #[component(name = "broken")]
    Broken,
    #[component(name = "full")]
    Full,
    #[component(name = "too-large")]
    TooLarge(u64),
    #[component(name = "not-permitted")]
    NotPermitted,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum ReceiveError {
    #[component(name = "end-of-file")]
    EndOfFile,
    #[component(name = "empty")]
    Empty,
    #[component(name = "not-permitted")]
    NotPermitted,
}

pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut pipes = linker.instance("wasmpool:task/pipes@0.1.0")?;
    pipes.resource(
        "end",
        ResourceType::host::<End>(),
        |mut store: Ctx<'_, H>, end| {
            // Given up, whatever it says.
            let _ = call(&mut store, &Resource::<End>::new_borrow(end), Op::CloseEnd)?;
            closed(store, end)
        },
    )?;
    pipes.func_wrap(
        "[static]end.open",
        |mut store: Ctx<'_, H>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?.into_owned();
            let is = |kind| matches!(kind, Kind::PipeEnd { .. });
            let end: Resource<End> = match open(&mut store, &name, is) {
                Ok(end) => end,
                Err(OpenError::NotGranted) => return Ok((Err(OpenEndError::NotGranted),)),
                Err(OpenError::TooManyHandles(most)) => {
                    return Ok((Err(OpenEndError::TooManyHandles(most)),));
                }
            };
            match call(&mut store, &end, Op::OpenEnd)? {
                Ok(_) => Ok((Ok(end),)),
                Err(Refusal::InUse) => {
                    closed(store, end.rep())?;
                    Ok((Err(OpenEndError::InUse),))
                }
                Err(_) => Err(unexpected().into()),
            }
        },
    )?;
    pipes.func_wrap(
        "[method]end.send",
        |mut store: Ctx<'_, H>,
         (end, message, timeout): (Resource<End>, WasmList<u8>, Option<u64>)| {
            let number = number(&mut store);
            let message = message.as_le_slice(&store);
            if let Some(most) = too_large(&store, &end, message) {
                return Ok((Err(SendError::TooLarge(most)),));
            }
            let host = &store.data().host;
            let done = match ask(host, number, end.rep(), Op::Send(timeout), message)? {
                Ok(_) => Ok(()),
                Err(Refusal::TimedOut) => Err(SendError::Full),
                Err(Refusal::Closed) => Err(SendError::Broken),
                Err(Refusal::TooLarge(most)) => Err(SendError::TooLarge(most)),
                Err(Refusal::NotPermitted | Refusal::InUse) => Err(SendError::NotPermitted),
                Err(_) => return Err(unexpected().into()),
            };
            Ok((done,))
        },
    )?;
    pipes.func_wrap(
        "[method]end.receive",
        |mut store: Ctx<'_, H>, (end, timeout): (Resource<End>, Option<u64>)| {
            let got = match call(&mut store, &end, Op::Receive(timeout))? {
                Ok(given) => Ok(given.message),
                Err(Refusal::TimedOut) => Err(ReceiveError::Empty),
                Err(Refusal::EndOfFile) => Err(ReceiveError::EndOfFile),
                Err(Refusal::NotPermitted | Refusal::InUse) => Err(ReceiveError::NotPermitted),
                Err(_) => return Err(unexpected().into()),
            };
            Ok((got,))
        },
    )?;
    pipes.func_wrap(
        "[method]end.poll",
        |mut store: Ctx<'_, H>, (end, timeout): (Resource<End>, Option<u64>)| {
            let given = call(&mut store, &end, Op::Poll(timeout))?;
            Ok((given.map_err(|_| unexpected())?.flag()?,))
        },
    )?;
    pipes.func_wrap(
        "[method]end.finish",
        |mut store: Ctx<'_, H>, (end,): (Resource<End>,)| {
            call(&mut store, &end, Op::Finish)?.map_err(|_| unexpected())?;
            Ok(())
        },
    )?;
    Ok(())
}
