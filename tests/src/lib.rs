//! What the suites share: finding the program and the guests, running and watching processes. Knows nothing of the
//! pool's insides.

mod bombs;
mod browser;
mod hostile;
mod open;
pub mod pages;
mod places;
mod proc;
mod random;
mod run;
mod suite;
mod terminal;
mod xml;

pub use bombs::{Bomb, Bursts, bombs, small_component};
pub use browser::{Browser, Look, Page, browser};
pub use hostile::{Became, Expected, Guest, hostile_guests};
pub use open::{open, open_within};
pub use places::{Copied, Temporary, built, copied, guests, module, program, root, temporary};
pub use proc::{Process, Watched, fork_servers, running, running_program, workers};
pub use random::Random;
pub use run::{
    PATIENCE, Ran, Running, Started, is_complete, patiently, wasmpool, wasmpool_at, without_warning,
};
pub use suite::Suite;
pub use terminal::{Streams, Terminal};
pub use xml::well_formed;
