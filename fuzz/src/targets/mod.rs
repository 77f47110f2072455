//! The targets, and the seeds of their corpora.

mod cached;
mod frames;
mod json;
mod manifest;
mod messages;
mod ring;

/// A decoder of hostile bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// Gives it an input, and panics if that shows a bug. Returns whether the input was taken for a good one, so that a
    /// runner may go on from there.
    pub run: fn(&[u8]) -> bool,
    /// Good inputs, by names.
    pub seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "ring",
        run: ring::run,
        seeds: ring::seeds,
    },
    Target {
        name: "frame_to_host",
        run: frames::to_host,
        seeds: frames::to_host_seeds,
    },
    Target {
        name: "frame_to_worker",
        run: frames::to_worker,
        seeds: frames::to_worker_seeds,
    },
    Target {
        name: "messages",
        run: messages::run,
        seeds: messages::seeds,
    },
    Target {
        name: "hello",
        run: messages::hello,
        seeds: messages::hello_seeds,
    },
    Target {
        name: "manifest",
        run: manifest::run,
        seeds: manifest::seeds,
    },
    Target {
        name: "cache_entry",
        run: cached::run,
        seeds: cached::seeds,
    },
    Target {
        name: "json",
        run: json::line,
        seeds: json::line_seeds,
    },
    Target {
        name: "shown",
        run: json::shown,
        seeds: json::shown_seeds,
    },
];

/// What serde sets aside for a list before it has seen it, and as much for a list within it.
const LIST_BYTES: usize = 2 << 20;
