//! What a digit's image is likely to be.

use serde::{Deserialize, Serialize};

use crate::table::{Image, PIXELS};

/// How many digits there are.
pub const DIGITS: usize = 10;

/// A linear score for each digit; its exponential is in proportion to the digit's probability.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Model {
    /// How much each pixel speaks for each digit.
    pub weights: Vec<Vec<f64>>,
    /// What speaks for each digit whatever the pixels are.
    pub biases: [f64; DIGITS],
}

impl Model {
    /// All digits alike.
    pub(crate) fn new() -> Self {
        Model {
            weights: vec![vec![0.0; PIXELS]; DIGITS],
            biases: [0.0; DIGITS],
        }
    }

    /// The most likely digit.
    pub fn digit(&self, image: &Image) -> u8 {
        let scores = self.scores(image);
        let best = |best: u8, digit: u8| match scores[digit as usize] > scores[best as usize] {
            true => digit,
            false => best,
        };
        (0..DIGITS as u8).fold(0, best)
    }

    /// The probability of each digit, and the logarithm of the sum that the scores were divided by.
    pub fn probabilities(&self, image: &Image) -> ([f64; DIGITS], f64) {
        let scores = self.scores(image);
        let highest = scores.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let powers = scores.map(|score| libm::exp(score - highest));
        let sum: f64 = powers.iter().sum();
        (powers.map(|power| power / sum), highest + libm::log(sum))
    }

    /// The score of each digit.
    pub fn scores(&self, image: &Image) -> [f64; DIGITS] {
        let mut scores = self.biases;
        for (score, weights) in scores.iter_mut().zip(&self.weights) {
            for (weight, pixel) in weights.iter().zip(&image.pixels) {
                *score += weight * pixel;
            }
        }
        scores
    }
}
