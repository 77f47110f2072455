//! What a run of the benchmark found, as plain data. How it is written down: [`text`](super::text),
//! [`json`](super::json), [`svg`](super::svg).

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// Version of what [`json`](super::json) writes. Raised when something is renamed, removed or changes its meaning;
/// fields and rows may be added without.
pub const SCHEMA: u32 = 1;

/// Everything that was measured.
///
/// ```
/// use wasmpool::bench::Report;
///
/// /// How many times as long as the floor a round trip takes.
/// fn ratio(report: &Report) -> Option<f64> {
///     Some(report.line("apply-shared")?.beside.as_ref()?.ratio)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`] of the program that made it.
    pub schema: u32,
    /// Where it was made.
    pub machine: Machine,
    /// The rows, in the order of `wasmpool bench --list`.
    pub rows: Vec<Line>,
}

/// The machine, as far as it bears on speed. What cannot be read is empty or 0.
///
/// ```
/// println!("{}", wasmpool::bench::Machine::here().in_words());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Version of this program.
    pub wasmpool: String,
    /// Whether the program was built with optimisation. What another one measures says nothing.
    pub optimised: bool,
    /// The processor, as it calls itself.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Processes that ran or wanted to, on the average of the last 1, 5 and 15 minutes, when the run began.
    pub load: [f64; 3],
}

impl Machine {
    /// The machine at hand.
    ///
    /// ```
    /// let here = wasmpool::bench::Machine::here();
    /// assert!(here.processors >= 1);
    /// ```
    pub fn here() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpus = read("/proc/cpuinfo");
        let named = cpus.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        let mut load = [0.0; 3];
        for (to, word) in load.iter_mut().zip(read("/proc/loadavg").split(' ')) {
            *to = word.parse().unwrap_or(0.0);
        }
        Machine {
            wasmpool: env!("CARGO_PKG_VERSION").to_owned(),
            optimised: !cfg!(debug_assertions),
            processor: named.unwrap_or_default(),
            processors: processors(),
            memory_bytes: memory("MemTotal:"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load,
        }
    }
}

/// Processors that this process may use.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A line of `/proc/meminfo`, in bytes; 0 if there is none.
pub(super) fn memory(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    let kib = value.and_then(|value| value.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}

/// What samples are counted in.
///
/// ```
/// use wasmpool::bench::{Unit, find};
///
/// assert_eq!(find("idle-worker").map(|row| row.unit), Some(Unit::Bytes));
/// assert_eq!(find("apply-shared").map(|row| row.unit), Some(Unit::Nanoseconds));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
}

/// One thing that was measured.
///
/// ```
/// use wasmpool::bench::Line;
///
/// fn tell(line: &Line) {
///     if let (Some(median), Some(p99)) = (line.median, line.p99) {
///         println!("{}: {}, at worst {}", line.id, line.show(median), line.show(p99));
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its name, which stays: "apply-shared".
    pub id: String,
    /// With which others it belongs: "round trips".
    pub group: String,
    /// What was measured.
    pub what: String,
    /// What the numbers are counted in.
    pub unit: Unit,
    /// How many samples there are.
    pub samples: usize,
    /// Half of the samples are not above it. `None`, as the others, if there is no sample.
    pub median: Option<f64>,
    /// The 10th percentile.
    pub p10: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 99th percentile; of less than 100 samples that is the largest.
    pub p99: Option<f64>,
    /// What it is compared with, if that was measured.
    pub beside: Option<Beside>,
    /// Whether it was measured, and if not, why.
    #[serde(flatten)]
    pub state: State,
}

/// A comparison of two rows of the same run.
///
/// ```
/// use wasmpool::bench::Line;
///
/// fn tell(line: &Line) {
///     if let Some(beside) = &line.beside {
///         println!("{} takes {:.1} times as long as {}", line.id, beside.ratio, beside.what);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// The other row's name.
    pub what: String,
    /// This row's median divided by the other's.
    pub ratio: f64,
}

