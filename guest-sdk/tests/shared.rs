//! What tasks share, against the stand-ins.

use std::time::Duration;

use wasmpool_guest::buffer::{
    Access, AccessError, Array, AttachError, Buffer, Element, Value, WaitResult,
};
use wasmpool_guest::pipe::{PipeEnd, ReceiveError, SendError};
use wasmpool_guest::queue::{Direction, GetError, PutError, Queue, TaskDoneError};
use wasmpool_guest::sync::{
    AcquireError, Barrier, BarrierError, Condition, Event, Lock, ReleaseError, Semaphore, WaitError,
};
use wasmpool_guest::testing::Shared;
use wasmpool_guest::{OpenError, message};

const SOON: Duration = Duration::from_millis(1);

/// Whether this would wait for ever, and says so of what is named.
#[track_caller]
fn waits_for_ever<R>(named: &str, f: impl FnOnce() -> R) {
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(f())));
    let panic = ended.expect_err("nothing to wait for");
    let message = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("would wait for ever"), "{message}");
    assert!(message.contains(named), "{message}");
}

#[test]
fn only_what_was_granted_opens() {
    let not_granted = |kind| {
        Err(OpenError::NotGranted {
            kind,
            name: "x".into(),
        })
    };
    let shared = Shared::new().buffer("x", [0; 12]);
    shared.within(|| {
        assert_eq!(Queue::open("x").map(drop), not_granted("queue"));
        let wrong = |size| {
            Err(OpenError::WrongLength {
                name: "x".into(),
                length: 12,
                size,
            })
        };
        assert_eq!(Value::<u32>::open("x").map(drop), wrong(4));
        assert_eq!(Array::<u64>::open("x").map(drop), wrong(8));
        assert_eq!(Array::<f32>::open("x").map(|array| array.len()), Ok(3));
        // Grants do not nest.
        Shared::new().within(|| assert_eq!(Buffer::open("x").map(drop), not_granted("buffer")));
    });
    assert_eq!(Buffer::open("x").map(drop), not_granted("buffer"));
    let texts = [
        not_granted("lock").map(|()| String::new()),
        Err(OpenError::InUse { name: "x".into() }),
        Err(OpenError::TooManyHandles { limit: 17 }),
    ];
    for (text, part) in texts.into_iter().zip(["lock named `x`", "`x`", "17"]) {
        let text = text.unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn copies_of_any_length_and_place_are_exact() {
    // More than two pieces of a long copy.
    let bytes: Vec<u8> = (0..(5 << 19) + 77)
        .map(|place: usize| (place % 251) as u8)
        .collect();
    let length = bytes.len() as u64;
    Shared::new().buffer("b", &bytes).within(|| {
        let buffer = Buffer::open("b").unwrap();
        let mut model = bytes.clone();
        let whole = bytes.len();
        for (offset, count) in [
            (0, whole),
            (0, 0),
            (whole, 0),
            (1, 1 << 20),
            (3, (1 << 20) + 1),
            (whole - 1, 1),
            (12_345, 2 << 20),
        ] {
            let part = offset..offset + count;
            assert_eq!(
                buffer.read_vec(offset as u64, count).unwrap(),
                model[part.clone()]
            );
            let mut read = vec![0xAA; count];
            buffer.read(offset as u64, &mut read).unwrap();
            assert_eq!(read, model[part.clone()]);
            read.iter_mut().for_each(|byte| *byte ^= 0x5A);
            buffer.write(offset as u64, &read).unwrap();
            model[part].copy_from_slice(&read);
        }
        assert_eq!(buffer.read_vec(0, whole).unwrap(), model);

        let outside = Err(AccessError::OutOfBounds { length });
        let mut two = [7; 2];
        assert_eq!(buffer.read(length - 1, &mut two), outside);
        assert_eq!(buffer.write(length - 1, &[1, 2]), outside);
        assert_eq!(buffer.write(1, &vec![1; whole]), outside);
        assert_eq!(buffer.read(u64::MAX, &mut two), outside);
        assert_eq!(buffer.read_vec(u64::MAX, 2 << 20).map(drop), outside);
        assert_eq!(buffer.read_vec(0, usize::MAX).map(drop), outside);
        assert_eq!(two, [7; 2]);
        assert_eq!(buffer.read_vec(0, whole).unwrap(), model);
    });
}

#[test]
fn numbers_change_as_wholes() {
    let shared = Shared::new()
        .value("i", -1_i64)
        .value("u", 1_u32)
        .value("f", 0.5_f32);
    shared.within(|| {
        let i = Value::<i64>::open("i").unwrap();
        assert_eq!(i.fetch_add(i64::MIN), Ok(-1));
        assert_eq!(i.get(), i64::MAX);
        assert_eq!(i.swap(6), Ok(i64::MAX));
        assert_eq!(i.fetch_sub(7), Ok(6));
        assert_eq!(i.fetch_and(0b1010), Ok(-1));
        assert_eq!(i.fetch_or(0b0001), Ok(0b1010));
        assert_eq!(i.fetch_xor(0b1111), Ok(0b1011));
        assert_eq!(i.compare_exchange(5, 9), Ok(0b0100));
        assert_eq!(i.compare_exchange(4, 9), Ok(4));
        assert_eq!(i.fetch_update(|old| old * old), Ok(9));
        assert_eq!(i.get(), 81);

        let u = Value::<u32>::open("u").unwrap();
        assert_eq!(u.fetch_sub(2), Ok(1));
        assert_eq!(u.get(), u32::MAX);
        assert_eq!(u.wait(0), Ok(WaitResult::Unequal));
        assert_eq!(u.wait_timeout(u32::MAX, SOON), Ok(WaitResult::TimedOut));
        assert_eq!(u.notify(1), Ok(0));
        waits_for_ever("number at 0", || u.wait(u32::MAX));

        let f = Value::<f32>::open("f").unwrap();
        assert_eq!(f.fetch_add(2.0), Ok(0.5));
        assert_eq!(f.fetch_sub(0.25), Ok(2.5));
        f.set(f32::NAN).unwrap();
        // By their bits, NaNs are equal.
        assert!(f.compare_exchange(f32::NAN, 1.0).unwrap().is_nan());
        assert_eq!(f.get(), 1.0);
    });
}

#[test]
fn offsets_of_numbers_are_checked() {
    Shared::new().buffer("b", [1; 20]).within(|| {
        let buffer = Buffer::open("b").unwrap();
        let outside = AccessError::OutOfBounds { length: 20 };
        assert_eq!(buffer.load(16), Ok(0x0101_0101_u32));
        assert_eq!(buffer.load::<u64>(16), Err(outside));
        assert_eq!(
            buffer.load::<u64>(4),
            Err(AccessError::Misaligned { size: 8 })
        );
        assert_eq!(
            buffer.store(2, 1_i32),
            Err(AccessError::Misaligned { size: 4 })
        );
        assert_eq!(buffer.fetch_add(u64::MAX - 3, 1_u32), Err(outside));
        let array = Array::<i16>::open("b").unwrap();
        assert_eq!(array.get(9), Ok(0x0101));
        assert_eq!(array.get(10), Err(outside));
        assert_eq!(array.set(u64::MAX, 1), Err(outside));
        assert_eq!(
            array.attach_range(3..11).map(drop),
            Err(AttachError::OutOfBounds { length: 20 })
        );
        #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
        let reversed = array.attach_range(4..3).map(drop);
        assert_eq!(reversed, Err(AttachError::OutOfBounds { length: 20 }));
    });
}

#[test]
fn what_is_read_only_stays_as_it_is() {
    Shared::new().read_only_buffer("b", [3; 8]).within(|| {
        let buffer = Buffer::open("b").unwrap();
        assert_eq!(buffer.access(), Access::ReadOnly);
        let refused = AccessError::ReadOnly;
        assert_eq!(buffer.write(0, &[1]), Err(refused));
        assert_eq!(buffer.store(0, 1_u32), Err(refused));
        assert_eq!(buffer.fetch_add(0, 1.0_f64), Err(refused));
        assert_eq!(buffer.compare_exchange(0, 1_u64, 2).map(drop), Err(refused));
        assert_eq!(buffer.notify(0, 1), Err(refused));
        let (attached, mut other) = (buffer.attach(..).unwrap(), buffer.attach(..).unwrap());
        let changes: [&mut dyn FnMut(); 4] = [
            &mut || attached.set(0, 1),
            &mut || attached.fill(1),
            &mut || attached.copy_from_slice(&[1; 8]),
            // SAFETY: nobody reads or writes meanwhile.
            &mut || unsafe { other.as_mut_slice()[0] = 1 },
        ];
        for change in changes {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change)).unwrap_err();
            assert_eq!(
                panic.downcast_ref(),
                Some(&"the buffer was granted for reading only")
            );
        }
        assert_eq!(buffer.read_vec(0, 8).unwrap(), [3; 8]);
    });
}

