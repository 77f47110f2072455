//! Draws the Mandelbrot set: tiles go out to a pool, pixels come back in order, a PNG is written.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use wasmpool::pool::Pool;

/// Edge of a tile, in pixels; tiles at the right and lower edge are smaller.
const TILE: u32 = 64;
/// Bytes of a pixel: red, green, blue.
const PIXEL: usize = 3;

/// An item of the task `tile`. The fields' order is that of the guest's own struct: items travel in a format without
/// names.
#[derive(Clone, Copy, Serialize)]
struct Tile {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
    image_width: u32,
    image_height: u32,
    center: (f64, f64),
    span: f64,
    iterations: u32,
}

fn main() -> Result<()> {
    wasmpool::worker::enter_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (guest, image, width, height) = match args.as_slice() {
        [guest, image] => (guest, image, 1280, 800),
        [guest, image, width, height] => (guest, image, pixels(width)?, pixels(height)?),
        _ => anyhow::bail!("usage: mandelbrot-host GUEST.wasm IMAGE.png [WIDTH HEIGHT]"),
    };

    let pool = Pool::builder()
        .open(guest)
        .with_context(|| format!("cannot use {guest}; `cargo xtask guests` builds it"))?;
    let start = Instant::now();
    let tiles = tiles(width, height);
    let mut picture = vec![0; width as usize * height as usize * PIXEL];
    for (tile, pixels) in tiles.iter().zip(pool.imap("tile", tiles.iter().copied())?) {
        let pixels: Vec<u8> = pixels?;
        place(&mut picture, tile, &pixels)?;
    }
    println!("{} tiles in {:.2?}", tiles.len(), start.elapsed());
    write_png(Path::new(image), width, height, &picture)
}

fn pixels(text: &str) -> Result<u32> {
    let pixels = text
        .parse()
        .with_context(|| format!("{text} is no number of pixels"))?;
    ensure!(
        (1..=16_384).contains(&pixels),
        "an image has 1 to 16384 pixels a side"
    );
    Ok(pixels)
}

fn tiles(width: u32, height: u32) -> Vec<Tile> {
    let corners = (0..height)
        .step_by(TILE as usize)
        .flat_map(|y| (0..width).step_by(TILE as usize).map(move |x| (x, y)));
    let tile = |(x, y)| Tile {
        x,
        y,
        width: TILE.min(width - x),
        height: TILE.min(height - y),
        image_width: width,
        image_height: height,
        center: (-0.65, 0.0),
        span: 3.2,
        iterations: 500,
    };
    corners.map(tile).collect()
}

/// Copies a tile's rows to where they belong in the picture.
fn place(picture: &mut [u8], tile: &Tile, pixels: &[u8]) -> Result<()> {
    let row = tile.width as usize * PIXEL;
    // What a guest returns is checked like any other input.
    ensure!(
        pixels.len() == row * tile.height as usize,
        "a tile has {} bytes, not {}",
        pixels.len(),
        row * tile.height as usize
    );
    for (y, line) in pixels.chunks_exact(row).enumerate() {
        let at = ((tile.y as usize + y) * tile.image_width as usize + tile.x as usize) * PIXEL;
        picture[at..at + row].copy_from_slice(line);
    }
    Ok(())
}

fn write_png(path: &Path, width: u32, height: u32, picture: &[u8]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture)?;
    Ok(writer.finish()?)
}
