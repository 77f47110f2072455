//! Byte rings in shared memory: one producer, one consumer, frames of any length that fits.
//!
//! A frame is its length (u32, little-endian) and its bytes. The producer writes frames and publishes them together;
//! what is published stays readable whatever becomes of the producer. Neither side ever follows an index of the other
//! without checking it: a wrong one is [`Corrupt`].

use super::ground::{AtomicU32, Ordering, fence};
use super::page::{RING_BYTES, RingWords};
use crate::sys::memory::Shared;

/// The largest frame, in bytes: a quarter of the ring, so that several are under way at once.
pub const MAX_FRAME: usize = RING_BYTES / 4;

const MASK: u32 = RING_BYTES as u32 - 1;
const _: () = assert!(
    RING_BYTES.is_power_of_two() && RING_BYTES < 1 << 31,
    "positions are masked and compared"
);

/// The other side wrote indices or lengths that cannot be: it is broken or hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring's {0} is out of bounds")]
pub struct Corrupt(&'static str);

/// Where a ring lies: its words and the offset of its bytes.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The indices.
    pub words: &'a RingWords,
    /// The memory that holds the bytes.
    pub memory: &'a Shared,
    /// Where the bytes start.
    pub offset: usize,
}

/// The producer's own state. Its indices live here; shared memory only mirrors them.
#[derive(Debug, Default)]
pub struct Producer {
    tail: u32,
    published: u32,
    /// How far the consumer had consumed when it was last looked.
    head: u32,
}

impl Producer {
    /// Bytes that can be written now, frame lengths included.
    ///
    /// It never shrinks but by what is written: a consumer that takes room back is in error.
    pub fn room(&mut self, at: Place<'_>) -> Result<usize, Corrupt> {
        // Pairs with the consumer's release of `head`: its reads of the room are over.
        let head = at.words.head.0.load(Ordering::Acquire);
        if head.wrapping_sub(self.head) > self.published.wrapping_sub(self.head) {
            return Err(Corrupt("head"));
        }
        self.head = head;
        Ok(RING_BYTES - self.tail.wrapping_sub(head) as usize)
    }

    /// Writes one frame, made of the parts one behind the other, if there is room. It is not published yet.
    pub fn write(&mut self, at: Place<'_>, parts: &[&[u8]]) -> Result<bool, Corrupt> {
        let len: usize = parts.iter().map(|p| p.len()).sum();
        debug_assert!(
            len <= MAX_FRAME,
            "callers send what is larger by descriptor"
        );
        if self.room(at)? < 4 + len {
            return Ok(false);
        }
        self.put(at, &(len as u32).to_le_bytes());
        for part in parts {
            self.put(at, part);
        }
        Ok(true)
    }

    fn put(&mut self, at: Place<'_>, bytes: &[u8]) {
        let start = (self.tail & MASK) as usize;
        let (first, second) = bytes.split_at(bytes.len().min(RING_BYTES - start));
        at.memory.write(at.offset + start, first);
        at.memory.write(at.offset, second);
        self.tail = self.tail.wrapping_add(bytes.len() as u32);
    }

    /// The place behind the last frame written, for [`Producer::has_passed`].
    pub fn mark(&self) -> u32 {
        self.tail
    }

    /// Whether the consumer has taken all frames before `mark`. The other side's word: a hint.
    pub fn has_passed(&self, at: Place<'_>, mark: u32) -> bool {
        let ahead = at.words.head.0.load(Ordering::Relaxed).wrapping_sub(mark);
        ahead < 1 << 31
    }

    /// Whether frames are written and not published.
    pub fn is_behind(&self) -> bool {
        self.published != self.tail
    }

    /// Publishes all frames written. True if the consumer sleeps and must be woken through the socket.
    pub fn publish(&mut self, at: Place<'_>) -> bool {
        if !self.is_behind() {
            return false;
        }
        self.published = self.tail;
        at.words.tail.0.store(self.tail, Ordering::Release);
        wants_wake(&at.words.consumer_sleeps.0)
    }

    /// Says that the producer sleeps until there is room. False if there is more room than `known` already.
    pub fn sleep(&mut self, at: Place<'_>, known: usize) -> Result<bool, Corrupt> {
        at.words.producer_sleeps.0.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.room(at)? > known {
            at.words.producer_sleeps.0.store(0, Ordering::Relaxed);
            return Ok(false);
        }
        Ok(true)
    }
}

