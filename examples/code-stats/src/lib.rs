//! Counts lines, identifiers and functions of Rust source files. The README defines each number.

mod functions;
mod lexer;

use functions::Functions;
use lexer::{Kind, Lexer};
use serde::Serialize;

/// The numbers of one source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Length of the file.
    pub bytes: u64,
    /// Lines; a last one without a line end counts.
    pub lines: u64,
    /// Lines that are empty or white space.
    pub blank: u64,
    /// Lines that hold nothing but comments and white space, and some of a comment.
    pub comment: u64,
    /// All other lines.
    pub code: u64,
    /// Identifiers, each time that they occur; keywords are none.
    pub identifiers: u64,
    /// Functions with a body.
    pub functions: u64,
    /// Lines of the longest of them, from its `fn` to its closing brace; 0 without functions.
    pub longest_function: u64,
}

/// The strict and reserved keywords of the 2024 edition, and `_`, sorted.
const KEYWORDS: [&[u8]; 53] = [
    b"Self",
    b"_",
    b"abstract",
    b"as",
    b"async",
    b"await",
    b"become",
    b"box",
    b"break",
    b"const",
    b"continue",
    b"crate",
    b"do",
    b"dyn",
    b"else",
    b"enum",
    b"extern",
    b"false",
    b"final",
    b"fn",
    b"for",
    b"gen",
    b"if",
    b"impl",
    b"in",
    b"let",
    b"loop",
    b"macro",
    b"match",
    b"mod",
    b"move",
    b"mut",
    b"override",
    b"priv",
    b"pub",
    b"ref",
    b"return",
    b"self",
    b"static",
    b"struct",
    b"super",
    b"trait",
    b"true",
    b"try",
    b"type",
    b"typeof",
    b"unsafe",
    b"unsized",
    b"use",
    b"virtual",
    b"where",
    b"while",
    b"yield",
];

/// What was seen on the current line.
#[derive(Default)]
struct Line {
    any_byte: bool,
    comment: bool,
    code: bool,
}

impl Stats {
    fn end_line(&mut self, line: &mut Line) {
        let Line { comment, code, .. } = std::mem::take(line);
        self.lines += 1;
        match (code, comment) {
            (true, _) => self.code += 1,
            (false, true) => self.comment += 1,
            (false, false) => self.blank += 1,
        }
    }
}

/// Counts one source file. Takes any bytes; those that are not ASCII count as letters.
pub fn code_stats(source: &[u8]) -> Stats {
    let mut stats = Stats {
        bytes: source.len() as u64,
        ..Stats::default()
    };
    let mut functions = Functions::default();
    let mut line = Line::default();
    for token in Lexer::new(source) {
        if token.kind == Kind::Word && KEYWORDS.binary_search(&token.bytes).is_err() {
            stats.identifiers += 1;
        }
        if !matches!(token.kind, Kind::Space | Kind::Comment) {
            functions.token(token, stats.lines + 1);
        }
        for byte in token.bytes {
            if *byte == b'\n' {
                stats.end_line(&mut line);
                continue;
            }
            line.any_byte = true;
            let space = token.kind == Kind::Space || byte.is_ascii_whitespace() || *byte == 0x0b;
            line.comment |= !space && token.kind == Kind::Comment;
            line.code |= !space && token.kind != Kind::Comment;
        }
    }
    if line.any_byte {
        stats.end_line(&mut line);
    }
    stats.functions = functions.count;
    stats.longest_function = functions.longest;
    stats
}

wasmpool_guest::tasks! {
    /// Counts lines, identifiers and functions of a Rust source file.
    code_stats,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    /// Checks lines, blank, comment, code.
    #[track_caller]
    fn check_lines(source: &str, expected: [u64; 4]) {
        let stats = code_stats(source.as_bytes());
        assert_eq!(
            [stats.lines, stats.blank, stats.comment, stats.code],
            expected
        );
        assert_eq!(stats.bytes, source.len() as u64);
    }

    #[test]
    fn every_line_is_of_one_kind() {
        check_lines("", [0, 0, 0, 0]);
        check_lines("\n", [1, 1, 0, 0]);
        check_lines("x", [1, 0, 0, 1]);
        check_lines("x\n \t\r\n// y", [3, 1, 1, 1]);
        check_lines("/* a\n\n b */ x // c\n", [3, 1, 1, 1]);
        check_lines("let s = \"a\n\n// no comment\n\";\n", [4, 1, 0, 3]);
        check_lines("\u{feff}\n// x\n", [2, 1, 1, 0]);
    }

    #[test]
    fn identifiers_are_no_keywords_and_no_literals() {
        let count = |source: &str| code_stats(source.as_bytes()).identifiers;
        assert_eq!(count("fn main() { let r#type = 'a'; }"), 2);
        assert_eq!(count("impl<'a> Foo<'a> for Bar { type X = u8; }"), 4);
        assert_eq!(count("// no\n\"no\" 1u8 b'n' _ union"), 1);
        assert_eq!(count("größe"), 1);
    }

    #[track_caller]
    fn check_functions(source: &str, expected: (u64, u64)) {
        let stats = code_stats(source.as_bytes());
        assert_eq!(
            (stats.functions, stats.longest_function),
            expected,
            "{source}"
        );
    }

    #[test]
    fn functions_and_the_longest() {
        check_functions("fn a() {}", (1, 1));
        check_functions("fn a() {\n}\nfn b()\n{\n { }\n}\n", (2, 4));
        check_functions("trait T { fn a(&self);\n fn b(&self) {\n } }", (1, 2));
        check_functions("type F = fn(u8) -> u8;", (0, 0));
        check_functions(
            "fn a(f: fn() -> [u8; 3]) -> [u8; 2]\nwhere\n    T: U,\n{\n}",
            (1, 5),
        );
        check_functions("fn outer() {\n fn inner() {\n }\n if x { }\n}", (2, 5));
        check_functions("fn a() -> Foo<{ 1 }> {\n\n}", (1, 3));
        check_functions("fn a() { \"}\" // }\n}", (1, 2));
        check_functions("fn unfinished() {\n", (0, 0));
        check_functions("macro_rules! m { () => { fn x } }\nfn a() {\n}", (1, 2));
        check_functions("} } fn a() {\n}", (1, 2));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_counted() {
        let stats = code_stats(b"fn \xff() {\n \xfe\n}\n");
        assert_eq!(
            (
                stats.lines,
                stats.functions,
                stats.longest_function,
                stats.identifiers
            ),
            (3, 1, 3, 2)
        );
    }
}
