//! What can be set in the file and in the environment: data alone.

/// One setting: an option of `map`, by its name.
#[derive(Debug)]
pub struct Setting {
    /// The table of the file that it stands in; none of its own if this is empty.
    pub table: &'static str,
    /// The key in it, which is the option's long name.
    pub name: &'static str,
    /// What holds where it is not set, for people.
    pub default: &'static str,
}

const fn setting(table: &'static str, name: &'static str, default: &'static str) -> Setting {
    Setting {
        table,
        name,
        default,
    }
}

/// The table of what guests are granted, which is not in the environment.
pub const GRANTS: &str = "grants";

/// All of them, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting("", "workers", "the processors that may be used"),
    setting(
        "",
        "isolation",
        "shared; with --deterministic or --cache-results: instance",
    ),
    setting("", "chunk-size", "auto"),
    setting("", "retries", "1"),
    setting("", "max-items-per-worker", "no limit"),
    setting("", "on-error", "stop"),
    setting("", "strict", "false"),
    setting("", "no-cache", "false"),
    setting("", "progress", "auto"),
    setting("limits", "timeout", "30s; of `run`: no limit"),
    setting("limits", "memory", "256MiB"),
    setting("limits", "result-bytes", "64MiB"),
    setting("limits", "log-bytes", "64KiB"),
    setting("limits", "compile-timeout", "60s"),
    setting("limits", "compile-memory", "2GiB"),
    setting(GRANTS, "dir", "none"),
    setting(GRANTS, "env", "none"),
];

impl Setting {
    /// Its full name in the file, such as `limits.timeout`.
    pub fn key(&self) -> String {
        match self.table {
            "" => self.name.to_owned(),
            table => format!("{table}.{}", self.name),
        }
    }

    /// What clap calls the option.
    pub fn id(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The environment variable, if there is one.
    pub fn variable(&self) -> Option<String> {
        let name = || format!("WASMPOOL_{}", self.id().to_ascii_uppercase());
        (self.table != GRANTS).then(name)
    }
}

/// The setting of this name in this table.
pub fn find(table: &str, name: &str) -> Option<&'static Setting> {
    SETTINGS
        .iter()
        .find(|setting| setting.table == table && setting.name == name)
}

/// The names in a table, and the tables if it is the file itself.
pub fn names(table: &str) -> Vec<&'static str> {
    let own = SETTINGS.iter().filter(|setting| setting.table == table);
    let mut names: Vec<_> = own.map(|setting| setting.name).collect();
    if table.is_empty() {
        names.extend(SETTINGS.iter().map(|setting| setting.table));
        names.retain(|name| !name.is_empty());
        names.dedup();
    }
    names
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    /// The table here and the options there say the same: what has a variable, and what is the default.
    #[test]
    fn each_setting_is_an_option() {
        let command = Cli::command();
        let map = command.find_subcommand("map").unwrap();
        for setting in SETTINGS {
            let id = setting.id();
            let arg = map.get_arguments().find(|arg| arg.get_id() == id.as_str());
            let arg = arg.unwrap_or_else(|| panic!("{id} is no option"));
            assert_eq!(arg.get_long(), Some(setting.name));
            let variable = arg.get_env().map(|name| name.to_str().unwrap().to_owned());
            assert_eq!(variable, setting.variable(), "{id}");
            let help = arg.get_help().unwrap().to_string();
            let told = help.split_once("[default: ").map(|(_, after)| after);
            let told = match (told, arg.get_default_values()) {
                (Some(told), _) => told.trim_end_matches(']').to_owned(),
                (None, [value]) => value.to_str().unwrap().to_owned(),
                (None, _) => continue,
            };
            assert!(setting.default.starts_with(&told), "{id}: {told}");
        }
        assert!(names("").contains(&"limits") && names("limits").contains(&"memory"));
    }
}
