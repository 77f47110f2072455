//! What the frames in the rings mean: layouts by hand, since they are on the hot path. All integers little-endian.
//!
//! A chunk's items, and a payload in a descriptor, are framed as the guest SDK wants them: for each item its length (u32)
//! and its bytes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::call::{Answer, Op, Refusal};
use super::ring::MAX_FRAME;
use crate::encoding::Encoding;
use crate::failure::FailureKind;
use crate::ids::Seq;

/// The bytes are no frame of this protocol: the other side is broken or hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame that breaks the protocol: {0}")]
pub struct Malformed(pub &'static str);

/// Bytes of a chunk's frame before its items' headers.
pub const CHUNK_HEAD: usize = 16;
/// Bytes of one item's header in a chunk's frame.
pub const ITEM_HEAD: usize = 12;
/// Bytes of a result's frame before its payload, or before the fuel in front of that.
pub const RESULT_HEAD: usize = 8;
/// Bytes of the fuel, where it is told.
const FUEL_BYTES: usize = 8;
/// The largest payload that travels inside a frame; a larger one goes as a descriptor.
pub const MAX_INLINE: usize = MAX_FRAME - CHUNK_HEAD - 4 * ITEM_HEAD;
/// The most items in one chunk, so that their headers fit into a frame whose payload is a descriptor.
pub const MAX_CHUNK: usize = (MAX_FRAME - CHUNK_HEAD - 8) / ITEM_HEAD;

/// The largest message that travels inside a call or its answer; a larger one lies in a file.
pub const MAX_MESSAGE: usize = 60 << 10;
const _: () = assert!(
    CALL_HEAD + 64 + MAX_MESSAGE <= MAX_FRAME,
    "a message must fit behind its head"
);
const _: () = assert!(
    MAX_MESSAGE <= MAX_INLINE,
    "the host gives files of more than MAX_MESSAGE bytes, for results and messages alike"
);

const BIND: u8 = 1;
const CHUNK: u8 = 2;
const ANSWER: u8 = 3;
const RESULT: u8 = 1;
const LOG: u8 = 2;
const ENDED: u8 = 3;
const CALL: u8 = 4;
const OVER: u8 = 5;
const SAMPLE: u8 = 6;

/// Bytes of a call's frame before what is asked.
const CALL_HEAD: usize = 8;
/// A call's, or an answer's, flag: the message lies in a file.
const IN_FILE: u8 = 1;

/// A result's flag: its payload is the next descriptor on the socket.
const BY_DESCRIPTOR: u8 = 1;
/// A result's flag: the fuel of the item stands before the payload.
const WITH_FUEL: u8 = 2;
const _: () = assert!(
    RESULT_HEAD + FUEL_BYTES + MAX_INLINE <= MAX_FRAME,
    "an inline payload must fit behind its head"
);

/// What a worker is asked to call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    /// An exported function, by its full name in the manifest.
    Export(String),
    /// A task, by its index in the guest's own list.
    Task(u32),
    /// A WASI command: the full name of its `run` in the manifest, and its arguments, of which the first is its own name
    /// and `{}` stands for the item.
    Command(String, Vec<String>),
}

/// An item's own words in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemHead {
    /// Its index in its job.
    pub index: u64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// The head of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHead {
    /// Which bound function.
    pub function: u16,
    /// The encoding of the items.
    pub input: Encoding,
    /// The encoding wanted of the results.
    pub output: Encoding,
    /// The first item's number; the others follow.
    pub first: Seq,
    /// How many items.
    pub count: u32,
    /// Whether the payload is the next descriptor on the socket.
    pub by_descriptor: bool,
    /// The deadline of each item in microseconds, for the guest to see. 0 for none.
    pub timeout_micros: u32,
    /// Whether emitted values are taken one by one: then the worker waits for room for them.
    pub streamed: bool,
}

fn encoding_code(e: Encoding) -> u8 {
    match e {
        Encoding::Json => 0,
        Encoding::Postcard => 1,
        Encoding::Raw => 2,
    }
}

