//! Black and white pages.

use std::io::Cursor;

use png::{ColorType, Decoder, Transformations};

/// Weight of sixteen that makes a pixel ink: a line one pixel wide stays as it is.
const ENOUGH: u32 = 6;

/// A page cut to ink and paper.
pub struct Page {
    /// Pixels in a row.
    pub width: usize,
    /// Whether there is ink, row by row from the top.
    pub ink: Vec<bool>,
}

impl Page {
    /// Reads a PNG file, grey or in colours.
    pub fn decode(png: &[u8]) -> Result<Page, String> {
        let broken = |e: png::DecodingError| e.to_string();
        let mut decoder = Decoder::new(Cursor::new(png));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(broken)?;
        let size = reader.output_buffer_size().ok_or("the page is too large")?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(broken)?;
        pixels.truncate(frame.buffer_size());
        let grey: Vec<u8> = match frame.color_type {
            ColorType::Grayscale => pixels,
            ColorType::GrayscaleAlpha => pixels.chunks_exact(2).map(|p| p[0]).collect(),
            // The eye sees green best; red, green and blue in sixteenths.
            ColorType::Rgb => pixels.chunks_exact(3).map(luminance).collect(),
            ColorType::Rgba => pixels.chunks_exact(4).map(luminance).collect(),
            ColorType::Indexed => return Err("the palette was not applied".into()),
        };
        let threshold = threshold(&grey);
        let ink: Vec<bool> = grey.iter().map(|grey| *grey < threshold).collect();
        let width = frame.width as usize;
        Ok(Page {
            width,
            ink: smooth(&ink, width),
        })
    }
}

/// Closes gaps of a pixel, and removes specks of one: ink is where it has most weight among a pixel and its neighbours.
fn smooth(ink: &[bool], width: usize) -> Vec<bool> {
    const WEIGHTS: [[u32; 3]; 3] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]];
    let at = |x: usize, y: usize| {
        x >= 1 && x <= width && y >= 1 && ink.get((y - 1) * width + x - 1) == Some(&true)
    };
    let smoothed = (0..ink.len()).map(|pixel| {
        let (x, y) = (pixel % width, pixel / width);
        let weighed = WEIGHTS.iter().enumerate().flat_map(|(down, row)| {
            let row = row.iter().enumerate();
            row.map(move |(across, weight)| (weight, x + across, y + down))
        });
        let sum: u32 = weighed
            .filter(|(_, x, y)| at(*x, *y))
            .map(|(weight, ..)| weight)
            .sum();
        sum >= ENOUGH
    });
    smoothed.collect()
}

fn luminance(pixel: &[u8]) -> u8 {
    let [red, green, blue] = [0, 1, 2].map(|channel| u32::from(pixel[channel]));
    ((5 * red + 9 * green + 2 * blue) / 16) as u8
}

/// The grey that parts the pixels into two groups whose means are as far apart as can be, by the method of Otsu: what is
/// darker is ink.
fn threshold(grey: &[u8]) -> u8 {
    let mut counts = [0_u32; 256];
    for value in grey {
        counts[usize::from(*value)] += 1;
    }
    let part = |range: std::ops::Range<usize>| {
        let count: f64 = range.clone().map(|v| f64::from(counts[v])).sum();
        let sum: f64 = range.map(|v| f64::from(counts[v]) * v as f64).sum();
        (count, sum / count.max(1.0))
    };
    let apart = |at: usize| {
        let ((dark, dark_mean), (light, light_mean)) = (part(0..at), part(at..256));
        dark * light * (light_mean - dark_mean).powi(2)
    };
    let best = (1..256)
        .map(|at| (at, apart(at)))
        .reduce(|best, next| match next.1 > best.1 {
            true => next,
            false => best,
        });
    best.map_or(128, |(at, _)| at as u8)
}
