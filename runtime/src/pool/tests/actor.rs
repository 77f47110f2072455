//! A worker as tests play it: a thread that holds what a worker process holds, its socket and its shared memory, and may
//! do with them whatever such a process could do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::ids::{Generation, Seq, SlotId};
use crate::ipc::frame::{Status, ToWorker, decode_to_worker, encode_result, split_payload};
use crate::ipc::launch::Kill;
use crate::ipc::link::{WorkerEnd, WorkerLink};
use crate::ipc::page::{Page, RING_BYTES, SHARED_BYTES, TO_HOST, TO_WORKER};
use crate::ipc::ring::Place;
use crate::ipc::wire::{FromWorker, encode};
use crate::sys::clock::now;
use crate::sys::memory::Shared;
use crate::sys::socket::Socket;

/// How long anything may take that is bound to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What became of a worker.
#[derive(Debug)]
pub struct Fate {
    pub slot: SlotId,
    pub generation: Generation,
    state: Mutex<State>,
    changed: Condvar,
    /// What it opened.
    pub opened: Mutex<Vec<(u64, u64)>>,
}

#[derive(Debug, Default)]
struct State {
    killed: bool,
    attacked: bool,
    left: bool,
}

impl Fate {
    pub fn new(slot: SlotId, generation: Generation) -> Arc<Fate> {
        Arc::new(Fate {
            slot,
            generation,
            state: Mutex::default(),
            changed: Condvar::new(),
            opened: Mutex::default(),
        })
    }

    /// Whether the host has killed it.
    pub fn was_killed(&self) -> bool {
        self.state.lock().unwrap().killed
    }

    /// Whether it has begun its attack.
    pub fn has_attacked(&self) -> bool {
        self.state.lock().unwrap().attacked
    }

    /// Whether it ended by itself.
    pub fn has_left(&self) -> bool {
        self.state.lock().unwrap().left
    }

