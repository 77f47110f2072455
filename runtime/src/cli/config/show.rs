//! `wasmpool config`: what is in force for `wasmpool map`, and where each value comes from.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use serde_json::json;

use super::Config;
use super::settings::{SETTINGS, Setting};
use crate::cli::args::{Cli, ConfigCommandArgs};
use crate::cli::misuse::Refused;
use crate::cli::print;

/// A setting, what it is set to, and where.
struct Row {
    key: String,
    value: String,
    source: &'static str,
    /// The variable, or the file and line.
    place: Option<String>,
}

/// Runs the command, and returns the exit code. `config` is the file that counts, if one does.
///
/// # Errors
/// If a variable has a value that its option does not take.
pub fn run(args: &ConfigCommandArgs, config: Option<&Config>) -> Result<u8, Refused> {
    let command = match config {
        Some(config) => config.apply(Cli::command()),
        None => Cli::command(),
    };
    let matches = command.try_get_matches_from(["wasmpool", "map", "-"])?;
    let rows: Vec<_> = match matches.subcommand() {
        Some((_, map)) => SETTINGS.iter().map(|s| row(s, map, config)).collect(),
        None => Vec::new(),
    };
    let file = config.map(|config| config.path.display().to_string());
    let text = match args.json {
        true => format!("{}\n", json(&rows, file.as_deref())),
        false => text(&rows, file.as_deref()),
    };
    Ok(print(text.as_bytes())?)
}

/// All settings as Markdown, for the book.
#[cfg(test)]
pub(in crate::cli) fn reference() -> String {
    let mut out = String::from("| key | option | environment | default |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let variable = setting.variable().map(|name| format!("`{name}`"));
        let _ = writeln!(
            out,
            "| `{}` | `--{}` | {} | {} |",
            setting.key(),
            setting.name,
            variable.as_deref().unwrap_or(""),
            setting.default
        );
    }
    out
}

fn row(setting: &Setting, map: &ArgMatches, config: Option<&Config>) -> Row {
    let id = setting.id();
    let values = map.get_raw(&id).map(|values| {
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        values.join(", ")
    });
    let of_file = config.and_then(|config| Some((&config.path, config.values.get(&id)?)));
    let (value, source, place) = match (map.value_source(&id), of_file) {
        (Some(ValueSource::EnvVariable), _) => (values, "environment", setting.variable()),
        (_, Some((path, value))) if !value.texts.is_empty() => {
            let place = format!("{}:{}", path.display(), value.line);
            (values, "file", Some(place))
        }
        _ => (None, "default", None),
    };
    Row {
        key: setting.key(),
        value: value.unwrap_or_else(|| setting.default.to_owned()),
        source,
        place,
    }
}

fn text(rows: &[Row], file: Option<&str>) -> String {
    let width = |of: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| of(row).chars().count());
        widths.filter(|width| *width < 40).max().unwrap_or(0)
    };
    let (keys, values) = (width(|row| &row.key), width(|row| &row.value));
    let mut out = String::new();
    let _ = writeln!(out, "file: {}", file.unwrap_or("none"));
    for row in rows {
        let place = row.place.as_deref().unwrap_or(row.source);
        let (key, value) = (&row.key, &row.value);
        let _ = writeln!(out, "{key:keys$}  {value:values$}  {place}");
    }
    out
}

fn json(rows: &[Row], file: Option<&str>) -> serde_json::Value {
    let each = |row: &Row| json!({"key": row.key, "value": row.value, "source": row.source, "place": row.place});
    json!({"file": file, "settings": rows.iter().map(each).collect::<Vec<_>>()})
}
