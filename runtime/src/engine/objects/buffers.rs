//! `wasmpool:task/buffers`: memory shared with others, by copy, by atomic operations, and attached.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use wasmtime::component::{
    ComponentType, Lift, Linker, Lower, Resource, ResourceType, WasmList, WasmStr,
};

use super::{Ctx, Host, HostError, MAX_HANDLES, OpenError, State, ask, number, unexpected};
use crate::ipc::call::{Kind, Op, Refusal, Word};
use crate::limits::CALL_BYTES;
use crate::sys::memory::{Shared, page_size, show_nothing};

/// Bytes that one call copies, at most.
const MAX_COPY: u64 = CALL_BYTES;
/// Regions that an instance has attached at the same time, at most: each is a mapping of the process.
const MAX_REGIONS: usize = 1024;

/// The resource type; a handle is its place among those of the instance.
struct Buffer;

/// The handles of an instance, and what it has attached through them.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// The buffers' numbers.
    handles: Vec<Option<u32>>,
    regions: Vec<Region>,
}

/// A part of a linear memory that shows a buffer.
#[derive(Debug)]
struct Region {
    handle: u32,
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the address is that of the store's memory, which is moved between threads with it.
unsafe impl Send for Region {}
// SAFETY: nothing is read or written through it but by who has it exclusively.
unsafe impl Sync for Region {}

impl Region {
    fn overlaps(&self, at: usize, len: usize) -> bool {
        let start = self.at.addr().get();
        start < at + len && at < start + self.len
    }

    fn detach(&self) -> std::io::Result<()> {
        // SAFETY: the region was attached, so that it is a part of a linear memory of this store, which is still there:
        // `Objects` goes before the memories do. No reference into linear memory is held across calls of the host.
        unsafe { show_nothing(self.at, self.len) }
    }
}

impl Attached {
    /// What is attached becomes ordinary memory of zeros: for the next instance.
    pub(super) fn detach_all(&mut self) {
        for region in self.regions.drain(..) {
            if region.detach().is_err() {
                // What the next instance would find there is not its own: better none.
                std::process::abort();
            }
        }
    }
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum Access {
    #[component(name = "read-only")]
    ReadOnly,
    #[component(name = "read-write")]
    ReadWrite,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum AccessError {
    #[component(name = "read-only")]
    ReadOnly,
    #[component(name = "out-of-bounds")]
    OutOfBounds(u64),
    #[component(name = "misaligned")]
    Misaligned(u32),
    #[component(name = "too-large")]
    TooLarge(u64),
}

#[derive(ComponentType, Lower)]
#[component(variant)]
enum AttachError {
    #[component(name = "misaligned")]
    Misaligned,
    #[component(name = "empty")]
    Empty,
    #[component(name = "out-of-bounds")]
    OutOfBounds(u64),
    #[component(name = "overlapping")]
    Overlapping,
    #[component(name = "not-attached")]
    NotAttached,
    #[component(name = "too-many-regions")]
    TooManyRegions(u32),
    #[component(name = "unavailable")]
    Unavailable,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only ever lifted from a guest")]
enum Operation {
    #[component(name = "add")]
    Add,
    #[component(name = "sub")]
    Sub,
    #[component(name = "and")]
    And,
    #[component(name = "or")]
    Or,
    #[component(name = "xor")]
    Xor,
    #[component(name = "exchange")]
    Exchange,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum WaitResult {
    #[component(name = "woken")]
    Woken,
    #[component(name = "unequal")]
    Unequal,
    #[component(name = "timed-out")]
    TimedOut,
}

/// A buffer as a call finds it.
struct Found<'a> {
    object: u32,
    memory: &'a Shared,
}

fn object_of<H: Host>(store: &Ctx<'_, H>, buffer: &Resource<Buffer>) -> wasmtime::Result<u32> {
    let handles = &store.data().objects.attached.handles;
    let object = handles.get(buffer.rep() as usize).copied().flatten();
    Ok(object.ok_or_else(unexpected)?)
}

fn find<'a, H: Host>(
    store: &'a Ctx<'_, H>,
    buffer: &Resource<Buffer>,
) -> wasmtime::Result<Found<'a>> {
    let object = object_of(store, buffer)?;
    let memory = store.data().objects.granted.memory.get(object as usize);
    let memory = memory.and_then(Option::as_ref).ok_or_else(unexpected)?;
    Ok(Found { object, memory })
}

impl Found<'_> {
    fn range(&self, offset: u64, len: u64) -> Result<usize, AccessError> {
        let all = self.memory.len() as u64;
        match offset.checked_add(len) {
            Some(end) if end <= all => Ok(offset as usize),
            _ => Err(AccessError::OutOfBounds(all)),
        }
    }

