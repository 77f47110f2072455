//! Probes of the process's own restrictions: loosening them, hiding from whoever watches, or becoming somebody else.

use libc::{
    PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_MDWE,
    PR_SET_MM, PR_SET_MM_MAP_SIZE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG,
    PR_SET_PTRACER, PR_SET_SECCOMP, PR_SET_THP_DISABLE, PR_SET_TIMERSLACK,
    SECCOMP_GET_ACTION_AVAIL, SECCOMP_MODE_FILTER, SECCOMP_RET_ALLOW, SECCOMP_SET_MODE_FILTER,
};
use rustix::io::Errno;

use super::Control::{Namespaced, Never, Plain, Switched};
use super::raw::{Tried, ask, call};
use super::{Family, Probe, Scene, probe};

const PRIVILEGES: Family = Family::Privileges;

/// `ADDR_NO_RANDOMIZE` of `personality`.
const ADDR_NO_RANDOMIZE: i32 = 0x004_0000;

/// Of landlock: what a rule set handles of files, reading them.
const READ_FILE: u64 = 1 << 2;

impl Scene<'_> {
    fn prctl(&self, option: i32, value: i64) -> Tried {
        ask!(self, SYS_prctl, option, value, 0, 0, 0)
    }

    /// Adds a filter that allows everything.
    fn add_filter(&self, add: impl Fn(&Self, *const libc::sock_fprog) -> Tried) -> Tried {
        let _ = add(self, std::ptr::null());
        let mut allow = [libc::sock_filter {
            // Return a constant.
            code: 0x06,
            jt: 0,
            jf: 0,
            k: SECCOMP_RET_ALLOW,
        }];
        let program = libc::sock_fprog {
            len: 1,
            filter: allow.as_mut_ptr(),
        };
        self.prctl_no_new_privileges()?;
        add(self, &raw const program)
    }

    fn prctl_no_new_privileges(&self) -> Tried {
        self.prctl(PR_SET_NO_NEW_PRIVS, 1)
    }

    /// Reads privileges: of this process, or of another.
    fn capget(&self, process: i32) -> Result<([u32; 2], [u32; 6]), Errno> {
        // Version 3 of the header, with two triples of data.
        let mut header = [0x2008_0522, process as u32];
        let mut data = [0u32; 6];
        ask!(self, SYS_capget, &mut header, &mut data)?;
        Ok((header, data))
    }
}

