//! Finds lines and the letters in them, and makes letters of any size comparable.

use crate::page::Page;

/// Edge of the grid that a letter is reduced to.
const GRID: usize = 12;
/// Connected pixels that are fewer are specks.
const SPECK: usize = 4;

/// A letter. Lengths are parts of the height of the page's small letters.
pub struct Glyph {
    /// From the left edge of the page.
    pub left: f32,
    /// From the left edge of the page.
    pub right: f32,
    /// Of its upper edge, above the line that letters stand on.
    top: f32,
    /// Of its lower edge, above the line that letters stand on; negative below.
    bottom: f32,
    /// How much of each cell of a grid over the letter is ink, from 0 to 1.
    grid: [f32; GRID * GRID],
}

impl Glyph {
    /// How unlike two letters are: 0 for the same.
    pub fn distance(&self, other: &Glyph) -> f32 {
        let cells = self.grid.iter().zip(&other.grid);
        let form: f32 = cells.map(|(a, b)| (a - b).powi(2)).sum();
        let place = (self.top - other.top).powi(2) + (self.bottom - other.bottom).powi(2);
        let width = (self.right - self.left) - (other.right - other.left);
        form / (GRID * GRID) as f32 + 0.5 * place + 0.5 * width.powi(2)
    }
}

/// Connected ink, or several such pieces above each other. Edges are in pixels; right and bottom are beside it.
pub struct Piece {
    left: usize,
    right: usize,
    top: usize,
    bottom: usize,
    /// Places of the pixels in the page.
    pixels: Vec<usize>,
}

impl Piece {
    fn of(page: &Page, pixels: Vec<usize>) -> Piece {
        let mut piece = Piece {
            left: usize::MAX,
            right: 0,
            top: usize::MAX,
            bottom: 0,
            pixels,
        };
        for pixel in &piece.pixels {
            let (x, y) = (pixel % page.width, pixel / page.width);
            piece.left = piece.left.min(x);
            piece.right = piece.right.max(x + 1);
            piece.top = piece.top.min(y);
            piece.bottom = piece.bottom.max(y + 1);
        }
        piece
    }

    /// Every way to cut it from top to bottom that leaves more than specks, as two letters that touch should be.
    pub fn cuts(&self, page: &Page) -> impl Iterator<Item = [Piece; 2]> {
        (self.left + 1..self.right).filter_map(|column| {
            let (left, right): (Vec<_>, Vec<_>) = self
                .pixels
                .iter()
                .partition(|pixel| **pixel % page.width < column);
            let parts = left.len() >= SPECK && right.len() >= SPECK;
            parts.then(|| [left, right].map(|pixels| Piece::of(page, pixels)))
        })
    }

    fn join(&mut self, other: Piece) {
        self.left = self.left.min(other.left);
        self.right = self.right.max(other.right);
        self.top = self.top.min(other.top);
        self.bottom = self.bottom.max(other.bottom);
        self.pixels.extend(other.pixels);
    }

    fn height(&self) -> usize {
        self.bottom - self.top
    }
}

/// A line of text.
pub struct Line {
    /// Its letters, from left to right; several that touch are one piece.
    pub pieces: Vec<Piece>,
    /// Where they stand, in pixels from the top of the page.
    base: usize,
    /// The height of the page's small letters, in pixels.
    scale: f32,
}

impl Line {
    /// Whether a piece is not too large for some letters that touch: a frame or a picture is.
    pub fn may_be_letters(&self, piece: &Piece) -> bool {
        let width = piece.right - piece.left;
        piece.height() as f32 <= 3.0 * self.scale && width as f32 <= 20.0 * self.scale
    }

    /// A piece of this line as a letter.
    pub fn glyph(&self, page: &Page, piece: &Piece) -> Glyph {
        let base = self.base as f32;
        Glyph {
            left: piece.left as f32 / self.scale,
            right: piece.right as f32 / self.scale,
            top: (base - piece.top as f32) / self.scale,
            bottom: (base - piece.bottom as f32) / self.scale,
            grid: grid(page, piece),
        }
    }
}

/// The lines of a page, from the top.
pub fn lines(page: &Page) -> Result<Vec<Line>, String> {
    let lines: Vec<(usize, Vec<Piece>)> = rows_of(pieces(page))
        .into_iter()
        .map(|row| (base(&row), stacked(row)))
        .collect();
    let scale = small_letter(&lines).ok_or("there is no text on the page")? as f32;
    let line = |(base, pieces)| Line {
        pieces,
        base,
        scale,
    };
    Ok(lines.into_iter().map(line).collect())
}

