//! Modules that are small, or simple, and cost their compiler much: made here, since as files they would be large.
//!
//! Bytes are written by hand, a section at a time: most of these are valid, but no tool would write them.

/// What must happen to a bomb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bursts {
    /// A limit of time or memory ends its compiler.
    AtALimit,
    /// Either that, or it is compiled within the limits and works: it depends on the machine.
    AtALimitOrNot,
    /// It is compiled within the default limits, and works.
    Not,
    /// It is refused before it costs anything, for a reason that has this in it.
    Refused(&'static str),
}

/// One bomb.
#[derive(Clone, Copy, Debug)]
pub struct Bomb {
    /// What it is made of.
    pub name: &'static str,
    /// What must happen.
    pub bursts: Bursts,
    /// Makes the module. If it is compiled, its `identity` returns its parameter, an `s64`.
    pub module: fn() -> Vec<u8>,
}

/// All of them.
pub fn bombs() -> Vec<Bomb> {
    use Bursts::*;
    let bomb = |name, bursts, module| Bomb {
        name,
        bursts,
        module,
    };
    vec![
        bomb("merges", AtALimit, merges as fn() -> _),
        bomb("nested-loops", AtALimit, nested_loops),
        bomb("a-million-functions", AtALimit, || {
            functions(900_000, &[END])
        }),
        bomb("data-segments", AtALimitOrNot, data_segments),
        bomb("instances-of-instances", AtALimit, instances_of_instances),
        bomb("wide-calls", AtALimitOrNot, wide_calls),
        bomb("additions", AtALimitOrNot, additions),
        bomb("small-functions", AtALimitOrNot, small_functions),
        bomb("vectors", AtALimitOrNot, vectors),
        bomb("string-adapters", AtALimitOrNot, string_adapters),
        bomb("globals", Refused("maximum of 1048576 bytes"), globals),
        bomb("types", AtALimitOrNot, types),
        bomb("registers", Not, registers),
        bomb("locals", Not, locals),
        bomb("branch-tables", AtALimitOrNot, branch_tables),
        bomb("nested-blocks", Not, || nested(100_000, &[0x02, 0x40], &[])),
        bomb("nested-ifs", Not, || {
            nested(50_000, &[0x04, 0x40], &[0x20, 0, 0xa7])
        }),
        bomb("exports", Not, exports),
        bomb("data-far-away", Not, data_far_away),
        bomb("a-large-custom-section", Not, || custom(40 << 20)),
        bomb("a-large-name", Not, large_name),
        bomb("elements", AtALimitOrNot, elements),
        bomb(
            "more-bytes-than-allowed",
            Refused("limit of 67108864"),
            || custom(64 << 20),
        ),
        bomb("a-function-too-large", Refused("function body"), || {
            one_function(&vec![NOP; 8 << 20])
        }),
        bomb("a-type-too-large", Refused("type size"), type_of_types),
        bomb("nested-components", Refused(""), nested_components),
        bomb("imports", Refused("limit of 1024"), imports),
        bomb(
            "exported-functions",
            Refused("exported functions"),
            exported_functions,
        ),
        bomb("parentheses", Refused(""), || vec![b'('; 4 << 20]),
        bomb("block-comments", Refused(""), || b"(;".repeat(2 << 20)),
    ]
}

/// A component of a hundred bytes that is no bomb: it has the `identity` of the others.
pub fn small_component() -> Vec<u8> {
    Core::new().component()
}

const END: u8 = 0x0b;
const NOP: u8 = 0x01;
const I64: u8 = 0x7e;

