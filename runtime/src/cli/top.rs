//! `wasmpool top`: what the pools of this user's programs do now, on a screen that is drawn anew, or once.
//!
//! Owns the words and the screen; asks through `monitor`. Names in what it is told may be a guest's: they are shown, not
//! sent.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use super::args::TopArgs;
use super::exit::{self, Problem};
use super::figures::{grouped, size, time};
use super::print;
use super::signal::Interrupt;
use crate::catalogue::Code;
use crate::monitor::{Program, programs};
use crate::pool::{Snapshot, WorkerNow, WorkerState};
use crate::sys::terminal::{self, Mode};
use crate::text::printable;

/// Bytes of a name, at most.
const NAME_BYTES: usize = 60;
/// Onto a screen of its own, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first column of the first row; to the end of the line, the rest of it cleared; and all below cleared.
const HOME: &str = "\x1b[H";
const NEXT: &str = "\x1b[K\r\n";
const REST: &str = "\x1b[K\x1b[J";

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If programs cannot be asked, or standard output cannot be written.
pub fn run(args: &TopArgs) -> Result<u8, Problem> {
    if args.json {
        let mut text = serde_json::to_vec(&found()?).unwrap_or_default();
        text.push(b'\n');
        return print(&text);
    }
    let terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if args.once || !terminal {
        return print(table(&found()?).as_bytes());
    }
    let interrupt =
        Interrupt::listen().map_err(|e| Problem::machine("cannot listen to Ctrl-C", e))?;
    let screen = Screen::enter()?;
    let mode = screen.mode.clone();
    interrupt.cancels(move || {
        leave(&mode);
        std::process::exit(exit::INTERRUPTED.into());
    });
    loop {
        draw(&table(&found()?)).map_err(Problem::stdout)?;
        match terminal::keys(args.every) {
            // `q`, or Ctrl-D.
            Ok(keys) if keys.iter().any(|key| matches!(key, b'q' | b'Q' | 0x04)) => break,
            Ok(_) => {}
            // The terminal is gone.
            Err(_) => break,
        }
    }
    Ok(exit::DONE)
}

fn found() -> Result<Vec<Program>, Problem> {
    programs()
        .map_err(|e| Problem::doing(Code::MonitorUnusable, "cannot ask programs what they do", e))
}

/// The terminal while it is ours; as it was before once this is gone.
struct Screen {
    mode: Mode,
}

impl Screen {
    fn enter() -> Result<Screen, Problem> {
        let mode = Mode::keys().map_err(|e| Problem::machine("cannot use the terminal", e))?;
        let screen = Screen { mode };
        write(ENTER).map_err(Problem::stdout)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave(&self.mode);
    }
}

