//! The typed calls: Rust values in, Rust values out.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::handle::Handle;
use super::options::{Bytes, JobOptions, OnError, Outcome};
use super::payload::Payload;
use super::running::Pool;
use super::stream::{Feeder, Results};
use crate::encoding::Encoding;
use crate::failure::Failure;
use crate::ipc::frame::Target;

/// How values travel to this kind of function: typed and compact to tasks of the guest SDK, as JSON to any other.
pub(super) fn encoding(target: &Target) -> Encoding {
    match target {
        Target::Task(_) => Encoding::Postcard,
        Target::Export(_) | Target::Command(..) => Encoding::Json,
    }
}

pub(super) fn encode<T: Serialize>(value: &T, encoding: Encoding) -> Result<Vec<u8>, String> {
    match encoding {
        Encoding::Postcard => postcard::to_stdvec(value).map_err(|e| e.to_string()),
        Encoding::Json | Encoding::Raw => serde_json::to_vec(value).map_err(|e| e.to_string()),
    }
}

pub(super) fn decode<R: DeserializeOwned>(
    bytes: &Bytes,
    encoding: Encoding,
    index: u64,
) -> Result<R, Error> {
    let decoded = match encoding {
        Encoding::Postcard => postcard::from_bytes(bytes).map_err(|e| e.to_string()),
        Encoding::Json | Encoding::Raw => serde_json::from_slice(bytes).map_err(|e| e.to_string()),
    };
    decoded.map_err(|reason| Error::Codec {
        index,
        doing: "decoded",
        reason,
    })
}

impl Pool {
    /// Runs a function on every item and returns the results in the items' order; as `Pool.map`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let squares: Vec<i64> = pool.map("square", 1..=5i64)?;
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    ///
    /// let error = pool.map::<_, i64>("inverse", [4i64, 0, 2]).unwrap_err();
    /// assert!(error.to_string().starts_with("item 1: trap: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Item`] for the first item, in order, that failed: those after it are cancelled. Also those of
    /// [`Pool::stream`], and [`Error::Codec`] where a value does not fit.
    pub fn map<T, R>(
        &self,
        function: &str,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<R>, Error>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        let mut out = Vec::new();
        for result in self.imap_with(function, items, JobOptions::default())? {
            out.push(result?);
        }
        Ok(out)
    }

    /// The same for a function of several parameters: each item is a tuple of them.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let sums: Vec<i64> = pool.starmap("add", [(1i64, 2i64), (3, 4)])?;
    /// assert_eq!(sums, [3, 7]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn starmap<T, R>(
        &self,
        function: &str,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Vec<R>, Error>
    where
        T: Serialize,
        R: DeserializeOwned,
    {
        self.map(function, items)
    }

    /// The results one by one, in the items' order. Items are taken from the iterator on the calling thread as results
    /// are asked for, a bounded number ahead.
    ///
    /// A failed item is an `Err(Error::Item)` in its place; the others go on.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut found = Vec::new();
    /// // Without an end: as many are taken as are needed, and a bounded number ahead.
    /// for result in pool.imap::<i64, i64, _>("square", 1..)? {
    ///     match result {
    ///         Ok(square) if square > 1000 => break,
    ///         Ok(square) => found.push(square),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// assert_eq!(found.last(), Some(&(31 * 31)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Pool::stream`].
    pub fn imap<T, R, I>(&self, function: &str, items: I) -> Result<Imap<I::IntoIter, R>, Error>
    where
        T: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = T>,
    {
        self.imap_with(
            function,
            items,
            JobOptions {
                on_error: OnError::Continue,
                ..JobOptions::default()
            },
        )
    }

    /// The results one by one, as they are ready.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let texts = ["first page", "the second page"];
    /// let mut words = 0;
    /// for result in pool.imap_unordered::<_, u64, _>("count-words", texts)? {
    ///     words += result?;
    /// }
    /// assert_eq!(words, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pool::imap`].
    pub fn imap_unordered<T, R, I>(
        &self,
        function: &str,
        items: I,
    ) -> Result<Imap<I::IntoIter, R>, Error>
    where
        T: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = T>,
    {
        let options = JobOptions {
            on_error: OnError::Continue,
            ordered: false,
            ..JobOptions::default()
        };
        self.imap_with(function, items, options)
    }

