//! Chooses, for one task, how its item is taken and what becomes of its result, by the types in its signature.
//!
//! Traits alone cannot choose: `Result<T, String>` is a `Result` and also something serde serialises. So the `tasks!`
//! macro calls methods on a [`Marker`] of the concrete type, and method lookup prefers, in this order, an inherent
//! method, and then the trait that needs the fewest dereferences.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::marker::PhantomData;

use serde::Serialize;

use crate::bytes::ByteSlice;
use crate::host::Encoding;
use crate::input::{AnyItem, ByteVec};
use crate::output;
use crate::tasks::Task;

/// Stands for a type.
pub struct Marker<T>(PhantomData<fn() -> T>);

/// The parameters of a task.
pub fn arguments_of<F: Task<Args>, Args>(_: &F) -> Marker<Args> {
    Marker(PhantomData)
}

/// What a task returns.
pub fn result_of<F: Task<Args>, Args>(_: &F) -> Marker<F::Output> {
    Marker(PhantomData)
}

/// What a task returns when it succeeds.
pub fn value_of<F: Task<Args>, Args, O: Outcome<F::Output>>(_: &F, _: O) -> Marker<O::Value> {
    Marker(PhantomData)
}

impl Marker<(Vec<u8>,)> {
    /// One byte vector is taken whole.
    pub fn taking(&self) -> ByteVec {
        ByteVec
    }
}

/// Every other parameter list.
pub trait TakingAny {
    /// Is left to serde.
    fn taking(&self) -> AnyItem {
        AnyItem
    }
}

impl<T> TakingAny for Marker<T> {}

/// Splits what a task returned into its value and the message of its failure.
pub trait Outcome<R>: Copy {
    /// The value of a success.
    type Value;
    /// Splits.
    fn split(self, result: R) -> Result<Self::Value, String>;
}

/// The task cannot fail.
#[derive(Clone, Copy)]
pub struct Always;
/// A `Result` whose error is shown.
#[derive(Clone, Copy)]
pub struct OrDisplay;
/// A `Result` whose error is shown with its sources.
#[derive(Clone, Copy)]
pub struct OrError;
/// A `Result` whose error holds one that is shown with its sources.
#[derive(Clone, Copy)]
pub struct OrDynError;
/// The same, of an error that can cross threads.
#[derive(Clone, Copy)]
pub struct OrSendError;

impl<R> Outcome<R> for Always {
    type Value = R;
    #[inline]
    fn split(self, result: R) -> Result<R, String> {
        Ok(result)
    }
}

impl<T, E: Display> Outcome<Result<T, E>> for OrDisplay {
    type Value = T;
    #[inline]
    fn split(self, result: Result<T, E>) -> Result<T, String> {
        result.map_err(|error| error.to_string())
    }
}

impl<T, E: Error> Outcome<Result<T, E>> for OrError {
    type Value = T;
    #[inline]
    fn split(self, result: Result<T, E>) -> Result<T, String> {
        result.map_err(|error| chain(error.to_string(), error.source()))
    }
}

impl<T, E: AsRef<dyn Error>> Outcome<Result<T, E>> for OrDynError {
    type Value = T;
    #[inline]
    fn split(self, result: Result<T, E>) -> Result<T, String> {
        result.map_err(|error| chain(error.as_ref().to_string(), error.as_ref().source()))
    }
}

impl<T, E: AsRef<dyn Error + Send + Sync>> Outcome<Result<T, E>> for OrSendError {
    type Value = T;
    #[inline]
    fn split(self, result: Result<T, E>) -> Result<T, String> {
        result.map_err(|error| chain(error.as_ref().to_string(), error.as_ref().source()))
    }
}

/// An error's text and those of its sources, separated by colons. A source that the text before already ends with is
/// not repeated.
fn chain(mut text: String, mut source: Option<&(dyn Error + 'static)>) -> String {
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            // Writing to a string does not fail.
            let _ = write!(text, ": {next}");
        }
        source = error.source();
    }
    text
}

/// First choice: an error.
pub trait ReturningError {
    /// Shown with its sources.
    fn outcome(&self) -> OrError {
        OrError
    }
}
impl<T, E: Error> ReturningError for &&&&Marker<Result<T, E>> {}

/// Second choice: a box of an error.
pub trait ReturningDynError {
    /// Shown with its sources.
    fn outcome(&self) -> OrDynError {
        OrDynError
    }
}
impl<T, E: AsRef<dyn Error>> ReturningDynError for &&&Marker<Result<T, E>> {}

/// Third choice: a box of an error that can cross threads.
pub trait ReturningSendError {
    /// Shown with its sources.
    fn outcome(&self) -> OrSendError {
        OrSendError
    }
}
impl<T, E: AsRef<dyn Error + Send + Sync>> ReturningSendError for &&Marker<Result<T, E>> {}

/// Fourth choice: a `Result` of anything else, which has to have a text.
pub trait ReturningResult {
    /// Shown.
    fn outcome(&self) -> OrDisplay {
        OrDisplay
    }
}
impl<T, E> ReturningResult for &Marker<Result<T, E>> {}

/// Last choice: no `Result`.
pub trait ReturningValue {
    /// Every value is a success.
    fn outcome(&self) -> Always {
        Always
    }
}
impl<R> ReturningValue for Marker<R> {}

/// Writes the value of a success.
pub trait Giving<T>: Copy {
    /// Appends the encoded value, or says why there is none.
    fn give(self, value: &T, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), String>;
}

/// What serde serialises.
#[derive(Clone, Copy)]
pub struct AnyValue;
/// Bytes, written whole.
#[derive(Clone, Copy)]
pub struct ByteValue;

impl<T: Serialize> Giving<T> for AnyValue {
    #[inline]
    fn give(self, value: &T, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), String> {
        output::encode(value, encoding, out)
    }
}

impl<T: AsRef<[u8]>> Giving<T> for ByteValue {
    #[inline]
    fn give(self, value: &T, encoding: Encoding, out: &mut Vec<u8>) -> Result<(), String> {
        output::encode(&ByteSlice(value.as_ref()), encoding, out)
    }
}

impl Marker<Vec<u8>> {
    /// A byte vector is written whole.
    pub fn giving(&self) -> ByteValue {
        ByteValue
    }
}

impl Marker<&[u8]> {
    /// A byte slice is written whole.
    pub fn giving(&self) -> ByteValue {
        ByteValue
    }
}

impl Marker<Box<[u8]>> {
    /// A byte slice is written whole.
    pub fn giving(&self) -> ByteValue {
        ByteValue
    }
}

/// Every other value.
pub trait GivingAny {
    /// Is left to serde.
    fn giving(&self) -> AnyValue {
        AnyValue
    }
}

impl<T> GivingAny for Marker<T> {}
