//! Squares numbers: the smallest task.

/// The square of `x`, or an error if 64 bits do not hold it.
pub fn square(x: i64) -> Result<i64, String> {
    x.checked_mul(x)
        .ok_or_else(|| format!("the square of {x} does not fit 64 bits"))
}

wasmpool_guest::tasks! {
    /// Squares a number.
    square,
}

#[cfg(test)]
mod tests {
    use super::square;

    #[test]
    fn squares() {
        assert_eq!(square(-12), Ok(144));
        assert_eq!(square(3_037_000_499), Ok(9_223_372_030_926_249_001));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(square(3_037_000_500).is_err());
    }
}