fn encoding_of(code: u8) -> Result<Encoding, Malformed> {
    match code {
        0 => Ok(Encoding::Json),
        1 => Ok(Encoding::Postcard),
        2 => Ok(Encoding::Raw),
        _ => Err(Malformed("encoding")),
    }
}

impl ChunkHead {
    /// Writes the head.
    pub fn encode(&self) -> [u8; CHUNK_HEAD] {
        let mut out = [0; CHUNK_HEAD];
        out[0] = CHUNK;
        out[1] = encoding_code(self.input)
            | encoding_code(self.output) << 2
            | u8::from(self.by_descriptor) << 4
            | u8::from(self.streamed) << 5;
        out[2..4].copy_from_slice(&self.function.to_le_bytes());
        out[4..8].copy_from_slice(&self.first.0.to_le_bytes());
        out[8..12].copy_from_slice(&self.count.to_le_bytes());
        out[12..16].copy_from_slice(&self.timeout_micros.to_le_bytes());
        out
    }
}

impl ItemHead {
    /// Writes the header.
    pub fn encode(&self) -> [u8; ITEM_HEAD] {
        let mut out = [0; ITEM_HEAD];
        out[..8].copy_from_slice(&self.index.to_le_bytes());
        out[8..].copy_from_slice(&self.attempt.to_le_bytes());
        out
    }
}

/// A frame from host to worker.
#[derive(Debug, PartialEq, Eq)]
pub enum ToWorker<'a> {
    /// From now on this number means this target.
    Bind(u16, Target),
    /// Items to run.
    Chunk {
        /// What and how.
        head: ChunkHead,
        /// The items' headers, one behind the other: see [`item_head`].
        items: &'a [u8],
        /// The payload, unless it is a descriptor.
        payload: &'a [u8],
    },
    /// What comes of the call under way.
    Answer {
        /// Which.
        answer: Answer,
        /// The message, where there is one; `None` if it is the next message's file on the socket.
        message: Option<&'a [u8]>,
    },
}

/// Whether a frame from the host is an answer, which overtakes all else that a worker has not looked at.
pub fn is_answer(frame: &[u8]) -> bool {
    frame.first() == Some(&ANSWER)
}

/// Writes an answer before its message.
pub fn encode_answer(answer: &Answer, in_file: bool) -> Result<Vec<u8>, postcard::Error> {
    let head = vec![ANSWER, u8::from(in_file) * IN_FILE];
    let mut answer = answer.clone();
    if let Answer::Refused(Refusal::Deadlock(who)) = &mut answer {
        crate::text::cut(who, 4 << 10);
    }
    postcard::to_extend(&answer, head)
}

/// Writes a call before its message.
pub fn encode_call(
    instance: u32,
    object: u16,
    op: Op,
    in_file: bool,
) -> Result<Vec<u8>, postcard::Error> {
    let mut out = vec![CALL, u8::from(in_file) * IN_FILE];
    out.extend_from_slice(&object.to_le_bytes());
    out.extend_from_slice(&instance.to_le_bytes());
    postcard::to_extend(&op, out)
}

/// Writes that an instance is over.
pub fn encode_over(instance: u32) -> [u8; CALL_HEAD] {
    let mut out = [0; CALL_HEAD];
    out[0] = OVER;
    out[4..].copy_from_slice(&instance.to_le_bytes());
    out
}

/// Writes a binding.
pub fn encode_bind(function: u16, target: &Target) -> Result<Vec<u8>, postcard::Error> {
    let mut out = vec![BIND];
    out.extend_from_slice(&function.to_le_bytes());
    postcard::to_extend(target, out)
}

