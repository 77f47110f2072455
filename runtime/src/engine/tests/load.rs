//! Compiled code loads and runs where it is only ever mapped executable.

use std::ffi::c_void;
use std::fs::File;
use std::io::Write;
use std::ptr::NonNull;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store, Trap, WasmBacktrace};

use super::*;
use crate::engine::config::{LoadError, fingerprint, load, runtime_config, runtime_config_for};

/// Compiled code, mapped as a worker maps it.
struct Mapped(NonNull<[u8]>);

impl Mapped {
    fn new(code: &[u8]) -> Self {
        let mut file = File::from(memfd_create("code", MemfdFlags::CLOEXEC).unwrap());
        file.write_all(code).unwrap();
        let access = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: a new mapping, of a file that nobody else can write.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                code.len(),
                access,
                MapFlags::PRIVATE,
                &file,
                0,
            )
        }
        .unwrap();
        Mapped(NonNull::slice_from_raw_parts(
            NonNull::new(start.cast()).unwrap(),
            code.len(),
        ))
    }

    fn load(&self, engine: &Engine) -> Result<Component, LoadError> {
        // SAFETY: the code comes from `compile`, and every test drops the component before the mapping.
        unsafe { load(engine, self.0) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nothing of it is in use any more.
        unsafe { munmap(self.0.as_ptr().cast::<c_void>(), self.0.len()) }.unwrap();
    }
}

fn engine(mode: &CodeMode, limits: &Limits, slots: u32) -> Engine {
    Engine::new(&runtime_config(mode, limits, slots)).unwrap()
}

/// Mappings of this process that are executable and come from no file.
fn anonymous_executable() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let of_kernel = |line: &&str| line.ends_with("[vdso]") || line.ends_with("[vsyscall]");
    maps.lines()
        .filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|access| access.contains('x'))
        })
        .filter(|line| !line.contains('/') && !of_kernel(line))
        .map(Into::into)
        .collect()
}

#[test]
fn code_runs_from_a_mapping_and_nothing_else_becomes_executable() {
    let limits = Limits::default();
    for mode in [CodeMode::default(), CodeMode::with_epochs(true)] {
        let compiled = compile(SQUARE.as_bytes(), &mode, &limits).unwrap();
        let mapped = Mapped::new(&compiled.code);
        for engine in [
            engine(&mode, &limits, 2),
            Engine::new(&runtime_config_for(
                &mode,
                &limits,
                2,
                &compiled.manifest.needs,
            ))
            .unwrap(),
        ] {
            let component = mapped.load(&engine).unwrap();
            let mut store = Store::new(&engine, ());
            if mode.epochs {
                store.set_epoch_deadline(1);
            }
            let instance = Linker::new(&engine)
                .instantiate(&mut store, &component)
                .unwrap();
            let square = instance
                .get_typed_func::<(i64,), (i64,)>(&mut store, "square")
                .unwrap();
            assert_eq!(square.call(&mut store, (-7,)).unwrap(), (49,));
            let first = instance
                .get_typed_func::<(u32,), (u32,)>(&mut store, "first")
                .unwrap();
            assert_eq!(first.call(&mut store, (8,)).unwrap(), (u32::from(b's'),));
            assert_eq!(anonymous_executable(), Vec::<String>::new());

            let fail = instance
                .get_typed_func::<(), ()>(&mut store, "fail")
                .unwrap();
            let error = fail.call(&mut store, ()).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
            let backtrace = error.downcast_ref::<WasmBacktrace>().unwrap();
            assert_eq!(backtrace.frames()[0].func_name(), Some("fail"));
        }
    }
}

#[test]
fn as_many_stores_as_slots_and_no_more() {
    let (mode, limits) = (CodeMode::default(), Limits::default());
    let compiled = compiled(SQUARE).unwrap();
    let mapped = Mapped::new(&compiled.code);
    let engine = engine(&mode, &limits, 2);
    let component = mapped.load(&engine).unwrap();
    let linker = Linker::<()>::new(&engine);
    let instantiate = || {
        let mut store = Store::new(&engine, ());
        linker.instantiate(&mut store, &component).map(|_| store)
    };
    let stores = (instantiate().unwrap(), instantiate().unwrap());
    assert!(instantiate().is_err());
    drop(stores);
    assert!(instantiate().is_ok());
}

#[test]
fn code_of_another_mode_is_refused() {
    let compiled = compiled(SQUARE).unwrap();
    let mapped = Mapped::new(&compiled.code);
    let error = mapped
        .load(&engine(&CodeMode::with_epochs(true), &Limits::default(), 1))
        .unwrap_err();
    assert!(matches!(error, LoadError::Refused(_)), "{error}");
}

#[test]
fn code_that_needs_more_than_the_pools_have_is_refused() {
    let compiled = compiled(SQUARE).unwrap();
    let mapped = Mapped::new(&compiled.code);
    let error = mapped
        .load(&engine(
            &CodeMode::default(),
            &Limits::default().memory(65536),
            1,
        ))
        .unwrap_err();
    assert!(matches!(error, LoadError::Refused(_)), "{error}");
}

#[test]
fn a_mapping_inside_a_page_is_refused() {
    let mapped = Mapped::new(&compiled(SQUARE).unwrap().code);
    let engine = engine(&CodeMode::default(), &Limits::default(), 1);
    // SAFETY: one byte into the mapping, and one byte shorter.
    let (start, len) = (unsafe { mapped.0.cast::<u8>().add(1) }, mapped.0.len() - 1);
    // SAFETY: refused before anything is read.
    let error = unsafe { load(&engine, NonNull::slice_from_raw_parts(start, len)) }.unwrap_err();
    assert_eq!(error, LoadError::Unaligned);
}

#[test]
fn truncated_code_is_refused() {
    let code = compiled(SQUARE).unwrap().code;
    let engine = engine(&CodeMode::default(), &Limits::default(), 1);
    for len in [1, 64, 4096, code.len() / 2] {
        assert!(
            matches!(
                Mapped::new(&code[..len]).load(&engine),
                Err(LoadError::Refused(_))
            ),
            "{len}"
        );
    }
}

#[test]
fn modes_have_fingerprints_of_their_own() {
    let plain = fingerprint(&CodeMode::default()).unwrap();
    assert_eq!(plain, fingerprint(&CodeMode::default()).unwrap());
    assert_ne!(plain, fingerprint(&CodeMode::with_epochs(true)).unwrap());
}

#[test]
fn compiling_twice_gives_the_same_code() {
    let (a, b) = (compiled(SQUARE).unwrap(), compiled(SQUARE).unwrap());
    assert!(a.code == b.code);
    assert_eq!(a.manifest, b.manifest);
    assert_eq!(a.manifest.code_bytes, a.code.len() as u64);
}
