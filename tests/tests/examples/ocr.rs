//! Pages of text, against what was printed on them.

use crate::{input, map, read};

/// How many characters of each page may be wrong: what the README says.
const MOST: [usize; 6] = [0, 6, 11, 43, 9, 46];

/// How many characters must be added, removed or replaced to make one text of another (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

pub fn pages() {
    assert_eq!(
        (edits("kitten", "sitting"), edits("", "ab"), edits("ab", "")),
        (3, 2, 2)
    );

    let files = input("ocr", "page-*.png");
    let texts = map("ocr", "read", &["--files", &files]).json();
    assert_eq!(texts.len(), MOST.len());
    for (at, (text, most)) in texts.iter().zip(MOST).enumerate() {
        let text = text.as_str().expect("a text");
        let printed = read(input("ocr", &format!("page-{}.txt", at + 1)));
        let printed = String::from_utf8(printed).expect("a text");
        let edits = edits(text, &printed);
        assert!(edits <= most, "page {}: {edits} errors:\n{text}", at + 1);
        let page = read(input("ocr", &format!("page-{}.png", at + 1)));
        assert_eq!(
            ::ocr::read(&page).as_deref(),
            Ok(text),
            "native code reads otherwise"
        );
    }
}