/// Attaches many ranges, and compares each with copies.
#[track_caller]
fn check_attached<T: Element>(number: impl Fn(usize) -> T) {
    const COUNT: usize = 3000;
    let mut model: Vec<T> = (0..COUNT).map(&number).collect();
    Shared::new().array("a", &model).within(|| {
        let array = Array::<T>::open("a").unwrap();
        for (turn, range) in [
            0..COUNT,
            1..2,
            511..514,
            7..8,
            5..2993,
            2999..3000,
            9..9,
            512..1537,
        ]
        .into_iter()
        .enumerate()
        {
            let mut attached = array
                .attach_range(range.start as u64..range.end as u64)
                .unwrap();
            let part = &mut model[range];
            assert_eq!(
                (attached.len(), attached.is_empty()),
                (part.len(), part.is_empty())
            );
            assert!(attached.iter().eq(part.iter().copied()));
            assert!(attached.iter().rev().eq(part.iter().rev().copied()));
            let mut copy = vec![T::default(); part.len()];
            attached.copy_to_slice(&mut copy);
            assert_eq!(copy, part);
            // SAFETY: nobody writes.
            assert_eq!(unsafe { attached.as_slice() }, part);
            part.reverse();
            attached.copy_from_slice(part);
            // SAFETY: nobody else reads or writes.
            unsafe { attached.as_mut_slice() }.reverse();
            part.reverse();
            if let Some(first) = part.first_mut() {
                *first = number(turn);
                attached.set(0, *first);
                assert_eq!(attached.get(0), *first);
            }
            drop(attached);
            assert_eq!(array.read_all().unwrap(), model);
        }
        let whole = array.attach().unwrap();
        array.set(4, number(77)).unwrap();
        assert_eq!(whole.get(4), number(77));
        whole.fill(number(3));
        assert_eq!(array.get(2999), Ok(number(3)));
        array.write_from(10, &[number(1), number(2)]).unwrap();
        assert_eq!(
            whole.iter().skip(10).take(2).collect::<Vec<_>>(),
            [number(1), number(2)]
        );
        assert_eq!(whole.iter().nth(11), Some(number(2)));
    });
}

