//! `--stats`: what a job came to, for people and for programs.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::figures;
use super::values::show_size;
use crate::pool::{Latency, Recording, Stats, WorkerEnd};

/// What a job came to.
pub struct Summary {
    /// The pool's counts.
    pub stats: Stats,
    /// What happened in it.
    pub recording: Option<Recording>,
    /// Items whose result was printed.
    pub done: u64,
    /// Items that failed, results that could not be printed among them.
    pub failed: u64,
    /// Since the command's start.
    pub elapsed: Duration,
}

impl Summary {
    /// A line for each kind of figure.
    pub fn text(&self) -> String {
        let stats = &self.stats;
        let cached = match stats.cached {
            0 => String::new(),
            items => format!(" ({items} from the cache)"),
        };
        let failed = counted(self.failures());
        let mut text = format!(
            "items: {} done{cached}, {} failed{failed}, {} run again\n",
            self.done, self.failed, stats.run_again
        );
        if let Some(recording) = &self.recording {
            let time = &recording.latency;
            if time.count > 0 {
                let [p50, p90, p99, max] =
                    [time.p50, time.p90, time.p99, time.max].map(figures::time);
                let _ = writeln!(
                    text,
                    "time of an item: median {p50}, p90 {p90}, p99 {p99}, longest {max}"
                );
            }
        }
        let _ = writeln!(
            text,
            "workers: {} started, {} replaced{}",
            stats.workers_started,
            stats.workers_replaced,
            counted(self.replaced())
        );
        if let Some(cpu) = self.cpu_nanos() {
            let each = match self.ended() {
                0 => String::new(),
                items => format!(", {} an item", figures::time(cpu / items)),
            };
            let _ = writeln!(text, "processor: {} in workers{each}", figures::time(cpu));
        }
        if let Some(bytes) = self.recording.as_ref().and_then(|r| r.peak_bytes) {
            let _ = writeln!(text, "memory: {} in the largest worker", show_size(bytes));
        }
        let _ = writeln!(
            text,
            "data: {} in, {} out, {} chunks",
            show_size(stats.bytes_in),
            show_size(stats.bytes_out),
            stats.chunks
        );
        if stats.fuel > 0 {
            let _ = writeln!(text, "fuel: {} wasm fuel units", stats.fuel);
        }
        let code = match stats.from_cache {
            true => "compiled before",
            false => "compiled now",
        };
        let _ = writeln!(
            text,
            "time: {:.3} s, of which {:.3} s until the first worker was ready ({code})",
            self.elapsed.as_secs_f64(),
            stats.start_nanos as f64 / 1e9,
        );
        text
    }

    /// The same as one object. Times are in nanoseconds, sizes in bytes; what is not known is `null`.
    pub fn json(&self) -> Value {
        let stats = &self.stats;
        let recording = self.recording.as_ref();
        let of = |pairs: Vec<(&'static str, u64)>| -> Value {
            pairs
                .into_iter()
                .map(|(name, n)| (name, Value::from(n)))
                .collect()
        };
        let latency = recording
            .map(|recording| &recording.latency)
            .filter(|time| time.count > 0);
        json!({
            "items": {
                "done": self.done,
                "cached": stats.cached,
                "failed": of(self.failures()),
                "run_again": stats.run_again,
            },
            "latency": latency.map(self::latency),
            "workers": {
                "started": stats.workers_started,
                "replaced": stats.workers_replaced,
                "replaced_because": of(self.replaced()),
                "cpu": self.cpu_nanos(),
                "peak_bytes": recording.and_then(|recording| recording.peak_bytes),
            },
            "chunks": stats.chunks,
            "bytes_in": stats.bytes_in,
            "bytes_out": stats.bytes_out,
            "fuel": (stats.fuel > 0).then_some(stats.fuel),
            "elapsed": u64::try_from(self.elapsed.as_nanos()).unwrap_or(u64::MAX),
            "start": stats.start_nanos,
            "from_cache": stats.from_cache,
        })
    }

