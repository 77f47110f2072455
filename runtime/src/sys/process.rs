//! Processes: starting, forking, ending, and what a process gives up about itself.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, pidfd_open,
    pidfd_send_signal, set_dumpable_behavior, set_parent_process_death_signal, setrlimit, setsid,
    wait, waitpid,
};

use super::poll::Poller;
use super::socket::Socket;

/// Starts a program with one end of a socket pair as its standard input, an empty environment, and a pipe as its
/// standard error: see [`OwnedChild::last_words`].
///
/// The calling thread must outlive the child: the child ends when the thread does.
pub fn spawn(program: &OsStr, args: &[&str], socket: Socket) -> io::Result<OwnedChild> {
    let child = Command::new(program)
        .args(args)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(errors) = &child.stderr {
        rustix::io::ioctl_fionbio(errors, true)?;
    }
    Ok(OwnedChild(child))
}

/// Which side of a fork this is.
pub enum Forked {
    /// The new process.
    Child,
    /// The old one, and the new one's number.
    Parent(Pid),
}

/// Forks.
///
/// # Safety
/// The process must have one thread only: the child gets a copy of this one, and of locks that others may hold.
pub unsafe fn fork() -> io::Result<Forked> {
    // SAFETY: one thread, as the caller vouches, so that no lock is held by a thread the child does not have.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid if pid > 0 => match Pid::from_raw(pid) {
            Some(pid) => Ok(Forked::Parent(pid)),
            None => Err(io::Error::other("fork returned no process number")),
        },
        _ => Err(io::Error::last_os_error()),
    }
}

/// A forked process that does one thing. Killed when it is dropped.
#[derive(Debug)]
pub struct Helper(Option<Pid>);

