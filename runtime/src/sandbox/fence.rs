//! Landlock: no file, no connection and no signal to outsiders but what is granted.

use std::io;
use std::os::fd::AsFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::grants::Directory;

/// The newest rules that are asked for. An older kernel enforces those that it knows.
const RULES: ABI = ABI::V6;

/// Puts the fence up for the calling thread and for all that it starts. False where the kernel has none.
pub fn put_up(granted: &[Directory]) -> io::Result<bool> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSym
        | AccessFs::Refer;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RULES)))
        .and_then(|rules| rules.scope(Scope::from_all(RULES)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    for directory in granted {
        let access: BitFlags<AccessFs> = match directory.writable {
            true => read | write,
            false => read,
        };
        rules = rules
            .add_rule(PathBeneath::new(directory.fd.as_fd(), access))
            .map_err(io::Error::other)?;
    }
    let status = rules.restrict_self().map_err(io::Error::other)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
