//! The claim word: of the items that a worker was given each is started or taken back, never both, and never neither.

use loom::sync::Arc;
use loom::thread;
use wasmpool_loom::ids::Seq;
use wasmpool_loom::ipc::page::{Claim, Claimed};

/// Items from `first` on that the worker starts, in order. It ends at the first that it may not.
fn start_all(claim: &Claim, first: u32, n: u32) -> Vec<u32> {
    let items = first..first + n;
    items.take_while(|item| claim.start(Seq(*item))).collect()
}

/// What was taken back by a call that returned this.
fn taken(before: Claimed) -> Vec<u32> {
    (before.next.0..before.limit.0).collect()
}

#[test]
fn an_item_is_started_or_taken_back() {
    loom::model(|| {
        let claim = Arc::new(Claim::default());
        claim.give(Seq(0), 3);
        let theirs = claim.clone();
        let worker = thread::spawn(move || start_all(&theirs, 0, 3));
        let taken = taken(claim.take_back());
        let mut all = worker.join().unwrap();
        all.extend(&taken);
        assert_eq!(all, [0, 1, 2]);
        assert!(taken.iter().all(|item| !claim.start(Seq(*item))));
    });
}

/// Two chunks are given while the worker runs, and all is taken back between them.
#[test]
fn what_is_given_behind_is_started_and_nothing_in_between() {
    loom::model(|| {
        let claim = Arc::new(Claim::default());
        claim.give(Seq(0), 2);
        let theirs = claim.clone();
        let worker = thread::spawn(move || {
            // It reads both chunks, and skips what it may not start.
            (0..4).filter(|item| theirs.start(Seq(*item))).collect()
        });
        let before = claim.take_back();
        claim.give(Seq(2), 2);
        let started: Vec<u32> = worker.join().unwrap();
        let mut first: Vec<u32> = started.iter().copied().filter(|item| *item < 2).collect();
        first.extend(taken(before));
        assert_eq!(first, [0, 1], "of the first chunk");
        // The worker may have been past the second chunk before it was given.
        let left = claim.take_back();
        let mut second: Vec<u32> = started.into_iter().filter(|item| *item >= 2).collect();
        second.extend(taken(left));
        // An item before one that is started is never started: it is not left over either.
        assert!(
            second == [2, 3] || second == [3],
            "of the second chunk: {second:?}"
        );
    });
}

/// The host takes back twice, as it does when two jobs end at the same time.
#[test]
fn what_is_taken_back_twice_is_taken_once() {
    loom::model(|| {
        let claim = Arc::new(Claim::default());
        claim.give(Seq(0), 2);
        let theirs = claim.clone();
        let worker = thread::spawn(move || start_all(&theirs, 0, 2));
        let mut all = taken(claim.take_back());
        all.extend(taken(claim.take_back()));
        let mut started = worker.join().unwrap();
        started.extend(all);
        assert_eq!(started, [0, 1]);
    });
}

/// Numbers wrap around in mid-chunk.
#[test]
fn numbers_wrap_around() {
    loom::model(|| {
        let claim = Arc::new(Claim::default());
        // All before was started and finished.
        let last = u32::MAX - 1;
        for at in [0x7fff_0000, 0xfffe_0000] {
            claim.give(Seq(at), 1);
            assert!(claim.start(Seq(at)));
        }
        claim.give(Seq(last), 3);
        let theirs = claim.clone();
        let worker = thread::spawn(move || {
            let items = (0..3).map(|i| Seq(last).plus(i));
            items.take_while(|item| theirs.start(*item)).count() as u32
        });
        let before = claim.take_back();
        assert_eq!(before.limit, Seq(last).plus(3));
        let started = worker.join().unwrap();
        assert_eq!(before.next, Seq(last).plus(started));
    });
}
