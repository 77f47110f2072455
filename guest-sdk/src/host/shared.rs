//! What the pool shares, as a component sees it: the imports `buffers`, `queues`, `pipes` and `sync` in the words of
//! this library.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::time::Duration;

use super::bindings::wasmpool::task::{buffers, pipes, queues, sync};
use crate::OpenError;
use crate::buffer::region::Region;
use crate::buffer::{Access, AccessError, AttachError, Operation, WaitResult, Word};
use crate::pipe::{ReceiveError, SendError};
use crate::queue::{Direction, GetError, PutError, TaskDoneError};
use crate::sync::{AcquireError, Acquired, BarrierError, ReleaseError, WaitError};

/// Nanoseconds, as timeouts are given; what does not fit is for ever in practice.
fn nanoseconds(timeout: Option<Duration>) -> Option<u64> {
    timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX))
}

fn not_granted(kind: &'static str, name: &str) -> OpenError {
    OpenError::NotGranted {
        kind,
        name: name.to_owned(),
    }
}

#[derive(Debug)]
pub struct Buffer(buffers::Buffer);

fn access_error(error: buffers::AccessError) -> AccessError {
    match error {
        buffers::AccessError::ReadOnly => AccessError::ReadOnly,
        buffers::AccessError::OutOfBounds(length) => AccessError::OutOfBounds { length },
        buffers::AccessError::Misaligned(size) => AccessError::Misaligned { size },
        buffers::AccessError::TooLarge(limit) => AccessError::TooLarge { limit },
    }
}

fn wait_result(result: buffers::WaitResult) -> WaitResult {
    match result {
        buffers::WaitResult::Woken => WaitResult::Woken,
        buffers::WaitResult::Unequal => WaitResult::Unequal,
        buffers::WaitResult::TimedOut => WaitResult::TimedOut,
    }
}

fn operation(operation: Operation) -> buffers::Operation {
    match operation {
        Operation::Add => buffers::Operation::Add,
        Operation::Sub => buffers::Operation::Sub,
        Operation::And => buffers::Operation::And,
        Operation::Or => buffers::Operation::Or,
        Operation::Xor => buffers::Operation::Xor,
        Operation::Exchange => buffers::Operation::Exchange,
    }
}

impl Buffer {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let opened = buffers::Buffer::open(name).map_err(|error| match error {
            buffers::OpenError::NotGranted => not_granted("buffer", name),
            buffers::OpenError::TooManyHandles(limit) => OpenError::TooManyHandles { limit },
        });
        opened.map(Buffer)
    }

    pub(crate) fn length(&self) -> u64 {
        self.0.length()
    }

    pub(crate) fn access(&self) -> Access {
        match self.0.access() {
            buffers::Access::ReadOnly => Access::ReadOnly,
            buffers::Access::ReadWrite => Access::ReadWrite,
        }
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, AccessError> {
        self.0.read(offset, length).map_err(access_error)
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        self.0.write(offset, bytes).map_err(access_error)
    }

    pub(crate) fn notify(&self, offset: u64, count: u32) -> Result<u32, AccessError> {
        self.0.notify(offset, count).map_err(access_error)
    }

    /// Attaches `length` bytes from `offset`; both are multiples of the page size.
    pub(crate) fn attach(&self, offset: u64, length: usize) -> Result<Attachment<'_>, AttachError> {
        let no_room = AttachError::OutOfMemory {
            bytes: length as u64,
        };
        let region = Region::take(length, page_size() as usize).ok_or(no_room)?;
        let attachment = Attachment {
            buffer: self,
            region: Some(region),
            length,
        };
        match self.0.attach(offset, attachment.bytes()) {
            Ok(()) => Ok(attachment),
            Err(error) => {
                attachment.never_was();
                Err(match error {
                    buffers::AttachError::OutOfBounds(length) => {
                        AttachError::OutOfBounds { length }
                    }
                    buffers::AttachError::TooManyRegions(limit) => {
                        AttachError::TooManyRegions { limit }
                    }
                    buffers::AttachError::Unavailable => AttachError::Unavailable,
                    buffers::AttachError::Misaligned
                    | buffers::AttachError::Empty
                    | buffers::AttachError::Overlapping
                    | buffers::AttachError::NotAttached => AttachError::Refused,
                })
            }
        }
    }
}

