//! Bombs for the compiler: its limits of time and memory hold, and a neighbour does not notice.

use std::sync::Mutex;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use wasmpool::limits::{Limits, MIB};
use wasmpool::pool::{Error, Pool};
use wasmpool_tests::{Bomb, Bursts, Suite, bombs, module, temporary};

use super::oracle::run;

/// What a bomb that must burst may use.
const TIME: Duration = Duration::from_millis(1500);
const MEMORY: u64 = 192 * MIB;

pub fn add(mut suite: Suite) -> Suite {
    for bomb in bombs() {
        let name = format!("compile::{}", bomb.name);
        suite = suite.test(name, move || check(&bomb));
    }
    suite
        .test(
            "compile::the_program_names_the_limit_of_time",
            limit_of_time,
        )
        .test(
            "compile::the_program_names_the_limit_of_memory",
            limit_of_memory,
        )
        .test(
            "compile::the_program_names_the_limit_of_size",
            limit_of_size,
        )
}

fn check(bomb: &Bomb) {
    let neighbour = neighbour();
    let limits = match bomb.bursts {
        Bursts::AtALimit | Bursts::AtALimitOrNot => {
            let mut limits = Limits::new();
            (limits.compile_timeout, limits.compile_memory_bytes) = (TIME, MEMORY);
            limits
        }
        Bursts::Not | Bursts::Refused(_) => Limits::new(),
    };
    let module = (bomb.module)();
    let start = Instant::now();
    let builder = Pool::builder()
        .workers(1)
        .cache(false)
        .limits(limits.clone());
    let opened = builder.open_bytes(&module);
    let took = start.elapsed();
    let bytes = module.len();
    match (&opened, bomb.bursts) {
        (Ok(pool), Bursts::Not | Bursts::AtALimitOrNot) => {
            println!("{}: {bytes} bytes, opened after {took:.1?}", bomb.name);
            assert_eq!(pool.apply::<i64, i64>("identity", -5).unwrap(), -5);
        }
        (Err(error), Bursts::AtALimit | Bursts::AtALimitOrNot) => {
            println!("{}: {bytes} bytes, after {took:.1?}: {error}", bomb.name);
            let limit = matches!(
                error,
                Error::CompileTimeout(_) | Error::CompileMemory(_) | Error::CompilerLost { .. }
            );
            assert!(limit, "no limit: {error:?}");
            assert!(error.to_string().contains("limit"), "{error}");
        }
        (Err(error), Bursts::Refused(says)) => {
            println!("{}: {bytes} bytes, after {took:.1?}: {error}", bomb.name);
            assert!(error.to_string().contains(says), "no `{says}`: {error}");
        }
        (opened, bursts) => panic!("not {bursts:?}: {:?}", opened.as_ref().map(|_| ())),
    }
    // The limit is one of wall time: what is beyond it, on a busy machine too, is not compiling.
    assert!(
        took < limits.compile_timeout + Duration::from_secs(10),
        "{took:?}"
    );
    assert_eq!(neighbour.apply::<i64, i64>("identity", 5).unwrap(), 5);
}

/// A pool of somebody else in the same process, which goes on all the time. It ends with the last that uses it.
fn neighbour() -> Arc<Pool> {
    static POOL: OnceLock<Mutex<Weak<Pool>>> = OnceLock::new();
    let mut pool = POOL.get_or_init(Mutex::default).lock().unwrap();
    pool.upgrade().unwrap_or_else(|| {
        let builder = Pool::builder().workers(1).cache(false);
        let opened = Arc::new(builder.open(module("behave")).expect("it can be used"));
        *pool = Arc::downgrade(&opened);
        opened
    })
}

fn bomb(name: &str) -> Vec<u8> {
    let bomb = bombs().into_iter().find(|bomb| bomb.name == name);
    (bomb.expect("there is one of this name").module)()
}

fn limit_of_time() {
    let folder = temporary();
    let file = folder.write("bomb.wasm", bomb("wide-calls"));
    let args = [
        "map",
        &file,
        "--no-cache",
        "--compile-timeout",
        "300ms",
        "7",
    ];
    let ran = run(&args).exits(3);
    assert_eq!(ran.text(), "");
    ran.says("error[compile-timeout]: compiling the module took longer than the limit of 300ms");
}

fn limit_of_memory() {
    let folder = temporary();
    let file = folder.write("bomb.wasm", bomb("merges"));
    let args = [
        "map",
        &file,
        "--no-cache",
        "--compile-memory",
        "192MiB",
        "7",
    ];
    let ran = run(&args).exits(3);
    assert_eq!(ran.text(), "");
    ran.says("201326592 bytes of memory");
}

fn limit_of_size() {
    let folder = temporary();
    let file = folder.write("bomb.wasm", bomb("more-bytes-than-allowed"));
    let ran = run(&["map", &file, "--no-cache", "7"]).exits(3);
    assert_eq!(ran.text(), "");
    ran.says("more than the limit of 67108864");
}
