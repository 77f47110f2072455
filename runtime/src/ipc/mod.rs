//! What host and workers say to each other, and how it travels. The protocol stands in the middle: `pool` and `worker`
//! import it and never each other.
//!
//! - `ground`: the atomics that all of it stands on.
//! - `page`: the words that both sides of a worker's shared memory read and write.
//! - `lease`: a lock that an instance was lent, as one of those words.
//! - `ring`: byte rings in it, frames in and out.
//! - `frame`: what the frames mean.
//! - `call`: what a worker asks of shared objects, and the answers.
//! - `wire`: the messages on sockets.
//! - `link`: a worker's socket and rings together, one type a side.
//! - `trial`: the shared memory of a probe's process.
//! - `launch`: how a pool gets workers.
//! - `manifest`: what a compiler process says of a module; `lookup`: finding a function in it.
//!
//! Everything that is read here was written by a process that may be hostile: it is bounded and copied, then parsed.

pub mod call;
pub mod frame;
pub mod ground;
pub mod launch;
pub mod lease;
pub mod link;
pub mod lookup;
pub mod manifest;
pub mod page;
pub mod ring;
pub mod trial;
pub mod wire;
