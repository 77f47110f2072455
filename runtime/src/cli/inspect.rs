//! `wasmpool inspect`: what a module is, for people and for programs.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{InspectArgs, InspectFormat};
use super::console::Console;
use super::exit::Problem;
use super::module::Module;
use super::values::show_size;
use super::{print, target};
use crate::ipc::lookup::{find_function, same_name};
use crate::ipc::manifest::{Function, Manifest};
use crate::ipc::wire::TaskInfo;
use crate::limits::Limits;
use crate::pool::error::Error;
use crate::pool::{Pool, PoolBuilder};
use crate::text::printable;

/// Bytes of a WebAssembly page.
const PAGE_BYTES: u64 = 64 << 10;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the module cannot be read or described. That its tasks cannot be listed is said in the description.
pub fn run(args: &InspectArgs) -> Result<u8, Problem> {
    let limits = Limits::new();
    let module = Module::find(&args.module, &limits, &Console::plain())?;
    let name = module.name().display().to_string();
    let compiling = Console::plain().compiling(module.name());
    let module = module.read(&limits)?;
    let manifest = builder(&limits, !args.no_cache).describe(&module)?;
    drop(compiling);
    let tasks = manifest
        .tasks
        .is_some()
        .then(|| tasks(&module, &limits, !args.no_cache));
    let format = match args.json {
        true => InspectFormat::Json,
        false => args.format,
    };
    let text = match format {
        InspectFormat::Text => text(&name, &manifest, tasks.as_ref()),
        InspectFormat::Json => format!("{}\n", json(&manifest, tasks.as_ref())),
    };
    print(text.as_bytes())
}

/// Prints what a function takes and returns, or what a task says of itself: of all of them if none is named.
///
/// # Errors
/// If the module cannot be used, or has no such function.
pub(super) fn signature(target: &OsStr) -> Result<u8, Problem> {
    let target = target::split(target, Path::exists)?;
    let limits = Limits::new();
    let module = Module::find(&target.module, &limits, &Console::plain())?;
    let module = module.read(&limits)?;
    let manifest = builder(&limits, true).describe(&module)?;
    let wanted = target.function.as_deref();
    let found = wanted.map(|wanted| find_function(&manifest, wanted));
    let mut lines = Vec::new();
    match found {
        Some(Ok(function)) => lines.push(function.signature()),
        Some(Err(error)) if manifest.tasks.is_none() => return Err(Error::from(error).into()),
        Some(Err(_)) => {}
        None => {
            let callable = manifest.functions.iter().filter(|f| f.callable.is_ok());
            lines.extend(callable.map(Function::signature));
        }
    }
    if lines.is_empty() && manifest.tasks.is_some() {
        let tasks = builder(&limits, true)
            .open_bytes(&module)
            .and_then(|pool| pool.tasks())?;
        let same = |task: &&TaskInfo| wanted.is_none_or(|name| same_name(&task.name, name));
        lines.extend(tasks.iter().filter(same).map(task_line));
        if let (true, Some(wanted)) = (lines.is_empty(), wanted) {
            return Err(Error::no_task(wanted, tasks).into());
        }
    }
    lines.push(String::new());
    print(lines.join("\n").as_bytes())
}

/// What has to be granted for an import that is offered to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Directory,
    Variable,
    Object,
    /// There is none that would help.
    Never,
}

impl Grant {
    fn option(self) -> &'static str {
        match self {
            Grant::Directory => "--dir",
            Grant::Variable => "--env",
            Grant::Object => "objects",
            Grant::Never => "never",
        }
    }

    pub(super) fn of_use(self) -> &'static str {
        match self {
            Grant::Directory => "there are no files without --dir",
            Grant::Variable => "there are no variables without --env",
            Grant::Object => "there are no objects but those that a pool or a pipeline grants",
            Grant::Never => "every socket is denied",
        }
    }
}

/// The grant that an import is of use with, if it is of none without.
pub(super) fn grant(import: &str) -> Option<Grant> {
    let interface = import.split('@').next().unwrap_or(import);
    match interface {
        "wasi:filesystem/preopens" => Some(Grant::Directory),
        "wasi:cli/environment" => Some(Grant::Variable),
        "wasmpool:task/buffers"
        | "wasmpool:task/queues"
        | "wasmpool:task/pipes"
        | "wasmpool:task/sync" => Some(Grant::Object),
        _ if interface.starts_with("wasi:sockets/") => Some(Grant::Never),
        _ => None,
    }
}

