//! `wasmpool:task/sync`.

use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType, WasmStr};

use super::{Ctx, Given, Host, HostError, OpenError, State, call, closed, open, unexpected};
use crate::ipc::call::{Answer, Kind, Op, Refusal};

/// The resource types; a handle is the number of the object.
struct Lock;
struct Semaphore;
struct Event;
struct Condition;
struct Barrier;

#[derive(ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
#[derive(Clone, Copy)]
enum Acquired {
    #[component(name = "clean")]
    Clean,
    #[component(name = "abandoned")]
    Abandoned,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum AcquireError {
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "already-held")]
    AlreadyHeld,
    #[component(name = "deadlock")]
    Deadlock(String),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum ReleaseError {
    #[component(name = "not-held")]
    NotHeld,
    #[component(name = "too-many")]
    TooMany(u32),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum WaitError {
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "not-held")]
    NotHeld,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum BarrierError {
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "broken")]
    Broken,
}

fn acquired(given: &Given) -> Result<Acquired, HostError> {
    match given.answer {
        Answer::Acquired { abandoned: false } => Ok(Acquired::Clean),
        Answer::Acquired { abandoned: true } => Ok(Acquired::Abandoned),
        _ => Err(unexpected()),
    }
}

fn acquire<H: Host, T: 'static>(
    store: &mut Ctx<'_, H>,
    object: &Resource<T>,
    timeout: Option<u64>,
) -> wasmtime::Result<(Result<Acquired, AcquireError>,)> {
    let done = match call(store, object, Op::Acquire(timeout))? {
        Ok(given) => Ok(acquired(&given)?),
        Err(Refusal::TimedOut) => Err(AcquireError::TimedOut),
        Err(Refusal::AlreadyHeld) => Err(AcquireError::AlreadyHeld),
        Err(Refusal::Deadlock(who)) => Err(AcquireError::Deadlock(who)),
        Err(_) => return Err(unexpected().into()),
    };
    Ok((done,))
}

/// Does it to a lock that this instance was lent. False: the host has to be asked.
fn use_lent<H: Host>(store: &Ctx<'_, H>, lock: &Resource<Lock>, op: Op) -> bool {
    let objects = &store.data().objects;
    let number = u16::try_from(lock.rep());
    match (objects.number, number) {
        (Some(instance), Ok(lock)) => objects.host.use_lent(instance, lock, op),
        // Who has not called yet was lent nothing.
        _ => false,
    }
}

/// What comes of giving back, and of waking others.
fn release<T>(
    done: Result<Given, Refusal>,
    give: impl FnOnce(Given) -> Result<T, HostError>,
) -> wasmtime::Result<(Result<T, ReleaseError>,)> {
    let done = match done {
        Ok(given) => Ok(give(given)?),
        Err(Refusal::NotHeld) => Err(ReleaseError::NotHeld),
        Err(Refusal::TooMany(most)) => Err(ReleaseError::TooMany(most)),
        Err(_) => return Err(unexpected().into()),
    };
    Ok((done,))
}

/// Does what is never refused.
fn done<H: Host, T: 'static>(
    store: &mut Ctx<'_, H>,
    object: &Resource<T>,
    op: Op,
) -> wasmtime::Result<Given> {
    let given = call(store, object, op)?;
    Ok(given.map_err(|_| unexpected())?)
}

/// The resource type and the function `open` of each kind.
macro_rules! opened {
    ($sync:ident, $name:literal, $type:ty, $kind:pat) => {
        $sync.resource($name, ResourceType::host::<$type>(), closed)?;
        $sync.func_wrap(
            concat!("[static]", $name, ".open"),
            |mut store: Ctx<'_, H>, (name,): (WasmStr,)| {
                let name = name.to_str(&store)?.into_owned();
                let is = |kind| matches!(kind, $kind);
                let opened: Result<Resource<$type>, OpenError> = open(&mut store, &name, is);
                Ok((opened,))
            },
        )?;
    };
}

pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut sync = linker.instance("wasmpool:task/sync@0.1.0")?;

    opened!(sync, "lock", Lock, Kind::Lock);
    sync.func_wrap(
        "[method]lock.acquire",
        |mut store: Ctx<'_, H>, (lock, timeout): (Resource<Lock>, Option<u64>)| {
            if use_lent(&store, &lock, Op::Acquire(timeout)) {
                return Ok((Ok(Acquired::Clean),));
            }
            acquire(&mut store, &lock, timeout)
        },
    )?;
    sync.func_wrap(
        "[method]lock.release",
        |mut store: Ctx<'_, H>, (lock,): (Resource<Lock>,)| {
            if use_lent(&store, &lock, Op::Release) {
                return Ok((Ok(()),));
            }
            release(call(&mut store, &lock, Op::Release)?, |_| Ok(()))
        },
    )?;

    opened!(sync, "semaphore", Semaphore, Kind::Semaphore);
    sync.func_wrap(
        "[method]semaphore.acquire",
        |mut store: Ctx<'_, H>, (semaphore, timeout): (Resource<Semaphore>, Option<u64>)| {
            acquire(&mut store, &semaphore, timeout)
        },
    )?;
    sync.func_wrap(
        "[method]semaphore.release",
        |mut store: Ctx<'_, H>, (semaphore,): (Resource<Semaphore>,)| {
            release(call(&mut store, &semaphore, Op::Release)?, |_| Ok(()))
        },
    )?;
    sync.func_wrap(
        "[method]semaphore.value",
        |mut store: Ctx<'_, H>, (semaphore,): (Resource<Semaphore>,)| {
            Ok((done(&mut store, &semaphore, Op::Value)?.small_number()?,))
        },
    )?;

    opened!(sync, "event", Event, Kind::Event);
    sync.func_wrap(
        "[method]event.set",
        |mut store: Ctx<'_, H>, (event,): (Resource<Event>,)| {
            done(&mut store, &event, Op::Set).map(drop)
        },
    )?;
    sync.func_wrap(
        "[method]event.clear",
        |mut store: Ctx<'_, H>, (event,): (Resource<Event>,)| {
            done(&mut store, &event, Op::Clear).map(drop)
        },
    )?;
    sync.func_wrap(
        "[method]event.is-set",
        |mut store: Ctx<'_, H>, (event,): (Resource<Event>,)| {
            Ok((done(&mut store, &event, Op::Is)?.flag()?,))
        },
    )?;
    sync.func_wrap(
        "[method]event.wait",
        |mut store: Ctx<'_, H>, (event, timeout): (Resource<Event>, Option<u64>)| match call(
            &mut store,
            &event,
            Op::AwaitSet(timeout),
        )? {
            Ok(_) => Ok((true,)),
            Err(Refusal::TimedOut) => Ok((false,)),
            Err(_) => Err(unexpected().into()),
        },
    )?;

    opened!(sync, "condition", Condition, Kind::Condition { .. });
    sync.func_wrap(
        "[method]condition.lock",
        |mut store: Ctx<'_, H>, (condition,): (Resource<Condition>,)| {
            let objects = &mut store.data_mut().objects;
            let Some(Kind::Condition { lock }) = objects.granted.kind(condition.rep()) else {
                return Err(unexpected().into());
            };
            // Of no use to anybody who has too many already: it is counted, and not refused.
            objects.handles = objects.handles.saturating_add(1);
            Ok((Resource::<Lock>::new_own(u32::from(lock)),))
        },
    )?;
    sync.func_wrap(
        "[method]condition.wait",
        |mut store: Ctx<'_, H>, (condition, timeout): (Resource<Condition>, Option<u64>)| {
            let waited = match call(&mut store, &condition, Op::AwaitNotify(timeout))? {
                Ok(given) => Ok(acquired(&given)?),
                Err(Refusal::TimedOut) => Err(WaitError::TimedOut),
                Err(Refusal::NotHeld) => Err(WaitError::NotHeld),
                Err(_) => return Err(unexpected().into()),
            };
            Ok((waited,))
        },
    )?;
    sync.func_wrap(
        "[method]condition.notify",
        |mut store: Ctx<'_, H>, (condition, count): (Resource<Condition>, u32)| {
            let woken = call(&mut store, &condition, Op::Notify(count))?;
            release(woken, |given| given.small_number())
        },
    )?;
    sync.func_wrap(
        "[method]condition.notify-all",
        |mut store: Ctx<'_, H>, (condition,): (Resource<Condition>,)| {
            let woken = call(&mut store, &condition, Op::Notify(u32::MAX))?;
            release(woken, |given| given.small_number())
        },
    )?;

    opened!(sync, "barrier", Barrier, Kind::Barrier { .. });
    sync.func_wrap(
        "[method]barrier.parties",
        |store: Ctx<'_, H>, (barrier,): (Resource<Barrier>,)| match store
            .data()
            .objects
            .granted
            .kind(barrier.rep())
        {
            Some(Kind::Barrier { parties }) => Ok((parties,)),
            _ => Err(unexpected().into()),
        },
    )?;
    sync.func_wrap(
        "[method]barrier.waiting",
        |mut store: Ctx<'_, H>, (barrier,): (Resource<Barrier>,)| {
            Ok((done(&mut store, &barrier, Op::Value)?.small_number()?,))
        },
    )?;
    sync.func_wrap(
        "[method]barrier.wait",
        |mut store: Ctx<'_, H>, (barrier, timeout): (Resource<Barrier>, Option<u64>)| {
            let place = match call(&mut store, &barrier, Op::AwaitOthers(timeout))? {
                Ok(given) => Ok(given.small_number()?),
                Err(Refusal::TimedOut) => Err(BarrierError::TimedOut),
                Err(Refusal::Broken) => Err(BarrierError::Broken),
                Err(_) => return Err(unexpected().into()),
            };
            Ok((place,))
        },
    )?;
    sync.func_wrap(
        "[method]barrier.abort",
        |mut store: Ctx<'_, H>, (barrier,): (Resource<Barrier>,)| {
            done(&mut store, &barrier, Op::Abort).map(drop)
        },
    )?;
    sync.func_wrap(
        "[method]barrier.reset",
        |mut store: Ctx<'_, H>, (barrier,): (Resource<Barrier>,)| {
            done(&mut store, &barrier, Op::Reset).map(drop)
        },
    )?;
    sync.func_wrap(
        "[method]barrier.is-broken",
        |mut store: Ctx<'_, H>, (barrier,): (Resource<Barrier>,)| {
            Ok((done(&mut store, &barrier, Op::Is)?.flag()?,))
        },
    )?;
    Ok(())
}