/// Reads a frame from the host.
pub fn decode_to_worker(frame: &[u8]) -> Result<ToWorker<'_>, Malformed> {
    match frame.first() {
        Some(&BIND) if frame.len() > 3 => {
            let target = whole(&frame[3..]).ok_or(Malformed("target"))?;
            Ok(ToWorker::Bind(u16_at(frame, 1)?, target))
        }
        Some(&CHUNK) => {
            let flags = *frame.get(1).ok_or(Malformed("chunk"))?;
            let head = ChunkHead {
                function: u16_at(frame, 2)?,
                input: encoding_of(flags & 3)?,
                output: encoding_of(flags >> 2 & 3)?,
                by_descriptor: flags & 16 != 0,
                first: Seq(u32_at(frame, 4)?),
                count: u32_at(frame, 8)?,
                timeout_micros: u32_at(frame, 12)?,
                streamed: flags & 32 != 0,
            };
            let split = usize::try_from(head.count)
                .ok()
                .and_then(|n| n.checked_mul(ITEM_HEAD));
            let rest = frame.get(CHUNK_HEAD..).ok_or(Malformed("chunk"))?;
            match split {
                Some(n) if n > 0 && n <= rest.len() => {
                    let (items, payload) = rest.split_at(n);
                    Ok(ToWorker::Chunk {
                        head,
                        items,
                        payload,
                    })
                }
                _ => Err(Malformed("item count")),
            }
        }
        Some(&ANSWER) => {
            let flags = *frame.get(1).ok_or(Malformed("answer"))?;
            let (answer, message) =
                postcard::take_from_bytes(&frame[2..]).map_err(|_| Malformed("answer"))?;
            Ok(ToWorker::Answer {
                answer,
                message: (flags & IN_FILE == 0).then_some(message),
            })
        }
        _ => Err(Malformed("kind")),
    }
}

/// The header of the item at `i` of a chunk. `None` behind the last.
pub fn item_head(items: &[u8], i: usize) -> Option<ItemHead> {
    let at = items.get(i.checked_mul(ITEM_HEAD)?..)?.get(..ITEM_HEAD)?;
    Some(ItemHead {
        index: u64::from_le_bytes(at[..8].try_into().ok()?),
        attempt: u32::from_le_bytes(at[8..].try_into().ok()?),
    })
}

/// Where in a payload each item's bytes lie; checks that the frames fill the payload exactly.
pub fn split_payload(
    payload: &[u8],
    count: usize,
    into: &mut Vec<Range<usize>>,
) -> Result<(), Malformed> {
    into.clear();
    let mut at = 0usize;
    for _ in 0..count {
        let len = u32_at(payload, at)? as usize;
        let start = at + 4;
        let end = start
            .checked_add(len)
            .filter(|e| *e <= payload.len())
            .ok_or(Malformed("item length"))?;
        into.push(start..end);
        at = end;
    }
    if at == payload.len() {
        Ok(())
    } else {
        Err(Malformed("bytes behind the last item"))
    }
}

/// What a result's frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The item's result.
    Done,
    /// The task's error, as a message.
    Failed,
    /// Why the item does not fit, as a message.
    InvalidInput,
    /// One emitted value; the item goes on.
    Emitted,
}

/// How much a log message matters; as in the WIT.
///
/// ```
/// use wasmpool::pool::Level;
///
/// // The most important first.
/// assert!(Level::Error < Level::Warn && Level::Debug < Level::Trace);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Why a worker ends. The worker's own word: the host checks it against what it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// `Trap`, `Memory` or `OutputLimit`; `Timeout` from a worker that was interrupted, of which the host takes the
    /// backtrace alone. The host takes nothing else from a worker.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: String,
    /// The guest's frames, innermost first.
    pub backtrace: Vec<String>,
    /// What the item had used of its fuel, in deterministic mode.
    pub fuel: Option<u64>,
}

