//! The tasks: plain functions, which `guest.rs` exports to wasmpool.

#[cfg(target_family = "wasm")]
mod guest;

/// The square of a number.
///
/// # Errors
/// When it does not fit 32 bits.
pub fn square(x: i32) -> Result<i32, String> {
    x.checked_mul(x)
        .ok_or_else(|| format!("the square of {x} does not fit 32 bits"))
}

/// How many words a text has.
pub fn count_words(text: &[u8]) -> u32 {
    let words = text.split(u8::is_ascii_whitespace);
    words.filter(|word| !word.is_empty()).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_fit_or_say_so() {
        assert_eq!(square(-12), Ok(144));
        let error = square(50_000).unwrap_err();
        assert_eq!(error, "the square of 50000 does not fit 32 bits");
    }

    #[test]
    fn words_are_counted() {
        assert_eq!(count_words(b"to be, or\n\tnot  to be"), 6);
        assert_eq!(count_words(b" \n"), 0);
    }
}
