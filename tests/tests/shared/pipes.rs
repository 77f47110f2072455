//! Pipes. An end has one holder, and closes with it: each case has a pipe of its own.

use std::thread;

use serde_json::{Value, json};
use wasmpool::mode::Isolation;
use wasmpool::objects::{Pipe, PipeBuilder, PipeEnd, ReceiveError, SendError};
use wasmpool_tests::{PATIENCE, Suite};

use super::common::{
    ALL, LENGTHS, Row, builder, call, check, done, for_each, message, null, open, pattern, start,
};

pub fn add(suite: Suite) -> Suite {
    let suite = for_each(suite, &ALL, "pipes::operations", operations);
    let suite = for_each(suite, &ALL, "pipes::ends_of_file", ends_of_file);
    let suite = for_each(suite, &ALL, "pipes::lengths", lengths);
    for_each(suite, &ALL, "pipes::between_guests", between_guests)
}

/// What the host does with its end before the guest has its own.
type Before = fn(PipeEnd) -> Option<PipeEnd>;

fn keep(end: PipeEnd) -> Option<PipeEnd> {
    Some(end)
}

fn two_messages(end: PipeEnd) -> Option<PipeEnd> {
    end.send(b"one", None).unwrap();
    end.send(b"two", None).unwrap();
    Some(end)
}

fn operations(isolation: Isolation) {
    let small = || Pipe::builder().messages(3).bytes(10);
    let one_way = || Pipe::builder().one_way();
    let finish: Before = |end| {
        end.finish();
        Some(end)
    };
    let close: Before = |_| None;
    // The pipe; which of its ends the guest has; what the host did before; a task of that end; what comes of it.
    let cases: Vec<(PipeBuilder, usize, Before, Row)> = vec![
        (small(), 1, keep, ("send", json!(["p", "x", null]), null())),
        (small(), 1, keep, ("send", json!(["p", "", 0]), null())),
        (
            small(),
            1,
            keep,
            (
                "send",
                json!(["p", "12345678901", null]),
                Err("bound of 10 bytes"),
            ),
        ),
        (
            small(),
            1,
            keep,
            ("flood", json!(["p", "x", 0]), Ok(json!(3))),
        ),
        (
            small(),
            1,
            keep,
            ("flood", json!(["p", "x", 5]), Ok(json!(3))),
        ),
        (
            small(),
            1,
            keep,
            ("flood", json!(["p", "12345", 0]), Ok(json!(2))),
        ),
        (
            small(),
            1,
            keep,
            ("send-when-finished", json!("p"), Err("has finished")),
        ),
        (
            small(),
            1,
            keep,
            ("receive", json!(["p", 0]), Err("is empty")),
        ),
        (
            small(),
            1,
            keep,
            ("receive", json!(["p", 5]), Err("is empty")),
        ),
        (
            small(),
            1,
            two_messages,
            ("receive", json!(["p", null]), message("one")),
        ),
        (
            small(),
            1,
            keep,
            ("poll-pipe", json!(["p", 0]), Ok(json!(false))),
        ),
        (
            small(),
            1,
            keep,
            ("poll-pipe", json!(["p", 5]), Ok(json!(false))),
        ),
        (
            small(),
            1,
            two_messages,
            ("poll-pipe", json!(["p", 0]), Ok(json!(true))),
        ),
        // The host sends no more, but receives.
        (
            small(),
            1,
            finish,
            ("poll-pipe", json!(["p", 0]), Ok(json!(true))),
        ),
        (
            small(),
            1,
            finish,
            ("receive", json!(["p", null]), Err("sends no more")),
        ),
        (
            small(),
            1,
            finish,
            ("send", json!(["p", "x", null]), null()),
        ),
        // The host's end is closed.
        (
            small(),
            1,
            close,
            ("poll-pipe", json!(["p", 0]), Ok(json!(true))),
        ),
        (
            small(),
            1,
            close,
            ("receive", json!(["p", null]), Err("sends no more")),
        ),
        (
            small(),
            1,
            close,
            (
                "send",
                json!(["p", "x", null]),
                Err("other end of the pipe is closed"),
            ),
        ),
        (
            small(),
            1,
            |end| {
                two_messages(end);
                None
            },
            ("receive", json!(["p", null]), message("one")),
        ),
        // One way: the first end receives, the second sends.
        (
            one_way(),
            0,
            keep,
            ("send", json!(["p", "x", null]), Err("only receives")),
        ),
        (
            one_way(),
            0,
            two_messages,
            ("receive", json!(["p", null]), message("one")),
        ),
        (
            one_way(),
            1,
            keep,
            ("receive", json!(["p", null]), Err("only sends")),
        ),
        (
            one_way(),
            1,
            keep,
            ("send", json!(["p", "x", null]), null()),
        ),
        // One holder.
        (
            small(),
            1,
            keep,
            ("open", json!(["pipe", "p", 1]), Ok(json!(1))),
        ),
        (
            small(),
            1,
            keep,
            ("open", json!(["pipe", "p", 2]), Err("is open already")),
        ),
        (
            small(),
            1,
            keep,
            (
                "open",
                json!(["pipe", "other", 1]),
                Err("no end of a pipe named `other`"),
            ),
        ),
    ];
    let (mut pool, mut kept, mut rows) = (builder(isolation, 1), Vec::new(), Vec::new());
    for (place, (pipe, guest, before, (task, mut args, expected))) in cases.into_iter().enumerate()
    {
        let (first, second) = pipe.build();
        let (theirs, ours) = match guest {
            0 => (first, second),
            _ => (second, first),
        };
        kept.extend(before(ours));
        let name = format!("p{place}");
        pool = pool.pipe(&name, theirs);
        rename(&mut args, &name);
        rows.push((task, args, expected));
    }
    let pool = open(pool);
    check(&pool, &rows);
}

