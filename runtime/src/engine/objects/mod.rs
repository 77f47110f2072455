//! What guests share with others, as they see it: `wasmpool:task/{queues,pipes,buffers,sync}`.
//!
//! Owns an instance's handles and attached memory. The objects' state is the host's: whatever changes or asks for it goes
//! through [`Host::call`]. Only the bytes of buffers are here, mapped into the worker.

mod buffers;
mod pipes;
mod queues;
mod sync;

use std::fmt;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource};

use self::buffers::Attached;
use super::host::{Host, HostError};
use super::instance::State;
use crate::ipc::call::{Answer, Kind, ObjectGrant, Op, Refusal};
use crate::sys::memory::Shared;

/// Handles of one instance that are open at the same time, at most.
const MAX_HANDLES: u32 = 1024;

type Ctx<'a, H> = StoreContextMut<'a, State<H>>;

/// What all instances of a program are granted.
#[derive(Debug, Default)]
pub(super) struct GrantedObjects {
    grants: Vec<ObjectGrant>,
    /// The memory of those that are buffers, by their numbers.
    memory: Vec<Option<Shared>>,
    /// Whether buffers may be attached: not to threads of the host.
    attach: bool,
}

impl GrantedObjects {
    /// `memory` is that of the buffers among the grants, in their order.
    pub(super) fn new(grants: Vec<ObjectGrant>, memory: Vec<Shared>, attach: bool) -> Self {
        let mut memory = memory.into_iter();
        let of_each = |grant: &ObjectGrant| match grant.kind {
            Kind::Buffer { .. } => memory.next(),
            _ => None,
        };
        let memory = grants.iter().map(of_each).collect();
        GrantedObjects {
            grants,
            memory,
            attach,
        }
    }

    /// Bytes of the largest buffer.
    pub(super) fn largest(&self) -> u64 {
        let bytes = |grant: &ObjectGrant| match grant.kind {
            Kind::Buffer { bytes, .. } => bytes,
            _ => 0,
        };
        self.grants.iter().map(bytes).max().unwrap_or(0)
    }

    /// The number of the object of this name of which `which` is true.
    fn find(&self, name: &str, which: impl Fn(Kind) -> bool) -> Option<u32> {
        let found = |grant: &ObjectGrant| grant.name == name && which(grant.kind);
        match name {
            "" => None,
            _ => Some(self.grants.iter().position(found)? as u32),
        }
    }

    fn kind(&self, object: u32) -> Option<Kind> {
        Some(self.grants.get(object as usize)?.kind)
    }
}

/// What one instance has of it. Its end gives everything back.
pub(super) struct Objects<H: Host> {
    host: H,
    granted: Arc<GrantedObjects>,
    /// What the host calls this instance, once it has asked for something.
    number: Option<u32>,
    handles: u32,
    attached: Attached,
}

impl<H: Host> Objects<H> {
    pub(super) fn new(host: H, granted: Arc<GrantedObjects>) -> Self {
        Objects {
            host,
            granted,
            number: None,
            handles: 0,
            attached: Attached::default(),
        }
    }
}

impl<H: Host> Drop for Objects<H> {
    fn drop(&mut self) {
        // The store drops its data before its memories, which the engine's pool uses again.
        self.attached.detach_all();
        if let Some(number) = self.number {
            self.host.over(number);
        }
    }
}

impl<H: Host> fmt::Debug for Objects<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("number", &self.number)
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}

/// Why an object is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
enum OpenError {
    #[component(name = "not-granted")]
    NotGranted,
    #[component(name = "too-many-handles")]
    TooManyHandles(u32),
}

/// Opens the object of this name of which `which` is true: its handle is its number.
fn open<H: Host, T: 'static>(
    store: &mut Ctx<'_, H>,
    name: &str,
    which: impl Fn(Kind) -> bool,
) -> Result<Resource<T>, OpenError> {
    let objects = &mut store.data_mut().objects;
    let object = objects.granted.find(name, which);
    let object = object.ok_or(OpenError::NotGranted)?;
    if objects.handles >= MAX_HANDLES {
        return Err(OpenError::TooManyHandles(MAX_HANDLES));
    }
    objects.handles += 1;
    Ok(Resource::new_own(object))
}

/// A handle was dropped.
fn closed<H: Host>(mut store: Ctx<'_, H>, _: u32) -> wasmtime::Result<()> {
    let objects = &mut store.data_mut().objects;
    objects.handles = objects.handles.saturating_sub(1);
    Ok(())
}

/// The number under which the host knows the instance.
fn number<H: Host>(store: &mut Ctx<'_, H>) -> u32 {
    let objects = &mut store.data_mut().objects;
    *objects
        .number
        .get_or_insert_with(|| objects.host.new_instance())
}

/// Asks something of an object. `Ok(Err(_))` where it is refused.
fn call<H: Host, T: 'static>(
    store: &mut Ctx<'_, H>,
    object: &Resource<T>,
    op: Op,
) -> Result<Result<Given, Refusal>, HostError> {
    let number = number(store);
    ask(&store.data().host, number, object.rep(), op, &[])
}

/// The bound of an object on the bytes of a message, where this one passes it: the host is not bothered with it.
fn too_large<H: Host, T: 'static>(
    store: &Ctx<'_, H>,
    object: &Resource<T>,
    message: &[u8],
) -> Option<u64> {
    let kind = store.data().objects.granted.kind(object.rep())?;
    let most = kind.largest_message();
    (message.len() as u64 > most).then_some(most)
}

/// What is given with a yes.
struct Given {
    answer: Answer,
    message: Vec<u8>,
}

fn ask<H: Host>(
    host: &H,
    number: u32,
    object: u32,
    op: Op,
    message: &[u8],
) -> Result<Result<Given, Refusal>, HostError> {
    let object = u16::try_from(object).map_err(|_| unexpected())?;
    let (answer, message) = host.call(number, object, op, message)?;
    Ok(match answer {
        Answer::Refused(refusal) => Err(refusal),
        answer => Ok(Given { answer, message }),
    })
}

impl Given {
    fn number(&self) -> Result<u64, HostError> {
        match self.answer {
            Answer::Number(n) => Ok(n),
            _ => Err(unexpected()),
        }
    }

    fn small_number(&self) -> Result<u32, HostError> {
        Ok(u32::try_from(self.number()?).unwrap_or(u32::MAX))
    }

    fn flag(&self) -> Result<bool, HostError> {
        match self.answer {
            Answer::Flag(flag) => Ok(flag),
            _ => Err(unexpected()),
        }
    }
}

/// The host answered what is no answer to what was asked: only a host of another version does.
fn unexpected() -> HostError {
    HostError::Broken("the host gave an answer that cannot be".into())
}

/// Links the interfaces.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    queues::link(linker)?;
    pipes::link(linker)?;
    sync::link(linker)?;
    buffers::link(linker)
}
