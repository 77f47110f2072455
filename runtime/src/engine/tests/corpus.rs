//! Damaged and hostile modules: each compiles or is refused with a typed error, and nothing panics.

use super::*;

/// A small generator of numbers (xorshift64*), the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Compiles, and checks what can be checked of any outcome.
fn survives(name: &str, bytes: &[u8]) -> bool {
    match compiled(bytes) {
        Ok(compiled) => {
            assert_eq!(compiled.manifest.check(), Ok(()), "{name}");
            true
        }
        Err(error) => {
            let refusal = error.refusal();
            assert_eq!(refusal.clone().bounded(), refusal, "{name}");
            assert!(!refusal.message.is_empty(), "{name}");
            false
        }
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("component", wat::parse_str(SQUARE).unwrap()),
        ("component text", SQUARE.into()),
        ("core", with_metadata(CORE_SQUARE, WORLD)),
        ("core text", CORE_SQUARE.into()),
        ("preview 1", with_metadata(CORE_PREVIEW1, WORLD)),
        (
            "metadata",
            with_metadata(
                "(module (memory (export \"memory\") 1))",
                "package a:b@1.0.0; interface t { record r { a: u8, b: list<string> } resource x; f: func(r: r) -> x; }
                 world w { import t; }",
            ),
        ),
    ]
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    let at = numbers.below(bytes.len());
    let len = numbers.below(16).min(bytes.len() - at);
    match numbers.below(6) {
        0 => bytes[at] ^= 1 << numbers.below(8),
        1 => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0xff, b'(', b'"'][numbers.below(7)],
        2 => drop(bytes.drain(at..at + len)),
        3 => {
            let copy = bytes[at..at + len].to_vec();
            let to = numbers.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        4 => bytes.truncate(at),
        _ => bytes[at..at + len].reverse(),
    }
}

#[test]
fn mutated_modules_are_compiled_or_refused() {
    let mut compiled = 0;
    let mut refused = 0;
    for (name, seed) in seeds() {
        for round in 0..100u64 {
            let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ (round << 8));
            let mut bytes = seed.clone();
            // The last half keeps the header, so that more gets past it.
            for _ in 0..1 + numbers.below(3) {
                if !bytes.is_empty() {
                    mutate(&mut bytes, &mut numbers);
                }
            }
            if round >= 50 && bytes.len() >= 8 {
                bytes[..8].copy_from_slice(&seed[..8]);
            }
            match survives(&format!("{name}, round {round}"), &bytes) {
                true => compiled += 1,
                false => refused += 1,
            }
        }
    }
    assert!(
        compiled > 20 && refused > 100,
        "{compiled} compiled, {refused} refused: the corpus has lost its teeth"
    );
}

#[test]
fn truncated_modules_are_compiled_or_refused() {
    for (name, seed) in seeds() {
        let step = (seed.len() / 150).max(1);
        for len in (0..seed.len()).step_by(step) {
            survives(&format!("{name}, first {len} bytes"), &seed[..len]);
        }
    }
}

#[test]
fn hostile_texts_are_refused() {
    let nested =
        |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    for (name, text) in [
        ("open parentheses", "(".repeat(200_000)),
        ("nested components", nested("(component ", ")", 5_000)),
        (
            "nested instructions",
            format!("(module (func {}))", nested("(drop ", ")", 100_000)),
        ),
        ("nested comments", nested("(;", ";)", 100_000)),
        ("open comment", "(;".into()),
        ("open string", "(module \"".into()),
        (
            "threads",
            "(component (core module (memory 1 1 shared)))".into(),
        ),
        (
            "64-bit memory",
            "(component (core module (memory i64 1)))".into(),
        ),
        (
            "garbage collection",
            "(component (core module (type (struct (field i32)))))".into(),
        ),
        ("exceptions", "(component (core module (tag)))".into()),
        (
            "stack switching",
            "(component (core module (type $f (func)) (type (cont $f))))".into(),
        ),
        (
            "imported module",
            r#"(component (import "m" (core module $m)) (core instance (instantiate $m)))"#.into(),
        ),
        (
            "invalid body",
            "(component (core module (func (result i32) i64.const 1)))".into(),
        ),
        (
            "invalid lift",
            r#"(component (core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func (export "f") (param "x" u8) (canon lift (core func $i "f"))))"#
                .into(),
        ),
        (
            "async",
            r#"(component (core module $m (func (export "f") (result i32) unreachable))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f") async)))"#
                .into(),
        ),
    ] {
        assert!(!survives(name, text.as_bytes()), "{name} was compiled");
    }
}

#[test]
fn sections_that_lie_are_survived() {
    let binary = wat::parse_str(SQUARE).unwrap();
    for at in 8..binary.len().min(60) {
        for value in [0xff, 0x80, 0x7f] {
            let mut bytes = binary.clone();
            bytes.splice(at..at + 1, [value, 0xff, 0xff, 0xff, 0x0f]);
            survives(&format!("{value:#x} at {at}"), &bytes);
        }
    }
}