    /// The same with options of its own. Their encodings are not used: values choose theirs.
    ///
    /// ```
    /// use wasmpool::pool::{ChunkSize, JobOptions};
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let options = JobOptions {
    ///     chunk_size: ChunkSize::Items(100),
    ///     retries: 3,
    ///     ..JobOptions::default()
    /// };
    /// let squares = pool.imap_with::<i64, i64, _>("square", 0..1000, options)?;
    /// assert_eq!(squares.map(|square| square.unwrap()).max(), Some(999 * 999));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pool::imap`].
    pub fn imap_with<T, R, I>(
        &self,
        function: &str,
        items: I,
        options: JobOptions,
    ) -> Result<Imap<I::IntoIter, R>, Error>
    where
        T: Serialize,
        R: DeserializeOwned,
        I: IntoIterator<Item = T>,
    {
        let target = self.resolve(function)?;
        let encoding = encoding(&target);
        let options = JobOptions {
            input: encoding,
            output: encoding,
            ..options
        };
        let (feeder, results) = self.stream_target(target, options)?;
        Ok(Imap {
            items: items.into_iter(),
            feeder: Some(feeder),
            held: None,
            results,
            encoding,
            ended: false,
            result: PhantomData,
        })
    }

    /// Runs a function on one item; as `Pool.apply`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let square: i64 = pool.apply("square", 7i64)?;
    /// assert_eq!(square, 49);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn apply<T: Serialize, R: DeserializeOwned>(
        &self,
        function: &str,
        item: T,
    ) -> Result<R, Error> {
        self.submit(function, item)?.wait()
    }

    /// Runs a function on one item and returns at once; as `Pool.apply_async`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut handle = pool.submit::<_, i64>("spin", 7i64)?;
    /// // This one never ends by itself.
    /// if !handle.wait_timeout(Duration::from_millis(10)) {
    ///     handle.cancel();
    /// }
    /// assert!(handle.wait().unwrap_err().to_string().starts_with("item 0: cancelled: "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Pool::stream`], and [`Error::Codec`] where the item does not fit.
    pub fn submit<T: Serialize, R: DeserializeOwned>(
        &self,
        function: &str,
        item: T,
    ) -> Result<Handle<R>, Error> {
        let target = self.resolve(function)?;
        let encoding = encoding(&target);
        let item = encode(&item, encoding).map_err(|reason| Error::Codec {
            index: 0,
            doing: "encoded",
            reason,
        })?;
        let options = JobOptions {
            input: encoding,
            output: encoding,
            on_error: OnError::Continue,
            ..JobOptions::default()
        };
        let (mut feeder, results) = self.stream_target(target, options)?;
        feeder.push(Payload::Bytes(item));
        Ok(Handle::new(results, encoding))
    }
}

/// The results of [`Pool::imap`]. Dropping it cancels what is left.
///
/// ```
/// use wasmpool::pool::Error;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let mut results = pool.imap::<i64, i64, _>("inverse", [4, 0, 2])?;
/// assert_eq!(results.next().unwrap()?, 250);
/// assert!(matches!(results.next(), Some(Err(Error::Item { index: 1, .. }))));
/// assert_eq!(results.next().unwrap()?, 500);
/// assert!(results.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Imap<I, R> {
    items: I,
    feeder: Option<Feeder>,
    /// An item that was taken and had no room yet.
    held: Option<Payload>,
    results: Results,
    encoding: Encoding,
    ended: bool,
    result: PhantomData<fn() -> R>,
}

/// Items taken in one go before results are looked at.
const BATCH: usize = 256;

impl<T: Serialize, I: Iterator<Item = T>, R: DeserializeOwned> Imap<I, R> {
    /// Takes items while there is room and no result is ready.
    fn feed(&mut self) {
        for _ in 0..BATCH {
            let Some(feeder) = &mut self.feeder else {
                return;
            };
            let item = match self.held.take() {
                Some(item) => item,
                None => match self.items.next() {
                    Some(item) => match encode(&item, self.encoding) {
                        Ok(bytes) => Payload::Bytes(bytes),
                        Err(reason) => {
                            if !feeder.push_failed(format!("the item cannot be encoded: {reason}"))
                            {
                                self.feeder = None;
                            }
                            continue;
                        }
                    },
                    None => {
                        self.feeder = None;
                        return;
                    }
                },
            };
            match feeder.try_push(item) {
                Some(Ok(())) => {}
                Some(Err(item)) => {
                    self.held = Some(item);
                    return;
                }
                None => self.feeder = None,
            }
        }
    }

    fn outcome(&mut self) -> Option<Result<Outcome, Error>> {
        loop {
            if let Some(ready) = self.results.try_next() {
                return Some(ready);
            }
            self.feed();
            if let Some(found) = self.results.wait(self.feeder.is_some()) {
                return found;
            }
        }
    }
}

impl<T: Serialize, I: Iterator<Item = T>, R: DeserializeOwned> Iterator for Imap<I, R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.outcome() {
            None => {
                self.ended = true;
                None
            }
            Some(Err(e)) => {
                self.ended = true;
                Some(Err(e))
            }
            Some(Ok(Outcome { index, result, .. })) => Some(typed(result, self.encoding, index)),
        }
    }
}

pub(super) fn typed<R: DeserializeOwned>(
    result: Result<Bytes, Failure>,
    encoding: Encoding,
    index: u64,
) -> Result<R, Error> {
    match result {
        Ok(bytes) => decode(&bytes, encoding, index),
        Err(failure) => Err(Error::Item { index, failure }),
    }
}
