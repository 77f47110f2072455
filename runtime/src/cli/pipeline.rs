//! `wasmpool pipeline`: a TOML file becomes a pipeline, which is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::args::{PipelineArgs, Progress};
use super::console::Console;
use super::exit::{self, Problem};
use super::json::append_line;
use super::signal::Interrupt;
use super::values::{directory, duration, size};
use super::{input, print, project};
use crate::catalogue::Code;
use crate::grants::{DirectoryGrant, Grants};
use crate::limits::Limits;
use crate::monitor::Monitor;
use crate::objects::{Access, Barrier, Buffer, Event, Lock, Queue, Semaphore};
use crate::pipeline::{Ended, Pipeline, PipelineError, Stage, Stopper};

/// Bytes of the file, at most.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    queues: BTreeMap<String, QueueTable>,
    #[serde(default)]
    buffers: BTreeMap<String, BufferTable>,
    #[serde(default)]
    locks: Vec<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    semaphores: BTreeMap<String, u32>,
    #[serde(default)]
    barriers: BTreeMap<String, u32>,
    #[serde(default)]
    process: Vec<ProcessTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueTable {
    messages: Option<usize>,
    #[serde(default, deserialize_with = "of_size")]
    bytes: Option<u64>,
    #[serde(default)]
    joinable: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BufferTable {
    #[serde(default, deserialize_with = "of_size")]
    bytes: Option<u64>,
    file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessTable {
    name: String,
    module: PathBuf,
    function: Option<String>,
    /// As the parameters of `run`.
    #[serde(default)]
    args: Vec<serde_json::Value>,
    replicas: Option<u32>,
    #[serde(default)]
    get: Vec<String>,
    #[serde(default)]
    put: Vec<String>,
    /// `NAME`, or `NAME:rw`.
    #[serde(default)]
    buffers: Vec<String>,
    /// Locks, semaphores, events, barriers.
    #[serde(default, rename = "use")]
    uses: Vec<String>,
    /// `HOST::GUEST[:ro|rw]`.
    #[serde(default)]
    dir: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "of_time")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "of_size")]
    memory: Option<u64>,
}

/// A size as on the command line, or a number of bytes.
fn of_size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected bytes, such as 4096 or \"64MiB\"")]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(from)? {
        Size::Number(bytes) => Ok(Some(bytes)),
        Size::Text(text) => size(&text).map(Some).map_err(serde::de::Error::custom),
    }
}

fn of_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the file cannot be used, or the processes cannot be run to their end.
pub fn run(args: &PipelineArgs) -> Result<u8, Problem> {
    let name = input::name(&args.file).display();
    let text = input::text(&args.file, MAX_FILE_BYTES)?;
    let folder = args.file.parent().unwrap_or(Path::new("."));
    let mut pipeline = read(&text, folder).map_err(|e| {
        let error = anyhow::Error::msg(e.trim_end().to_owned());
        Problem::new(
            Code::PipelineInvalid,
            error.context(format!("{name} is no pipeline")),
        )
    })?;
    let console = Console::new(&args.voice, Progress::Never, false);
    let console = Arc::new(console);
    build(&mut pipeline, &console)?;
    let interrupt =
        Interrupt::listen().map_err(|e| Problem::machine("cannot listen to Ctrl-C", e))?;
    let _monitor = Monitor::start(Monitor::AFTER);
    let stopper = Stopper::new().map_err(|e| Problem::machine("cannot listen to Ctrl-C", e))?;
    let stops = stopper.clone();
    interrupt.cancels(move || stops.stop());
    let for_logs = console.clone();
    match pipeline.run(&stopper, move |name, record| for_logs.log_of(name, record)) {
        Ok(report) => print(&lines(&report.ended)?),
        Err(PipelineError::Stopped) if interrupt.is_interrupted() => {
            console.error(Code::Interrupted, "interrupted");
            Ok(exit::INTERRUPTED)
        }
        Err(PipelineError::Failed { name, failure }) => {
            console.failure_of(&name, &failure, None);
            Ok(exit::ITEM_FAILED)
        }
        Err(error @ PipelineError::Deadlock(_)) => {
            console.error(error.code(), &error.to_string());
            Ok(exit::exit(error.code()))
        }
        Err(PipelineError::Start { name, source }) => {
            Err(Problem::from(source).of(&format!("the process {name:?} cannot be started")))
        }
        Err(PipelineError::Plan(error)) => Err(Problem::new(Code::PipelineInvalid, error)),
        Err(error @ (PipelineError::Stopped | PipelineError::Wait(_))) => Err(Problem::doing(
            error.code(),
            "the pipeline cannot go on",
            error,
        )),
    }
}

