//! What comes after a trap and a kill, and how late a deadline is kept.

use std::time::{Duration, Instant};

use super::lab::{GUEST, Lab, Missing, expect};
use crate::failure::FailureKind;
use crate::limits::Limits;
use crate::pool::{Error, JobOptions, OnError, Payload, Pool};
use crate::sys::seen::{Family, Process};

/// The time limit of an item that never ends.
const LIMIT: Duration = Duration::from_millis(50);

impl Lab {
    pub(super) fn recover_trap(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let pool = self.pool("one worker that traps", || Pool::builder().workers(1))?;
        for _ in 0..n {
            let trap = pool.submit::<_, i64>("inverse", 0_i64)?;
            let next = pool.submit::<_, i64>("inverse", 10_i64)?;
            failed(trap.wait(), FailureKind::Trap)?;
            let start = Instant::now();
            expect(next.wait()?, 100)?;
            out.push(start.elapsed().as_nanos() as f64);
        }
        // So that no sample of another row meets a worker that is just being started.
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }

    /// The item that is killed with its worker is not tried again: it fails, and the next one has a result.
    pub(super) fn recover_kill(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let family = Family::before();
        let pool = Pool::builder().workers(1).open_bytes(GUEST.as_bytes())?;
        for i in 0..n as i64 {
            // The worker that replaces the last one is ready.
            expect(pool.apply::<i64, i64>("square", 3)?, 9)?;
            let options = JobOptions {
                retries: 0,
                on_error: OnError::Continue,
                ..JobOptions::default()
            };
            let (mut feeder, mut killed) = pool.stream("spin", options)?;
            feeder.push(Payload::Bytes(b"0".to_vec()));
            drop(feeder);
            // In the middle of the item.
            std::thread::sleep(Duration::from_millis(5));
            let workers = family.workers();
            let start = Instant::now();
            if !workers.iter().any(Process::kill) {
                let none = "no worker can be seen in /proc".to_owned();
                return Err(Missing::Machine(none));
            }
            let square: i64 = pool.apply("square", i)?;
            out.push(start.elapsed().as_nanos() as f64);
            expect(square, i * i)?;
            let failure = killed.next().and_then(|outcome| outcome.ok()?.result.err());
            let kind = failure.map(|failure| failure.kind);
            expect(kind, Some(FailureKind::WorkerLost))?;
        }
        Ok(())
    }

    /// From the deadline of an item that never ends to its failure in the hands of who waits for it. Counted from the
    /// submission: what the item took to be started is in it.
    pub(super) fn overshoot(&mut self, n: usize, out: &mut Vec<f64>) -> Result<(), Missing> {
        let limits = || Limits::new().timeout(LIMIT);
        let late = || Pool::builder().workers(1).limits(limits());
        let pool = self.pool("one worker that is late", late)?;
        for _ in 0..n {
            // The worker that replaces the last one is ready.
            expect(pool.apply::<i64, i64>("square", 3)?, 9)?;
            let start = Instant::now();
            failed(
                pool.submit::<_, i64>("spin", 0_i64)?.wait(),
                FailureKind::Timeout,
            )?;
            out.push((start.elapsed().as_secs_f64() - LIMIT.as_secs_f64()) * 1e9);
        }
        Ok(())
    }
}

fn failed(result: Result<i64, Error>, kind: FailureKind) -> Result<(), Missing> {
    match result {
        Err(Error::Item { failure, .. }) if failure.kind == kind => Ok(()),
        Err(error) => Err(error.into()),
        Ok(number) => {
            let text = format!("the result is {number}, and should be the failure {kind:?}");
            Err(Missing::Wrong(text))
        }
    }
}