/// Takes the other side's wish to be woken. The fence orders it behind the index stored before: either this side sees
/// the wish, or the other side sees the index before it sleeps.
///
/// A wish that is made between the two steps is overwritten. Who made it is woken all the same, and makes it again.
fn wants_wake(sleeps: &AtomicU32) -> bool {
    fence(Ordering::SeqCst);
    let wishes = sleeps.load(Ordering::Relaxed) != 0;
    if wishes {
        sleeps.store(0, Ordering::Relaxed);
    }
    wishes
}

/// The consumer's own state.
#[derive(Debug, Default)]
pub struct Consumer {
    head: u32,
    /// How much of it the producer was told.
    released: u32,
}

impl Consumer {
    fn available(&self, at: Place<'_>) -> Result<u32, Corrupt> {
        // Pairs with the producer's release of `tail`: the frames up to it are whole.
        let tail = at.words.tail.0.load(Ordering::Acquire);
        // Beyond the room that it was given a producer cannot write: so there is an end to what is read before a release.
        let published = tail.wrapping_sub(self.released);
        let read = self.head.wrapping_sub(self.released);
        if published > RING_BYTES as u32 || published < read {
            return Err(Corrupt("tail"));
        }
        Ok(published - read)
    }

    /// Whether a frame is published.
    pub fn is_ready(&self, at: Place<'_>) -> Result<bool, Corrupt> {
        Ok(self.available(at)? > 0)
    }

    /// Copies the next frame to the end of `frame`. False if there is none.
    ///
    /// Its room is given back by [`Consumer::release`].
    pub fn read(&mut self, at: Place<'_>, frame: &mut Vec<u8>) -> Result<bool, Corrupt> {
        let available = self.available(at)?;
        if available == 0 {
            return Ok(false);
        }
        if available < 4 {
            return Err(Corrupt("frame"));
        }
        let mut len = [0; 4];
        for byte in &mut len {
            *byte = at.memory.byte(at.offset + (self.head & MASK) as usize);
            self.head = self.head.wrapping_add(1);
        }
        let len = u32::from_le_bytes(len);
        if len as usize > MAX_FRAME || len > available - 4 {
            return Err(Corrupt("frame length"));
        }
        self.take(at, len as usize, frame);
        Ok(true)
    }

    fn take(&mut self, at: Place<'_>, len: usize, to: &mut Vec<u8>) {
        let start = (self.head & MASK) as usize;
        let first = len.min(RING_BYTES - start);
        at.memory.read(at.offset + start, first, to);
        at.memory.read(at.offset, len - first, to);
        self.head = self.head.wrapping_add(len as u32);
    }

    /// Gives the room of all frames read back. True if the producer sleeps and must be woken through the socket.
    pub fn release(&mut self, at: Place<'_>) -> bool {
        self.released = self.head;
        at.words.head.0.store(self.head, Ordering::Release);
        wants_wake(&at.words.producer_sleeps.0)
    }

    /// Says that the consumer sleeps until there are frames. False if there is one already.
    pub fn sleep(&self, at: Place<'_>) -> Result<bool, Corrupt> {
        at.words.consumer_sleeps.0.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.is_ready(at)? {
            self.wake(at);
            return Ok(false);
        }
        Ok(true)
    }

