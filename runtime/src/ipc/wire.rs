//! The messages on sockets: handshakes, control, and what accompanies descriptors.
//!
//! The first message of a started process, and the answer to it, have a fixed layout that no version changes: magic,
//! version, role. With the first come the doors of a control group, if there is one. All others are postcard and may change with [`VERSION`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::call::ObjectGrant;
use super::manifest::OverLimit;
use crate::ids::{Generation, SlotId};
use crate::limits::Limits;
use crate::mode::{CodeMode, Isolation};
use crate::sandbox::layers::{Layers, Role};

/// The version of everything in `ipc`. A host and its processes must have the same.
pub const VERSION: u32 = 8;

const MAGIC: [u8; 8] = *b"wasmpool";

/// Bytes of a handshake message.
pub const HELLO_BYTES: usize = 16;

/// The handshake message of this version.
pub fn hello(role: Role) -> [u8; HELLO_BYTES] {
    let mut out = [0; HELLO_BYTES];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12] = match role {
        Role::Compiler => 1,
        Role::ForkServer => 2,
        Role::WorkerProber => 3,
        Role::CompilerProber => 4,
    };
    out
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Not this protocol at all.
    #[error("the other process does not speak wasmpool's protocol")]
    Foreign,
    /// Another version of it.
    #[error(
        "the other process speaks version {0} of wasmpool's protocol, this one version {VERSION}"
    )]
    Version(u32),
    /// A role that this version does not have.
    #[error("the other process asks for a role that this version does not have")]
    Role,
}

/// Reads a handshake message.
pub fn read_hello(message: &[u8]) -> Result<Role, HelloError> {
    let message: &[u8; HELLO_BYTES] = message.try_into().map_err(|_| HelloError::Foreign)?;
    if message[..8] != MAGIC {
        return Err(HelloError::Foreign);
    }
    let version = u32::from_le_bytes([message[8], message[9], message[10], message[11]]);
    match (version, message[12]) {
        (VERSION, 1) => Ok(Role::Compiler),
        (VERSION, 2) => Ok(Role::ForkServer),
        (VERSION, 3) => Ok(Role::WorkerProber),
        (VERSION, 4) => Ok(Role::CompilerProber),
        (VERSION, _) => Err(HelloError::Role),
        (other, _) => Err(HelloError::Version(other)),
    }
}

/// Host to compiler. With two descriptors: the module, sealed; the file for the code and the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compile {
    /// How to compile.
    pub mode: CodeMode,
    /// The bounds on it.
    pub limits: Limits,
    /// Bytes of the module.
    pub module_bytes: u64,
}

/// Compiler to host. Never with a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Compiled {
    /// First message: it is locked, and has not looked at the module yet.
    Locked(Layers),
    /// The code, then the manifest, are in the file.
    Done {
        /// Bytes of the code, from offset 0.
        code_bytes: u64,
        /// Bytes of the manifest, behind the code.
        manifest_bytes: u64,
    },
    /// The module cannot be used.
    Refused {
        /// What and why.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The module asks for more than a limit allows.
    OverLimit(OverLimit),
}

/// Host to fork server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum ToForkServer {
    /// Before the code. With a descriptor: a directory that guests are granted.
    Directory {
        /// What they call it.
        guest_path: String,
        /// Whether they may change what is in it.
        writable: bool,
    },
    /// Before the code. With a descriptor: the memory of the next buffer among the granted objects.
    Buffer,
    /// With a descriptor: the code.
    Load(Load),
    /// Fork a worker. With two descriptors: its end of the socket pair, its shared memory.
    Fork(SlotId, Generation),
}

/// What a fork server is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    /// How the code was compiled.
    pub mode: CodeMode,
    /// The limits of every item.
    pub limits: Limits,
    /// How far items are kept apart.
    pub isolation: Isolation,
    /// Bytes of the code.
    pub code_bytes: u64,
    /// Environment variables that guests are granted.
    pub env: Vec<(String, String)>,
    /// Objects that guests are granted.
    pub objects: Vec<ObjectGrant>,
    /// What each instance does before its first item.
    pub initializer: Option<Initializer>,
    /// What randomness is made of, in deterministic mode.
    pub seed: u64,
    /// A system call that workers are denied although their list has it.
    pub without: Option<String>,
}

