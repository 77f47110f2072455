//! What an audit found, as plain data: a line a layer, a line a check, and what follows from them.
//!
//! Owns the words and the verdict; runs nothing. How it is written down: [`text`](super::text), [`json`](super::json),
//! [`junit`](super::junit).

use std::fmt;
use std::time::Duration;

use rustix::process::getuid;
use serde::{Deserialize, Serialize};

/// Version of what [`json`](super::json) writes. Raised when something is renamed, removed or changes its meaning;
/// fields may be added without.
pub const SCHEMA: u32 = 1;

/// Everything that an audit found.
///
/// ```
/// use wasmpool::audit::report::Machine;
/// use wasmpool::audit::{Report, Verdict};
///
/// // One in which nothing was tried proves nothing.
/// let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
/// assert_eq!(report.verdict, Verdict::Incomplete);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the program that made it.
    pub schema: u32,
    /// Where it was made.
    pub machine: Machine,
    /// What follows from all of it.
    pub verdict: Verdict,
    /// The protections, in the order in which an attacker would meet them.
    pub layers: Vec<LayerLine>,
    /// What the processes may still ask of the kernel: everything else ends them.
    pub allowed: Vec<AllowedCall>,
    /// What was tried, families together.
    pub checks: Vec<Check>,
}

/// The machine, as far as it bears on protections.
///
/// ```
/// let here = wasmpool::audit::report::Machine::here();
/// println!("Linux {} on {}, user {}", here.kernel, here.architecture, here.user);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Version of this program.
    pub wasmpool: String,
    /// Release of the kernel; empty if it cannot be read.
    pub kernel: String,
    /// The processor's kind, as Rust names it.
    pub architecture: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// The user's number. 0 is root.
    pub user: u32,
    /// Whether this process itself runs under a filter of system calls, as in most containers.
    pub filtered: bool,
}

impl Machine {
    /// The machine at hand. What cannot be read is empty; nothing fails.
    ///
    /// ```
    /// let here = wasmpool::audit::report::Machine::here();
    /// assert!(here.processors >= 1);
    /// ```
    pub fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        let mode = status
            .lines()
            .find_map(|line| line.strip_prefix("Seccomp:"));
        Self {
            wasmpool: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            user: getuid().as_raw(),
            filtered: mode.is_some_and(|mode| mode.trim() != "0"),
        }
    }
}

/// A protection, and whether it is there.
///
/// ```
/// use wasmpool::audit::{LayerLine, LayerState};
///
/// let line = LayerLine {
///     name: "landlock".into(),
///     around: "worker".into(),
///     required: true,
///     state: LayerState::Unavailable("the kernel does not have it".into()),
///     detail: String::new(),
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerLine {
    /// What it is called: "seccomp".
    pub name: String,
    /// Around whom: "worker", "compiler".
    pub around: String,
    /// Whether it was asked for. One that was not can be missing without harm to the verdict.
    pub required: bool,
    /// Whether it is there.
    #[serde(flatten)]
    pub state: LayerState,
    /// How much of it, if there is something to say: "9 system calls are allowed". May be empty.
    pub detail: String,
}

/// Whether a protection is there.
///
/// ```
/// use wasmpool::audit::{LayerState, Report};
///
/// fn missing(report: &Report) {
///     for layer in &report.layers {
///         if let LayerState::Unavailable(why) = &layer.state {
///             println!("no {} around the {}: {why}", layer.name, layer.around);
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "kebab-case")]
pub enum LayerState {
    /// It is in force.
    InForce,
    /// It cannot be had here: why.
    Unavailable(String),
}

/// A system call that a process which runs what is not trusted may make.
///
/// ```
/// use wasmpool::audit::Report;
///
/// fn calls(report: &Report) {
///     for allowed in &report.allowed {
///         println!("{} may call {}: {}", allowed.around, allowed.call, allowed.why);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedCall {
    /// Who may: "worker", "compiler".
    pub around: String,
    /// Its name.
    pub call: String,
    /// With which arguments only: "argument 2 & 0x4 is 0x0". Empty: with any.
    pub only: String,
    /// What it is needed for.
    pub why: String,
}

