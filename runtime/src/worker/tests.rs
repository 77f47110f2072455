//! A worker's life over a real link, driven as a host would.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::serve::{End, serve};
use super::threads::{Setup, ThreadLauncher};
use crate::encoding::Encoding;
use crate::engine::compile::compile;
use crate::engine::program::Program;
use crate::failure::FailureKind;
use crate::grants::Granted;
use crate::ids::{Generation, Seq, SlotId};
use crate::ipc::frame::*;
use crate::ipc::launch::Launch;
use crate::ipc::link::{Control, HostLink, WorkerLink};
use crate::ipc::wire::{FromWorker, TaskInfo};
use crate::limits::{Limits, MIB};
use crate::mode::{CodeMode, Isolation};
use crate::sandbox::Locked;
use crate::sys::memory::{Mapping, sealed_memfd};

/// Functions that behave in every way, as text.
const ZOO: &str = r#"
(component
  (core module $m
    (memory (export "memory") 1)
    (global $calls (mut i32) (i32.const 0))
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      global.get $next
      local.tee $at
      local.get 3 i32.add global.set $next
      block
        loop
          memory.size i32.const 65536 i32.mul global.get $next i32.ge_u br_if 1
          i32.const 1 memory.grow i32.const -1 i32.ne br_if 0
        end
        unreachable
      end
      local.get $at)
    (func (export "reset") (param i32) i32.const 1024 global.set $next)
    (func (export "square") (param i64) (result i64) local.get 0 local.get 0 i64.mul)
    (func (export "count") (result i32)
      global.get $calls i32.const 1 i32.add global.set $calls global.get $calls)
    (func $inner (param i32) (result i32) i32.const 1 local.get 0 i32.div_s)
    (func $divide (export "divide") (param i32) (result i32) local.get 0 call $inner)
    (func $deep (export "deep") (result i32) call $deep i32.const 1 i32.add)
    (func (export "grow") (param i32) (result i32)
      local.get 0 memory.grow i32.const -1 i32.eq if unreachable end local.get 0)
    (func (export "spin") loop br 0 end)
    (func (export "echo") (param i32 i32) (result i32)
      i32.const 0 local.get 0 i32.store i32.const 4 local.get 1 i32.store i32.const 0))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func (export "square") (param "x" s64) (result s64) (canon lift (core func $i "square")))
  (func (export "count") (result u32) (canon lift (core func $i "count")))
  (func $divide (export "divide") (param "by" s32) (result s32) (canon lift (core func $i "divide")))
  (func (export "deep") (result s32) (canon lift (core func $i "deep")))
  (func (export "grow") (param "pages" u32) (result u32) (canon lift (core func $i "grow")))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "echo") (param "bytes" (list u8)) (result (list u8))
    (canon lift (core func $i "echo") (memory $memory) (realloc $realloc) (post-return (core func $i "reset")))))"#;

/// A worker in a thread, and the host's end.
struct Rig {
    link: HostLink,
    life: Option<JoinHandle<End>>,
    next: Seq,
    controls: Vec<Control>,
}

/// What came of an item: its status and bytes, or the worker's last word.
#[derive(Debug, PartialEq)]
enum Got {
    Result(Seq, Status, Vec<u8>),
    Log(Seq, Level, String),
    Ended(Seq, Ended),
}

fn program(module: &[u8], limits: &Limits) -> Arc<Program<Desk>> {
    let compiled = compile(module, &CodeMode::default(), limits).unwrap();
    let file = sealed_memfd("code", &[&compiled.code]).unwrap();
    let mapping = Mapping::executable(&file, compiled.code.len()).unwrap();
    // SAFETY: the code is what `compile` returned.
    Arc::new(
        unsafe {
            Program::load(
                mapping,
                CodeMode::default(),
                limits,
                1,
                None,
                Granted::default(),
            )
        }
        .unwrap(),
    )
}

impl Rig {
    fn new(module: &[u8], isolation: Isolation, limits: Limits) -> Rig {
        let (link, end) = HostLink::new().unwrap();
        let program = program(module, &limits);
        let life = std::thread::spawn(move || {
            let link = WorkerLink::new(end).unwrap();
            serve(
                Locked::thread_of_the_host(),
                &program,
                link,
                SlotId(3),
                isolation,
                &limits,
                None,
            )
        });
        Rig {
            link,
            life: Some(life),
            next: Seq(u32::MAX - 1),
            controls: Vec::new(),
        }
    }

