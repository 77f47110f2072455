//! Probes of memory: every way to executable memory that the process could have written, and other changes to its
//! address space. Those that get executable memory run code in it.

use libc::{
    IPC_CREAT, IPC_PRIVATE, IPC_RMID, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, MCL_FUTURE,
    MFD_CLOEXEC, MLOCK_ONFAULT, MREMAP_DONTUNMAP, MREMAP_MAYMOVE, PROT_EXEC, PROT_READ, PROT_WRITE,
    SHM_EXEC,
};

use super::Control::{Plain, Switched};
use super::raw::{Tried, Word, ask, call, plant, run_planted};
use super::{Family, Probe, Scene, probe};

const MEMORY: Family = Family::Memory;

const RW: i32 = PROT_READ | PROT_WRITE;
const RX: i32 = PROT_READ | PROT_EXEC;
const RWX: i32 = RW | PROT_EXEC;

/// `READ_IMPLIES_EXEC` of `personality`.
const READ_IMPLIES_EXEC: i32 = 0x040_0000;

/// Code of this program, as good as any, that stands where it can be found: the same as what is planted.
#[inline(never)]
extern "C" fn answer() -> i32 {
    std::hint::black_box(42)
}

impl Scene<'_> {
    fn map(&self, protection: i32, flags: i32, file: i64) -> Tried {
        ask!(self, SYS_mmap, 0, self.page, protection, flags, file, 0)
    }

    fn unmap(&self, at: i64) -> Tried {
        ask!(self, SYS_munmap, at, self.page)
    }

    /// One of the scene's pages.
    fn own_page(&self, number: usize) -> *mut u8 {
        // There are four.
        self.pages.wrapping_add(number % 4 * self.page)
    }

    /// Writes code to a new mapping that can be written and executed, runs it, and unmaps it.
    fn run_at(&self, mapped: i64) -> Tried {
        // SAFETY: a new mapping of a page, writable and executable.
        let ran = unsafe {
            plant(mapped as *mut u8);
            run_planted(mapped as usize)
        }?;
        self.unmap(mapped)?;
        Ok(ran)
    }

    /// Writes code to one of the scene's pages, has it made executable, and runs it.
    fn run_own(&self, page: usize, protect: impl Fn(*mut u8) -> Tried) -> Tried {
        let at = self.own_page(page);
        // SAFETY: the scene's page is writable; nothing else uses it.
        unsafe { plant(at) };
        protect(at)?;
        // SAFETY: the code has just been written there, and the kernel said that it made the page executable.
        unsafe { run_planted(at as usize) }
    }

    /// The page of an address.
    fn page_of(&self, at: usize) -> usize {
        at & !(self.page - 1)
    }
}

