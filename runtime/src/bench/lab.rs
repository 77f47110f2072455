//! What the rows have in common: pools that stay open from round to round, a folder, and why there is no number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::State;
use super::data::Numbers;
use super::floors::Forker;
use super::report::processors;
use super::scale::Scaled;
use crate::pool::{Error, Pool, PoolBuilder, program};

/// What is called.
pub(super) const GUEST: &str = include_str!("guest.wat");

/// Why a row has no number.
#[derive(Debug)]
pub(super) enum Missing {
    /// The machine does not offer what it takes.
    Machine(String),
    /// Something is wrong.
    Wrong(String),
}

impl From<Missing> for State {
    fn from(missing: Missing) -> State {
        match missing {
            Missing::Machine(reason) => State::Unavailable(reason),
            Missing::Wrong(reason) => State::Failed(reason),
        }
    }
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Missing {
        Missing::Machine(error.to_string())
    }
}

impl From<Error> for Missing {
    fn from(error: Error) -> Missing {
        Missing::Wrong(error.to_string())
    }
}

/// That a result is the right one.
pub(super) fn expect<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<(), Missing> {
    if found == expected {
        return Ok(());
    }
    Err(Missing::Wrong(format!(
        "the result is {found:?}, and should be {expected:?}"
    )))
}

/// Keeps every processor busy as long as it lives.
struct Load<'a>(&'a AtomicBool);

impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something while every processor is busy with a thread that computes.
pub(super) fn busy<T>(work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _load = Load(&over);
        work()
    })
}

/// A private folder that is removed when it is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is there to measure with. Everything is made when it is first needed.
pub(super) struct Lab {
    pub(super) quick: bool,
    program: Option<PathBuf>,
    forker: Result<Forker, String>,
    pools: BTreeMap<&'static str, Pool>,
    numbers: Option<Numbers>,
    folder: Option<Folder>,
    /// What was measured in this round of so many workers, and not yet asked for.
    pub(super) scaled: BTreeMap<u32, Scaled>,
}

impl Lab {
    pub(super) fn new(quick: bool, program: Option<PathBuf>) -> Lab {
        Lab {
            quick,
            program,
            // Before anything large is there.
            forker: Forker::start().map_err(|e| e.to_string()),
            pools: BTreeMap::new(),
            numbers: None,
            folder: None,
            scaled: BTreeMap::new(),
        }
    }

    pub(super) fn next_round(&mut self) {
        self.scaled.clear();
    }

    pub(super) fn forker(&self) -> Result<&Forker, Missing> {
        self.forker
            .as_ref()
            .map_err(|e| Missing::Machine(e.clone()))
    }

    /// The pool of a name, which is opened by whoever needs it first and has then done something.
    pub(super) fn pool(
        &mut self,
        name: &'static str,
        builder: impl FnOnce() -> PoolBuilder,
    ) -> Result<&Pool, Missing> {
        match self.pools.entry(name) {
            Entry::Occupied(pool) => Ok(pool.into_mut()),
            Entry::Vacant(place) => {
                let pool = builder().open_bytes(GUEST.as_bytes())?;
                let squares: Vec<i64> = pool.map("square", 0..100)?;
                expect(squares.last().copied(), Some(99 * 99))?;
                Ok(place.insert(pool))
            }
        }
    }

    pub(super) fn numbers(&mut self) -> Result<&mut Numbers, Missing> {
        match &mut self.numbers {
            Some(numbers) => Ok(numbers),
            none => Ok(none.insert(Numbers::new(super::data::size(self.quick))?)),
        }
    }

    /// The program that is started as a command.
    pub(super) fn program(&self) -> Result<PathBuf, Missing> {
        if let Some(program) = &self.program {
            return Ok(program.clone());
        }
        // A library's program cannot be started as a command; one called `wasmpool` can.
        let found = program().ok().map(PathBuf::from);
        let found = found.filter(|path| path.file_name().is_some_and(|name| name == "wasmpool"));
        found.ok_or_else(|| Missing::Machine("the program `wasmpool` was not found".to_owned()))
    }

    /// A folder with the guest, as `guest.wat`.
    pub(super) fn folder(&mut self) -> Result<&Path, Missing> {
        if self.folder.is_none() {
            let path = std::env::temp_dir().join(format!("wasmpool-bench-{}", std::process::id()));
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            let folder = Folder(path);
            fs::write(folder.0.join("guest.wat"), GUEST)?;
            self.folder = Some(folder);
        }
        match &self.folder {
            Some(folder) => Ok(&folder.0),
            None => Err(Missing::Machine("there is no folder".to_owned())),
        }
    }
}
