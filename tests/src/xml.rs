//! Pictures as the program writes them: XML without a declaration, comments or namespaces.

/// Checks that a document is XML: each element is closed in its turn, and nothing stands in text or in a tag that must be
/// escaped there.
#[track_caller]
pub fn well_formed(document: &str) {
    let mut open = Vec::new();
    let mut rest = document;
    while let Some((text, markup)) = rest.split_once('<') {
        check_text(text);
        // Only a style sheet has selectors.
        assert!(
            !text.contains('>') || open.last() == Some(&"style"),
            "{text}"
        );
        assert!(!open.is_empty() || text.trim().is_empty(), "{text}");
        let (tag, behind) = markup.split_once('>').expect("a tag that ends");
        assert!(!tag.contains('<'), "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => {
                let name = tag.split([' ', '/', '\n']).next().expect("a name");
                assert!(name.chars().all(|c| c.is_ascii_alphabetic()), "{tag}");
                // Names and values in turn.
                assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
                check_text(tag);
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
        }
        rest = behind;
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
}

#[track_caller]
fn check_text(text: &str) {
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
    for (at, _) in text.match_indices('&') {
        let entity = text[at + 1..].split(';').next().unwrap_or_default();
        let known = ["amp", "lt", "gt", "quot", "#39", "#10", "#9"];
        assert!(known.contains(&entity), "{text}");
    }
}
