//! `wasmpool man`: manual pages, from the same description of the command line as the help.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};

use super::args::Cli;
use super::exit::{self, Problem};
use crate::catalogue::Code;

/// Writes the pages, and returns the exit code: one for the program, one for each command.
///
/// # Errors
/// If they cannot be written.
pub fn run(folder: &Path) -> Result<u8, Problem> {
    let doing = || format!("cannot write manual pages to {}", folder.display());
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut root = Cli::command();
        root.build();
        pages(&root, folder)
    });
    written.map_err(|e| Problem::doing(Code::OutputFailed, doing(), e))?;
    Ok(exit::DONE)
}

fn pages(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)?;
    let shown = |c: &&Command| !c.is_hide_set() && c.get_name() != "help";
    command
        .get_subcommands()
        .filter(shown)
        .try_for_each(|command| pages(command, folder))
}
