//! Buffers in the guest's own memory. Some of it looks where no safe code would: that is what is tested.
#![allow(unsafe_code)]

use wasmpool_guest::buffer::{Array, Buffer};

use crate::{Outcome, spin};

pub fn sum_attached(array: &str, from: u64, to: u64) -> Outcome<u64> {
    let array = Array::<u64>::open(array)?;
    let part = array.attach_range(from..to)?;
    Ok(part.iter().fold(0, u64::wrapping_add))
}

pub fn sum_attached_as_slice(array: &str, from: u64, to: u64) -> Outcome<u64> {
    let array = Array::<u64>::open(array)?;
    let part = array.attach_range(from..to)?;
    // SAFETY: the tests that call this have nobody write meanwhile.
    let part = unsafe { part.as_slice() };
    Ok(part.iter().copied().fold(0, u64::wrapping_add))
}

pub fn sum_attached_floats(array: &str, from: u64, to: u64) -> Outcome<f64> {
    let array = Array::<f64>::open(array)?;
    Ok(array.attach_range(from..to)?.iter().sum())
}

pub fn fill_attached(array: &str, from: u64, to: u64, number: u64) -> Outcome<()> {
    let array = Array::<u64>::open(array)?;
    array.attach_range(from..to)?.fill(number);
    Ok(())
}

pub fn peek_attached(buffer: &str, offset: u64) -> Outcome<u8> {
    let buffer = Buffer::open(buffer)?;
    Ok(buffer.attach(offset..=offset)?.get(0))
}

pub fn attach_times(buffer: &str, times: u64) -> Outcome<u64> {
    let buffer = Buffer::open(buffer)?;
    let mut sum = 0;
    for _ in 0..times {
        sum += u64::from(buffer.attach(..)?.get(0));
    }
    Ok(sum)
}

pub fn attach_many(buffer: &str, times: u32) -> Outcome<u32> {
    let buffer = Buffer::open(buffer)?;
    let mut attached = Vec::new();
    for _ in 0..times {
        attached.push(buffer.attach(..)?);
    }
    Ok(times)
}

pub fn store_into_attached_read_only(buffer: &str) -> Outcome<()> {
    let buffer = Buffer::open(buffer)?;
    let attached = buffer.attach(..)?;
    if cfg!(target_family = "wasm") {
        // SAFETY: the address is that of an attached region; the store has to trap.
        unsafe { attached.as_ptr().write_volatile(1) };
    }
    Err("the store did not trap".into())
}

pub fn keep_attached(buffer: &str) -> Outcome<()> {
    // The handle too: dropping it would detach.
    let buffer = Box::leak(Box::new(Buffer::open(buffer)?));
    std::mem::forget(buffer.attach(..)?);
    Ok(())
}

pub fn attach_and_panic(buffer: &str, byte: u8) -> Outcome<()> {
    let buffer = Buffer::open(buffer)?;
    let attached = buffer.attach(..)?;
    attached.set(0, byte);
    panic!("while a buffer is attached");
}

pub fn attach_and_spin(buffer: &str) -> Outcome<()> {
    let buffer = Buffer::open(buffer)?;
    let _attached = buffer.attach(..)?;
    spin()
}

/// Inside WebAssembly what was attached to is kept for later use, and still there to be looked at.
pub fn nonzero_after_detaching(buffer: &str) -> Outcome<usize> {
    let buffer = Buffer::open(buffer)?;
    let attached = buffer.attach(..)?;
    let (start, length) = (attached.as_ptr().expose_provenance(), attached.len());
    drop(attached);
    if cfg!(target_family = "wasm") {
        Ok(nonzero(start, length))
    } else {
        Ok(0)
    }
}

#[cfg(target_family = "wasm")]
pub fn nonzero_in_new_memory(mib: usize) -> Outcome<usize> {
    const PAGE_BYTES: usize = 65536;
    let pages = (mib << 20) / PAGE_BYTES;
    let before = std::arch::wasm32::memory_grow(0, pages);
    if before == usize::MAX {
        return Err("the memory does not grow".into());
    }
    Ok(nonzero(before * PAGE_BYTES, pages * PAGE_BYTES))
}

#[cfg(not(target_family = "wasm"))]
pub fn nonzero_in_new_memory(_mib: usize) -> Outcome<usize> {
    Ok(0)
}

fn nonzero(start: usize, length: usize) -> usize {
    let start = std::ptr::with_exposed_provenance::<u8>(start);
    // SAFETY: callers name memory that exists in the instance, and that nothing else uses.
    let byte = |offset| unsafe { start.add(offset).read_volatile() };
    (0..length).filter(|offset| byte(*offset) != 0).count()
}
