//! The types of a function, resolved once so that no call has to ask the engine about them.

use std::fmt;

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

use super::wit::wit_text;

/// Levels of nesting that a parameter's or a result's type may have. Bounds the native stack that reading, writing
/// and dropping a value takes.
pub const MAX_TYPE_DEPTH: usize = 64;

/// Parts (fields, cases, names, element types, repeated use counted each time) that the types of one function may
/// have together. Types may share parts, so a small component could otherwise describe a huge one.
pub const MAX_TYPE_PARTS: usize = 65_536;

/// Why a function cannot be called with JSON or raw bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A value of this type exists only inside a running component.
    #[error("{place} has the type `{ty}`, which has no JSON form")]
    Type {
        /// Which parameter, or the result, and where in it.
        place: String,
        /// The type, as WIT text.
        ty: String,
    },
    /// A type is nested deeper than [`MAX_TYPE_DEPTH`].
    #[error("{place} has a type nested deeper than {MAX_TYPE_DEPTH} levels")]
    TooDeep {
        /// Which parameter, or the result.
        place: String,
    },
    /// The types have more than [`MAX_TYPE_PARTS`] parts.
    #[error(
        "{place} has a type too large: the function's types have more than {MAX_TYPE_PARTS} parts"
    )]
    TooLarge {
        /// The parameter, or the result, with which the bound was passed.
        place: String,
    },
    /// The function's type is asynchronous.
    #[error(
        "the function is asynchronous (`async func`); only synchronous functions can be called"
    )]
    Async,
}

/// The WIT signature of a function that can be called with JSON.
///
/// Its `Display` is WIT text: `func(x: s64) -> s64`.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The parameters: name and type, in order.
    pub params: Vec<(String, Type)>,
    /// The result, if there is one.
    pub result: Option<Type>,
    pub(super) inputs: Vec<(String, Ty)>,
    pub(super) output: Option<Ty>,
}

impl Signature {
    /// Resolves the type of a function.
    ///
    /// # Errors
    ///
    /// When a parameter or the result has no JSON form, is nested too deep or too large, or the function is
    /// asynchronous.
    pub fn new(func: &ComponentFunc) -> Result<Signature, Unsupported> {
        if func.async_() {
            return Err(Unsupported::Async);
        }
        let mut resolver = Resolver {
            parts: MAX_TYPE_PARTS,
        };
        let params: Vec<(String, Type)> = func
            .params()
            .map(|(name, ty)| (name.to_owned(), ty))
            .collect();
        let inputs = params
            .iter()
            .map(|(name, ty)| {
                let place = Place::Param(name);
                Ok((name.clone(), resolver.resolve(ty, &place, MAX_TYPE_DEPTH)?))
            })
            .collect::<Result<_, Unsupported>>()?;
        let result = func.results().next();
        let output = match &result {
            Some(ty) => Some(resolver.resolve(ty, &Place::Result, MAX_TYPE_DEPTH)?),
            None => None,
        };
        Ok(Signature {
            params,
            result,
            inputs,
            output,
        })
    }

    /// The only parameter, if there is exactly one.
    pub(super) fn single(&self) -> Option<&Ty> {
        match &self.inputs[..] {
            [(_, ty)] => Some(ty),
            _ => None,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        for (index, (name, ty)) in self.params.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}: {}", wit_text(ty))?;
        }
        f.write_str(")")?;
        match &self.result {
            Some(ty) => write!(f, " -> {}", wit_text(ty)),
            None => Ok(()),
        }
    }
}

