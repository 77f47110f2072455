//! What a project may be called: its name is also that of a Cargo or npm package.

/// Characters of a name, at most.
const LENGTH: usize = 64;

/// What Rust takes for something else than a crate's name.
const TAKEN: [&str; 56] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// # Errors
/// With the reason, if a project cannot be called this.
pub fn check(name: &str) -> Result<(), &'static str> {
    let is_part = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_part) {
        Err(
            "a name begins with a lower-case letter, and has only such letters, digits, `-` and `_`",
        )
    } else if name.len() > LENGTH {
        Err("a name has at most 64 characters")
    } else if TAKEN.contains(&name.replace('-', "_").as_str()) {
        Err("this word means something else in Rust")
    } else {
        Ok(())
    }
}

/// A name that will do, as like this one as can be.
pub fn suggestion(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        name.insert_str(0, "my-");
    }
    name.truncate(LENGTH - "-tasks".len());
    if name.len() < "my-x".len() || check(&name).is_err() {
        name = format!("{}-tasks", name.trim_end_matches('-'));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_packages_are_taken() {
        for name in ["greet", "word-count", "a", "p2_x", &"x".repeat(64)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "",
            "Greet",
            "2d",
            "-a",
            "a b",
            "a/b",
            "été",
            "a.b",
            "fn",
            "test",
            "proc-macro",
            &long,
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_suggested_will_do() {
        for (name, expected) in [
            ("My Tasks", "my-tasks"),
            ("2d", "my-2d"),
            ("été", "t-tasks"),
            ("fn", "fn-tasks"),
            ("proc-macro", "proc-macro-tasks"),
            ("", "my-tasks"),
            ("..", "my-tasks"),
            ("Word_Count!", "word_count"),
            ("-x-", "x-tasks"),
        ] {
            assert_eq!(suggestion(name), expected, "{name}");
        }
        for name in [
            &"x".repeat(200),
            &"é".repeat(200),
            &"a-".repeat(90),
            "\u{212a}",
            "_",
        ] {
            assert_eq!(check(&suggestion(name)), Ok(()), "{name}");
        }
    }
}
