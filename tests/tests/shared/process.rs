//! Processes: one long call in a worker of its own.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use wasmpool::failure::FailureKind;
use wasmpool::mode::Isolation;
use wasmpool::objects::{Event, Lock, Pipe, Queue, ReceiveError};
use wasmpool::pool::{Direction, Error, Joined, PoolBuilder, Process};
use wasmpool_guest::Bytes;
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{PROCESSES, for_each, module};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &PROCESSES, "process::returns", returns);
    let suite = for_each(suite, &PROCESSES, "process::fails", fails);
    let suite = for_each(suite, &PROCESSES, "process::killed", killed);
    let suite = for_each(suite, &PROCESSES, "process::sentinel", sentinel);
    let suite = for_each(suite, &PROCESSES, "process::killed_late", killed_late);
    for_each(suite, &PROCESSES, "process::many", many)
}

fn builder(isolation: Isolation) -> PoolBuilder {
    Process::builder().isolation(isolation)
}

/// Whether its descriptor can be read, now or after so long.
fn is_readable(process: &Process, timeout: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: timeout.as_secs() as i64,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let mut fds = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).expect("it can be waited for") == 1
}

fn returns(isolation: Isolation) {
    let (queue, go) = (Queue::new(), Event::new());
    let process = builder(isolation)
        .queue("q", &queue, Direction::Get)
        .start(module(), "get", ("q", None::<u64>))
        .unwrap();
    assert_eq!(process.name(), "get");
    assert!(process.is_alive());
    assert_eq!(process.exit_code(), None);
    assert_eq!(process.join(Some(Duration::ZERO)), Joined::TimedOut);
    assert_eq!(
        process.join(Some(Duration::from_millis(5))),
        Joined::TimedOut
    );
    queue.put("hello", None).unwrap();
    assert_eq!(process.join(Some(PATIENCE)), Joined::Exited(Ok(())));
    // Again and again.
    assert_eq!(process.join(None), Joined::Exited(Ok(())));
    assert_eq!(process.exit_code(), Some(0));
    assert!(!process.is_alive());
    let returned: Bytes = process.result().unwrap();
    assert_eq!(returned.0, b"hello");
    // Named, of a type that it did not return, waited for by `result` alone.
    let process = builder(isolation)
        .name("waiter")
        .event("e", &go)
        .start(module(), "wait-event", ("e", None::<u64>))
        .unwrap();
    assert_eq!(process.name(), "waiter");
    go.set();
    let wrong: Result<Vec<String>, Error> = process.result();
    assert!(matches!(wrong, Err(Error::Codec { .. })), "{wrong:?}");
}

