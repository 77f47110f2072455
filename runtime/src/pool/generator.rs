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
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # wasmpool::worker::enter_if_asked();
    /// let pool = wasmpool::pool::Pool::builder().open("primes.wasm")?;
    /// for prime in pool.generate::<_, u64>("primes-from", 1u64)?.take(10) {
    ///     println!("{}", prime?);
    /// }
    /// # Ok(())
    /// # }
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
pub struct Values {
    results: Results,
    returned: Option<Bytes>,
}

impl Values {
    /// What the task returned, once all that it emitted was taken; `None` before, and if it failed.
    pub fn returned(&self) -> Option<&Bytes> {
        self.returned.as_ref()
    }

    /// A handle that cancels the task from another thread.
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
pub struct Generator<R> {
    values: Values,
    encoding: Encoding,
    value: PhantomData<fn() -> R>,
}

impl<R> Generator<R> {
    /// What the task returned, once all that it emitted was taken; `None` before, and if it failed.
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
