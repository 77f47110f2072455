//! WASI's clocks and randomness in deterministic mode: functions of the seed, the item's index and what the guest does,
//! and of nothing else.
//!
//! Time stands still but for readings, each of which moves it by [`STEP_NANOS`], and for waiting, which moves it to the
//! first timer that is waited for and returns at once. All clocks of an instance show the same time, which starts with
//! the instance: the wall clock at [`START_SECONDS`], the monotonic clock at 0. Randomness is a stream of BLAKE3 for
//! each item and each purpose.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use blake3::{Hasher, OutputReader};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};
use wasmtime_wasi::p2::bindings::sync::io::poll;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::bindings::wasi::io::poll as waiting;

use super::host::Host;
use super::instance::State;
use super::wasi;

/// What the wall clock shows first: the first second of the year 2000, in seconds since 1970 (UTC).
const START_SECONDS: u64 = 946_684_800;
/// How far a reading of a clock moves it, in nanoseconds. Also the clocks' resolution.
const STEP_NANOS: u64 = 1_000;
/// Random bytes that a guest may ask for at once; as in wasmtime-wasi.
const MAX_RANDOM_BYTES: u64 = 64 << 20;

const SECOND: u64 = 1_000_000_000;

/// What an instance has instead of the machine's clocks and randomness.
pub(super) struct Fixed {
    seed: u64,
    time: Arc<Time>,
    secure: Stream,
    insecure: Stream,
}

impl Fixed {
    /// Time at its start, no randomness used.
    pub(super) fn new(seed: u64) -> Fixed {
        Fixed {
            seed,
            time: Arc::default(),
            secure: Stream::new("secure"),
            insecure: Stream::new("insecure"),
        }
    }
}

impl<H: Host> State<H> {
    fn fixed(&mut self) -> &mut Fixed {
        self.fixed.get_or_insert_with(|| Fixed::new(self.seed))
    }

    fn clocks(&mut self) -> Clocks<'_> {
        let time = self.fixed().time.clone();
        Clocks {
            time,
            table: self.wasi_table(),
        }
    }

    fn randomness(&mut self) -> Randomness<'_> {
        Randomness {
            item: self.host.item_index(),
            fixed: self.fixed(),
        }
    }
}

/// Links fixed clocks and randomness over those of the machine.
pub(super) fn link<H: Host>(linker: &mut Linker<State<H>>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    wall_clock::add_to_linker::<_, OfClocks>(linker, State::clocks)?;
    monotonic_clock::add_to_linker::<_, OfClocks>(linker, State::clocks)?;
    poll::add_to_linker::<_, OfClocks>(linker, State::clocks)?;
    random::add_to_linker::<_, OfRandomness>(linker, State::randomness)?;
    insecure::add_to_linker::<_, OfRandomness>(linker, State::randomness)?;
    insecure_seed::add_to_linker::<_, OfRandomness>(linker, State::randomness)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The time of an instance, in nanoseconds since its start.
#[derive(Debug)]
struct Time {
    now: AtomicU64,
    /// The earliest timer that was found not to be due; the largest number for none.
    next: AtomicU64,
}

impl Default for Time {
    fn default() -> Time {
        Time {
            now: AtomicU64::new(0),
            next: AtomicU64::new(NEVER),
        }
    }
}

/// Later than every timer.
const NEVER: u64 = u64::MAX;

// One thread uses an instance: the atomics are only there because stores can be moved.
impl Time {
    fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// Moves on to `at`, unless it is past.
    fn advance(&self, at: u64) {
        self.now
            .store(self.now().max(at.min(NEVER - 1)), Ordering::Relaxed);
    }

    /// Moves on by a step; the time before.
    fn step(&self) -> u64 {
        let now = self.now();
        self.advance(now.saturating_add(STEP_NANOS));
        now
    }

    /// Takes the earliest timer that was found not to be due since the last call.
    fn take_next(&self) -> Option<u64> {
        let next = self.next.swap(NEVER, Ordering::Relaxed);
        (next != NEVER).then_some(next)
    }

    /// Waits for what a guest waits for. Where only timers can end that, the time moves to the first of them.
    fn wait<T>(&self, future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        self.take_next();
        loop {
            if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
                return done;
            }
            match self.take_next() {
                Some(at) => self.advance(at),
                None => return wasi::runtime()?.block_on(future),
            }
        }
    }
}

/// Due at a time of the instance.
struct Timer {
    time: Arc<Time>,
    at: u64,
}

impl Pollable for Timer {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::poll_fn(|_| {
            if self.time.now() >= self.at {
                return Poll::Ready(());
            }
            self.time.next.fetch_min(self.at, Ordering::Relaxed);
            Poll::Pending
        }))
    }
}

struct OfClocks;

impl HasData for OfClocks {
    type Data<'a> = Clocks<'a>;
}

struct Clocks<'a> {
    time: Arc<Time>,
    table: &'a mut ResourceTable,
}

impl Clocks<'_> {
    fn timer(&mut self, at: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = Timer {
            time: self.time.clone(),
            at: at.min(NEVER - 1),
        };
        let timer = self.table.push(timer)?;
        subscribe(self.table, timer)
    }
}

impl wall_clock::Host for Clocks<'_> {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let now = self.time.step();
        Ok(wall_clock::Datetime {
            seconds: START_SECONDS + now / SECOND,
            nanoseconds: (now % SECOND) as u32,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: STEP_NANOS as u32,
        })
    }
}

impl monotonic_clock::Host for Clocks<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.time.step())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(STEP_NANOS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.timer(self.time.now().saturating_add(duration))
    }
}

impl poll::Host for Clocks<'_> {
    fn poll(&mut self, list: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.time.wait(waiting::Host::poll(self.table, list))
    }
}

