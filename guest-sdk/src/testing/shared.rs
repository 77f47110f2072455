//! What is shared, in a test: the builder that authors use, and where the stand-ins find what was granted.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::swapped;
use super::{memory, messages, sync};
use crate::OpenError;
use crate::buffer::{Access, Element, Scalar};

/// What a test grants the tasks that it calls: buffers, queues, pipes and what is in [`sync`](crate::sync), by name.
///
/// What was granted stays the same in all calls of [`within`](Self::within), and the test itself looks at it in the
/// same way as a task does:
///
/// ```
/// use wasmpool_guest::queue::Queue;
/// use wasmpool_guest::testing::Shared;
///
/// let shared = Shared::new().queue("letters");
/// shared.within(|| Queue::open("letters").unwrap().put(b"a").unwrap());
/// shared.within(|| assert_eq!(Queue::open("letters").unwrap().get().unwrap(), b"a"));
/// ```
///
/// All of it belongs to one thread and one holder. An operation that would wait for somebody else therefore would wait
/// for ever, and panics, saying so; with a timeout it is as if that had passed at once.
///
/// ```should_panic
/// use wasmpool_guest::queue::Queue;
/// use wasmpool_guest::testing::Shared;
///
/// // Panics: would wait for ever for a message.
/// Shared::new().queue("letters").within(|| Queue::open("letters").unwrap().get());
/// ```
///
/// Names are per kind, as in a pool. Granting one twice replaces the first. Nothing is bounded in bytes or handles, and
/// queues and pipes are granted in both directions.
#[derive(Debug, Default)]
pub struct Shared {
    granted: Granted,
}

/// By kind and name.
#[derive(Clone, Debug, Default)]
pub(super) struct Granted {
    pub buffers: BTreeMap<String, (Rc<memory::Storage>, Access)>,
    pub queues: BTreeMap<String, Rc<messages::QueueState>>,
    pub ends: BTreeMap<String, Rc<messages::EndState>>,
    pub locks: BTreeMap<String, Rc<sync::LockState>>,
    pub semaphores: BTreeMap<String, Rc<sync::SemaphoreState>>,
    pub events: BTreeMap<String, Rc<sync::EventState>>,
    pub conditions: BTreeMap<String, Rc<sync::LockState>>,
    pub barriers: BTreeMap<String, Rc<sync::BarrierState>>,
}

impl Shared {
    /// Nothing.
    ///
    /// ```
    /// use wasmpool_guest::{queue::Queue, testing::Shared};
    ///
    /// Shared::new().within(|| assert!(Queue::open("jobs").is_err()));
    /// ```
    pub fn new() -> Self {
        Shared::default()
    }

