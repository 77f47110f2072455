//! The system calls that each role may make, as data, with a reason an entry. Any other ends the process.
//!
//! The list of a worker lies over that of the fork server that it was forked from: only what both allow is allowed.

use libc::c_long;

/// One system call that a list allows.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its name; where two lists that lie over each other have it, told apart by how it is called.
    pub name: &'static str,
    /// Its number on this processor.
    pub number: c_long,
    /// The arguments with which it is allowed: one of these must fit. Empty: any.
    pub when: &'static [Arg],
    /// Why it is needed.
    pub why: &'static str,
    /// Whether it is needed on some machines only, so that no test on another can show it.
    pub elsewhere: bool,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Which one, from 0.
    pub index: u8,
    /// The bits that count.
    pub mask: u32,
    /// What they must be.
    pub is: u32,
}

/// The descriptor under which each process of a pool has its socket to the host.
pub const SOCKET: u32 = 0;

const fn call(name: &'static str, number: c_long, when: &'static [Arg], why: &'static str) -> Call {
    Call {
        name,
        number,
        when,
        why,
        elsewhere: false,
    }
}

const fn elsewhere(call: Call) -> Call {
    Call {
        elsewhere: true,
        ..call
    }
}

const ANY: &[Arg] = &[];
const NOT_EXECUTABLE: &[Arg] = &[Arg {
    index: 2,
    mask: libc::PROT_EXEC as u32,
    is: 0,
}];
const ON_SOCKET: &[Arg] = &[Arg {
    index: 0,
    mask: u32::MAX,
    is: SOCKET,
}];
const FREE: &[Arg] = &[Arg {
    index: 2,
    mask: u32::MAX,
    is: libc::MADV_DONTNEED as u32,
}];
const MAY_MOVE: &[Arg] = &[Arg {
    index: 3,
    mask: u32::MAX,
    is: libc::MREMAP_MAYMOVE as u32,
}];
const MAP_AGAIN: &[Arg] = &[Arg {
    index: 3,
    mask: u32::MAX,
    is: (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u32,
}];
/// Waiting and waking, with the flags for private memory and for the clock masked off.
const WAIT_AND_WAKE: &[Arg] = &[
    futex(libc::FUTEX_WAIT),
    futex(libc::FUTEX_WAKE),
    futex(libc::FUTEX_WAIT_BITSET),
];

const fn futex(op: libc::c_int) -> Arg {
    Arg {
        index: 1,
        mask: !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u32,
        is: op as u32,
    }
}

const fn first_is(value: libc::c_int) -> Arg {
    Arg {
        index: 0,
        mask: u32::MAX,
        is: value as u32,
    }
}

/// A worker that serves: everything a guest can make it do.
pub const WORKER: &[Call] = &[
    call(
        "recvmsg",
        libc::SYS_recvmsg,
        ON_SOCKET,
        "sleeping until the host has something, payloads",
    ),
    call(
        "sendmsg",
        libc::SYS_sendmsg,
        ON_SOCKET,
        "waking the host, saying what becomes of the worker",
    ),
    call(
        "madvise",
        libc::SYS_madvise,
        FREE,
        "instances: used memory is given back when one is dropped",
    ),
    call(
        "mprotect",
        libc::SYS_mprotect,
        NOT_EXECUTABLE,
        "memory.grow, and taking it back",
    ),
    call(
        "mmap",
        libc::SYS_mmap,
        NOT_EXECUTABLE,
        "large allocations, memory images, payloads",
    ),
    call("munmap", libc::SYS_munmap, ANY, "freeing them"),
    call(
        "mremap",
        libc::SYS_mremap,
        MAY_MOVE,
        "growing large allocations without copying",
    ),
    call("brk", libc::SYS_brk, ANY, "small allocations"),
    call(
        "close",
        libc::SYS_close,
        ANY,
        "a payload's or a result's file, once it is used",
    ),
    call(
        "pwrite64",
        libc::SYS_pwrite64,
        ANY,
        "a large result, into the file that the host made for it",
    ),
    call(
        "futex",
        libc::SYS_futex,
        WAIT_AND_WAKE,
        "a guest that sleeps",
    ),
    call(
        "getrandom",
        libc::SYS_getrandom,
        ANY,
        "the seeds of hash tables, and WASI's randomness",
    ),
    call(
        "clock_getres",
        libc::SYS_clock_getres,
        ANY,
        "WASI's clocks tell their resolution",
    ),
    elsewhere(call(
        "clock_gettime",
        libc::SYS_clock_gettime,
        ANY,
        "clocks, where the kernel does not map them into processes",
    )),
    call(
        "rt_sigreturn",
        libc::SYS_rt_sigreturn,
        ANY,
        "traps: guest faults arrive as signals",
    ),
    call("exit_group", libc::SYS_exit_group, ANY, "its end"),
];

/// What a worker may do besides where directories are granted: landlock says in which, for what.
pub const FILES: &[Call] = &[
    call(
        "openat",
        libc::SYS_openat,
        ANY,
        "opening below a granted directory",
    ),
    call(
        "openat2",
        libc::SYS_openat2,
        ANY,
        "the same, resolved by the kernel beneath the directory",
    ),
    call("pread64", libc::SYS_pread64, ANY, "reading files"),
    call("pwritev2", libc::SYS_pwritev2, ANY, "appending to files"),
    call("statx", libc::SYS_statx, ANY, "what a path is"),
    call(
        "getdents64",
        libc::SYS_getdents64,
        ANY,
        "listing directories",
    ),
    call("readlinkat", libc::SYS_readlinkat, ANY, "symbolic links"),
    call(
        "fcntl",
        libc::SYS_fcntl,
        ANY,
        "flags and copies of descriptors",
    ),
    call("fsync", libc::SYS_fsync, ANY, "sync"),
    call("fdatasync", libc::SYS_fdatasync, ANY, "sync-data"),
    call("fadvise64", libc::SYS_fadvise64, ANY, "advise"),
    call("ftruncate", libc::SYS_ftruncate, ANY, "set-size"),
    call("mkdirat", libc::SYS_mkdirat, ANY, "create-directory-at"),
    call(
        "unlinkat",
        libc::SYS_unlinkat,
        ANY,
        "unlink-file-at, remove-directory-at",
    ),
    call("renameat", libc::SYS_renameat, ANY, "rename-at"),
    call("linkat", libc::SYS_linkat, ANY, "link-at"),
    call("symlinkat", libc::SYS_symlinkat, ANY, "symlink-at"),
    call("utimensat", libc::SYS_utimensat, ANY, "set-times"),
];

/// What a worker may do besides where buffers are granted.
pub const ATTACH: &[Call] = &[call(
    "mremap (fixed)",
    libc::SYS_mremap,
    MAP_AGAIN,
    "a buffer, which is mapped already, is mapped a second time over a part of a guest's memory",
)];

/// A compiler, once it has the module.
pub const COMPILER: &[Call] = &[
    call("sendmsg", libc::SYS_sendmsg, ON_SOCKET, "the answer"),
    call(
        "madvise",
        libc::SYS_madvise,
        FREE,
        "freed memory of threads",
    ),
    call(
        "mprotect",
        libc::SYS_mprotect,
        NOT_EXECUTABLE,
        "the heaps of threads grow",
    ),
    call("mmap", libc::SYS_mmap, NOT_EXECUTABLE, "large allocations"),
    call("munmap", libc::SYS_munmap, ANY, "freeing them"),
    call(
        "mremap",
        libc::SYS_mremap,
        MAY_MOVE,
        "growing large allocations without copying",
    ),
    call("brk", libc::SYS_brk, ANY, "small allocations"),
    call(
        "pwrite64",
        libc::SYS_pwrite64,
        ANY,
        "the code, into the file that the host made for it",
    ),
    call(
        "futex",
        libc::SYS_futex,
        WAIT_AND_WAKE,
        "threads that compile wait for each other",
    ),
    call("sched_yield", libc::SYS_sched_yield, ANY, "the same"),
    call(
        "getrandom",
        libc::SYS_getrandom,
        ANY,
        "the seeds of hash tables",
    ),
    elsewhere(call(
        "clock_gettime",
        libc::SYS_clock_gettime,
        ANY,
        "clocks, where the kernel does not map them into processes",
    )),
    call(
        "rt_sigaction",
        libc::SYS_rt_sigaction,
        ANY,
        "the engine sets its handlers of faults, though nothing runs here",
    ),
    call("exit_group", libc::SYS_exit_group, ANY, "its end"),
];

/// A fork server besides [`WORKER`], from before it loads the code on: what it and the start of a worker need.
pub const FORK_SERVER: &[Call] = &[
    call(
        "epoll_create1",
        libc::SYS_epoll_create1,
        ANY,
        "waiting for the host and for workers that end",
    ),
    call("epoll_ctl", libc::SYS_epoll_ctl, ANY, "the same"),
    call("epoll_pwait", libc::SYS_epoll_pwait, ANY, "the same"),
    call("signalfd4", libc::SYS_signalfd4, ANY, "workers that end"),
    call("read", libc::SYS_read, ANY, "news of workers that end"),
    call("wait4", libc::SYS_wait4, ANY, "how they ended"),
    call(
        "rt_sigprocmask",
        libc::SYS_rt_sigprocmask,
        ANY,
        "around a fork, and for those news",
    ),
    call(
        "clone",
        libc::SYS_clone,
        &[first_is(
            libc::CLONE_CHILD_CLEARTID | libc::CLONE_CHILD_SETTID | libc::SIGCHLD,
        )],
        "forking a worker, and nothing but that: no thread, no namespace",
    ),
    call(
        "set_robust_list",
        libc::SYS_set_robust_list,
        ANY,
        "the C library's fork",
    ),
    call("gettid", libc::SYS_gettid, ANY, "the same"),
    call(
        "getpid",
        libc::SYS_getpid,
        ANY,
        "who the worker's parent is",
    ),
    call("getppid", libc::SYS_getppid, ANY, "that it still is"),
    call(
        "prctl",
        libc::SYS_prctl,
        &[
            first_is(libc::PR_SET_PDEATHSIG),
            first_is(libc::PR_SET_NO_NEW_PRIVS),
        ],
        "steps of a worker's confinement",
    ),
    call("setsid", libc::SYS_setsid, ANY, "the same"),
    call("prlimit64", libc::SYS_prlimit64, ANY, "the same"),
    call(
        "seccomp",
        libc::SYS_seccomp,
        ANY,
        "the worker's own list, over this one",
    ),
    call(
        "dup3",
        libc::SYS_dup3,
        ANY,
        "the worker's socket takes the place of the server's",
    ),
    call("fstat", libc::SYS_fstat, ANY, "the size of shared memory"),
    call("fcntl", libc::SYS_fcntl, ANY, "its seals"),
    call(
        "write",
        libc::SYS_write,
        ANY,
        "last words on standard error",
    ),
];

/// Loading the code: on top of the list of a fork server until that is done.
pub const LOADING: &[Call] = &[
    call(
        "mmap",
        libc::SYS_mmap,
        ANY,
        "the code is mapped to be executed",
    ),
    call(
        "openat",
        libc::SYS_openat,
        ANY,
        "the engine looks for a quota of processors; mostly there is nothing to open",
    ),
    elsewhere(call(
        "lseek",
        libc::SYS_lseek,
        ANY,
        "the same, where the root is granted and there are no namespaces: /proc can be read",
    )),
    call(
        "sched_getaffinity",
        libc::SYS_sched_getaffinity,
        ANY,
        "the engine counts the processors",
    ),
    call(
        "memfd_create",
        libc::SYS_memfd_create,
        ANY,
        "images of memories, made when the code is loaded",
    ),
    call("ftruncate", libc::SYS_ftruncate, ANY, "their size"),
    call(
        "sigaltstack",
        libc::SYS_sigaltstack,
        ANY,
        "the stack on which guest faults are handled",
    ),
    call(
        "rt_sigaction",
        libc::SYS_rt_sigaction,
        ANY,
        "handlers of guest faults, and of being asked where the guest is",
    ),
];

/// The keeper of a process namespace: waits for the fork server in it, and ends with its exit code.
pub const KEEPER: &[Call] = &[
    call("wait4", libc::SYS_wait4, ANY, "the end of the fork server"),
    call("exit_group", libc::SYS_exit_group, ANY, "its end"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_cannot_ask_for_what_the_wall_is_against() {
        let forbidden = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_memfd_create,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_tgkill,
            libc::SYS_pidfd_send_signal,
            libc::SYS_process_vm_readv,
            libc::SYS_ioctl,
            libc::SYS_prctl,
            libc::SYS_seccomp,
            libc::SYS_io_uring_setup,
            libc::SYS_bpf,
            libc::SYS_unshare,
            libc::SYS_mount,
        ];
        for call in WORKER {
            assert!(!forbidden.contains(&call.number), "{}", call.name);
        }
        for call in FILES {
            let opens = ["openat", "openat2"].contains(&call.name);
            assert!(opens || !forbidden.contains(&call.number), "{}", call.name);
        }
    }
}
