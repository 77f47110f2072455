//! What a process can take from itself: namespaces, files, capabilities, the right to make code.

use std::ffi::CStr;
use std::fs;
use std::io;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{chdir, getegid, geteuid, pivot_root};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities};

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// Processes: in force for children, not for this process.
    Pid,
    /// Mounts.
    Mount,
    /// Networks.
    Network,
    /// Shared objects of System V and POSIX.
    Ipc,
    /// The host's name.
    Uts,
    /// Control groups.
    Cgroup,
}

/// The user inside a user namespace: nobody, whoever it is outside.
const NOBODY: u32 = 65_534;

/// A user namespace of its own, in which this user is nobody but may make the other namespaces.
///
/// The process must have one thread and must be dumpable.
pub fn new_user_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{NOBODY} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{NOBODY} {gid} 1"))
}

/// Another namespace of its own.
pub fn new_namespace(namespace: Namespace) -> io::Result<()> {
    unshare(match namespace {
        Namespace::Pid => UnshareFlags::NEWPID,
        Namespace::Mount => UnshareFlags::NEWNS,
        Namespace::Network => UnshareFlags::NEWNET,
        Namespace::Ipc => UnshareFlags::NEWIPC,
        Namespace::Uts => UnshareFlags::NEWUTS,
        Namespace::Cgroup => UnshareFlags::NEWCGROUP,
    })
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: no flag among them takes descriptors or memory from under anybody; the process has one thread.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Puts an empty, read-only root in the place of all files. Only in a mount namespace of its own.
pub fn empty_root() -> io::Result<()> {
    mount(c"/", c"", libc::MS_PRIVATE | libc::MS_REC, c"")?;
    // Any directory that is there will do: nobody else sees the mount.
    let at = c"/proc";
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(at, c"tmpfs", flags, c"size=4k,nr_inodes=2,mode=555")?;
    chdir(at)?;
    // The new root over the old one; then the old one is let go.
    pivot_root(".", ".")?;
    // SAFETY: takes a path, and touches mounts of this process's own namespace only.
    if unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) } != 0 {
        return Err(io::Error::last_os_error());
    }
    chdir("/")?;
    let locked = flags | libc::MS_RDONLY | libc::MS_REMOUNT | libc::MS_BIND;
    mount(c"/", c"", locked, c"")
}

fn mount(at: &CStr, kind: &CStr, flags: libc::c_ulong, options: &CStr) -> io::Result<()> {
    // SAFETY: takes paths and texts that live through the call, and touches mounts of this process's own namespace
    // only, as the callers see to.
    let done = unsafe {
        libc::mount(
            c"none".as_ptr(),
            at.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the root is empty: what [`empty_root`] is for, looked at from inside.
pub fn root_is_empty() -> bool {
    let root = openat(
        CWD,
        "/",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let Ok(root) = root.and_then(rustix::fs::Dir::new) else {
        return false;
    };
    root.flatten().all(|entry| {
        let name = entry.file_name().to_bytes();
        name == b"." || name == b".."
    })
}

/// No capability any more, in no set of this process.
pub fn drop_capabilities() -> io::Result<()> {
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    )?)
}

/// From here on no page can be writable and executable, and none can become executable.
pub fn refuse_new_code() -> io::Result<()> {
    // SAFETY: takes numbers only, and forbids what this program never does.
    let done = unsafe { libc::prctl(libc::PR_SET_MDWE, libc::PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