pub(super) const PROBES: &[Probe] = &[
    probe(
        "seccomp_filter",
        PRIVILEGES,
        call!(SYS_seccomp),
        "add a filter of system calls",
        Plain,
        |s| s.add_filter(|s, filter| ask!(s, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter)),
    ),
    probe(
        "seccomp_query",
        PRIVILEGES,
        call!(SYS_seccomp),
        "learn about filters of system calls",
        Plain,
        |s| {
            let action = [SECCOMP_RET_ALLOW];
            ask!(s, SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)
        },
    ),
    probe(
        "prctl_seccomp",
        PRIVILEGES,
        call!(SYS_prctl),
        "add a filter of system calls (older call)",
        Plain,
        |s| {
            s.add_filter(|s, filter| {
                ask!(
                    s,
                    SYS_prctl,
                    PR_SET_SECCOMP,
                    SECCOMP_MODE_FILTER,
                    filter,
                    0,
                    0
                )
            })
        },
    ),
    probe(
        "landlock_ruleset",
        PRIVILEGES,
        call!(SYS_landlock_create_ruleset),
        "make rules for files",
        Switched("whether the kernel has landlock"),
        |s| {
            let rules = ask!(s, SYS_landlock_create_ruleset, &[READ_FILE], 8, 0)?;
            s.close(rules)?;
            Ok(rules)
        },
    ),
    probe(
        "landlock_restrict",
        PRIVILEGES,
        call!(SYS_landlock_restrict_self),
        "add a layer of rules for files",
        Switched("whether the kernel has landlock"),
        |s| {
            let _ = ask!(s, SYS_landlock_restrict_self, -1, 0);
            let rules = ask!(s, SYS_landlock_create_ruleset, &[READ_FILE], 8, 0)?;
            s.prctl_no_new_privileges()?;
            ask!(s, SYS_landlock_restrict_self, rules, 0)?;
            s.close(rules)
        },
    ),
    probe(
        "dumpable",
        PRIVILEGES,
        call!(SYS_prctl),
        "let itself be dumped and traced again",
        Plain,
        |s| s.prctl(PR_SET_DUMPABLE, 1),
    ),
    probe(
        "outlive_parent",
        PRIVILEGES,
        call!(SYS_prctl),
        "outlive its parent",
        Plain,
        |s| s.prctl(PR_SET_PDEATHSIG, 0),
    ),
    probe(
        "rename_self",
        PRIVILEGES,
        call!(SYS_prctl),
        "take another name",
        Plain,
        |s| ask!(s, SYS_prctl, PR_SET_NAME, c"init", 0, 0, 0),
    ),
    probe(
        "subreaper",
        PRIVILEGES,
        call!(SYS_prctl),
        "adopt the orphans of its children",
        Plain,
        |s| s.prctl(PR_SET_CHILD_SUBREAPER, 1),
    ),
    probe(
        "allow_tracer",
        PRIVILEGES,
        call!(SYS_prctl),
        "invite anybody to trace it",
        Switched("whether the kernel has yama"),
        |s| s.prctl(PR_SET_PTRACER, -1),
    ),
    probe(
        "describe_memory",
        PRIVILEGES,
        call!(SYS_prctl),
        "change what others learn of its memory",
        Switched("CONFIG_CHECKPOINT_RESTORE"),
        |s| {
            let mut size = [0u32; 2];
            ask!(s, SYS_prctl, PR_SET_MM, PR_SET_MM_MAP_SIZE, &mut size, 0, 0)
        },
    ),
    probe(
        "keep_capabilities",
        PRIVILEGES,
        call!(SYS_prctl),
        "keep its privileges when it changes its user",
        Plain,
        |s| s.prctl(PR_SET_KEEPCAPS, 1),
    ),
    probe(
        "capability_bounds",
        PRIVILEGES,
        call!(SYS_prctl),
        "change the bounds of its privileges",
        Namespaced,
        // The last privilege of the first word, the right to set capabilities of files.
        |s| s.prctl(PR_CAPBSET_DROP, 31),
    ),
    probe(
        "deny_write_execute",
        PRIVILEGES,
        call!(SYS_prctl),
        "change its rules for executable memory",
        Switched("Linux 6.3"),
        |s| s.prctl(PR_SET_MDWE, 1),
    ),
    probe(
        "huge_pages",
        PRIVILEGES,
        call!(SYS_prctl),
        "change how its memory is given out",
        Plain,
        |s| s.prctl(PR_SET_THP_DISABLE, 0),
    ),
    probe(
        "timer_slack",
        PRIVILEGES,
        call!(SYS_prctl),
        "change how exact its timers are",
        Plain,
        |s| s.prctl(PR_SET_TIMERSLACK, 1),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "cycle_counter",
        PRIVILEGES,
        call!(SYS_prctl),
        "get the processor's cycle counter back",
        Plain,
        |s| s.prctl(libc::PR_SET_TSC, libc::PR_TSC_ENABLE.into()),
    ),
    #[cfg(target_arch = "x86_64")]
    probe(
        "arch_prctl",
        PRIVILEGES,
        call!(SYS_arch_prctl),
        "read the thread's base register",
        Plain,
        // ARCH_GET_FS.
        |s| ask!(s, SYS_arch_prctl, 0x1003, &mut [0u64; 1]),
    ),
    probe(
        "no_random_addresses",
        PRIVILEGES,
        call!(SYS_personality),
        "have programs start at known addresses",
        Switched("a container's own filter"),
        |s| {
            let before = ask!(s, SYS_personality, ADDR_NO_RANDOMIZE)?;
            ask!(s, SYS_personality, before)
        },
    ),
    probe(
        "become_root",
        PRIVILEGES,
        call!(SYS_setresuid),
        "become root",
        Namespaced,
        |s| ask!(s, SYS_setresuid, 0, 0, 0),
    ),
    probe(
        "become_root_group",
        PRIVILEGES,
        call!(SYS_setresgid),
        "join root's group",
        Namespaced,
        |s| ask!(s, SYS_setresgid, 0, 0, 0),
    ),
    probe(
        "setuid",
        PRIVILEGES,
        call!(SYS_setuid),
        "become root (older call)",
        Namespaced,
        |s| ask!(s, SYS_setuid, 0),
    ),
    probe(
        "setgid",
        PRIVILEGES,
        call!(SYS_setgid),
        "join root's group (older call)",
        Namespaced,
        |s| ask!(s, SYS_setgid, 0),
    ),
    probe(
        "setreuid",
        PRIVILEGES,
        call!(SYS_setreuid),
        "change its user",
        Plain,
        // To what it is.
        |s| ask!(s, SYS_setreuid, -1, -1),
    ),
    probe(
        "setregid",
        PRIVILEGES,
        call!(SYS_setregid),
        "change its group",
        Plain,
        |s| ask!(s, SYS_setregid, -1, -1),
    ),
    probe(
        "setfsuid",
        PRIVILEGES,
        call!(SYS_setfsuid),
        "change its user for files",
        Plain,
        // To nobody's number: what it was is the answer.
        |s| ask!(s, SYS_setfsuid, -1),
    ),
    probe(
        "setgroups",
        PRIVILEGES,
        call!(SYS_setgroups),
        "change its groups",
        Never("an ordinary user's namespace may not"),
        |s| {
            // An address that cannot be read, for those who may ask.
            let asked = ask!(s, SYS_setgroups, 1, 8);
            s.permitted(asked, &[Errno::FAULT])
        },
    ),
    probe(
        "capset",
        PRIVILEGES,
        call!(SYS_capset),
        "change its privileges",
        Plain,
        |s| {
            let _ = ask!(s, SYS_capset, 0, 0);
            let (header, data) = s.capget(0)?;
            ask!(s, SYS_capset, &header, &data)
        },
    ),
    probe(
        "capget",
        PRIVILEGES,
        call!(SYS_capget),
        "learn the privileges of another process",
        Plain,
        |s| s.capget(s.parent).map(|_| 0),
    ),
    probe(
        "sigaction",
        PRIVILEGES,
        call!(SYS_rt_sigaction),
        "replace a handler of signals",
        Plain,
        |s| {
            // The kernel's own layout: handler, flags, restorer, mask. For SIGURG, to what it was.
            let mut before = [0u64; 4];
            ask!(s, SYS_rt_sigaction, libc::SIGURG, 0, &mut before, 8)?;
            ask!(s, SYS_rt_sigaction, libc::SIGURG, &before, 0, 8)
        },
    ),
];