/// A resolved type: what the engine says about it, and its parts.
#[derive(Clone, Debug)]
pub(super) struct Ty {
    pub(super) kind: Kind,
    pub(super) ty: Type,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Bool,
    Int(Int),
    F32,
    F64,
    Char,
    String,
    List(Box<Ty>),
    Fixed(Box<Ty>, u32),
    Map(Box<[Ty; 2]>),
    Record(Vec<(String, Ty)>),
    Tuple(Vec<Ty>),
    Variant(Vec<(String, Option<Ty>)>),
    Enum(Vec<String>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Flags(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

impl Ty {
    /// Whether values are one core WebAssembly number.
    pub(super) fn is_scalar(&self) -> bool {
        matches!(
            self.kind,
            Kind::Bool | Kind::Int(_) | Kind::F32 | Kind::F64 | Kind::Char
        )
    }

    /// Whether values are one run of memory: text, or a list of numbers.
    pub(super) fn is_bulk(&self) -> bool {
        match &self.kind {
            Kind::String => true,
            Kind::List(element) => matches!(element.kind, Kind::Int(_) | Kind::F32 | Kind::F64),
            _ => false,
        }
    }

    /// Whether this is `list<u8>`.
    pub(super) fn is_bytes(&self) -> bool {
        matches!(&self.kind, Kind::List(element) if matches!(element.kind, Kind::Int(Int::U8)))
    }

    /// Whether this is `string` or `list<u8>`: what raw bytes can be.
    pub(super) fn is_raw(&self) -> bool {
        matches!(self.kind, Kind::String) || self.is_bytes()
    }

    pub(super) fn is_option(&self) -> bool {
        matches!(self.kind, Kind::Option(_))
    }
}

/// Where in a signature a type is, for messages only.
enum Place<'p> {
    Param(&'p str),
    Result,
    Field(&'p Place<'p>, &'p str),
    Element(&'p Place<'p>),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Param(name) => write!(f, "the parameter `{name}`"),
            Place::Result => f.write_str("the result"),
            Place::Field(of, name) => write!(f, "`{name}` of {of}"),
            Place::Element(of) => write!(f, "an element of {of}"),
        }
    }
}

struct Resolver {
    parts: usize,
}

impl Resolver {
    fn take(&mut self, place: &Place<'_>, parts: usize) -> Result<(), Unsupported> {
        match self.parts.checked_sub(parts) {
            Some(rest) => self.parts = rest,
            None => {
                return Err(Unsupported::TooLarge {
                    place: place.to_string(),
                });
            }
        }
        Ok(())
    }

    fn names<'n>(
        &mut self,
        names: impl ExactSizeIterator<Item = &'n str>,
        place: &Place<'_>,
    ) -> Result<Vec<String>, Unsupported> {
        self.take(place, names.len())?;
        Ok(names.map(str::to_owned).collect())
    }

    fn payload(
        &mut self,
        ty: Option<Type>,
        place: &Place<'_>,
        depth: usize,
    ) -> Result<Option<Box<Ty>>, Unsupported> {
        ty.map(|ty| Ok(Box::new(self.resolve(&ty, place, depth)?)))
            .transpose()
    }

    fn resolve(&mut self, ty: &Type, place: &Place<'_>, depth: usize) -> Result<Ty, Unsupported> {
        let Some(below) = depth.checked_sub(1) else {
            return Err(Unsupported::TooDeep {
                place: place.root().to_string(),
            });
        };
        self.take(place.root(), 1)?;
        let element = Place::Element(place);
        let kind = match ty {
            Type::Bool => Kind::Bool,
            Type::S8 => Kind::Int(Int::S8),
            Type::U8 => Kind::Int(Int::U8),
            Type::S16 => Kind::Int(Int::S16),
            Type::U16 => Kind::Int(Int::U16),
            Type::S32 => Kind::Int(Int::S32),
            Type::U32 => Kind::Int(Int::U32),
            Type::S64 => Kind::Int(Int::S64),
            Type::U64 => Kind::Int(Int::U64),
            Type::Float32 => Kind::F32,
            Type::Float64 => Kind::F64,
            Type::Char => Kind::Char,
            Type::String => Kind::String,
            Type::List(list) => Kind::List(Box::new(self.resolve(&list.ty(), &element, below)?)),
            Type::FixedLengthList(list) => Kind::Fixed(
                Box::new(self.resolve(&list.ty(), &element, below)?),
                list.len(),
            ),
            Type::Map(map) => Kind::Map(Box::new([
                self.resolve(&map.key(), &element, below)?,
                self.resolve(&map.value(), &element, below)?,
            ])),
            Type::Record(record) => Kind::Record(
                record
                    .fields()
                    .map(|field| {
                        let at = Place::Field(place, field.name);
                        Ok((field.name.to_owned(), self.resolve(&field.ty, &at, below)?))
                    })
                    .collect::<Result<_, Unsupported>>()?,
            ),
            Type::Tuple(tuple) => Kind::Tuple(
                tuple
                    .types()
                    .map(|ty| self.resolve(&ty, &element, below))
                    .collect::<Result<_, Unsupported>>()?,
            ),
            Type::Variant(variant) => {
                self.take(place.root(), variant.cases().len())?;
                Kind::Variant(
                    variant
                        .cases()
                        .map(|case| {
                            let at = Place::Field(place, case.name);
                            let ty = case
                                .ty
                                .map(|ty| self.resolve(&ty, &at, below))
                                .transpose()?;
                            Ok((case.name.to_owned(), ty))
                        })
                        .collect::<Result<_, Unsupported>>()?,
                )
            }
            Type::Enum(cases) => Kind::Enum(self.names(cases.names(), place.root())?),
            Type::Flags(flags) => Kind::Flags(self.names(flags.names(), place.root())?),
            Type::Option(option) => {
                Kind::Option(Box::new(self.resolve(&option.ty(), place, below)?))
            }
            Type::Result(result) => Kind::Result(
                self.payload(result.ok(), &Place::Field(place, "ok"), below)?,
                self.payload(result.err(), &Place::Field(place, "err"), below)?,
            ),
            Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext => {
                return Err(Unsupported::Type {
                    place: place.to_string(),
                    ty: wit_text(ty),
                });
            }
        };
        Ok(Ty {
            kind,
            ty: ty.clone(),
        })
    }
}

impl Place<'_> {
    /// The parameter or result itself: what to name when the way into it is too long to show.
    fn root(&self) -> &Self {
        match self {
            Place::Param(_) | Place::Result => self,
            Place::Field(of, _) | Place::Element(of) => of.root(),
        }
    }
}
