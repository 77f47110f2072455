//! The module that a command is given: a file, what a project's folder makes, or standard input.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::exit::Problem;
use super::{input, project};
use crate::catalogue::Code;
use crate::limits::Limits;
use crate::pool::{Error, Pool, PoolBuilder};

/// Where a module is.
#[derive(Debug)]
pub enum Module {
    /// In this file, which is not yet read.
    File(PathBuf),
    /// It was standard input.
    Bytes(Vec<u8>),
}

impl Module {
    /// The module that a path means. A project is built; standard input, which is `-`, is read to its end.
    ///
    /// # Errors
    /// If the folder holds no project that can be built, or standard input cannot be read.
    pub fn find(path: &Path, limits: &Limits, console: &Console) -> Result<Self, Problem> {
        if !input::is_stdin(path) {
            return project::module(path, console).map(Module::File);
        }
        let bytes = input::bytes(path, limits.module_bytes).map_err(|e| {
            let doing = "cannot read the module from standard input";
            Problem::doing(Code::ModuleUnreadable, doing, e)
        })?;
        Ok(Module::Bytes(bytes))
    }

    /// What it is called in messages.
    pub fn name(&self) -> &Path {
        match self {
            Module::File(path) => path,
            Module::Bytes(_) => input::name(Path::new("-")),
        }
    }

    /// Opens a pool for it.
    ///
    /// # Errors
    /// As [`PoolBuilder::open`].
    pub fn open(&self, builder: PoolBuilder) -> Result<Pool, Error> {
        match self {
            Module::File(path) => builder.open(path),
            Module::Bytes(bytes) => builder.open_bytes(bytes),
        }
    }

    /// Its bytes: one more than is allowed if there are too many, which is enough for it to be refused.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(self, limits: &Limits) -> Result<Vec<u8>, Error> {
        match self {
            Module::File(path) => {
                input::bytes(&path, limits.module_bytes).map_err(|source| Error::Read {
                    path: path.display().to_string(),
                    source,
                })
            }
            Module::Bytes(bytes) => Ok(bytes),
        }
    }
}
