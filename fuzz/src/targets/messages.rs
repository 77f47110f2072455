//! Messages on sockets, and the handshake.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LIST_BYTES;
use crate::ids::{Generation, SlotId};
use crate::ipc::call::{Kind, ObjectGrant};
use crate::ipc::manifest::OverLimit;
use crate::ipc::wire::{
    self, Compile, Compiled, FromForkServer, FromWorker, HELLO_BYTES, HelloError, Load, TaskInfo,
    ToForkServer, ToWorkerMessage, VERSION, read_hello,
};
use crate::limits::Limits;
use crate::memory::bounded;
use crate::mode::{CodeMode, Isolation};
use crate::sandbox::layers::{Layers, Role};
use crate::sys::socket::MAX_MESSAGE;

/// A message: the first byte says who sent it to whom.
pub fn run(data: &[u8]) -> bool {
    let Some((who, message)) = data.split_first() else {
        return false;
    };
    let message = &message[..message.len().min(MAX_MESSAGE)];
    match who % 6 {
        0 => check::<FromWorker>(message),
        1 => check::<ToWorkerMessage>(message),
        2 => check::<FromForkServer>(message),
        3 => check::<ToForkServer>(message),
        4 => check::<Compiled>(message),
        _ => check::<Compile>(message),
    }
}

/// What is read is written, and is read as the same: numbers may have been longer than they need be.
fn check<T: Serialize + DeserializeOwned>(message: &[u8]) -> bool {
    let Ok(value) = bounded(message, 64, LIST_BYTES, || wire::decode::<T>(message)) else {
        return false;
    };
    let written = wire::encode(&value).expect("it was read");
    assert!(written.len() <= message.len(), "it became longer");
    let again: T = wire::decode(&written).expect("it was written");
    assert_eq!(wire::encode(&again).expect("it was read"), written);
    let mut longer = message.to_vec();
    longer.push(0);
    assert!(wire::decode::<T>(&longer).is_err(), "bytes behind it");
    true
}

/// The first message of a started process.
pub fn hello(data: &[u8]) -> bool {
    let read = bounded(data, 0, 0, || read_hello(data));
    let version = data.get(8..12).map(|v| v.to_vec());
    let magic = data.len() == HELLO_BYTES && data.starts_with(b"wasmpool");
    match read {
        Ok(role) => {
            assert_eq!(data[..13], wire::hello(role)[..13]);
            assert!(magic);
        }
        Err(HelloError::Foreign) => assert!(!magic),
        Err(HelloError::Version(v)) => {
            assert!(magic && v != VERSION);
            assert_eq!(version.as_deref(), Some(&v.to_le_bytes()[..]));
        }
        Err(HelloError::Role) => assert!(magic),
    }
    read.is_ok()
}

fn message<T: Serialize>(who: u8, message: &T) -> Vec<u8> {
    let mut out = vec![who];
    out.extend(wire::encode(message).expect("small"));
    out
}

pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let task = |name: &str| TaskInfo {
        name: name.into(),
        description: "What it does.".into(),
    };
    let failed = FromWorker::StartFailed {
        message: "unreachable".into(),
        backtrace: vec!["start".into()],
    };
    let load = Load {
        mode: CodeMode::default(),
        limits: Limits::default(),
        isolation: Isolation::Instance,
        code_bytes: 1 << 20,
        env: vec![("NAME".into(), "value".into())],
        objects: vec![ObjectGrant {
            name: "jobs".into(),
            kind: Kind::Barrier { parties: 2 },
        }],
        initializer: None,
        without: None,
        seed: 42,
    };
    let compile = Compile {
        mode: CodeMode::default(),
        limits: Limits::default(),
        module_bytes: 4096,
    };
    let refused = Compiled::Refused {
        message: "it exports nothing".into(),
        hint: Some("export a function".into()),
    };
    let over_limit = Compiled::OverLimit(OverLimit {
        what: "bytes".into(),
        needed: 100,
        limit: 10,
    });
    let done = Compiled::Done {
        code_bytes: 100_000,
        manifest_bytes: 300,
    };
    let (slot, generation) = (SlotId(3), Generation(70_000));
    let directory = ToForkServer::Directory {
        guest_path: "/data".into(),
        writable: true,
    };
    vec![
        ("worker-doorbell", message(0, &FromWorker::Doorbell)),
        ("worker-born", message(0, &FromWorker::Born)),
        (
            "worker-wants-a-file",
            message(0, &FromWorker::WantFile(1 << 26)),
        ),
        (
            "worker-ready",
            message(0, &FromWorker::Ready(vec![task("a"), task("b")])),
        ),
        ("worker-failed", message(0, &failed)),
        (
            "to-worker-payload",
            message(1, &ToWorkerMessage::Payload(1 << 33)),
        ),
        ("to-worker-file", message(1, &ToWorkerMessage::File)),
        (
            "fork-failed",
            message(
                2,
                &FromForkServer::ForkFailed(slot, generation, "no".into()),
            ),
        ),
        (
            "exited",
            message(2, &FromForkServer::Exited(slot, generation, -9)),
        ),
        ("fork", message(3, &ToForkServer::Fork(slot, generation))),
        ("load", message(3, &ToForkServer::Load(load))),
        ("directory", message(3, &directory)),
        (
            "compiler-locked",
            message(4, &Compiled::Locked(Layers::none())),
        ),
        ("compiled", message(4, &done)),
        ("refused", message(4, &refused)),
        ("over-limit", message(4, &over_limit)),
        ("compile", message(5, &compile)),
    ]
}

pub fn hello_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut newer = wire::hello(Role::Compiler);
    newer[8] += 1;
    let mut other = wire::hello(Role::Compiler);
    other[12] = 9;
    vec![
        ("compiler", wire::hello(Role::Compiler).to_vec()),
        ("fork-server", wire::hello(Role::ForkServer).to_vec()),
        ("newer", newer.to_vec()),
        ("no-such-role", other.to_vec()),
        ("http", b"GET / HTTP/1.1\r\n".to_vec()),
    ]
}