    fn zoo() -> Rig {
        let mut rig = Rig::new(ZOO.as_bytes(), Isolation::Shared, Limits::default());
        assert_eq!(rig.ready(), []);
        rig
    }

    fn wait<T>(&mut self, mut done: impl FnMut(&mut Rig) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut controls = std::mem::take(&mut self.controls);
            let open = self.link.drain(&mut controls).unwrap();
            for control in controls {
                match control.message {
                    FromWorker::WantFile(bytes) => self.link.give_file(bytes).unwrap(),
                    _ => self.controls.push(control),
                }
            }
            if let Some(value) = done(self) {
                return value;
            }
            assert!(
                open,
                "the worker ended: {:?}",
                self.life.take().map(|l| l.join())
            );
            assert!(Instant::now() < deadline, "nothing came");
            std::thread::yield_now();
        }
    }

    fn ready(&mut self) -> Vec<TaskInfo> {
        match self.wait(|rig| rig.controls.pop()).message {
            FromWorker::Ready(tasks) => tasks,
            other => panic!("{other:?}"),
        }
    }

    fn bind(&mut self, number: u16, target: Target) {
        let frame = encode_bind(number, &target).unwrap();
        assert!(self.link.write(&[&frame]).unwrap());
    }

    fn send(&mut self, items: &[&[u8]], encoding: Encoding) -> Seq {
        let first = self.next;
        self.next = first.plus(items.len() as u32);
        self.link.page().claim.give(first, items.len() as u32);
        let mut payload = Vec::new();
        for item in items {
            payload.extend_from_slice(&(item.len() as u32).to_le_bytes());
            payload.extend_from_slice(item);
        }
        let head = ChunkHead {
            streamed: false,
            function: 1,
            input: encoding,
            output: encoding,
            first,
            count: items.len() as u32,
            by_descriptor: payload.len() > MAX_INLINE,
            timeout_micros: 30_000_000,
        };
        let mut frame = head.encode().to_vec();
        for index in 0..items.len() {
            frame.extend(
                ItemHead {
                    index: 100 + index as u64,
                    attempt: 2,
                }
                .encode(),
            );
        }
        if head.by_descriptor {
            let file = sealed_memfd("payload", &[&payload]).unwrap();
            use std::os::fd::AsFd;
            assert!(
                self.link
                    .send_payload(file.as_fd(), payload.len() as u64)
                    .unwrap()
            );
        } else {
            frame.extend_from_slice(&payload);
        }
        assert!(self.link.write(&[&frame]).unwrap());
        self.link.publish();
        first
    }

    fn get(&mut self) -> Got {
        let mut frame = Vec::new();
        self.wait(|rig| rig.link.read(&mut frame).unwrap().then_some(()));
        let got = match decode_to_host(&frame).unwrap() {
            ToHost::Result {
                item,
                status,
                payload: Some(bytes),
                ..
            } => Got::Result(item, status, bytes.to_vec()),
            ToHost::Result {
                item,
                status,
                payload: None,
                ..
            } => {
                let bytes = self.link.take_file().unwrap().to_vec();
                Got::Result(item, status, bytes)
            }
            ToHost::Log(item, level, text) => {
                Got::Log(item, level, String::from_utf8(text.to_vec()).unwrap())
            }
            ToHost::Ended(item, ended) => Got::Ended(item, ended),
            other @ (ToHost::Call { .. } | ToHost::Over(_) | ToHost::Sample { .. }) => {
                panic!("nothing is granted, or sampled: {other:?}")
            }
        };
        self.link.release();
        got
    }

    /// The results of JSON items, in order, all of them done.
    fn json(&mut self, items: &[&str]) -> Vec<String> {
        let items: Vec<_> = items.iter().map(|i| i.as_bytes()).collect();
        let first = self.send(&items, Encoding::Json);
        let result = |i: usize| match self.get() {
            Got::Result(item, Status::Done, bytes) => {
                assert_eq!(item, first.plus(i as u32));
                String::from_utf8(bytes).unwrap()
            }
            other => panic!("{other:?}"),
        };
        (0..items.len()).map(result).collect()
    }

    /// Runs one JSON item that ends the worker.
    fn ended(mut self, item: &str) -> Ended {
        let first = self.send(&[item.as_bytes()], Encoding::Json);
        loop {
            match self.get() {
                Got::Ended(item, ended) => {
                    assert_eq!(item, first);
                    assert!(matches!(self.end(), End::GuestEnded));
                    return ended;
                }
                Got::Log(..) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn end(mut self) -> End {
        let life = self.life.take().unwrap();
        drop(self);
        life.join().unwrap()
    }
}

fn export(name: &str) -> Rig {
    let mut rig = Rig::zoo();
    rig.bind(1, Target::Export(name.into()));
    rig
}

#[test]
fn chunks_come_in_and_results_go_out() {
    let mut rig = export("square");
    assert_eq!(rig.json(&["3", "-4", "0"]), ["9", "16", "0"]);
    assert_eq!(rig.json(&["5"]), ["25"]);
    let first = rig.send(&[b"6", b"no", b"7"], Encoding::Json);
    assert_eq!(rig.get(), Got::Result(first, Status::Done, b"36".to_vec()));
    match rig.get() {
        Got::Result(item, Status::InvalidInput, _) => assert_eq!(item, first.plus(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        rig.get(),
        Got::Result(first.plus(2), Status::Done, b"49".to_vec())
    );
    assert!(matches!(rig.end(), End::HostGone));
}

#[test]
fn a_chunk_for_a_function_that_is_not_bound_ends_the_worker() {
    let mut rig = Rig::zoo();
    rig.send(&[b"1"], Encoding::Json);
    let life = rig.life.take().unwrap();
    assert!(matches!(life.join().unwrap(), End::Broken(_)));
}

#[test]
fn instances_are_shared_or_fresh() {
    for (isolation, wanted) in [
        (Isolation::Shared, ["1", "2", "3"]),
        (Isolation::Instance, ["1", "1", "1"]),
    ] {
        let mut rig = Rig::new(ZOO.as_bytes(), isolation, Limits::default());
        rig.ready();
        rig.bind(1, Target::Export("count".into()));
        assert_eq!(rig.json(&["null", "null", "null"]), wanted);
    }
}

#[test]
fn items_taken_back_are_not_run() {
    let mut rig = export("count");
    let first = rig.next;
    rig.link.page().claim.give(first, 3);
    rig.link.page().claim.take_back();
    rig.next = first.plus(3);
    assert_eq!(rig.json(&["null"]), ["1"]);
}

#[test]
fn traps_name_their_item_and_the_guests_functions() {
    let mut rig = export("divide");
    let first = rig.send(&[b"1", b"0", b"1"], Encoding::Json);
    assert_eq!(rig.get(), Got::Result(first, Status::Done, b"1".to_vec()));
    let Got::Ended(item, ended) = rig.get() else {
        panic!("no last word");
    };
    assert_eq!(item, first.plus(1));
    assert_eq!(ended.kind, FailureKind::Trap);
    assert_eq!(ended.message, "wasm trap: integer divide by zero");
    assert_eq!(ended.backtrace, ["m: inner", "m: divide"]);
    assert!(matches!(rig.end(), End::GuestEnded));
}

#[test]
fn endless_recursion_is_a_trap_with_a_bounded_backtrace() {
    let ended = export("deep").ended("null");
    assert_eq!(ended.kind, FailureKind::Trap);
    assert_eq!(ended.message, "wasm trap: call stack exhausted");
    assert!((1..=64).contains(&ended.backtrace.len()));
}

#[test]
fn growth_beyond_the_limit_is_told_with_limit_and_use() {
    let mut rig = export("grow");
    assert_eq!(rig.json(&["4094"]), ["4094"]);
    let ended = rig.ended("2");
    assert_eq!(ended.kind, FailureKind::Memory);
    assert_eq!(
        ended.message,
        "memory limit of 256 MiB reached: 262080 KiB in use, 128 KiB more wanted"
    );
}

#[test]
fn results_beyond_the_limit_end_the_item() {
    let limits = Limits::new().result_bytes(1000);
    let mut rig = Rig::new(ZOO.as_bytes(), Isolation::Shared, limits);
    rig.ready();
    rig.bind(1, Target::Export("echo".into()));
    let first = rig.send(&[&[7; 1000]], Encoding::Raw);
    assert_eq!(rig.get(), Got::Result(first, Status::Done, vec![7; 1000]));
    let first = rig.send(&[&[7; 1001]], Encoding::Raw);
    match rig.get() {
        Got::Ended(item, ended) => {
            assert_eq!((item, ended.kind), (first, FailureKind::OutputLimit));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_payloads_travel_by_descriptor() {
    let mut rig = export("echo");
    for len in [0, MAX_INLINE - 4, MAX_INLINE, MAX_INLINE + 1, 5_000_000] {
        let item: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        let first = rig.send(&[&item], Encoding::Raw);
        assert!(rig.get() == Got::Result(first, Status::Done, item), "{len}");
    }
    let large = vec![1; MAX_INLINE + 1];
    let items = vec![large.as_slice(); 100];
    let first = rig.send(&items, Encoding::Raw);
    for index in 0..100 {
        assert!(rig.get() == Got::Result(first.plus(index), Status::Done, large.clone()));
    }
}

#[test]
fn a_component_that_traps_when_it_starts_says_so() {
    let module = r#"(component
      (core module $m (func $start unreachable) (start $start))
      (core instance (instantiate $m)))"#;
    let mut rig = Rig::new(module.as_bytes(), Isolation::Shared, Limits::default());
    match rig.wait(|rig| rig.controls.pop()).message {
        FromWorker::StartFailed { message, backtrace } => {
            assert!(message.contains("unreachable"), "{message}");
            assert_eq!(backtrace, ["m: start"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(rig.end(), End::StartFailed));
}

#[test]
fn threads_serve_and_are_stopped() {
    let limits = Limits::default();
    let mode = CodeMode::with_epochs(true);
    let compiled = compile(ZOO.as_bytes(), &mode, &limits).unwrap();
    let needs = compiled.manifest.needs;
    let setup = Setup {
        mode,
        seed: 0,
        initializer: None,
        needs: &needs,
        limits: &limits,
        slots: 1,
        granted: Granted::default(),
    };
    // SAFETY: the code is what `compile` returned.
    let launcher = unsafe { ThreadLauncher::new(&compiled.code, setup) };
    let mut launcher = launcher.unwrap();
    let start = |launcher: &mut ThreadLauncher| {
        let (link, end) = HostLink::new().unwrap();
        let kill = launcher.start(SlotId(0), Generation(0), end).unwrap();
        let mut rig = Rig {
            link,
            life: None,
            next: Seq(0),
            controls: Vec::new(),
        };
        rig.ready();
        (rig, kill.unwrap())
    };
    let (mut stuck, kill) = start(&mut launcher);
    let (mut other, _kill) = start(&mut launcher);
    stuck.bind(1, Target::Export("spin".into()));
    let first = stuck.send(&[b"null"], Encoding::Json);
    stuck.wait(|rig| (rig.link.page().claim.read().next == first.plus(1)).then_some(()));
    other.bind(1, Target::Export("square".into()));
    assert_eq!(other.json(&["4"]), ["16"]);
    kill.kill();
    let deadline = Instant::now() + Duration::from_secs(20);
    while stuck.link.drain(&mut stuck.controls).unwrap() {
        assert!(Instant::now() < deadline, "it spins on");
        std::thread::yield_now();
    }
    assert_eq!(other.json(&["5"]), ["25"]);
}

/// The built guest of this name; none, and a word about it, if guests were not built.
fn guest(name: &str) -> Option<Vec<u8>> {
    match std::env::var_os("WASMPOOL_GUESTS") {
        Some(folder) => {
            let path = std::path::Path::new(&folder).join(format!("{name}.wasm"));
            Some(std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        }
        None => {
            eprintln!("SKIPPED: set WASMPOOL_GUESTS to the folder of the built guests");
            None
        }
    }
}

fn task(module: &[u8], name: &str, limits: Limits, isolation: Isolation) -> Rig {
    let mut rig = Rig::new(module, isolation, limits);
    let tasks = rig.ready();
    let name = name.replace('_', "-");
    let index = tasks.iter().position(|t| t.name == name);
    rig.bind(
        1,
        Target::Task(index.unwrap_or_else(|| panic!("no task {name} in {tasks:?}")) as u32),
    );
    rig
}

#[test]
fn sdk_tasks_run_in_chunks() {
    let Some(zoo) = guest("zoo") else { return };
    let run = |name| task(&zoo, name, Limits::default(), Isolation::Shared);

    let items: Vec<String> = (0..3000).map(|i: i64| i.to_string()).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let mut rig = run("identity");
    assert_eq!(rig.json(&items), items);
    assert_eq!(rig.json(&["1"]), ["1"]);

    assert_eq!(
        run("whoami").json(&["null", "null"]),
        [100, 101].map(|index| format!(
            r#"{{"worker_index":3,"item_index":{index},"attempt":2,"has_deadline":true,"cancelled":false}}"#
        ))
    );
    let mut counter = task(&zoo, "counter", Limits::default(), Isolation::Instance);
    assert_eq!(counter.json(&["null", "null"]), ["1", "1"]);

    let mut rig = run("emit_n");
    let first = rig.send(&[b"2"], Encoding::Json);
    for (status, text) in [
        (Status::Emitted, "0"),
        (Status::Emitted, "1"),
        (Status::Done, "2"),
    ] {
        assert_eq!(rig.get(), Got::Result(first, status, text.into()));
    }

    let mut rig = run("log_lines");
    let first = rig.send(&[b"2"], Encoding::Json);
    assert_eq!(rig.get(), Got::Log(first, Level::Error, "line 0".into()));
    assert_eq!(rig.get(), Got::Log(first, Level::Warn, "line 1".into()));
    assert_eq!(rig.get(), Got::Result(first, Status::Done, b"2".to_vec()));
}

#[test]
fn sdk_tasks_end_as_their_kind_says() {
    let Some(zoo) = guest("zoo") else { return };
    let ended = |name, item: &str| {
        task(
            &zoo,
            name,
            Limits::default().memory(32 * MIB),
            Isolation::Shared,
        )
        .ended(item)
    };

    let panic = ended("panic_on", "13");
    assert_eq!(panic.kind, FailureKind::Trap);
    let wanted = "the guest panicked: thirteen is not served here (at ";
    assert!(panic.message.starts_with(wanted), "{}", panic.message);
    // The task itself is inlined into what calls it.
    let panicking = |f: &String| f == "zoo.wasm: core::panicking::panic_fmt";
    assert!(
        panic.backtrace.iter().any(panicking),
        "{:?}",
        panic.backtrace
    );

    let leak = ended("leak", "null");
    assert_eq!(leak.kind, FailureKind::Memory, "{leak:?}");
    assert!(
        leak.message.starts_with("memory limit of 32 MiB reached: "),
        "{leak:?}"
    );

    assert_eq!(ended("trap_unreachable", "1").kind, FailureKind::Trap);
    assert_eq!(ended("log_flood", "null").kind, FailureKind::OutputLimit);
    // The guest's own stack, in its memory, ends first.
    let recurse = ended("recurse", "0");
    assert_eq!(recurse.kind, FailureKind::Trap);
    assert_eq!(recurse.message, "wasm trap: out of bounds memory access");
}

#[test]
fn what_was_finished_before_a_trap_is_told_or_run_again_never_twice() {
    let Some(zoo) = guest("zoo") else { return };
    let mut rig = task(&zoo, "panic_on", Limits::default(), Isolation::Shared);
    let first = rig.send(&[b"1", b"2", b"13", b"4"], Encoding::Json);
    let mut done = Vec::new();
    let item = loop {
        match rig.get() {
            Got::Result(item, Status::Done, _) => done.push(item),
            Got::Ended(item, _) => break item,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(item, first.plus(2));
    assert!(
        done.is_sorted_by_key(|item| item.since(first)) && done.len() <= 2,
        "{done:?}"
    );
    assert_eq!(rig.link.page().claim.read().next, first.plus(3));
}

/// The copies of a large item against two plain copies of as many bytes. Run with `--release --nocapture --ignored`.
#[test]
#[ignore = "a measurement"]
fn speed_of_large_items() {
    let limits = Limits::default();
    let mut rig = Rig::new(ZOO.as_bytes(), Isolation::Shared, limits);
    rig.ready();
    rig.bind(1, Target::Export("echo".into()));
    let item = vec![7; 16 << 20];
    let (mut one, mut two) = (vec![0; item.len()], vec![0; item.len()]);
    for _ in 0..5 {
        let start = Instant::now();
        let first = rig.send(&[&item], Encoding::Raw);
        let mut frame = Vec::new();
        rig.wait(|rig| rig.link.read(&mut frame).unwrap().then_some(()));
        let served = start.elapsed();
        let _ = (first, rig.link.take_file().unwrap());
        rig.link.release();
        let start = Instant::now();
        one.copy_from_slice(std::hint::black_box(&item));
        two.copy_from_slice(std::hint::black_box(&one));
        println!("served {served:?}, two copies {:?}", start.elapsed());
        std::hint::black_box(&two);
    }
    let items = vec![b"3".as_slice(); 2000];
    rig.bind(1, Target::Export("square".into()));
    for (what, count) in [("one", 1), ("chunk of 2000", 2000)] {
        let start = Instant::now();
        for _ in 0..20 {
            rig.send(&items[..count], Encoding::Json);
            (0..count).for_each(|_| drop(rig.get()));
        }
        println!("{what}: {:?} a chunk", start.elapsed() / 20);
    }
}