    /// The word at an offset, to be changed or only read.
    fn word<T: Cell>(&self, offset: u64, change: bool) -> Result<&T, AccessError> {
        let size = size_of::<T>() as u64;
        if change && !self.memory.is_writable() {
            return Err(AccessError::ReadOnly);
        }
        if !offset.is_multiple_of(size) {
            return Err(AccessError::Misaligned(size as u32));
        }
        let at = self.range(offset, size)?;
        // SAFETY: in bounds and aligned, as looked at; an atomic number, for which all bits are right.
        Ok(unsafe { self.memory.at(at) })
    }
}

/// An atomic number. Read-only memory is only ever loaded from.
trait Cell {
    type Value: Copy;
    fn load(&self) -> Self::Value;
    fn store(&self, value: Self::Value);
    fn update(&self, operation: Operation, operand: Self::Value) -> Self::Value;
    fn compare_exchange(&self, expected: Self::Value, replacement: Self::Value) -> Self::Value;
    fn expecting(value: Self::Value) -> Word;
}

macro_rules! cell {
    ($atomic:ty, $value:ty, $word:path) => {
        impl Cell for $atomic {
            type Value = $value;

            fn load(&self) -> $value {
                self.load(Ordering::SeqCst)
            }

            fn store(&self, value: $value) {
                self.store(value, Ordering::SeqCst);
            }

            fn update(&self, operation: Operation, operand: $value) -> $value {
                match operation {
                    Operation::Add => self.fetch_add(operand, Ordering::SeqCst),
                    Operation::Sub => self.fetch_sub(operand, Ordering::SeqCst),
                    Operation::And => self.fetch_and(operand, Ordering::SeqCst),
                    Operation::Or => self.fetch_or(operand, Ordering::SeqCst),
                    Operation::Xor => self.fetch_xor(operand, Ordering::SeqCst),
                    Operation::Exchange => self.swap(operand, Ordering::SeqCst),
                }
            }

            fn compare_exchange(&self, expected: $value, replacement: $value) -> $value {
                let order = Ordering::SeqCst;
                match self.compare_exchange(expected, replacement, order, order) {
                    Ok(old) | Err(old) => old,
                }
            }

            fn expecting(value: $value) -> Word {
                $word(value)
            }
        }
    };
}
cell!(AtomicU32, u32, Word::U32);
cell!(AtomicU64, u64, Word::U64);

fn attach<H: Host>(
    mut store: Ctx<'_, H>,
    buffer: &Resource<Buffer>,
    offset: u64,
    region: &WasmList<u8>,
) -> wasmtime::Result<Result<(), AttachError>> {
    let (at, len) = place(&store, region);
    let Found { object, memory } = find(&store, buffer)?;
    let objects = &store.data().objects;
    let page = page_size() as u64;
    let bytes = memory.len() as u64;
    let misaligned = [at.addr().get() as u64, len as u64, offset]
        .iter()
        .any(|n| !n.is_multiple_of(page));
    let end = offset.checked_add(len as u64);
    let overlaps = |region: &Region| region.overlaps(at.addr().get(), len);
    if !objects.granted.attach {
        return Ok(Err(AttachError::Unavailable));
    } else if len == 0 {
        return Ok(Err(AttachError::Empty));
    } else if misaligned {
        return Ok(Err(AttachError::Misaligned));
    } else if end.is_none_or(|end| end > bytes.next_multiple_of(page)) {
        return Ok(Err(AttachError::OutOfBounds(bytes)));
    } else if objects.attached.regions.iter().any(overlaps) {
        return Ok(Err(AttachError::Overlapping));
    } else if objects.attached.regions.len() >= MAX_REGIONS {
        return Ok(Err(AttachError::TooManyRegions(MAX_REGIONS as u32)));
    }
    // SAFETY: the region lies in a linear memory of this store, as the engine has looked at; it is the guest's own, its
    // address and length are whole pages, and the host holds no reference into it. It is put back before the memory goes.
    unsafe { memory.show(offset as usize, at, len) }.map_err(|error| {
        HostError::Broken(format!("buffer {object} cannot be attached: {error}"))
    })?;
    store.data_mut().objects.attached.regions.push(Region {
        handle: buffer.rep(),
        at,
        len,
    });
    Ok(Ok(()))
}

/// Where a list lies.
fn place<H: Host>(store: &Ctx<'_, H>, region: &WasmList<u8>) -> (NonNull<u8>, usize) {
    let bytes = region.as_le_slice(store);
    (NonNull::from(bytes).cast(), bytes.len())
}

fn detach<H: Host>(
    mut store: Ctx<'_, H>,
    buffer: &Resource<Buffer>,
    region: &WasmList<u8>,
) -> wasmtime::Result<Result<(), AttachError>> {
    let (at, len) = place(&store, region);
    let regions = &mut store.data_mut().objects.attached.regions;
    let is = |r: &Region| (r.handle, r.at, r.len) == (buffer.rep(), at, len);
    let Some(found) = regions.iter().position(is) else {
        return Ok(Err(AttachError::NotAttached));
    };
    let region = regions.swap_remove(found);
    let detached = region.detach();
    detached.map_err(|error| {
        regions.push(region);
        HostError::Broken(format!("a buffer cannot be detached: {error}"))
    })?;
    Ok(Ok(()))
}

/// The operations on words of one size.
macro_rules! words {
    ($buffers:ident, $size:literal, $cell:ty, $value:ty) => {
        $buffers.func_wrap(
            concat!("[method]buffer.load-", $size),
            |store: Ctx<'_, H>, (buffer, offset): (Resource<Buffer>, u64)| {
                let found = find(&store, &buffer)?;
                Ok((found.word::<$cell>(offset, false).map(Cell::load),))
            },
        )?;
        $buffers.func_wrap(
            concat!("[method]buffer.store-", $size),
            |store: Ctx<'_, H>, (buffer, offset, value): (Resource<Buffer>, u64, $value)| {
                let found = find(&store, &buffer)?;
                let word = found.word::<$cell>(offset, true);
                Ok((word.map(|word| Cell::store(word, value)),))
            },
        )?;
        $buffers.func_wrap(
            concat!("[method]buffer.update-", $size),
            |store: Ctx<'_, H>,
             (buffer, offset, operation, operand): (Resource<Buffer>, u64, Operation, $value)| {
                let found = find(&store, &buffer)?;
                let word = found.word::<$cell>(offset, true);
                Ok((word.map(|word| Cell::update(word, operation, operand)),))
            },
        )?;
        $buffers.func_wrap(
            concat!("[method]buffer.compare-exchange-", $size),
            |store: Ctx<'_, H>,
             (buffer, offset, expected, replacement): (Resource<Buffer>, u64, $value, $value)| {
                let found = find(&store, &buffer)?;
                let word = found.word::<$cell>(offset, true);
                let exchange = |word| Cell::compare_exchange(word, expected, replacement);
                Ok((word.map(exchange),))
            },
        )?;
        $buffers.func_wrap(
            concat!("[method]buffer.wait-", $size),
            |mut store: Ctx<'_, H>,
             (buffer, offset, expected, timeout): (Resource<Buffer>, u64, $value, Option<u64>)| {
                let number = number(&mut store);
                let found = find(&store, &buffer)?;
                let word = match found.word::<$cell>(offset, false) {
                    Ok(word) => Cell::load(word),
                    Err(error) => return Ok((Err(error),)),
                };
                if word != expected {
                    return Ok((Ok(WaitResult::Unequal),));
                }
                let op = Op::AwaitWord(offset, <$cell>::expecting(expected), timeout);
                let host = &store.data().host;
                let woken = match ask(host, number, found.object, op, &[])? {
                    Ok(given) if given.flag()? => WaitResult::Woken,
                    Ok(_) => WaitResult::Unequal,
                    Err(Refusal::TimedOut) => WaitResult::TimedOut,
                    Err(_) => return Err(unexpected().into()),
                };
                Ok((Ok(woken),))
            },
        )?;
    };
}

pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    let mut buffers = linker.instance("wasmpool:task/buffers@0.1.0")?;
    buffers.resource(
        "buffer",
        ResourceType::host::<Buffer>(),
        |mut store: Ctx<'_, H>, handle| {
            let objects = &mut store.data_mut().objects;
            objects.handles = objects.handles.saturating_sub(1);
            let attached = &mut objects.attached;
            if let Some(object) = attached.handles.get_mut(handle as usize) {
                *object = None;
            }
            let of_handle = |region: &mut Region| region.handle == handle;
            for region in attached.regions.extract_if(.., of_handle) {
                if region.detach().is_err() {
                    std::process::abort();
                }
            }
            Ok(())
        },
    )?;
    buffers.func_wrap("page-size", |_: Ctx<'_, H>, (): ()| {
        Ok((page_size() as u32,))
    })?;
    buffers.func_wrap(
        "[static]buffer.open",
        |mut store: Ctx<'_, H>, (name,): (WasmStr,)| {
            let name = name.to_str(&store)?.into_owned();
            let objects = &mut store.data_mut().objects;
            let is = |kind| matches!(kind, Kind::Buffer { .. });
            let Some(object) = objects.granted.find(&name, is) else {
                return Ok((Err(OpenError::NotGranted),));
            };
            if objects.handles >= MAX_HANDLES {
                return Ok((Err(OpenError::TooManyHandles(MAX_HANDLES)),));
            }
            objects.handles += 1;
            let handles = &mut objects.attached.handles;
            let free = handles.iter().position(Option::is_none);
            let handle = free.unwrap_or_else(|| {
                handles.push(None);
                handles.len() - 1
            });
            handles[handle] = Some(object);
            Ok((Ok(Resource::<Buffer>::new_own(handle as u32)),))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.length",
        |store: Ctx<'_, H>, (buffer,): (Resource<Buffer>,)| {
            Ok((find(&store, &buffer)?.memory.len() as u64,))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.access",
        |store: Ctx<'_, H>, (buffer,): (Resource<Buffer>,)| {
            let access = match find(&store, &buffer)?.memory.is_writable() {
                true => Access::ReadWrite,
                false => Access::ReadOnly,
            };
            Ok((access,))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.read",
        |store: Ctx<'_, H>, (buffer, offset, length): (Resource<Buffer>, u64, u32)| {
            let found = find(&store, &buffer)?;
            let length = u64::from(length);
            if length > MAX_COPY {
                return Ok((Err(AccessError::TooLarge(MAX_COPY)),));
            }
            let read = found.range(offset, length).map(|at| {
                let mut bytes = Vec::new();
                found.memory.read(at, length as usize, &mut bytes);
                bytes
            });
            Ok((read,))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.write",
        |store: Ctx<'_, H>, (buffer, offset, bytes): (Resource<Buffer>, u64, WasmList<u8>)| {
            let found = find(&store, &buffer)?;
            let bytes = bytes.as_le_slice(&store);
            if !found.memory.is_writable() {
                return Ok((Err(AccessError::ReadOnly),));
            }
            if bytes.len() as u64 > MAX_COPY {
                return Ok((Err(AccessError::TooLarge(MAX_COPY)),));
            }
            let range = found.range(offset, bytes.len() as u64);
            Ok((range.map(|at| found.memory.write(at, bytes)),))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.attach",
        |store: Ctx<'_, H>, (buffer, offset, region): (Resource<Buffer>, u64, WasmList<u8>)| {
            Ok((attach(store, &buffer, offset, &region)?,))
        },
    )?;
    buffers.func_wrap(
        "[method]buffer.detach",
        |store: Ctx<'_, H>, (buffer, region): (Resource<Buffer>, WasmList<u8>)| {
            Ok((detach(store, &buffer, &region)?,))
        },
    )?;
    words!(buffers, "u32", AtomicU32, u32);
    words!(buffers, "u64", AtomicU64, u64);
    buffers.func_wrap(
        "[method]buffer.notify",
        |mut store: Ctx<'_, H>, (buffer, offset, count): (Resource<Buffer>, u64, u32)| {
            let number = number(&mut store);
            let found = find(&store, &buffer)?;
            // The smallest word that anybody may wait for.
            if let Err(error) = found.word::<AtomicU32>(offset, true) {
                return Ok((Err(error),));
            }
            let op = Op::NotifyWord(offset, count);
            let woken = ask(&store.data().host, number, found.object, op, &[])?;
            Ok((Ok(woken.map_err(|_| unexpected())?.small_number()?),))
        },
    )?;
    Ok(())
}
