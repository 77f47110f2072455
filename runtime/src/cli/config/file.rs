//! The file's text as values of options: each by the parser of its option, and nothing skipped.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::Path;

use clap::Command;
use clap::error::{ContextKind, ContextValue};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{self, GRANTS, Setting};
use crate::catalogue::Code;
use crate::cli::exit::Problem;
use crate::cli::nearest;

/// What a file sets.
pub type Values = BTreeMap<String, Value>;

/// What one setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// As on the command line; a list has several.
    pub texts: Vec<OsString>,
    /// Where it stands, from 1.
    pub line: usize,
}

/// A file that is read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// The command whose options are set.
    command: &'a Command,
}

/// Reads a file's text. Options are those of `command`; what guests are granted starts from the file's own folder.
///
/// # Errors
/// If it is no TOML, or has a key or a value that no option has: with the line.
pub fn read(path: &Path, text: &str, command: &Command) -> Result<Values, Problem> {
    let file = File {
        path,
        text,
        command,
    };
    let table = DeTable::parse(text).map_err(|e| {
        let error = anyhow::Error::msg(e.to_string().trim_end().to_owned());
        let error = error.context(format!("{} is no configuration", path.display()));
        Problem::new(Code::ConfigInvalid, error)
    })?;
    let mut values = Values::new();
    file.table("", table.get_ref(), &mut values)?;
    Ok(values)
}

impl File<'_> {
    fn table(
        &self,
        table: &str,
        content: &DeTable<'_>,
        values: &mut Values,
    ) -> Result<(), Problem> {
        let names = settings::names(table);
        for (key, value) in content {
            let name: &str = key.get_ref();
            match (settings::find(table, name), value.get_ref()) {
                (Some(setting), _) => {
                    let value = self.value(setting, value)?;
                    values.insert(setting.id(), value);
                }
                (None, DeValue::Table(inner)) if names.contains(&name) => {
                    self.table(name, inner, values)?;
                }
                (None, _) if names.contains(&name) => {
                    let what = format!("`{name}` is a table: write [{name}], and its keys below");
                    return Err(self.problem(key.span(), &what));
                }
                (None, _) => {
                    let place = match table {
                        "" => String::new(),
                        table => format!(" in [{table}]"),
                    };
                    let what = format!("there is no key `{name}`{place}");
                    let problem = self.problem(key.span(), &what);
                    return Err(match elsewhere(table, name) {
                        Some(place) => problem.hint(format!("it belongs into {place}")),
                        None => match nearest::question(name, names.iter().copied()) {
                            Some(question) => problem.hint(question),
                            None => problem.hint(format!("there are {}", names.join(", "))),
                        },
                    });
                }
            }
        }
        Ok(())
    }

    fn value(&self, setting: &Setting, value: &Spanned<DeValue<'_>>) -> Result<Value, Problem> {
        let wrong = |what: &str| {
            let what = format!("`{}`: {what}", setting.key());
            self.problem(value.span(), &what)
        };
        let mut texts: Vec<OsString> = Vec::new();
        match (setting.table, setting.name, value.get_ref()) {
            (GRANTS, "dir", DeValue::Array(items)) => {
                for item in items {
                    let text = item.get_ref().as_str();
                    texts.push(text.ok_or_else(|| wrong("write a list of strings"))?.into());
                }
            }
            (GRANTS, "env", DeValue::Table(variables)) => {
                for (name, text) in variables {
                    let text = text.get_ref().as_str();
                    let text = text.ok_or_else(|| wrong("write strings as values"))?;
                    texts.push(format!("{}={text}", name.get_ref()).into());
                }
            }
            (GRANTS, "dir", _) => return Err(wrong("write a list, such as [\"data::/data\"]")),
            (GRANTS, _, _) => return Err(wrong("write a table, such as { LANG = \"C\" }")),
            (_, _, DeValue::String(text)) => texts.push(text.as_ref().into()),
            (_, _, DeValue::Integer(number)) if number.radix() == 10 => {
                texts.push(number.as_str().into());
            }
            (_, _, DeValue::Boolean(flag)) => texts.push(flag.to_string().into()),
            (_, _, other) => {
                let what = format!("it is no {}", other.type_str());
                return Err(wrong(&what));
            }
        }
        for text in &texts {
            self.check(setting, text).map_err(|e| wrong(&e))?;
        }
        if (setting.table, setting.name) == (GRANTS, "dir") {
            texts = texts.iter().map(|text| self.in_its_folder(text)).collect();
        }
        let line = self.line(value.span());
        Ok(Value { texts, line })
    }

    /// Has the option's own parser look at a value.
    fn check(&self, setting: &Setting, text: &OsStr) -> Result<(), String> {
        let id = setting.id();
        let mut args = self.command.get_arguments();
        let Some(arg) = args.find(|arg| arg.get_id() == id.as_str()) else {
            return Err("no option has this name".into());
        };
        let is_flag = !arg.get_action().takes_values();
        if is_flag {
            return match text.to_str() {
                Some("true" | "false") => Ok(()),
                _ => Err("write true or false".into()),
            };
        }
        let mut given = OsString::from(format!("--{}=", setting.name));
        given.push(text);
        // Without its relations to other options, which are not there.
        let alone = clap::Arg::new("alone")
            .long(setting.name)
            .value_parser(arg.get_value_parser().clone())
            .action(arg.get_action().clone());
        let parsed = Command::new("config")
            .arg(alone)
            .try_get_matches_from([OsStr::new("config"), &given]);
        parsed.map(drop).map_err(|e| reason(&e))
    }

    /// A directory to be granted, from the file's own folder on.
    fn in_its_folder(&self, text: &OsStr) -> OsString {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(text).into()
    }

    fn line(&self, span: Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    fn problem(&self, span: Range<usize>, what: &str) -> Problem {
        let place = format!("{}:{}", self.path.display(), self.line(span));
        Problem::text(Code::ConfigInvalid, format!("{place}: {what}"))
    }
}

