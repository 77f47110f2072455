//! The cache, with folders and entries that others have tampered with.

use std::fs::{self as stdfs, OpenOptions, Permissions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs;

use super::store::STALE;
use super::*;
use crate::ipc::manifest::tests::sample;
use crate::sys::private::NotPrivate;

const CHILD_DIR: &str = "WASMPOOL_TEST_CACHE_DIR";

/// A directory of this test, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("wasmpool-cache-{}-{number}", std::process::id()));
        stdfs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn dir(&self) -> PathBuf {
        self.0.join("above/cache")
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.dir(), DEFAULT_MAX_BYTES).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = stdfs::remove_dir_all(&self.0);
    }
}

fn key(n: u8) -> CacheKey {
    CacheKey::new(&[n; 32], b"module")
}

fn manifest(code: &[u8]) -> Manifest {
    Manifest {
        code_bytes: code.len() as u64,
        ..sample()
    }
}

fn put(cache: &Cache, key: &CacheKey, code: &[u8]) -> Entry {
    cache
        .put(
            key,
            CodeSource::Bytes(code),
            code.len() as u64,
            &manifest(code),
        )
        .unwrap()
}

fn file_of(cache: &Cache, key: &CacheKey) -> PathBuf {
    cache
        .path()
        .join(cache.store.name(&key.0).to_str().unwrap())
}

fn code_of(entry: &Entry) -> Vec<u8> {
    let mut code = vec![0; entry.code_len as usize];
    entry.file.read_exact_at(&mut code, 0).unwrap();
    code
}

/// Checks that an entry holds this code, and that its file cannot be written.
fn check(entry: &Entry, code: &[u8]) {
    assert!(code_of(entry) == code);
    assert_eq!(entry.manifest, manifest(code));
    assert!(entry.file.write_at(b"x", 0).is_err());
}

#[test]
fn what_is_put_is_got() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    for len in [0, 1, 4095, 4096, 4097, 1_000_000] {
        let code: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        assert!(cache.get(&key(1)).is_none());
        check(&put(&cache, &key(1), &code), &code);
        check(&cache.get(&key(1)).unwrap(), &code);
        // Another process, so to speak.
        check(&scratch.cache().get(&key(1)).unwrap(), &code);
        assert!(cache.get(&key(2)).is_none());
        assert_eq!(cache.clear().unwrap().0, 1);
    }
    assert_ne!(CacheKey::new(&[0; 32], b"a"), CacheKey::new(&[0; 32], b"b"));
    assert_ne!(CacheKey::new(&[0; 32], b"a"), CacheKey::new(&[1; 32], b"a"));
}

#[test]
fn code_is_taken_from_a_file() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let mut file = File::from(fs::memfd_create("code", fs::MemfdFlags::CLOEXEC).unwrap());
    file.write_all(&[5; 300_000]).unwrap();
    let code = [5; 290_000];
    let source = CodeSource::File(file.as_fd());
    check(
        &cache
            .put(&key(1), source, 290_000, &manifest(&code))
            .unwrap(),
        &code,
    );
    check(&cache.get(&key(1)).unwrap(), &code);

    let code = [5; 300_001];
    let error = cache
        .put(&key(1), source, 300_001, &manifest(&code))
        .unwrap_err();
    assert!(matches!(error, PutError::Io(_)), "{error}");
    assert_eq!(cache.get(&key(1)).unwrap().code_len, 290_000);
    let error = cache
        .put(&key(1), source, 10, &manifest(&code))
        .unwrap_err();
    assert!(
        matches!(
            error,
            PutError::Length {
                found: 10,
                said: 300_001
            }
        ),
        "{error}"
    );
    assert_eq!(
        stdfs::read_dir(cache.path()).unwrap().count(),
        2,
        "temporary files were left"
    );
}

#[test]
fn where_files_cannot_be_executed_entries_are_sealed_copies() {
    let scratch = Scratch::new();
    let mut cache = scratch.cache();
    cache.store.private.noexec = true;
    let code = [9; 600_000];
    for entry in [put(&cache, &key(1), &code), cache.get(&key(1)).unwrap()] {
        check(&entry, &code);
        let seals = fs::fcntl_get_seals(&entry.file).unwrap();
        assert!(seals.contains(fs::SealFlags::WRITE | fs::SealFlags::SHRINK | fs::SealFlags::SEAL));
    }
}

