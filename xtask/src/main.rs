//! `cargo xtask`: the project's own commands, so that a checkout needs nothing but cargo.
//!
//! This file owns the command line; each command is a module. Nothing here is linked into what the project ships.

mod apart;
mod book;
mod browser;
mod ci;
mod demo;
mod documented;
mod guests;
mod languages;
mod licences;
mod package;
mod project;
mod run;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::project::Project;

const USAGE: &str = "\
The project's own commands.

Usage: cargo xtask COMMAND

Commands:
  setup           make a compiler for WebAssembly guests available
  guests          build every guest into <target>/guests/*.wasm
  languages [NAME...]  build only the guests in C, JavaScript, Python and Zig, or in those named
  book            render the documents as a site, into <target>/book
  browser         make a browser available for the tests that open pages
  test [ARG...]   build the guests, then run cargo test --workspace ARG...
  demo            build a release and map a guest over real source files
  licences        check every dependency's licence and origin against deny.toml
  doc             document the interfaces; a warning, or a public item without an example, is an error
  package [--program FILE] [--into FOLDER]  a static release and a Debian package of it, or a package of that program
  ci              everything that has to pass before a change lands

Environment:
  WASMPOOL_RUSTUP=0   never ask rustup for a target (as when CI is set)
  CARGO_TARGET_DIR    where builds, and the WebAssembly toolchain, go
";

fn main() -> ExitCode {
    run::start_clock();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match dispatch(command, rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<()> {
    if let ("-h" | "--help" | "help", _) = (command, rest) {
        print!("{USAGE}");
        return Ok(());
    }
    if !matches!(command, "test" | "languages" | "package")
        && let Some(extra) = rest.first()
    {
        bail!("`cargo xtask {command}` takes no argument, but was given `{extra}`");
    }
    let project = Project::load()?;
    match command {
        "setup" => toolchain::set_up(&project)?.require(),
        "guests" => guests::build(&project, &toolchain::set_up(&project)?).map(drop),
        "languages" => languages::build(&project, &guests::folder(&project), rest).map(drop),
        "book" => book::render(&project),
        "browser" => browser::set_up(&project).map(drop),
        "test" => test::run(&project, rest).map(drop),
        "demo" => demo::run(&project),
        "doc" => documented::check(&project),
        "package" => package::run(&project, rest),
        "licences" => licences::check(&project),
        "ci" => ci::run(&project),
        other => bail!("there is no command `{other}`; see `cargo xtask --help`"),
    }
}
