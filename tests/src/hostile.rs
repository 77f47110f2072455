//! Hostile guests: text modules that say in their own heads what they try and what must happen.
//!
//! A head is comments: first `;;`, for people, then directives, `;;! name: value`, a line each.
//!
//! | directive | meaning | default |
//! |---|---|---|
//! | `function` | what is called | `attack` |
//! | `item` | the item with which it attacks | `-1` |
//! | `good` | `ITEM => RESULT` of an item beside it, which must not notice | `7 => 7` |
//! | `limits` | as `timeout=300ms memory=16MiB`; see [`limits`](Guest::limits) | the pool's |
//! | `stderr` | what standard error must show; may be repeated | |
//! | a kind of failure, or several: `trap\|memory` | the attack fails so, with this in its message | |
//! | `done` | the attack fails to be one: its result | |
//! | `refused` | the module cannot be used, and the message has this in it | |
//! | `fresh` | the result of every item where items are apart; of some it is another where they share an instance | |

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wasmpool::limits::Limits;
use wasmpool::mode::Isolation;
use wasmpool::pool::{ChunkSize, Error, JobOptions, OnError, Payload, Pool};

use crate::places::root;

/// What must happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// The item fails with one of these kinds, and a message that has this in it.
    Fails(Vec<String>, String),
    /// The item has this result: there is nothing to gain.
    Done(Value),
    /// The module cannot be used, for a reason that has this in it.
    Refused(String),
    /// Items that are apart have this result, each.
    Fresh(Value),
}

/// One hostile guest.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What it attacks: the folder's name.
    pub family: String,
    /// The file's name.
    pub name: String,
    /// The module's path.
    pub path: String,
    /// What is called.
    pub function: String,
    /// The item with which it attacks.
    pub item: String,
    /// An item beside it, and its result.
    pub good: (String, Value),
    /// Names and values of limits.
    pub limits: Vec<(String, String)>,
    /// What standard error must show.
    pub stderr: Vec<String>,
    /// What must happen.
    pub expected: Expected,
}

/// All guests of `tests/modules/hostile`, in the order of their names.
///
/// # Panics
/// If a file there does not say what must happen.
pub fn hostile_guests() -> Vec<Guest> {
    let mut found = Vec::new();
    let top = root().join("tests/modules/hostile");
    for family in entries(&top) {
        for path in entries(&family) {
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.push(Guest::read(&path, &text));
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = folder
        .read_dir()
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

impl Guest {
    fn read(path: &Path, text: &str) -> Guest {
        let shown = path.display();
        let name = |path: &Path| {
            let stem = path.file_stem().and_then(|name| name.to_str());
            stem.expect("a name that is text").to_owned()
        };
        let mut guest = Guest {
            family: name(path.parent().expect("it lies in a folder")),
            name: name(path),
            path: path.to_str().expect("a path that is text").to_owned(),
            function: "attack".into(),
            item: "-1".into(),
            good: ("7".into(), Value::from(7)),
            limits: Vec::new(),
            stderr: Vec::new(),
            expected: Expected::Refused(String::new()),
        };
        let mut expected = None;
        assert!(
            text.starts_with(";; "),
            "{shown} does not say what it tries"
        );
        for line in text.lines().filter_map(|line| line.strip_prefix(";;! ")) {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("{shown}: {line}"));
            let value = value.trim();
            match name {
                "function" => guest.function = value.into(),
                "item" => guest.item = value.into(),
                "good" => {
                    let (item, result) = value
                        .split_once(" => ")
                        .unwrap_or_else(|| panic!("{shown}: {line}"));
                    guest.good = (item.into(), json(result));
                }
                "limits" => guest.limits = value.split(' ').map(limit).collect(),
                "stderr" => guest.stderr.push(value.into()),
                "done" => expected = Some(Expected::Done(json(value))),
                "refused" => expected = Some(Expected::Refused(value.into())),
                "fresh" => expected = Some(Expected::Fresh(json(value))),
                kinds => {
                    let kinds: Vec<_> = kinds.split('|').map(str::to_owned).collect();
                    assert!(kinds.iter().all(|k| KINDS.contains(&k.as_str())), "{line}");
                    expected = Some(Expected::Fails(kinds, value.into()));
                }
            }
        }
        guest.expected =
            expected.unwrap_or_else(|| panic!("{shown} does not say what must happen"));
        guest
    }

    /// `family::name`.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.family, self.name)
    }

    /// Its limits as options of the program; none if the program has no option for one of them.
    pub fn options(&self) -> Option<Vec<String>> {
        let mut options = Vec::new();
        for (name, value) in &self.limits {
            if API_ONLY.contains(&name.as_str()) {
                return None;
            }
            options.extend([format!("--{name}"), value.clone()]);
        }
        Some(options)
    }

    /// Its limits, for the library.
    ///
    /// # Panics
    /// If there is no such limit.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::new();
        for (name, value) in &self.limits {
            match name.as_str() {
                "timeout" => limits.timeout = duration(value),
                "memory" => limits.memory_bytes = size(value),
                "result-bytes" => limits.result_bytes = size(value),
                "log-bytes" => limits.log_bytes = size(value),
                "compile-timeout" => limits.compile_timeout = duration(value),
                "compile-memory" => limits.compile_memory_bytes = size(value),
                "start-timeout" => limits.start_timeout = duration(value),
                "stack" => limits.stack_bytes = size(value),
                other => panic!("no limit `{other}`"),
            }
        }
        limits
    }
}