#[test]
fn everything_is_private() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    put(&cache, &key(1), b"code");
    assert_eq!(stdfs::metadata(cache.path()).unwrap().mode() & 0o777, 0o700);
    for item in stdfs::read_dir(cache.path()).unwrap() {
        assert_eq!(item.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
    }
}

/// Checks that a spoiled entry is absent, and that it can be replaced.
fn check_absent(cache: &Cache, code: &[u8], what: &str) {
    assert!(cache.get(&key(1)).is_none(), "{what}");
    check(&put(cache, &key(1), code), code);
    check(&cache.get(&key(1)).unwrap(), code);
}

#[test]
fn truncated_entries_are_absent() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let code = [7; 5000];
    put(&cache, &key(1), &code);
    let path = file_of(&cache, &key(1));
    let whole = stdfs::read(&path).unwrap();
    for len in (0..whole.len()).step_by(64).chain([whole.len() - 1]) {
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(len as u64)
            .unwrap();
        check_absent(&cache, &code, &format!("{len} bytes"));
    }
    OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"x")
        .unwrap();
    check_absent(&cache, &code, "one byte more");
}

#[test]
fn flipped_bits_make_an_entry_absent() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let code = [7; 5000];
    put(&cache, &key(1), &code);
    let path = file_of(&cache, &key(1));
    let whole = stdfs::read(&path).unwrap();
    // Some of the code, the padding, and all of manifest and trailer.
    let places = (0..8192).step_by(211).chain(8192..whole.len());
    for (round, at) in places.enumerate() {
        let flipped = [whole[at] ^ (1 << (round % 8))];
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .write_all_at(&flipped, at as u64)
            .unwrap();
        check_absent(&cache, &code, &format!("byte {at}"));
    }
}

#[test]
fn an_entry_under_another_name_is_absent() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    put(&cache, &key(1), b"one");
    stdfs::copy(file_of(&cache, &key(1)), file_of(&cache, &key(2))).unwrap();
    assert!(cache.get(&key(2)).is_none());
    assert!(cache.get(&key(1)).is_some());
}

#[test]
fn an_entry_of_another_directory_is_absent() {
    let (a, b) = (Scratch::new(), Scratch::new());
    put(&a.cache(), &key(1), b"one");
    stdfs::copy(file_of(&a.cache(), &key(1)), file_of(&b.cache(), &key(1))).unwrap();
    assert!(b.cache().get(&key(1)).is_none());
}

#[test]
fn entries_that_others_could_have_touched_are_absent() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let path = file_of(&cache, &key(1));
    for mode in [0o604, 0o640, 0o620, 0o602, 0o610] {
        put(&cache, &key(1), b"code");
        stdfs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        check_absent(&cache, b"code", &format!("mode {mode:o}"));
    }
    let elsewhere = scratch.0.join("elsewhere");
    stdfs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    check_absent(&cache, b"code", "a link");
    assert!(elsewhere.exists(), "the link's target was removed");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(61001), None).unwrap();
        check_absent(&cache, b"code", "another user's");
    }
}

#[test]
fn a_pipe_in_an_entrys_place_does_not_block() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let mode = fs::Mode::RUSR | fs::Mode::WUSR;
    fs::mknodat(
        fs::CWD,
        file_of(&cache, &key(1)),
        fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    check_absent(&cache, b"code", "a pipe");
}

#[test]
fn a_damaged_secret_is_replaced() {
    let scratch = Scratch::new();
    let secret = scratch.dir().join("key");
    for spoil in [
        |path: &Path| stdfs::write(path, b"short").unwrap(),
        |path: &Path| stdfs::set_permissions(path, Permissions::from_mode(0o644)).unwrap(),
        |path: &Path| {
            stdfs::remove_file(path).unwrap();
            symlink("/dev/zero", path).unwrap();
        },
    ] {
        put(&scratch.cache(), &key(1), b"code");
        spoil(&secret);
        let cache = scratch.cache();
        check_absent(&cache, b"code", "of the old secret");
        assert_ne!(cache.store.private.secret, [0; 32]);
        assert_eq!(stdfs::read(&secret).unwrap(), cache.store.private.secret);
    }
}