/// A frame from worker to host.
#[derive(Debug, PartialEq, Eq)]
pub enum ToHost<'a> {
    /// A result, or an emitted value.
    Result {
        /// Whose.
        item: Seq,
        /// What it is.
        status: Status,
        /// What the item used of its fuel; never told of an emitted value.
        fuel: Option<u64>,
        /// The payload; `None` if it is the next descriptor on the socket.
        payload: Option<&'a [u8]>,
    },
    /// A message for people, written while `item` ran.
    Log(Seq, Level, &'a [u8]),
    /// The item's run ended the worker.
    Ended(Seq, Ended),
    /// Something is asked of an object that the pool was granted.
    Call {
        /// The number of the instance that asks, among those of this worker.
        instance: u32,
        /// The object, by its place among the grants.
        object: u16,
        /// What is asked.
        op: Op,
        /// The message, where there is one; `None` if it lies in the file that the worker was given first.
        message: Option<&'a [u8]>,
    },
    /// Where the guest was while `item` ran.
    Sample {
        /// Whose.
        item: Seq,
        /// For how many of the host's requests this is the answer: those that came while the guest was elsewhere are
        /// answered together.
        requests: u16,
        /// The names of functions, the outermost first, a line each.
        stack: &'a [u8],
    },
    /// An instance of this number is over: it holds nothing any more, and asks nothing.
    Over(u32),
}

/// What stands before a result's payload.
#[derive(Clone, Copy, Debug)]
pub struct ResultHead {
    bytes: [u8; RESULT_HEAD + FUEL_BYTES],
    len: usize,
}

impl std::ops::Deref for ResultHead {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Writes the head of a result.
pub fn encode_result(
    item: Seq,
    status: Status,
    by_descriptor: bool,
    fuel: Option<u64>,
) -> ResultHead {
    let mut out = [0; RESULT_HEAD + FUEL_BYTES];
    out[0] = RESULT;
    out[1] = match status {
        Status::Done => 0,
        Status::Failed => 1,
        Status::InvalidInput => 2,
        Status::Emitted => 3,
    };
    out[4..RESULT_HEAD].copy_from_slice(&item.0.to_le_bytes());
    let mut len = RESULT_HEAD;
    if by_descriptor {
        out[2] |= BY_DESCRIPTOR;
    }
    if let Some(fuel) = fuel {
        out[2] |= WITH_FUEL;
        out[RESULT_HEAD..].copy_from_slice(&fuel.to_le_bytes());
        len += FUEL_BYTES;
    }
    ResultHead { bytes: out, len }
}

/// Writes the head of a log message.
pub fn encode_log(item: Seq, level: Level) -> [u8; RESULT_HEAD] {
    let mut out = [0; RESULT_HEAD];
    out[0] = LOG;
    out[1] = level as u8;
    out[4..].copy_from_slice(&item.0.to_le_bytes());
    out
}

/// Writes the head of a sample: where the guest was, for so many of the host's requests. The names of functions follow,
/// the outermost first, a line each.
pub fn encode_sample(item: Seq, requests: u16) -> [u8; RESULT_HEAD] {
    let mut out = [0; RESULT_HEAD];
    out[0] = SAMPLE;
    out[2..4].copy_from_slice(&requests.to_le_bytes());
    out[4..].copy_from_slice(&item.0.to_le_bytes());
    out
}

/// Writes a worker's last word. Long texts are cut so that it fits into a frame.
pub fn encode_ended(item: Seq, ended: &Ended) -> Result<Vec<u8>, postcard::Error> {
    let mut out = vec![ENDED, 0, 0, 0];
    out.extend_from_slice(&item.0.to_le_bytes());
    let mut ended = ended.clone();
    crate::text::cut(&mut ended.message, 16 << 10);
    ended.backtrace.truncate(64);
    for frame in &mut ended.backtrace {
        crate::text::cut(frame, 512);
    }
    postcard::to_extend(&ended, out)
}

/// Reads a frame from a worker.
pub fn decode_to_host(frame: &[u8]) -> Result<ToHost<'_>, Malformed> {
    let payload = frame.get(RESULT_HEAD..).ok_or(Malformed("length"))?;
    let item = Seq(u32_at(frame, 4)?);
    match frame[0] {
        RESULT => {
            let status = match frame[1] {
                0 => Status::Done,
                1 => Status::Failed,
                2 => Status::InvalidInput,
                3 => Status::Emitted,
                _ => return Err(Malformed("status")),
            };
            if frame[2] & !(BY_DESCRIPTOR | WITH_FUEL) != 0 {
                return Err(Malformed("flags"));
            }
            let (fuel, payload) = match frame[2] & WITH_FUEL {
                0 => (None, payload),
                _ => {
                    let (fuel, payload) = payload.split_first_chunk().ok_or(Malformed("length"))?;
                    (Some(u64::from_le_bytes(*fuel)), payload)
                }
            };
            if fuel.is_some() && status == Status::Emitted {
                return Err(Malformed("fuel"));
            }
            let payload = match frame[2] & BY_DESCRIPTOR {
                0 => Some(payload),
                _ if payload.is_empty() => None,
                _ => return Err(Malformed("payload")),
            };
            Ok(ToHost::Result {
                item,
                status,
                fuel,
                payload,
            })
        }
        LOG => {
            let level = match frame[1] {
                0 => Level::Error,
                1 => Level::Warn,
                2 => Level::Info,
                3 => Level::Debug,
                4 => Level::Trace,
                _ => return Err(Malformed("level")),
            };
            Ok(ToHost::Log(item, level, payload))
        }
        SAMPLE => Ok(ToHost::Sample {
            item,
            requests: u16_at(frame, 2)?,
            stack: payload,
        }),
        CALL => {
            if frame[1] & !IN_FILE != 0 {
                return Err(Malformed("flags"));
            }
            let (op, message) =
                postcard::take_from_bytes(payload).map_err(|_| Malformed("call"))?;
            let message = match frame[1] & IN_FILE {
                0 => Some(message),
                _ if message.is_empty() => None,
                _ => return Err(Malformed("message")),
            };
            Ok(ToHost::Call {
                instance: item.0,
                object: u16_at(frame, 2)?,
                op,
                message,
            })
        }
        OVER if payload.is_empty() => Ok(ToHost::Over(item.0)),
        ENDED => {
            let ended = whole(payload).ok_or(Malformed("last word"))?;
            Ok(ToHost::Ended(item, ended))
        }
        _ => Err(Malformed("kind")),
    }
}