#[test]
fn attached_parts_show_the_buffer() {
    check_attached(|n| n as u8);
    check_attached(|n| n as i8);
    check_attached(|n| n as u16);
    check_attached(|n| n as i16);
    check_attached(|n| n as u32);
    check_attached(|n| n as i32);
    check_attached(|n| n as u64);
    check_attached(|n| n as i64);
    check_attached(|n| n as f32 / 2.0);
    check_attached(|n| n as f64 / 2.0);
}

#[test]
#[should_panic(expected = "no element 2 of 2")]
fn attached_parts_have_an_end() {
    let shared = Shared::new().array("a", &[1_u64, 2, 3, 4]);
    shared.within(|| {
        Array::<u64>::open("a")
            .unwrap()
            .attach_range(1..3)
            .unwrap()
            .get(2)
    });
}

#[test]
fn queues_end_and_refuse() {
    let shared = Shared::new()
        .bounded_queue("one", 1)
        .joinable_queue("jobs")
        .queue("q");
    shared.within(|| {
        let one = Queue::open("one").unwrap();
        assert_eq!(one.direction(), Direction::Both);
        assert_eq!(one.try_get(), Err(GetError::Empty));
        assert_eq!(one.get_timeout(SOON), Err(GetError::Empty));
        waits_for_ever("`one`", || one.get());
        one.put(b"1").unwrap();
        assert_eq!((one.len(), one.is_empty()), (1, false));
        assert_eq!(one.try_put(b"2"), Err(PutError::Full));
        assert_eq!(one.put_timeout(b"2", SOON), Err(PutError::Full));
        waits_for_ever("`one`", || one.put(b"2"));
        assert!(!one.join_timeout(SOON));
        one.close();
        one.close();
        assert_eq!(one.put(b"2"), Err(PutError::Closed));
        assert_eq!(one.get(), Ok(b"1".to_vec()));
        assert_eq!(one.get(), Err(GetError::Closed));
        assert_eq!(one.iter().count(), 0);
        one.join();
        assert_eq!(one.task_done(), Err(TaskDoneError::NotJoinable));

        let jobs = Queue::open("jobs").unwrap();
        jobs.put_value(&("a", 1_u8)).unwrap();
        assert_eq!(jobs.task_done(), Err(TaskDoneError::NothingOwed));
        assert_eq!(jobs.get_value(), Ok(("a".to_owned(), 1_u8)));
        waits_for_ever("1 to be confirmed", || jobs.join());
        jobs.task_done().unwrap();
        jobs.join();

        // A message that is no value does not end the values.
        let q = Queue::open("q").unwrap();
        q.put(&[0xFF]).unwrap();
        q.put(&message::encode("text").unwrap()).unwrap();
        q.close();
        let values: Vec<_> = q.values::<String>().collect();
        assert!(matches!(&values[..], [Err(GetError::Message(_)), Ok(text)] if text == "text"));
    });
}

