//! What `wasmpool audit` does: shows, on the machine at hand, which protections hold, and how that was found out.
//!
//! An [`Audit`] tries, behind the very walls that a pool puts up, everything that those walls are there to stop, and
//! gives a [`Report`]. For a test that must fail where a protection does:
//!
//! ```no_run
//! use wasmpool::audit::{Audit, Verdict};
//!
//! fn main() {
//!     // First thing in `main`: this program is started as the processes that are probed.
//!     wasmpool::worker::enter_if_asked();
//!     let report = Audit::new().run();
//!     for layer in report.missing() {
//!         eprintln!("{} is missing around the {}", layer.name, layer.around);
//!     }
//!     for check in report.not_held() {
//!         eprintln!("{}/{}: {} ({})", check.family, check.name, check.outcome.as_str(), check.proof);
//!     }
//!     assert_eq!(report.verdict, Verdict::Proved);
//! }
//! ```
//!
//! - `native`: native code behind the walls that tries what a worker or a compiler must not be able to do; `probes`:
//!   that code; `walls`: the layers that stand around it.
//! - `limits`: hostile modules in pools, a limit each; `own`: somebody's own module.
//! - `report`: what was found, as plain data; `text`, `json` and `junit` write it down.
//!
//! Judges and reports; confines nothing itself. Apart from `sys`, `probes` alone makes system calls of its own.

pub mod json;
pub mod junit;
mod limits;
mod native;
mod own;
#[doc(hidden)]
pub mod probes;
pub mod report;
pub mod text;
mod walls;

use std::path::PathBuf;

pub use self::own::OwnModule;
pub use self::report::{Check, LayerLine, LayerState, Outcome, Report, Verdict};

use self::report::Machine;
use crate::limits::Limits;
use crate::sandbox::layers::Role;

/// What is to be audited.
///
/// ```no_run
/// use wasmpool::audit::{Audit, Verdict};
///
/// let report = Audit::new().run();
/// if report.verdict != Verdict::Proved {
///     for check in report.not_held() {
///         println!("{}/{}: {}", check.family, check.name, check.proof);
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Audit {
    host: Option<PathBuf>,
    own: Option<OwnModule>,
}

impl Audit {
    /// Everything that this machine's pools promise.
    ///
    /// ```
    /// let audit = wasmpool::audit::Audit::new();
    /// ```
    pub fn new() -> Audit {
        Audit::default()
    }

    /// The program `wasmpool`, which is started as a host of its own and killed, to see that its processes end. Default:
    /// the one that lies beside this program or in the search path. Without one, that check is skipped.
    ///
    /// ```
    /// let audit = wasmpool::audit::Audit::new().host_program("/usr/local/bin/wasmpool");
    /// ```
    pub fn host_program(mut self, path: impl Into<PathBuf>) -> Audit {
        self.host = Some(path.into());
        self
    }

    /// Runs somebody's own module instead, and says what stopped each of its functions.
    ///
    /// ```
    /// use wasmpool::audit::{Audit, OwnModule, Outcome};
    /// use wasmpool::limits::Limits;
    ///
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doctest/setup.rs"));
    /// let module = OwnModule {
    ///     bytes: std::fs::read("tasks.wasm")?,
    ///     function: Some("inverse".into()),
    ///     items: vec!["0".into()],
    ///     limits: Limits::new(),
    /// };
    /// let report = Audit::new().module(module).run();
    /// assert_eq!(report.checks[0].outcome, Outcome::Held);
    /// println!("stopped by {}", report.checks[0].enforced_by);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn module(mut self, module: OwnModule) -> Audit {
        self.own = Some(module);
        self
    }

    /// Does it. Takes some ten seconds; of a module, as long as its functions may run.
    ///
    /// What cannot be tried is in the report as unavailable. Nothing is changed on this machine, but that the kernel may
    /// log the probes' ends.
    ///
    /// ```no_run
    /// // Everything, in some ten seconds.
    /// let report = wasmpool::audit::Audit::new().run();
    /// print!("{}", wasmpool::audit::text::render(&report, false));
    /// ```
    pub fn run(self) -> Report {
        if let Some(module) = &self.own {
            let (layers, checks) = own::run(module);
            return Report::new(Machine::here(), layers, walls::allowed(), checks);
        }
        let (mut layers, mut checks) = (Vec::new(), Vec::new());
        let neighbour = limits::Neighbour::start();
        for (role, around) in [
            (Role::WorkerProber, "worker"),
            (Role::CompilerProber, "compiler"),
        ] {
            let probed = native::probe(role, around, &Limits::new());
            layers.extend(probed.layers);
            checks.extend(probed.checks);
            if let (Some(wall), Role::WorkerProber) = (probed.wall, role) {
                checks.push(limits::same_wall(wall));
            }
        }
        checks.extend(limits::all(self.host.as_deref()));
        checks.push(neighbour.end());
        Report::new(Machine::here(), layers, walls::allowed(), checks)
    }
}
