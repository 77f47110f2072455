//! Buffers of a test: ordinary memory, which attachments point into.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;
use std::time::Duration;

use super::shared::{for_ever, granted};
use crate::OpenError;
use crate::buffer::cells::Cells;
use crate::buffer::region::Region;
use crate::buffer::{Access, AccessError, AttachError, Element, Operation, WaitResult, Word};

const PAGE_BYTES: usize = 4096;

/// A buffer's bytes, in whole pages.
#[derive(Debug)]
pub(crate) struct Storage {
    length: u64,
    pages: Cells<u8>,
    _region: Region,
}

impl Storage {
    /// # Panics
    ///
    /// If memory is at its end.
    pub fn new(bytes: &[u8]) -> Self {
        let size = bytes.len().next_multiple_of(PAGE_BYTES).max(PAGE_BYTES);
        let Some(region) = Region::take(size, PAGE_BYTES) else {
            panic!("no memory for a buffer of {size} bytes");
        };
        // SAFETY: the region has so many bytes, lives as long as the storage, and nobody else touches it yet. Here, and
        // not earlier, it becomes initialised.
        unsafe { region.start().as_ptr().write_bytes(0, size) };
        // SAFETY: as above; later all touch it through cells, in one thread.
        let pages = unsafe { Cells::new(region.start(), size) };
        // SAFETY: as above.
        unsafe { Cells::new(region.start(), bytes.len()) }.copy_from_slice(bytes);
        Storage {
            length: bytes.len() as u64,
            pages,
            _region: region,
        }
    }

    /// A range's cells, if the buffer has them all.
    fn cells<T: Element>(&self, offset: u64, count: usize) -> Result<Cells<T>, AccessError> {
        let size = size_of::<T>();
        let length = self.length;
        let end = (size as u64)
            .checked_mul(count as u64)
            .and_then(|bytes| bytes.checked_add(offset));
        if end.is_none_or(|end| end > length) {
            return Err(AccessError::OutOfBounds { length });
        }
        if !offset.is_multiple_of(size as u64) {
            return Err(AccessError::Misaligned { size: size as u32 });
        }
        // SAFETY: in bounds, as just seen.
        let start = unsafe { self.pages.start().add(offset as usize) };
        // SAFETY: in bounds and aligned, as just seen; callers drop the cells before the storage.
        Ok(unsafe { Cells::new(start.cast(), count) })
    }
}

#[derive(Debug)]
pub struct Buffer {
    storage: Rc<Storage>,
    access: Access,
}

impl Buffer {
    pub(crate) fn open(name: &str) -> Result<Self, OpenError> {
        let (storage, access) = granted("buffer", name, |granted| &granted.buffers)?;
        Ok(Buffer { storage, access })
    }

    pub(crate) fn length(&self) -> u64 {
        self.storage.length
    }

    pub(crate) fn access(&self) -> Access {
        self.access
    }

    fn check_writable(&self) -> Result<(), AccessError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(AccessError::ReadOnly),
        }
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, AccessError> {
        let cells = self.storage.cells(offset, length as usize)?;
        let mut bytes = vec![0; length as usize];
        cells.copy_to_slice(&mut bytes);
        Ok(bytes)
    }

    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), AccessError> {
        self.check_writable()?;
        let cells = self.storage.cells(offset, bytes.len())?;
        cells.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn notify(&self, offset: u64, _count: u32) -> Result<u32, AccessError> {
        self.check_writable()?;
        self.storage.cells::<u32>(offset, 1)?;
        Ok(0)
    }

    pub(crate) fn attach(&self, offset: u64, length: usize) -> Result<Attachment<'_>, AttachError> {
        let pages = self.storage.pages.len();
        if offset as usize + length > pages {
            return Err(AttachError::OutOfBounds {
                length: self.length(),
            });
        }
        Ok(Attachment {
            storage: Rc::clone(&self.storage),
            offset: offset as usize,
            _buffer: PhantomData,
        })
    }
}

pub(crate) fn page_size() -> u32 {
    PAGE_BYTES as u32
}

/// A part of a buffer, which shows in place.
#[derive(Debug)]
pub(crate) struct Attachment<'a> {
    storage: Rc<Storage>,
    offset: usize,
    _buffer: PhantomData<&'a Buffer>,
}

impl Attachment<'_> {
    pub(crate) fn start(&self) -> NonNull<u8> {
        // SAFETY: `attach` has seen that the offset is within the pages.
        unsafe { self.storage.pages.start().add(self.offset) }
    }
}

macro_rules! word {
    ($type:ident) => {
        impl Word for $type {
            fn load(buffer: &Buffer, offset: u64) -> Result<Self, AccessError> {
                Ok(buffer.storage.cells(offset, 1)?.get(0))
            }

            fn store(buffer: &Buffer, offset: u64, value: Self) -> Result<(), AccessError> {
                Self::update(buffer, offset, Operation::Exchange, value).map(drop)
            }

            fn update(
                buffer: &Buffer,
                offset: u64,
                operation: Operation,
                operand: Self,
            ) -> Result<Self, AccessError> {
                buffer.check_writable()?;
                let cells = buffer.storage.cells::<Self>(offset, 1)?;
                let old = cells.get(0);
                let new = match operation {
                    Operation::Add => old.wrapping_add(operand),
                    Operation::Sub => old.wrapping_sub(operand),
                    Operation::And => old & operand,
                    Operation::Or => old | operand,
                    Operation::Xor => old ^ operand,
                    Operation::Exchange => operand,
                };
                cells.set(0, new);
                Ok(old)
            }

            fn compare_exchange(
                buffer: &Buffer,
                offset: u64,
                expected: Self,
                replacement: Self,
            ) -> Result<Self, AccessError> {
                buffer.check_writable()?;
                let old = Self::load(buffer, offset)?;
                if old == expected {
                    Self::store(buffer, offset, replacement)?;
                }
                Ok(old)
            }

            fn wait(
                buffer: &Buffer,
                offset: u64,
                expected: Self,
                timeout: Option<Duration>,
            ) -> Result<WaitResult, AccessError> {
                if Self::load(buffer, offset)? != expected {
                    return Ok(WaitResult::Unequal);
                }
                match timeout {
                    Some(_) => Ok(WaitResult::TimedOut),
                    None => for_ever(&format!("for the number at {offset} of a buffer to change")),
                }
            }
        }
    };
}

word!(u32);
word!(u64);