#[test]
fn pipes_end_and_break() {
    let shared = Shared::new().pipe("a", "b");
    shared.within(|| {
        let (a, b) = (PipeEnd::open("a").unwrap(), PipeEnd::open("b").unwrap());
        assert_eq!(
            PipeEnd::open("a").map(drop),
            Err(OpenError::InUse { name: "a".into() })
        );
        assert!(!b.poll());
        assert_eq!(b.receive_timeout(SOON), Err(ReceiveError::Empty));
        waits_for_ever("`b`", || b.receive());
        a.send_value(&1.5).unwrap();
        a.send_timeout(b"x", SOON).unwrap();
        a.finish();
        assert_eq!(a.send(b"more"), Err(SendError::NotPermitted));
        assert!(b.poll_timeout(SOON));
        assert_eq!(b.receive_value(), Ok(1.5));
        b.send(b"back").unwrap();
        drop(b);
        assert_eq!(a.receive(), Ok(b"back".to_vec()));
        assert!(a.poll());
        assert_eq!(a.receive(), Err(ReceiveError::EndOfFile));
        assert_eq!(a.values::<u8>().count(), 0);
    });
    Shared::new().pipe("a", "b").within(|| {
        let a = PipeEnd::open("a").unwrap();
        drop(PipeEnd::open("b").unwrap());
        assert_eq!(a.send(b"x"), Err(SendError::Broken));
    });
}