fn number(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// The operand of an `i32.const`, which is signed: a number below 2³¹.
fn address(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x40 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A count, or a length, and what it counts.
fn counted(count: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 5);
    number(&mut out, count);
    out.extend_from_slice(bytes);
    out
}

fn section(id: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![id];
    out.extend(counted(body.len(), body));
    out
}

/// A core module under construction. Its first function is `identity`, of the first type.
#[derive(Default)]
struct Core {
    types: (usize, Vec<u8>),
    functions: (usize, Vec<u8>, Vec<u8>),
    exports: (usize, Vec<u8>),
    /// Whole sections, in their places: between functions and exports, between exports and code, behind the code.
    middle: Vec<u8>,
    before_code: Vec<u8>,
    last: Vec<u8>,
}

impl Core {
    fn new() -> Self {
        let mut core = Core::default();
        core.ty(&[I64], &[I64]);
        core.function(0, &[0, 0x20, 0, END]);
        core.export("identity", 0);
        core
    }

    fn ty(&mut self, params: &[u8], results: &[u8]) -> usize {
        self.types.1.push(0x60);
        self.types.1.extend(counted(params.len(), params));
        self.types.1.extend(counted(results.len(), results));
        self.types.0 += 1;
        self.types.0 - 1
    }

    /// The body has its locals before it and its end behind it.
    fn function(&mut self, ty: usize, body: &[u8]) {
        number(&mut self.functions.1, ty);
        self.functions.2.extend(counted(body.len(), body));
        self.functions.0 += 1;
    }

    fn export(&mut self, name: &str, function: usize) {
        self.exports.1.extend(counted(name.len(), name.as_bytes()));
        self.exports.1.push(0);
        number(&mut self.exports.1, function);
        self.exports.0 += 1;
    }

    fn bytes(&self) -> Vec<u8> {
        let (count, types, code) = &self.functions;
        let mut out = b"\0asm\x01\0\0\0".to_vec();
        out.extend(section(1, &counted(self.types.0, &self.types.1)));
        out.extend(section(3, &counted(*count, types)));
        out.extend(&self.middle);
        out.extend(section(7, &counted(self.exports.0, &self.exports.1)));
        out.extend(&self.before_code);
        out.extend(section(10, &counted(*count, code)));
        out.extend(&self.last);
        out
    }

    /// The component that instantiates it and exports its `identity`.
    fn component(&self) -> Vec<u8> {
        let name = counted(8, b"identity");
        let mut out = b"\0asm\x0d\0\x01\0".to_vec();
        out.extend(section(1, &self.bytes()));
        // An instance of the module; the function of it; its type; the function lifted; the export.
        out.extend(section(2, &[1, 0, 0, 0]));
        out.extend(section(6, &[&[1, 0, 0, 1, 0][..], &name].concat()));
        out.extend(section(7, &[1, 0x40, 1, 1, b'x', 0x78, 0, 0x78]));
        out.extend(section(8, &[1, 0, 0, 0, 0, 0]));
        out.extend(section(11, &[&[1, 0][..], &name, &[1, 0, 0]].concat()));
        out
    }
}

fn one_function(code: &[u8]) -> Vec<u8> {
    let mut core = Core::new();
    let ty = core.ty(&[I64], &[]);
    core.function(ty, &[&[0], code, &[END]].concat());
    core.component()
}

/// Blocks one behind the other, each of which has twenty values that come from two places.
fn merges() -> Vec<u8> {
    let mut core = Core::new();
    let many = core.ty(&[I64; 20], &[I64; 20]);
    let ty = core.ty(&[I64], &[]);
    let mut block = vec![0x02];
    number(&mut block, many);
    // Whether to leave it at once is a matter of the parameter.
    block.extend([0x20, 0, 0xa7, 0x0d, 0, END]);
    let body = [
        &[0][..],
        &[0x42, 1].repeat(20),
        &block.repeat(20_000),
        &[0x1a; 20],
        &[END],
    ]
    .concat();
    core.function(ty, &body);
    core.component()
}

/// Loops within loops, and one branch from the innermost to the outermost.
fn nested_loops() -> Vec<u8> {
    const DEPTH: usize = 50_000;
    let mut code = [0x03, 0x40].repeat(DEPTH);
    code.extend([0x20, 0, 0xa7, 0x0d]);
    number(&mut code, DEPTH - 1);
    code.extend([END].repeat(DEPTH));
    one_function(&code)
}

fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let mut core = Core::new();
    let ty = core.ty(&[], &[]);
    let body = [&[0], body].concat();
    (0..count).for_each(|_| core.function(ty, &body));
    core.component()
}

fn small_functions() -> Vec<u8> {
    let mut core = Core::new();
    for i in 0..100_000_usize {
        // x * x + i
        let mut body = vec![0, 0x20, 0, 0x20, 0, 0x7e, 0x42];
        number(&mut body, i & 0x3f);
        body.extend([0x7c, END]);
        core.function(0, &body);
    }
    core.component()
}

