//! What is left of a job in a file: `--report`, a page for people, and `--trace`, events for Perfetto.
//!
//! - `html`: the page, put together from its template (`page.html`), its looks (`page.css`) and its scripts (`data.js`: what
//!   was recorded; `time.js`, `curves.js`: drawn over time; `input.js`: moving and zooming; `latency.js`; `lists.js`).
//! - `parts`: what the page says in plain HTML. `trace`: the events.
//!
//! This file owns what both are made of, [`Story`], and the data of the page. Everything that a guest may have said
//! (messages, names, backtraces) is data here; `html` owns how it is escaped.

mod html;
mod parts;
mod trace;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub use html::page;

use super::exit::Problem;
use super::progress::Sample;
use super::summary::{self, Summary};
use crate::catalogue::Code;
use crate::failure::Failure;
use crate::limits::Limits;
use crate::monitor::command_line;
use crate::pool::{Recording, Span, WorkerEnd};
use crate::sandbox::layers::{Layer, Layers};
use crate::text::printable;

/// Failures that are kept for a report.
const MOST_FAILURES: usize = 1000;
/// Bytes of a failure's message that are, and of a frame of its backtrace.
const MESSAGE_BYTES: usize = 2000;
const FRAME_BYTES: usize = 300;
/// Points of a curve.
const POINTS: u64 = 500;

/// A file that is written at the end, but made at the start: a path that cannot be written is told before any work. It is
/// removed again if nothing is written.
pub struct Output {
    path: PathBuf,
    file: File,
    written: bool,
}

