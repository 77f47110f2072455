//! `cargo xtask book`: the documents as a site, in `<target>/book`.
//!
//! What renders it is a package of its own, `docs/render`, so that nothing of it is built for what is shipped.

use anyhow::Result;

use crate::project::Project;
use crate::run;

/// Renders the book.
///
/// # Errors
/// When a link in it leads nowhere, something that it quotes is not there, or what renders it does not build.
pub fn render(project: &Project) -> Result<()> {
    let mut command = project.cargo(&["run", "--quiet", "--locked"]);
    command.args(["--manifest-path", "docs/render/Cargo.toml"]);
    // Where its tests are built too.
    command
        .arg("--target-dir")
        .arg(project.target.join("docs/render"));
    command
        .args(["--", "docs"])
        .arg(project.target.join("book"));
    run::run(&mut command)
}
