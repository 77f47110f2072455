//! Workers that are threads of the host: for components that are trusted, and to compare with processes.
//!
//! A thread cannot be killed. It is told to stop: code compiled with epochs looks at its flag at loops and calls. What
//! blocks in a host call, a WASI sleep say, is only stopped when it returns.

use std::io;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::desk::Desk;
use super::serve::{self, End};
use crate::engine::program::{Program, ProgramError};
use crate::engine::stop::Stop;
use crate::grants::Granted;
use crate::ids::{Generation, SlotId};
use crate::ipc::launch::{Heard, Kill, Launch};
use crate::ipc::link::{WorkerEnd, WorkerLink};
use crate::ipc::manifest::Needs;
use crate::ipc::wire::Initializer;
use crate::limits::Limits;
use crate::mode::{CodeMode, Isolation};
use crate::sandbox::Locked;
use crate::sys::memory::{Mapping, sealed_memfd};

/// Bytes of a thread's stack besides what guest code may use of it.
const HOST_STACK_BYTES: u64 = 2 << 20;

/// Why there can be no workers in threads.
#[derive(Debug, thiserror::Error)]
pub enum ThreadsError {
    /// The code cannot be used.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Memory or threads cannot be had.
    #[error("threads for workers cannot be had: {0}")]
    System(#[from] io::Error),
}

/// What workers in threads are to be.
pub struct Setup<'a> {
    /// How the code was compiled: with epochs, since a thread can be stopped in no other way.
    pub mode: CodeMode,
    /// What randomness is made of, in deterministic mode.
    pub seed: u64,
    /// What each instance does before its first item.
    pub initializer: Option<Initializer>,
    /// What the component needs.
    pub needs: &'a Needs,
    /// The limits of every item.
    pub limits: &'a Limits,
    /// Workers at a time. As many again may have been told to stop and have not yet.
    pub slots: u32,
    /// What guests are granted.
    pub granted: Granted,
}

/// Starts workers as threads.
#[derive(Debug)]
pub struct ThreadLauncher {
    program: Arc<Program<Desk>>,
    limits: Limits,
    threads: ThreadPool,
}

impl ThreadLauncher {
    /// A launcher as `setup` says.
    ///
    /// # Safety
    /// `code` must be what `engine::compile` returned, in this process or from an authenticated cache: it runs in this
    /// process.
    ///
    /// # Errors
    /// If the code cannot be used, was not compiled in the mode that `setup` says, or there is no memory or no threads.
    pub unsafe fn new(code: &[u8], setup: Setup<'_>) -> Result<ThreadLauncher, ThreadsError> {
        let Setup {
            mode,
            seed,
            initializer,
            needs,
            limits,
            slots,
            granted,
        } = setup;
        let file = sealed_memfd("wasmpool-code", &[code])?;
        let mapping = Mapping::executable(&file, code.len())?;
        let all = slots.max(1).saturating_mul(2);
        // SAFETY: the caller vouches for the code; the file is sealed.
        let program = unsafe { Program::load(mapping, mode, limits, all, Some(needs), granted) }?;
        let stack = limits.stack_bytes.saturating_add(HOST_STACK_BYTES);
        let threads = ThreadPoolBuilder::new()
            .num_threads(all as usize)
            .thread_name(|i| format!("wasmpool-worker-{i}"))
            .stack_size(usize::try_from(stack).unwrap_or(usize::MAX))
            .build()
            .map_err(io::Error::other)?;
        Ok(ThreadLauncher {
            program: Arc::new(program.seeded(seed).initialized(initializer)),
            limits: limits.clone(),
            threads,
        })
    }
}

impl Launch for ThreadLauncher {
    fn start(
        &mut self,
        slot: SlotId,
        _: Generation,
        end: WorkerEnd,
    ) -> io::Result<Option<Box<dyn Kill>>> {
        let link = WorkerLink::new(end)?;
        let stop = Arc::new(Stop::default());
        let kill = Stopper {
            program: self.program.clone(),
            stop: stop.clone(),
        };
        let (program, limits) = (self.program.clone(), self.limits.clone());
        self.threads.spawn(move || {
            let locked = Locked::thread_of_the_host();
            let end = serve::serve(
                locked,
                &program,
                link,
                slot,
                Isolation::Shared,
                &limits,
                Some(stop),
            );
            if let End::Broken(error) = end {
                tracing::warn!(%slot, %error, "a worker thread ends");
            }
        });
        Ok(Some(Box::new(kill)))
    }

    fn heard(&mut self, _: &mut Vec<Heard>) -> io::Result<()> {
        Ok(())
    }

    fn tells_ends(&self) -> bool {
        false
    }
}

struct Stopper {
    program: Arc<Program<Desk>>,
    stop: Arc<Stop>,
}

impl Kill for Stopper {
    fn kill(&self) {
        self.stop.gone();
        self.program.interrupt();
    }

    fn interrupt(&self) {
        self.stop.late();
        self.program.interrupt();
    }
}