    /// Says that the consumer looks for frames by itself again.
    pub fn wake(&self, at: Place<'_>) {
        at.words.consumer_sleeps.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::page::{Page, SHARED_BYTES, TO_HOST};
    use super::*;
    use crate::sys::memory::fixed_memfd;

    fn memory() -> Shared {
        Shared::map(
            fixed_memfd("test", SHARED_BYTES as u64).unwrap(),
            SHARED_BYTES,
        )
        .unwrap()
    }

    fn place(memory: &Shared) -> Place<'_> {
        // SAFETY: `Page` is made of atomics only.
        let page: &Page = unsafe { memory.header() };
        Place {
            words: &page.to_host,
            memory,
            offset: TO_HOST,
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            start in any::<u32>(),
            rounds in prop::collection::vec(prop::collection::vec(0usize..MAX_FRAME, 1..8), 1..40),
        ) {
            let memory = memory();
            let at = place(&memory);
            at.words.tail.0.store(start, Ordering::Relaxed);
            at.words.head.0.store(start, Ordering::Relaxed);
            let (mut p, mut c) = (
                Producer { tail: start, published: start, head: start },
                Consumer { head: start, released: start },
            );
            let mut byte = 0u8;
            for round in rounds {
                let mut sent = Vec::new();
                for len in round {
                    let frame: Vec<u8> = (0..len).map(|i| byte.wrapping_add(i as u8)).collect();
                    byte = byte.wrapping_add(31);
                    let (a, b) = frame.split_at(len / 3);
                    if p.write(at, &[a, b]).unwrap() {
                        sent.push(frame);
                    }
                }
                prop_assert!(!c.is_ready(at).unwrap(), "nothing is seen before it is published");
                p.publish(at);
                for frame in sent {
                    let mut got = Vec::new();
                    prop_assert!(c.read(at, &mut got).unwrap());
                    prop_assert_eq!(got, frame);
                }
                c.release(at);
            }
        }

        #[test]
        fn any_index_and_any_bytes_are_survived(
            tail in any::<u32>(), head in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 64),
        ) {
            let memory = memory();
            let at = place(&memory);
            memory.write(TO_HOST, &bytes);
            at.words.tail.0.store(tail, Ordering::Relaxed);
            at.words.head.0.store(head, Ordering::Relaxed);
            let mut c = Consumer::default();
            let mut frame = Vec::new();
            while let Ok(true) = c.read(at, &mut frame) {
                prop_assert!(frame.len() <= RING_BYTES);
            }
            let mut p = Producer::default();
            prop_assert_eq!(p.write(at, &[&bytes]).is_ok(), head == 0, "nothing is published, so nothing is consumed");
        }
    }

    #[test]
    fn room_that_was_given_is_not_taken_back() {
        let memory = memory();
        let at = place(&memory);
        let (mut p, mut c) = (Producer::default(), Consumer::default());
        assert!(p.write(at, &[&[0; 996]]).unwrap());
        assert_eq!(p.room(at), Ok(RING_BYTES - 1000));
        at.words.head.0.store(1000, Ordering::Relaxed);
        assert_eq!(p.room(at), Err(Corrupt("head")), "it is not published");
        at.words.head.0.store(0, Ordering::Relaxed);
        p.publish(at);
        assert!(c.read(at, &mut Vec::new()).unwrap());
        c.release(at);
        assert_eq!(p.room(at), Ok(RING_BYTES));
        at.words.head.0.store(999, Ordering::Relaxed);
        assert_eq!(p.room(at), Err(Corrupt("head")), "it was consumed");
    }

    #[test]
    fn there_is_an_end_to_what_is_read_at_once() {
        let memory = memory();
        let at = place(&memory);
        let mut c = Consumer::default();
        let mut tail = 0;
        let mut next = || {
            tail += 1004u32;
            memory.write(
                TO_HOST + ((tail - 1004) & MASK) as usize,
                &1000u32.to_le_bytes(),
            );
            at.words.tail.0.store(tail, Ordering::Relaxed);
        };
        let mut frames = 0;
        let end = loop {
            next();
            match c.read(at, &mut Vec::new()) {
                Ok(true) => frames += 1,
                end => break end,
            }
        };
        assert_eq!((end, frames), (Err(Corrupt("tail")), RING_BYTES / 1004));
    }

    #[test]
    fn a_sleeper_is_woken_once_and_never_missed() {
        let memory = memory();
        let at = place(&memory);
        let (mut p, mut c) = (Producer::default(), Consumer::default());
        assert!(c.sleep(at).unwrap());
        assert!(p.write(at, &[b"x"]).unwrap());
        assert!(p.publish(at));
        p.write(at, &[b"y"]).unwrap();
        assert!(!p.publish(at));
        assert!(!c.sleep(at).unwrap(), "frames are there: no sleep");
        while p.write(at, &[&[0; 1000]]).unwrap() {}
        p.publish(at);
        let room = p.room(at).unwrap();
        assert!(p.sleep(at, room).unwrap());
        c.read(at, &mut Vec::new()).unwrap();
        assert!(c.release(at));
        assert!(!p.sleep(at, room).unwrap());
    }

    #[test]
    fn two_threads_pass_a_million_bytes() {
        let memory = memory();
        let total = std::thread::scope(|s| {
            s.spawn(|| {
                let (at, mut p) = (place(&memory), Producer::default());
                for i in 0..20_000u32 {
                    while !p.write(at, &[&i.to_le_bytes(), &[7; 50]]).unwrap() {
                        p.publish(at);
                        std::hint::spin_loop();
                    }
                    p.publish(at);
                }
            });
            let (at, mut c, mut seen) = (place(&memory), Consumer::default(), 0u32);
            let mut frame = Vec::new();
            while seen < 20_000 {
                frame.clear();
                if c.read(at, &mut frame).unwrap() {
                    assert_eq!(frame[..4], seen.to_le_bytes());
                    assert_eq!(frame[4..], [7; 50]);
                    seen += 1;
                    c.release(at);
                } else {
                    std::hint::spin_loop();
                }
            }
            seen
        });
        assert_eq!(total, 20_000);
    }
}
