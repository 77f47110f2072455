//! Joinable queues.

use serde_json::{Value, json};
use wasmpool::mode::Isolation;
use wasmpool::objects::{GetError, Queue, TaskDoneError};
use wasmpool::pool::Direction;
use wasmpool_tests::{PATIENCE, Suite, patiently};

use super::common::{
    ALL, Row, builder, check, for_each, keeps_instances, message, null, open, start,
};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "joinable::operations", operations);
    for_each(suite, &ALL, "joinable::work_is_done", work_is_done)
}

fn operations(isolation: Isolation) {
    let queue = Queue::builder().joinable(true).deliveries(2).build();
    let pool = open(builder(isolation, 1).queue("q", &queue, Direction::Both));
    let before: &[Row] = &[
        ("put", json!(["q", "a", null]), null()),
        ("put", json!(["q", "b", null]), null()),
        ("task-done", json!("q"), Err("confirmed already")),
        ("get", json!(["q", null]), message("a")),
        ("join-queue", json!(["q", 1]), Ok(json!(false))),
    ];
    check(&pool, before);
    if keeps_instances(isolation) {
        // The instance that got it confirms it, in another item.
        let rows: &[Row] = &[
            ("task-done", json!("q"), null()),
            ("task-done", json!("q"), Err("confirmed already")),
            ("get", json!(["q", null]), message("b")),
            ("get", json!(["q", 1]), Err("is empty")),
            ("join-queue", json!(["q", 1]), Ok(json!(false))),
            ("task-done", json!("q"), null()),
            ("join-queue", json!(["q", null]), Ok(json!(true))),
        ];
        check(&pool, rows);
    } else {
        // Its instance is gone, and nobody else owes it: it comes again, first, and then not again.
        let gets = |text: &'static str, then: usize| {
            check(&pool, &[("get", json!(["q", null]), message(text))]);
            patiently("its end is known", || (queue.len() == then).then_some(()));
        };
        patiently("its end is known", || (queue.len() == 2).then_some(()));
        check(
            &pool,
            &[("task-done", json!("q"), Err("confirmed already"))],
        );
        gets("a", 1);
        gets("b", 1);
        gets("b", 0);
        let rows: &[Row] = &[
            ("get", json!(["q", 1]), Err("is empty")),
            ("join-queue", json!(["q", null]), Ok(json!(true))),
        ];
        check(&pool, rows);
        let dead = queue.dead_letters().unwrap();
        assert_eq!(dead.messages, [b"a", b"b"]);
    }
    assert_eq!(queue.task_done(), Err(TaskDoneError::NothingOwed));
    assert_eq!(queue.dead_letters().unwrap(), Default::default());
    assert!(queue.join(Some(PATIENCE)));
}

fn work_is_done(isolation: Isolation) {
    const NUMBERS: u64 = 400;
    let jobs = Queue::builder().messages(16).joinable(true).build();
    let results = Queue::new();
    let pool = builder(isolation, 3)
        .queue("jobs", &jobs, Direction::Get)
        .queue("results", &results, Direction::Put);
    let pool = open(pool);
    let workers = [(); 3].map(|()| start(&pool, "work", json!(["jobs", "results", true])));
    for number in 0..NUMBERS {
        jobs.put_value(&number, Some(PATIENCE)).unwrap();
    }
    // All of it, before anybody is told to end.
    assert!(jobs.join(Some(PATIENCE)));
    assert_eq!(results.len() as u64, NUMBERS);
    jobs.close();
    let did = workers.map(|w| w.done());
    assert_eq!(did.iter().filter_map(Value::as_u64).sum::<u64>(), NUMBERS);
    let mut squares: Vec<u64> = (0..NUMBERS)
        .map(|_| results.get_value(Some(PATIENCE)).unwrap())
        .collect();
    squares.sort_unstable();
    assert!(squares.into_iter().eq((0..NUMBERS).map(|n| n * n)));
    assert!(matches!(jobs.try_get(), Err(GetError::Closed)));
}
