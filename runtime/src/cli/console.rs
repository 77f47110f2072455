//! All that goes to standard error: errors, hints, warnings, messages of guests, progress.
//!
//! Whatever a guest may have written is shown, not sent: no text of a guest can command the terminal, and none can
//! begin a line of its own.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::args;
use super::exit::Problem;
use super::line::{self, Line};
use super::progress::Now;
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::ipc::frame::Level;
use crate::pool::options::LogRecord;
use crate::text::printable;

/// Bytes of one message, at most.
const MESSAGE_BYTES: usize = 8 << 10;
/// How long compiling takes before something is said of it.
const COMPILING_AFTER: Duration = Duration::from_secs(1);
/// Bytes of another program's output, at most.
const OUTPUT_BYTES: usize = 256 << 10;
/// Frames of a backtrace that are shown.
const FRAMES: usize = 20;
/// Time between two lines of progress, where no line can be drawn anew.
const LINES_EVERY: Duration = Duration::from_secs(1);
/// The same where one can.
const LINE_EVERY: Duration = Duration::from_millis(100);

/// Standard error. A closed or full one is no reason to stop.
#[derive(Debug)]
pub struct Console {
    quiet: bool,
    level: Level,
    progress: Progress,
}

/// How progress is shown.
#[derive(Debug)]
enum Progress {
    None,
    /// A line of a terminal that is drawn anew.
    Line(Line),
    /// A line a second.
    Lines,
}

/// A module is compiled, as long as this lives.
pub struct Compiling {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Compiling {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Console {
    /// Errors, hints and warnings only.
    pub fn plain() -> Self {
        Console {
            quiet: false,
            level: Level::Info,
            progress: Progress::None,
        }
    }

    /// Errors only, for tests.
    #[cfg(test)]
    pub fn silent() -> Self {
        Console {
            quiet: true,
            ..Self::plain()
        }
    }

    /// With messages of guests up to a level, and with progress: of a job whose results go to a terminal or not.
    pub fn new(
        voice: &args::VoiceArgs,
        progress: args::Progress,
        results_on_terminal: bool,
    ) -> Self {
        let quiet = voice.quiet;
        let terminal = line::can_be_drawn();
        let shown = match progress {
            args::Progress::Always => !quiet,
            args::Progress::Auto => terminal && !results_on_terminal && !quiet,
            args::Progress::Never => false,
        };
        Console {
            quiet,
            level: match voice.verbose {
                0 => Level::Info,
                1 => Level::Debug,
                _ => Level::Trace,
            },
            progress: match (shown, terminal) {
                (false, _) => Progress::None,
                (true, true) => Progress::Line(Line::default()),
                (true, false) => Progress::Lines,
            },
        }
    }

    /// From now until the value is dropped: says that a module is compiled, if that takes more than a moment and somebody
    /// may be looking.
    pub fn compiling(&self, module: &Path) -> Compiling {
        let terminal = line::can_be_drawn();
        let asked = matches!(self.progress, Progress::Lines);
        let shown = !self.quiet && (terminal || asked);
        let text = format!(
            "compiling {}",
            printable(&module.display().to_string(), 200)
        );
        let (stop, stopped) = mpsc::channel::<()>();
        let watch = move || {
            let over = |time| !matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
            if over(COMPILING_AFTER) {
                return;
            }
            if !terminal {
                let _ = writeln!(io::stderr(), "{text}");
                return;
            }
            let (line, start) = (Line::default(), Instant::now());
            loop {
                let passed = (COMPILING_AFTER + start.elapsed()).as_secs();
                let text = format!("{text} ({passed} s)");
                line.draw(|width| text.chars().take(width).collect());
                if over(COMPILING_AFTER) {
                    break;
                }
            }
            line.aside(true, || {});
        };
        // Where no thread can be had there is nothing said.
        let thread = shown.then(|| thread::Builder::new().name("progress".into()).spawn(watch));
        Compiling {
            stop: Some(stop),
            thread: thread.and_then(Result::ok),
        }
    }

    /// Why the command ends, and what to do.
    pub fn problem(&self, problem: &Problem) {
        let mut text = labelled(&coded(problem.code()), &problem.message());
        if let Some(hint) = problem.advice() {
            text.push_str(&labelled("hint", hint));
        }
        self.write(&text);
    }

    /// An error that does not end the command, or that sums up what was told.
    pub fn error(&self, code: Code, message: &str) {
        self.write(&labelled(&coded(code), message));
    }

    /// Something that the user should know.
    pub fn warning(&self, message: &str) {
        if !self.quiet {
            self.write(&labelled("warning", message));
        }
    }

