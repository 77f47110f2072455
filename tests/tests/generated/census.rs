//! What this process has, that a pool could leave behind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};

/// Bytes that may be allocated in the end and were not before: what is counted here, and what threads keep.
const HEAP: usize = 64 << 10;
/// KiB of memory that may be in use then: the allocator keeps what is free between what is not.
const RESIDENT: u64 = 8 << 10;
/// How long what was killed may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// What there is at one moment.
#[derive(Debug)]
pub struct Census {
    /// Whether there is a process that descends from this one, ended or not, that nobody has waited for.
    child: bool,
    descriptors: usize,
    threads: usize,
    /// Directories of control groups with this process's number in their names.
    groups: usize,
    /// Mappings of memory files: rings, results, modules.
    mapped: usize,
    /// Bytes that were allocated and not freed.
    heap: usize,
    /// KiB of memory in use.
    resident: u64,
}

/// Counts what is in use.
pub struct Counting;

static HEAP_NOW: AtomicUsize = AtomicUsize::new(0);

/// Makes that nothing escapes the count: processes whose parents end become children of this one, and the allocator keeps
/// all in one place, since only of that it gives everything back that is free. Before there is a second thread.
pub fn prepare() {
    set_child_subreaper(Some(getpid())).expect("orphans can be adopted");
    // SAFETY: it only sets a number.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

// SAFETY: all is done by the system's allocator, with the same arguments; only numbers are added up beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_NOW.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HEAP_NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(at, layout) }
    }
}

impl Census {
    /// Counts.
    pub fn now() -> Census {
        Census {
            child: has_child(),
            descriptors: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
            groups: groups(),
            mapped: mapped(),
            heap: HEAP_NOW.load(Ordering::Relaxed),
            resident: resident(),
        }
    }

    /// Counts again, as soon as there is no more than in this one, or has been for long.
    pub fn settled(&self) -> Census {
        let start = Instant::now();
        loop {
            let now = Census::now();
            if now.more_than(self).is_none() || start.elapsed() > ENDING {
                return now;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether there is anything of the kernel's that only open pools have.
    pub fn has_pools(&self) -> bool {
        self.child || self.groups > 0
    }

    /// Says if there is anything of a pool, or more than before.
    pub fn more_than(&self, before: &Census) -> Option<String> {
        let more = self.has_pools()
            || self.descriptors > before.descriptors
            || self.threads > before.threads
            || self.mapped > before.mapped
            || self.heap > before.heap + HEAP
            || self.resident > before.resident + RESIDENT;
        more.then(|| format!("too much is left: {self}; before it was {before}"))
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Census {
            child,
            descriptors,
            threads,
            groups,
            mapped,
            heap,
            resident,
        } = self;
        let child = if *child { "processes" } else { "no process" };
        write!(
            f,
            "{child}, {descriptors} descriptors, {threads} threads, {groups} control groups, \
             {mapped} mapped files, {heap} bytes allocated, {resident} KiB resident"
        )
    }
}

fn has_child() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::All, look) {
        Ok(_) => true,
        Err(e) => {
            assert_eq!(e, Errno::CHILD);
            false
        }
    }
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("/proc can be read").count()
}

fn mapped() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc can be read");
    maps.lines().filter(|line| line.contains("/memfd:")).count()
}

fn resident() -> u64 {
    // What is free goes back to the kernel.
    // SAFETY: it may be called at any time, by any thread.
    unsafe { libc::malloc_trim(0) };
    let status = fs::read_to_string("/proc/self/status").expect("/proc can be read");
    let kib = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        number
            .and_then(|n| n.parse::<u64>().ok())
            .expect("a number of kB")
    };
    // The rest is the program itself.
    kib("RssAnon:") + kib("RssShmem:")
}

/// Groups of this process, below its own group in every hierarchy and beside it.
fn groups() -> usize {
    let ours = format!("wasmpool-{}-", std::process::id());
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut count = 0;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(names), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        for hierarchy in names.split(',').chain(["", "unified"]) {
            let folder = Path::new("/sys/fs/cgroup").join(hierarchy).join(path);
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let is_ours = |name: std::ffi::OsString| name.to_string_lossy().starts_with(&ours);
            count += entries.filter(|entry| is_ours(entry.file_name())).count();
        }
    }
    count
}