#[test]
fn directories_that_others_could_have_prepared_are_refused() {
    let scratch = Scratch::new();
    let open = |path: &Path| {
        Cache::open(path, DEFAULT_MAX_BYTES)
            .map(|_| ())
            .unwrap_err()
    };
    let dir = scratch.dir();
    scratch.cache();
    for mode in [0o770, 0o702, 0o777, 0o1777] {
        stdfs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        assert!(
            matches!(
                open(&dir),
                CacheWarning::NotPrivate(NotPrivate::Writable { .. })
            ),
            "{mode:o}"
        );
    }
    stdfs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    assert!(Cache::open(&dir, DEFAULT_MAX_BYTES).is_ok());

    let link = scratch.0.join("link");
    symlink(&dir, &link).unwrap();
    assert!(matches!(
        open(&link),
        CacheWarning::NotPrivate(NotPrivate::Symlink(_))
    ));
    assert!(matches!(
        open(&scratch.0.join("link/")),
        CacheWarning::NotPrivate(NotPrivate::Symlink(_))
    ));
    let dangling = scratch.0.join("dangling");
    symlink("nowhere", &dangling).unwrap();
    assert!(matches!(
        open(&dangling),
        CacheWarning::NotPrivate(NotPrivate::Symlink(_))
    ));

    let file = scratch.0.join("file");
    stdfs::write(&file, b"").unwrap();
    assert!(matches!(
        open(&file),
        CacheWarning::NotPrivate(NotPrivate::NotADirectory(_))
    ));
    assert!(matches!(
        open(&file.join("below")),
        CacheWarning::NotPrivate(NotPrivate::Io { .. })
    ));
    assert!(open(&file).hint().contains("WASMPOOL_CACHE_DIR"));
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&dir, Some(61001), None).unwrap();
        assert!(matches!(
            open(&dir),
            CacheWarning::NotPrivate(NotPrivate::ForeignOwner { owner: 61001, .. })
        ));
    }
}

#[test]
fn the_variables_name_the_directory() {
    let check = |variables: &[(&str, &str)], wanted: Option<&str>| {
        let get = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.into())
        };
        assert_eq!(
            dir::from_variables(get),
            wanted.map(PathBuf::from),
            "{variables:?}"
        );
    };
    check(
        &[
            ("WASMPOOL_CACHE_DIR", "/a"),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ],
        Some("/a"),
    );
    check(&[("WASMPOOL_CACHE_DIR", "a"), ("HOME", "/c")], Some("a"));
    check(
        &[
            ("WASMPOOL_CACHE_DIR", ""),
            ("XDG_CACHE_HOME", "/b"),
            ("HOME", "/c"),
        ],
        Some("/b/wasmpool"),
    );
    check(
        &[("XDG_CACHE_HOME", "b"), ("HOME", "/c")],
        Some("/c/.cache/wasmpool"),
    );
    check(&[("HOME", "")], None);
    check(&[], None);
}

#[test]
fn the_least_recently_used_entries_are_evicted() {
    let scratch = Scratch::new();
    let code = [1; 4096];
    let each = put(&scratch.cache(), &key(0), &code)
        .file
        .metadata()
        .unwrap()
        .len();
    let cache = Cache::open(&scratch.dir(), 3 * each).unwrap();
    let past = |n: u8, seconds: u64| {
        let file = OpenOptions::new()
            .write(true)
            .open(file_of(&cache, &key(n)))
            .unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
            .unwrap();
    };
    put(&cache, &key(1), &code);
    put(&cache, &key(2), &code);
    past(0, 300);
    past(1, 200);
    past(2, 100);
    assert!(cache.get(&key(0)).is_some());
    put(&cache, &key(3), &code);
    let there: Vec<_> = (0..4).map(|n| file_of(&cache, &key(n)).exists()).collect();
    assert_eq!(there, [true, false, true, true]);
    let entries = cache.entries().unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!(
        entries[0].name.as_bytes(),
        cache.store.name(&key(2).0).as_bytes()
    );
    assert_eq!(entries[0].bytes, each);

    let large = vec![1; 3 * each as usize];
    let error = cache
        .put(
            &key(4),
            CodeSource::Bytes(&large),
            large.len() as u64,
            &manifest(&large),
        )
        .unwrap_err();
    assert!(matches!(error, PutError::TooLarge { .. }));
    assert_eq!(cache.entries().unwrap().len(), 3);
    assert_eq!(cache.clear().unwrap(), (3, 3 * each));
    assert_eq!(cache.entries().unwrap(), []);
}

