//! The layers around the processes that run what is not trusted, as lines of a report: which are in force, why one is
//! not, and what the processes may still ask of the kernel.

use std::fs;

use super::report::{AllowedCall, LayerLine, LayerState};
use crate::sandbox::calls::{self, Arg, Call};
use crate::sandbox::layers::{Layer, Layers, Rank, Role};

/// The lines of the layers around a role's processes.
pub(super) fn lines(role: Role, around: &str, layers: Layers) -> Vec<LayerLine> {
    Layer::ALL
        .into_iter()
        .filter(|layer| role.can_have(*layer))
        .map(|layer| LayerLine {
            name: layer.name().to_owned(),
            around: around.to_owned(),
            required: layer.rank() != Rank::Extra,
            state: match layers.has(layer) {
                true => LayerState::InForce,
                false => LayerState::Unavailable(why_not(layer)),
            },
            detail: format!("against {}", layer.forbids()),
        })
        .collect()
}

/// Why a layer cannot be had, as far as that can be found out.
fn why_not(layer: Layer) -> String {
    match layer {
        Layer::UserNamespace => match forbidden_by() {
            Some(setting) => format!("user namespaces are forbidden: {setting}"),
            None => "user namespaces are forbidden to this user, or in this container".to_owned(),
        },
        Layer::PidNamespace
        | Layer::MountNamespace
        | Layer::NetworkNamespace
        | Layer::IpcNamespace
        | Layer::UtsNamespace
        | Layer::CgroupNamespace => {
            "it needs a user namespace, or the kernel is built without it".to_owned()
        }
        Layer::Landlock => match fs::read_to_string("/sys/kernel/security/lsm") {
            Ok(modules) => format!("the kernel's security modules are only: {}", modules.trim()),
            Err(_) => {
                "the kernel has no landlock: it came with Linux 5.13, and can be switched off"
                    .to_owned()
            }
        },
        Layer::WriteXorExecute => "the kernel cannot: it came with Linux 6.3".to_owned(),
        Layer::MemoryCgroup => {
            "this user can make no control group here that bounds memory".to_owned()
        }
        _ => "a step of the wall failed".to_owned(),
    }
}

/// The setting that forbids user namespaces.
fn forbidden_by() -> Option<String> {
    let settings = [
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
        ),
    ];
    let (path, value) = settings
        .into_iter()
        .find(|(path, value)| fs::read_to_string(path).is_ok_and(|found| found.trim() == *value))?;
    Some(format!("{path} is {value}"))
}

/// What a worker, and a compiler, may still ask of the kernel.
pub(super) fn allowed() -> Vec<AllowedCall> {
    let lists = [
        ("worker", calls::WORKER),
        ("worker with granted directories, also", calls::FILES),
        ("compiler", calls::COMPILER),
    ];
    let each = |(around, list): (&'static str, &'static [Call])| {
        list.iter().map(move |call| AllowedCall {
            around: around.to_owned(),
            call: call.name.to_owned(),
            only: only(call.when),
            why: call.why.to_owned(),
        })
    };
    lists.into_iter().flat_map(each).collect()
}

/// `when` in words.
fn only(when: &[Arg]) -> String {
    let one = |arg: &Arg| match arg.mask {
        u32::MAX => format!("argument {} is {:#x}", arg.index, arg.is),
        mask => format!("argument {} & {mask:#x} is {:#x}", arg.index, arg.is),
    };
    when.iter().map(one).collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_layer_says_why_and_an_extra_one_is_not_required() {
        let layers = Layers::none().with(Layer::Seccomp);
        let lines = lines(Role::ForkServer, "worker", layers);
        assert_eq!(lines.len(), Layer::ALL.len());
        for line in &lines {
            match &line.state {
                LayerState::InForce => assert_eq!(line.name, "seccomp"),
                LayerState::Unavailable(reason) => assert!(!reason.is_empty()),
            }
            assert_eq!(line.required, line.name != "memory-cgroup");
        }
    }

    #[test]
    fn every_allowed_call_has_a_reason_and_its_conditions() {
        let allowed = allowed();
        assert!(allowed.iter().all(|call| !call.why.is_empty()));
        let mmap = allowed.iter().find(|call| call.call == "mmap");
        assert_eq!(
            mmap.map(|call| call.only.as_str()),
            Some("argument 2 & 0x4 is 0x0")
        );
        let close = allowed.iter().find(|call| call.call == "close");
        assert_eq!(close.map(|call| call.only.as_str()), Some(""));
    }
}
