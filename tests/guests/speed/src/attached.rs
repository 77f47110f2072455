//! Buffers in the guest's own memory, read and written by the compiler's own loops.
#![allow(unsafe_code)]

use std::hint::black_box;

use wasmpool_guest::buffer::{Array, Buffer};

use crate::{Outcome, arithmetic};

pub fn attach_times(buffer: &str, count: u64, bytes: u64) -> Outcome<u64> {
    let buffer = Buffer::open(buffer)?;
    let mut sum = 0;
    for _ in 0..count {
        sum += u64::from(buffer.attach(..bytes)?.get(0));
    }
    Ok(sum)
}

pub fn sum(array: &str, from: u64, to: u64, times: u64) -> Outcome<u64> {
    let array = Array::<u64>::open(array)?;
    let part = array.attach_range(from..to)?;
    // SAFETY: who calls this has nobody write meanwhile.
    let part = unsafe { part.as_slice() };
    let mut sum = 0;
    for _ in 0..times {
        sum = arithmetic::sum(black_box(part));
    }
    Ok(sum)
}

pub fn multiply(a: &str, b: &str, product: &str, order: u64, from: u64, to: u64) -> Outcome<()> {
    let a = Array::<f64>::open(a)?;
    let b = Array::<f64>::open(b)?;
    let product = Array::<f64>::open(product)?;
    let rows = from * order..to * order;
    let (a, b) = (a.attach_range(rows.clone())?, b.attach()?);
    let mut product = product.attach_range(rows)?;
    // SAFETY: who calls this has nobody write to the factors meanwhile, and gives every row of the product to one item.
    let (a, b, product) = unsafe { (a.as_slice(), b.as_slice(), product.as_mut_slice()) };
    arithmetic::multiply(a, b, product, usize::try_from(order)?);
    Ok(())
}