pub(super) const PROBES: &[Probe] = &[
    probe(
        "mmap_rwx",
        MEMORY,
        call!(SYS_mmap),
        "get memory to write code to and run",
        Plain,
        |s| {
            let mapped = s.map(RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1)?;
            s.run_at(mapped)
        },
    ),
    probe(
        "mmap_rwx_shared",
        MEMORY,
        call!(SYS_mmap),
        "get shared memory to write code to and run",
        Plain,
        |s| {
            let mapped = s.map(RWX, MAP_SHARED | MAP_ANONYMOUS, -1)?;
            s.run_at(mapped)
        },
    ),
    probe(
        "mmap_rx",
        MEMORY,
        call!(SYS_mmap),
        "get executable memory",
        Plain,
        |s| {
            let mapped = s.map(RX, MAP_PRIVATE | MAP_ANONYMOUS, -1)?;
            s.unmap(mapped)?;
            Ok(mapped)
        },
    ),
    probe(
        "mmap_program",
        MEMORY,
        call!(SYS_mmap),
        "map a file's code",
        Plain,
        |s| {
            let _ = s.map(RX, MAP_PRIVATE, -1);
            let flags = libc::O_RDONLY | libc::O_CLOEXEC;
            let file = ask!(s, SYS_openat, libc::AT_FDCWD, c"/proc/self/exe", flags, 0)?;
            let mapped = s.map(RX, MAP_PRIVATE, file)?;
            s.unmap(mapped)?;
            s.close(file)
        },
    ),
    probe(
        "mprotect_rx",
        MEMORY,
        call!(SYS_mprotect),
        "run code that it wrote to its memory",
        Plain,
        |s| s.run_own(0, |at| ask!(s, SYS_mprotect, at, s.page, RX)),
    ),
    probe(
        "mprotect_rwx",
        MEMORY,
        call!(SYS_mprotect),
        "make memory writable and executable at once",
        Plain,
        |s| s.run_own(1, |at| ask!(s, SYS_mprotect, at, s.page, RWX)),
    ),
    probe(
        "mprotect_code",
        MEMORY,
        call!(SYS_mprotect),
        "make its own code writable",
        Plain,
        |s| {
            let page = s.page_of(answer as *const () as usize);
            ask!(s, SYS_mprotect, page, s.page, RWX)?;
            ask!(s, SYS_mprotect, page, s.page, RX)
        },
    ),
    probe(
        "mprotect_stack",
        MEMORY,
        call!(SYS_mprotect),
        "make its stack executable",
        Plain,
        |s| {
            let local = [0u8; 1];
            let page = s.page_of((&local).word());
            ask!(s, SYS_mprotect, page, s.page, RWX)?;
            ask!(s, SYS_mprotect, page, s.page, RW)
        },
    ),
    probe(
        "pkey_mprotect",
        MEMORY,
        call!(SYS_pkey_mprotect),
        "run code that it wrote (newer call)",
        Switched("a kernel with protection keys"),
        |s| s.run_own(2, |at| ask!(s, SYS_pkey_mprotect, at, s.page, RX, -1)),
    ),
    probe(
        "pkey_alloc",
        MEMORY,
        call!(SYS_pkey_alloc),
        "take a protection key",
        Switched("a processor with protection keys"),
        |s| {
            let key = ask!(s, SYS_pkey_alloc, 0, 0)?;
            ask!(s, SYS_pkey_free, key)
        },
    ),
    probe(
        "mremap_code",
        MEMORY,
        call!(SYS_mremap),
        "move code to another address",
        Switched("Linux 5.13"),
        |s| {
            let at = answer as *const () as usize;
            let page = s.page_of(at);
            let flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
            let moved = ask!(s, SYS_mremap, page, s.page, s.page, flags, 0)?;
            s.unmap(moved)?;
            // Where it stood, it is read from the program's file again.
            Ok(answer().into())
        },
    ),
    probe(
        "memfd_code",
        MEMORY,
        call!(SYS_memfd_create),
        "write code to a file in memory and run it",
        Plain,
        |s| {
            let file = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            ask!(s, SYS_ftruncate, file, s.page)?;
            let written = s.map(RW, MAP_SHARED, file)?;
            // SAFETY: a new mapping of a page, writable.
            unsafe { plant(written as *mut u8) };
            let executed = s.map(RX, MAP_PRIVATE, file)?;
            // SAFETY: the same page of the file, executable.
            let ran = unsafe { run_planted(executed as usize) }?;
            s.unmap(written)?;
            s.unmap(executed)?;
            s.close(file)?;
            Ok(ran)
        },
    ),
    probe(
        "shm_code",
        MEMORY,
        call!(SYS_shmat),
        "run code in a segment of System V memory",
        Plain,
        |s| {
            let _ = ask!(s, SYS_shmat, -1, 0, SHM_EXEC);
            let segment = ask!(s, SYS_shmget, IPC_PRIVATE, s.page, IPC_CREAT | 0o700)?;
            let attached = ask!(s, SYS_shmat, segment, 0, SHM_EXEC);
            // It stays until it is detached.
            ask!(s, SYS_shmctl, segment, IPC_RMID, 0)?;
            let attached = attached?;
            // SAFETY: a new mapping of a page, writable and executable.
            let ran = unsafe {
                plant(attached as *mut u8);
                run_planted(attached as usize)
            }?;
            ask!(s, SYS_shmdt, attached)?;
            Ok(ran)
        },
    ),
    probe(
        "personality_code",
        MEMORY,
        call!(SYS_personality),
        "have all its memory executable",
        Switched("a container's own filter"),
        |s| {
            let before = ask!(s, SYS_personality, READ_IMPLIES_EXEC)?;
            let mapped = s.map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1)?;
            let ran = s.run_at(mapped)?;
            ask!(s, SYS_personality, before)?;
            Ok(ran)
        },
    ),
    probe(
        "mlock",
        MEMORY,
        call!(SYS_mlock),
        "pin its memory",
        Plain,
        |s| {
            ask!(s, SYS_mlock, s.pages, s.page)?;
            ask!(s, SYS_munlock, s.pages, s.page)
        },
    ),
    probe(
        "mlock2",
        MEMORY,
        call!(SYS_mlock2),
        "pin its memory (newer call)",
        Plain,
        |s| {
            ask!(s, SYS_mlock2, s.pages, s.page, MLOCK_ONFAULT)?;
            ask!(s, SYS_munlock, s.pages, s.page)
        },
    ),
    probe(
        "mlockall",
        MEMORY,
        call!(SYS_mlockall),
        "pin all its memory to come",
        Plain,
        |s| {
            ask!(s, SYS_mlockall, MCL_FUTURE)?;
            ask!(s, SYS_munlockall)
        },
    ),
    probe(
        "mseal",
        MEMORY,
        call!(SYS_mseal),
        "make its memory unchangeable",
        Switched("Linux 6.10"),
        |s| ask!(s, SYS_mseal, s.pages, s.page, 0),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "map_shadow_stack",
        MEMORY,
        call!(SYS_map_shadow_stack),
        "make a shadow stack",
        Switched("a processor with shadow stacks"),
        |s| {
            let mapped = ask!(s, SYS_map_shadow_stack, 0, s.page, 0)?;
            s.unmap(mapped)
        },
    ),
    probe(
        "set_mempolicy",
        MEMORY,
        call!(SYS_set_mempolicy),
        "choose where its memory lies",
        Switched("CONFIG_NUMA, and a container's own filter"),
        |s| ask!(s, SYS_set_mempolicy, 0, 0, 0),
    ),
    probe(
        "mincore",
        MEMORY,
        call!(SYS_mincore),
        "learn which pages are in memory",
        Plain,
        |s| ask!(s, SYS_mincore, s.pages, s.page, &mut [0u8; 8]),
    ),
];
