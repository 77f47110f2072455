//! WASI 0.2 for components that import it: clocks and randomness of the machine; granted directories and environment
//! variables; the standard streams and arguments of [`super::stdio`]; no sockets.
//!
//! wasmtime-wasi waits on an executor. Ours is one current-thread runtime a worker thread, made when the first
//! instance is: never in the fork server, and never with threads of its own.

use std::sync::Arc;

use tokio::runtime::{Builder, EnterGuard, Runtime};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, Dir};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::cli::environment;
use wasmtime_wasi::p2::bindings::sync::filesystem::preopens;
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::{FsPerms, OpenMode, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::poll as waiting;

use super::files;
use super::host::Host;
use super::instance::State;
use super::stdio::Stdio;
use crate::grants::{Directory, Granted};

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
    /// What every guest has.
    fn new<H: Host>(stdio: &Stdio<H>) -> Wasi {
        Wasi {
            ctx: WasiCtx::builder()
                .stdin(stdio.input())
                .stdout(stdio.output())
                .stderr(stdio.error())
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
        self.wasi.get_or_insert_with(|| Wasi::new(&self.stdio))
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
    // The crate's own has one set of arguments for good; the item of a command comes later than its instance.
    environment::add_to_linker::<State<H>, Surroundings<H>>(linker, |state| Environment {
        env: &state.granted.env,
        stdio: &state.stdio,
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

struct Surroundings<H>(std::marker::PhantomData<H>);

impl<H: Host> HasData for Surroundings<H> {
    type Data<'a> = Environment<'a, H>;
}

/// `wasi:cli/environment`: the granted variables, and the arguments of a command.
struct Environment<'a, H> {
    env: &'a [(String, String)],
    stdio: &'a Stdio<H>,
}

impl<H: Host> environment::Host for Environment<'_, H> {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.env.to_vec())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.stdio.args())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}
