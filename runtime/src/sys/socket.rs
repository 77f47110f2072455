//! Socket pairs that keep message boundaries and carry descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_passcred, socket_peercred};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
    recvmsg, sendmsg, shutdown, socketpair,
};
use rustix::process::Pid;

/// The most descriptors one message may carry.
pub const MAX_FDS: usize = 4;

/// The largest message, in bytes.
pub const MAX_MESSAGE: usize = 64 << 10;

/// One end of a pair.
#[derive(Debug)]
pub struct Socket(OwnedFd);

/// A message as it came.
#[derive(Debug, Default)]
pub struct Received {
    /// How many bytes of the buffer it fills.
    pub len: usize,
    /// The descriptors that came with it.
    pub fds: Vec<OwnedFd>,
    /// The sender's process, as the kernel knows it; only where [`Socket::want_sender`] was called.
    pub sender: Option<Pid>,
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Socket {
        Socket(fd)
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.0
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Socket {
    /// A connected pair. Both ends are closed on exec.
    pub fn pair() -> io::Result<(Socket, Socket)> {
        let (a, b) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Socket(a), Socket(b)))
    }

    /// Asks the kernel to say with each message which process sent it.
    pub fn want_sender(&self) -> io::Result<()> {
        Ok(set_socket_passcred(&self.0, true)?)
    }

    /// The process that made the pair.
    pub fn maker(&self) -> io::Result<Pid> {
        Ok(socket_peercred(&self.0)?.pid)
    }

    /// Sends one message, waiting for room.
    pub fn send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(message, fds, SendFlags::NOSIGNAL)
    }

    /// Sends one message or fails with `WouldBlock`.
    pub fn try_send(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(message, fds, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
    }

    /// Whether there is something to receive now.
    pub fn has_message(&self) -> bool {
        let now = self.events(PollFlags::IN);
        now.is_some_and(|events| events.contains(PollFlags::IN))
    }

    /// Whether somebody holds the other end now.
    pub fn is_held(&self) -> bool {
        let now = self.events(PollFlags::empty());
        now.is_some_and(|events| events.is_empty())
    }

    /// What of `wanted`, or of what is always told, is the case now.
    fn events(&self, wanted: PollFlags) -> Option<PollFlags> {
        let mut fds = [PollFd::new(&self.0, wanted)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).ok()?;
        Some(fds[0].revents())
    }

    /// Sends nothing any more: the other end comes to the end of what was sent, though this one stays open.
    pub fn finish(&self) {
        // Fails only where the other end is gone.
        let _ = shutdown(&self.0, Shutdown::Write);
    }

    fn send_with(
        &self,
        message: &[u8],
        fds: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> io::Result<()> {
        if message.is_empty() || message.len() > MAX_MESSAGE || fds.len() > MAX_FDS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a message that is empty or too large",
            ));
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        loop {
            match sendmsg(&self.0, &[IoSlice::new(message)], &mut control, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Waits for one message. `None` at the end: every copy of the other end is closed.
    ///
    /// A message that does not fit into `buffer`, or with more descriptors than [`MAX_FDS`], is an error.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        self.recv_into(buffer, &mut control, RecvFlags::CMSG_CLOEXEC)
    }

    /// Takes one message or fails with `WouldBlock`. For the host: whom it hears has no business to send descriptors, so
    /// that a message with any is an error, and they never enter this process.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        self.recv_into(buffer, &mut control, RecvFlags::DONTWAIT)
    }

    fn recv_into(
        &self,
        buffer: &mut [u8],
        control: &mut RecvAncillaryBuffer<'_>,
        flags: RecvFlags,
    ) -> io::Result<Option<Received>> {
        let message = loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(buffer)], control, flags) {
                Ok(message) => break message,
                Err(Errno::INTR) => {}
                // The other end died with messages of ours unread: nothing more will come.
                Err(Errno::CONNRESET) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        };
        let mut received = Received {
            len: message.bytes,
            ..Received::default()
        };
        for part in control.drain() {
            match part {
                RecvAncillaryMessage::ScmRights(fds) => received.fds.extend(fds),
                RecvAncillaryMessage::ScmCredentials(sender) => received.sender = Some(sender.pid),
                _ => {}
            }
        }
        if message
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a message larger than agreed",
            ));
        }
        // Empty messages are never sent, so an empty one is the end.
        Ok((message.bytes > 0).then_some(received))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bounds_and_carry_descriptors() {
        let (a, b) = Socket::pair().unwrap();
        b.want_sender().unwrap();
        let (r, w) = rustix::pipe::pipe().unwrap();
        a.send(b"one", &[r.as_fd(), w.as_fd()]).unwrap();
        a.send(b"two!", &[]).unwrap();
        let mut buffer = [0; 16];
        let got = b.recv(&mut buffer).unwrap().unwrap();
        assert_eq!((got.len, got.fds.len()), (3, 2));
        assert_eq!(got.sender, Some(rustix::process::getpid()));
        assert_eq!(b.recv(&mut buffer[..4]).unwrap().unwrap().len, 4);
        assert_eq!(
            b.try_recv(&mut buffer).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        a.send(b"too long", &[]).unwrap();
        assert!(b.recv(&mut buffer[..4]).is_err());
        assert!(b.is_held() && !b.has_message());
        a.send(b"more", &[]).unwrap();
        assert!(b.has_message());
        b.recv(&mut buffer).unwrap();
        a.send(b"fd", &[w.as_fd()]).unwrap();
        drop((w, got));
        assert_eq!(
            b.try_recv(&mut buffer).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        // Nobody has the pipe's other end: it was closed. A process that another test forks may have it for a moment.
        rustix::io::ioctl_fionbio(&r, true).unwrap();
        let closed = || rustix::io::read(&r, &mut [0; 1]) == Ok(0);
        let start = std::time::Instant::now();
        while !closed() {
            assert!(start.elapsed().as_secs() < 60, "a descriptor leaks");
            std::thread::yield_now();
        }
        drop(a);
        assert!(!b.is_held());
        assert!(b.recv(&mut buffer).unwrap().is_none());
        assert!(b.send(b"x", &[]).is_err());
    }
}
