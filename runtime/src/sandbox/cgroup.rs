//! A control group for all processes of a pool: a bound on their memory together, the kernel's objects for them
//! included, and on their number. Where this user may make one; version 2 or 1, as the machine has.
//!
//! The one part of the wall that the host puts up: it makes the group and opens its doors, through which a process goes
//! by itself before it knows of anything hostile; then the host looks whether it is in. Moved by somebody else, a process
//! has to wait until no other on the machine is starting or ending, for some 10 ms.
//!
//! What is left of a host that was killed, the next one removes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// What groups are called: this, the host's process number, a counter.
const PREFIX: &str = "wasmpool-";

/// A group. Dropping it removes it, unless a process is still in it.
#[derive(Debug)]
pub struct Group {
    /// One directory, or for version 1 one a controller.
    directories: Vec<PathBuf>,
}

/// A place where groups can be made: a directory, and the names of the files for the bounds in a new one.
#[derive(Debug, PartialEq, Eq)]
struct Parent {
    directory: PathBuf,
    memory: Option<&'static str>,
    processes: Option<&'static str>,
}

impl Group {
    /// A new group, with `memory` bytes and `processes` processes at most.
    ///
    /// # Errors
    /// Where the machine has no controller of memory, or this user may not use it.
    pub fn new(memory: u64, processes: u32) -> io::Result<Group> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let mut last = io::Error::new(
            io::ErrorKind::Unsupported,
            "no control group can bound memory here",
        );
        let places = places(&mounts, &own);
        // Hosts that are gone leave no more of them while this one runs, but a few.
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| places.iter().flatten().for_each(|p| sweep(&p.directory)));
        for parents in places {
            match Group::below(&parents, &name, memory, processes) {
                Ok(group) => return Ok(group),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn below(parents: &[Parent], name: &str, memory: u64, processes: u32) -> io::Result<Group> {
        let mut group = Group {
            directories: Vec::new(),
        };
        for parent in parents {
            let directory = parent.directory.join(name);
            fs::create_dir(&directory)?;
            group.directories.push(directory.clone());
            if let Some(file) = parent.memory {
                write(&directory.join(file), memory)?;
            }
            if let Some(file) = parent.processes {
                write(&directory.join(file), processes)?;
            }
        }
        Ok(group)
    }

    /// What a process needs to [`enter`]. Those that it starts afterwards are in the group, too.
    ///
    /// # Errors
    /// If the files cannot be opened.
    pub fn doors(&self) -> io::Result<Vec<OwnedFd>> {
        let door = |directory: &PathBuf| {
            // Version 1 has a file for threads, which is the quick one; in version 2 there is that of processes.
            existing(&directory.join("tasks"))
                .or_else(|_| existing(&directory.join("cgroup.procs")))
                .map(OwnedFd::from)
        };
        self.directories.iter().map(door).collect()
    }

    /// Whether a process is in all of it.
    pub fn has(&self, process: u32) -> bool {
        let process = process.to_string();
        self.directories.iter().all(|directory| {
            fs::read_to_string(directory.join("cgroup.procs"))
                .is_ok_and(|inside| inside.lines().any(|line| line == process))
        })
    }
}

/// Moves this process, which has one thread, through the doors of a group. Whether that went well the host sees.
pub fn enter(doors: Vec<OwnedFd>) {
    for door in doors {
        let _ = File::from(door).write_all(b"0");
    }
}

/// Opens a file that the kernel must have made: in a directory that is none of control groups there is none.
fn existing(file: &Path) -> io::Result<File> {
    File::options().write(true).open(file)
}

fn write(file: &Path, value: impl ToString) -> io::Result<()> {
    existing(file)?.write_all(value.to_string().as_bytes())
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            // In vain while a process is in it: the next host sweeps.
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Removes groups of hosts that are gone.
fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let host = name.to_str().and_then(|name| {
            let (host, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
            host.parse::<u32>().ok()
        });
        if host.is_some_and(|host| !Path::new(&format!("/proc/{host}")).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where groups may be made, the likeliest first; for each the directories that are needed together.
fn places(mounts: &str, own: &str) -> Vec<Vec<Parent>> {
    let mut places = Vec::new();
    if let Some((point, directory)) = directory_of(mounts, own, None) {
        let parent = |directory: &Path| {
            vec![Parent {
                directory: directory.to_owned(),
                memory: Some("memory.max"),
                processes: Some("pids.max"),
            }]
        };
        // A group with processes of its own can have no bounded groups below it, so that beside it is likelier.
        let beside = directory.parent().filter(|p| p.starts_with(&point));
        places.extend(beside.map(parent));
        places.push(parent(&directory));
    }
    if let Some((_, directory)) = directory_of(mounts, own, Some("memory")) {
        let mut both = vec![Parent {
            directory,
            memory: Some("memory.limit_in_bytes"),
            processes: None,
        }];
        both.extend(
            directory_of(mounts, own, Some("pids")).map(|(_, directory)| Parent {
                directory,
                memory: None,
                processes: Some("pids.max"),
            }),
        );
        places.push(both);
    }
    places
}

/// Where groups are mounted, and the directory of this process's own: of version 2, or of a controller of version 1.
fn directory_of(mounts: &str, own: &str, controller: Option<&str>) -> Option<(PathBuf, PathBuf)> {
    let group = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        match controller {
            None => controllers.is_empty(),
            Some(name) => controllers.split(',').any(|c| c == name),
        }
        .then_some(path)
    })?;
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, _, options) = (after.next()?, after.next()?, after.next()?);
        let fits = match controller {
            None => kind == "cgroup2",
            Some(name) => kind == "cgroup" && options.split(',').any(|o| o == name),
        };
        let below = Path::new(group).strip_prefix(root).ok();
        let point = PathBuf::from(point);
        below.filter(|_| fits).map(|below| {
            let directory = point.join(below);
            (point, directory)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_is_found_with_the_group_beside_ones_own_first() {
        let mounts =
            "30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope\n";
        let found = places(mounts, own);
        let app = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice";
        assert_eq!(found[0][0].directory, Path::new(app));
        assert_eq!(found[0][0].memory, Some("memory.max"));
        assert_eq!(found[1][0].directory, Path::new(app).join("app-x.scope"));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn version_1_is_found_in_a_container_that_sees_a_part_of_the_tree() {
        let mounts = "\
            40 30 0:35 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            41 30 0:36 /docker/c1 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n";
        let own = "8:pids:/docker/c1/x\n4:memory:/docker/c1/x\n";
        let found = places(mounts, own);
        assert_eq!(found.len(), 1);
        let directories: Vec<_> = found[0].iter().map(|p| p.directory.as_path()).collect();
        assert_eq!(
            directories,
            [
                Path::new("/sys/fs/cgroup/memory/x"),
                Path::new("/sys/fs/cgroup/pids/x")
            ]
        );
        assert!(places("", own).is_empty());
        assert!(places(mounts, "0::/\n").is_empty());
    }

    #[test]
    fn a_group_of_a_host_that_is_gone_is_swept() {
        let folder = std::env::temp_dir().join(format!("wasmpool-sweep-{}", std::process::id()));
        let (gone, here) = (
            folder.join(format!("{PREFIX}{}-0", u32::MAX)),
            folder.join(format!("{PREFIX}{}-0", std::process::id())),
        );
        for directory in [&gone, &here, &folder.join("other")] {
            fs::create_dir_all(directory).unwrap();
        }
        sweep(&folder);
        assert!(!gone.exists() && here.exists() && folder.join("other").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
