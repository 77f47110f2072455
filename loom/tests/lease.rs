//! A lock that is lent: it is held by one at a time, and what one did under it the next one sees.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use wasmpool_loom::ipc::lease::Lease;

const INSTANCE: u32 = 7;

/// What the lock protects: where two threads use it without an order between them, the model fails.
struct Protected {
    lease: Lease,
    count: UnsafeCell<u32>,
}

// SAFETY: loom lets one thread run at a time, and fails the model where the program needed more than that.
unsafe impl Sync for Protected {}
// SAFETY: as above.
unsafe impl Send for Protected {}

impl Protected {
    fn add(&self) {
        self.count.with_mut(|count| {
            // SAFETY: loom checks that nobody else uses it.
            unsafe { *count += 1 }
        });
    }

    fn count(&self) -> u32 {
        // SAFETY: as above.
        self.count.with(|count| unsafe { *count })
    }
}

/// What the worker does, as long as it needs to ask nobody. How often it added, and whether it holds the lock still.
fn work(shared: &Protected) -> (u32, bool) {
    let mut added = 0;
    for _ in 0..2 {
        if !shared.lease.acquire(INSTANCE) {
            return (added, false);
        }
        shared.add();
        added += 1;
        if !shared.lease.release(INSTANCE) {
            return (added, true);
        }
    }
    (added, false)
}

#[test]
fn who_recalls_it_while_it_is_free_holds_it() {
    loom::model(|| {
        let shared = Arc::new(Protected {
            lease: Lease::default(),
            count: UnsafeCell::new(0),
        });
        shared.add();
        shared.lease.lend(INSTANCE, false, 0);
        let theirs = shared.clone();
        let worker = thread::spawn(move || work(&theirs));
        let depth = shared.lease.recall(INSTANCE);
        if depth == 0 {
            // The worker needs no more than the word to keep out.
            shared.add();
        }
        let (added, holds) = worker.join().unwrap();
        assert_eq!(holds, depth == 1, "who was held is for the host to release");
        assert_eq!(shared.count(), added + 1 + u32::from(depth == 0));
    });
}

/// It is taken back and lent again, while the worker goes on.
#[test]
fn what_is_lent_again_goes_on() {
    loom::model(|| {
        let shared = Arc::new(Protected {
            lease: Lease::default(),
            count: UnsafeCell::new(0),
        });
        shared.lease.lend(INSTANCE, true, 0);
        let theirs = shared.clone();
        let worker = thread::spawn(move || work(&theirs));
        let depth = shared.lease.recall(INSTANCE);
        if depth == 0 {
            shared.add();
            shared.lease.lend(INSTANCE, true, 0);
        }
        let (added, holds) = worker.join().unwrap();
        assert_eq!(holds, depth == 1);
        assert_eq!(shared.count(), added + u32::from(depth == 0));
    });
}
