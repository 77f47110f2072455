//! Tests of the probes themselves: each succeeds where nothing stops it, and its first call is the one it is about.
//!
//! A probe runs in a child of a child: the middle process is an ordinary user's, also where the tests are root's, and is
//! whom probes attack. Probes that need root get namespaces of that user's own. Those that could do harm are only
//! tried locked.

use std::collections::HashSet;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::*;

/// An ordinary user that no system has.
const NOBODY_ELSE: u32 = 61_001;

/// Nothing was reported: not what any attempt gives.
const SILENT: i64 = i64::MIN;

/// Reported before the first attempt, if a stage cannot be set up.
const NO_STAGE: i64 = i64::MIN + 1;

/// What processes of a test share, a probe each.
#[repr(C)]
struct Line {
    trace: AtomicI64,
    report: AtomicI64,
    status: AtomicI64,
}

fn shared_lines() -> &'static [Line] {
    let count = all().count();
    // SAFETY: a new mapping, at an address of the kernel's choice, never unmapped.
    let at = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            count * size_of::<Line>(),
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
        )
    };
    // SAFETY: as long as it must be, and atomics of zero bytes are valid.
    let lines: &[Line] =
        unsafe { std::slice::from_raw_parts(at.expect("shared memory").cast(), count) };
    for line in lines {
        line.report.store(SILENT, Ordering::Release);
        line.status.store(-1, Ordering::Release);
    }
    lines
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Reported(Attempt),
    Exited(i32),
    Killed(i32),
    NotRun,
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported(Attempt::Succeeded(given)) => write!(f, "succeeded, {given:#x}"),
            Self::Reported(Attempt::Refused(errno)) => {
                write!(f, "refused: {}", Errno::from_raw_os_error(*errno))
            }
            Self::Exited(code) => write!(f, "exited with {code}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::NotRun => write!(f, "not run"),
        }
    }
}

impl Line {
    fn ending(&self) -> Ending {
        let status = self.status.load(Ordering::Acquire) as i32;
        match self.report.load(Ordering::Acquire) {
            _ if status < 0 => Ending::NotRun,
            SILENT if libc::WIFSIGNALED(status) => Ending::Killed(libc::WTERMSIG(status)),
            SILENT => Ending::Exited(libc::WEXITSTATUS(status)),
            word => Ending::Reported(Attempt::from_word(word)),
        }
    }
}

impl Ending {
    /// A program in the probe's place is one, too.
    fn succeeded(self) -> bool {
        matches!(
            self,
            Self::Reported(Attempt::Succeeded(_)) | Self::Exited(0)
        )
    }
}

/// Forks; the child never returns from `inside`.
fn fork(inside: impl FnOnce() -> i32) -> i32 {
    // SAFETY: other threads of the test do not exist in the child, which uses nothing that they could have locked but
    // the allocator, which the C library makes usable after a fork.
    match unsafe { libc::fork() } {
        0 => {
            let code = inside();
            // SAFETY: ends this process, at once.
            unsafe { libc::_exit(code) }
        }
        child => {
            assert!(child > 0, "fork failed");
            child
        }
    }
}

fn wait(child: i32) -> i32 {
    let mut status = 0;
    loop {
        // SAFETY: the status is this function's own.
        match unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) } {
            -1 if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            _ if libc::WIFSTOPPED(status) => {}
            _ => return status,
        }
    }
}

