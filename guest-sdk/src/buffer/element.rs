//! The types of number that buffers hold, and how each is touched where others may write.
#![allow(unsafe_code)]

use std::fmt::Debug;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{AccessError, Buffer, WaitResult};
use crate::host;

#[cfg(target_endian = "big")]
compile_error!("buffers hold little-endian numbers, and are used in place");

/// A type of number that an [`Array`](super::Array) or an [`AttachedSlice`](super::AttachedSlice) may hold: integers of
/// 1 to 8 bytes, `f32`, `f64`.
///
/// ```
/// use wasmpool_guest::buffer::{Array, Element};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().array("row", &[1_u8, 2, 3]).within(|| {
///     fn largest<T: Element + Ord>(array: &Array<T>) -> Option<T> {
///         array.attach().ok()?.iter().max()
///     }
///     assert_eq!(largest(&Array::<u8>::open("row").unwrap()), Some(3));
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "a buffer cannot hold `{Self}`",
    note = "it holds `u8`, `i8`, `u16`, `i16`, `u32`, `i32`, `u64`, `i64`, `f32` or `f64`"
)]
pub trait Element: sealed::Element {}

/// A number that the host reads and changes as a whole: `u32`, `i32`, `u64`, `i64`, `f32` or `f64`.
///
/// ```
/// use wasmpool_guest::buffer::{AccessError, Scalar, Value};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().value("best", 3.5_f64).within(|| {
///     fn raise<T: Scalar + PartialOrd>(best: &Value<T>, to: T) -> Result<T, AccessError> {
///         best.fetch_update(|old| if to > old { to } else { old })
///     }
///     let best = Value::<f64>::open("best").unwrap();
///     raise(&best, 4.5).unwrap();
///     raise(&best, 1.0).unwrap();
///     assert_eq!(best.get(), 4.5);
/// });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no atomic operations",
    note = "`u32`, `i32`, `u64`, `i64`, `f32` and `f64` have"
)]
pub trait Scalar: Element + sealed::Scalar {}

/// A [`Scalar`] that has bits to combine: `u32`, `i32`, `u64` or `i64`.
///
/// ```
/// use wasmpool_guest::buffer::{AccessError, Integer, Value};
/// use wasmpool_guest::testing::Shared;
///
/// Shared::new().value("flags", 0b01_u32).within(|| {
///     fn set<T: Integer>(flags: &Value<T>, bits: T) -> Result<T, AccessError> {
///         flags.fetch_or(bits)
///     }
///     let flags = Value::<u32>::open("flags").unwrap();
///     assert_eq!(set(&flags, 0b10), Ok(0b01));
///     assert_eq!(flags.get(), 0b11);
/// });
/// ```
pub trait Integer: Scalar {}

/// What an atomic operation does with the old number and its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Wrapping addition.
    Add,
    /// Wrapping subtraction.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// The operand replaces the old number.
    Exchange,
}

/// The integers that the host's atomic operations know.
pub trait Word: Copy + Eq {
    /// Reads the word at an offset.
    fn load(buffer: &host::Buffer, offset: u64) -> Result<Self, AccessError>;
    /// Writes it.
    fn store(buffer: &host::Buffer, offset: u64, value: Self) -> Result<(), AccessError>;
    /// Applies an operation to it. Returns the old word.
    fn update(
        buffer: &host::Buffer,
        offset: u64,
        operation: Operation,
        operand: Self,
    ) -> Result<Self, AccessError>;
    /// Replaces it if it is the expected one. Returns the old word.
    fn compare_exchange(
        buffer: &host::Buffer,
        offset: u64,
        expected: Self,
        replacement: Self,
    ) -> Result<Self, AccessError>;
    /// Waits while it is the expected one.
    fn wait(
        buffer: &host::Buffer,
        offset: u64,
        expected: Self,
        timeout: Option<Duration>,
    ) -> Result<WaitResult, AccessError>;
}

/// What the traits are made of: nobody else can implement them, so that every element is a plain number.
pub(crate) mod sealed {
    use super::*;

    /// A number without invalid bit patterns, padding or pointers, aligned to its size.
    pub trait Element: Copy + Debug + Default + PartialEq + 'static {
        /// Loads a number that others may be writing.
        ///
        /// # Safety
        ///
        /// `at` is aligned, and valid for reads, which are atomic if others write meanwhile.
        unsafe fn load(at: *const Self) -> Self;
        /// Stores a number that others may be reading or writing.
        ///
        /// # Safety
        ///
        /// `at` is aligned, and valid for writes, which are atomic if others read or write meanwhile.
        unsafe fn store(at: *mut Self, value: Self);
        /// Reads it through the host: as a whole if it is a `Scalar`.
        fn read(buffer: &Buffer, offset: u64) -> Result<Self, AccessError>;
        /// Writes it through the host: as a whole if it is a `Scalar`.
        fn write(buffer: &Buffer, offset: u64, value: Self) -> Result<(), AccessError>;
    }

    pub trait Scalar: Sized {
        /// The integer of the same size.
        type Word: Word;
        /// What adds, if that is not the addition of words.
        const FLOAT_ADD: Option<fn(Self, Self) -> Self>;
        /// What subtracts, if that is not the subtraction of words.
        const FLOAT_SUB: Option<fn(Self, Self) -> Self>;
        /// The number's bits.
        fn to_word(self) -> Self::Word;
        /// The number of these bits.
        fn from_word(word: Self::Word) -> Self;
    }
}

