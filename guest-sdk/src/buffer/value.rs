//! One shared number.

use std::marker::PhantomData;
use std::time::Duration;

use super::{Access, AccessError, Buffer, Integer, Scalar, WaitResult};
use crate::OpenError;

/// One number that is shared: a buffer of 4 or 8 bytes. Every operation is atomic, and sequentially consistent with all
/// others.
///
/// ```
/// use wasmpool_guest::buffer::Value;
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().value("hits", 41_i64).within(|| {
///     let hits = Value::<i64>::open("hits").unwrap();
///     assert_eq!(hits.fetch_add(1), Ok(41));
///     assert_eq!(hits.get(), 42);
///     assert!(Value::<i32>::open("hits").is_err());
/// });
/// ```
#[derive(Debug)]
pub struct Value<T> {
    buffer: Buffer,
    number: PhantomData<T>,
}

impl<T: Scalar> Value<T> {
    /// Opens a granted buffer as one number.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.get(), 5);
    ///     assert!(Value::<u32>::open("total").is_err(), "it has 8 bytes");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When no buffer of this name was granted, it does not have the number's size, or too many handles are open.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        let (buffer, _) = Buffer::open_sized(name, size_of::<T>(), |length, size| length == size)?;
        Ok(Value {
            buffer,
            number: PhantomData,
        })
    }

    /// What the grant allows: without [`Access::ReadWrite`] all that changes the number is an error.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Access, Value};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.access(), Access::ReadWrite);
    /// });
    /// ```
    pub fn access(&self) -> Access {
        self.buffer.access()
    }

    /// The number.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.get(), 5);
    /// });
    /// ```
    pub fn get(&self) -> T {
        match self.buffer.load(0) {
            Ok(number) => number,
            // Every grant allows loads, offset 0 is aligned, and `open` has seen that the number lies in the buffer.
            Err(error) => unreachable!("the pool refused to read a whole buffer: {error}"),
        }
    }

    /// Replaces the number.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.set(-1).unwrap();
    ///     assert_eq!(total.get(), -1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// When the grant is read-only: so for all that changes the number.
    pub fn set(&self, value: T) -> Result<(), AccessError> {
        self.buffer.store(0, value)
    }

    /// Replaces the number. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.swap(0), Ok(5));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn swap(&self, value: T) -> Result<T, AccessError> {
        self.buffer.swap(0, value)
    }

    /// Adds to the number, integers wrapping around. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.fetch_add(2), Ok(5));
    ///     assert_eq!(total.get(), 7);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_add(&self, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_add(0, operand)
    }

    /// Subtracts from the number, integers wrapping around. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.fetch_sub(2).unwrap();
    ///     assert_eq!(total.get(), 3);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_sub(&self, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_sub(0, operand)
    }

    /// Replaces the number by what a function makes of it. If somebody else changes it meanwhile, the function is
    /// called again with what it is then. Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.fetch_update(|total| total * total).unwrap();
    ///     assert_eq!(total.get(), 25);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_update(&self, function: impl FnMut(T) -> T) -> Result<T, AccessError> {
        self.buffer.fetch_update(0, function)
    }

    /// Replaces the number if it is `expected`. Returns the old one: it was replaced exactly if that is `expected`,
    /// floats compared by their bits.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.compare_exchange(5, 6), Ok(5));
    ///     assert_eq!(total.compare_exchange(5, 7), Ok(6), "it was not replaced");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn compare_exchange(&self, expected: T, replacement: T) -> Result<T, AccessError> {
        self.buffer.compare_exchange(0, expected, replacement)
    }

    /// Sleeps until somebody [notifies](Self::notify), if the number is `expected`; only the item's deadline ends the
    /// wait.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Value, WaitResult};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.wait(4), Ok(WaitResult::Unequal));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// None that a pool gives for a buffer that could be opened.
    pub fn wait(&self, expected: T) -> Result<WaitResult, AccessError> {
        self.buffer.wait(0, expected)
    }

    /// As [`wait`](Self::wait), waiting no longer than this.
    ///
    /// ```
    /// use wasmpool_guest::buffer::{Value, WaitResult};
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     use std::time::Duration;
    ///
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     assert_eq!(total.wait_timeout(5, Duration::from_secs(1)), Ok(WaitResult::TimedOut));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As `wait`.
    pub fn wait_timeout(&self, expected: T, timeout: Duration) -> Result<WaitResult, AccessError> {
        self.buffer.wait_timeout(0, expected, timeout)
    }

    /// Wakes at most `count` of those who wait, the longest waiting first, and returns how many.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.set(6).unwrap();
    ///     assert_eq!(total.notify(u32::MAX), Ok(0), "nobody waits here");
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn notify(&self, count: u32) -> Result<u32, AccessError> {
        self.buffer.notify(0, count)
    }
}

impl<T: Integer> Value<T> {
    /// Combines the number with another, bit by bit, by "and". Returns the old one.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.fetch_and(0b100).unwrap();
    ///     assert_eq!(total.get(), 0b100);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_and(&self, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_and(0, operand)
    }

    /// As [`fetch_and`](Self::fetch_and), by "or".
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.fetch_or(0b010).unwrap();
    ///     assert_eq!(total.get(), 0b111);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_or(&self, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_or(0, operand)
    }

    /// As [`fetch_and`](Self::fetch_and), by "exclusive or".
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 5_i64).within(|| {
    ///     let total = Value::<i64>::open("total").unwrap();
    ///     total.fetch_xor(0b001).unwrap();
    ///     assert_eq!(total.get(), 0b100);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn fetch_xor(&self, operand: T) -> Result<T, AccessError> {
        self.buffer.fetch_xor(0, operand)
    }
}
