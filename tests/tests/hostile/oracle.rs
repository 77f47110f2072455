//! What holds after every attack, whatever it was.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{getpid, set_child_subreaper};
use wasmpool_tests::{Process, Ran, Watched, fork_servers, patiently, running, wasmpool};

/// Runs the program to its end, and checks that all its processes end and that nothing hostile came through.
pub fn run(args: &[&str]) -> Ran {
    let mut started = wasmpool(args).start();
    let mut watched = Watched::new(started.id());
    let over = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                watched.look();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let ran = started.finish();
        over.store(true, Ordering::Relaxed);
        ran
    });
    patiently("no process of the run is left", || {
        watched.left().is_empty().then_some(())
    });
    harmless(&ran);
    ran
}

/// Nothing on standard error commands a terminal or deceives its reader, and standard output is one JSON value a line.
fn harmless(ran: &Ran) {
    let bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!ran.stderr.contains(bad), "{:?}", ran.stderr);
    // What a guest has written is indented, or stands behind a label.
    const LABELS: [&str; 6] = ["error: ", "error[", "hint: ", "warning: ", "item ", "  "];
    for line in ran.stderr.lines() {
        assert!(
            LABELS.iter().any(|label| line.starts_with(label)),
            "whose line is `{line}`? {ran:?}"
        );
        assert!(!line.starts_with("error: forged"), "{ran:?}");
    }
    ran.json();
}

/// What this process has that could be left behind: descriptors and children.
pub struct Ours {
    descriptors: usize,
    children: BTreeSet<Process>,
}

impl Ours {
    /// What there is now. From here on, processes whose parents end become children of this one.
    pub fn now() -> Self {
        set_child_subreaper(Some(getpid())).expect("orphans can be adopted");
        Ours {
            descriptors: descriptors(),
            children: children(),
        }
    }

    /// `Err` with the difference, if it does not go away.
    pub fn is_left(&self) -> Result<(), String> {
        for _ in 0..500 {
            if self.difference().is_none() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.difference().map_or(Ok(()), Err)
    }

    fn difference(&self) -> Option<String> {
        let (descriptors, children) = (descriptors(), children());
        let new: Vec<_> = children.difference(&self.children).collect();
        let more = descriptors > self.descriptors || !new.is_empty();
        let were = self.descriptors;
        more.then(|| format!("{were} descriptors became {descriptors}; new children {new:?}"))
    }
}

fn descriptors() -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("/proc can be read");
    open.count()
}

fn children() -> BTreeSet<Process> {
    let all = fork_servers(std::process::id());
    running(all).into_iter().collect()
}
