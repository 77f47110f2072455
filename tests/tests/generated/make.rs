//! Modules that chance makes: most of them components around what wasm-smith generates, some that call WASI, some that are
//! none.

use arbitrary::{Arbitrary, Unstructured};
use wasm_encoder::{
    CanonicalOption, ComponentBuilder, ComponentExportKind, ComponentValType, ExportKind,
    ModuleArg, PrimitiveValType,
};
use wasm_smith::Config;
use wasmpool_tests::Random;

use crate::{Made, wasi};

/// Function calls and turns of loops after which most generated modules trap.
const FUEL: u32 = 1000;

/// The next one.
pub fn module(random: &mut Random) -> Made {
    let (what, bytes, broken) = match random.below(16) {
        0..9 => (
            "a component around a generated module",
            component(random),
            false,
        ),
        9..12 => ("random calls of WASI", wasi::module(random), false),
        12 => ("a generated core module", core_module(random), true),
        13 => ("generated invalid functions", invalid(random), false),
        14 => ("random bytes", bytes(random), false),
        _ => ("a damaged component", damaged(random), false),
    };
    Made {
        what: what.into(),
        bytes,
        broken,
    }
}

/// Random bytes for makers that take their decisions from some.
fn dna(random: &mut Random) -> Vec<u8> {
    (0..512)
        .flat_map(|_| random.number().to_le_bytes())
        .collect()
}

fn smith(config: Config, random: &mut Random) -> wasm_smith::Module {
    wasm_smith::Module::new(config, &mut Unstructured::new(&dna(random)))
        .expect("any bytes make a module")
}

/// A core module without component metadata, with anything that wasm-smith can make.
fn core_module(random: &mut Random) -> Vec<u8> {
    let dna = dna(random);
    let config =
        Config::arbitrary(&mut Unstructured::new(&dna)).expect("any bytes make a configuration");
    smith(config, random).to_bytes()
}

/// A component whose functions are bytes that need not be instructions.
fn invalid(random: &mut Random) -> Vec<u8> {
    let functions = functions(random);
    let config = Config {
        allow_invalid_funcs: true,
        ..config(&functions, random)
    };
    wrapped(&smith(config, random).to_bytes(), &functions, random)
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let starts: [&[u8]; 5] = [
        b"",
        b"\0asm\x01\0\0\0",
        b"\0asm\x0d\0\x01\0",
        b"(component ",
        b"(module ",
    ];
    let mut bytes = starts[random.below(starts.len())].to_vec();
    bytes.extend((0..8 + random.below(500)).map(|_| random.number() as u8));
    bytes
}

fn damaged(random: &mut Random) -> Vec<u8> {
    let mut bytes = component(random);
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        match random.below(3) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes[at] ^= 1 << random.below(8),
            _ => drop(bytes.drain(at..(at + 1 + random.below(20)).min(bytes.len() - 1).max(at))),
        }
    }
    bytes
}

/// A type of the component model, as far as it is needed here.
#[derive(Clone, Copy)]
enum Type {
    Scalar(PrimitiveValType, &'static str),
    Text,
    Bytes,
    Texts,
    Pairs,
    Maybe,
}

impl Type {
    fn any(random: &mut Random) -> Type {
        use PrimitiveValType::*;
        match random.below(16) {
            0 => Type::Scalar(S32, "i32"),
            1 => Type::Scalar(U64, "i64"),
            2 => Type::Scalar(F64, "f64"),
            3 => Type::Scalar(F32, "f32"),
            4 => Type::Scalar(Bool, "i32"),
            5 => Type::Scalar(Char, "i32"),
            6 => Type::Scalar(U8, "i32"),
            7..10 => Type::Text,
            10..12 => Type::Bytes,
            12 => Type::Texts,
            13 => Type::Pairs,
            14 => Type::Maybe,
            _ => Type::Scalar(S64, "i64"),
        }
    }

    /// As parameters of a core function.
    fn flat(self) -> &'static str {
        match self {
            Type::Scalar(_, core) => core,
            Type::Text | Type::Bytes | Type::Texts | Type::Pairs => "i32 i32",
            Type::Maybe => "i32 i64",
        }
    }

    /// As the result of a core function: what does not fit one value is in memory.
    fn returned(self) -> &'static str {
        match self {
            Type::Scalar(_, core) => core,
            _ => "i32",
        }
    }

    fn define(self, builder: &mut ComponentBuilder) -> ComponentValType {
        let text = ComponentValType::Primitive(PrimitiveValType::String);
        let mut defined = |of: &dyn Fn(wasm_encoder::ComponentDefinedTypeEncoder<'_>)| {
            let (index, encoder) = builder.type_defined(None);
            of(encoder);
            ComponentValType::Type(index)
        };
        match self {
            Type::Scalar(scalar, _) => ComponentValType::Primitive(scalar),
            Type::Text => text,
            Type::Bytes => defined(&|ty| ty.list(PrimitiveValType::U8)),
            Type::Texts => defined(&|ty| ty.list(PrimitiveValType::String)),
            Type::Pairs => {
                let s32 = ComponentValType::Primitive(PrimitiveValType::S32);
                let pair = defined(&|ty| ty.tuple([text, s32]));
                defined(&|ty| ty.list(pair))
            }
            Type::Maybe => defined(&|ty| ty.option(PrimitiveValType::S64)),
        }
    }
}

/// An exported function.
struct Function {
    name: String,
    params: Vec<Type>,
    result: Option<Type>,
}

