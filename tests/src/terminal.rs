//! A real terminal for the program under test: a pseudo-terminal whose other end is read by a terminal emulator, as a
//! person would see it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::run::{PATIENCE, patiently, without_warning};

/// A program in a terminal of its own. Killed when it is dropped.
pub struct Terminal {
    child: Child,
    ours: File,
    theirs: OwnedFd,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn some(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has a size")
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Terminal {
    /// Starts a program, which is told that this is an ordinary terminal.
    pub fn start(mut command: Command, columns: u16, rows: u16, streams: Streams) -> Terminal {
        command.env("TERM", "xterm-256color");
        Self::start_as(command, columns, rows, streams)
    }

    /// Starts a program; which terminal it is told to be in is said by its environment.
    pub fn start_as(mut command: Command, columns: u16, rows: u16, streams: Streams) -> Terminal {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&ours).expect("it is ours");
        unlockpt(&ours).expect("it is ours");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let theirs = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).expect("its end");
        tcsetwinsize(&ours, size(columns, rows)).expect("it takes a size");
        let end = || theirs.try_clone().expect("a descriptor");
        if streams.stdin {
            command.stdin(end());
        }
        if streams.stdout {
            command.stdout(end());
        }
        command.stderr(end());
        // SAFETY: only system calls are made, between fork and exec; nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                // Standard error is the terminal whatever the other two are.
                rustix::process::ioctl_tiocsctty(rustix::stdio::stderr())?;
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(some(rows), some(columns), 0),
            bytes: Vec::new(),
        }));
        let ours = File::from(ours);
        let (mut from, to) = (ours.try_clone().expect("a descriptor"), seen.clone());
        // Ends when all ends of the terminal are closed: ours of `theirs`, too.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                let mut seen = to.lock().unwrap_or_else(PoisonError::into_inner);
                seen.parser.process(&bytes[..read]);
                seen.bytes.extend_from_slice(&bytes[..read]);
            }
        });
        Terminal {
            child,
            ours,
            theirs,
            seen,
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the screen shows, without blanks at the ends of lines and empty lines at its end, and without what is said of
    /// the machine.
    pub fn screen(&self) -> String {
        self.seen(|seen| without_warning(&seen.parser.screen().contents()))
    }

    /// Whether the cursor can be seen.
    pub fn shows_cursor(&self) -> bool {
        self.seen(|seen| !seen.parser.screen().hide_cursor())
    }

    /// All that was ever written to it.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen(|seen| seen.bytes.clone())
    }

    /// Waits for something on the screen, and gives the screen that had it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn until(&self, what: &str, found: impl Fn(&str) -> bool) -> String {
        let start = std::time::Instant::now();
        loop {
            let screen = self.screen();
            if found(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "no {what}:\n{screen}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &[u8]) {
        self.ours.write_all(keys).expect("the terminal takes keys");
    }

    /// Makes it larger or smaller.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen(|seen| seen.parser.screen_mut().set_size(some(rows), some(columns)));
        tcsetwinsize(&self.ours, size(columns, rows)).expect("it takes a size");
    }

    /// Whether it shows keys as they are pressed, and gives lines, as a shell needs it.
    pub fn is_as_shells_need_it(&self) -> bool {
        let modes = tcgetattr(self.theirs.as_fd())
            .expect("it is a terminal")
            .local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and for what it wrote last.
    pub fn finish(&mut self) -> ExitStatus {
        let status = patiently("the program ends", || {
            self.child.try_wait().expect("a child can be waited for")
        });
        // What it wrote is in the terminal by now, and is read in order: this comes behind it.
        rustix::io::write(&self.theirs, b"\x1b]2;over\x07").expect("the terminal is there");
        patiently("the last of it is read", || {
            self.bytes().ends_with(b"\x1b]2;over\x07").then_some(())
        });
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which streams go to the terminal; standard error always does.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
}