fn leave(mode: &Mode) {
    mode.restore();
    let _ = write(LEAVE);
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Shows as many lines and columns as there are.
fn draw(table: &str) -> io::Result<()> {
    let (width, height) = terminal::size(io::stdout()).unwrap_or((80, 24));
    write(&screenful(table, usize::from(width), usize::from(height)))
}

fn screenful(table: &str, width: usize, height: usize) -> String {
    let lines: Vec<&str> = table.lines().collect();
    let all = lines.len() <= height;
    let room = if all { lines.len() } else { height - 1 };
    let mut out = String::from(HOME);
    for (at, line) in lines[..room].iter().enumerate() {
        if at > 0 {
            out.push_str(NEXT);
        }
        out.extend(line.chars().take(width));
    }
    if !all {
        let more = format!("... {} more lines", lines.len() - room);
        out.push_str(NEXT);
        out.extend(more.chars().take(width));
    }
    out.push_str(REST);
    out
}

fn table(programs: &[Program]) -> String {
    let mut out = match programs.len() {
        0 => return "no pool runs, of a program of yours that tells of it\n".into(),
        1 => "1 program".to_owned(),
        n => format!("{n} programs"),
    };
    let pools = programs
        .iter()
        .map(|program| program.pools.len())
        .sum::<usize>();
    let workers = programs
        .iter()
        .flat_map(|program| &program.pools)
        .map(|pool| pool.workers.len());
    let _ = writeln!(out, ", {pools} pools, {} workers", workers.sum::<usize>());
    for program in programs {
        let command = program.command.join(" ");
        let _ = writeln!(
            out,
            "\n{}  {}",
            program.pid,
            printable(&command, 500).replace('\n', " ")
        );
        program
            .pools
            .iter()
            .for_each(|pool| append_pool(&mut out, pool));
        if !program.queues.is_empty() {
            out.push_str("  QUEUE                 MESSAGES        BYTES           OF  WAITING\n");
        }
        for queue in &program.queues {
            let _ = writeln!(
                out,
                "  {:<20} {:>9} {:>12} {:>12} {:>8}",
                name(&queue.name),
                grouped(queue.messages),
                size(queue.bytes),
                size(queue.most_bytes),
                queue.waiting
            );
        }
    }
    out
}

fn append_pool(out: &mut String, pool: &Snapshot) {
    let stats = &pool.stats;
    let failed: u64 = stats.failed.iter().map(|(_, count)| count).sum();
    let _ = writeln!(
        out,
        "  {}: {} items done, {} failed, {} workers replaced, open for {}",
        name(&pool.name),
        grouped(stats.done),
        grouped(failed),
        grouped(stats.workers_replaced),
        time(pool.at)
    );
    for job in &pool.jobs {
        let total = job
            .total
            .map_or(String::new(), |total| format!(" of {}", grouped(total)));
        let _ = writeln!(
            out,
            "  {}: {}{total} done, {} failed, {} waiting",
            name(&job.function),
            grouped(job.done),
            grouped(job.failed),
            grouped(job.waiting)
        );
    }
    if !pool.workers.is_empty() {
        out.push_str(
            "  WORKER       PID  STATE            ITEM       SINCE     GIVEN       MEMORY\n",
        );
    }
    pool.workers
        .iter()
        .for_each(|worker| append_worker(out, worker));
}

fn append_worker(out: &mut String, worker: &WorkerNow) {
    let state = match worker.state {
        WorkerState::Starting => "starting",
        WorkerState::Idle => "idle",
        WorkerState::Busy => "busy",
        WorkerState::Waiting => "waiting",
        WorkerState::Ending => "ending",
    };
    let known = |n: Option<u64>| n.map_or("-".into(), grouped);
    let _ = writeln!(
        out,
        "  {:<8} {:>7}  {state:<9} {:>11} {:>11} {:>9} {:>12}",
        format!("{}.{}", worker.slot, worker.generation),
        worker.pid.map_or("-".into(), |pid| pid.to_string()),
        known(worker.item),
        time(worker.since_nanos),
        grouped(worker.items_given),
        worker.resident_bytes.map_or("-".into(), size)
    );
}

fn name(name: &str) -> String {
    printable(name, NAME_BYTES).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Depth;
    use crate::pool::{JobNow, Stats};

    fn program() -> Program {
        let worker = WorkerNow {
            slot: 0,
            generation: 3,
            pid: Some(4711),
            state: WorkerState::Busy,
            since_nanos: 12_300_000,
            item: Some(1234),
            items_given: 4096,
            resident_bytes: Some(6 << 20),
        };
        Program {
            version: 1,
            pid: 4700,
            command: vec!["wasmpool".into(), "map".into()],
            pools: vec![Snapshot {
                at: 2_000_000_000,
                name: "the pool".into(),
                workers: vec![
                    worker.clone(),
                    WorkerNow {
                        slot: 1,
                        pid: None,
                        item: None,
                        state: WorkerState::Starting,
                        ..worker
                    },
                ],
                jobs: vec![JobNow {
                    function: "evil\x1b[2J".into(),
                    total: Some(10_000),
                    done: 1200,
                    failed: 34,
                    waiting: 200,
                }],
                stats: Stats {
                    done: 1200,
                    ..Stats::default()
                },
            }],
            queues: vec![Depth {
                name: "results".into(),
                kind: "queue".into(),
                messages: 12,
                bytes: 3000,
                most_bytes: 64 << 20,
                waiting: 1,
            }],
        }
    }

    #[test]
    fn all_that_runs_is_told() {
        assert_eq!(
            table(&[program()]),
            "1 program, 1 pools, 2 workers

4700  wasmpool map
  the pool: 1,200 items done, 0 failed, 0 workers replaced, open for 2.00 s
  evil\\u{1b}[2J: 1,200 of 10,000 done, 34 failed, 200 waiting
  WORKER       PID  STATE            ITEM       SINCE     GIVEN       MEMORY
  0.3         4711  busy            1,234     12.3 ms     4,096     6.00 MiB
  1.3            -  starting            -     12.3 ms     4,096     6.00 MiB
  QUEUE                 MESSAGES        BYTES           OF  WAITING
  results                     12     2.93 KiB     64.0 MiB        1
"
        );
        assert!(table(&[]).starts_with("no pool runs"));
    }

    #[test]
    fn a_small_screen_shows_what_fits() {
        let shown = screenful("abc\ndef\nghi\n", 2, 2);
        assert_eq!(shown, format!("{HOME}ab{NEXT}..{REST}"));
        let shown = screenful("abc\ndef\n", 80, 2);
        assert_eq!(shown, format!("{HOME}abc{NEXT}def{REST}"));
    }
}