/// Gives the pipe `p` its name.
fn rename(args: &mut Value, name: &str) {
    match args {
        Value::Array(args) => args.iter_mut().for_each(|arg| rename(arg, name)),
        Value::String(text) if text == "p" => *text = name.to_owned(),
        _ => {}
    }
}

fn ends_of_file(isolation: Isolation) {
    let (ours, theirs) = Pipe::builder().build();
    let (other, others) = Pipe::new();
    let pool = builder(isolation, 2).pipe("p", theirs).pipe("q", others);
    let pool = open(pool);
    let exchanged = start(&pool, "exchange", json!(["p", ["a", "", "c"]]));
    for message in ["a", "", "c"] {
        assert_eq!(ours.receive(Some(PATIENCE)).unwrap(), message.as_bytes());
    }
    // The guest has finished, and still receives.
    let end = ours.receive(Some(PATIENCE));
    assert!(matches!(end, Err(ReceiveError::EndOfFile)), "{end:?}");
    ours.send(b"1", Some(PATIENCE)).unwrap();
    ours.send(b"2", Some(PATIENCE)).unwrap();
    ours.finish();
    assert!(matches!(
        ours.send(b"3", None),
        Err(SendError::NotPermitted)
    ));
    assert_eq!(exchanged.done(), json!([[b'1'], [b'2']]));
    // Its handle is dropped, and with it the end, for good.
    let failure = call(&pool, "send", json!(["p", "x", null])).unwrap_err();
    assert!(failure.message.contains("open already"), "{failure}");

    // One that nobody has opened, of a pool that is gone.
    let (alone, granted) = Pipe::new();
    alone.send(b"x", None).unwrap();
    drop(open(builder(isolation, 1).pipe("p", granted)));
    let end = alone.receive(Some(PATIENCE));
    assert!(matches!(end, Err(ReceiveError::EndOfFile)), "{end:?}");
    assert!(matches!(alone.send(b"x", None), Err(SendError::Broken)));

    // What was sent comes before the end of file; nobody receives any more.
    done(&pool, "send", json!(["q", "last words", null]));
    assert!(other.poll(Some(PATIENCE)));
    assert_eq!(other.receive(Some(PATIENCE)).unwrap(), b"last words");
    let end = other.receive(Some(PATIENCE));
    assert!(matches!(end, Err(ReceiveError::EndOfFile)), "{end:?}");
    assert!(matches!(other.send(b"x", None), Err(SendError::Broken)));
}

fn lengths(isolation: Isolation) {
    let (ours, theirs) = Pipe::new();
    let pool = open(builder(isolation, 1).pipe("p", theirs));
    let echoed = start(&pool, "echo-pipe", json!("p"));
    for length in LENGTHS {
        let message = pattern(length);
        ours.send(&message, Some(PATIENCE)).unwrap();
        assert!(ours.receive(Some(PATIENCE)).unwrap() == message, "{length}");
    }
    ours.finish();
    assert_eq!(echoed.done(), json!(LENGTHS.len()));
}

fn between_guests(isolation: Isolation) {
    // So small that both wait for each other.
    let pipe = || Pipe::builder().messages(2).build();
    let ((a, b), (c, d)) = (pipe(), pipe());
    let first = open(builder(isolation, 2).pipe("a", a).pipe("b", b).pipe("c", c));
    let second = open(builder(isolation, 1).pipe("d", d));
    let messages: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let echoed: Vec<&[u8]> = messages.iter().map(|m| m.as_bytes()).collect();
    let exchange = |end: &str| json!([end, messages]);
    // Few: this end receives only when it has sent all, and the other one stops receiving when it has no room.
    let few = json!(["a", ["1", "2"]]);
    let exchanged = start(&first, "exchange", few);
    assert_eq!(done(&first, "echo-pipe", json!("b")), json!(2));
    assert_eq!(exchanged.done(), json!([[b'1'], [b'2']]));
    let receiver = thread::spawn(move || done(&second, "exchange", json!(["d", []])));
    let sent = start(&first, "exchange", exchange("c"));
    assert_eq!(receiver.join().unwrap(), json!(echoed));
    assert_eq!(sent.done(), json!([]));
}
