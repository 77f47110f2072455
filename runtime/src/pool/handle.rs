//! A result that is still to come: to wait for, to await, to cancel.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::calls::typed;
use super::error::Error;
use super::options::Outcome;
use super::stream::{Results, thread_waker};
use crate::encoding::Encoding;
use crate::failure::{Failure, FailureKind};

/// One submitted item. A std [`Future`]; needs no runtime. Dropping it cancels the item.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let handle = pool.submit::<_, i64>("square", 7i64)?;
/// println!("something else, meanwhile");
/// assert_eq!(handle.wait()?, 49);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handle<R> {
    results: Results,
    encoding: Encoding,
    outcome: Option<Result<Outcome, Error>>,
    result: PhantomData<fn() -> R>,
}

impl<R> Handle<R> {
    pub(super) fn new(results: Results, encoding: Encoding) -> Handle<R> {
        Handle {
            results,
            encoding,
            outcome: None,
            result: PhantomData,
        }
    }

    /// Whether the result is there: a failure counts as one.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut handle = pool.submit::<_, i64>("square", 7i64)?;
    /// while !handle.is_ready() {
    ///     std::thread::yield_now();
    /// }
    /// assert_eq!(handle.wait()?, 49);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_ready(&mut self) -> bool {
        self.poll(Waker::noop())
    }

    /// Cancels the item: if it runs, its worker is killed. The result, if it is not there yet, is a failure of kind
    /// `cancelled`.
    ///
    /// ```
    /// use wasmpool::failure::FailureKind;
    /// use wasmpool::pool::Error;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let handle = pool.submit::<_, i64>("spin", 1i64)?;
    /// handle.cancel();
    /// match handle.wait() {
    ///     Err(Error::Item { failure, .. }) => assert_eq!(failure.kind, FailureKind::Cancelled),
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) {
        self.results.canceller().cancel();
    }

    /// Waits for the result, but no longer than `timeout`. False if it is not there then; the item goes on.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut handle = pool.submit::<_, i64>("spin", 1i64)?;
    /// assert!(!handle.wait_timeout(Duration::from_millis(10)), "it goes on");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> bool {
        let start = Instant::now();
        let waker = thread_waker();
        loop {
            if self.poll(&waker) {
                return true;
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::park_timeout(left);
        }
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        if self.outcome.is_none() {
            self.outcome = self.results.poll_next(waker).map(or_cancelled);
        }
        self.outcome.is_some()
    }
}

impl<R: DeserializeOwned> Handle<R> {
    /// Waits for the result.
    ///
    /// ```
    /// use wasmpool::pool::Error;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// assert_eq!(pool.submit::<_, i64>("square", 7i64)?.wait()?, 49);
    /// // The result is there, but not of this type.
    /// let wrong = pool.submit::<_, String>("square", 7i64)?.wait();
    /// assert!(matches!(wrong, Err(Error::Codec { doing: "decoded", .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Item`] if the item failed or was cancelled, [`Error::Codec`] if the result is no `R`.
    pub fn wait(mut self) -> Result<R, Error> {
        let outcome = match self.outcome.take() {
            Some(outcome) => outcome,
            None => or_cancelled(self.results.next()),
        };
        outcome.and_then(|o| typed(o.result, self.encoding, o.index))
    }
}

/// The end of a job without a result means that it was cancelled.
fn or_cancelled(outcome: Option<Result<Outcome, Error>>) -> Result<Outcome, Error> {
    let failure = || Failure {
        kind: FailureKind::Cancelled,
        message: "the item was cancelled".into(),
        backtrace: Vec::new(),
        attempts: 0,
    };
    outcome.unwrap_or_else(|| {
        Err(Error::Item {
            index: 0,
            failure: failure(),
        })
    })
}

impl<R: DeserializeOwned> Future for Handle<R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !Handle::poll(&mut self, cx.waker()) {
            return Poll::Pending;
        }
        let outcome = self.outcome.take().unwrap_or_else(|| or_cancelled(None));
        Poll::Ready(outcome.and_then(|o| typed(o.result, self.encoding, o.index)))
    }
}

/// Waits until `enough` handles have a result, or `timeout` passes; returns the positions of those that have one. As
/// `concurrent.futures.wait`: 1 for the first, the number of handles for all.
///
/// ```
/// use wasmpool::pool::wait;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let mut handles = vec![pool.submit::<_, i64>("square", 3i64)?, pool.submit("square", 4i64)?];
/// let first = wait(&mut handles, 1, None)[0];
/// assert!([9, 16].contains(&handles.swap_remove(first).wait()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait<R>(handles: &mut [Handle<R>], enough: usize, timeout: Option<Duration>) -> Vec<usize> {
    let start = Instant::now();
    let waker = thread_waker();
    let enough = enough.min(handles.len());
    loop {
        let ready: Vec<usize> = handles
            .iter_mut()
            .enumerate()
            .filter_map(|(i, h)| h.poll(&waker).then_some(i))
            .collect();
        let left = timeout.map(|t| t.saturating_sub(start.elapsed()));
        if ready.len() >= enough || left.is_some_and(|l| l.is_zero()) {
            return ready;
        }
        match left {
            None => std::thread::park(),
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

/// The results of handles as they come, each with the handle's position.
///
/// ```
/// use wasmpool::pool::as_completed;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let handles = [pool.submit::<_, i64>("square", 3i64)?, pool.submit("square", 4i64)?];
/// for (position, square) in as_completed(handles) {
///     assert_eq!(square?, [9, 16][position]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn as_completed<R: DeserializeOwned>(
    handles: impl IntoIterator<Item = Handle<R>>,
) -> impl Iterator<Item = (usize, Result<R, Error>)> {
    let mut left: Vec<(usize, Handle<R>)> = handles.into_iter().enumerate().collect();
    std::iter::from_fn(move || {
        let waker = thread_waker();
        while !left.is_empty() {
            if let Some(at) = left.iter_mut().position(|(_, h)| h.poll(&waker)) {
                let (position, handle) = left.swap_remove(at);
                return Some((position, handle.wait()));
            }
            std::thread::park();
        }
        None
    })
}
