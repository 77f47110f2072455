//! Rows of samples, taken in turns and printed side by side.

/// Appends so many samples, in nanoseconds of one operation.
pub type Measure<'a> = Box<dyn FnMut(usize, &mut Vec<f64>) + 'a>;

/// One thing that is measured.
pub struct Row<'a> {
    /// What it is; other rows are compared with it by this name.
    pub name: &'static str,
    /// Samples a round.
    pub each: usize,
    /// The row that this one is compared with, and the largest ratio that is as it should be.
    pub against: Option<(&'static str, f64)>,
    /// The longest median that is as it should be, in nanoseconds.
    pub bound: Option<f64>,
    /// How it is measured.
    pub run: Measure<'a>,
}

/// Runs all rows in turns, so that what the machine does besides, in one second or another, meets all of them.
///
/// Rows without a part of `wanted` in their name are left out, except those that others are compared with.
pub fn run(rows: &mut [Row<'_>], rounds: usize, wanted: &str) -> Vec<Vec<f64>> {
    let is_floor = |name| move |r: &Row<'_>| r.against.is_some_and(|(floor, _)| floor == name);
    let run: Vec<bool> = rows
        .iter()
        .map(|row| row.name.contains(wanted) || rows.iter().any(is_floor(row.name)))
        .collect();
    let mut samples = vec![Vec::new(); rows.len()];
    for _ in 0..rounds {
        for (i, row) in rows.iter_mut().enumerate().filter(|(i, _)| run[*i]) {
            (row.run)(row.each, &mut samples[i]);
        }
    }
    for samples in &mut samples {
        samples.sort_by(f64::total_cmp);
    }
    samples
}

/// Prints a line for each row with samples: median, the range of the middle 80 %, the 99th of 100, the ratio.
pub fn print(rows: &[Row<'_>], samples: &[Vec<f64>]) {
    println!(
        "{:<44} {:>10} {:>10} {:>10} {:>10} {:>7}  {:>8}",
        "", "median", "10 %", "90 %", "99 %", "samples", "a second"
    );
    let median = |name: &str| {
        let i = rows.iter().position(|r| r.name == name)?;
        quantile(&samples[i], 0.5)
    };
    for (row, samples) in rows.iter().zip(samples) {
        let (Some(low), Some(mid), Some(high), Some(tail)) = (
            quantile(samples, 0.1),
            quantile(samples, 0.5),
            quantile(samples, 0.9),
            quantile(samples, 0.99),
        ) else {
            continue;
        };
        println!(
            "{:<44} {:>10} {:>10} {:>10} {:>10} {:>7}  {:>8.0}",
            row.name,
            time(mid),
            time(low),
            time(high),
            time(tail),
            samples.len(),
            1e9 / mid
        );
        if let Some((floor, most)) = row.against
            && let Some(floor_median) = median(floor)
        {
            let ratio = mid / floor_median;
            println!(
                "    {ratio:.2} x {floor} (at most {most}: {})",
                verdict(ratio <= most)
            );
        }
        if let Some(bound) = row.bound {
            println!("    at most {}: {}", time(bound), verdict(mid <= bound));
        }
    }
}

fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "MISSED" }
}

/// Of sorted samples; `None` if there are none.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}

fn time(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}
