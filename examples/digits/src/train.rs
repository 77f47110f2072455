//! Fits weights to images: the loss of scikit-learn's `LogisticRegression` with its default `C=1`, which is the sum of
//! `-log(probability of the label)` over all images and half the sum of all squared weights.

use crate::model::{DIGITS, Model};
use crate::table::Image;

/// The slope at which the loss counts as least.
const FLAT: f64 = 1e-3;
/// Far more steps than are needed.
const MOST_STEPS: usize = 20_000;

/// The best weights. The loss has one minimum, so it does not matter how that is found: here by Nesterov's accelerated
/// descent, which starts anew when it has gone too far.
pub fn train(images: &[Image]) -> Result<Model, String> {
    if let Some(at) = images.iter().position(|image| image.label.is_none()) {
        return Err(format!("row {}: no label to learn from", at + 1));
    }
    // A bound of how fast the slope changes: for each image half the square of its length, with 1 for the bias.
    let square = |image: &Image| image.pixels.iter().map(|p| p * p).sum::<f64>() + 1.0;
    let curvature = 1.0 + images.iter().map(square).sum::<f64>() / 2.0;

    let mut model = Model::new();
    let mut ahead = model.clone();
    let mut momentum = 1.0_f64;
    for _ in 0..MOST_STEPS {
        let slope = slope(&ahead, images);
        if slope.largest() < FLAT {
            return Ok(ahead);
        }
        let next = ahead.plus(&slope, -1.0 / curvature);
        let step = next.plus(&model, -1.0);
        if slope.dot(&step) > 0.0 {
            momentum = 1.0;
        }
        let next_momentum = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
        ahead = next.plus(&step, (momentum - 1.0) / next_momentum);
        (model, momentum) = (next, next_momentum);
    }
    Err("the weights did not settle".into())
}

/// What is to be made least.
#[cfg(test)]
pub fn loss(model: &Model, images: &[Image]) -> f64 {
    let of_image = |image: &Image| {
        let label = usize::from(image.label.unwrap());
        model.probabilities(image).1 - model.scores(image)[label]
    };
    let squares: f64 = model.weights.iter().flatten().map(|w| w * w).sum();
    images.iter().map(of_image).sum::<f64>() + squares / 2.0
}

/// How the loss changes with each weight.
fn slope(model: &Model, images: &[Image]) -> Model {
    let mut slope = model.clone();
    slope.biases = [0.0; DIGITS];
    for image in images {
        let (mut errors, _) = model.probabilities(image);
        if let Some(label) = image.label {
            errors[usize::from(label)] -= 1.0;
        }
        for (digit, error) in errors.into_iter().enumerate() {
            slope.biases[digit] += error;
            for (weight, pixel) in slope.weights[digit].iter_mut().zip(&image.pixels) {
                *weight += error * pixel;
            }
        }
    }
    slope
}

impl Model {
    fn numbers(&self) -> impl Iterator<Item = &f64> {
        self.weights.iter().flatten().chain(&self.biases)
    }

    fn plus(&self, other: &Model, times: f64) -> Model {
        let mut sum = self.clone();
        let numbers = sum.weights.iter_mut().flatten().chain(&mut sum.biases);
        for (to, from) in numbers.zip(other.numbers()) {
            *to += times * from;
        }
        sum
    }

    fn dot(&self, other: &Model) -> f64 {
        self.numbers()
            .zip(other.numbers())
            .map(|(a, b)| a * b)
            .sum()
    }

    fn largest(&self) -> f64 {
        self.numbers().fold(0.0, |largest, x| largest.max(x.abs()))
    }
}
