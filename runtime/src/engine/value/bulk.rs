//! Arguments and results that cross into and out of a guest's memory as they are: numbers, text, lists of numbers.
//!
//! In a [`Val::List`] every element is a [`Val`], and is converted on its own. wasmtime copies a `&[u8]` or `Vec<i64>` in
//! one go, but only where the Rust type says at compile time what the WIT type is. The types here stand for all of
//! them at once, and find out which it is when a call is made: they do nothing but choose one of wasmtime's own
//! conversions.
//!
//! That takes wasmtime's conversion traits, which are public but not covered by its promise of stability: this file
//! is written for the pinned major version.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use wasmtime::ValRaw;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, Val};
use wasmtime::{Result, bail};

/// Core WebAssembly numbers that parameters may be passed in; with more, the canonical ABI passes them in memory.
const MAX_FLAT_PARAMS: usize = 16;

/// One argument.
#[derive(Debug)]
pub(super) enum Arg<'a> {
    /// A number, boolean or character; never anything else where [`Args`] is lowered.
    Scalar(Val),
    Text(Cow<'a, str>),
    U8(Cow<'a, [u8]>),
    S8(Vec<i8>),
    S16(Vec<i16>),
    U16(Vec<u16>),
    S32(Vec<i32>),
    U32(Vec<u32>),
    S64(Vec<i64>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The arguments of one call.
#[derive(Clone, Copy)]
pub(super) struct Args<'a>(pub(super) &'a [Arg<'a>]);

/// Whether values of a type are one core number.
fn scalar(ty: &InterfaceType) -> bool {
    use InterfaceType::*;
    matches!(
        ty,
        S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | Float32 | Float64 | Bool | Char
    )
}

/// The WIT types that cross as one run of memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Text,
    List(InterfaceType),
}

fn run(ty: &InterfaceType, types: &ComponentTypes) -> Option<Run> {
    use InterfaceType::*;
    match ty {
        String => Some(Run::Text),
        List(list) => match types[*list].element {
            element @ (S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | Float32 | Float64) => {
                Some(Run::List(element))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Lowers one value by wasmtime's own conversion, into a slot that is initialised already.
fn lower<L: Lower + ?Sized, T>(
    value: &L,
    cx: &mut LowerContext<'_, T>,
    ty: InterfaceType,
    empty: L::Lower,
) -> Result<L::Lower> {
    let mut slot = MaybeUninit::new(empty);
    value.linear_lower_to_flat(cx, ty, &mut slot)?;
    // SAFETY: `slot` was initialised with `empty`, and nothing can make it uninitialised again.
    Ok(unsafe { slot.assume_init() })
}

impl Arg<'_> {
    /// Lowers the argument into the front of `slots`, and gives back the rest.
    fn lower<'s, T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        slots: &'s mut [ValRaw],
    ) -> Result<&'s mut [ValRaw]> {
        use InterfaceType::*;
        let zero = ValRaw::i64(0);
        if let Arg::Scalar(val) = self {
            let Some((slot, rest)) = slots.split_first_mut() else {
                bail!("more arguments than the function has parameters");
            };
            *slot = match (ty, val) {
                (Bool, Val::Bool(v)) => lower(v, cx, ty, zero)?,
                (Char, Val::Char(v)) => lower(v, cx, ty, zero)?,
                (S8, Val::S8(v)) => lower(v, cx, ty, zero)?,
                (U8, Val::U8(v)) => lower(v, cx, ty, zero)?,
                (S16, Val::S16(v)) => lower(v, cx, ty, zero)?,
                (U16, Val::U16(v)) => lower(v, cx, ty, zero)?,
                (S32, Val::S32(v)) => lower(v, cx, ty, zero)?,
                (U32, Val::U32(v)) => lower(v, cx, ty, zero)?,
                (S64, Val::S64(v)) => lower(v, cx, ty, zero)?,
                (U64, Val::U64(v)) => lower(v, cx, ty, zero)?,
                (Float32, Val::Float32(v)) => lower(v, cx, ty, zero)?,
                (Float64, Val::Float64(v)) => lower(v, cx, ty, zero)?,
                _ => bail!("an argument is not of its parameter's type"),
            };
            return Ok(rest);
        }
        let Some((pair, rest)) = slots.split_first_chunk_mut::<2>() else {
            bail!("more arguments than the function has parameters");
        };
        let zero = [zero; 2];
        *pair = match (run(&ty, cx.types), self) {
            (Some(Run::Text), Arg::Text(v)) => lower::<str, T>(v, cx, ty, zero)?,
            (Some(Run::List(U8)), Arg::U8(v)) => lower::<[u8], T>(v, cx, ty, zero)?,
            (Some(Run::List(S8)), Arg::S8(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(S16)), Arg::S16(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(U16)), Arg::U16(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(S32)), Arg::S32(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(U32)), Arg::U32(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(S64)), Arg::S64(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(U64)), Arg::U64(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(Float32)), Arg::F32(v)) => lower(v, cx, ty, zero)?,
            (Some(Run::List(Float64)), Arg::F64(v)) => lower(v, cx, ty, zero)?,
            _ => bail!("an argument is not of its parameter's type"),
        };
        Ok(rest)
    }
}

// SAFETY: `Lower` is an array of `ValRaw`, of the most numbers that parameters are passed in. `typecheck` accepts
// only functions whose parameters are passed in at most as many, so wasmtime always calls `linear_lower_to_flat`,
// never the conversion to memory for which `ABI` would have to be the parameters' own. That a value fits its
// parameter's type is checked when it is lowered.
unsafe impl ComponentType for Args<'_> {
    type Lower = [ValRaw; MAX_FLAT_PARAMS];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        let InterfaceType::Tuple(params) = ty else {
            bail!("not a list of parameters");
        };
        let mut flat = 0;
        for ty in &types.types[*params].types {
            flat += match run(ty, types.types) {
                Some(_) => 2,
                None if scalar(ty) => 1,
                None => bail!("a parameter is neither a scalar nor one run of memory"),
            };
        }
        if flat > MAX_FLAT_PARAMS {
            bail!("the parameters are passed in memory");
        }
        Ok(())
    }
}

// SAFETY: `dst` is written whole before anything else. The numbers of the parameters are those of wasmtime's own
// conversions, one behind the other, which is the flat form of a tuple; those behind them stay zero and are not
// read, since the function has no parameters there.
unsafe impl Lower for Args<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let InterfaceType::Tuple(params) = ty else {
            bail!("not a list of parameters");
        };
        let params = &cx.types[params].types;
        if params.len() != self.0.len() {
            bail!("the number of arguments is not that of the parameters");
        }
        let mut slots = &mut dst.write([ValRaw::i64(0); MAX_FLAT_PARAMS])[..];
        for (arg, ty) in self.0.iter().zip(params) {
            slots = arg.lower(cx, *ty, slots)?;
        }
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        _: &mut LowerContext<'_, T>,
        _: InterfaceType,
        _: usize,
    ) -> Result<()> {
        bail!("arguments are not passed in memory")
    }
}

