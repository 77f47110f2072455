//! A report of the benchmark as a picture: bars of all times on one logarithmic scale, each with the range of its middle
//! 80 %, and curves over the number of workers.
//!
//! Written by hand, without a script or a font of its own. Colours are those of the reader's scheme, light or dark.

use std::fmt::Write;

use super::report::{Line, Report, Unit, time};
use crate::text::markup;

const WIDTH: f64 = 860.0;
/// Where the bars begin, and how long the longest can be.
const LEFT: f64 = 150.0;
const SPAN: f64 = 600.0;
const ROW: f64 = 20.0;
/// The plot of curves.
const CURVES: f64 = 260.0;

const STYLE: &str = "
  svg { background: #ffffff; font: 12px system-ui, sans-serif; }
  text { fill: #1c1c1e; } .dim { fill: #6b6b70; }
  .grid { stroke: #d8d8dc; } .floor { fill: #9a9aa2; } .ours { fill: #2f6fd0; } .range { stroke: #1c1c1e; }
  .a { stroke: #2f6fd0; fill: none; stroke-width: 2; } .b { stroke: #c2571a; fill: none; stroke-width: 2; }
  .at { fill: #2f6fd0; } .bt { fill: #c2571a; }
  @media (prefers-color-scheme: dark) {
    svg { background: #1c1c1e; } text { fill: #ececf0; } .dim { fill: #a0a0a8; }
    .grid { stroke: #3a3a40; } .floor { fill: #74747c; } .ours { fill: #6ea3f5; } .range { stroke: #ececf0; }
    .a { stroke: #6ea3f5; } .b { stroke: #f0935a; } .at { fill: #6ea3f5; } .bt { fill: #f0935a; }
  }
";

/// The picture, a whole document.
///
/// ```
/// use wasmpool::bench::{Machine, Report, report::SCHEMA};
///
/// let report = Report { schema: SCHEMA, machine: Machine::here(), rows: Vec::new() };
/// assert!(wasmpool::bench::svg::render(&report).starts_with("<svg"));
/// ```
pub fn render(report: &Report) -> String {
    let bars: Vec<&Line> = report
        .rows
        .iter()
        .filter(|line| line.unit == Unit::Nanoseconds && number(&line.id).is_none())
        .filter(|line| line.median.is_some_and(|median| median > 0.0))
        .collect();
    let curves = [
        ("open-", "a", "opening, to the first result"),
        ("item-", "b", "an item of a map"),
    ]
    .map(|(prefix, class, name)| (class, name, points(report, prefix)));
    let has_curves = curves.iter().any(|(_, _, points)| points.len() > 1);
    let bars_end = 60.0 + ROW * (bars.len() + 1) as f64;
    let height = bars_end + if has_curves { CURVES + 90.0 } else { 20.0 };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>wasmpool bench</title>\n<style>{STYLE}</style>\n"
    );
    text(
        &mut out,
        20.0,
        22.0,
        "",
        "wasmpool bench: medians, and the middle 80 %",
    );
    text(&mut out, 20.0, 40.0, "dim", &report.machine.in_words());
    draw_bars(&mut out, &bars, bars_end);
    if has_curves {
        draw_curves(&mut out, &curves, bars_end + 40.0);
    }
    out.push_str("</svg>\n");
    out
}

/// The number of workers that a row of a curve has in its name.
fn number(id: &str) -> Option<f64> {
    let (kind, n) = id.rsplit_once('-')?;
    matches!(kind, "open" | "item" | "host")
        .then(|| n.parse().ok())
        .flatten()
}

fn points(report: &Report, prefix: &str) -> Vec<(f64, f64)> {
    let lines = report
        .rows
        .iter()
        .filter(|line| line.id.starts_with(prefix));
    lines
        .filter_map(|line| Some((number(&line.id)?, line.median.filter(|m| *m > 0.0)?)))
        .collect()
}

/// A logarithmic scale from one power of ten to another.
struct Scale {
    from: i32,
    to: i32,
}

impl Scale {
    /// That has room for all of these, which are above 0.
    fn of(numbers: impl Iterator<Item = f64>) -> Scale {
        let powers = numbers.map(f64::log10);
        let (low, high) = powers.fold((f64::MAX, f64::MIN), |(low, high), power| {
            (low.min(power), high.max(power))
        });
        // None at all: as good as any.
        if low > high {
            return Scale { from: 0, to: 1 };
        }
        let from = low.floor() as i32;
        Scale {
            from,
            to: (high.ceil() as i32).max(from + 1),
        }
    }

    /// From 0 to 1.
    fn place(&self, number: f64) -> f64 {
        let part = (number.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        part.clamp(0.0, 1.0)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.from..=self.to).map(|power| 10_f64.powi(power))
    }
}

fn draw_bars(out: &mut String, bars: &[&Line], bottom: f64) {
    let ends = bars
        .iter()
        .flat_map(|line| [line.p10, line.median, line.p90]);
    let scale = Scale::of(ends.flatten().filter(|number| *number > 0.0));
    let x = |number: f64| LEFT + SPAN * scale.place(number.max(f64::MIN_POSITIVE));
    for power in scale.powers() {
        line(out, "grid", (x(power), 52.0), (x(power), bottom - ROW));
        label(out, x(power), bottom - ROW + 14.0, "middle", &time(power));
    }
    for (at, bar) in bars.iter().enumerate() {
        let top = 54.0 + ROW * at as f64;
        let (Some(low), Some(median), Some(high)) = (bar.p10, bar.median, bar.p90) else {
            continue;
        };
        let class = if bar.id.starts_with("floor-") {
            "floor"
        } else {
            "ours"
        };
        label(out, LEFT - 6.0, top + 13.0, "end", &bar.id);
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>",
            top + 3.0,
            x(median) - LEFT,
            ROW - 6.0,
            markup(&bar.what)
        );
        let middle = top + ROW / 2.0;
        line(out, "range", (x(low), middle), (x(high), middle));
        text(
            out,
            x(high).max(x(median)) + 6.0,
            top + 13.0,
            "dim",
            &time(median),
        );
    }
}

type Curve = (&'static str, &'static str, Vec<(f64, f64)>);

fn draw_curves(out: &mut String, curves: &[Curve; 2], top: f64) {
    let all = || curves.iter().flat_map(|(_, _, points)| points);
    let scale = Scale::of(all().map(|(_, y)| *y));
    let most = all().fold(2.0, |most, (x, _)| x.max(most));
    let x = |n: f64| LEFT + SPAN * n.log2() / most.log2();
    let y = |number: f64| top + 20.0 + CURVES * (1.0 - scale.place(number));
    text(out, 20.0, top, "", "by the number of workers");
    for power in scale.powers() {
        line(out, "grid", (LEFT, y(power)), (LEFT + SPAN, y(power)));
        label(out, LEFT - 6.0, y(power) + 4.0, "end", &time(power));
    }
    for (class, name, points) in curves {
        let path: Vec<String> = points
            .iter()
            .map(|(n, number)| format!("{:.1},{:.1}", x(*n), y(*number)))
            .collect();
        let _ = writeln!(
            out,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            path.join(" ")
        );
        for (n, number) in points {
            let _ = writeln!(
                out,
                "<circle class=\"{class}t\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{n} workers: {}</title></circle>",
                x(*n),
                y(*number),
                time(*number)
            );
        }
        if let Some((n, number)) = points.last() {
            let place = (x(*n), y(*number) - 8.0);
            let _ = writeln!(
                out,
                "<text class=\"{class}t\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                place.0,
                place.1,
                markup(name)
            );
        }
    }
    let longest = curves.iter().max_by_key(|(_, _, points)| points.len());
    for (n, _) in longest.into_iter().flat_map(|(_, _, points)| points) {
        label(out, x(*n), top + CURVES + 38.0, "middle", &n.to_string());
    }
}

fn line(out: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = markup(words);
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}

fn label(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = markup(words);
    let _ = writeln!(
        out,
        "<text class=\"dim\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::mixed;
    use super::*;

    #[test]
    fn bars_and_curves_have_what_was_measured() {
        let picture = render(&mixed());
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert_eq!(picture.matches("<rect ").count(), 2);
        assert_eq!(picture.matches("<circle ").count(), 3);
        assert!(picture.contains("A &lt;fast&gt; one"));
        assert!(picture.contains("prefers-color-scheme: dark"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn nothing_measured_is_a_picture_too() {
        let mut report = mixed();
        report.rows.clear();
        let picture = render(&report);
        assert!(!picture.contains("<rect ") && !picture.contains("NaN"));
        // A negative overshoot has no place on the scale.
        report.rows = vec![super::super::report::tests::line(
            "overshoot",
            "faults",
            &[-5.0],
        )];
        assert!(!render(&report).contains("<rect "));
    }

    #[test]
    fn a_scale_holds_its_ends() {
        let scale = Scale::of([2_000.0, 5e6].into_iter());
        assert_eq!((scale.from, scale.to), (3, 7));
        assert_eq!(scale.place(1e3), 0.0);
        assert_eq!(scale.place(1e7), 1.0);
        let one = Scale::of([100.0].into_iter());
        assert_eq!((one.from, one.to), (2, 3));
    }
}
