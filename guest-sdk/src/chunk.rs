//! Runs one task over a chunk of items. The framing on both sides is that of `wit/`: `map.run` and `results.report`.

use crate::dispatch::{Giving, Outcome};
use crate::host::{self, Advice, Encoding};
use crate::input::Taking;
use crate::tasks::Task;

/// Finished results of this many bytes are reported without being asked for, so that they need little memory and stand
/// should the instance end.
const REPORT_BYTES: usize = 256 * 1024;

const LENGTH_BYTES: usize = size_of::<u32>();
const HEADER_BYTES: usize = 2 * LENGTH_BYTES + 1;

const DONE: u8 = 0;
const FAILED: u8 = 1;
const INVALID_INPUT: u8 = 2;

/// Takes the first frame off `rest`; none if it is not whole.
fn next_frame<'a>(rest: &mut &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (length, _) = rest.split_first_chunk::<LENGTH_BYTES>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if rest.len() - LENGTH_BYTES < length {
        return None;
    }
    let (frame, after) = std::mem::take(rest).split_at_mut(LENGTH_BYTES + length);
    *rest = after;
    frame.get_mut(LENGTH_BYTES..)
}

/// Checks the framing of a whole chunk; the error is the offset of the first frame that is not whole.
pub fn check_frames(mut rest: &mut [u8]) -> Result<(), u64> {
    let length = rest.len();
    while !rest.is_empty() {
        let offset = length - rest.len();
        next_frame(&mut rest).ok_or(offset as u64)?;
    }
    Ok(())
}

/// One chunk, to be run.
pub struct Run<'de> {
    /// How items are encoded.
    pub(crate) input: Encoding,
    /// How results are encoded.
    pub(crate) output: Encoding,
    /// The items, in frames that were checked.
    pub(crate) chunk: &'de mut [u8],
}

impl<'de> Run<'de> {
    /// Runs `task` on each item, until the pool wants no more. Returns the results that were not reported on the way.
    pub fn each<F, Args, In, Out, Give>(
        self,
        task: F,
        names: &'static [&'static str],
        taking: In,
        outcome: Out,
        giving: Give,
    ) -> Vec<u8>
    where
        F: Task<Args>,
        In: Taking<'de, Args>,
        Out: Outcome<F::Output>,
        Give: Giving<Out::Value>,
    {
        let mut rest = self.chunk;
        let mut results = Results::default();
        let mut index = 0;
        while let Some(item) = next_frame(&mut rest) {
            match host::begin(index) {
                Advice::Proceed => results.report_if(REPORT_BYTES),
                Advice::Report => results.report_if(1),
                Advice::Stop => break,
            }
            match taking.take(item, self.input, names) {
                Ok(args) => match outcome.split(task.call(args)) {
                    Ok(value) => results.push(index, |out| giving.give(&value, self.output, out)),
                    Err(message) => results.push_message(index, FAILED, &message),
                },
                Err(message) => results.push_message(index, INVALID_INPUT, &message),
            }
            index += 1;
        }
        results.frames
    }
}

/// Finished results that wait to be reported.
#[derive(Default)]
struct Results {
    frames: Vec<u8>,
}

impl Results {
    /// Reports them if they are at least this many bytes.
    #[inline]
    fn report_if(&mut self, bytes: usize) {
        if self.frames.len() >= bytes {
            host::report(&self.frames);
            self.frames.clear();
        }
    }

    /// Adds the result that `write` appends, or the message with which it fails.
    #[inline]
    fn push(&mut self, index: u32, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) {
        let start = self.frames.len();
        self.header(index, DONE);
        match write(&mut self.frames) {
            Ok(()) => self.close(start),
            Err(message) => {
                self.frames.truncate(start);
                self.push_message(index, FAILED, &message);
            }
        }
    }

    #[cold]
    fn push_message(&mut self, index: u32, status: u8, message: &str) {
        let start = self.frames.len();
        self.header(index, status);
        self.frames.extend_from_slice(message.as_bytes());
        self.close(start);
    }

    #[inline]
    fn header(&mut self, index: u32, status: u8) {
        let mut header = [0; HEADER_BYTES];
        header[..LENGTH_BYTES].copy_from_slice(&index.to_le_bytes());
        header[LENGTH_BYTES] = status;
        self.frames.extend_from_slice(&header);
    }

    /// Fills in the length of the frame that began at `start`.
    #[inline]
    fn close(&mut self, start: usize) {
        let payload = start + HEADER_BYTES;
        // A 32-bit guest has no result that is longer.
        let length = (self.frames.len() - payload) as u32;
        self.frames[payload - LENGTH_BYTES..payload].copy_from_slice(&length.to_le_bytes());
    }
}
