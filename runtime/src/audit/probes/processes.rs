//! Probes of processes: starting them, and reaching into others, the process's parent above all.

use libc::{
    AT_EMPTY_PATH, AT_FDCWD, CLONE_FILES, CLONE_FS, CLONE_NEWNET, CLONE_NEWUSER, CLONE_SIGHAND,
    CLONE_SYSVSEM, CLONE_THREAD, CLONE_VFORK, CLONE_VM, MFD_CLOEXEC, O_CLOEXEC, O_RDONLY, P_ALL,
    PRIO_PROCESS, RLIMIT_CORE, RLIMIT_NOFILE, SIGCHLD, WEXITED, WNOHANG,
};
use rustix::io::Errno;

use super::Control::{Namespaced, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const PROCESSES: Family = Family::Processes;

const TRACING: super::Control = Switched("kernel.yama.ptrace_scope");

/// Wait for children of every kind.
const ANY_KIND: i32 = 0x4000_0000;

impl Scene<'_> {
    /// Starts a process that exits at once, and takes it away.
    fn clone(&self, flags: i32) -> Tried {
        let child = self.call_twice(libc::SYS_clone, [(flags | SIGCHLD) as usize, 0, 0, 0, 0])?;
        self.reap(child)
    }

    fn reap(&self, child: i64) -> Tried {
        ask!(self, SYS_wait4, child, 0, ANY_KIND, 0)?;
        Ok(child)
    }

    /// Does something with a descriptor that stands for the parent; first with none.
    fn with_pidfd(&self, attempt: impl Fn(&Self, i64) -> Tried) -> Tried {
        let _ = attempt(self, -1);
        let parent = ask!(self, SYS_pidfd_open, self.parent, 0)?;
        let tried = attempt(self, parent)?;
        self.close(parent)?;
        Ok(tried)
    }

    /// Copies a word from the parent to here, or the opposite.
    fn across(&self, number: i64, value: &mut u64) -> Tried {
        let here = libc::iovec {
            iov_base: std::ptr::from_mut(value).cast(),
            iov_len: 8,
        };
        let there = libc::iovec {
            iov_base: Self::landmark().cast(),
            iov_len: 8,
        };
        let words = [
            self.parent as usize,
            &raw const here as usize,
            1,
            &raw const there as usize,
            1,
            0,
        ];
        self.call(number, &words)
    }
}

/// The smallest program: it exits with 0. Built for this processor, without a file.
const PROGRAM: [u64; 17] = {
    // Two 16-bit and one 32-bit field in a word.
    const fn fields(a: u64, b: u64, c: u64) -> u64 {
        a | b << 16 | c << 32
    }
    const START: u64 = 0x40_0000;
    #[cfg(target_arch = "x86_64")]
    // xor edi, edi; mov eax, 231 (exit_group); syscall
    const CODE: [u64; 2] = [0x0f00_0000_e7b8_ff31, 0x05];
    #[cfg(target_arch = "x86_64")]
    const MACHINE: u64 = 62;
    #[cfg(target_arch = "aarch64")]
    // mov x0, #0; mov x8, #94 (exit_group); svc #0
    const CODE: [u64; 2] = [0xd280_0bc8_d280_0000, 0xd400_0001];
    #[cfg(target_arch = "aarch64")]
    const MACHINE: u64 = 183;
    let length = 17 * 8;
    [
        0x0001_0102_464c_457f,
        0,
        fields(2, MACHINE, 1),
        // Entry, program headers, section headers, flags with the sizes of both kinds of header.
        START + 120,
        64,
        0,
        fields(0, 0, 64 | 56 << 16),
        fields(1, 0, 0),
        // One segment: all of this, to be read and executed.
        1 | 5 << 32,
        0,
        START,
        START,
        length,
        length,
        0x1_0000,
        CODE[0],
        CODE[1],
    ]
};

/// Programs that do nothing, where systems have them.
const NOTHING: [&std::ffi::CStr; 3] = [
    c"/bin/true",
    c"/usr/bin/true",
    c"/run/current-system/sw/bin/true",
];