const KINDS: [&str; 7] = [
    "failed",
    "invalid-input",
    "trap",
    "timeout",
    "memory",
    "output-limit",
    "worker-lost",
];

/// Limits that the program has no option for.
const API_ONLY: [&str; 3] = ["start-timeout", "compile-memory", "stack"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn limit(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').expect("a limit has a value");
    (name.into(), value.into())
}

fn duration(text: &str) -> Duration {
    let millis = text.strip_suffix("ms").expect("times are in ms");
    Duration::from_millis(millis.parse().expect("a number"))
}

fn size(text: &str) -> u64 {
    let parse = |text: &str| text.parse::<u64>().expect("a number");
    match (text.strip_suffix("MiB"), text.strip_suffix("KiB")) {
        (Some(text), _) => parse(text) << 20,
        (_, Some(text)) => parse(text) << 10,
        _ => parse(text),
    }
}

/// What became of one item: its result as JSON, or the kind of its failure and the message.
pub type Became = Result<Value, (String, String)>;

impl Guest {
    /// Its items: the attack with an item before and behind it.
    pub fn items(&self) -> [&str; 3] {
        [&self.good.0, &self.item, &self.good.0]
    }

    /// Opens a pool of one worker and runs its items in it.
    ///
    /// # Errors
    /// Those of the pool: the module cannot be used.
    pub fn run_in_pool(&self, isolation: Isolation) -> Result<Vec<Became>, Error> {
        let builder = Pool::builder().workers(1).cache(false);
        let pool = builder
            .limits(self.limits())
            .isolation(isolation)
            .open(&self.path)?;
        let options = JobOptions {
            chunk_size: ChunkSize::Items(3),
            on_error: OnError::Continue,
            ..JobOptions::default()
        };
        let (mut feeder, mut results) = pool.stream(&self.function, options)?;
        for item in self.items() {
            feeder.push(Payload::Bytes(item.as_bytes().to_vec()));
        }
        drop(feeder);
        let mut became = Vec::new();
        while let Some(outcome) = results.next() {
            let outcome = outcome?;
            became.push(match outcome.result {
                // As the program does: what cannot be printed counts as failed.
                Ok(bytes) => (outcome.emitted.iter())
                    .try_for_each(|value| serde_json::from_slice::<Value>(value).map(drop))
                    .and_then(|()| serde_json::from_slice(&bytes))
                    .map_err(|e| ("failed".into(), format!("not JSON: {e}"))),
                Err(failure) => Err((failure.kind.name().into(), failure.message)),
            });
        }
        Ok(became)
    }

    /// Checks what became of its items, and of nobody else's.
    ///
    /// # Panics
    /// If it is not what must happen.
    pub fn check(&self, became: &[Became]) {
        let [before, attack, behind] = became else {
            panic!("{}: three items, not {became:?}", self.full_name());
        };
        for neighbour in [before, behind] {
            assert_eq!(neighbour.as_ref(), Ok(&self.good.1), "{became:?}");
        }
        match (&self.expected, attack) {
            (Expected::Fails(kinds, says), Err((kind, message))) => {
                assert!(kinds.contains(kind), "not {kinds:?}: {kind}: {message}");
                assert!(message.contains(says), "no `{says}`: {kind}: {message}");
                assert!(message.len() <= MESSAGE_BYTES, "{} bytes", message.len());
            }
            (Expected::Done(value), Ok(result)) => assert_eq!(result, value),
            (expected, attack) => panic!("not {expected:?}: {attack:?}"),
        }
    }
}

/// Bytes of a message, at most, with its escapes.
const MESSAGE_BYTES: usize = 64 << 10;
