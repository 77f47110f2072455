//! Tasks that use up time, memory or stack.

use std::hint::black_box;

pub fn spin() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

pub fn spin_if(x: i64) -> i64 {
    if x % 2 != 0 {
        spin();
    }
    x
}

/// Steps of a generator of numbers: about a nanosecond each, and no compiler can leave one out.
pub fn work(steps: u64) -> u64 {
    let mut state = 1_u64;
    for _ in 0..steps {
        state = black_box(
            state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407),
        );
    }
    state
}

const MIB: usize = 1 << 20;

/// A MiB in which each page was written; none if the memory is at its end.
fn touched_mib() -> Option<Vec<u8>> {
    let mut block = Vec::new();
    block.try_reserve_exact(MIB).ok()?;
    block.resize(MIB, 0_u8);
    for page in block.chunks_mut(4096) {
        page[0] = 1;
    }
    Some(black_box(block))
}

pub fn grow(mib: usize) -> Result<usize, String> {
    let mut blocks = Vec::new();
    for held in 0..mib {
        let block = touched_mib().ok_or_else(|| format!("refused after {held} MiB"))?;
        blocks.push(block);
    }
    Ok(black_box(blocks).len())
}

/// Ends in the allocator's own way of giving up, which is a trap.
pub fn leak() {
    loop {
        std::mem::forget(black_box(vec![1_u8; MIB]));
    }
}

#[expect(unconditional_recursion, reason = "what it is for")]
pub fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    1 + recurse(depth + 1) + frame[(depth % 16) as usize]
}
