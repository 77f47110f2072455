//! Probes of things that the kernel keeps for a process: descriptors of all kinds, queues, semaphores, timers.

use libc::{
    CLOCK_MONOTONIC, F_DUPFD, F_GETOWN, F_SETOWN, FIONREAD, IPC_CREAT, IPC_PRIVATE, IPC_RMID,
    ITIMER_REAL, O_CLOEXEC, O_CREAT, O_EXCL, O_RDWR, SIGEV_NONE, TIOCSTI,
};
use rustix::io::Errno;

use super::Control::{Never, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const OBJECTS: Family = Family::Objects;

impl Scene<'_> {
    fn pipe(&self) -> Result<[i32; 2], Errno> {
        let mut ends = [-1i32; 2];
        ask!(self, SYS_pipe2, &mut ends, O_CLOEXEC)?;
        Ok(ends)
    }

    /// What a call gave is a descriptor: closes it.
    fn made(&self, descriptor: Tried) -> Tried {
        let descriptor = descriptor?;
        self.close(descriptor)?;
        Ok(descriptor)
    }
}

pub(super) const PROBES: &[Probe] = &[
    probe(
        "shmget",
        OBJECTS,
        call!(SYS_shmget),
        "make a segment of System V memory",
        Plain,
        |s| {
            let segment = ask!(s, SYS_shmget, IPC_PRIVATE, s.page, IPC_CREAT | 0o600)?;
            ask!(s, SYS_shmctl, segment, IPC_RMID, 0)
        },
    ),
    probe(
        "semget",
        OBJECTS,
        call!(SYS_semget),
        "make System V semaphores",
        Plain,
        |s| {
            let set = ask!(s, SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0o600)?;
            ask!(s, SYS_semctl, set, 0, IPC_RMID, 0)
        },
    ),
    probe(
        "msgget",
        OBJECTS,
        call!(SYS_msgget),
        "make a System V message queue",
        Plain,
        |s| {
            let queue = ask!(s, SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0o600)?;
            ask!(s, SYS_msgctl, queue, IPC_RMID, 0)
        },
    ),
    probe(
        "mq_open",
        OBJECTS,
        call!(SYS_mq_open),
        "make a POSIX message queue",
        Switched("CONFIG_POSIX_MQUEUE"),
        |s| {
            let flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC;
            let queue = ask!(s, SYS_mq_open, c"wasmpool-audit", flags, 0o600, 0)?;
            s.close(queue)?;
            ask!(s, SYS_mq_unlink, c"wasmpool-audit")
        },
    ),
    probe(
        "setitimer",
        OBJECTS,
        call!(SYS_setitimer),
        "have itself signalled by a timer",
        Plain,
        |s| {
            // In 1,000 s: interval, then the first time; seconds and microseconds. And off again.
            ask!(s, SYS_setitimer, ITIMER_REAL, &[0i64, 0, 1000, 0], 0)?;
            ask!(s, SYS_setitimer, ITIMER_REAL, &[0i64; 4], 0)
        },
    ),
    probe(
        "timer_create",
        OBJECTS,
        call!(SYS_timer_create),
        "make a timer",
        Plain,
        |s| {
            // struct sigevent: a value, then the signal and how it is delivered.
            let mut event = [0u64; 8];
            event[1] = (SIGEV_NONE as u64) << 32;
            let mut timer = [0i32; 1];
            ask!(s, SYS_timer_create, CLOCK_MONOTONIC, &event, &mut timer)?;
            ask!(s, SYS_timer_delete, timer[0])
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "alarm",
        OBJECTS,
        call!(SYS_alarm),
        "have itself signalled later (oldest call)",
        Plain,
        |s| {
            ask!(s, SYS_alarm, 1000)?;
            ask!(s, SYS_alarm, 0)
        },
    ),
    probe(
        "timerfd_create",
        OBJECTS,
        call!(SYS_timerfd_create),
        "make a timer to wait for",
        Plain,
        |s| s.made(ask!(s, SYS_timerfd_create, CLOCK_MONOTONIC, O_CLOEXEC)),
    ),
    probe(
        "eventfd2",
        OBJECTS,
        call!(SYS_eventfd2),
        "make a counter to wait for",
        Plain,
        |s| s.made(ask!(s, SYS_eventfd2, 0, O_CLOEXEC)),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "eventfd",
        OBJECTS,
        call!(SYS_eventfd),
        "make a counter to wait for (older call)",
        Plain,
        |s| s.made(ask!(s, SYS_eventfd, 0)),
    ),
    probe(
        "epoll_create1",
        OBJECTS,
        call!(SYS_epoll_create1),
        "wait for many descriptors at once",
        Plain,
        |s| s.made(ask!(s, SYS_epoll_create1, O_CLOEXEC)),
    ),
    probe(
        "signalfd4",
        OBJECTS,
        call!(SYS_signalfd4),
        "take its signals as messages",
        Plain,
        |s| s.made(ask!(s, SYS_signalfd4, -1, &[0u64; 1], 8, O_CLOEXEC)),
    ),
    probe(
        "pipe2",
        OBJECTS,
        call!(SYS_pipe2),
        "make a pipe",
        Plain,
        |s| {
            let ends = s.pipe()?;
            s.close(ends[0].into())?;
            s.close(ends[1].into())
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "pipe",
        OBJECTS,
        call!(SYS_pipe),
        "make a pipe (oldest call)",
        Plain,
        |s| {
            let mut ends = [-1i32; 2];
            ask!(s, SYS_pipe, &mut ends)?;
            s.close(ends[0].into())?;
            s.close(ends[1].into())
        },
    ),
    probe(
        "splice",
        OBJECTS,
        call!(SYS_splice),
        "move bytes inside the kernel",
        Plain,
        |s| {
            let _ = ask!(s, SYS_splice, -1, 0, -1, 0, 1, 0);
            let from = s.pipe()?;
            let to = s.pipe()?;
            ask!(s, SYS_write, from[1], c"audit", 5)?;
            let moved = ask!(s, SYS_splice, from[0], 0, to[1], 0, 5, 0)?;
            for end in [from, to].as_flattened() {
                s.close((*end).into())?;
            }
            Ok(moved)
        },
    ),
    probe(
        "tee",
        OBJECTS,
        call!(SYS_tee),
        "copy a pipe's bytes inside the kernel",
        Plain,
        |s| {
            let _ = ask!(s, SYS_tee, -1, -1, 1, 0);
            let from = s.pipe()?;
            let to = s.pipe()?;
            ask!(s, SYS_write, from[1], c"audit", 5)?;
            let copied = ask!(s, SYS_tee, from[0], to[1], 5, 0)?;
            for end in [from, to].as_flattened() {
                s.close((*end).into())?;
            }
            Ok(copied)
        },
    ),
    probe(
        "vmsplice",
        OBJECTS,
        call!(SYS_vmsplice),
        "lend its memory to a pipe",
        Plain,
        |s| {
            let part = libc::iovec {
                iov_base: s.pages.cast(),
                iov_len: 8,
            };
            let _ = ask!(s, SYS_vmsplice, -1, &raw const part, 1, 0);
            let ends = s.pipe()?;
            let lent = ask!(s, SYS_vmsplice, ends[1], &raw const part, 1, 0)?;
            s.close(ends[0].into())?;
            s.close(ends[1].into())?;
            Ok(lent)
        },
    ),
    probe(
        "dup",
        OBJECTS,
        call!(SYS_dup),
        "copy its socket",
        Plain,
        |s| s.made(ask!(s, SYS_dup, s.channel)),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "dup2",
        OBJECTS,
        call!(SYS_dup2),
        "put its socket elsewhere (older call)",
        Plain,
        |s| s.made(ask!(s, SYS_dup2, s.channel, 19)),
    ),
    probe(
        "dup3",
        OBJECTS,
        call!(SYS_dup3),
        "put its socket elsewhere",
        Plain,
        |s| s.made(ask!(s, SYS_dup3, s.channel, 19, O_CLOEXEC)),
    ),
    probe(
        "fcntl_dupfd",
        OBJECTS,
        call!(SYS_fcntl),
        "copy its socket (another call)",
        Plain,
        |s| s.made(ask!(s, SYS_fcntl, s.channel, F_DUPFD, 10)),
    ),
    probe(
        "fcntl_setown",
        OBJECTS,
        call!(SYS_fcntl),
        "have the kernel signal its parent",
        Plain,
        |s| {
            let before = ask!(s, SYS_fcntl, s.channel, F_GETOWN, 0)?;
            ask!(s, SYS_fcntl, s.channel, F_SETOWN, s.parent)?;
            ask!(s, SYS_fcntl, s.channel, F_SETOWN, before)
        },
    ),
    probe(
        "close_range",
        OBJECTS,
        call!(SYS_close_range),
        "close many descriptors at once",
        Plain,
        // Far above any that is open.
        |s| ask!(s, SYS_close_range, 0x7fff_fff0u32, 0x7fff_ffffu32, 0),
    ),
    probe(
        "ioctl",
        OBJECTS,
        call!(SYS_ioctl),
        "control a device or socket",
        Plain,
        |s| ask!(s, SYS_ioctl, s.channel, FIONREAD as i64, &mut [0i32; 1]),
    ),
    probe(
        "type_into_terminal",
        OBJECTS,
        call!(SYS_ioctl),
        "type into the user's terminal",
        Never("needs a terminal that may be typed into"),
        |s| {
            let mut tried = Err(Errno::NOTTY);
            for descriptor in 0..3 {
                // A zero byte, which no shell takes for a command.
                tried = ask!(s, SYS_ioctl, descriptor, TIOCSTI as i64, &[0u8; 1]);
                if tried.is_ok() {
                    break;
                }
            }
            tried
        },
    ),
    probe(
        "io_setup",
        OBJECTS,
        call!(SYS_io_setup),
        "do input and output in the background",
        Switched("CONFIG_AIO, and a container's own filter"),
        |s| {
            let mut context = [0u64; 1];
            ask!(s, SYS_io_setup, 1, &mut context)?;
            ask!(s, SYS_io_destroy, context[0])
        },
    ),
];
