//! What a person sees: progress, its end, narrow and resized terminals, interruption, and `wasmpool top`.

use std::fs::File;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;
use wasmpool_tests::{
    Streams, Suite, Temporary, Terminal, module, patiently, program, root, temporary,
};

fn main() -> ExitCode {
    Suite::new()
        .test("progress_shows_how_far_it_is", progress)
        .test("results_and_progress_share_a_terminal", shared)
        .test("a_total_that_is_not_known_is_not_shown", unknown_total)
        .test("a_narrow_terminal_shows_what_matters", narrow)
        .test("a_terminal_may_change_its_size", resized)
        .test("interrupted_once", interrupted)
        .test("plain_terminals_get_plain_text", plain)
        .test("top_shows_what_runs", top)
        .test("top_on_one_line", small_top)
        .test("top_for_programs", top_for_programs)
        .run()
}

const ALL: Streams = Streams {
    stdin: true,
    stdout: true,
};
const ERRORS: Streams = Streams {
    stdin: false,
    stdout: false,
};

/// The program with a place of its own for its sockets.
fn command(place: &Temporary, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .current_dir(root())
        .env("WASMPOOL_CACHE_DIR", place.path("cache"))
        .env("XDG_RUNTIME_DIR", place.path(""))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// A map whose fourth item never ends, so that what is shown of it stays.
fn stuck<'a>(behave: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = [
        "map",
        behave,
        "--workers",
        "1",
        "--chunk-size",
        "1",
        "--timeout",
        "1h",
    ];
    [&fixed, more, &["--", "1", "2", "3", "-1", "5"]].concat()
}

fn spin() -> String {
    format!("{}:spin-if-negative", module("behave"))
}

fn progress() {
    let place = temporary();
    let results = place.path("results");
    let mut command = command(&place, &stuck(&spin(), &["--progress", "always"]));
    command.stdout(File::create(&results).unwrap());
    let mut terminal = Terminal::start(command, 100, 24, ERRORS);
    let screen = terminal.until("progress", |screen| {
        screen.contains("3 of 5") && screen.contains("1/1 busy") && screen.contains("MiB")
    });
    assert!(screen.starts_with('['), "{screen}");
    assert_eq!(screen.lines().count(), 1, "{screen}");
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
    let screen = terminal.screen();
    assert_eq!(
        screen.trim_end().trim_start_matches("^C"),
        "error[interrupted]: interrupted after 3 results"
    );
    assert_eq!(std::fs::read_to_string(&results).unwrap(), "1\n2\n3\n");
}

/// What is printed stays whole, above a line that is drawn anew.
fn shared() {
    let place = temporary();
    let command = command(&place, &stuck(&spin(), &["--progress", "always"]));
    let mut terminal = Terminal::start(command, 100, 24, ALL);
    let screen = terminal.until("results and progress", |screen| {
        screen.starts_with("1\n2\n3\n[") && screen.contains("3 of 5")
    });
    assert_eq!(screen.lines().count(), 4, "{screen}");
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
}

fn unknown_total() {
    let place = temporary();
    let behave = spin();
    let fixed = [
        "map",
        &behave,
        "--workers",
        "1",
        "--timeout",
        "1h",
        "--chunk-size",
        "1",
    ];
    let args = [&fixed[..], &["--input", "-", "--progress", "always"]].concat();
    let mut command = command(&place, &args);
    let (from, mut to) = std::io::pipe().unwrap();
    command.stdin(from);
    let mut terminal = Terminal::start(command, 100, 24, ERRORS);
    to.write_all(b"1\n2\n").unwrap();
    terminal.until("a count without a total", |screen| {
        screen.starts_with("2 items") && screen.contains("0/1 busy") && !screen.contains(" of ")
    });
    to.write_all(b"-1\n").unwrap();
    drop(to);
    terminal.until("a total, once it is known", |screen| {
        screen.contains("2 of 3") && screen.contains("1/1 busy")
    });
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
}

fn narrow() {
    let place = temporary();
    let command = command(&place, &stuck(&spin(), &["--progress", "always"]));
    let mut terminal = Terminal::start(command, 12, 24, ERRORS);
    let screen = terminal.until("progress", |screen| screen.contains("3 of 5"));
    assert_eq!(screen.trim_end(), "3 of 5", "what does not fit is left out");
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
}

fn resized() {
    let place = temporary();
    let command = command(&place, &stuck(&spin(), &["--progress", "always"]));
    let mut terminal = Terminal::start(command, 100, 24, ERRORS);
    terminal.until("a wide line", |screen| screen.contains("busy"));
    terminal.resize(12, 10);
    terminal.until("a narrow line", |screen| {
        screen
            .lines()
            .last()
            .is_some_and(|line| line.trim_end() == "3 of 5")
    });
    terminal.resize(100, 24);
    terminal.until("a wide line again", |screen| screen.contains("busy"));
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
}

/// With results on the same terminal: what was done is printed, the line is gone, the terminal is as it was.
fn interrupted() {
    let place = temporary();
    let command = command(&place, &stuck(&spin(), &["--progress", "always"]));
    let mut terminal = Terminal::start(command, 80, 24, ALL);
    terminal.until("the third result", |screen| screen.contains("3 of 5"));
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
    let screen = terminal.screen();
    assert!(screen.starts_with("1\n2\n3\n"), "{screen}");
    assert!(
        screen
            .trim_end()
            .ends_with("error[interrupted]: interrupted after 3 results"),
        "{screen}"
    );
    assert!(
        !screen.contains(" of 5") && !screen.contains("busy"),
        "{screen}"
    );
    assert!(terminal.shows_cursor() && terminal.is_as_shells_need_it());
}

