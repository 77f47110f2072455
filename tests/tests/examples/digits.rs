//! A model over chunks of images, against the library that it is modelled on.

use serde_json::{Value, json};

use crate::{input, map, read};

fn text(file: &str) -> String {
    String::from_utf8(read(file)).expect("a text")
}

/// Every answer is scikit-learn's, and as many are right.
pub fn as_scikit_learn() {
    let files = input("digits", "test-*.csv");
    let chunks = map("digits", "classify", &["--files", &files]);
    let answers: Vec<Value> = chunks.json();
    let expected = text(&input("digits", "scikit-learn.txt"));
    let digits = answers
        .iter()
        .map(|a| a["digits"].as_str().expect("a text"));
    assert_eq!(
        digits.collect::<Vec<_>>(),
        expected.lines().collect::<Vec<_>>()
    );

    // Counted here, from the labels.
    let rows = (0..9).map(|chunk| text(&input("digits", &format!("test-{chunk}.csv"))));
    let mut right = [0; 9];
    for (at, (rows, answers)) in rows.zip(expected.lines()).enumerate() {
        let labels = rows.lines().filter_map(|row| row.chars().last());
        right[at] = labels.zip(answers.chars()).filter(|(a, b)| a == b).count();
        assert_eq!(rows.lines().count(), answers.len());
    }
    assert_eq!(right.iter().sum::<usize>(), 840);
    for (answer, right) in answers.iter().zip(right) {
        assert_eq!(answer["right"], json!(right));
    }

    let native = (0..9).map(|chunk| {
        let rows = text(&input("digits", &format!("test-{chunk}.csv")));
        let answer = ::digits::classify(&rows).expect("images");
        serde_json::to_string(&answer).expect("numbers and a text")
    });
    assert_eq!(chunks.lines(), native.collect::<Vec<_>>());
}

/// Training in the sandbox gives the weights that are compiled in.
pub fn weights() {
    let found = map(
        "digits",
        "train",
        &["--files", &input("digits", "train.csv")],
    );
    let (found, kept) = (
        numbers(found.text()),
        numbers(&text("examples/digits/src/weights.json")),
    );
    assert_eq!(found.len(), 650);
    assert_eq!(kept.len(), 650);
    assert!(kept.iter().any(|number| number.abs() > 1.0));
    let near = found.iter().zip(&kept).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near, "{found:?} is not {kept:?}");
}

fn numbers(model: &str) -> Vec<f64> {
    let model: Value = serde_json::from_str(model).expect("JSON");
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let weights = list(&model["weights"])
        .iter()
        .flat_map(list)
        .collect::<Vec<_>>();
    let numbers = weights.into_iter().chain(list(&model["biases"]));
    numbers
        .map(|number| number.as_f64().expect("a number"))
        .collect()
}
