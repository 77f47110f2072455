//! The layers of the wall around a process, as plain data: their names, what each forbids, and which are in force.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a started process is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Compiles one module and ends.
    Compiler,
    /// Forks workers of one component.
    ForkServer,
    /// Forks processes that are locked as workers are, and then try what workers must not do.
    WorkerProber,
    /// The same for processes that are locked as compilers are.
    CompilerProber,
}

impl Role {
    /// Whether its wall is the one around workers: a process namespace, above all.
    pub fn is_of_workers(self) -> bool {
        match self {
            Role::ForkServer | Role::WorkerProber => true,
            Role::Compiler | Role::CompilerProber => false,
        }
    }

    /// Whether a layer can be around its processes at all. A process namespace is in force for those that one of its
    /// processes starts; a compiler starts none.
    pub fn can_have(self, layer: Layer) -> bool {
        self.is_of_workers() || layer != PidNamespace
    }
}

/// One layer. Each holds by itself: where one has a hole, the others still stand.
///
/// ```
/// use wasmpool::pool::Layer;
///
/// for layer in Layer::ALL {
///     println!("{layer} forbids {}", layer.forbids());
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Layer {
    /// No descriptor but the agreed ones.
    Descriptors,
    /// No environment variable.
    Environment,
    /// A session and process group of its own: no terminal, no signal to others' groups.
    Session,
    /// Killed when its parent ends.
    ParentDeath,
    /// No core dump, no tracing by others of the same user.
    NoDump,
    /// No privileges gained by running a program.
    NoNewPrivileges,
    /// No capability, also as root.
    NoCapabilities,
    /// No page both writable and executable, and none made executable later.
    WriteXorExecute,
    /// Bounds by `setrlimit`: private memory above all.
    ResourceLimits,
    /// A user namespace: its user has no rights outside.
    UserNamespace,
    /// A process namespace: no other process can be named.
    PidNamespace,
    /// A mount namespace with an empty, read-only root.
    MountNamespace,
    /// A network namespace without an interface that is up.
    NetworkNamespace,
    /// A namespace for System V and POSIX message objects.
    IpcNamespace,
    /// A namespace for the host's name.
    UtsNamespace,
    /// A namespace for control groups.
    CgroupNamespace,
    /// No file, connection or signal but the granted ones, by landlock.
    Landlock,
    /// No system call but the listed ones, by seccomp.
    Seccomp,
    /// A bound on all memory of a pool's processes together, by a control group.
    MemoryCgroup,
}

use Layer::*;

impl Layer {
    /// All, in the order in which they are put up.
    pub const ALL: [Layer; 19] = [
        Descriptors,
        Environment,
        UserNamespace,
        PidNamespace,
        MountNamespace,
        NetworkNamespace,
        IpcNamespace,
        UtsNamespace,
        CgroupNamespace,
        ParentDeath,
        Session,
        NoCapabilities,
        NoDump,
        NoNewPrivileges,
        WriteXorExecute,
        ResourceLimits,
        Landlock,
        Seccomp,
        MemoryCgroup,
    ];

