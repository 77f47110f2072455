//! A worker's socket and rings together: one type a side. Blocking is the worker's alone; the host never waits here.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::process::Pid;

use super::frame::is_answer;
use super::lease::Lease;
use super::page::{Page, RING_BYTES, SHARED_BYTES, TO_HOST, TO_WORKER};
use super::ring::{Consumer, Corrupt, Place, Producer};
use super::wire::{self, FromWorker, ToWorkerMessage};
use crate::sys::memory::{Mapping, Shared, cut_and_seal, fixed_memfd, writable_memfd, write_at};
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
    memory: Arc<Shared>,
    out: Producer,
    input: Consumer,
    /// Files that the worker was given for results that are not read yet, with their sizes.
    files: VecDeque<(OwnedFd, u64)>,
    closed: bool,
    /// How often the worker was asked to ring, and how often it rang.
    asked: u64,
    rang: u64,
    /// The worker broke the protocol: its frames are not looked at any more.
    distrusted: bool,
}

/// The host's side of a lock that an instance of a worker may be lent.
#[derive(Debug)]
pub struct LeaseEnd {
    memory: Arc<Shared>,
    lock: u16,
    instance: u32,
}

impl LeaseEnd {
    fn word(&self) -> Option<&Lease> {
        page(&self.memory).leases.get(usize::from(self.lock))
    }

    /// Lends the lock, which the instance holds `depth` times.
    pub fn lend(&self, recursive: bool, depth: u32) {
        if let Some(word) = self.word() {
            word.lend(self.instance, recursive, depth);
        }
    }

    /// Takes the lock back, and says how often the instance holds it, by its worker's own account.
    pub fn recall(&self) -> u32 {
        let word = self.word();
        word.map_or(0, |word| word.recall(self.instance))
    }
}

/// A control message from a worker, with the process that sent it.
#[derive(Debug)]
pub struct Control {
    /// The message: never a doorbell.
    pub message: FromWorker,
    /// The sender, as the kernel knows it.
    pub sender: Option<Pid>,
}

/// Files that a worker may have: a result that is not read yet each.
const MAX_FILES: usize = 64;

/// Bytes that these files may have together, unless there is only one.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Whether a worker that has so many files, of so many bytes, may have one more.
fn may_have(files: usize, have: u64, more: u64) -> bool {
    files == 0 || (files < MAX_FILES && have.saturating_add(more) <= MAX_FILE_BYTES)
}

/// Messages that are taken from one worker before others have their turn.
const MOST_MESSAGES: usize = 64;