/// A value that all of the bytes are.
fn whole<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let b = bytes
        .get(at..)
        .and_then(|b| b.first_chunk())
        .ok_or(Malformed("length"))?;
    Ok(u16::from_le_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let b = bytes
        .get(at..)
        .and_then(|b| b.first_chunk())
        .ok_or(Malformed("length"))?;
    Ok(u32::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chunks_come_back() {
        let head = ChunkHead {
            function: 7,
            input: Encoding::Raw,
            output: Encoding::Postcard,
            first: Seq(u32::MAX),
            count: 2,
            by_descriptor: true,
            timeout_micros: 5,
            streamed: true,
        };
        let items = [
            ItemHead {
                index: 1 << 40,
                attempt: 1,
            },
            ItemHead {
                index: 3,
                attempt: 2,
            },
        ];
        let mut frame = head.encode().to_vec();
        items.iter().for_each(|i| frame.extend(i.encode()));
        frame.extend(b"rest");
        match decode_to_worker(&frame).unwrap() {
            ToWorker::Chunk {
                head: h,
                items: i,
                payload,
            } => {
                assert_eq!((h, payload), (head, &b"rest"[..]));
                assert_eq!([item_head(i, 0).unwrap(), item_head(i, 1).unwrap()], items);
                assert_eq!(item_head(i, 2), None);
            }
            other => panic!("{other:?}"),
        }
        let bind = encode_bind(3, &Target::Export("a:b/c#d".into())).unwrap();
        assert_eq!(
            decode_to_worker(&bind).unwrap(),
            ToWorker::Bind(3, Target::Export("a:b/c#d".into()))
        );
    }

    #[test]
    fn payloads_are_split_exactly() {
        let mut at = Vec::new();
        split_payload(b"\x02\0\0\0ab\0\0\0\0", 2, &mut at).unwrap();
        assert_eq!(at, [4..6, 10..10]);
        assert!(split_payload(b"\x02\0\0\0ab\0\0\0\0", 1, &mut at).is_err());
        assert!(split_payload(b"\x02\0\0\0a", 1, &mut at).is_err());
        assert!(split_payload(b"\xff\xff\xff\xffa", 1, &mut at).is_err());
    }

    #[test]
    fn results_come_back_with_their_fuel() {
        for fuel in [None, Some(0), Some(u64::MAX)] {
            for by_descriptor in [false, true] {
                let payload: &[u8] = if by_descriptor { b"" } else { b"12345678" };
                let mut frame = encode_result(Seq(5), Status::Failed, by_descriptor, fuel).to_vec();
                frame.extend_from_slice(payload);
                assert_eq!(
                    decode_to_host(&frame),
                    Ok(ToHost::Result {
                        item: Seq(5),
                        status: Status::Failed,
                        fuel,
                        payload: (!by_descriptor).then_some(payload),
                    })
                );
            }
        }
        let emitted = encode_result(Seq(5), Status::Emitted, false, Some(1));
        assert_eq!(decode_to_host(&emitted), Err(Malformed("fuel")));
        let mut cut = encode_result(Seq(5), Status::Done, false, Some(1)).to_vec();
        cut.pop();
        assert_eq!(decode_to_host(&cut), Err(Malformed("length")));
        let mut flags = encode_result(Seq(5), Status::Done, false, None).to_vec();
        flags[2] = 4;
        assert_eq!(decode_to_host(&flags), Err(Malformed("flags")));
    }

    #[test]
    fn calls_and_answers_come_back() {
        for (op, in_file) in [(Op::Put(None), false), (Op::Get(Some(0)), true)] {
            let mut frame = encode_call(7, 300, op, in_file).unwrap();
            let message: &[u8] = if in_file { b"" } else { b"message" };
            frame.extend_from_slice(message);
            assert_eq!(
                decode_to_host(&frame),
                Ok(ToHost::Call {
                    instance: 7,
                    object: 300,
                    op,
                    message: (!in_file).then_some(message),
                })
            );
        }
        assert_eq!(decode_to_host(&encode_over(9)), Ok(ToHost::Over(9)));
        for answer in [
            Answer::Number(u64::MAX),
            Answer::Refused(Refusal::Deadlock("a waits for b".into())),
        ] {
            let mut frame = encode_answer(&answer, false).unwrap();
            frame.extend_from_slice(b"message");
            let message = Some(&b"message"[..]);
            assert_eq!(
                decode_to_worker(&frame),
                Ok(ToWorker::Answer { answer, message })
            );
        }
    }

    #[test]
    fn samples_come_back() {
        let frame = [&encode_sample(Seq(3), 517)[..], b"main\nf"].concat();
        let sample = ToHost::Sample {
            item: Seq(3),
            requests: 517,
            stack: b"main\nf",
        };
        assert_eq!(decode_to_host(&frame), Ok(sample));
    }

    #[test]
    fn last_words_come_back_and_are_bounded() {
        let ended = Ended {
            kind: FailureKind::Trap,
            message: "é".repeat(1 << 20),
            backtrace: vec!["f".repeat(9999); 999],
            fuel: Some(7),
        };
        let frame = encode_ended(Seq(9), &ended).unwrap();
        assert!(frame.len() <= MAX_FRAME);
        match decode_to_host(&frame).unwrap() {
            ToHost::Ended(Seq(9), e) => {
                assert_eq!(e.fuel, Some(7));
                assert!(ended.message.starts_with(e.message.trim_end_matches('…')))
            }
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_to_host(&bytes);
            let _ = decode_to_worker(&bytes);
            let _ = split_payload(&bytes, 3, &mut Vec::new());
        }
    }
}
