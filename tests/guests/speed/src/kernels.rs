//! Work for a processor: five kernels that each make their own input of a seed and give one number that depends on all of
//! what they did. The same source runs in the guest and natively beside it: `runtime/benches/kernels`.
//!
//! Plain code, as a user would write it: no instructions of one processor, no assembly, no crates that have either.

// WebAssembly's vectors are nothing that a compiler uses unless it is told to; those of x86-64 it uses by itself.
macro_rules! kernels {
    ($($name:literal $function:ident)*) => {
        /// The names of the kernels, for who measures them.
        #[allow(dead_code)]
        pub const KERNELS: &[&str] = &[$($name),*];

        /// Runs a kernel by its name. `None` if there is none of that name.
        #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
        pub fn run(name: &str, seed: u64) -> Option<u64> {
            match name {
                $($name => Some($function(seed)),)*
                _ => None,
            }
        }
    };
}

kernels! {
    "sha-256" sha_256
    "n-body" n_body
    "matrix-product" matrix_product
    "json" json
    "compress" compress
}

/// A generator of numbers that no compiler sees through.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        let mixed = self.0 ^ (self.0 >> 29);
        mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11
    }

    fn below(&mut self, n: u64) -> usize {
        (self.next() % n) as usize
    }
}

/// A number that depends on all bytes and their order.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn mixed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

const ROUND: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The SHA-256 digest of a text.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn digest(text: &[u8]) -> [u8; 32] {
    let mut state: [u32; 8] = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    ];
    let (blocks, rest) = text.as_chunks::<64>();
    for block in blocks {
        absorb(&mut state, block);
    }
    let mut end = [0_u8; 128];
    end[..rest.len()].copy_from_slice(rest);
    end[rest.len()] = 0x80;
    let length = if rest.len() < 56 { 64 } else { 128 };
    end[length - 8..length].copy_from_slice(&(text.len() as u64 * 8).to_be_bytes());
    for block in end[..length].as_chunks::<64>().0 {
        absorb(&mut state, block);
    }
    let mut out = [0; 32];
    for (to, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    out
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn absorb(state: &mut [u32; 8], block: &[u8; 64]) {
    let mut w = [0_u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for i in 16..64 {
        let (a, b) = (w[i - 15], w[i - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w[i] = w[i - 16]
            .wrapping_add(s0)
            .wrapping_add(w[i - 7])
            .wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (constant, word) in ROUND.iter().zip(w) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let one = h
            .wrapping_add(s1)
            .wrapping_add((e & f) ^ (!e & g))
            .wrapping_add(*constant)
            .wrapping_add(word);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let two = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(one), c, b, a, one.wrapping_add(two));
    }
    for (to, from) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *to = to.wrapping_add(from);
    }
}

/// The digest of 4 MiB.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn sha_256(seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let text: Vec<u8> = (0..1 << 22).map(|_| numbers.next() as u8).collect();
    mixed(&digest(&text))
}

/// Twenty bodies that attract one another, five thousand steps.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn n_body(seed: u64) -> u64 {
    const BODIES: usize = 20;
    let mut numbers = Numbers(seed);
    let mut number = || numbers.below(2_000_001) as f64 / 1e6 - 1.0;
    let mut places: [[f64; 3]; BODIES] = std::array::from_fn(|_| std::array::from_fn(|_| number()));
    let mut speeds: [[f64; 3]; BODIES] = std::array::from_fn(|_| std::array::from_fn(|_| number()));
    let masses: [f64; BODIES] = std::array::from_fn(|_| number().abs() + 0.1);
    for _ in 0..5000 {
        for i in 0..BODIES {
            for j in i + 1..BODIES {
                let apart: [f64; 3] = std::array::from_fn(|axis| places[i][axis] - places[j][axis]);
                let square = apart.iter().map(|x| x * x).sum::<f64>() + 0.01;
                let force = 0.001 / (square * square.sqrt());
                for axis in 0..3 {
                    speeds[i][axis] -= apart[axis] * masses[j] * force;
                    speeds[j][axis] += apart[axis] * masses[i] * force;
                }
            }
        }
        for (place, speed) in places.iter_mut().zip(&speeds) {
            for axis in 0..3 {
                place[axis] += 0.001 * speed[axis];
            }
        }
    }
    let all = places.iter().chain(&speeds).flatten();
    all.fold(0, |hash: u64, x| hash.rotate_left(7) ^ x.to_bits())
}

/// The product of two matrices of 256 x 256.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn matrix_product(seed: u64) -> u64 {
    const ORDER: usize = 256;
    let mut numbers = Numbers(seed);
    let mut matrix = || -> Vec<f64> {
        (0..ORDER * ORDER)
            .map(|_| numbers.below(1009) as f64 / 1009.0)
            .collect()
    };
    let (a, b) = (matrix(), matrix());
    let mut product = vec![0.0; ORDER * ORDER];
    super::arithmetic::multiply(&a, &b, &mut product, ORDER);
    product
        .iter()
        .fold(0, |hash: u64, x| hash.rotate_left(7) ^ x.to_bits())
}

/// A JSON text of some 2 MB, parsed into a tree: what is in it.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn json(seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let mut text = String::from("[");
    for i in 0..16_000 {
        let comma = if i == 0 { "" } else { ", " };
        let (a, b, c) = (numbers.next(), numbers.below(100_000), numbers.below(1000));
        text.push_str(comma);
        text.push_str(&format!(
            "{{\"id\": {i}, \"name\": \"item \\u00e9 {a:x}\\n\", \"size\": {b}.{c:03}e2, \"tags\": [\"x{c}\", true, null], \
             \"at\": {{\"x\": -{c}, \"y\": {b}}}}}"
        ));
    }
    text.push(']');
    let mut parser = Parser {
        text: text.as_bytes(),
        at: 0,
    };
    parser.value(0).map_or(0, |value| value.weight())
}