/// The table that a name is known in, if it is another one.
fn elsewhere(table: &str, name: &str) -> Option<String> {
    let others = settings::SETTINGS.iter();
    let found = others
        .filter(|setting| setting.table != table)
        .find(|setting| setting.name == name)?;
    Some(match found.table {
        "" => "the file's top, above all tables".to_owned(),
        table => format!("[{table}]"),
    })
}

/// Why a parser refuses a value, in its own words.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("write one of {}", values.join(", ")),
        _ => "the option does not take this value".into(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    fn parse(text: &str) -> Result<Values, Problem> {
        let command = Cli::command();
        let map = command.find_subcommand("map").unwrap();
        read(Path::new("/place/wasmpool.toml"), text, map)
    }

    #[test]
    fn values_are_those_of_the_command_line() {
        let text = "workers = 4\nisolation = \"process\"\nstrict = true\n\n[limits]\nmemory = \"64MiB\"\n\
                    [grants]\ndir = [\"data::/data\", \"/abs::/a:rw\"]\nenv = { LANG = \"C\" }\n";
        let values = parse(text).unwrap();
        for (id, texts, line) in [
            ("workers", &["4"][..], 1),
            ("isolation", &["process"], 2),
            ("strict", &["true"], 3),
            ("memory", &["64MiB"], 6),
            ("dir", &["/place/data::/data", "/abs::/a:rw"], 8),
            ("env", &["LANG=C"], 9),
        ] {
            let texts = texts.iter().map(OsString::from).collect();
            assert_eq!(values[id], Value { texts, line }, "{id}");
        }
        assert_eq!(values.len(), 6);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, place, what, hint) in [
            ("\nwokers = 4", "toml:2: ", "no key `wokers`", "`workers`?"),
            (
                "timeout = \"1s\"",
                "toml:1: ",
                "no key `timeout`",
                "[limits]",
            ),
            (
                "[limits]\nworkers = 2",
                "toml:2: ",
                "no key `workers` in [limits]",
                "top",
            ),
            ("[limit]", "toml:1: ", "no key `limit`", "`limits`?"),
            ("limits = 3", "toml:1: ", "is a table", ""),
            ("[limits]\nmemory = \"64M\"", "toml:2: ", "64MiB", ""),
            ("[limits]\ntimeout = 5", "toml:2: ", "30s", ""),
            ("workers = 0", "toml:1: ", "at least 1", ""),
            ("workers = 1.5", "toml:1: ", "float", ""),
            ("workers = 0x10", "toml:1: ", "integer", ""),
            ("isolation = \"none\"", "toml:1: ", "thread", ""),
            ("strict = 1", "toml:1: ", "true or false", ""),
            ("[grants]\ndir = \"a::/b\"", "toml:2: ", "list", ""),
            ("[grants]\ndir = [\"a\"]", "toml:2: ", "HOST::GUEST", ""),
            ("[grants]\nenv = { A = 1 }", "toml:2: ", "strings", ""),
            (
                "[grants]\nenv = { \"\" = \"1\" }",
                "toml:2: ",
                "NAME=VALUE",
                "",
            ),
            ("workers = ", "is no configuration", "line 1", ""),
            ("workers = 1\nworkers = 2", "duplicate key", "line 2", ""),
        ] {
            let problem = parse(text).unwrap_err();
            let message = problem.message();
            assert!(message.contains(place), "{place}: {message}");
            assert!(message.contains(what), "{what}: {message}");
            let advice = problem.advice().unwrap_or("");
            assert!(advice.contains(hint), "{hint}: {advice}");
            assert_eq!(problem.code(), Code::ConfigInvalid);
        }
    }
}
