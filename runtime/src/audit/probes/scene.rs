//! What a probe needs of its process, gathered while that is still allowed.
//!
//! Owns the little that is made ahead: some pages, names, numbers of processes. Makes no forbidden call itself.

use std::io::Write;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::param::page_size;
use rustix::process::{getpid, getppid};

/// Traced before a probe has made any call.
pub const NOBODY: i64 = -1;

/// Number of a process that does not exist: above any that the kernel gives out.
const NO_PROCESS: i32 = 0x3fff_fff0;

/// Pages that the scene holds for probes that change protections.
const PAGES: usize = 4;

/// A process in which one probe is tried, and which is then thrown away.
pub struct Scene<'a> {
    /// The descriptor of the one socket that the process has.
    pub(super) channel: RawFd,
    /// Whom to attack: the parent process.
    pub(super) parent: i32,
    /// This process.
    pub(super) own: i32,
    /// Bytes in a page.
    pub(super) page: usize,
    /// Pages of memory, private, writable and touched.
    pub(super) pages: *mut u8,
    trace: &'a AtomicI64,
    // Neither sent nor shared: the process has one thread.
    here: PhantomData<*const ()>,
}

impl<'a> Scene<'a> {
    /// Gathers what probes need. To be called before the process is locked. `channel` is a connected socket of the
    /// process. Before each system call of a probe its number is stored in `trace`, which is best shared with another
    /// process: it tells at which call the process has ended.
    ///
    /// # Errors
    /// What the kernel says if four pages of memory are not to be had.
    ///
    /// # Safety
    /// The process must have one thread, must be one that nobody depends on, and must end after one attempt without
    /// running anything else but what reports the outcome: a probe that succeeds leaves it in any state.
    pub unsafe fn new(channel: BorrowedFd<'_>, trace: &'a AtomicI64) -> Result<Self, Errno> {
        let page = page_size();
        let length = PAGES * page;
        // SAFETY: a new private mapping at an address of the kernel's choice.
        let pages = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        let pages = pages.cast::<u8>();
        // SAFETY: the mapping has just been made, and is this long and writable.
        unsafe { pages.write_bytes(1, length) };
        trace.store(NOBODY, Ordering::Release);
        Ok(Self {
            channel: channel.as_raw_fd(),
            // None, or 0: a parent outside of this process's namespace cannot be named.
            parent: getppid().map_or(NO_PROCESS, |pid| pid.as_raw_nonzero().get()),
            own: getpid().as_raw_nonzero().get(),
            page,
            pages,
            trace,
            here: PhantomData,
        })
    }

    /// Tells the world which call comes next.
    pub(super) fn trace(&self, number: i64) {
        self.trace.store(number, Ordering::Release);
    }

    /// The name of a temporary file of this process, one for each letter.
    pub(super) fn temporary(&self, letter: char) -> Name {
        let mut name = Name([0; 48]);
        // 48 bytes are enough for any number; the last one stays zero.
        let _ = write!(
            &mut name.0[..47],
            "/tmp/.wasmpool-audit-{}-{letter}",
            self.own
        );
        name
    }

    /// The name of something of the parent in `/proc`.
    pub(super) fn of_parent(&self, what: &str) -> Name {
        let mut name = Name([0; 48]);
        let _ = write!(&mut name.0[..47], "/proc/{}/{what}", self.parent);
        name
    }

    /// Where something lies in the parent, if it is a fork's child: at the same address as here.
    pub(super) fn landmark() -> *mut u64 {
        LANDMARK.as_ptr().cast()
    }
}

/// Read, and written with what it is, in another process.
static LANDMARK: AtomicI64 = AtomicI64::new(0x5741_534d);

/// A path, ended by a zero byte.
pub(super) struct Name([u8; 48]);

impl super::raw::Word for &Name {
    fn word(self) -> usize {
        self.0.as_ptr() as usize
    }
}
