//! The report of a job as one page: a template, its figures in plain HTML, and the data for its script.
//!
//! Owns what is escaped. Names, messages and backtraces come from guests and files, so nothing of the data gets into the
//! page but by [`text`] or [`embedded`], and the script writes text only ever as text. The page's policy forbids it to
//! load anything, and to run any script but its own. Knows nothing of pools: the data is JSON.

use serde_json::Value;

use super::parts;
use crate::text::markup;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 6] = [
    include_str!("data.js"),
    include_str!("time.js"),
    include_str!("curves.js"),
    include_str!("input.js"),
    include_str!("latency.js"),
    include_str!("lists.js"),
];

/// The page, a whole document. What the data lacks is left out of it.
pub fn page(data: &Value) -> String {
    let json = embedded(data);
    // Whoever could guess it would have to know the data, which is what they would write it into.
    let nonce = blake3::hash(json.as_bytes()).to_hex();
    let script = SCRIPTS.concat();
    let parts = [
        ("nonce", nonce.as_str()),
        ("style", STYLE),
        ("title", &markup(&parts::name(data))),
        ("head", &parts::head(data)),
        ("tiles", &parts::tiles(data)),
        ("quantiles", &parts::quantiles(&data["latency"])),
        ("kinds", &parts::kinds(data)),
        ("ends", &parts::ends(data)),
        ("failures", &parts::failures(data)),
        ("limits", &parts::limits(&data["limits"])),
        ("layers", &parts::layers(&data["layers"])),
        ("run", &parts::run(data)),
        ("data", &json),
        ("script", &script),
    ];
    let mut out = String::with_capacity(TEMPLATE.len() + STYLE.len() + script.len() + json.len());
    let mut rest = TEMPLATE;
    // In one pass, so that nothing that was put in is taken for a place to put something.
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (key, after) = after.split_once("}}").unwrap_or((after, ""));
        let part = parts.iter().find(|(name, _)| *name == key);
        out.push_str(part.map_or("", |(_, part)| part));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Data that a script element can hold: nothing in it ends the element or begins another.
fn embedded(data: &Value) -> String {
    data.to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Ends elements, begins others, and names places of the template.
    const EVIL: &str =
        "</script><script>alert(1)</script><!--<script>\"'&{{data}}\u{2028}\u{202e}\u{1b}[1m";

    fn evil() -> Value {
        json!({
            "program": EVIL, "engine": EVIL, "module": EVIL, "function": EVIL, "command": [EVIL], "exit": EVIL,
            "workers": [{"slot": 0, "generation": 1, "why": EVIL, "detail": EVIL}],
            "failures": [{"index": 0, "name": EVIL, "kind": EVIL, "message": EVIL, "backtrace": [EVIL]}],
            "counts": {"failed": {EVIL: 1}},
            "limits": {EVIL: EVIL},
            "layers": [{"name": EVIL, "state": EVIL}],
            EVIL: EVIL,
        })
    }

    #[test]
    fn embedded_data_says_the_same_and_ends_nothing() {
        let data = evil();
        let json = embedded(&data);
        assert!(
            !json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), data);
    }

    /// The elements of a page are those of its template, whatever the data says.
    #[test]
    fn hostile_data_adds_no_element() {
        let page = page(&evil());
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script").count(), 2);
        assert_eq!(page.matches("<!--").count(), 0);
        assert!(!page.contains("alert(1)</script>"));
        // The script takes them out of the data when it shows it.
        let shown = page.replace(&embedded(&evil()), "");
        assert!(!shown.contains(['\u{202e}', '\u{1b}']));
    }

    #[test]
    fn every_place_of_the_template_is_filled() {
        let whole = page(&json!({"module": "a.wasm", "function": "f"}));
        assert!(whole.contains("<title>a.wasm:f · wasmpool report</title>"));
        let places = |text: &str| -> Vec<String> {
            let parts = text.split("{{").skip(1);
            parts
                .map(|part| part[..part.find("}}").unwrap()].to_owned())
                .collect()
        };
        assert!(places(TEMPLATE).len() > 10);
        // A place that nothing is put into would leave no trace: each is asked for by another name.
        for place in places(TEMPLATE) {
            let known = [
                "nonce",
                "style",
                "title",
                "head",
                "tiles",
                "quantiles",
                "kinds",
                "ends",
            ];
            let more = ["failures", "limits", "layers", "run", "data", "script"];
            assert!(
                known.iter().chain(&more).any(|name| *name == place),
                "{place}"
            );
        }
        assert!(places(&whole).is_empty());
    }

    #[test]
    fn only_the_pages_own_scripts_may_run() {
        let page = page(&json!({}));
        let (_, policy) = page
            .split_once("http-equiv=\"Content-Security-Policy\" content=\"")
            .unwrap();
        let (policy, _) = policy.split_once('"').unwrap();
        let (_, nonce) = page.split_once("<script nonce=\"").unwrap();
        let (nonce, _) = nonce.split_once('"').unwrap();
        assert_eq!(nonce.len(), 64);
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(
            policy.contains(&format!("script-src 'nonce-{nonce}';")),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        // Another page has another one.
        assert!(!super::page(&json!({"a": 1})).contains(nonce));
        // Attributes that hold scripts or styles would not work.
        for name in ["onclick", "onload", "style=\""] {
            assert!(!TEMPLATE.contains(name), "{name}");
        }
    }
}
