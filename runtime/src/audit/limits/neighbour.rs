//! A pool that works all the while: what becomes of others must not show in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{HOSTILE, Seen, Spec, limits, milliseconds, pool};
use crate::audit::report::Check;
use crate::pool::Error;

/// Between two items, so that the machine is left to the others.
const PAUSE: Duration = Duration::from_millis(2);

/// The pool at work.
pub(in crate::audit) struct Neighbour {
    enough: Arc<AtomicBool>,
    thread: std::io::Result<JoinHandle<Result<Worked, Error>>>,
}

#[derive(Default)]
struct Worked {
    items: u64,
    wrong: u64,
    slowest: Duration,
    workers: u64,
}

impl Neighbour {
    /// Opens it, and gives it items until its end.
    pub(in crate::audit) fn start() -> Neighbour {
        let enough = Arc::new(AtomicBool::new(false));
        let until = enough.clone();
        let thread = std::thread::Builder::new().spawn(move || work(&until));
        Neighbour { enough, thread }
    }

    /// Ends it, and says how it went.
    pub(in crate::audit) fn end(self) -> Check {
        let spec = Spec::new(
            "processes",
            "neighbour",
            "a pool beside all this does not notice",
            "pools share no process",
        );
        spec.once(|| {
            let failed = || Error::pool("the neighbour cannot work");
            self.enough.store(true, Ordering::Release);
            let worked = self.thread.map_err(failed())?.join();
            let worked = worked.map_err(|_| failed()(std::io::Error::other("it panicked")))??;
            let held = worked.items > 0 && worked.wrong == 0 && worked.workers == 1;
            let proof = format!(
                "{} items, {} wrong, {} worker, the slowest took {}",
                worked.items,
                worked.wrong,
                worked.workers,
                milliseconds(worked.slowest)
            );
            Ok(Seen::new(held, proof))
        })
    }
}

fn work(enough: &AtomicBool) -> Result<Worked, Error> {
    let pool = pool(HOSTILE, limits())?;
    let mut worked = Worked::default();
    while !enough.load(Ordering::Acquire) || worked.items == 0 {
        let x = worked.items.cast_signed();
        let start = Instant::now();
        let result = pool.apply::<i64, i64>("identity", x)?;
        worked.slowest = worked.slowest.max(start.elapsed());
        worked.items += 1;
        worked.wrong += u64::from(result != x);
        std::thread::sleep(PAUSE);
    }
    worked.workers = pool.stats().workers_started;
    Ok(worked)
}
