//! Probes of the kernel's large or dangerous parts, and of the machine's own settings.
//!
//! What only root may do is tried with arguments that cannot work: the error tells whether permission was there.

use libc::{
    AT_FDCWD, CLOCK_REALTIME, MNT_DETACH, MNT_EXPIRE, MS_BIND, O_CLOEXEC, O_NONBLOCK, Q_SYNC, QCMD,
    USRQUOTA,
};
use rustix::io::Errno;

use super::Control::{Namespaced, Never, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const KERNEL: Family = Family::Kernel;

const ROOT_ALONE: super::Control = Never("only the machine's own root may, whatever the namespace");

/// A path that nothing has.
const NOTHING: &std::ffi::CStr = c"/.wasmpool-audit-none";

/// The keyring of this process, which ends with it.
const PROCESS_KEYRING: i32 = -2;

impl Scene<'_> {
    fn keep_none(&self, descriptor: Tried) -> Tried {
        let descriptor = descriptor?;
        self.close(descriptor)?;
        Ok(descriptor)
    }

    fn add_key(&self) -> Tried {
        ask!(
            self,
            SYS_add_key,
            c"user",
            c"wasmpool-audit",
            c"1",
            1,
            PROCESS_KEYRING
        )
    }

    fn bpf(&self, command: i32, attributes: &[u64; 16]) -> Tried {
        self.keep_none(ask!(
            self,
            SYS_bpf,
            command,
            attributes,
            size_of_val(attributes)
        ))
    }

    /// A file system in memory, that is mounted nowhere.
    fn new_file_system(&self) -> Tried {
        let made = ask!(self, SYS_fsopen, c"tmpfs", 1)?;
        // FSCONFIG_CMD_CREATE.
        ask!(self, SYS_fsconfig, made, 6, 0, 0, 0)?;
        Ok(made)
    }
}

