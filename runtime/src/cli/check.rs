//! `wasmpool check`: whether a module would run here, under these limits and with these grants.
//!
//! Reads, compiles, links and instantiates it as a map would, in processes behind the same wall, and calls none of its
//! functions but the one that lists tasks.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::args::{CheckArgs, InspectFormat};
use super::console::Console;
use super::exit::{self, Problem};
use super::inspect::{Grant, grant, shown};
use super::module::Module;
use super::{print, target};
use crate::catalogue::Code;
use crate::grants::Grants;
use crate::ipc::lookup::find_function;
use crate::ipc::manifest::Manifest;
use crate::limits::Limits;
use crate::pool::{self, Pool};

/// One question, and its answer.
struct Check {
    name: &'static str,
    /// What was found, or why it would not run and what to do about it.
    answer: Result<String, (String, Option<String>)>,
    /// Its error's code, if it would not run.
    code: Option<Code>,
}

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the arguments cannot be read, or the pool is at fault. That the module would not run is the answer, and no error.
pub fn run(args: CheckArgs) -> Result<u8, Problem> {
    let target = target::split(&args.target, Path::exists)?;
    let limits = args.limits.limits(Limits::new().timeout);
    let module = Module::find(&target.module, &limits, &Console::plain())?;
    let name = module.name().display().to_string();
    let grants = Grants::from(args.grants);
    let mut checks = Vec::new();
    let (mut notes, mut code) = (Vec::new(), exit::DONE);
    let compiling = Console::plain().compiling(module.name());
    let found = module.read(&limits).and_then(|module| {
        let opened = Pool::builder()
            .workers(1)
            .limits(limits.clone())
            .cache(!args.opening.no_cache)
            .strict(args.opening.strict)
            .grants(grants.clone())
            .on_warning(|warning| Console::plain().warning(warning))
            .open_bytes(&module);
        // Where no pool opens, the manifest tells more than the first reason. Else it is compiled once.
        let manifest = match &opened {
            Ok(pool) => pool.manifest().clone(),
            Err(_) => pool::inspect(&module, &limits)?,
        };
        Ok((manifest, opened))
    });
    drop(compiling);
    match found {
        Ok((manifest, opened)) => {
            let what = format!("{}, within the limits", manifest.source.describe());
            checks.push(good("module", what));
            checks.extend(imports(&manifest));
            notes = notes_on(&manifest, &grants);
            let mut ready = None;
            if checks.iter().all(|check| check.answer.is_ok()) {
                match opened.and_then(|pool| pool.ready().map(|()| pool)) {
                    Ok(pool) => {
                        checks.push(good("start", "an instance of it is made".into()));
                        ready = Some(pool);
                    }
                    Err(error) => {
                        let problem = Problem::from(error);
                        code = problem.exit();
                        checks.push(bad("start", problem));
                    }
                }
            }
            match (&target.function, &ready) {
                (Some(function), pool) => checks.push(named(&manifest, pool.as_ref(), function)),
                (None, Some(pool)) => checks.push(any(&manifest, pool)),
                (None, None) => {}
            }
        }
        Err(error) => checks.push(bad("module", error.into())),
    }
    if code == exit::DONE && checks.iter().any(|check| check.answer.is_err()) {
        code = exit::MODULE;
    }
    let format = match args.json {
        true => InspectFormat::Json,
        false => args.format,
    };
    let text = match format {
        InspectFormat::Text => text(&name, &checks, &notes),
        InspectFormat::Json => format!("{}\n", json(&checks, &notes)),
    };
    print(text.as_bytes())?;
    Ok(code)
}

fn good(name: &'static str, what: String) -> Check {
    let answer = Ok(what);
    let code = None;
    Check { name, answer, code }
}

fn bad(name: &'static str, problem: Problem) -> Check {
    let hint = problem.advice().map(Into::into);
    let answer = Err((problem.message(), hint));
    let code = Some(problem.code());
    Check { name, answer, code }
}

