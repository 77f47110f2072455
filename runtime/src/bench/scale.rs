//! How many workers cost what: to open a pool, to do an item, and in the host's memory.

use std::fs;
use std::time::Instant;

use super::jobs::{Chunks, squares};
use super::lab::{GUEST, Lab, Missing, expect};
use crate::pool::Pool;
use crate::sys::memory::page_size;

/// What was measured of a number of workers.
#[derive(Clone, Copy, Default)]
pub(super) struct Scaled {
    open: Option<f64>,
    item: Option<f64>,
    host: Option<f64>,
}

impl Lab {
    pub(super) fn open_many(&mut self, n: u32, out: &mut Vec<f64>) -> Result<(), Missing> {
        self.of_many(n, out, |scaled| scaled.open.take())
    }

    pub(super) fn item_of_many(&mut self, n: u32, out: &mut Vec<f64>) -> Result<(), Missing> {
        self.of_many(n, out, |scaled| scaled.item.take())
    }

    pub(super) fn host_of_many(&mut self, n: u32, out: &mut Vec<f64>) -> Result<(), Missing> {
        self.of_many(n, out, |scaled| scaled.host.take())
    }

    /// One opening gives all three; the others are kept for the rows that come later in this round.
    fn of_many(
        &mut self,
        n: u32,
        out: &mut Vec<f64>,
        take: fn(&mut Scaled) -> Option<f64>,
    ) -> Result<(), Missing> {
        let scaled = self.scaled.entry(n).or_default();
        let found = match take(scaled) {
            Some(found) => Some(found),
            None => {
                *scaled = measure(n, self.quick)?;
                take(scaled)
            }
        };
        out.extend(found);
        Ok(())
    }
}

fn measure(workers: u32, quick: bool) -> Result<Scaled, Missing> {
    let before = resident()?;
    let start = Instant::now();
    let pool = Pool::builder()
        .workers(workers)
        .open_bytes(GUEST.as_bytes())?;
    let square: i64 = pool.apply("square", 7_i64)?;
    let open = start.elapsed().as_nanos() as f64;
    expect(square, 49)?;
    // By then most are there, and what is paid once is paid.
    squares(&pool, Chunks::One, i64::from(workers) * 16)?;
    let item = squares(&pool, Chunks::Auto, if quick { 2_000 } else { 20_000 })?;
    Ok(Scaled {
        open: Some(open),
        item: Some(item),
        host: Some((resident()? - before).max(0.0)),
    })
}

/// Bytes of this process that are in memory.
fn resident() -> Result<f64, Missing> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse::<f64>().ok());
    let unknown = || Missing::Machine("/proc/self/statm cannot be read".to_owned());
    Ok(pages.ok_or_else(unknown)? * page_size() as f64)
}
