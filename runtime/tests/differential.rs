//! Random modules give the same outcomes under every isolation, and the same as the engine alone.
//!
//! A module comes from a seed and may keep state in its memory, globals and tables, so what is expected depends on who
//! shares an instance. The model is the core module run by the engine in this process, without any of the pool:
//!
//! - a fresh instance an item, for `instance` and `process`, which may therefore use several workers;
//! - one instance until it traps, then the next, for `shared` and `thread` with one worker, which runs the items in
//!   order. Each module brings its own fuel, which its instance uses up: so instances trap sooner or later.
//!
//! `WASMPOOL_DIFFERENTIAL=100..5000` runs other seeds than the default `0..40`.

use std::ops::Range;
use std::thread;

use arbitrary::Unstructured;
use wasm_encoder::{
    ComponentBuilder, ComponentExportKind, ComponentValType, ExportKind, ModuleArg,
    PrimitiveValType,
};
use wasm_smith::Config;
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::pool::{ChunkSize, Error, JobOptions, OnError, Payload, Pool, PoolBuilder};
use wasmtime::{Engine, Instance, Module, Store, Trap, Val};

/// Items for each module.
const ITEMS: usize = 16;
/// Function calls and turns of loops that an instance has, over all its items.
const FUEL: u32 = 1000;

/// What became of an item: its result as JSON, or the trap.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Result(String),
    Failure(FailureKind, String),
}

/// The component cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NoStart;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scalar {
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
}

use Scalar::{F32, F64, S32, S64, U32, U64};

impl Scalar {
    const ALL: [Scalar; 6] = [S32, U32, S64, U64, F32, F64];

    fn core(self) -> &'static str {
        match self {
            S32 | U32 => "i32",
            S64 | U64 => "i64",
            F32 => "f32",
            F64 => "f64",
        }
    }

    fn component(self) -> ComponentValType {
        ComponentValType::Primitive(match self {
            S32 => PrimitiveValType::S32,
            U32 => PrimitiveValType::U32,
            S64 => PrimitiveValType::S64,
            U64 => PrimitiveValType::U64,
            F32 => PrimitiveValType::F32,
            F64 => PrimitiveValType::F64,
        })
    }

    /// A value that is often at an edge of its type.
    fn value(self, random: &mut Random) -> Val {
        let bits = match random.next() % 3 {
            0 => random.next(),
            1 => [0, 1, u64::MAX, 1 << 63, 1 << 31, i64::MAX as u64][random.below(6)],
            _ => random.next() % 20,
        };
        let floats = [
            0.0,
            -0.0,
            1.5,
            -1e30,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        let float = match random.next() % 2 {
            0 => floats[random.below(floats.len())],
            _ => bits as i64 as f64 / 256.0,
        };
        match self {
            S32 | U32 => Val::I32(bits as i32),
            S64 | U64 => Val::I64(bits as i64),
            F32 => Val::F32((float as f32).to_bits()),
            F64 => Val::F64(float.to_bits()),
        }
    }

    /// The value as the command line takes and prints it.
    fn json(self, value: &Val) -> String {
        match (self, value) {
            (S32, Val::I32(v)) => v.to_string(),
            (U32, Val::I32(v)) => v.cast_unsigned().to_string(),
            (S64, Val::I64(v)) => v.to_string(),
            (U64, Val::I64(v)) => v.cast_unsigned().to_string(),
            (F32, Val::F32(bits)) => {
                float_json(f32::from_bits(*bits), f32::from_bits(*bits).into())
            }
            (F64, Val::F64(bits)) => float_json(f64::from_bits(*bits), f64::from_bits(*bits)),
            other => unreachable!("{other:?}"),
        }
    }
}

