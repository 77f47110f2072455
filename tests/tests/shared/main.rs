//! What processes share, through the guests' side and the host's, in pools of every isolation: a module a kind of object,
//! and what goes beyond one kind.
//!
//! The tasks are those of `tests/guests/shared`.

mod barriers;
mod buffers;
mod common;
mod conditions;
mod deadlock;
mod events;
mod grants;
mod joinable;
mod kills;
mod left;
mod locks;
mod pipes;
mod process;
mod queues;
mod semaphores;

use std::process::ExitCode;

use wasmpool_tests::Suite;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    for add in [
        grants::add,
        queues::add,
        joinable::add,
        pipes::add,
        buffers::add,
        locks::add,
        semaphores::add,
        events::add,
        conditions::add,
        barriers::add,
        left::add,
        deadlock::add,
        process::add,
        kills::add,
    ] {
        suite = add(suite);
    }
    suite.run()
}
