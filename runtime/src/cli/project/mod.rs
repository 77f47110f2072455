//! A guest's project in place of a module: finds out what it is, builds it, and says where the module is.
//!
//! - `kind`: which file tells what kind of project.
//! - `build`: the commands of each kind, and the module that they make.
//! - `step`: one command, and what is told when it fails.
//!
//! Runs other programs, as the user and outside of every sandbox: a project is trusted as whoever runs `cargo build` in it
//! trusts it. Never looks into a module.

mod build;
mod kind;
mod step;

use std::path::{Path, PathBuf};
use std::time::Instant;

use self::build::Project;
use self::kind::Kind;
pub use self::step::quoted;
use super::console::Console;
use super::exit::Problem;
use crate::catalogue::Code;

/// The module that a path means: the file itself, or what the project in this folder makes, which is built for it.
///
/// # Errors
/// If the folder holds no project, or if that cannot be built.
pub fn module(path: &Path, console: &Console) -> Result<PathBuf, Problem> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let Some(kind) = Kind::of(path) else {
        let message = format!("the folder {} holds no project", path.display());
        return Err(Problem::text(Code::ProjectMissing, message).hint(kind::looked_for()));
    };
    let started = Instant::now();
    let built = Project::new(path, console).build(kind)?;
    if !built.fresh {
        let (module, seconds) = (built.module.display(), started.elapsed().as_secs_f64());
        console.note("built", &format!("{module}, in {seconds:.1} s"));
    }
    Ok(built.module)
}
