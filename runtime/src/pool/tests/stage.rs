//! A real core and supervisor over workers that are played, a job of many items, and what has to come out.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::actor::{Actor, Fate, Handle, PATIENCE, answer, identity, open_copies};
use crate::failure::FailureKind;
use crate::ids::{Generation, SlotId};
use crate::ipc::frame::Target;
use crate::ipc::launch::{Heard, Kill, Launch};
use crate::ipc::link::WorkerEnd;
use crate::limits::Limits;
use crate::objects;
use crate::pool::core::{Broken, Core, GrantedObject, Shape, WAKE};
use crate::pool::error::Error;
use crate::pool::options::{JobOptions, OnError, Outcome, Stats};
use crate::pool::payload::Payload;
use crate::pool::stream::{Feeder, Results};
use crate::pool::supervisor::Shared;
use crate::sys::poll::{Poller, Waker};

/// How a worker behaves.
pub type Play = dyn Fn(Actor) + Send + Sync;

/// What all workers of a pool have in common.
pub struct Cast {
    play: Box<Play>,
    news: UnixStream,
    heard: Mutex<Vec<Heard>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    pub fates: Mutex<Vec<Arc<Fate>>>,
    /// What was open and has to be closed in the end.
    seen: Mutex<Vec<(u64, u64)>>,
}

struct Launcher {
    cast: Arc<Cast>,
    news: UnixStream,
}

impl Launch for Launcher {
    fn start(
        &mut self,
        slot: SlotId,
        generation: Generation,
        end: WorkerEnd,
    ) -> io::Result<Option<Box<dyn Kill>>> {
        let fate = Fate::new(slot, generation);
        let cast = self.cast.clone();
        cast.fates.lock().unwrap().push(fate.clone());
        cast.saw(&end.socket);
        cast.saw(&end.memory);
        let kill = Handle(fate.clone());
        let actor = Actor::new(fate.clone(), end)?;
        let thread = std::thread::spawn(move || {
            let played = catch_unwind(AssertUnwindSafe(|| (cast.play)(actor)));
            let status = if fate.was_killed() { 9 } else { 0 };
            let exited = Heard::Exited(slot, generation, ExitStatus::from_raw(status));
            cast.heard.lock().unwrap().push(exited);
            let _ = (&cast.news).write(&[0]);
            // Told by `Stage::close`; a host that got no word of an end would only hang.
            if let Err(panic) = played {
                resume_unwind(panic);
            }
        });
        self.cast.threads.lock().unwrap().push(thread);
        Ok(Some(Box::new(kill)))
    }

    fn heard(&mut self, into: &mut Vec<Heard>) -> io::Result<()> {
        while (&self.news).read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
        into.append(&mut self.cast.heard.lock().unwrap());
        Ok(())
    }

    fn news(&self) -> Option<BorrowedFd<'_>> {
        Some(self.news.as_fd())
    }

    fn tells_ends(&self) -> bool {
        true
    }
}

impl Cast {
    /// Something is open that has to be closed in the end.
    pub fn saw(&self, fd: impl AsFd) {
        self.seen.lock().unwrap().push(identity(fd));
    }

    /// Those that have begun their attack.
    pub fn attackers(&self) -> Vec<Arc<Fate>> {
        let fates = self.fates.lock().unwrap();
        fates.iter().filter(|f| f.has_attacked()).cloned().collect()
    }
}

/// A pool of played workers.
pub struct Stage {
    pub cast: Arc<Cast>,
    pub shared: Arc<Shared>,
    /// What its workers are called in messages.
    name: String,
    supervisor: JoinHandle<()>,
}

/// How a pool is to be.
#[derive(Clone)]
pub struct Plan {
    pub limits: Limits,
    pub workers: usize,
    pub options: JobOptions,
    pub objects: Vec<GrantedObject>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            limits: Limits::new().timeout(PATIENCE * 2),
            workers: 1,
            options: JobOptions {
                on_error: OnError::Continue,
                retries: 1000,
                ..JobOptions::default()
            },
            objects: Vec::new(),
        }
    }
}

/// What a job gave.
pub struct Gave {
    pub outcomes: Vec<Outcome>,
    pub error: Option<Error>,
    pub took: Duration,
}

pub fn item(i: usize) -> Vec<u8> {
    format!("item {i}").into_bytes()
}

