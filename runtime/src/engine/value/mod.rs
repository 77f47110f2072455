//! Calls any typed export of any component with JSON or raw bytes.
//!
//! Owns the mapping between JSON and WIT values, the rendering of WIT types, and the call itself. Touches no process,
//! file or limit: the caller owns the store and what bounds it.
//!
//! # JSON and WIT values
//!
//! | WIT type | JSON, both ways |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | `s8` … `u64` | an integer, exact over the whole range. Also taken: a number with a fraction or an exponent whose value, as an `f64`, is integral and below 2⁵³ in magnitude (`1.0`, `1e3`). Never a string |
//! | `f32`, `f64` | a number, rounded to the nearest when read, the shortest that reads back the same when written; `-0.0` is kept. `"NaN"`, `"Infinity"` and `"-Infinity"` are strings. A number beyond the largest finite value is an error |
//! | `char` | a string of one Unicode scalar value |
//! | `string` | a string |
//! | `list<T>` | an array |
//! | `list<u8>` | an array of numbers. Also taken: a string, meaning its UTF-8 bytes |
//! | `list<T, N>` | an array of exactly N |
//! | `map<K, V>` | an array of `[key, value]` arrays, in the order given, repeated keys included |
//! | `tuple<A, B>` | an array of exactly as many |
//! | `record` | an object. Fields of an `option` type may be missing; unknown and repeated fields are errors. All fields are written |
//! | `variant` | `{"case": payload}`, or `"case"` for a case without a payload |
//! | `enum` | `"case"` |
//! | `option<T>` | `null` or the value |
//! | `option<option<T>>` | `null`, or `{"some": …}` around the inner option, at each level but the innermost: `null`, `{"some": null}`, `{"some": 5}` |
//! | `result<T, E>` inside a value | `{"ok": …}` or `{"err": …}`, with `null` for a side without a type |
//! | `flags` | an array of the names that are set. Unknown and repeated names are errors |
//! | `own`, `borrow`, `stream`, `future`, `error-context` | not supported ([`Unsupported`]) |
//!
//! Object keys may come in any order; a repeated key is an error. What is written is compact, one line, UTF-8.
//!
//! # Arguments and results
//!
//! - A function of one parameter takes that parameter's value.
//! - A function of several takes an array with one value each, or an object by the parameters' names, where those of
//!   an `option` type may be missing.
//! - A function of none takes `null`, `[]` or `{}`.
//! - A function without a result returns `null`.
//! - Of a function that returns `result<T, E>`, ok is the result, and err fails the call ([`CallError::Failed`]).
//!
//! [`Encoding::Raw`](crate::encoding::Encoding::Raw) needs one parameter of type `string` or `list<u8>`. A raw result
//! is the bytes of a `string` or `list<u8>`; any other result is JSON also then.
//!
//! # What bounds it
//!
//! wasmtime bounds the bytes that one call may copy out of a guest (`Store::set_hostcall_fuel`, 128 MiB unless set).
//! Text, byte lists and number lists that are a whole parameter or result are copied as they are; nested ones go
//! through [`wasmtime::component::Val`], where every element costs `size_of::<Val>()` of memory and of that bound.

mod bulk;
mod decode;
mod encode;
mod invoke;
mod path;
mod route;
mod types;
mod wit;

#[cfg(test)]
mod tests;

pub use invoke::{CallError, Invoker};
pub use types::{MAX_TYPE_DEPTH, MAX_TYPE_PARTS, Signature, Unsupported};
pub use wit::wit_text;
