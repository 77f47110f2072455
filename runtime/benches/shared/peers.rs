//! Python's `multiprocessing`, asked through a script that lies beside this file.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::table::Row;

/// An interpreter that waits for what to measure.
pub struct Python(RefCell<Running>);

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it: `WASMPOOL_PYTHON`, else `python3`. `None` if there is none that can.
    pub fn start() -> Option<Python> {
        let python = std::env::var_os("WASMPOOL_PYTHON").unwrap_or_else(|| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/shared/peers.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let input = child.stdin.take().expect("it was asked for");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let python = Python(RefCell::new(Running {
            child,
            input,
            output,
        }));
        // Whether it has what the script needs.
        python.ask("lock - 0 1")?;
        Some(python)
    }

    fn ask(&self, what: &str) -> Option<Vec<f64>> {
        let running = &mut *self.0.borrow_mut();
        writeln!(running.input, "{what}").ok()?;
        let mut line = String::new();
        running.output.read_line(&mut line).ok()?;
        let nanos: Option<Vec<f64>> = line.split_whitespace().map(|n| n.parse().ok()).collect();
        nanos.filter(|nanos| !nanos.is_empty())
    }

    /// A row of it: what it is asked, but for how often.
    pub fn row<'a>(&'a self, name: &'static str, each: usize, what: &'static str) -> Row<'a> {
        Row {
            name,
            each,
            against: None,
            bound: None,
            run: Box::new(move |n, out| {
                let nanos = self.ask(&format!("{what} {n}"));
                out.extend(nanos.expect("Python's multiprocessing works"));
            }),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