/// A JSON value.
#[derive(Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    fn weight(&self) -> u64 {
        let join =
            |hash: u64, next: u64| (hash.rotate_left(5) ^ next).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match self {
            Value::Null => 1,
            Value::Bool(is) => 2 + u64::from(*is),
            Value::Number(number) => number.to_bits(),
            Value::Text(text) => mixed(text.as_bytes()),
            Value::List(list) => list
                .iter()
                .fold(4, |hash, value| join(hash, value.weight())),
            Value::Map(map) => map.iter().fold(5, |hash, (key, value)| {
                join(join(hash, mixed(key.as_bytes())), value.weight())
            }),
        }
    }
}

/// Reads a JSON text.
pub struct Parser<'a> {
    pub text: &'a [u8],
    pub at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether this comes next, behind spaces; then it is taken.
    fn takes(&mut self, word: &[u8]) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// The value that comes next. `None` if there is none that is right, or it is too deep.
    pub fn value(&mut self, depth: usize) -> Option<Value> {
        self.space();
        match self.peek()? {
            _ if depth > 100 => None,
            b'{' => self.map(depth),
            b'[' => self.list(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.takes(b"true").then_some(Value::Bool(true)),
            b'f' => self.takes(b"false").then_some(Value::Bool(false)),
            b'n' => self.takes(b"null").then_some(Value::Null),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        self.at += 1;
        if self.takes(b"]") {
            return Some(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            if self.takes(b"]") {
                return Some(Value::List(list));
            } else if !self.takes(b",") {
                return None;
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Value> {
        let mut map = Vec::new();
        self.at += 1;
        if self.takes(b"}") {
            return Some(Value::Map(map));
        }
        loop {
            self.space();
            let key = self.string()?;
            if !self.takes(b":") {
                return None;
            }
            map.push((key, self.value(depth + 1)?));
            if self.takes(b"}") {
                return Some(Value::Map(map));
            } else if !self.takes(b",") {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let plain = self.text[self.at..]
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\'))?;
            out.extend_from_slice(&self.text[self.at..self.at + plain]);
            self.at += plain + 1;
            if self.text[self.at - 1] == b'"' {
                return String::from_utf8(out).ok();
            }
            let escape = self.peek()?;
            self.at += 1;
            match escape {
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                b'r' => out.push(b'\r'),
                b'b' => out.push(8),
                b'f' => out.push(12),
                b'u' => {
                    let digits = self.text.get(self.at..self.at + 4)?;
                    self.at += 4;
                    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                    let c = char::from_u32(code)?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => out.push(other),
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .position(|byte| !is_part(byte))
            .unwrap_or(rest.len());
        let text = std::str::from_utf8(&rest[..length]).ok()?;
        self.at += length;
        text.parse().ok().map(Value::Number)
    }
}

/// Some 2 MB of words, packed, and unpacked again.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn compress(seed: u64) -> u64 {
    let mut numbers = Numbers(seed);
    let words: Vec<Vec<u8>> = (0..2000)
        .map(|_| {
            (0..2 + numbers.below(9))
                .map(|_| b'a' + numbers.below(26) as u8)
                .collect()
        })
        .collect();
    let mut text = Vec::with_capacity(2 << 20);
    while text.len() < 2_000_000 {
        // Some are more frequent than others.
        let place = numbers.below(2000) * numbers.below(2000) / 2000;
        text.extend_from_slice(&words[place]);
        text.push(b' ');
    }
    let packed = pack(&text);
    match unpack(&packed) {
        Some(unpacked) if unpacked == text => mixed(&packed),
        _ => 0,
    }
}

const SHORTEST: usize = 4;

/// Packs by references to what came before: a length of plain bytes, these, the length of a copy, and how far back it is.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn pack(text: &[u8]) -> Vec<u8> {
    let mut last = vec![usize::MAX; 1 << 15];
    let mut out = Vec::with_capacity(text.len() / 2);
    let (mut at, mut plain) = (0, 0);
    while let Some(key) = text.get(at..at + SHORTEST) {
        let key = u32::from_le_bytes([key[0], key[1], key[2], key[3]]);
        let place = (key.wrapping_mul(2_654_435_761) >> 17) as usize;
        let before = std::mem::replace(&mut last[place], at);
        let same = match before {
            usize::MAX => 0,
            before => text[before..]
                .iter()
                .zip(&text[at..])
                .take_while(|(a, b)| a == b)
                .count(),
        };
        if same < SHORTEST {
            at += 1;
            continue;
        }
        number(&mut out, at - plain);
        out.extend_from_slice(&text[plain..at]);
        number(&mut out, same);
        number(&mut out, at - before);
        at += same;
        plain = at;
    }
    number(&mut out, text.len() - plain);
    out.extend_from_slice(&text[plain..]);
    out
}

fn number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 128 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(packed: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = packed.split_first()?;
        *packed = rest;
        number |= usize::from(byte & 127) << shift;
        if *byte < 128 {
            return Some(number);
        }
    }
    None
}

/// What was packed; `None` if it was not.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub fn unpack(mut packed: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let plain = read_number(&mut packed)?;
        let (bytes, rest) = packed.split_at_checked(plain)?;
        out.extend_from_slice(bytes);
        packed = rest;
        if packed.is_empty() {
            return Some(out);
        }
        let same = read_number(&mut packed)?;
        let back = read_number(&mut packed)?;
        let from = out.len().checked_sub(back).filter(|_| back > 0)?;
        // One by one: a copy may overlap what it makes.
        for at in from..from + same {
            out.push(out[at]);
        }
    }
}
