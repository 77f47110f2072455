//! `wasmpool cache`.

use std::fmt::Write;
use std::time::SystemTime;

use super::args::CacheCommand;
use super::console::Console;
use super::exit::{self, Problem};
use super::print;
use super::values::show_size;
use crate::cache::{Cache, CacheWarning, ResultCache};

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If there is no cache that can be used, or standard output cannot be written.
pub fn run(command: CacheCommand) -> Result<u8, Problem> {
    let dir = || Cache::default_dir().ok_or_else(|| unusable(&CacheWarning::Nowhere));
    let mut text = String::new();
    match command {
        CacheCommand::Dir => {
            let _ = writeln!(text, "{}", dir()?.display());
        }
        CacheCommand::List => {
            let (code, results) = open()?;
            let mut entries = code.entries().map_err(unreadable)?;
            entries.extend(results.entries().map_err(unreadable)?);
            entries.sort_by_key(|entry| entry.used);
            for entry in entries {
                let age = SystemTime::now()
                    .duration_since(entry.used)
                    .map_or(0, |age| age.as_secs());
                let _ = writeln!(text, "{}\t{age}\t{}", entry.bytes, entry.name);
            }
        }
        CacheCommand::Clear => {
            let (code, results) = open()?;
            let (entries, bytes) = code.clear().map_err(unreadable)?;
            let (more, more_bytes) = results.clear().map_err(unreadable)?;
            Console::plain().report(&format!(
                "{} entries removed, {}\n",
                entries + more,
                show_size(bytes + more_bytes)
            ));
            return Ok(exit::DONE);
        }
    }
    print(text.as_bytes())
}

/// Compiled components, and results.
fn open() -> Result<(Cache, ResultCache), Problem> {
    let code = Cache::open_default().map_err(|e| unusable(&e))?;
    let results = ResultCache::open_default().map_err(|e| unusable(&e))?;
    Ok((code, results))
}

fn unusable(warning: &CacheWarning) -> Problem {
    Problem::usage_text(format!("the cache cannot be used: {warning}")).hint(warning.hint())
}

fn unreadable(error: std::io::Error) -> Problem {
    Problem::machine("cannot work on the cache", error)
}
