//! Waiting for descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::Errno;

/// A set of descriptors to wait for, each under a number of the caller's choice.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
}

/// What [`Poller::wait`] saw: the number under which a descriptor was added.
pub type Token = u64;

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        })
    }

    /// Adds a descriptor: it is reported while it can be read or its other end is gone.
    pub fn add(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(
            &self.epoll,
            fd,
            data,
            epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
        )?)
    }

    /// Removes a descriptor. One that is closed removes itself only when its last copy is closed.
    pub fn remove(&self, fd: impl AsFd) {
        // Fails only if the descriptor is not in the set, which is what is wanted.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something is ready or `timeout` passes, and puts the tokens of what is ready into `ready`.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Token>) -> io::Result<()> {
        ready.clear();
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        let mut events = Vec::with_capacity(64);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events),
            timeout.as_ref(),
        ) {
            Ok(_) => ready.extend(events.iter().map(|e| e.data.u64())),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }
}

/// Wakes a thread that waits in a [`Poller`].
#[derive(Debug)]
pub struct Waker(Bell);

impl Waker {
    /// A waker, registered with a poller.
    pub fn new(poller: &Poller, token: Token) -> io::Result<Waker> {
        let bell = Bell::new()?;
        poller.add(&bell, token)?;
        Ok(Waker(bell))
    }

    /// Makes the poller's wait return, now or when it is next called.
    pub fn wake(&self) {
        self.0.ring();
    }

    /// Forgets all wake-ups so far.
    pub fn reset(&self) {
        self.0.reset();
    }
}

/// Something to wait for by a descriptor, that stays rung until it is reset.
#[derive(Debug)]
pub struct Bell {
    fd: OwnedFd,
}

impl Bell {
    /// One that has not rung.
    pub fn new() -> io::Result<Bell> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Bell { fd })
    }

    /// Rings: the descriptor can be read from now on.
    pub fn ring(&self) {
        // Fails only where the counter is full, that is, where it has rung already.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
    }

    /// Is quiet again.
    pub fn reset(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0u8; 8]);
    }

    /// Waits until it rings, or `timeout` passes; may return before.
    pub fn wait(&self, timeout: Option<Duration>) {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        // An error is an interruption: whoever waits looks again.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}

/// Waits until one of these can be read; gives its place. `None` after an interruption.
pub fn wait_for_any(fds: &[BorrowedFd<'_>]) -> io::Result<Option<usize>> {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
        .collect();
    match poll(&mut polled, None) {
        Ok(_) => Ok(polled.iter().position(|fd| !fd.revents().is_empty())),
        Err(Errno::INTR) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