fn builder(limits: &Limits, cache: bool) -> PoolBuilder {
    Pool::builder()
        .workers(1)
        .limits(limits.clone())
        .cache(cache)
        .on_warning(|warning| Console::plain().warning(warning))
}

/// The tasks as the guest lists them: it has to be run for that, in a worker.
fn tasks(module: &[u8], limits: &Limits, cache: bool) -> Result<Vec<TaskInfo>, String> {
    builder(limits, cache)
        .open_bytes(module)
        .and_then(|pool| pool.tasks())
        .map_err(|e| Problem::from(e).message())
}

type Tasks = Result<Vec<TaskInfo>, String>;

/// A text of a guest on one line.
pub(super) fn shown(text: &str) -> String {
    printable(text, 1024).replace(['\n', '\t'], " ")
}

fn text(name: &str, manifest: &Manifest, tasks: Option<&Tasks>) -> String {
    let mut out = String::new();
    let kind = manifest.source.describe();
    let form = if manifest.text { ", in text form" } else { "" };
    let _ = writeln!(out, "module: {}", shown(name));
    let _ = writeln!(out, "kind: {kind}{form}");
    if let Some(world) = &manifest.world {
        let _ = writeln!(out, "world: {world}");
    }
    let _ = writeln!(
        out,
        "size: {}; compiled {}",
        show_size(manifest.module_bytes),
        show_size(manifest.code_bytes)
    );
    if let (Some(version), Some(tasks)) = (&manifest.tasks, tasks) {
        let lines = match tasks {
            Ok(tasks) => tasks.iter().map(task_line).collect(),
            Err(reason) => vec![format!("cannot be listed: {}", shown(reason))],
        };
        section(&mut out, &format!("tasks (wasmpool:task {version})"), lines);
    }
    let functions = manifest.functions.iter().map(|function| {
        let signature = function.signature();
        match &function.callable {
            Ok(()) if function.is_command() => {
                format!("{signature}\n    a WASI command: the item is its standard input, its standard output the result")
            }
            Ok(()) => signature,
            Err(reason) => format!("{signature}\n    cannot be called: {reason}"),
        }
    });
    section(&mut out, "functions", functions.collect());
    let imports = manifest.imports.iter().map(|import| match &import.offered {
        Ok(()) => match grant(&import.name) {
            Some(grant) => format!("{}: offered; {}", import.name, grant.of_use()),
            None => format!("{}: offered", import.name),
        },
        Err(reason) => format!("{}: not offered: {reason}", import.name),
    });
    section(&mut out, "imports", imports.collect());
    let memories = manifest.memories.iter().map(|memory| {
        let size = |pages: u64| show_size(pages.saturating_mul(PAGE_BYTES));
        let most = match memory.maximum_pages {
            Some(pages) => format!("at most {}", size(pages)),
            None => "no maximum of its own".into(),
        };
        format!("{} at the start, {most}", size(memory.initial_pages))
    });
    section(&mut out, "memories", memories.collect());
    let sections = manifest.sections.iter();
    let sections = sections.map(|s| format!("{}: {}", s.name, show_size(s.bytes)));
    section(&mut out, "sections", sections.collect());
    let producers = manifest.producers.iter().map(|p| {
        format!("{}: {} {}", p.field, p.name, p.version)
            .trim_end()
            .to_string()
    });
    section(&mut out, "made by", producers.collect());
    out
}

fn task_line(task: &TaskInfo) -> String {
    match task.description.is_empty() {
        true => shown(&task.name),
        false => format!("{}: {}", shown(&task.name), shown(&task.description)),
    }
}

