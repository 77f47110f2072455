//! A job as events in the JSON form of the Trace Event Format, which Perfetto and `chrome://tracing` read: a thread a
//! worker's place; times in microseconds.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Story, end_name};

/// Writes all events.
pub fn write(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let mut first = true;
    for event in events(story) {
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        serde_json::to_writer(&mut *out, &event)?;
    }
    out.write_all(b"\n]}\n")
}

fn events<'a>(story: &'a Story<'a>) -> impl Iterator<Item = Value> + 'a {
    let recording = story.recording;
    let called = format!("wasmpool {}:{}", story.module.display(), story.function);
    let process = json!({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": called}});
    let mut slots: Vec<_> = recording.workers.iter().map(|worker| worker.slot).collect();
    slots.sort_unstable();
    slots.dedup();
    let threads = slots.into_iter().flat_map(|slot| {
        let name = format!("worker {slot}");
        [
            json!({"ph": "M", "pid": 1, "tid": thread(slot), "name": "thread_name", "args": {"name": name}}),
            json!({"ph": "M", "pid": 1, "tid": thread(slot), "name": "thread_sort_index", "args": {"sort_index": slot}}),
        ]
    });
    let workers = recording.workers.iter().flat_map(|worker| {
        let args = json!({
            "generation": worker.generation,
            "cpu_ns": worker.usage.map(|usage| usage.cpu_nanos),
            "peak_bytes": worker.usage.map(|usage| usage.peak_bytes),
        });
        let until = worker.ready.or(worker.ended.map(|(at, _)| at)).unwrap_or(recording.until);
        let start = json!({
            "ph": "X", "pid": 1, "tid": thread(worker.slot), "cat": "worker", "name": "starting",
            "ts": micros(worker.started), "dur": micros(until.saturating_sub(worker.started)), "args": args,
        });
        let end = worker.ended.and_then(|(at, why)| {
            Some(json!({
                "ph": "i", "s": "t", "pid": 1, "tid": thread(worker.slot), "cat": "worker",
                "name": end_name(why)?, "ts": micros(at), "args": args,
            }))
        });
        [start].into_iter().chain(end)
    });
    let spans = recording.spans.iter().map(|span| {
        let name = match span.items {
            1 => format!("item {}", span.index),
            items => format!("{items} items"),
        };
        json!({
            "ph": "X", "pid": 1, "tid": thread(span.slot), "cat": "items", "name": name,
            "ts": micros(span.from), "dur": micros(span.to.saturating_sub(span.from)),
            "args": {
                "first_index": span.index,
                "items": span.items,
                "failed": span.failed,
                "generation": span.generation,
            },
        })
    });
    let memory = story.samples.iter().map(|sample| {
        json!({
            "ph": "C", "pid": 1, "name": "memory of all workers", "ts": micros(sample.at),
            "args": {"bytes": sample.resident_bytes},
        })
    });
    [process]
        .into_iter()
        .chain(threads)
        .chain(workers)
        .chain(spans)
        .chain(memory)
}

/// 0 is no thread.
fn thread(slot: u32) -> u64 {
    u64::from(slot) + 1
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