pub(crate) fn page_size() -> u32 {
    buffers::page_size()
}

/// A part of a buffer, attached to a region.
#[derive(Debug)]
pub(crate) struct Attachment<'a> {
    buffer: &'a Buffer,
    /// None once it is not attached any more.
    region: Option<Region>,
    length: usize,
}

impl Attachment<'_> {
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.region
            .as_ref()
            .map_or(NonNull::dangling(), Region::start)
    }

    /// The region, to be named to the pool: nobody in this program may look into it.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the region has at least so many bytes and lives as long as this. What the pool is called with is an
        // address and a length; the bytes behind them, which change meanwhile, are not read by way of this slice.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.length) }
    }

    /// Gives back a region that was not attached.
    fn never_was(mut self) {
        self.region = None;
    }
}

impl Drop for Attachment<'_> {
    fn drop(&mut self) {
        if self.region.is_none() {
            return;
        }
        let detached = self.buffer.0.detach(self.bytes());
        let region = self.region.take();
        if detached.is_err() {
            // It may still show the buffer: it must not be used for anything else.
            std::mem::forget(region);
        }
    }
}

macro_rules! word {
    ($type:ident: $load:ident $store:ident $update:ident $compare_exchange:ident $wait:ident) => {
        impl Word for $type {
            fn load(buffer: &Buffer, offset: u64) -> Result<Self, AccessError> {
                buffer.0.$load(offset).map_err(access_error)
            }

            fn store(buffer: &Buffer, offset: u64, value: Self) -> Result<(), AccessError> {
                buffer.0.$store(offset, value).map_err(access_error)
            }

            fn update(
                buffer: &Buffer,
                offset: u64,
                update: Operation,
                operand: Self,
            ) -> Result<Self, AccessError> {
                let updated = buffer.0.$update(offset, operation(update), operand);
                updated.map_err(access_error)
            }

            fn compare_exchange(
                buffer: &Buffer,
                offset: u64,
                expected: Self,
                replacement: Self,
            ) -> Result<Self, AccessError> {
                let found = buffer.0.$compare_exchange(offset, expected, replacement);
                found.map_err(access_error)
            }

            fn wait(
                buffer: &Buffer,
                offset: u64,
                expected: Self,
                timeout: Option<Duration>,
            ) -> Result<WaitResult, AccessError> {
                let result = buffer.0.$wait(offset, expected, nanoseconds(timeout));
                result.map(wait_result).map_err(access_error)
            }
        }
    };
}

word!(u32: load_u32 store_u32 update_u32 compare_exchange_u32 wait_u32);
word!(u64: load_u64 store_u64 update_u64 compare_exchange_u64 wait_u64);

#[derive(Debug)]
pub(crate) struct Queue(queues::Queue);

fn put_error(error: queues::PutError) -> PutError {
    match error {
        queues::PutError::Full => PutError::Full,
        queues::PutError::Closed => PutError::Closed,
        queues::PutError::TooLarge(limit) => PutError::TooLarge { limit },
        queues::PutError::NotPermitted => PutError::NotPermitted,
    }
}

fn get_error(error: queues::GetError) -> GetError {
    match error {
        queues::GetError::Empty => GetError::Empty,
        queues::GetError::Closed => GetError::Closed,
        queues::GetError::NotPermitted => GetError::NotPermitted,
    }
}

