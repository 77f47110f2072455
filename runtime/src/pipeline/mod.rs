//! Pipelines: processes with replicas, joined by queues.
//!
//! - `plan`: what a pipeline is, and what is wrong with one before it runs.
//! - `run`: running one: starting in order, ends of files from the source on, failures, deadlocks.
//!
//! Built on `pool` and `objects` alone. Knows no file format: that is `cli`'s.

mod plan;
mod run;

pub use plan::{Pipeline, PlanError, Stage};
pub use run::{Ended, PipelineError, Report, Stopper};