/// A call that each instance makes before its first item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initializer {
    /// What is called.
    pub function: InitialFunction,
    /// Its item, in JSON.
    pub item: Vec<u8>,
}

/// What an initialiser is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitialFunction {
    /// An exported function, by its full name in the manifest.
    Export(String),
    /// A task, by its name, which the instance itself finds in its list.
    Task(String),
}

/// Fork server to host. Never with a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromForkServer {
    /// The server is locked, the code is mapped; workers can be forked.
    Loaded(Layers),
    /// The code cannot be used.
    LoadFailed(String),
    /// A worker could not be forked.
    ForkFailed(SlotId, Generation, String),
    /// A worker has ended; the number is the status as `wait` gives it.
    Exited(SlotId, Generation, i32),
}

/// Host to prober.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToProber {
    /// First, once: the limits by which its processes are bounded.
    Begin(Limits),
    /// Try the probe at this place of their list. With two descriptors, as for a worker: its end of a socket pair, its
    /// shared memory, a [`Trial`](super::trial::Trial).
    Try(u32),
}

/// Prober to host. Never with a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromProber {
    /// It is locked as far as the server of such processes is; they have these layers around them.
    Ready(Layers),
    /// A process for a probe could not be forked.
    ForkFailed(String),
    /// The process of a probe has ended; the number is the status as `wait` gives it.
    Ended(u32, i32),
}

/// A task as the guest lists it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// for task in pool.tasks()? {
///     println!("{}: {}", task.name, task.description);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
}

/// Host to worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToWorkerMessage {
    /// Look at the rings.
    Doorbell,
    /// With a descriptor: the payload of a chunk, sealed, of so many bytes.
    Payload(u64),
    /// With a descriptor: the file that the worker asked for.
    File,
    /// With a descriptor: the message of an answer, sealed, of so many bytes.
    Message(u64),
}

/// Worker to host. Never with a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromWorker {
    /// Look at the rings.
    Doorbell,
    /// A file for a result, or for the message of a call, of so many bytes is wanted.
    WantFile(u64),
    /// The process is there; nothing of the guest has run.
    Born,
    /// The component is instantiated.
    Ready(Vec<TaskInfo>),
    /// The component cannot be instantiated, or does not list its tasks.
    StartFailed {
        /// What happened.
        message: String,
        /// The guest's frames, innermost first.
        backtrace: Vec<String>,
    },
}

/// Writes a message. Fails only for one that is too large for the socket.
pub fn encode<T: Serialize>(message: &T) -> std::io::Result<Vec<u8>> {
    postcard::to_stdvec(message).map_err(std::io::Error::other)
}

/// Reads a message.
pub fn decode<T: DeserializeOwned>(message: &[u8]) -> std::io::Result<T> {
    let broken = |_| {
        std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "a message that breaks the protocol",
        )
    };
    let (value, rest) = postcard::take_from_bytes(message).map_err(broken)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(broken(postcard::Error::DeserializeBadEncoding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_never_changes() {
        assert_eq!(&hello(Role::Compiler), b"wasmpool\x08\0\0\0\x01\0\0\0");
        for role in [
            Role::Compiler,
            Role::ForkServer,
            Role::WorkerProber,
            Role::CompilerProber,
        ] {
            assert_eq!(read_hello(&hello(role)), Ok(role));
        }
        let mut newer = hello(Role::Compiler);
        newer[8] = 9;
        assert_eq!(read_hello(&newer), Err(HelloError::Version(9)));
        assert_eq!(read_hello(b"GET / HTTP/1.1\r\n"), Err(HelloError::Foreign));
        assert_eq!(read_hello(b""), Err(HelloError::Foreign));
    }

    #[test]
    fn a_doorbell_is_one_byte() {
        assert_eq!(encode(&FromWorker::Doorbell).unwrap(), [0]);
        assert_eq!(encode(&ToWorkerMessage::Doorbell).unwrap(), [0]);
    }
}