impl Stage {
    pub fn new(plan: &Plan, play: impl Fn(Actor) + Send + Sync + 'static) -> Stage {
        let (news, tell) = UnixStream::pair().unwrap();
        news.set_nonblocking(true).unwrap();
        let cast = Arc::new(Cast {
            play: Box::new(play),
            news: tell,
            heard: Mutex::default(),
            threads: Mutex::default(),
            fates: Mutex::default(),
            seen: Mutex::default(),
        });
        let launcher = Box::new(Launcher {
            cast: cast.clone(),
            news,
        });
        let poller = Arc::new(Poller::new().unwrap());
        let waker = Arc::new(Waker::new(&poller, WAKE).unwrap());
        static STAGES: AtomicU32 = AtomicU32::new(0);
        let name = format!("stage {}.", STAGES.fetch_add(1, Ordering::Relaxed));
        let shape = Shape {
            limits: plan.limits.clone(),
            workers: plan.workers,
            slots: plan.workers,
            max_items_per_worker: None,
            has_tasks: false,
            backtrace_on_timeout: false,
            profile: None,
            deterministic: false,
            record: false,
            name: name.clone(),
            objects: plan.objects.clone(),
        };
        let core = Core::new(shape, launcher, poller.clone(), waker.clone()).unwrap();
        let shared = Arc::new(Shared::new(core, poller, waker, None));
        let supervised = shared.clone();
        let supervisor = std::thread::spawn(move || supervised.supervise());
        Stage {
            cast,
            shared,
            name,
            supervisor,
        }
    }

    /// A job with nothing in it yet.
    pub fn job(&self, options: JobOptions) -> (Feeder, Results) {
        let target = Target::Export("f".into());
        let id = self.shared.core().add_job(target, options, false).unwrap();
        (
            Feeder::new(self.shared.clone(), id, None),
            Results::new(self.shared.clone(), id, None),
        )
    }

    /// Runs items through. Panics if the host hangs.
    pub fn map(&self, items: usize, options: JobOptions) -> Gave {
        self.map_after(items, options, || {})
    }

    /// The same; `fed` is called once all items are in.
    pub fn map_after(
        &self,
        items: usize,
        options: JobOptions,
        fed: impl FnOnce() + Send + 'static,
    ) -> Gave {
        let (mut feeder, mut results) = self.job(options);
        let (tell, told) = mpsc::channel();
        let start = Instant::now();
        std::thread::spawn(move || {
            let mut gave = Gave {
                outcomes: Vec::new(),
                error: None,
                took: Duration::ZERO,
            };
            while let Some(next) = results.next() {
                match next {
                    Ok(outcome) => gave.outcomes.push(outcome),
                    Err(error) => {
                        gave.error = Some(error);
                        break;
                    }
                }
            }
            gave.took = start.elapsed();
            let _ = tell.send(gave);
        });
        std::thread::spawn(move || {
            let _ = (0..items).all(|i| feeder.push(Payload::Bytes(item(i))));
            fed();
        });
        told.recv_timeout(PATIENCE * 3).expect("the host hangs")
    }

    /// Closes the pool. Panics if it hangs, keeps anything open, or leaves a wait behind. Returns its counts.
    pub fn close(self) -> Stats {
        let stats = self.shared.core().counts();
        self.shared.core().give_up(Broken::Closed);
        self.shared.wake();
        let start = Instant::now();
        while !self.supervisor.is_finished() {
            assert!(start.elapsed() < PATIENCE, "the supervisor hangs");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.supervisor.join().expect("the supervisor panicked");
        drop(self.shared);
        for thread in std::mem::take(&mut *self.cast.threads.lock().unwrap()) {
            thread.join().expect("a part of the test panicked");
        }
        let mut seen = std::mem::take(&mut *self.cast.seen.lock().unwrap());
        for fate in self.cast.fates.lock().unwrap().iter() {
            seen.append(&mut fate.opened.lock().unwrap());
        }
        let mut waiting = objects::waiting();
        waiting.retain(|w| w.name.ends_with(&self.name));
        assert!(waiting.is_empty(), "{waiting:?}");
        let open = open_copies(&seen);
        assert_eq!(open, 0, "descriptors or mappings that are still there");
        stats
    }
}

/// Whether an outcome is the item's right result.
pub fn is_right(outcome: &Outcome) -> bool {
    let expected = answer(&item(outcome.index as usize));
    outcome.result.as_ref().is_ok_and(|b| **b == *expected)
}

/// Checks that every item has one outcome, in order.
#[track_caller]
pub fn check_complete(gave: &Gave, items: usize) {
    if let Some(error) = &gave.error {
        panic!("the job as a whole failed: {error:?}");
    }
    let indices: Vec<u64> = gave.outcomes.iter().map(|o| o.index).collect();
    assert_eq!(indices, (0..items as u64).collect::<Vec<_>>());
}

/// How many items ended with this kind of failure.
pub fn failures(gave: &Gave, kind: FailureKind) -> usize {
    let is = |o: &&Outcome| o.result.as_ref().is_err_and(|f| f.kind == kind);
    gave.outcomes.iter().filter(is).count()
}