    /// Its name in reports: lower case, with hyphens.
    ///
    /// ```
    /// use wasmpool::pool::Layer;
    ///
    /// assert_eq!(Layer::NoNewPrivileges.name(), "no-new-privileges");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Descriptors => "descriptors",
            Environment => "environment",
            Session => "session",
            ParentDeath => "parent-death",
            NoDump => "no-dump",
            NoNewPrivileges => "no-new-privileges",
            NoCapabilities => "no-capabilities",
            WriteXorExecute => "write-xor-execute",
            ResourceLimits => "resource-limits",
            UserNamespace => "user-namespace",
            PidNamespace => "pid-namespace",
            MountNamespace => "mount-namespace",
            NetworkNamespace => "network-namespace",
            IpcNamespace => "ipc-namespace",
            UtsNamespace => "uts-namespace",
            CgroupNamespace => "cgroup-namespace",
            Landlock => "landlock",
            Seccomp => "seccomp",
            MemoryCgroup => "memory-cgroup",
        }
    }

    /// What it forbids, for people.
    ///
    /// ```
    /// use wasmpool::pool::Layer;
    ///
    /// assert_eq!(Layer::Seccomp.forbids(), "every system call but a few");
    /// ```
    pub fn forbids(self) -> &'static str {
        match self {
            Descriptors => "using what the host has open",
            Environment => "reading the host's environment variables",
            Session => "using the terminal, signalling the host's process group",
            ParentDeath => "outliving the host",
            NoDump => "being dumped or traced by the user's other programs",
            NoNewPrivileges => "gaining privileges by running a program",
            NoCapabilities => "using privileges of root",
            WriteXorExecute => "running data as code",
            ResourceLimits => "taking memory without end",
            UserNamespace => "having rights outside",
            PidNamespace => "naming other processes",
            MountNamespace => "naming files",
            NetworkNamespace => "reaching networks",
            IpcNamespace => "reaching shared objects of System V and POSIX",
            UtsNamespace => "changing the host's name",
            CgroupNamespace => "seeing control groups",
            Landlock => "opening files, connecting, signalling outsiders",
            Seccomp => "every system call but a few",
            MemoryCgroup => "taking the machine's memory, kernel objects included",
        }
    }

    /// How much depends on it.
    ///
    /// ```
    /// use wasmpool::pool::{Layer, Rank};
    ///
    /// assert_eq!(Layer::Seccomp.rank(), Rank::Floor);
    /// assert_eq!(Layer::Landlock.rank(), Rank::Expected);
    /// ```
    pub fn rank(self) -> Rank {
        match self {
            UserNamespace | PidNamespace | MountNamespace | NetworkNamespace | IpcNamespace
            | UtsNamespace | CgroupNamespace | Landlock | WriteXorExecute => Rank::Expected,
            MemoryCgroup => Rank::Extra,
            _ => Rank::Floor,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of a pool where a layer cannot be had.
///
/// ```
/// use wasmpool::pool::Rank;
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
/// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
/// let layers = pool.layers().expect("its workers are processes");
/// assert_eq!(layers.missing(Rank::Floor).count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It does not open.
    Floor,
    /// It opens with a warning; a strict one does not open.
    Expected,
    /// It opens; reports say so.
    Extra,
}

/// A set of layers.
///
/// ```
/// use wasmpool::pool::{Layer, Layers};
///
/// let some = Layers::none().with(Layer::Seccomp).with(Layer::NoDump);
/// assert!(some.has(Layer::NoDump));
/// assert_eq!(format!("{some:?}"), r#"{"no-dump", "seccomp"}"#);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers(u32);

impl Layers {
    /// None.
    ///
    /// ```
    /// use wasmpool::pool::Layers;
    ///
    /// assert_eq!(Layers::none().iter().count(), 0);
    /// ```
    pub const fn none() -> Layers {
        Layers(0)
    }

    /// The same with one more.
    ///
    /// ```
    /// use wasmpool::pool::{Layer, Layers};
    ///
    /// assert!(Layers::none().with(Layer::Landlock).has(Layer::Landlock));
    /// ```
    pub const fn with(self, layer: Layer) -> Layers {
        Layers(self.0 | 1 << layer as u8)
    }

    /// The same without one.
    ///
    /// ```
    /// use wasmpool::pool::{Layer, Layers};
    ///
    /// let some = Layers::none().with(Layer::Landlock);
    /// assert_eq!(some.without(Layer::Landlock), Layers::none());
    /// ```
    pub const fn without(self, layer: Layer) -> Layers {
        Layers(self.0 & !(1 << layer as u8))
    }

    /// Whether a layer is among them.
    ///
    /// ```
    /// use wasmpool::pool::{Layer, Layers};
    ///
    /// assert!(!Layers::none().has(Layer::Seccomp));
    /// ```
    pub const fn has(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }

    /// Adds one.
    #[doc(hidden)]
    pub fn add(&mut self, layer: Layer) {
        *self = self.with(layer);
    }

    /// Those of a rank that are not among them.
    ///
    /// ```
    /// use wasmpool::pool::Rank;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// # let pool = wasmpool::pool::Pool::builder().workers(1).open("tasks.wasm")?;
    /// if let Some(layers) = pool.layers() {
    ///     for layer in layers.missing(Rank::Expected) {
    ///         println!("not here: {layer}, which forbids {}", layer.forbids());
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn missing(self, rank: Rank) -> impl Iterator<Item = Layer> {
        Layer::ALL
            .into_iter()
            .filter(move |layer| layer.rank() == rank && !self.has(*layer))
    }

    /// Those among them, in order.
    ///
    /// ```
    /// use wasmpool::pool::{Layer, Layers};
    ///
    /// let some = Layers::none().with(Layer::Seccomp).with(Layer::Descriptors);
    /// assert!(some.iter().eq([Layer::Descriptors, Layer::Seccomp]));
    /// ```
    pub fn iter(self) -> impl Iterator<Item = Layer> {
        Layer::ALL.into_iter().filter(move |layer| self.has(*layer))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Layer::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_listed_once_and_has_a_bit_of_its_own() {
        let mut all = Layers::none();
        for layer in Layer::ALL {
            assert!(!all.has(layer), "{layer} twice");
            all.add(layer);
        }
        assert_eq!(all.iter().count(), Layer::ALL.len());
        assert_eq!(all.missing(Rank::Floor).count(), 0);
        let some = Layers::none().with(Seccomp);
        assert!(some.missing(Rank::Expected).any(|l| l == Landlock));
        assert!(some.missing(Rank::Floor).all(|l| l != Seccomp));
    }
}
