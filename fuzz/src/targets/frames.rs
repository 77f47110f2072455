//! Frames, in both directions.

use super::LIST_BYTES;
use crate::encoding::Encoding;
use crate::failure::FailureKind;
use crate::ids::Seq;
use crate::ipc::call::{Answer, MAX_PACK, Op, Pack, Refusal, Word, unpack};
use crate::ipc::frame::{
    CHUNK_HEAD, ChunkHead, Ended, ITEM_HEAD, ItemHead, Level, RESULT_HEAD, Status, Target, ToHost,
    ToWorker, decode_to_host, decode_to_worker, encode_answer, encode_bind, encode_call,
    encode_ended, encode_log, encode_over, encode_result, encode_sample, item_head, split_payload,
};
use crate::ipc::ring::MAX_FRAME;
use crate::memory::bounded;

/// A frame of a worker.
pub fn to_host(data: &[u8]) -> bool {
    let data = &data[..data.len().min(MAX_FRAME)];
    let Ok(frame) = bounded(data, 64, LIST_BYTES, || decode_to_host(data)) else {
        return false;
    };
    let (head, tail): (Vec<u8>, &[u8]) = match &frame {
        ToHost::Result {
            item,
            status,
            fuel,
            payload,
        } => {
            let by_descriptor = payload.is_none();
            let head = encode_result(*item, *status, by_descriptor, *fuel);
            (head.to_vec(), payload.unwrap_or_default())
        }
        ToHost::Log(item, level, text) => (encode_log(*item, *level).to_vec(), text),
        ToHost::Sample {
            item,
            requests,
            stack,
        } => (encode_sample(*item, *requests).to_vec(), stack),
        ToHost::Over(instance) => (encode_over(*instance).to_vec(), &[]),
        ToHost::Call {
            instance,
            object,
            op,
            message,
        } => {
            let head = encode_call(*instance, *object, *op, message.is_none());
            let again = [&head.expect("it was read"), message.unwrap_or_default()].concat();
            // Numbers need not have been written in the shortest way.
            assert!(again.len() <= data.len());
            assert_eq!(decode_to_host(&again).as_ref(), Ok(&frame));
            packed(message.unwrap_or_default());
            return true;
        }
        ToHost::Ended(item, ended) => {
            let again = encode_ended(*item, ended).expect("it was read");
            assert!(again.len() <= MAX_FRAME, "a last word of {}", again.len());
            // Long texts are cut, once.
            let cut = decode_to_host(&again).expect("it was written");
            let ToHost::Ended(_, ended) = &cut else {
                panic!("a last word became {cut:?}");
            };
            let thrice = encode_ended(*item, ended).expect("it was read");
            assert_eq!(thrice, again);
            return true;
        }
    };
    let again = [&head, tail].concat();
    assert_eq!(again.len(), data.len());
    assert_eq!(decode_to_host(&again).as_ref(), Ok(&frame));
    // The bytes that mean nothing are where they were thought to be.
    let written = |i: &usize| *i == 0 || *i >= 4;
    assert!((0..data.len()).filter(written).all(|i| again[i] == data[i]));
    true
}

/// A frame of the host.
pub fn to_worker(data: &[u8]) -> bool {
    let data = &data[..data.len().min(MAX_FRAME)];
    let Ok(frame) = bounded(data, 8, 4096, || decode_to_worker(data)) else {
        return false;
    };
    match frame {
        ToWorker::Bind(number, target) => {
            let again = encode_bind(number, &target).expect("it was read");
            assert_eq!(decode_to_worker(&again), Ok(ToWorker::Bind(number, target)));
        }
        ToWorker::Chunk {
            head,
            items,
            payload,
        } => {
            let count = head.count as usize;
            assert!(count > 0);
            assert_eq!(items.len(), count * ITEM_HEAD);
            assert_eq!(CHUNK_HEAD + items.len() + payload.len(), data.len());
            for i in 0..count {
                let item = item_head(items, i).expect("a head an item");
                assert_eq!(item.encode(), items[i * ITEM_HEAD..][..ITEM_HEAD]);
            }
            for behind in [count, count + 1, usize::MAX / ITEM_HEAD, usize::MAX] {
                assert_eq!(item_head(items, behind), None);
            }
            let again = [&head.encode()[..], items, payload].concat();
            let same = ToWorker::Chunk {
                head,
                items,
                payload,
            };
            assert_eq!(decode_to_worker(&again), Ok(same));
            split(payload, count);
        }
        ToWorker::Answer { answer, message } => {
            let write = |answer| encode_answer(answer, message.is_none()).expect("it was read");
            // Long texts are cut, once.
            let cut = write(&answer);
            let Ok(ToWorker::Answer { answer, .. }) = decode_to_worker(&cut) else {
                panic!("an answer became {cut:?}");
            };
            assert_eq!(write(&answer), cut);
        }
    }
    true
}

/// Several messages in one.
fn packed(bytes: &[u8]) {
    let Some(messages) = bounded(bytes, 16, 4096, || unpack(bytes)) else {
        return;
    };
    let mut pack = Pack::default();
    let fits = messages.iter().all(|message| pack.push(message));
    assert_eq!(fits, bytes.len() <= MAX_PACK);
    assert!(!fits || pack.bytes() == bytes && pack.messages() == messages.len());
}