fn plain() {
    let place = temporary();
    // No colours, with or without anybody asking for none.
    let identity = format!("{}:identity", module("behave"));
    let args = ["map", &identity, "--progress", "always", "--stats", "7"];
    for no_color in [false, true] {
        let mut command = command(&place, &args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut terminal = Terminal::start(command, 80, 24, ALL);
        assert_eq!(terminal.finish().code(), Some(0));
        let bytes = String::from_utf8(terminal.bytes()).unwrap();
        let colours = bytes.split("\x1b[").skip(1).filter(|rest| {
            let end = rest.find(|c: char| c.is_ascii_alphabetic());
            end.is_some_and(|end| rest[end..].starts_with('m') && !matches!(&rest[..end], "" | "0"))
        });
        assert_eq!(colours.count(), 0, "{bytes:?}");
    }
    // What calls itself dumb gets lines, as a file does.
    let mut command = command(&place, &args);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start_as(command, 80, 24, ALL);
    assert_eq!(terminal.finish().code(), Some(0));
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    let said = bytes.replace("\x1b]2;over\x07", "");
    assert!(!said.contains('\x1b'), "{said:?}");
    assert!(said.contains("progress: 1"), "{said:?}");
}

/// A map that goes on until it is dropped, in a place; its sockets are there.
fn running(place: &Temporary) -> Killed {
    let child = command(place, &stuck(&spin(), &[])).spawn().unwrap();
    let running = Killed(child);
    let folder = place.path("wasmpool");
    patiently("the map can be looked at", || {
        let sockets = std::fs::read_dir(&folder).ok()?.flatten();
        sockets.map(|entry| entry.file_name()).find(|name| {
            name.to_str()
                .is_some_and(|name| name.starts_with(&format!("{}-", running.0.id())))
        })
    });
    running
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn top() {
    let place = temporary();
    let running = running(&place);
    let mut terminal = Terminal::start(command(&place, &["top", "--every", "100ms"]), 100, 24, ALL);
    let screen = terminal.until("a busy worker", |screen| {
        screen.contains("busy") && screen.contains("spin-if-negative: 3 of 5 done, 0 failed, ")
    });
    assert!(
        screen.starts_with("1 program, 1 pools, 1 workers"),
        "{screen}"
    );
    assert!(screen.contains(&running.0.id().to_string()), "{screen}");
    let busy = screen.lines().find(|line| line.contains("busy")).unwrap();
    let words: Vec<_> = busy.split_whitespace().collect();
    assert_eq!(
        (words[0], words[2], words[3]),
        ("0.1", "busy", "3"),
        "{screen}"
    );
    assert!(!terminal.shows_cursor());
    drop(running);
    terminal.until("nothing to be seen", |screen| {
        screen.contains("no pool runs")
    });
    terminal.press(b"q");
    assert_eq!(terminal.finish().code(), Some(0));
    assert!(terminal.shows_cursor() && terminal.is_as_shells_need_it());
    assert_eq!(
        terminal.screen().trim_end(),
        "",
        "what was there before is there again"
    );

    let mut terminal = Terminal::start(command(&place, &["top"]), 100, 24, ALL);
    terminal.until("nothing to be seen", |screen| {
        screen.contains("no pool runs")
    });
    terminal.press(&[3]);
    assert_eq!(terminal.finish().code(), Some(130));
    assert!(terminal.shows_cursor() && terminal.is_as_shells_need_it());
}

fn small_top() {
    let place = temporary();
    let _running = running(&place);
    let mut terminal = Terminal::start(command(&place, &["top", "--every", "50ms"]), 20, 3, ALL);
    let screen = terminal.until("what fits", |screen| screen.contains("more lines"));
    assert_eq!(screen.lines().count(), 3, "{screen}");
    terminal.resize(100, 24);
    terminal.until("all of it", |screen| {
        screen.contains("busy") && !screen.contains("more lines")
    });
    terminal.press(b"q");
    assert_eq!(terminal.finish().code(), Some(0));
}

fn top_for_programs() {
    let place = temporary();
    let top = |args: &[&str]| {
        let ran = command(&place, args)
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(top(&["top", "--json"]), "[]\n");
    let mut running = running(&place);
    let programs: Value = serde_json::from_str(&top(&["top", "--json"])).unwrap();
    assert_eq!(programs[0]["pid"], running.0.id());
    assert_eq!(
        programs[0]["pools"][0]["jobs"][0]["function"],
        "spin-if-negative"
    );
    // Without a terminal it prints once.
    assert!(top(&["top"]).contains("busy"));
    // One that was killed leaves a socket, and nobody takes it for a program.
    running.0.kill().unwrap();
    running.0.wait().unwrap();
    assert_eq!(top(&["top", "--json"]), "[]\n");
    let left = std::fs::read_dir(place.path("wasmpool")).unwrap();
    assert_eq!(left.count(), 0, "its socket was removed");
    // A place that others could have prepared is not looked into.
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.path("wasmpool"), open).unwrap();
    let ran = command(&place, &["top"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("can be written by others"), "{said}");
}