/// One limit or one forbidden thing, and what came of trying it.
///
/// ```
/// use wasmpool::audit::{Check, Outcome};
///
/// let check = Check {
///     family: "time".into(),
///     name: "endless loop".into(),
///     requested: "an item ends after 500 ms".into(),
///     enforced_by: "SIGKILL".into(),
///     proof: "ended after 501 ms".into(),
///     outcome: Outcome::Held,
///     overshoot: Some("1 ms".into()),
///     took: std::time::Duration::from_millis(501),
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// With which others it belongs: "time"; of native probes behind the process they ran in: "worker/files". Lower
    /// case.
    pub family: String,
    /// Unique in its family.
    pub name: String,
    /// What was asked for, as a user would say it: "an item ends after 500 ms", "open a file".
    pub requested: String,
    /// What stopped it, or was to: "seccomp". Empty if nothing did.
    pub enforced_by: String,
    /// How it was shown: "killed by SIGSYS at openat".
    pub proof: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// By how much the limit was passed before it took effect, with its unit. None where there is nothing to pass.
    pub overshoot: Option<String>,
    /// How long the check took. In JSON `took_ms`, milliseconds with a fraction.
    #[serde(rename = "took_ms", with = "milliseconds")]
    pub took: Duration,
}

/// What came of a check.
///
/// ```
/// use wasmpool::audit::Outcome;
///
/// let outcome = Outcome::Skipped("there is no such device".into());
/// assert_eq!((outcome.as_str(), outcome.reason()), ("skipped", Some("there is no such device")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "kebab-case")]
pub enum Outcome {
    /// The protection did what it is there for.
    Held,
    /// It did not.
    Broken,
    /// It cannot be had, or cannot be shown, on this machine: why. Keeps the audit from being complete.
    Unavailable(String),
    /// Not tried, because that was asked for or because there is no such thing here: why. Says nothing.
    Skipped(String),
}

impl Outcome {
    /// Its name, as in JSON.
    ///
    /// ```
    /// assert_eq!(wasmpool::audit::Outcome::Broken.as_str(), "broken");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Broken => "broken",
            Self::Unavailable(_) => "unavailable",
            Self::Skipped(_) => "skipped",
        }
    }

    /// Why, if it is one of those that have a reason.
    ///
    /// ```
    /// assert_eq!(wasmpool::audit::Outcome::Held.reason(), None);
    /// ```
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Held | Self::Broken => None,
            Self::Unavailable(reason) | Self::Skipped(reason) => Some(reason),
        }
    }
}

/// What follows from an audit.
///
/// ```
/// use wasmpool::audit::Verdict;
///
/// fn exit_code(verdict: Verdict) -> i32 {
///     match verdict {
///         Verdict::Proved => 0,
///         Verdict::Broken | Verdict::Incomplete => 1,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that was asked for is in force, and whatever was tried held.
    Proved,
    /// Something that must not work did.
    Broken,
    /// Nothing is broken, but something that was asked for is not available, or nothing was tried.
    Incomplete,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Proved => "proved",
            Self::Broken => "broken",
            Self::Incomplete => "incomplete",
        })
    }
}

/// How many checks came to what.
///
/// ```
/// use wasmpool::audit::report::Counts;
///
/// let counts = Counts { held: 40, skipped: 2, ..Counts::default() };
/// assert_eq!(counts.all(), 42);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Held.
    pub held: usize,
    /// Broken.
    pub broken: usize,
    /// Unavailable.
    pub unavailable: usize,
    /// Skipped.
    pub skipped: usize,
}

