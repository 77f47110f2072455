//! `wasmpool profile`: items are run as in a map, nobody reads their results, and what is printed is where their time went.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::args::{InspectFormat, MapArgs, ProfileArgs};
use super::exit::Problem;
use super::plan::Plan;
use super::{flame, map, print};
use crate::pool::Profile;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If the work could not be done at all, or what came of it cannot be written. That items failed is no error: what they
/// did until then is in the profile.
pub fn run(args: ProfileArgs) -> Result<u8, Problem> {
    let plan = Plan::new(MapArgs::from(args.job))?;
    let target = plan.target.clone();
    let (code, profile) = map::profiled(plan, args.frequency)?;
    if let Some(path) = &args.flame_graph {
        let module = target.module.file_name().unwrap_or_default();
        let mut title = module.to_string_lossy().into_owned();
        if let Some(function) = &target.function {
            title.push_str(&format!(":{function}"));
        }
        write(path, &flame::render(&title, &profile))?;
    }
    if let Some(path) = &args.folded {
        write(path, &profile.folded())?;
    }
    print(&match args.format {
        InspectFormat::Text => text(&profile, args.top).into_bytes(),
        InspectFormat::Json => format!("{}\n", value(&profile)).into_bytes(),
    })?;
    Ok(code)
}

fn write(path: &Path, content: &str) -> Result<(), Problem> {
    fs::write(path, content)
        .map_err(|e| Problem::machine(format!("cannot write {}", path.display()), e))
}

fn text(profile: &Profile, top: usize) -> String {
    let samples = profile.samples();
    let mut out = format!("{samples} samples, {} a second\n", profile.frequency());
    if samples == 0 {
        out.push_str("the items took no time that a sample fell into\n");
        return out;
    }
    let percent = |part: u64| format!("{:.1} %", 100.0 * part as f64 / samples as f64);
    let _ = writeln!(out, "{:>8} {:>8}  function", "own", "total");
    let functions = profile.functions();
    for function in functions.iter().take(top) {
        let (own, total) = (percent(function.own), percent(function.total));
        let _ = writeln!(out, "{own:>8} {total:>8}  {}", function.name);
    }
    if functions.len() > top {
        let _ = writeln!(out, "and {} more", functions.len() - top);
    }
    if profile.other() > 0 {
        let _ = writeln!(
            out,
            "{:>8} in stacks that there was no room for",
            percent(profile.other())
        );
    }
    out
}

fn value(profile: &Profile) -> serde_json::Value {
    let functions: Vec<_> = profile
        .functions()
        .iter()
        .map(|f| json!({"name": f.name, "own": f.own, "total": f.total}))
        .collect();
    let stacks: Vec<_> = profile
        .stacks()
        .iter()
        .map(|s| json!({"frames": s.frames, "samples": s.samples}))
        .collect();
    json!({
        "frequency": profile.frequency(),
        "samples": profile.samples(),
        "other": profile.other(),
        "functions": functions,
        "stacks": stacks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_functions_come_first_with_their_shares() {
        let profile = Profile::of(100, &[("main\nhot", 3), ("main", 1)]);
        let wanted = "4 samples, 100 a second\n     own    total  function\n  75.0 %   75.0 %  hot\n  \
                      25.0 %  100.0 %  main\n";
        assert_eq!(text(&profile, 20), wanted);
        let one = text(&profile, 1);
        assert!(one.ends_with("hot\nand 1 more\n"), "{one}");
        let none = text(&Profile::default(), 20);
        assert!(none.starts_with("0 samples"), "{none}");
    }

    #[test]
    fn all_of_it_is_in_the_json() {
        let profile = Profile::of(100, &[("main\nhot", 3)]);
        let wanted = json!({
            "frequency": 100, "samples": 3, "other": 0,
            "functions": [
                {"name": "hot", "own": 3, "total": 3},
                {"name": "main", "own": 0, "total": 3},
            ],
            "stacks": [{"frames": ["main", "hot"], "samples": 3}],
        });
        assert_eq!(value(&profile), wanted);
    }
}
