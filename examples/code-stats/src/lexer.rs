//! Cuts Rust source into tokens: enough of the language to tell code from comments and literals, on any bytes at all.

/// What a piece of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Spaces, tabs, line ends, and a byte order mark at the start.
    Space,
    /// `//` to the end of the line, or `/* */` with others nested in it.
    Comment,
    /// An identifier or keyword, also as `r#name`.
    Word,
    /// A number, character, string, or lifetime.
    Literal,
    /// Any other single byte, and a `#!` line at the start.
    Punctuation,
}

/// A piece of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The tokens of a source. Joined, they are the source; none is empty.
pub struct Lexer<'a> {
    source: &'a [u8],
    position: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning of `source`.
    pub fn new(source: &'a [u8]) -> Self {
        Lexer {
            source,
            position: 0,
        }
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The length of the run at the start of `rest` whose bytes all pass.
fn run(rest: &[u8], pass: impl Fn(u8) -> bool) -> usize {
    rest.iter()
        .position(|byte| !pass(*byte))
        .unwrap_or(rest.len())
}

/// The length of a block comment, with those nested in it; all of `rest` if it does not end.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a literal that ends with the quote it begins with, and in which a backslash protects the next byte.
fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == rest[0] => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of a raw string that begins with `#`s or a quote; none if no quote follows.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = run(rest, |byte| byte == b'#');
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let mut at = hashes + 1;
    while let Some(quote) = rest[at..].iter().position(|byte| *byte == b'"') {
        at += quote + 1;
        if rest[at..].len() >= hashes && run(&rest[at..at + hashes], |byte| byte == b'#') == hashes
        {
            return Some(at + hashes);
        }
    }
    Some(rest.len())
}

/// The length of what begins with a single quote: a character, or a lifetime.
fn character_or_lifetime(rest: &[u8]) -> usize {
    // One character, as UTF-8 has it; a byte that begins none stands for itself.
    let character = match rest.get(1) {
        None => return 1,
        Some(b'\\') => return quoted(rest),
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xff) => 4,
        Some(_) => 1,
    };
    if rest.get(1 + character) == Some(&b'\'') {
        return character + 2;
    }
    // A lifetime's name may be raw, as an identifier.
    let raw = match rest {
        [_, b'r', b'#', next, ..] if is_word_start(*next) => b"r#".len(),
        _ => 0,
    };
    1 + raw + run(&rest[1 + raw..], is_word_part)
}

/// The kind and length of what begins with a letter: a word, or a literal with a prefix.
fn word_or_prefixed(rest: &[u8]) -> (Kind, usize) {
    let length = run(rest, is_word_part);
    let (word, after) = rest.split_at(length);
    let literal = match (word, after.first()) {
        (b"b" | b"c", Some(b'"')) | (b"b", Some(b'\'')) => Some(quoted(after)),
        (b"r" | b"br" | b"cr", Some(b'"' | b'#')) => raw_string(after),
        _ => None,
    };
    match (literal, after) {
        (Some(literal), _) => (Kind::Literal, length + literal),
        (None, [b'#', next, ..]) if word == b"r" && is_word_start(*next) => {
            (Kind::Word, length + 1 + run(&after[1..], is_word_part))
        }
        _ => (Kind::Word, length),
    }
}

/// Whether a literal ends with a quote, or with one and the `#`s of a raw string.
fn is_quoted(literal: &[u8]) -> bool {
    let last = literal.iter().rfind(|byte| **byte != b'#');
    literal.len() > 1 && matches!(last, Some(b'"' | b'\''))
}

/// The kind and length of the first token of `rest`, which is not empty.
fn first_token(rest: &[u8]) -> (Kind, usize) {
    match rest {
        [b'/', b'/', ..] => (Kind::Comment, run(rest, |byte| byte != b'\n')),
        [b'/', b'*', ..] => (Kind::Comment, block_comment(rest)),
        [b'"', ..] => (Kind::Literal, quoted(rest)),
        [b'\'', ..] => (Kind::Literal, character_or_lifetime(rest)),
        [byte, ..] if is_space(*byte) => (Kind::Space, run(rest, is_space)),
        [byte, ..] if byte.is_ascii_digit() => (Kind::Literal, run(rest, is_word_part)),
        [byte, ..] if is_word_start(*byte) => word_or_prefixed(rest),
        _ => (Kind::Punctuation, 1),
    }
}

