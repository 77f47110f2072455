//! `wasmpool bench`: runs the benchmark, writes its report, and says by its exit code whether all of it was right.

use std::fs;

use super::args::{BenchArgs, BenchFormat};
use super::console::Console;
use super::exit::{self, Problem};
use super::line::{self, Line};
use super::{nearest, print};
use crate::bench::{Bench, ROWS, Report, Step, find, json, svg, text};
use crate::catalogue::Code;

/// Runs it.
///
/// # Errors
/// If there is no such row, or the report cannot be written.
pub fn run(args: BenchArgs) -> Result<u8, Problem> {
    let format = match args.json {
        true => BenchFormat::Json,
        false => args.format,
    };
    if args.list {
        return match format {
            BenchFormat::Json => print(format!("{}\n", json::list()).as_bytes()),
            BenchFormat::Text | BenchFormat::Svg => print(text::list().as_bytes()),
        };
    }
    let mut bench = Bench::new()
        .quick(args.quick)
        .host_program("/proc/self/exe");
    if let Some(rounds) = args.rounds {
        bench = bench.rounds(rounds);
    }
    for id in &args.rows {
        bench = bench.row(find(id).ok_or_else(|| unknown(id))?);
    }
    let (line, shown) = (Line::default(), line::can_be_drawn());
    let report = bench.run(&mut |Step { id, done, all }| {
        if shown {
            line.draw(|width| {
                format!("{done} of {all}  {id}")
                    .chars()
                    .take(width)
                    .collect()
            });
        }
    });
    if shown {
        line.aside(true, || {});
    }
    if let Some(path) = &args.plot {
        let doing = || format!("cannot write {}", path.display());
        fs::write(path, svg::render(&report))
            .map_err(|e| Problem::doing(Code::OutputFailed, doing(), e))?;
    }
    let written = match format {
        BenchFormat::Text => text::render(&report),
        BenchFormat::Json => json::render(&report)
            .map_err(|e| Problem::doing(Code::OutputFailed, "the report cannot be written", e))?,
        BenchFormat::Svg => svg::render(&report),
    };
    print(written.as_bytes())?;
    Ok(code(&report))
}

fn unknown(id: &str) -> Problem {
    let shown = crate::text::printable(id, 200);
    let problem = Problem::text(Code::RowUnknown, format!("there is no row `{shown}`"));
    match nearest::question(id, ROWS.iter().map(|row| row.id)) {
        Some(question) => problem.hint(question),
        None => problem.hint("`wasmpool bench --list` shows all of them"),
    }
}

fn code(report: &Report) -> u8 {
    let failed: Vec<&str> = report.failed().map(|line| line.id.as_str()).collect();
    if failed.is_empty() {
        return exit::DONE;
    }
    let message = format!(
        "something is wrong with what these measure: {}",
        failed.join(", ")
    );
    Console::plain().error(Code::BenchWrong, &message);
    exit::POOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_row_is_named() {
        let advice = |id| unknown(id).advice().map(str::to_owned);
        assert_eq!(
            advice("aply-shared").as_deref(),
            Some("did you mean `apply-shared`?")
        );
        assert!(advice("x").is_some_and(|hint| hint.contains("--list")));
    }
}
