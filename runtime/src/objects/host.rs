//! The waiting of the host's own threads for answers of objects.

use std::cell::OnceCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::message::Message;
use super::object::{Caller, Delivered, HolderId, Mail, Object, Reply, Rights, cancel, end};
use crate::ipc::call::{Op, Timeout};
use crate::sys::clock::nanos;

/// Where a thread gets its answers. It waits for one at a time.
#[derive(Default)]
struct Mailbox {
    answer: Mutex<Option<Delivered>>,
    came: Condvar,
}

impl Mail for Mailbox {
    fn deliver(&self, delivered: Delivered) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(delivered);
    }

    fn wake(&self) {
        self.came.notify_one();
    }
}

impl Mailbox {
    /// This thread's own; a new one while the thread is being taken down.
    fn mine() -> Arc<Mailbox> {
        thread_local! {
            static MINE: OnceCell<Arc<Mailbox>> = const { OnceCell::new() };
        }
        MINE.try_with(|mine| mine.get_or_init(Arc::default).clone())
            .unwrap_or_default()
    }

    /// Waits for the answer of a call, until then.
    fn wait(&self, until: Option<Instant>) -> Option<Reply> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(Delivered {
                answer, message, ..
            }) = answer.take()
            {
                return Some((answer, message));
            }
            answer = match until {
                None => self
                    .came
                    .wait(answer)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.came
                        .wait_timeout(answer, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            }
        }
    }
}

/// Makes a call that may wait, and waits.
pub(super) fn ask(
    object: &Object,
    holder: HolderId,
    op: impl FnOnce(Timeout) -> Op,
    timeout: Option<Duration>,
    message: Option<Message>,
) -> Reply {
    // A time too far away for the clock is for ever.
    let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let timeout = timeout.filter(|_| until.is_some()).map(nanos);
    let mailbox = Mailbox::mine();
    let caller = caller(holder, mailbox.clone());
    if let Some(reply) = object.call(&caller, Rights::ALL, op(timeout), message) {
        return reply;
    }
    loop {
        if let Some(reply) = mailbox
            .wait(until)
            .or_else(|| cancel(holder, caller.ticket))
        {
            return reply;
        }
        // It was answered in between, or will be when a condition's lock is free.
        if let Some(reply) = mailbox.wait(None) {
            return reply;
        }
    }
}

/// Makes a call that never waits.
pub(super) fn tell(object: &Object, holder: HolderId, op: Op) -> Reply {
    ask(object, holder, |_| op, Some(Duration::ZERO), None)
}

pub(super) fn caller(holder: HolderId, mail: Arc<dyn Mail>) -> Caller {
    static NAME: OnceLock<Arc<str>> = OnceLock::new();
    static TICKETS: AtomicU64 = AtomicU64::new(0);
    let ticket = TICKETS.fetch_add(1, Ordering::Relaxed);
    let name = NAME.get_or_init(|| "the host".into()).clone();
    Caller {
        holder,
        name,
        mail,
        ticket,
        lend: None,
    }
}

/// A holder that is over when this is dropped.
#[derive(Debug)]
pub(super) struct Held(pub(super) HolderId);

impl Drop for Held {
    fn drop(&mut self) {
        end(self.0);
    }
}

/// A copy of the bytes of a message.
pub(super) fn copy(message: &Option<Message>) -> io::Result<Vec<u8>> {
    match message {
        Some(message) => Ok(message.bytes()?.to_vec()),
        None => Ok(Vec::new()),
    }
}
