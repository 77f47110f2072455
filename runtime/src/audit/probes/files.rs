//! Probes of the file system: names, what stands behind them, and files without a name.

use libc::{
    AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, MFD_CLOEXEC, O_CLOEXEC, O_CREAT, O_DIRECTORY,
    O_EXCL, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_WRONLY, R_OK, S_IFIFO,
};
use rustix::io::Errno;

use super::Control::{Never, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const FILES: Family = Family::Files;

impl Scene<'_> {
    fn open(&self, path: impl super::raw::Word, flags: i32) -> Tried {
        ask!(self, SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0o600)
    }

    pub(super) fn close(&self, descriptor: i64) -> Tried {
        ask!(self, SYS_close, descriptor)
    }

    /// Opens, and closes again.
    fn open_close(&self, path: impl super::raw::Word, flags: i32) -> Tried {
        let opened = self.open(path, flags)?;
        self.close(opened)?;
        Ok(opened)
    }

    fn remove(&self, letter: char) -> Tried {
        ask!(self, SYS_unlinkat, AT_FDCWD, &self.temporary(letter), 0)
    }

    /// Tries something with a temporary file. The call is made first with a name that does not exist, so that it is
    /// the first one the kernel sees.
    fn with_file(&self, attempt: impl Fn(&Self, &super::scene::Name) -> Tried) -> Tried {
        let name = self.temporary('f');
        let _ = attempt(self, &name);
        let opened = self.open(&name, O_CREAT | O_EXCL | O_RDWR)?;
        self.close(opened)?;
        let tried = attempt(self, &name);
        let _ = self.remove('f');
        tried
    }
}

