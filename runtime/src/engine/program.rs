//! A component that is loaded, linked and ready to be instantiated any number of times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use super::config::{EngineError, LoadError, load, runtime_config_for};
use super::describe::is_minor;
use super::fixed;
use super::host::{self, Host};
use super::instance::State;
use super::objects::{self, GrantedObjects};
use super::wasi::{self, GrantedWasi};
use crate::grants::Granted;
use crate::ipc::manifest::{MAX_TEXT_BYTES, Needs};
use crate::ipc::wire::Initializer;
use crate::limits::Limits;
use crate::mode::CodeMode;
use crate::sys::memory::Mapping;
use crate::text::printable;

/// Why code is no program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProgramError {
    /// The engine could not be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The code was not taken.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An import is not what the pool offers under its name.
    #[error("the component cannot be linked: {0}")]
    Link(String),
}

impl ProgramError {
    fn link(error: wasmtime::Error) -> Self {
        ProgramError::Link(printable(&format!("{error:#}"), MAX_TEXT_BYTES))
    }
}

/// Where the two functions of `wasmpool:task/map` are.
pub(super) struct MapExport {
    pub(super) list_tasks: ComponentExportIndex,
    pub(super) run: ComponentExportIndex,
}

/// A component ready to be instantiated, for hosts of type `H`.
pub struct Program<H: Host> {
    pub(super) pre: InstancePre<State<H>>,
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    pub(super) mode: CodeMode,
    pub(super) map: Option<MapExport>,
    pub(super) has_wasi: bool,
    pub(super) granted: Arc<GrantedWasi>,
    pub(super) objects: Arc<GrantedObjects>,
    /// What each instance does before its first item.
    pub(super) initializer: Option<Initializer>,
    /// What randomness is made of, in deterministic mode.
    pub(super) seed: u64,
    /// Interruptions for which no sample was taken yet, where code is sampled.
    pub(super) requests: Arc<AtomicU32>,
    /// Behind all that points into it, so that it goes last.
    _code: Mapping,
}

impl<H: Host> std::fmt::Debug for Program<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("mode", &self.mode)
            .field("tasks", &self.map.is_some())
            .finish_non_exhaustive()
    }
}

impl<H: Host> Program<H> {
    /// Loads and links compiled code, for up to `slots` instances at a time. Runs nothing of it.
    ///
    /// The engine's pools are sized for what the component needs: what an engine for one component reserves, and
    /// RLIMIT_DATA counts, follows from the component and not from all that `limits` allow.
    ///
    /// Guests get what is `granted`, through WASI.
    ///
    /// # Safety
    /// `code` must be an executable mapping of what `compile` returned, of a file that nobody changes; or code whose
    /// every deed is survived once it is called, as in a locked worker.
    ///
    /// # Errors
    /// If the code is of another version or mode, needs more than `limits` allow, or imports what is not offered.
    pub unsafe fn load(
        code: Mapping,
        mode: CodeMode,
        limits: &Limits,
        slots: u32,
        needs: Option<&Needs>,
        mut granted: Granted,
    ) -> Result<Self, ProgramError> {
        let shared = std::mem::take(&mut granted.objects);
        let objects = GrantedObjects::new(shared.grants, shared.memory, mode.attach);
        let engine_for = |needs: &Needs| {
            Engine::new(&runtime_config_for(&mode, limits, slots, needs)).map_err(EngineError::new)
        };
        // SAFETY: the caller vouches for the code; the mapping lives as long as the program, which every instance
        // keeps alive.
        let load = |engine: &Engine| unsafe { load(engine, code.as_raw()) };
        let known = match needs {
            Some(needs) => *needs,
            None => needs_of(&load(&engine_for(&Needs::most(limits))?)?, limits),
        };
        let engine = engine_for(&known)?;
        let component = load(&engine)?;
        // Forked workers have the thread that does this, and so need not do it.
        Engine::tls_eager_initialize();
        let has_wasi = imports_wasi(&engine, &component);
        let mut linker = Linker::new(&engine);
        host::link(&mut linker).map_err(ProgramError::link)?;
        objects::link(&mut linker).map_err(ProgramError::link)?;
        if has_wasi {
            wasi::link(&mut linker).map_err(ProgramError::link)?;
            if mode.deterministic {
                fixed::link(&mut linker).map_err(ProgramError::link)?;
            }
        }
        Ok(Program {
            map: map_export(&engine, &component),
            pre: linker
                .instantiate_pre(&component)
                .map_err(ProgramError::link)?,
            engine,
            limits: limits.clone(),
            mode,
            has_wasi,
            granted: Arc::new(GrantedWasi::new(granted)),
            objects: Arc::new(objects),
            initializer: None,
            seed: 0,
            requests: Arc::default(),
            _code: code,
        })
    }

    /// The same with another seed than 0 for what is random in deterministic mode.
    pub fn seeded(self, seed: u64) -> Self {
        Program { seed, ..self }
    }

    /// The same with a call that each instance makes before its first item.
    pub fn initialized(self, initializer: Option<Initializer>) -> Self {
        Program {
            initializer,
            ..self
        }
    }

    /// Whether its code counts fuel, and clocks and randomness are fixed.
    pub fn is_deterministic(&self) -> bool {
        self.mode.deterministic
    }

    /// Whether its code looks at epochs.
    pub fn has_epochs(&self) -> bool {
        self.mode.epochs
    }

    /// The fuel of an instance, in a mode that counts it.
    pub(super) fn fuel(&self) -> Option<u64> {
        let limit = self.limits.fuel.unwrap_or(u64::MAX);
        self.mode.deterministic.then_some(limit)
    }

    /// Whether the component is written with the guest SDK: it lists its own tasks.
    pub fn has_tasks(&self) -> bool {
        self.map.is_some()
    }

    /// Makes running guest code look at its [`Stop`](super::stop::Stop), or, where it has none, stop as late; where code is
    /// sampled, tell where it is and go on. Only code compiled with epochs does. May be called in a signal handler: it adds
    /// to atomic numbers and does nothing else.
    pub fn interrupt(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.engine.increment_epoch();
    }
}

fn needs_of(component: &Component, limits: &Limits) -> Needs {
    component
        .resources_required()
        .map_or(Needs::most(limits), |needs| Needs {
            memories: needs.num_memories,
            tables: needs.num_tables,
            initial_memory_bytes: 0,
            initial_table_elements: 0,
        })
}

fn imports_wasi(engine: &Engine, component: &Component) -> bool {
    component
        .component_type()
        .imports(engine)
        .any(|(name, _)| name.starts_with("wasi:"))
}

fn map_export(engine: &Engine, component: &Component) -> Option<MapExport> {
    let ty = component.component_type();
    let name = ty.exports(engine).find_map(|(name, item)| {
        let (interface, version) = name.split_once('@')?;
        let fits = interface == "wasmpool:task/map" && is_minor(version, 0, 1);
        (fits && matches!(item.ty, ComponentItem::ComponentInstance(_))).then_some(name)
    })?;
    let map = component.get_export_index(None, name)?;
    Some(MapExport {
        list_tasks: component.get_export_index(Some(&map), "list-tasks")?,
        run: component.get_export_index(Some(&map), "run")?,
    })
}
