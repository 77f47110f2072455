//! Reads tables of images.

/// Pixels of an image: eight rows of eight.
pub const PIXELS: usize = 64;
/// The value of a pixel that is all ink.
const INK: u8 = 16;

/// An image.
pub struct Image {
    /// Ink of each pixel, from 0 to 1.
    pub pixels: [f64; PIXELS],
    /// Which digit it shows, if that is known.
    pub label: Option<u8>,
}

/// The images of a CSV file.
pub fn parse(csv: &str) -> Result<Vec<Image>, String> {
    let rows = csv.lines().enumerate();
    rows.map(|(at, row)| image(row).map_err(|e| format!("row {}: {e}", at + 1)))
        .collect()
}

fn image(row: &str) -> Result<Image, String> {
    let fields: Vec<u8> = row.split(',').map(number).collect::<Result<_, _>>()?;
    let (pixels, label) = match fields.split_at_checked(PIXELS) {
        Some((pixels, [])) => (pixels, None),
        Some((pixels, [label])) => (pixels, Some(*label)),
        _ => return Err(format!("{} columns, and not 64 or 65", fields.len())),
    };
    if let Some(pixel) = pixels.iter().find(|pixel| **pixel > INK) {
        return Err(format!("a pixel of {pixel}, which is above {INK}"));
    }
    if let Some(label @ 10..) = label {
        return Err(format!("the label {label}, which is no digit"));
    }
    let mut image = Image {
        pixels: [0.0; PIXELS],
        label,
    };
    for (to, from) in image.pixels.iter_mut().zip(pixels) {
        *to = f64::from(*from) / f64::from(INK);
    }
    Ok(image)
}

fn number(field: &str) -> Result<u8, String> {
    field
        .parse()
        .map_err(|_| format!("`{field}` is no small number"))
}
