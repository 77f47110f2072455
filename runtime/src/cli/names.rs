//! What an item is called in messages: an argument, a line or a file.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::input;
use crate::text::cut;

/// Bytes of a name in a message, at most.
const SHOWN_BYTES: usize = 60;
/// How many places of skipped lines are remembered.
const REMEMBERED: usize = 1 << 16;

/// The names of a job's items. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Names {
    /// Arguments.
    Arguments(Arc<[String]>),
    /// Files.
    Files(Arc<[PathBuf]>),
    /// Lines of a file or of standard input.
    Lines(Arc<LineNumbers>),
}

impl Names {
    /// The name of an item, if it is known: short, but not yet fit to print.
    pub fn of(&self, index: u64) -> Option<String> {
        let at = usize::try_from(index).ok();
        match self {
            Names::Arguments(items) => items.get(at?).map(|item| {
                let mut shown = item.clone();
                cut(&mut shown, SHOWN_BYTES);
                shown
            }),
            Names::Files(files) => files
                .get(at?)
                .map(|file| input::name(file).display().to_string()),
            Names::Lines(lines) => lines.of(index).map(|line| format!("line {line}")),
        }
    }
}

/// On which line an item stands, where some lines are skipped. Takes bounded memory: of an item long past, the number
/// may be forgotten.
#[derive(Debug, Default)]
pub struct LineNumbers(Mutex<Jumps>);

#[derive(Debug, Default)]
struct Jumps {
    /// From this item on, lines count from this line.
    known: VecDeque<(u64, u64)>,
    forgotten: bool,
}

impl LineNumbers {
    /// Notes that the item stands on a line that does not follow that of the item before. Lines count from 1.
    pub fn jump(&self, index: u64, line: u64) {
        let mut jumps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if jumps.known.len() == REMEMBERED {
            jumps.known.pop_front();
            jumps.forgotten = true;
        }
        jumps.known.push_back((index, line));
    }

    fn of(&self, index: u64) -> Option<u64> {
        let jumps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = jumps.known.partition_point(|(from, _)| *from <= index);
        match after.checked_sub(1).and_then(|at| jumps.known.get(at)) {
            Some((from, line)) => Some(line + (index - from)),
            None if jumps.forgotten => None,
            None => Some(index + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_past_those_that_are_skipped() {
        let lines = LineNumbers::default();
        assert_eq!(lines.of(7), Some(8));
        lines.jump(2, 5);
        lines.jump(4, 10);
        let numbers: Vec<_> = (0..6).map(|i| lines.of(i).unwrap()).collect();
        assert_eq!(numbers, [1, 2, 5, 6, 10, 11]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_not_made_up() {
        let lines = LineNumbers::default();
        for i in 1..=REMEMBERED as u64 + 10 {
            lines.jump(i, 2 * i + 1);
        }
        assert_eq!(lines.of(5), None);
        assert_eq!(lines.of(1000), Some(2001));
        assert_eq!(lines.0.lock().unwrap().known.len(), REMEMBERED);
    }

    #[test]
    fn names_are_short() {
        let names = Names::Arguments([String::from("7"), "x".repeat(1000)].into());
        assert_eq!(names.of(0).as_deref(), Some("7"));
        assert_eq!(names.of(1).map(|n| n.len()), Some(SHOWN_BYTES));
        assert_eq!(names.of(2), None);
    }
}
