//! Generates components.

use super::Guest;

/// A core module with a bump allocator that starts anew after each call. Leaves its parenthesis open for more.
pub const CORE: &str = r#"
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32) (local $end i32)
        (local.set $at (i32.and
            (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get 2))))
        (local.set $end (i32.add (local.get $at) (local.get 3)))
        (if (i32.gt_u (local.get $end) (i32.mul (memory.size) (i32.const 65536)))
            (then (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1) (i32.shr_u
                    (i32.sub (local.get $end) (i32.mul (memory.size) (i32.const 65536))) (i32.const 16)))))
                (then unreachable))))
        (global.set $next (local.get $end))
        (memory.copy (local.get $at) (local.get 0) (local.get 1))
        (local.get $at))
    (; Scribbles over the result, which must have been copied by now. ;)
    (func (export "post") (param i32)
        (memory.fill (i32.const 0) (i32.const 0xff) (global.get $next))
        (global.set $next (i32.const 4096)))
"#;

/// A type of the component model, as the generator writes it.
#[derive(Clone, Debug)]
pub enum T {
    Prim(&'static str),
    List(Box<T>),
    Fixed(Box<T>, u32),
    Map(Box<T>, Box<T>),
    Tuple(Vec<T>),
    Record(Vec<(&'static str, T)>),
    Variant(Vec<(&'static str, Option<T>)>),
    Enum(Vec<&'static str>),
    Flags(Vec<&'static str>),
    Option(Box<T>),
    Result(Option<Box<T>>, Option<Box<T>>),
}

pub fn prim(name: &'static str) -> T {
    T::Prim(name)
}

pub fn list(element: T) -> T {
    T::List(Box::new(element))
}

pub fn option(inner: T) -> T {
    T::Option(Box::new(inner))
}

pub fn result(ok: Option<T>, err: Option<T>) -> T {
    T::Result(ok.map(Box::new), err.map(Box::new))
}

/// The definitions of the types of one component.
#[derive(Default)]
pub struct Types {
    pub text: String,
    count: usize,
}

impl Types {
    /// Defines a type, and gives what refers to it.
    pub fn define(&mut self, ty: &T) -> String {
        let (named, body) = match ty {
            T::Prim(name) => return (*name).to_owned(),
            T::List(element) => (false, format!("(list {})", self.define(element))),
            T::Fixed(element, n) => (false, format!("(list {} {n})", self.define(element))),
            T::Map(key, value) => {
                let (key, value) = (self.define(key), self.define(value));
                (false, format!("(map {key} {value})"))
            }
            T::Tuple(types) => {
                let parts: Vec<_> = types.iter().map(|ty| self.define(ty)).collect();
                (false, format!("(tuple {})", parts.join(" ")))
            }
            T::Option(inner) => (false, format!("(option {})", self.define(inner))),
            T::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.define(ty)).unwrap_or_default();
                let err = err
                    .as_ref()
                    .map(|ty| format!("(error {})", self.define(ty)));
                (false, format!("(result {ok} {})", err.unwrap_or_default()))
            }
            T::Record(fields) => {
                let parts: Vec<_> = fields
                    .iter()
                    .map(|(name, ty)| format!("(field \"{name}\" {})", self.define(ty)))
                    .collect();
                (true, format!("(record {})", parts.join(" ")))
            }
            T::Variant(cases) => {
                let parts: Vec<_> = cases
                    .iter()
                    .map(|(name, ty)| {
                        let ty = ty.as_ref().map(|ty| self.define(ty)).unwrap_or_default();
                        format!("(case \"{name}\" {ty})")
                    })
                    .collect();
                (true, format!("(variant {})", parts.join(" ")))
            }
            T::Enum(names) => (true, format!("(enum {})", quoted(names))),
            T::Flags(names) => (true, format!("(flags {})", quoted(names))),
        };
        let id = self.count;
        self.count += 1;
        self.text.push_str(&format!("(type $d{id} {body})\n"));
        if !named {
            return format!("$d{id}");
        }
        // Only types with an exported name may appear in an exported function.
        self.text
            .push_str(&format!("(export $t{id} \"t{id}\" (type $d{id}))\n"));
        format!("$t{id}")
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    names.join(" ")
}

/// A component: types, the functions of a core module, and a lifted function for each of them.
///
/// `funcs` are the name, the component type without `func`, and the core function's text from its parameters on.
pub fn component(types: &str, funcs: &[(&str, &str, &str)]) -> String {
    let mut core = String::new();
    let mut lifted = String::new();
    for (name, ty, body) in funcs {
        core.push_str(&format!("(func (export \"{name}\") {body})\n"));
        let post = match ty.contains("(result") {
            true => "(post-return (core func $i \"post\"))",
            false => "",
        };
        let post = if body.contains("(result i32)") {
            post
        } else {
            ""
        };
        lifted.push_str(&format!(
            "(func (export \"{name}\") {ty} (canon lift (core func $i \"{name}\")
                (memory (core memory $i \"memory\")) (realloc (core func $i \"realloc\")) {post}))\n"
        ));
    }
    format!(
        "(component (core module $m {CORE} {core}) (core instance $i (instantiate $m))\n{types}\n{lifted})"
    )
}

/// Takes a pointer and a length, and returns where the two stand.
pub const ECHO_PAIR: &str = "(param i32 i32) (result i32)
    (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)";

/// A component whose `echo` gives back a list of the given type. What the elements are, core code need not know.
pub fn echo_list(element: &T) -> Guest {
    let mut types = Types::default();
    let ty = types.define(&list(element.clone()));
    let echo = format!("(param \"x\" {ty}) (result {ty})");
    Guest::new(&component(&types.text, &[("echo", &echo, ECHO_PAIR)]))
}

/// A component whose `echo` gives back a string.
pub fn echo_string() -> Guest {
    let echo = "(param \"x\" string) (result string)";
    Guest::new(&component("", &[("echo", echo, ECHO_PAIR)]))
}

/// A component whose `echo` gives back a scalar of the given type.
pub fn echo_scalar(ty: &str) -> Guest {
    let core = match ty {
        "s64" | "u64" => "i64",
        "f32" => "f32",
        "f64" => "f64",
        _ => "i32",
    };
    let wat = format!(
        "(component (core module $m (func (export \"echo\") (param {core}) (result {core}) (local.get 0)))
            (core instance $i (instantiate $m))
            (func (export \"echo\") (param \"x\" {ty}) (result {ty}) (canon lift (core func $i \"echo\"))))"
    );
    Guest::new(&wat)
}