/// Gives up root for good, if this process is root's, and lets children reach into it.
fn be_ordinary() -> Result<(), Errno> {
    let call = |number, words: [u32; 3]| {
        // SAFETY: calls that change nothing but this process's user and groups.
        match unsafe { libc::syscall(number, words[0], words[1], words[2]) } {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    };
    if rustix::process::getuid().is_root() {
        call(libc::SYS_setgroups, [0; 3])?;
        call(libc::SYS_setresgid, [NOBODY_ELSE; 3])?;
        call(libc::SYS_setresuid, [NOBODY_ELSE; 3])?;
    }
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    // SAFETY: changes only who may trace this process; refused where there is no such rule.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
    Ok(())
}

/// Becomes root of namespaces of its own; the processes that it forks from then on are in all of them.
fn be_root_of_nothing() -> Result<(), Errno> {
    let (user, group) = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    let all = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    // SAFETY: changes this process, which has one thread, and no other.
    if unsafe { libc::unshare(all) } != 0 {
        return Err(Errno::PERM);
    }
    let write = |path: &str, text: String| std::fs::write(path, text).map_err(|_| Errno::ACCESS);
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {user} 1"))?;
    write("/proc/self/gid_map", format!("0 {group} 1"))
}

/// The processes of these namespaces, in `/proc`. Without them some probes have nothing to look at.
fn mount_proc() {
    // SAFETY: in this process's own mount namespace, which nothing else is in and nothing is passed on from.
    unsafe {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        libc::mount(
            ptr::null(),
            c"/".as_ptr(),
            ptr::null(),
            private,
            ptr::null(),
        );
        libc::mount(
            c"proc".as_ptr(),
            c"/proc".as_ptr(),
            c"proc".as_ptr(),
            0,
            ptr::null(),
        );
    }
}

/// Only read, write, exit and the return from a signal are left.
fn lock() -> bool {
    // SAFETY: changes this process only.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) == 0 }
}

fn try_one(probe: &Probe, line: &Line, channel: OwnedFd, locked: bool) -> i32 {
    // SAFETY: ends a probe that hangs; nobody handles the signal.
    unsafe { libc::alarm(10) };
    // SAFETY: a process forked for this probe, with one thread, which ends when this function returns.
    let Ok(scene) = (unsafe { Scene::new(channel.as_fd(), &line.trace) }) else {
        return 99;
    };
    if locked && !lock() {
        return 98;
    }
    let attempt = probe.attempt(&scene);
    line.report.store(attempt.to_word(), Ordering::Release);
    std::mem::forget(channel);
    0
}

/// Tries those probes of which `which` holds, each in a process of its own, and says how those processes ended.
fn run(
    which: impl Fn(&Probe) -> bool,
    namespaced: bool,
    locked: bool,
) -> Result<Vec<(&'static Probe, Ending, i64)>, Errno> {
    let lines = shared_lines();
    let act = || {
        for (probe, line) in all().zip(lines).filter(|(probe, _)| which(probe)) {
            let pair = socketpair(
                AddressFamily::UNIX,
                SocketType::SEQPACKET,
                SocketFlags::CLOEXEC,
                None,
            );
            let Ok((mine, its)) = pair else { return 97 };
            let child = fork(|| try_one(probe, line, its, locked));
            line.status.store(wait(child).into(), Ordering::Release);
            drop(mine);
        }
        0
    };
    let stage = fork(|| {
        let ready = be_ordinary().and_then(|()| match namespaced {
            true => be_root_of_nothing(),
            false => Ok(()),
        });
        if let Err(errno) = ready {
            lines[0].report.store(NO_STAGE, Ordering::Release);
            return errno.raw_os_error();
        }
        match namespaced {
            false => act(),
            true => libc::WEXITSTATUS(wait(fork(|| {
                mount_proc();
                act()
            }))),
        }
    });
    let status = wait(stage);
    if lines[0].report.load(Ordering::Acquire) == NO_STAGE {
        return Err(Errno::from_raw_os_error(libc::WEXITSTATUS(status)));
    }
    assert_eq!(status, 0, "the stage broke down");
    let endings = all().zip(lines).filter(|(probe, _)| which(probe));
    let endings = endings.map(|(p, line)| (p, line.ending(), line.trace.load(Ordering::Acquire)));
    Ok(endings.collect())
}

fn print(what: &str, endings: &[(&Probe, Ending, i64)]) {
    println!("{what}: {}", endings.len());
    for (probe, ending, trace) in endings {
        println!(
            "  {:<10} {:<24} {:<24} {ending:?} (last call {trace})",
            probe.family,
            probe.name,
            probe.call.name()
        );
    }
}

/// Whether these tests themselves run under a filter of system calls, as in most containers.
fn filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    line.is_some_and(|mode| mode.trim() != "0")
}