impl Output {
    /// Makes the file, in place of any that is there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: PathBuf) -> Result<Output, Problem> {
        let failed = |e: io::Error| {
            let what = format!("cannot write to {}", path.display());
            Problem::doing(Code::OutputRefused, what, e)
        };
        let file = File::create(&path).map_err(failed)?;
        Ok(Output {
            path,
            file,
            written: false,
        })
    }

    /// Writes all of it.
    fn write(
        mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Problem> {
        let mut out = BufWriter::new(&self.file);
        let done = write(&mut out).and_then(|()| out.flush());
        drop(out);
        self.written = done.is_ok();
        let what = || format!("cannot write to {}", self.path.display());
        done.map_err(|e| Problem::doing(Code::OutputFailed, what(), e))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Never a device or a pipe that was named in place of a file.
        let is_file = self.file.metadata().is_ok_and(|known| known.is_file());
        if is_file && !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An item that failed.
struct Failed {
    index: u64,
    name: Option<String>,
    failure: Failure,
    /// When that was told, in nanoseconds since the pool was opened.
    at: u64,
}

/// The failures of a job, the first of them with all that is known.
#[derive(Default)]
pub struct Failures {
    kept: Vec<Failed>,
    left_out: u64,
}

impl Failures {
    /// Adds one, told at a time in nanoseconds since the pool was opened.
    pub fn add(&mut self, index: u64, name: Option<String>, failure: &Failure, at: u64) {
        if self.kept.len() >= MOST_FAILURES {
            self.left_out += 1;
            return;
        }
        let mut failure = failure.clone();
        failure.message = printable(&failure.message, MESSAGE_BYTES);
        let frames = failure.backtrace.iter();
        failure.backtrace = frames.map(|frame| printable(frame, FRAME_BYTES)).collect();
        self.kept.push(Failed {
            index,
            name,
            failure,
            at,
        });
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every item has a result.
    Done,
    /// Some have not.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

/// All that is known of a job that is over.
pub struct Story<'a> {
    /// What it came to.
    pub summary: &'a Summary,
    /// What happened in its pool.
    pub recording: &'a Recording,
    /// Memory of its workers over time.
    pub samples: &'a [Sample],
    /// The items that failed.
    pub failures: &'a Failures,
    /// The module.
    pub module: &'a Path,
    /// The function or task.
    pub function: &'a str,
    /// The bounds that were in force.
    pub limits: &'a Limits,
    /// The layers of the wall that were; `None` of workers that are threads.
    pub layers: Option<Layers>,
    /// How it ended.
    pub exit: Exit,
}

impl Story<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn report(&self, to: Output) -> Result<(), Problem> {
        let page = page(&self.data());
        to.write(|out| out.write_all(page.as_bytes()))
    }

    /// Writes the events.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn trace(&self, to: Output) -> Result<(), Problem> {
        to.write(|out| trace::write(self, out))
    }

    fn data(&self) -> Value {
        let recording = self.recording;
        let workers = recording.workers.iter().map(|worker| {
            json!({
                "slot": worker.slot,
                "generation": worker.generation,
                "started": worker.started,
                "ready": worker.ready,
                "ended": worker.ended.map(|(at, _)| at),
                "pid": worker.pid,
                "why": worker.ended.and_then(|(_, why)| end_name(why)),
                "cpu": worker.usage.map(|usage| usage.cpu_nanos),
                "peak_bytes": worker.usage.map(|usage| usage.peak_bytes),
            })
        });
        let spans = recording.spans.iter().map(|span| {
            json!([
                span.slot,
                span.generation,
                span.index,
                span.items,
                span.from,
                span.to,
                span.failed
            ])
        });
        let failures = self.failures.kept.iter().map(|failed| {
            json!({
                "index": failed.index,
                "name": failed.name,
                "kind": failed.failure.kind.name(),
                "message": failed.failure.message,
                "backtrace": failed.failure.backtrace,
                "attempts": failed.failure.attempts,
                "at": failed.at,
            })
        });
        let layers = Layer::ALL.iter().map(|layer| {
            let state = match self.layers {
                None => "not used",
                Some(layers) if layers.has(*layer) => "in force",
                Some(_) => "not available",
            };
            json!({ "name": layer.name(), "state": state })
        });
        let stats = &self.summary.stats;
        let failed: Value = self.summary.failures().into_iter().collect();
        let mut latency = summary::latency(&recording.latency);
        latency["buckets"] = json!(recording.latency.buckets);
        json!({
            "version": 1,
            "program": format!("wasmpool {}", env!("CARGO_PKG_VERSION")),
            "engine": format!("wasmtime {}", crate::engine::config::VERSION),
            "command": command_line().collect::<Vec<_>>(),
            "module": self.module.to_string_lossy(),
            "function": self.function,
            "started_unix": self.started_unix(),
            "ended": recording.until,
            "exit": match self.exit {
                Exit::Done => "done",
                Exit::Failed => "failed",
                Exit::Interrupted => "interrupted",
            },
            "workers": workers.collect::<Vec<_>>(),
            "workers_left_out": recording.workers_left_out,
            "spans": spans.collect::<Vec<_>>(),
            "resolution": recording.resolution,
            "latency": latency,
            "memory": self.samples.iter().map(|sample| json!([sample.at, sample.resident_bytes, sample.workers])).collect::<Vec<_>>(),
            "throughput": throughput(&recording.spans, recording.until),
            "failures": failures.collect::<Vec<_>>(),
            "failures_left_out": self.failures.left_out,
            "counts": {
                "done": self.summary.done,
                "failed": failed,
                "cached": stats.cached,
                "run_again": stats.run_again,
                "workers_started": stats.workers_started,
                "workers_replaced": stats.workers_replaced,
                "chunks": stats.chunks,
                "bytes_in": stats.bytes_in,
                "bytes_out": stats.bytes_out,
                "cpu": recording.cpu_nanos,
                "peak_bytes": recording.peak_bytes,
            },
            "limits": limits(self.limits),
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    /// When the pool was opened, in seconds since 1970.
    fn started_unix(&self) -> Option<f64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(now.as_secs_f64() - self.recording.until as f64 / 1e9)
    }
}

/// How many items were done and failed by which times.
fn throughput(spans: &[Span], until: u64) -> Vec<(u64, u64, u64)> {
    let step = until.div_ceil(POINTS).max(1);
    let mut points = vec![(0u64, 0u64); usize::try_from(until / step + 1).unwrap_or(0)];
    for span in spans {
        if let Some(point) = points.get_mut((span.to / step) as usize) {
            point.0 += u64::from(span.items - span.failed.min(span.items));
            point.1 += u64::from(span.failed);
        }
    }
    let mut sum = (0, 0);
    let points = points.into_iter().enumerate().map(|(at, (done, failed))| {
        sum = (sum.0 + done, sum.1 + failed);
        (((at as u64 + 1) * step).min(until), sum.0, sum.1)
    });
    points.collect()
}

fn limits(limits: &Limits) -> Value {
    let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).ok();
    json!({
        "timeout_ns": nanos(limits.timeout),
        "memory_bytes": limits.memory_bytes,
        "table_elements": limits.table_elements,
        "instances": limits.instances,
        "stack_bytes": limits.stack_bytes,
        "result_bytes": limits.result_bytes,
        "log_bytes": limits.log_bytes,
        "module_bytes": limits.module_bytes,
        "compile_timeout_ns": nanos(limits.compile_timeout),
        "compile_memory_bytes": limits.compile_memory_bytes,
        "compiled_bytes": limits.compiled_bytes,
        "start_timeout_ns": nanos(limits.start_timeout),
        "fuel": limits.fuel,
    })
}

/// What a worker's end is called on a timeline; the end of its pool is none.
fn end_name(why: WorkerEnd) -> Option<&'static str> {
    (why != WorkerEnd::Closed).then(|| why.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_in_the_curve_once() {
        let span = |to, items, failed| Span {
            slot: 0,
            generation: 1,
            index: 0,
            items,
            failed,
            from: 0,
            to,
        };
        let spans = [span(10, 4, 1), span(999_999, 3, 0), span(1_000_000, 2, 2)];
        let curve = throughput(&spans, 1_000_000);
        assert_eq!(curve.last(), Some(&(1_000_000, 6, 3)));
        assert_eq!(curve[0], (2000, 3, 1));
        assert!(curve.len() <= POINTS as usize + 1 && curve.is_sorted());
        assert_eq!(throughput(&[], 0), [(0, 0, 0)]);
    }

    #[test]
    fn a_file_that_is_not_written_is_removed_again() {
        let path = std::env::temp_dir().join(format!("wasmpool-report-{}", std::process::id()));
        drop(Output::create(path.clone()).unwrap());
        assert!(!path.exists());
        let output = Output::create(path.clone()).unwrap();
        output.write(|out| out.write_all(b"x")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
        std::fs::remove_file(&path).unwrap();
        drop(Output::create("/dev/null".into()).unwrap());
        assert!(Path::new("/dev/null").exists());
        let missing = Output::create("/nowhere/x.html".into()).err().unwrap();
        assert!(
            missing
                .message()
                .starts_with("cannot write to /nowhere/x.html: "),
            "{missing:?}"
        );
        assert_eq!(missing.exit(), super::super::exit::USAGE);
    }
}
