//! An event, as the host sees it.

use std::sync::Arc;
use std::time::Duration;

use super::future;
use super::host::{ask, tell};
use super::object::{Handle, Object};
use super::state::{EventState, Which, with};
use crate::ipc::call::{Answer, Op};

/// A flag to wait for. A clone is the same event.
///
/// ```
/// use std::time::Duration;
/// use wasmpool::objects::Event;
///
/// let ready = Event::new();
/// let other = ready.clone();
/// let thread = std::thread::spawn(move || other.wait(None));
/// ready.set();
/// assert!(thread.join().unwrap());
/// ready.clear();
/// assert!(!ready.wait(Some(Duration::ZERO)));
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    pub(super) handle: Arc<Handle>,
}

impl Event {
    /// An event whose flag is not set.
    ///
    /// ```
    /// assert!(!wasmpool::objects::Event::new().is_set());
    /// ```
    #[allow(clippy::new_without_default)]
    pub fn new() -> Event {
        let which = with(|state| {
            state.add(
                None,
                Which::Event,
                |s| &mut s.events,
                |_| EventState::default(),
            )
        });
        Event {
            handle: Handle::new(which),
        }
    }

    /// Calls it this in messages for people.
    ///
    /// ```
    /// let ready = wasmpool::objects::Event::new().named("ready");
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Event {
        with(|state| state.rename(self.handle.which, name));
        self
    }

    /// Sets the flag and wakes everybody who waits for it.
    ///
    /// ```
    /// let stop = wasmpool::objects::Event::new();
    /// let worker = stop.clone();
    /// let thread = std::thread::spawn(move || worker.wait(None));
    /// stop.set();
    /// assert!(thread.join().unwrap());
    /// ```
    pub fn set(&self) {
        self.tell(Op::Set);
    }

    /// Clears the flag.
    ///
    /// ```
    /// let event = wasmpool::objects::Event::new();
    /// event.set();
    /// event.clear();
    /// assert!(!event.is_set());
    /// ```
    pub fn clear(&self) {
        self.tell(Op::Clear);
    }

    /// Whether the flag is set.
    ///
    /// ```
    /// let event = wasmpool::objects::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.tell(Op::Is) == Answer::Flag(true)
    }

    /// Waits until the flag is set. False if the timeout passed first.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let event = wasmpool::objects::Event::new();
    /// assert!(!event.wait(Some(Duration::from_millis(1))));
    /// event.set();
    /// assert!(event.wait(None));
    /// ```
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
        ask(
            &Object::from(self),
            self.handle.host,
            Op::AwaitSet,
            timeout,
            None,
        )
        .0 == Answer::Done
    }

    /// The same without a thread that waits: completes when the flag is set.
    ///
    /// ```
    /// # use std::{pin::pin, task::{Context, Waker}};
    /// let event = wasmpool::objects::Event::new();
    /// let mut waits = pin!(event.wait_async());
    /// # let mut context = Context::from_waker(Waker::noop());
    /// assert!(waits.as_mut().poll(&mut context).is_pending());
    /// event.set();
    /// assert!(waits.as_mut().poll(&mut context).is_ready());
    /// ```
    pub fn wait_async(&self) -> impl Future<Output = ()> + Send + use<> {
        let (object, host) = (Object::from(self), self.handle.host);
        let call = future::call(object, host, Op::AwaitSet(None), None);
        async move { drop(call.await) }
    }

    fn tell(&self, op: Op) -> Answer {
        tell(&Object::from(self), self.handle.host, op).0
    }
}
