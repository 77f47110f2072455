//! Calls of the host that nobody waits for in a thread: futures, for whatever runs them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Rights;
use super::host::{Held, caller};
use super::message::Message;
use super::object::{Delivered, HolderId, Mail, Object, Reply, cancel, seen, undelivered};
use crate::ipc::call::Op;

/// A call that is made when it is first polled. Dropped before its answer it is taken back, and a message of a queue that
/// came with the answer goes back to where it was.
pub(super) struct Call {
    object: Object,
    holder: HolderId,
    letter: Arc<Letter>,
    progress: Progress,
    /// The holder, if it is this call's own: it ends last.
    own: Option<Held>,
}

enum Progress {
    Begins(Op, Option<Message>),
    Waits { ticket: u64 },
    Over,
}

/// Where the answer comes.
#[derive(Default)]
struct Letter(Mutex<(Option<Reply>, Option<Waker>)>);

impl Mail for Letter {
    fn deliver(&self, delivered: Delivered) {
        let mut letter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letter.0 = Some((delivered.answer, delivered.message));
    }

    fn wake(&self) {
        let waker = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Letter {
    /// The answer, if it is there; if not, this is woken for it.
    fn open(&self, waker: &Waker) -> Option<Reply> {
        let mut letter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = letter.0.take();
        letter.1 = reply.is_none().then(|| waker.clone());
        reply
    }
}

/// Makes a call for a holder that outlives it.
pub(super) fn call(object: Object, holder: HolderId, op: Op, message: Option<Message>) -> Call {
    Call {
        object,
        holder,
        letter: Arc::default(),
        progress: Progress::Begins(op, message),
        own: None,
    }
}

/// The same for a holder of its own. For the host's, which all threads are, nobody knows whether it was theirs that it has
/// seen.
pub(super) fn call_alone(object: Object, op: Op) -> Call {
    let holder = HolderId::new();
    let mut call = call(object, holder, op, None);
    call.own = Some(Held(holder));
    call
}

impl Future for Call {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let found = self.letter.open(cx.waker());
        let reply = match std::mem::replace(&mut self.progress, Progress::Over) {
            Progress::Begins(op, message) => {
                let caller = caller(self.holder, self.letter.clone());
                self.progress = Progress::Waits {
                    ticket: caller.ticket,
                };
                self.object.call(&caller, Rights::ALL, op, message)
            }
            waits => {
                self.progress = waits;
                found
            }
        };
        match reply {
            Some(reply) => {
                self.progress = Progress::Over;
                seen(self.holder);
                Poll::Ready(reply)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Progress::Waits { ticket } = self.progress
            && cancel(self.holder, ticket).is_none()
            && let Some((_, Some(message))) = self.letter.open(Waker::noop())
        {
            undelivered(self.holder, &self.object, message);
        }
    }
}
