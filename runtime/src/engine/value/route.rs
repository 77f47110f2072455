//! The ways to call a function: one general, and one each for the results that a typed call can return.

use wasmtime::component::{Func, Lift, TypedFunc, Val};
use wasmtime::{AsContext, AsContextMut};

use super::bulk::{Arg, Args, Bulk, Scalar};
use super::encode::Output;
use super::types::{Int, Kind, Signature, Ty};

/// What becomes of a typed result.
trait Returned: Lift {
    fn output(self) -> Result<Output, Output>;
}

impl Returned for Bulk {
    fn output(self) -> Result<Output, Output> {
        Ok(Output::Bulk(self))
    }
}

impl Returned for Scalar {
    fn output(self) -> Result<Output, Output> {
        Ok(Output::Val(self.0))
    }
}

macro_rules! scalars {
    ($($t:ty: $val:ident)*) => { $(
        impl Returned for $t {
            fn output(self) -> Result<Output, Output> {
                Ok(Output::Val(Val::$val(self)))
            }
        }
    )* };
}

scalars!(bool: Bool i32: S32 u32: U32 i64: S64 u64: U64 f32: Float32 f64: Float64);

impl Returned for () {
    fn output(self) -> Result<Output, Output> {
        Ok(Output::Nothing)
    }
}

impl Returned for Option<Bulk> {
    fn output(self) -> Result<Output, Output> {
        Ok(self.map_or(Output::Val(Val::Option(None)), Output::Bulk))
    }
}

impl<T: Returned, E: Returned> Returned for Result<T, E> {
    fn output(self) -> Result<Output, Output> {
        match self {
            Ok(value) => value.output(),
            Err(error) => Err(error.output().unwrap_or_else(|error| error)),
        }
    }
}

/// Declares the ways to call a function whose parameters are [`Args`], by its result.
macro_rules! routes {
    ($($pattern:pat => $name:ident($result:ty),)*) => {
        /// How a function is called.
        pub(super) enum Route {
            /// Through [`Val`], whatever its type.
            Dynamic,
            /// Without a result.
            Nothing(TypedFunc<Args<'static>, ()>),
            $($name(TypedFunc<Args<'static>, ($result,)>),)*
        }

        impl Route {
            pub(super) fn choose(signature: &Signature, store: impl AsContext, func: Func) -> Route {
                let class = Class::of(signature.output.as_ref());
                match class {
                    Class::Nothing => func.typed(store).map(Route::Nothing),
                    $($pattern => func.typed(store).map(Route::$name),)*
                    _ => return Route::Dynamic,
                }
                .unwrap_or(Route::Dynamic)
            }

            pub(super) fn call(
                &self,
                store: impl AsContextMut,
                args: &[Arg<'_>],
            ) -> wasmtime::Result<Result<Output, Output>> {
                match self {
                    Route::Dynamic => Err(wasmtime::format_err!("the function is called through values")),
                    Route::Nothing(func) => func.call(store, Args(args)).map(Returned::output),
                    $(Route::$name(func) => func.call(store, Args(args)).map(|(value,)| value.output()),)*
                }
            }
        }
    };
}

routes! {
    Class::Scalar => Scalar(Scalar),
    Class::Bulk => Bulk(Bulk),
    Class::Optional => Optional(Option<Bulk>),
    Class::Checked(Side::Bulk, Side::Bulk) => BulkOrBulk(Result<Bulk, Bulk>),
    Class::Checked(Side::Bulk, Side::Nothing) => BulkOrNothing(Result<Bulk, ()>),
    Class::Checked(Side::Nothing, Side::Bulk) => NothingOrBulk(Result<(), Bulk>),
    Class::Checked(Side::Nothing, Side::Nothing) => NothingOrNothing(Result<(), ()>),
    Class::Checked(Side::Bool, Side::Bulk) => BoolOrBulk(Result<bool, Bulk>),
    Class::Checked(Side::Int(Int::S32), Side::Bulk) => S32OrBulk(Result<i32, Bulk>),
    Class::Checked(Side::Int(Int::U32), Side::Bulk) => U32OrBulk(Result<u32, Bulk>),
    Class::Checked(Side::Int(Int::S64), Side::Bulk) => S64OrBulk(Result<i64, Bulk>),
    Class::Checked(Side::Int(Int::U64), Side::Bulk) => U64OrBulk(Result<u64, Bulk>),
    Class::Checked(Side::F32, Side::Bulk) => F32OrBulk(Result<f32, Bulk>),
    Class::Checked(Side::F64, Side::Bulk) => F64OrBulk(Result<f64, Bulk>),
}

/// What a result is, as far as the routes tell results apart.
enum Class {
    Nothing,
    Scalar,
    Bulk,
    Optional,
    Checked(Side, Side),
    Other,
}

/// One side of a `result`.
enum Side {
    Nothing,
    Bulk,
    Bool,
    Int(Int),
    F32,
    F64,
    Other,
}

impl Class {
    fn of(ty: Option<&Ty>) -> Class {
        let Some(ty) = ty else { return Class::Nothing };
        match &ty.kind {
            _ if ty.is_scalar() => Class::Scalar,
            _ if ty.is_bulk() => Class::Bulk,
            Kind::Option(inner) if inner.is_bulk() => Class::Optional,
            Kind::Result(ok, err) => Class::Checked(Side::of(ok), Side::of(err)),
            _ => Class::Other,
        }
    }
}

impl Side {
    fn of(ty: &Option<Box<Ty>>) -> Side {
        let Some(ty) = ty else { return Side::Nothing };
        match ty.kind {
            _ if ty.is_bulk() => Side::Bulk,
            Kind::Bool => Side::Bool,
            Kind::Int(int) => Side::Int(int),
            Kind::F32 => Side::F32,
            Kind::F64 => Side::F64,
            _ => Side::Other,
        }
    }
}
