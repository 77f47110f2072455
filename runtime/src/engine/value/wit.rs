//! Renders types as WIT text. Owns the spelling and its bounds.

use wasmtime::component::Type;

/// Levels of nesting and bytes of text that [`wit_text`] writes; beyond either it writes `…`.
const FULL: (usize, usize) = (16, 4096);
/// The same for error messages, where a type stands in the middle of a sentence.
const BRIEF: (usize, usize) = (3, 160);

/// Renders a type as WIT text, named types in line: `record { x: s64, name: option<string> }`.
///
/// WebAssembly components keep no names of types, so none are shown. Deeply nested or very long types are cut short
/// with `…`: the text has a few kilobytes at most, whatever the component declares.
pub fn wit_text(ty: &Type) -> String {
    render(ty, FULL)
}

/// As [`wit_text`], short enough for an error message.
pub(super) fn brief(ty: &Type) -> String {
    render(ty, BRIEF)
}

fn render(ty: &Type, (depth, bytes): (usize, usize)) -> String {
    let mut text = Text {
        out: String::new(),
        bytes,
    };
    text.ty(ty, depth);
    text.out
}

struct Text {
    out: String,
    bytes: usize,
}

impl Text {
    fn full(&self) -> bool {
        self.out.len() >= self.bytes
    }

    /// Writes `open`, the parts with `, ` between them, then `close`; stops early when there is no room.
    fn parts<P>(
        &mut self,
        open: &str,
        parts: impl Iterator<Item = P>,
        close: &str,
        mut part: impl FnMut(&mut Self, P),
    ) {
        self.out.push_str(open);
        for (index, value) in parts.enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            if self.full() {
                self.out.push('…');
                break;
            }
            part(self, value);
        }
        self.out.push_str(close);
    }

    /// A name may be as long as the component likes.
    fn name(&mut self, name: &str) {
        let room = self.bytes.saturating_sub(self.out.len());
        match name.char_indices().find(|(at, _)| *at >= room) {
            None => self.out.push_str(name),
            Some((end, _)) => {
                self.out.push_str(&name[..end]);
                self.out.push('…');
            }
        }
    }

    fn payload(&mut self, ty: Option<Type>, depth: usize) {
        match ty {
            Some(ty) => self.ty(&ty, depth),
            None => self.out.push('_'),
        }
    }

    fn ty(&mut self, ty: &Type, depth: usize) {
        if depth == 0 || self.full() {
            return self.out.push('…');
        }
        let below = depth - 1;
        let name = match ty {
            Type::Bool => "bool",
            Type::S8 => "s8",
            Type::U8 => "u8",
            Type::S16 => "s16",
            Type::U16 => "u16",
            Type::S32 => "s32",
            Type::U32 => "u32",
            Type::S64 => "s64",
            Type::U64 => "u64",
            Type::Float32 => "f32",
            Type::Float64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Own(_) => "own<resource>",
            Type::Borrow(_) => "borrow<resource>",
            Type::List(list) => {
                return self.parts("list<", [list.ty()].iter(), ">", |t, ty| t.ty(ty, below));
            }
            Type::FixedLengthList(list) => {
                let close = format!(", {}>", list.len());
                return self.parts("list<", [list.ty()].iter(), &close, |t, ty| t.ty(ty, below));
            }
            Type::Map(map) => {
                let parts = [map.key(), map.value()];
                return self.parts("map<", parts.iter(), ">", |t, ty| t.ty(ty, below));
            }
            Type::Option(option) => {
                return self.parts("option<", [option.ty()].iter(), ">", |t, ty| {
                    t.ty(ty, below)
                });
            }
            Type::Tuple(tuple) => {
                return self.parts("tuple<", tuple.types(), ">", |t, ty| t.ty(&ty, below));
            }
            Type::Record(record) => {
                return self.parts("record { ", record.fields(), " }", |t, field| {
                    t.name(field.name);
                    t.out.push_str(": ");
                    t.ty(&field.ty, below);
                });
            }
            Type::Variant(variant) => {
                return self.parts("variant { ", variant.cases(), " }", |t, case| {
                    t.name(case.name);
                    if let Some(ty) = &case.ty {
                        t.out.push('(');
                        t.ty(ty, below);
                        t.out.push(')');
                    }
                });
            }
            Type::Enum(cases) => {
                return self.parts("enum { ", cases.names(), " }", |t, name| t.name(name));
            }
            Type::Flags(flags) => {
                return self.parts("flags { ", flags.names(), " }", |t, name| t.name(name));
            }
            Type::Result(result) => match (result.ok(), result.err()) {
                (None, None) => "result",
                (Some(ok), None) => {
                    return self.parts("result<", [ok].iter(), ">", |t, ty| t.ty(ty, below));
                }
                (ok, err) => {
                    let parts = [ok, err].into_iter();
                    return self.parts("result<", parts, ">", |t, ty| t.payload(ty, below));
                }
            },
            Type::Future(future) => match future.ty() {
                None => "future",
                Some(ty) => {
                    return self.parts("future<", [ty].iter(), ">", |t, ty| t.ty(ty, below));
                }
            },
            Type::Stream(stream) => match stream.ty() {
                None => "stream",
                Some(ty) => {
                    return self.parts("stream<", [ty].iter(), ">", |t, ty| t.ty(ty, below));
                }
            },
        };
        self.out.push_str(name);
    }
}
