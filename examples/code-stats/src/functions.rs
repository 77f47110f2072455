//! Finds functions and where they end, from tokens alone.

use crate::lexer::{Kind, Token};

/// Where the search stands in a function.
#[derive(Clone, Copy)]
enum Stage {
    /// After `fn` and the name, before the body.
    Signature {
        /// Parentheses and brackets that are open.
        open: usize,
    },
    /// In the body.
    Body {
        /// Braces that were open before it.
        braces: usize,
    },
}

struct Function {
    first_line: u64,
    stage: Stage,
}

/// Fed with the tokens that are neither space nor comment, in order.
#[derive(Default)]
pub struct Functions {
    /// How many functions with a body have ended.
    pub count: u64,
    /// The lines of the longest of them.
    pub longest: u64,
    open: Vec<Function>,
    braces: usize,
    /// The line of a `fn` directly before this token.
    after_fn: Option<u64>,
    after_less: bool,
}

impl Functions {
    /// Takes a token that begins on the given line.
    pub fn token(&mut self, token: Token<'_>, line: u64) {
        let first_line = self.after_fn.take();
        let after_less = std::mem::take(&mut self.after_less);
        match (token.kind, token.bytes) {
            (Kind::Word, b"fn") => self.after_fn = Some(line),
            (Kind::Word, _) => {
                if let Some(first_line) = first_line {
                    self.open.push(Function {
                        first_line,
                        stage: Stage::Signature { open: 0 },
                    });
                }
            }
            (Kind::Punctuation, [byte]) => self.punctuation(*byte, after_less, line),
            _ => {}
        }
    }

    fn punctuation(&mut self, byte: u8, after_less: bool, line: u64) {
        match byte {
            b'<' => self.after_less = true,
            b'{' => {
                if let Some(Function {
                    stage: stage @ Stage::Signature { open: 0 },
                    ..
                }) = self.open.last_mut()
                    && !after_less
                {
                    *stage = Stage::Body {
                        braces: self.braces,
                    };
                }
                self.braces += 1;
            }
            b'}' => {
                self.braces = self.braces.saturating_sub(1);
                // A function whose signature never came to a body ends with what surrounds it.
                while let Some(function) = self.open.last() {
                    match function.stage {
                        Stage::Body { braces } if braces == self.braces => {
                            self.count += 1;
                            self.longest = self.longest.max(line - function.first_line + 1);
                            self.open.pop();
                            break;
                        }
                        Stage::Body { braces } if braces < self.braces => break,
                        Stage::Signature { .. } if !self.surrounding_ends() => break,
                        _ => drop(self.open.pop()),
                    }
                }
            }
            b';' => {
                if let Some(Function {
                    stage: Stage::Signature { open: 0 },
                    ..
                }) = self.open.last()
                {
                    self.open.pop();
                }
            }
            b'(' | b'[' => {
                if let Some(Function {
                    stage: Stage::Signature { open },
                    ..
                }) = self.open.last_mut()
                {
                    *open += 1;
                }
            }
            b')' | b']' => {
                if let Some(Function {
                    stage: Stage::Signature { open },
                    ..
                }) = self.open.last_mut()
                {
                    *open = open.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    /// Whether the braces that are open now are those of a body around the innermost function, at its end.
    fn surrounding_ends(&self) -> bool {
        self.open
            .iter()
            .rev()
            .skip(1)
            .any(|outer| match outer.stage {
                Stage::Body { braces } => braces == self.braces,
                Stage::Signature { .. } => false,
            })
    }
}