fn failures(endings: Vec<(&'static Probe, Ending, i64)>) -> Vec<String> {
    let filtered = filtered();
    let outer = [Errno::PERM, Errno::NOSYS].map(|errno| errno.raw_os_error());
    let excused = |probe: &Probe, ending: Ending| match (probe.control, ending) {
        (Control::Switched(_), Ending::Reported(_)) => true,
        (_, Ending::Reported(Attempt::Refused(errno))) => filtered && outer.contains(&errno),
        _ => false,
    };
    let failed = endings
        .into_iter()
        .filter(|(probe, ending, _)| !ending.succeeded() && !excused(probe, *ending));
    failed
        .map(|(probe, ending, trace)| format!("{}: {ending:?} at call {trace}", probe.name))
        .collect()
}

#[test]
fn probes_succeed_where_nothing_stops_them() {
    let plain = |probe: &Probe| matches!(probe.control, Control::Plain | Control::Switched(_));
    let endings = run(plain, false, false).expect("a stage for an ordinary user");
    print("plain", &endings);
    let failed = failures(endings);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn probes_of_roots_rights_succeed_for_root_of_a_namespace() {
    let namespaced = |probe: &Probe| probe.control == Control::Namespaced;
    match run(namespaced, true, false) {
        Ok(endings) => {
            print("namespaced", &endings);
            let failed = failures(endings);
            assert!(failed.is_empty(), "{failed:#?}");
        }
        // Forbidden on this machine: then they can be shown to be refused, at least.
        Err(errno) => {
            assert!([Errno::PERM, Errno::ACCESS].contains(&errno), "{errno}");
            let endings = run(namespaced, false, false).expect("a stage for an ordinary user");
            let succeeded = endings.iter().filter(|(_, ending, _)| ending.succeeded());
            assert_eq!(succeeded.count(), 0);
        }
    }
}

#[test]
fn a_locked_process_ends_at_the_very_call_a_probe_is_about() {
    let endings = run(|_| true, false, true).expect("a stage for an ordinary user");
    print("locked", &endings);
    let wrong = endings.into_iter().filter(|(probe, ending, trace)| {
        *ending != Ending::Killed(libc::SIGKILL) || *trace != probe.call.number()
    });
    let wrong: Vec<_> = wrong
        .map(|(probe, ending, trace)| {
            let number = probe.call.number();
            format!("{}: {ending:?} at call {trace}, not {number}", probe.name)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_is_one_that_people_can_read() {
    let mut names = HashSet::new();
    for probe in all() {
        assert!(
            names.insert(probe.name),
            "{} stands there twice",
            probe.name
        );
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(probe.name.chars().all(plain), "{}", probe.name);
        assert!(probe.name.len() <= 19, "{}", probe.name);
        assert!(probe.forbids.len() <= 44, "{}", probe.forbids);
        assert!(!probe.forbids.ends_with('.'), "{}", probe.forbids);
        assert_eq!(find(probe.name).map(|p| p.forbids), Some(probe.forbids));
    }
    assert!(names.len() >= 110, "only {}", names.len());
    for family in Family::ALL {
        assert!(all().any(|probe| probe.family == family), "{family}");
    }
    assert!(find("no_such_probe").is_none());
}

#[test]
fn an_attempt_survives_being_a_word() {
    for attempt in [
        Attempt::Succeeded(0),
        Attempt::Succeeded(i64::MAX),
        Attempt::Refused(1),
        Attempt::Refused(38),
    ] {
        assert_eq!(Attempt::from_word(attempt.to_word()), attempt);
    }
    assert_eq!(Attempt::from_word(i64::MIN), Attempt::Refused(i32::MAX));
}
