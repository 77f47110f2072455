//! Photographs in, pictures out: as large as they should be, of the same colours, and as native code makes them.

use image::{ImageResult, RgbImage};
use photos::{THUMBNAIL, blur, thumbnail};
use wasmpool_guest::Bytes;
use wasmpool_tests::temporary;

use crate::{map, read};

const PHOTOGRAPHS: [&str; 5] = [
    "astronaut.jpg",
    "camera.png",
    "chelsea.jpg",
    "coffee.jpg",
    "rocket.jpg",
];

/// A photograph, and what became of it.
struct Made {
    name: &'static str,
    before: RgbImage,
    after: RgbImage,
}

fn pixels(file: &[u8]) -> RgbImage {
    image::load_from_memory(file)
        .expect("a picture")
        .into_rgb8()
}

/// What a photograph's picture is called.
fn png(name: &str) -> String {
    format!("{}.png", name.rsplit_once('.').expect("an extension").0)
}

/// Makes all of them by the task, into a folder, and compares with native code.
fn make(task: &str, native: impl Fn(&[u8]) -> ImageResult<Bytes>) -> Vec<Made> {
    let folder = temporary();
    let output = folder.text("out");
    let input = "examples/photos/input/*";
    map(
        "photos",
        task,
        &[
            "--output",
            "raw",
            "--output-dir",
            &output,
            "--output-extension",
            "png",
            "--files",
            input,
        ],
    );
    let mut names: Vec<String> = std::fs::read_dir(&output)
        .expect("the folder is made")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("a name in ASCII"))
        .collect();
    names.sort();
    assert_eq!(names, PHOTOGRAPHS.map(png));
    let made = PHOTOGRAPHS.map(|name| {
        let photograph = read(format!("examples/photos/input/{name}"));
        let file = read(format!("{output}/{}", png(name)));
        assert!(file.starts_with(b"\x89PNG"), "{name}");
        let native = native(&photograph).expect("a photograph");
        assert!(
            pixels(&file) == pixels(&native),
            "{name}: not the pixels of native code"
        );
        Made {
            name,
            before: pixels(&photograph),
            after: pixels(&file),
        }
    });
    made.into()
}

/// The mean of each colour.
fn mean(picture: &RgbImage) -> [f64; 3] {
    let count = f64::from(picture.width() * picture.height());
    let sum = |channel: usize| {
        picture
            .pixels()
            .map(|p| f64::from(p.0[channel]))
            .sum::<f64>()
    };
    [0, 1, 2].map(|channel| sum(channel) / count)
}

/// How much pixels differ from their right neighbours, on average.
fn contrast(picture: &RgbImage) -> f64 {
    let beside = picture.rows().flat_map(|row| {
        let row: Vec<_> = row.map(|p| f64::from(p.0[1])).collect();
        row.windows(2)
            .map(|pair| (pair[0] - pair[1]).abs())
            .collect::<Vec<_>>()
    });
    let beside: Vec<f64> = beside.collect();
    beside.iter().sum::<f64>() / beside.len() as f64
}

#[track_caller]
fn same_colours(made: &Made) {
    let (before, after) = (mean(&made.before), mean(&made.after));
    let near = before.iter().zip(after).all(|(b, a)| (b - a).abs() < 1.5);
    assert!(near, "{}: {before:?} became {after:?}", made.name);
}

pub fn thumbnails() {
    for made in make("thumbnail", thumbnail) {
        let (width, height) = made.before.dimensions();
        let longer = width.max(height);
        let side = |side: u32| f64::from(side * THUMBNAIL) / f64::from(longer);
        assert_eq!(
            made.after.width(),
            side(width).round() as u32,
            "{}",
            made.name
        );
        assert_eq!(
            made.after.height(),
            side(height).round() as u32,
            "{}",
            made.name
        );
        same_colours(&made);
    }
}

pub fn blurred() {
    for made in make("blur", blur) {
        assert_eq!(
            made.after.dimensions(),
            made.before.dimensions(),
            "{}",
            made.name
        );
        same_colours(&made);
        let (before, after) = (contrast(&made.before), contrast(&made.after));
        assert!(
            after < before / 2.0,
            "{}: {before} became {after}",
            made.name
        );
    }
}
