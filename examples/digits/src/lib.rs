//! Recognises handwritten digits by multinomial logistic regression. An item is a table of some images, so a data set is
//! many items.

mod model;
mod table;
mod train;

use std::sync::LazyLock;

use serde::Serialize;
use wasmpool_guest::serde_json;

pub use crate::model::Model;
use crate::table::Image;

/// What `train` made of the training set.
static WEIGHTS: LazyLock<Result<Model, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("weights.json")).map_err(|e| format!("weights.json: {e}"))
});

/// What was found in a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recognised {
    /// How many images it has.
    pub images: usize,
    /// How many of them have a label, and were recognised as what it says.
    pub right: usize,
    /// What they were recognised as, one after the other.
    pub digits: String,
}

/// Recognises the images of a CSV file: a row an image, 64 pixels from 0 to 16, and a label if there is one.
///
/// # Errors
/// Names the row that is none.
pub fn classify(csv: &str) -> Result<Recognised, String> {
    let model = WEIGHTS.as_ref()?;
    let images = table::parse(csv)?;
    let digits: Vec<u8> = images.iter().map(|image| model.digit(image)).collect();
    let is_right = |(image, digit): &(&Image, &u8)| image.label == Some(**digit);
    Ok(Recognised {
        images: images.len(),
        right: images.iter().zip(&digits).filter(is_right).count(),
        digits: digits.iter().map(u8::to_string).collect(),
    })
}

/// Finds the weights that fit the images of a CSV file best, as above, with labels.
///
/// # Errors
/// Names the row that is none or has no label.
pub fn train(csv: &str) -> Result<Model, String> {
    train::train(&table::parse(csv)?)
}

wasmpool_guest::tasks! {
    /// Recognises the images of a CSV file. The result is {"images", "right", "digits"}.
    classify,
    /// The weights that fit the images of a CSV file with labels.
    train,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let row = ["3"; 64].join(",");
        assert_eq!(classify(&format!("{row}\n{row},7\n")).unwrap().images, 2);
        for (bad, says) in [
            ("1,2,3".to_owned(), "3 columns"),
            (format!("{row},10"), "label"),
            (format!("{row},7\n17,{row}"), "row 2"),
            (format!("x{row}"), "`x3`"),
        ] {
            let error = classify(&bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
        }
        assert!(train(&row).unwrap_err().contains("no label"));
    }

    /// The weights are those at which the loss is least: no step in any direction makes it less.
    #[test]
    fn the_weights_are_the_best() {
        let images = table::parse(include_str!("../input/train.csv")).unwrap();
        let best = train::train(&images).unwrap();
        let least = train::loss(&best, &images);
        for digit in 0..10 {
            for at in 0..table::PIXELS {
                for step in [-0.01, 0.01] {
                    let mut other = best.clone();
                    other.weights[digit][at] += step;
                    assert!(train::loss(&other, &images) > least, "{digit} {at}");
                }
            }
        }
    }
}