/// Bytes far from each other in 256 MiB of memory.
fn data_segments() -> Vec<u8> {
    const COUNT: usize = 100_000;
    let mut core = Core::new();
    core.middle = section(5, &[1, 0, 0x80, 0x20]);
    let mut data = Vec::new();
    for at in 0..COUNT {
        data.extend([0, 0x41]);
        address(&mut data, at * 2000);
        data.extend([END, 1, 0xff]);
    }
    core.last = section(11, &counted(COUNT, &data));
    core.component()
}

/// Calls of a function with a thousand parameters and a thousand results, one behind the other.
fn wide_calls() -> Vec<u8> {
    let mut core = Core::new();
    let wide = core.ty(&[I64; 1000], &[I64; 1000]);
    let ty = core.ty(&[], &[]);
    let parameters: Vec<u8> = (0..1000).flat_map(|i| get(0x20, i)).collect();
    core.function(wide, &[&[0], &parameters[..], &[END]].concat());
    let calls = get(0x10, 1).repeat(1000);
    let body = [
        &[0][..],
        &[0x42, 1].repeat(1000),
        &calls,
        &[0x1a; 1000],
        &[END],
    ]
    .concat();
    core.function(ty, &body);
    core.component()
}

fn get(instruction: u8, index: usize) -> Vec<u8> {
    let mut out = vec![instruction];
    number(&mut out, index);
    out
}

fn additions() -> Vec<u8> {
    let code = [&[0x20, 0][..], &[0x20, 0, 0x7c].repeat(1_000_000), &[0x1a]].concat();
    one_function(&code)
}

fn vectors() -> Vec<u8> {
    // Splat the parameter, multiply it with itself again and again.
    let splat = [0x20, 0, 0xfd, 0x12];
    let step = [&splat[..], &[0xfd, 0xd5, 0x01]].concat();
    one_function(&[&splat[..], &step.repeat(100_000), &[0x1a]].concat())
}

/// Values that all live at the same time.
fn registers() -> Vec<u8> {
    let step = [0x20, 0, 0x20, 0, 0x7e];
    let code = [&step.repeat(20_000)[..], &[0x7c].repeat(19_999), &[0x1a]].concat();
    one_function(&code)
}

fn locals() -> Vec<u8> {
    let mut core = Core::new();
    let ty = core.ty(&[], &[]);
    let mut body = vec![1];
    number(&mut body, 49_000);
    body.extend([I64, END]);
    (0..100).for_each(|_| core.function(ty, &body));
    core.component()
}

fn branch_tables() -> Vec<u8> {
    let mut table = vec![0x02, 0x40, 0x20, 0, 0xa7, 0x0e];
    table.extend(counted(65_000, &[0; 65_000]));
    table.extend([0, END]);
    one_function(&table.repeat(20))
}

/// Blocks within blocks, each entered with these instructions before it.
fn nested(depth: usize, enter: &[u8], before: &[u8]) -> Vec<u8> {
    let code = [before, enter].concat().repeat(depth);
    one_function(&[&code[..], &[END].repeat(depth)].concat())
}

fn types() -> Vec<u8> {
    let mut core = Core::new();
    for n in 0..400_000_usize {
        let params: Vec<u8> = (0..19).map(|bit| 0x7e + (n >> bit & 1) as u8).collect();
        core.ty(&params, &[]);
    }
    core.component()
}

fn globals() -> Vec<u8> {
    const COUNT: usize = 900_000;
    let mut core = Core::new();
    core.middle = section(6, &counted(COUNT, &[I64, 1, 0x42, 0, END].repeat(COUNT)));
    core.component()
}

fn exports() -> Vec<u8> {
    let mut core = Core::new();
    (0..100_000).for_each(|n| core.export(&format!("f{n}"), 0));
    core.component()
}

fn data_far_away() -> Vec<u8> {
    let mut core = Core::new();
    core.middle = section(5, &[1, 0, 0x80, 0x20]);
    let mut data = vec![0, 0x41];
    address(&mut data, 255 << 20);
    data.extend([END, 1, 0xff]);
    core.last = section(11, &counted(1, &data));
    core.component()
}

fn custom(bytes: usize) -> Vec<u8> {
    let mut module = Core::new().component();
    module.extend(section(
        0,
        &[&counted(3, b"big"), &vec![0; bytes][..]].concat(),
    ));
    module
}

fn large_name() -> Vec<u8> {
    let mut core = Core::new();
    let name = counted(50_000, &[b'n'; 50_000]);
    let functions = counted(1, &[&[0][..], &name].concat());
    core.last = section(
        0,
        &[&counted(4, b"name")[..], &section(1, &functions)].concat(),
    );
    core.component()
}

