//! A line of standard error's terminal that is drawn anew: of progress, of a moment's work.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::terminal;

/// To the first column, and the line is empty.
const CLEAR: &str = "\r\x1b[2K";

/// Whether standard error is a terminal that can do that: what calls itself dumb cannot.
pub fn can_be_drawn() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// The last line of a terminal, which may be drawn anew. What is drawn is left where it is, and the cursor behind it.
#[derive(Debug, Default)]
pub struct Line(Mutex<String>);

impl Line {
    /// Draws this in place of what was drawn, within the terminal's width. With room for the `^C` that the terminal itself
    /// shows: on a full line it would begin another.
    pub fn draw(&self, text: impl FnOnce(usize) -> String) {
        let mut drawn = self.lock();
        let (width, _) = terminal::size(io::stderr()).unwrap_or((80, 24));
        *drawn = text(usize::from(width).saturating_sub(3));
        write(&format!("{CLEAR}{drawn}"));
    }

    /// Takes it away for what writes to the terminal, or for good.
    pub fn aside<T>(&self, for_good: bool, work: impl FnOnce() -> T) -> T {
        let mut drawn = self.lock();
        if !drawn.is_empty() {
            write(CLEAR);
        }
        let result = work();
        if for_good {
            drawn.clear();
        }
        write(&drawn);
        result
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