// SAFETY: `typecheck` accepts nothing but a tuple, which is what a list of parameters is.
unsafe impl ComponentNamedList for Args<'_> {}

/// A result that is a number, boolean or character.
pub(super) struct Scalar(pub(super) Val);

// SAFETY: every scalar is lowered to one `ValRaw`. `ABI` would be wrong for a scalar in memory, but there are none:
// a result of one number is never passed in memory, and `linear_lift_from_memory` refuses.
unsafe impl ComponentType for Scalar {
    type Lower = ValRaw;

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::SCALAR8;

    fn typecheck(ty: &InterfaceType, _: &InstanceType<'_>) -> Result<()> {
        match scalar(ty) {
            true => Ok(()),
            false => bail!("not a scalar"),
        }
    }
}

// SAFETY: chooses wasmtime's own conversion by the type that wasmtime gives.
unsafe impl Lift for Scalar {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &ValRaw,
    ) -> Result<Self> {
        use InterfaceType::*;
        Ok(Scalar(match ty {
            Bool => Val::Bool(Lift::linear_lift_from_flat(cx, ty, src)?),
            Char => Val::Char(Lift::linear_lift_from_flat(cx, ty, src)?),
            S8 => Val::S8(Lift::linear_lift_from_flat(cx, ty, src)?),
            U8 => Val::U8(Lift::linear_lift_from_flat(cx, ty, src)?),
            S16 => Val::S16(Lift::linear_lift_from_flat(cx, ty, src)?),
            U16 => Val::U16(Lift::linear_lift_from_flat(cx, ty, src)?),
            S32 => Val::S32(Lift::linear_lift_from_flat(cx, ty, src)?),
            U32 => Val::U32(Lift::linear_lift_from_flat(cx, ty, src)?),
            S64 => Val::S64(Lift::linear_lift_from_flat(cx, ty, src)?),
            U64 => Val::U64(Lift::linear_lift_from_flat(cx, ty, src)?),
            Float32 => Val::Float32(Lift::linear_lift_from_flat(cx, ty, src)?),
            Float64 => Val::Float64(Lift::linear_lift_from_flat(cx, ty, src)?),
            _ => bail!("not a scalar"),
        }))
    }

    fn linear_lift_from_memory(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[u8],
    ) -> Result<Self> {
        bail!("a scalar is not passed in memory")
    }
}

/// A result that is text or a list of numbers.
#[derive(Debug)]
pub(super) enum Bulk {
    Text(String),
    U8(Vec<u8>),
    S8(Vec<i8>),
    S16(Vec<i16>),
    U16(Vec<u16>),
    S32(Vec<i32>),
    U32(Vec<u32>),
    S64(Vec<i64>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

// SAFETY: text and lists all have the same form, a pointer and a length.
unsafe impl ComponentType for Bulk {
    type Lower = [ValRaw; 2];

    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::POINTER_PAIR;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        match run(ty, types.types) {
            Some(_) => Ok(()),
            None => bail!("not one run of memory"),
        }
    }
}

macro_rules! lift {
    ($method:ident($cx:ident, $ty:ident, $src:ident)) => {{
        use InterfaceType::*;
        Ok(match run(&$ty, $cx.types) {
            Some(Run::Text) => Bulk::Text(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(U8)) => Bulk::U8(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(S8)) => Bulk::S8(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(S16)) => Bulk::S16(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(U16)) => Bulk::U16(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(S32)) => Bulk::S32(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(U32)) => Bulk::U32(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(S64)) => Bulk::S64(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(U64)) => Bulk::U64(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(Float32)) => Bulk::F32(Lift::$method($cx, $ty, $src)?),
            Some(Run::List(Float64)) => Bulk::F64(Lift::$method($cx, $ty, $src)?),
            _ => bail!("not one run of memory"),
        })
    }};
}

// SAFETY: chooses wasmtime's own conversion by the type that wasmtime gives; all of them take the same two numbers.
unsafe impl Lift for Bulk {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &Self::Lower,
    ) -> Result<Self> {
        lift!(linear_lift_from_flat(cx, ty, src))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        lift!(linear_lift_from_memory(cx, ty, bytes))
    }
}
