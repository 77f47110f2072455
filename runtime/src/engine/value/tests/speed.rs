//! Measures, on request: `cargo test --release -p wasmpool value::tests::speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::guests::{ECHO_PAIR, Types, component, echo_list, echo_scalar, list, prim};
use super::{Guest, Invoker};
use crate::encoding::Encoding::{self, Json, Raw};

fn best(times: usize, mut run: impl FnMut()) -> Duration {
    let one = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..times)
        .map(|_| one(&mut run))
        .min()
        .unwrap_or(Duration::ZERO)
}

fn call(
    guest: &mut Guest,
    invoker: &Invoker,
    input: Encoding,
    item: &[u8],
    output: Encoding,
) -> Duration {
    let mut out = Vec::new();
    best(9, || {
        out.clear();
        invoker
            .call(&mut guest.store, input, item, output, &mut out)
            .expect("a result");
    })
}

#[test]
#[ignore = "measures"]
fn bytes_against_memcpy() {
    let item = vec![7_u8; 16 << 20];
    let mut copy = vec![0_u8; item.len()];
    let mut back = vec![0_u8; item.len()];
    let twice = best(9, || {
        copy.copy_from_slice(std::hint::black_box(&item));
        back.copy_from_slice(std::hint::black_box(&copy));
    });
    let mut guest = echo_list(&prim("u8"));
    let invoker = guest.invoker("echo").expect("supported");
    let typed = call(&mut guest, &invoker, Raw, &item, Raw);
    println!(
        "16 MiB raw: {typed:?}; two memcpys {twice:?}; ratio {:.2}",
        typed.as_secs_f64() / twice.as_secs_f64()
    );
    let mut types = Types::default();
    let bytes = types.define(&list(prim("u8")));
    let lists = types.define(&list(list(prim("u8"))));
    let split = format!("(param \"data\" {bytes}) (result {lists})");
    let none =
        "(param i32 i32) (result i32) (i64.store (i32.const 16) (i64.const 0)) (i32.const 16)";
    let mut guest = Guest::new(&component(&types.text, &[("f", &split, none)]));
    let invoker = guest.invoker("f").expect("supported");
    let item = &item[..1 << 20];
    let through = call(&mut guest, &invoker, Raw, item, Json);
    println!(
        "1 MiB as a value: {:.1} ns a byte",
        through.as_secs_f64() * 1e9 / item.len() as f64
    );
}

#[test]
#[ignore = "measures"]
fn json_of_numbers() {
    let count = 1_000_000;
    let numbers = |print: &dyn Fn(usize) -> String| {
        let all: Vec<_> = (0..count).map(print).collect();
        format!("[{}]", all.join(",")).into_bytes()
    };
    for (ty, item) in [
        ("u8", numbers(&|n| (n % 256).to_string())),
        ("s64", numbers(&|n| (n * 1_000_003).to_string())),
        ("f64", numbers(&|n| format!("{:?}", (n as f64).sqrt()))),
        ("bool", numbers(&|n| (n % 2 == 0).to_string())),
    ] {
        let mut guest = echo_list(&prim(ty));
        let invoker = guest.invoker("echo").expect("supported");
        let time = call(&mut guest, &invoker, Json, &item, Json);
        println!(
            "list<{ty}> JSON to JSON: {:.1} ns an element",
            time.as_secs_f64() * 1e9 / count as f64
        );
    }
}

#[test]
#[ignore = "measures"]
fn small_calls() {
    let mut guest = echo_scalar("s64");
    let invoker = guest.invoker("echo").expect("supported");
    let mut out = Vec::new();
    let calls = 100_000;
    let time = best(5, || {
        for _ in 0..calls {
            out.clear();
            invoker
                .call(&mut guest.store, Json, b"12", Json, &mut out)
                .expect("a result");
        }
    });
    println!(
        "s64 -> s64: {:.0} ns a call",
        time.as_secs_f64() * 1e9 / calls as f64
    );
    let mut types = Types::default();
    let bytes = types.define(&list(prim("u8")));
    let echo = format!("(param \"x\" {bytes}) (result {bytes})");
    let mut guest = Guest::new(&component(&types.text, &[("echo", &echo, ECHO_PAIR)]));
    let invoker = guest.invoker("echo").expect("supported");
    let time = best(5, || {
        for _ in 0..calls {
            out.clear();
            invoker
                .call(&mut guest.store, Raw, b"0123456789abcdef", Raw, &mut out)
                .expect("a result");
        }
    });
    println!(
        "16 bytes raw: {:.0} ns a call",
        time.as_secs_f64() * 1e9 / calls as f64
    );
}
