//! Reads the text on images of pages: straight lines of one font size, in dark letters that do not touch. An item is a
//! page.

mod glyphs;
mod page;
mod specimens;

use crate::glyphs::{Glyph, Line, Piece};
use crate::page::Page;
use crate::specimens::Specimen;

/// The gap that is a space between words, as a part of the height of a small letter. In both fonts of the specimens the
/// gap between letters is at most half of this, and that between words half as much again.
const SPACE: f32 = 0.45;

/// What is this unlike any letter may be several that touch.
const UNLIKE: f32 = 0.04;
/// How much more like letters its parts must be.
const CLEARLY: f32 = 0.6;

/// The text on a page, given as a PNG file: each line with a line feed behind it.
///
/// # Errors
/// If it is no PNG file, or shows no text.
pub fn read(png: &[u8]) -> Result<String, String> {
    let page = Page::decode(png)?;
    let specimens = specimens::specimens().as_ref()?;
    let mut text = String::new();
    for line in glyphs::lines(&page)? {
        let mut letters = Vec::new();
        for piece in &line.pieces {
            let reader = Reader {
                page: &page,
                line: &line,
                specimens,
            };
            reader.read(piece, &mut letters);
        }
        let mut end: Option<f32> = None;
        for (letter, glyph) in letters {
            if end.is_some_and(|end| glyph.left - end > SPACE) {
                text.push(' ');
            }
            text.push(letter);
            end = Some(glyph.right);
        }
        text.push('\n');
    }
    Ok(in_context(&text))
}

/// What is needed to read a letter.
struct Reader<'a> {
    page: &'a Page,
    line: &'a Line,
    specimens: &'a [Specimen],
}

impl Reader<'_> {
    /// Reads a piece as one letter or, if its parts look more like letters than it does, as several.
    fn read(&self, piece: &Piece, letters: &mut Vec<(char, Glyph)>) {
        let glyph = self.line.glyph(self.page, piece);
        let (letter, unlike) = self.nearest(piece);
        if unlike > UNLIKE && self.line.may_be_letters(piece) {
            let worse = |parts: &[Piece; 2]| {
                let [left, right] = [0, 1].map(|part| self.nearest(&parts[part]));
                // Points, commas and the like do not touch letters.
                match left.0.is_alphanumeric() && right.0.is_alphanumeric() {
                    true => left.1.max(right.1),
                    false => f32::INFINITY,
                }
            };
            let cuts = piece.cuts(self.page).map(|parts| (worse(&parts), parts));
            let best = cuts.min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((worse, parts)) = best
                && worse < CLEARLY * unlike
            {
                return parts.iter().for_each(|part| self.read(part, letters));
            }
        }
        letters.push((letter, glyph));
    }

    fn nearest(&self, piece: &Piece) -> (char, f32) {
        specimens::nearest(self.specimens, &self.line.glyph(self.page, piece))
    }
}

/// Decides what only the neighbours tell. A stroke behind a small letter or before a vowel is an l, and one that stands
/// alone an I; two short strokes are a quotation mark, of which there is no specimen, since its parts lie beside each
/// other.
fn in_context(text: &str) -> String {
    let mut decided = String::new();
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let after = letters.peek().copied().unwrap_or(' ');
        before = match letter {
            'I' if before.is_lowercase() || "aeiou".contains(after) => 'l',
            'l' if before.is_whitespace() && after.is_whitespace() => 'I',
            letter => letter,
        };
        decided.push(before);
    }
    decided.replace("''", "\"")
}

wasmpool_guest::tasks! {
    /// The text on a page. The item is a PNG file.
    read,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_page_is_read_without_error() {
        let page = read(include_bytes!("../input/page-1.png")).unwrap();
        assert_eq!(page, include_str!("../input/page-1.txt"));
    }

    #[test]
    fn specimens_read_themselves() {
        let specimens = specimens::specimens().as_ref().unwrap();
        assert!(specimens.len() > 500, "{}", specimens.len());
        for (letter, glyph) in specimens {
            assert_eq!(specimens::nearest(specimens, glyph), (*letter, 0.0));
        }
    }

    #[test]
    fn neighbours_decide() {
        let check = |read: &str, meant: &str| assert_eq!(in_context(read), meant);
        check(
            "l aII, AIice Iet It, 'aIl' ''l''",
            "I all, Alice let It, 'all' \"l\"",
        );
        check("", "");
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        assert!(read(b"").is_err());
        assert!(read(b"text").is_err());
        let page = include_bytes!("../input/page-1.png");
        assert!(read(&page[..page.len() / 2]).is_err());
    }
}
