//! A worker's socket and rings together: one type a side. Blocking is the worker's alone; the host never waits here.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::Pid;

use super::page::{Page, RING_BYTES, SHARED_BYTES, TO_HOST, TO_WORKER};
use super::ring::{Consumer, Corrupt, Place, Producer};
use super::wire::{self, FromWorker, ToWorkerMessage};
use crate::sys::memory::{Shared, fixed_memfd};
use crate::sys::socket::{MAX_MESSAGE, Socket};

/// What is wrong with the other side.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Its ring indices cannot be.
    #[error(transparent)]
    Ring(#[from] Corrupt),
    /// The socket failed, or brought what breaks the protocol.
    #[error("the socket: {0}")]
    Socket(#[from] io::Error),
}

/// What a worker is given to serve.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Its socket.
    pub socket: Socket,
    /// Its shared memory, not mapped yet.
    pub memory: OwnedFd,
}

fn to_worker(memory: &Shared) -> Place<'_> {
    Place {
        words: &page(memory).to_worker,
        memory,
        offset: TO_WORKER,
    }
}

fn to_host(memory: &Shared) -> Place<'_> {
    Place {
        words: &page(memory).to_host,
        memory,
        offset: TO_HOST,
    }
}

fn page(memory: &Shared) -> &Page {
    // SAFETY: `Page` is made of atomics only, so that every bit pattern is valid.
    unsafe { memory.header() }
}

/// The host's side of a worker.
#[derive(Debug)]
pub struct HostLink {
    socket: Socket,
    memory: Shared,
    out: Producer,
    input: Consumer,
    payloads: VecDeque<OwnedFd>,
    closed: bool,
}

/// A control message from a worker, with the process that sent it.
#[derive(Debug)]
pub struct Control {
    /// The message: never a doorbell or a payload.
    pub message: FromWorker,
    /// The sender, as the kernel knows it.
    pub sender: Option<Pid>,
}

/// Descriptors a worker may have under way: a result that is not read yet each.
const MAX_PAYLOADS: usize = 64;

impl HostLink {
    /// A new link, and the end to give to a worker.
    pub fn new() -> io::Result<(HostLink, WorkerEnd)> {
        let (socket, theirs) = Socket::pair()?;
        socket.want_sender()?;
        let fd = fixed_memfd("wasmpool-rings", SHARED_BYTES as u64)?;
        let memory = Shared::map(&fd, SHARED_BYTES)?;
        let link = HostLink {
            socket,
            memory,
            out: Producer::default(),
            input: Consumer::default(),
            payloads: VecDeque::new(),
            closed: false,
        };
        Ok((
            link,
            WorkerEnd {
                socket: theirs,
                memory: fd,
            },
        ))
    }

    /// The words shared with the worker.
    pub fn page(&self) -> &Page {
        page(&self.memory)
    }

    /// The socket, to wait for.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the worker still holds its end.
    pub fn is_held(&self) -> bool {
        self.socket.is_held()
    }

    /// Tells the worker that nothing more will come. What it sends is still read.
    pub fn finish(&self) {
        self.socket.finish();
    }

    /// Bytes of frames, lengths included, that [`HostLink::write`] takes now.
    pub fn room(&self) -> Result<usize, LinkError> {
        Ok(self.out.room(to_worker(&self.memory))?)
    }

    /// Writes a frame, if there is room. The worker sees it after [`HostLink::publish`].
    pub fn write(&mut self, parts: &[&[u8]]) -> Result<bool, LinkError> {
        Ok(self.out.write(to_worker(&self.memory), parts)?)
    }

    /// Sends a descriptor ahead of the frame that means it. False if the socket has no room now.
    pub fn send_payload(&mut self, fd: BorrowedFd<'_>) -> Result<bool, LinkError> {
        match self
            .socket
            .try_send(&wire::encode(&ToWorkerMessage::Payload)?, &[fd])
        {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Publishes the frames written, and wakes the worker if it sleeps.
    pub fn publish(&mut self) {
        if self.out.publish(to_worker(&self.memory)) {
            self.ring_doorbell();
        }
    }

    fn ring_doorbell(&self) {
        if let Ok(message) = wire::encode(&ToWorkerMessage::Doorbell) {
            // Full: the worker has doorbells to read. Broken: its end of file tells.
            let _ = self.socket.try_send(&message, &[]);
        }
    }

    /// Copies the next frame from the worker to the end of `frame`. False if there is none.
    pub fn read(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        Ok(self.input.read(to_host(&self.memory), frame)?)
    }

    /// Whether there is a frame to read.
    pub fn is_ready(&self) -> bool {
        // Indices that cannot be are something to read, too: reading says so.
        self.input.is_ready(to_host(&self.memory)).unwrap_or(true)
    }

    /// Gives the room of the frames read back.
    pub fn release(&mut self) {
        if self.input.release(to_host(&self.memory)) {
            self.ring_doorbell();
        }
    }

    /// Asks to be woken through the socket at the next frame. False if there is one already.
    pub fn sleep(&self) -> bool {
        self.input.sleep(to_host(&self.memory)).unwrap_or(false)
    }

    /// Looks for frames by itself again.
    pub fn wake(&self) {
        self.input.wake(to_host(&self.memory));
    }

    /// The next payload that came as a descriptor.
    pub fn next_payload(
        &mut self,
        controls: &mut Vec<Control>,
    ) -> Result<Option<OwnedFd>, LinkError> {
        if self.payloads.is_empty() {
            self.drain(controls)?;
        }
        Ok(self.payloads.pop_front())
    }

    /// Reads all that the socket has. Doorbells are swallowed, payloads kept, the rest is appended to `controls`.
    ///
    /// Returns false once the worker's end is closed: it has ended.
    pub fn drain(&mut self, controls: &mut Vec<Control>) -> Result<bool, LinkError> {
        let mut buffer = vec![0; MAX_MESSAGE];
        while !self.closed {
            let mut received = match self.socket.try_recv(&mut buffer) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.closed = true;
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            };
            match wire::decode(&buffer[..received.len])? {
                FromWorker::Doorbell if received.fds.is_empty() => {}
                FromWorker::Payload
                    if received.fds.len() == 1 && self.payloads.len() < MAX_PAYLOADS =>
                {
                    self.payloads.extend(received.fds.pop());
                }
                message if received.fds.is_empty() => controls.push(Control {
                    message,
                    sender: received.sender,
                }),
                _ => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "descriptors not asked for",
                    )
                    .into());
                }
            }
        }
        Ok(!self.closed)
    }
}

