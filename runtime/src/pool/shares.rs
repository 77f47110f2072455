//! The objects that guests of a pool are granted, by name.
//!
//! Owns what is checked of a grant before the pool opens, and what of it goes to whom: names and kinds to workers, the
//! objects themselves to the core, descriptors of buffers to the fork server.

use std::io;
use std::os::fd::OwnedFd;

use super::core::GrantedObject;
use super::error::Error;
use crate::ipc::call::{Kind, ObjectGrant};
use crate::objects::{
    Access, Barrier, Buffer, Condition, Event, Lock, Object, Queue, Rights, Semaphore,
};

/// Objects of a pool, at most; the locks of conditions that are not granted by themselves come on top.
const MOST_OBJECTS: usize = 128;
/// Bytes of the name of an object, at most.
const MOST_NAME_BYTES: usize = 64;

/// What guests may do with a queue.
///
/// ```
/// use wasmpool::objects::Queue;
/// use wasmpool::pool::{Direction, Pool};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// let (jobs, done) = (Queue::joinable(), Queue::new());
/// let pool = Pool::builder()
///     .queue("jobs", &jobs, Direction::Get)
///     .queue("done", &done, Direction::Put)
///     .open("tasks.wasm")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Put messages, and close it.
    Put,
    /// Get messages, and say that they are dealt with.
    Get,
    /// Everything.
    Both,
}

/// What is granted.
pub(super) enum Share {
    Queue(Queue, Direction),
    /// One end of a pipe, given away.
    PipeEnd(Object),
    Buffer(Buffer, Access),
    Lock(Lock),
    Semaphore(Semaphore),
    Event(Event),
    Condition(Condition),
    Barrier(Barrier),
}

/// All objects of a pool, opened: each list in the order of their numbers.
#[derive(Default)]
pub(super) struct Opened {
    pub grants: Vec<ObjectGrant>,
    pub objects: Vec<GrantedObject>,
    /// Those of buffers.
    pub descriptors: Vec<OwnedFd>,
}

impl Opened {
    fn add(&mut self, name: &str, kind: Kind, object: Object, rights: Rights) -> usize {
        self.grants.push(ObjectGrant {
            name: name.into(),
            kind,
        });
        self.objects.push(GrantedObject {
            object,
            rights,
            largest: kind.largest_message(),
        });
        self.grants.len() - 1
    }

    /// The number of a lock, which is added without a name if it is not granted by itself.
    fn lock(&mut self, lock: &Lock, granted: &[(String, Share)]) -> usize {
        let lock = Object::from(lock);
        let is = |share: &Share| matches!(share, Share::Lock(other) if lock.is(&other.into()));
        let same = |(_, share): &(String, Share)| is(share);
        // Those that are granted have the numbers of their places.
        granted
            .iter()
            .position(same)
            .unwrap_or_else(|| self.add("", Kind::Lock, lock, Rights::ALL))
    }
}

/// Checks the grants and opens them.
pub(super) fn open(shares: Vec<(String, Share)>) -> Result<Opened, Error> {
    let refused = |what: String, reason: &str| Error::Grant {
        what,
        source: io::Error::new(io::ErrorKind::InvalidInput, reason),
    };
    if shares.len() > MOST_OBJECTS {
        let most = format!("{} shared objects", shares.len());
        return Err(refused(most, "a pool shares at most 128"));
    }
    let mut opened = Opened::default();
    for (at, (name, share)) in shares.iter().enumerate() {
        let plain = name.chars().all(|c| c.is_ascii_graphic());
        if name.is_empty() || name.len() > MOST_NAME_BYTES || !plain {
            return Err(refused(
                format!("an object called {name:?}"),
                "a name is 1 to 64 printable ASCII characters without spaces",
            ));
        }
        let kind = share.kind_name();
        let twice = |(n, s): &(String, Share)| n == name && s.kind_name() == kind;
        if shares[..at].iter().any(twice) {
            return Err(refused(
                format!("a second {kind} called {name:?}"),
                "a name means one object of its kind",
            ));
        }
        let all = Rights::ALL;
        match share {
            Share::Queue(queue, direction) => {
                let put = *direction != Direction::Get;
                let get = *direction != Direction::Put;
                let rights = Rights { put, get, ..all };
                let object = Object::from(queue);
                let largest = object.largest_message();
                opened.add(name, Kind::Queue { put, get, largest }, object, rights);
            }
            Share::PipeEnd(end) => {
                let largest = end.largest_message();
                opened.add(name, Kind::PipeEnd { largest }, end.clone(), all);
            }
            Share::Buffer(buffer, access) => {
                let writable = *access == Access::ReadWrite;
                let descriptor = buffer.descriptor(*access).map_err(|source| Error::Grant {
                    what: format!("the buffer {name:?}"),
                    source,
                })?;
                let kind = Kind::Buffer {
                    bytes: buffer.len(),
                    writable,
                };
                let rights = Rights {
                    write: writable,
                    ..all
                };
                opened.add(name, kind, buffer.object(), rights);
                opened.descriptors.push(descriptor);
            }
            Share::Lock(lock) => {
                opened.add(name, Kind::Lock, lock.into(), all);
            }
            Share::Semaphore(semaphore) => {
                opened.add(name, Kind::Semaphore, semaphore.into(), all);
            }
            Share::Event(event) => {
                opened.add(name, Kind::Event, event.into(), all);
            }
            // Its lock's number is known when all have theirs.
            Share::Condition(condition) => {
                opened.add(name, Kind::Condition { lock: 0 }, condition.into(), all);
            }
            Share::Barrier(barrier) => {
                let parties = barrier.parties();
                opened.add(name, Kind::Barrier { parties }, barrier.into(), all);
            }
        }
    }
    for (at, (_, share)) in shares.iter().enumerate() {
        if let Share::Condition(condition) = share {
            let lock = opened.lock(condition.lock(), &shares) as u16;
            opened.grants[at].kind = Kind::Condition { lock };
        }
    }
    Ok(opened)
}

impl Share {
    fn kind_name(&self) -> &'static str {
        match self {
            Share::Queue(..) => "queue",
            Share::PipeEnd(_) => "end of a pipe",
            Share::Buffer(..) => "buffer",
            Share::Lock(_) => "lock",
            Share::Semaphore(_) => "semaphore",
            Share::Event(_) => "event",
            Share::Condition(_) => "condition",
            Share::Barrier(_) => "barrier",
        }
    }
}
