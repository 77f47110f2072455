//! Every entry of a worker's list of system calls is needed: without it, something that works stops working. So the
//! list cannot be shorter; that it need not be longer is shown by every other suite.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use wasmpool::limits::{Limits, MIB};
use wasmpool::mode::Isolation;
use wasmpool::objects::{Access, Array};
use wasmpool::pool::{Error, Pool, PoolBuilder};
use wasmpool::sandbox::calls::{ATTACH, Call, FILES, WORKER};
use wasmpool_guest::Bytes;
use wasmpool_tests::{Suite, guests, module, temporary};

/// Entries whose lack is no failure of an item, and which other tests show: a worker that ends as it should.
const SHOWN_ELSEWHERE: [&str; 1] = ["exit_group"];

fn main() -> ExitCode {
    let mut suite = Suite::new().guest("all_entries_together_are_enough", || {
        compute(None).expect("nothing is missing");
        files(None).expect("nothing is missing");
        attach(None).expect("nothing is missing");
    });
    for (call, works) in WORKER
        .iter()
        .map(|call| (call, compute as Works))
        .chain(FILES.iter().map(|call| (call, files as Works)))
        .chain(ATTACH.iter().map(|call| (call, attach as Works)))
    {
        let Call { name, why, .. } = *call;
        if call.elsewhere || SHOWN_ELSEWHERE.contains(&name) {
            continue;
        }
        suite = suite.guest(format!("{name}: {why}"), move || {
            let noticed = works(Some(name));
            assert!(
                noticed.is_err(),
                "nothing needs {name}: take it off the list"
            );
        });
    }
    suite.run()
}

type Works = fn(Option<&str>) -> Result<(), Error>;

fn open(builder: PoolBuilder, guest: &str, without: Option<&str>) -> Result<Pool, Error> {
    let module = guests().expect("only run with guests").join(guest);
    open_path(builder, module, without)
}

fn open_path(builder: PoolBuilder, module: PathBuf, without: Option<&str>) -> Result<Pool, Error> {
    let builder = match without {
        Some(name) => builder.without_system_call(name),
        None => builder,
    };
    // A worker that cannot even start is noticed, too, and soon.
    let mut limits = Limits::new().memory(128 * MIB);
    limits.start_timeout = Duration::from_secs(60);
    builder.workers(1).limits(limits).open(module)
}

/// All that guests make a worker do without files.
fn compute(without: Option<&str>) -> Result<(), Error> {
    for isolation in [Isolation::Shared, Isolation::Instance] {
        let pool = open(Pool::builder().isolation(isolation), "zoo.wasm", without)?;
        let _: Vec<i64> = pool.map("identity", 0..100i64)?;
        // Payloads in files, both ways; large allocations that grow.
        let large = Bytes(vec![7; 4 << 20]);
        let echoed: Bytes = pool.apply("echo-bytes", &large)?;
        assert!(echoed.0 == large.0);
        let text = "0123456789".repeat(300_000);
        let echoed: String = pool.apply("echo-text", &text)?;
        assert!(echoed == text);
        let _: u64 = pool.apply("grow", 32u64)?;
        // A trap, told with its backtrace, and a worker after it.
        match pool.apply::<_, i64>("trap-unreachable", 1i64) {
            Err(Error::Item { failure, .. }) if failure.kind.name() == "trap" => {}
            other => return other.map(drop),
        }
        let _: i64 = pool.apply("identity", 1i64)?;
        replaced(&pool, 1)?;
    }
    // A result whose length is not known before it is written.
    let pool = open_path(Pool::builder(), module("behave").into(), without)?;
    let text: String = pool.apply("echo", "\u{1}".repeat(1 << 20))?;
    assert_eq!(text.len(), 1 << 20);
    replaced(&pool, 0)?;
    let pool = open(Pool::builder(), "files.wasm32-wasip1.wasm", without)?;
    let _: u64 = pool.apply("sleep", 5u64)?;
    let _: u64 = pool.apply("resolution", ())?;
    let _: Vec<u32> = pool.apply("hash-order", ())?;
    replaced(&pool, 0)
}

/// Workers that died between items, or whose items were run again in others, are noticed, too.
fn replaced(pool: &Pool, expected: u64) -> Result<(), Error> {
    match pool.stats().workers_replaced {
        n if n == expected => Ok(()),
        n => Err(Error::Pool {
            doing: format!("{n} workers were replaced, not {expected}"),
            source: std::io::ErrorKind::Other.into(),
        }),
    }
}

/// All that guests make a worker do with a directory that they may change.
fn files(without: Option<&str>) -> Result<(), Error> {
    let folder = temporary();
    folder.write("file", "content");
    let builder = Pool::builder().directory(folder.path(""), "/d", true);
    let pool = open(builder, "files.wasm32-wasip1.wasm", without)?;
    let two = |task: &str, a: &str, b: &str| pool.apply::<_, ()>(task, (a, b));
    let one = |task: &str, a: &str| pool.apply::<_, ()>(task, a);
    let _: String = pool.apply("read", "/d/file")?;
    let _: String = pool.apply("read-at", ("/d/file", 2u64, 2usize))?;
    let _: Vec<String> = pool.apply("list", "/d")?;
    let _: u64 = pool.apply("length", "/d/file")?;
    two("write", "/d/new", "one")?;
    two("append", "/d/new", "two")?;
    pool.apply::<_, ()>("resize", ("/d/new", 2u64))?;
    one("touch", "/d/new")?;
    one("make-dir", "/d/sub")?;
    two("rename", "/d/new", "/d/sub/new")?;
    two("make-link", "/d/sub/new", "/d/second")?;
    two("make-symlink", "sub/new", "/d/link")?;
    let _: String = pool.apply("read-symlink", "/d/link")?;
    one("open-truncated", "/d/second")?;
    one("remove", "/d/sub/new")?;
    one("remove-dir", "/d/sub")?;
    pool.apply::<_, ()>("advise", "/d/file")?;
    replaced(&pool, 0)
}

/// All that guests make a worker do with a buffer.
fn attach(without: Option<&str>) -> Result<(), Error> {
    let array = Array::from_slice(&[1u64; 1000]).expect("there is memory");
    let builder = Pool::builder().buffer("a", array.buffer(), Access::ReadWrite);
    let pool = open(builder, "shared.wasm", without)?;
    let sum: u64 = pool.apply("sum-attached", ("a", 0u64, 1000u64))?;
    assert_eq!(sum, 1000);
    pool.apply::<_, ()>("keep-attached", "a")?;
    replaced(&pool, 0)
}