impl Counts {
    /// Of these checks.
    ///
    /// ```
    /// use wasmpool::audit::report::Counts;
    ///
    /// assert_eq!(Counts::of(&[]), Counts::default());
    /// ```
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Self {
        let mut counts = Self::default();
        for check in checks {
            match check.outcome {
                Outcome::Held => counts.held += 1,
                Outcome::Broken => counts.broken += 1,
                Outcome::Unavailable(_) => counts.unavailable += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }

    /// All of them.
    ///
    /// ```
    /// use wasmpool::audit::report::Counts;
    ///
    /// assert_eq!(Counts { held: 3, broken: 1, ..Counts::default() }.all(), 4);
    /// ```
    pub fn all(self) -> usize {
        self.held + self.broken + self.unavailable + self.skipped
    }
}

impl Report {
    /// Puts it together, and judges. The checks of a family are brought together, where its first one stands.
    ///
    /// ```
    /// use wasmpool::audit::report::Machine;
    /// use wasmpool::audit::{LayerLine, LayerState, Report, Verdict};
    ///
    /// let missing = LayerLine {
    ///     name: "landlock".into(),
    ///     around: "worker".into(),
    ///     required: true,
    ///     state: LayerState::Unavailable("the kernel does not have it".into()),
    ///     detail: String::new(),
    /// };
    /// let report = Report::new(Machine::here(), vec![missing], Vec::new(), Vec::new());
    /// assert_eq!(report.verdict, Verdict::Incomplete);
    /// ```
    pub fn new(
        machine: Machine,
        layers: Vec<LayerLine>,
        allowed: Vec<AllowedCall>,
        checks: Vec<Check>,
    ) -> Self {
        let mut order: Vec<String> = Vec::new();
        for check in &checks {
            if !order.contains(&check.family) {
                order.push(check.family.clone());
            }
        }
        let mut checks = checks;
        checks.sort_by_key(|check| order.iter().position(|family| *family == check.family));
        Self {
            schema: SCHEMA,
            machine,
            verdict: judge(&layers, &checks),
            layers,
            allowed,
            checks,
        }
    }

    /// The layers that were asked for and are missing.
    ///
    /// ```
    /// use wasmpool::audit::Report;
    ///
    /// fn complain(report: &Report) {
    ///     for layer in report.missing() {
    ///         eprintln!("{} is missing around the {}", layer.name, layer.around);
    ///     }
    /// }
    /// ```
    pub fn missing(&self) -> impl Iterator<Item = &LayerLine> {
        let missing = |layer: &&LayerLine| layer.required && layer.state != LayerState::InForce;
        self.layers.iter().filter(missing)
    }

    /// The checks that came to anything else than that the protection held.
    ///
    /// ```
    /// use wasmpool::audit::Report;
    ///
    /// fn complain(report: &Report) {
    ///     for check in report.not_held() {
    ///         eprintln!("{}: {}, {}", check.name, check.outcome.as_str(), check.proof);
    ///     }
    /// }
    /// ```
    pub fn not_held(&self) -> impl Iterator<Item = &Check> {
        let checks = self.checks.iter();
        checks.filter(|check| check.outcome != Outcome::Held)
    }

    /// How many checks came to what.
    ///
    /// ```
    /// # use wasmpool::audit::{Report, report::Machine};
    /// # let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
    /// let counts = report.counts();
    /// println!("{} of {} held", counts.held, counts.all());
    /// ```
    pub fn counts(&self) -> Counts {
        Counts::of(&self.checks)
    }

    /// The families in their order, each with its checks.
    ///
    /// ```
    /// # use wasmpool::audit::{Report, report::Machine};
    /// # let report = Report::new(Machine::here(), Vec::new(), Vec::new(), Vec::new());
    /// for (family, checks) in report.families() {
    ///     println!("{family}: {} checks", checks.len());
    /// }
    /// ```
    pub fn families(&self) -> impl Iterator<Item = (&str, &[Check])> {
        let chunks = self.checks.chunk_by(|a, b| a.family == b.family);
        chunks.filter_map(|checks| Some((checks.first()?.family.as_str(), checks)))
    }
}

fn judge(layers: &[LayerLine], checks: &[Check]) -> Verdict {
    let counts = Counts::of(checks);
    let missing = layers
        .iter()
        .any(|layer| layer.required && layer.state != LayerState::InForce);
    if counts.broken > 0 {
        Verdict::Broken
    } else if missing || counts.unavailable > 0 || counts.held == 0 {
        Verdict::Incomplete
    } else {
        Verdict::Proved
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
        // To a microsecond.
        to.serialize_f64(took.as_micros() as f64 / 1e3)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let milliseconds = f64::deserialize(from)?;
        Duration::try_from_secs_f64(milliseconds / 1e3).map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A check, of which the outcome matters.
    pub(in super::super) fn check(family: &str, name: &str, outcome: Outcome) -> Check {
        Check {
            family: family.to_owned(),
            name: name.to_owned(),
            requested: "open a file".to_owned(),
            enforced_by: "seccomp".to_owned(),
            proof: "killed by SIGSYS at openat".to_owned(),
            outcome,
            overshoot: None,
            took: Duration::from_micros(1_234),
        }
    }

    pub(in super::super) fn layer(name: &str, required: bool, state: LayerState) -> LayerLine {
        LayerLine {
            name: name.to_owned(),
            around: "worker".to_owned(),
            required,
            state,
            detail: String::new(),
        }
    }

    pub(in super::super) fn machine() -> Machine {
        Machine {
            wasmpool: "0.1.0".to_owned(),
            kernel: "6.18.44".to_owned(),
            architecture: "x86_64".to_owned(),
            processors: 2,
            user: 0,
            filtered: false,
        }
    }

    /// A report with every kind of line.
    pub(in super::super) fn mixed() -> Report {
        let mut late = check("time", "loop", Outcome::Held);
        late.requested = "an item ends after 500 ms".to_owned();
        late.enforced_by = "SIGKILL".to_owned();
        late.proof = "a loop was killed".to_owned();
        late.overshoot = Some("1.8 ms".to_owned());
        let no = "user namespaces are not allowed: EPERM".to_owned();
        Report::new(
            machine(),
            vec![
                layer("seccomp", true, LayerState::InForce),
                layer("namespaces", false, LayerState::Unavailable(no.clone())),
            ],
            vec![AllowedCall {
                around: "worker".to_owned(),
                call: "mmap".to_owned(),
                only: "argument 2 & 0x4 is 0x0".to_owned(),
                why: "large allocations".to_owned(),
            }],
            vec![
                check("files", "openat", Outcome::Held),
                late,
                check("files", "creat", Outcome::Broken),
                check("kernel", "mount", Outcome::Unavailable(no)),
                check("kernel", "x32", Outcome::Skipped("not built in".to_owned())),
            ],
        )
    }

    fn verdict(layers: Vec<LayerLine>, outcomes: &[Outcome]) -> Verdict {
        let checks = outcomes.iter().map(|o| check("files", "a", o.clone()));
        Report::new(machine(), layers, Vec::new(), checks.collect()).verdict
    }

    #[test]
    fn what_is_broken_outweighs_what_is_missing() {
        let why = || "why".to_owned();
        let (held, broken) = (Outcome::Held, Outcome::Broken);
        let (unavailable, skipped) = (Outcome::Unavailable(why()), Outcome::Skipped(why()));
        let off = || LayerState::Unavailable(why());

        let of = |outcomes: &[&Outcome]| {
            let outcomes: Vec<_> = outcomes.iter().copied().cloned().collect();
            verdict(vec![], &outcomes)
        };
        assert_eq!(of(&[]), Verdict::Incomplete);
        assert_eq!(of(&[&skipped]), Verdict::Incomplete);
        assert_eq!(of(&[&held]), Verdict::Proved);
        assert_eq!(of(&[&held, &skipped]), Verdict::Proved);
        assert_eq!(of(&[&held, &unavailable]), Verdict::Incomplete);
        assert_eq!(of(&[&held, &unavailable, &broken]), Verdict::Broken);

        let held = [held];
        let required = vec![layer("seccomp", true, off())];
        assert_eq!(verdict(required, &held), Verdict::Incomplete);
        let optional = vec![layer("cgroup", false, off())];
        assert_eq!(verdict(optional, &held), Verdict::Proved);
    }

    #[test]
    fn families_stay_together_and_in_order() {
        let report = mixed();
        let families: Vec<_> = report.families().map(|(f, c)| (f, c.len())).collect();
        assert_eq!(families, [("files", 2), ("time", 1), ("kernel", 2)]);
        let counts = report.counts();
        assert_eq!(counts.all(), 5);
        assert_eq!((counts.held, counts.broken), (2, 1));
        assert_eq!((counts.unavailable, counts.skipped), (1, 1));
    }

    #[test]
    fn the_machine_at_hand_is_described() {
        let here = Machine::here();
        assert!(!here.kernel.is_empty() && !here.wasmpool.is_empty());
        assert!(here.processors >= 1);
    }
}
