//! Text from guests and users, made fit for people and for documents; what a misspelt name was meant to be. Pure functions.

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

/// A text as it may stand in XML and HTML, between tags and within quotes. What could deceive a reader, and what XML cannot
/// hold, is written as escapes.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text, text.len()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A reader of an attribute would make spaces of them.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Which of the names is spelled most like `wanted`, if one is near: a letter, and one more for every four. Of two that
/// are as near, the first.
pub fn nearest(wanted: &str, names: impl IntoIterator<Item = impl AsRef<str>>) -> Option<usize> {
    let most = 1 + wanted.chars().count() / 4;
    names
        .into_iter()
        .enumerate()
        .map(|(place, name)| (strsim::damerau_levenshtein(name.as_ref(), wanted), place))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        for (given, expected) in [
            ("a b", "a b"),
            ("<b>&amp;\"'", "&lt;b&gt;&amp;amp;&quot;&#39;"),
            ("a\n\tb", "a&#10;&#9;b"),
            ("\0\x1b[1m\u{9b}\r", "\\u{0}\\u{1b}[1m\\u{9b}\\u{d}"),
            ("\u{202e}é\u{2066}", "\\u{202e}é\\u{2066}"),
            ("]]>\u{fffe}\u{ffff}", "]]&gt;\\u{fffe}\\u{ffff}"),
            ("", ""),
        ] {
            assert_eq!(markup(given), expected);
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["square", "cube", "squares"];
        for (wanted, expected) in [
            ("sqare", Some(0)),
            ("sqaure", Some(0)),
            ("cub", Some(1)),
            ("squaress", Some(2)),
            ("nothing", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names), expected, "{wanted}");
        }
    }

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
