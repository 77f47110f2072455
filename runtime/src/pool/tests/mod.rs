//! The host against workers that are under an attacker's control. The host is real: its core, its supervisor, its end of
//! the links. The workers are threads of the test, which hold exactly what a worker process holds.
//!
//! - `actor`: a worker, honest or not.
//! - `stage`: a pool of them, and a job that it has to get right.
//! - `attacks`: what they try; `files`: the same with large results; `calls`: with what they ask of shared objects.

mod actor;
mod attacks;
mod calls;
mod files;
mod stage;