fn float_json(value: impl serde::Serialize, wide: f64) -> String {
    match wide {
        f64::INFINITY => "\"Infinity\"".into(),
        f64::NEG_INFINITY => "\"-Infinity\"".into(),
        wide if wide.is_nan() => "\"NaN\"".into(),
        _ => serde_json::to_string(&value).expect("a finite number"),
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// A random module, one that calls it and exports `run`, and items for that.
struct Case {
    module: Vec<u8>,
    caller: Vec<u8>,
    params: Vec<Scalar>,
    result: Scalar,
    items: Vec<Vec<Val>>,
}

impl Case {
    fn new(seed: u64) -> Case {
        let mut random = Random(seed);
        let scalar = |random: &mut Random| Scalar::ALL[random.below(Scalar::ALL.len())];
        let params: Vec<Scalar> = (0..1 + random.below(3))
            .map(|_| scalar(&mut random))
            .collect();
        let result = scalar(&mut random);
        let items = (0..ITEMS)
            .map(|_| params.iter().map(|p| p.value(&mut random)).collect())
            .collect();
        let shape = format!(
            r#"(module
                (func (export "f") (param {}) (result {}) unreachable)
                (global (export "g") (mut i64) i64.const 0)
                (memory (export "m") 1))"#,
            core_types(&params),
            result.core()
        );
        let config = Config {
            exports: Some(wat::parse_str(shape).expect("the shape is a module")),
            // Half of them seldom trap but for want of fuel, so that their arithmetic is seen.
            disallow_traps: !seed.is_multiple_of(2),
            // Bits of NaN depend on the registers that the compiler picks.
            canonicalize_nans: true,
            max_imports: 0,
            // What there is a lot of is instructions, some of which keep state.
            max_types: 10,
            max_funcs: 6,
            max_globals: 4,
            max_data_segments: 3,
            max_element_segments: 3,
            max_elements: 10,
            max_instructions: 60,
            max_memory32_bytes: 1 << 20,
            memory_max_size_required: true,
            max_table_elements: 1000,
            table_max_size_required: true,
            // What the pool's engine refuses.
            memory64_enabled: false,
            threads_enabled: false,
            exceptions_enabled: false,
            gc_enabled: false,
            reference_types_enabled: false,
            wide_arithmetic_enabled: false,
            // Lets each processor choose.
            relaxed_simd_enabled: false,
            compact_imports_enabled: false,
            ..Config::default()
        };
        let dna: Vec<u8> = (0..1024)
            .flat_map(|_| random.next().to_le_bytes())
            .collect();
        let mut module = wasm_smith::Module::new(config, &mut Unstructured::new(&dna))
            .expect("any bytes make a module");
        module
            .ensure_termination(FUEL)
            .expect("only generated instructions");
        Case {
            module: module.to_bytes(),
            caller: caller(&params, result),
            params,
            result,
            items,
        }
    }

    /// The module as a component that exports `run` with the scalars' own types.
    fn component(&self) -> Vec<u8> {
        let mut builder = ComponentBuilder::default();
        let module = builder.core_module_raw(None, &self.module);
        let caller = builder.core_module_raw(None, &self.caller);
        let none: [(&str, ModuleArg); 0] = [];
        let instance = builder.core_instantiate(None, module, none);
        let instance =
            builder.core_instantiate(None, caller, [("m", ModuleArg::Instance(instance))]);
        let run = builder.core_alias_export(None, instance, "run", ExportKind::Func);
        let names = ["a", "b", "c"];
        let (ty, mut function) = builder.type_function(None);
        let params = names.into_iter().zip(&self.params);
        function
            .params(params.map(|(n, p)| (n, p.component())).collect::<Vec<_>>())
            .result(Some(self.result.component()));
        let lifted = builder.lift_func(None, run, ty, []);
        builder.export("run", ComponentExportKind::Func, lifted, None);
        builder.finish()
    }

    fn item_json(&self, item: &[Val]) -> String {
        let values = self.params.iter().zip(item).map(|(p, v)| p.json(v));
        match values.collect::<Vec<_>>().as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(",")),
        }
    }

    /// What the engine alone makes of the items.
    fn model(&self, engine: &Engine, fresh_each: bool) -> Result<Vec<Seen>, NoStart> {
        let module = Module::new(engine, &self.module).expect("a valid module");
        let caller = Module::new(engine, &self.caller).expect("a valid module");
        let start = || {
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module, &[]).map_err(|_| NoStart)?;
            let imports = ["f", "g", "m"]
                .map(|name| instance.get_export(&mut store, name).expect("its shape"));
            let instance = Instance::new(&mut store, &caller, &imports).map_err(|_| NoStart)?;
            Ok((store, instance))
        };
        let mut current = Some(start()?);
        let mut seen = Vec::new();
        for item in &self.items {
            let (mut store, instance) = match current.take() {
                Some(current) if !fresh_each => current,
                _ => start()?,
            };
            let run = instance
                .get_func(&mut store, "run")
                .expect("it exports run");
            let mut result = [Val::I32(0)];
            seen.push(match run.call(&mut store, item, &mut result) {
                Ok(()) => {
                    current = Some((store, instance));
                    Seen::Result(self.result.json(&result[0]))
                }
                Err(e) => {
                    let trap = e.downcast_ref::<Trap>().expect("only traps");
                    Seen::Failure(FailureKind::Trap, trap.to_string())
                }
            });
        }
        Ok(seen)
    }

    /// What a pool makes of the items.
    fn pool(
        &self,
        isolation: Isolation,
        workers: u32,
        chunk_size: ChunkSize,
    ) -> Result<Vec<Seen>, NoStart> {
        let builder = Pool::builder().isolation(isolation);
        let seen = self.run(builder, workers, chunk_size)?;
        Ok(seen.into_iter().map(|(seen, _)| seen).collect())
    }

    /// The same in deterministic mode, with the fuel of each item.
    fn counted(
        &self,
        isolation: Isolation,
        workers: u32,
        chunk_size: ChunkSize,
    ) -> Result<Vec<(Seen, Option<u64>)>, NoStart> {
        let builder = Pool::builder().isolation(isolation).deterministic(7);
        self.run(builder, workers, chunk_size)
    }

    fn run(
        &self,
        builder: PoolBuilder,
        workers: u32,
        chunk_size: ChunkSize,
    ) -> Result<Vec<(Seen, Option<u64>)>, NoStart> {
        let pool = builder
            .workers(workers)
            .cache(false)
            .open_bytes(&self.component())
            .expect("the component is one that the pool takes");
        let options = JobOptions {
            on_error: OnError::Continue,
            chunk_size,
            ..JobOptions::default()
        };
        let (mut feeder, mut results) = pool.stream("run", options).map_err(no_start)?;
        thread::scope(|scope| {
            scope.spawn(move || {
                for item in &self.items {
                    feeder.push(Payload::Bytes(self.item_json(item).into_bytes()));
                }
            });
            let mut seen = Vec::new();
            while let Some(outcome) = results.next() {
                let outcome = outcome.map_err(no_start)?;
                assert_eq!(outcome.index, seen.len() as u64, "results come in order");
                let result = match outcome.result {
                    Ok(bytes) => Seen::Result(String::from_utf8(bytes.to_vec()).expect("JSON")),
                    Err(failure) => Seen::Failure(failure.kind, failure.message),
                };
                seen.push((result, outcome.fuel));
            }
            Ok(seen)
        })
    }
}