pub(super) const PROBES: &[Probe] = &[
    probe(
        "io_uring_setup",
        KERNEL,
        call!(SYS_io_uring_setup),
        "do input and output by a ring",
        Switched("kernel.io_uring_disabled, and a container's own filter"),
        |s| s.keep_none(ask!(s, SYS_io_uring_setup, 1, &mut [0u64; 15])),
    ),
    probe(
        "bpf_map",
        KERNEL,
        call!(SYS_bpf),
        "make a table inside the kernel",
        Switched("kernel.unprivileged_bpf_disabled"),
        |s| {
            // BPF_MAP_CREATE: an array with keys of 4 bytes, values of 8, 1 entry.
            let mut attributes = [0u64; 16];
            attributes[0] = 2 | 4 << 32;
            attributes[1] = 8 | 1 << 32;
            s.bpf(0, &attributes)
        },
    ),
    probe(
        "bpf_program",
        KERNEL,
        call!(SYS_bpf),
        "load a program into the kernel",
        Switched("kernel.unprivileged_bpf_disabled"),
        |s| {
            // BPF_PROG_LOAD of a socket filter: r0 = 0; exit.
            let program = [0xb7u64, 0x95];
            let licence = c"GPL";
            let mut attributes = [0u64; 16];
            attributes[0] = 1 | 2 << 32;
            attributes[1] = program.as_ptr() as u64;
            attributes[2] = licence.as_ptr() as u64;
            s.bpf(5, &attributes)
        },
    ),
    probe(
        "perf_event_open",
        KERNEL,
        call!(SYS_perf_event_open),
        "measure itself by counters",
        Switched("kernel.perf_event_paranoid, and a container's own filter"),
        |s| {
            // struct perf_event_attr: a software event, the time this process runs outside of the kernel.
            let mut event = [0u64; 16];
            event[0] = 1 | 64 << 32;
            event[1] = 1;
            event[5] = 1 << 5 | 1 << 6;
            s.keep_none(ask!(s, SYS_perf_event_open, &event, 0, -1, -1, 8))
        },
    ),
    probe(
        "perf_event_parent",
        KERNEL,
        call!(SYS_perf_event_open),
        "measure another process",
        Switched("kernel.perf_event_paranoid, and a container's own filter"),
        |s| {
            let mut event = [0u64; 16];
            event[0] = 1 | 64 << 32;
            event[1] = 1;
            event[5] = 1 << 5 | 1 << 6;
            s.keep_none(ask!(s, SYS_perf_event_open, &event, s.parent, -1, -1, 8))
        },
    ),
    probe(
        "userfaultfd",
        KERNEL,
        call!(SYS_userfaultfd),
        "handle its own page faults",
        Switched("CONFIG_USERFAULTFD, and a container's own filter"),
        // UFFD_USER_MODE_ONLY, which needs no privilege.
        |s| s.keep_none(ask!(s, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | 1)),
    ),
    probe(
        "add_key",
        KERNEL,
        call!(SYS_add_key),
        "keep a key in the kernel",
        Switched("CONFIG_KEYS, and a container's own filter"),
        |s| s.add_key(),
    ),
    probe(
        "keyctl",
        KERNEL,
        call!(SYS_keyctl),
        "use the kernel's keyrings",
        Switched("CONFIG_KEYS, and a container's own filter"),
        // KEYCTL_GET_KEYRING_ID, to be made if it is not there.
        |s| ask!(s, SYS_keyctl, 0, PROCESS_KEYRING, 1),
    ),
    probe(
        "request_key",
        KERNEL,
        call!(SYS_request_key),
        "look a key up in the kernel",
        Switched("CONFIG_KEYS, and a container's own filter"),
        |s| {
            let look = || ask!(s, SYS_request_key, c"user", c"wasmpool-audit", 0, 0);
            let _ = look();
            s.add_key()?;
            look()
        },
    ),
    probe(
        "mount",
        KERNEL,
        call!(SYS_mount),
        "mount a file system",
        Namespaced,
        |s| {
            let asked = ask!(s, SYS_mount, NOTHING, c"/", 0, MS_BIND, 0);
            s.permitted(asked, &[Errno::NOENT])
        },
    ),
    probe(
        "umount2",
        KERNEL,
        call!(SYS_umount2),
        "unmount a file system",
        Namespaced,
        |s| {
            // Two flags that exclude each other.
            let asked = ask!(s, SYS_umount2, c"/", MNT_EXPIRE | MNT_DETACH);
            s.permitted(asked, &[Errno::INVAL])
        },
    ),
    probe(
        "fsopen",
        KERNEL,
        call!(SYS_fsopen),
        "make a file system",
        Namespaced,
        |s| s.keep_none(ask!(s, SYS_fsopen, c"tmpfs", 1)),
    ),
    probe(
        "fsconfig",
        KERNEL,
        call!(SYS_fsconfig),
        "set up a file system",
        Namespaced,
        |s| {
            let _ = ask!(s, SYS_fsconfig, -1, 6, 0, 0, 0);
            s.keep_none(s.new_file_system())
        },
    ),
    probe(
        "fsmount",
        KERNEL,
        call!(SYS_fsmount),
        "make a mount of a file system",
        Namespaced,
        |s| {
            let _ = ask!(s, SYS_fsmount, -1, 1, 0);
            let made = s.new_file_system()?;
            let mount = s.keep_none(ask!(s, SYS_fsmount, made, 1, 0))?;
            s.close(made)?;
            Ok(mount)
        },
    ),
    probe(
        "fspick",
        KERNEL,
        call!(SYS_fspick),
        "get hold of a mounted file system",
        Namespaced,
        |s| {
            let asked = s.keep_none(ask!(s, SYS_fspick, AT_FDCWD, c"/", 1));
            // Its root folder need not be the root of a mount.
            s.permitted(asked, &[Errno::INVAL])
        },
    ),
    probe(
        "open_tree",
        KERNEL,
        call!(SYS_open_tree),
        "get hold of a tree of mounts",
        Plain,
        |s| s.keep_none(ask!(s, SYS_open_tree, AT_FDCWD, c"/", O_CLOEXEC)),
    ),
    probe(
        "open_tree_clone",
        KERNEL,
        call!(SYS_open_tree),
        "copy a tree of mounts",
        Namespaced,
        |s| {
            // OPEN_TREE_CLONE, with all that is mounted below: AT_RECURSIVE.
            let flags = O_CLOEXEC | 1 | 0x8000;
            s.keep_none(ask!(s, SYS_open_tree, AT_FDCWD, c"/", flags))
        },
    ),
    probe(
        "move_mount",
        KERNEL,
        call!(SYS_move_mount),
        "move a mount",
        Namespaced,
        |s| {
            let asked = ask!(s, SYS_move_mount, -1, c"none", -1, c"none", 0);
            s.permitted(asked, &[Errno::BADF, Errno::NOENT])
        },
    ),
    probe(
        "mount_setattr",
        KERNEL,
        call!(SYS_mount_setattr),
        "change a mount",
        Namespaced,
        // Nothing is set, nothing cleared.
        |s| ask!(s, SYS_mount_setattr, AT_FDCWD, c"/", 0, &[0u64; 4], 32),
    ),
    probe(
        "pivot_root",
        KERNEL,
        call!(SYS_pivot_root),
        "change the root of the file system",
        Namespaced,
        |s| {
            // The root is in use, being the root.
            let asked = ask!(s, SYS_pivot_root, c"/", c"/");
            s.permitted(asked, &[Errno::BUSY, Errno::INVAL])
        },
    ),
    probe(
        "chroot",
        KERNEL,
        call!(SYS_chroot),
        "change its root folder",
        Namespaced,
        // To what it is.
        |s| ask!(s, SYS_chroot, c"/"),
    ),
    probe(
        "listmount",
        KERNEL,
        call!(SYS_listmount),
        "list mounts",
        Switched("Linux 6.8"),
        |s| {
            // struct mnt_id_req: its size, the root of all, where to begin.
            let request = [24u64, u64::MAX, 0];
            ask!(s, SYS_listmount, &request, &mut [0u64; 4], 4, 0)
        },
    ),
    probe(
        "statmount",
        KERNEL,
        call!(SYS_statmount),
        "learn about a mount",
        Switched("Linux 6.8"),
        |s| {
            let mut request = [24u64, u64::MAX, 0];
            let mut mounts = [0u64; 64];
            let _ = ask!(s, SYS_statmount, 0, 0, 0, 0);
            ask!(s, SYS_listmount, &request, &mut mounts, 1, 0)?;
            // STATMOUNT_MNT_BASIC.
            (request[1], request[2]) = (mounts[0], 2);
            let room = size_of_val(&mounts);
            ask!(s, SYS_statmount, &request, &mut mounts, room, 0)
        },
    ),
    probe(
        "quotactl",
        KERNEL,
        call!(SYS_quotactl),
        "work with disk quotas",
        Switched("CONFIG_QUOTA, and a container's own filter"),
        |s| ask!(s, SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), 0, 0, 0),
    ),
    probe(
        "acct",
        KERNEL,
        call!(SYS_acct),
        "have all processes logged",
        ROOT_ALONE,
        |s| {
            let asked = ask!(s, SYS_acct, NOTHING);
            s.permitted(asked, &[Errno::NOENT])
        },
    ),
    probe(
        "swapon",
        KERNEL,
        call!(SYS_swapon),
        "give the machine swap space",
        ROOT_ALONE,
        |s| {
            let asked = ask!(s, SYS_swapon, NOTHING, 0);
            s.permitted(asked, &[Errno::NOENT])
        },
    ),
    probe(
        "swapoff",
        KERNEL,
        call!(SYS_swapoff),
        "take the machine's swap space",
        ROOT_ALONE,
        |s| {
            let asked = ask!(s, SYS_swapoff, NOTHING);
            s.permitted(asked, &[Errno::NOENT])
        },
    ),
    probe(
        "reboot",
        KERNEL,
        call!(SYS_reboot),
        "restart the machine",
        Never("what it asks for, it does"),
        |s| {
            // Without the magic numbers that the kernel wants.
            let asked = ask!(s, SYS_reboot, 0, 0, 0, 0);
            s.permitted(asked, &[Errno::INVAL])
        },
    ),
    probe(
        "kexec_load",
        KERNEL,
        call!(SYS_kexec_load),
        "replace the kernel",
        ROOT_ALONE,
        |s| {
            // More segments than there may be.
            let asked = ask!(s, SYS_kexec_load, 0, 1000, 0, 0);
            s.permitted(asked, &[Errno::INVAL])
        },
    ),
    probe(
        "kexec_file_load",
        KERNEL,
        call!(SYS_kexec_file_load),
        "replace the kernel (newer call)",
        ROOT_ALONE,
        |s| {
            // A flag that does not exist.
            let asked = ask!(s, SYS_kexec_file_load, -1, -1, 0, 0, 0x8000_0000u32);
            s.permitted(asked, &[Errno::INVAL])
        },
    ),
    probe(
        "init_module",
        KERNEL,
        call!(SYS_init_module),
        "load a module into the kernel",
        ROOT_ALONE,
        |s| {
            // A module of no bytes.
            let asked = ask!(s, SYS_init_module, 0, 0, c"");
            s.permitted(asked, &[Errno::NOEXEC])
        },
    ),
    probe(
        "finit_module",
        KERNEL,
        call!(SYS_finit_module),
        "load a module into the kernel (newer call)",
        ROOT_ALONE,
        |s| {
            let asked = ask!(s, SYS_finit_module, -1, c"", 0);
            s.permitted(asked, &[Errno::BADF])
        },
    ),
    probe(
        "delete_module",
        KERNEL,
        call!(SYS_delete_module),
        "remove a module from the kernel",
        ROOT_ALONE,
        |s| {
            let asked = ask!(s, SYS_delete_module, c"wasmpool-audit-none", O_NONBLOCK);
            s.permitted(asked, &[Errno::NOENT])
        },
    ),
    probe(
        "syslog",
        KERNEL,
        call!(SYS_syslog),
        "read the kernel's log",
        Switched("kernel.dmesg_restrict"),
        // Its size alone: SYSLOG_ACTION_SIZE_BUFFER.
        |s| ask!(s, SYS_syslog, 10, 0, 0),
    ),
    probe(
        "uname",
        KERNEL,
        call!(SYS_uname),
        "learn the kernel's version",
        Plain,
        |s| ask!(s, SYS_uname, &mut [0u64; 64]),
    ),
    probe(
        "sysinfo",
        KERNEL,
        call!(SYS_sysinfo),
        "learn how busy the machine is",
        Plain,
        |s| ask!(s, SYS_sysinfo, &mut [0u64; 32]),
    ),
    probe(
        "lsm_list_modules",
        KERNEL,
        call!(SYS_lsm_list_modules),
        "learn which security modules there are",
        Switched("Linux 6.8"),
        |s| {
            let (mut modules, mut size) = ([0u64; 32], [256u32]);
            ask!(s, SYS_lsm_list_modules, &mut modules, &mut size, 0)
        },
    ),
    probe(
        "membarrier",
        KERNEL,
        call!(SYS_membarrier),
        "interrupt other processors",
        Switched("CONFIG_MEMBARRIER"),
        |s| ask!(s, SYS_membarrier, 0, 0, 0),
    ),
    probe(
        "settimeofday",
        KERNEL,
        call!(SYS_settimeofday),
        "set the clock",
        ROOT_ALONE,
        // To nothing, in no time zone.
        |s| ask!(s, SYS_settimeofday, 0, 0),
    ),
    probe(
        "clock_settime",
        KERNEL,
        call!(SYS_clock_settime),
        "set the clock (newer call)",
        ROOT_ALONE,
        |s| {
            // The permission is the older call's, which can be asked without setting anything.
            let _ = ask!(s, SYS_clock_settime, CLOCK_REALTIME, 0);
            ask!(s, SYS_settimeofday, 0, 0)
        },
    ),
    probe(
        "adjtimex",
        KERNEL,
        call!(SYS_adjtimex),
        "learn how the clock is kept right",
        Plain,
        |s| ask!(s, SYS_adjtimex, &mut [0u64; 26]),
    ),
    probe(
        "sethostname",
        KERNEL,
        call!(SYS_sethostname),
        "rename the machine",
        Namespaced,
        |s| {
            // An address that cannot be read.
            let asked = ask!(s, SYS_sethostname, 8, 1);
            s.permitted(asked, &[Errno::FAULT])
        },
    ),
    probe(
        "setdomainname",
        KERNEL,
        call!(SYS_setdomainname),
        "rename the machine's domain",
        Namespaced,
        |s| {
            let asked = ask!(s, SYS_setdomainname, 8, 1);
            s.permitted(asked, &[Errno::FAULT])
        },
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "iopl",
        KERNEL,
        call!(SYS_iopl),
        "talk to devices directly",
        ROOT_ALONE,
        |s| ask!(s, SYS_iopl, 3),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "ioperm",
        KERNEL,
        call!(SYS_ioperm),
        "talk to a device directly",
        ROOT_ALONE,
        // The port of the power-on self-test, which nothing listens to.
        |s| ask!(s, SYS_ioperm, 0x80, 1, 1),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "modify_ldt",
        KERNEL,
        call!(SYS_modify_ldt),
        "change its table of memory segments",
        Switched("CONFIG_MODIFY_LDT_SYSCALL"),
        // An entry that is empty and stays so.
        |s| ask!(s, SYS_modify_ldt, 0x11, &[0u32, 0, 0, 0x28], 16),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "i386",
        KERNEL,
        super::Call {
            label: "getpid of i386",
            number: super::I386 + 20,
        },
        "make the system calls of 32-bit programs",
        Switched("CONFIG_IA32_EMULATION"),
        |s| s.call_i386(20),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "x32",
        KERNEL,
        super::Call {
            label: "getpid of x32",
            number: super::X32 + libc::SYS_getpid,
        },
        "make the system calls of x32 programs",
        Switched("CONFIG_X86_X32_ABI"),
        |s| s.call(super::X32 + libc::SYS_getpid, &[]),
    ),
];