/// Builds the projects whose folders stand in place of modules, each once.
fn build(pipeline: &mut Pipeline, console: &Console) -> Result<(), Problem> {
    let mut built = BTreeMap::new();
    for stage in &mut pipeline.stages {
        let module = match built.get(&stage.module) {
            Some(module) => PathBuf::clone(module),
            None => project::module(&stage.module, console)?,
        };
        let folder = std::mem::replace(&mut stage.module, module.clone());
        built.insert(folder, module);
    }
    Ok(())
}

/// What each process returned, a JSON object a line.
fn lines(ended: &[Ended]) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    for Ended { name, result } in ended {
        let Ok(value) = result else { continue };
        let name = serde_json::Value::from(name.as_str());
        out.extend_from_slice(format!("{{\"process\":{name},\"ok\":").as_bytes());
        append_line(&mut out, value, false).map_err(|_| {
            let message = format!("the process {name} returned no JSON");
            Problem::text(Code::ResultInvalid, message)
        })?;
        out.extend_from_slice(b"}\n");
    }
    Ok(out)
}

/// The pipeline of a file's text; its paths start from `folder`.
fn read(text: &str, folder: &Path) -> Result<Pipeline, String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
    let mut pipeline = Pipeline::default();
    for (name, table) in file.queues {
        let mut queue = Queue::builder().name(&name).joinable(table.joinable);
        if let Some(messages) = table.messages {
            queue = queue.messages(messages);
        }
        if let Some(bytes) = table.bytes {
            queue = queue.bytes(bytes);
        }
        pipeline.queues.insert(name, queue.build());
    }
    for (name, table) in file.buffers {
        let made = match (table.bytes, table.file) {
            (Some(bytes), None) => Buffer::new(bytes),
            (None, Some(path)) => Buffer::open(folder.join(path)),
            _ => return Err(format!("the buffer {name:?} needs either bytes or a file")),
        };
        let buffer = made.map_err(|e| format!("the buffer {name:?} cannot be made: {e}"))?;
        pipeline.buffers.insert(name, buffer);
    }
    let lock = |name: String| (name.clone(), Lock::new().named(&name));
    pipeline.locks = file.locks.into_iter().map(lock).collect();
    let event = |name: String| (name.clone(), Event::new().named(&name));
    pipeline.events = file.events.into_iter().map(event).collect();
    for (name, units) in file.semaphores {
        let semaphore = Semaphore::bounded(units).named(&name);
        pipeline.semaphores.insert(name, semaphore);
    }
    for (name, parties) in file.barriers {
        let barrier = Barrier::new(parties).named(&name);
        pipeline.barriers.insert(name, barrier);
    }
    for table in file.process {
        pipeline.stages.push(stage(table, folder)?);
    }
    Ok(pipeline)
}