fn elements() -> Vec<u8> {
    const COUNT: usize = 1_000_000;
    let mut core = Core::new();
    // A passive segment of functions.
    let segment = [&[1, 0][..], &counted(COUNT, &[0].repeat(COUNT))].concat();
    core.before_code = section(9, &counted(1, &segment));
    core.component()
}

/// Text in front of a component whose `identity` works, and the same behind it.
fn text(more: &str) -> Vec<u8> {
    format!(
        "(component
  {more}
  (core module $code (func (export \"identity\") (param i64) (result i64) (local.get 0)))
  (core instance $i (instantiate $code))
  (func (export \"identity\") (param \"x\" s64) (result s64) (canon lift (core func $i \"identity\"))))"
    )
    .into_bytes()
}

fn type_of_types() -> Vec<u8> {
    let mut types = String::from("(type $t0 (tuple u8 u8))\n");
    for n in 1..40 {
        let before = n - 1;
        types.push_str(&format!("(type $t{n} (tuple $t{before} $t{before}))\n"));
    }
    text(&types)
}

fn nested_components() -> Vec<u8> {
    const DEPTH: usize = 2000;
    text(&format!(
        "{}{}",
        "(component ".repeat(DEPTH),
        ")".repeat(DEPTH)
    ))
}

fn imports() -> Vec<u8> {
    let import = |n| format!("(import \"f{n}\" (func (param \"x\" u8)))\n");
    text(&(0..20_000).map(import).collect::<String>())
}

fn exported_functions() -> Vec<u8> {
    let export = |n| format!("(export \"f{n}\" (func $f))\n");
    let exports: String = (0..5000).map(export).collect();
    text(&format!(
        "(core module $m (func (export \"f\")))
  (core instance $j (instantiate $m))
  (func $f (canon lift (core func $j \"f\")))
  {exports}"
    ))
}

/// Each component has ten instances of the one before it.
fn instances_of_instances() -> Vec<u8> {
    let mut components =
        String::from("(component $c0 (core module $m) (core instance (instantiate $m)))\n");
    for n in 1..10 {
        let before = n - 1;
        let instances = "(instance (instantiate $before))".repeat(10);
        components.push_str(&format!(
            "(component $c{n} (alias outer 1 $c{before} (component $before)) {instances})\n"
        ));
    }
    text(&format!("{components} (instance (instantiate $c9))"))
}

/// Functions that pass texts from one component to another, of another encoding: each is an adapter to be compiled.
fn string_adapters() -> Vec<u8> {
    const COUNT: usize = 2000;
    let each = |f: &dyn Fn(usize) -> String| (0..COUNT).map(f).collect::<String>();
    let options = |utf: &str| {
        format!(
            "string-encoding={utf} (memory (core memory $i \"m\")) (realloc (core func $i \"r\"))"
        )
    };
    let module = |extra: &str| {
        format!(
            "(core module $m (memory (export \"m\") 1)
              (func (export \"r\") (param i32 i32 i32 i32) (result i32) (i32.const 8)) {extra})"
        )
    };
    let exports = each(&|n| {
        format!(
            "(func (export \"f{n}\") (param \"x\" string) (canon lift (core func $i \"f\") {}))\n",
            options("utf8")
        )
    });
    let imports = each(&|n| format!("(export \"f{n}\" (func (param \"x\" string)))\n"));
    let lowers = each(&|n| {
        format!(
            "(core func $l{n} (canon lower (func $a \"f{n}\") {}))\n",
            options("utf16")
        )
    });
    let with = each(&|n| format!("(export \"f{n}\" (func $l{n}))\n"));
    let needs = each(&|n| format!("(import \"a\" \"f{n}\" (func (param i32 i32)))\n"));
    text(&format!(
        "(component $a {}
           (core instance $i (instantiate $m))
           {exports})
         (component $b
           (import \"a\" (instance $a {imports}))
           {}
           (core instance $i (instantiate $m))
           {lowers}
           (core module $user {needs})
           (core instance (instantiate $user (with \"a\" (instance {with})))))
         (instance $x (instantiate $a))
         (instance (instantiate $b (with \"a\" (instance $x))))",
        module("(func (export \"f\") (param i32 i32))"),
        module("")
    ))
}
