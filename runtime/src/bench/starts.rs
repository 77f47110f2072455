//! From nothing to a result, and what a worker holds that waits.

use std::process::{Command, Stdio};
use std::time::Instant;

use super::lab::{GUEST, Lab, Missing, expect};
use crate::pool::Pool;
use crate::sys::seen::Family;

/// Workers whose memory is looked at.
const IDLE: u32 = 4;

impl Lab {
    pub(super) fn start_pool(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        // Whoever is first compiles, and fills the cache.
        self.pool(super::jobs::SHARED.0, || Pool::builder().workers(1))?;
        for _ in 0..n {
            let start = Instant::now();
            let pool = Pool::builder().open_bytes(GUEST.as_bytes())?;
            let square: i64 = pool.apply("square", 7_i64)?;
            out.push(start.elapsed().as_nanos() as f64);
            expect(square, 49)?;
            if !pool.stats().from_cache {
                return Err(Missing::Machine(
                    "compiled code cannot be cached".to_owned(),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn start_command(
        &mut self,
        cached: bool,
        n: usize,
        out: &mut Vec<f64>,
    ) -> Result<(), Missing> {
        let program = self.program()?;
        let folder = self.folder()?;
        let start = || {
            let mut command = Command::new(&program);
            command.arg("map").arg(folder.join("guest.wat:square"));
            command.args(["--workers", "1", "7"]);
            command.env("WASMPOOL_CACHE_DIR", folder.join("cache"));
            command.env("WASMPOOL_NO_CONFIG", "true");
            if !cached {
                command.arg("--no-cache");
            }
            command.stdin(Stdio::null()).stderr(Stdio::null()).output()
        };
        if cached && !folder.join("cache").exists() {
            start()?;
        }
        for _ in 0..n {
            let began = Instant::now();
            let ended = start()?;
            out.push(began.elapsed().as_nanos() as f64);
            expect(ended.status.code(), Some(0))?;
            expect(ended.stdout.trim_ascii(), b"49")?;
        }
        Ok(())
    }

    pub(super) fn idle_workers(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        for _ in 0..n {
            let family = Family::before();
            let pool = Pool::builder().workers(IDLE).open_bytes(GUEST.as_bytes())?;
            let steps = [100_000_i64; 8 * IDLE as usize];
            pool.map::<_, i64>("sum", steps)?;
            let workers = family.workers();
            if workers.is_empty() {
                let none = "no worker can be seen in /proc".to_owned();
                return Err(Missing::Machine(none));
            }
            for worker in workers {
                out.push(worker.private_bytes()? as f64);
            }
        }
        Ok(())
    }
}