#[test]
fn what_dead_writers_left_is_removed() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    let left = cache.path().join(".new-0123");
    let unrelated = cache.path().join("unrelated");
    for (age, stays) in [(STALE / 2, true), (STALE * 2, false)] {
        let file = File::create(&left).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        stdfs::write(&unrelated, b"").unwrap();
        put(&cache, &key(1), b"code");
        assert_eq!(left.exists(), stays);
        assert!(unrelated.exists());
    }
}

/// Puts and gets two entries many times; every one that is got is whole.
fn hammer(dir: &Path, rounds: usize) {
    let cache = Cache::open(dir, DEFAULT_MAX_BYTES).unwrap();
    for round in 0..rounds {
        let n = (round % 2) as u8;
        let code = vec![n; 100_000 + n as usize];
        if let Some(entry) = cache.get(&key(n)) {
            check(&entry, &code);
        }
        check(&put(&cache, &key(n), &code), &code);
    }
}

#[test]
fn threads_and_processes_share_a_directory() {
    let scratch = Scratch::new();
    let dir = scratch.dir();
    let children: Vec<_> = (0..3)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "cache::tests::child", "--ignored", "--nocapture"])
                .env(CHILD_DIR, &dir)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hammer(&dir, 100));
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let names: Vec<_> = stdfs::read_dir(&dir)
        .unwrap()
        .map(|item| item.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let cache = scratch.cache();
    assert!(cache.get(&key(0)).is_some() && cache.get(&key(1)).is_some());
}

#[test]
#[ignore = "the other process of `threads_and_processes_share_a_directory`"]
fn child() {
    hammer(
        Path::new(&std::env::var_os(CHILD_DIR).expect("started by its parent only")),
        100,
    );
}

#[test]
fn a_writer_killed_at_any_instant_leaves_no_broken_entry() {
    let scratch = Scratch::new();
    let dir = scratch.dir();
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cache::tests::child", "--ignored"])
            .env(CHILD_DIR, &dir)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(3 + 4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let cache = scratch.cache();
        for entry in cache.entries().unwrap() {
            let n = u8::from(entry.name.as_bytes() == cache.store.name(&key(1).0).as_bytes());
            check(
                &cache.get(&key(n)).expect("a whole entry"),
                &vec![n; 100_000 + n as usize],
            );
        }
    }
}

fn results(scratch: &Scratch) -> ResultCache {
    ResultCache::open(&scratch.dir(), 1 << 20).unwrap()
}

fn circumstances(n: u8) -> Circumstances {
    Circumstances::new(&key(n)).with(b"task")
}

fn result_key(n: u8) -> ResultKey {
    circumstances(n).key(b"item")
}

fn result_file(cache: &ResultCache) -> PathBuf {
    let entries = cache.entries().unwrap();
    assert_eq!(entries.len(), 1);
    cache.path().parent().unwrap().join(&entries[0].name)
}

/// A result of so many bytes, with two emitted values.
fn came(bytes: usize) -> CachedResult {
    CachedResult {
        emitted: vec![b"first".to_vec(), Vec::new()],
        result: (0..bytes).map(|i| (i * 7) as u8).collect(),
        fuel: Some(bytes as u64),
    }
}

fn keep(cache: &ResultCache, key: &ResultKey, came: &CachedResult) -> bool {
    let emitted: Vec<&[u8]> = came.emitted.iter().map(Vec::as_slice).collect();
    cache.put(key, &emitted, &came.result, came.fuel).unwrap()
}

#[test]
fn results_come_back_as_they_were() {
    let scratch = Scratch::new();
    let cache = results(&scratch);
    for bytes in [0, 1, 4096, 60_000] {
        assert_eq!(cache.get(&result_key(1)), None);
        assert!(keep(&cache, &result_key(1), &came(bytes)));
        assert_eq!(results(&scratch).get(&result_key(1)), Some(came(bytes)));
        assert_eq!(cache.get(&result_key(2)), None);
        assert_eq!(cache.clear().unwrap().0, 1);
    }
    let nothing = CachedResult {
        emitted: Vec::new(),
        result: Vec::new(),
        fuel: None,
    };
    assert!(keep(&cache, &result_key(1), &nothing));
    assert_eq!(cache.get(&result_key(1)), Some(nothing));
    // Beside compiled code, and not taken for it.
    assert_eq!(scratch.cache().entries().unwrap(), []);
}