fn core_types(scalars: &[Scalar]) -> String {
    let names: Vec<&str> = scalars.iter().map(|s| s.core()).collect();
    names.join(" ")
}

/// Random code seldom uses what it is given. So the caller mixes the item into the module's memory and into a global
/// that lasts, calls the module's function, and makes the result of all three: what one item does is seen in the next.
fn caller(params: &[Scalar], result: Scalar) -> Vec<u8> {
    let bits = |scalar: Scalar, value: String| match scalar {
        S32 | U32 => format!("(i64.extend_i32_u {value})"),
        S64 | U64 => value,
        F32 => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
        F64 => format!("(i64.reinterpret_f64 {value})"),
    };
    let of_bits = match result {
        S32 | U32 => "i32.wrap_i64",
        S64 | U64 => "",
        F32 => "i32.wrap_i64 f32.reinterpret_i32",
        F64 => "f64.reinterpret_i64",
    };
    let gets: Vec<String> = (0..params.len())
        .map(|i| format!("(local.get {i})"))
        .collect();
    let mix: String = params
        .iter()
        .zip(&gets)
        .map(|(p, get)| format!("(call $mix {})", bits(*p, get.clone())))
        .collect();
    let types = core_types(params);
    let core = result.core();
    let called = bits(result, format!("(call $f {})", gets.concat()));
    let text = format!(
        r#"(module
            (import "m" "f" (func $f (param {types}) (result {core})))
            (import "m" "g" (global $g (mut i64)))
            (import "m" "m" (memory 1))
            (func $mix (param $x i64)
                (global.set $g
                    (i64.mul
                        (i64.xor (global.get $g) (local.get $x))
                        (i64.const 0x9e3779b97f4a7c15))))
            (func (export "run") (param {types}) (result {core})
                (local $at i32)
                {mix}
                (i64.store (i32.const 64) (global.get $g))
                (call $mix {called})
                (loop $next
                    (call $mix (i64.load (local.get $at)))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const 4096))))
                (i64.rotl (global.get $g) (i64.const 32))
                {of_bits}))"#
    );
    wat::parse_str(text).expect("the caller is a module")
}

