//! How the engine is set up: once to compile, once to run, agreeing on all that compiled code depends on.
//!
//! Owns the engine's configuration, the fingerprint of compiled code, and loading it. Code is never made executable
//! here: who loads it has mapped it so, and nothing in this process changes the protection of a page to executable.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::Arc;

use thiserror::Error;
use wasmtime::component::Component;
use wasmtime::{
    Config, CustomCodeMemory, Enabled, Engine, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig, WasmBacktraceDetails, WasmFeatures,
};

use crate::ipc::manifest::{MAX_TEXT_BYTES, Needs, printable};
use crate::limits::Limits;
use crate::mode::CodeMode;
use crate::sys::memory::PAGE;

/// Raised when the same module would become other code, or another manifest, though no version number changed.
const REVISION: u32 = 5;
/// The release of the engine that is built in.
pub const VERSION: &str = wasmtime_environ::VERSION;
/// Frames of a guest's backtrace, at most.
const BACKTRACE_FRAMES: usize = 32;
/// Frames of a sample, at most: what is left out of it is what called all the rest.
pub(super) const SAMPLE_FRAMES: usize = 128;

/// An engine that could not be set up. A fault of the pool or its machine, never of the module.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the WebAssembly engine cannot be set up: {0}")]
pub struct EngineError(pub(crate) String);

impl EngineError {
    pub(crate) fn new(error: wasmtime::Error) -> Self {
        EngineError(printable(&format!("{error:#}"), MAX_TEXT_BYTES))
    }
}

/// Compiled code that could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// The mapping does not start at a page boundary.
    #[error("compiled code is not mapped at a page boundary")]
    Unaligned,
    /// The engine does not take it: damaged, of another version or mode, or over a limit.
    #[error("compiled code cannot be loaded: {0}")]
    Refused(String),
}

/// The configuration under which the compiler process compiles. Uses all processors.
pub fn compiler_config(mode: &CodeMode) -> Config {
    let mut config = common(mode);
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(mode.deterministic)
        .parallel_compilation(true);
    config
}

/// The configuration under which code of any component within `limits` runs, in up to `slots` stores at a time.
///
/// Reserves address space, not memory, except that tables count as data (see [`runtime_config_for`]).
pub fn runtime_config(mode: &CodeMode, limits: &Limits, slots: u32) -> Config {
    runtime_config_for(mode, limits, slots, &Needs::most(limits))
}

/// The same for one known component: pools are sized for what it needs and not for all that `limits` allow.
///
/// The table pool is a private writable mapping of `slots × tables × limits.table_elements × 8` bytes, all of which
/// RLIMIT_DATA counts although only touched pages take memory. With the default limits and no knowledge of the
/// component that is 51 MB a slot; a component of one table needs 0.8 MB. `needs` need not be true: code that needs
/// more is refused by [`load`], and no pool is larger than `limits` allow.
pub fn runtime_config_for(mode: &CodeMode, limits: &Limits, slots: u32, needs: &Needs) -> Config {
    let slots = slots.max(1);
    let memories = needs.memories.clamp(1, limits.instances.max(1));
    let tables = needs.tables.clamp(1, limits.instances.max(1));
    let total = |each: u32| slots.saturating_mul(each);
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);

    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .max_core_instances_per_component(limits.instances)
        .total_core_instances(total(limits.instances))
        .max_memories_per_component(memories)
        .max_memories_per_module(memories)
        .total_memories(total(memories))
        .max_memory_size(size(
            limits.memory_bytes.min(1 << 32).next_multiple_of(1 << 16),
        ))
        .max_tables_per_component(tables)
        .max_tables_per_module(tables)
        .total_tables(total(tables))
        .table_elements(size(limits.table_elements))
        // Calls are synchronous: no fibers, whose stacks would be private writable mappings too.
        .total_stacks(0)
        // Would ask for a system call that a locked worker does not have.
        .pagemap_scan(Enabled::No);

    let mut config = common(mode);
    let stack = size(limits.stack_bytes).max(PAGE);
    let frames = match mode.profile {
        true => SAMPLE_FRAMES,
        false => BACKTRACE_FRAMES,
    };
    config
        .enable_compiler(false)
        .max_wasm_stack(stack)
        // Never allocated, but must be larger than the stack of the guest.
        .async_stack_size(stack.saturating_add(1 << 20))
        .wasm_backtrace_max_frames(NonZeroUsize::new(frames))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// All that must agree between compiling and running.
