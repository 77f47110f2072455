//! Password hashes, against the reference implementation and the RFC.

use serde_json::{Value, json};

use crate::{input, lines, map, map_with, read, run_with};

fn claims() -> Vec<Value> {
    let text = String::from_utf8(read(input("password-hashes", "claims.jsonl")));
    let text = text.expect("a text");
    let parse = |line| serde_json::from_str(line).expect("a JSON object");
    text.lines().map(parse).collect()
}

/// As the reference implementation made them, but for the last, which is of another password.
pub fn hashes() {
    let passwords = input("password-hashes", "passwords.jsonl");
    let hashes = map("password-hashes", "hash", &["--input", &passwords]).json();
    let claims = claims();
    assert_eq!(hashes.len(), claims.len());
    let last = claims.len() - 1;
    for (at, (hash, claim)) in hashes.iter().zip(&claims).enumerate() {
        assert_eq!(*hash == claim["hash"], at != last, "{claim}: {hash}");
    }
}

pub fn checks() {
    let file = input("password-hashes", "claims.jsonl");
    let verdicts = map("password-hashes", "verify", &["--input", &file]).json();
    let mut expected = vec![json!(true); claims().len()];
    expected[claims().len() - 1] = json!(false);
    assert_eq!(verdicts, expected);

    // One that wants a GiB, and one that is none, cost the others nothing.
    let mut claims = claims();
    claims[2]["hash"] = json!("$argon2id$v=19$m=1048576,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0");
    claims[5]["hash"] = json!("none");
    let options = [
        "--output",
        "records",
        "--on-error",
        "continue",
        "--input",
        "-",
    ];
    let records = run_with("password-hashes", "verify", &options, lines(claims)).exits(1);
    for (at, record) in records.json().iter().enumerate() {
        match at {
            2 => assert_eq!(record["error"]["kind"], "memory", "{record}"),
            5 => assert_eq!(record["error"]["kind"], "failed", "{record}"),
            at => assert_eq!(record["ok"], expected[at], "{record}"),
        }
    }
}

/// Section 5 of RFC 9106, within the sandbox.
pub fn vectors() {
    let item = |variant| {
        json!({
            "variant": variant, "password": vec![1; 32], "salt": vec![2; 16], "secret": vec![3; 8], "data": vec![4; 12],
            "memory_kib": 32, "passes": 3, "lanes": 4, "length": 32,
        })
    };
    let items = ["argon2d", "argon2i", "argon2id"].map(item);
    let keys = map_with("password-hashes", "derive", &["--input", "-"], lines(items));
    let expected = [
        "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb",
        "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
    ];
    assert_eq!(keys.json(), expected);
}