    /// Waits until it is killed, or ever so long.
    pub fn linger(&self) {
        let state = self.state.lock().unwrap();
        let _ = self
            .changed
            .wait_timeout_while(state, PATIENCE, |s| !s.killed);
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

/// The host's handle: what SIGKILL is to a process.
pub struct Handle(pub Arc<Fate>);

impl Kill for Handle {
    fn kill(&self) {
        self.0.set(|s| s.killed = true);
    }
}

/// An item as a worker gets it.
#[derive(Clone, Debug)]
pub struct Item {
    pub seq: Seq,
    pub bytes: Vec<u8>,
}

/// A worker.
pub struct Actor {
    pub fate: Arc<Fate>,
    /// For what an honest worker does.
    pub link: WorkerLink,
    /// For what it does not. Closed with it.
    pub socket: Option<Socket>,
    pub memory: Arc<Shared>,
    /// The file behind it, which a worker may well keep.
    pub memory_file: OwnedFd,
}

/// The items of a frame; none of a frame of another kind. `None` for bytes that are no frame, which the host never
/// writes, but who scribbles over its memory may read.
pub fn items_of(frame: &[u8]) -> Option<Vec<Item>> {
    let ToWorker::Chunk { head, payload, .. } = decode_to_worker(frame).ok()? else {
        return Some(Vec::new());
    };
    let mut ranges = Vec::new();
    split_payload(payload, head.count as usize, &mut ranges).ok()?;
    let item = |(i, range): (usize, std::ops::Range<usize>)| Item {
        seq: head.first.plus(i as u32),
        bytes: payload[range].to_vec(),
    };
    Some(ranges.into_iter().enumerate().map(item).collect())
}

/// What the honest make of an item.
pub fn answer(item: &[u8]) -> Vec<u8> {
    let mut out = item.to_vec();
    out.reverse();
    out.extend_from_slice(b", seen");
    out
}

impl Actor {
    pub fn new(fate: Arc<Fate>, end: WorkerEnd) -> io::Result<Actor> {
        let memory = Arc::new(Shared::map(&end.memory, SHARED_BYTES)?);
        let socket = end.socket.as_fd().try_clone_to_owned()?.into();
        let memory_file = end.memory.try_clone()?;
        Ok(Actor {
            fate,
            memory_file,
            link: WorkerLink::new(end)?,
            socket: Some(socket),
            memory,
        })
    }

    /// Says that it is ready.
    pub fn ready(&self) {
        let _ = self.link.send(&FromWorker::Ready(Vec::new()));
    }

    /// The items of the next chunk. None at the end.
    pub fn chunk(&mut self) -> Option<Vec<Item>> {
        let mut frame = Vec::new();
        loop {
            if !self.link.next(&mut frame).ok()? {
                return None;
            }
            let items = items_of(&frame)?;
            if !items.is_empty() {
                return Some(items);
            }
        }
    }

    /// Where the ring from the host is.
    pub fn place(&self) -> Place<'_> {
        Place {
            words: &self.page().to_worker,
            memory: &self.memory,
            offset: TO_WORKER,
        }
    }

    /// Starts an item as an honest worker does. False if it was taken back.
    pub fn start(&self, item: Seq) -> bool {
        let page = self.link.page();
        let open = page.claim.start(item);
        if open {
            page.started.0.store(now(), Ordering::Relaxed);
        }
        open
    }

    /// Gives a result. It is seen by the host at once.
    pub fn finish(&mut self, item: Seq, bytes: &[u8]) -> bool {
        self.send(&[&encode_result(item, Status::Done, false, None), bytes])
    }

    /// Sends a frame by the ring's rules. False if the host is gone.
    pub fn send(&mut self, frame: &[&[u8]]) -> bool {
        self.link.write(frame).is_ok_and(|sent| sent) && self.link.publish().is_ok()
    }

    /// Runs items as an honest worker does, until the host wants no more or has killed it.
    pub fn serve(mut self) {
        while let Some(items) = self.chunk() {
            if !self.run(&items) {
                return;
            }
        }
    }

    /// Runs these items as an honest worker does. False if it has to end.
    pub fn run(&mut self, items: &[Item]) -> bool {
        for item in items {
            if self.is_killed() {
                return false;
            }
            if self.start(item.seq) && !self.finish(item.seq, &answer(&item.bytes)) {
                return false;
            }
        }
        true
    }

    /// Marks that the attack begins.
    pub fn attack(&self) {
        self.fate.set(|s| s.attacked = true);
    }

    /// Whether the host has killed it: a process would be gone.
    pub fn is_killed(&self) -> bool {
        self.fate.was_killed()
    }

    /// Does nothing until it is killed, or ever so long.
    pub fn linger(&self) {
        self.fate.linger();
    }

    /// Does this again and again until it is killed, or ever so long.
    pub fn until_killed(&self, mut act: impl FnMut()) {
        let start = Instant::now();
        while !self.is_killed() && start.elapsed() < PATIENCE {
            (0..100).for_each(|_| act());
        }
    }

    /// Ends by itself.
    pub fn leave(self) {
        self.fate.set(|s| s.left = true);
    }

    /// Has something open that is to be closed when all is over.
    pub fn opened(&self, fd: impl AsFd) {
        self.fate.opened.lock().unwrap().push(identity(fd));
    }

    /// The words it shares with the host.
    pub fn page(&self) -> &Page {
        self.link.page()
    }

    /// Puts bytes into the ring to the host where the next frame is to be, and says that so many are there.
    pub fn publish_raw(&self, bytes: &[u8], len: u32) {
        let tail = &self.page().to_host.tail.0;
        let at = tail.load(Ordering::Relaxed);
        for (i, byte) in bytes.iter().enumerate() {
            let offset = at.wrapping_add(i as u32) as usize & (RING_BYTES - 1);
            self.memory.write(TO_HOST + offset, &[*byte]);
        }
        self.set_tail(at.wrapping_add(len));
    }

    /// Says that the ring to the host is filled up to here, and wakes the host.
    pub fn set_tail(&self, at: u32) {
        self.page().to_host.tail.0.store(at, Ordering::SeqCst);
        self.ring();
    }

    /// Wakes the host, if it has asked for it.
    pub fn ring(&self) {
        if wishes(&self.page().to_host.consumer_sleeps.0) {
            self.say(&encode(&FromWorker::Doorbell).expect("a small message"));
        }
    }

    /// Puts a whole frame, of whatever bytes, into the ring.
    pub fn frame(&self, bytes: &[u8]) {
        let frame = [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
        self.publish_raw(&frame, frame.len() as u32);
    }

    /// Sends a message of whatever bytes, if there is room. False if the host is gone.
    pub fn say(&self, message: &[u8]) -> bool {
        self.say_with(message, &[])
    }

    /// The same with any number of descriptors.
    pub fn say_with(&self, message: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(socket, &[io::IoSlice::new(message)], &mut control, flags) {
            Ok(_) => true,
            Err(rustix::io::Errno::AGAIN) => {
                let mut fds = [PollFd::new(socket, PollFlags::OUT)];
                let _ = poll(
                    &mut fds,
                    Some(&Timespec {
                        tv_sec: 0,
                        tv_nsec: 1_000_000,
                    }),
                );
                true
            }
            Err(_) => false,
        }
    }
}

/// Takes the other side's wish to be woken.
fn wishes(word: &AtomicU32) -> bool {
    word.swap(0, Ordering::SeqCst) != 0
}

/// What a descriptor is about, told apart from all else that the system has open.
pub fn identity(fd: impl AsFd) -> (u64, u64) {
    let stat = rustix::fs::fstat(fd).expect("an open descriptor");
    (stat.st_dev, stat.st_ino)
}

/// Copies of these that this process has open or mapped.
pub fn open_copies(of: &[(u64, u64)]) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("/proc can be read");
    let same = entries.flatten().filter(|entry| {
        use std::os::unix::fs::MetadataExt;
        // Follows the link to what is open; some may be closed by now.
        std::fs::metadata(entry.path()).is_ok_and(|m| of.contains(&(m.dev(), m.ino())))
    });
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc can be read");
    let mapped = maps.lines().filter(|line| {
        let inode = line.split_whitespace().nth(4).and_then(|i| i.parse().ok());
        line.contains("memfd:wasmpool") && of.iter().any(|(_, ino)| Some(*ino) == inode)
    });
    same.count() + mapped.count()
}
