//! Figures as people read them: three digits and a unit. Pure functions.

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits are enough to compare.
pub fn short(value: f64) -> String {
    match value {
        v if v >= 999.5 => grouped(v.round() as u64),
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

pub fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 0.0 && p < 0.01 => "< 0.01 %".into(),
        p if p < 1.0 && p > 0.0 => format!("{p:.2} %"),
        p => format!("{p:.1} %"),
    }
}

/// Without digits that say nothing.
pub fn whole(value: &str) -> String {
    value.replace(".00 ", " ").replace(".0 ", " ")
}

/// Nanoseconds, in the unit that reads best.
pub fn time(nanos: u64) -> String {
    let seconds = nanos as f64 / 1e9;
    match nanos {
        0 => "0 s".into(),
        1..1_000 => format!("{nanos} ns"),
        1_000..999_500 => format!("{} µs", short(nanos as f64 / 1e3)),
        999_500..999_500_000 => format!("{} ms", short(nanos as f64 / 1e6)),
        _ if seconds < 119.95 => format!("{} s", short(seconds)),
        _ if seconds < 7_199.5 => {
            let seconds = seconds.round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
        _ => {
            let minutes = (seconds / 60.0).round() as u64;
            format!("{} h {} min", grouped(minutes / 60), minutes % 60)
        }
    }
}

/// Bytes, in the unit that reads best.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1023.5 && unit < 6 {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!(
            "{} {}iB",
            short(value),
            ["", "K", "M", "G", "T", "P", "E"][unit]
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_three_digits() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), expected);
        }
        for (value, expected) in [
            (0.0, "0.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.96, "100"),
            (1234.5, "1,235"),
        ] {
            assert_eq!(short(value), expected);
        }
        for (share, expected) in [
            (0.0, "0.0 %"),
            (0.000_01, "< 0.01 %"),
            (0.005, "0.50 %"),
            (0.5, "50.0 %"),
        ] {
            assert_eq!(percent(share), expected);
        }
    }

    #[test]
    fn times_and_sizes_have_the_unit_that_reads_best() {
        for (nanos, expected) in [
            (0, "0 s"),
            (999, "999 ns"),
            (1_500, "1.50 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (999_499_999, "999 ms"),
            (1_000_000_000, "1.00 s"),
            (119_900_000_000, "120 s"),
            (125_000_000_000, "2 min 5 s"),
            (7_199_600_000_000, "2 h 0 min"),
            (u64::MAX, "5,124,095 h 35 min"),
        ] {
            assert_eq!(time(nanos), expected, "{nanos}");
        }
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1_048_500, "1.00 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
        assert_eq!(whole("2.00 s"), "2 s");
        assert_eq!(whole("16.0 MiB"), "16 MiB");
        assert_eq!(whole("2.50 s"), "2.50 s");
    }
}
