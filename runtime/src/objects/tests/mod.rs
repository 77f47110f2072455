//! Objects from the transport's side: tables of calls and answers, random histories against models, real threads.
//!
//! - `stage`: holders that call objects, and hear the answers.
//! - `tables`: a table a kind; `history` and `models`: random calls against what each kind should do; `threads`: the
//!   host's own interface.

mod history;
mod models;
mod stage;
mod tables;
mod threads;