fn stage(table: ProcessTable, folder: &Path) -> Result<Stage, String> {
    let of = |e: String| format!("the process {:?}: {e}", table.name);
    let buffer = |text: &String| match text.strip_suffix(":rw") {
        Some(name) => (name.to_owned(), Access::ReadWrite),
        None => {
            let name = text.strip_suffix(":ro").unwrap_or(text);
            (name.to_owned(), Access::ReadOnly)
        }
    };
    let mut directories: Vec<DirectoryGrant> = Vec::new();
    for text in &table.dir {
        let mut grant = directory(text).map_err(of)?;
        grant.host_path = folder.join(grant.host_path);
        directories.push(grant);
    }
    let item = match table.args.as_slice() {
        [one] => serde_json::to_vec(one),
        several => serde_json::to_vec(several),
    };
    let mut limits = Limits::new().timeout(table.timeout.unwrap_or(Duration::MAX));
    limits.memory_bytes = table.memory.unwrap_or(limits.memory_bytes);
    let replicas = table.replicas.unwrap_or(1);
    if replicas == 0 {
        return Err(of("replicas is 0; at least one process is needed".into()));
    }
    Ok(Stage {
        item: item.map_err(|e| of(e.to_string()))?,
        function: table.function.clone(),
        replicas,
        buffers: table.buffers.iter().map(buffer).collect(),
        grants: Grants {
            directories,
            env: table.env.clone().into_iter().collect(),
        },
        limits,
        gets: table.get.clone(),
        puts: table.put.clone(),
        uses: table.uses.clone(),
        ..Stage::new(table.name.clone(), folder.join(&table.module))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        locks = ["log"]
        [queues]
        lines = { messages = 10, bytes = "1MiB" }
        words = { joinable = true }
        [buffers]
        scratch = { bytes = 4096 }
        [[process]]
        name = "read"
        module = "stages.wasm"
        function = "read-lines"
        args = ["/data/input.txt"]
        put = ["lines"]
        dir = ["data::/data", "out::/out:rw"]
        [[process]]
        name = "split"
        module = "/opt/stages.wasm"
        args = [1, { two = 2 }]
        replicas = 3
        get = ["lines"]
        put = ["words"]
        buffers = ["scratch:rw"]
        use = ["log"]
        env = { LANG = "C" }
        timeout = "10s"
        memory = "64MiB"
    "#;

    #[test]
    fn a_file_becomes_a_pipeline() {
        let pipeline = read(GOOD, Path::new("here")).unwrap();
        let [reads, splits] = &pipeline.stages[..] else {
            panic!("{pipeline:?}");
        };
        assert_eq!(reads.module, Path::new("here/stages.wasm"));
        assert_eq!(reads.item, b"\"/data/input.txt\"");
        assert_eq!(reads.function.as_deref(), Some("read-lines"));
        assert_eq!(reads.limits.timeout, Duration::MAX);
        let dir = &reads.grants.directories;
        assert_eq!(dir[0].host_path, Path::new("here/data"));
        assert!(!dir[0].writable && dir[1].writable);
        assert_eq!(splits.module, Path::new("/opt/stages.wasm"));
        assert_eq!(splits.item, b"[1,{\"two\":2}]");
        assert_eq!(splits.replicas, 3);
        assert_eq!(splits.buffers, [("scratch".into(), Access::ReadWrite)]);
        assert_eq!(splits.limits.timeout, Duration::from_secs(10));
        assert_eq!(splits.limits.memory_bytes, 64 << 20);
        assert!(pipeline.locks.contains_key("log"));
        assert_eq!(pipeline.queues.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = |from: &str, to: &str| {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD);
            read(&text, Path::new(".")).unwrap_err()
        };
        assert!(wrong("replicas", "replicants").contains("replicants"));
        assert!(wrong("\"1MiB\"", "\"1MB and a half\"").contains("64MiB"));
        assert!(wrong("\"10s\"", "\"ten\"").contains("30s"));
        assert!(wrong("bytes = 4096", "").contains("either bytes or a file"));
        assert!(wrong("bytes = 4096", "file = \"/nothing\"").contains("scratch"));
        assert!(wrong("data::/data", "data").contains("HOST::GUEST"));
        assert!(wrong("replicas = 3", "replicas = 0").contains("split"));
        assert!(wrong("[queues]", "[queues").contains("line"));
    }
}