fn fails(isolation: Isolation) {
    // By an error of the task, and by a trap.
    let lock = Lock::new();
    let start = |task: &str| {
        let process = builder(isolation).lock("l", &lock);
        process.start(module(), task, "l").unwrap()
    };
    for (task, kind, part) in [
        ("acquire-twice", FailureKind::Failed, "held here already"),
        (
            "hold-and-panic",
            FailureKind::Trap,
            "while the lock is held",
        ),
    ] {
        let process = start(task);
        let Joined::Exited(Err(failure)) = process.join(Some(PATIENCE)) else {
            panic!("{task} succeeds");
        };
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
        assert_eq!(process.exit_code(), Some(1));
        assert!(!process.is_alive());
        let result: Result<(), Error> = process.result();
        let Err(Error::Item { failure: told, .. }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(told, failure);
    }
    assert!(lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    // No such task, or not as it is called.
    let missing = builder(isolation).start(module(), "no-such-task", ());
    assert!(matches!(missing.err(), Some(Error::Task { .. })));
    let process = builder(isolation)
        .start(module(), "acquire", "not two")
        .unwrap();
    let Joined::Exited(Err(failure)) = process.join(Some(PATIENCE)) else {
        panic!("a call that does not fit succeeds");
    };
    assert_eq!(failure.kind, FailureKind::InvalidInput, "{failure}");
}

fn killed(isolation: Isolation) {
    let (queue, lock, held, never) = (Queue::new(), Lock::new(), Event::new(), Event::new());
    let (ours, theirs) = Pipe::new();
    // While it waits for a message.
    let process = builder(isolation)
        .queue("q", &queue, Direction::Get)
        .start(module(), "get", ("q", None::<u64>))
        .unwrap();
    assert_eq!(
        process.join(Some(Duration::from_millis(20))),
        Joined::TimedOut
    );
    process.kill();
    let Joined::Exited(Err(failure)) = process.join(Some(PATIENCE)) else {
        panic!("it was killed");
    };
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure}");
    assert_eq!(process.exit_code(), Some(1));
    process.kill();
    process.terminate();
    assert!(process.result::<Bytes>().is_err());
    queue.put("x", None).unwrap();
    assert_eq!(queue.get(Some(PATIENCE)).unwrap(), b"x");
    assert_eq!(queue.lost(), 0);
    // While it holds a lock.
    let process = builder(isolation)
        .lock("l", &lock)
        .event("held", &held)
        .event("never", &never)
        .start(module(), "hold-until", ("l", "held", "never"))
        .unwrap();
    assert!(held.wait(Some(PATIENCE)));
    assert!(lock.acquire(Some(Duration::ZERO)).is_err());
    process.terminate();
    assert!(lock.acquire(Some(PATIENCE)).unwrap().was_abandoned());
    // While it has an end of a pipe; dropped instead of killed.
    let process = builder(isolation)
        .pipe("p", theirs)
        .start(module(), "echo-pipe", "p")
        .unwrap();
    ours.send(b"x", None).unwrap();
    assert_eq!(ours.receive(Some(PATIENCE)).unwrap(), b"x");
    drop(process);
    let end = ours.receive(Some(PATIENCE));
    assert!(matches!(end, Err(ReceiveError::EndOfFile)), "{end:?}");
}

fn sentinel(isolation: Isolation) {
    let go = Event::new();
    let start = || {
        let process = builder(isolation).event("e", &go);
        process
            .start(module(), "wait-event", ("e", None::<u64>))
            .unwrap()
    };
    for _ in 0..5 {
        let process = start();
        // Not before, whoever looks.
        for _ in 0..3 {
            assert!(!is_readable(&process, Duration::from_millis(5)));
            assert!(process.is_alive());
            assert_eq!(
                process.join(Some(Duration::from_millis(1))),
                Joined::TimedOut
            );
        }
        go.set();
        assert!(is_readable(&process, PATIENCE));
        assert!(!process.is_alive());
        // And from then on.
        assert_eq!(process.join(None), Joined::Exited(Ok(())));
        assert!(is_readable(&process, Duration::ZERO));
        go.clear();
    }
    let process = start();
    process.kill();
    assert!(is_readable(&process, PATIENCE));
    assert_eq!(process.exit_code(), Some(1));
    // Several at once, by their descriptors alone.
    let processes = [start(), start()];
    processes[1].kill();
    let mut fds = processes
        .each_ref()
        .map(|p| PollFd::from_borrowed_fd(p.as_fd(), PollFlags::IN));
    poll(&mut fds, None).expect("they can be waited for");
    let readable = fds.map(|fd| fd.revents().contains(PollFlags::IN));
    assert_eq!(readable, [false, true]);
}

/// One that is over stays what it was, also if nobody has looked.
fn killed_late(isolation: Isolation) {
    let queue = Queue::new();
    let process = builder(isolation)
        .queue("q", &queue, Direction::Put)
        .start(module(), "put", ("q", "x", None::<u64>))
        .unwrap();
    assert_eq!(queue.get(Some(PATIENCE)).unwrap(), b"x");
    assert!(is_readable(&process, PATIENCE));
    process.kill();
    assert_eq!(process.exit_code(), Some(0));
    assert_eq!(process.join(None), Joined::Exited(Ok(())));
    process.result::<()>().unwrap();
}

fn many(isolation: Isolation) {
    let (numbers, squares) = (Queue::joinable(), Queue::new());
    let processes = [(); 4].map(|()| {
        builder(isolation)
            .queue("numbers", &numbers, Direction::Get)
            .queue("squares", &squares, Direction::Put)
            .start(module(), "work", ("numbers", "squares", true))
            .unwrap()
    });
    for number in 0..200u64 {
        numbers.put_value(&number, Some(PATIENCE)).unwrap();
    }
    assert!(numbers.join(Some(PATIENCE)));
    numbers.close();
    let done: Vec<u64> = processes.map(|p| p.result().unwrap()).into();
    assert_eq!(done.iter().sum::<u64>(), 200);
    let sum = patiently("the squares", || {
        (squares.len() == 200).then(|| {
            (0..200)
                .map(|_| squares.get_value::<u64>(None).unwrap())
                .sum::<u64>()
        })
    });
    assert_eq!(sum, (0..200).map(|n| n * n).sum::<u64>());
}