fn common(mode: &CodeMode) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(mode.epochs)
        .consume_fuel(mode.deterministic)
        // Said here, since the default is read from the environment. Debug information stays as the module has it, and is
        // looked at in a worker that has trapped; but every frame of every sample would look at it too.
        .wasm_backtrace_details(match mode.profile {
            true => WasmBacktraceDetails::Disable,
            false => WasmBacktraceDetails::Enable,
        })
        // Only foreign unwinders read it.
        .native_unwind_info(false)
        // Bounds checks are done by the guard regions, which the default reservation of 4 GiB allows.
        .signals_based_traps(true)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .guard_before_linear_memory(true)
        // Instances start from a shared image of their memory instead of copying it. What was attached could not be put
        // back over an image: zeros are what the engine expects behind memory without one.
        .memory_init_cow(!mode.attach)
        // The same result on every machine.
        .relaxed_simd_deterministic(true)
        .shared_memory(false)
        .concurrency_support(false)
        .with_custom_code_memory(Some(Arc::new(MappedExecutable)));
    for feature in REFUSED_FEATURES {
        config.wasm_features(feature, false);
    }
    config
}

/// Proposals that tasks have no use for: each would be more engine to attack.
const REFUSED_FEATURES: [WasmFeatures; 18] = [
    WasmFeatures::THREADS,
    WasmFeatures::SHARED_EVERYTHING_THREADS,
    WasmFeatures::MEMORY64,
    WasmFeatures::CUSTOM_PAGE_SIZES,
    WasmFeatures::STACK_SWITCHING,
    WasmFeatures::GC,
    WasmFeatures::GC_TYPES,
    WasmFeatures::FUNCTION_REFERENCES,
    WasmFeatures::EXCEPTIONS,
    WasmFeatures::LEGACY_EXCEPTIONS,
    WasmFeatures::WIDE_ARITHMETIC,
    WasmFeatures::CM_ASYNC,
    WasmFeatures::CM_ASYNC_STACKFUL,
    WasmFeatures::CM_MORE_ASYNC_BUILTINS,
    WasmFeatures::CM_THREADING,
    WasmFeatures::CM_ERROR_CONTEXT,
    WasmFeatures::CM_GC,
    WasmFeatures::CM_FIXED_LENGTH_LISTS,
];

/// Code that is executable because of how it was mapped; publishing it does nothing.
struct MappedExecutable;

impl CustomCodeMemory for MappedExecutable {
    fn required_alignment(&self) -> usize {
        PAGE
    }

    fn publish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
        Ok(())
    }

    fn unpublish_executable(&self, _: *const u8, _: usize) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// Loads compiled code that is mapped readable and executable, and prepares the images of its memories.
///
/// Makes no system call but those for the images, one memfd for each memory with data; so load before locking if
/// the lock forbids `memfd_create`. Compiles nothing and copies no code.
///
/// # Safety
/// `code` must be what [`compile`](super::compile::compile) returned, mapped `PROT_READ | PROT_EXEC`, and must stay
/// mapped and unchanged until the component, its clones and all instances of it are gone. Loading executes nothing,
/// but code that was not made by the compiler does whatever it likes when it is called: only load it where that
/// is survived.
///
/// # Errors
/// If the code was compiled by another version, in another mode or for another processor, or needs more than the
/// engine's pools have.
pub unsafe fn load(engine: &Engine, code: NonNull<[u8]>) -> Result<Component, LoadError> {
    if !code.cast::<u8>().addr().get().is_multiple_of(PAGE) {
        return Err(LoadError::Unaligned);
    }
    let refused =
        |e: wasmtime::Error| LoadError::Refused(printable(&format!("{e:#}"), MAX_TEXT_BYTES));
    // SAFETY: the caller vouches for the code, for its mapping and for how long it lives.
    let component = unsafe { Component::deserialize_raw(engine, code) }.map_err(refused)?;
    component
        .initialize_copy_on_write_image()
        .map_err(refused)?;
    Ok(component)
}

/// What compiled code of `mode` depends on, besides the module: the engine, its settings, this processor's features,
/// this crate. Code may be reused only where the fingerprint is the same.
///
/// # Errors
/// If the engine cannot be set up.
pub fn fingerprint(mode: &CodeMode) -> Result<[u8; 32], EngineError> {
    let engine = Engine::new(&compiler_config(mode)).map_err(EngineError::new)?;
    let mut hasher = ContentHasher(blake3::Hasher::new_derive_key(
        "wasmpool compiled component",
    ));
    (env!("CARGO_PKG_VERSION"), REVISION, mode).hash(&mut hasher);
    super::adapter::PARTS.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(*hasher.0.finalize().as_bytes())
}

/// Feeds what `Hash` writes to a hash that is stable between processes.
struct ContentHasher(blake3::Hasher);

impl Hasher for ContentHasher {
    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