macro_rules! element {
    (
        $type:ident as $bits:ident in $atomic:ident,
        $to_bits:expr, $from_bits:expr,
        read $read:expr, write $write:expr
    ) => {
        impl Element for $type {}

        // SAFETY: argued at each place; the lint does not see that through two macros.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl sealed::Element for $type {
            #[inline(always)]
            unsafe fn load(at: *const Self) -> Self {
                // SAFETY: as the caller says. The atomic type has the same size, and the same alignment on x86-64 and in
                // WebAssembly. Only a load is made through it: a plain one, which works in memory for reading too.
                let bits =
                    unsafe { $atomic::from_ptr(at.cast_mut().cast()) }.load(Ordering::Relaxed);
                $from_bits(bits)
            }

            #[inline(always)]
            unsafe fn store(at: *mut Self, value: Self) {
                let bits: $bits = $to_bits(value);
                // SAFETY: as in `load`.
                unsafe { $atomic::from_ptr(at.cast()) }.store(bits, Ordering::Relaxed);
            }

            fn read(buffer: &Buffer, offset: u64) -> Result<Self, AccessError> {
                $read(buffer, offset)
            }

            fn write(buffer: &Buffer, offset: u64, value: Self) -> Result<(), AccessError> {
                $write(buffer, offset, value)
            }
        }

        const _: () = assert!(size_of::<$type>() == size_of::<$atomic>());
        // Places are multiples of the size.
        const _: () = assert!(size_of::<$type>() == align_of::<$atomic>());
    };
}

macro_rules! small {
    ($($type:ident as $bits:ident in $atomic:ident)*) => {
        $(element!(
            $type as $bits in $atomic,
            |value: $type| value as $bits,
            |bits: $bits| bits as $type,
            read |buffer: &Buffer, offset| {
                let mut bytes = [0; size_of::<$type>()];
                buffer.read(offset, &mut bytes)?;
                Ok($type::from_le_bytes(bytes))
            },
            write |buffer: &Buffer, offset, value: $type| buffer.write(offset, &value.to_le_bytes())
        );)*
    };
}

macro_rules! scalar {
    ($type:ident as $bits:ident in $atomic:ident, $to_bits:expr, $from_bits:expr, $add:expr, $sub:expr) => {
        element!(
            $type as $bits in $atomic, $to_bits, $from_bits,
            read |buffer: &Buffer, offset| buffer.load(offset),
            write |buffer: &Buffer, offset, value: $type| buffer.store(offset, value)
        );

        impl Scalar for $type {}

        impl sealed::Scalar for $type {
            type Word = $bits;
            const FLOAT_ADD: Option<fn(Self, Self) -> Self> = $add;
            const FLOAT_SUB: Option<fn(Self, Self) -> Self> = $sub;
            fn to_word(self) -> $bits {
                $to_bits(self)
            }
            fn from_word(word: $bits) -> Self {
                $from_bits(word)
            }
        }
    };
}

macro_rules! integer {
    ($($type:ident as $bits:ident in $atomic:ident)*) => {
        $(
            scalar!(
                $type as $bits in $atomic,
                |value: $type| value as $bits,
                |bits: $bits| bits as $type,
                None,
                None
            );
            impl Integer for $type {}
        )*
    };
}

macro_rules! float {
    ($($type:ident as $bits:ident in $atomic:ident)*) => {
        $(scalar!(
            $type as $bits in $atomic,
            $type::to_bits,
            $type::from_bits,
            Some(|a, b| a + b),
            Some(|a, b| a - b)
        );)*
    };
}

small!(u8 as u8 in AtomicU8  i8 as u8 in AtomicU8  u16 as u16 in AtomicU16  i16 as u16 in AtomicU16);
integer!(u32 as u32 in AtomicU32  i32 as u32 in AtomicU32  u64 as u64 in AtomicU64  i64 as u64 in AtomicU64);
float!(f32 as u32 in AtomicU32  f64 as u64 in AtomicU64);

/// The bytes of numbers.
pub fn bytes_of<T: Element>(numbers: &[T]) -> &[u8] {
    // SAFETY: every byte of a number is initialised, since it has no padding, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// The bytes of numbers, to be written.
pub fn bytes_of_mut<T: Element>(numbers: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `bytes_of`, and any bytes are a number.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}
