//! Results kept from one run to the next: whether a component's may be, under which keys, and the traffic with the cache.
//!
//! All of it happens in the threads of the pool's user, as items are pushed and outcomes handed out, and never under
//! the core's lock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Error;
use super::options::{Bytes, JobOptions, Outcome};
use super::payload::Stored;
use crate::cache::{CacheKey, CachedResult, Circumstances, ResultCache, ResultKey};
use crate::ipc::manifest::Import;
use crate::ipc::wire::Initializer;
use crate::limits::Limits;
use crate::sys::memory::Mapping;

/// Called with warnings of the pool.
pub(super) type OnWarning = Arc<dyn Fn(&str) + Send + Sync>;

/// Interfaces through which an item learns nothing but what its key tells: without directories there is no file, and
/// without objects none can be opened. Any other is a side channel into the result.
const HARMLESS: [&str; 9] = [
    "wasi:cli/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasmpool:task/buffers@",
    "wasmpool:task/log@",
    "wasmpool:task/pipes@",
    "wasmpool:task/queues@",
    "wasmpool:task/results@",
    "wasmpool:task/sync@",
];

/// What decides about a pool's results besides function and item.
pub(super) struct Setting<'a> {
    pub module: &'a CacheKey,
    pub imports: &'a [Import],
    pub limits: &'a Limits,
    pub env: &'a [(String, String)],
    /// The seed, in deterministic mode.
    pub deterministic: Option<u64>,
    pub initializer: Option<&'a Initializer>,
}