fn section(out: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        let _ = writeln!(out, "{title}: none");
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

fn json(manifest: &Manifest, tasks: Option<&Tasks>) -> Value {
    let functions: Vec<_> = manifest
        .functions
        .iter()
        .map(|f| {
            let params: Vec<_> = f
                .params
                .iter()
                .map(|(name, ty)| json!({"name": name, "type": ty}))
                .collect();
            json!({
                "name": f.name, "params": params, "result": f.result,
                "command": f.is_command(), "callable": f.callable.is_ok(), "reason": f.callable.as_ref().err(),
            })
        })
        .collect();
    let imports: Vec<_> = manifest
        .imports
        .iter()
        .map(|import| {
            let (offered, grant) = (&import.offered, grant(&import.name).map(Grant::option));
            json!({
                "name": import.name, "offered": offered.is_ok(), "reason": offered.as_ref().err(),
                "grant": grant,
            })
        })
        .collect();
    let memories: Vec<_> = manifest
        .memories
        .iter()
        .map(|m| json!({"initial_pages": m.initial_pages, "maximum_pages": m.maximum_pages}))
        .collect();
    let sections: Vec<_> = manifest
        .sections
        .iter()
        .map(|s| json!({"name": s.name, "bytes": s.bytes}))
        .collect();
    let producers: Vec<_> = manifest
        .producers
        .iter()
        .map(|p| json!({"field": p.field, "name": p.name, "version": p.version}))
        .collect();
    let tasks = tasks.map(|tasks| {
        let list = tasks.as_ref().ok().map(|tasks| {
            let item = |t: &TaskInfo| {
                json!({"name": shown(&t.name), "description": shown(&t.description)})
            };
            tasks.iter().map(item).collect::<Vec<_>>()
        });
        let error = tasks.as_ref().err().map(|e| shown(e));
        json!({"version": manifest.tasks, "list": list, "error": error})
    });
    json!({
        "kind": manifest.source.describe(),
        "text": manifest.text,
        "world": manifest.world,
        "module_bytes": manifest.module_bytes,
        "code_bytes": manifest.code_bytes,
        "tasks": tasks,
        "functions": functions,
        "imports": imports,
        "memories": memories,
        "sections": sections,
        "producers": producers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::manifest::tests::sample;

    fn listed() -> Tasks {
        Ok(vec![TaskInfo {
            name: "count\x1b[2J".into(),
            description: "Counts\nwords".into(),
        }])
    }

    #[test]
    fn people_read_what_a_module_is() {
        let text = text("a.wasm", &sample(), Some(&listed()));
        for line in [
            "module: a.wasm",
            "kind: component, in text form",
            "world: local:demo/demo@1.0.0",
            "size: 100 bytes; compiled 5000 bytes",
            "tasks (wasmpool:task 0.1.0):",
            "  count\\u{1b}[2J: Counts words",
            "  local:demo/api@1.0.0#square: func(x: s64) -> s64",
            "  wasi:http/types@0.2.0: not offered: not offered",
            "  code: 60 bytes",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_list_of_tasks_that_failed_is_said() {
        let failed = Err("the component traps".to_string());
        let shown = text("a.wasm", &sample(), Some(&failed));
        assert!(shown.contains("\n  cannot be listed: the component traps\n"));
        let value = json(&sample(), Some(&failed));
        assert_eq!(value["tasks"]["error"], "the component traps");
        assert!(value["tasks"]["list"].is_null());
    }

    #[test]
    fn what_is_of_no_use_without_a_grant_is_known() {
        for (import, expected) in [
            ("wasi:filesystem/preopens@0.2.6", Some(Grant::Directory)),
            ("wasi:cli/environment@0.2.0", Some(Grant::Variable)),
            ("wasi:sockets/tcp@0.2.0", Some(Grant::Never)),
            ("wasmpool:task/queues@0.1.0", Some(Grant::Object)),
            ("wasmpool:task/log@0.1.0", None),
            ("wasi:clocks/wall-clock@0.2.0", None),
        ] {
            assert_eq!(grant(import), expected, "{import}");
        }
    }

    #[test]
    fn programs_read_the_same() {
        let value = json(&sample(), Some(&listed()));
        assert_eq!(
            value["functions"][0]["params"][0],
            json!({"name": "x", "type": "s64"})
        );
        assert_eq!(value["functions"][0]["callable"], true);
        assert_eq!(value["imports"][0]["offered"], false);
        assert_eq!(value["imports"][0]["grant"], Value::Null);
        assert_eq!(value["sections"][0], json!({"name": "code", "bytes": 60}));
        assert_eq!(value["tasks"]["list"][0]["description"], "Counts words");
    }
}