pub(super) const PROBES: &[Probe] = &[
    #[cfg(target_arch = "x86_64")]
    probe(
        "fork",
        PROCESSES,
        call!(SYS_fork),
        "start a process (oldest call)",
        Plain,
        |s| {
            let child = s.call_twice(libc::SYS_fork, [0; 5])?;
            s.reap(child)
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "vfork",
        PROCESSES,
        call!(SYS_vfork),
        "start a process in its memory (oldest call)",
        Plain,
        |s| {
            let child = s.call_twice(libc::SYS_vfork, [0; 5])?;
            s.reap(child)
        },
    ),
    probe(
        "clone",
        PROCESSES,
        call!(SYS_clone),
        "start a process",
        Plain,
        |s| s.clone(0),
    ),
    probe(
        "clone_vfork",
        PROCESSES,
        call!(SYS_clone),
        "start a process in its memory",
        Plain,
        |s| s.clone(CLONE_VM | CLONE_VFORK),
    ),
    probe(
        "clone_thread",
        PROCESSES,
        call!(SYS_clone),
        "start a thread",
        Plain,
        |s| {
            let shared = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM;
            s.call_twice(
                libc::SYS_clone,
                [(shared | CLONE_THREAD) as usize, 0, 0, 0, 0],
            )
        },
    ),
    probe(
        "clone_user",
        PROCESSES,
        call!(SYS_clone),
        "start a process in a user namespace",
        Switched("whether user namespaces are allowed"),
        |s| s.clone(CLONE_NEWUSER),
    ),
    probe(
        "clone3",
        PROCESSES,
        call!(SYS_clone3),
        "start a process (newer call)",
        Switched("a container's own filter"),
        |s| {
            // struct clone_args: flags, pidfd, two thread numbers, the signal at its end, stack, its size, tls.
            let arguments = [0u64, 0, 0, 0, SIGCHLD as u64, 0, 0, 0];
            let words = [
                arguments.as_ptr() as usize,
                size_of_val(&arguments),
                0,
                0,
                0,
            ];
            let child = s.call_twice(libc::SYS_clone3, words)?;
            s.reap(child)
        },
    ),
    probe(
        "execve",
        PROCESSES,
        call!(SYS_execve),
        "run a program",
        Plain,
        |s| {
            let mut tried = Err(Errno::NOENT);
            for program in NOTHING {
                let arguments = [program.as_ptr(), std::ptr::null()];
                tried = ask!(s, SYS_execve, program, &arguments, 0);
            }
            tried
        },
    ),
    probe(
        "execveat",
        PROCESSES,
        call!(SYS_execveat),
        "run a program (newer call)",
        Plain,
        |s| {
            let mut tried = Err(Errno::NOENT);
            for program in NOTHING {
                let arguments = [program.as_ptr(), std::ptr::null()];
                tried = ask!(s, SYS_execveat, AT_FDCWD, program, &arguments, 0, 0);
            }
            tried
        },
    ),
    probe(
        "execveat_memory",
        PROCESSES,
        call!(SYS_execveat),
        "run a program that it wrote itself",
        Switched("vm.memfd_noexec"),
        |s| {
            let arguments = [c"audit".as_ptr(), std::ptr::null()];
            let run = |file: i64| ask!(s, SYS_execveat, file, c"", &arguments, 0, AT_EMPTY_PATH);
            let _ = run(-1);
            let file = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            ask!(s, SYS_write, file, &PROGRAM, size_of_val(&PROGRAM))?;
            run(file)
        },
    ),
    probe(
        "unshare_files",
        PROCESSES,
        call!(SYS_unshare),
        "part with what it shares",
        Plain,
        |s| ask!(s, SYS_unshare, CLONE_FILES),
    ),
    probe(
        "unshare_user",
        PROCESSES,
        call!(SYS_unshare),
        "become root of a user namespace",
        Switched("whether user namespaces are allowed"),
        |s| ask!(s, SYS_unshare, CLONE_NEWUSER),
    ),
    probe(
        "setns",
        PROCESSES,
        call!(SYS_setns),
        "enter another namespace",
        Namespaced,
        |s| {
            let _ = ask!(s, SYS_setns, -1, CLONE_NEWNET);
            let file = c"/proc/self/ns/net";
            let own = ask!(s, SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0)?;
            ask!(s, SYS_setns, own, CLONE_NEWNET)?;
            s.close(own)
        },
    ),
    // Signal 0 asks for permission alone.
    probe(
        "kill_parent",
        PROCESSES,
        call!(SYS_kill),
        "signal its parent",
        Plain,
        |s| ask!(s, SYS_kill, s.parent, 0),
    ),
    probe(
        "kill_group",
        PROCESSES,
        call!(SYS_kill),
        "signal its process group",
        Plain,
        |s| ask!(s, SYS_kill, 0, 0),
    ),
    probe(
        "kill_all",
        PROCESSES,
        call!(SYS_kill),
        "signal every process it can reach",
        Plain,
        |s| ask!(s, SYS_kill, -1, 0),
    ),
    probe(
        "tkill",
        PROCESSES,
        call!(SYS_tkill),
        "signal a thread (older call)",
        Plain,
        |s| ask!(s, SYS_tkill, s.parent, 0),
    ),
    probe(
        "tgkill",
        PROCESSES,
        call!(SYS_tgkill),
        "signal a thread of another process",
        Plain,
        |s| ask!(s, SYS_tgkill, s.parent, s.parent, 0),
    ),
    probe(
        "rt_sigqueueinfo",
        PROCESSES,
        call!(SYS_rt_sigqueueinfo),
        "send a signal with a value",
        Plain,
        |s| {
            // struct siginfo: signal and error number, then the code SI_QUEUE.
            let mut info = [0i32; 32];
            info[2] = libc::SI_QUEUE;
            ask!(s, SYS_rt_sigqueueinfo, s.parent, 0, &info)
        },
    ),
    probe(
        "pidfd_open",
        PROCESSES,
        call!(SYS_pidfd_open),
        "get hold of another process",
        Plain,
        |s| {
            let parent = ask!(s, SYS_pidfd_open, s.parent, 0)?;
            s.close(parent)?;
            Ok(parent)
        },
    ),
    probe(
        "pidfd_getfd",
        PROCESSES,
        call!(SYS_pidfd_getfd),
        "take a descriptor from another process",
        TRACING,
        |s| {
            s.with_pidfd(|s, parent| {
                let mut tried = Err(Errno::BADF);
                for descriptor in 0..16 {
                    tried = ask!(s, SYS_pidfd_getfd, parent, descriptor, 0);
                    // Only a number that is not in use is worth a second try.
                    match tried {
                        Err(Errno::BADF) => {}
                        Err(_) => break,
                        Ok(taken) => return s.close(taken),
                    }
                }
                tried
            })
        },
    ),
    probe(
        "pidfd_send_signal",
        PROCESSES,
        call!(SYS_pidfd_send_signal),
        "signal a process that it holds",
        Plain,
        |s| s.with_pidfd(|s, parent| ask!(s, SYS_pidfd_send_signal, parent, 0, 0, 0)),
    ),
    probe(
        "wait4",
        PROCESSES,
        call!(SYS_wait4),
        "wait for a process",
        Plain,
        |s| {
            let _ = ask!(s, SYS_wait4, -1, 0, WNOHANG, 0);
            s.clone(0)
        },
    ),
    probe(
        "waitid",
        PROCESSES,
        call!(SYS_waitid),
        "wait for a process (newer call)",
        Plain,
        |s| {
            let _ = ask!(s, SYS_waitid, P_ALL, 0, 0, WEXITED | WNOHANG, 0);
            let words = [SIGCHLD as usize, 0, 0, 0, 0];
            s.call_twice(libc::SYS_clone, words)?;
            ask!(s, SYS_waitid, P_ALL, 0, 0, WEXITED, 0)
        },
    ),
    probe(
        "prlimit_parent",
        PROCESSES,
        call!(SYS_prlimit64),
        "read its parent's limits",
        Plain,
        |s| ask!(s, SYS_prlimit64, s.parent, RLIMIT_NOFILE, 0, &mut [0u64; 2]),
    ),
    probe(
        "prlimit_self",
        PROCESSES,
        call!(SYS_prlimit64),
        "change its own limits",
        Plain,
        // To the lowest there is, which anybody may.
        |s| ask!(s, SYS_prlimit64, 0, RLIMIT_CORE, &[0u64; 2], 0),
    ),
    probe(
        "setrlimit",
        PROCESSES,
        call!(SYS_setrlimit),
        "change its own limits (older call)",
        Plain,
        |s| ask!(s, SYS_setrlimit, RLIMIT_CORE, &[0u64; 2]),
    ),
    probe(
        "setpriority",
        PROCESSES,
        call!(SYS_setpriority),
        "change another process's priority",
        Plain,
        |s| {
            let _ = ask!(s, SYS_setpriority, -1, 0, 0);
            // The kernel gives 20 less the priority; it is set to what it is.
            let now = 20 - ask!(s, SYS_getpriority, PRIO_PROCESS, s.parent)?;
            ask!(s, SYS_setpriority, PRIO_PROCESS, s.parent, now)
        },
    ),
    probe(
        "sched_setaffinity",
        PROCESSES,
        call!(SYS_sched_setaffinity),
        "move another process to other processors",
        Plain,
        |s| {
            let mut mask = [0u64; 128];
            let size = size_of_val(&mask);
            let _ = ask!(s, SYS_sched_setaffinity, -1, 0, 0);
            let used = ask!(s, SYS_sched_getaffinity, s.parent, size, &mut mask)?;
            ask!(s, SYS_sched_setaffinity, s.parent, used, &mask)
        },
    ),
    probe(
        "sched_setscheduler",
        PROCESSES,
        call!(SYS_sched_setscheduler),
        "change how another process is scheduled",
        Plain,
        |s| {
            let _ = ask!(s, SYS_sched_setscheduler, -1, 0, 0);
            // To what it is, where that is the ordinary way.
            let now = ask!(s, SYS_sched_getscheduler, s.parent)?;
            ask!(s, SYS_sched_setscheduler, s.parent, now, &[0i32])
        },
    ),
    probe(
        "ioprio_set",
        PROCESSES,
        call!(SYS_ioprio_set),
        "change another's priority of disk access",
        Plain,
        |s| {
            let _ = ask!(s, SYS_ioprio_set, -1, 0, 0);
            let now = ask!(s, SYS_ioprio_get, 1, s.parent)?;
            ask!(s, SYS_ioprio_set, 1, s.parent, now)
        },
    ),
    probe(
        "ptrace_seize",
        PROCESSES,
        call!(SYS_ptrace),
        "trace its parent",
        TRACING,
        |s| {
            // PTRACE_SEIZE does not stop it, and ends with this process.
            ask!(s, SYS_ptrace, libc::PTRACE_SEIZE, s.parent, 0, 0)
        },
    ),
    probe(
        "ptrace_traceme",
        PROCESSES,
        call!(SYS_ptrace),
        "have itself traced",
        Plain,
        |s| ask!(s, SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0),
    ),
    probe(
        "read_process",
        PROCESSES,
        call!(SYS_process_vm_readv),
        "read another process's memory",
        TRACING,
        |s| {
            let mut value = 0;
            s.across(libc::SYS_process_vm_readv, &mut value)
        },
    ),
    probe(
        "write_process",
        PROCESSES,
        call!(SYS_process_vm_writev),
        "write another process's memory",
        TRACING,
        |s| {
            // With what is there already: the value is never changed by anyone.
            // SAFETY: an aligned static of this type.
            let mut value = unsafe { Scene::landmark().read() };
            s.across(libc::SYS_process_vm_writev, &mut value)
        },
    ),
    probe(
        "process_madvise",
        PROCESSES,
        call!(SYS_process_madvise),
        "advise the kernel about a process's memory",
        Switched("CONFIG_ADVISE_SYSCALLS, and a container's own filter"),
        |s| {
            let part = libc::iovec {
                iov_base: s.pages.cast(),
                iov_len: s.page,
            };
            let advise = |process: i64| {
                ask!(
                    s,
                    SYS_process_madvise,
                    process,
                    &raw const part,
                    1,
                    libc::MADV_COLD,
                    0
                )
            };
            let _ = advise(-1);
            let own = ask!(s, SYS_pidfd_open, s.own, 0)?;
            advise(own)?;
            s.close(own)
        },
    ),
    probe(
        "kcmp",
        PROCESSES,
        call!(SYS_kcmp),
        "compare what two processes hold",
        Switched("CONFIG_KCMP, kernel.yama.ptrace_scope"),
        |s| ask!(s, SYS_kcmp, s.parent, s.own, 1, 0, 0),
    ),
    probe(
        "get_robust_list",
        PROCESSES,
        call!(SYS_get_robust_list),
        "learn where another keeps its locks",
        TRACING,
        |s| {
            let (mut head, mut length) = ([0u64], [0u64]);
            ask!(s, SYS_get_robust_list, s.parent, &mut head, &mut length)
        },
    ),
    probe(
        "move_pages",
        PROCESSES,
        call!(SYS_move_pages),
        "learn where its memory lies",
        Switched("CONFIG_NUMA, and a container's own filter"),
        |s| ask!(s, SYS_move_pages, 0, 1, &[s.pages], 0, &mut [0i32; 2], 0),
    ),
    probe(
        "setsid",
        PROCESSES,
        call!(SYS_setsid),
        "leave its session",
        Plain,
        |s| ask!(s, SYS_setsid),
    ),
    probe(
        "setpgid",
        PROCESSES,
        call!(SYS_setpgid),
        "leave its process group",
        Plain,
        |s| ask!(s, SYS_setpgid, 0, 0),
    ),
    probe(
        "getpgid",
        PROCESSES,
        call!(SYS_getpgid),
        "learn another process's group",
        Plain,
        |s| ask!(s, SYS_getpgid, s.parent),
    ),
];
