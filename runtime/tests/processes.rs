//! The compiler and the fork server as real processes, driven as a host would.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use wasmpool::encoding::Encoding;
use wasmpool::ids::{Generation, Seq, SlotId};
use wasmpool::ipc::frame::{
    ChunkHead, ItemHead, Status, Target, ToHost, decode_to_host, encode_bind,
};
use wasmpool::ipc::launch::ROLE_ARGUMENT;
use wasmpool::ipc::link::{Control, HostLink};
use wasmpool::ipc::manifest::Manifest;
use wasmpool::ipc::wire::{
    self, Compile, Compiled, FromForkServer, FromWorker, Load, ToForkServer,
};
use wasmpool::limits::Limits;
use wasmpool::mode::{CodeMode, Isolation};
use wasmpool::sandbox;
use wasmpool::sandbox::layers::Role;
use wasmpool::sys::memory::{Mapping, cut_and_seal, sealed_memfd, writable_memfd};
use wasmpool::sys::process::{OwnedChild, ProcessHandle, spawn};
use wasmpool::sys::socket::{MAX_MESSAGE, Socket};

const SQUARE: &str = r#"
(component
  (core module $m
    (memory 1)
    (data (i32.const 0) "an image")
    (func (export "square") (param i64) (result i64) local.get 0 local.get 0 i64.mul)
    (func (export "spin") loop br 0 end))
  (core instance $i (instantiate $m))
  (func (export "square") (param "x" s64) (result s64) (canon lift (core func $i "square")))
  (func (export "spin") (canon lift (core func $i "spin"))))"#;

/// A started process and the socket to it.
struct Process {
    socket: Socket,
    child: OwnedChild,
}

impl Process {
    fn start(hello: &[u8]) -> Process {
        let (socket, theirs) = Socket::pair().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_wasmpool"));
        let child = spawn(program.as_os_str(), &[ROLE_ARGUMENT], theirs).unwrap();
        socket.send(hello, &[]).unwrap();
        Process { socket, child }
    }

    fn role(role: Role) -> Process {
        let process = Process::start(&wire::hello(role));
        let mut buffer = [0; 64];
        let answer = process.socket.recv(&mut buffer).unwrap().unwrap();
        assert_eq!(wire::read_hello(&buffer[..answer.len]), Ok(role));
        process
    }

    fn send(&self, message: &impl serde::Serialize, fds: &[&OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        self.socket
            .send(&wire::encode(message).unwrap(), &fds)
            .unwrap();
    }

    fn receive<T: serde::de::DeserializeOwned>(&self) -> (T, Vec<OwnedFd>) {
        let mut buffer = vec![0; MAX_MESSAGE];
        let received = self.socket.recv(&mut buffer).unwrap().expect("an answer");
        (wire::decode(&buffer[..received.len]).unwrap(), received.fds)
    }
}

/// The compiler's answer, and the file that it wrote.
fn compile(module: &[u8], limits: &Limits) -> (Compiled, OwnedFd) {
    let mut compiler = Process::role(Role::Compiler);
    let file = sealed_memfd("module", &[module]).unwrap();
    let out = writable_memfd("code", limits.compiled_bytes, false).unwrap();
    let request = Compile {
        mode: CodeMode::default(),
        limits: limits.clone(),
        module_bytes: module.len() as u64,
    };
    compiler.send(&request, &[&file, &out]);
    let (locked, fds) = compiler.receive();
    assert!(fds.is_empty());
    let Compiled::Locked(layers) = locked else {
        panic!("{locked:?}");
    };
    assert_eq!(sandbox::missing(Role::Compiler, layers, false), []);
    let (answer, fds) = compiler.receive();
    assert!(fds.is_empty());
    assert_eq!(compiler.child.wait().unwrap().code(), Some(0));
    (answer, out)
}

/// A fork server that has loaded the component.
fn fork_server() -> Process {
    fork_server_without(None)
}

/// The same, whose workers are denied a system call of their list.
fn fork_server_without(call: Option<&str>) -> Process {
    let limits = Limits::default();
    let (answer, code) = compile(SQUARE.as_bytes(), &limits);
    let Compiled::Done { code_bytes, .. } = answer else {
        panic!("{answer:?}");
    };
    let server = Process::role(Role::ForkServer);
    let load = Load {
        mode: CodeMode::default(),
        limits,
        isolation: Isolation::Shared,
        code_bytes,
        env: Vec::new(),
        objects: Vec::new(),
        initializer: None,
        without: call.map(Into::into),
        seed: 0,
    };
    server.send(&ToForkServer::Load(load), &[&code]);
    let (loaded, _) = server.receive::<FromForkServer>();
    let FromForkServer::Loaded(layers) = loaded else {
        panic!("{loaded:?}");
    };
    assert_eq!(sandbox::missing(Role::ForkServer, layers, false), []);
    server
}

struct Worker {
    link: HostLink,
    handle: ProcessHandle,
}

fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "no {what}");
        std::thread::yield_now();
    }
}

