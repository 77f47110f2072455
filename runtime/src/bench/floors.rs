//! What this machine can do at best: one way each to reach another process and come back, to start one, and one copy of
//! memory.
//!
//! Every function appends `n` samples, in nanoseconds of one operation.

use std::hint::{black_box, spin_loop};
use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::thread::futex;

use crate::sys::memory::{PAGE, Shared, fixed_memfd};
use crate::sys::process::Helper;
use crate::sys::socket::Socket;

/// Round trips before those that count: a forked process first copies the pages that it touches.
const WARM_UP: usize = 20;

/// Two words, each on a cache line of its own.
#[repr(C, align(64))]
struct Line(AtomicU32);

#[repr(C)]
struct Words {
    ping: Line,
    pong: Line,
}

/// Sends numbers to a forked process through shared memory, which sends each back.
fn ping_pong(
    n: usize,
    out: &mut Vec<f64>,
    tell: fn(&AtomicU32, u32),
    hear: fn(&AtomicU32, u32) -> u32,
) -> io::Result<()> {
    let file = fixed_memfd("floor", PAGE as u64)?;
    let memory = Shared::map(&file, PAGE)?;
    // SAFETY: the structure is made of atomics only.
    let words: &Words = unsafe { memory.header() };
    let echo = || {
        let mut last = 0;
        loop {
            last = hear(&words.ping.0, last);
            tell(&words.pong.0, last);
        }
    };
    // SAFETY: the callers' `tell` and `hear` are atomics and system calls.
    let _peer = unsafe { Helper::fork(echo)? };
    let mut last = 0;
    for round in 0..WARM_UP + n {
        let start = Instant::now();
        tell(&words.ping.0, last + 1);
        last = hear(&words.pong.0, last);
        if round >= WARM_UP {
            out.push(start.elapsed().as_nanos() as f64);
        }
    }
    Ok(())
}

/// Two processes that look at a word of shared memory until it changes.
///
/// # Errors
/// If memory cannot be shared, or no process forked.
pub fn spin(n: usize, out: &mut Vec<f64>) -> io::Result<()> {
    let hear = |word: &AtomicU32, last| {
        loop {
            match word.load(Ordering::Acquire) {
                now if now != last => return now,
                _ => spin_loop(),
            }
        }
    };
    let tell = |word: &AtomicU32, value| word.store(value, Ordering::Release);
    ping_pong(n, out, tell, hear)
}

/// Two processes that sleep until a word of shared memory changes.
///
/// # Errors
/// As [`spin`].
pub fn sleep(n: usize, out: &mut Vec<f64>) -> io::Result<()> {
    let tell = |word: &AtomicU32, value| {
        word.store(value, Ordering::Release);
        let _ = futex::wake(word, futex::Flags::empty(), 1);
    };
    let hear = |word: &AtomicU32, last| {
        loop {
            match word.load(Ordering::Acquire) {
                now if now != last => return now,
                // Returns at once if the word has changed in between.
                _ => drop(futex::wait(word, futex::Flags::empty(), last, None)),
            }
        }
    };
    ping_pong(n, out, tell, hear)
}

/// Two processes that send one another messages through a socket of the kind that the pool's workers have.
///
/// # Errors
/// As [`spin`].
pub fn socket(n: usize, out: &mut Vec<f64>) -> io::Result<()> {
    let (ours, theirs) = Socket::pair()?;
    let echo = |socket: &Socket| {
        let mut buffer = [0; 8];
        let received = socket.recv(&mut buffer).ok().flatten()?;
        socket.send(&buffer[..received.len], &[]).ok()
    };
    // SAFETY: system calls only; descriptors that come with a message would be dropped, and none come.
    let _peer = unsafe { Helper::fork(|| while echo(&theirs).is_some() {})? };
    for round in 0..WARM_UP + n {
        let start = Instant::now();
        ours.send(&[1], &[])?;
        ours.recv(&mut [0; 8])?;
        if round >= WARM_UP {
            out.push(start.elapsed().as_nanos() as f64);
        }
    }
    Ok(())
}

/// A small process that forks others. A fork copies the page tables of who forks, so that a large process, as this one
/// is with its pools and buffers, would measure itself.
pub struct Forker {
    socket: Socket,
    _peer: Helper,
}

impl Forker {
    /// Starts it. Before anything large is there.
    ///
    /// # Errors
    /// As [`spin`].
    pub fn start() -> io::Result<Forker> {
        let (socket, theirs) = Socket::pair()?;
        let fork_one = || {
            theirs.recv(&mut [0; 1]).ok()??;
            let start = Instant::now();
            // SAFETY: does nothing at all.
            unsafe { Helper::fork(|| ()).ok()?.wait().ok()? };
            let nanos = start.elapsed().as_nanos() as u64;
            theirs.send(&nanos.to_le_bytes(), &[]).ok()
        };
        // SAFETY: system calls only.
        let peer = unsafe { Helper::fork(|| while fork_one().is_some() {})? };
        Ok(Forker {
            socket,
            _peer: peer,
        })
    }

    /// A process that ends as soon as it was forked, until it is reaped.
    ///
    /// # Errors
    /// As [`spin`].
    pub fn fork_and_exit(&self, n: usize, out: &mut Vec<f64>) -> io::Result<()> {
        for _ in 0..n {
            let mut nanos = [0; 8];
            self.socket.send(&[1], &[])?;
            let gone = || io::Error::other("the process that forks others has ended");
            self.socket.recv(&mut nanos)?.ok_or_else(gone)?;
            out.push(u64::from_le_bytes(nanos) as f64);
        }
        Ok(())
    }
}

/// The program `true`, from its start until it is reaped.
///
/// # Errors
/// As [`spin`].
pub fn spawn(n: usize, out: &mut Vec<f64>) -> io::Result<()> {
    for _ in 0..n {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status()?;
        out.push(start.elapsed().as_nanos() as f64);
        if !status.success() {
            return Err(io::Error::other(format!("`true` ended with {status}")));
        }
    }
    Ok(())
}

/// One copy of so many bytes between buffers that are both in use.
pub fn copy(bytes: usize) -> impl FnMut(usize, &mut Vec<f64>) {
    let (from, mut to) = (vec![7_u8; bytes], vec![1_u8; bytes]);
    move |n, out| {
        for _ in 0..n {
            let start = Instant::now();
            black_box(&mut to).copy_from_slice(black_box(&from));
            out.push(start.elapsed().as_nanos() as f64);
        }
    }
}
