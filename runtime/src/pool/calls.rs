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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// let squares: Vec<i64> = pool.map("square", 1..=5i64)?;
    /// assert_eq!(squares, [1, 4, 9, 16, 25]);
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// let sums: Vec<i64> = pool.starmap("add", [(1i64, 2i64), (3, 4)])?;
    /// assert_eq!(sums, [3, 7]);
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// for result in pool.imap::<i64, i64, _>("square", 1..)? {
    ///     match result {
    ///         Ok(square) if square > 1000 => break,
    ///         Ok(square) => println!("{square}"),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// let texts = ["first page", "second page"];
    /// for words in pool.imap_unordered::<_, u64, _>("count-words", texts)? {
    ///     println!("{}", words?);
    /// }
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// use wasmpool::pool::{ChunkSize, JobOptions};
    ///
    /// let options = JobOptions {
    ///     chunk_size: ChunkSize::Items(100),
    ///     retries: 3,
    ///     ..JobOptions::default()
    /// };
    /// for square in pool.imap_with::<i64, i64, _>("square", 0..1000, options)? {
    ///     println!("{}", square?);
    /// }
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// let square: i64 = pool.apply("square", 7i64)?;
    /// assert_eq!(square, 49);
    /// # Ok(())
    /// # }
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
    /// ```no_run
    /// # fn main() -> Result<(), wasmpool::pool::Error> {
    /// # let pool = wasmpool::pool::Pool::builder().open("tasks.wasm")?;
    /// use std::time::Duration;
    ///
    /// let mut handle = pool.submit::<_, i64>("square", 7i64)?;
    /// if !handle.wait_timeout(Duration::from_secs(1)) {
    ///     handle.cancel();
    /// }
    /// println!("{:?}", handle.wait());
    /// # Ok(())
    /// # }
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