#[test]
fn locks_are_held_by_guards() {
    let shared = Shared::new()
        .lock("l")
        .recursive_lock("r")
        .abandoned_lock("left");
    shared.within(|| {
        let (lock, same) = (Lock::open("l").unwrap(), Lock::open("l").unwrap());
        let guard = lock.acquire().unwrap();
        assert!(!guard.was_abandoned());
        assert_eq!(same.try_acquire().map(drop), Err(AcquireError::AlreadyHeld));
        drop(guard);
        drop(same.acquire_timeout(SOON).unwrap());

        let recursive = Lock::open("r").unwrap();
        let outer = recursive.acquire().unwrap();
        drop(recursive.acquire().unwrap());
        drop(outer);

        let left = Lock::open("left").unwrap();
        assert!(left.acquire().unwrap().was_abandoned());
        assert!(!left.acquire().unwrap().was_abandoned());
    });
}

#[test]
fn semaphores_count() {
    Shared::new().semaphore("s", 2).within(|| {
        let semaphore = Semaphore::open("s").unwrap();
        let one = semaphore.acquire().unwrap();
        semaphore.acquire_timeout(SOON).unwrap().forget();
        assert_eq!(semaphore.value(), 0);
        assert_eq!(
            semaphore.try_acquire().map(drop),
            Err(AcquireError::TimedOut)
        );
        waits_for_ever("`s`", || semaphore.acquire().map(drop));
        assert!(!one.was_abandoned());
        drop(one);
        semaphore.release().unwrap();
        assert_eq!(semaphore.release(), Err(ReleaseError::TooMany { limit: 2 }));
    });
}

#[test]
fn events_stay_set() {
    Shared::new().event("e").within(|| {
        let event = Event::open("e").unwrap();
        assert!(!event.wait_timeout(SOON));
        waits_for_ever("`e`", || event.wait());
        event.set();
        event.wait();
        assert!(event.is_set());
        event.clear();
        assert!(!event.is_set());
    });
}

#[test]
fn conditions_belong_to_their_lock() {
    let shared = Shared::new().lock("l").lock("other").condition("c", "l");
    shared.within(|| {
        let condition = Condition::open("c").unwrap();
        let other = Lock::open("other").unwrap();
        assert_eq!(condition.notify(1), Err(ReleaseError::NotHeld));
        let mut wrong = other.acquire().unwrap();
        assert_eq!(condition.wait(&mut wrong), Err(WaitError::NotHeld));
        assert_eq!(
            condition.wait_for(&mut wrong, || false),
            Err(WaitError::NotHeld)
        );

        let lock = condition.lock();
        let mut guard = lock.acquire().unwrap();
        let mut asked = 0;
        condition
            .wait_for(&mut guard, || {
                asked += 1;
                true
            })
            .unwrap();
        assert_eq!(asked, 1);
        assert_eq!(
            condition.wait_timeout(&mut guard, SOON),
            Err(WaitError::TimedOut)
        );
        waits_for_ever("`c`", || condition.wait(&mut guard));
        assert_eq!(
            (condition.notify(1), condition.notify_all()),
            (Ok(0), Ok(0))
        );
    });
}

#[test]
fn barriers_break() {
    Shared::new()
        .barrier("one", 1)
        .barrier("two", 2)
        .within(|| {
            let (one, two) = (Barrier::open("one").unwrap(), Barrier::open("two").unwrap());
            assert_eq!((one.wait(), one.wait_timeout(SOON)), (Ok(0), Ok(0)));
            assert_eq!((two.parties(), two.waiting()), (2, 0));
            waits_for_ever("`two`", || two.wait());
            assert_eq!(two.wait_timeout(SOON), Err(BarrierError::TimedOut));
            assert_eq!(two.wait(), Err(BarrierError::Broken));
            assert!(two.is_broken());
            two.reset();
            assert!(!two.is_broken());
            two.abort();
            assert!(two.is_broken());
        });
}
