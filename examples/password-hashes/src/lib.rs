//! Password hashes with Argon2, the password hashing function of RFC 9106.

use argon2::{Config, Variant};
use serde::Deserialize;
use wasmpool_guest::Bytes;

/// A password to be hashed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The password.
    pub password: String,
    /// What makes equal passwords differ in their hashes: random, at least 8 bytes.
    pub salt: String,
}

/// The hash of a password, as a text that names its parameters and its salt. The parameters are those that OWASP
/// recommends: Argon2id, 19 MiB of memory, two passes, one lane.
///
/// # Errors
/// If the salt is too short.
pub fn hash(entry: Entry) -> Result<String, argon2::Error> {
    argon2::hash_encoded(
        entry.password.as_bytes(),
        entry.salt.as_bytes(),
        &Config::owasp2(),
    )
}

/// A password, and a hash that may be its.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The password.
    pub password: String,
    /// A hash as [`hash`] makes it, with any parameters.
    pub hash: String,
}

/// Whether the hash is that of the password. How much memory that takes is written in the hash: what is more than the
/// pool allows fails the item.
///
/// # Errors
/// If the hash is none.
pub fn verify(claim: Claim) -> Result<bool, argon2::Error> {
    argon2::verify_encoded(&claim.hash, claim.password.as_bytes())
}

/// Everything that Argon2 can be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivation {
    /// `argon2d`, `argon2i` or `argon2id`.
    pub variant: String,
    /// The password.
    pub password: Bytes,
    /// The salt, at least 8 bytes.
    pub salt: Bytes,
    /// A secret key.
    #[serde(default)]
    pub secret: Bytes,
    /// Associated data.
    #[serde(default)]
    pub data: Bytes,
    /// Memory to use, in KiB: at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, which the memory is divided into.
    pub lanes: u32,
    /// Bytes of key to derive.
    pub length: u32,
}

/// A key derived from a password, in hexadecimal.
///
/// # Errors
/// If a parameter is out of its range.
pub fn derive(derivation: Derivation) -> Result<String, argon2::Error> {
    let config = Config {
        variant: Variant::from_str(&derivation.variant)?,
        secret: &derivation.secret,
        ad: &derivation.data,
        mem_cost: derivation.memory_kib,
        time_cost: derivation.passes,
        lanes: derivation.lanes,
        hash_length: derivation.length,
        ..Config::default()
    };
    let key = argon2::hash_raw(&derivation.password, &derivation.salt, &config)?;
    Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
}

wasmpool_guest::tasks! {
    /// The hash of a password: {"password", "salt"}. The result names its parameters and can be given to `verify`.
    hash,
    /// Whether a hash is that of a password: {"password", "hash"}.
    verify,
    /// A key in hexadecimal, with any parameters: {"variant", "password", "salt", "memory_kib", "passes", "lanes",
    /// "length"}, and optionally "secret" and "data".
    derive,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5 of RFC 9106.
    #[test]
    fn vectors_of_the_rfc() {
        let check = |variant: &str, expected: &str| {
            let derivation = Derivation {
                variant: variant.into(),
                password: Bytes(vec![1; 32]),
                salt: Bytes(vec![2; 16]),
                secret: Bytes(vec![3; 8]),
                data: Bytes(vec![4; 12]),
                memory_kib: 32,
                passes: 3,
                lanes: 4,
                length: 32,
            };
            assert_eq!(derive(derivation).unwrap(), expected, "{variant}");
        };
        check(
            "argon2d",
            "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb",
        );
        check(
            "argon2i",
            "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
        );
        check(
            "argon2id",
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
        );
    }

    #[test]
    fn a_hash_is_that_of_its_password_only() {
        let (password, salt) = ("correct horse".to_owned(), "battery staple".to_owned());
        let hash = hash(Entry { password, salt }).unwrap();
        let verify = |password: &str| {
            verify(Claim {
                password: password.into(),
                hash: hash.clone(),
            })
        };
        assert_eq!(verify("correct horse"), Ok(true));
        assert_eq!(verify("correct horses"), Ok(false));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let entry = |salt: &str| Entry {
            password: "p".into(),
            salt: salt.into(),
        };
        assert!(hash(entry("short")).is_err());
        let claim = |hash: &str| Claim {
            password: "p".into(),
            hash: hash.into(),
        };
        assert!(verify(claim("$argon2id$v=19$m=8,t=1,p=1$")).is_err());
        assert!(verify(claim("")).is_err());
    }
}