impl poll::HostPollable for Clocks<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let ready = self
            .time
            .wait(waiting::HostPollable::ready(self.table, pollable))?;
        if !ready {
            // As a reading does: who asks again and again must come to an end.
            self.time.step();
        }
        Ok(ready)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.time
            .wait(waiting::HostPollable::block(self.table, pollable))
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        waiting::HostPollable::drop(self.table, pollable)
    }
}

/// Random bytes for one purpose, anew for each item.
struct Stream {
    purpose: &'static str,
    /// Whose bytes they are: an item's index, or none before the first item.
    item: Option<u64>,
    bytes: Option<OutputReader>,
}

impl Stream {
    fn new(purpose: &'static str) -> Stream {
        Stream {
            purpose,
            item: None,
            bytes: None,
        }
    }

    fn fill(&mut self, seed: u64, item: Option<u64>, into: &mut [u8]) {
        if item != self.item {
            (self.item, self.bytes) = (item, None);
        }
        let start = || {
            let mut hasher = Hasher::new_derive_key("wasmpool deterministic randomness 1");
            hasher.update(&seed.to_le_bytes());
            hasher.update(&[u8::from(item.is_some())]);
            hasher.update(&item.unwrap_or(0).to_le_bytes());
            hasher.update(self.purpose.as_bytes());
            hasher.finalize_xof()
        };
        self.bytes.get_or_insert_with(start).fill(into);
    }

    fn u64(&mut self, seed: u64, item: Option<u64>) -> u64 {
        let mut bytes = [0; 8];
        self.fill(seed, item, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn vec(&mut self, seed: u64, item: Option<u64>, len: u64) -> wasmtime::Result<Vec<u8>> {
        if len > MAX_RANDOM_BYTES {
            return Err(wasmtime::Error::msg(format!(
                "{len} random bytes wanted at once, at most {MAX_RANDOM_BYTES} are given"
            )));
        }
        let mut bytes = vec![0; len as usize];
        self.fill(seed, item, &mut bytes);
        Ok(bytes)
    }
}

struct OfRandomness;

impl HasData for OfRandomness {
    type Data<'a> = Randomness<'a>;
}

struct Randomness<'a> {
    item: Option<u64>,
    fixed: &'a mut Fixed,
}

impl random::Host for Randomness<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.fixed.secure.vec(self.fixed.seed, self.item, len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.fixed.secure.u64(self.fixed.seed, self.item))
    }
}

impl insecure::Host for Randomness<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.fixed.insecure.vec(self.fixed.seed, self.item, len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.fixed.insecure.u64(self.fixed.seed, self.item))
    }
}

impl insecure_seed::Host for Randomness<'_> {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        // Of its own, so that asking does not move the other streams.
        let mut stream = Stream::new("insecure-seed");
        let mut next = || stream.u64(self.fixed.seed, self.item);
        Ok((next(), next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u64, item: Option<u64>, purpose: &'static str) -> Vec<u8> {
        Stream::new(purpose).vec(seed, item, 32).unwrap()
    }

    #[test]
    fn randomness_is_a_function_of_seed_item_and_purpose() {
        let one = bytes(1, Some(2), "secure");
        assert_eq!(one, bytes(1, Some(2), "secure"));
        for other in [
            bytes(2, Some(2), "secure"),
            bytes(1, Some(3), "secure"),
            bytes(1, None, "secure"),
            bytes(1, Some(2), "insecure"),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(bytes(1, None, "secure"), bytes(1, Some(0), "secure"));
        let mut stream = Stream::new("secure");
        let parts = [
            stream.vec(1, Some(2), 5).unwrap(),
            stream.vec(1, Some(2), 27).unwrap(),
        ];
        assert_eq!(parts.concat(), one, "it does not depend on the portions");
        stream.u64(1, Some(7));
        let again = stream.vec(1, Some(2), 32).unwrap();
        assert_eq!(again, one, "what another item took is not missed");
        assert!(stream.vec(1, None, MAX_RANDOM_BYTES + 1).is_err());
    }

    #[test]
    fn time_moves_by_readings_and_by_waiting_and_not_otherwise() {
        let (time, mut table) = (Arc::<Time>::default(), ResourceTable::new());
        let mut clocks = Clocks {
            time: time.clone(),
            table: &mut table,
        };
        use monotonic_clock::Host as _;
        use poll::{Host as _, HostPollable as _};
        assert_eq!(clocks.now().unwrap(), 0);
        assert_eq!(clocks.now().unwrap(), STEP_NANOS);
        let wall = wall_clock::Host::now(&mut clocks).unwrap();
        assert_eq!((wall.seconds, wall.nanoseconds), (START_SECONDS, 2000));

        let far = clocks.subscribe_duration(10 * SECOND).unwrap();
        let near = clocks.subscribe_duration(SECOND).unwrap();
        let again = |timer: &Resource<DynPollable>| Resource::new_borrow(timer.rep());
        assert!(!clocks.ready(again(&near)).unwrap());
        let (one, two) = (again(&far), again(&near));
        assert_eq!(clocks.poll(vec![one, two]).unwrap(), [1]);
        assert_eq!(time.now(), SECOND + 3 * STEP_NANOS);
        assert!(clocks.ready(again(&near)).unwrap());
        clocks.block(again(&far)).unwrap();
        assert_eq!(time.now(), 10 * SECOND + 3 * STEP_NANOS);

        let past = clocks.subscribe_instant(5).unwrap();
        clocks.block(again(&past)).unwrap();
        let never = clocks.subscribe_instant(u64::MAX).unwrap();
        clocks.block(again(&never)).unwrap();
        assert_eq!(clocks.now().unwrap(), NEVER - 1, "it does not overflow");
    }
}
