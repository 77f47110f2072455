//! What a module costs before any of it runs: its bytes, compiling it, starting it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::{HOSTILE, LATE, Seen, Spec, limits};
use crate::audit::native::reason;
use crate::audit::report::Check;
use crate::limits::{Limits, MIB};
use crate::pool::{Error, Pool, inspect};

const COMPILE_TIMEOUT: Duration = Duration::from_millis(200);
const START_TIMEOUT: Duration = Duration::from_millis(300);
const COMPILE_MEMORY: u64 = 96 * MIB;
const MODULE_BYTES: u64 = 8 << 10;
const CODE_BYTES: u64 = 16 << 10;

/// Instructions of the function that takes long to compile, in fours.
const BOMB: u64 = 100_000;

pub(super) fn checks() -> Vec<Check> {
    let bomb = bomb();
    vec![
        Spec::new(
            "loading",
            "module-bytes",
            format!("a module has {} KiB at most", MODULE_BYTES >> 10),
            "the host",
        )
        .check(|| {
            let mut limits = limits();
            limits.module_bytes = MODULE_BYTES;
            refused(HOSTILE, &limits, |e| matches!(e, Error::OverLimit(_)))
        }),
        Spec::new(
            "loading",
            "compile-time",
            format!("compiling takes {} ms at most", COMPILE_TIMEOUT.as_millis()),
            "SIGKILL",
        )
        .check(|| {
            let mut limits = limits();
            limits.compile_timeout = COMPILE_TIMEOUT;
            let start = Instant::now();
            let seen = refused(&bomb, &limits, |e| matches!(e, Error::CompileTimeout(_)))?;
            let late = start.elapsed().saturating_sub(COMPILE_TIMEOUT);
            Ok(seen.late(late, LATE))
        }),
        Spec::new(
            "loading",
            "compile-memory",
            format!("a compiler has {} MiB at most", COMPILE_MEMORY / MIB),
            "RLIMIT_DATA",
        )
        .check(|| {
            let mut limits = limits();
            // With memory enough it is compiled: so it is memory that ends its compiler.
            inspect(bomb.as_bytes(), &limits)?;
            limits.compile_memory_bytes = COMPILE_MEMORY;
            refused(&bomb, &limits, |error| {
                matches!(error, Error::CompileMemory(_) | Error::CompilerLost { .. })
            })
        }),
        Spec::new(
            "loading",
            "code-bytes",
            format!("compiled code has {} KiB at most", CODE_BYTES >> 10),
            "the compiler process, RLIMIT_FSIZE, seals",
        )
        .check(|| {
            let mut limits = limits();
            limits.compiled_bytes = CODE_BYTES;
            refused(HOSTILE, &limits, |e| matches!(e, Error::OverLimit(_)))
        }),
        Spec::new(
            "loading",
            "start-time",
            format!("starting takes {} ms at most", START_TIMEOUT.as_millis()),
            "SIGKILL through the pidfd",
        )
        .check(start),
    ]
}

/// Seen, if a module is refused for the right reason.
fn refused(module: &str, limits: &Limits, right: impl Fn(&Error) -> bool) -> Result<Seen, Error> {
    match inspect(module.as_bytes(), limits) {
        Ok(_) => Ok(Seen::new(false, "it was compiled")),
        Err(error) if right(&error) => Ok(Seen::new(true, reason(&error))),
        Err(error) => Err(error),
    }
}

/// A module of one function, which takes its time and memory to compile.
fn bomb() -> String {
    let mut text = String::from(
        "(component (core module $m (func (export \"f\") (param i64) (result i64) local.get 0\n",
    );
    for k in 0..BOMB {
        let _ = writeln!(text, "i64.const {k} i64.mul local.get 0 i64.xor");
    }
    text.push_str("))(core instance $i (instantiate $m))\n");
    text.push_str(
        "(func (export \"f\") (param \"x\" s64) (result s64) (canon lift (core func $i \"f\"))))",
    );
    text
}

/// A start function that never ends. Its workers are replaced a few times, then the pool gives up.
fn start() -> Result<Seen, Error> {
    const MODULE: &str = "(component (core module $m
        (func $never (loop $again (br $again))) (start $never)
        (func (export \"f\") (param i64) (result i64) local.get 0))
        (core instance $i (instantiate $m))
        (func (export \"f\") (param \"x\" s64) (result s64) (canon lift (core func $i \"f\"))))";
    let mut limits = limits();
    limits.start_timeout = START_TIMEOUT;
    let pool = Pool::builder().workers(1).limits(limits).cache(false);
    let pool = pool.open_bytes(MODULE.as_bytes())?;
    let start = Instant::now();
    let error = match pool.apply::<i64, i64>("f", 1) {
        Ok(value) => return Ok(Seen::new(false, format!("it started, and gave {value}"))),
        Err(error @ Error::Start { .. }) => error,
        Err(error) => return Err(error),
    };
    let workers = pool.stats().workers_started;
    let held = workers <= 16 && start.elapsed() < LATE * 5;
    Ok(Seen::new(
        held,
        format!("workers started: {workers}; {}", reason(&error)),
    ))
}
