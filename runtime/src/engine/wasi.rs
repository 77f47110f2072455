//! WASI 0.2 for components that import it: clocks and randomness of the machine; standard output and error become log
//! messages; granted directories and environment variables; no sockets, no arguments, no input.
//!
//! wasmtime-wasi waits on an executor. Ours is one current-thread runtime a worker thread, made when the first
//! instance is: never in the fork server, and never with threads of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, EnterGuard, Runtime};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::bindings::sync::filesystem::preopens;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::poll as waiting;
use wasmtime_wasi_io::bytes::Bytes;

use super::files;
use super::host::Host;
use super::instance::State;
use crate::grants::{Directory, Granted};
use crate::ipc::frame::Level;

/// Bytes of a line that is not ended yet; a longer one is cut here.
const MAX_LINE_BYTES: usize = 4 << 10;
/// Bytes that a guest may write at once.
const WRITE_BYTES: usize = 64 << 10;

thread_local! {
    static RUNTIME: Option<&'static Runtime> = Builder::new_current_thread()
        .enable_time()
        .build()
        .ok()
        .map(|runtime| &*Box::leak(Box::new(runtime)));
}

pub(super) fn runtime() -> wasmtime::Result<&'static Runtime> {
    RUNTIME
        .with(|runtime| *runtime)
        .ok_or_else(|| wasmtime::Error::msg("no runtime for WASI could be made"))
}

/// Makes this thread's runtime the one that wasmtime-wasi finds, as long as the guard lives.
pub(super) fn enter() -> wasmtime::Result<EnterGuard<'static>> {
    Ok(runtime()?.enter())
}

/// What all instances of a program are granted, ready to be handed out.
#[derive(Default)]
pub(super) struct GrantedWasi {
    directories: Vec<(Dir, String)>,
    env: Vec<(String, String)>,
}

impl GrantedWasi {
    pub(super) fn new(granted: Granted) -> GrantedWasi {
        let dir = |directory: Directory| {
            let (perms, mode) = match directory.writable {
                true => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
                false => (FsPerms::ReadOnly, OpenMode::READ),
            };
            let dir = Dir::new(directory.fd.into(), perms, mode, true);
            (dir, directory.guest_path)
        };
        GrantedWasi {
            directories: granted.directories.into_iter().map(dir).collect(),
            env: granted.env,
        }
    }
}

/// What one instance has of WASI.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    /// What every guest has, and what it is granted.
    fn new<H: Host>(host: &H, granted: &GrantedWasi) -> Wasi {
        let lines = |level| Lines {
            host: host.clone(),
            level,
            open: Arc::default(),
        };
        Wasi {
            ctx: WasiCtx::builder()
                .stdout(lines(Level::Info))
                .stderr(lines(Level::Warn))
                .envs(&granted.env)
                // In this thread: a locked worker has no other one, and may not make one.
                .allow_blocking_current_thread(true)
                .allow_tcp(false)
                .allow_udp(false)
                .build(),
            table: ResourceTable::new(),
        }
    }
}

impl<H: Host> WasiView for State<H> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Wasi { ctx, table } = self.wasi();
        WasiCtxView { ctx, table }
    }
}

impl<H: Host> State<H> {
    /// The table of its WASI resources.
    pub(super) fn wasi_table(&mut self) -> &mut ResourceTable {
        &mut self.wasi().table
    }

    fn wasi(&mut self) -> &mut Wasi {
        self.wasi
            .get_or_insert_with(|| Wasi::new(&self.host, &self.granted))
    }
}

/// Links WASI 0.2.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    // The crate's own waiting does not drive the timers of a current-thread runtime: a sleep would never end.
    linker.allow_shadowing(true);
    poll::add_to_linker::<State<H>, Waiting>(linker, |state| Polls(&mut state.wasi().table))?;
    // The crate's own opens directories by their paths; ours are open, and a locked worker could open none.
    preopens::add_to_linker::<State<H>, Directories>(linker, |state| {
        let granted = state.granted.clone();
        Preopens(&mut state.wasi().table, granted)
    })?;
    files::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

struct Directories;

impl HasData for Directories {
    type Data<'a> = Preopens<'a>;
}

/// `wasi:filesystem/preopens`: the granted directories.
struct Preopens<'a>(&'a mut ResourceTable, Arc<GrantedWasi>);

impl preopens::Host for Preopens<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let each = |(dir, path): &(Dir, String)| {
            let descriptor = self.0.push(Descriptor::Dir(dir.clone()))?;
            Ok((descriptor, path.clone()))
        };
        self.1.directories.iter().map(each).collect()
    }
}

struct Waiting;

impl HasData for Waiting {
    type Data<'a> = Polls<'a>;
}

/// `wasi:io/poll`, waiting in this thread's own runtime.
struct Polls<'a>(&'a mut ResourceTable);

impl poll::Host for Polls<'_> {
    fn poll(&mut self, list: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        runtime()?.block_on(waiting::Host::poll(self.0, list))
    }
}

impl poll::HostPollable for Polls<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        runtime()?.block_on(waiting::HostPollable::ready(self.0, pollable))
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        runtime()?.block_on(waiting::HostPollable::block(self.0, pollable))
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        waiting::HostPollable::drop(self.0, pollable)
    }
}

/// A stream whose lines are log messages. Clones share the line that is not ended yet.
#[derive(Clone)]
struct Lines<H> {
    host: H,
    level: Level,
    open: Arc<Mutex<Vec<u8>>>,
}

impl<H: Host> Lines<H> {
    fn log(&self, line: &[u8]) -> StreamResult<()> {
        self.host
            .log(self.level, &String::from_utf8_lossy(line))
            .map_err(|e| StreamError::Trap(e.into()))
    }
}

impl<H> IsTerminal for Lines<H> {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl<H: Host> StdoutStream for Lines<H> {
    /// Only WASI 0.3 asks for this one, and is not linked.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl<H: Host> OutputStream for Lines<H> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let open = self.open.clone();
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            for piece in text.chunks(MAX_LINE_BYTES) {
                if open.len() + piece.len() > MAX_LINE_BYTES {
                    self.log(&std::mem::take(&mut *open))?;
                }
                open.extend_from_slice(piece);
            }
            if ended {
                self.log(&std::mem::take(&mut *open))?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl<H: Host> Pollable for Lines<H> {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}
