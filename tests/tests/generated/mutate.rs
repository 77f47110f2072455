//! Real modules, and changing them: the core modules in them, by wasm-mutate, so that most of them stay valid.

use wasm_mutate::WasmMutate;
use wasmpool_tests::{Random, guests, hostile_guests, module as path_of, root};

use crate::Made;

/// Steps that changing a module may take.
const FUEL: u64 = 2000;
/// Of so many modules, one is a compiled guest: they are large, and take time to compile.
const GUESTS: usize = 8;

/// A module as its author made it.
struct Original {
    name: String,
    bytes: Vec<u8>,
}

/// What there is to change.
pub struct Originals {
    texts: Vec<Original>,
    guests: Vec<Original>,
}

/// Reads the text modules of these tests, as far as they are WebAssembly, and the compiled guests.
///
/// # Panics
/// If there are none.
pub fn originals() -> Originals {
    let mut paths = vec![
        path_of("behave"),
        path_of("late"),
        path_of("start-trap"),
        path_of("start-loop"),
    ];
    paths.push(
        root()
            .join("examples/square-wat/square.wat")
            .display()
            .to_string(),
    );
    paths.extend(hostile_guests().into_iter().map(|guest| guest.path));
    let text = |path: String| {
        let bytes = wat::parse_file(&path).ok()?;
        Some(Original { name: path, bytes })
    };
    let folder = guests().expect("only run with guests");
    let guest = |entry: std::fs::DirEntry| {
        let path = entry.path();
        let is_wasm = path.extension().is_some_and(|name| name == "wasm");
        let bytes = std::fs::read(&path).ok().filter(|_| is_wasm)?;
        let name = path.display().to_string();
        Some(Original { name, bytes })
    };
    let entries = folder.read_dir().expect("it is a folder");
    let mut originals = Originals {
        texts: paths.into_iter().filter_map(text).collect(),
        guests: entries.flatten().filter_map(guest).collect(),
    };
    // In the order of their names, so that a number means the same everywhere.
    originals.guests.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(originals.texts.len() > 200 && originals.guests.len() > 5);
    originals
}

/// The next one.
pub fn module(originals: &Originals, random: &mut Random) -> Made {
    let from = match random.below(GUESTS) {
        0 => &originals.guests,
        _ => &originals.texts,
    };
    let original = &from[random.below(from.len())];
    let mut bytes = original.bytes.clone();
    let mut changes = 0;
    for _ in 0..1 + random.below(6) {
        if let Some(changed) = changed(&bytes, random) {
            bytes = changed;
            changes += 1;
        }
    }
    Made {
        what: format!("{}, changed {changes} times", original.name),
        bytes,
        broken: false,
    }
}

/// A core module that is changed, or a component with one in it that is; none if chance finds nothing to change.
fn changed(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let (header, rest) = bytes.split_at_checked(8)?;
    // The fifth byte tells the two apart.
    if header[4] == 1 {
        return mutated(bytes, random);
    }
    let mut sections = sections(rest)?;
    let holds = |at: &usize| matches!(sections[*at].0, CORE_MODULE | COMPONENT);
    let nested: Vec<usize> = (0..sections.len()).filter(holds).collect();
    let at = *nested.get(random.below(nested.len().max(1)))?;
    let inner = changed(sections[at].1, random)?;
    sections[at].1 = &inner;
    let mut out = header.to_vec();
    for (id, body) in sections {
        out.push(id);
        write_number(&mut out, body.len());
        out.extend_from_slice(body);
    }
    Some(out)
}

/// Sections of a component that hold whole modules and components.
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;

/// The sections of a component, each with its number.
fn sections(mut rest: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut sections = Vec::new();
    while let Some((&id, behind)) = rest.split_first() {
        let (length, behind) = read_number(behind)?;
        let (body, behind) = behind.split_at_checked(length)?;
        sections.push((id, body));
        rest = behind;
    }
    Some(sections)
}

/// An LEB128 number, and what is behind it.
fn read_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        number |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What wasm-mutate makes of a core module.
fn mutated(module: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut mutate = WasmMutate::default();
    mutate
        .seed(random.number())
        .fuel(FUEL)
        .preserve_semantics(random.below(4) == 0);
    let last = random.below(8);
    mutate.run(module).ok()?.take(last + 1).flatten().last()
}