impl Helper {
    /// Forks a process that does `work` and ends; also when the calling thread does.
    ///
    /// # Safety
    /// `work` must not allocate, free, take locks or panic, and must not return anything that has to be dropped: other
    /// threads may have held the allocator's lock, or any other, when this process was forked. System calls and atomics
    /// are right.
    pub unsafe fn fork(work: impl FnOnce()) -> io::Result<Helper> {
        let parent = rustix::process::getpid();
        // SAFETY: the child makes system calls and does what the caller vouches for, and ends without cleaning up.
        match unsafe { libc::fork() } {
            0 => {
                if die_with_parent(Some(parent)).is_ok() {
                    work();
                }
                exit_now(0)
            }
            pid if pid > 0 => Ok(Helper(Pid::from_raw(pid))),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits until it has ended.
    pub fn wait(mut self) -> io::Result<()> {
        if let Some(pid) = self.0.take() {
            waitpid(Some(pid), WaitOptions::empty())?;
        }
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Fails only where it has ended.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// Ends this process at once: no destructors, no handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` is always allowed and does not return.
    unsafe { libc::_exit(code) }
}

/// Takes one child that has ended, if there is one.
pub fn reap() -> Option<(Pid, ExitStatus)> {
    loop {
        // Any child: those in sessions of their own, too.
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => return Some((pid, ExitStatus::from_raw(status.as_raw()))),
            Err(Errno::INTR) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// A descriptor that can be read when a child has ended. The signal's usual delivery is switched off.
pub fn child_signal() -> io::Result<OwnedFd> {
    // SAFETY: plain calls on a local set; the descriptor is new and owned by nobody else.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// Switches the usual delivery of the child signal on again, and lets it do nothing.
pub fn forget_child_signal() {
    // SAFETY: plain calls on a local set.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
    }
}

type Handler = Box<dyn Fn() + Send + Sync>;

/// What the interrupt signal does. Read in a signal handler, so it is never changed once it is there.
static ON_INTERRUPT: OnceLock<Handler> = OnceLock::new();

extern "C" fn interrupted(_: libc::c_int) {
    if let Some(handler) = ON_INTERRUPT.get() {
        handler();
    }
}

/// Has the interrupt signal, which [`ProcessHandle::interrupt`] sends, call `handler` in this process and in those that
/// it forks. System calls that wait go on waiting. Call it once.
///
/// # Safety
/// `handler` is called in a signal handler, in the middle of whatever the process does: it must not allocate, lock or
/// make system calls.
pub unsafe fn on_interrupt(handler: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    if ON_INTERRUPT.set(Box::new(handler)).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // SAFETY: a plain call on a local structure that is filled in; `interrupted` only reads what is never changed, and
    // calls what the caller vouches for. On the alternative stack where there is one: the guest's may be nearly used up.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let function: extern "C" fn(libc::c_int) = interrupted;
        action.sa_sigaction = function as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut())
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A handle to a process that cannot come to mean another one.
#[derive(Debug)]
pub struct ProcessHandle {
    pidfd: OwnedFd,
    pid: Pid,
}

impl ProcessHandle {
    /// Opens a handle. The caller knows that `pid` has not ended, or checks afterwards.
    pub fn open(pid: Pid) -> io::Result<ProcessHandle> {
        Ok(ProcessHandle {
            pidfd: pidfd_open(pid, PidfdFlags::empty())?,
            pid,
        })
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Stops it where it is, until it is killed. No error if it has ended already.
    pub fn stop(&self) {
        let _ = pidfd_send_signal(self.pidfd.as_fd(), Signal::STOP);
    }

    /// Kills it. No error if it has ended already.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(self.pidfd.as_fd(), Signal::KILL);
    }

    /// Sends it the interrupt signal: see [`on_interrupt`]. It ends a process that does not expect it.
    pub fn interrupt(&self) {
        let _ = pidfd_send_signal(self.pidfd.as_fd(), Signal::USR1);
    }
}

/// A child that is killed and reaped when dropped.
#[derive(Debug)]
pub struct OwnedChild(Child);

impl OwnedChild {
    /// What it, or one that it forked, wrote to its standard error and nobody has read yet: at most 4 KiB, as it
    /// comes. Does not wait.
    pub fn last_words(&mut self) -> Vec<u8> {
        let mut words = vec![0; 4096];
        let read = self.0.stderr.as_mut().and_then(|e| e.read(&mut words).ok());
        words.truncate(read.unwrap_or(0));
        words
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Kills it, if it has not ended, and gives its exit status.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        let _ = self.0.kill();
        self.0.wait()
    }

    /// Gives it so long to end by itself, then kills it; gives its exit status.
    pub fn end_after(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed())
            && let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty())
        {
            let poller = Poller::new()?;
            poller.add(&pidfd, 0)?;
            poller.wait(Some(limit), &mut Vec::new())?;
        }
        self.end()
    }

    /// Waits for its end and gives its exit status.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait()
    }
}

impl Drop for OwnedChild {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Asks to be killed when the parent ends. Fails if `parent` is not the parent (any more).
pub fn die_with_parent(parent: Option<Pid>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != parent {
        return Err(io::Error::other("the parent process has ended"));
    }
    Ok(())
}

/// A session and a process group of its own: no terminal, and no signal meant for the parent's group.
pub fn own_session() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// No core dumps, no tracing by others of the same user, no new privileges by exec.
pub fn give_up_privileges() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::thread::set_no_new_privs(true)?;
    limit(Resource::Core, 0)
}

/// Descriptors that a process of a pool may have open: sockets and memory files, and granted directories.
const DESCRIPTORS: u64 = 1024;

/// Bounds what this process and those it forks may use: `data` bytes of private memory, `file` bytes of a file, no
/// locked memory, no message queues, no real-time priority.
pub fn limit_resources(data: u64, file: u64) -> io::Result<()> {
    limit(Resource::Data, data)?;
    limit(Resource::Fsize, file)?;
    limit(Resource::Nofile, DESCRIPTORS)?;
    limit(Resource::Memlock, 0)?;
    limit(Resource::Msgqueue, 0)?;
    limit(Resource::Rtprio, 0)
}

/// No process and no thread more for this user, as far as this process is concerned.
pub fn limit_processes() -> io::Result<()> {
    limit(Resource::Nproc, 0)
}

/// Waits for the end of a child and gives the exit code; that of one that was killed is 128 and the signal.
pub fn wait_for(child: Pid) -> io::Result<i32> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                let status = ExitStatus::from_raw(status.as_raw());
                let killed = || 128 + status.signal().unwrap_or(0);
                return Ok(status.code().unwrap_or_else(killed));
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn limit(resource: Resource, value: u64) -> io::Result<()> {
    Ok(setrlimit(
        resource,
        Rlimit {
            current: Some(value),
            maximum: Some(value),
        },
    )?)
}

/// Takes the socket that this process was started with as its standard input, where it stays. Call it once; nothing
/// else may use standard input.
pub fn take_standard_input() -> io::Result<Socket> {
    // SAFETY: the number is only used for this call; if nothing is open under it, the call fails.
    let input = unsafe { BorrowedFd::borrow_raw(0) };
    if rustix::net::sockopt::socket_type(input)? != rustix::net::SocketType::SEQPACKET {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "standard input is not a socket of wasmpool",
        ));
    }
    rustix::io::fcntl_setfd(input, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and has no other owner: standard input is this process's to give away, as the caller sees to.
    Ok(Socket::from(unsafe { OwnedFd::from_raw_fd(0) }))
}

/// Puts a socket in the place of another one, which is closed.
pub fn take_place(socket: Socket, of: Socket) -> io::Result<Socket> {
    let mut place = OwnedFd::from(of);
    rustix::io::dup3(&socket, &mut place, rustix::io::DupFlags::CLOEXEC)?;
    Ok(Socket::from(place))
}

/// Closes every descriptor but the standard ones and `keep`.
pub fn close_all_but(keep: BorrowedFd<'_>) -> io::Result<()> {
    let keep = keep.as_raw_fd().unsigned_abs();
    if keep > 3 {
        close_range(3, keep - 1)?;
    }
    close_range(keep.max(2) + 1, u32::MAX)
}

/// Closes every descriptor.
pub fn close_all() -> io::Result<()> {
    close_range(0, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: descriptors are closed under owners that will not use them again: the caller is a new process that keeps
    // nothing of what it inherited.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