    fn ended(&self) -> u64 {
        self.done + self.failed
    }

    /// The kinds of failures that there were, and how many.
    pub fn failures(&self) -> Vec<(&'static str, u64)> {
        let failed = self.stats.failed.iter().filter(|(_, count)| *count > 0);
        failed.map(|(kind, count)| (kind.name(), *count)).collect()
    }

    /// Why workers were replaced: those that ended with the pool, or after as many items as they may serve, were not.
    fn replaced(&self) -> Vec<(&'static str, u64)> {
        let ends = self.recording.iter().flat_map(|recording| &recording.ends);
        ends.filter(|(why, _)| !matches!(why, WorkerEnd::Closed | WorkerEnd::Retired))
            .map(|(why, count)| (why.name(), *count))
            .collect()
    }

    fn cpu_nanos(&self) -> Option<u64> {
        self.recording.as_ref()?.cpu_nanos
    }
}

/// How long items took, in nanoseconds.
pub fn latency(time: &Latency) -> Value {
    json!({
        "count": time.count,
        "min": time.min,
        "p50": time.p50,
        "p90": time.p90,
        "p99": time.p99,
        "max": time.max,
    })
}

/// ` (trap 2, timeout 1)`, or nothing.
fn counted(pairs: Vec<(&'static str, u64)>) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!(" ({})", pairs.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn summary() -> Summary {
        Summary {
            stats: Stats {
                failed: vec![(FailureKind::Trap, 2), (FailureKind::Timeout, 0)],
                workers_started: 4,
                workers_replaced: 2,
                run_again: 5,
                chunks: 6,
                bytes_in: 7,
                bytes_out: 20480,
                fuel: 123,
                from_cache: true,
                start_nanos: 12_000_000,
                ..Stats::default()
            },
            recording: Some(Recording {
                until: 9,
                workers: Vec::new(),
                workers_left_out: 0,
                spans: Vec::new(),
                resolution: 0,
                latency: Latency {
                    count: 10,
                    min: 900,
                    p50: 1_500,
                    p90: 25_000,
                    p99: 3_000_000,
                    max: 123_000_000,
                    buckets: Vec::new(),
                },
                ends: vec![
                    (WorkerEnd::Retired, 9),
                    (WorkerEnd::Failure(FailureKind::Trap), 2),
                ],
                cpu_nanos: Some(2_000_000_000),
                peak_bytes: Some(34 << 20),
            }),
            done: 8,
            failed: 2,
            elapsed: Duration::from_millis(1500),
        }
    }

    #[test]
    fn a_summary_tells_all_figures() {
        assert_eq!(
            summary().text(),
            "items: 8 done, 2 failed (trap 2), 5 run again\n\
             time of an item: median 1.50 \u{b5}s, p90 25.0 \u{b5}s, p99 3.00 ms, longest 123 ms\n\
             workers: 4 started, 2 replaced (trap 2)\n\
             processor: 2.00 s in workers, 200 ms an item\n\
             memory: 34 MiB in the largest worker\n\
             data: 7 bytes in, 20 KiB out, 6 chunks\n\
             fuel: 123 wasm fuel units\n\
             time: 1.500 s, of which 0.012 s until the first worker was ready (compiled before)\n"
        );
        let json = summary().json();
        assert_eq!(json["items"]["failed"], json!({"trap": 2}));
        assert_eq!(json["workers"]["replaced_because"], json!({"trap": 2}));
        assert_eq!(json["latency"]["p99"], 3_000_000);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let text = Summary {
            recording: None,
            stats: Stats {
                cached: 3,
                ..Stats::default()
            },
            ..summary()
        }
        .text();
        assert!(
            text.starts_with("items: 8 done (3 from the cache), 2 failed, 0 run again\nworkers: 0"),
            "{text}"
        );
        assert!(
            !text.contains("processor") && !text.contains("fuel"),
            "{text}"
        );
    }
}