/// As [`first_token`], at the start of a source: a byte order mark and a `#!` line are only there.
fn opening_token(source: &[u8]) -> (Kind, usize) {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if source.starts_with(MARK) {
        return (Kind::Space, MARK.len());
    }
    if let Some(rest) = source.strip_prefix(b"#!")
        && rest.iter().find(|byte| !is_space(**byte)) != Some(&b'[')
    {
        return (Kind::Punctuation, run(source, |byte| byte != b'\n'));
    }
    first_token(source)
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self
            .source
            .get(self.position..)
            .filter(|rest| !rest.is_empty())?;
        let (kind, length) = if self.position == 0 {
            opening_token(rest)
        } else {
            first_token(rest)
        };
        let mut length = length.min(rest.len());
        // A word directly after a closing quote is part of the literal: its suffix.
        if kind == Kind::Literal && is_quoted(&rest[..length]) {
            length += run(&rest[length..], is_word_part);
        }
        let bytes = &rest[..length];
        self.position += bytes.len();
        Some(Token { kind, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the tokens that are not space, written as kind and text.
    #[track_caller]
    fn check(source: &str, expected: &[(Kind, &str)]) {
        let tokens: Vec<_> = Lexer::new(source.as_bytes())
            .filter(|token| token.kind != Kind::Space)
            .map(|token| (token.kind, std::str::from_utf8(token.bytes).unwrap()))
            .collect();
        assert_eq!(tokens, expected);
    }

    use Kind::{Comment, Literal, Punctuation, Word};

    #[test]
    fn comments_nest() {
        check(
            "/* a /* b */ c */ d // e\nf",
            &[
                (Comment, "/* a /* b */ c */"),
                (Word, "d"),
                (Comment, "// e"),
                (Word, "f"),
            ],
        );
        check("/* open", &[(Comment, "/* open")]);
        check("/*/ x */", &[(Comment, "/*/ x */")]);
    }

    #[test]
    fn strings_hide_what_is_in_them() {
        check(
            r#""a \" // b" c"#,
            &[(Literal, r#""a \" // b""#), (Word, "c")],
        );
        check(
            r##"r#"a " // b"# c"##,
            &[(Literal, r##"r#"a " // b"#"##), (Word, "c")],
        );
        check(r#"br"\" c"#, &[(Literal, r#"br"\""#), (Word, "c")]);
        check(
            r#"b"x" c"y" rb"#,
            &[(Literal, r#"b"x""#), (Literal, r#"c"y""#), (Word, "rb")],
        );
        check("r\"open", &[(Literal, "r\"open")]);
        check("\"open\\", &[(Literal, "\"open\\")]);
    }

    #[test]
    fn a_word_after_a_closing_quote_is_a_suffix() {
        check(
            r##""a"b1 'a'c r#"d"#e "f" g"##,
            &[
                (Literal, r#""a"b1"#),
                (Literal, "'a'c"),
                (Literal, r##"r#"d"#e"##),
                (Literal, r#""f""#),
                (Word, "g"),
            ],
        );
    }

    #[test]
    fn characters_are_no_lifetimes() {
        check(
            "'a' 'a 'static '\\'' '\"' b'\\'' 'é' '",
            &[
                (Literal, "'a'"),
                (Literal, "'a"),
                (Literal, "'static"),
                (Literal, "'\\''"),
                (Literal, "'\"'"),
                (Literal, "b'\\''"),
                (Literal, "'é'"),
                (Literal, "'"),
            ],
        );
        check("'\\u{1F600}' x", &[(Literal, "'\\u{1F600}'"), (Word, "x")]);
        check(
            "&'a str",
            &[(Punctuation, "&"), (Literal, "'a"), (Word, "str")],
        );
    }

    #[test]
    fn words_and_numbers() {
        check(
            "r#fn größe _x1 0xFFu8 1.5",
            &[
                (Word, "r#fn"),
                (Word, "größe"),
                (Word, "_x1"),
                (Literal, "0xFFu8"),
                (Literal, "1"),
                (Punctuation, "."),
                (Literal, "5"),
            ],
        );
    }

    #[test]
    fn beginnings() {
        check(
            "\u{feff}#!/bin/x \"\nfn",
            &[
                (Punctuation, "#"),
                (Punctuation, "!"),
                (Punctuation, "/"),
                (Word, "bin"),
                (Punctuation, "/"),
                (Word, "x"),
                (Literal, "\"\nfn"),
            ],
        );
        check(
            "#!/bin/x \"\nfn",
            &[(Punctuation, "#!/bin/x \""), (Word, "fn")],
        );
        check(
            "#![a]",
            &[
                (Punctuation, "#"),
                (Punctuation, "!"),
                (Punctuation, "["),
                (Word, "a"),
                (Punctuation, "]"),
            ],
        );
    }

    #[test]
    fn any_bytes_are_tokens_that_join_to_the_source() {
        // A small generator, so that the same bytes are tried each time; quotes and slashes come often.
        let mut state = 0x9e37_79b9_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        for _ in 0..2000 {
            let length = next() % 40;
            let alphabet = b"'\"\\/*#rbc!\n {}a9\xff\xc3\xe2\xf0";
            let source: Vec<u8> = (0..length)
                .map(|_| alphabet[next() as usize % alphabet.len()])
                .collect();
            let joined: Vec<u8> = Lexer::new(&source)
                .flat_map(|token| token.bytes.to_vec())
                .collect();
            assert_eq!(joined, source);
        }
    }
}
