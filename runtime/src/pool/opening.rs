//! How a pool comes to be: its own thread starts the fork server while the module is still looked for in the cache, or
//! compiled; then the code goes there, and workers are started.
//!
//! Owns the thread until the pool has it.

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use super::core::{Core, Shape, WAKE};
use super::error::Error;
use super::processes::{Code, ForkServer, Plan, Started};
use super::running::Pool;
use super::supervisor::{OnLog, Shared};
use super::watcher;
use crate::ipc::launch::Launch;
use crate::limits::Limits;
use crate::mode::Isolation;
use crate::sandbox::layers::Layers;
use crate::sys::poll::{Poller, Waker};
use crate::threads;

/// A pool that is being opened. Dropped before it is finished, it leaves nothing.
pub(super) struct Opening {
    ready: Option<mpsc::Sender<Ready>>,
    opened: mpsc::Receiver<Result<Opened, Error>>,
    /// The fork server ends with the thread that started it: with this one, the pool's own.
    thread: Option<JoinHandle<()>>,
}

/// What is known when the code is there.
pub(super) struct Ready {
    pub code: Code,
    pub plan: Plan,
    pub shape: Shape,
    pub on_log: Option<OnLog>,
    pub from_cache: bool,
}

struct Opened {
    shared: Arc<Shared>,
    layers: Option<Layers>,
}

impl Opening {
    /// Starts the thread, and for worker processes the fork server.
    pub(super) fn start(
        isolation: Isolation,
        slots: usize,
        limits: &Limits,
    ) -> Result<Opening, Error> {
        let limits = limits.clone();
        let (ready, receive_ready) = mpsc::channel();
        let (tell, opened) = mpsc::channel();
        let thread = thread::Builder::new().name("wasmpool".into());
        let thread = thread.spawn(move || {
            let server = match isolation {
                Isolation::Thread => None,
                Isolation::Shared | Isolation::Instance | Isolation::Process => {
                    Some(ForkServer::start(slots, &limits))
                }
            };
            let Ok(ready) = receive_ready.recv() else {
                return;
            };
            match open(server, ready) {
                Ok(opened) => {
                    let shared = opened.shared.clone();
                    if tell.send(Ok(opened)).is_ok() {
                        shared.supervise();
                    }
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        });
        Ok(Opening {
            ready: Some(ready),
            opened,
            thread: Some(thread.map_err(Error::pool("the pool's thread cannot be started"))?),
        })
    }

    /// Has the code loaded, and starts the workers.
    pub(super) fn finish(mut self, ready: Ready) -> Result<Pool, Error> {
        let manifest = ready.code.manifest.clone();
        // Where nobody takes it, nobody answers either.
        if let Some(to) = self.ready.take() {
            let _ = to.send(ready);
        }
        match self.opened.recv() {
            Ok(Ok(Opened { shared, layers })) => Ok(Pool {
                shared,
                manifest,
                layers,
                memo: None,
                argv: Vec::new(),
                thread: self.thread.take(),
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::pool("the pool's thread has ended")(
                std::io::Error::other("it panicked"),
            )),
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        drop(self.ready.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(server: Option<Result<Started, Error>>, ready: Ready) -> Result<Opened, Error> {
    let Ready {
        code,
        mut plan,
        shape,
        on_log,
        from_cache,
    } = ready;
    let mut layers = None;
    let launcher: Box<dyn Launch> = match server {
        Some(started) => {
            let server = ForkServer::load(started?, &code, plan, &shape.limits)?;
            layers = Some(server.layers());
            Box::new(server)
        }
        None => {
            plan.granted
                .objects
                .map(plan.buffers)
                .map_err(Error::pool("buffers cannot be mapped"))?;
            threads::launcher(
                &code.file,
                code.bytes,
                threads::Setup {
                    mode: plan.mode,
                    seed: plan.seed,
                    initializer: plan.initializer,
                    needs: &code.manifest.needs,
                    limits: &shape.limits,
                    slots: shape.slots as u32,
                    granted: plan.granted,
                },
            )?
        }
    };
    let failed = || Error::pool("the pool cannot wait for its workers");
    let poller = Arc::new(Poller::new().map_err(failed())?);
    let waker = Arc::new(Waker::new(&poller, WAKE).map_err(failed())?);
    let core = Core::new(shape, launcher, poller.clone(), waker.clone()).map_err(failed())?;
    let shared = Arc::new(Shared::new(core, poller, waker, on_log));
    shared.core().stats.from_cache = from_cache;
    watcher::register(&shared);
    Ok(Opened { shared, layers })
}
