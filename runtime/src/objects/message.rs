//! The bytes of a message. Owns how they are kept: in memory, or in a memory file that nobody can change.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::sys::memory::{Mapping, sealed_memfd};

/// Bytes of a message at most that is kept in memory; a longer one lies in a memory file. Fits a frame, with room for
/// what stands before it.
pub(crate) const MAX_OWNED: usize = 60 << 10;

/// A message. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    /// In memory.
    Owned(Arc<[u8]>),
    /// The whole of a sealed memory file, and its length in bytes.
    File(Arc<(OwnedFd, u64)>),
}

/// The bytes of a message, to be read.
pub(crate) enum Bytes {
    /// In memory.
    Owned(Arc<[u8]>),
    /// A mapping of its file.
    Mapped(Mapping),
}

impl Message {
    /// A copy of these bytes, in a memory file if they are many. Fails where the system has no memory or descriptor left.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Message> {
        if bytes.len() <= MAX_OWNED {
            return Ok(Message::Owned(bytes.into()));
        }
        let file = sealed_memfd("wasmpool-message", &[bytes])?;
        Ok(Message::File(Arc::new((file, bytes.len() as u64))))
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Message::Owned(bytes) => bytes.len() as u64,
            Message::File(file) => file.1,
        }
    }

    /// Whether the other has the same bytes; of one in a file, whether it is a clone.
    pub(super) fn is(&self, other: &Message) -> bool {
        match (self, other) {
            (Message::Owned(one), Message::Owned(other)) => one == other,
            (Message::File(one), Message::File(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Its bytes. A file is mapped, which fails where the system has no room for it.
    pub(crate) fn bytes(&self) -> io::Result<Bytes> {
        Ok(match self {
            Message::Owned(bytes) => Bytes::Owned(bytes.clone()),
            Message::File(file) => {
                let len = usize::try_from(file.1).map_err(io::Error::other)?;
                Bytes::Mapped(Mapping::read_only(&file.0, len)?)
            }
        })
    }
}

impl Default for Message {
    /// No bytes.
    fn default() -> Message {
        Message::Owned(Arc::new([]))
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(mapping) => mapping,
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::check_sealed;

    #[test]
    fn a_long_message_lies_in_a_sealed_file() {
        for len in [0, 1, MAX_OWNED, MAX_OWNED + 1, 1 << 20] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let message = Message::new(&bytes).unwrap();
            assert_eq!(message.len(), len as u64);
            assert!(*message.bytes().unwrap() == bytes[..]);
            match message {
                Message::Owned(_) => assert!(len <= MAX_OWNED),
                Message::File(file) => assert_eq!(check_sealed(&file.0).unwrap(), len as u64),
            }
        }
    }
}