/// What came of measuring.
///
/// ```
/// use wasmpool::bench::{Line, State};
///
/// fn tell(line: &Line) {
///     match &line.state {
///         State::Measured => println!("{} samples of {}", line.samples, line.id),
///         State::Unavailable(why) | State::Failed(why) => println!("no {}: {why}", line.id),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "reason", rename_all = "kebab-case")]
pub enum State {
    /// It was.
    Measured,
    /// This machine does not offer what it takes: why.
    Unavailable(String),
    /// Something is wrong, with the pool or with a result: what.
    Failed(String),
}

impl Line {
    /// Fills in what its samples say. Sorts them.
    pub(super) fn take(&mut self, samples: &mut [f64]) {
        samples.sort_by(f64::total_cmp);
        self.samples = samples.len();
        self.median = quantile(samples, 0.5);
        self.p10 = quantile(samples, 0.1);
        self.p90 = quantile(samples, 0.9);
        self.p99 = quantile(samples, 0.99);
    }

    /// A number in this line's unit, as people read it: "2.3 µs".
    ///
    /// ```
    /// use wasmpool::bench::Line;
    ///
    /// fn median(line: &Line) -> Option<String> {
    ///     Some(line.show(line.median?))
    /// }
    /// ```
    pub fn show(&self, number: f64) -> String {
        match self.unit {
            Unit::Nanoseconds => time(number),
            Unit::Bytes => bytes(number),
        }
    }
}

impl Report {
    /// The lines that were not measured since something is wrong.
    ///
    /// ```
    /// use wasmpool::bench::Report;
    ///
    /// fn exit_code(report: &Report) -> i32 {
    ///     i32::from(report.failed().next().is_some())
    /// }
    /// ```
    pub fn failed(&self) -> impl Iterator<Item = &Line> {
        let failed = |line: &&Line| matches!(line.state, State::Failed(_));
        self.rows.iter().filter(failed)
    }

    /// The groups in their order, each with its lines.
    ///
    /// ```
    /// use wasmpool::bench::Report;
    ///
    /// fn tell(report: &Report) {
    ///     for (group, lines) in report.groups() {
    ///         println!("{group}: {} rows", lines.len());
    ///     }
    /// }
    /// ```
    pub fn groups(&self) -> impl Iterator<Item = (&str, &[Line])> {
        let chunks = self.rows.chunk_by(|a, b| a.group == b.group);
        chunks.filter_map(|lines| Some((lines.first()?.group.as_str(), lines)))
    }

    /// A line by its name.
    ///
    /// ```
    /// use wasmpool::bench::Report;
    ///
    /// fn round_trip(report: &Report) -> Option<f64> {
    ///     report.line("apply-shared")?.median
    /// }
    /// ```
    pub fn line(&self, id: &str) -> Option<&Line> {
        self.rows.iter().find(|line| line.id == id)
    }
}

impl Machine {
    /// In a few words: "wasmpool 0.1.0, Linux 6.18.44, …".
    ///
    /// ```
    /// let here = wasmpool::bench::Machine::here();
    /// assert!(here.in_words().starts_with("wasmpool "));
    /// ```
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "wasmpool {}, Linux {}, {}, {} processors, {}, load {:.2} {:.2} {:.2}",
            self.wasmpool,
            self.kernel,
            if self.processor.is_empty() {
                "an unknown processor"
            } else {
                &self.processor
            },
            self.processors,
            bytes(self.memory_bytes as f64),
            self.load[0],
            self.load[1],
            self.load[2]
        );
        if !self.optimised {
            let _ = write!(text, "; built without optimisation: says nothing");
        }
        text
    }
}

/// Of sorted samples, by the nearest rank; `None` if there are none.
pub(super) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

/// Nanoseconds as people read them.
///
/// ```
/// assert_eq!(wasmpool::bench::report::time(12_345.0), "12.3 µs");
/// ```
pub fn time(nanos: f64) -> String {
    match nanos.abs() {
        n if n < 999.5 => format!("{nanos:.0} ns"),
        n if n < 999_500.0 => format!("{} µs", three_digits(nanos / 1e3)),
        n if n < 999.5e6 => format!("{} ms", three_digits(nanos / 1e6)),
        _ => format!("{} s", three_digits(nanos / 1e9)),
    }
}

