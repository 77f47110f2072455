//! Tasks whose functions and lines are known, for the tests of backtraces and profiles: the only Rust guest that keeps
//! its debug information.

use std::hint::black_box;

/// Ends the instance, without a panic, on numbers from 10.
#[inline(always)]
fn inlined(x: u64) -> u64 {
    #[cfg(target_arch = "wasm32")]
    if x >= 10 {
        std::arch::wasm32::unreachable();
    }
    x
}

#[inline(never)]
fn outer(x: u64) -> u64 {
    black_box(inlined(black_box(x)) + 1)
}

/// One more; traps on numbers from 10.
fn trap(x: u64) -> u64 {
    outer(x)
}

/// So many rounds of hardly anything.
#[inline(never)]
fn spend(rounds: u64) -> u64 {
    (0..rounds).fold(0, |sum, round| black_box(sum ^ round))
}

#[inline(never)]
fn hot(rounds: u64) -> u64 {
    let mut sum = 1;
    for round in 0..rounds {
        sum = black_box((sum * 3) ^ round);
    }
    sum
}

#[inline(never)]
fn cold(rounds: u64) -> u64 {
    let mut sum = 1;
    for round in 0..rounds {
        sum = black_box((sum * 5) ^ round);
    }
    sum
}

/// Works for so many thousand rounds, nine tenths of them in one function.
fn busy(thousands: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..thousands {
        sum ^= cold(100) ^ hot(900);
    }
    sum
}

/// The same, then traps.
fn busy_then_trap(thousands: u64) -> u64 {
    let sum = busy(thousands);
    outer(sum | 10)
}

/// Works for ever.
fn busy_for_ever(rounds: u64) -> u64 {
    loop {
        black_box(spend(rounds));
    }
}

wasmpool_guest::tasks! {
    /// One more; traps on numbers from 10.
    trap,
    /// Works for so many thousand rounds, nine tenths of them in one function.
    busy,
    /// The same, then traps.
    busy_then_trap,
    /// Works for ever, in turns of so many rounds.
    busy_for_ever,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_return_do_what_they_say() {
        assert_eq!(trap(9), 10);
        assert_eq!(spend(3), 3);
        assert_eq!(busy(1), cold(100) ^ hot(900));
    }
}
