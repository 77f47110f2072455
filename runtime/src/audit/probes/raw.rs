//! System calls without a library in between: by number, with words, traced.
//!
//! Owns the instructions that enter the kernel; knows nothing of what a probe is after.

use std::arch::asm;
use std::ffi::CStr;

use libc::c_long;
use rustix::io::Errno;

use super::scene::Scene;

/// What the kernel gave, or its error.
pub(super) type Tried = Result<i64, Errno>;

/// Added to the number of a call that is made through the 32-bit interface of an x86-64 kernel (`int 0x80`).
pub const I386: i64 = 1 << 32;

/// Added to the number of a call that is made through the x32 interface, by the kernel's own convention.
pub const X32: i64 = 0x4000_0000;

/// Something that fits a register.
pub(super) trait Word {
    fn word(self) -> usize;
}

macro_rules! numbers_are_words {
    ($($number:ty),*) => {
        $(impl Word for $number {
            fn word(self) -> usize {
                self as usize
            }
        })*
    };
}
// Signed numbers are extended with their sign, as the kernel expects of AT_FDCWD and the like.
numbers_are_words!(i32, u32, i64, u64, usize);

impl<T> Word for *const T {
    fn word(self) -> usize {
        self as usize
    }
}

impl<T> Word for *mut T {
    fn word(self) -> usize {
        self as usize
    }
}

impl Word for &CStr {
    fn word(self) -> usize {
        self.as_ptr() as usize
    }
}

impl<T, const N: usize> Word for &[T; N] {
    fn word(self) -> usize {
        self.as_ptr() as usize
    }
}

impl<T, const N: usize> Word for &mut [T; N] {
    fn word(self) -> usize {
        self.as_mut_ptr() as usize
    }
}

/// `call!(SYS_openat)`: the call, with the name and number of this processor.
macro_rules! call {
    ($name:ident) => {
        $crate::audit::probes::Call {
            label: stringify!($name),
            number: $crate::audit::probes::raw::number::$name,
        }
    };
}
pub(super) use call;

/// `ask!(scene, SYS_openat, libc::AT_FDCWD, c"/", 0)`: makes a call.
macro_rules! ask {
    ($scene:expr, $name:ident $(, $argument:expr)* $(,)?) => {
        $scene.call(
            $crate::audit::probes::raw::number::$name,
            &[$($crate::audit::probes::raw::Word::word($argument)),*],
        )
    };
}
pub(super) use ask;

/// Numbers of calls; those that the C library's crate does not name yet are the same on all processors.
#[allow(non_upper_case_globals)]
pub(super) mod number {
    pub(in super::super) use libc::*;

    #[cfg(target_arch = "x86_64")]
    pub(in super::super) const SYS_map_shadow_stack: i64 = 453;
    pub(in super::super) const SYS_statmount: i64 = 457;
    pub(in super::super) const SYS_listmount: i64 = 458;
    pub(in super::super) const SYS_lsm_list_modules: i64 = 461;
}

impl Scene<'_> {
    /// Makes a call, after tracing its number.
    pub(super) fn call(&self, number: c_long, words: &[usize]) -> Tried {
        self.trace(number);
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        // SAFETY: the process is thrown away after this probe (`Scene::new`), and what a probe passes are addresses of
        // its own variables, of the scene's pages, or ones that the kernel refuses.
        let given =
            unsafe { libc::syscall(number, word(0), word(1), word(2), word(3), word(4), word(5)) };
        match given {
            // The wrapper has put the kernel's negative answer aside.
            -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
            given => Ok(given),
        }
    }

    /// Takes a refusal for what it says of permission: the kernel looked at the arguments, and found nothing worse
    /// than these errors, only after it had granted the call itself. Such an argument cannot work, so that nothing is done.
    pub(super) fn permitted(&self, tried: Tried, beyond: &[Errno]) -> Tried {
        match tried {
            Err(errno) if beyond.contains(&errno) => Ok(0),
            tried => tried,
        }
    }

    /// Makes one of the calls that return twice. The new process or thread exits at once, with 0, in the very next
    /// instruction: it touches no memory, so that it may even share this one's stack.
    pub(super) fn call_twice(&self, number: c_long, words: [usize; 5]) -> Tried {
        self.trace(number);
        let given: i64;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `call`; the child executes nothing but the exit that stands here.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor edi, edi",
                "mov eax, {exit}",
                "syscall",
                "2:",
                exit = const libc::SYS_exit,
                inlateout("rax") number => given,
                in("rdi") words[0],
                in("rsi") words[1],
                in("rdx") words[2],
                in("r10") words[3],
                in("r8") words[4],
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as in `call`; the child executes nothing but the exit that stands here.
        unsafe {
            asm!(
                "svc #0",
                "cbnz x0, 2f",
                "mov x8, #{exit}",
                "svc #0",
                "2:",
                exit = const libc::SYS_exit,
                inlateout("x0") words[0] => given,
                in("x1") words[1],
                in("x2") words[2],
                in("x3") words[3],
                in("x4") words[4],
                inlateout("x8") number => _,
                options(nostack),
            );
        }
        from_kernel(given)
    }

    /// Makes a call without arguments through the 32-bit interface. `number` is that interface's own.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn call_i386(&self, number: i32) -> Tried {
        self.trace(I386 + i64::from(number));
        let given: i64;
        // SAFETY: a call that reads and writes no memory; the kernel may clobber r8 to r11 on this way in.
        unsafe {
            asm!(
                "int 0x80",
                inlateout("rax") i64::from(number) => given,
                lateout("r8") _,
                lateout("r9") _,
                lateout("r10") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        // The answer is a 32-bit one.
        from_kernel(i64::from(given as i32))
    }
}

fn from_kernel(given: i64) -> Tried {
    match given {
        0.. => Ok(given),
        _ => Err(Errno::from_raw_os_error(given.unsigned_abs() as i32)),
    }
}

/// Machine code of `fn() -> i32 { 42 }`, which needs no particular address.
#[cfg(target_arch = "x86_64")]
pub(super) const CODE: [u8; 8] = [0xb8, 0x2a, 0, 0, 0, 0xc3, 0x90, 0x90];

/// Machine code of `fn() -> i32 { 42 }`, which needs no particular address.
#[cfg(target_arch = "aarch64")]
pub(super) const CODE: [u8; 8] = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];

/// Puts [`CODE`] at an address.
///
/// # Safety
/// Eight bytes there must be writable and the caller's own.
pub(super) unsafe fn plant(at: *mut u8) {
    // SAFETY: the caller vouches for the eight bytes.
    unsafe { at.cast::<[u8; 8]>().write_unaligned(CODE) };
}

/// Runs [`CODE`], or a function like it, at an address. What it gives shows that it has run.
///
/// # Safety
/// It must stand there, and the page must be executable.
pub(super) unsafe fn run_planted(at: usize) -> Tried {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: these only make the instruction cache see what is in memory at an address that can be read.
    unsafe {
        asm!("dc cvau, {at}", "dsb ish", "ic ivau, {at}", "dsb ish", "isb", at = in(reg) at);
    }
    // SAFETY: a function of this type stands there, as the caller vouches.
    let planted: extern "C" fn() -> i32 = unsafe { std::mem::transmute(at) };
    Ok(i64::from(planted()))
}