/// Bytes as people read them.
///
/// ```
/// assert_eq!(wasmpool::bench::report::bytes(3.0 * 1024.0 * 1024.0), "3.00 MiB");
/// ```
pub fn bytes(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    match bytes.abs() {
        n if n < KIB => format!("{bytes:.0} B"),
        n if n < KIB * KIB => format!("{} KiB", three_digits(bytes / KIB)),
        n if n < KIB * KIB * KIB => format!("{} MiB", three_digits(bytes / KIB / KIB)),
        _ => format!("{} GiB", three_digits(bytes / KIB / KIB / KIB)),
    }
}

/// With three digits that count, as far as they stand behind the point.
pub(super) fn three_digits(number: f64) -> String {
    match number.abs() {
        n if n < 9.995 => format!("{number:.2}"),
        n if n < 99.95 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn line(id: &str, group: &str, samples: &[f64]) -> Line {
        let mut line = Line {
            id: id.to_owned(),
            group: group.to_owned(),
            what: format!("what {id} is"),
            unit: Unit::Nanoseconds,
            samples: 0,
            median: None,
            p10: None,
            p90: None,
            p99: None,
            beside: None,
            state: State::Measured,
        };
        line.take(&mut samples.to_vec());
        line
    }

    /// A report with every kind of line.
    pub(in super::super) fn mixed() -> Report {
        let mut apply = line("apply-shared", "round trips", &[2e3, 3e3, 4e3]);
        apply.beside = Some(Beside {
            what: "floor-futex".to_owned(),
            ratio: 0.5,
        });
        let mut memory = line("idle-worker", "memory", &[]);
        memory.unit = Unit::Bytes;
        memory.state = State::Unavailable("<not> \"allowed\" & so on".to_owned());
        let mut wrong = line("map-auto", "jobs", &[]);
        wrong.state = State::Failed("the sum is wrong".to_owned());
        let mut rows = vec![line("floor-futex", "floors", &[5e3, 6e3, 7e3]), apply];
        rows.extend([wrong, memory]);
        for n in [1, 2, 16] {
            let each = f64::from(n) * 1e6;
            rows.push(line(&format!("open-{n}"), "scale", &[each]));
        }
        Report {
            schema: SCHEMA,
            machine: Machine {
                wasmpool: "0.1.0".to_owned(),
                optimised: true,
                processor: "A <fast> one".to_owned(),
                processors: 2,
                memory_bytes: 24 << 30,
                kernel: "6.18.44".to_owned(),
                load: [0.5, 0.25, 0.0],
            },
            rows,
        }
    }

    #[test]
    fn quantiles_are_samples() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        let ten: Vec<f64> = (0..=10).map(f64::from).collect();
        let at = |part| quantile(&ten, part).unwrap();
        assert_eq!([0.1, 0.5, 0.9, 0.99].map(at), [1.0, 5.0, 9.0, 10.0]);
    }

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        for (nanos, expected) in [
            (0.0, "0 ns"),
            (999.4, "999 ns"),
            (999.6, "1.00 µs"),
            (12_345.0, "12.3 µs"),
            (999_600.0, "1.00 ms"),
            (-2_500_000.0, "-2.50 ms"),
            (61e9, "61.0 s"),
        ] {
            assert_eq!(time(nanos), expected);
        }
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(3.0 * 1024.0 * 1024.0), "3.00 MiB");
        assert_eq!(bytes(23.5 * 1024.0 * 1024.0 * 1024.0), "23.5 GiB");
    }

    #[test]
    fn the_machine_at_hand_is_described() {
        let here = Machine::here();
        assert!(here.processors >= 1 && here.memory_bytes > 0 && !here.kernel.is_empty());
        assert!(here.in_words().contains(&here.kernel));
    }
}