impl Setting<'_> {
    fn imports(&self, prefix: &str) -> bool {
        self.imports.iter().any(|i| i.name.starts_with(prefix))
    }

    /// Refuses a component whose results may depend on more than is in their keys.
    ///
    /// In deterministic mode clocks and context are fixed, and randomness is made of what is in the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        let harmless = |import: &&Import| HARMLESS.iter().any(|h| import.name.starts_with(h));
        match self.imports.iter().find(|import| !harmless(import)) {
            Some(import) if self.deterministic.is_none() => Err(Error::NotCacheable {
                import: import.name.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether an item can see its index: as such, or in its randomness.
    fn shows_index(&self) -> bool {
        self.imports("wasmpool:task/context@") || self.imports("wasi:random/")
    }

    /// The limits as far as a result can depend on them. A limit that only ends what goes on for too long makes a failure,
    /// and failures are not kept; but the time limit of an item can be asked for.
    fn limits(&self) -> Limits {
        let any = Limits::default();
        Limits {
            timeout: match self.imports("wasmpool:task/context@") {
                true => self.limits.timeout,
                false => any.timeout,
            },
            module_bytes: any.module_bytes,
            compile_timeout: any.compile_timeout,
            compile_memory_bytes: any.compile_memory_bytes,
            compiled_bytes: any.compiled_bytes,
            start_timeout: any.start_timeout,
            ..self.limits.clone()
        }
    }

    fn circumstances(&self) -> Result<Circumstances, postcard::Error> {
        let parts = (
            self.limits(),
            self.env,
            self.deterministic,
            self.initializer,
        );
        Ok(Circumstances::new(self.module).with(&postcard::to_stdvec(&parts)?))
    }
}

/// The cache of results, as a pool uses it.
pub(super) struct Memo {
    cache: ResultCache,
    circumstances: Circumstances,
    shows_index: bool,
    /// Nothing is stored any more, since it could not be.
    full: AtomicBool,
    on_warning: Option<OnWarning>,
}

impl Memo {
    /// Opens the user's cache for a pool. Without one there is a warning, and nothing is kept.
    pub(super) fn open(setting: &Setting<'_>, on_warning: Option<OnWarning>) -> Option<Memo> {
        let warn = |reason: String| {
            if let Some(on_warning) = &on_warning {
                on_warning(&format!("results are not cached: {reason}"));
            }
        };
        let cache = ResultCache::open_default().map_err(|e| warn(format!("{e}; {}", e.hint())));
        let circumstances = setting.circumstances().map_err(|e| warn(e.to_string()));
        let (Ok(cache), Ok(circumstances)) = (cache, circumstances) else {
            return None;
        };
        Some(Memo {
            cache,
            circumstances,
            shows_index: setting.shows_index(),
            full: AtomicBool::new(false),
            on_warning,
        })
    }

    /// The keys of a job. A function is known by its kind and name, and a command also by its arguments: numbers are each
    /// pool's own.
    pub(super) fn job(self: &Arc<Memo>, function: &[&str], options: &JobOptions) -> JobMemo {
        // The names of the encodings, not their numbers: a new one does not change the keys.
        let encodings = format!("{:?} to {:?}", options.input, options.output);
        let parts = function.iter().copied().chain([encodings.as_str()]);
        JobMemo {
            circumstances: parts.fold(self.circumstances.clone(), |key, part| {
                key.with(part.as_bytes())
            }),
            memo: self.clone(),
        }
    }

    /// Keeps a success. If that fails, says so once, and keeps nothing more: a disk that is full is not filled again and
    /// again.
    pub(super) fn store(&self, key: &ResultKey, outcome: &Outcome) {
        let Ok(result) = &outcome.result else { return };
        if self.full.load(Ordering::Relaxed) {
            return;
        }
        let emitted: Vec<&[u8]> = outcome.emitted.iter().map(|value| &value[..]).collect();
        if let Err(e) = self.cache.put(key, &emitted, result, outcome.fuel)
            && !self.full.swap(true, Ordering::Relaxed)
            && let Some(on_warning) = &self.on_warning
        {
            let path = self.cache.path().display();
            on_warning(&format!(
                "results are not cached any more: {path} cannot be written: {e}"
            ));
        }
    }
}

/// What a job's items are found by.
pub(super) struct JobMemo {
    memo: Arc<Memo>,
    circumstances: Circumstances,
}

impl JobMemo {
    /// The key of an item. An error if it cannot be mapped.
    pub(super) fn key(&self, index: u64, item: &Stored) -> io::Result<ResultKey> {
        let of = |bytes: &[u8]| match self.memo.shows_index {
            true => {
                let at_index = self.circumstances.clone().with(&index.to_le_bytes());
                at_index.key(bytes)
            }
            false => self.circumstances.key(bytes),
        };
        match item {
            Stored::Inline(bytes) => Ok(of(bytes)),
            Stored::Sealed(file, size) => {
                let size = usize::try_from(*size).map_err(io::Error::other)?;
                let file = Mapping::read_only(file, size)?;
                Ok(of(file.get(4..).unwrap_or_default()))
            }
        }
    }

    /// What came of the item before, if that is known.
    pub(super) fn find(&self, key: &ResultKey) -> Option<Known> {
        let CachedResult {
            emitted,
            result,
            fuel,
        } = self.memo.cache.get(key)?;
        Some(Known {
            emitted: emitted.into_iter().map(Bytes::Owned).collect(),
            result: Bytes::Owned(result),
            fuel,
        })
    }
}

/// What came of an item in an earlier run.
#[derive(Debug)]
pub(super) struct Known {
    pub emitted: Vec<Bytes>,
    pub result: Bytes,
    pub fuel: Option<u64>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::MIB;

    fn imports(names: &[&str]) -> Vec<Import> {
        let import = |name: &&str| Import {
            name: (*name).into(),
            offered: Ok(()),
        };
        names.iter().map(import).collect()
    }

    fn setting<'a>(module: &'a CacheKey, imports: &'a [Import], limits: &'a Limits) -> Setting<'a> {
        Setting {
            module,
            imports,
            limits,
            env: &[],
            deterministic: None,
            initializer: None,
        }
    }

    #[test]
    fn only_components_that_see_nothing_else_are_cached() {
        let module = CacheKey::new(&[0; 32], b"module");
        let limits = Limits::default();
        let check = |name: &str, refused: bool| {
            let imports = imports(&["wasmpool:task/log@0.1.0", "wasi:io/poll@0.2.12", name]);
            let mut setting = setting(&module, &imports, &limits);
            match setting.check() {
                Err(Error::NotCacheable { import }) => assert!(refused && import == name, "{name}"),
                other => assert!(other.is_ok() && !refused, "{name}"),
            }
            setting.deterministic = Some(1);
            assert!(setting.check().is_ok(), "{name}");
        };
        check("wasi:cli/environment@0.2.12", false);
        check("wasi:filesystem/preopens@0.2.12", false);
        check("wasmpool:task/results@0.1.0", false);
        check("wasmpool:task/queues@0.1.0", false);
        check("wasi:clocks/monotonic-clock@0.2.12", true);
        check("wasi:random/insecure-seed@0.2.12", true);
        check("wasmpool:task/context@0.1.0", true);
        check("wasi:new/thing@0.2.12", true);
    }

    #[test]
    fn what_a_result_can_depend_on_is_in_its_key() {
        let module = CacheKey::new(&[0; 32], b"module");
        let other = CacheKey::new(&[0; 32], b"another");
        let (plain, told) = (imports(&[]), imports(&["wasmpool:task/context@0.1.0"]));
        let limits = Limits::default();
        let key = |setting: &Setting<'_>| setting.circumstances().unwrap().key(b"item");
        let base = || setting(&module, &plain, &limits);
        let first = key(&base());
        assert_eq!(first, key(&base()));
        let differs = |setting: Setting<'_>| assert_ne!(first, key(&setting));

        differs(setting(&other, &plain, &limits));
        differs(setting(&module, &plain, &Limits::default().memory(MIB)));
        differs(setting(&module, &plain, &Limits::default().result_bytes(1)));
        differs(setting(&module, &plain, &Limits::default().fuel(1)));
        differs(Setting {
            env: &[("A".into(), "1".into())],
            ..base()
        });
        differs(Setting {
            deterministic: Some(0),
            ..base()
        });
        let initializer = |item: &[u8]| Initializer {
            function: crate::ipc::wire::InitialFunction::Task("begin".into()),
            item: item.into(),
        };
        let (one, two) = (initializer(b"1"), initializer(b"2"));
        differs(Setting {
            initializer: Some(&one),
            ..base()
        });
        let with = |i| {
            key(&Setting {
                initializer: Some(i),
                ..base()
            })
        };
        assert_ne!(with(&one), with(&two));

        // A time limit only ends items; unless they can ask how much is left.
        let patient = Limits::default().timeout(Duration::from_secs(99));
        assert_eq!(first, key(&setting(&module, &plain, &patient)));
        let told = |limits| key(&setting(&module, &told, limits));
        assert_ne!(told(&limits), told(&patient));
    }
}
