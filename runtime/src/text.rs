//! Text from guests, made fit for people. Pure functions.

/// Cuts a text to at most `max` bytes, at a character's border, and marks the cut.
pub fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let mut end = max.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

/// A guest's text without what could deceive a terminal or a reader: control characters other than newline and tab, and
/// the characters that change the direction of text, are written as escapes. At most `max` bytes of it are used.
pub fn printable(text: &str, max: usize) -> String {
    let mut cut_text = text.to_owned();
    cut(&mut cut_text, max);
    if !cut_text.chars().any(deceives) {
        return cut_text;
    }
    cut_text
        .chars()
        .fold(String::with_capacity(cut_text.len() + 16), |mut out, c| {
            match deceives(c) {
                true => out.extend(c.escape_unicode()),
                false => out.push(c),
            }
            out
        })
}

fn deceives(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(
            printable("a\x1b[31mb\u{202e}\r\n\tc", 100),
            "a\\u{1b}[31mb\\u{202e}\\u{d}\n\tc"
        );
        assert_eq!(printable("plain é", 100), "plain é");
        assert_eq!(printable("ééé", 5), "é…");
    }
}
