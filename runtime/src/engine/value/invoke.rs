//! Calls one function of one instance again and again.

use wasmtime::component::{Func, Val};
use wasmtime::{AsContext, AsContextMut};

use super::bulk::Arg;
use super::decode;
use super::encode::Output;
use super::route::Route;
use super::types::{Kind, Signature, Ty, Unsupported};
use crate::encoding::Encoding;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The item does not fit the function's type; the guest was not called. The message says where, as a JSON
    /// pointer, what was expected there and what was found. It quotes short pieces of the item.
    #[error("{0}")]
    InvalidInput(String),
    /// The function returned the error side of its `result`: a string as it is, any other value as JSON. The words
    /// are the guest's, unescaped and as long as it likes.
    #[error("{0}")]
    Failed(String),
    /// The guest trapped, passed a limit of the store, or broke the canonical ABI (pointers outside its memory, text
    /// that is not UTF-8, a case that does not exist). The instance cannot be called again.
    #[error("the call did not complete")]
    Trap(#[source] wasmtime::Error),
}

/// Calls one export again and again in one store.
///
/// Holds the function's resolved types and the fastest way to call it. Belongs to the store it was made with.
pub struct Invoker {
    func: Func,
    signature: Signature,
    route: Route,
}

impl std::fmt::Debug for Invoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invoker")
            .field("signature", &self.signature.to_string())
            .field("copies_whole", &self.copies_whole())
            .finish_non_exhaustive()
    }
}

impl Invoker {
    /// Resolves the function's type and chooses how to call it.
    ///
    /// # Errors
    ///
    /// When a value of the function's type has no JSON form; see [`Signature::new`].
    ///
    /// # Panics
    ///
    /// When the function does not belong to `store`.
    pub fn new(store: impl AsContext, func: Func) -> Result<Invoker, Unsupported> {
        let store = store.as_context();
        let signature = Signature::new(&func.ty(&store))?;
        let route = Route::choose(&signature, store, func);
        Ok(Invoker {
            func,
            signature,
            route,
        })
    }

    /// The function's type.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether text, byte lists and number lists cross in one copy each. Otherwise every element of a list costs
    /// `size_of::<Val>()` bytes of memory and tens of nanoseconds.
    ///
    /// True of functions whose parameters are all scalars, text or lists of numbers (sixteen core numbers together,
    /// a list or text counting two) and whose result is one of these, an option of text or such a list, or a
    /// `result` of text, such a list, nothing, `bool`, or a 32- or 64-bit number with an error of text, such a list
    /// or nothing.
    pub fn copies_whole(&self) -> bool {
        !matches!(self.route, Route::Dynamic)
    }

    /// Calls the function with one item and appends the result's encoding to `out`.
    ///
    /// With [`Encoding::Raw`] in, the item is the one `string` or `list<u8>` parameter. With `Raw` out, a `string` or
    /// `list<u8>` result is written as its bytes, any other as JSON. `out` is as it was when an error is returned,
    /// except that its capacity may differ.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. [`Encoding::Postcard`] on either side is an invalid input: a component's own types have no
    /// such form.
    ///
    /// # Panics
    ///
    /// When `store` is not the store the invoker was made with.
    pub fn call(
        &self,
        mut store: impl AsContextMut,
        input: Encoding,
        item: &[u8],
        output: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), CallError> {
        if output == Encoding::Postcard {
            return Err(self.no_postcard());
        }
        let returned = match &self.route {
            Route::Dynamic => {
                let params = self.arguments::<Val>(input, item)?;
                self.dynamic(&mut store, &params)?
            }
            route => {
                let args = self.arguments::<Arg<'_>>(input, item)?;
                route.call(&mut store, &args).map_err(CallError::Trap)?
            }
        };
        let mark = out.len();
        let written = match returned {
            Err(error) => return Err(CallError::Failed(error.message().map_err(unwritten)?)),
            Ok(value) if output == Encoding::Raw && self.ok().is_some_and(Ty::is_raw) => {
                value.raw(out)
            }
            Ok(value) => value.json(out),
        };
        written.map_err(|error| {
            out.truncate(mark);
            unwritten(error)
        })
    }

    /// The type of a result that is not an error.
    fn ok(&self) -> Option<&Ty> {
        let ty = self.signature.output.as_ref()?;
        match &ty.kind {
            Kind::Result(ok, _) => ok.as_deref(),
            _ => Some(ty),
        }
    }

    fn no_postcard(&self) -> CallError {
        CallError::InvalidInput(format!(
            "{} takes and returns JSON or raw bytes, not postcard",
            self.signature
        ))
    }

    fn arguments<'de, S: decode::Slot<'de>>(
        &self,
        input: Encoding,
        item: &'de [u8],
    ) -> Result<Vec<S>, CallError> {
        match input {
            Encoding::Json => {
                decode::arguments(&self.signature, item).map_err(CallError::InvalidInput)
            }
            Encoding::Postcard => Err(self.no_postcard()),
            Encoding::Raw => match self.signature.single() {
                Some(ty) if ty.is_bytes() => Ok(vec![S::from_bytes(item)]),
                Some(ty) if ty.is_raw() => match std::str::from_utf8(item) {
                    Ok(text) => Ok(vec![S::from_text(text)]),
                    Err(error) => Err(CallError::InvalidInput(format!(
                        "expected text, got bytes that are not UTF-8 from offset {}",
                        error.valid_up_to()
                    ))),
                },
                _ => Err(CallError::InvalidInput(format!(
                    "raw bytes need one parameter of type string or list<u8>; this is {}",
                    self.signature
                ))),
            },
        }
    }

    fn dynamic(
        &self,
        store: impl AsContextMut,
        params: &[Val],
    ) -> Result<Result<Output, Output>, CallError> {
        let mut slot = [Val::Bool(false)];
        let results = match self.signature.output {
            Some(_) => &mut slot[..],
            None => &mut [],
        };
        self.func
            .call(store, params, results)
            .map_err(CallError::Trap)?;
        let [value] = slot;
        let side = |value: Option<Box<Val>>| match value {
            Some(value) => Output::Val(*value),
            None => Output::Nothing,
        };
        Ok(match (&self.signature.output, value) {
            (None, _) => Ok(Output::Nothing),
            (Some(_), Val::Result(Ok(value))) => Ok(side(value)),
            (Some(_), Val::Result(Err(value))) => Err(side(value)),
            (Some(_), value) => Ok(Output::Val(value)),
        })
    }
}

/// A value that cannot be written as JSON: no supported type has one.
fn unwritten(error: serde_json::Error) -> CallError {
    CallError::Trap(wasmtime::Error::new(error))
}
