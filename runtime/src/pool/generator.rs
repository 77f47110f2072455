//! Values that a task emits, taken one by one while it runs.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::Pool;
use super::calls::{decode, encode, encoding};
use super::error::Error;
use super::options::{Bytes, ChunkSize, JobOptions, OnError};
use super::payload::Payload;
use super::stream::{Results, Value};
use crate::encoding::Encoding;

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
        let options = JobOptions {
            input: encoding,
            output: encoding,
            chunk_size: ChunkSize::Items(1),
            on_error: OnError::Continue,
            retries: 0,
            ..JobOptions::default()
        };
        let (mut feeder, results) = self.stream_as(target, options, true)?;
        feeder.push(Payload::Bytes(item));
        Ok(Generator {
            results,
            encoding,
            returned: None,
            value: PhantomData,
        })
    }
}

/// The values that a task emits: see [`Pool::generate`]. The last one is an error if the task failed. Dropping it cancels
/// the task.
pub struct Generator<R> {
    results: Results,
    encoding: Encoding,
    /// What the task returned, once it has.
    returned: Option<Bytes>,
    value: PhantomData<fn() -> R>,
}

impl<R> Generator<R> {
    /// What the task returned, once all that it emitted was taken; `None` before, and if it failed.
    ///
    /// # Errors
    /// [`Error::Codec`] if it is no `V`.
    pub fn returned<V: DeserializeOwned>(&self) -> Option<Result<V, Error>> {
        let value = self.returned.as_ref()?;
        Some(decode(value, self.encoding, 0))
    }
}

impl<R: DeserializeOwned> Iterator for Generator<R> {
    type Item = Result<R, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.results.next_value()? {
            Ok(Value::Emitted(value)) => Some(decode(&value, self.encoding, 0)),
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