/// Connected ink, corners included, without specks.
fn pieces(page: &Page) -> Vec<Piece> {
    let mut seen = vec![false; page.ink.len()];
    let mut pieces = Vec::new();
    for start in 0..page.ink.len() {
        if !page.ink[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut pixels = vec![start];
        let mut at = 0;
        while let Some(&pixel) = pixels.get(at) {
            at += 1;
            let (x, y) = (pixel % page.width, pixel / page.width);
            for y in y.saturating_sub(1)..=y + 1 {
                for x in x.saturating_sub(1)..=(x + 1).min(page.width - 1) {
                    let next = y * page.width + x;
                    if page.ink.get(next) == Some(&true) && !seen[next] {
                        seen[next] = true;
                        pixels.push(next);
                    }
                }
            }
        }
        if pixels.len() >= SPECK {
            pieces.push(Piece::of(page, pixels));
        }
    }
    pieces
}

/// Parts pieces into lines: letters that share a height are in one line, and what is small goes to the nearest line.
fn rows_of(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut heights: Vec<usize> = pieces.iter().map(Piece::height).collect();
    heights.sort_unstable();
    let Some(&median) = heights.get(heights.len() / 2) else {
        return Vec::new();
    };
    let (mut letters, small): (Vec<Piece>, Vec<Piece>) = pieces
        .into_iter()
        .partition(|piece| piece.height() * 3 > median * 2);
    letters.sort_by_key(|piece| (piece.top + piece.bottom, piece.left));
    let mut rows: Vec<(usize, usize, Vec<Piece>)> = Vec::new();
    for piece in letters {
        let middle = (piece.top + piece.bottom) / 2;
        match rows.last_mut() {
            Some((top, bottom, row)) if middle < *bottom => {
                *top = piece.top.min(*top);
                *bottom = piece.bottom.max(*bottom);
                row.push(piece);
            }
            _ => rows.push((piece.top, piece.bottom, vec![piece])),
        }
    }
    for piece in small {
        let middle = (piece.top + piece.bottom) / 2;
        let away =
            |top: usize, bottom: usize| top.saturating_sub(middle) + middle.saturating_sub(bottom);
        let nearest = rows
            .iter_mut()
            .min_by_key(|(top, bottom, _)| away(*top, *bottom));
        if let Some((top, bottom, row)) = nearest
            && away(*top, *bottom) <= median / 2
        {
            row.push(piece);
        }
    }
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// Joins pieces that lie above each other, as the dot and the stem of an i; from left to right.
fn stacked(mut row: Vec<Piece>) -> Vec<Piece> {
    row.sort_by_key(|piece| piece.left);
    let mut letters: Vec<Piece> = Vec::new();
    for piece in row {
        match letters.last_mut() {
            Some(last) if overlap(last, &piece) => last.join(piece),
            _ => letters.push(piece),
        }
    }
    letters
}

/// Whether half of the narrower piece is above or below the other.
fn overlap(left: &Piece, right: &Piece) -> bool {
    let shared = left.right.min(right.right).saturating_sub(right.left);
    let narrower = (left.right - left.left).min(right.right - right.left);
    shared * 2 >= narrower.max(1)
}

/// The most frequent of some numbers, or one beside it.
fn most_frequent(numbers: impl Iterator<Item = usize>) -> Option<usize> {
    let mut counts = std::collections::BTreeMap::new();
    for number in numbers {
        *counts.entry(number).or_insert(0) += 2;
        *counts.entry(number + 1).or_insert(0) += 1;
        *counts.entry(number.saturating_sub(1)).or_insert(0) += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map(|(number, _)| number)
}

/// Where the letters of a line stand: most of them end there.
fn base(row: &[Piece]) -> usize {
    most_frequent(row.iter().map(|piece| piece.bottom)).unwrap_or(0)
}

/// The height of small letters as a, in pixels: most letters have it.
fn small_letter(lines: &[(usize, Vec<Piece>)]) -> Option<usize> {
    let heights = lines.iter().flat_map(|(base, row)| {
        let standing = row.iter().filter(|piece| piece.bottom.abs_diff(*base) <= 1);
        standing
            .map(|piece| base.saturating_sub(piece.top))
            .filter(|height| *height > SPECK)
    });
    most_frequent(heights)
}

fn grid(page: &Page, piece: &Piece) -> [f32; GRID * GRID] {
    let (width, height) = ((piece.right - piece.left) as f32, piece.height() as f32);
    let mut grid = [0.0; GRID * GRID];
    // A pixel is spread over the cells that it covers.
    let spread = |at: usize, length: f32| {
        let (from, to) = (
            at as f32 * GRID as f32 / length,
            (at + 1) as f32 * GRID as f32 / length,
        );
        let cells = from as usize..(to.ceil() as usize).min(GRID);
        cells.map(move |cell| (cell, to.min((cell + 1) as f32) - from.max(cell as f32)))
    };
    for pixel in &piece.pixels {
        let (x, y) = (
            pixel % page.width - piece.left,
            pixel / page.width - piece.top,
        );
        for (row, high) in spread(y, height) {
            for (column, wide) in spread(x, width) {
                grid[row * GRID + column] += high * wide;
            }
        }
    }
    grid
}