/// The only error of a whole job that a module can cause.
fn no_start(error: Error) -> NoStart {
    match error {
        Error::Start { .. } => NoStart,
        other => panic!("a fault of the pool: {other:?}"),
    }
}

#[test]
fn all_isolations_agree_with_the_engine_alone() {
    let range = match std::env::var("WASMPOOL_DIFFERENTIAL") {
        Ok(range) => parse(&range).expect("WASMPOOL_DIFFERENTIAL is a range like 0..40"),
        Err(_) => 0..40,
    };
    let mut config = wasmtime::Config::new();
    config.max_wasm_stack(1 << 20).async_stack_size(2 << 20);
    let engine = Engine::new(&config).expect("an engine");

    let (mut results, mut failures, mut stateful, mut varied) = (0, 0, 0, 0);
    for seed in range.clone() {
        let case = Case::new(seed);
        let fresh = case.model(&engine, true);
        let kept = case.model(&engine, false);
        let chunks = ChunkSize::Items(1 + (seed % 5) as u32);
        for (isolation, workers, expected) in [
            (Isolation::Thread, 1, &kept),
            (Isolation::Shared, 1, &kept),
            (Isolation::Instance, 2, &fresh),
            (Isolation::Process, 2, &fresh),
        ] {
            assert_eq!(
                &case.pool(isolation, workers, chunks),
                expected,
                "seed {seed}, {isolation:?}, {chunks:?}, run{:?} -> {:?}",
                case.params,
                case.result
            );
        }
        let counted = case.counted(Isolation::Instance, 1, chunks);
        for (isolation, workers) in [(Isolation::Thread, 2), (Isolation::Process, 2)] {
            let other = case.counted(isolation, workers, ChunkSize::Auto);
            assert_eq!(other, counted, "seed {seed}, {isolation:?}, deterministic");
        }
        let without_fuel = counted.map(|seen| {
            assert!(seen.iter().all(|(_, fuel)| fuel.is_some()), "seed {seed}");
            seen.into_iter().map(|(seen, _)| seen).collect::<Vec<_>>()
        });
        assert_eq!(without_fuel, fresh, "seed {seed}, deterministic");
        stateful += usize::from(fresh != kept);
        varied += usize::from(
            fresh
                .as_ref()
                .is_ok_and(|seen| seen.iter().any(|s| *s != seen[0])),
        );
        for seen in fresh.iter().chain(&kept).flatten() {
            match seen {
                Seen::Result(_) => results += 1,
                Seen::Failure(..) => failures += 1,
            }
        }
    }
    println!(
        "{results} results, {failures} traps; {varied} modules look at their items, {stateful} keep state"
    );
    if range.end - range.start >= 40 {
        assert!(
            results > 100 && failures > 100 && varied > 3 && stateful > 3,
            "the modules do too little to tell anything"
        );
    }
}

fn parse(range: &str) -> Option<Range<u64>> {
    let (start, end) = range.split_once("..")?;
    Some(start.parse().ok()?..end.parse().ok()?)
}