impl Queue {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let opened = queues::Queue::open(name).map_err(|error| match error {
            queues::OpenError::NotGranted => not_granted("queue", name),
            queues::OpenError::TooManyHandles(limit) => OpenError::TooManyHandles { limit },
        });
        opened.map(Queue)
    }

    pub(crate) fn direction(&self) -> Direction {
        match self.0.direction() {
            queues::Direction::Put => Direction::Put,
            queues::Direction::Get => Direction::Get,
            queues::Direction::Both => Direction::Both,
        }
    }

    pub(crate) fn put(&self, message: &[u8], timeout: Option<Duration>) -> Result<(), PutError> {
        self.0.put(message, nanoseconds(timeout)).map_err(put_error)
    }

    pub(crate) fn try_put(&self, message: &[u8]) -> Result<(), PutError> {
        self.0.try_put(message).map_err(put_error)
    }

    pub(crate) fn get(&self, timeout: Option<Duration>) -> Result<Vec<u8>, GetError> {
        self.0.get(nanoseconds(timeout)).map_err(get_error)
    }

    pub(crate) fn try_get(&self) -> Result<Vec<u8>, GetError> {
        self.0.try_get().map_err(get_error)
    }

    pub(crate) fn put_many(
        &self,
        messages: &[Vec<u8>],
        timeout: Option<Duration>,
    ) -> Result<usize, PutError> {
        let put = self.0.put_many(messages, nanoseconds(timeout));
        put.map(|put| put as usize).map_err(put_error)
    }

    pub(crate) fn get_many(
        &self,
        most: u32,
        timeout: Option<Duration>,
    ) -> Result<Vec<Vec<u8>>, GetError> {
        self.0
            .get_many(most, nanoseconds(timeout))
            .map_err(get_error)
    }

    pub(crate) fn length(&self) -> u64 {
        self.0.length()
    }

    pub(crate) fn task_done(&self) -> Result<(), TaskDoneError> {
        self.0.task_done().map_err(|error| match error {
            queues::TaskDoneError::NotJoinable => TaskDoneError::NotJoinable,
            queues::TaskDoneError::NothingOwed => TaskDoneError::NothingOwed,
            queues::TaskDoneError::NotPermitted => TaskDoneError::NotPermitted,
        })
    }

    pub(crate) fn join(&self, timeout: Option<Duration>) -> bool {
        self.0.join(nanoseconds(timeout))
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }
}

#[derive(Debug)]
pub(crate) struct PipeEnd(pipes::End);

impl PipeEnd {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let opened = pipes::End::open(name).map_err(|error| match error {
            pipes::OpenError::NotGranted => not_granted("end of a pipe", name),
            pipes::OpenError::InUse => OpenError::InUse {
                name: name.to_owned(),
            },
            pipes::OpenError::TooManyHandles(limit) => OpenError::TooManyHandles { limit },
        });
        opened.map(PipeEnd)
    }

    pub(crate) fn send(&self, message: &[u8], timeout: Option<Duration>) -> Result<(), SendError> {
        let sent = self.0.send(message, nanoseconds(timeout));
        sent.map_err(|error| match error {
            pipes::SendError::Broken => SendError::Broken,
            pipes::SendError::Full => SendError::Full,
            pipes::SendError::TooLarge(limit) => SendError::TooLarge { limit },
            pipes::SendError::NotPermitted => SendError::NotPermitted,
        })
    }

    pub(crate) fn receive(&self, timeout: Option<Duration>) -> Result<Vec<u8>, ReceiveError> {
        let received = self.0.receive(nanoseconds(timeout));
        received.map_err(|error| match error {
            pipes::ReceiveError::EndOfFile => ReceiveError::EndOfFile,
            pipes::ReceiveError::Empty => ReceiveError::Empty,
            pipes::ReceiveError::NotPermitted => ReceiveError::NotPermitted,
        })
    }

    pub(crate) fn poll(&self, timeout: Option<Duration>) -> bool {
        self.0.poll(nanoseconds(timeout))
    }

    pub(crate) fn finish(&self) {
        self.0.finish();
    }
}