impl Function {
    /// Its core type, in text.
    fn core_type(&self) -> String {
        let params: Vec<_> = self.params.iter().map(|ty| ty.flat()).collect();
        let result = self.result.map_or("", Type::returned);
        format!("(param {}) (result {result})", params.join(" "))
    }

    fn arguments(&self) -> String {
        let flat: Vec<_> = self
            .params
            .iter()
            .flat_map(|ty| ty.flat().split(' '))
            .collect();
        (0..flat.len())
            .map(|n| format!("(local.get {n})"))
            .collect()
    }
}

fn functions(random: &mut Random) -> Vec<Function> {
    let count = 1 + random.below(3);
    let function = |n| Function {
        name: format!("f{n}"),
        params: (0..random.below(4)).map(|_| Type::any(random)).collect(),
        result: (random.below(6) > 0).then(|| Type::any(random)),
    };
    (0..count).map(function).collect()
}

const REALLOC: &str = "(param i32 i32 i32 i32) (result i32)";

/// What generated modules may be: mostly what the pool takes.
fn config(functions: &[Function], random: &mut Random) -> Config {
    let functions: String = functions
        .iter()
        .map(|f| {
            format!(
                "(func (export \"{}\") {} unreachable)",
                f.name,
                f.core_type()
            )
        })
        .collect();
    let shape = format!(
        "(module {functions} (func (export \"realloc\") {REALLOC} unreachable) (memory (export \"memory\") 1))"
    );
    // One that uses what the engine does not have, or asks for more than it may.
    let foreign = random.below(8) == 0;
    let large = random.below(8) == 0;
    Config {
        exports: Some(wat::parse_str(shape).expect("the shape is a module")),
        disallow_traps: random.below(2) == 0,
        max_imports: 0,
        max_funcs: 10,
        max_instructions: 30 + random.below(300),
        max_memories: if foreign { 3 } else { 1 },
        max_memory32_bytes: if large { 1 << 32 } else { 8 << 20 },
        max_table_elements: if large { 10_000_000 } else { 1000 },
        max_tables: 3,
        table_max_size_required: true,
        memory64_enabled: foreign,
        threads_enabled: foreign,
        exceptions_enabled: foreign,
        gc_enabled: foreign,
        // Among them are those of garbage collection.
        reference_types_enabled: foreign,
        wide_arithmetic_enabled: foreign,
        compact_imports_enabled: false,
        ..Config::default()
    }
}

/// A component that exports the functions of a generated core module.
fn component(random: &mut Random) -> Vec<u8> {
    let functions = functions(random);
    let mut module = smith(config(&functions, random), random);
    if random.below(8) > 0 {
        module
            .ensure_termination(FUEL)
            .expect("only generated instructions");
    }
    wrapped(&module.to_bytes(), &functions, random)
}

/// A core module as a component. Half of them keep the pointers that they give back within memory, and allocate as one
/// should: then what lies there is looked at.
fn wrapped(module: &[u8], functions: &[Function], random: &mut Random) -> Vec<u8> {
    let mut builder = ComponentBuilder::default();
    let inner = builder.core_module_raw(None, module);
    let none: [(&str, ModuleArg); 0] = [];
    let inner = builder.core_instantiate(None, inner, none);
    let memory = builder.core_alias_export(None, inner, "memory", ExportKind::Memory);
    let outer = match random.below(2) {
        0 => inner,
        _ => {
            let tamed = builder.core_module_raw(None, &tame(functions));
            builder.core_instantiate(None, tamed, [("m", ModuleArg::Instance(inner))])
        }
    };
    let realloc = builder.core_alias_export(None, outer, "realloc", ExportKind::Func);
    let encoding = match random.below(8) {
        0 => CanonicalOption::UTF16,
        1 => CanonicalOption::CompactUTF16,
        _ => CanonicalOption::UTF8,
    };
    for function in functions {
        let core = builder.core_alias_export(None, outer, &function.name, ExportKind::Func);
        let params: Vec<_> = function
            .params
            .iter()
            .map(|ty| ty.define(&mut builder))
            .collect();
        let result = function.result.map(|ty| ty.define(&mut builder));
        let (ty, mut encoder) = builder.type_function(None);
        encoder
            .params(["a", "b", "c"].into_iter().zip(params).collect::<Vec<_>>())
            .result(result);
        let options = [
            encoding,
            CanonicalOption::Memory(memory),
            CanonicalOption::Realloc(realloc),
        ];
        let lifted = builder.lift_func(None, core, ty, options);
        builder.export(
            function.name.as_str(),
            ComponentExportKind::Func,
            lifted,
            None,
        );
    }
    builder.finish()
}

fn tame(functions: &[Function]) -> Vec<u8> {
    let mut imports = String::new();
    let mut exports = String::new();
    for f in functions {
        let (name, ty) = (&f.name, f.core_type());
        imports.push_str(&format!("(import \"m\" \"{name}\" (func ${name} {ty}))"));
        let mask = match f.result {
            None | Some(Type::Scalar(..)) => "",
            Some(_) => "(i32.and (i32.const 0xfff8))",
        };
        exports.push_str(&format!(
            "(func (export \"{name}\") {ty} (call ${name} {}) {mask})",
            f.arguments()
        ));
    }
    let text = format!(
        r#"(module {imports}
            (global $next (mut i32) (i32.const 32768))
            {exports}
            (func (export "realloc") {REALLOC}
                (global.get $next)
                (global.set $next
                    (i32.and
                        (i32.add (i32.add (global.get $next) (local.get 3)) (i32.const 7))
                        (i32.const -8)))))"#
    );
    wat::parse_str(text).expect("it is a module")
}
