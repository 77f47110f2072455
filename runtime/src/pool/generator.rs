//! Values that a task emits, taken one by one while it runs.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::{decode, encode, encoding};
use super::error::Error;
use super::options::{Bytes, ChunkSize, JobOptions, OnError};
use super::payload::Payload;
use super::running::Pool;
use super::stream::{Canceller, Results, Value};
use crate::encoding::Encoding;
use crate::ipc::frame::Target;

impl Pool {
    /// Runs a task on one item and gives the values that it emits as they come: any number of them. The task waits while
    /// about half a MiB of them is not taken yet, and that time is not its time limit's.
    ///
    /// `Limits::result_bytes` bounds each value. An item whose worker is lost is not run again: what it emitted was taken.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut countdown = pool.generate::<_, u32>("countdown", 3i64)?;
    /// assert_eq!(countdown.next().unwrap()?, 3);
    /// assert_eq!(countdown.next().unwrap()?, 2);
    /// // Dropped before its end: the task is cancelled.
    /// drop(countdown);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Pool::stream`], and [`Error::Codec`] where the item does not fit.
    pub fn generate<T: Serialize, R: DeserializeOwned>(
        &self,
        function: &str,
        item: T,
    ) -> Result<Generator<R>, Error> {
        let target = self.resolve(function)?;
        let encoding = encoding(&target);
        let item = encode(&item, encoding).map_err(|reason| Error::Codec {
            index: 0,
            doing: "encoded",
            reason,
        })?;
        Ok(Generator {
            values: self.values(target, encoding, Payload::Bytes(item))?,
            encoding,
            value: PhantomData,
        })
    }

    /// As [`Pool::generate`], of an item that is encoded already; values come in the same encoding.
    ///
    /// ```
    /// use wasmpool::encoding::Encoding;
    /// use wasmpool::pool::Payload;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let item = Payload::Bytes(b"2".to_vec());
    /// let texts = pool.generate_encoded("countdown", Encoding::Json, item)?;
    /// let texts: Result<Vec<_>, _> = texts.map(|value| value.map(|bytes| bytes.into_vec())).collect();
    /// assert_eq!(texts?, [b"2", b"1"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Pool::stream`].
    pub fn generate_encoded(
        &self,
        function: &str,
        encoding: Encoding,
        item: Payload,
    ) -> Result<Values, Error> {
        self.values(self.resolve(function)?, encoding, item)
    }

    fn values(&self, target: Target, encoding: Encoding, item: Payload) -> Result<Values, Error> {
        let options = JobOptions {
            input: encoding,
            output: encoding,
            chunk_size: ChunkSize::Items(1),
            on_error: OnError::Continue,
            retries: 0,
            ..JobOptions::default()
        };
        let (mut feeder, results) = self.stream_as(target, options, true)?;
        feeder.push(item);
        Ok(Values {
            results,
            returned: None,
        })
    }
}

/// The values that a task emits, as they came: see [`Pool::generate_encoded`]. The last one is an error if the task
/// failed. Dropping it cancels the task.
///
/// ```
/// # use wasmpool::encoding::Encoding;
/// # use wasmpool::pool::Payload;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// # let item = Payload::Bytes(b"2".to_vec());
/// let mut values = pool.generate_encoded("countdown", Encoding::Json, item)?;
/// while let Some(value) = values.next() {
///     println!("{}", String::from_utf8_lossy(&value?));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Values {
    results: Results,
    returned: Option<Bytes>,
}

impl Values {
    /// What the task returned, once all that it emitted was taken; `None` before, and if it failed.
    ///
    /// ```
    /// # use wasmpool::encoding::Encoding;
    /// # use wasmpool::pool::Payload;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// # let item = Payload::Bytes(b"3".to_vec());
    /// let mut values = pool.generate_encoded("countdown", Encoding::Json, item)?;
    /// assert!(values.returned().is_none());
    /// assert_eq!(values.by_ref().count(), 3);
    /// assert_eq!(values.returned().map(|bytes| &bytes[..]), Some(&b"3"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn returned(&self) -> Option<&Bytes> {
        self.returned.as_ref()
    }

    /// A handle that cancels the task from another thread.
    ///
    /// ```
    /// # use wasmpool::encoding::Encoding;
    /// # use wasmpool::pool::Payload;
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// # let item = Payload::Bytes(b"1".to_vec());
    /// let mut values = pool.generate_encoded("spin", Encoding::Json, item)?;
    /// let canceller = values.canceller();
    /// let thread = std::thread::spawn(move || canceller.cancel());
    /// // Would wait for ever otherwise.
    /// assert!(!matches!(values.next(), Some(Ok(_))));
    /// # thread.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn canceller(&self) -> Canceller {
        self.results.canceller()
    }
}

impl Iterator for Values {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.results.next_value()? {
            Ok(Value::Emitted(value)) => Some(Ok(value)),
            Ok(Value::Last(outcome)) => match outcome.result {
                Ok(value) => {
                    self.returned = Some(value);
                    None
                }
                Err(failure) => Some(Err(Error::Item { index: 0, failure })),
            },
            Err(error) => Some(Err(error)),
        }
    }
}

/// The values that a task emits: see [`Pool::generate`]. The last one is an error if the task failed. Dropping it cancels
/// the task.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let countdown = pool.generate::<_, u32>("countdown", 3i64)?;
/// let numbers: Result<Vec<u32>, _> = countdown.collect();
/// assert_eq!(numbers?, [3, 2, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Generator<R> {
    values: Values,
    encoding: Encoding,
    value: PhantomData<fn() -> R>,
}

impl<R> Generator<R> {
    /// What the task returned, once all that it emitted was taken; `None` before, and if it failed.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// let mut countdown = pool.generate::<_, u32>("countdown", 3i64)?;
    /// while let Some(number) = countdown.next() {
    ///     println!("{}", number?);
    /// }
    /// assert_eq!(countdown.returned::<i64>().unwrap()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Codec`] if it is no `V`.
    pub fn returned<V: DeserializeOwned>(&self) -> Option<Result<V, Error>> {
        Some(decode(self.values.returned()?, self.encoding, 0))
    }
}

impl<R: DeserializeOwned> Iterator for Generator<R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.values.next()?;
        Some(value.and_then(|value| decode(&value, self.encoding, 0)))
    }
}