/// Opens something of `sync`.
macro_rules! open {
    ($kind:literal, $type:ident) => {
        pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
            let opened = sync::$type::open(name).map_err(|error| match error {
                sync::OpenError::NotGranted => not_granted($kind, name),
                sync::OpenError::TooManyHandles(limit) => OpenError::TooManyHandles { limit },
            });
            opened.map($type)
        }
    };
}

fn acquired(acquired: sync::Acquired) -> Acquired {
    match acquired {
        sync::Acquired::Clean => Acquired::Clean,
        sync::Acquired::Abandoned => Acquired::Abandoned,
    }
}

fn acquire_error(error: sync::AcquireError) -> AcquireError {
    match error {
        sync::AcquireError::TimedOut => AcquireError::TimedOut,
        sync::AcquireError::AlreadyHeld => AcquireError::AlreadyHeld,
        sync::AcquireError::Deadlock(circle) => AcquireError::Deadlock(circle),
    }
}

fn release_error(error: sync::ReleaseError) -> ReleaseError {
    match error {
        sync::ReleaseError::NotHeld => ReleaseError::NotHeld,
        sync::ReleaseError::TooMany(limit) => ReleaseError::TooMany { limit },
    }
}

#[derive(Debug)]
pub(crate) struct Lock(sync::Lock);

impl Lock {
    open!("lock", Lock);

    pub(crate) fn acquire(&self, timeout: Option<Duration>) -> Result<Acquired, AcquireError> {
        let result = self.0.acquire(nanoseconds(timeout));
        result.map(acquired).map_err(acquire_error)
    }

    pub(crate) fn release(&self) -> Result<(), ReleaseError> {
        self.0.release().map_err(release_error)
    }
}

#[derive(Debug)]
pub(crate) struct Semaphore(sync::Semaphore);

impl Semaphore {
    open!("semaphore", Semaphore);

    pub(crate) fn acquire(&self, timeout: Option<Duration>) -> Result<Acquired, AcquireError> {
        let result = self.0.acquire(nanoseconds(timeout));
        result.map(acquired).map_err(acquire_error)
    }

    pub(crate) fn release(&self) -> Result<(), ReleaseError> {
        self.0.release().map_err(release_error)
    }

    pub(crate) fn value(&self) -> u32 {
        self.0.value()
    }
}

#[derive(Debug)]
pub(crate) struct Event(sync::Event);

impl Event {
    open!("event", Event);

    pub(crate) fn set(&self) {
        self.0.set();
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_set()
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        self.0.wait(nanoseconds(timeout))
    }
}

#[derive(Debug)]
pub(crate) struct Condition(sync::Condition);

impl Condition {
    open!("condition", Condition);

    pub(crate) fn lock(&self) -> Lock {
        Lock(self.0.lock())
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Acquired, WaitError> {
        let result = self.0.wait(nanoseconds(timeout));
        result.map(acquired).map_err(|error| match error {
            sync::WaitError::TimedOut => WaitError::TimedOut,
            sync::WaitError::NotHeld => WaitError::NotHeld,
        })
    }

    pub(crate) fn notify(&self, count: u32) -> Result<u32, ReleaseError> {
        self.0.notify(count).map_err(release_error)
    }

    pub(crate) fn notify_all(&self) -> Result<u32, ReleaseError> {
        self.0.notify_all().map_err(release_error)
    }
}

#[derive(Debug)]
pub(crate) struct Barrier(sync::Barrier);

impl Barrier {
    open!("barrier", Barrier);

    pub(crate) fn parties(&self) -> u32 {
        self.0.parties()
    }

    pub(crate) fn waiting(&self) -> u32 {
        self.0.waiting()
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<u32, BarrierError> {
        let result = self.0.wait(nanoseconds(timeout));
        result.map_err(|error| match error {
            sync::BarrierError::TimedOut => BarrierError::TimedOut,
            sync::BarrierError::Broken => BarrierError::Broken,
        })
    }

    pub(crate) fn abort(&self) {
        self.0.abort();
    }

    pub(crate) fn reset(&self) {
        self.0.reset();
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}
