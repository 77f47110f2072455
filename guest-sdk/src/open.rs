//! Why something shared cannot be opened.

use std::fmt;

/// Why a buffer, a queue, an end of a pipe or an object of [`sync`](crate::sync) cannot be opened.
///
/// ```
/// use wasmpool_guest::OpenError;
/// use wasmpool_guest::buffer::Value;
/// use wasmpool_guest::queue::Queue;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().value("total", 0_u64).within(|| {
///     assert!(matches!(Queue::open("jobs"), Err(OpenError::NotGranted { kind: "queue", .. })));
///     // It is there, and has 8 bytes.
///     assert!(matches!(Value::<u32>::open("total"), Err(OpenError::WrongLength { size: 4, .. })));
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The pool was granted nothing of this kind and name.
    NotGranted {
        /// What was asked for: "buffer", "queue", "end of a pipe", "lock", "semaphore", "event", "condition" or
        /// "barrier".
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// This end of a pipe is open already: an end has one holder.
    InUse {
        /// The end's name.
        name: String,
    },
    /// As many handles are open as may be.
    TooManyHandles {
        /// That number.
        limit: u32,
    },
    /// The buffer's length is not that of a [`Value`](crate::buffer::Value), or no multiple of an element of an
    /// [`Array`](crate::buffer::Array), of this type.
    WrongLength {
        /// The buffer's name.
        name: String,
        /// The buffer's length, in bytes.
        length: u64,
        /// The length of the value, or of one element, in bytes.
        size: u64,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::NotGranted { kind, name } => {
                write!(
                    f,
                    "no {kind} named `{name}` was granted: the pool's owner grants it by its name"
                )
            }
            OpenError::InUse { name } => write!(
                f,
                "the end `{name}` of a pipe is open already: it has one holder"
            ),
            OpenError::TooManyHandles { limit } => {
                write!(
                    f,
                    "{limit} handles are open, and no more may be: keep what is open instead of opening it again"
                )
            }
            OpenError::WrongLength { name, length, size } => {
                write!(
                    f,
                    "the buffer `{name}` has {length} bytes, and the type asked for takes {size}: is it another type?"
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}
