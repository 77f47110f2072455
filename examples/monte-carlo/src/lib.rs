//! Monte Carlo estimates. An item names the seed of its random numbers, so that items are independent of each other and
//! every run gives the same digits.

use std::f64::consts::TAU;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How many points an item of [`pi`] draws.
pub const POINTS: u32 = 1_000_000;

/// Estimates pi from random points in a square: the part of them that lies within the inscribed circle is pi / 4.
///
/// The standard deviation of an estimate is 4 · √(pi/4 · (1 - pi/4) / [`POINTS`]), which is 0.0016.
pub fn pi(seed: u64) -> f64 {
    let mut random = Random::new(seed);
    let inside = (0..POINTS)
        .filter(|_| {
            let (x, y) = (random.uniform(), random.uniform());
            x * x + y * y < 1.0
        })
        .count();
    4.0 * inside as f64 / f64::from(POINTS)
}

/// A European call option in the model of Black and Scholes, and how to simulate it. What is not given is that of the
/// example in Hull's "Options, Futures, and Other Derivatives", whose price is 4.76.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallOption {
    /// Chooses the random numbers.
    pub seed: u64,
    /// How many prices at expiry are drawn, at least 2.
    #[serde(default = "million")]
    pub paths: u32,
    /// The price of the stock today.
    #[serde(default = "hull::spot")]
    pub spot: f64,
    /// The price at which it may be bought at expiry.
    #[serde(default = "hull::strike")]
    pub strike: f64,
    /// Riskless interest a year, continuously compounded: 0.1 is 10 %.
    #[serde(default = "hull::rate")]
    pub rate: f64,
    /// Standard deviation of the stock's return a year.
    #[serde(default = "hull::volatility")]
    pub volatility: f64,
    /// Years to expiry.
    #[serde(default = "hull::years")]
    pub years: f64,
}

fn million() -> u32 {
    1_000_000
}

mod hull {
    pub fn spot() -> f64 {
        42.0
    }
    pub fn strike() -> f64 {
        40.0
    }
    pub fn rate() -> f64 {
        0.1
    }
    pub fn volatility() -> f64 {
        0.2
    }
    pub fn years() -> f64 {
        0.5
    }
}

/// An estimate from random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// What is estimated.
    pub value: f64,
    /// The standard deviation of `value`, as estimated from the same numbers.
    pub standard_error: f64,
}

/// The price of an option: what it pays at expiry, on average over random prices of the stock, discounted to today.
///
/// # Errors
/// If the option's numbers make no sense, or are too large to compute with.
pub fn call_option(option: CallOption) -> Result<Estimate, String> {
    if option.paths < 2 {
        return Err(format!("{} paths give no estimate", option.paths));
    }
    for (name, value) in [
        ("spot", option.spot),
        ("strike", option.strike),
        ("volatility", option.volatility),
        ("years", option.years),
    ] {
        if !(value > 0.0 && value.is_finite()) {
            return Err(format!("`{name}` is {value}, and should be above 0"));
        }
    }
    let mut random = Random::new(option.seed);
    let spread = option.volatility * option.years.sqrt();
    let drift = (option.rate - option.volatility * option.volatility / 2.0) * option.years;
    let discount = libm::exp(-option.rate * option.years);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..option.paths {
        let price = option.spot * libm::exp(drift + spread * random.normal());
        let pays = discount * (price - option.strike).max(0.0);
        sum += pays;
        squares += pays * pays;
    }
    let paths = f64::from(option.paths);
    let value = sum / paths;
    // Rounding can make a variance of nothing negative.
    let variance = ((squares - sum * value) / (paths - 1.0)).max(0.0);
    let standard_error = (variance / paths).sqrt();
    if !(value.is_finite() && standard_error.is_finite()) {
        return Err("the prices of this option do not fit a floating-point number".into());
    }
    Ok(Estimate {
        value,
        standard_error,
    })
}

/// Random numbers in the distributions that are needed here.
struct Random(Xoshiro256PlusPlus);

impl Random {
    fn new(seed: u64) -> Self {
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// At least 0 and below 1, with 53 random bits.
    fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of mean 0 and standard deviation 1, by the method of Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(TAU * self.uniform())
    }
}

wasmpool_guest::tasks! {
    /// An estimate of pi from a million random points. The item is a seed.
    pi,
    /// The price of a European call option: {"seed"}, and optionally "paths", "spot", "strike", "rate", "volatility" and
    /// "years". The result is {"value", "standard_error"}.
    call_option,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(seed: u64, paths: u32) -> CallOption {
        wasmpool_guest::serde_json::from_str(&format!("{{\"seed\":{seed},\"paths\":{paths}}}"))
            .unwrap()
    }

    /// The formula of Black and Scholes.
    fn closed_form(option: &CallOption) -> f64 {
        let normal = |x: f64| libm::erfc(-x / 2_f64.sqrt()) / 2.0;
        let spread = option.volatility * option.years.sqrt();
        let d1 = (libm::log(option.spot / option.strike)
            + (option.rate + option.volatility * option.volatility / 2.0) * option.years)
            / spread;
        let discount = libm::exp(-option.rate * option.years);
        option.spot * normal(d1) - option.strike * discount * normal(d1 - spread)
    }

    #[test]
    fn the_closed_form_is_that_of_the_book() {
        assert!((closed_form(&option(0, 2)) - 4.76).abs() < 0.005);
    }

    #[test]
    fn estimates_are_as_far_off_as_they_say() {
        let far = CallOption {
            strike: 60.0,
            years: 2.0,
            volatility: 0.4,
            ..option(7, 200_000)
        };
        for option in [option(1, 200_000), option(2, 200_000), far] {
            let exact = closed_form(&option);
            let estimate = call_option(option).unwrap();
            let off = (estimate.value - exact).abs() / estimate.standard_error;
            assert!(off < 4.0, "{estimate:?}, not {exact}");
            assert!(estimate.standard_error < 0.1, "{estimate:?}");
        }
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut random = Random::new(3);
        let numbers: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = |power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / 100_000.0;
        // Five standard deviations of each: √(1, 2, 15, 96 / 100,000).
        for (power, moment, bound) in [
            (1, 0.0, 0.016),
            (2, 1.0, 0.023),
            (3, 0.0, 0.062),
            (4, 3.0, 0.155),
        ] {
            assert!(
                (mean(power) - moment).abs() < bound,
                "moment {power}: {}",
                mean(power)
            );
        }
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        assert!(call_option(option(0, 1)).is_err());
        assert!(
            call_option(CallOption {
                years: f64::NAN,
                ..option(0, 2)
            })
            .is_err()
        );
        assert!(
            call_option(CallOption {
                rate: f64::NEG_INFINITY,
                ..option(0, 2)
            })
            .is_err()
        );
    }
}