fn worker(server: &Process, slot: u32) -> Worker {
    let (mut link, end) = HostLink::new().unwrap();
    let (socket, memory) = (OwnedFd::from(end.socket), end.memory);
    server.send(
        &ToForkServer::Fork(SlotId(slot), Generation(7)),
        &[&socket, &memory],
    );
    drop((socket, memory));
    let mut controls: Vec<Control> = Vec::new();
    let handle = until("ready worker", || {
        assert!(link.drain(&mut controls).unwrap(), "it ended: {controls:?}");
        match controls.as_slice() {
            [born, ready] => {
                assert!(matches!(born.message, FromWorker::Born));
                assert!(matches!(&ready.message, FromWorker::Ready(tasks) if tasks.is_empty()));
                Some(ProcessHandle::open(born.sender.unwrap()).unwrap())
            }
            _ => None,
        }
    });
    Worker { link, handle }
}

impl Worker {
    fn call(&mut self, number: u32, function: &str, item: &str) {
        let bind = encode_bind(1, &Target::Export(function.into())).unwrap();
        let head = ChunkHead {
            streamed: false,
            function: 1,
            input: Encoding::Json,
            output: Encoding::Json,
            first: Seq(number),
            count: 1,
            by_descriptor: false,
            timeout_micros: 0,
        };
        let heads = ItemHead {
            index: 0,
            attempt: 1,
        }
        .encode();
        let length = (item.len() as u32).to_le_bytes();
        self.link.page().claim.give(Seq(number), 1);
        assert!(self.link.write(&[&bind]).unwrap());
        let parts = [&head.encode()[..], &heads, &length, item.as_bytes()];
        assert!(self.link.write(&parts).unwrap());
        self.link.publish();
    }

