//! From lists of system calls to a filter that the kernel runs.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter, apply_filter_all_threads,
};

use super::calls::Call;

/// A filter, ready to be put in force.
#[derive(Clone, Debug)]
pub struct Filter(BpfProgram);

fn arch() -> TargetArch {
    #[cfg(target_arch = "x86_64")]
    return TargetArch::x86_64;
    #[cfg(target_arch = "aarch64")]
    return TargetArch::aarch64;
}

impl Filter {
    /// A filter that allows what the lists allow, but `without`, and kills the process that tries anything else.
    ///
    /// Not an error number instead: a fault in the worker's own code would find its handler refused, return to the
    /// faulting instruction, and spin for ever.
    pub fn new(lists: &[&[Call]], without: Option<&str>) -> io::Result<Filter> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        let mut always = Vec::new();
        for call in lists.iter().copied().flatten() {
            if without == Some(call.name) {
                continue;
            }
            let number = call.number;
            if call.when.is_empty() {
                always.push(number);
            }
            let of_call = rules.entry(number).or_default();
            for arg in call.when {
                let condition = SeccompCondition::new(
                    arg.index,
                    SeccompCmpArgLen::Dword,
                    SeccompCmpOp::MaskedEq(arg.mask.into()),
                    arg.is.into(),
                );
                let rule = condition.and_then(|condition| SeccompRule::new(vec![condition]));
                of_call.push(rule.map_err(io::Error::other)?);
            }
        }
        // No rule means any arguments.
        for number in always {
            rules.insert(number, Vec::new());
        }
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::KillProcess,
            SeccompAction::Allow,
            arch(),
        );
        let program = filter.and_then(BpfProgram::try_from);
        Ok(Filter(program.map_err(io::Error::other)?))
    }

    /// Puts it in force for the calling thread, which must be the only one, and for all it forks.
    pub fn apply(&self) -> io::Result<()> {
        apply_filter(&self.0).map_err(error)
    }

    /// Puts it in force for all threads.
    pub fn apply_to_all_threads(&self) -> io::Result<()> {
        apply_filter_all_threads(&self.0).map_err(error)
    }
}

fn error(error: seccompiler::Error) -> io::Error {
    match error {
        seccompiler::Error::Prctl(e) | seccompiler::Error::Seccomp(e) => e,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls;
    use super::*;

    const LISTS: [(&str, &[Call]); 7] = [
        ("worker", calls::WORKER),
        ("files", calls::FILES),
        ("attach", calls::ATTACH),
        ("compiler", calls::COMPILER),
        ("fork server", calls::FORK_SERVER),
        ("loading", calls::LOADING),
        ("keeper", calls::KEEPER),
    ];

    #[test]
    fn every_entry_is_there_once_and_has_a_reason() {
        for (list, calls) in LISTS {
            let mut numbers: Vec<_> = calls.iter().map(|call| call.number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), calls.len(), "an entry twice: {list}");
            assert!(calls.iter().all(|call| !call.why.is_empty()), "{list}");
            Filter::new(&[calls], None).unwrap();
        }
    }
}
