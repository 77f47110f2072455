#!/usr/bin/env python3
"""Draws the specimens in src/ and the pages in input/, from the texts there.

Needs Pillow (13.0 was used) and the DejaVu fonts (Debian's fonts-dejavu 2.37). A page is drawn in grey, blurred, mixed
with random noise, cut to black and white, and sprinkled with specks, as a bad scanner would.
"""

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

HERE = Path(__file__).parent
FONTS = "/usr/share/fonts/truetype/dejavu/"
MARGIN = 24

# Page, font, its size in pixels, radius of the blur, strength of the noise, specks in 10,000 pixels.
PAGES = [
    (1, "DejaVuSans", 22, 0.4, 10, 2),
    (2, "DejaVuSerif", 22, 0.4, 10, 2),
    (3, "DejaVuSans", 20, 0.5, 20, 10),
    (4, "DejaVuSerif", 26, 0.5, 20, 10),
    (5, "DejaVuSans", 28, 0.8, 40, 20),
    # A font that there is no specimen of.
    (6, "DejaVuSansMono", 22, 0.4, 10, 2),
]


def draw(lines, font, size, blur):
    font = ImageFont.truetype(f"{FONTS}{font}.ttf", size, layout_engine=ImageFont.Layout.BASIC)
    pitch = round(size * 1.4)
    width = max(round(font.getlength(line)) for line in lines) + 2 * MARGIN
    image = Image.new("L", (width, pitch * len(lines) + 2 * MARGIN), 255)
    pen = ImageDraw.Draw(image)
    for at, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + at * pitch), line, font=font, fill=0)
    return image.filter(ImageFilter.GaussianBlur(blur))


def scan(image, noise, specks, seed):
    dice = random.Random(seed)
    noisy = [grey + dice.gauss(0, noise) for grey in image.tobytes()]
    bits = [grey >= 145 for grey in noisy]
    for at in range(len(bits)):
        if dice.random() * 10_000 < specks:
            bits[at] = not bits[at]
    page = Image.new("1", image.size)
    page.putdata([255 * bit for bit in bits])
    return page


def specimen(font, size):
    lines = (HERE / "src/specimen.txt").read_text().splitlines()
    return scan(draw([" ".join(line) for line in lines], font, size, 0.5), 0, 0, 0)


for font in ["DejaVuSans", "DejaVuSerif"]:
    for size in [22, 30]:
        specimen(font, size).save(HERE / f"src/{font}-{size}.png", optimize=True)
for page, font, size, blur, noise, specks in PAGES:
    lines = (HERE / f"input/page-{page}.txt").read_text().splitlines()
    image = draw(lines, font, size, blur)
    scan(image, noise, specks, page).save(HERE / f"input/page-{page}.png", optimize=True)