/// The worker's side.
#[derive(Debug)]
pub struct WorkerLink {
    socket: Socket,
    memory: Shared,
    out: Producer,
    input: Consumer,
    payloads: VecDeque<OwnedFd>,
}

impl WorkerLink {
    /// Maps the shared memory and closes its descriptor.
    pub fn new(end: WorkerEnd) -> io::Result<WorkerLink> {
        Ok(WorkerLink {
            memory: Shared::map(&end.memory, SHARED_BYTES)?,
            socket: end.socket,
            out: Producer::default(),
            input: Consumer::default(),
            payloads: VecDeque::new(),
        })
    }

    /// The words shared with the host.
    pub fn page(&self) -> &Page {
        page(&self.memory)
    }

    /// Sends a control message.
    pub fn send(&self, message: &FromWorker) -> io::Result<()> {
        self.socket.send(&wire::encode(message)?, &[])
    }

    /// Sends a descriptor ahead of the frame that means it.
    pub fn send_payload(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.socket
            .send(&wire::encode(&FromWorker::Payload)?, &[fd])
    }

    /// Waits for the next frame and puts it into `frame`. False at the end: the host wants no more.
    ///
    /// Spins as long as the host says, then sleeps.
    pub fn next(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        frame.clear();
        loop {
            let at = to_worker(&self.memory);
            if self.input.read(at, frame)? {
                if self.input.release(at) {
                    self.ring_doorbell()?;
                }
                return Ok(true);
            }
            if self.spin()? || !self.input.sleep(to_worker(&self.memory))? {
                continue;
            }
            if !self.receive()? {
                return Ok(false);
            }
        }
    }

    fn spin(&self) -> Result<bool, LinkError> {
        use std::sync::atomic::Ordering;
        let at = to_worker(&self.memory);
        let limit = self.page().spin.0.load(Ordering::Relaxed);
        if limit == 0 {
            return Ok(false);
        }
        let start = crate::sys::clock::now();
        loop {
            for _ in 0..64 {
                if self.input.is_ready(at)? {
                    return Ok(true);
                }
                std::hint::spin_loop();
            }
            if crate::sys::clock::now().saturating_sub(start) > limit {
                return Ok(false);
            }
        }
    }

    /// Waits for one message on the socket. False at its end.
    fn receive(&mut self) -> Result<bool, LinkError> {
        let mut buffer = [0; 64];
        let Some(mut received) = self.socket.recv(&mut buffer)? else {
            return Ok(false);
        };
        match wire::decode(&buffer[..received.len])? {
            ToWorkerMessage::Doorbell => {}
            ToWorkerMessage::Payload => self.payloads.extend(received.fds.pop()),
        }
        Ok(true)
    }

    /// The payload of the chunk just read. `None` at the end: the host is gone.
    pub fn payload(&mut self) -> Result<Option<OwnedFd>, LinkError> {
        while self.payloads.is_empty() {
            if !self.receive()? {
                return Ok(None);
            }
        }
        Ok(self.payloads.pop_front())
    }

    /// Writes a frame, waiting for room. The host sees it after [`WorkerLink::publish`]. False if the host is gone.
    pub fn write(&mut self, parts: &[&[u8]]) -> Result<bool, LinkError> {
        loop {
            let at = to_host(&self.memory);
            if self.out.write(at, parts)? {
                return Ok(true);
            }
            // What is published makes room when the host reads it; what is not never does.
            self.publish()?;
            let at = to_host(&self.memory);
            let room = self.out.room(at)?;
            let need: usize = 4 + parts.iter().map(|p| p.len()).sum::<usize>();
            if room < need && self.out.sleep(at, room)? && !self.receive()? {
                return Ok(false);
            }
        }
    }

    /// Waits until the host has read every frame. False if the host is gone.
    ///
    /// Between two of these a worker may send fewer payloads than the host keeps.
    pub fn drain(&mut self) -> Result<bool, LinkError> {
        self.publish()?;
        loop {
            let at = to_host(&self.memory);
            let room = self.out.room(at)?;
            if room == RING_BYTES {
                return Ok(true);
            }
            if self.out.sleep(at, room)? && !self.receive()? {
                return Ok(false);
            }
        }
    }

    /// Publishes the frames written, and wakes the host if it sleeps.
    pub fn publish(&mut self) -> io::Result<()> {
        if self.out.publish(to_host(&self.memory)) {
            self.ring_doorbell()?;
        }
        Ok(())
    }

    fn ring_doorbell(&self) -> io::Result<()> {
        match self
            .socket
            .try_send(&wire::encode(&FromWorker::Doorbell)?, &[])
        {
            // The host has doorbells to read.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other,
        }
    }
}