    fn square(&mut self, number: u32, item: &str) -> String {
        self.call(number, "square", item);
        let mut frame = Vec::new();
        until("result", || {
            self.link.read(&mut frame).unwrap().then_some(())
        });
        self.link.release();
        match decode_to_host(&frame).unwrap() {
            ToHost::Result {
                item,
                status: Status::Done,
                payload: Some(bytes),
                ..
            } => {
                assert_eq!(item, Seq(number));
                String::from_utf8(bytes.to_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_module_is_compiled_and_described() {
    let (answer, code) = compile(SQUARE.as_bytes(), &Limits::default());
    let Compiled::Done {
        code_bytes,
        manifest_bytes,
    } = answer
    else {
        panic!("{answer:?}");
    };
    let bytes = code_bytes + manifest_bytes;
    cut_and_seal(&code, bytes).unwrap();
    let all = Mapping::read_only(code, bytes as usize).unwrap();
    let manifest = Manifest::decode(&all[code_bytes as usize..]).unwrap();
    let names: Vec<_> = manifest.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["square", "spin"]);
}

#[test]
fn a_module_that_is_none_is_refused() {
    let (answer, _) = compile(b"plain text", &Limits::default());
    assert!(matches!(answer, Compiled::Refused { .. }), "{answer:?}");
}

#[test]
fn a_version_that_does_not_fit_is_told() {
    let mut newer = wire::hello(Role::ForkServer);
    newer[8] = 200;
    let mut process = Process::start(&newer);
    let mut buffer = [0; 64];
    let answer = process.socket.recv(&mut buffer).unwrap().unwrap();
    assert!(wire::read_hello(&buffer[..answer.len]).is_ok());
    assert_eq!(process.child.wait().unwrap().code(), Some(4));
}

#[test]
fn a_stranger_is_turned_away() {
    let mut process = Process::start(b"GET / HTTP/1.1");
    assert_eq!(process.child.wait().unwrap().code(), Some(2));
}

#[test]
fn workers_are_forked_serve_and_their_ends_are_told() {
    let server = fork_server();
    let (mut a, mut b) = (worker(&server, 0), worker(&server, 1));
    for number in 0..100 {
        assert_eq!(a.square(number, "7"), "49");
        assert_eq!(b.square(number, "-3"), "9");
    }
    a.call(100, "spin", "null");
    until("start", || {
        (a.link.page().claim.read().next == Seq(101)).then_some(())
    });
    a.handle.kill();
    match server.receive::<FromForkServer>().0 {
        FromForkServer::Exited(SlotId(0), Generation(7), status) => {
            assert_eq!(std::process::ExitStatus::from_raw(status).signal(), Some(9));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(b.square(100, "4"), "16");
    drop(b.link);
    match server.receive::<FromForkServer>().0 {
        FromForkServer::Exited(SlotId(1), Generation(7), 0) => {}
        other => panic!("{other:?}"),
    }
    let mut again = worker(&server, 0);
    assert_eq!(again.square(0, "5"), "25");
}

/// The one entry of a worker's list whose lack fails no item: a worker that may not end by itself is ended.
#[test]
fn a_worker_needs_its_list_to_end_as_it_should() {
    let server = fork_server_without(Some("exit_group"));
    drop(worker(&server, 0).link);
    match server.receive::<FromForkServer>().0 {
        FromForkServer::Exited(SlotId(0), Generation(7), status) => {
            let signal = rustix::process::Signal::SYS.as_raw();
            let status = std::process::ExitStatus::from_raw(status);
            assert_eq!(status.signal(), Some(signal));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_holds_only_its_own_socket_and_its_components_images() {
    let server = fork_server();
    let _first = worker(&server, 0);
    let second = worker(&server, 1);
    let folder = format!("/proc/{}/fd", second.handle.pid());
    let mut others = Vec::new();
    // Not dumpable, so only root can look.
    let Ok(entries) = std::fs::read_dir(folder) else {
        assert!(!rustix::process::geteuid().is_root());
        eprintln!("SKIPPED: only root sees the descriptors of a worker");
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let (number, link) = (entry.file_name(), std::fs::read_link(entry.path()).unwrap());
        let name = link.to_string_lossy().into_owned();
        match number.to_str().unwrap() {
            "0" => assert!(name.starts_with("socket:"), "{name}"),
            "1" => assert_eq!(name, "/dev/null"),
            "2" => assert!(name.starts_with("pipe:"), "{name}"),
            _ if name.contains("memfd:wasm") => {}
            _ => others.push(name),
        }
    }
    assert_eq!(others, Vec::<String>::new());
}

#[test]
fn workers_end_with_their_fork_server() {
    let mut server = fork_server();
    let mut worker = worker(&server, 0);
    worker.call(0, "spin", "null");
    server.child.end().unwrap();
    let mut controls = Vec::new();
    until("end", || {
        (!worker.link.drain(&mut controls).unwrap()).then_some(())
    });
}

#[test]
fn a_fork_server_ends_with_its_host() {
    let mut server = fork_server();
    let (closed, _) = Socket::pair().unwrap();
    drop(std::mem::replace(&mut server.socket, closed));
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn code_that_is_none_is_not_loaded() {
    let server = Process::role(Role::ForkServer);
    let file = sealed_memfd("code", &[&[7; 8192]]).unwrap();
    let load = Load {
        mode: CodeMode::default(),
        limits: Limits::default(),
        isolation: Isolation::Shared,
        code_bytes: 8192,
        env: Vec::new(),
        objects: Vec::new(),
        initializer: None,
        without: None,
        seed: 0,
    };
    server.send(&ToForkServer::Load(load), &[&file]);
    let (answer, _) = server.receive::<FromForkServer>();
    assert!(
        matches!(answer, FromForkServer::LoadFailed(_)),
        "{answer:?}"
    );
}

/// From asking for a worker to its first result. Run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed_of_a_new_worker() {
    let server = fork_server();
    let mut times: Vec<_> = (0..200)
        .map(|slot| {
            let start = Instant::now();
            let mut worker = worker(&server, slot);
            worker.square(0, "3");
            let time = start.elapsed();
            drop(worker);
            server.receive::<FromForkServer>();
            time
        })
        .collect();
    times.sort();
    println!(
        "fork to first result: median {:?}, worst {:?}",
        times[100], times[199]
    );
}
