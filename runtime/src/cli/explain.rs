//! `wasmpool explain`: prints the catalogue of errors, or an entry of it.

use std::fmt::Write;

use serde_json::{Value, json};

use super::args::ExplainArgs;
use super::exit::{Problem, exit};
use super::{nearest, print};
use crate::catalogue::Code;
use crate::text::printable;

/// Runs the command, and returns the exit code.
///
/// # Errors
/// If no error has this code.
pub fn run(args: &ExplainArgs) -> Result<u8, Problem> {
    let Some(wanted) = &args.code else {
        let text = match args.json {
            true => {
                let all: Vec<_> = Code::ALL.iter().map(|code| entry(*code)).collect();
                format!("{}\n", Value::from(all))
            }
            false => list(),
        };
        return print(text.as_bytes());
    };
    // As it stands in a message, too.
    let bare = wanted.strip_prefix("error[").unwrap_or(wanted);
    let bare = bare.strip_suffix(']').unwrap_or(bare);
    let code = bare.parse().map_err(|_| unknown(bare))?;
    let text = match args.json {
        true => format!("{}\n", entry(code)),
        false => text(code),
    };
    print(text.as_bytes())
}

fn unknown(wanted: &str) -> Problem {
    let message = format!("no error has the code `{}`", printable(wanted, 200));
    let problem = Problem::text(Code::CodeUnknown, message);
    let names = Code::ALL.iter().map(|code| code.name());
    match nearest::question(wanted, names) {
        Some(question) => problem.hint(question),
        None => problem.hint("`wasmpool explain` lists all of them"),
    }
}

fn text(code: Code) -> String {
    format!(
        "{code}: {}\nwhy: {}\nwhat to do: {}\nexit code: {}\n",
        code.what(),
        code.why(),
        code.fix(),
        exit(code)
    )
}

fn list() -> String {
    let names = Code::ALL.iter().map(|code| code.name().len());
    let width = names.max().unwrap_or(0);
    let mut out = String::new();
    for code in Code::ALL {
        let _ = writeln!(out, "{:width$}  {}", code.name(), code.what());
    }
    out
}

/// The whole catalogue as Markdown, for the book.
#[cfg(test)]
pub(super) fn reference() -> String {
    let mut out = String::new();
    for code in Code::ALL {
        let _ = writeln!(
            out,
            "### `{code}`\n\n{} Exit code {}.\n\n- Why: {}\n- What to do: {}\n",
            code.what(),
            exit(*code),
            code.why(),
            code.fix()
        );
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn entry(code: Code) -> Value {
    json!({
        "code": code.name(),
        "what": code.what(),
        "why": code.why(),
        "fix": code.fix(),
        "exit": exit(code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_names_the_nearest() {
        let advice = |code| unknown(code).advice().map(str::to_owned);
        assert_eq!(
            advice("timeoot").as_deref(),
            Some("did you mean `timeout`?")
        );
        assert!(advice("x").is_some_and(|hint| hint.contains("wasmpool explain")));
    }

    #[test]
    fn text_and_json_tell_the_same() {
        let (text, entry) = (text(Code::Trap), entry(Code::Trap));
        for key in ["code", "what", "why", "fix"] {
            let value = entry[key].as_str().unwrap();
            assert!(text.contains(value), "{key}: {text}");
        }
        assert!(text.ends_with("exit code: 1\n") && entry["exit"] == 1);
        assert_eq!(list().lines().count(), Code::ALL.len());
    }
}
