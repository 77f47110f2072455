//! Ctrl-C, and SIGTERM, which is the same: the first cancels what runs, the second ends this process at once. Workers end with it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::exit;

/// What Ctrl-C does now.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancel: Option<Box<dyn FnOnce() + Send>>,
    interrupted: bool,
}

impl Interrupt {
    /// Listens from now on. Until there is something to cancel, the first one ends this process.
    ///
    /// # Errors
    /// If the system refuses the handler or the thread.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let state = interrupt.clone();
        thread::Builder::new()
            .name("interrupt".into())
            .spawn(move || {
                for _ in signals.forever() {
                    state.signal();
                }
            })?;
        Ok(interrupt)
    }

    /// The first Ctrl-C is to do this.
    pub fn cancels(&self, cancel: impl FnOnce() + Send + 'static) {
        self.lock().cancel = Some(Box::new(cancel));
    }

    /// Whether something was cancelled by Ctrl-C.
    pub fn is_interrupted(&self) -> bool {
        self.lock().interrupted
    }

    fn signal(&self) {
        let mut state = self.lock();
        match state.cancel.take() {
            Some(cancel) => {
                state.interrupted = true;
                // Cancelling may wait for the pool, which must not keep anyone from asking.
                drop(state);
                cancel();
            }
            None => std::process::exit(exit::INTERRUPTED.into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
