//! `wasmpool cache`.

use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::args::CacheCommand;
use super::console::Console;
use super::exit::{self, Problem};
use super::print;
use super::values::show_size;
use crate::cache::{Cache, CacheWarning, ResultCache};
use crate::catalogue::Code;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If there is no cache that can be used, or standard output cannot be written.
pub fn run(command: CacheCommand) -> Result<u8, Problem> {
    let dir = || Cache::default_dir().ok_or_else(|| unusable(&CacheWarning::Nowhere));
    let mut text = String::new();
    match command {
        CacheCommand::Dir { json: true } => {
            let _ = writeln!(text, "{}", json!({"dir": dir()?.to_string_lossy()}));
        }
        CacheCommand::Dir { json: false } => {
            let mut line = dir()?.into_os_string().into_vec();
            line.push(b'\n');
            return print(&line);
        }
        CacheCommand::List { json } => {
            let (code, results) = open()?;
            let mut entries = code.entries().map_err(unreadable)?;
            entries.extend(results.entries().map_err(unreadable)?);
            entries.sort_by_key(|entry| entry.used);
            let entries = entries.iter().map(|entry| {
                let age = SystemTime::now().duration_since(entry.used);
                (entry.bytes, age.map_or(0, |age| age.as_secs()), &entry.name)
            });
            if json {
                let each = entries
                    .map(|(bytes, age, name)| json!({"bytes": bytes, "unused_seconds": age, "name": name}));
                let _ = writeln!(text, "{}", Value::from_iter(each));
            } else {
                for (bytes, age, name) in entries {
                    let _ = writeln!(text, "{bytes}\t{age}\t{name}");
                }
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
    Problem::text(
        Code::CacheUnusable,
        format!("the cache cannot be used: {warning}"),
    )
    .hint(warning.hint())
}

fn unreadable(error: std::io::Error) -> Problem {
    Problem::machine("cannot work on the cache", error)
}