#[test]
fn every_part_of_a_key_counts() {
    let keys = [
        circumstances(1).key(b"item"),
        circumstances(2).key(b"item"),
        circumstances(1).key(b"items"),
        circumstances(1).with(b"").key(b"item"),
        circumstances(1).with(b"i").key(b"tem"),
        circumstances(1).with(b"item").key(b""),
        Circumstances::new(&key(1)).with(b"tas").key(b"kitem"),
    ];
    let different: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
    assert_eq!(keys[0], result_key(1));
}

#[test]
fn damaged_results_are_absent_and_can_be_replaced() {
    let scratch = Scratch::new();
    let cache = results(&scratch);
    let check = |what: String| {
        assert_eq!(cache.get(&result_key(1)), None, "{what}");
        assert!(keep(&cache, &result_key(1), &came(100)));
        assert_eq!(cache.get(&result_key(1)), Some(came(100)));
    };
    keep(&cache, &result_key(1), &came(100));
    let path = result_file(&cache);
    let whole = stdfs::read(&path).unwrap();
    let writable = || OpenOptions::new().write(true).open(&path).unwrap();
    for (at, byte) in whole.iter().enumerate() {
        writable().write_all_at(&[byte ^ 1], at as u64).unwrap();
        check(format!("byte {at}"));
        writable().set_len(at as u64).unwrap();
        check(format!("{at} bytes"));
    }
    stdfs::write(&path, [&whole[..], b"x"].concat()).unwrap();
    check("one byte more".into());
    writable().set_len(1 << 40).unwrap();
    check("very large".into());
    stdfs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    check("open to others".into());
    stdfs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    check("a link".into());
    stdfs::write(cache.path().join("key"), [1; 32]).unwrap();
    assert_eq!(
        results(&scratch).get(&result_key(1)),
        None,
        "another secret"
    );
}

#[test]
fn a_result_under_another_name_or_of_another_directory_is_absent() {
    let (a, b) = (Scratch::new(), Scratch::new());
    let (cache, other) = (results(&a), results(&b));
    keep(&cache, &result_key(1), &came(10));
    let path = result_file(&cache);
    keep(&other, &result_key(2), &came(20));
    let renamed = cache.path().join(result_file(&other).file_name().unwrap());
    stdfs::copy(&path, &renamed).unwrap();
    assert_eq!(cache.get(&result_key(2)), None);
    assert_eq!(cache.get(&result_key(1)), Some(came(10)));
    stdfs::copy(&path, other.path().join(path.file_name().unwrap())).unwrap();
    assert_eq!(other.get(&result_key(1)), None);
}

#[test]
fn results_keep_their_bound() {
    let scratch = Scratch::new();
    // Room for 32 small files; a sixteenth is two.
    let cache = ResultCache::open(&scratch.dir(), 32 * 4096).unwrap();
    assert!(!keep(&cache, &result_key(0), &came(3 * 4096)), "too large");
    assert_eq!(cache.entries().unwrap(), []);
    for n in 0..200 {
        assert!(keep(&cache, &result_key(n), &came(100)));
    }
    // Every second one looks, on average: so many more in a row that do not are one chance in 2^32.
    let entries = cache.entries().unwrap();
    assert!((20..=64).contains(&entries.len()), "{}", entries.len());
    assert!(entries.iter().all(|entry| entry.bytes == 4096));
    assert_eq!(cache.get(&result_key(199)), Some(came(100)), "the last");
}

#[test]
fn a_full_or_missing_directory_is_an_error_and_leaves_nothing() {
    let scratch = Scratch::new();
    let cache = results(&scratch);
    stdfs::remove_dir_all(cache.path()).unwrap();
    assert!(cache.put(&result_key(1), &[], b"result", None).is_err());
    assert_eq!(cache.get(&result_key(1)), None);
}