    /// What is being done, where that is more than the command says by itself.
    pub fn note(&self, label: &str, message: &str) {
        if !self.quiet {
            self.write(&labelled(label, message));
        }
    }

    /// What another program wrote.
    pub fn output(&self, text: &[u8]) {
        let text = printable(&String::from_utf8_lossy(text), OUTPUT_BYTES);
        if !text.trim_end().is_empty() {
            self.write(&format!("{}\n", text.trim_end()));
        }
    }

    /// Lines that were asked for.
    pub fn report(&self, text: &str) {
        self.write(text);
    }

    /// Why an item has no result, and what to do.
    pub fn failure(&self, index: u64, name: Option<&str>, failure: &Failure, hint: Option<&str>) {
        let what = match name {
            Some(name) => format!("item {index} ({name})"),
            None => format!("item {index}"),
        };
        self.write(&failure_text(&what, failure, hint));
    }

    /// A message of a guest.
    pub fn log(&self, record: &LogRecord<'_>) {
        if !self.quiet && record.level <= self.level {
            let label = format!("item {} {}", record.index, level_name(record.level));
            self.write(&labelled(&label, record.message));
        }
    }

    /// A message of a process, by its name.
    pub fn log_of(&self, name: &str, record: &LogRecord<'_>) {
        if !self.quiet && record.level <= self.level {
            let label = format!("{name} {}", level_name(record.level));
            self.write(&labelled(&label, record.message));
        }
    }

    /// Why a process has no result, and what to do.
    pub fn failure_of(&self, name: &str, failure: &Failure, hint: Option<&str>) {
        self.write(&failure_text(name, failure, hint));
    }

    /// How often progress is to be shown, if it is.
    pub fn progress_every(&self) -> Option<Duration> {
        match self.progress {
            Progress::None => None,
            Progress::Line(_) => Some(LINE_EVERY),
            Progress::Lines => Some(LINES_EVERY),
        }
    }

    /// Shows progress: on a terminal in place of what was shown before.
    pub fn progress(&self, now: &Now) {
        match &self.progress {
            Progress::None => {}
            Progress::Line(line) => line.draw(|width| now.line(width)),
            Progress::Lines => write_all(&format!("progress: {}\n", now.words())),
        }
    }

    /// Does what writes to a terminal on which progress may be drawn.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        match &self.progress {
            Progress::Line(line) => line.aside(false, work),
            Progress::None | Progress::Lines => work(),
        }
    }

    /// Takes a drawn line of progress away.
    pub fn finish(&self) {
        if let Progress::Line(line) = &self.progress {
            line.aside(true, || {});
        }
    }

    fn write(&self, text: &str) {
        self.aside(|| write_all(text));
    }
}

fn write_all(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// How an error of a kind begins. That of an item does not: there the kind stands behind the item's name.
pub fn coded(code: Code) -> String {
    format!("error[{code}]")
}

/// `label: message`, with further lines of the message indented.
fn labelled(label: &str, message: &str) -> String {
    let message = printable(message.trim_end(), MESSAGE_BYTES).replace('\n', "\n  ");
    format!("{label}: {message}\n")
}

fn failure_text(what: &str, failure: &Failure, hint: Option<&str>) -> String {
    let mut what = format!("{what}: {failure}");
    if failure.attempts > 1 {
        let _ = write!(what, " (after {} attempts)", failure.attempts);
    }
    let mut text = labelled("error", &what);
    for frame in failure.backtrace.iter().take(FRAMES) {
        let frame = printable(frame, 512).replace('\n', " ");
        let _ = writeln!(text, "  at {frame}");
    }
    if failure.backtrace.len() > FRAMES {
        let _ = writeln!(text, "  and {} more", failure.backtrace.len() - FRAMES);
    }
    if let Some(hint) = hint {
        text.push_str(&labelled("hint", hint));
    }
    text
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    #[test]
    fn no_text_of_a_guest_begins_a_line() {
        assert_eq!(
            labelled("item 3 info", "a\x1b[2J\nerror: b\n"),
            "item 3 info: a\\u{1b}[2J\n  error: b\n"
        );
        let failure = Failure {
            kind: FailureKind::Trap,
            message: "unreachable\nhint: x".into(),
            backtrace: vec!["f\nerror: y".into(), "main".into()],
            attempts: 2,
        };
        assert_eq!(
            failure_text("item 4 (a.txt)", &failure, Some("do this")),
            "error: item 4 (a.txt): trap: unreachable\n  hint: x (after 2 attempts)\n  \
             at f error: y\n  at main\nhint: do this\n"
        );
    }
}
