//! Counts the words of a text.

use std::collections::BTreeMap;

/// How often each word occurs, by word in lower case. A word is a run of letters, digits and apostrophes, as Unicode
/// knows letters and digits, that has at least one letter or digit.
pub fn word_count(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
        let word = word.trim_matches(['\'', '’']);
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    counts
}

wasmpool_guest::tasks! {
    /// Counts the words of a text: an object with a number for each word.
    word_count,
}

#[cfg(test)]
mod tests {
    use super::word_count;

    fn check(text: &str, expected: &[(&str, u64)]) {
        let counts = word_count(text);
        let counts: Vec<(&str, u64)> = counts
            .iter()
            .map(|(word, count)| (word.as_str(), *count))
            .collect();
        assert_eq!(counts, expected);
    }

    #[test]
    fn words_are_counted_without_case_and_punctuation() {
        check("The sea, the SEA!", &[("sea", 2), ("the", 2)]);
        check(
            "Don't 'quote' me -- 42 times",
            &[
                ("42", 1),
                ("don't", 1),
                ("me", 1),
                ("quote", 1),
                ("times", 1),
            ],
        );
        check("Straße straße ÉTÉ", &[("straße", 2), ("été", 1)]);
        check(" ' -- ' ", &[]);
        check("", &[]);
    }
}
