//! The terminal that this process was started in: keys as they are pressed, its size, and as it was before.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// How a terminal was set before keys came as they are pressed.
#[derive(Clone, Debug)]
pub struct Mode(Termios);

impl Mode {
    /// From now on keys of standard input's terminal come as they are pressed, and are not shown. Ctrl-C stays a signal.
    ///
    /// # Errors
    /// If standard input is no terminal.
    pub fn keys() -> io::Result<Mode> {
        let before = tcgetattr(io::stdin())?;
        let mut keys = before.clone();
        keys.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &keys)?;
        Ok(Mode(before))
    }

    /// The terminal is as it was before. Where it has gone, there is nothing to be done.
    pub fn restore(&self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Columns and rows of a terminal, if it is one that knows them.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// Waits for keys, for so long; none if none was pressed by then, or the terminal's size has changed.
///
/// # Errors
/// If standard input cannot be read, or is at its end: the terminal is gone.
pub fn keys(within: Duration) -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    let within = Timespec::try_from(within).ok();
    match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], within.as_ref()) {
        Ok(0) | Err(Errno::INTR) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(e) => return Err(e.into()),
    }
    let mut keys = vec![0; 16];
    let read = rustix::io::read(&stdin, &mut keys)?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    keys.truncate(read);
    Ok(keys)
}
