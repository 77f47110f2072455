//! Thumbnails and blurred copies of photographs, with the `image` crate.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult};
use wasmpool_guest::Bytes;

/// The longer side of a thumbnail, in pixels.
pub const THUMBNAIL: u32 = 128;
/// Standard deviation of the blur, in pixels.
pub const BLUR: f32 = 4.0;

/// Width and height of the photograph, in pixels.
///
/// # Errors
/// If it is neither JPEG nor PNG, or is damaged.
pub fn size(file: &[u8]) -> ImageResult<(u32, u32)> {
    let photograph = decode(file)?;
    Ok((photograph.width(), photograph.height()))
}

/// The photograph, made to fit a square of [`THUMBNAIL`] pixels a side: each pixel is the mean of those that it stands for.
/// A smaller one stays as it is.
///
/// # Errors
/// If it is neither JPEG nor PNG, or is damaged.
pub fn thumbnail(file: &[u8]) -> ImageResult<Bytes> {
    let photograph = decode(file)?;
    let fits = photograph.width().max(photograph.height()) <= THUMBNAIL;
    let small = match fits {
        true => photograph,
        false => photograph.thumbnail(THUMBNAIL, THUMBNAIL),
    };
    encode(&small)
}

/// The photograph, blurred nearly as by a Gaussian: three means over boxes, which need additions only, so that every
/// machine computes the same pixels.
///
/// # Errors
/// If it is neither JPEG nor PNG, or is damaged.
pub fn blur(file: &[u8]) -> ImageResult<Bytes> {
    encode(&decode(file)?.fast_blur(BLUR))
}

/// The pixels, upright as the camera noted it.
fn decode(file: &[u8]) -> ImageResult<DynamicImage> {
    let format = image::guess_format(file)?;
    let mut decoder = ImageReader::with_format(Cursor::new(file), format).into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut photograph = DynamicImage::from_decoder(decoder)?;
    photograph.apply_orientation(orientation);
    Ok(photograph)
}

/// A PNG file.
fn encode(image: &DynamicImage) -> ImageResult<Bytes> {
    let mut file = Vec::new();
    image.write_to(&mut Cursor::new(&mut file), ImageFormat::Png)?;
    Ok(Bytes(file))
}

wasmpool_guest::tasks! {
    /// Width and height in pixels. The item is a JPEG or PNG file.
    size,
    /// A copy that fits 128 by 128 pixels. The item is a JPEG or PNG file, and the result a PNG file.
    thumbnail,
    /// A blurred copy. The item is a JPEG or PNG file, and the result a PNG file.
    blur,
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn png(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Bytes {
        let image = RgbImage::from_fn(width, height, |x, y| Rgb(pixel(x, y)));
        encode(&DynamicImage::ImageRgb8(image)).unwrap()
    }

    fn pixels(file: &[u8]) -> RgbImage {
        decode(file).unwrap().into_rgb8()
    }

    #[test]
    fn a_thumbnail_is_a_mean_of_pixels() {
        // Every second column is white.
        let stripes = png(256, 512, |x, _| [255 * (x % 2) as u8; 3]);
        let small = pixels(&thumbnail(&stripes).unwrap());
        assert_eq!(small.dimensions(), (64, THUMBNAIL));
        assert!(
            small
                .pixels()
                .all(|p| p.0.iter().all(|c| (126..=129).contains(c)))
        );
    }

    #[test]
    fn what_is_small_stays() {
        let spot = png(3, 2, |x, y| [x as u8, y as u8, 7]);
        assert_eq!(pixels(&thumbnail(&spot).unwrap()), pixels(&spot));
        assert_eq!(size(&spot).unwrap(), (3, 2));
    }

    /// A blurred edge is a ramp whose slope is that of the normal distribution.
    #[test]
    fn a_blur_has_its_width() {
        let edge = png(101, 9, |x, _| [if x < 50 { 0 } else { 200 }; 3]);
        let ramp = pixels(&blur(&edge).unwrap());
        let at = |x: u32| f64::from(ramp.get_pixel(x, 4).0[0]) / 200.0;
        assert!(at(20) < 0.01 && at(80) > 0.99);
        // One standard deviation from the edge, which lies between two pixels.
        let (below, above) = ((at(45) + at(46)) / 2.0, (at(53) + at(54)) / 2.0);
        assert!((below - 0.159).abs() < 0.03, "{below}");
        assert!((above - 0.841).abs() < 0.03, "{above}");
    }

    #[test]
    fn what_is_no_photograph_is_an_error() {
        let whole = png(20, 20, |x, y| [x as u8, y as u8, 0]);
        for file in [&b""[..], b"GIF89a", b"text", &whole[..whole.len() / 2]] {
            assert!(thumbnail(file).is_err());
            assert!(blur(file).is_err());
        }
    }
}