fn split(payload: &[u8], count: usize) {
    let mut ranges = Vec::new();
    // Four bytes an item at least, two words a range, and what was there while the list grew.
    let split = bounded(payload, 16, 4096, || {
        split_payload(payload, count, &mut ranges)
    });
    if split.is_ok() {
        let mut at = 0;
        for range in &ranges {
            assert_eq!(range.start, at + 4);
            let len = u32::from_le_bytes(payload[at..at + 4].try_into().expect("four bytes"));
            assert_eq!(range.len(), len as usize);
            at = range.end;
        }
        assert_eq!((at, ranges.len()), (payload.len(), count));
    }
}

fn pack(messages: &[&[u8]]) -> Vec<u8> {
    let mut pack = Pack::default();
    assert!(messages.iter().all(|message| pack.push(message)));
    pack.bytes().to_vec()
}

pub fn to_host_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let ended = |kind, message: &str, fuel| Ended {
        kind,
        message: message.into(),
        backtrace: vec!["inner".into(), "outer".into()],
        fuel,
    };
    let trap = ended(FailureKind::Trap, "wasm trap: integer divide by zero", None);
    let memory = ended(FailureKind::Memory, "more than 64 MiB", Some(1 << 40));
    let done = encode_result(Seq(7), Status::Done, false, None);
    let fuel = encode_result(Seq(u32::MAX), Status::Failed, false, Some(12_345));
    let call = |op, in_file| encode_call(2, 5, op, in_file).expect("small");
    vec![
        ("done", [&done[..], b"{\"a\":[1,2]}"].concat()),
        ("empty", done.to_vec()),
        ("failed-with-fuel", [&fuel[..], "no é".as_bytes()].concat()),
        (
            "invalid-input",
            encode_result(Seq(0), Status::InvalidInput, false, None).to_vec(),
        ),
        (
            "emitted-in-a-file",
            encode_result(Seq(1), Status::Emitted, true, None).to_vec(),
        ),
        (
            "done-in-a-file-with-fuel",
            encode_result(Seq(1), Status::Done, true, Some(0)).to_vec(),
        ),
        ("over", encode_over(3).to_vec()),
        (
            "put",
            [&call(Op::Put(None), false)[..], b"message"].concat(),
        ),
        (
            "put-many",
            [&call(Op::PutMany(None), false)[..], &pack(&[b"one", b""])].concat(),
        ),
        ("get-many", call(Op::GetMany(64, Some(5)), false)),
        ("put-in-a-file", call(Op::Put(Some(1 << 40)), true)),
        ("wait", call(Op::AwaitWord(8, Word::U64(7), Some(0)), false)),
        (
            "log",
            [&encode_log(Seq(3), Level::Warn)[..], b"text"].concat(),
        ),
        (
            "sample",
            [&encode_sample(Seq(3), 517)[..], b"main\nf"].concat(),
        ),
        ("trap", encode_ended(Seq(9), &trap).expect("small")),
        (
            "memory",
            encode_ended(Seq(1 << 31), &memory).expect("small"),
        ),
        (
            "not-for-workers",
            encode_ended(Seq(2), &ended(FailureKind::Cancelled, "", None)).expect("small"),
        ),
        ("short", vec![RESULT_HEAD as u8; RESULT_HEAD - 1]),
    ]
}

pub fn to_worker_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let chunk = |count: u32, by_descriptor, input| {
        let head = ChunkHead {
            streamed: false,
            function: 3,
            input,
            output: Encoding::Json,
            first: Seq(u32::MAX - 1),
            count,
            by_descriptor,
            timeout_micros: 30_000_000,
        };
        let mut frame = head.encode().to_vec();
        for i in 0..count {
            let index = u64::from(i) << 33;
            frame.extend(ItemHead { index, attempt: 2 }.encode());
        }
        frame
    };
    let export = Target::Export("local:demo/api@1.0.0#square".into());
    let argv = ["program.wasm", "-x", "{}"].map(String::from);
    let command = Target::Command("wasi:cli/run@0.2.12#run".into(), argv.into());
    let items = [&5u32.to_le_bytes()[..], b"[1,2]", &0u32.to_le_bytes()].concat();
    let answer = |answer| encode_answer(&answer, false).expect("small");
    let circle = Refusal::Deadlock("a waits for b; b waits for a".into());
    vec![
        (
            "message",
            [&answer(Answer::Message)[..], b"message"].concat(),
        ),
        (
            "messages",
            [&answer(Answer::Messages)[..], &pack(&[b"one", b"two"])].concat(),
        ),
        ("deadlock", answer(Answer::Refused(circle))),
        ("bind-export", encode_bind(0, &export).expect("small")),
        ("bind-command", encode_bind(1, &command).expect("small")),
        (
            "bind-task",
            encode_bind(u16::MAX, &Target::Task(300)).expect("small"),
        ),
        (
            "two-items",
            [chunk(2, false, Encoding::Postcard), items].concat(),
        ),
        ("by-descriptor", chunk(1, true, Encoding::Raw)),
        ("many-heads", chunk(400, true, Encoding::Json)),
        ("no-items", chunk(0, false, Encoding::Json)),
    ]
}
