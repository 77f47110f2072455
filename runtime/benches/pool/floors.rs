//! What this machine can do at best: one way each to reach another process and come back, and one copy of memory.
//!
//! Every function appends `n` samples, in nanoseconds of one operation.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use rustix::thread::futex;
use wasmpool::sys::memory::{PAGE, Shared, fixed_memfd};
use wasmpool::sys::process::die_with_parent;
use wasmpool::sys::socket::Socket;

/// Round trips before those that count: a forked process first copies the pages that it touches.
const WARM_UP: usize = 20;

/// A forked process, killed when it is dropped.
struct Peer(Pid);

impl Peer {
    /// Forks a process that runs `work`, which must not take locks or allocate: other threads may have held the
    /// allocator's when this one forked.
    fn fork(work: impl FnOnce()) -> Peer {
        let parent = getpid();
        // SAFETY: the child only does what a child of a process with threads may: system calls, atomics, `_exit`.
        match unsafe { libc::fork() } {
            0 => {
                if die_with_parent(Some(parent)).is_ok() {
                    work();
                }
                // SAFETY: ends the process; nothing of it is used again.
                unsafe { libc::_exit(0) }
            }
            pid => Peer(Pid::from_raw(pid).expect("fork gives a process")),
        }
    }

    fn wait(self) {
        waitpid(Some(self.0), WaitOptions::empty()).expect("the peer can be waited for");
        std::mem::forget(self);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

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
) {
    let file = fixed_memfd("floor", PAGE as u64).expect("memory can be shared");
    let memory = Shared::map(&file, PAGE).expect("memory can be mapped");
    // SAFETY: the structure is made of atomics only.
    let words: &Words = unsafe { memory.header() };
    let _peer = Peer::fork(|| {
        let mut last = 0;
        loop {
            last = hear(&words.ping.0, last);
            tell(&words.pong.0, last);
        }
    });
    let mut last = 0;
    for round in 0..WARM_UP + n {
        let start = Instant::now();
        tell(&words.ping.0, last + 1);
        last = hear(&words.pong.0, last);
        if round >= WARM_UP {
            out.push(start.elapsed().as_nanos() as f64);
        }
    }
}

/// Two processes that look at a word of shared memory until it changes.
pub fn spin(n: usize, out: &mut Vec<f64>) {
    let hear = |word: &AtomicU32, last| {
        loop {
            match word.load(Ordering::Acquire) {
                now if now != last => return now,
                _ => spin_loop(),
            }
        }
    };
    ping_pong(
        n,
        out,
        |word, value| word.store(value, Ordering::Release),
        hear,
    );
}

/// Two processes that sleep until a word of shared memory changes.
pub fn sleep(n: usize, out: &mut Vec<f64>) {
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
    ping_pong(n, out, tell, hear);
}

/// Two processes that send one another messages through a socket of the kind that the pool's workers have.
pub fn socket(n: usize, out: &mut Vec<f64>) {
    let (ours, theirs) = Socket::pair().expect("a pair of sockets");
    let echo = |socket: &Socket| {
        let mut buffer = [0; 8];
        let received = socket.recv(&mut buffer).ok().flatten()?;
        socket.send(&buffer[..received.len], &[]).ok()
    };
    let _peer = Peer::fork(|| while echo(&theirs).is_some() {});
    for round in 0..WARM_UP + n {
        let start = Instant::now();
        ours.send(&[1], &[]).expect("the peer lives");
        ours.recv(&mut [0; 8]).expect("the peer lives");
        if round >= WARM_UP {
            out.push(start.elapsed().as_nanos() as f64);
        }
    }
}

/// A small process that forks others. A fork copies the page tables of who forks, so that a large process, as this one
/// is with its pools and buffers, would measure itself.
pub struct Forker {
    socket: Socket,
    _peer: Peer,
}

impl Forker {
    /// Starts it. Before anything large is there, and before there are threads.
    pub fn start() -> Forker {
        let (socket, theirs) = Socket::pair().expect("a pair of sockets");
        let fork_one = || {
            theirs.recv(&mut [0; 1]).ok()??;
            let start = Instant::now();
            Peer::fork(|| ()).wait();
            let nanos = start.elapsed().as_nanos() as u64;
            theirs.send(&nanos.to_le_bytes(), &[]).ok()
        };
        let peer = Peer::fork(|| while fork_one().is_some() {});
        Forker {
            socket,
            _peer: peer,
        }
    }

    /// A process that ends as soon as it was forked, until it is reaped.
    pub fn fork_and_exit(&self, n: usize, out: &mut Vec<f64>) {
        for _ in 0..n {
            let mut nanos = [0; 8];
            self.socket.send(&[1], &[]).expect("the forker lives");
            self.socket.recv(&mut nanos).expect("the forker lives");
            out.push(u64::from_le_bytes(nanos) as f64);
        }
    }
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
