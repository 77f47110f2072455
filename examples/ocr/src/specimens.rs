//! Letters that are known: images of all of them in two fonts and two sizes, which are read as any page is.

use std::sync::LazyLock;

use crate::glyphs::{self, Glyph};
use crate::page::Page;

/// The text of each image. Between any two letters stands an x, so that most letters of a line are of its height.
const TEXT: &str = include_str!("specimen.txt");
const IMAGES: [&[u8]; 4] = [
    include_bytes!("DejaVuSans-22.png"),
    include_bytes!("DejaVuSans-30.png"),
    include_bytes!("DejaVuSerif-22.png"),
    include_bytes!("DejaVuSerif-30.png"),
];

/// A letter, and what it looks like.
pub type Specimen = (char, Glyph);

/// All of them, read when they are first needed.
pub fn specimens() -> &'static Result<Vec<Specimen>, String> {
    static SPECIMENS: LazyLock<Result<Vec<Specimen>, String>> = LazyLock::new(|| {
        let mut specimens = Vec::new();
        for image in IMAGES {
            let page = Page::decode(image)?;
            for (text, line) in TEXT.lines().zip(glyphs::lines(&page)?) {
                let letters: Vec<char> = text.chars().collect();
                if letters.len() != line.pieces.len() {
                    return Err(format!(
                        "{} letters in the specimen of {text}",
                        line.pieces.len()
                    ));
                }
                let glyphs = line.pieces.iter().map(|piece| line.glyph(&page, piece));
                specimens.extend(letters.into_iter().zip(glyphs));
            }
        }
        Ok(specimens)
    });
    &SPECIMENS
}

/// The letter that looks most like this, and how unlike it is.
pub fn nearest(specimens: &[Specimen], glyph: &Glyph) -> (char, f32) {
    let distances = specimens
        .iter()
        .map(|(letter, specimen)| (*letter, glyph.distance(specimen)));
    distances.fold(('?', f32::INFINITY), |nearest, next| {
        match next.1 < nearest.1 {
            true => next,
            false => nearest,
        }
    })
}