pub(super) const PROBES: &[Probe] = &[
    probe(
        "open_program",
        FILES,
        call!(SYS_openat),
        "open a file",
        Plain,
        |s| s.open_close(c"/proc/self/exe", O_RDONLY),
    ),
    probe(
        "open_root",
        FILES,
        call!(SYS_openat),
        "open the root folder",
        Plain,
        |s| s.open_close(c"/", O_RDONLY | O_DIRECTORY),
    ),
    probe(
        "open_path",
        FILES,
        call!(SYS_openat),
        "get hold of a folder",
        Plain,
        |s| s.open_close(c"/", O_PATH),
    ),
    probe(
        "read_users",
        FILES,
        call!(SYS_openat),
        "read the list of users",
        Switched("whether /etc/passwd exists"),
        |s| {
            let file = s.open(c"/etc/passwd", O_RDONLY)?;
            let mut bytes = [0u8; 16];
            let read = ask!(s, SYS_read, file, &mut bytes, bytes.len())?;
            s.close(file)?;
            Ok(read)
        },
    ),
    probe(
        "parent_environment",
        FILES,
        call!(SYS_openat),
        "read its parent's environment",
        Plain,
        |s| s.open_close(&s.of_parent("environ"), O_RDONLY),
    ),
    probe(
        "parent_memory",
        FILES,
        call!(SYS_openat),
        "open its parent's memory",
        Switched("kernel.yama.ptrace_scope"),
        |s| s.open_close(&s.of_parent("mem"), O_RDONLY),
    ),
    probe(
        "own_memory",
        FILES,
        call!(SYS_openat),
        "open its own memory as a file",
        Plain,
        |s| s.open_close(c"/proc/self/mem", O_RDWR),
    ),
    probe(
        "list_descriptors",
        FILES,
        call!(SYS_getdents64),
        "list its own descriptors",
        Plain,
        |s| {
            let mut entries = [0u8; 1024];
            let _ = ask!(s, SYS_getdents64, s.channel, &mut entries, entries.len());
            let folder = s.open(c"/proc/self/fd", O_RDONLY | O_DIRECTORY)?;
            let read = ask!(s, SYS_getdents64, folder, &mut entries, entries.len())?;
            s.close(folder)?;
            Ok(read)
        },
    ),
    probe(
        "create_file",
        FILES,
        call!(SYS_openat),
        "create a file",
        Plain,
        |s| {
            let opened = s.open(&s.temporary('c'), O_CREAT | O_EXCL | O_WRONLY)?;
            s.close(opened)?;
            s.remove('c')
        },
    ),
    probe(
        "create_nameless",
        FILES,
        call!(SYS_openat),
        "create a file without a name",
        Switched("the file system of /tmp"),
        |s| s.open_close(c"/tmp", O_TMPFILE | O_RDWR),
    ),
    probe(
        "openat2",
        FILES,
        call!(SYS_openat2),
        "open a file (newer call)",
        Plain,
        |s| {
            // struct open_how: flags, mode, resolve.
            let how = [(O_PATH | O_CLOEXEC) as u64, 0, 0];
            let opened = ask!(s, SYS_openat2, AT_FDCWD, c"/", &how, size_of_val(&how))?;
            s.close(opened)?;
            Ok(opened)
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "open_old",
        FILES,
        call!(SYS_open),
        "open a file (oldest call)",
        Plain,
        |s| {
            let opened = ask!(s, SYS_open, c"/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)?;
            s.close(opened)?;
            Ok(opened)
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "creat",
        FILES,
        call!(SYS_creat),
        "create a file (oldest call)",
        Plain,
        |s| {
            let opened = ask!(s, SYS_creat, &s.temporary('o'), 0o600)?;
            s.close(opened)?;
            s.remove('o')
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "stat_old",
        FILES,
        call!(SYS_stat),
        "learn about a file (oldest call)",
        Plain,
        |s| ask!(s, SYS_stat, c"/", &mut [0u64; 32]),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "lstat_old",
        FILES,
        call!(SYS_lstat),
        "learn about a link (oldest call)",
        Plain,
        |s| ask!(s, SYS_lstat, c"/", &mut [0u64; 32]),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "access_old",
        FILES,
        call!(SYS_access),
        "ask for its rights to a file (oldest call)",
        Plain,
        |s| ask!(s, SYS_access, c"/", R_OK),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "readlink_old",
        FILES,
        call!(SYS_readlink),
        "read a link (oldest call)",
        Plain,
        |s| ask!(s, SYS_readlink, c"/proc/self/exe", &mut [0u8; 64], 64),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "mkdir_old",
        FILES,
        call!(SYS_mkdir),
        "make a folder (oldest call)",
        Plain,
        |s| {
            ask!(s, SYS_mkdir, &s.temporary('e'), 0o700)?;
            ask!(s, SYS_rmdir, &s.temporary('e'))
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "unlink_old",
        FILES,
        call!(SYS_unlink),
        "delete a file (oldest call)",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_unlink, name)),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "chmod_old",
        FILES,
        call!(SYS_chmod),
        "change a file's mode (oldest call)",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_chmod, name, 0o400)),
    ),
    probe(
        "newfstatat",
        FILES,
        call!(SYS_newfstatat),
        "learn about a file",
        Plain,
        |s| ask!(s, SYS_newfstatat, AT_FDCWD, c"/", &mut [0u64; 32], 0),
    ),
    probe(
        "statx",
        FILES,
        call!(SYS_statx),
        "learn about a file (newer call)",
        Plain,
        |s| {
            ask!(
                s,
                SYS_statx,
                AT_FDCWD,
                c"/",
                0,
                libc::STATX_BASIC_STATS,
                &mut [0u64; 32]
            )
        },
    ),
    probe(
        "readlinkat",
        FILES,
        call!(SYS_readlinkat),
        "learn where its program lies",
        Plain,
        |s| {
            ask!(
                s,
                SYS_readlinkat,
                AT_FDCWD,
                c"/proc/self/exe",
                &mut [0u8; 64],
                64
            )
        },
    ),
    probe(
        "faccessat",
        FILES,
        call!(SYS_faccessat),
        "ask for its rights to a file",
        Plain,
        |s| ask!(s, SYS_faccessat, AT_FDCWD, c"/", R_OK),
    ),
    probe(
        "faccessat2",
        FILES,
        call!(SYS_faccessat2),
        "ask for its rights to a file (newer call)",
        Plain,
        |s| ask!(s, SYS_faccessat2, AT_FDCWD, c"/", R_OK, 0),
    ),
    probe(
        "statfs",
        FILES,
        call!(SYS_statfs),
        "learn about a file system",
        Plain,
        |s| ask!(s, SYS_statfs, c"/", &mut [0u64; 32]),
    ),
    probe(
        "getcwd",
        FILES,
        call!(SYS_getcwd),
        "learn its current folder",
        Plain,
        |s| ask!(s, SYS_getcwd, &mut [0u8; 4096], 4096),
    ),
    probe(
        "chdir",
        FILES,
        call!(SYS_chdir),
        "change its current folder",
        Plain,
        |s| ask!(s, SYS_chdir, c"/"),
    ),
    probe(
        "fchdir",
        FILES,
        call!(SYS_fchdir),
        "change its current folder to one it holds",
        Plain,
        |s| {
            let _ = ask!(s, SYS_fchdir, -1);
            let folder = s.open(c"/", O_PATH | O_DIRECTORY)?;
            ask!(s, SYS_fchdir, folder)?;
            s.close(folder)
        },
    ),
    probe(
        "umask",
        FILES,
        call!(SYS_umask),
        "change the mode of files to come",
        Plain,
        |s| {
            let before = ask!(s, SYS_umask, 0o077)?;
            ask!(s, SYS_umask, before)
        },
    ),
    probe(
        "mkdirat",
        FILES,
        call!(SYS_mkdirat),
        "make a folder",
        Plain,
        |s| {
            ask!(s, SYS_mkdirat, AT_FDCWD, &s.temporary('d'), 0o700)?;
            ask!(s, SYS_unlinkat, AT_FDCWD, &s.temporary('d'), AT_REMOVEDIR)
        },
    ),
    probe(
        "unlinkat",
        FILES,
        call!(SYS_unlinkat),
        "delete a file",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_unlinkat, AT_FDCWD, name, 0)),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "renameat",
        FILES,
        call!(SYS_renameat),
        "rename a file (older call)",
        Plain,
        |s| {
            let tried = s.with_file(|s, name| {
                let to = s.temporary('r');
                ask!(s, SYS_renameat, AT_FDCWD, name, AT_FDCWD, &to)
            });
            let _ = s.remove('r');
            tried
        },
    ),
    probe(
        "renameat2",
        FILES,
        call!(SYS_renameat2),
        "rename a file",
        Plain,
        |s| {
            let tried = s.with_file(|s, name| {
                let to = s.temporary('r');
                ask!(s, SYS_renameat2, AT_FDCWD, name, AT_FDCWD, &to, 0)
            });
            let _ = s.remove('r');
            tried
        },
    ),
    probe(
        "linkat",
        FILES,
        call!(SYS_linkat),
        "give a file a second name",
        Plain,
        |s| {
            let tried = s.with_file(|s, name| {
                let to = s.temporary('l');
                ask!(s, SYS_linkat, AT_FDCWD, name, AT_FDCWD, &to, 0)
            });
            let _ = s.remove('l');
            tried
        },
    ),
    probe(
        "symlinkat",
        FILES,
        call!(SYS_symlinkat),
        "make a link to a file",
        Plain,
        |s| {
            ask!(s, SYS_symlinkat, c"/", AT_FDCWD, &s.temporary('s'))?;
            s.remove('s')
        },
    ),
    probe(
        "mknodat_fifo",
        FILES,
        call!(SYS_mknodat),
        "make a named pipe",
        Plain,
        |s| {
            ask!(
                s,
                SYS_mknodat,
                AT_FDCWD,
                &s.temporary('p'),
                S_IFIFO | 0o600,
                0
            )?;
            s.remove('p')
        },
    ),
    probe(
        "mknodat_device",
        FILES,
        call!(SYS_mknodat),
        "make a device of its own",
        Never("only the machine's own root may make devices"),
        |s| {
            // The null device, for a moment.
            ask!(
                s,
                SYS_mknodat,
                AT_FDCWD,
                &s.temporary('n'),
                libc::S_IFCHR | 0o600,
                0x0103
            )?;
            s.remove('n')
        },
    ),
    probe(
        "fchmodat",
        FILES,
        call!(SYS_fchmodat),
        "change a file's mode",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_fchmodat, AT_FDCWD, name, 0o400)),
    ),
    probe(
        "fchownat",
        FILES,
        call!(SYS_fchownat),
        "change a file's owner",
        Plain,
        |s| {
            // To whom it belongs already.
            s.with_file(|s, name| {
                ask!(s, SYS_fchownat, AT_FDCWD, name, -1, -1, AT_SYMLINK_NOFOLLOW)
            })
        },
    ),
    probe(
        "utimensat",
        FILES,
        call!(SYS_utimensat),
        "change a file's times",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_utimensat, AT_FDCWD, name, 0, 0)),
    ),
    probe(
        "truncate",
        FILES,
        call!(SYS_truncate),
        "cut a file by name",
        Plain,
        |s| s.with_file(|s, name| ask!(s, SYS_truncate, name, 1)),
    ),
    probe(
        "ftruncate",
        FILES,
        call!(SYS_ftruncate),
        "change the size of what it holds",
        Plain,
        |s| {
            let _ = ask!(s, SYS_ftruncate, -1, 0);
            let file = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            ask!(s, SYS_ftruncate, file, 4096)?;
            s.close(file)
        },
    ),
    probe(
        "listxattr",
        FILES,
        call!(SYS_listxattr),
        "list a file's attributes",
        Switched("the file system of /"),
        |s| ask!(s, SYS_listxattr, c"/", &mut [0u8; 256], 256),
    ),
    probe(
        "setxattr",
        FILES,
        call!(SYS_setxattr),
        "set a file's attribute",
        Switched("the file system of /tmp"),
        |s| s.with_file(|s, name| ask!(s, SYS_setxattr, name, c"user.audit", c"1", 1, 0)),
    ),
    probe(
        "inotify_init1",
        FILES,
        call!(SYS_inotify_init1),
        "watch a folder",
        Plain,
        |s| {
            let watcher = ask!(s, SYS_inotify_init1, O_CLOEXEC)?;
            let watch = ask!(s, SYS_inotify_add_watch, watcher, c"/", libc::IN_CREATE)?;
            s.close(watcher)?;
            Ok(watch)
        },
    ),
    probe(
        "fanotify_init",
        FILES,
        call!(SYS_fanotify_init),
        "watch whole file systems",
        Switched("Linux 5.13 with CONFIG_FANOTIFY"),
        |s| {
            let flags = libc::FAN_CLASS_NOTIF | libc::FAN_REPORT_FID | libc::FAN_CLOEXEC;
            let watcher = ask!(s, SYS_fanotify_init, flags, O_RDONLY)?;
            s.close(watcher)?;
            Ok(watcher)
        },
    ),
    probe(
        "name_to_handle_at",
        FILES,
        call!(SYS_name_to_handle_at),
        "get a file's number",
        Switched("the file systems of /, /tmp and /dev/shm"),
        |s| {
            let mut tried = Err(Errno::NOTSUP);
            for path in [c"/", c"/tmp", c"/dev/shm"] {
                // struct file_handle: bytes, type, the handle.
                let mut handle = [128u32; 34];
                tried = ask!(
                    s,
                    SYS_name_to_handle_at,
                    AT_FDCWD,
                    path,
                    &mut handle,
                    &mut [0u64; 1],
                    0
                );
                if tried.is_ok() {
                    break;
                }
            }
            tried
        },
    ),
    probe(
        "open_by_handle_at",
        FILES,
        call!(SYS_open_by_handle_at),
        "open a file by its number",
        Never("only the machine's own root may, whatever the namespace"),
        |s| {
            // A number that no file system has: stale, for those who may ask.
            let mut handle = [0u32; 34];
            (handle[0], handle[1]) = (8, 0x7f);
            let asked = ask!(s, SYS_open_by_handle_at, AT_FDCWD, &mut handle, O_PATH);
            s.permitted(asked, &[Errno::STALE])
        },
    ),
    probe(
        "memfd_create",
        FILES,
        call!(SYS_memfd_create),
        "make a file in memory",
        Plain,
        |s| {
            let file = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            s.close(file)?;
            Ok(file)
        },
    ),
    probe(
        "memfd_secret",
        FILES,
        call!(SYS_memfd_secret),
        "make memory that is hidden from the kernel",
        Switched("secretmem.enable"),
        |s| {
            let file = ask!(s, SYS_memfd_secret, O_CLOEXEC)?;
            s.close(file)?;
            Ok(file)
        },
    ),
    probe(
        "copy_file_range",
        FILES,
        call!(SYS_copy_file_range),
        "copy between files inside the kernel",
        Plain,
        |s| {
            let _ = ask!(s, SYS_copy_file_range, -1, 0, -1, 0, 1, 0);
            let from = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            let to = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            ask!(s, SYS_ftruncate, from, 8)?;
            let copied = ask!(s, SYS_copy_file_range, from, 0, to, 0, 8, 0)?;
            s.close(from)?;
            s.close(to)?;
            Ok(copied)
        },
    ),
    probe(
        "sendfile",
        FILES,
        call!(SYS_sendfile),
        "send a file's bytes inside the kernel",
        Plain,
        |s| {
            let _ = ask!(s, SYS_sendfile, -1, -1, 0, 1);
            let from = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            let to = ask!(s, SYS_memfd_create, c"audit", MFD_CLOEXEC)?;
            ask!(s, SYS_ftruncate, from, 8)?;
            let sent = ask!(s, SYS_sendfile, to, from, 0, 8)?;
            s.close(from)?;
            s.close(to)?;
            Ok(sent)
        },
    ),
];
