//! SHA-256 of files, with a library from crates.io.

use sha2::{Digest, Sha256};

/// The SHA-256 of the bytes, in hexadecimal as `sha256sum` prints it.
pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

wasmpool_guest::tasks! {
    /// The SHA-256 of the item's bytes, in hexadecimal.
    sha256,
}

#[cfg(test)]
mod tests {
    use super::sha256;

    /// The test vectors of FIPS 180-2.
    #[test]
    fn published_vectors() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(sha256(bytes), expected);
        check(
            b"",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        );
        check(
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        );
        check(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        );
        check(
            &[b'a'; 1_000_000],
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
        );
    }
}