impl HostLink {
    /// A new link, and the end to give to a worker.
    pub fn new() -> io::Result<(HostLink, WorkerEnd)> {
        let (socket, theirs) = Socket::pair()?;
        socket.want_sender()?;
        let fd = fixed_memfd("wasmpool-rings", SHARED_BYTES as u64)?;
        let memory = Arc::new(Shared::map(&fd, SHARED_BYTES)?);
        let link = HostLink {
            socket,
            memory,
            out: Producer::default(),
            input: Consumer::default(),
            files: VecDeque::new(),
            closed: false,
            asked: 0,
            rang: 0,
            distrusted: false,
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

    /// The word by which an instance may be lent the lock of this number, if there is one.
    pub fn lease(&self, lock: u16, instance: u32) -> Option<LeaseEnd> {
        self.page().leases.get(usize::from(lock))?;
        Some(LeaseEnd {
            memory: self.memory.clone(),
            lock,
            instance,
        })
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

    /// The worker broke the protocol: from here on it has no frames, whatever it writes.
    pub fn distrust(&mut self) {
        self.distrusted = true;
    }

    /// Bytes of frames, lengths included, that [`HostLink::write`] takes now.
    pub fn room(&mut self) -> Result<usize, LinkError> {
        Ok(self.out.room(to_worker(&self.memory))?)
    }

    /// Writes a frame, if there is room. The worker sees it after [`HostLink::publish`].
    pub fn write(&mut self, parts: &[&[u8]]) -> Result<bool, LinkError> {
        Ok(self.out.write(to_worker(&self.memory), parts)?)
    }

    /// The place behind the last frame written, for [`HostLink::has_taken`].
    pub fn mark(&self) -> u32 {
        self.out.mark()
    }

    /// Whether the worker has taken all frames before `mark`. Its own word: a hint.
    pub fn has_taken(&self, mark: u32) -> bool {
        self.out.has_passed(to_worker(&self.memory), mark)
    }

    /// Asks to be woken through the socket when [`HostLink::write`] takes more than so many bytes. False if it does now.
    pub fn sleep_for_room(&mut self, known: usize) -> Result<bool, LinkError> {
        self.asked += 1;
        Ok(self.out.sleep(to_worker(&self.memory), known)?)
    }

    /// Sends a sealed file of `bytes` ahead of the frame that means it. False if the socket has no room now.
    pub fn send_payload(&mut self, fd: BorrowedFd<'_>, bytes: u64) -> Result<bool, LinkError> {
        let message = wire::encode(&ToWorkerMessage::Payload(bytes))?;
        match self.socket.try_send(&message, &[fd]) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Gives the worker a file for a result of `bytes`, as it asked. The caller has checked the number.
    ///
    /// A worker that asks reads its socket, so that there is room; one that does not is in error.
    pub fn give_file(&mut self, bytes: u64) -> Result<(), LinkError> {
        let have = self.files.iter().map(|(_, bytes)| bytes).sum();
        if !may_have(self.files.len(), have, bytes) {
            return Err(broken("more files asked for than results may be under way").into());
        }
        // The host's memory, since it may keep the result for long: the worker's is bounded for other things.
        let file = writable_memfd("wasmpool-result", bytes, true)?;
        let message = wire::encode(&ToWorkerMessage::File)?;
        self.socket.try_send(&message, &[file.as_fd()])?;
        self.files.push_back((file, bytes));
        Ok(())
    }

    /// The file that was given first and not taken yet, with its size. From here on nobody can change it.
    pub fn take_sealed(&mut self) -> Result<(OwnedFd, u64), LinkError> {
        let none = || broken("a file that was not asked for");
        let (file, bytes) = self.files.pop_front().ok_or_else(none)?;
        cut_and_seal(&file, bytes)?;
        Ok((file, bytes))
    }

    /// The same, mapped.
    pub fn take_file(&mut self) -> Result<Mapping, LinkError> {
        let (file, bytes) = self.take_sealed()?;
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        Ok(Mapping::read_only(file, bytes)?)
    }

    /// Sends the sealed file of a message ahead of the answer that means it.
    ///
    /// A worker that waits for an answer reads its socket, so that there is room; one that does not is in error.
    pub fn send_message(&mut self, fd: BorrowedFd<'_>, bytes: u64) -> Result<(), LinkError> {
        let message = wire::encode(&ToWorkerMessage::Message(bytes))?;
        Ok(self.socket.try_send(&message, &[fd])?)
    }

    /// How long the worker is to look for frames by itself before it sleeps, in nanoseconds.
    pub fn let_spin(&self, nanos: u64) {
        let spin = &self.page().spin.0;
        // Written only where it changes: the worker reads it whenever it waits.
        if spin.load(Ordering::Relaxed) != nanos {
            spin.store(nanos, Ordering::Relaxed);
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
        if self.distrusted {
            return Ok(false);
        }
        Ok(self.input.read(to_host(&self.memory), frame)?)
    }

    /// Whether there is a frame to read.
    pub fn is_ready(&self) -> bool {
        // Indices that cannot be are something to read, too: reading says so.
        !self.distrusted && self.input.is_ready(to_host(&self.memory)).unwrap_or(true)
    }

    /// Whether the worker has said something that is not read yet: it may wait for room, or for an answer.
    pub fn is_kept_waiting(&self) -> bool {
        self.is_ready() || self.socket.has_message()
    }

    /// Gives the room of the frames read back.
    pub fn release(&mut self) {
        if self.input.release(to_host(&self.memory)) {
            self.ring_doorbell();
        }
    }

    /// Asks to be woken through the socket at the next frame. False if there is one already.
    pub fn sleep(&mut self) -> bool {
        self.asked += 1;
        self.distrusted || self.input.sleep(to_host(&self.memory)).unwrap_or(false)
    }

    /// Looks for frames by itself again.
    pub fn wake(&self) {
        self.input.wake(to_host(&self.memory));
    }

    /// Reads what the socket has, up to a number of messages: what is left is there the next time. Doorbells are
    /// swallowed, the rest is appended to `controls`. No descriptor is taken: one that comes is closed by the kernel, and
    /// the worker is in error.
    ///
    /// Returns false once the worker's end is closed: it has ended.
    pub fn drain(&mut self, controls: &mut Vec<Control>) -> Result<bool, LinkError> {
        let mut buffer = vec![0; MAX_MESSAGE];
        for _ in 0..MOST_MESSAGES {
            if self.closed {
                break;
            }
            let received = match self.socket.try_recv(&mut buffer) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.closed = true;
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e.into()),
            };
            match wire::decode(&buffer[..received.len])? {
                FromWorker::Doorbell if self.rang < self.asked => self.rang += 1,
                FromWorker::Doorbell => return Err(broken("it rang without being asked to").into()),
                message => controls.push(Control {
                    message,
                    sender: received.sender,
                }),
            }
        }
        Ok(!self.closed)
    }
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The worker's side.
#[derive(Debug)]
pub struct WorkerLink {
    socket: Socket,
    memory: Shared,
    out: Producer,
    input: Consumer,
    /// Payloads of chunks to come, with their sizes.
    payloads: VecDeque<(OwnedFd, u64)>,
    /// The file that was asked for.
    file: Option<OwnedFd>,
    /// The message of the answer that is awaited, with its size.
    message: Option<(OwnedFd, u64)>,
    /// Frames that an answer has overtaken.
    overtaken: VecDeque<Vec<u8>>,
    /// Files asked for since the host is known to have read all results, and their bytes.
    files: usize,
    file_bytes: u64,
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
            file: None,
            message: None,
            overtaken: VecDeque::new(),
            files: 0,
            file_bytes: 0,
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

    /// Writes a result's bytes into a file that the host makes for it, ahead of the frame that means it. False if the
    /// host is gone.
    pub fn send_file(&mut self, bytes: &[u8]) -> Result<bool, LinkError> {
        let more = bytes.len() as u64;
        if !may_have(self.files, self.file_bytes, more) {
            if !self.drain()? {
                return Ok(false);
            }
            (self.files, self.file_bytes) = (0, 0);
        }
        (self.files, self.file_bytes) = (self.files + 1, self.file_bytes + more);
        self.send(&FromWorker::WantFile(more))?;
        let file = loop {
            if let Some(file) = self.file.take() {
                break file;
            }
            if !self.receive()? {
                return Ok(false);
            }
        };
        write_at(&file, 0, bytes)?;
        Ok(true)
    }

    /// Waits for the next frame and puts it into `frame`. False at the end: the host wants no more.
    ///
    /// Spins as long as the host says, then sleeps.
    pub fn next(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        match self.overtaken.pop_front() {
            Some(overtaken) => {
                *frame = overtaken;
                Ok(true)
            }
            None => self.read(frame),
        }
    }

    /// Waits for the answer to a call, and puts it into `frame`. What comes before it is for [`WorkerLink::next`]. False
    /// at the end: the host wants no more.
    pub fn answer(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
        while self.read(frame)? {
            if is_answer(frame) {
                return Ok(true);
            }
            self.overtaken.push_back(std::mem::take(frame));
        }
        Ok(false)
    }

    /// Waits for the next frame of the ring.
    fn read(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError> {
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
            ToWorkerMessage::Payload(bytes) => {
                self.payloads
                    .extend(received.fds.pop().map(|fd| (fd, bytes)));
            }
            ToWorkerMessage::File => self.file = received.fds.pop(),
            ToWorkerMessage::Message(bytes) => {
                self.message = received.fds.pop().map(|fd| (fd, bytes));
            }
        }
        Ok(true)
    }

    /// The payload of the chunk just read. `None` at the end: the host is gone.
    ///
    /// The host is believed: it has sealed the file, and has told its size.
    pub fn payload(&mut self) -> Result<Option<Mapping>, LinkError> {
        loop {
            if let Some((file, bytes)) = self.payloads.pop_front() {
                let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
                return Ok(Some(Mapping::read_only(file, bytes)?));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
    }

    /// The message of the answer just read. `None` at the end: the host is gone.
    pub fn message(&mut self) -> Result<Option<Mapping>, LinkError> {
        loop {
            if let Some((file, bytes)) = self.message.take() {
                let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
                return Ok(Some(Mapping::read_only(file, bytes)?));
            }
            if !self.receive()? {
                return Ok(None);
            }
        }
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