    /// Calls `f`, in which this can be opened, and nothing else that is shared.
    ///
    /// ```
    /// use wasmpool_guest::{buffer::Value, testing::Shared};
    ///
    /// let shared = Shared::new().value("hits", 0_u32);
    /// shared.within(|| Value::<u32>::open("hits").unwrap().fetch_add(1).unwrap());
    /// assert_eq!(shared.within(|| Value::<u32>::open("hits").unwrap().get()), 1);
    /// ```
    pub fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        swapped(|stand_in| &mut stand_in.granted, self.granted.clone(), f).0
    }

    /// Grants a buffer that holds these bytes, for reading and writing.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().buffer("page", b"hello").within(|| {
    ///     assert_eq!(Buffer::open("page").unwrap().len(), 5);
    /// });
    /// ```
    pub fn buffer(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.storage(name, bytes.as_ref(), Access::ReadWrite)
    }

    /// Grants a buffer that holds these bytes, for reading.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Buffer;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().read_only_buffer("page", b"hello").within(|| {
    ///     assert!(Buffer::open("page").unwrap().write(0, b"HELLO").is_err());
    /// });
    /// ```
    pub fn read_only_buffer(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.storage(name, bytes.as_ref(), Access::ReadOnly)
    }

    /// Grants a buffer that holds these numbers, for reading and writing.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Array;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().array("data", &[1_u16, 2]).within(|| {
    ///     assert_eq!(Array::<u16>::open("data").unwrap().len(), 2);
    /// });
    /// ```
    pub fn array<T: Element>(self, name: &str, numbers: &[T]) -> Self {
        self.storage(name, crate::buffer::bytes_of(numbers), Access::ReadWrite)
    }

    /// Grants a buffer that holds this number, for reading and writing.
    ///
    /// ```
    /// use wasmpool_guest::buffer::Value;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().value("total", 7_u64).within(|| {
    ///     assert_eq!(Value::<u64>::open("total").unwrap().get(), 7);
    /// });
    /// ```
    pub fn value<T: Scalar>(self, name: &str, number: T) -> Self {
        self.array(name, &[number])
    }

    fn storage(mut self, name: &str, bytes: &[u8], access: Access) -> Self {
        let storage = Rc::new(memory::Storage::new(bytes));
        self.granted
            .buffers
            .insert(name.to_owned(), (storage, access));
        self
    }

    /// Grants a queue without a bound, for putting and getting.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().queue("jobs").within(|| {
    ///     assert!(Queue::open("jobs").unwrap().is_empty());
    /// });
    /// ```
    pub fn queue(self, name: &str) -> Self {
        self.queue_of(name, None, false)
    }

    /// Grants a queue of so many messages at most, for putting and getting.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().bounded_queue("jobs", 1).within(|| {
    ///     let jobs = Queue::open("jobs").unwrap();
    ///     jobs.put(b"first").unwrap();
    ///     assert!(jobs.try_put(b"second").is_err());
    /// });
    /// ```
    pub fn bounded_queue(self, name: &str, messages: usize) -> Self {
        self.queue_of(name, Some(messages), false)
    }

    /// Grants a queue without a bound whose messages are to be confirmed, for putting and getting.
    ///
    /// ```
    /// use wasmpool_guest::queue::Queue;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().joinable_queue("jobs").within(|| {
    ///     let jobs = Queue::open("jobs").unwrap();
    ///     jobs.put(b"first").unwrap();
    ///     jobs.get().unwrap();
    ///     assert!(jobs.task_done().is_ok());
    /// });
    /// ```
    pub fn joinable_queue(self, name: &str) -> Self {
        self.queue_of(name, None, true)
    }

    fn queue_of(mut self, name: &str, bound: Option<usize>, joinable: bool) -> Self {
        let queue = messages::QueueState::new(name, bound, joinable);
        self.granted.queues.insert(name.to_owned(), Rc::new(queue));
        self
    }

    /// Grants both ends of a pipe without a bound. Each can be opened once.
    ///
    /// ```
    /// use wasmpool_guest::pipe::PipeEnd;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().pipe("here", "there").within(|| {
    ///     let (here, there) = (PipeEnd::open("here").unwrap(), PipeEnd::open("there").unwrap());
    ///     here.send(b"hello").unwrap();
    ///     assert!(there.poll());
    /// });
    /// ```
    pub fn pipe(mut self, one_end: &str, other_end: &str) -> Self {
        let (one, other) = messages::EndState::pair(one_end, other_end);
        self.granted.ends.insert(one_end.to_owned(), Rc::new(one));
        self.granted
            .ends
            .insert(other_end.to_owned(), Rc::new(other));
        self
    }

    /// Grants a lock.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("ledger").within(|| {
    ///     assert!(Lock::open("ledger").unwrap().acquire().is_ok());
    /// });
    /// ```
    pub fn lock(self, name: &str) -> Self {
        self.lock_of(name, false, false)
    }

    /// Grants a lock that its holder can acquire again.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().recursive_lock("ledger").within(|| {
    ///     let ledger = Lock::open("ledger").unwrap();
    ///     let _once = ledger.acquire().unwrap();
    ///     assert!(ledger.acquire().is_ok());
    /// });
    /// ```
    pub fn recursive_lock(self, name: &str) -> Self {
        self.lock_of(name, true, false)
    }

    /// Grants a lock whose last holder ended without releasing it.
    ///
    /// ```
    /// use wasmpool_guest::sync::Lock;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().abandoned_lock("ledger").within(|| {
    ///     assert!(Lock::open("ledger").unwrap().acquire().unwrap().was_abandoned());
    /// });
    /// ```
    pub fn abandoned_lock(self, name: &str) -> Self {
        self.lock_of(name, false, true)
    }

    fn lock_of(mut self, name: &str, recursive: bool, abandoned: bool) -> Self {
        let lock = sync::LockState::new(recursive, abandoned);
        self.granted.locks.insert(name.to_owned(), Rc::new(lock));
        self
    }

    /// Grants a bounded semaphore of this initial value.
    ///
    /// ```
    /// use wasmpool_guest::sync::Semaphore;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().semaphore("seats", 2).within(|| {
    ///     assert_eq!(Semaphore::open("seats").unwrap().value(), 2);
    /// });
    /// ```
    pub fn semaphore(mut self, name: &str, value: u32) -> Self {
        let semaphore = sync::SemaphoreState::new(name, value);
        self.granted
            .semaphores
            .insert(name.to_owned(), Rc::new(semaphore));
        self
    }

    /// Grants an event that is not set.
    ///
    /// ```
    /// use wasmpool_guest::sync::Event;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().event("stop").within(|| {
    ///     assert!(!Event::open("stop").unwrap().is_set());
    /// });
    /// ```
    pub fn event(mut self, name: &str) -> Self {
        let event = sync::EventState::new(name);
        self.granted.events.insert(name.to_owned(), Rc::new(event));
        self
    }

    /// Grants a condition of a lock.
    ///
    /// ```
    /// use wasmpool_guest::sync::Condition;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().lock("shelf").condition("restocked", "shelf").within(|| {
    ///     assert!(Condition::open("restocked").is_ok());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If no lock of this name was granted before.
    #[track_caller]
    pub fn condition(mut self, name: &str, lock: &str) -> Self {
        let Some(lock) = self.granted.locks.get(lock) else {
            panic!("the condition `{name}` belongs to a lock `{lock}`, which is granted before it");
        };
        let lock = Rc::clone(lock);
        self.granted.conditions.insert(name.to_owned(), lock);
        self
    }

    /// Grants a barrier for so many instances. Since there is only one here, any other number than 1 waits for ever.
    ///
    /// ```
    /// use wasmpool_guest::sync::Barrier;
    /// use wasmpool_guest::testing::Shared;
    ///
    /// Shared::new().barrier("start", 1).within(|| {
    ///     assert_eq!(Barrier::open("start").unwrap().wait(), Ok(0));
    /// });
    /// ```
    pub fn barrier(mut self, name: &str, parties: u32) -> Self {
        let barrier = sync::BarrierState::new(name, parties);
        self.granted
            .barriers
            .insert(name.to_owned(), Rc::new(barrier));
        self
    }
}

/// What was granted under a name.
pub(super) fn granted<T: Clone>(
    kind: &'static str,
    name: &str,
    of: fn(&Granted) -> &BTreeMap<String, T>,
) -> Result<T, OpenError> {
    super::STAND_IN.with_borrow(|stand_in| {
        let found = of(&stand_in.granted).get(name).cloned();
        found.ok_or_else(|| OpenError::NotGranted {
            kind,
            name: name.to_owned(),
        })
    })
}

/// Ends a test that would otherwise hang.
#[track_caller]
pub(super) fn for_ever(what: &str) -> ! {
    panic!("would wait for ever {what}: in a test of one thread nobody else could end the wait");
}
