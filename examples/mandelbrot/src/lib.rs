//! Draws the Mandelbrot set in tiles, for a host that puts them together.

use serde::Deserialize;
use wasmpool_guest::Bytes;

/// The most pixels that a tile may have.
const MAX_PIXELS: u64 = 16 << 20;

/// A rectangle of an image, and what the image shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Column of the tile's left edge in the image, in pixels.
    pub x: u32,
    /// Row of the tile's upper edge in the image, in pixels.
    pub y: u32,
    /// Width of the tile, in pixels.
    pub width: u32,
    /// Height of the tile, in pixels.
    pub height: u32,
    /// Width of the whole image, in pixels.
    pub image_width: u32,
    /// Height of the whole image, in pixels.
    pub image_height: u32,
    /// The complex number in the middle of the image: its real and its imaginary part.
    #[serde(default = "whole_set_center")]
    pub center: (f64, f64),
    /// Width of the image in the complex plane.
    #[serde(default = "whole_set_span")]
    pub span: f64,
    /// After how many steps a point counts as inside the set.
    #[serde(default = "default_iterations")]
    pub iterations: u32,
}

fn whole_set_center() -> (f64, f64) {
    (-0.65, 0.0)
}

fn whole_set_span() -> f64 {
    3.2
}

fn default_iterations() -> u32 {
    500
}

/// The tile's pixels, row by row from the top, each as three bytes: red, green, blue.
///
/// Only additions, multiplications and a table decide a colour, so every machine draws the same bytes.
pub fn tile(tile: Tile) -> Result<Bytes, String> {
    let pixels = u64::from(tile.width) * u64::from(tile.height);
    if pixels > MAX_PIXELS {
        return Err(format!(
            "a tile has at most {MAX_PIXELS} pixels, and this one {pixels}"
        ));
    }
    if tile.image_width == 0 || tile.image_height == 0 {
        return Err("an image has at least one pixel".into());
    }
    let step = tile.span / f64::from(tile.image_width);
    let left = tile.center.0 - step * f64::from(tile.image_width) / 2.0;
    let top = tile.center.1 + step * f64::from(tile.image_height) / 2.0;

    let mut bytes = Vec::with_capacity(3 * pixels as usize);
    for row in 0..tile.height {
        let im = top - step * (f64::from(tile.y) + f64::from(row) + 0.5);
        for column in 0..tile.width {
            let re = left + step * (f64::from(tile.x) + f64::from(column) + 0.5);
            bytes.extend(colour(escape_time(re, im, tile.iterations)));
        }
    }
    Ok(Bytes(bytes))
}

/// After how many steps the point leaves the circle of radius 2; none if it does not.
fn escape_time(re: f64, im: f64, iterations: u32) -> Option<u32> {
    // Points of the main cardioid and of the disc beside it never leave, and would take the longest.
    let q = (re - 0.25) * (re - 0.25) + im * im;
    if q * (q + (re - 0.25)) < 0.25 * im * im || (re + 1.0) * (re + 1.0) + im * im < 0.0625 {
        return None;
    }
    let (mut x, mut y) = (0.0_f64, 0.0_f64);
    for step in 0..iterations {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 4.0 {
            return Some(step);
        }
        y = 2.0 * x * y + im;
        x = xx - yy + re;
    }
    None
}

/// Black inside the set; outside, a cycle of colours from deep blue over white and amber back.
fn colour(escape_time: Option<u32>) -> [u8; 3] {
    const STOPS: [[u8; 3]; 5] = [
        [9, 20, 70],
        [40, 110, 200],
        [237, 247, 255],
        [255, 170, 20],
        [60, 20, 10],
    ];
    const STEPS: u32 = 16;
    let Some(time) = escape_time else {
        return [0, 0, 0];
    };
    let position = time % (STOPS.len() as u32 * STEPS);
    let (stop, part) = ((position / STEPS) as usize, position % STEPS);
    let (from, to) = (STOPS[stop], STOPS[(stop + 1) % STOPS.len()]);
    std::array::from_fn(|channel| {
        let mixed = u32::from(from[channel]) * (STEPS - part) + u32::from(to[channel]) * part;
        (mixed / STEPS) as u8
    })
}

wasmpool_guest::tasks! {
    /// Draws one tile: {"x", "y", "width", "height", "image_width", "image_height"} in pixels, and optionally "center",
    /// "span" and "iterations". The result is its pixels, three bytes each.
    tile,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile_of(x: u32, y: u32, width: u32, height: u32) -> Tile {
        Tile {
            x,
            y,
            width,
            height,
            image_width: 32,
            image_height: 20,
            center: whole_set_center(),
            span: whole_set_span(),
            iterations: 200,
        }
    }

    #[test]
    fn known_points() {
        assert_eq!(escape_time(0.0, 0.0, 1000), None);
        assert_eq!(escape_time(-1.0, 0.0, 1000), None);
        // -2 is the set's leftmost point, outside of the two shapes that are known to belong to it.
        assert_eq!(escape_time(-2.0, 0.0, 1000), None);
        assert_eq!(escape_time(1.0, 0.0, 1000), Some(3));
        assert_eq!(escape_time(2.1, 0.0, 1000), Some(1));
    }

    #[test]
    fn tiles_make_up_the_image() {
        let whole = tile(tile_of(0, 0, 32, 20)).unwrap();
        let mut joined = Vec::new();
        for y in (0..20).step_by(5) {
            let tiles: Vec<Bytes> = [0, 8, 16, 24]
                .map(|x| tile(tile_of(x, y, 8, 5)).unwrap())
                .into();
            for row in 0..5 {
                for tile in &tiles {
                    joined.extend_from_slice(&tile[row * 24..(row + 1) * 24]);
                }
            }
        }
        assert_eq!(*whole, joined);
    }

    #[test]
    fn the_image_is_symmetric() {
        let top = tile(tile_of(0, 0, 32, 1)).unwrap();
        let bottom = tile(tile_of(0, 19, 32, 1)).unwrap();
        assert_eq!(top, bottom);
    }

    #[test]
    fn too_large_tiles_are_refused() {
        assert!(tile(tile_of(0, 0, u32::MAX, u32::MAX)).is_err());
        assert!(
            tile(Tile {
                image_width: 0,
                ..tile_of(0, 0, 1, 1)
            })
            .is_err()
        );
    }
}
