"""Draw pictures of screens: pages of text, windows, buttons and tables, to train on.

    python -m edgecodec.encoder.training.draw_pages --out PAGES --count 60

Photographs teach a codec nothing about letters and flat colours with sharp edges. What is drawn is
nobody's, and differs with the seed alone; `make_packs pictures --data PAGES` makes a pack of it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import track

from ..script import run_script

Color = tuple[int, int, int]
Box = tuple[int, int, int, int]
_SIZE = (1280, 960)
_SYLLABLES = "ba ce di fo gu ha jel kin lor mur na per qui ras set tam ul ven wi xo ya zed 1 20 365"
_FONT_SIZES = (11, 12, 13, 14, 16, 18, 22, 28, 40)
_PARTS = ("text", "text", "code", "table", "buttons", "chart", "blend")


@dataclass(frozen=True)
class Theme:
    """Colours of a page: of the ground, of panels on it, of text, and of what is to be seen."""

    ground: Color
    panel: Color
    text: Color
    accents: tuple[Color, ...]


def draw_page(random: np.random.Generator) -> Image.Image:
    """One page of 1280x960 in RGB; the same for generators in the same state."""
    theme = _theme(random)
    page = Image.new("RGB", _SIZE, theme.ground)
    draw = ImageDraw.Draw(page)
    width, height = _SIZE
    top = int(random.integers(0, 60))
    draw.rectangle((0, 0, width, top), fill=_one(random, theme.accents))
    columns = int(random.integers(1, 5))
    for column in range(columns):
        left, right = (width * each // columns + 6 for each in (column, column + 1))
        y = top + 8
        while y < height - 40:
            bottom = min(height - 8, y + int(random.integers(60, 420)))
            box = (left, y, right - 12, bottom)
            if random.random() < 0.5:
                draw.rounded_rectangle(box, radius=int(random.integers(0, 12)), fill=theme.panel)
            _part(page, draw, box, theme, random)
            y = bottom + int(random.integers(4, 24))
    return page


def _theme(random: np.random.Generator) -> Theme:
    light = random.random() < 0.65
    ground = 255 - int(random.exponential(8)) if light else int(random.exponential(20))
    towards = -1 if light else 1
    accents = tuple(_tuple(random.integers(0, 256, 3)) for _ in range(4))
    text = int(random.integers(0, 90)) if light else int(random.integers(170, 256))
    panel = ground + towards * int(random.integers(0, 24))
    return Theme(_grey(ground), _grey(panel), _grey(text), accents)


def _part(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    box: Box,
    theme: Theme,
    random: np.random.Generator,
) -> None:
    kind = _PARTS[int(random.integers(len(_PARTS)))]
    left, top, right, bottom = box
    if kind == "blend":
        page.paste(_blend(right - left, bottom - top, theme, random), (left, top))
    elif kind == "chart":
        points = [(x, int(random.integers(top, bottom))) for x in range(left, right, 16)]
        draw.line(points, fill=_one(random, theme.accents), width=int(random.integers(1, 4)))
        draw.rectangle(box, outline=theme.text)
    elif kind == "buttons":
        for y in range(top + 6, bottom - 30, 44):
            button = (left + 8, y, left + int(random.integers(60, 160)), y + 30)
            draw.rounded_rectangle(button, radius=6, fill=_one(random, theme.accents))
            _write(draw, (left + 16, y + 8), button[2] - 8, 14, theme.ground, random)
    else:
        size = int(random.choice(_FONT_SIZES))
        for number, y in enumerate(range(top + 4, bottom - size, round(1.4 * size))):
            if kind == "table":
                draw.line((left, y - 3, right, y - 3), fill=theme.accents[0])
            indent = int(random.integers(0, 5)) * size if kind == "code" else 4
            end = right if kind == "text" and number % 7 else left + (right - left) * 2 // 3
            color = _one(random, theme.accents) if kind == "code" else theme.text
            _write(draw, (left + indent, y), end, size, color, random)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    end: int,
    size: int,
    color: Color,
    random: np.random.Generator,
) -> None:
    """A line of words from `at` to about `end` pixels from the left."""
    font = ImageFont.load_default(size)
    syllables = _SYLLABLES.split()
    line = ""
    while draw.textlength(line, font) < end - at[0] - 4 * size:
        word = "".join(random.choice(syllables, int(random.integers(1, 4))))
        line += (word.title() if random.random() < 0.2 else word) + " "
    draw.text(at, line, fill=color, font=font)


def _blend(width: int, height: int, theme: Theme, random: np.random.Generator) -> Image.Image:
    """One colour that becomes another."""
    ends = [np.array(_one(random, theme.accents), float) for _ in range(2)]
    along = np.linspace(0, 1, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    share = (along + down) / 2 if random.random() < 0.5 else along + 0 * down
    mixed = ends[0] * (1 - share) + ends[1] * share
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))


def _one(random: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    return colors[int(random.integers(len(colors)))]


def _grey(level: int) -> Color:
    level = min(255, max(0, level))
    return level, level, level


def _tuple(levels: np.ndarray) -> Color:
    red, green, blue = (int(each) for each in levels)
    return red, green, blue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pages, PNG")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for number in track(range(asked.count), description="pages", console=Console(stderr=True)):
        page = draw_page(np.random.default_rng((asked.seed, number)))
        # A letter before the number: folders of numbers are frames of one clip.
        page.save(asked.out / f"page{number:04}.png")


if __name__ == "__main__":
    run_script(main)