/// One for all imports that are offered, or one for each that is not.
fn imports(manifest: &Manifest) -> Vec<Check> {
    let missing = manifest.missing_imports().map(|(name, reason)| Check {
        name: "import",
        answer: Err((name.to_owned(), Some(reason.to_owned()))),
        code: Some(Code::ImportMissing),
    });
    let missing: Vec<_> = missing.collect();
    match missing.is_empty() {
        true => vec![good(
            "imports",
            format!("all {} are offered", manifest.imports.len()),
        )],
        false => missing,
    }
}

/// What it imports that is of no use with these grants.
fn notes_on(manifest: &Manifest, grants: &Grants) -> Vec<&'static str> {
    let mut notes = Vec::new();
    for import in &manifest.imports {
        let given = |grant: &Grant| match grant {
            Grant::Directory => !grants.directories.is_empty(),
            Grant::Variable => !grants.env.is_empty(),
            Grant::Object | Grant::Never => false,
        };
        let note = grant(&import.name).filter(|grant| !given(grant));
        if let Some(note) = note.map(Grant::of_use)
            && !notes.contains(&note)
        {
            notes.push(note);
        }
    }
    notes
}

/// The function that was named.
fn named(manifest: &Manifest, pool: Option<&Pool>, function: &str) -> Check {
    let found = find_function(manifest, function);
    let task = pool.map(|pool| pool.resolves(function));
    match (found, task) {
        (Ok(found), _) => good("function", found.signature()),
        (Err(_), Some(Ok(()))) => good("function", format!("{}: a task", shown(function))),
        (Err(_), Some(Err(error))) => bad("function", error.into()),
        // Tasks are not known without an instance.
        (Err(error), None) => bad("function", pool::Error::from(error).into()),
    }
}

/// What it has to offer.
fn any(manifest: &Manifest, pool: &Pool) -> Check {
    let functions = manifest.functions.iter();
    let functions = functions
        .filter(|function| function.callable.is_ok())
        .count();
    let tasks = pool.tasks().map_or(0, |tasks| tasks.len());
    match functions + tasks {
        0 => {
            let why = "it exports nothing that can be called".to_owned();
            let hint = "`wasmpool inspect` tells of each export why".to_owned();
            let answer = Err((why, Some(hint)));
            Check {
                name: "functions",
                answer,
                code: Some(Code::FunctionNone),
            }
        }
        all => good("functions", format!("{all} can be called")),
    }
}

fn text(name: &str, checks: &[Check], notes: &[&str]) -> String {
    let mut out = String::new();
    for check in checks {
        let _ = match &check.answer {
            Ok(what) => writeln!(out, "{:10} ok: {what}", check.name),
            Err((why, None)) => writeln!(out, "{:10} no: {why}", check.name),
            Err((why, Some(hint))) => {
                writeln!(out, "{:10} no: {why}\n{:14} {hint}", check.name, "")
            }
        };
    }
    for note in notes {
        let _ = writeln!(out, "{:10} {note}", "note");
    }
    let verdict = match checks.iter().all(|check| check.answer.is_ok()) {
        true => "would run here",
        false => "would not run here",
    };
    let _ = writeln!(out, "{} {verdict}", shown(name));
    out
}

fn json(checks: &[Check], notes: &[&str]) -> serde_json::Value {
    let each = |check: &Check| {
        let (message, hint) = match &check.answer {
            Ok(what) => (what, None),
            Err((why, hint)) => (why, hint.as_ref()),
        };
        json!({"name": check.name, "ok": check.answer.is_ok(), "message": message, "hint": hint,
            "code": check.code.map(Code::name)})
    };
    json!({
        "runs": checks.iter().all(|check| check.answer.is_ok()),
        "checks": checks.iter().map(each).collect::<Vec<_>>(),
        "notes": notes,
    })
}
